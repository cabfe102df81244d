//! Plans: what an agent means to do, and whether somebody else lets it.
//!
//! Nothing approves by itself, and nothing by time: a plan waits until somebody who may has judged this very text.

use agent_team_core::machine::{Command, Refusal, State};
use agent_team_core::record::PlanSubmitted;
use agent_team_core::view::{self, PlanView};

use crate::{AgentId, Error, RecordId, TaskId, TaskQueue, Verdict, hooks, wanted};

impl TaskQueue {
    /// Submits a plan for the task that is held under a claim. It takes the place of an earlier one. Blocks the thread
    /// while a hook is asked.
    ///
    /// # Errors
    /// A refusal when the claim is lost; [`Error::Blocked`] when a hook says no; an input error when the plan is blank.
    pub fn submit_plan(
        &self,
        token: RecordId,
        agent: &AgentId,
        plan: impl Into<String>,
    ) -> Result<RecordId, Error> {
        self.submit_changes(token, agent, plan.into(), String::new())
    }

    /// The same of a plan that is carried out by whoever has the task when it is approved: `changes` says what is done then.
    pub(crate) fn submit_changes(
        &self,
        token: RecordId,
        agent: &AgentId,
        plan: String,
        changes: String,
    ) -> Result<RecordId, Error> {
        wanted::wanted(&plan, wanted::PLAN)?;
        hooks::may_submit_plan(self.team_log(), token, agent, &plan)?;
        let (text, changes) = (self.team_log().text(plan)?, self.team_log().text(changes)?);
        Ok(self.team_log().submit(agent, &PlanSubmitted { claim: token, text, changes }.into())?.id())
    }

    /// Judges the plan that waits at a task. `plan` names the one that was read, if it matters that it is still that one.
    /// Blocks the thread while a hook is told.
    ///
    /// # Errors
    /// A refusal when another plan or none waits there, or `by` may not judge it: its author, or somebody who is neither
    /// the human nor a lead nor named by the task. An input error when it is rejected without a word.
    pub fn judge_plan(
        &self,
        by: &AgentId,
        task: &TaskId,
        plan: Option<RecordId>,
        verdict: Verdict,
    ) -> Result<(), Error> {
        self.judge_plan_if(by, task, plan, verdict, |_| true).map(|_| ())
    }

    /// The same if the newest state is as the question says; says whether it was.
    pub(crate) fn judge_plan_if(
        &self,
        by: &AgentId,
        task: &TaskId,
        plan: Option<RecordId>,
        verdict: Verdict,
        is_so: impl Fn(&State) -> bool,
    ) -> Result<bool, Error> {
        let (approved, words) = match verdict {
            Verdict::Approved(words) => (true, words),
            Verdict::ChangesRequested(words) => (false, words),
        };
        if !approved {
            wanted::wanted(&words, wanted::CHANGE)?;
        }
        let feedback = self.team_log().text(words.clone())?;
        let command = Command::JudgePlan { task: task.clone(), plan, by: by.clone(), approved, feedback };
        let written = self.team_log().submit_if(by, &command, is_so)?;
        if written.is_some() {
            hooks::plan_judged(self.team_log(), by, task, approved, &words)?;
        }
        Ok(written.is_some())
    }

    /// Whether a task is one that a run has added for its lead: to make tasks of a goal, or to plan a failure anew.
    ///
    /// # Errors
    /// When the log cannot be read.
    pub fn is_leads_plan(&self, task: &TaskId) -> Result<bool, Error> {
        self.team_log().look(|state| {
            let known = state.task(task);
            known.is_some_and(|task| task.spec.replans.is_some() || task.spec.goal.is_some())
        })
    }

    /// All plans that wait to be judged, each with its task and whether somebody holds that. Who was stopped while it waited
    /// holds it no more, and waits on in the next run.
    ///
    /// # Errors
    /// When the log cannot be read.
    pub fn open_plans(&self) -> Result<Vec<(TaskId, PlanView, bool)>, Error> {
        self.team_log().look(|state| {
            let plans = state.open_plans();
            plans.map(|(task, plan)| (task.id().clone(), view::plan(plan), task.claim.is_some())).collect()
        })
    }

    /// The newest plan for a task; `None` if there is none.
    ///
    /// # Errors
    /// A refusal when there is no such task.
    pub fn plan(&self, task: &TaskId) -> Result<Option<PlanView>, Error> {
        let known = self
            .team_log()
            .look(|state| state.task(task).map(|known| known.plan.as_deref().map(view::plan)))?;
        known.ok_or_else(|| Refusal::NoSuchTask { task: task.clone() }.into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{AgentJoined, NewTask, Role, Status};

    fn joined(queue: &TaskQueue, name: &str, role: Role) -> AgentId {
        let agent: AgentId = name.parse().unwrap();
        let (skills, with) = (Vec::new(), None);
        let member = AgentJoined { skills, with, ..AgentJoined::new(agent.clone(), role) };
        queue.join(member).unwrap();
        agent
    }

    fn refused(outcome: Result<(), Error>) -> Refusal {
        outcome.unwrap_err().refusal().unwrap().clone()
    }

    #[test]
    fn nothing_is_delivered_before_somebody_else_approved_this_very_plan() {
        let queue = TaskQueue::in_memory().unwrap();
        let worker = joined(&queue, "worker-1", Role::Worker);
        let lead = joined(&queue, "lead-1", Role::Lead);
        let task = queue.add_task(NewTask { plan: true, ..NewTask::new("Rewrite it") }).unwrap();
        let token = queue.claim_task(&worker).unwrap().unwrap().token;
        let deliver = || queue.complete(token, &worker, "done", None, Vec::new());
        assert!(matches!(refused(deliver()), Refusal::PlanNotApproved { .. }));

        let first = queue.submit_plan(token, &worker, "Delete everything.").unwrap();
        let approve =
            |by: &AgentId, plan| queue.judge_plan(by, &task, plan, Verdict::Approved(String::new()));
        assert!(matches!(refused(approve(&worker, None)), Refusal::NoApprover { .. }), "the author");
        let other = joined(&queue, "worker-2", Role::Worker);
        assert!(matches!(refused(approve(&other, None)), Refusal::NoApprover { .. }), "just anybody");
        for blank in ["", " \n"] {
            let no = Verdict::ChangesRequested(blank.into());
            assert!(matches!(queue.judge_plan(&lead, &task, None, no), Err(Error::Input(_))), "no reason");
            assert!(matches!(queue.submit_plan(token, &worker, blank), Err(Error::Input(_))), "no plan");
        }
        let no = Verdict::ChangesRequested("Keep the tests.".into());
        queue.judge_plan(&lead, &task, None, no).unwrap();
        assert!(matches!(refused(deliver()), Refusal::PlanNotApproved { .. }));
        assert!(matches!(refused(approve(&lead, None)), Refusal::OtherPlan { .. }), "judged already");

        let second = queue.submit_plan(token, &worker, "Move it, keep the tests.").unwrap();
        assert!(
            matches!(refused(approve(&lead, Some(first))), Refusal::OtherPlan { .. }),
            "not the one read"
        );
        approve(&AgentId::human(), Some(second)).unwrap();
        let plan = queue.plan(&task).unwrap().unwrap();
        assert_eq!((plan.round, plan.approved, plan.judged_by), (2, Some(true), Some(AgentId::human())));
        deliver().unwrap();
        assert_eq!(queue.get_task(&task).unwrap().status, Status::Completed);
    }
}
