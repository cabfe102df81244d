//! Claude Code by its own stream: one process for a conversation, which is told what to do on standard input, and asks there
//! whether it may.
//!
//! <https://code.claude.com/docs/en/headless>

mod stream;

use async_trait::async_trait;
use serde_json::{Value, json};
use uuid::Uuid;

use self::stream::{Stream, fault};
use super::driver::{Access, Conversation, Driver, DriverError, Place};
use super::lines::{Fault, Lines, Talk};
use super::server::TeamServer;
use crate::HeadlessAgent;

/// What it needs to do nothing but the task, and to have the team's tools from the first turn on.
const VARIABLES: [(&str, &str); 4] = [
    ("CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC", "1"),
    ("DISABLE_AUTOUPDATER", "1"),
    // What ran beside would end with its turn, and it would wait for that in vain.
    ("CLAUDE_CODE_DISABLE_BACKGROUND_TASKS", "1"),
    // Else a server that takes a while is not there in the first turn.
    ("MCP_CONNECTION_NONBLOCKING", "0"),
];
/// Tools that nobody answers, that leave the folder, that act when nobody listens any more, or that reach other sessions of the
/// user's.
const NEVER: &str = "AskUserQuestion,EnterPlanMode,ExitPlanMode,EnterWorktree,ExitWorktree,CronCreate,ScheduleWakeup,Monitor,\
                     ListAgents,SendMessage";
/// Tools that change files: who only looks does not see them.
const CHANGES: &str = "Edit,Write,NotebookEdit";

/// Claude Code.
#[derive(Debug, Clone)]
pub struct Claude {
    name: String,
}

impl Claude {
    /// Claude Code, under the name by which the user knows it.
    pub fn new(name: impl Into<String>) -> Self {
        Self { name: name.into() }
    }

    async fn start(
        &self,
        place: &Place,
        earlier: Option<&str>,
    ) -> Result<Box<dyn Conversation>, DriverError> {
        let new = Uuid::new_v4().to_string();
        let id = earlier.unwrap_or(&new);
        let environment = VARIABLES
            .iter()
            .fold(place.environment.clone(), |environment, (name, value)| environment.with_own(name, value));
        let place = Place { environment, ..place.clone() }.with_word_of_team();
        let mut lines = Lines::start(&self.name, &command(&place, id, earlier.is_some()), &place)?;
        lines.begin(greet).await?;
        let speech = Stream::new(id.to_owned(), place.access, place.team.is_some());
        Ok(Box::new(Talk { lines, speech, goes_on: earlier.is_some() }))
    }
}

#[async_trait]
impl Driver for Claude {
    fn name(&self) -> String {
        self.name.clone()
    }

    async fn begin(
        &self,
        place: &Place,
        earlier: Option<&str>,
    ) -> Result<Box<dyn Conversation>, DriverError> {
        // What cannot be gone on with is begun anew, and told what was done so far.
        if earlier.is_some()
            && let Ok(conversation) = self.start(place, earlier).await
        {
            return Ok(conversation);
        }
        self.start(place, None).await
    }
}

/// The command for a conversation. It never says `--dangerously-skip-permissions`: that is refused to root, and to be asked is
/// what we want.
fn command(place: &Place, id: &str, goes_on: bool) -> Vec<String> {
    let never = match place.access {
        Access::Work => NEVER.to_owned(),
        Access::Look => format!("{NEVER},{CHANGES}"),
    };
    let mut words = vec![
        HeadlessAgent::Claude.program(),
        "-p",
        "--input-format",
        "stream-json",
        "--output-format",
        "stream-json",
        "--verbose",
        // What it writes as it writes it, and not when it has.
        "--include-partial-messages",
        // It says when it begins with what it was told: a result before that belongs to something else.
        "--replay-user-messages",
        "--permission-prompt-tool",
        "stdio",
        "--permission-mode",
        "default",
        // What lies in the repository (settings, hooks, servers) is not obeyed.
        "--setting-sources",
        "user",
        "--strict-mcp-config",
        "--disallowedTools",
        &never,
        if goes_on { "--resume" } else { "--session-id" },
        id,
    ]
    .into_iter()
    .chain(place.model.iter().flat_map(|model| ["--model", model]))
    .map(str::to_owned)
    .collect::<Vec<_>>();
    if let Some(team) = &place.team {
        words.extend(["--mcp-config".to_owned(), servers(team).to_string()]);
    }
    words
}

/// The team's tools, as a server that it starts. Always loaded: else the model has to search for them first. The word that lets
/// it in is in its environment, since others can read its arguments.
fn servers(team: &TeamServer) -> Value {
    let server = json!({
        "type": "stdio",
        "command": team.command,
        "args": team.arguments,
        "alwaysLoad": true,
    });
    json!({"mcpServers": {TeamServer::NAME: server}})
}

/// Says that we answer what it asks, and waits until it listens.
async fn greet(lines: &mut Lines) -> Result<(), Fault> {
    let request = json!({"subtype": "initialize", "hooks": null});
    lines.send(&json!({"type": "control_request", "request_id": "initialize", "request": request})).await?;
    loop {
        let message = lines.next().await?;
        match (message["type"].as_str(), message["response"]["subtype"].as_str()) {
            (Some("control_response"), Some("success")) => return Ok(()),
            (Some("control_response"), _) => {
                return Err(Fault::Said(message["response"]["error"].to_string()));
            }
            // Such as that there is no conversation to go on with.
            (Some("result"), _) => return Err(fault(&message)),
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::agent::driven::fake::Fake;

    /// It knows no earlier conversation, and is ready for a new one.
    const PROGRAM: &str = r#"
case "$*" in *--resume*) echo 'No conversation found' >&2; exit 1;; esac
read -r hello
echo "a word by the way"
echo '{"response":{"request_id":"initialize","subtype":"success"},"type":"control_response"}'
cat > /dev/null
"#;

    async fn begun(access: Access) -> (Fake, Box<dyn Conversation>) {
        let fake = Fake::of("claude", PROGRAM);
        let conversation = Claude::new("claude").begin(&fake.place(access), Some("lost")).await.unwrap();
        (fake, conversation)
    }

    #[tokio::test]
    async fn it_is_started_with_what_it_needs_and_nothing_that_lets_it_do_what_it_likes() {
        let (fake, conversation) = begun(Access::Work).await;
        conversation.end().await;
        let variables = fake.variables();
        for (name, value) in VARIABLES {
            assert!(variables.contains(&format!("{name}={value}")), "{variables:?}");
        }
        let words = fake.arguments();
        assert!(
            words.contains(" --strict-mcp-config ") && words.contains(" --setting-sources user "),
            "{words}"
        );
        assert!(!words.contains("skip-permissions") && !words.contains("bypassPermissions"), "{words}");
        // The word that lets it in.
        assert!(variables.contains(&Fake::WORD.to_owned()) && !words.contains("open sesame"), "{words}");
    }

    #[tokio::test]
    async fn who_only_looks_has_no_tool_that_changes_files() {
        for (access, has_none) in [(Access::Work, false), (Access::Look, true)] {
            let (fake, conversation) = begun(access).await;
            conversation.end().await;
            assert_eq!(fake.arguments().contains(CHANGES), has_none);
        }
    }

    #[tokio::test]
    async fn a_conversation_that_is_lost_is_begun_anew() {
        let (fake, conversation) = begun(Access::Work).await;
        let id = conversation.id().unwrap().to_owned();
        assert!(!conversation.goes_on() && id != "lost");
        conversation.end().await;
        assert!(fake.arguments().contains(&format!("--session-id {id}")));
    }

    #[tokio::test]
    async fn a_program_that_ends_at_once_says_why() {
        let fake = Fake::of("claude", "echo 'out of paper' >&2; exit 7");
        let begun = Claude::new("claude").begin(&fake.place(Access::Work), None).await;
        assert_eq!(begun.err().unwrap().to_string(), "claude ended: exit code 7: out of paper");
    }
}
