//! Agents: whatever can do a task. A closure, a language model with tools, a program.
//!
//! An agent is given an [`Assignment`] and answers with an [`Answer`]; it knows nothing of claims, merges or retries.

mod account;
mod activity;
mod asked_tasks;
mod assignment;
mod closure;
mod compaction;
mod draft;
#[cfg(feature = "drivers")]
pub mod driven;
mod edits;
mod ending;
mod governor;
mod handoff;
mod heirs;
mod helping;
mod journal;
mod lead_changes;
mod lead_tools;
mod metered;
mod model_agent;
mod next_try;
mod plan_tools;
pub(crate) mod prompt;
mod proposal;
mod proposing;
mod room;
mod steered;
mod tags;
mod talk_tools;
mod tasks_in_words;
mod team_tools;
mod verdict;

use std::path::PathBuf;

use async_trait::async_trait;
use tokio_util::sync::CancellationToken;

pub use activity::Activity;
pub use asked_tasks::AskedTask;
pub use assignment::{Assignment, Delivered, Dependency, JudgedPlan, Setback};
pub use closure::{agent_fn, llm_fn};
pub use draft::Draft;
pub(crate) use governor::{Governor, Met};
pub(crate) use handoff::last_words;
pub(crate) use journal::TRANSCRIPT;
pub use journal::{Journal, JournalError, Line};
pub use metered::{Meter, Spent};
pub use model_agent::ModelAgent;
pub(crate) use verdict::verdict;

use crate::{AgentId, Error, MessageBus, RecordId, Role, TaskQueue};

/// Whatever can do a task.
///
/// ```
/// use agent_team::agent::{Agent, AgentError, Answer, Assignment, Context};
///
/// struct SecurityAgent;
///
/// #[async_trait::async_trait]
/// impl Agent for SecurityAgent {
///     async fn execute_task(&self, task: &Assignment, _: &Context) -> Result<Answer, AgentError> {
///         Ok(Answer::text(format!("Looked at `{}`: nothing found.", task.title)))
///     }
/// }
/// ```
#[async_trait]
pub trait Agent: Send + Sync {
    /// Does a task, or judges one: [`Assignment::stage`] says which.
    ///
    /// # Errors
    /// [`AgentError`] says why the attempt failed, and whether another one makes sense.
    async fn execute_task(&self, task: &Assignment, context: &Context) -> Result<Answer, AgentError>;

    /// Answers a question outside of any task: the lead is asked to sum up at the end. What was said to the agent stands in
    /// the question.
    ///
    /// # Errors
    /// As [`execute_task`](Agent::execute_task).
    async fn answer(&self, question: &Assignment, context: &Context) -> Result<String, AgentError> {
        Ok(self.execute_task(question, context).await?.text)
    }

    /// What stands behind it, for people: `anthropic:claude-…`, `closure`.
    fn with(&self) -> String {
        "an agent of the program's own".to_owned()
    }

    /// Whether it has its plan approved itself where one is asked for. One that does not is asked for it beforehand.
    fn plans(&self) -> bool {
        false
    }

    /// Whether it calls models that count against the team's budgets, by a [`Meter`].
    fn is_metered(&self) -> bool {
        false
    }

    /// Whether it changes files, and so needs a workspace of its own where there is a git repository.
    fn needs_workspace(&self) -> bool {
        false
    }
}

/// What an agent works with.
#[derive(Clone)]
pub struct Context {
    /// Its name.
    pub agent: AgentId,
    /// What it is for.
    pub role: Role,
    /// The claim under which it works.
    pub token: RecordId,
    /// The tasks of its team.
    pub queue: TaskQueue,
    /// The messages of its team.
    pub bus: MessageBus,
    /// The folder that it may change: its workspace; `None` where there is no git repository.
    pub workspace: Option<PathBuf>,
    /// Where its journal and the outputs of its commands go; `None` for a team in memory.
    pub attempt_folder: Option<PathBuf>,
    /// Variables for its commands.
    pub environment: crate::command::Environment,
    /// Cancelled when it should finish its turn and stop.
    pub stop: CancellationToken,
    /// What it does at the moment, for those who watch.
    pub activity: Activity,
}

/// What came out of an assignment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    /// The result, or what the reviewer has to say.
    pub text: String,
    /// The reviewer's verdict; `None` for work.
    pub approved: Option<bool>,
}

impl Answer {
    /// A result.
    pub fn text(text: impl Into<String>) -> Self {
        Self { text: text.into(), approved: None }
    }

    /// A verdict.
    pub fn verdict(approved: bool, feedback: impl Into<String>) -> Self {
        Self { text: feedback.into(), approved: Some(approved) }
    }
}

/// Why an attempt did not succeed.
#[derive(Debug, thiserror::Error)]
pub enum AgentError {
    /// It failed; another attempt may succeed.
    #[error("{0}")]
    Failed(String),
    /// It failed, and so would every other attempt.
    #[error("{0}")]
    GaveUp(String),
    /// Its conversation is longer than its model can read, and cannot be made shorter. So would every other attempt fail.
    #[error("{0}")]
    TooLong(String),
    /// It was told to stop before it was done. No failed attempt: the next one goes on where it stopped.
    #[error("stopped before the task was done")]
    Stopped,
    /// The agent cannot work at all, on this task or any other: its model refuses the key, say. No failed attempt; the
    /// agent takes nothing more.
    #[error("{0}")]
    Unable(String),
    /// It handed its task out in parts, and is to have it back when they are done. No failed attempt.
    #[error("it waits for the parts of its task")]
    Waits,
    /// A budget is used up. No failed attempt.
    #[error("{refusal}")]
    OverBudget {
        /// Which, and of what.
        refusal: crate::Refusal,
        /// What there was not enough for.
        upper: crate::Amount,
    },
    /// Something of the team is broken.
    #[error(transparent)]
    Broken(#[from] Error),
}

impl From<JournalError> for AgentError {
    fn from(error: JournalError) -> Self {
        Self::Broken(error.into())
    }
}
