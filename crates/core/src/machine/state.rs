//! The state of a team: what its log means.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use super::files::Files;
use super::ledger::Ledger;
use super::messages::Messages;
use super::queue::{Counts, Queue};
use super::refusal::Refusal;
use super::safeguard::{Safeguard, Safeguards};
use super::seen::Seen;
use super::task::{Claim, Task};
use super::tasks::{Slot, Tasks};
use crate::id::{AgentId, HUMAN, RecordId, Skill, TaskId};
use crate::record::{Bounds, FORMAT, Policy, ProcessId, Revision, Role, Stage, TaskSpec, WorkCommit};
use crate::text::Text;

/// What the records of a log mean, folded in their order. Equal logs give equal states.
#[derive(Debug, Clone, PartialEq)]
pub struct State {
    pub(crate) format: u32,
    pub(crate) records: u64,
    pub(crate) seen: Seen,
    pub(crate) void: BTreeMap<RecordId, Refusal>,
    pub(crate) newer_format: Option<u32>,
    pub(crate) policy: Policy,
    pub(crate) policy_revision: Revision,
    pub(crate) runs: Vec<Run>,
    pub(crate) agents: BTreeMap<AgentId, Agent>,
    /// What was last taken back from agents whose processes were gone and who claimed nothing since. No rule reads it. The past
    /// claims say it, too, but of all tasks, and whoever asks would have to read those of a snapshot.
    pub(crate) deaths: BTreeMap<AgentId, Death>,
    pub(crate) tasks: Tasks,
    /// Tasks under a claim, so that finding holders that are gone takes no look at all tasks.
    pub(crate) held: BTreeSet<Slot>,
    pub(crate) batches: Batches,
    /// How many failures were planned anew, by the task within which. Derived from the tasks.
    pub(crate) replans: Replans,
    pub(crate) late: Vec<Late>,
    pub(crate) messages: Messages,
    pub(crate) ledger: Ledger,
    pub(crate) files: Files,
    pub(crate) pauses: Pauses,
    pub(crate) notes: Vec<Note>,
    /// By the model's name.
    pub(crate) limits: BTreeMap<String, ModelLimit>,
    /// Derived from the tasks.
    pub(crate) queue: Queue,
    /// Part of the program, not of the state.
    pub(crate) safeguards: Safeguards,
}

/// Tasks that were written but whose batch is not closed, each with its place in the order.
pub(crate) type Batches = BTreeMap<RecordId, Vec<(u64, Box<TaskSpec>)>>;

/// How many failures were planned anew within a task, or outside of any.
pub(crate) type Replans = BTreeMap<Option<TaskId>, u32>;

/// Who was ever held up, by name; the whole team has none.
pub(crate) type Pauses = BTreeMap<Option<AgentId>, Pause>;

/// Whether the team or an agent is held up.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Pause {
    /// Whether it is.
    pub paused: bool,
    /// Whether what it worked on was taken from it. No rule asks for that: it is for people.
    #[serde(default)]
    pub stopped: bool,
    /// The record that said so last.
    pub revision: RecordId,
    /// Why.
    pub reason: String,
    /// Since when, in milliseconds since 1970.
    pub at_ms: u64,
}

/// What somebody noted for others.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Note {
    /// The id of the record.
    pub id: RecordId,
    /// Who noted it.
    pub agent: AgentId,
    /// What.
    pub text: Text,
    /// It is for tasks with one of these labels; for all if there are none.
    pub labels: Vec<String>,
    /// The task at which it came up.
    pub task: Option<TaskId>,
    /// When, in milliseconds since 1970.
    pub at_ms: u64,
}

/// Until when a model may not be called, as far as anybody was told.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ModelLimit {
    /// When it may be called again, in milliseconds since 1970. No rule reads it.
    pub until_ms: u64,
    /// Why, in the provider's words.
    pub reason: String,
    /// When somebody said so, in milliseconds since 1970.
    pub at_ms: u64,
}

/// A member of the team.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Agent {
    /// Its name.
    pub id: AgentId,
    /// What it is for.
    pub role: Role,
    /// What it can do that others cannot.
    pub skills: Vec<Skill>,
    /// What stands behind it.
    pub with: Option<String>,
    /// Whether an orchestrator runs it.
    pub orchestrated: bool,
    /// Whether it has left.
    pub left: bool,
    /// Why it left, where it can do no more; empty otherwise. No rule reads it.
    #[serde(default)]
    pub left_because: String,
    /// Whether each of its plans must be approved.
    #[serde(default)]
    pub plan: bool,
    /// The lead to whose team it belongs.
    #[serde(default)]
    pub lead: Option<AgentId>,
    /// Whether somebody added it by hand: each run starts it, until it is dropped.
    #[serde(default)]
    pub added: bool,
}

/// What was taken back from an agent because its process was gone.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Death {
    /// The task.
    pub task: TaskId,
    /// When somebody saw that it was gone, in milliseconds since 1970.
    pub at_ms: u64,
}

/// One run of an orchestrator.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Run {
    /// The id of the record that began it.
    pub id: RecordId,
    /// Its process.
    pub process: ProcessId,
    /// What it was asked for.
    pub goal: Option<String>,
    /// Whether the models are scripted.
    pub rehearsal: bool,
    /// What it was told that the team may use.
    #[serde(default)]
    pub budget: Option<Bounds>,
    /// What it was told that agents and tasks may use, each.
    #[serde(default)]
    pub budgets: Option<Text>,
    /// The command that proves what it is for.
    #[serde(default)]
    pub check: Option<String>,
    /// When it began, in milliseconds since 1970.
    pub from_ms: u64,
    /// How it ended, in one word, and when.
    pub ended: Option<(String, u64)>,
}

/// A result that came after its claim was lost.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Late {
    /// The id of the record.
    pub id: RecordId,
    /// The task.
    pub task: TaskId,
    /// The claim that was lost.
    pub claim: RecordId,
    /// Who delivered it.
    pub agent: AgentId,
    /// What came out.
    pub result: Text,
    /// The commit, where there is one.
    pub commit: Option<WorkCommit>,
    /// When, in milliseconds since 1970.
    pub at_ms: u64,
}

impl Default for State {
    fn default() -> Self {
        Self::new()
    }
}

impl State {
    /// The state before the first record.
    pub fn new() -> Self {
        Self {
            format: FORMAT,
            records: 0,
            seen: Seen::default(),
            void: BTreeMap::new(),
            newer_format: None,
            policy: Policy::default(),
            policy_revision: None,
            runs: Vec::new(),
            agents: BTreeMap::new(),
            deaths: BTreeMap::new(),
            tasks: Tasks::default(),
            held: BTreeSet::new(),
            batches: BTreeMap::new(),
            replans: Replans::new(),
            late: Vec::new(),
            messages: Messages::default(),
            ledger: Ledger::default(),
            files: Files::default(),
            pauses: Pauses::default(),
            notes: Vec::new(),
            limits: BTreeMap::new(),
            queue: Queue::default(),
            safeguards: Safeguards::default(),
        }
    }

    /// How many records were applied, void and repeated ones included: the sequence number of the last one.
    pub fn records(&self) -> u64 {
        self.records
    }

    /// The format version that records must have now.
    pub fn format(&self) -> u32 {
        self.format
    }

    /// The version that the log was raised to, if this program does not know it: then it may read, but not write.
    pub fn newer_format(&self) -> Option<u32> {
        self.newer_format
    }

    /// Whether a record of this id was applied, whatever came of it.
    pub fn has_seen(&self, record: RecordId) -> bool {
        self.seen.contains(record)
    }

    /// Why a record took no effect; `None` if it did, or is not there.
    pub fn why_void(&self, record: RecordId) -> Option<&Refusal> {
        self.void.get(&record)
    }

    /// All records that took no effect, with the reason.
    pub fn void(&self) -> impl Iterator<Item = (RecordId, &Refusal)> {
        self.void.iter().map(|(id, refusal)| (*id, refusal))
    }

    /// The policy.
    pub fn policy(&self) -> &Policy {
        &self.policy
    }

    /// The runs so far, oldest first.
    pub fn runs(&self) -> &[Run] {
        &self.runs
    }

    /// All agents that ever joined, by name.
    pub fn agents(&self) -> impl Iterator<Item = &Agent> {
        self.agents.values()
    }

    /// An agent that joined at some time.
    pub fn agent(&self, agent: &AgentId) -> Option<&Agent> {
        self.agents.get(agent)
    }

    /// What was last taken back from an agent because its process was gone; `None` once it claimed something again.
    pub fn death(&self, agent: &AgentId) -> Option<&Death> {
        self.deaths.get(agent)
    }

    /// Whether an agent is in the team now.
    pub fn is_member(&self, agent: &AgentId) -> bool {
        self.agents.get(agent).is_some_and(|known| !known.left)
    }

    /// How many agents are in the team now, the human left out.
    pub fn member_count(&self) -> u64 {
        let members = self.agents.values().filter(|agent| !agent.left && agent.id.as_str() != HUMAN);
        members.count() as u64
    }

    /// What holds an agent up: `Some(None)` is a pause of the whole team. Whoever pauses a team is not held up by that.
    pub fn held_up<'a>(&self, agent: &'a AgentId) -> Option<Option<&'a AgentId>> {
        // Most teams never pause, and every claim asks.
        if self.pauses.is_empty() || agent.as_str() == HUMAN {
            return None;
        }
        let is_paused = |whom: &Option<AgentId>| self.pauses.get(whom).is_some_and(|pause| pause.paused);
        if is_paused(&None) {
            return Some(None);
        }
        is_paused(&Some(agent.clone())).then_some(Some(agent))
    }

    /// Who is held up, with the reason; the whole team has no name.
    pub fn pauses(&self) -> impl Iterator<Item = (Option<&AgentId>, &Pause)> {
        let held_up = self.pauses.iter().filter(|(_, pause)| pause.paused);
        held_up.map(|(agent, pause)| (agent.as_ref(), pause))
    }

    /// Why an agent was stopped, if somebody took from it what it worked on and has not let it go on since.
    pub fn stopped(&self, agent: &AgentId) -> Option<&str> {
        let pause = self.pauses.get(&Some(agent.clone()))?;
        (pause.paused && pause.stopped).then_some(pause.reason.as_str())
    }

    /// What was noted, oldest first.
    pub fn notes(&self) -> &[Note] {
        &self.notes
    }

    /// What was noted for tasks with these labels, oldest first.
    pub fn notes_for<'a>(&'a self, labels: &'a [String]) -> impl Iterator<Item = &'a Note> {
        let is_meant =
            |note: &&Note| note.labels.is_empty() || note.labels.iter().any(|label| labels.contains(label));
        self.notes.iter().filter(is_meant)
    }

    /// The models that were limited at some time, by name, each with its latest limit: it may be over.
    pub fn limits(&self) -> impl Iterator<Item = (&str, &ModelLimit)> {
        self.limits.iter().map(|(model, limit)| (model.as_str(), limit))
    }

    /// The latest limit of a model; `None` if it never was limited.
    pub fn limit(&self, model: &str) -> Option<&ModelLimit> {
        self.limits.get(model)
    }

    /// All tasks, in the order in which they took effect.
    pub fn tasks(&self) -> impl Iterator<Item = &Task> {
        self.tasks.iter()
    }

    /// A task.
    pub fn task(&self, task: &TaskId) -> Option<&Task> {
        self.tasks.get(task)
    }

    /// The number of a task that somebody claims: mostly the one whose turn it is, which spares a search.
    pub(crate) fn slot_to_claim(&self, task: &TaskId) -> Option<Slot> {
        let first = self.queue.first().filter(|first| self.tasks.has_id(*first, task));
        first.or_else(|| self.tasks.slot(task))
    }

    /// How many tasks there are of each status.
    pub fn counts(&self) -> Counts {
        self.queue.counts()
    }

    /// The tasks that are held now, with their claims.
    pub fn held(&self) -> impl Iterator<Item = (&Task, &Claim)> {
        let tasks = self.held.iter().filter_map(|slot| self.tasks.at(*slot));
        tasks.filter_map(|task| task.claim.as_ref().map(|claim| (task, claim)))
    }

    /// The tasks that wait for someone to take a stage after the work, in the order of their turn.
    pub fn waiting_for(&self, stage: Stage) -> impl Iterator<Item = &Task> {
        self.at_all(self.queue.waiting_for(stage))
    }

    /// The tasks that failed for good or were cancelled.
    pub fn lost(&self) -> impl Iterator<Item = &Task> {
        self.at_all(self.queue.lost())
    }

    /// The tasks that wait for an agent to take them and whose plan waits to be judged.
    pub(crate) fn unjudged(&self) -> impl Iterator<Item = &Task> {
        self.at_all(self.queue.unjudged())
    }

    /// The tasks that wait for an agent to take them, in groups that want the same.
    pub fn ready(&self) -> impl Iterator<Item = impl Iterator<Item = &Task>> {
        self.queue.lanes().map(|lane| self.at_all(lane))
    }

    /// How many tasks an agent has completed.
    pub fn completed_by(&self, agent: &AgentId) -> u64 {
        self.queue.completed_by(agent)
    }

    fn at_all<'a>(&'a self, slots: impl Iterator<Item = Slot> + 'a) -> impl Iterator<Item = &'a Task> + 'a {
        slots.filter_map(|slot| self.tasks.at(slot))
    }

    /// The task that a claim is, or was, on.
    pub fn task_of_claim(&self, claim: RecordId) -> Option<&Task> {
        self.tasks.at(self.seen.task_of_claim(claim)?)
    }

    /// A claim that is in force, with its task.
    ///
    /// # Errors
    /// The refusal that a record of its holder would meet now.
    pub fn live_claim(&self, claim: RecordId) -> Result<(&Task, &Claim), Refusal> {
        let task = self.task_of_claim(claim).ok_or(Refusal::NoSuchClaim { claim })?;
        let in_force = |live: &&Claim| live.id == claim || !self.keeps(Safeguard::Claim);
        if let Some(live) = task.claim.as_ref().filter(in_force) {
            return Ok((task, live));
        }
        let past = task.past_claims.iter().rev().find(|past| past.id == claim);
        match past {
            Some(past) => Err(Refusal::ClaimLost { task: task.id().clone(), claim, ending: past.ending }),
            None => Err(Refusal::NoSuchClaim { claim }),
        }
    }

    /// Results that came too late, oldest first.
    pub fn late(&self) -> &[Late] {
        &self.late
    }

    /// Batches that are not closed, with the number of their tasks. Such a task is not there; its writer may be dead.
    pub fn open_batches(&self) -> impl Iterator<Item = (RecordId, usize)> {
        self.batches.iter().map(|(batch, specs)| (*batch, specs.len()))
    }

    /// The messages.
    pub fn messages(&self) -> &Messages {
        &self.messages
    }

    /// What was spent, and may be.
    pub fn ledger(&self) -> &Ledger {
        &self.ledger
    }

    /// Who has reserved which files.
    pub fn files(&self) -> &[super::Reservation] {
        self.files.all()
    }

    /// Whether this program has a safeguard: always, unless the simulator switched it off.
    #[inline]
    pub(crate) fn keeps(&self, safeguard: Safeguard) -> bool {
        self.safeguards.on(safeguard)
    }
}
