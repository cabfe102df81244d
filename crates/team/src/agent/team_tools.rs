//! The tools with which a model acts on its team: finish, give up, review, tasks, messages.

use async_trait::async_trait;
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::Value;

use super::Context;
use super::asked_tasks::{AddTasksInput, add};
use super::lead_tools::{Leading, with_lead_tools};
use super::plan_tools::SubmitPlan;
use super::prompt;
use super::proposing::{Propose, Proposes};
use super::tags::harmless;
use super::talk_tools::{Ask, Note, Notes, Receive, Reserve, Send};
use crate::model::ToolSpec;
use crate::team_log::blocking;
use crate::tools::{Ending, Tool, ToolContext, ToolOutput, Toolbox, parse_input, spec_of};
use crate::{Error, Role, Stage, TaskId, wanted};

/// The tools that end an attempt, and do nothing else.
pub(super) const ENDINGS: [&str; 3] = ["finish", "give_up", "review"];

/// Adds the team's tools that an agent of this role has, for this kind of assignment. Whose plan is not approved yet can
/// do nothing but have it approved.
pub(super) fn with_team_tools(
    toolbox: Toolbox,
    context: &Context,
    stage: Stage,
    lacks_plan: bool,
) -> Toolbox {
    let toolbox = toolbox
        .with(ListTasks(context.clone()))
        .with(TaskResult(context.clone()))
        .with(Send(context.clone()))
        .with(Receive(context.clone()))
        .with(Ask(context.clone()))
        .with(Note(context.clone()))
        .with(Notes(context.clone()))
        .with(GiveUp(context.clone()));
    match (stage, lacks_plan, context.role) {
        (Stage::Review, ..) => toolbox.with(Review),
        (_, true, Role::Lead) if context.leading() == Some(Leading::Replan) => {
            toolbox.with(Propose { context: context.clone(), what: Proposes::PlanAnew, proposed: None })
        }
        (_, true, Role::Lead) => {
            toolbox.with(Propose { context: context.clone(), what: Proposes::AddTasks, proposed: None })
        }
        (_, true, _) => toolbox.with(SubmitPlan { context: context.clone(), goes_on: false }),
        // What was approved is done; nothing is added to it that nobody has seen.
        (_, false, Role::Lead) if context.has_proposed() => toolbox.with(Finish(context.clone())),
        (_, false, _) => {
            let toolbox = toolbox.with(Finish(context.clone()));
            let toolbox = match context.is_agreed_on() {
                true => toolbox,
                false => toolbox.with(AddTasks(context.clone())),
            };
            match context.leading() {
                Some(leading) => with_lead_tools(toolbox, context, leading),
                None => toolbox.with(Reserve(context.clone())),
            }
        }
    }
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

/// What a lead is told that delivers before it has made anything to do for others.
pub(super) const NOTHING_PLANNED: &str = "You have added no task, so nobody would do anything: call `add_tasks`, or `give_up` with \
                                          the reason why nothing is to be done.";

struct Finish(Context);

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
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
            if self.0.has_planned_nothing() {
                return Ok(ToolOutput::failure(NOTHING_PLANNED));
            }
            if self.0.has_open_parts() {
                return Ok(ToolOutput::failure(
                    "Parts of your task are not done: call `wait` to have it back when they are, or cancel those that are \
                     not wanted.",
                ));
            }
            let ending = Ending::Finished { result: input.result };
            Ok::<_, Error>(ToolOutput { ends_turns: Some(ending), ..ToolOutput::text("Delivered.") })
        })
    }
}

struct GiveUp(Context);

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
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
            if self.0.has_parts_under_way() {
                return Ok(ToolOutput::failure(
                    "Parts of your task are still to be done, and would be for nobody: cancel them by `cancel_task` first, or call \
                     `wait`.",
                ));
            }
            let ending = Ending::GaveUp { reason: input.reason };
            Ok::<_, Error>(ToolOutput { ends_turns: Some(ending), ..ToolOutput::text("Noted.") })
        })
    }
}

struct Review;

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
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
            if !input.approve {
                wanted::wanted(&input.feedback, wanted::CHANGE)?;
            }
            let ending = Ending::Judged { approved: input.approve, feedback: input.feedback };
            Ok::<_, Error>(ToolOutput { ends_turns: Some(ending), ..ToolOutput::text("Noted.") })
        })
    }
}

struct ListTasks(Context);

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
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
            Ok::<_, Error>(ToolOutput::text(match lines.is_empty() {
                true => "There are no tasks yet.".to_owned(),
                false => lines.join("\n"),
            }))
        })
    }
}

struct TaskResult(Context);

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct TaskResultInput {
    /// The task.
    id: String,
}

#[async_trait]
impl Tool for TaskResult {
    fn spec(&self) -> ToolSpec {
        let description = "Shows the whole text and the whole result of a task, where you were shown a part.";
        spec_of::<TaskResultInput>("task_result", description)
    }

    async fn call(&self, input: Value, _: &ToolContext) -> ToolOutput {
        with_input!(self, input, |input: TaskResultInput| {
            let task = self.0.queue.get_task(&input.id.parse()?)?;
            let whole = |text| self.0.queue.team_log().read_text(text);
            let result = task.result.as_ref().map(whole).transpose()?;
            let result = match (&result, &task.author) {
                (Some(result), Some(author)) => prompt::quoted(author, result),
                _ => format!("(none yet: it is {})", task.status),
            };
            let (title, text) = (harmless(&task.title), whole(&task.description)?);
            Ok::<_, Error>(ToolOutput::text(format!(
                "# {}: {title}\n\n{}\n\n## Result\n\n{result}",
                task.id,
                harmless(&text)
            )))
        })
    }
}

struct AddTasks(Context);

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
        match blocking(move || add(&context, input)).await {
            Ok(ids) => {
                let ids: Vec<&str> = ids.iter().map(TaskId::as_str).collect();
                ToolOutput::text(format!("Added: {}", ids.join(", ")))
            }
            Err(error) => ToolOutput::failure(error.to_string()),
        }
    }
}
