//! One task, with all that is known of it.

use serde::{Deserialize, Serialize};

use super::waiting::{remedy, waits_for};
use crate::id::{AgentId, RecordId, Skill, TaskId};
use crate::machine::{Ending, Failure, Feedback, FeedbackCause, Late, PastClaim, Plan, State, Status, Task};
use crate::record::{Account, Amount, GoalPlan, Role, Stage, WorkCommit};
use crate::text::Text;

/// A task as surfaces show it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct TaskView {
    /// Its id.
    pub id: TaskId,
    /// One line for people.
    pub title: String,
    /// The whole text.
    pub description: Text,
    /// Where it stands.
    pub status: Status,
    /// What it waits for.
    pub waits_for: Option<String>,
    /// What somebody can do about it, where that will not happen by itself.
    #[serde(default)]
    pub remedy: Option<String>,
    /// Higher goes first.
    pub priority: i32,
    /// The tasks that must be completed first.
    pub after: Vec<TaskId>,
    /// The tasks that wait for it.
    pub dependents: Vec<TaskId>,
    /// The role that it wants.
    pub role: Option<Role>,
    /// The skill that it wants.
    pub skill: Option<Skill>,
    /// The agent that it is for.
    pub for_agent: Option<AgentId>,
    /// The command that proves it.
    pub check: Option<String>,
    /// How long one attempt may take, in milliseconds.
    pub time_limit_ms: Option<u64>,
    /// Words to find it by.
    pub labels: Vec<String>,
    /// The task that it is a part of.
    pub parent: Option<TaskId>,
    /// Whether a lead splits it into parts, and delivers it when they are done.
    pub delegate: bool,
    /// The parts of a delegated task.
    pub parts: Vec<TaskId>,
    /// The lead for whose team it is.
    pub team: Option<AgentId>,
    /// The agent whose words it is in; `None` for the user's.
    #[serde(default)]
    pub asked_by: Option<AgentId>,
    /// Whether a lead makes tasks of a goal by doing it, and whether that is planned anew.
    #[serde(default)]
    pub goal: Option<GoalPlan>,
    /// The task whose failure is planned anew by doing it.
    pub replans: Option<TaskId>,
    /// The task by which its failure is planned anew.
    pub replan: Option<TaskId>,
    /// Whether it wants a review.
    pub review: bool,
    /// How many reviewers must approve it.
    pub reviews: u32,
    /// Who has approved what is being reviewed.
    pub approvals: Vec<AgentId>,
    /// How often reviewers sent it back.
    pub review_rounds: u32,
    /// How often they may, before only the human judges; `None` for as often as there are attempts.
    #[serde(default)]
    pub review_rounds_max: Option<u32>,
    /// Whether reviewers are asked to refute it.
    #[serde(default)]
    pub refute: bool,
    /// Whether its plan must be approved first.
    pub wants_plan: bool,
    /// Who approves its plan, besides the human; `None` for a lead.
    #[serde(default)]
    pub approver: Option<AgentId>,
    /// The newest plan for it.
    pub plan: Option<PlanView>,
    /// The number of the newest attempt, from 1.
    pub attempt: u32,
    /// How many attempts may fail.
    pub attempts: u32,
    /// Who holds it now.
    pub agent: Option<AgentId>,
    /// The stage that is held.
    pub stage: Option<Stage>,
    /// The claim in force: the fencing token.
    pub token: Option<RecordId>,
    /// Who delivered the present or accepted result.
    pub author: Option<AgentId>,
    /// The result, once it is accepted; before, what is being judged.
    pub result: Option<Text>,
    /// What its check said of that result when it held; `None` if none has held on it.
    pub check_output: Option<Text>,
    /// The team's gate, where it is still to hold on that result.
    pub gate: Option<GateView>,
    /// The commit that is to be merged.
    pub commit: Option<WorkCommit>,
    /// The commit that the target got.
    pub merged: Option<String>,
    /// Why it failed for good.
    pub failure: Option<Failure>,
    /// What went wrong so far, oldest first.
    pub feedback: Vec<FeedbackView>,
    /// The claims on it, oldest first, the one in force left out.
    pub claims: Vec<AttemptView>,
    /// Results that came too late, oldest first.
    pub late: Vec<LateView>,
    /// What it cost so far.
    pub spent: Amount,
    /// When it was added, in milliseconds since 1970.
    pub added_at_ms: u64,
    /// When it came into its present status, in milliseconds since 1970.
    pub since_ms: u64,
}

/// How an agent means to do a task, and what was said to that.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct PlanView {
    /// The id of its record.
    pub id: RecordId,
    /// Who means to do so.
    pub author: AgentId,
    /// The plan.
    pub text: Text,
    /// What names exactly this text: approvals name it too.
    pub hash: String,
    /// How many plans there were for the task, this one counted.
    pub round: u32,
    /// When it was submitted, in milliseconds since 1970.
    pub at_ms: u64,
    /// Whether the work may begin; `None` while the plan waits to be judged.
    pub approved: Option<bool>,
    /// Who judged it.
    pub judged_by: Option<AgentId>,
    /// What they said.
    pub feedback: Option<Text>,
}

/// The team's gate, which a delivered change has not passed yet: it runs on exactly what would be merged, so after a
/// review.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct GateView {
    /// The command.
    pub command: String,
    /// The newest attempt at the task that it refused.
    pub refused: Option<u32>,
    /// What it said of that one.
    pub output: Option<Text>,
}

/// Something that went wrong with an attempt.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct FeedbackView {
    /// The attempt.
    pub attempt: u32,
    /// Who made it.
    pub agent: AgentId,
    /// What kind of thing went wrong.
    pub cause: FeedbackCause,
    /// What was said about it.
    pub text: Text,
    /// Who sent it back, if that was a reviewer.
    #[serde(default)]
    pub reviewer: Option<AgentId>,
    /// The commit that was sent back, where there is one.
    #[serde(default)]
    pub commit: Option<WorkCommit>,
}

/// A claim that has ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AttemptView {
    /// The claim.
    pub token: RecordId,
    /// The attempt that it was part of.
    pub attempt: u32,
    /// Its stage.
    pub stage: Stage,
    /// Who held it.
    pub agent: AgentId,
    /// How it ended.
    pub ending: Ending,
    /// When it was made, in milliseconds since 1970.
    pub from_ms: u64,
    /// When it ended, in milliseconds since 1970.
    pub to_ms: u64,
}

/// A result that came after its claim was lost.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct LateView {
    /// Who delivered it.
    pub agent: AgentId,
    /// The claim that was lost.
    pub token: RecordId,
    /// What came out.
    pub result: Text,
    /// The commit that holds it, where there is one.
    #[serde(default)]
    pub commit: Option<WorkCommit>,
    /// When, in milliseconds since 1970.
    pub at_ms: u64,
}

/// The view of a task.
pub fn task(state: &State, task: &Task) -> TaskView {
    let spec = &task.spec;
    let submission = task.submission.as_ref();
    let claim = task.claim.as_ref();
    TaskView {
        id: spec.id.clone(),
        title: spec.title.clone(),
        description: spec.description.clone(),
        status: task.status,
        waits_for: waits_for(state, task),
        remedy: remedy(state, task),
        priority: spec.priority,
        after: spec.after.clone(),
        dependents: task.dependents.clone(),
        role: spec.role,
        skill: spec.skill.clone(),
        for_agent: spec.agent.clone(),
        check: spec.check.clone(),
        time_limit_ms: spec.time_limit_ms,
        labels: spec.labels.clone(),
        parent: spec.parent.clone(),
        delegate: spec.delegate,
        parts: task.parts.clone(),
        team: spec.team.clone(),
        asked_by: spec.asked_by.clone(),
        goal: spec.goal.clone(),
        replans: spec.replans.as_ref().map(|replan| replan.task.clone()),
        replan: task.replan.clone(),
        review: spec.review,
        reviews: spec.reviews,
        approvals: task.approvals.clone(),
        review_rounds: task.review_rounds,
        review_rounds_max: spec.review_rounds,
        refute: spec.refute,
        wants_plan: claim.map_or(spec.plan, |claim| state.wants_plan(task, &claim.agent)),
        approver: spec.approver.clone(),
        plan: task.plan.as_deref().map(plan),
        attempt: task.attempt,
        attempts: spec.attempts,
        agent: claim.map(|claim| claim.agent.clone()),
        stage: claim.map(|claim| claim.stage),
        token: claim.map(|claim| claim.id),
        author: submission.map(|submission| submission.author.clone()),
        result: submission.map(|submission| submission.result.clone()),
        check_output: submission.and_then(|submission| submission.check_output.clone()),
        gate: gate(state, task),
        commit: submission.and_then(|submission| submission.commit.clone()),
        merged: task.merged.clone(),
        failure: task.failure,
        feedback: feedback(task),
        claims: claims(task),
        late: late(state, task),
        spent: state.ledger().spent(&Account::Task(spec.id.clone())),
        added_at_ms: task.added_at_ms,
        since_ms: task.since_ms,
    }
}

/// The view of a plan.
pub fn plan(plan: &Plan) -> PlanView {
    let verdict = plan.verdict.as_ref();
    PlanView {
        id: plan.id,
        author: plan.author.clone(),
        text: plan.text.clone(),
        hash: plan.text.hash(),
        round: plan.rounds,
        at_ms: plan.at_ms,
        approved: verdict.map(|verdict| verdict.approved),
        judged_by: verdict.map(|verdict| verdict.by.clone()),
        feedback: verdict.map(|verdict| verdict.feedback.clone()),
    }
}

/// The gate that what was delivered for a task has still to pass.
pub fn gate(state: &State, task: &Task) -> Option<GateView> {
    let is_ahead = matches!(task.status, Status::Verifying | Status::Reviewing | Status::Merging)
        && task.submission.as_ref().is_some_and(|submission| submission.commit.is_some());
    let command = state.policy().gate.clone().filter(|_| is_ahead)?;
    let last = task.feedback.iter().rev().find(|feedback| feedback.cause == FeedbackCause::Gate);
    let output = last.map(|feedback| feedback.text.clone());
    Some(GateView { command, refused: last.map(|feedback| feedback.attempt), output })
}

fn feedback(task: &Task) -> Vec<FeedbackView> {
    let view = |feedback: &Feedback| FeedbackView {
        attempt: feedback.attempt,
        agent: feedback.agent.clone(),
        cause: feedback.cause,
        text: feedback.text.clone(),
        reviewer: feedback.reviewer.clone(),
        commit: feedback.commit.clone(),
    };
    task.feedback.iter().map(view).collect()
}

fn claims(task: &Task) -> Vec<AttemptView> {
    let view = |past: &PastClaim| AttemptView {
        token: past.id,
        attempt: past.attempt,
        stage: past.stage,
        agent: past.agent.clone(),
        ending: past.ending,
        from_ms: past.from_ms,
        to_ms: past.to_ms,
    };
    task.past_claims.iter().map(view).collect()
}

fn late(state: &State, task: &Task) -> Vec<LateView> {
    let late = state.late().iter().filter(|late| late.task == *task.id());
    let view = |late: &Late| LateView {
        agent: late.agent.clone(),
        token: late.claim,
        result: late.result.clone(),
        commit: late.commit.clone(),
        at_ms: late.at_ms,
    };
    late.map(view).collect()
}
