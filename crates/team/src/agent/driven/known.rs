//! An agent that can be driven in more than one way: by an adapter if that is installed, or else by its own program.

use std::ffi::OsStr;

use async_trait::async_trait;

use super::driver::{Conversation, Driver, DriverError, Place};
use super::{Acp, Claude, Codex, codex, opencode};
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
            (KnownAgent::Gemini | KnownAgent::Qwen, Some(model)) => vec!["-m".to_owned(), model.clone()],
            _ => Vec::new(),
        };
        Acp::new(self.name(), command.chain(more).collect())
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
        let is_there = |program: &str| is_installed(program, &place.environment);
        let adapter = self.agent.command().first().copied().unwrap_or_default();
        let own = self.agent.headless().filter(|own| !is_there(adapter) && is_there(own.program()));
        match own {
            Some(own) => headless(own, self.name()).begin(place, earlier).await,
            None => {
                let acp = self.acp(place);
                let environment = match (self.agent, &place.model) {
                    (KnownAgent::OpenCode, _) => opencode::environment(place),
                    (KnownAgent::Claude, Some(model)) => {
                        place.environment.clone().with_own("ANTHROPIC_MODEL", model)
                    }
                    _ => place.environment.clone(),
                };
                acp.begin(&Place { environment, ..place.clone() }, earlier).await
            }
        }
    }
}

/// Whether a program is found on the path of an environment.
fn is_installed(program: &str, environment: &Environment) -> bool {
    let paths = environment.iter().find(|(name, _)| *name == OsStr::new("PATH"));
    paths.is_some_and(|(_, paths)| std::env::split_paths(paths).any(|folder| folder.join(program).is_file()))
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
