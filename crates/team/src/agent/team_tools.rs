//! The tools with which a model acts on its team: finish, give up, review, tasks, messages.

use async_trait::async_trait;
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::Value;

use super::Context;
use super::lead_tools::with_lead_tools;
use super::plan_tools::{ProposeTasks, SubmitPlan};
use super::tags::harmless;
use super::talk_tools::{Ask, Note, Notes, Receive, Send};
use super::verdict::{APPROVE, REJECT};
use crate::model::ToolSpec;
use crate::team_log::blocking;
use crate::tools::{Ending, Tool, ToolContext, ToolOutput, Toolbox, parse_input, spec_of};
use crate::{Error, NewTask, Role, Stage, TaskBudget, TaskId, wanted};

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
        .with(GiveUp);
    match (stage, lacks_plan, context.role) {
        (Stage::Review, ..) => toolbox.with(Review),
        (_, true, Role::Lead) => toolbox.with(ProposeTasks { context: context.clone(), goes_on: false }),
        (_, true, _) => toolbox.with(SubmitPlan { context: context.clone(), goes_on: false }),
        (_, false, _) => {
            let toolbox = toolbox.with(AddTasks(context.clone())).with(Finish(context.clone()));
            match context.leading() {
                Some(leading) => with_lead_tools(toolbox, context, leading),
                None => toolbox,
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

struct Finish(Context);

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
            Ok::<_, Error>(ToolOutput { ends_turns: Some(ending), ..ToolOutput::text("Noted.") })
        })
    }
}

struct Review;

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
            if !input.approve {
                wanted::wanted(&input.feedback, wanted::CHANGE)?;
            }
            let word = if input.approve { APPROVE } else { REJECT };
            let ending = Ending::Finished { result: format!("{word}: {}", input.feedback) };
            Ok::<_, Error>(ToolOutput { ends_turns: Some(ending), ..ToolOutput::text("Noted.") })
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
            Ok::<_, Error>(ToolOutput::text(match lines.is_empty() {
                true => "There are no tasks yet.".to_owned(),
                false => lines.join("\n"),
            }))
        })
    }
}

struct TaskResult(Context);

#[derive(Deserialize, JsonSchema)]
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
            let result = result.unwrap_or_else(|| format!("(none yet: it is {})", task.status));
            let text = whole(&task.description)?;
            Ok::<_, Error>(ToolOutput::text(format!(
                "# {}: {}\n\n{text}\n\n## Result\n\n{}",
                task.id,
                task.title,
                harmless(&result)
            )))
        })
    }
}

struct AddTasks(Context);

#[derive(Deserialize, JsonSchema)]
pub(super) struct AddTasksInput {
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
    /// Whether whoever does it must have a plan approved first.
    plan: Option<bool>,
    /// Words to find it by; notes for these labels are shown to whoever does it.
    labels: Option<Vec<String>>,
    /// Higher goes first.
    priority: Option<i32>,
    /// Whether a lead splits it further and delivers it: for what is too large for one.
    delegate: Option<bool>,
    /// Which lead does so; any if you leave it out.
    lead: Option<String>,
    /// The most that it may cost with all its parts, in US dollars.
    budget_usd: Option<f64>,
    /// The most tokens that it may use with all its parts.
    budget_tokens: Option<u64>,
}

/// Adds tasks. A hook may be asked, and take its time.
pub(super) fn add(context: &Context, input: AddTasksInput) -> Result<Vec<TaskId>, Error> {
    context.queue.add_tasks(&context.agent, &input.into_tasks(context)?)
}

/// Where what an agent adds belongs.
struct Place {
    parent: Option<String>,
    team: Option<String>,
}

impl Place {
    /// Parts of the task that the agent works on; or beside the failure that it plans anew. Those of a lead with a team of
    /// its own are for that team.
    fn of(context: &Context) -> Result<Self, Error> {
        context.queue.team_log().look(|state| {
            let Some(task) = state.task_of_claim(context.token) else {
                return Self { parent: None, team: None };
            };
            let parent = match task.spec.replans {
                Some(_) => task.spec.parent.clone(),
                None => Some(task.id().clone()),
            };
            let is_led = task.spec.delegate || !task.above.is_empty();
            let mut members = state.agents().filter(|agent| !agent.left);
            let has_team = members.any(|agent| agent.lead.as_ref() == Some(&context.agent));
            let own = (context.role == Role::Lead && has_team).then(|| context.agent.to_string());
            // What a member of a team adds is for that team.
            let team = own.or_else(|| task.spec.team.as_ref().map(ToString::to_string));
            Self { parent: parent.map(String::from), team: team.filter(|_| is_led) }
        })
    }
}

impl AddTasksInput {
    /// The tasks, as parts of the one that the agent works on.
    pub(super) fn into_tasks(self, context: &Context) -> Result<Vec<NewTask>, Error> {
        let place = Place::of(context)?;
        self.tasks.into_iter().map(|task| task.into_task(&place)).collect()
    }
}

impl TaskInput {
    fn into_task(self, place: &Place) -> Result<NewTask, Error> {
        let input = |error: &dyn std::fmt::Display| Error::Input(error.to_string());
        let role = self.role.map(|role| role.parse::<Role>()).transpose().map_err(|error| input(&error))?;
        let delegate = self.delegate.unwrap_or(false);
        if self.lead.is_some() && !delegate {
            return Err(Error::Input("a `lead` goes with `delegate: true`".into()));
        }
        let micro_usd = self.budget_usd.map(micro_usd).transpose()?;
        Ok(NewTask {
            title: self.title,
            id: self.id,
            description: self.description.unwrap_or_default(),
            after: self.after.unwrap_or_default(),
            check: self.check,
            role,
            skill: self.skill,
            review: self.review.unwrap_or(false),
            plan: self.plan.unwrap_or(false),
            labels: self.labels.unwrap_or_default(),
            priority: self.priority.unwrap_or(0),
            parent: place.parent.clone(),
            delegate,
            // A lead takes what it is named for, whatever team it is in.
            agent: self.lead,
            team: place.team.clone().filter(|_| !delegate),
            budget: TaskBudget { micro_usd, tokens: self.budget_tokens, ..TaskBudget::default() },
            ..NewTask::default()
        })
    }
}

#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "the range is checked before")]
fn micro_usd(dollars: f64) -> Result<u64, Error> {
    if (1e-6..=1e9).contains(&dollars) {
        return Ok((dollars * 1e6).round() as u64);
    }
    Err(Error::Input("a budget is more than 0 US dollars, and at most a billion".into()))
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
        match blocking(move || add(&context, input)).await {
            Ok(ids) => {
                let ids: Vec<&str> = ids.iter().map(TaskId::as_str).collect();
                ToolOutput::text(format!("Added: {}", ids.join(", ")))
            }
            Err(error) => ToolOutput::failure(error.to_string()),
        }
    }
}
