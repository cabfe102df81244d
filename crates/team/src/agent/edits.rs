//! Who edits which file: told to everyone, and to both at once when two edit the same one, before they conflict.

use std::collections::{BTreeMap, BTreeSet};

use super::Context;
use crate::git::{GitProgram, changes_in_workspace};
use crate::team_log::{blocking, refusal};
use crate::tools::Workspace;
use crate::{AgentId, Error, NewMessage, Recipient, Refusal, Stage};

/// Agents, and the files of theirs that this one edits, too: nobody is told twice.
pub(super) type Told = BTreeSet<(AgentId, String)>;

/// How many files that commands changed are told to others at once. Whoever changes more does so by a program that goes
/// over everything, and who is in its way sees that from these.
const FILES_MAX: usize = 100;

/// How many files a warning names.
const NAMED_MAX: usize = 5;

/// What a tool call may have changed.
pub(super) enum Touched {
    Nothing,
    /// This file, if the call succeeds.
    File(String),
    /// Any file, however the call ends: only git can tell.
    Anything,
}

impl Touched {
    /// What a call will have changed.
    pub(super) fn by(name: &str, input: &serde_json::Value, stage: Stage) -> Self {
        match name {
            "write" | "edit" => {
                let path = input.get("path").and_then(serde_json::Value::as_str);
                path.map_or(Self::Nothing, |path| Self::File(path.to_owned()))
            }
            // What a reviewer's commands leave behind is no part of anything.
            "run" if stage == Stage::Work => Self::Anything,
            _ => Self::Nothing,
        }
    }
}

impl Context {
    /// Says what the agent has changed by a tool call. If somebody else changes the same, that one is told, and what is given
    /// back tells this one.
    pub(super) async fn announce(
        &self,
        touched: Touched,
        has_failed: bool,
        told: &mut Told,
    ) -> Result<Option<String>, Error> {
        match touched {
            Touched::File(path) if !has_failed => {
                let edited: Vec<String> = self.in_project(&path).into_iter().collect();
                self.announce_edits(&edited, Repeated::Yes, told)
            }
            Touched::Nothing | Touched::File(_) => Ok(None),
            Touched::Anything => {
                let changed = self.changed_files().await;
                self.announce_edits(&changed, Repeated::No, told)
            }
        }
    }

    /// The files of the workspace that differ from what it began with. What git cannot tell is nobody's harm: the work itself
    /// is looked at when it is delivered.
    async fn changed_files(&self) -> Vec<String> {
        let (Some(workspace), agent) = (self.workspace.clone(), self.agent.clone()) else {
            return Vec::new();
        };
        let changed = blocking(move || {
            let git = GitProgram::from_process_environment();
            Ok(changes_in_workspace(&git, agent.as_str(), &workspace)?)
        });
        changed.await.unwrap_or_default()
    }

    /// Reserves files that the agent changes, and tells it and those who have them what both change.
    fn announce_edits(
        &self,
        paths: &[String],
        repeated: Repeated,
        told: &mut Told,
    ) -> Result<Option<String>, Error> {
        let mut new = self.not_reserved(paths.to_vec());
        new.truncate(FILES_MAX);
        if new.is_empty() {
            return Ok(None);
        }
        let mut shared: BTreeMap<AgentId, Vec<String>> = BTreeMap::new();
        loop {
            let asked = new.len();
            match refusal(self.queue.try_to_reserve(self.token, &self.agent, &new))? {
                Err(Refusal::FileReserved { holder, path }) => {
                    new.retain(|other| *other != path);
                    shared.entry(holder).or_default().push(path);
                }
                Err(Refusal::BadPath { path }) => new.retain(|other| *other != path),
                // A claim that is lost is for others to tell.
                Ok(()) | Err(_) => break,
            }
            if new.is_empty() || new.len() == asked {
                break;
            }
        }
        let mut warnings = Vec::new();
        for (holder, paths) in shared {
            let is_new = |path: &&String| !told.contains(&(holder.clone(), (*path).clone()));
            let fresh: Vec<String> = paths.iter().filter(is_new).cloned().collect();
            if !fresh.is_empty() {
                let text = format!(
                    "I am editing {}, which you are editing, too: keep your changes small, or agree with me who does what.",
                    named(&fresh)
                );
                self.bus.post(NewMessage::new(&self.agent, Recipient::Agent(holder.clone()), text))?;
            }
            told.extend(fresh.iter().map(|path| (holder.clone(), path.clone())));
            let warned_of = if repeated == Repeated::Yes { paths } else { fresh };
            if !warned_of.is_empty() {
                warnings.push(self.warning(&holder, &warned_of));
            }
        }
        Ok((!warnings.is_empty()).then(|| warnings.join("\n")))
    }

    /// Those of the paths that this claim does not hold yet.
    fn not_reserved(&self, mut paths: Vec<String>) -> Vec<String> {
        let covers = |reserved: &str, path: &str| {
            reserved == path || reserved.ends_with('/') && path.starts_with(reserved)
        };
        self.queue.team_log().look_at_known(|state| {
            let mine: Vec<&str> = state
                .files()
                .iter()
                .filter(|file| file.claim == self.token)
                .map(|file| &*file.path)
                .collect();
            paths.retain(|path| !mine.iter().any(|reserved| covers(reserved, path)));
        });
        paths
    }

    fn warning(&self, holder: &AgentId, paths: &[String]) -> String {
        let about = self.task_of(holder).map(|task| format!(" for task {task}")).unwrap_or_default();
        format!(
            "WARNING {holder} is editing {}, too{about}. Your changes may conflict: keep them small, or agree with {holder} who \
             does what.",
            named(paths)
        )
    }

    /// The path from the project's root of a file that was edited, however it was named: also by way of `..` or of a link.
    fn in_project(&self, path: &str) -> Option<String> {
        let folder = self.workspace.as_ref()?;
        let workspace = Workspace::open(folder, folder).ok()?;
        let file = workspace.writable(path).ok()?;
        Some(workspace.shown(&file))
    }

    fn task_of(&self, holder: &AgentId) -> Option<crate::TaskId> {
        self.queue.team_log().look_at_known(|state| {
            let mut held = state.held().filter(|(_, claim)| claim.agent == *holder);
            held.next().map(|(task, _)| task.id().clone())
        })
    }
}

/// Whether an agent is warned of the same file again.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Repeated {
    Yes,
    No,
}

/// The first of some files, and how many more there are.
fn named(paths: &[String]) -> String {
    let first = paths.iter().take(NAMED_MAX).map(String::as_str).collect::<Vec<_>>().join(", ");
    match paths.len().saturating_sub(NAMED_MAX) {
        0 => first,
        more => format!("{first} and {more} more"),
    }
}
