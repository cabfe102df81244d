//! An attempt that was cut off in the middle of a turn: what of that turn is made again, without asking the model.

use std::cmp::Ordering;

use super::{Attempt, Call, calls};
use crate::agent::plan_anew::{PLAN_ANEW, PlanAnew};
use crate::agent::plan_tools::{ProposeTasks, SubmitPlan};
use crate::agent::team_tools::ENDINGS;
use crate::agent::{AgentError, Answer};

impl Attempt<'_> {
    /// Ends as the last turn wanted to, if the attempt was cut off before its result was delivered. Calls that end an
    /// attempt have no other effect, so they are made again, and the model need not be asked.
    pub(super) async fn end_again(&mut self) -> Result<Option<Answer>, AgentError> {
        let Some((last, results)) = self.journal.last_turn() else { return Ok(None) };
        let mut calls = calls(&last);
        if calls.is_empty() {
            return self.without_calls(&last);
        }
        let open = calls.iter().position(|call| !results.contains(&call.id)).unwrap_or(calls.len());
        // Who waited for somebody waits on, and the calls after that were not begun.
        if let Some(call) = calls.get(open)
            && self.waits_on(call)?
        {
            return self.act(calls.split_off(open)).await;
        }
        let Some(ending) = calls.iter().position(|call| ENDINGS.contains(&call.name.as_str())) else {
            return Ok(None);
        };
        match ending.cmp(&open) {
            // What stands before it may not have had its effect.
            Ordering::Greater => Ok(None),
            Ordering::Equal => self.act(calls.drain(ending..=ending).collect()).await,
            Ordering::Less => {
                let Call { name, input, .. } = calls.swap_remove(ending);
                let ended = self.toolbox.call(&name, input, &self.tools).await.ends_turns;
                ended.map(|ended| self.ended(ended)).transpose()
            }
        }
    }

    /// Whether a call that was cut off waited for somebody. Made again it asks nothing a second time.
    fn waits_on(&mut self, call: &Call) -> Result<bool, AgentError> {
        let (context, goes_on) = (self.context.clone(), true);
        match call.name.as_str() {
            "ask" => {}
            "submit_plan" => self.toolbox = self.toolbox.clone().with(SubmitPlan { context, goes_on }),
            // Otherwise its tasks may have been added, and would be again.
            "add_tasks" if ProposeTasks::is_proposed(&context, &call.input)? => {
                self.toolbox = self.toolbox.clone().with(ProposeTasks { context, goes_on });
            }
            // The same goes for all that a lead does about a failure.
            PLAN_ANEW => {
                let proposed = context.plan_since(self.journal.answered_ms())?;
                if proposed.is_none() {
                    return Ok(false);
                }
                self.toolbox = self.toolbox.clone().with(PlanAnew { context, proposed });
            }
            _ => return Ok(false),
        }
        Ok(true)
    }
}
