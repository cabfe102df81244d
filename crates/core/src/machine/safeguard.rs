//! The rules of safety as switches, so that the simulator can show that each of them is needed.
//!
//! In every normal build all of them are on, and asking costs nothing. Only with the feature `mutants`, which nothing but
//! the simulator enables, can one be switched off. A safeguard is part of the program and not of the team's state:
//! it is in no snapshot, and states are equal whatever is switched off.

/// A rule without which something unsafe could happen.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Safeguard {
    /// A repeated id is the same record.
    RecordId,
    /// A record of another format version than the log's is void.
    Format,
    /// The format version only rises.
    FormatRises,
    /// A format version that is not known is known to be so. Without this the program is one of the next version.
    NewerFormat,
    /// A program that is too old for the log writes nothing.
    OldProgramIsSilent,
    /// An edit, a retry, a cancellation names the task's revision.
    EditRevision,
    /// A claim names the task's revision.
    ClaimRevision,
    /// A policy and a budget name what they replace.
    SettingRevision,
    /// Nobody claims what is held.
    Held,
    /// Only a task in a status that has this stage can be claimed for it.
    ClaimRow,
    /// The agent is who the task wants.
    Fit,
    /// An author does not review.
    Author,
    /// Reviews are for reviewers, the lead and the human.
    ReviewerRole,
    /// Changes of protected files are for the human.
    HumanOnly,
    /// What a holder does names the claim in force.
    Claim,
    /// A claim is for one stage.
    Stage,
    /// An expiry names the last renewal.
    SeenRenewal,
    /// A claim with an intent ends only after its fence was moved.
    FenceMoved,
    /// A merge names the intent in force.
    Intent,
    /// A review names the submission.
    Submission,
    /// A late result names a claim of its task.
    LateClaim,
    /// A batch takes effect whole.
    BatchWhole,
    /// The id of a task is new.
    TaskId,
    /// Dependencies exist.
    Dependency,
    /// Parents exist.
    Parent,
    /// Tasks do not wait for each other.
    Cycle,
    /// Tasks are not parts of each other.
    ParentCycle,
    /// A task can be what it says.
    Plausible,
    /// Retry and cancel are rows of the table of transitions.
    EditRow,
    /// What is completed or cancelled is not edited.
    EditEnded,
    /// A reservation fits every budget that it touches.
    Budget,
    /// Files are reserved by one claim.
    FileOverlap,
    /// Reserved paths lie in the project.
    FilePath,
    /// Only a member leaves.
    Membership,
    /// A task that was taken over too often is put into quarantine.
    Quarantine,
    /// A task has so many attempts.
    Attempts,
    /// A task conflicts with the target so often, and no more.
    Conflicts,
    /// Nobody who is paused claims.
    Pause,
    /// A judgement names the plan that waits.
    Plan,
    /// A judgement names the plan's text.
    PlanText,
    /// Nobody approves their own plan.
    PlanAuthor,
    /// Plans are approved by a lead, by whom the task names, or by the human.
    Approver,
    /// Where a plan is asked for, nothing is delivered before it is approved.
    PlanFirst,
    /// Nobody approves twice.
    SecondApproval,
    /// After so many rounds the human judges.
    ReviewRounds,
    /// Nobody begins an attempt that no budget allows.
    AttemptBudget,
    /// A team has so many members, and no more.
    AgentCap,
    /// Tasks are delegated so deep, and no deeper.
    Depth,
    /// A delegated task is delivered when its parts are done.
    Parts,
    /// Who is handed out waits for something.
    HandedOut,
    /// A failure is planned anew once, and only so many are.
    Replan,
    /// Members of a lead's team take its tasks and no others.
    Team,
}

/// Which safeguards are on.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Safeguards {
    #[cfg(feature = "mutants")]
    off: u64,
}

impl Safeguards {
    #[cfg(not(feature = "mutants"))]
    #[inline(always)]
    pub const fn on(self, _: Safeguard) -> bool {
        true
    }
}

impl PartialEq for Safeguards {
    fn eq(&self, _: &Self) -> bool {
        true
    }
}

#[cfg(feature = "mutants")]
impl Safeguards {
    pub const fn on(self, safeguard: Safeguard) -> bool {
        self.off & (1 << safeguard as u64) == 0
    }
}

#[cfg(feature = "mutants")]
impl Safeguard {
    /// All of them.
    pub const ALL: [Self; 52] = [
        Self::RecordId,
        Self::Format,
        Self::FormatRises,
        Self::NewerFormat,
        Self::OldProgramIsSilent,
        Self::EditRevision,
        Self::ClaimRevision,
        Self::SettingRevision,
        Self::Held,
        Self::ClaimRow,
        Self::Fit,
        Self::Author,
        Self::ReviewerRole,
        Self::HumanOnly,
        Self::Claim,
        Self::Stage,
        Self::SeenRenewal,
        Self::FenceMoved,
        Self::Intent,
        Self::Submission,
        Self::LateClaim,
        Self::BatchWhole,
        Self::TaskId,
        Self::Dependency,
        Self::Parent,
        Self::Cycle,
        Self::ParentCycle,
        Self::Plausible,
        Self::EditRow,
        Self::EditEnded,
        Self::Budget,
        Self::FileOverlap,
        Self::FilePath,
        Self::Membership,
        Self::Quarantine,
        Self::Attempts,
        Self::Conflicts,
        Self::Pause,
        Self::Plan,
        Self::PlanText,
        Self::PlanAuthor,
        Self::Approver,
        Self::PlanFirst,
        Self::SecondApproval,
        Self::ReviewRounds,
        Self::AttemptBudget,
        Self::AgentCap,
        Self::Depth,
        Self::Parts,
        Self::HandedOut,
        Self::Replan,
        Self::Team,
    ];
}

#[cfg(feature = "mutants")]
impl super::State {
    /// The same state, folded from here on by a program without these safeguards.
    #[must_use]
    pub fn without(mut self, safeguards: &[Safeguard]) -> Self {
        for safeguard in safeguards {
            self.safeguards.off |= 1 << *safeguard as u64;
        }
        self
    }
}
