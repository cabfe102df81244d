//! The records of a team's log one by one, each with what became of it: for people who want to know what happened.
//!
//! It folds the log from its beginning with a state of its own and writes nothing.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

use agent_team_core::id::{AgentId, RecordId, TaskId};
use agent_team_core::machine::{Outcome, Refusal, State};
use agent_team_core::record::{Body, PauseSet, Recipient, Record, codec};
use agent_team_log::{FileLog, Log, Position};

use crate::folder::TeamFolder;
use crate::{Error, FeedbackCause, format_duration};

/// How much of the log is read in one go, in bytes.
const READ_BYTES: usize = 1 << 20;

/// A reader of all records of a log, in order.
///
/// ```
/// use agent_team::{Records, TaskQueue, TeamFolder};
///
/// let folder = tempfile::tempdir()?;
/// TaskQueue::new(folder.path())?.add_task("Write it")?;
/// let mut records = Records::open(&TeamFolder::of(folder.path()))?;
/// assert_eq!(records.read()?[0].kind, "task_added");
/// assert!(records.read()?.is_empty());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct Records {
    log: FileLog,
    position: Position,
    state: State,
    /// The task of each merge intent, since what follows an intent names nothing else.
    intents: BTreeMap<RecordId, TaskId>,
}

/// One record, and what became of it.
#[derive(Debug, Clone, PartialEq)]
pub struct LoggedRecord {
    /// Its place in the order, from 1.
    pub seq: u64,
    /// Where it lies in the log, in bytes.
    pub position: u64,
    /// The JSON object as it is stored.
    pub json: String,
    /// Its id; `None` for a line that is no record.
    pub id: Option<RecordId>,
    /// When its writer's clock said it was written, in milliseconds since 1970.
    pub at_ms: u64,
    /// Who wrote it; `None` for a line that is no record.
    pub by: Option<AgentId>,
    /// Its kind, as written; empty for a line that is no record.
    pub kind: String,
    /// The task that it is about.
    pub task: Option<TaskId>,
    /// What it says, in a few words.
    pub summary: String,
    /// Whether its writer ran commands without a sandbox.
    pub unconfined: bool,
    /// What became of it.
    pub fate: Fate,
}

/// What became of a record.
#[derive(Debug, Clone, PartialEq)]
pub enum Fate {
    /// It took effect.
    Effective,
    /// It took no effect, for this reason.
    Void(Refusal),
    /// It stands in the log for the second time, and counted the first time.
    Repeated,
    /// This program does not know its kind or form. It changes nothing.
    Unknown,
    /// The line is no record at all, for this reason.
    Unreadable(String),
}

impl Fate {
    /// The fate in one word, as `--json` shows it.
    pub fn as_str(&self) -> &'static str {
        match self {
            Self::Effective => "effective",
            Self::Void(_) => "void",
            Self::Repeated => "repeated",
            Self::Unknown => "unknown",
            Self::Unreadable(_) => "unreadable",
        }
    }

    /// Why it took no effect, if it took none.
    pub fn reason(&self) -> Option<String> {
        match self {
            Self::Effective => None,
            Self::Void(refusal) => Some(refusal.to_string()),
            Self::Repeated => Some("it was there before".into()),
            Self::Unknown => Some("this program does not know its kind or form".into()),
            Self::Unreadable(reason) => Some(reason.clone()),
        }
    }
}

impl Records {
    /// The records of a team, from the first on.
    ///
    /// # Errors
    /// When the log cannot be opened.
    pub fn open(folder: &TeamFolder) -> Result<Self, Error> {
        Self::open_log(&folder.log())
    }

    /// The records of the log in this file, from the first on.
    ///
    /// # Errors
    /// When the log cannot be opened.
    pub fn open_log(log: &Path) -> Result<Self, Error> {
        let log = FileLog::open_read_only(log)?;
        Ok(Self { log, position: Position::START, state: State::new(), intents: BTreeMap::new() })
    }

    /// The next records; none if there are no more for now.
    ///
    /// # Errors
    /// When the log cannot be read, or is corrupt at this place.
    pub fn read(&mut self) -> Result<Vec<LoggedRecord>, Error> {
        let batch = self.log.read(self.position, READ_BYTES)?;
        let records =
            batch.records().map(|record| self.fold(record.position.value(), record.bytes)).collect();
        self.position = batch.next();
        Ok(records)
    }

    /// Waits until there are more records, at most for `timeout`; says whether there are.
    ///
    /// # Errors
    /// When the log cannot be read.
    pub fn wait(&self, timeout: Duration) -> Result<bool, Error> {
        Ok(self.log.wait(self.position, timeout)?)
    }

    fn fold(&mut self, position: u64, bytes: &[u8]) -> LoggedRecord {
        fold(&mut self.state, &mut self.intents, position, bytes)
    }
}

/// Applies one line of a log to a state, and says what became of it.
pub(crate) fn fold(
    state: &mut State,
    intents: &mut BTreeMap<RecordId, TaskId>,
    position: u64,
    bytes: &[u8],
) -> LoggedRecord {
    let json = String::from_utf8_lossy(bytes).into_owned();
    let record = match codec::decode(bytes) {
        Ok(record) => record,
        Err(error) => {
            state.skip();
            return unreadable(state.records(), position, json, error.to_string());
        }
    };
    let fate = match state.apply(record.clone()) {
        Outcome::Effective => Fate::Effective,
        Outcome::Void(refusal) => Fate::Void(refusal),
        Outcome::Repeated => Fate::Repeated,
        Outcome::Unknown => Fate::Unknown,
    };
    let task = task_of(state, intents, &record.body);
    if let (Body::MergeIntended(_), Some(task)) = (&record.body, &task) {
        intents.insert(record.id, task.clone());
    }
    let summary = summary(&record.body, record.at_ms);
    let Record { id, at_ms, by, unconfined, body, .. } = record;
    let kind = body.kind().to_owned();
    LoggedRecord {
        seq: state.records(),
        position,
        json,
        id: Some(id),
        at_ms,
        by: Some(by),
        kind,
        task,
        summary,
        unconfined,
        fate,
    }
}

fn unreadable(seq: u64, position: u64, json: String, reason: String) -> LoggedRecord {
    let (id, by, task) = (None, None, None);
    let (kind, summary, fate) = (String::new(), String::new(), Fate::Unreadable(reason));
    LoggedRecord { seq, position, json, id, at_ms: 0, by, kind, task, summary, unconfined: false, fate }
}

/// The task that a record is about, if it is about one.
fn task_of(state: &State, intents: &BTreeMap<RecordId, TaskId>, body: &Body) -> Option<TaskId> {
    let by_claim = |claim| state.task_of_claim(claim).map(|task| task.id().clone());
    match body {
        Body::TaskAdded(body) => Some(body.task.id.clone()),
        Body::TaskEdited(body) => Some(body.task.clone()),
        Body::TaskRetried(body) => Some(body.task.clone()),
        Body::TaskCancelled(body) => Some(body.task.clone()),
        Body::TaskReassigned(body) => Some(body.task.clone()),
        Body::TaskDelegated(body) => by_claim(body.claim),
        Body::TaskGivenUp(body) => Some(body.task.clone()),
        Body::PlanJudged(body) => Some(body.task.clone()),
        Body::PlanSubmitted(body) => by_claim(body.claim),
        Body::NoteAdded(body) => body.task.clone(),
        Body::TaskClaimed(body) => Some(body.task.clone()),
        Body::LateResult(body) => Some(body.task.clone()),
        Body::ClaimRenewed(body) => by_claim(body.claim),
        Body::ClaimReleased(body) => by_claim(body.claim),
        Body::ClaimExpired(body) => by_claim(body.claim),
        Body::TurnJournalled(body) => by_claim(body.claim),
        Body::TaskSubmitted(body) => by_claim(body.claim),
        Body::TaskFailed(body) => by_claim(body.claim),
        Body::CheckReported(body) => by_claim(body.claim),
        Body::ReviewGiven(body) => by_claim(body.claim),
        Body::MergeIntended(body) => by_claim(body.claim),
        Body::MergeRefused(body) => by_claim(body.claim),
        Body::FilesReserved(body) => by_claim(body.claim),
        Body::FilesReleased(body) => by_claim(body.claim),
        Body::Merged(body) => intents.get(&body.intent).cloned(),
        Body::MessageSent(body) => match &body.to {
            Recipient::Task(task) => Some(task.clone()),
            _ => body.task.clone(),
        },
        Body::SpendingReserved(body) => body.task.clone(),
        Body::SpendingSettled(body) => body.task.clone(),
        Body::FormatRaised(_)
        | Body::PolicySet(_)
        | Body::RunStarted(_)
        | Body::RunEnded(_)
        | Body::AgentJoined(_)
        | Body::AgentLeft(_)
        | Body::PauseSet(_)
        | Body::BatchClosed(_)
        | Body::MessagesDelivered(_)
        | Body::MessagesRead(_)
        | Body::BudgetSet(_)
        | Body::ModelLimited(_)
        | Body::Unknown { .. }
        | Body::Malformed { .. } => None,
    }
}

/// What a record says besides its kind, its writer and its task, in a few words.
fn summary(body: &Body, at_ms: u64) -> String {
    match body {
        Body::FormatRaised(body) => format!("to {}", body.version),
        Body::PolicySet(body) => match &body.policy.gate {
            Some(gate) => format!("gate: {gate}"),
            None => "no gate".to_owned(),
        },
        Body::RunStarted(body) => format!(
            "process {}{}{}",
            body.process.pid,
            if body.rehearsal { ", with scripted models" } else { "" },
            body.goal.as_ref().map(|goal| format!(": {goal}")).unwrap_or_default()
        ),
        Body::RunEnded(body) => body.outcome.clone(),
        Body::AgentJoined(body) => format!("{} as {}", body.agent, body.role),
        Body::AgentLeft(body) if body.reason.is_empty() => body.agent.to_string(),
        Body::AgentLeft(body) => format!("{}: {}", body.agent, body.reason),
        Body::TaskAdded(body) => body.task.title.clone(),
        Body::BatchClosed(body) => format!("{} tasks", body.tasks),
        Body::TaskEdited(body) => {
            let title = body.change.title.clone();
            let after = body.change.after.as_ref();
            let after = after.map(|after| after.iter().map(TaskId::as_str).collect::<Vec<_>>().join(", "));
            title.or_else(|| after.map(|after| format!("after {after}"))).unwrap_or_default()
        }
        Body::TaskDelegated(_) => "handed out in parts".to_owned(),
        Body::TaskGivenUp(body) => body.reason.preview().into_owned(),
        Body::TaskCancelled(body) if body.dependents => "with all that wait for it".to_owned(),
        Body::TaskReassigned(body) => {
            body.agent.as_ref().map_or("to anyone who fits".to_owned(), |agent| format!("to {agent}"))
        }
        Body::PauseSet(body) => {
            let whom = body.agent.as_ref().map_or("the team", AgentId::as_str);
            let what = match body {
                PauseSet { paused: false, .. } => "resumed",
                PauseSet { release: true, .. } => "stopped",
                PauseSet { .. } => "paused",
            };
            let why = if body.reason.is_empty() { String::new() } else { format!(": {}", body.reason) };
            format!("{whom} {what}{why}")
        }
        Body::PlanSubmitted(body) => body.text.preview().into_owned(),
        Body::PlanJudged(body) if body.approved => format!("approved by {}", body.by),
        Body::PlanJudged(body) => format!("rejected by {}: {}", body.by, body.feedback.preview()),
        Body::NoteAdded(body) => body.text.preview().into_owned(),
        Body::TaskClaimed(body) => format!("{}, by {}", body.stage, body.agent),
        Body::ClaimReleased(body) => body.reason.clone(),
        Body::ClaimExpired(body) => agent_team_core::machine::Ending::from(body.cause).to_string(),
        Body::TurnJournalled(body) => format!("turn {}", body.turn),
        Body::TaskSubmitted(body) => body.result.preview().into_owned(),
        Body::TaskFailed(body) => body.error.preview().into_owned(),
        Body::LateResult(body) => body.result.preview().into_owned(),
        Body::CheckReported(body) if body.passed => "passed".to_owned(),
        Body::CheckReported(body) => format!("failed: {}", body.output.preview()),
        Body::ReviewGiven(body) if body.approved => "approved".to_owned(),
        Body::ReviewGiven(body) => format!("changes requested: {}", body.feedback.preview()),
        Body::MergeIntended(body) => format!("{} into {}", body.commit, body.branch),
        Body::MergeRefused(body) => {
            format!("{}: {}", FeedbackCause::from(body.cause).as_str(), body.output.preview())
        }
        Body::MessageSent(body) => format!("to {}: {}", body.to, body.text.preview()),
        Body::MessagesDelivered(body) => format!("{} to {}", body.messages.len(), body.agent),
        Body::MessagesRead(body) => format!("{} by {}", body.messages.len(), body.agent),
        Body::BudgetSet(body) => body.account.to_string(),
        Body::SpendingReserved(body) if body.upper.time_ms > 0 => {
            format!("at most {}", format_duration(Duration::from_millis(body.upper.time_ms)))
        }
        Body::SpendingReserved(body) => format!("at most {} tokens", body.upper.tokens()),
        Body::SpendingSettled(body) if body.actual.time_ms > 0 => {
            format!("{} at work", format_duration(Duration::from_millis(body.actual.time_ms)))
        }
        Body::SpendingSettled(body) => format!("{} tokens of {}", body.actual.tokens(), body.model),
        Body::ModelLimited(body) if body.lifted => format!("{} may be called again", body.model),
        Body::ModelLimited(body) => {
            // To the second: the record was written a moment after the limit began.
            let wait = Duration::from_secs(body.until_ms.saturating_sub(at_ms).div_ceil(1_000));
            let why = if body.reason.is_empty() { String::new() } else { format!(": {}", body.reason) };
            format!("{} for {}{why}", body.model, format_duration(wait))
        }
        Body::FilesReserved(body) => body.paths.join(", "),
        Body::FilesReleased(body) => body.paths.join(", "),
        Body::Malformed { reason, .. } => reason.clone(),
        Body::TaskRetried(_)
        | Body::TaskCancelled(_)
        | Body::ClaimRenewed(_)
        | Body::Merged(_)
        | Body::Unknown { .. } => String::new(),
    }
}
