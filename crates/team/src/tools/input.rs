//! What a tool takes, defined once: a struct from which come both the schema that models read and the parsing.
//!
//! Schemas are kept to the subset that all providers take: no references, no `null`, no number formats.

use schemars::JsonSchema;
use schemars::generate::SchemaSettings;
use schemars::transform::RecursiveTransform;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};

use crate::model::ToolSpec;

/// What the model did wrong and what to do instead, in words for the model.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct Correction(pub String);

/// A tool's specification, its schema derived from the `Input` that [`parse_input`] gives it.
///
/// ```
/// #[derive(serde::Deserialize, schemars::JsonSchema)]
/// struct Greet {
///     /// Whom to greet.
///     name: String,
/// }
///
/// let spec = agent_team::tools::spec_of::<Greet>("greet", "Greets someone.");
/// assert_eq!(spec.input_schema["properties"]["name"]["description"], "Whom to greet.");
/// ```
pub fn spec_of<Input: JsonSchema>(name: &str, description: &str) -> ToolSpec {
    let settings = SchemaSettings::draft2020_12()
        .with(|settings| {
            settings.inline_subschemas = true;
            settings.meta_schema = None;
        })
        .with_transform(RecursiveTransform(simplify));
    let mut schema = settings.into_generator().into_root_schema_for::<Input>();
    schema.remove("title");
    schema.remove("description");
    ToolSpec { name: name.to_owned(), description: description.to_owned(), input_schema: schema.to_value() }
}

/// The model's input as a typed value.
///
/// Forgives what weak models often do: an object written as a string, and `null` for what is left out.
///
/// # Errors
///
/// A correction that says what does not fit and what the tool takes.
pub fn parse_input<Input: DeserializeOwned>(spec: &ToolSpec, input: Value) -> Result<Input, Correction> {
    let input = match input {
        Value::String(text) => serde_json::from_str(&text).unwrap_or(Value::String(text)),
        Value::Null => Value::Object(Map::new()),
        other => other,
    };
    serde_json::from_value(input).map_err(|error| {
        Correction(format!(
            "The input of `{}` does not fit: {error}. It takes {}. Call it again with such an object.",
            spec.name,
            describe(&spec.input_schema)
        ))
    })
}

/// Removes what some provider refuses.
fn simplify(schema: &mut schemars::Schema) {
    schema.remove("format");
    schema.remove("default");
    schema.remove("minimum");
    if let Some(Value::Array(types)) = schema.get("type")
        && let Some(first) = types.iter().find(|name| *name != "null")
    {
        let first = first.clone();
        schema.insert("type".to_owned(), first);
    }
}

/// The arguments in one line: `{"path": string, "offset"?: integer}`.
fn describe(schema: &Value) -> String {
    let required: Vec<&str> =
        schema["required"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
    let arguments = schema["properties"].as_object().into_iter().flatten().map(|(name, property)| {
        let optional = if required.contains(&name.as_str()) { "" } else { "?" };
        format!("\"{name}\"{optional}: {}", property["type"].as_str().unwrap_or("any"))
    });
    format!("{{{}}}", arguments.collect::<Vec<_>>().join(", "))
}

#[cfg(test)]
mod tests {
    use serde::Deserialize;
    use serde_json::json;

    use super::*;

    #[derive(Debug, PartialEq, Deserialize, JsonSchema)]
    #[serde(deny_unknown_fields)]
    struct Greet {
        /// Whom to greet.
        #[serde(alias = "who")]
        name: String,
        /// How often.
        times: Option<u32>,
    }

    #[test]
    fn a_schema_is_plain_enough_for_every_provider() {
        let schema = spec_of::<Greet>("greet", "Greets.").input_schema;
        let expected = json!({
            "type": "object",
            "properties": {
                "name": {"type": "string", "description": "Whom to greet."},
                "times": {"type": "integer", "description": "How often."},
            },
            "required": ["name"],
            "additionalProperties": false,
        });
        assert_eq!(schema, expected);
    }

    #[test]
    fn what_weak_models_write_is_understood() {
        let spec = spec_of::<Greet>("greet", "Greets.");
        let ada = Greet { name: "Ada".into(), times: None };
        for input in
            [json!({"name": "Ada"}), json!({"who": "Ada", "times": null}), json!("{\"name\": \"Ada\"}")]
        {
            assert_eq!(parse_input::<Greet>(&spec, input), Ok(Greet { name: ada.name.clone(), times: None }));
        }
    }

    #[test]
    fn a_correction_says_what_is_wrong_and_what_is_right() {
        let spec = spec_of::<Greet>("greet", "Greets.");
        for (input, wrong) in [
            (json!({"nam": "Ada"}), "unknown field `nam`"),
            (json!({}), "missing field `name`"),
            (Value::Null, "missing field `name`"),
            (json!({"name": 1}), "invalid type"),
            (json!("Ada"), "invalid type"),
        ] {
            let Correction(text) = parse_input::<Greet>(&spec, input).unwrap_err();
            assert!(text.contains(wrong), "{text}");
            assert!(text.contains(r#"{"name": string, "times"?: integer}"#), "{text}");
        }
    }
}
