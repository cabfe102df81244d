//! A whole run over a git repository that is killed at a named point of a gate or a merge, and started again, until all is
//! merged. What is checked is git's history.

use std::collections::BTreeMap;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use serde_json::{Value, json};

use super::points::Reached;
use crate::child::Child;
use crate::fault::Fault;
use crate::log_file::{LogFile, text};
use crate::place::Place;
use crate::setup::Setup;

/// How long one run may take.
const LONG: Duration = Duration::from_secs(120);
/// A gate that can be told to wait until the run is killed that waits for it. From its sandbox it sees no run.
const GATE: &str = "if test -e $MEET/kill; then mv $MEET/kill $MEET/hit; sleep 600; fi; \
                    for file in *.txt; do test ! -e $file || grep -q '^ok' $file || exit 1; done";

/// A point: its name, and how it is reached. Without a fault, the gate kills.
pub(super) struct Point {
    pub name: &'static str,
    fault: Option<fn() -> Fault>,
}

/// What a landing's transaction looks like.
const LANDING: &str = "update-ref+--stdin";

pub(super) const POINTS: &[Point] = &[
    Point { name: "gate: while it runs", fault: None },
    Point {
        name: "gate: after it, before the intent",
        fault: Some(|| {
            Fault::at("write", "kill-before").on_end("log.jsonl").holding("\"kind\":\"merge_intended\"")
        }),
    },
    Point {
        name: "merge: after the intent",
        fault: Some(|| {
            Fault::at("write", "kill-after").on_end("log.jsonl").holding("\"kind\":\"merge_intended\"")
        }),
    },
    Point {
        name: "ref move: before git update-ref",
        fault: Some(|| Fault::at("start", "kill-before").holding(LANDING)),
    },
    Point {
        name: "ref move: while git update-ref runs",
        fault: Some(|| Fault::at("start", "kill-after").holding(LANDING)),
    },
    Point {
        name: "ref move: after git update-ref",
        fault: Some(|| Fault::at("wait", "kill-after").holding(LANDING)),
    },
    Point {
        name: "merge: before it is recorded",
        fault: Some(|| Fault::at("write", "kill-before").on_end("log.jsonl").holding("\"kind\":\"merged\"")),
    },
    Point {
        name: "merge: after it is recorded",
        fault: Some(|| Fault::at("write", "kill-after").on_end("log.jsonl").holding("\"kind\":\"merged\"")),
    },
];

/// A repository with tasks that add a file each.
pub(super) struct Project<'a> {
    pub place: Place<'a>,
    tasks: u64,
}

impl<'a> Project<'a> {
    pub fn new(setup: &'a Setup, tasks: u64) -> Result<Self> {
        let place = Place::new(setup)?;
        std::fs::write(place.beside(".gitconfig"), "[user]\nname = Ursula\nemail = u@example.org\n")?;
        place.git(&["init", "-q", "-b", "main"])?;
        std::fs::write(place.team().join("README"), "A project.\n")?;
        let config = format!(
            "gate = '''{GATE}'''\nwith = 'script:{}'\n[[agent]]\nname = 'worker'\ncount = 3\n\
             [environment]\npass = ['MEET']\n[sandbox]\nwrite = ['{}']\n",
            place.beside("script.json").display(),
            place.meet().display()
        );
        std::fs::write(place.team().join("team.toml"), config)?;
        place.git(&["add", "--all"])?;
        place.git(&["commit", "-q", "-m", "Start"])?;
        let rules = (0..tasks).map(|number| {
            let content = format!("ok {number}\n");
            json!({"when": {"task": format!("f{number}")}, "steps": [
                {"tool_calls": [{"name": "write", "input": {"path": format!("f{number}.txt"), "content": content}}]},
                {"tool_calls": [{"name": "finish", "input": {"result": "It is there."}}]},
            ]})
        });
        let script = json!({"rules": rules.collect::<Vec<Value>>()});
        std::fs::write(place.beside("script.json"), script.to_string())?;
        place.run(["init"])?.done()?;
        place.run(["trust", "--yes"])?.done()?;
        let lines =
            (0..tasks).map(|number| format!("{{\"id\":\"f{number}\",\"title\":\"Write f{number}\"}}\n"));
        std::fs::write(place.beside("tasks"), lines.collect::<String>())?;
        place.run(["add", "--file", &place.beside("tasks").display().to_string()])?.done()?;
        Ok(Self { place, tasks })
    }

    /// Starts a run.
    pub fn start(&self, setup: &Setup, fault: Option<&Fault>) -> Result<Child> {
        let mut command = self.place.command(["run", "--timeout", "100s"]);
        if let Some(fault) = fault {
            fault.put_into(&mut command, setup, &setup.agent_team);
        }
        let child = Child::start(&mut command)?;
        std::fs::write(self.place.beside("pid"), child.id().to_string())?;
        Ok(child)
    }

    /// How many commits the branch has beside the first, each with its task.
    pub fn merged(&self) -> Result<Vec<String>> {
        let format = "--format=%(trailers:key=Task,valueonly,separator=%x2C)";
        let log = self.place.git(&["log", format, "main"])?;
        Ok(log.lines().filter(|line| !line.is_empty()).map(str::to_owned).collect())
    }

    /// Checks git's history: each task once, the gate green at every commit, nothing beside.
    pub fn check(&self, expected: u64) -> Result<()> {
        let mut times: BTreeMap<String, u64> = BTreeMap::new();
        for task in self.merged()? {
            *times.entry(task).or_default() += 1;
        }
        ensure!(
            times.len() as u64 == expected,
            "{} tasks are on the branch, and not {expected}",
            times.len()
        );
        ensure!(times.values().all(|times| *times == 1), "a task is on the branch twice: {times:?}");
        let commits = self.place.git(&["rev-list", "main"])?;
        let commits: Vec<&str> = commits.lines().collect();
        ensure!(commits.len() as u64 == expected + 1, "{} commits for {expected} tasks", commits.len());
        for commit in &commits {
            // What the gate asks, asked of git: every file says ok, and no commit takes one away.
            let bad = self.place.git(&["grep", "--files-without-match", "^ok", commit, "--", "*.txt"]);
            ensure!(bad.is_err(), "the gate does not hold at {commit}: {bad:?}");
        }
        let deleted = self.place.git(&["log", "--diff-filter=D", "--format=%H", "main"])?;
        ensure!(deleted.is_empty(), "a commit took a file away: {deleted}");
        let changes = self.place.git(&["status", "--porcelain"])?;
        ensure!(changes.is_empty(), "the checkout is not clean: {changes}");
        Ok(())
    }
}

/// Kills runs at a point until it was reached `count` times, and lets the last run end.
pub(super) fn at_point(setup: &Setup, point: &Point, count: u64) -> Result<Reached> {
    // Where the branch has moved before the kill, the next run has two more pieces of work before it is killed.
    let project = Project::new(setup, 2 * count + 2)?;
    let mut reached = Reached::default();
    let mut runs = 0;
    while reached.kills < count {
        runs += 1;
        ensure!(runs <= 2 * count + 10, "the point is not reached any more, after {} kills", reached.kills);
        // The run that comes after a kill merges what was left, and is killed at the next piece of work: at the first one
        // it would never get further.
        let nth = if reached.kills == 0 { 1 } else { 2 };
        let fault = point.fault.map(|fault| fault().nth(nth).reported_to(&project.place.report()));
        let mut child = project.start(setup, fault.as_ref())?;
        if fault.is_none() {
            kill_in_gate(&project, &mut child)?;
        }
        let ran = child.finish_within(LONG)?;
        if ran.was_killed() {
            reached.kills += 1;
        } else {
            ensure!(ran.is_done(), "a run failed: {ran:?}");
        }
    }
    let last = project.start(setup, None)?.finish_within(LONG)?.done().context("the last run")?;
    drop(last);
    project.check(project.tasks)?;
    let log = LogFile::read(&project.place.log())?;
    // Each task was delivered once, and each merge was recorded once, whoever recorded it.
    let mut merged: Vec<&str> = log.of_kind("merged").map(|record| text(&record["body"]["intent"])).collect();
    reached.acknowledged = merged.len() as u64;
    merged.sort_unstable();
    merged.dedup();
    ensure!(merged.len() as u64 >= project.tasks, "{} merges are recorded", merged.len());
    let tasks = project.place.json(["list", "--status", "completed"])?;
    ensure!(
        tasks.as_array().is_some_and(|tasks| tasks.len() as u64 == project.tasks),
        "not all are completed"
    );
    project.place.run(["doctor"])?.done()?;
    reached.torn = log.torn;
    Ok(reached)
}

/// Kills the run while its gate runs, once it has merged something.
fn kill_in_gate(project: &Project<'_>, child: &mut Child) -> Result<()> {
    let before = project.merged()?.len();
    while !child.has_ended()? {
        if project.merged()?.len() > before {
            let hit = project.place.meet().join("hit");
            let _ = std::fs::remove_file(&hit);
            std::fs::write(project.place.meet().join("kill"), "")?;
            while !hit.exists() && !child.has_ended()? {
                std::thread::sleep(Duration::from_millis(2));
            }
            if hit.exists() {
                child.kill();
            }
            break;
        }
        std::thread::sleep(Duration::from_millis(2));
    }
    Ok(())
}
