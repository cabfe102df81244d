//! What somebody adds who works on a task: it is held to what that task is held to, and takes its budget from there.

use std::cell::Cell;

use agent_team_core::machine::{Command, Limit, State, Task};
use agent_team_core::record::TaskSpec;

use super::heirs::{bounds_with, helpers, left_of};
use crate::outside::new_id;
use crate::{Account, AgentId, Bounds, Error, NewTask, RecordId, TaskBudget, TaskId, TaskQueue};

impl TaskQueue {
    /// Adds tasks beside the one that an agent works on, which gives them a part of its budget; `None` if that changed meanwhile.
    pub(super) fn add_helpers(
        &self,
        agent: &AgentId,
        own: &Own,
        tasks: Vec<NewTask>,
    ) -> Result<Option<Vec<TaskId>>, Error> {
        let (tasks, rest) = helpers(&own.spec, own.left, tasks);
        if tasks.iter().any(|task| has_nothing(task.budget)) {
            return Err(Error::Input(format!(
                "too little is left of the budget of {} ({}) to give a part of it to {} tasks: do it yourself, or add fewer",
                own.spec.id,
                own.left,
                tasks.len()
            )));
        }
        let account = Account::Task(own.spec.id.clone());
        let bounds = bounds_with(own.limit.bounds, own.left, rest);
        let is_so = Cell::new(true);
        let with_rest = |tasks, mut limits: Vec<(TaskId, Bounds)>| {
            limits.push((own.spec.id.clone(), bounds));
            Command::AddTasks { tasks, batch: new_id(), limits }
        };
        let unchanged = |state: &State| state.ledger().limit(&account) == own.limit;
        let added = self.add(agent, &tasks, with_rest, |command| {
            is_so.set(self.team_log().submit_if(agent, command, unchanged)?.is_some());
            Ok(())
        })?;
        Ok(Some(added).filter(|_| is_so.get()))
    }
}

/// Whether a budget allows nothing of something.
fn has_nothing(budget: TaskBudget) -> bool {
    [budget.micro_usd, budget.tokens, budget.turns].contains(&Some(0))
        || budget.time.is_some_and(|time| time.is_zero())
}

/// The task that an agent works on which adds others.
pub(super) struct Own {
    pub spec: Box<TaskSpec>,
    limit: Limit,
    left: TaskBudget,
    /// Whether somebody has agreed to the tasks of which it is one, as its lead proposed them.
    pub is_agreed_on: bool,
}

impl Own {
    /// `None` for a lead that splits a task or plans a failure anew: what it adds is judged otherwise.
    pub fn of(queue: &TaskQueue, claim: Option<RecordId>) -> Result<Option<Self>, Error> {
        queue.team_log().look(|state| {
            let task = claim.and_then(|claim| state.task_of_claim(claim))?;
            if task.spec.is_planning() {
                return None;
            }
            let limit = state.ledger().limit(&Account::Task(task.id().clone()));
            Some(Self {
                spec: task.spec.clone(),
                limit,
                left: left_of(state, task.id()),
                is_agreed_on: is_agreed_on(state, task),
            })
        })
    }
}

/// Whether somebody has agreed to the tasks of which it is one, as a lead proposed them.
///
/// A lead that splits one of them, plans its failure anew, or plans on for the goal, is to add tasks.
pub(super) fn is_agreed_on(state: &State, task: &Task) -> bool {
    if task.spec.is_planning() {
        return false;
    }
    if let Some(parent) = &task.spec.parent {
        return state.task(parent).is_some_and(|of| of.spec.plan && of.spec.goal.is_some());
    }
    // What takes the place of a failed task of the user's is part of nothing: whose proposal it was tells it.
    let Some(lead) = &task.spec.asked_by else { return false };
    let has_proposed = |other: &Task| {
        let plan = other.plan.as_deref().filter(|_| other.spec.replans.is_some());
        plan.is_some_and(|plan| plan.author == *lead && plan.is_approved())
    };
    state.tasks().any(has_proposed)
}
