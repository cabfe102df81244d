//! What a holder does under its claim: deliver, fail, renew, give back, hand out.

use std::sync::PoisonError;

use agent_team_core::id::{AgentId, RecordId, TaskId};
use agent_team_core::machine::{Command, FeedbackCause, Refusal, State};
use agent_team_core::record::{
    ClaimReleased, ClaimRenewed, LateResult, Stage, TaskDelegated, TaskSubmitted, WorkCommit,
};
use agent_team_core::text::Text;

use super::TaskQueue;
use crate::Error;
use crate::hooks;
use crate::team_log::refusal;

impl TaskQueue {
    /// Delivers the result of a task that the agent claimed through this queue.
    ///
    /// # Errors
    /// A refusal when the claim is lost: the result is kept as a late one then.
    pub fn complete_task(
        &self,
        task: &TaskId,
        agent: &AgentId,
        result: impl Into<String>,
    ) -> Result<(), Error> {
        let token = self.token_of(task, agent)?;
        self.complete(token, agent, result, None, Vec::new())?;
        self.mine.lock().unwrap_or_else(PoisonError::into_inner).remove(&(task.clone(), agent.clone()));
        Ok(())
    }

    /// Delivers a result under a claim.
    ///
    /// # Errors
    /// A refusal when the claim is lost: the result is kept as a late one then.
    pub fn complete(
        &self,
        token: RecordId,
        agent: &AgentId,
        result: impl Into<String>,
        commit: Option<WorkCommit>,
        protected: Vec<String>,
    ) -> Result<(), Error> {
        let result = result.into();
        hooks::may_complete(&self.team_log, token, agent, &result, commit.as_ref())?;
        let result = self.team_log.text(result)?;
        let body = TaskSubmitted { claim: token, result: result.clone(), commit: commit.clone(), protected };
        match refusal(self.team_log.submit(agent, &body.into()))? {
            Ok(_) => Ok(()),
            Err(refused) => {
                if let Refusal::ClaimLost { task, .. } = &refused {
                    self.keep_late(task.clone(), token, agent, result, commit)?;
                }
                Err(refused.into())
            }
        }
    }

    /// Keeps a result that came after its claim was lost. Keeping it twice is keeping it once.
    fn keep_late(
        &self,
        task: TaskId,
        claim: RecordId,
        agent: &AgentId,
        result: Text,
        commit: Option<WorkCommit>,
    ) -> Result<(), Error> {
        let known = self.team_log.look(|state| {
            let mut late = state.late().iter();
            late.any(|late| late.claim == claim && late.result == result && late.commit == commit)
        })?;
        if !known {
            let body = LateResult { task, claim, agent: agent.clone(), result, commit };
            self.team_log.submit(agent, &body.into())?;
        }
        Ok(())
    }

    /// Says that the agent could not do a task that it claimed through this queue.
    ///
    /// # Errors
    /// A refusal when the claim is lost.
    pub fn fail_task(&self, task: &TaskId, agent: &AgentId, error: impl Into<String>) -> Result<(), Error> {
        let token = self.token_of(task, agent)?;
        self.fail(token, agent, error, false)
    }

    /// Says that an attempt failed, or that no attempt can succeed.
    ///
    /// # Errors
    /// A refusal when the claim is lost.
    pub fn fail(
        &self,
        token: RecordId,
        agent: &AgentId,
        error: impl Into<String>,
        for_good: bool,
    ) -> Result<(), Error> {
        let reason = error.into();
        let error = self.team_log.text(reason.clone())?;
        let fail = Command::Fail { claim: token, error, for_good };
        let task = self.team_log.submit_and_look(agent, &fail, |state, _| {
            state.task_of_claim(token).map(|task| task.id().clone())
        })?;
        match task {
            Some(task) => hooks::attempt_failed(&self.team_log, agent, &task, FeedbackCause::Error, &reason),
            None => Ok(()),
        }
    }

    /// Says that the holder of a claim is still at work.
    ///
    /// # Errors
    /// A refusal when the claim is lost.
    pub fn renew(&self, token: RecordId, agent: &AgentId) -> Result<(), Error> {
        self.team_log.submit(agent, &ClaimRenewed { claim: token }.into())?;
        Ok(())
    }

    /// Gives a claim back. The task is ready for others; it is no failed attempt.
    ///
    /// # Errors
    /// A refusal when the claim is lost.
    pub fn release(&self, token: RecordId, agent: &AgentId, reason: &str) -> Result<(), Error> {
        let body = ClaimReleased::new(token, reason);
        self.team_log.submit(agent, &body.into())?;
        Ok(())
    }

    /// Hands a delegated task out in parts: the claim ends, and the task is ready again when they are done.
    ///
    /// # Errors
    /// A refusal when the claim is over, or no part is to be waited for.
    pub fn hand_out(&self, claim: RecordId, agent: &AgentId) -> Result<(), Error> {
        self.team_log.submit(agent, &TaskDelegated { claim }.into())?;
        Ok(())
    }

    /// The claim that the agent has on a task: the one made through this queue, or else the one in the log, unless
    /// that would be a guess since this name held the task before.
    ///
    /// # Errors
    /// A refusal when it has none, an input error when it would be a guess.
    pub fn token_of(&self, task: &TaskId, agent: &AgentId) -> Result<RecordId, Error> {
        let key = (task.clone(), agent.clone());
        if let Some(token) = self.mine.lock().unwrap_or_else(PoisonError::into_inner).get(&key) {
            return Ok(*token);
        }
        self.team_log.look(|state| token_in_log(state, task, agent))?
    }
}

fn token_in_log(state: &State, task: &TaskId, agent: &AgentId) -> Result<RecordId, Error> {
    let known = state.task(task).ok_or_else(|| Refusal::NoSuchTask { task: task.clone() })?;
    let past = || known.past_claims.iter().filter(|past| past.agent == *agent && past.stage == Stage::Work);
    let held = known.claim.as_ref().filter(|claim| claim.agent == *agent);
    match (held, past().next_back()) {
        (Some(claim), None) => Ok(claim.id),
        (Some(_), Some(_)) => Err(Error::Input(format!(
            "{agent} held task `{task}` before, so it is not certain which claim is meant: give its token"
        ))),
        (None, Some(past)) => Ok(past.id),
        (None, None) => match &known.claim {
            Some(claim) => {
                let (holder, stage) = (claim.agent.clone(), claim.stage);
                Err(Refusal::Held { task: task.clone(), holder, stage }.into())
            }
            None => Err(Refusal::WrongStatus { task: task.clone(), status: known.status }.into()),
        },
    }
}
