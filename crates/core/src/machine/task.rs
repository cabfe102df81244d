//! A task as the machine knows it: what was asked for, and all that became of it.

use std::fmt;
use std::sync::Arc;

use borsh::{BorshDeserialize, BorshSerialize};
use serde::{Deserialize, Serialize};

use super::transition::{Status, Step, next};
use crate::id::{AgentId, RecordId, TaskId};
use crate::record::{Amount, ExpiryCause, Holder, RefusalCause, Stage, TaskSpec, WorkCommit};
use crate::text::Text;

/// A task, and all that became of it.
#[derive(Debug, Clone, PartialEq, BorshSerialize, BorshDeserialize)]
pub struct Task {
    /// What is wanted.
    pub spec: Box<TaskSpec>,
    /// Where it stands.
    pub status: Status,
    /// The last record that took effect on it.
    pub revision: RecordId,
    /// Its place among all tasks in the order in which they were added, from 1: the older goes first.
    pub added: u64,
    /// When it was added, in milliseconds since 1970, by its writer's clock.
    pub added_at_ms: u64,
    /// When it last changed its status, in milliseconds since 1970, by the clock of the record's writer.
    pub since_ms: u64,
    /// How many of its dependencies are not completed.
    pub open_dependencies: u32,
    /// The tasks that wait for this one.
    pub dependents: Vec<TaskId>,
    /// The number of the newest attempt, from 1; 0 before the first.
    pub attempt: u32,
    /// Attempts that failed or were refused, since it was added or last retried.
    pub failures: u32,
    /// Times that it did not fit onto the target, since it was added or last retried. Nobody's failure.
    pub conflicts: u32,
    /// Takeovers in a row without progress between: a journalled turn, or what ends a stage.
    pub takeovers: u32,
    /// Before this time `decide` does not give it out, in milliseconds since 1970.
    pub not_before_ms: u64,
    /// Who holds it now.
    pub claim: Option<Claim>,
    /// Claims that have ended, oldest first.
    pub past_claims: Vec<PastClaim>,
    /// The claim whose attempt was interrupted, not failed: if the same agent claims next, it goes on with it.
    pub resume: Option<RecordId>,
    /// The member to whom it went back: `decide` offers it to nobody else, unless that agent is stopped or works on something
    /// else. Only while it is ready, and only as long as that agent is a member that may take it.
    pub back_to: Option<AgentId>,
    /// What its next step may use, where its budget had not so much left when it was given back: `decide` offers it to
    /// nobody before there is so much.
    pub needs: Option<Amount>,
    /// What was delivered and is being judged, or has been accepted.
    pub submission: Option<Box<Submission>>,
    /// The merge that is about to happen.
    pub intent: Option<Box<Intent>>,
    /// The commit that the target got, once merged.
    pub merged: Option<String>,
    /// What went wrong so far, oldest first. The next attempt sees it.
    pub feedback: Vec<Feedback>,
    /// Why it failed for good.
    pub failure: Option<Failure>,
    /// What reviewers approved with, for people.
    pub review: Option<Text>,
    /// Who has approved what was delivered.
    pub approvals: Vec<AgentId>,
    /// How often reviewers sent it back, since it was added or last retried.
    pub review_rounds: u32,
    /// How its holder means to do it, and what was said to that.
    pub plan: Option<Box<Plan>>,
    /// The delegated tasks that it is a part of, the nearest first.
    pub above: Vec<TaskId>,
    /// The parts of a delegated task: all tasks that are below it and below no nearer one.
    pub parts: Vec<TaskId>,
    /// How many of its parts it would wait for.
    pub open_parts: u32,
    /// Whether it was handed out in parts, and waits for them.
    pub handed_out: bool,
    /// The task by which a lead plans its failure anew.
    pub replan: Option<TaskId>,
}

/// How an agent means to do a task.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, BorshSerialize, BorshDeserialize)]
pub struct Plan {
    /// The id of the record.
    pub id: RecordId,
    /// Who means to do so.
    pub author: AgentId,
    /// The plan.
    pub text: Text,
    /// What is to be done once it is approved, for whoever carries that out; empty for a plan that its author goes by.
    pub changes: Text,
    /// When it was submitted, in milliseconds since 1970.
    pub at_ms: u64,
    /// How many plans there were for the task, this one counted.
    pub rounds: u32,
    /// What was said to it; `None` while it waits.
    pub verdict: Option<PlanVerdict>,
}

/// What somebody said to a plan.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, BorshSerialize, BorshDeserialize)]
pub struct PlanVerdict {
    /// The id of the record.
    pub id: RecordId,
    /// Who said it.
    pub by: AgentId,
    /// Whether the work may begin.
    pub approved: bool,
    /// What the author should know.
    pub feedback: Text,
}

impl Plan {
    /// Whether the work may begin.
    pub fn is_approved(&self) -> bool {
        self.verdict.as_ref().is_some_and(|verdict| verdict.approved)
    }
}

/// Someone's hold on a task, or on one of its stages.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, BorshSerialize, BorshDeserialize)]
pub struct Claim {
    /// Its id: the fencing token.
    pub id: RecordId,
    /// The stage.
    pub stage: Stage,
    /// Who holds it.
    pub agent: AgentId,
    /// How the holder is known to be alive.
    pub holder: Arc<Holder>,
    /// The last renewal; the claim itself before the first.
    pub renewal: RecordId,
    /// When it was made, in milliseconds since 1970, by the holder's clock.
    pub at_ms: u64,
    /// Turns that were journalled under it.
    pub turns: u32,
    /// The claim whose attempt this one continues, and whose transcript it goes on with.
    pub resumes: Option<RecordId>,
}

/// A claim that has ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, BorshSerialize, BorshDeserialize)]
pub struct PastClaim {
    /// The claim.
    pub id: RecordId,
    /// Its stage.
    pub stage: Stage,
    /// Who held it.
    pub agent: AgentId,
    /// The attempt that it was part of.
    pub attempt: u32,
    /// The claim whose attempt it continued: so an attempt's transcripts can be followed back to the first.
    pub resumes: Option<RecordId>,
    /// How it ended.
    pub ending: Ending,
    /// When it was made, in milliseconds since 1970.
    pub from_ms: u64,
    /// When it ended, in milliseconds since 1970.
    pub to_ms: u64,
}

/// How a claim ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, BorshSerialize, BorshDeserialize)]
#[serde(rename_all = "snake_case")]
pub enum Ending {
    /// The holder did what it claimed for.
    Done,
    /// The holder could not do it, or refused what it judged.
    Failed,
    /// The holder gave it back.
    Released,
    /// No renewal came within the lease.
    LeaseOver,
    /// The holder's process is gone.
    ProcessGone,
    /// The task was cancelled.
    Cancelled,
    /// The holder made no progress.
    Stuck,
    /// The task is another agent's.
    Reassigned,
}

impl fmt::Display for Ending {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Done => "done",
            Self::Failed => "failed",
            Self::Released => "released",
            Self::LeaseOver => "its lease was over and the task was taken back",
            Self::ProcessGone => "its process was gone and the task was taken back",
            Self::Cancelled => "the task was cancelled",
            Self::Stuck => "its holder made no progress and the task was taken back",
            Self::Reassigned => "the task was given to another agent",
        })
    }
}

impl From<ExpiryCause> for Ending {
    fn from(cause: ExpiryCause) -> Self {
        match cause {
            ExpiryCause::Lease => Self::LeaseOver,
            ExpiryCause::ProcessGone => Self::ProcessGone,
            ExpiryCause::Stuck => Self::Stuck,
        }
    }
}

/// What an agent delivered.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, BorshSerialize, BorshDeserialize)]
pub struct Submission {
    /// The id of the record.
    pub id: RecordId,
    /// Its author.
    pub author: AgentId,
    /// The claim under which it was made.
    pub claim: RecordId,
    /// What came out.
    pub result: Text,
    /// The commit to be merged.
    pub commit: Option<WorkCommit>,
    /// The protected files that it changes and may not, so that a human must approve.
    pub protected: Vec<String>,
    /// Whether the author worked for an orchestrator.
    pub orchestrated: bool,
    /// What the task's check said of it when it held, for whoever reviews it. No rule reads it.
    pub check_output: Option<Text>,
}

/// A merge that is about to happen.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, BorshSerialize, BorshDeserialize)]
pub struct Intent {
    /// The id of the record.
    pub id: RecordId,
    /// The claim of the merger.
    pub claim: RecordId,
    /// The commit that was tested.
    pub commit: String,
    /// The tip that it was tested on.
    pub old_tip: String,
    /// The branch.
    pub branch: String,
}

/// What went wrong with an attempt.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, BorshSerialize, BorshDeserialize)]
pub struct Feedback {
    /// The attempt.
    pub attempt: u32,
    /// Who made it.
    pub agent: AgentId,
    /// What kind of thing went wrong.
    pub cause: FeedbackCause,
    /// What the next attempt should know.
    pub text: Text,
    /// The commit that was refused, so that nothing is done anew needlessly.
    pub commit: Option<WorkCommit>,
    /// Who sent it back, if that was a reviewer. No rule reads it.
    pub reviewer: Option<AgentId>,
}

impl Feedback {
    /// Whose words the text is: the reviewer's, or of whoever made the attempt.
    pub fn said_by(&self) -> &AgentId {
        self.reviewer.as_ref().unwrap_or(&self.agent)
    }
}

/// What kind of thing went wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, BorshSerialize, BorshDeserialize)]
#[serde(rename_all = "snake_case")]
pub enum FeedbackCause {
    /// The agent gave up, or broke down.
    Error,
    /// The check failed.
    Check,
    /// The gate failed.
    Gate,
    /// The work did not fit onto the target.
    Conflict,
    /// A reviewer wants changes.
    Review,
    /// The user's hook says no to the merge.
    Hook,
}

impl FeedbackCause {
    /// The cause as written.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Error => "error",
            Self::Check => "check",
            Self::Gate => "gate",
            Self::Conflict => "conflict",
            Self::Review => "review",
            Self::Hook => "hook",
        }
    }
}

impl From<RefusalCause> for FeedbackCause {
    fn from(cause: RefusalCause) -> Self {
        match cause {
            RefusalCause::Conflict => Self::Conflict,
            RefusalCause::Check => Self::Check,
            RefusalCause::Gate => Self::Gate,
            RefusalCause::Hook => Self::Hook,
        }
    }
}

/// Why a task failed for good.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, BorshSerialize, BorshDeserialize)]
#[serde(rename_all = "snake_case")]
pub enum Failure {
    /// All attempts failed.
    Attempts,
    /// It was taken over too often without progress: it may be what kills its workers.
    Quarantined,
    /// The agent said that no attempt can succeed.
    GivenUp,
    /// It did not fit onto the target too often.
    Conflicts,
    /// It was handed out in parts, and a part of it failed.
    Parts,
}

impl Failure {
    /// The reason as written.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Attempts => "attempts",
            Self::Quarantined => "quarantined",
            Self::GivenUp => "given_up",
            Self::Conflicts => "conflicts",
            Self::Parts => "parts",
        }
    }

    /// The same in a few words for people.
    pub fn words(self) -> &'static str {
        match self {
            Self::Attempts => "attempts used up",
            Self::Quarantined => "taken over too often",
            Self::GivenUp => "its agent gave up",
            Self::Conflicts => "too many conflicts",
            Self::Parts => "a part of it failed",
        }
    }
}

impl Task {
    /// The id.
    pub fn id(&self) -> &TaskId {
        &self.spec.id
    }

    /// The result, once it is accepted.
    pub fn result(&self) -> Option<&Text> {
        (self.status == Status::Completed).then_some(())?;
        self.submission.as_ref().map(|submission| &submission.result)
    }

    /// The plan that waits to be judged; `None` if there is no plan or it was judged.
    pub fn open_plan(&self) -> Option<&Plan> {
        self.plan.as_deref().filter(|plan| plan.verdict.is_none())
    }

    /// Whether a delegated task that it is a part of waits for it. What was to plan a failure anew and failed, too, is not
    /// waited for: the failure is.
    pub fn keeps_waiting(&self) -> bool {
        match self.status {
            Status::Completed | Status::Cancelled => false,
            Status::Failed => self.spec.replans.is_none(),
            _ => true,
        }
    }

    /// Takes a step. What the guards let through is legal; anything else changes nothing.
    pub(crate) fn step(&mut self, step: Step) {
        let to = next(self.status, step);
        // Without a safeguard guards let through what has no row.
        let expected = to.is_some() || cfg!(feature = "mutants");
        debug_assert!(expected, "a guard let through {step:?} from {:?}", self.status);
        if let Some(to) = to {
            self.status = to;
        }
    }

    /// The claim whose attempt an agent would go on with: nobody can go on with the transcript of another.
    pub(crate) fn resumed_by(&self, agent: &AgentId) -> Option<RecordId> {
        let is_own = |past: &PastClaim| Some(past.id) == self.resume && past.agent == *agent;
        self.resume.filter(|_| self.past_claims.iter().any(is_own))
    }

    /// Where it goes when a stage is passed.
    pub(crate) fn after(&self, stage: Stage) -> Status {
        let submission = self.submission.as_ref();
        let wants_review = self.spec.review || submission.is_some_and(|s| !s.protected.is_empty());
        let has_commit = submission.is_some_and(|s| s.commit.is_some());
        match stage {
            Stage::Work if self.spec.check.is_some() => Status::Verifying,
            Stage::Work | Stage::Verify if wants_review => Status::Reviewing,
            Stage::Work | Stage::Verify | Stage::Review if has_commit => Status::Merging,
            _ => Status::Completed,
        }
    }

    /// Ends the present claim, if there is one, and gives it back.
    /// Whether whoever held it last was stuck.
    pub(crate) fn was_stuck(&self) -> bool {
        self.past_claims.last().is_some_and(|claim| claim.ending == Ending::Stuck)
    }

    pub(crate) fn end_claim(&mut self, ending: Ending, to_ms: u64) -> Option<Claim> {
        let claim = self.claim.take()?;
        // Most tasks have one.
        self.past_claims.reserve_exact(usize::from(self.past_claims.is_empty()));
        self.past_claims.push(PastClaim {
            id: claim.id,
            stage: claim.stage,
            agent: claim.agent.clone(),
            attempt: self.attempt,
            resumes: claim.resumes,
            ending,
            from_ms: claim.at_ms,
            to_ms,
        });
        Some(claim)
    }
}
