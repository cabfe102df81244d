//! What is told when whoever was to judge gave no verdict: to those who watch, and to the human by a message.
//!
//! It says who else may, and how a human does it. It judges nothing: what nobody has judged goes on waiting.

use agent_team_core::machine::{State, Task};

use crate::progress::Progress;
use crate::teammate::Teammate;
use crate::{AgentId, Error, NewMessage, Recipient, RecordId, TaskId};

/// What waits for a verdict.
pub(crate) enum Unjudged {
    /// A plan.
    Plan(RecordId),
    /// A result, by its submission.
    Result(RecordId),
}

impl Unjudged {
    /// Its author, and who else may judge it; `None` if it does not wait any more.
    fn waits(&self, state: &State, task: &TaskId, judge: &AgentId) -> Option<(AgentId, Vec<AgentId>)> {
        let task = state.task(task)?;
        let author = match self {
            Self::Plan(id) => {
                let plan = task.plan.as_ref().filter(|plan| plan.id == *id && plan.verdict.is_none())?;
                &plan.author
            }
            Self::Result(id) => {
                let given = task.submission.as_ref().filter(|given| given.id == *id)?;
                &given.author
            }
        };
        let may = |task: &Task, agent: &AgentId| match self {
            Self::Plan(_) => state.may_approve(task, agent),
            Self::Result(_) => state.may_review(task, agent),
        };
        let human = AgentId::human();
        let members = state.agents().filter(|known| !known.left && known.id != human && known.id != *judge);
        let others = members.filter(|known| may(task, &known.id)).map(|known| known.id.clone());
        Some((author.clone(), others.collect()))
    }

    fn remedy(&self, task: &TaskId) -> String {
        match self {
            Self::Plan(_) => {
                format!("agent-team plan show {task}, then agent-team plan approve|reject {task}")
            }
            Self::Result(_) => format!("agent-team review {task}"),
        }
    }
}

impl Teammate {
    /// Says once that this agent was asked for a verdict and gave none.
    ///
    /// # Errors
    /// When the log cannot be read or written.
    pub(crate) fn tell_unjudged(
        &self,
        task: &TaskId,
        unjudged: &Unjudged,
        reason: &str,
    ) -> Result<(), Error> {
        let look = |state: &State| unjudged.waits(state, task, &self.id);
        let Some((author, others)) = self.queue.team_log().look(look)? else { return Ok(()) };
        let (judge, remedy) = (&self.id, unjudged.remedy(task));
        let what = match unjudged {
            Unjudged::Plan(_) => "its plan for",
            Unjudged::Result(_) => "its result of",
        };
        let others: Vec<&str> = others.iter().map(AgentId::as_str).collect();
        let who = match others.as_slice() {
            [] => "you may judge it".to_owned(),
            others => format!("{} may judge it, and so may you", others.join(" or ")),
        };
        let waits =
            format!("WAITS {author} for a verdict on {what} {task}: {judge} gave none; {who}: {remedy}");
        self.reporter.report(Progress::Note(waits));
        let text = format!(
            "I was asked for a verdict on what {author} waits with at {task}, and gave none ({reason}); {who}: {remedy}"
        );
        let message = NewMessage::new(judge, Recipient::Agent(AgentId::human()), text);
        self.bus.post(NewMessage { task: Some(task.clone()), ..message })?;
        Ok(())
    }
}
