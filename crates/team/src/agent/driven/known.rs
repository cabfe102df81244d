//! An agent that can be driven in more than one way: by an adapter if that is installed, or else by its own program.

use async_trait::async_trait;

use super::driver::{Conversation, Driver, DriverError, Place};
use super::program::is_found;
use super::server::TeamServer;
use super::{Acp, Claude, Codex, codex, goose, opencode};
use crate::command::Environment;
use crate::{HeadlessAgent, KnownAgent};

/// The driver of an agent that is known by its name.
pub(super) struct Known {
    agent: KnownAgent,
}

impl Known {
    pub fn new(agent: KnownAgent) -> Self {
        Self { agent }
    }

    fn acp(&self, place: &Place) -> Acp {
        let command = self.agent.command().iter().map(|&word| word.to_owned());
        let more = match (self.agent, &place.model) {
            (KnownAgent::Codex, _) => codex::over_acp(place),
            (KnownAgent::Gemini, _) => by_name(place),
            (KnownAgent::Qwen, _) => qwen(place),
            _ => Vec::new(),
        };
        let acp = Acp::new(self.name(), command.chain(more).collect());
        match self.agent {
            KnownAgent::Claude => acp.telling_model(),
            KnownAgent::Codex
            | KnownAgent::Gemini
            | KnownAgent::Goose
            | KnownAgent::OpenCode
            | KnownAgent::Qwen => acp,
        }
    }
}

/// The driver of an agent's own program, under the name by which the user knows it.
pub(super) fn headless(agent: HeadlessAgent, name: String) -> Box<dyn Driver> {
    match agent {
        HeadlessAgent::Claude => Box::new(Claude::new(name)),
        HeadlessAgent::Codex => Box::new(Codex::new(name)),
    }
}

#[async_trait]
impl Driver for Known {
    fn name(&self) -> String {
        self.agent.name().to_owned()
    }

    async fn begin(
        &self,
        place: &Place,
        earlier: Option<&str>,
    ) -> Result<Box<dyn Conversation>, DriverError> {
        let is_there = |program: &str| is_found(program, place);
        let adapter = self.agent.command().first().copied().unwrap_or_default();
        let own = self.agent.headless().filter(|own| !is_there(adapter) && is_there(own.program()));
        match own {
            Some(own) => headless(own, self.name()).begin(place, earlier).await,
            None => {
                if self.agent == KnownAgent::Goose {
                    goose::wants(place).map_err(|why| {
                        let source = std::io::Error::new(std::io::ErrorKind::InvalidInput, why);
                        DriverError::Start { command: self.name(), source }
                    })?;
                }
                let acp = self.acp(place);
                let environment = match self.agent {
                    KnownAgent::Claude => claude(place),
                    KnownAgent::Gemini => gemini(place),
                    KnownAgent::OpenCode => opencode::environment(place),
                    KnownAgent::Goose => goose::environment(place),
                    KnownAgent::Codex | KnownAgent::Qwen => place.environment.clone(),
                };
                acp.begin(&Place { environment, ..place.clone() }, earlier).await
            }
        }
    }
}

fn claude(place: &Place) -> Environment {
    let environment = place.environment.clone();
    place.model.iter().fold(environment, |environment, model| environment.with_own("ANTHROPIC_MODEL", model))
}

/// Gemini CLI starts no server in a folder that it was not told to trust. What it would obey there stands behind our sandbox.
fn gemini(place: &Place) -> Environment {
    let environment = place.environment.clone();
    match environment.sandbox().is_none() {
        true => environment,
        false => environment.with_own("GEMINI_CLI_TRUST_WORKSPACE", "true"),
    }
}

/// The argument of those that take the name of a model so.
fn by_name(place: &Place) -> Vec<String> {
    place.model.iter().flat_map(|model| ["-m".to_owned(), model.clone()]).collect()
}

/// Qwen Code asks how to log in where its settings do not say, though it finds a key; and it asks whether it may call the team
/// without a word of whom it wants to call.
fn qwen(place: &Place) -> Vec<String> {
    let lent = place.variable("OPENAI_BASE_URL").map(|_| "--auth-type=openai".to_owned());
    let team = place.team.as_ref().map(|_| format!("--allowed-tools=mcp__{}", TeamServer::NAME));
    lent.into_iter().chain(team).chain(by_name(place)).collect()
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use super::*;
    use crate::agent::driven::driver::Access;
    use crate::agent::driven::fake::Fake;

    /// What is said of the end of whoever is started for `claude` where these programs are installed, each of which says who it is.
    async fn started(programs: &[&str]) -> String {
        let fakes: Vec<Fake> =
            programs.iter().map(|name| Fake::of(name, &format!("echo 'I am {name}' >&2; exit 3"))).collect();
        let folders: Vec<PathBuf> = fakes.iter().map(Fake::folder).chain(["/usr/bin".into()]).collect();
        let nobody = Fake::of("nobody", "");
        let place = nobody.place(Access::Work);
        let environment = place.environment.clone().with("PATH", std::env::join_paths(folders).unwrap());
        let begun = Known::new(KnownAgent::Claude).begin(&Place { environment, ..place }, None).await;
        begun.err().map(|error| error.to_string()).unwrap_or_default()
    }

    #[tokio::test]
    async fn an_adapter_that_is_installed_goes_before_the_program_itself() {
        let words = started(&["claude", "claude-agent-acp"]).await;
        assert!(words.starts_with("claude ended") && words.contains("I am claude-agent-acp"), "{words}");
        let words = started(&["claude"]).await;
        assert!(words.starts_with("claude ended") && words.ends_with("I am claude"), "{words}");
        let words = started(&[]).await;
        assert!(words.starts_with("cannot start `claude-agent-acp`"), "{words}");
    }
}
