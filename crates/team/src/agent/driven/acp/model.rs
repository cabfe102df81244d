//! Which model a program is to call. It may be told by an option of the session, among those that it offers, or by a request of its
//! own; what takes neither would spend money on another model, without a word.
//!
//! Sources: `session/set_config_option`, <https://agentclientprotocol.com/protocol/v1/session-config-options>;
//! `session/set_model` stood in the protocol before, takes names that are not offered, too, and is what many still know alone.
//! `claude-agent-acp` begins each session with its usual model, whatever `ANTHROPIC_MODEL` says: that is offered then, not chosen.

use agent_client_protocol::v1::ConnectionTo;
use agent_client_protocol::v1::schema::{
    ErrorCode, SessionConfigId, SessionConfigKind, SessionConfigOption, SessionConfigOptionCategory,
    SessionConfigOptionValue, SessionConfigSelectOptions, SessionId, SetSessionConfigOptionRequest,
};
use agent_client_protocol::{Agent, Error as AcpError, UntypedMessage};
use serde_json::json;

/// What a session says of its model.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Models {
    option: SessionConfigId,
    current: String,
    offered: Vec<String>,
}

impl Models {
    /// By the option that is of this category, or of this name where none has one.
    fn of(options: &[SessionConfigOption]) -> Option<Self> {
        let is_of_models = |option: &&SessionConfigOption| match &option.category {
            Some(category) => *category == SessionConfigOptionCategory::Model,
            None => &*option.id.0 == "model",
        };
        let option = options.iter().find(is_of_models)?;
        let SessionConfigKind::Select(select) = &option.kind else { return None };
        let offered = match &select.options {
            SessionConfigSelectOptions::Ungrouped(options) => options.iter().collect(),
            SessionConfigSelectOptions::Grouped(groups) => {
                groups.iter().flat_map(|group| &group.options).collect()
            }
            _ => Vec::new(),
        };
        Some(Self {
            option: option.id.clone(),
            current: select.current_value.0.to_string(),
            offered: offered.into_iter().map(|option| option.value.0.to_string()).collect(),
        })
    }
}

/// Has a session call a model.
///
/// # Errors
/// Why it cannot, in words, and what the program offers.
pub(super) async fn choose(
    connection: &ConnectionTo<Agent>,
    session: &SessionId,
    options: &[SessionConfigOption],
    wanted: &str,
) -> Result<(), String> {
    let models = Models::of(options);
    if models.as_ref().is_some_and(|models| models.current == wanted) {
        return Ok(());
    }
    let set = match &models {
        Some(models) if models.offered.iter().any(|offered| offered == wanted) => {
            let value = SessionConfigOptionValue::value_id(wanted.to_owned());
            let request = SetSessionConfigOptionRequest::new(session.clone(), models.option.clone(), value);
            connection.send_request(request).block_task().await.map(drop)
        }
        _ => set_model(connection, session, wanted).await,
    };
    set.map_err(|error| {
        let reason = match error.code == ErrorCode::MethodNotFound {
            true => "it can be told none over the protocol".to_owned(),
            false => super::words(&error),
        };
        let offers = match models.map(|models| models.offered.join(", ")).filter(|names| !names.is_empty()) {
            Some(names) => format!("; it offers {names}"),
            None => String::new(),
        };
        format!("it does not take the model `{wanted}`: {reason}{offers}")
    })
}

async fn set_model(
    connection: &ConnectionTo<Agent>,
    session: &SessionId,
    wanted: &str,
) -> Result<(), AcpError> {
    let params = json!({"sessionId": session, "modelId": wanted});
    connection.send_request(UntypedMessage::new("session/set_model", params)?).block_task().await.map(drop)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(options: serde_json::Value) -> Option<(String, Vec<String>)> {
        let options: Vec<SessionConfigOption> = serde_json::from_value(options).unwrap();
        Models::of(&options).map(|models| (models.current, models.offered))
    }

    #[test]
    fn the_models_are_those_of_the_option_of_their_category() {
        let values = json!([{"value": "opus", "name": "Opus"}, {"value": "haiku", "name": "Haiku"}]);
        let option = |id: &str, category: Option<&str>, options: &serde_json::Value| {
            let mut option =
                json!({"id": id, "name": id, "type": "select", "currentValue": "opus", "options": options});
            if let Some(category) = category {
                option["category"] = json!(category);
            }
            option
        };
        let names = Some(("opus".to_owned(), vec!["opus".to_owned(), "haiku".to_owned()]));
        let mode = option("mode", Some("mode"), &json!([]));
        assert_eq!(of(json!([mode, option("llm", Some("model"), &values)])), names);
        assert_eq!(of(json!([mode, option("model", None, &values)])), names);
        let grouped = json!([{"group": "a", "name": "A", "options": values}]);
        assert_eq!(of(json!([option("llm", Some("model"), &grouped)])), names);
        assert_eq!(of(json!([mode, option("model", Some("model_config"), &values)])), None);
        assert_eq!(of(json!([])), None);
    }
}
