//! The tool with which a lead plans a failure anew where somebody must approve of that: all changes in one proposal, made
//! when it is approved and not before.

use async_trait::async_trait;
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::Value;

use super::Context;
use super::asked_tasks::{AddTasksInput, AskedTask};
use super::lead_changes::{CancelTaskInput, Change, ChangeTaskInput, ReplaceTaskInput, RetryTaskInput};
use crate::model::ToolSpec;
use crate::team_log::blocking;
use crate::tools::{Tool, ToolContext, ToolOutput, parse_input, spec_of};
use crate::{Error, RecordId};

/// Its name.
pub(super) const PLAN_ANEW: &str = "plan_anew";

/// Proposes changes, and waits until somebody judges them.
pub(super) struct PlanAnew {
    pub context: Context,
    /// The plan with which it proposed them, if the lead was cut off in this very call after that.
    pub proposed: Option<RecordId>,
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct PlanAnewInput {
    /// Tasks that are tried again.
    retry: Option<Vec<RetryTaskInput>>,
    /// Tasks in whose place others are added.
    replace: Option<Vec<ReplaceTaskInput>>,
    /// Tasks that are added besides.
    add: Option<Vec<AskedTask>>,
    /// Tasks whose words, priority or dependencies are changed.
    change: Option<Vec<ChangeTaskInput>>,
    /// Tasks that are not wanted any more.
    cancel: Option<Vec<CancelTaskInput>>,
}

impl PlanAnewInput {
    /// Its changes, in the order in which they are made.
    fn changes(self) -> Vec<Box<dyn Change>> {
        fn each<C: Change + 'static>(changes: Option<Vec<C>>) -> impl Iterator<Item = Box<dyn Change>> {
            changes.into_iter().flatten().map(|change| Box::new(change) as Box<dyn Change>)
        }
        let added = self.add.filter(|tasks| !tasks.is_empty()).map(|tasks| vec![AddTasksInput { tasks }]);
        let changes = each(self.retry).chain(each(self.replace)).chain(each(added));
        changes.chain(each(self.change)).chain(each(self.cancel)).collect()
    }
}

/// All changes in words. Fails where something cannot be done.
fn shown(changes: &[Box<dyn Change>], context: &Context) -> Result<String, Error> {
    if changes.is_empty() {
        return Err(Error::Input("this changes nothing: say what is to be done, or call `give_up`".into()));
    }
    changes.iter().map(|change| change.shown(context)).collect()
}

#[async_trait]
impl Tool for PlanAnew {
    fn spec(&self) -> ToolSpec {
        spec_of::<PlanAnewInput>(
            PLAN_ANEW,
            "Proposes what is to be done about the failure, all of it at once, and waits until somebody approves or rejects it; \
             approved, it is done. After a rejection propose something better.",
        )
    }

    async fn call(&self, input: Value, _: &ToolContext) -> ToolOutput {
        let input: PlanAnewInput = match parse_input(&self.spec(), input) {
            Ok(input) => input,
            Err(correction) => return ToolOutput::failure(correction.to_string()),
        };
        match self.propose(input.changes()).await {
            Ok(output) => output,
            Err(error) => ToolOutput::failure(error.to_string()),
        }
    }
}

impl PlanAnew {
    async fn propose(&self, changes: Vec<Box<dyn Change>>) -> Result<ToolOutput, Error> {
        let context = &self.context;
        let verdict = match self.proposed {
            Some(plan) => context.until_judged(plan).await?,
            None => context.have_judged(shown(&changes, context)?).await?,
        };
        let Some(verdict) = verdict else { return Ok(ToolOutput::stopped()) };
        if !verdict.approved {
            return Ok(ToolOutput::failure(format!("{} Propose something better.", verdict.words())));
        }
        let (context, goes_on) = (context.clone(), self.proposed.is_some());
        // What cannot be done any more is told: the tasks have gone on while somebody looked at the proposal.
        let made = blocking(move || {
            let make = |change: &Box<dyn Change>| {
                if goes_on && change.is_made(&context)? {
                    return Ok("Done before.".to_owned());
                }
                Ok(change.make(&context).unwrap_or_else(|error| format!("Not done: {error}")))
            };
            changes.iter().map(make).collect::<Result<Vec<String>, Error>>()
        });
        Ok(ToolOutput::text(format!("{}\n{}", verdict.words(), made.await?.join("\n"))))
    }
}
