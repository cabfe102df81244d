//! What a set of simulations reached: each fault, each reason of a void record, each thing that agents were told.

use std::collections::BTreeMap;

use agent_team_core::machine::{Refusal, Unfit};

use crate::fault::Fault;

/// How often each thing happened.
#[derive(Debug, Clone, Default)]
pub struct Coverage {
    /// Faults.
    pub faults: BTreeMap<Fault, u64>,
    /// Reasons of void records.
    pub void: BTreeMap<&'static str, u64>,
    /// What agents did and were told.
    pub told: BTreeMap<&'static str, u64>,
}

/// Every reason of a void record.
pub const REASONS: [&str; 50] = [
    "no such task",
    "changed",
    "setting changed",
    "id taken",
    "repeated id",
    "missing dependency",
    "missing parent",
    "cycle",
    "parent cycle",
    "batch incomplete",
    "bad task",
    "wrong status",
    "held",
    "for another agent",
    "wants another role",
    "wants a skill",
    "not a worker",
    "author",
    "not a reviewer",
    "human only",
    "approved before",
    "rounds over",
    "claim lost",
    "no such claim",
    "wrong stage",
    "renewed",
    "merge under way",
    "no such intent",
    "other submission",
    "paused",
    "other plan",
    "plan not approved",
    "no approver",
    "too deep",
    "parts open",
    "no open part",
    "no failed part",
    "no replan",
    "for a team",
    "not of the team",
    "no such agent",
    "over budget",
    "too many agents",
    "file reserved",
    "bad path",
    "wrong format",
    "repeated",
    "unknown kind",
    "malformed",
    "no record",
];

/// Refusals that no record can meet, and why.
pub const NEVER_VOID: [(&str, &str); 3] = [
    ("backing off", "only `decide` heeds a backoff: `apply` sees no clock"),
    ("nothing now", "an answer to a wish for any task, which writes no record"),
    ("nothing ever", "an answer to a wish for any task, which writes no record"),
];

/// The reason's name. The match is exhaustive, so that a new refusal is missed here and not in the table.
#[must_use]
pub fn reason(refusal: &Refusal) -> &'static str {
    match refusal {
        Refusal::NoSuchTask { .. } => "no such task",
        Refusal::Changed { .. } => "changed",
        Refusal::SettingChanged { .. } => "setting changed",
        Refusal::IdTaken { .. } => "id taken",
        Refusal::RepeatedId { .. } => "repeated id",
        Refusal::MissingDependency { .. } => "missing dependency",
        Refusal::MissingParent { .. } => "missing parent",
        Refusal::Cycle { .. } => "cycle",
        Refusal::ParentCycle { .. } => "parent cycle",
        Refusal::BatchIncomplete { .. } => "batch incomplete",
        Refusal::BadTask { .. } => "bad task",
        Refusal::WrongStatus { .. } => "wrong status",
        Refusal::Held { .. } => "held",
        Refusal::BackingOff { .. } => "backing off",
        Refusal::NotFitting { reason, .. } => match reason {
            Unfit::ForAgent(_) => "for another agent",
            Unfit::WantsRole(_) => "wants another role",
            Unfit::WantsSkill(_) => "wants a skill",
            Unfit::NotAWorker(_) => "not a worker",
            Unfit::Author => "author",
            Unfit::NotAReviewer => "not a reviewer",
            Unfit::HumanOnly => "human only",
            Unfit::Approved => "approved before",
            Unfit::RoundsOver => "rounds over",
            Unfit::ForTeam(_) => "for a team",
            Unfit::NotOfTeam(_) => "not of the team",
        },
        Refusal::NothingNow { .. } => "nothing now",
        Refusal::NothingEver { .. } => "nothing ever",
        Refusal::ClaimLost { .. } => "claim lost",
        Refusal::NoSuchClaim { .. } => "no such claim",
        Refusal::WrongStage { .. } => "wrong stage",
        Refusal::Renewed { .. } => "renewed",
        Refusal::MergeUnderWay { .. } => "merge under way",
        Refusal::NoSuchIntent { .. } => "no such intent",
        Refusal::OtherSubmission { .. } => "other submission",
        Refusal::Paused { .. } => "paused",
        Refusal::OtherPlan { .. } => "other plan",
        Refusal::PlanNotApproved { .. } => "plan not approved",
        Refusal::NoApprover { .. } => "no approver",
        Refusal::TooDeep { .. } => "too deep",
        Refusal::PartsOpen { .. } => "parts open",
        Refusal::NoOpenPart { .. } => "no open part",
        Refusal::NoFailedPart { .. } => "no failed part",
        Refusal::NoReplan { .. } => "no replan",
        Refusal::NoSuchAgent { .. } => "no such agent",
        Refusal::OverBudget { .. } => "over budget",
        Refusal::TooManyAgents { .. } => "too many agents",
        Refusal::FileReserved { .. } => "file reserved",
        Refusal::BadPath { .. } => "bad path",
        Refusal::WrongFormat { .. } => "wrong format",
    }
}

impl Coverage {
    /// Adds what another set reached.
    pub fn add(&mut self, other: &Self) {
        other.faults.iter().for_each(|(name, count)| *self.faults.entry(*name).or_default() += count);
        other.void.iter().for_each(|(name, count)| *self.void.entry(name).or_default() += count);
        other.told.iter().for_each(|(name, count)| *self.told.entry(name).or_default() += count);
    }

    /// What was never reached.
    #[must_use]
    pub fn missing(&self) -> Vec<String> {
        let faults =
            Fault::ALL.iter().filter(|fault| !self.faults.contains_key(fault)).map(|fault| fault.name());
        let reasons = REASONS.into_iter().filter(|reason| !self.void.contains_key(reason));
        let told = TOLD.into_iter().filter(|told| !self.told.contains_key(told));
        faults.chain(reasons).chain(told).map(str::to_owned).collect()
    }

    /// One more that an agent did or was told.
    pub fn told(&mut self, what: &'static str) {
        *self.told.entry(what).or_default() += 1;
    }
}

/// What agents must have done and been told for a set of simulations to mean something.
pub const TOLD: [&str; 38] = [
    "added",
    "claimed",
    "started",
    "submitted",
    "late result kept",
    "checked",
    "reviewed",
    "merged",
    "cancelled",
    "retried",
    "failed",
    "taken over",
    "sent",
    "received",
    "may spend",
    "files reserved",
    "edited",
    "held up",
    "stopped",
    "let go on",
    "handed over",
    "taken over as stuck",
    "planned",
    "plan asked for",
    "plan approved",
    "plan rejected",
    "run started",
    "budget set",
    "noted",
    "asked",
    "answered",
    "said in a thread",
    "guest",
    "policy set",
    "split",
    "handed out",
    "planned anew",
    "given up",
];
