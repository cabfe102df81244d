//! A worker in a shell that is killed at a named point of a command: append, sync, acknowledge, blob, snapshot.
//!
//! In each round one worker does one task by commands, and the command that is meant is killed at the point. Then the
//! worker's own process dies too, and another worker goes on. The points of a whole run are in `points_run`.

use std::collections::BTreeMap;
use std::process::Command;
use std::thread;

use anyhow::{Context, Result, bail, ensure};

use super::points_run;
use crate::child::{Child, Ran};
use crate::fault::Fault;
use crate::log_file::{LogFile, text};
use crate::place::Place;
use crate::seeded::Seeded;
use crate::setup::{Report, Setup, in_parallel};
use crate::story;

/// A point: its name, the commands that come by it, and how it is reached.
struct Point {
    name: &'static str,
    verbs: &'static [&'static str],
    /// Whether texts must be long enough to be blobs.
    long: bool,
    fault: fn(kind: &str) -> Fault,
}

const ALL: &[&str] = &["add", "claim", "send", "complete"];
/// A claim promises nothing beyond the life of its process, so it is not synced.
const SYNCED: &[&str] = &["add", "send", "complete"];

const POINTS: &[Point] = &[
    Point {
        name: "append: before",
        verbs: ALL,
        long: false,
        fault: |kind| Fault::at("write", "kill-before").on_end("log.jsonl").holding(kind),
    },
    Point {
        name: "append: in the middle, at a 4 KiB offset",
        verbs: SYNCED,
        long: false,
        fault: |_| Fault::at("write", "torn").on_end("log.jsonl"),
    },
    Point {
        name: "append: after",
        verbs: ALL,
        long: false,
        fault: |kind| Fault::at("write", "kill-after").on_end("log.jsonl").holding(kind),
    },
    Point {
        name: "sync: before",
        verbs: SYNCED,
        long: false,
        fault: |_| Fault::at("sync", "kill-before").on_end("log.jsonl"),
    },
    Point {
        name: "sync: after",
        verbs: SYNCED,
        long: false,
        fault: |_| Fault::at("sync", "kill-after").on_end("log.jsonl"),
    },
    Point {
        name: "acknowledge: before the line on standard output",
        verbs: ALL,
        long: false,
        fault: |_| Fault::at("write", "kill-before").on("pipe:"),
    },
    Point {
        name: "acknowledge: after the line on standard output",
        verbs: ALL,
        long: false,
        fault: |_| Fault::at("write", "kill-after").on("pipe:"),
    },
    Point {
        name: "blob: half of the temporary file",
        verbs: SYNCED,
        long: true,
        fault: |_| Fault::at("write", "torn").on("/blobs/").on_end(".tmp"),
    },
    Point {
        name: "blob: temporary file written",
        verbs: SYNCED,
        long: true,
        fault: |_| Fault::at("write", "kill-after").on("/blobs/").on_end(".tmp"),
    },
    Point {
        name: "blob: before its rename",
        verbs: SYNCED,
        long: true,
        fault: |_| Fault::at("rename", "kill-before").on("/blobs/"),
    },
    Point {
        name: "blob: after its rename, before the folder is synced",
        verbs: SYNCED,
        long: true,
        fault: |_| Fault::at("rename", "kill-after").on("/blobs/"),
    },
    Point {
        name: "blob: after the folder is synced",
        verbs: SYNCED,
        long: true,
        // The folder of blobs for a new sub-folder, the temporary file, the sub-folder.
        fault: |_| Fault::at("sync", "kill-after").on("/blobs").nth(3),
    },
];

/// What one point came to.
#[derive(Default)]
pub(super) struct Reached {
    pub kills: u64,
    pub acknowledged: u64,
    pub torn: u64,
}

/// Kills `count` times at each point.
///
/// # Errors
/// When something that was promised does not hold, or a point is not reached.
pub fn run(setup: &Setup, count: u64) -> Result<Report> {
    let mut names: BTreeMap<&str, u64> = BTreeMap::new();
    let threads = thread::available_parallelism().map_or(2, usize::from);
    let points: Vec<&Point> = POINTS.iter().filter(|point| setup.wants(point.name)).collect();
    let commands = in_parallel(threads, points.len() as u64, "points: of commands", |number| {
        let point = points[usize::try_from(number)?];
        at_point(setup, point, count, setup.random(200 + number)).context(point.name)
    })?;
    let looks: Vec<&(&str, At)> = SNAPSHOTS.iter().filter(|(name, _)| setup.wants(name)).collect();
    let snapshots = in_parallel(threads, looks.len() as u64, "points: of snapshots", |number| {
        let (name, fault) = looks[usize::try_from(number)?];
        at_snapshot(setup, *fault, count).context(*name)
    })?;
    let merges: Vec<_> = points_run::POINTS.iter().filter(|point| setup.wants(point.name)).collect();
    let runs = in_parallel(threads, merges.len() as u64, "points: of runs", |number| {
        let point = merges[usize::try_from(number)?];
        points_run::at_point(setup, point, count).context(point.name)
    })?;
    let all = points.iter().map(|point| point.name).zip(commands);
    let all = all.chain(looks.iter().map(|(name, _)| *name).zip(snapshots));
    let all = all.chain(merges.iter().map(|point| point.name).zip(runs));
    let mut sum = Reached::default();
    for (name, reached) in all {
        names.insert(name, reached.kills);
        sum.kills += reached.kills;
        sum.acknowledged += reached.acknowledged;
        sum.torn += reached.torn;
        eprintln!("  points: {name}: {} kills", reached.kills);
    }
    let fewest = names.values().min().copied().unwrap_or_default();
    ensure!(fewest >= count, "a point was reached only {fewest} times");
    let line = format!(
        "{} kills at {} points, each at least {fewest} times; {} acknowledged records, 0 lost; {} torn records stepped \
         over; no task done twice, no commit twice, the gate green at every commit",
        sum.kills,
        names.len(),
        sum.acknowledged,
        sum.torn,
    );
    let mut report = Report::new(line).with("kills", sum.kills).with("acknowledged", sum.acknowledged);
    for (name, kills) in names {
        report = report.with(name, kills);
    }
    Ok(report)
}

/// One team, whose workers are killed at one point again and again.
struct Shell<'a> {
    place: Place<'a>,
    random: Seeded,
    /// What was acknowledged: ids of messages.
    sent: Vec<String>,
    /// What was acknowledged: task and token of a result.
    done: Vec<(String, String)>,
    reached: Reached,
}

fn at_point(setup: &Setup, point: &Point, count: u64, random: Seeded) -> Result<Reached> {
    let place = Place::with_team(setup)?;
    let mut shell = Shell { place, random, sent: Vec::new(), done: Vec::new(), reached: Reached::default() };
    for number in 0..count {
        let verb = point.verbs[usize::try_from(number)? % point.verbs.len()];
        shell.round(&format!("t{number}"), point, verb).with_context(|| format!("round {number}: {verb}"))?;
    }
    shell.check(count)
}

/// The kind of record that a verb writes.
fn kind(verb: &str) -> &'static str {
    match verb {
        "add" => "\"kind\":\"task_added\"",
        "claim" => "\"kind\":\"task_claimed\"",
        "send" => "\"kind\":\"message_sent\"",
        _ => "\"kind\":\"task_submitted\"",
    }
}

/// A process that a claim is tied to.
fn shell(place: &Place<'_>) -> Result<Child> {
    let mut command: Command = place.program("sleep");
    command.arg("600");
    Child::start(&mut command)
}

impl Shell<'_> {
    /// Runs a verb, and lets it die at the point if it is the one.
    fn run(&self, point: Option<&Point>, arguments: &[&str], input: &str) -> Result<Ran> {
        let Some(point) = point else { return self.place.run_under(None, arguments, input) };
        let fault = (point.fault)(kind(arguments[0])).reported_to(&self.place.report());
        let ran = self.place.run_under(Some(&fault), arguments, input)?;
        ensure!(fault.has_happened(), "the point was not reached: {ran:?}");
        ensure!(ran.was_killed(), "it was not killed: {ran:?}");
        Ok(ran)
    }

    fn round(&mut self, task: &str, point: &Point, victim: &str) -> Result<()> {
        // Long enough to cross a page of the log, or to be a blob.
        let length = if point.long { self.random.length(9 << 10, 60 << 10) } else { 4050 };
        let words = self.random.text(length);
        let at = |verb: &str| (verb == victim).then_some(point);

        let added = self.run(at("add"), &["add", "A task", "--id", task, "--description", "-"], &words)?;
        let known = added.stdout.trim() == task;
        let holder = shell(&self.place)?;
        let pid = holder.id().to_string();
        let mut token = String::new();
        if added.is_done() {
            let arguments = ["claim", task, "--as", "first", "--pid", &pid, "--json"];
            let claimed = self.run(at("claim"), &arguments, "")?;
            if let Some(seen) = claimed.json().ok().and_then(|json| Some(json["token"].as_str()?.to_owned()))
            {
                token = seen;
            }
            if claimed.is_done() {
                let message = format!("about {task}: {words}");
                let sent = self.run(at("send"), &["send", "harness", "-", "--from", "first"], &message)?;
                if !sent.stdout.trim().is_empty() {
                    self.sent.push(sent.stdout.trim().to_owned());
                }
                if sent.is_done() {
                    let result = format!("first {task} {words}");
                    let arguments = ["complete", task, "--as", "first", "--token", &token, "--result", "-"];
                    let done = self.run(at("complete"), &arguments, &result)?;
                    if !done.stdout.trim().is_empty() {
                        self.done.push((task.to_owned(), token.clone()));
                    }
                }
            }
        }
        self.reached.kills += 1;
        // The worker that ran the command is gone as well, so what it held is free at once.
        drop(holder);
        self.go_on(task, known, &words)
    }

    /// Another worker does what is left.
    fn go_on(&mut self, task: &str, known: bool, words: &str) -> Result<()> {
        let added = self.run(None, &["add", "A task", "--id", task, "--description", "-"], words)?;
        match added.code {
            Some(0) => ensure!(!known, "{task} was acknowledged and is not there"),
            Some(3) => {}
            _ => bail!("adding again is neither done nor refused: {added:?}"),
        }
        let holder = shell(&self.place)?;
        let pid = holder.id().to_string();
        let claimed = self.run(None, &["claim", task, "--as", "second", "--pid", &pid, "--json"], "")?;
        let acknowledged = self.done.iter().any(|(done, _)| done == task);
        match claimed.code {
            Some(0) => ensure!(!acknowledged, "{task} was done, and is given out again"),
            Some(3) => {
                let shown = self.place.json(["show", task])?;
                ensure!(shown["status"] == "completed", "{task} cannot be had at once: {claimed:?}");
                return Ok(());
            }
            _ => bail!("claiming again is neither done nor refused: {claimed:?}"),
        }
        let token = text(&claimed.json()?["token"]).to_owned();
        let result = format!("second {task}");
        let arguments = ["complete", task, "--as", "second", "--token", &token, "--result", "-"];
        self.run(None, &arguments, &result)?.done()?;
        self.done.push((task.to_owned(), token));
        Ok(())
    }

    fn check(mut self, count: u64) -> Result<Reached> {
        let log = LogFile::read(&self.place.log())?;
        let tasks = story::tell(&log);
        ensure!(tasks.len() as u64 == count, "{} tasks are in the log, and {count} were added", tasks.len());
        for (task, told) in &tasks {
            ensure!(told.results.len() == 1, "{task} has {} results", told.results.len());
        }
        for (task, token) in &self.done {
            let told = tasks.get(task).context("a task is lost")?;
            ensure!(
                told.results.first().is_some_and(|(claim, _)| claim == token),
                "{task} is done by another"
            );
        }
        let inbox = self.place.json(["inbox", "--as", "harness", "--peek"])?;
        let inbox = inbox.as_array().context("a list")?;
        for id in &self.sent {
            ensure!(log.of_kind("message_sent").any(|record| record["id"] == *id), "message {id} is lost");
            ensure!(inbox.iter().any(|message| message["id"] == *id), "message {id} does not arrive");
        }
        let listed = self.place.json(["list", "--status", "completed"])?;
        ensure!(listed.as_array().is_some_and(|tasks| tasks.len() as u64 == count), "not all are completed");
        for number in 0..count {
            // Texts that are blobs are read too.
            let shown = self.place.json(["show".to_owned(), format!("t{number}")])?;
            let result = text(&shown["result"]);
            ensure!(result.contains(&format!(" t{number}")), "the result of t{number} is {result:.40}");
        }
        self.place.run(["doctor"])?.done().context("the doctor finds a loss")?;
        self.reached.acknowledged = (self.sent.len() + self.done.len()) as u64 + count;
        self.reached.torn = log.torn;
        Ok(self.reached)
    }
}

type At = fn() -> Fault;

const SNAPSHOTS: &[(&str, At)] = &[
    ("snapshot: half of the temporary file", || Fault::at("write", "torn").on("/cache/").on_end(".tmp")),
    ("snapshot: temporary file written", || Fault::at("write", "kill-after").on("/cache/").on_end(".tmp")),
    ("snapshot: before its rename", || Fault::at("rename", "kill-before").on_end("/cache/snapshot")),
    ("snapshot: after its rename", || Fault::at("rename", "kill-after").on_end("/cache/snapshot")),
];

/// A team whose log is long enough for a snapshot, which the next look at it makes.
pub(super) fn long_team(setup: &Setup) -> Result<Place<'_>> {
    let place = Place::with_team(setup)?;
    let file = place.beside("tasks");
    // A snapshot is made of four thousand records and more; a file of tasks has its limits too.
    for first in [0_u32, 1_100, 2_200, 3_300] {
        let ids = first..first + 1_100;
        let lines = ids.map(|number| format!("{{\"id\":\"t{number}\",\"title\":\"Task {number}\"}}\n"));
        std::fs::write(&file, lines.collect::<String>())?;
        place.run(["add", "--file", &file.display().to_string()])?.done()?;
    }
    Ok(place)
}

fn at_snapshot(setup: &Setup, fault: At, count: u64) -> Result<Reached> {
    let place = long_team(setup)?;
    let before = place.run(["list", "--json"])?.done()?.stdout;
    let mut reached = Reached::default();
    for number in 0..count {
        // With a snapshot of an earlier round or without any.
        let _ = std::fs::remove_file(place.file("cache/snapshot"));
        let fault = fault().reported_to(&place.report());
        let ran = place.run_under(Some(&fault), ["list"], "")?;
        ensure!(
            fault.has_happened() && ran.was_killed(),
            "round {number}: the point was not reached: {ran:?}"
        );
        let after = place.run(["list", "--json"])?.done()?.stdout;
        ensure!(after == before, "round {number}: the team is another after the kill");
        reached.kills += 1;
    }
    place.run(["doctor"])?.done()?;
    Ok(reached)
}
