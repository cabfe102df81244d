//! What is known of one task, and where it goes from where it stands.

use serde_json::Value;

use crate::log_file::text;

/// Where a task stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) enum Status {
    /// It waits for others, or for someone to take it.
    #[default]
    Open,
    Running,
    Verifying,
    Reviewing,
    Merging,
    Completed,
    Failed,
    Cancelled,
}

impl Status {
    pub fn is_ended(self) -> bool {
        matches!(self, Self::Completed | Self::Failed | Self::Cancelled)
    }
}

/// A claim in force.
#[derive(Debug, Clone, Default)]
pub(super) struct Claim {
    pub id: String,
    pub stage: String,
    pub agent: String,
    /// Whether an orchestrator holds it for an agent of its own.
    pub is_orchestrated: bool,
    /// The last sign of life.
    pub renewal: String,
    /// Turns that ended since its holder is paused.
    pub paused_turns: u32,
    /// Whether it took the task after somebody who was stuck.
    pub after_stuck: bool,
}

/// What was delivered, and is judged.
#[derive(Debug, Clone, Default)]
pub(super) struct Submission {
    pub id: String,
    pub author: String,
    pub has_commit: bool,
    pub is_protected: bool,
}

/// How somebody means to do it.
#[derive(Debug, Clone, Default)]
pub(super) struct Plan {
    pub id: String,
    pub author: String,
    pub hash: String,
    pub approved: Option<bool>,
}

/// Why no attempt remains.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Exhausted {
    Attempts,
    Takeovers,
    Conflicts,
}

/// One task.
#[derive(Debug, Default)]
pub(super) struct Task {
    /// What was asked for, and changed by edits.
    pub spec: Value,
    pub status: Status,
    /// The last record that took effect on it.
    pub revision: String,
    pub claim: Option<Claim>,
    pub submission: Option<Submission>,
    pub plan: Option<Plan>,
    pub approvals: Vec<String>,
    pub rounds: u64,
    pub failures: u64,
    pub conflicts: u64,
    pub takeovers: u64,
    /// Whether whoever held it last was stuck.
    pub was_stuck: bool,
    pub intent: Option<(String, Option<String>)>,
    pub exhausted: Option<Exhausted>,
    /// Whether it waits for its parts.
    pub is_handed_out: bool,
    /// Whether a task was added that plans its failure anew.
    pub is_planned_anew: bool,
    /// Who goes on with the attempt that was cut off, so that it is no new one.
    pub resumed_by: Option<String>,
}

impl Task {
    pub fn new(id: &str, spec: &Value) -> Self {
        Self { spec: spec.clone(), revision: id.to_owned(), ..Self::default() }
    }

    pub fn wants(&self, field: &str) -> bool {
        self.spec[field].as_bool().unwrap_or_default()
    }

    pub fn number(&self, field: &str) -> Option<u64> {
        self.spec[field].as_u64()
    }

    pub fn named(&self, field: &str) -> Option<&str> {
        self.spec[field].as_str()
    }

    pub fn dependencies(&self) -> impl Iterator<Item = &str> {
        self.spec["after"].as_array().into_iter().flatten().map(text)
    }

    /// The stage that a claim on it is for now.
    pub fn stage(&self) -> &'static str {
        match self.status {
            Status::Open | Status::Running => "work",
            Status::Verifying => "verify",
            Status::Reviewing => "review",
            Status::Merging => "merge",
            Status::Completed | Status::Failed | Status::Cancelled => "none",
        }
    }

    /// A stage is passed: on to the next one that it asks for.
    pub fn pass(&mut self, record: &str) {
        let delivered = self.submission.as_ref();
        let wants_review = self.wants("review") || delivered.is_some_and(|it| it.is_protected);
        let has_commit = delivered.is_some_and(|it| it.has_commit);
        let has_check = !self.spec["check"].is_null();
        self.status = match self.status {
            Status::Running if has_check => Status::Verifying,
            Status::Running | Status::Verifying if wants_review => Status::Reviewing,
            Status::Running | Status::Verifying | Status::Reviewing if has_commit => Status::Merging,
            _ => Status::Completed,
        };
        record.clone_into(&mut self.revision);
        self.takeovers = 0;
        self.claim = None;
    }

    /// What was delivered goes back, or no attempt remains.
    pub fn send_back(&mut self, record: &str, cause: &str) {
        record.clone_into(&mut self.revision);
        self.takeovers = 0;
        self.claim = None;
        self.intent = None;
        self.submission = None;
        match cause {
            "conflict" => self.conflicts += 1,
            // Where there is an end of the rounds, that is what bounds them.
            "review" if self.number("review_rounds").is_some() => {}
            _ => self.failures += 1,
        }
        self.give_back();
    }

    /// It is for someone again, unless no attempt remains.
    pub fn give_back(&mut self) {
        self.exhausted = if self.conflicts >= 10 {
            Some(Exhausted::Conflicts)
        } else if self.failures >= self.number("attempts").unwrap_or(3) {
            Some(Exhausted::Attempts)
        } else {
            None
        };
        self.status = if self.exhausted.is_some() { Status::Failed } else { Status::Open };
    }

    /// Its claim is given back. That is no failed attempt.
    pub fn release(&mut self, record: &str) {
        record.clone_into(&mut self.revision);
        let claim = self.claim.take();
        self.intent = None;
        if self.status == Status::Running {
            self.status = Status::Open;
            self.resumed_by = claim
                .filter(|claim| claim.is_orchestrated)
                .map(|claim| claim.agent)
                .or(self.resumed_by.take());
        }
    }
}
