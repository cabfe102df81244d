//! One long rehearsal: a whole team in a repository, with everything that can happen to it, and at the end a look at what is
//! left, by git and by the checker that reads only the log.
//!
//! Only the models' words are scripted, from the seed. The human is `driver`: it talks, holds up, hands over, judges and
//! answers while the team runs, and kills the run. What each task does is in `plot`.

mod driver;
mod plot;

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use serde_json::{Value, json};

use self::driver::Driver;
use self::plot::Plot;
use crate::log_file::{LogFile, text};
use crate::place::Place;
use crate::rules::{self, Checked};
use crate::setup::{Report, Setup};

/// What must hold at every commit of the target.
const GATE: &str = "for file in done/*.txt; do test ! -e $file || grep -q '^ok' $file || exit 1; done; ! grep -qs '^[<>]' shared.txt";

/// The rules of which the log of a long rehearsal must show cases.
const MUST_BE_SEEN: [&str; 38] = [
    "records",
    "format",
    "settings",
    "batch",
    "edits",
    "members",
    "depth",
    "one-claim",
    "newest",
    "dependencies",
    "fit",
    "pause",
    "fencing",
    "stage",
    "renewal",
    "ends-once",
    "attempts",
    "delegates",
    "parts",
    "handed-out",
    "re-plans",
    "plan-first",
    "plan-text",
    "plan-newest",
    "plan-author",
    "approver",
    "own-work",
    "reviewer",
    "quorum",
    "rounds",
    "submission",
    "intent",
    "merged-once",
    "delivery",
    "budget",
    "settled-once",
    "limits",
    "files",
];

/// Does it with so many tasks.
///
/// # Errors
/// When anything does not come out as it should.
pub fn run(setup: &Setup, count: u64) -> Result<Report> {
    let plot = Plot::new(count, setup.seed);
    let place = Place::new(setup)?;
    std::fs::write(place.beside(".gitconfig"), "[user]\nname = Ursula\nemail = u@example.org\n")?;
    place.git(&["init", "-q", "-b", "main"])?;
    std::fs::write(place.team().join("README"), "A project.\n")?;
    std::fs::write(place.team().join("shared.txt"), "The list:\n")?;
    std::fs::write(place.team().join("team.toml"), plot.team(GATE, &place.beside("script.json")))?;
    place.git(&["add", "--all"])?;
    place.git(&["commit", "-q", "-m", "Start"])?;
    std::fs::write(place.beside("script.json"), plot.script().to_string())?;
    place.run(["init"])?.done()?;
    let begun = Instant::now();
    let driven = Driver::new(&place, &plot, setup.random(17)).drive()?;
    let seconds = begun.elapsed().as_secs_f64();
    let ended = all_ended(&place, &plot)?;
    let commits = history(&place)?;
    let checked = rules_hold(&place)?;
    let log = LogFile::read(&place.log())?;
    let of_kind = |kind: &str| log.of_kind(kind).count();
    let rejected = log.of_kind("plan_judged").filter(|record| record["body"]["approved"] == false).count();
    let sent_back = log.of_kind("review_given").filter(|record| record["body"]["approved"] == false).count();
    let line = format!(
        "{ended} tasks by {} agents, {commits} commits with a green gate, {} runs, {} killed, {} limits, {rejected} plans and \
         {sent_back} results sent back, {} messages, {} times steered, {} records, all rules hold",
        plot.agents(),
        driven.runs,
        driven.kills,
        of_kind("model_limited"),
        of_kind("message_sent"),
        driven.steered,
        checked.records,
    );
    eprintln!("  {line} ({seconds:.0} s)");
    for line in checked.lines() {
        eprintln!("  {line}");
    }
    Ok(Report::new(line)
        .with("tasks", ended)
        .with("agents", plot.agents())
        .with("commits", commits)
        .with("runs", driven.runs)
        .with("kills", driven.kills)
        .with("limits", of_kind("model_limited"))
        .with("plans_rejected", rejected)
        .with("results_sent_back", sent_back)
        .with("messages", of_kind("message_sent"))
        .with("steered", driven.steered)
        .with("records", checked.records)
        .with("team_seconds", seconds)
        .with("rules", checked.json()["rules"].clone()))
}

/// Every task is completed, but for the one that the human cancelled. Says how many there are.
fn all_ended(place: &Place<'_>, plot: &Plot) -> Result<u64> {
    let tasks = place.json(["list"])?;
    let tasks = tasks.as_array().context("a list of tasks")?;
    for task in tasks {
        let (id, status) = (text(&task["id"]), text(&task["status"]));
        let wanted = if id == plot::UNWANTED { "cancelled" } else { "completed" };
        ensure!(status == wanted, "{id} is {status}, and not {wanted}: {task}");
    }
    let all = tasks.len() as u64;
    ensure!(all >= plot.tasks(), "{all} tasks are there, and {} were wanted", plot.tasks());
    Ok(all)
}

/// Each task is on the target once, and the gate holds at every commit. Says how many there are.
fn history(place: &Place<'_>) -> Result<usize> {
    let format = "--format=%H %(trailers:key=Task,valueonly,separator=%x2C)";
    let log = place.git(&["log", "--first-parent", format, "main"])?;
    let commits: Vec<(&str, &str)> = log.lines().filter_map(|line| line.split_once(' ')).collect();
    let mut landed: BTreeMap<&str, u64> = BTreeMap::new();
    for (_, task) in commits.iter().filter(|(_, task)| !task.is_empty()) {
        *landed.entry(task).or_default() += 1;
    }
    for (task, times) in &landed {
        ensure!(*times == 1, "{task} is {times} times on main");
    }
    let merged: BTreeSet<String> = merged(place)?;
    let on_main: BTreeSet<String> = landed.keys().map(|task| (*task).to_owned()).collect();
    ensure!(merged == on_main, "the log says that {merged:?} are merged, and on main are {on_main:?}");
    let tree = place.beside("tree").display().to_string();
    place.git(&["worktree", "add", "-q", "--detach", &tree, "main"])?;
    for (commit, task) in &commits {
        place.git(&["-C", &tree, "checkout", "-q", commit])?;
        let mut gate = place.program("sh");
        gate.args(["-c", GATE]).current_dir(&tree);
        let green = gate.status().context("the gate")?.success();
        ensure!(green, "the gate is red at {commit} ({task})");
    }
    place.git(&["worktree", "remove", "--force", &tree])?;
    Ok(landed.len())
}

/// The tasks that the team says are merged.
fn merged(place: &Place<'_>) -> Result<BTreeSet<String>> {
    let tasks = place.json(["list"])?;
    let merged = tasks.as_array().into_iter().flatten().filter(|task| !task["merged"].is_null());
    Ok(merged.map(|task| text(&task["id"]).to_owned()).collect())
}

/// The checker holds, has seen what there is to see, and takes for void what the team takes for void.
fn rules_hold(place: &Place<'_>) -> Result<Checked> {
    let checked = rules::check(&place.log())?;
    ensure!(checked.holds(), "the log breaks rules: {:#?}", checked.breaches);
    let unseen: Vec<&str> = checked.unseen().filter(|rule| MUST_BE_SEEN.contains(rule)).collect();
    ensure!(unseen.is_empty(), "the log shows nothing of the rules {unseen:?}");
    let told = place.run(["log", "--json"])?.done()?;
    let records = told.stdout.lines().map(serde_json::from_str).collect::<Result<Vec<Value>, _>>()?;
    let void = records.iter().filter(|record| record["outcome"] == "void");
    let void: BTreeSet<String> = void.map(|record| text(&record["record"]["id"]).to_owned()).collect();
    ensure!(
        void == checked.without_effect,
        "the team and the checker do not agree on what took effect: {:?}",
        json!({"team": void, "checker": checked.without_effect})
    );
    place.run(["doctor"])?.done().context("doctor")?;
    Ok(checked)
}

/// How long one run may take.
const LONG: Duration = Duration::from_secs(2400);
