//! The checkers: what must hold, judged by what simulated agents did and were told alone.
//!
//! A [`Witness`] hears of every record that somebody wrote, of where it landed, of what its writer was told came of it, of
//! what agents then did, and of what readers found. It never sees a folded state and shares no code with `apply`: what it
//! expects is said here a second time, in other words. A fate that nobody was told (its writer died) counts for nobody: it
//! may or may not have come true.

mod attempts;
mod claims;
mod facts;
mod mail;
mod merges;
mod money;
mod order;
mod parts;
mod pauses;
mod plans;
mod reviews;
mod tasks;

use std::collections::{BTreeMap, BTreeSet};

use agent_team_core::id::{AgentId, RecordId, TaskId};
use agent_team_core::record::{Body, Record, Role};

pub use facts::{Fact, Fate};

use crate::disk::Extent;
use claims::ClaimFact;

/// Something that must not happen has happened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Violation {
    /// Which checker found it.
    pub checker: &'static str,
    /// What it found.
    pub what: String,
}

/// What a checker says.
pub type Verdict = Result<(), Violation>;

pub(crate) fn violation(checker: &'static str, what: impl Into<String>) -> Verdict {
    Err(Violation { checker, what: what.into() })
}

/// Who the agents are, as everybody knows from the beginning.
#[derive(Debug, Clone, Default)]
pub struct Cast {
    /// Roles of agents.
    pub roles: BTreeMap<AgentId, Role>,
    /// The only skill that there is, and who has it.
    pub skilled: BTreeSet<AgentId>,
}

/// Hears everything, and says what is wrong.
#[derive(Debug, Default)]
pub struct Witness {
    cast: Cast,
    facts: Vec<Fact>,
    ids: BTreeMap<RecordId, usize>,
    /// What lies in the log, in order.
    order: Vec<Extent>,
    /// What readers made of it.
    outcomes: Vec<Option<u8>>,
    hashes: BTreeMap<(u64, bool), u64>,
    places: usize,
    claims: BTreeMap<RecordId, ClaimFact>,
    claims_of: BTreeMap<TaskId, Vec<RecordId>>,
    /// All facts about a task, in order.
    about: BTreeMap<TaskId, Vec<usize>>,
    specs: BTreeMap<TaskId, Vec<usize>>,
    money: Vec<usize>,
    settings: Vec<usize>,
    files: Vec<usize>,
    raises: Vec<usize>,
    pauses: Vec<usize>,
    joins: Vec<usize>,
    runs: Vec<usize>,
    notes: Vec<usize>,
    mail: mail::Mail,
    landed: Vec<(String, TaskId)>,
    /// Processes that are gone, and when.
    dead: BTreeMap<u32, u64>,
}

impl Witness {
    /// A witness who knows the cast.
    #[must_use]
    pub fn new(cast: Cast) -> Self {
        Self { cast, ..Self::default() }
    }

    /// A process is about to write. The number stands for the record from here on.
    pub fn writes(&mut self, record: Option<Record>, writer: u32, must_not: Option<&'static str>) -> usize {
        self.facts.push(Fact::new(record, writer, must_not));
        self.facts.len() - 1
    }

    /// The record is written by somebody who did not ask whether it may be.
    pub fn did_not_ask(&mut self, tag: usize) {
        self.facts.get_mut(tag).into_iter().for_each(|fact| fact.asked = false);
    }

    /// Records became whole in the log, in this order.
    pub fn landed(&mut self, extents: &[Extent], now_ms: u64) {
        for extent in extents {
            self.order.push(*extent);
            let place = self.places;
            let Some(fact) = self.facts.get_mut(extent.tag) else { continue };
            if fact.place.is_some() && !fact.lost {
                continue;
            }
            let came_back = fact.place.is_some();
            self.places += 1;
            fact.place = Some(place);
            fact.lost = false;
            fact.at_ms = now_ms;
            if came_back {
                self.forget(extent.tag);
            }
            self.register(extent.tag);
        }
    }

    /// Takes a record out of its lists: a power cut took its line break alone, and the next writer's gave it back, at
    /// another place.
    fn forget(&mut self, tag: usize) {
        let lists = [&mut self.money, &mut self.settings, &mut self.files, &mut self.raises];
        let more = [&mut self.pauses, &mut self.joins, &mut self.runs, &mut self.notes];
        let lists =
            lists.into_iter().chain(more).chain(self.about.values_mut()).chain(self.specs.values_mut());
        lists.for_each(|list| list.retain(|known| *known != tag));
    }

    fn register(&mut self, tag: usize) {
        let Some(record) = self.facts.get(tag).and_then(|fact| fact.record.clone()) else { return };
        self.ids.entry(record.id).or_insert(tag);
        match &record.body {
            Body::TaskAdded(body) => self.specs.entry(body.task.id.clone()).or_default().push(tag),
            Body::TaskClaimed(body) => self.register_claim(record.id, body, tag),
            Body::SpendingReserved(_) | Body::SpendingSettled(_) => self.money.push(tag),
            Body::BudgetSet(_) | Body::PolicySet(_) => self.settings.push(tag),
            Body::FilesReserved(_) | Body::FilesReleased(_) => self.files.push(tag),
            Body::FormatRaised(_) => self.raises.push(tag),
            Body::PauseSet(_) => self.pauses.push(tag),
            Body::AgentJoined(_) | Body::AgentLeft(_) => self.joins.push(tag),
            Body::RunStarted(_) => self.runs.push(tag),
            Body::NoteAdded(_) => self.notes.push(tag),
            _ => {}
        }
        for task in self.tasks_of(&record.body) {
            self.about.entry(task).or_default().push(tag);
        }
        self.register_endings(&record.body, tag);
        self.register_takings(&record.body, tag);
    }

    /// A writer was told that its records count.
    ///
    /// # Errors
    /// What should not have counted.
    pub fn told_effective(&mut self, tags: &[usize]) -> Verdict {
        for tag in tags {
            if let Some(fact) = self.facts.get_mut(*tag) {
                fact.fate = Fate::Effective;
            }
        }
        tags.iter().try_for_each(|tag| self.judge(*tag))
    }

    /// A writer was told that its records do not count.
    pub fn told_void(&mut self, tag: usize) {
        if let Some(fact) = self.facts.get_mut(tag) {
            fact.fate = Fate::Void;
        }
    }

    /// A writer was told that its records count and are promised to survive the machine.
    pub fn told_durable(&mut self, tags: &[usize]) {
        for tag in tags {
            if let Some(fact) = self.facts.get_mut(*tag) {
                fact.durable = true;
            }
        }
    }

    /// A process is gone: what it waited for nobody will be told.
    pub fn died(&mut self, process: u32, now_ms: u64) {
        self.dead.insert(process, now_ms);
        let pending =
            self.facts.iter_mut().rev().filter(|fact| fact.writer == process && fact.fate == Fate::Pending);
        pending.for_each(|fact| fact.fate = Fate::Unknown);
    }

    /// Judges one record that its writer was told counts.
    fn judge(&self, tag: usize) -> Verdict {
        let Some(fact) = self.facts.get(tag) else { return Ok(()) };
        let (Some(record), true) = (&fact.record, fact.fate == Fate::Effective && !fact.lost) else {
            return Ok(());
        };
        let Some(place) = fact.place else {
            return violation("lost", format!("{} was acknowledged and is not in the log", fact.name()));
        };
        if let Some(why) = fact.must_not {
            return violation("lawless", format!("{} took effect: {why}", fact.name()));
        }
        self.judge_format(fact, record, place)?;
        match &record.body {
            Body::TaskClaimed(body) => {
                self.judge_claim(record, body, place)?;
                self.judge_held_up(body, place)?;
                self.judge_attempt(body, tag, place)?;
                if fact.asked {
                    self.judge_backoff(&body.task, record.at_ms, place)?;
                }
            }
            Body::AgentJoined(body) => self.judge_join(body, place)?,
            Body::ClaimExpired(body) => self.judge_expiry(body, tag, place)?,
            Body::ReviewGiven(body) => self.judge_review(body, place)?,
            Body::TaskSubmitted(body) => {
                self.judge_planned(body, place)?;
                self.judge_whole(body, place)?;
            }
            Body::TaskDelegated(body) => self.judge_handed_out(body)?,
            Body::PlanJudged(body) => self.judge_plan(body, place)?,
            Body::PauseSet(body) => self.judge_pause(body, place)?,
            Body::LateResult(body) => self.judge_late(body)?,
            Body::SpendingReserved(body) => self.judge_reservation(body, tag, place)?,
            Body::BudgetSet(_) | Body::PolicySet(_) => self.judge_setting(&record.body, place)?,
            Body::FilesReserved(body) => self.judge_files(body, place)?,
            Body::TaskEdited(body) => self.judge_edit(body, place)?,
            Body::TaskAdded(body) => {
                self.judge_added(body, tag)?;
                self.judge_replan(body, tag, place)?;
            }
            Body::TaskRetried(body) => self.judge_retry(&body.task, place)?,
            Body::TaskReassigned(body) => self.judge_cancel(&body.task, place)?,
            Body::TaskCancelled(body) => self.judge_cancel(&body.task, place)?,
            _ => {}
        }
        self.judge_holder(&record.body, tag, place)
    }

    /// What must hold when all is over: every judgement again, now that all fates are known, and that nothing is missing.
    ///
    /// # Errors
    /// What does not hold.
    pub fn judge_all(&self, alive: &BTreeSet<u32>, branch: &[crate::git::Commit]) -> Verdict {
        (0..self.facts.len()).try_for_each(|tag| self.judge(tag))?;
        self.judge_mail(alive)?;
        self.judge_threads()?;
        self.judge_answers()?;
        self.judge_branch(branch)
    }

    fn stands(&self, tag: usize) -> bool {
        self.facts.get(tag).is_some_and(|fact| fact.fate == Fate::Effective && !fact.lost)
    }

    fn may_stand(&self, tag: usize) -> bool {
        let may = |fact: &Fact| {
            fact.fate != Fate::Void && !fact.lost && fact.place.is_some() && fact.must_not.is_none()
        };
        self.facts
            .get(tag)
            .is_some_and(|fact| may(fact) && !self.is_outdated(fact, |raise| self.stands(raise)))
    }

    /// Whether the log was raised to a newer format, by one of these, before a record of an older one landed.
    fn is_outdated(&self, fact: &Fact, by: impl Fn(usize) -> bool) -> bool {
        let format = fact.record.as_ref().map_or(u32::MAX, |record| record.format);
        let raises = self.raises.iter().filter(|raise| Some(self.place(**raise)) < fact.place && by(**raise));
        let mut raises = raises.filter_map(|raise| self.body(*raise));
        raises.any(|body| matches!(body, Body::FormatRaised(body) if body.version > format))
    }

    fn place(&self, tag: usize) -> usize {
        self.facts.get(tag).and_then(|fact| fact.place).unwrap_or(usize::MAX)
    }

    fn body(&self, tag: usize) -> Option<&Body> {
        self.facts.get(tag)?.record.as_ref().map(|record| &record.body)
    }

    fn id_of(&self, tag: usize) -> Option<RecordId> {
        self.facts.get(tag)?.record.as_ref().map(|record| record.id)
    }

    fn fact_of(&self, id: RecordId) -> Option<&Fact> {
        self.ids.get(&id).and_then(|tag| self.facts.get(*tag))
    }
}
