//! File reservations: who works on which files. Advice, of which whoever has a file hears, too.

use std::path::{Component, Path, PathBuf};

use agent_team_core::machine::{Message, Refusal, Reservation, State};
use agent_team_core::record::{FilesReleased, FilesReserved};

use crate::team_log::refusal;
use crate::{AgentId, Error, MessageBus, NewMessage, Recipient, RecordId, TaskQueue};

impl TaskQueue {
    /// Says which files a holder works on: advice for others, that ends with the claim. Whoever has reserved one of them is
    /// told by a message that it is wanted, once for each of those who want it.
    ///
    /// # Errors
    /// A refusal when the claim is lost, somebody else has reserved one of them, or a path is not inside the project.
    pub fn reserve_files(&self, token: RecordId, agent: &AgentId, paths: &[String]) -> Result<(), Error> {
        let reserved = refusal(self.try_to_reserve(token, agent, paths))?;
        if let Err(Refusal::FileReserved { path, holder }) = &reserved
            && holder != agent
        {
            self.tell_that_it_is_wanted(path, holder, agent)?;
        }
        Ok(reserved?)
    }

    /// The same, and nobody is told.
    pub(crate) fn try_to_reserve(
        &self,
        token: RecordId,
        agent: &AgentId,
        paths: &[String],
    ) -> Result<(), Error> {
        if let Some(pattern) = paths.iter().find(|path| path.contains('*')) {
            return Err(Error::Input(format!(
                "`{pattern}` is a pattern, and no file: name files, or folders with a slash at the end, which hold all that is below"
            )));
        }
        let secrets = self.team_log().secrets();
        let paths = paths.iter().map(|path| secrets.hidden(&tidy(path)).into_owned()).collect();
        self.team_log().submit(agent, &FilesReserved { claim: token, paths }.into())?;
        Ok(())
    }

    /// Says that files are free again.
    ///
    /// # Errors
    /// A refusal when the claim is lost.
    pub fn release_files(&self, token: RecordId, agent: &AgentId, paths: &[String]) -> Result<(), Error> {
        let paths = paths.iter().map(|path| tidy(path)).collect();
        self.team_log().submit(agent, &FilesReleased { claim: token, paths }.into())?;
        Ok(())
    }

    /// Who has said to work on which files.
    ///
    /// # Errors
    /// When the log cannot be read.
    pub fn reservations(&self) -> Result<Vec<Reservation>, Error> {
        self.team_log().look(|state| state.files().to_vec())
    }

    /// Tells whoever has a file who wants it, unless that was said already and has not come back.
    fn tell_that_it_is_wanted(&self, path: &str, holder: &AgentId, by: &AgentId) -> Result<(), Error> {
        let text = format!(
            "I want to change {path}, which you have reserved: release it when you are done with it, or agree with me who does \
             what."
        );
        let to = Recipient::Agent(holder.clone());
        let said = self.team_log().text(text.clone())?;
        let was_said = self.team_log().look(|state: &State| {
            let is_it = |known: &Message| {
                known.from == *by && known.to == to && known.text == said && !known.returned
            };
            state.messages().all().iter().rev().any(is_it)
        })?;
        if !was_said {
            MessageBus::over(self.team_log().clone()).post(NewMessage::new(by, to, text))?;
        }
        Ok(())
    }
}

/// A path as everyone writes it, so that one file has one name: `./src//lexer.rs` is `src/lexer.rs`.
fn tidy(path: &str) -> String {
    let folder = if path.ends_with('/') { "/" } else { "" };
    let tidy: PathBuf = Path::new(path).components().filter(|part| *part != Component::CurDir).collect();
    // What is nothing but the project itself is named in a refusal as it was given.
    if tidy.as_os_str().is_empty() { path.to_owned() } else { format!("{}{folder}", tidy.display()) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{AgentJoined, Role};

    /// Two agents, each of which holds a task.
    fn two(queue: &TaskQueue) -> [(AgentId, RecordId); 2] {
        queue.add_tasks(&AgentId::human(), &["One".into(), "Two".into()]).unwrap();
        ["worker-1", "worker-2"].map(|name| {
            let agent: AgentId = name.parse().unwrap();
            queue.join(AgentJoined::new(agent.clone(), Role::Worker)).unwrap();
            let token = queue.claim_task(&agent).unwrap().unwrap().token;
            (agent, token)
        })
    }

    #[test]
    fn whoever_has_a_file_hears_once_from_each_who_wants_it() {
        let queue = TaskQueue::in_memory().unwrap();
        let [(one, first), (other, second)] = two(&queue);
        let bus = MessageBus::over(queue.team_log().clone());
        queue.reserve_files(first, &one, &["src/".into()]).unwrap();
        for path in ["src/lexer.rs", "./src/lexer.rs", "src/parser.rs", "src/lexer.rs"] {
            let refused = queue.reserve_files(second, &other, &[path.into()]).unwrap_err();
            assert!(matches!(refused.refusal(), Some(Refusal::FileReserved { .. })), "{path}: {refused}");
        }
        let heard = bus.unread(&one).unwrap();
        assert!(heard.iter().all(|message| message.from == other), "{heard:?}");
        let [lexer, parser] = heard.as_slice() else { panic!("{heard:?}") };
        assert!(lexer.text.contains("src/lexer.rs") && parser.text.contains("src/parser.rs"), "{heard:?}");
        assert_eq!(bus.unread(&other).unwrap(), [], "who asks sees the refusal");
    }

    #[test]
    fn a_reserved_file_has_one_name_however_it_is_written() {
        let queue = TaskQueue::in_memory().unwrap();
        let [(one, first), (other, second)] = two(&queue);
        queue.reserve_files(first, &one, &["./src//lexer.rs".into(), "tests/".into()]).unwrap();
        for path in ["src/lexer.rs", "src/./lexer.rs", "tests//one.rs"] {
            let refused = queue.reserve_files(second, &other, &[path.into()]).unwrap_err();
            assert!(matches!(refused.refusal(), Some(Refusal::FileReserved { .. })), "{path}: {refused}");
        }
        for path in ["../lexer.rs", "/src/lexer.rs", "", "/", "./"] {
            let refused = queue.reserve_files(second, &other, &[path.into()]).unwrap_err();
            assert!(matches!(refused.refusal(), Some(Refusal::BadPath { .. })), "{path}: {refused}");
        }
        queue.release_files(first, &one, &["src//lexer.rs".into()]).unwrap();
        queue.reserve_files(second, &other, &["src/lexer.rs".into()]).unwrap();
    }
}
