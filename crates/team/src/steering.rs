//! Steering a team from outside, at any time: hold up, let go on, stop, hand over, change.
//!
//! Each of these is a record, so it holds for every process of the team, whoever runs it, and whether or not anybody does.

use agent_team_core::machine::{Command, Note, Refusal, State};
use agent_team_core::record::{Account, Bounds, ModelLimited, NoteAdded, TaskChange};
use agent_team_core::view::{self, BudgetView};

use crate::agent_state::is_run;
use crate::budget::said_or;
use crate::outside::now_ms;
use crate::team_log::{TeamLog, refusal};
use crate::wanted::wanted;
use crate::{AgentId, Error, RecordId, TaskId, TaskQueue, liveness};

impl TaskQueue {
    /// Holds up an agent, or the whole team: it finishes its turn, and takes and does nothing more until it is
    /// [resumed](Self::resume). What it holds stays its own. Says whether anything changed by that.
    ///
    /// # Errors
    /// A refusal when there is no such agent.
    pub fn pause(&self, by: &AgentId, agent: Option<&AgentId>, reason: &str) -> Result<bool, Error> {
        self.set_pause(by, agent, true, false, reason)
    }

    /// Lets an agent, or the whole team, go on. Says whether anything changed by that.
    ///
    /// # Errors
    /// A refusal when there is no such agent.
    pub fn resume(&self, by: &AgentId, agent: Option<&AgentId>) -> Result<bool, Error> {
        self.set_pause(by, agent, false, false, "")
    }

    /// Says that a model may be called again, whatever its provider told: it is tried at once, wherever somebody waits for it.
    /// Says whether a limit of it was known that is not over.
    ///
    /// # Errors
    /// When the log cannot be read or written.
    pub fn lift_limit(&self, by: &AgentId, model: &str) -> Result<bool, Error> {
        let known = self.team_log().look(|state| state.limit(model).map(|limit| limit.until_ms))?;
        let Some(until_ms) = known.filter(|until_ms| *until_ms > now_ms()) else { return Ok(false) };
        let body = ModelLimited { model: model.to_owned(), until_ms, reason: String::new(), lifted: true };
        self.team_log().submit(by, &body.into())?;
        Ok(true)
    }

    /// Stops an agent at once. What it works on goes back to the queue; its folder and its transcript are kept, and it
    /// goes on with them when it is resumed, unless somebody else took the task.
    ///
    /// # Errors
    /// A refusal when there is no such agent.
    pub fn stop_agent(&self, by: &AgentId, agent: &AgentId, reason: &str) -> Result<bool, Error> {
        self.set_pause(by, Some(agent), true, true, reason)
    }

    /// Who was stopped and has not been let go on since, each with the reason.
    ///
    /// # Errors
    /// When the log cannot be read.
    pub fn stopped(&self) -> Result<Vec<(AgentId, String)>, Error> {
        self.team_log().look(|state| {
            let held_up = state.pauses().filter(|(_, pause)| pause.stopped);
            held_up.filter_map(|(agent, pause)| Some((agent?.clone(), pause.reason.clone()))).collect()
        })
    }

    fn set_pause(
        &self,
        by: &AgentId,
        agent: Option<&AgentId>,
        paused: bool,
        release: bool,
        reason: &str,
    ) -> Result<bool, Error> {
        let agent = agent.cloned();
        // Whoever is held up is let go on also when it has left: with the last run, and it comes back with the next.
        let is_known = |state: &State, agent: &AgentId| {
            state.is_member(agent) || !paused && state.pauses().any(|(whom, _)| whom == Some(agent))
        };
        if let Some(agent) = &agent
            && !self.team_log().look(|state| is_known(state, agent))?
        {
            return Err(Refusal::NoSuchAgent { agent: agent.clone() }.into());
        }
        let is_so = self.team_log().look(|state| {
            let known = state.pauses().find(|(whom, _)| *whom == agent.as_ref());
            let holds = state.held().any(|(_, claim)| Some(&claim.agent) == agent.as_ref());
            let is_stopped = known.is_some_and(|(_, pause)| pause.stopped);
            known.is_some() == paused && !(release && (holds || !is_stopped))
        })?;
        if is_so {
            return Ok(false);
        }
        let command = Command::Pause { agent, paused, release, reason: reason.to_owned() };
        self.team_log().submit(by, &command)?;
        Ok(true)
    }

    /// Whether a run of the team goes on: one that has begun, has not ended, and whose process lives, as far as this one can
    /// know. A run on another machine is taken to be alive, and of a log without its team's folder only what it says is known.
    ///
    /// # Errors
    /// When the log cannot be read.
    pub fn is_being_run(&self) -> Result<bool, Error> {
        is_run(self.team_log())
    }

    /// Gives a task to an agent, or with `None` to anyone who fits. Whoever works on it loses it; a merge under way is
    /// fenced off first.
    ///
    /// # Errors
    /// A refusal when the task has ended, there is no such agent, or it could never take the task, since that wants
    /// another role or skill.
    pub fn reassign(&self, by: &AgentId, task: &TaskId, agent: Option<&AgentId>) -> Result<(), Error> {
        fenced_off(self.team_log(), by, task, |fenced| Command::Reassign {
            task: task.clone(),
            agent: agent.cloned(),
            fenced,
        })
    }

    /// Limits what an account may use, whole: what the bounds leave out has none.
    ///
    /// # Errors
    /// When the log cannot be written.
    pub fn set_budget(&self, by: &AgentId, account: &Account, bounds: Bounds) -> Result<(), Error> {
        self.team_log().submit(by, &Command::SetBudget { account: account.clone(), bounds })?;
        Ok(())
    }

    /// Limits what is said of an account. What the bounds leave out stays as it is.
    ///
    /// # Errors
    /// When the log cannot be read or written.
    pub fn limit(&self, by: &AgentId, account: &Account, said: Bounds) -> Result<(), Error> {
        let known = self.team_log().look(|state| state.ledger().limit(account).bounds)?;
        let bounds = said_or(said, known);
        if bounds == known { Ok(()) } else { self.set_budget(by, account, bounds) }
    }

    /// What may be spent, and what of it is gone; the team's account first.
    ///
    /// # Errors
    /// When the log cannot be read.
    pub fn budgets(&self) -> Result<Vec<BudgetView>, Error> {
        self.team_log().look(|state| view::budgets(state, now_ms()))
    }

    /// Notes what agents shall know that take a task with one of these labels, or any task if there are none.
    ///
    /// # Errors
    /// A refusal when it came up at a task that does not exist; an input error when it is blank.
    pub fn add_note(
        &self,
        by: &AgentId,
        text: impl Into<String>,
        labels: Vec<String>,
        task: Option<TaskId>,
    ) -> Result<RecordId, Error> {
        if let Some(task) = task.as_ref() {
            self.get_task(task)?;
        }
        let text = text.into();
        wanted(&text, "what others shall know")?;
        let (agent, text) = (by.clone(), self.team_log().text(text)?);
        Ok(self.team_log().submit(by, &NoteAdded { agent, text, labels, task }.into())?.id())
    }

    /// What was noted, oldest first; for tasks with these labels, if some are named.
    ///
    /// # Errors
    /// When the log cannot be read.
    pub fn notes(&self, labels: Option<&[String]>) -> Result<Vec<Note>, Error> {
        self.team_log().look(|state| match labels {
            Some(labels) => state.notes_for(labels).cloned().collect(),
            None => state.notes().to_vec(),
        })
    }

    /// Changes a task's words or its priority.
    ///
    /// # Errors
    /// A refusal when it is completed or cancelled.
    pub fn edit(&self, by: &AgentId, task: &TaskId, change: TaskChange) -> Result<(), Error> {
        self.team_log().submit(by, &Command::EditTask { task: task.clone(), change })?;
        Ok(())
    }
}

/// Submits a command that may end a merge under way, which then is fenced off before.
pub(crate) fn fenced_off(
    team_log: &TeamLog,
    by: &AgentId,
    task: &TaskId,
    command: impl Fn(Option<RecordId>) -> Command,
) -> Result<(), Error> {
    match refusal(team_log.submit(by, &command(None)))? {
        Ok(_) => Ok(()),
        Err(Refusal::MergeUnderWay { task: merging, intent }) if merging == *task => {
            let fenced = liveness::fence_off(team_log, by, task, intent)?;
            team_log.submit(by, &command(fenced))?;
            Ok(())
        }
        Err(refused) => Err(refused.into()),
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::{AgentJoined, ClaimOptions, Holder, NewTask, Role, Status};

    fn joined(queue: &TaskQueue, name: &str) -> AgentId {
        let agent: AgentId = name.parse().unwrap();
        let (role, with) = (Role::Worker, None);
        let member = AgentJoined { with, ..AgentJoined::new(agent.clone(), role) };
        queue.join(member).unwrap();
        agent
    }

    #[test]
    fn whoever_is_paused_takes_nothing_and_goes_on_when_resumed() {
        let queue = TaskQueue::in_memory().unwrap();
        let (human, one, other) = (AgentId::human(), joined(&queue, "worker-1"), joined(&queue, "worker-2"));
        queue.add_task("a").unwrap();
        assert!(queue.pause(&human, Some(&one), "lunch").unwrap());
        assert!(!queue.pause(&human, Some(&one), "lunch").unwrap(), "it is paused already");
        let refused = queue.claim_task(&one).unwrap_err();
        assert!(matches!(refused.refusal(), Some(Refusal::Paused { .. })), "{refused}");
        assert!(queue.pause(&human, None, "").unwrap());
        assert!(queue.claim_task(&other).is_err());
        assert!(queue.resume(&human, None).unwrap());
        assert!(queue.claim_task(&other).unwrap().is_some());
        queue.resume(&human, Some(&one)).unwrap();
        assert!(queue.claim_task(&one).unwrap().is_none(), "it may claim again, and nothing is left");
        let nobody = queue.pause(&human, Some(&"nobody".parse().unwrap()), "").unwrap_err();
        assert!(matches!(nobody.refusal(), Some(Refusal::NoSuchAgent { .. })));
    }

    #[test]
    fn whoever_was_paused_and_has_left_is_let_go_on_and_is_not_paused_when_it_comes_back() {
        let queue = TaskQueue::in_memory().unwrap();
        let (human, one) = (AgentId::human(), joined(&queue, "worker-1"));
        queue.pause(&human, Some(&one), "lunch").unwrap();
        queue.leave(&one).unwrap();
        assert!(queue.pause(&human, Some(&one), "lunch").is_err(), "nobody of this name could be paused");
        assert!(queue.resume(&human, Some(&one)).unwrap());
        assert!(queue.resume(&human, Some(&one)).is_err(), "it is not held up any more, and no member");
        joined(&queue, "worker-1");
        queue.add_task("a").unwrap();
        assert!(queue.claim_task(&one).unwrap().is_some());
    }

    #[test]
    fn a_stopped_agent_loses_its_task_and_a_dropped_one_its_place() {
        let queue = TaskQueue::in_memory().unwrap();
        let (human, one) = (AgentId::human(), joined(&queue, "worker-1"));
        let task = queue.add_task("a").unwrap();
        let claimed = queue.claim_task(&one).unwrap().unwrap();
        assert!(queue.stop_agent(&human, &one, "wrong way").unwrap());
        assert_eq!(queue.get_task(&task).unwrap().status, Status::Ready);
        let late = queue.complete(claimed.token, &one, "done", None, Vec::new()).unwrap_err();
        assert!(matches!(late.refusal(), Some(Refusal::ClaimLost { .. })));
        queue.resume(&human, Some(&one)).unwrap();
        queue.claim_task(&one).unwrap().unwrap();
        queue.drop_agent(&human, &one).unwrap();
        assert_eq!(queue.get_task(&task).unwrap().status, Status::Ready);
        assert!(queue.get_status().unwrap().agents[0].left);
    }

    #[test]
    fn what_went_back_to_who_works_on_something_else_is_for_others_unless_it_was_cut_off() {
        let queue = TaskQueue::in_memory().unwrap();
        let (human, one, other) = (AgentId::human(), joined(&queue, "worker-1"), joined(&queue, "worker-2"));
        let reviewed = queue.add_task(NewTask::new("a").id("a").review(true)).unwrap();
        let holder = Arc::new(Holder { orchestrated: true, ..Holder::default() });
        let take = |task: &str| {
            let options = ClaimOptions { task: Some(task.parse().unwrap()), holder: Some(holder.clone()) };
            queue.claim(&one, &options).unwrap().token
        };
        queue.complete(take("a"), &one, "done", None, Vec::new()).unwrap();
        let verdict = crate::review::Verdict::ChangesRequested("It is too short".into());
        crate::review::review(&queue, &human, &reviewed, None, verdict).unwrap();
        assert_eq!(queue.claim_task(&other).unwrap(), None, "its author is free for it");
        queue.add_task(NewTask::new("b").id("b")).unwrap();
        let busy = take("b");
        assert_eq!(queue.claim_task(&other).unwrap().unwrap().task.id, reviewed);
        queue.release(busy, &one, "the run ends").unwrap();
        queue.add_task(NewTask::new("c").id("c")).unwrap();
        take("c");
        assert_eq!(queue.claim_task(&other).unwrap(), None, "its attempt at b is not over");
    }

    #[test]
    fn a_task_can_be_given_to_another_while_somebody_has_it() {
        let queue = TaskQueue::in_memory().unwrap();
        let (human, one, other) = (AgentId::human(), joined(&queue, "worker-1"), joined(&queue, "worker-2"));
        let task = queue.add_task(NewTask::new("a")).unwrap();
        let claimed = queue.claim_task(&one).unwrap().unwrap();
        queue.reassign(&human, &task, Some(&other)).unwrap();
        assert!(queue.renew(claimed.token, &one).is_err());
        assert!(queue.claim_task(&one).unwrap().is_none());
        assert_eq!(queue.claim_task(&other).unwrap().unwrap().task.id, task);
        queue.edit(&human, &task, TaskChange { priority: Some(7), ..TaskChange::default() }).unwrap();
        assert_eq!(queue.get_task(&task).unwrap().priority, 7);
    }
}
