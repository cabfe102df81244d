//! `review`: approves a result, or sends it back.

use agent_team::{AgentId, Refusal, Status, TaskId, TaskQueue, Verdict, review};
use clap::Args;
use schemars::JsonSchema;
use serde::Deserialize;

use super::{read_text, show, tell_task, words};
use crate::cli::Global;
use crate::exit::{Exit, Failure};
use crate::operation::{Actor, Operation};
use crate::output::Output;
use crate::task_text::in_full;

/// The arguments of `review`.
#[derive(Debug, Args)]
#[command(
    about = "Look at a result, approve it, or send it back",
    long_about = "Look at what was delivered for a task: the result, what its check said, whether the gate has still to \
                  hold, and the command that shows the change. Approve it, or send it back to its author with what is \
                  to be changed. Reviewers, the lead and the human may do so, but never the author; a change to protected \
                  files is for the human. An approval is of exactly the result that was read, so another one than that of the \
                  first attempt is named by its attempt.",
    after_help = "Examples:\n  agent-team review parse\n  agent-team review parse --json | jq -r .check_output\n  \
                  agent-team review parse --approve\n  agent-team review parse --approve --attempt 2\n  agent-team review parse --reject 'the empty file is \
                  not handled'\n  agent-team join --as critic --role reviewer && agent-team review parse --as critic \
                  --approve"
)]
pub struct Review {
    /// The task
    id: TaskId,
    /// Who reviews
    #[arg(long = "as", value_name = "NAME", default_value = "human")]
    agent: AgentId,
    /// It is good, with a word to whoever reads it if you like
    #[arg(long, value_name = "TEXT", num_args = 0..=1, default_missing_value = "")]
    approve: Option<String>,
    /// It goes back, and this is what is to be changed; - for standard input
    #[arg(long, value_name = "TEXT", conflicts_with = "approve")]
    reject: Option<String>,
    /// The attempt whose result was read: refused if another one waits by now. Needed to approve another one than the first
    #[arg(long, value_name = "N")]
    attempt: Option<u32>,
}

/// What somebody says to a result, as a session says it.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ReviewTask {
    /// The task
    #[schemars(with = "String")]
    id: TaskId,
    /// Whether it is good; leave it out to look at what was delivered
    approve: Option<bool>,
    /// What is to be changed, or a word to whoever reads it
    #[serde(default)]
    text: String,
    /// The attempt whose result was read. Needed to approve another one than the first
    attempt: Option<u32>,
}

impl Review {
    pub fn run(self, global: &Global, out: &mut Output) -> Result<Exit, Failure> {
        let (approve, text) = match (self.reject, self.approve) {
            (Some(text), _) => (Some(false), read_text(text)?),
            (None, Some(words)) => (Some(true), words),
            (None, None) => (None, String::new()),
        };
        let queue = if approve.is_some() { global.open_with_hooks(out)? } else { global.open()? };
        let operation = ReviewTask { id: self.id, approve, text, attempt: self.attempt };
        operation.perform(&Actor::named(&queue, &self.agent, None), out)
    }
}

impl Operation for ReviewTask {
    const TOOL: &'static str = "review_task";
    const ABOUT: &'static str = "Look at what was delivered for a task, approve it, or send it back to its author with what \
                                 is to be changed: for reviewers and leads, and never for the author.";

    fn perform(self, by: &Actor<'_>, out: &mut Output) -> Result<Exit, Failure> {
        let verdict = match self.approve {
            None => return look(&self.id, by.queue, out),
            Some(false) => Verdict::ChangesRequested(words(self.text, "what is to be changed")?),
            Some(true) => Verdict::Approved(self.text),
        };
        let approves = matches!(verdict, Verdict::Approved(_));
        let read = read(by.queue, &self.id, self.attempt, approves)?;
        review(by.queue, by.agent()?, &self.id, read, verdict).map_err(|error| {
            let unfit = matches!(error.refusal(), Some(Refusal::NotFitting { .. }));
            let failure = Failure::from(error);
            match unfit && !out.is_kept() {
                true => failure.hint("`agent-team review` without --as is the human's"),
                false => failure,
            }
        })?;
        tell_task(by.queue, &self.id, out)
    }
}

/// The attempt whose result is judged. An approval is of the result that was read: whoever names none means the first, as long
/// as there was no other.
fn read(queue: &TaskQueue, id: &TaskId, named: Option<u32>, approves: bool) -> Result<Option<u32>, Failure> {
    let task = queue.get_task(id)?;
    // Why none can be judged is said by the rules.
    if task.status != Status::Reviewing {
        return Ok(None);
    }
    let attempt = task.attempt;
    let hint = format!(
        "read it: agent-team review {id}; then judge it: agent-team review {id} --approve --attempt {attempt}"
    );
    match named {
        Some(named) if named != attempt => {
            let words =
                format!("the result of attempt {attempt} at task `{id}` waits, not that of attempt {named}");
            Err(Failure::refused(words).hint(hint))
        }
        None if approves && attempt > 1 => {
            let words = format!(
                "the result of attempt {attempt} at task `{id}` waits: say that it is the one you have read"
            );
            Err(Failure::refused(words).hint(hint))
        }
        _ => Ok(Some(attempt)),
    }
}

/// Shows what there is to judge, and how.
fn look(id: &TaskId, queue: &TaskQueue, out: &mut Output) -> Result<Exit, Failure> {
    let task = in_full(queue, queue.get_task(id)?);
    if task.status != Status::Reviewing {
        let what = format!("task `{id}` is {}, and waits for no review", task.status);
        return Err(
            Failure::refused(what).hint(format!("`agent-team show {id}` has all that is known of it"))
        );
    }
    out.answer(&task, |out| {
        show::print(&task, out)?;
        out.line("")?;
        if let Some(work) = &task.commit {
            out.line(&format!("the change:  git diff {} {}", work.base, work.commit))?;
        }
        if out.is_kept() {
            return Ok(());
        }
        let which = if task.attempt > 1 { format!(" --attempt {}", task.attempt) } else { String::new() };
        out.line(&format!("then:        agent-team review {id} --approve{which}, or --reject WHY"))
    })?;
    Ok(Exit::Done)
}
