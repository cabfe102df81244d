//! The tools with which a model acts on its team: finish, give up, review, tasks, messages.

use async_trait::async_trait;
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::Value;

use super::Context;
use crate::model::ToolSpec;
use crate::team_log::blocking;
use crate::tools::{Ending, Tool, ToolContext, ToolOutput, Toolbox, parse_input, spec_of};
use crate::{NewTask, Recipient, Role, Stage, TaskId};

/// The tools that end an attempt, and do nothing else.
pub(super) const ENDINGS: [&str; 3] = ["finish", "give_up", "review"];

/// Adds the team's tools that an agent of this role has, for this kind of assignment.
pub(super) fn with_team_tools(toolbox: Toolbox, context: &Context, stage: Stage) -> Toolbox {
    let toolbox = toolbox
        .with(ListTasks(context.clone()))
        .with(Send(context.clone()))
        .with(Receive(context.clone()))
        .with(GiveUp);
    if stage == Stage::Review {
        return toolbox.with(Review);
    }
    toolbox.with(AddTasks(context.clone())).with(Finish)
}

/// Calls `tool` with parsed input, or corrects the model.
macro_rules! with_input {
    ($tool:expr, $input:expr, $run:expr) => {
        match parse_input(&$tool.spec(), $input) {
            Ok(input) => match $run(input) {
                Ok(output) => output,
                Err(error) => ToolOutput::failure(error.to_string()),
            },
            Err(correction) => ToolOutput::failure(correction.to_string()),
        }
    };
}

struct Finish;

#[derive(Deserialize, JsonSchema)]
struct FinishInput {
    /// What you did, why it is right, and what others should know. Tasks that depend on this one are given this text.
    result: String,
}

#[async_trait]
impl Tool for Finish {
    fn spec(&self) -> ToolSpec {
        spec_of::<FinishInput>(
            "finish",
            "Delivers your result and ends the task. The check and the gate then judge it.",
        )
    }

    async fn call(&self, input: Value, _: &ToolContext) -> ToolOutput {
        with_input!(self, input, |input: FinishInput| {
            let ending = Ending::Finished { result: input.result };
            Ok::<_, crate::Error>(ToolOutput { ends_turns: Some(ending), ..ToolOutput::text("Delivered.") })
        })
    }
}

struct GiveUp;

#[derive(Deserialize, JsonSchema)]
struct GiveUpInput {
    /// Why it cannot be done, and what would have to change.
    reason: String,
}

#[async_trait]
impl Tool for GiveUp {
    fn spec(&self) -> ToolSpec {
        spec_of::<GiveUpInput>("give_up", "Ends the task without a result, because it cannot be done.")
    }

    async fn call(&self, input: Value, _: &ToolContext) -> ToolOutput {
        with_input!(self, input, |input: GiveUpInput| {
            let ending = Ending::GaveUp { reason: input.reason };
            Ok::<_, crate::Error>(ToolOutput { ends_turns: Some(ending), ..ToolOutput::text("Noted.") })
        })
    }
}

struct Review;

/// How the verdict of `review` is told to whoever runs the tool loop.
pub(super) const APPROVE: &str = "APPROVE";
/// The same for changes requested.
pub(super) const REJECT: &str = "REJECT";

#[derive(Deserialize, JsonSchema)]
struct ReviewInput {
    /// Whether the work may be merged as it is.
    approve: bool,
    /// What the author should know: what must change and why, or what is good about it.
    feedback: String,
}

#[async_trait]
impl Tool for Review {
    fn spec(&self) -> ToolSpec {
        spec_of::<ReviewInput>("review", "Gives your verdict on the work and ends the review.")
    }

    async fn call(&self, input: Value, _: &ToolContext) -> ToolOutput {
        with_input!(self, input, |input: ReviewInput| {
            let word = if input.approve { APPROVE } else { REJECT };
            let ending = Ending::Finished { result: format!("{word}: {}", input.feedback) };
            Ok::<_, crate::Error>(ToolOutput { ends_turns: Some(ending), ..ToolOutput::text("Noted.") })
        })
    }
}

struct ListTasks(Context);

#[derive(Deserialize, JsonSchema)]
struct ListTasksInput {}

#[async_trait]
impl Tool for ListTasks {
    fn spec(&self) -> ToolSpec {
        spec_of::<ListTasksInput>("list_tasks", "Lists the team's tasks: id, status, who has it, title.")
    }

    async fn call(&self, input: Value, _: &ToolContext) -> ToolOutput {
        with_input!(self, input, |_: ListTasksInput| {
            let tasks = self.0.queue.list_tasks()?;
            let lines = tasks.iter().map(|task| {
                let agent = task.agent.as_ref().map_or(String::new(), |agent| format!(" by {agent}"));
                format!("{} [{}{agent}] {}", task.id, task.status, task.title)
            });
            let lines: Vec<String> = lines.collect();
            Ok::<_, crate::Error>(ToolOutput::text(match lines.is_empty() {
                true => "There are no tasks yet.".to_owned(),
                false => lines.join("\n"),
            }))
        })
    }
}

struct AddTasks(Context);

#[derive(Deserialize, JsonSchema)]
struct AddTasksInput {
    /// The tasks. They may refer to each other in `after`, in any order.
    tasks: Vec<TaskInput>,
}

#[derive(Deserialize, JsonSchema)]
struct TaskInput {
    /// A short id of letters, digits and dashes, such as `parse-header`.
    id: Option<String>,
    /// One line that says what is wanted.
    title: String,
    /// Everything that whoever does it must know.
    description: Option<String>,
    /// The ids of the tasks that must be completed first.
    after: Option<Vec<String>>,
    /// A shell command that fails now and exits with 0 when the task is done.
    check: Option<String>,
    /// `worker`, `reviewer`, `specialist` or `lead`; leave it out for any worker.
    role: Option<String>,
    /// A skill that whoever does it must have.
    skill: Option<String>,
    /// Whether a reviewer must approve the result.
    review: Option<bool>,
    /// Higher goes first.
    priority: Option<i32>,
}

impl TaskInput {
    fn into_task(self, context: &Context) -> Result<NewTask, crate::Error> {
        let input = |error: &dyn std::fmt::Display| crate::Error::Input(error.to_string());
        let role = self.role.map(|role| role.parse::<Role>()).transpose().map_err(|error| input(&error))?;
        let parent = context
            .queue
            .team_log()
            .look(|state| state.task_of_claim(context.token).map(|task| task.id().to_string()))?;
        Ok(NewTask {
            title: self.title,
            id: self.id,
            description: self.description.unwrap_or_default(),
            after: self.after.unwrap_or_default(),
            check: self.check,
            role,
            skill: self.skill,
            review: self.review.unwrap_or(false),
            priority: self.priority.unwrap_or(0),
            parent,
            ..NewTask::default()
        })
    }
}

#[async_trait]
impl Tool for AddTasks {
    fn spec(&self) -> ToolSpec {
        let description =
            "Adds tasks to the team's queue, all or none. Give each an id if others depend on it.";
        spec_of::<AddTasksInput>("add_tasks", description)
    }

    async fn call(&self, input: Value, _: &ToolContext) -> ToolOutput {
        let input: AddTasksInput = match parse_input(&self.spec(), input) {
            Ok(input) => input,
            Err(correction) => return ToolOutput::failure(correction.to_string()),
        };
        let context = self.0.clone();
        // A hook may be asked, and take its time.
        let added = blocking(move || {
            let tasks = input.tasks.into_iter().map(|task| task.into_task(&context));
            context.queue.add_tasks(&context.agent, &tasks.collect::<Result<Vec<NewTask>, _>>()?)
        });
        match added.await {
            Ok(ids) => {
                let ids: Vec<&str> = ids.iter().map(TaskId::as_str).collect();
                ToolOutput::text(format!("Added: {}", ids.join(", ")))
            }
            Err(error) => ToolOutput::failure(error.to_string()),
        }
    }
}

struct Send(Context);

#[derive(Deserialize, JsonSchema)]
struct SendInput {
    /// An agent's name, `role:worker` (or another role), or `everyone`.
    to: String,
    /// What to say.
    text: String,
    /// The id of the task that it is about.
    task: Option<String>,
}

#[async_trait]
impl Tool for Send {
    fn spec(&self) -> ToolSpec {
        let description =
            "Sends a message to other agents. They see it between their turns; you need not wait.";
        spec_of::<SendInput>("send", description)
    }

    async fn call(&self, input: Value, _: &ToolContext) -> ToolOutput {
        with_input!(self, input, |input: SendInput| {
            let to: Recipient = input.to.parse().map_err(crate::Error::Input)?;
            let task = input.task.map(TaskId::try_from).transpose()?;
            self.0.bus.send_about(&self.0.agent, to, input.text, task)?;
            Ok::<_, crate::Error>(ToolOutput::text("Sent."))
        })
    }
}

struct Receive(Context);

#[derive(Deserialize, JsonSchema)]
struct ReceiveInput {}

#[async_trait]
impl Tool for Receive {
    fn spec(&self) -> ToolSpec {
        let description =
            "Shows the messages that you have not read. New ones are also shown to you between turns.";
        spec_of::<ReceiveInput>("receive", description)
    }

    async fn call(&self, input: Value, _: &ToolContext) -> ToolOutput {
        with_input!(self, input, |_: ReceiveInput| {
            let messages = self.0.bus.inbox(&self.0.agent)?;
            let text = super::prompt::messages(&messages);
            Ok::<_, crate::Error>(ToolOutput::text(if text.is_empty() {
                "Nothing new.".to_owned()
            } else {
                text
            }))
        })
    }
}
