//! The tools with which a model has its plan approved. They return when somebody has judged it, however long that takes.

use agent_team_core::machine::State;
use async_trait::async_trait;
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::Value;

use super::asked_tasks::AddTasksInput;
use super::prompt::quoted;
use super::{Context, proposal};
use crate::hooks::{Blocked, Hook};
use crate::model::ToolSpec;
use crate::team_log::blocking;
use crate::tools::{Tool, ToolContext, ToolOutput, parse_input, spec_of};
use crate::{AgentId, Error, NewTask, RecordId, TaskId};

/// Submits a plan, and waits until it is judged.
pub(super) struct SubmitPlan {
    pub context: Context,
    /// Whether the agent was cut off in this very call: the plan may have been submitted already.
    pub goes_on: bool,
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct SubmitPlanInput {
    /// What you mean to change and why, file by file, and how you will see that it is right.
    plan: String,
}

#[async_trait]
impl Tool for SubmitPlan {
    fn spec(&self) -> ToolSpec {
        spec_of::<SubmitPlanInput>(
            "submit_plan",
            "Submits your plan and waits until somebody else approves or rejects it. Before it is approved you can only \
             read. After a rejection submit a better one.",
        )
    }

    async fn call(&self, input: Value, _: &ToolContext) -> ToolOutput {
        let input: SubmitPlanInput = match parse_input(&self.spec(), input) {
            Ok(input) => input,
            Err(correction) => return ToolOutput::failure(correction.to_string()),
        };
        match self.have_judged(input.plan).await {
            Ok(Some(verdict)) if verdict.approved => {
                ToolOutput::text(format!("{} You may begin now.", verdict.words()))
            }
            Ok(Some(verdict)) => ToolOutput::failure(format!("{} Submit a better plan.", verdict.words())),
            Ok(None) => ToolOutput::stopped(),
            Err(error) => ToolOutput::failure(error.to_string()),
        }
    }
}

impl SubmitPlan {
    async fn have_judged(&self, plan: String) -> Result<Option<Judged>, Error> {
        let submitted = if self.goes_on { self.context.submitted_plan()? } else { None };
        match submitted {
            Some((id, text)) if text == plan => self.context.until_judged(id).await,
            _ => self.context.have_judged(plan).await,
        }
    }
}

/// The lead's tasks, as a plan that must be approved before they are added.
pub(super) struct ProposeTasks {
    pub context: Context,
    /// Whether the lead was cut off in this very call, after it had proposed them.
    pub goes_on: bool,
}

#[async_trait]
impl Tool for ProposeTasks {
    fn spec(&self) -> ToolSpec {
        spec_of::<AddTasksInput>(
            "add_tasks",
            "Proposes tasks for the team's queue, and waits until somebody approves or rejects them; approved, they are \
             added, all or none. Give each an id if others depend on it.",
        )
    }

    async fn call(&self, input: Value, _: &ToolContext) -> ToolOutput {
        let input: AddTasksInput = match parse_input(&self.spec(), input) {
            Ok(input) => input,
            Err(correction) => return ToolOutput::failure(correction.to_string()),
        };
        match self.propose(input).await {
            Ok(output) => output,
            Err(error) => ToolOutput::failure(error.to_string()),
        }
    }
}

impl ProposeTasks {
    /// Whether a call that was cut off had proposed its tasks: then it waits for the verdict, and proposes nothing again.
    pub(super) fn is_proposed(context: &Context, input: &Value) -> Result<bool, Error> {
        let Ok(input) = serde_json::from_value::<AddTasksInput>(input.clone()) else { return Ok(false) };
        let Ok(tasks) = input.into_tasks(context) else { return Ok(false) };
        let Ok(proposed) = proposal::of(context, &tasks) else { return Ok(false) };
        Ok(context.submitted_plan()?.is_some_and(|(_, text)| text == proposed))
    }

    async fn propose(&self, input: AddTasksInput) -> Result<ToolOutput, Error> {
        let context = &self.context;
        let tasks = input.into_tasks(context)?;
        let proposed = proposal::of(context, &tasks)?;
        let submitted = if self.goes_on { context.submitted_plan()? } else { None };
        let verdict = match submitted {
            Some((id, text)) if text == proposed => context.until_judged(id).await?,
            _ => {
                // What could not be added is not worth anybody's look.
                context.queue.check_tasks(&tasks)?;
                context.have_judged(proposed).await?
            }
        };
        let Some(verdict) = verdict else { return Ok(ToolOutput::stopped()) };
        if !verdict.approved {
            return Ok(ToolOutput::failure(format!("{} Propose better tasks.", verdict.words())));
        }
        if self.goes_on && are_added(context, &tasks)? {
            return Ok(ToolOutput::text(format!("{} They were added.", verdict.words())));
        }
        let ids = context.queue.add_tasks(&context.agent, &tasks)?;
        let ids: Vec<&str> = ids.iter().map(TaskId::as_str).collect();
        Ok(ToolOutput::text(format!("{} Added: {}", verdict.words(), ids.join(", "))))
    }
}

/// Whether a lead was cut off only after it had added what it was to add.
pub(super) fn are_added(context: &Context, tasks: &[NewTask]) -> Result<bool, Error> {
    context.queue.team_log().look(|state| {
        let plan = state.task_of_claim(context.token).and_then(|task| task.plan.as_ref());
        let since_ms = plan.map_or(u64::MAX, |plan| plan.at_ms);
        let mut known = state.tasks();
        known.any(|known| {
            let is_it = |task: &NewTask| match &task.id {
                Some(id) => id == known.id().as_str(),
                None => known.added_at_ms >= since_ms && task.title == known.spec.title,
            };
            // All of them, or none.
            tasks.first().is_some_and(is_it)
        })
    })
}

/// What somebody said to a plan.
pub(crate) struct Judged {
    pub approved: bool,
    by: By,
    feedback: String,
}

/// Who said it.
enum By {
    Agent(AgentId),
    /// A hook of the user's, before anybody was asked. It only ever rejects.
    Hook(Hook),
}

impl Judged {
    /// The same in words, with what was said as data.
    pub fn words(&self) -> String {
        let what = if self.approved { "approved" } else { "rejected" };
        match (&self.by, self.feedback.trim()) {
            // A hook is the user's own word.
            (By::Hook(hook), feedback) => {
                format!("Your plan was {what} by the user's hook {hook}: {feedback}\n")
            }
            (By::Agent(by), "") => format!("Your plan was {what} by {by}."),
            (By::Agent(by), feedback) => {
                format!("Your plan was {what} by {by}, who says:\n{}\n", quoted(by, feedback))
            }
        }
    }
}

impl Context {
    /// Submits a plan, and waits until somebody has judged it. Nothing if the agent was told to stop before.
    pub(crate) async fn have_judged(&self, plan: String) -> Result<Option<Judged>, Error> {
        let (queue, token, agent) = (self.queue.clone(), self.token, self.agent.clone());
        match blocking(move || queue.submit_plan(token, &agent, plan)).await {
            Err(Error::Blocked(Blocked { hook, feedback, .. })) => {
                Ok(Some(Judged { approved: false, by: By::Hook(hook), feedback }))
            }
            submitted => self.until_judged(submitted?).await,
        }
    }

    /// The newest plan for the task, if the agent submitted it: its id and its text.
    pub(crate) fn submitted_plan(&self) -> Result<Option<(RecordId, String)>, Error> {
        let team_log = self.queue.team_log();
        let plan = team_log.look(|state| {
            let plan = state.task_of_claim(self.token)?.plan.as_ref()?;
            (plan.author == self.agent).then(|| (plan.id, plan.text.clone()))
        })?;
        plan.map(|(id, text)| Ok((id, team_log.read_text(&text)?))).transpose()
    }

    /// The newest plan for the task, if the agent has submitted it since then, in milliseconds since 1970.
    pub(crate) fn plan_since(&self, since_ms: u64) -> Result<Option<RecordId>, Error> {
        self.queue.team_log().look(|state| {
            let plan = state.task_of_claim(self.token)?.plan.as_ref()?;
            (plan.author == self.agent && plan.at_ms >= since_ms).then_some(plan.id)
        })
    }

    /// Waits until somebody has judged a plan. Nothing if the agent was told to stop before.
    pub(crate) async fn until_judged(&self, plan: RecordId) -> Result<Option<Judged>, Error> {
        self.activity.is("waits for its plan to be approved");
        let team_log = self.queue.team_log();
        let task =
            team_log.look_at_known(|state| state.task_of_claim(self.token).map(|task| task.id().clone()));
        let task = task.ok_or_else(|| Error::Input("the task is gone".into()))?;
        let judged = task.clone();
        let is_judged = move |state: &State| {
            let known = state.task(&judged).and_then(|task| task.plan.as_ref());
            known.is_none_or(|known| known.id != plan || known.verdict.is_some())
        };
        if !self.until_word(is_judged).await? {
            return Ok(None);
        }
        let view = self.queue.plan(&task)?.filter(|known| known.id == plan);
        let Some(view) = view else {
            return Err(Error::Input("another plan took the place of this one".into()));
        };
        let feedback = view.feedback.as_ref().map(|text| team_log.read_text(text)).transpose()?;
        Ok(Some(Judged {
            approved: view.approved.unwrap_or(false),
            by: By::Agent(view.judged_by.unwrap_or_else(AgentId::human)),
            feedback: feedback.unwrap_or_default(),
        }))
    }
}
