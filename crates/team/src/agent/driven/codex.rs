//! Codex by its app server: one process for a conversation, which speaks JSON-RPC, one message a line, and asks whether it may.
//!
//! <https://github.com/openai/codex/blob/main/codex-rs/app-server/README.md>

mod thread;

use async_trait::async_trait;
use serde_json::{Value, json};

use self::thread::Thread;
use super::driver::{Access, Conversation, Driver, DriverError, Place};
use super::lines::{Fault, Lines, Talk};
use super::server::TeamServer;
use crate::HeadlessAgent;

/// Codex.
#[derive(Debug, Clone)]
pub struct Codex {
    name: String,
}

impl Codex {
    /// Codex, under the name by which the user knows it.
    pub fn new(name: impl Into<String>) -> Self {
        Self { name: name.into() }
    }
}

#[async_trait]
impl Driver for Codex {
    fn name(&self) -> String {
        self.name.clone()
    }

    async fn begin(
        &self,
        place: &Place,
        earlier: Option<&str>,
    ) -> Result<Box<dyn Conversation>, DriverError> {
        let place = place.clone().with_word_of_team();
        let mut lines = Lines::start(&self.name, &command(&place), &place)?;
        let (thread, goes_on) =
            lines.begin(async |lines: &mut Lines| open(lines, &place, earlier).await).await?;
        Ok(Box::new(Talk { lines, speech: Thread::new(thread, place.access), goes_on }))
    }
}

/// The command for a conversation.
fn command(place: &Place) -> Vec<String> {
    let mut words = vec![HeadlessAgent::Codex.program().to_owned(), "app-server".to_owned()];
    let settings = place.team.as_ref().map(settings).unwrap_or_default();
    words.extend(settings.into_iter().flat_map(set));
    words.extend(chosen(place));
    words
}

fn set(setting: String) -> [String; 2] {
    ["-c".to_owned(), setting]
}

/// The arguments by which it calls the model that it is to call, at who lends it any: it reads no variable for that.
fn chosen(place: &Place) -> Vec<String> {
    let model = place.model.iter().map(|model| format!("model={}", json!(model)));
    model.chain(lent(place)).flat_map(set).collect()
}

/// The arguments of its adapter for the Agent Client Protocol.
pub(super) fn over_acp(place: &Place) -> Vec<String> {
    let mut arguments = chosen(place);
    arguments.extend(set(format!("sandbox_mode={}", json!(own_sandbox(place)))));
    arguments
}

/// Its own sandbox. Ours is around it where there is one, and keeps who looks from writing; its own cannot be put up within that,
/// and then it runs nothing.
fn own_sandbox(place: &Place) -> &'static str {
    match place.access {
        Access::Look if place.environment.sandbox().is_none() => "read-only",
        Access::Look | Access::Work => "danger-full-access",
    }
}

fn lent(place: &Place) -> Vec<String> {
    let Some(url) = place.variable("OPENAI_BASE_URL") else { return Vec::new() };
    let provider = "model_providers.agent-team";
    let settings = [
        "model_provider=\"agent-team\"".to_owned(),
        format!("{provider}.name=\"agent-team\""),
        format!("{provider}.base_url={}", json!(url)),
        format!("{provider}.env_key=\"OPENAI_API_KEY\""),
        format!("{provider}.wire_api=\"responses\""),
    ];
    settings.into()
}

/// The team's tools, as a server that it starts. Without it there is no conversation. Its servers get no variables but those that
/// are named, so the word that lets this one in is.
fn settings(team: &TeamServer) -> Vec<String> {
    let names: Vec<&str> = team.environment.iter().map(|(name, _)| name.as_str()).collect();
    // Strings and lists of JSON are those of TOML, too.
    let pairs = [
        ("command", json!(team.command)),
        ("args", json!(team.arguments)),
        ("env_vars", json!(names)),
        ("required", json!(true)),
        ("startup_timeout_sec", json!(60)),
        // Some of the tools wait for people.
        ("tool_timeout_sec", json!(86_400)),
    ];
    pairs.iter().map(|(name, value)| format!("mcp_servers.{}.{name}={value}", TeamServer::NAME)).collect()
}

/// Opens a conversation: the earlier one, if there is one and the program knows it. What cannot be gone on with is begun anew,
/// and told what was done so far.
async fn open(lines: &mut Lines, place: &Place, earlier: Option<&str>) -> Result<(String, bool), Fault> {
    let client = json!({"name": "agent-team", "version": env!("CARGO_PKG_VERSION")});
    ask(lines, "initialize", json!({"clientInfo": client})).await?;
    lines.send(&json!({"method": "initialized"})).await?;
    let how = json!({
        "cwd": place.folder,
        "sandbox": own_sandbox(place),
        "approvalPolicy": "on-request",
        "approvalsReviewer": "user",
    });
    if let Some(id) = earlier {
        let mut params = how.clone();
        params["threadId"] = json!(id);
        params["excludeTurns"] = json!(true);
        if let Ok(resumed) = ask(lines, "thread/resume", params).await {
            return Ok((id_of(&resumed)?, true));
        }
    }
    Ok((id_of(&ask(lines, "thread/start", how).await?)?, false))
}

fn id_of(opened: &Value) -> Result<String, Fault> {
    let id = opened["thread"]["id"].as_str();
    id.map(str::to_owned).ok_or_else(|| Fault::Broke("it did not say what it calls the conversation".into()))
}

/// Asks something, and waits for the answer; what else comes before there is a conversation concerns nobody.
async fn ask(lines: &mut Lines, method: &str, params: Value) -> Result<Value, Fault> {
    lines.send(&json!({"id": method, "method": method, "params": params})).await?;
    loop {
        let message = lines.next().await?;
        if message["id"] == method {
            return match message["error"]["message"].as_str() {
                Some(error) => Err(Fault::Said(error.to_owned())),
                None => Ok(message["result"].clone()),
            };
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::agent::driven::fake::Fake;

    /// It knows no earlier conversation, and opens a new one.
    const PROGRAM: &str = r#"
while read -r line; do
    case "$line" in
    *'"id":"initialize"'*) echo '{"id":"initialize","result":{}}';;
    *'"id":"thread/resume"'*) echo '{"error":{"message":"no rollout found"},"id":"thread/resume"}';;
    *'"id":"thread/start"'*) echo "$line" > start; echo '{"id":"thread/start","result":{"thread":{"id":"new"}}}';;
    esac
done
"#;

    #[tokio::test]
    async fn a_conversation_that_is_lost_is_begun_anew_with_what_it_may_do() {
        for (access, sandbox) in [(Access::Work, "danger-full-access"), (Access::Look, "read-only")] {
            let fake = Fake::of("codex", PROGRAM);
            let conversation = Codex::new("codex").begin(&fake.place(access), Some("lost")).await.unwrap();
            assert_eq!((conversation.id(), conversation.goes_on()), (Some("new"), false));
            conversation.end().await;
            assert!(fake.file("start").contains(&format!(r#""sandbox":"{sandbox}""#)));
        }
    }

    #[tokio::test]
    async fn it_does_not_begin_without_its_team_whose_word_stands_where_nobody_else_reads_it() {
        let fake = Fake::of("codex", PROGRAM);
        Codex::new("codex").begin(&fake.place(Access::Work), None).await.unwrap().end().await;
        let words = fake.arguments();
        assert!(
            words.starts_with("app-server -c ") && words.contains("mcp_servers.team.required=true"),
            "{words}"
        );
        assert!(words.contains(r#"mcp_servers.team.env_vars=["WORD"]"#), "{words}");
        assert!(
            fake.variables().contains(&Fake::WORD.to_owned()) && !words.contains("open sesame"),
            "{words}"
        );
    }

    #[tokio::test]
    async fn a_server_that_does_not_start_is_an_error_and_no_conversation() {
        let answers = r#"
read -r line; echo '{"id":"initialize","result":{}}'
read -r line; read -r line
echo '{"error":{"code":-32603,"message":"required MCP servers failed to initialize: team"},"id":"thread/start"}'
cat > /dev/null
"#;
        let fake = Fake::of("codex", answers);
        let begun = Codex::new("codex").begin(&fake.place(Access::Work), None).await;
        let error = begun.err().unwrap().to_string();
        assert_eq!(error, "codex: required MCP servers failed to initialize: team");
    }
}
