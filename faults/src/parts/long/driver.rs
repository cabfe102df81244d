//! The human of a long rehearsal: steers by what the team has done so far, kills the run and starts it again, until all is
//! done.

use std::collections::{BTreeSet, VecDeque};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use serde_json::Value;

use super::LONG;
use super::plot::{Plot, UNWANTED};
use crate::child::Child;
use crate::log_file::text;
use crate::place::Place;
use crate::seeded::Seeded;

/// What the human does once so much is done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Deed {
    AddTasks,
    Say,
    Interrupt,
    PauseTeam,
    PauseAgent,
    Stop,
    Reassign,
    SetPriority,
    Note,
    AddAgent,
    DropAgent,
    Cancel,
    LimitAgent,
    Kill,
    EndBudget,
}

/// When, in percent of the tasks.
const DEEDS: [(u64, Deed); 31] = [
    (2, Deed::Say),
    (4, Deed::AddTasks),
    (6, Deed::Note),
    (8, Deed::Interrupt),
    (10, Deed::PauseTeam),
    (12, Deed::Kill),
    (14, Deed::AddAgent),
    (16, Deed::Stop),
    (19, Deed::Reassign),
    (22, Deed::SetPriority),
    (25, Deed::PauseAgent),
    (28, Deed::Kill),
    (30, Deed::Interrupt),
    (33, Deed::Say),
    (35, Deed::DropAgent),
    (38, Deed::Cancel),
    (41, Deed::LimitAgent),
    (44, Deed::EndBudget),
    (48, Deed::PauseTeam),
    (52, Deed::Stop),
    (56, Deed::Reassign),
    (60, Deed::Kill),
    (64, Deed::Interrupt),
    (68, Deed::PauseAgent),
    (72, Deed::AddAgent),
    (76, Deed::SetPriority),
    (80, Deed::Kill),
    (84, Deed::DropAgent),
    (88, Deed::Stop),
    (92, Deed::Say),
    (94, Deed::Kill),
];

/// What the human did.
#[derive(Debug, Default)]
pub(super) struct Driven {
    pub runs: u64,
    pub kills: u64,
    pub steered: u64,
}

pub(super) struct Driver<'a> {
    place: &'a Place<'a>,
    plot: &'a Plot,
    random: Seeded,
    deeds: VecDeque<(u64, Deed)>,
    driven: Driven,
    added_agents: Vec<String>,
    /// Who is paused, and from how many completed tasks on goes on.
    paused: Option<(Option<String>, u64)>,
    answered: BTreeSet<String>,
    /// Whether the budget is about to end the run.
    budget_ends_it: bool,
    /// How often the team was steered when the run under way was started.
    steered_before: u64,
}

impl<'a> Driver<'a> {
    pub fn new(place: &'a Place<'a>, plot: &'a Plot, random: Seeded) -> Self {
        Self {
            place,
            plot,
            random,
            deeds: DEEDS.into(),
            driven: Driven::default(),
            added_agents: Vec::new(),
            paused: None,
            answered: BTreeSet::new(),
            budget_ends_it: false,
            steered_before: 0,
        }
    }

    /// Until all is done.
    pub fn drive(mut self) -> Result<Driven> {
        let begun = Instant::now();
        let mut child = self.start()?;
        loop {
            ensure!(begun.elapsed() < LONG, "it is not done after {LONG:?}: {}", self.status()?);
            if child.has_ended()? {
                let ran = child.finish()?;
                ensure!(matches!(ran.code, Some(0 | 5)), "a run ended otherwise: {ran:?}");
                if std::mem::take(&mut self.budget_ends_it) {
                    ensure!(ran.code == Some(5), "the budget did not end it: {ran:?}");
                    // Whether somebody is at work then, and is refused, or all have looked before they began.
                    ensure!(ran.stderr.contains("the budget of the team is used up (turns)"), "{ran:?}");
                    self.ok(&["budget", "team", "--turns", "none"])?;
                    child = self.start()?;
                    continue;
                }
                if ran.code == Some(0) && self.deeds.is_empty() {
                    return Ok(self.driven);
                }
                // What is left waits for the human, or for a budget.
                let did = self.attend(&self.status()?)?;
                let due = self.due(&self.status()?)?;
                // Or it was judged just when the run had seen that nothing could go on.
                let was_late = self.driven.steered > self.steered_before;
                ensure!(
                    did || due || was_late,
                    "the run ended, and nothing waits for the human: {} {ran:?}",
                    self.status()?
                );
                child = self.start()?;
                continue;
            }
            let status = self.status()?;
            self.attend(&status)?;
            self.go_on(&status)?;
            while !self.budget_ends_it
                && let Some(deed) = self.next(&status)
            {
                eprintln!("  {:.0} s, {} done: {deed:?}", begun.elapsed().as_secs_f64(), status["completed"]);
                match deed {
                    Deed::Kill => {
                        child.kill();
                        self.driven.kills += 1;
                        child = self.start()?;
                    }
                    Deed::EndBudget => {
                        let calls = status["spent"]["calls"].as_u64().unwrap_or_default();
                        self.ok(&["budget", "team", "--turns", &(calls + 12).to_string()])?;
                        self.budget_ends_it = true;
                        break;
                    }
                    other => self.does(other, &status)?,
                }
            }
            thread::sleep(Duration::from_millis(60));
        }
    }

    fn start(&mut self) -> Result<Child> {
        self.driven.runs += 1;
        self.steered_before = self.driven.steered;
        let goal = (self.driven.runs == 1).then_some("A file for each task");
        let arguments = ["run", "--yes"].into_iter().chain(goal);
        let child = Child::start(&mut self.place.command(arguments))?;
        if goal.is_some() {
            // Whoever is asked has a budget from the beginning on.
            self.ok(&["budget", "agent:lead", "--usd", "none", "--tokens", "90000000"])?;
            self.ok(&["budget", "team", "--tokens", "900000000"])?;
        }
        Ok(child)
    }

    fn status(&self) -> Result<Value> {
        self.place.json(["status"])
    }

    fn ok(&mut self, arguments: &[&str]) -> Result<()> {
        self.place.run(arguments)?.done().with_context(|| format!("{arguments:?}"))?;
        self.driven.steered += 1;
        Ok(())
    }

    /// The team may have been faster: then it says no, which is lawful.
    fn tries(&mut self, arguments: &[&str]) -> Result<bool> {
        let ran = self.place.run(arguments)?;
        match ran.code {
            Some(0) => self.driven.steered += 1,
            Some(3) => {}
            _ => bail!("{arguments:?} went wrong: {ran:?}"),
        }
        Ok(ran.is_done())
    }

    /// The next deed, if its time has come.
    fn next(&mut self, status: &Value) -> Option<Deed> {
        let percent = status["completed"].as_u64()? * 100 / self.plot.tasks();
        self.deeds.pop_front_if(|(from, _)| *from <= percent).map(|(_, deed)| deed)
    }

    /// Deeds that bring work, when a run has ended before their time came.
    fn due(&mut self, status: &Value) -> Result<bool> {
        self.go_on(status)?;
        let waits = self.deeds.iter().position(|(_, deed)| *deed == Deed::AddTasks);
        if let Some(place) = waits {
            self.deeds.remove(place);
            self.does(Deed::AddTasks, status)?;
            return Ok(true);
        }
        // Nothing is left to be steered.
        let is_done = status["completed"] == status["total"]
            || self.plot.tasks() <= status["completed"].as_u64().unwrap_or_default();
        let has_just_ended = is_done && !self.deeds.is_empty();
        if is_done {
            self.deeds.clear();
        }
        Ok(has_just_ended || status["ready"].as_u64().is_some_and(|ready| ready > 0))
    }

    /// Answers, judges and reviews what waits for the human. Says whether there was anything.
    fn attend(&mut self, status: &Value) -> Result<bool> {
        let mut did = false;
        for question in status["questions"].as_array().into_iter().flatten().map(text) {
            if self.is_for_human(question)? && self.answered.insert(question.to_owned()) {
                did |= self.tries(&["answer", question, "As you like it."])?;
            }
        }
        for task in status["plans"].as_array().into_iter().flatten().map(text) {
            let shown = self.place.json(["show", task])?;
            if text(&shown["waits_for"]).contains("human") {
                let plan = self.place.json(["plan", "show", task])?;
                did |= self.tries(&["plan", "approve", task, "Go.", "--plan", text(&plan["plan"]["id"])])?;
            }
        }
        let reviewing = self.place.json(["list", "--status", "reviewing"])?;
        for task in reviewing.as_array().into_iter().flatten() {
            if text(&task["waits_for"]).contains("human") && !text(&task["waits_for"]).contains("reviewer") {
                let attempt = task["attempt"].to_string();
                let approve = ["--approve", "Good enough.", "--attempt", &attempt];
                did |= self.tries(&[&["review", text(&task["id"])][..], &approve].concat())?;
            }
        }
        Ok(did)
    }

    fn is_for_human(&self, question: &str) -> Result<bool> {
        let open = self.place.json(["answer"])?;
        let mut open = open.as_array().into_iter().flatten();
        Ok(open.any(|message| message["id"] == question && message["to"] == "human"))
    }

    /// Lets go on who is paused, once others have done something meanwhile.
    fn go_on(&mut self, status: &Value) -> Result<()> {
        let Some((whom, from)) = self.paused.clone() else { return Ok(()) };
        let is_done = status["completed"].as_u64().is_none_or(|done| done >= from);
        let is_idle = status["running"] == 0 || whom.is_none();
        if is_done || is_idle {
            self.paused = None;
            match whom {
                Some(agent) => drop(self.tries(&["resume", &agent])?),
                None => self.ok(&["resume"])?,
            }
        }
        Ok(())
    }

    /// A worker that holds a task now, and the task.
    fn busy(&mut self, status: &Value) -> Option<(String, String)> {
        let agents = status["agents"].as_array()?;
        let works = |agent: &&Value| agent["role"] == "worker" && agent["holds"][0][1] == "work";
        let busy: Vec<&Value> = agents.iter().filter(works).collect();
        let chosen = busy.get(self.random.index(busy.len().max(1)))?;
        Some((text(&chosen["id"]).to_owned(), text(&chosen["holds"][0][0]).to_owned()))
    }

    fn does(&mut self, deed: Deed, status: &Value) -> Result<()> {
        let done = status["completed"].as_u64().unwrap_or_default();
        let busy = self.busy(status);
        match deed {
            Deed::AddTasks => {
                let file = self.place.beside("tasks").display().to_string();
                std::fs::write(&file, self.plot.humans_tasks())?;
                self.ok(&["add", "--file", &file])
            }
            Deed::Say => {
                self.ok(&["say", "everyone", "The build is green."])?;
                self.ok(&["say", "role:worker", "Be brief."])?;
                self.ok(&["say", "worker-1", "Well done."])?;
                let last = format!("task:t{}", self.plot.tasks() / 2 - 1);
                self.tries(&["say", &last, "Keep the old form."]).map(drop)
            }
            Deed::Note => self.ok(&["note", "Files go into done/.", "--label", "long"]),
            Deed::Interrupt => match busy {
                Some((agent, _)) => self.tries(&["interrupt", &agent, "Go on, but quickly."]).map(drop),
                None => Ok(()),
            },
            Deed::PauseTeam if self.paused.is_none() => {
                self.ok(&["pause", "--reason", "lunch"])?;
                self.paused = Some((None, done));
                Ok(())
            }
            Deed::PauseAgent | Deed::Stop if self.paused.is_none() => {
                let Some((agent, _)) = busy else { return Ok(()) };
                let verb = if deed == Deed::Stop { "stop" } else { "pause" };
                if self.tries(&[verb, &agent, "--reason", "I look at it"])? {
                    self.paused = Some((Some(agent), done + 3));
                }
                Ok(())
            }
            Deed::Reassign => {
                let Some((_, task)) = busy else { return Ok(()) };
                let other = format!("worker-{}", 1 + self.random.below(self.plot.workers()));
                self.tries(&["reassign", &task, "--to", &other]).map(drop)
            }
            Deed::SetPriority => {
                let last = format!("t{}", self.plot.tasks() - 1);
                self.tries(&["set", &last, "--priority", "3"]).map(drop)
            }
            Deed::AddAgent => {
                let name = format!("extra-{done}");
                self.ok(&["agent", "add", &name])?;
                self.added_agents.push(name);
                Ok(())
            }
            Deed::DropAgent => match self.added_agents.pop() {
                Some(name) => {
                    self.tries(&["say", &name, "Are you still there?"])?;
                    self.tries(&["agent", "drop", &name]).map(drop)
                }
                None => Ok(()),
            },
            Deed::Cancel => self.tries(&["cancel", UNWANTED]).map(drop),
            Deed::LimitAgent => self.ok(&["budget", "agent:worker-1", "--turns", "100000"]),
            // Somebody is paused already; and what ends a run is done where runs are started.
            Deed::PauseTeam | Deed::PauseAgent | Deed::Stop | Deed::Kill | Deed::EndBudget => Ok(()),
        }
    }
}
