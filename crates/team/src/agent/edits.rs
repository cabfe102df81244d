//! Who edits which file: told to everyone, and to both at once when two edit the same one, before they conflict.

use std::collections::BTreeSet;

use super::Context;
use crate::team_log::refusal;
use crate::{AgentId, Error, NewMessage, Recipient, Refusal};

/// Agents, and the files of theirs that this one edits, too: nobody is told twice.
pub(super) type Told = BTreeSet<(AgentId, String)>;

impl Context {
    /// Says that the agent edits a file. If somebody else does, too, that one is told, and what is given back tells this
    /// one.
    pub(crate) fn announce_edit(&self, path: &str, told: &mut Told) -> Result<Option<String>, Error> {
        let Some(path) = self.in_project(path) else { return Ok(None) };
        let team_log = self.queue.team_log();
        let covers =
            |reserved: &str| reserved == path || reserved.ends_with('/') && path.starts_with(reserved);
        let mine = team_log.look_at_known(|state| {
            state.files().iter().any(|file| file.claim == self.token && covers(&file.path))
        });
        if mine {
            return Ok(None);
        }
        match refusal(self.queue.reserve_files(self.token, &self.agent, vec![path.clone()]))? {
            Err(Refusal::FileReserved { holder, .. }) => {
                let known = self.task_of(&holder);
                let about = known.map(|task| format!(" for task {task}")).unwrap_or_default();
                let text = format!(
                    "I am editing {path}, which you are editing, too: keep your changes small, or agree with me who does \
                     what."
                );
                if told.insert((holder.clone(), path.clone())) {
                    self.bus.post(NewMessage::new(&self.agent, Recipient::Agent(holder.clone()), text))?;
                }
                Ok(Some(format!(
                    "WARNING {holder} is editing {path}, too{about}. Your changes may conflict: keep them small, or agree \
                     with {holder} who does what."
                )))
            }
            // A path that cannot be reserved, or a claim that is lost, is for others to tell.
            Ok(()) | Err(_) => Ok(None),
        }
    }

    /// The path from the project's root, if it is in the workspace.
    fn in_project(&self, path: &str) -> Option<String> {
        let workspace = self.workspace.as_ref()?;
        let path = std::path::Path::new(path);
        let path = path.strip_prefix(workspace).unwrap_or(path);
        let path = path.strip_prefix(".").unwrap_or(path);
        path.is_relative().then(|| path.to_string_lossy().into_owned())
    }

    fn task_of(&self, holder: &AgentId) -> Option<crate::TaskId> {
        self.queue.team_log().look_at_known(|state| {
            let mut held = state.held().filter(|(_, claim)| claim.agent == *holder);
            held.next().map(|(task, _)| task.id().clone())
        })
    }
}
