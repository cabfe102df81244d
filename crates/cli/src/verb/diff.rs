//! `diff`: the newest change of files for a task.

use agent_team::{Change, TaskId};
use clap::Args;
use serde::Serialize;

use crate::cli::Global;
use crate::exit::{Exit, Failure};
use crate::output::{Output, Paint};

/// The arguments of `diff`.
#[derive(Debug, Args)]
#[command(
    about = "Show what was changed for a task",
    long_about = "Show the newest change of files for a task, as git shows it: while an agent of a run works on it, what its \
                  folder holds now; else what was delivered, was sent back (its check failed, say), or was left unfinished. The \
                  first line says which of these it is.\n\nWith --json: `agent`, `attempt`, `stage` (`under_way`, `delivered`, \
                  `unfinished`, or `{\"sent_back\": CAUSE}`) and `patch`, all in `change`, which is null where there is none.",
    after_help = "Examples:\n  agent-team diff parse\n  agent-team diff parse --json | jq -r .change.patch | git apply --stat"
)]
pub struct Diff {
    /// The task
    id: TaskId,
}

#[derive(Serialize)]
struct Json {
    change: Option<Change>,
}

impl Diff {
    pub fn run(self, global: &Global, out: &mut Output) -> Result<Exit, Failure> {
        let change = global.open()?.change_of(&self.id)?;
        let json = Json { change };
        out.answer(&json, |out| match &json.change {
            None => out.line(&none(&self.id)),
            Some(change) => {
                out.painted(&format!("{}: {change}", self.id), Some(Paint::Faint))?;
                change.patch.lines().try_for_each(|line| out.painted(line, paint(line)))
            }
        })?;
        Ok(Exit::Done)
    }
}

/// What is said where there is no change.
pub fn none(task: &TaskId) -> String {
    format!("there is no change of files for `{task}`: nothing was delivered, sent back or left unfinished")
}

/// As git paints it.
fn paint(line: &str) -> Option<Paint> {
    match line.as_bytes() {
        [b'+', b'+', b'+', ..] | [b'-', b'-', b'-', ..] => None,
        [b'+', ..] => Some(Paint::Good),
        [b'-', ..] => Some(Paint::Bad),
        [b'@', b'@', ..] => Some(Paint::Active),
        _ => None,
    }
}
