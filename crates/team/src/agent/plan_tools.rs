//! The tools with which a model has its plan approved. They return when somebody has judged it, however long that takes.

use agent_team_core::machine::State;
use async_trait::async_trait;
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::Value;

use super::Context;
use super::prompt::quoted;
use crate::hooks::{Blocked, Hook};
use crate::model::ToolSpec;
use crate::team_log::blocking;
use crate::tools::{Tool, ToolContext, ToolOutput, parse_input, spec_of};
use crate::{AgentId, Error, RecordId};

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
    #[serde(alias = "text")]
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
        self.have_changes_judged(plan, String::new()).await
    }

    /// The same of a plan that is carried out by whoever has the task when it is approved.
    pub(super) async fn have_changes_judged(
        &self,
        plan: String,
        changes: String,
    ) -> Result<Option<Judged>, Error> {
        let (queue, token, agent) = (self.queue.clone(), self.token, self.agent.clone());
        match blocking(move || queue.submit_changes(token, &agent, plan, changes)).await {
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
