//! The tools that a model calls: read, list, search, write, edit and run, on one workspace folder.
//!
//! Whatever a model asks for, it gets an answer it can act on: a wrong path, a wrong argument or an ambiguous edit is a
//! correction, never an error that ends the attempt. The team's own tools (tasks, messages, finish, give up) implement
//! the same [`Tool`] trait elsewhere. Path checks keep an honest model inside its workspace; what a command of the
//! `run` tool may touch is for the sandbox to say.
mod edit;
mod input;
mod list;
mod nearest;
mod path;
mod read;
mod run;
mod search;
mod toolbox;
mod walk;
mod write;

#[cfg(test)]
mod testing;

use std::path::PathBuf;
use std::time::Duration;

use async_trait::async_trait;
use serde_json::Value;
use tokio_util::sync::CancellationToken;

use crate::command::Environment;
use crate::model::ToolSpec;

pub use edit::Edit;
pub use input::{Correction, parse_input, spec_of};
pub use list::List;
pub use path::Workspace;
pub use read::Read;
pub use run::Run;
pub(crate) use run::newest_output;
pub use search::Search;
pub use toolbox::Toolbox;
pub use write::Write;

/// The folder of an attempt in which whole outputs of commands are kept.
pub(crate) const OUTPUTS: &str = "outputs";

/// Something that a model may call.
#[async_trait]
pub trait Tool: Send + Sync {
    /// How the model is told of it. The same at every call.
    fn spec(&self) -> ToolSpec;

    /// Does what `input` asks for. Input that does not fit gives a correction: see [`parse_input`].
    async fn call(&self, input: Value, context: &ToolContext) -> ToolOutput;
}

/// For whom and where tools work.
#[derive(Debug, Clone)]
pub struct ToolContext {
    /// The folder that relative paths start from and that no path may leave.
    pub workspace: PathBuf,
    /// Where whole outputs of commands are kept. The model may read here too.
    pub output_folder: PathBuf,
    /// Ends commands and searches that are under way.
    pub stop: CancellationToken,
    /// What commands see of the environment.
    pub environment: Environment,
    /// The longest that one command may take, and what it may take if the model does not say.
    pub command_time_limit: Duration,
}

/// What a tool call gave.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ToolOutput {
    /// What the model reads.
    pub text: String,
    /// Whether the model shall take it as a failure.
    pub is_error: bool,
    /// Set when the agent takes no turn after this one.
    pub ends_turns: Option<Ending>,
}

/// How an agent ends its work on a task.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Ending {
    /// The work is done.
    Finished {
        /// What came of it, for the task's dependents and for people.
        result: String,
    },
    /// The agent, as its reviewer, has judged the work of another one.
    Judged {
        /// Whether it may be merged.
        approved: bool,
        /// What its author should know.
        feedback: String,
    },
    /// The agent sees no way to do it.
    GaveUp {
        /// Why, for the next attempt.
        reason: String,
    },
    /// The agent handed its task out in parts, and waits for them.
    Waits,
    /// The agent was told to stop while it waited for somebody. The call has no result: whoever goes on waits again.
    Stopped,
}

impl ToolOutput {
    /// What a call gave that went well.
    pub fn text(text: impl Into<String>) -> Self {
        Self { text: text.into(), is_error: false, ends_turns: None }
    }

    /// What a call gave that failed: it says what was wrong and what to do instead.
    pub fn failure(text: impl Into<String>) -> Self {
        Self { text: text.into(), is_error: true, ends_turns: None }
    }

    /// A call that was told to stop while it waited for somebody.
    pub fn stopped() -> Self {
        Self { ends_turns: Some(Ending::Stopped), ..Self::text("Stopped.") }
    }
}

impl From<Result<String, Correction>> for ToolOutput {
    fn from(answer: Result<String, Correction>) -> Self {
        match answer {
            Ok(text) => Self::text(text),
            Err(Correction(text)) => Self::failure(text),
        }
    }
}

/// Parses `input` and answers it by `work` on a thread that may block, as file systems do.
async fn answer<Input, Work>(tool: &dyn Tool, input: Value, context: &ToolContext, work: Work) -> ToolOutput
where
    Input: serde::de::DeserializeOwned + Send + 'static,
    Work: FnOnce(Input, &Workspace, &CancellationToken) -> Result<String, Correction> + Send + 'static,
{
    let input = match parse_input(&tool.spec(), input) {
        Ok(input) => input,
        Err(Correction(text)) => return ToolOutput::failure(text),
    };
    let (folder, output_folder) = (context.workspace.clone(), context.output_folder.clone());
    let stop = context.stop.clone();
    let answer =
        tokio::task::spawn_blocking(move || work(input, &Workspace::open(&folder, &output_folder)?, &stop));
    answer.await.unwrap_or_else(|broken| Err(Correction(format!("The tool broke: {broken}.")))).into()
}
