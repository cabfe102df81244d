//! An attempt that was cut off in the middle of a turn: what of that turn is made again, without asking the model.

use std::cmp::Ordering;

use super::{Attempt, Call, calls};
use crate::agent::plan_tools::SubmitPlan;
use crate::agent::proposing::{Propose, Proposes};
use crate::agent::team_tools::ENDINGS;
use crate::agent::{AgentError, Answer, ending};
use crate::telemetry;

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
                let Call { id, name, input } = calls.swap_remove(ending);
                let call = self.toolbox.call(&name, input, &self.tools);
                let ended = telemetry::tool(&name, Some(&id), call).await.ends_turns;
                ended.map(|ended| ending::of(ended, self.task, self.context)).transpose()
            }
        }
    }

    /// Whether a call that was cut off waited for somebody. Made again it asks nothing a second time.
    fn waits_on(&mut self, call: &Call) -> Result<bool, AgentError> {
        let context = self.context.clone();
        match (call.name.as_str(), Proposes::by(&call.name)) {
            ("ask", _) => {}
            ("submit_plan", _) => {
                self.toolbox = self.toolbox.clone().with(SubmitPlan { context, goes_on: true });
            }
            // What was proposed in an earlier call is not meant, nor what was added at once.
            (_, Some(what)) => {
                let proposed = context.plan_since(self.journal.answered_ms())?;
                if proposed.is_none() {
                    return Ok(false);
                }
                self.toolbox = self.toolbox.clone().with(Propose { context, what, proposed });
            }
            _ => return Ok(false),
        }
        Ok(true)
    }
}
