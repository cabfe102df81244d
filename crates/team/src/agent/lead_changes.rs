//! What a lead changes among the tasks that it leads: each change as the model asks for it, in words for whoever must
//! approve of it, and done.

use std::collections::BTreeSet;
use std::fmt::Write;

use agent_team_core::machine::{State, Status, Task};
use agent_team_core::record::TaskChange;
use schemars::JsonSchema;
use serde::Deserialize;

use super::asked_tasks::{AddTasksInput, AskedTask};
use super::heirs::{bounds_with, heirs, left_of};
use super::{Context, proposal};
use crate::{Account, Bounds, Error, NewTask, RecordId, TaskId};

/// A change among the tasks that a lead leads.
pub(super) trait Change: Send + Sync {
    /// It in words, as somebody who judges it reads it. Fails where it cannot be done.
    fn shown(&self, context: &Context) -> Result<String, Error>;

    /// Fails where it could not be made as things are now, if no other change is made before it.
    fn check(&self, _: &Context) -> Result<(), Error> {
        Ok(())
    }

    /// Whether the lead may do it without anybody's approval. Fails where it may not, with what it can do instead.
    fn needs_no_approval(&self, _: &Context) -> Result<(), Error> {
        Ok(())
    }

    /// Whether it was done, or the user has said otherwise, after somebody approved of it by that record.
    fn is_made(&self, context: &Context, approved: RecordId) -> Result<bool, Error>;

    /// Does it, and says what came of it.
    fn make(&self, context: &Context) -> Result<String, Error>;
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct RetryTaskInput {
    /// The task that failed or was cancelled.
    id: String,
    /// A new text for whoever does it, if the old one led astray.
    description: Option<String>,
    /// A new title.
    title: Option<String>,
}

impl Change for RetryTaskInput {
    fn is_made(&self, context: &Context, approved: RecordId) -> Result<bool, Error> {
        // Ids of records are in the order of their times.
        is_so(context, &self.id, |task| match task.status {
            Status::Failed => task.past_claims.last().is_some_and(|claim| claim.id > approved),
            Status::Cancelled => task.revision > approved,
            _ => true,
        })
    }

    fn shown(&self, context: &Context) -> Result<String, Error> {
        let id = retriable(context, &self.id)?;
        Ok(format!("{id} is tried again\n{}", words(self.title.as_deref(), self.description.as_deref())))
    }

    fn make(&self, context: &Context) -> Result<String, Error> {
        let id = retriable(context, &self.id)?;
        let text = self.description.as_ref().map(|text| context.queue.team_log().text(text)).transpose()?;
        let change = TaskChange { title: self.title.clone(), description: text, ..TaskChange::default() };
        if change != TaskChange::default() {
            context.queue.edit(&context.agent, &id, change)?;
        }
        context.queue.retry(&context.agent, &id)?;
        Ok(format!("{id} is wanted again."))
    }
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct ReplaceTaskInput {
    /// The task that is not wanted any more.
    id: String,
    /// The tasks that take its place: what waited for it waits for all of them. They are planned and reviewed as it was to be.
    tasks: Vec<AskedTask>,
}

impl ReplaceTaskInput {
    /// The task, those that take its place, and the bounds of its own budget from then on.
    fn heirs(&self, context: &Context) -> Result<(TaskId, Vec<NewTask>, Option<Bounds>), Error> {
        let id = changeable(context, &self.id)?;
        let tasks = AddTasksInput { tasks: self.tasks.clone() }.into_tasks(context)?;
        let look = |state: &State| {
            let bounds = state.ledger().limit(&Account::Task(id.clone())).bounds;
            state.task(&id).map(|task| (task.spec.clone(), left_of(state, &id), bounds))
        };
        let Some((spec, left, bounds)) = context.queue.team_log().look(look)? else {
            return Ok((id, tasks, None));
        };
        let (tasks, rest) = heirs(&spec, left, tasks)?;
        Ok((id, tasks, Some(bounds_with(bounds, left, rest))))
    }
}

impl Change for ReplaceTaskInput {
    fn needs_no_approval(&self, context: &Context) -> Result<(), Error> {
        is_not_judged(context, &changeable(context, &self.id)?)
    }

    fn shown(&self, context: &Context) -> Result<String, Error> {
        let (id, tasks, _) = self.heirs(context)?;
        Ok(format!("{id} is cancelled, and in its place:\n{}", proposal::of(context, &tasks)?))
    }

    fn is_made(&self, context: &Context, approved: RecordId) -> Result<bool, Error> {
        // The user may have said otherwise since.
        is_so(context, &self.id, |task| task.revision > approved)
    }

    fn make(&self, context: &Context) -> Result<String, Error> {
        let (id, tasks, budget) = self.heirs(context)?;
        let ids = context.queue.replace_task_leaving(&context.agent, &id, &tasks, budget)?;
        let ids: Vec<&str> = ids.iter().map(TaskId::as_str).collect();
        Ok(format!("{id} is cancelled; in its place: {}", ids.join(", ")))
    }
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct ChangeTaskInput {
    /// The task.
    id: String,
    /// A new title.
    title: Option<String>,
    /// A new text for whoever does it; one at work sees it with the next attempt.
    description: Option<String>,
    /// All tasks that must be completed first, in the place of those before.
    after: Option<Vec<String>>,
    /// Higher goes first.
    priority: Option<i32>,
}

impl Change for ChangeTaskInput {
    fn is_made(&self, context: &Context, approved: RecordId) -> Result<bool, Error> {
        // The user may have changed it since.
        is_so(context, &self.id, |task| task.revision > approved)
    }

    fn shown(&self, context: &Context) -> Result<String, Error> {
        let id = changeable(context, &self.id)?;
        let mut text = format!("{id} is changed\n");
        if let Some(after) = &self.after {
            let _ = writeln!(
                text,
                "    after {}",
                if after.is_empty() { "nothing".into() } else { after.join(", ") }
            );
        }
        if let Some(priority) = self.priority {
            let _ = writeln!(text, "    priority {priority}");
        }
        Ok(text + &words(self.title.as_deref(), self.description.as_deref()))
    }

    fn make(&self, context: &Context) -> Result<String, Error> {
        let id = changeable(context, &self.id)?;
        let after = self.after.as_ref().map(|ids| ids.iter().map(|id| id.parse()).collect()).transpose()?;
        let text = self.description.as_ref().map(|text| context.queue.team_log().text(text)).transpose()?;
        let change = TaskChange {
            title: self.title.clone(),
            description: text,
            priority: self.priority,
            after,
            ..TaskChange::default()
        };
        context.queue.edit(&context.agent, &id, change)?;
        Ok(format!("{id} is changed."))
    }
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct CancelTaskInput {
    /// The task that is not wanted any more.
    id: String,
    /// Whether all that wait for it are cancelled with it.
    dependents: Option<bool>,
}

impl Change for CancelTaskInput {
    fn is_made(&self, context: &Context, approved: RecordId) -> Result<bool, Error> {
        is_so(context, &self.id, |task| {
            matches!(task.status, Status::Cancelled | Status::Completed) || task.revision > approved
        })
    }

    fn shown(&self, context: &Context) -> Result<String, Error> {
        let id = changeable(context, &self.id)?;
        let with = if self.dependents == Some(true) { ", with all that wait for it" } else { "" };
        Ok(format!("{id} is cancelled{with}\n"))
    }

    fn needs_no_approval(&self, context: &Context) -> Result<(), Error> {
        let id = changeable(context, &self.id)?;
        is_not_judged(context, &id)?;
        let with_dependents = self.dependents.unwrap_or(false);
        let asked = context.queue.team_log().look(|state| asked_by_the_user(state, &id, with_dependents))?;
        match asked {
            Some(task) => Err(Error::Input(format!(
                "the user asked for {task}, so you cannot cancel it: `retry_task` or `replace_task` may reach it, and if nothing \
                 does, `give_up` and say why"
            ))),
            None => Ok(()),
        }
    }

    fn make(&self, context: &Context) -> Result<String, Error> {
        let id = changeable(context, &self.id)?;
        context.queue.cancel(&context.agent, &id, self.dependents.unwrap_or(false))?;
        Ok(format!("{id} is cancelled."))
    }
}

impl Change for AddTasksInput {
    fn shown(&self, context: &Context) -> Result<String, Error> {
        proposal::of(context, &self.clone().into_tasks(context)?)
    }

    fn check(&self, context: &Context) -> Result<(), Error> {
        context.queue.check_tasks(&self.clone().into_tasks(context)?).map(|_| ())
    }

    fn is_made(&self, context: &Context, _: RecordId) -> Result<bool, Error> {
        are_added(context, &self.clone().into_tasks(context)?)
    }

    fn make(&self, context: &Context) -> Result<String, Error> {
        let ids = context.queue.add_tasks(&context.agent, &self.clone().into_tasks(context)?)?;
        let ids: Vec<&str> = ids.iter().map(TaskId::as_str).collect();
        Ok(format!("Added: {}", ids.join(", ")))
    }
}

/// Whether a task is so, as the log has it.
fn is_so(context: &Context, id: &str, look: impl Fn(&Task) -> bool) -> Result<bool, Error> {
    let id: TaskId = id.parse()?;
    context.queue.team_log().look(|state| state.task(&id).is_some_and(look))
}

/// Whether tasks were added that were proposed. All of them have an id then.
fn are_added(context: &Context, tasks: &[NewTask]) -> Result<bool, Error> {
    context.queue.team_log().look(|state| {
        let is_there = |task: &NewTask| {
            let id = task.id.as_ref().and_then(|id| id.parse().ok());
            let known = id.and_then(|id: TaskId| state.task(&id));
            // Somebody else may have taken the id.
            let parent = |known: &Task| known.spec.parent.as_ref().map(ToString::to_string);
            known.is_some_and(|known| parent(known) == task.parent && known.spec.title == task.title)
        };
        // All of them, or none.
        tasks.first().is_some_and(is_there)
    })
}

/// Refuses what would get a result out of the way on which others, or the human, are to give their word.
fn is_not_judged(context: &Context, id: &TaskId) -> Result<(), Error> {
    let judged = [Status::Verifying, Status::Reviewing, Status::Merging];
    let is_judged = |state: &State| state.task(id).is_some_and(|task| judged.contains(&task.status));
    match context.queue.team_log().look(is_judged)? {
        true => Err(Error::Input(format!("{id} is being judged: what comes of it is not yours to say"))),
        false => Ok(()),
    }
}

/// The task among this one, and perhaps all that wait for it, that no lead has planned. What a lead adds is a part of
/// something.
fn asked_by_the_user(state: &State, id: &TaskId, with_dependents: bool) -> Option<TaskId> {
    let mut seen = BTreeSet::new();
    let mut open = vec![id];
    while let Some(id) = open.pop() {
        let Some(task) = state.task(id).filter(|_| seen.insert(id)) else { continue };
        if task.spec.parent.is_none() {
            return Some(id.clone());
        }
        if with_dependents {
            open.extend(&task.dependents);
        }
    }
    None
}

/// The id of a task that the agent's own task lets it change.
fn changeable(context: &Context, id: &str) -> Result<TaskId, Error> {
    let id = id.parse()?;
    context.may_change(&id)?;
    Ok(id)
}

/// The id of a task that may be tried again. What fails again is another failure, which is put to a lead anew, as long as any
/// are: one that is planned anew is not the place for all that follow.
fn retriable(context: &Context, id: &str) -> Result<TaskId, Error> {
    let id = changeable(context, id)?;
    let failed_again = |state: &State| {
        let (own, claim) = state.live_claim(context.token).ok()?;
        own.spec.replans.as_ref()?;
        let began = own.past_claims.first().map_or(claim.id, |first| first.id);
        let task = state.task(&id).filter(|task| task.status == Status::Failed)?;
        task.past_claims.last().filter(|last| last.id > began).map(|_| ())
    };
    match context.queue.team_log().look(failed_again)? {
        None => Ok(id),
        Some(()) => Err(Error::Input(format!(
            "{id} failed again since you began to plan anew: that is put to a lead as a failure of its own, if any more may be. \
             Replace it, or call `finish`"
        ))),
    }
}

/// A new title and a new text, as a proposal shows them.
fn words(title: Option<&str>, description: Option<&str>) -> String {
    let title = title.map(|title| format!("    title:\n{}", proposal::marked(title))).unwrap_or_default();
    let text = description.map(|text| format!("    text:\n{}", proposal::marked(text))).unwrap_or_default();
    title + &text
}

#[cfg(test)]
mod tests {
    use agent_team_core::machine::Command;
    use agent_team_core::record::Replan;

    use super::*;
    use crate::outside::new_id;
    use crate::{AgentId, AgentJoined, MessageBus, Role, TaskQueue};

    #[test]
    fn what_fails_again_is_another_failure_and_not_for_the_lead_that_plans_the_first_one_anew() {
        let queue = TaskQueue::in_memory().unwrap();
        let [lead, worker] = [("lead-1", Role::Lead), ("worker-1", Role::Worker)].map(|(name, role)| {
            let agent: AgentId = name.parse().unwrap();
            queue.join(AgentJoined::new(agent.clone(), role)).unwrap();
            agent
        });
        let id = queue.add_task(NewTask {
            attempts: Some(1),
            role: Some(Role::Worker),
            ..NewTask::new("a").id("a")
        });
        let id = id.unwrap();
        let fails = || {
            queue.claim_task(&worker).unwrap().unwrap();
            queue.fail_task(&id, &worker, "No.").unwrap();
        };
        fails();
        let plan = NewTask { role: Some(Role::Lead), ..NewTask::new("Plan anew") };
        let mut plan = plan.spec(queue.team_log(), "replan-a".parse().unwrap()).unwrap();
        let failure = queue.team_log().look(|state| state.task(&id).unwrap().revision).unwrap();
        plan.replans = Some(Replan { task: id.clone(), failure });
        let command = Command::AddTasks { tasks: vec![plan], batch: new_id(), limits: Vec::new() };
        queue.team_log().submit(&AgentId::human(), &command).unwrap();
        let context = Context {
            token: queue.claim_task(&lead).unwrap().unwrap().token,
            agent: lead,
            role: Role::Lead,
            bus: MessageBus::over(queue.team_log().clone()),
            queue: queue.clone(),
            workspace: None,
            attempt_folder: None,
            environment: crate::command::Environment::default(),
            stop: tokio_util::sync::CancellationToken::new(),
            activity: crate::agent::Activity::default(),
        };
        let retries = || RetryTaskInput { id: "a".into(), description: None, title: None }.make(&context);
        retries().unwrap();
        fails();
        let refused = retries().unwrap_err().to_string();
        assert!(refused.contains("a failed again since you began to plan anew"), "{refused}");
    }
}
