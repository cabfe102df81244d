//! What the conformance suite of MCP expects to find in a server: tools, resources and prompts of certain names.
//!
//! It stands beside the team's own, over the same transport and the same requests, and is in nothing that users get
//! (feature `conformance`). The suite sends no token, so this asks for none.
#![expect(
    deprecated,
    reason = "the suite tests sampling and logging, which a later revision of MCP gives up"
)]

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use agent_team::TaskQueue;
use rmcp::model::*;
use rmcp::service::RequestContext;
use rmcp::{ErrorData, RoleServer, ServerHandler};
use serde_json::{Map, Value, json};
use tokio_util::sync::CancellationToken;

use super::http;
use super::server::Server;
use super::session::{Session, Wishes};
use crate::exit::{Exit, Failure};
use crate::output::Output;

/// One red pixel.
const PNG: &str =
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mP8z8DwHwAFBQIAX8jx0gAAAABJRU5ErkJggg==";
/// No sound at all.
const WAV: &str = "UklGRiQAAABXQVZFZm10IBAAAAABAAEAQB8AAIA+AAACABAAZGF0YQAAAAA=";
/// The pause between two notifications, as the suite asks for it.
const PAUSE: Duration = Duration::from_millis(50);

/// The team's server, and what the suite asks for.
#[derive(Clone)]
struct Fixture(Server);

/// Serves it on an address of this machine.
pub async fn serve(
    queue: TaskQueue,
    wishes: Wishes,
    address: SocketAddr,
    out: &mut Output,
) -> Result<Exit, Failure> {
    let (listener, address) = crate::loopback::listen(address).await?;
    out.line(&format!("http://{address}/mcp"))?;
    out.flush()?;
    let idle = wishes.lease;
    let begin = move || {
        let session = Session::begin(&queue, wishes.clone());
        session.map(|session| Fixture(Server(session))).map_err(|failure| io::Error::other(failure.words()))
    };
    let stop = CancellationToken::new();
    http::run(listener, http::app(begin, address, idle, stop.clone()), stop).await?;
    Ok(Exit::Interrupted)
}

fn tool(name: &'static str, schema: Value) -> Tool {
    let Value::Object(schema) = schema else { return Tool::new(name, name, Arc::new(Map::new())) };
    Tool::new(name, "A tool that the conformance suite calls", Arc::new(schema))
}

fn tools() -> Vec<Tool> {
    let plain = [
        "test_simple_text",
        "test_image_content",
        "test_audio_content",
        "test_embedded_resource",
        "test_multiple_content_types",
        "test_tool_with_logging",
        "test_error_handling",
        "test_tool_with_progress",
        "test_elicitation_sep1034_defaults",
        "test_elicitation_sep1330_enums",
        "test_reconnection",
    ];
    let one =
        |name: &str| json!({"type": "object", "properties": {name: {"type": "string"}}, "required": [name]});
    let schema_2020 = json!({
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "type": "object",
        "$defs": {"address": {"type": "object", "properties": {"street": {"type": "string"}, "city": {"type": "string"}}}},
        "properties": {"name": {"type": "string"}, "address": {"$ref": "#/$defs/address"}},
        "additionalProperties": false,
    });
    let plain = plain.into_iter().map(|name| tool(name, json!({"type": "object", "properties": {}})));
    let others = [
        tool("test_sampling", one("prompt")),
        tool("test_elicitation", one("message")),
        tool("json_schema_2020_12_tool", schema_2020),
    ];
    plain.chain(others).collect()
}

async fn call(
    request: &CallToolRequestParams,
    context: &RequestContext<RoleServer>,
) -> Result<Option<CallToolResult>, ErrorData> {
    let argument = |name: &str| {
        let known = request.arguments.as_ref().and_then(|known| known.get(name));
        known.and_then(Value::as_str).unwrap_or_default().to_owned()
    };
    let content = match request.name.as_ref() {
        "test_simple_text" => vec![text("This is a simple text response for testing.")],
        "test_image_content" => vec![ContentBlock::image(PNG, "image/png")],
        "test_audio_content" => vec![ContentBlock::audio(WAV, "audio/wav")],
        "test_embedded_resource" => vec![embedded("test://embedded-resource")],
        "test_multiple_content_types" => {
            let mixed =
                ResourceContents::text("{\"test\":\"data\",\"value\":123}", "test://mixed-content-resource");
            let mixed = ContentBlock::resource(mixed.with_mime_type("application/json"));
            vec![text("Multiple content types test:"), ContentBlock::image(PNG, "image/png"), mixed]
        }
        "test_tool_with_logging" => {
            for words in ["Tool execution started", "Tool processing data", "Tool execution completed"] {
                let message = LoggingMessageNotificationParam::new(LoggingLevel::Info, json!(words));
                let _ = context.peer.notify_logging_message(message).await;
                tokio::time::sleep(PAUSE).await;
            }
            vec![text("Logged.")]
        }
        "test_error_handling" => {
            let words = "This tool intentionally returns an error for testing";
            return Ok(Some(CallToolResult::error(vec![text(words)])));
        }
        "test_tool_with_progress" => {
            for progress in [0.0, 50.0, 100.0] {
                if let Some(token) = context.meta.get_progress_token() {
                    let progress = ProgressNotificationParam::new(token, progress).with_total(100.0);
                    let _ = context.peer.notify_progress(progress).await;
                }
                tokio::time::sleep(PAUSE).await;
            }
            vec![text("Progressed.")]
        }
        "test_sampling" => vec![text(sampled(argument("prompt"), context).await?)],
        "test_elicitation" => {
            vec![text(asked("User response:", argument("message"), username(), context).await?)]
        }
        "test_elicitation_sep1034_defaults" => {
            vec![text(asked("Elicitation completed:", "Defaults".into(), defaults(), context).await?)]
        }
        "test_elicitation_sep1330_enums" => {
            vec![text(asked("Elicitation completed:", "Choices".into(), choices(), context).await?)]
        }
        "test_reconnection" => vec![text("Reconnected.")],
        "json_schema_2020_12_tool" => {
            vec![text(Value::Object(request.arguments.clone().unwrap_or_default()).to_string())]
        }
        _ => return Ok(None),
    };
    Ok(Some(CallToolResult::success(content)))
}

fn text(text: impl Into<String>) -> ContentBlock {
    ContentBlock::text(text)
}

fn embedded(uri: &str) -> ContentBlock {
    ContentBlock::resource(ResourceContents::text("This is an embedded resource content.", uri))
}

async fn sampled(prompt: String, context: &RequestContext<RoleServer>) -> Result<String, ErrorData> {
    let prompt = SamplingMessage::new(Role::User, SamplingMessageContentBlock::text(prompt));
    let sampled = context.peer.create_message(CreateMessageRequestParams::new(vec![prompt], 100)).await;
    let sampled = sampled.map_err(|error| ErrorData::internal_error(error.to_string(), None))?;
    let said = serde_json::to_value(&sampled.message.content).unwrap_or_default();
    Ok(format!("LLM response: {}", said["text"].as_str().unwrap_or_default()))
}

async fn asked(
    before: &str,
    message: String,
    schema: Value,
    context: &RequestContext<RoleServer>,
) -> Result<String, ErrorData> {
    let broken = |error: &dyn std::fmt::Display| ErrorData::internal_error(error.to_string(), None);
    let requested_schema = serde_json::from_value(schema).map_err(|error| broken(&error))?;
    let params = ElicitRequestParams::FormElicitationParams { meta: None, message, requested_schema };
    let said = context.peer.create_elicitation(params).await.map_err(|error| broken(&error))?;
    let action = serde_json::to_value(&said.action).unwrap_or_default();
    let content = said.content.unwrap_or_default();
    Ok(format!("{before} action={}, content={content}", action.as_str().unwrap_or_default()))
}

fn username() -> Value {
    json!({
        "type": "object",
        "properties": {
            "username": {"type": "string", "description": "User's response"},
            "email": {"type": "string", "description": "User's email address"},
        },
        "required": ["username", "email"],
    })
}

fn defaults() -> Value {
    json!({
        "type": "object",
        "properties": {
            "name": {"type": "string", "default": "John Doe"},
            "age": {"type": "integer", "default": 30},
            "score": {"type": "number", "default": 95.5},
            "status": {"type": "string", "enum": ["active", "inactive", "pending"], "default": "active"},
            "verified": {"type": "boolean", "default": true},
        },
    })
}

fn choices() -> Value {
    let titled = |words: [&str; 3]| {
        let named = ["value1", "value2", "value3"].into_iter().zip(words);
        named.map(|(value, title)| json!({"const": value, "title": title})).collect::<Vec<_>>()
    };
    let options = json!(["option1", "option2", "option3"]);
    json!({
        "type": "object",
        "properties": {
            "untitledSingle": {"type": "string", "enum": options},
            "titledSingle": {"type": "string", "oneOf": titled(["First Option", "Second Option", "Third Option"])},
            "legacyEnum": {
                "type": "string",
                "enum": ["opt1", "opt2", "opt3"],
                "enumNames": ["Option One", "Option Two", "Option Three"],
            },
            "untitledMulti": {"type": "array", "items": {"type": "string", "enum": options}},
            "titledMulti": {"type": "array", "items": {"anyOf": titled(["First Choice", "Second Choice", "Third Choice"])}},
        },
    })
}

fn prompt(request: &GetPromptRequestParams) -> Option<Vec<PromptMessage>> {
    let argument = |name: &str| {
        let known = request.arguments.as_ref().and_then(|known| known.get(name));
        known.and_then(Value::as_str).unwrap_or_default().to_owned()
    };
    let says = |words: String| PromptMessage::new_text(Role::User, words);
    Some(match request.name.as_str() {
        "test_simple_prompt" => vec![says("This is a simple prompt for testing.".into())],
        "test_prompt_with_arguments" => {
            let (one, two) = (argument("arg1"), argument("arg2"));
            vec![says(format!("Prompt with arguments: arg1='{one}', arg2='{two}'"))]
        }
        "test_prompt_with_embedded_resource" => {
            let words = "Embedded resource content for testing.";
            let embedded = ContentBlock::resource(ResourceContents::text(words, argument("resourceUri")));
            let process = says("Please process the embedded resource above.".into());
            vec![PromptMessage::new(Role::User, embedded), process]
        }
        "test_prompt_with_image" => {
            let image = PromptMessage::new(Role::User, ContentBlock::image(PNG, "image/png"));
            vec![image, says("Please analyze the image above.".into())]
        }
        _ => return None,
    })
}

fn prompts() -> Vec<Prompt> {
    let arguments = |names: &[&str]| {
        let wanted =
            names.iter().map(|name| PromptArgument::new(*name).with_description(*name).with_required(true));
        (!names.is_empty()).then(|| wanted.collect::<Vec<_>>())
    };
    let prompts: [(&str, &[&str]); 4] = [
        ("test_simple_prompt", &[]),
        ("test_prompt_with_arguments", &["arg1", "arg2"]),
        ("test_prompt_with_embedded_resource", &["resourceUri"]),
        ("test_prompt_with_image", &[]),
    ];
    prompts
        .map(|(name, names)| Prompt::new(name, Some("A prompt that the suite gets"), arguments(names)))
        .into()
}

fn resource(uri: &str) -> Option<ResourceContents> {
    let id = uri.strip_prefix("test://template/").and_then(|rest| rest.strip_suffix("/data"));
    Some(match (uri, id) {
        ("test://static-text", _) => {
            ResourceContents::text("This is the content of the static text resource.", uri)
        }
        ("test://watched-resource", _) => ResourceContents::text("Watched.", uri),
        ("test://static-binary", _) => ResourceContents::blob(PNG, uri).with_mime_type("image/png"),
        (_, Some(id)) => {
            let data = json!({"id": id, "templateTest": true, "data": format!("Data for ID: {id}")});
            ResourceContents::text(data.to_string(), uri).with_mime_type("application/json")
        }
        _ => return None,
    })
}

impl ServerHandler for Fixture {
    fn get_info(&self) -> ServerConfig {
        let mut info = self.0.get_info();
        info.capabilities = ServerCapabilities::builder()
            .enable_logging()
            .enable_completions()
            .enable_tools()
            .enable_prompts()
            .enable_resources()
            .enable_resources_subscribe()
            .build();
        info
    }

    fn supported_protocol_versions(&self) -> std::borrow::Cow<'static, [ProtocolVersion]> {
        self.0.supported_protocol_versions()
    }

    async fn list_tools(
        &self,
        page: Option<PaginatedRequestParams>,
        context: RequestContext<RoleServer>,
    ) -> Result<ListToolsResult, ErrorData> {
        let mut all = self.0.list_tools(page, context).await?;
        all.tools.extend(tools());
        Ok(all)
    }

    async fn call_tool(
        &self,
        request: CallToolRequestParams,
        context: RequestContext<RoleServer>,
    ) -> Result<CallToolResponse, ErrorData> {
        match call(&request, &context).await? {
            Some(result) => Ok(result.into()),
            None => self.0.call_tool(request, context).await,
        }
    }

    async fn list_resources(
        &self,
        page: Option<PaginatedRequestParams>,
        context: RequestContext<RoleServer>,
    ) -> Result<ListResourcesResult, ErrorData> {
        let mut all = self.0.list_resources(page, context).await?;
        for name in ["static-text", "static-binary", "watched-resource"] {
            let one = Resource::new(format!("test://{name}"), name).with_description("What the suite reads");
            all.resources.push(one);
        }
        Ok(all)
    }

    async fn list_resource_templates(
        &self,
        page: Option<PaginatedRequestParams>,
        context: RequestContext<RoleServer>,
    ) -> Result<ListResourceTemplatesResult, ErrorData> {
        let mut all = self.0.list_resource_templates(page, context).await?;
        all.resource_templates.push(ResourceTemplate::new("test://template/{id}/data", "data"));
        Ok(all)
    }

    async fn read_resource(
        &self,
        request: ReadResourceRequestParams,
        context: RequestContext<RoleServer>,
    ) -> Result<ReadResourceResponse, ErrorData> {
        match resource(&request.uri) {
            Some(contents) => Ok(ReadResourceResult::new(vec![contents]).into()),
            None => self.0.read_resource(request, context).await,
        }
    }

    async fn subscribe(
        &self,
        _: SubscribeRequestParams,
        _: RequestContext<RoleServer>,
    ) -> Result<(), ErrorData> {
        Ok(())
    }

    async fn unsubscribe(
        &self,
        _: UnsubscribeRequestParams,
        _: RequestContext<RoleServer>,
    ) -> Result<(), ErrorData> {
        Ok(())
    }

    async fn set_level(
        &self,
        _: SetLevelRequestParams,
        _: RequestContext<RoleServer>,
    ) -> Result<(), ErrorData> {
        Ok(())
    }

    async fn list_prompts(
        &self,
        page: Option<PaginatedRequestParams>,
        context: RequestContext<RoleServer>,
    ) -> Result<ListPromptsResult, ErrorData> {
        let mut all = self.0.list_prompts(page, context).await?;
        all.prompts.extend(prompts());
        Ok(all)
    }

    async fn get_prompt(
        &self,
        request: GetPromptRequestParams,
        context: RequestContext<RoleServer>,
    ) -> Result<GetPromptResponse, ErrorData> {
        match prompt(&request) {
            Some(messages) => Ok(GetPromptResult::new(messages).into()),
            None => self.0.get_prompt(request, context).await,
        }
    }
}
