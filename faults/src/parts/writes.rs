//! The first, the second, the third, … write, sync, rename, open of a command that fails, or takes only a part, until the
//! command passes without coming by a fault: an error that says what happened, nothing acknowledged that is not so, and a
//! team that is sound for the next process.

use std::collections::BTreeMap;
use std::thread;

use anyhow::{Context, Result, bail, ensure};

use super::points::long_team;
use crate::child::Ran;
use crate::fault::Fault;
use crate::log_file::{LogFile, text};
use crate::place::Place;
use crate::setup::{Report, Setup, in_parallel};

const VERBS: &[&str] = &[
    "init",
    "add",
    "add with a blob",
    "claim",
    "complete with a blob",
    "send",
    "inbox",
    "status",
    "list with a snapshot",
];

/// Which calls fail how.
const FAULTS: &[(&str, &str)] = &[
    ("write", "fail:EIO"),
    ("write", "fail:ENOSPC"),
    ("write", "fail:EINTR"),
    ("write", "short:1"),
    ("write", "short:100"),
    ("sync", "fail:EIO"),
    ("sync", "fail:ENOSPC"),
    ("rename", "fail:EIO"),
    ("rename", "fail:ENOSPC"),
    ("link", "fail:EIO"),
    ("link", "fail:ENOSPC"),
    ("open", "fail:EIO"),
    ("open", "fail:ENOSPC"),
    ("mkdir", "fail:EIO"),
    ("mkdir", "fail:ENOSPC"),
];

/// More calls than any command makes.
const CALLS_MAX: u64 = 300;

/// What was seen.
#[derive(Debug, Default)]
struct Seen {
    faults: u64,
    errors: u64,
    done: u64,
}

/// Lets every call fail, `count` times over.
///
/// # Errors
/// When a failure is not told, or something acknowledged is lost.
pub fn run(setup: &Setup, count: u64) -> Result<Report> {
    let templates = templates(setup)?;
    let cases = (VERBS.len() * FAULTS.len() * 2) as u64;
    let threads = thread::available_parallelism().map_or(2, usize::from);
    let seen = in_parallel(threads, cases * count, "writes: cases", |number| {
        let number = usize::try_from(number % cases)?;
        let (verb, rest) = (VERBS[number % VERBS.len()], number / VERBS.len());
        let ((call, action), always) = (FAULTS[rest % FAULTS.len()], rest / FAULTS.len() == 1);
        // No system interrupts a call for ever.
        let case = Case { verb, call, action, always: always && action != "fail:EINTR" };
        every_call(setup, &templates, &case).with_context(|| {
            format!("{verb}: {call} {action}{}", if always { ", and all later ones" } else { "" })
        })
    })?;
    let mut all = Seen::default();
    for seen in seen {
        all.faults += seen.faults;
        all.errors += seen.errors;
        all.done += seen.done;
    }
    let line = format!(
        "{} faults at single calls of {} commands, each call in turn: {} clear errors, {} done all the same, 0 false \
         acknowledgements, 0 panics, every log sound afterwards",
        all.faults,
        VERBS.len(),
        all.errors,
        all.done
    );
    Ok(Report::new(line).with("faults", all.faults).with("errors", all.errors).with("done", all.done))
}

struct Case {
    verb: &'static str,
    call: &'static str,
    action: &'static str,
    always: bool,
}

/// The team before each command.
fn templates(setup: &Setup) -> Result<BTreeMap<&'static str, Place<'_>>> {
    let mut templates = BTreeMap::new();
    for verb in VERBS {
        let place = match *verb {
            "init" => Place::new(setup)?,
            "list with a snapshot" => long_team(setup)?,
            _ => {
                let place = Place::with_team(setup)?;
                place.run(["add", "A task", "--id", "held"])?.done()?;
                place.run(["add", "A task", "--id", "free"])?.done()?;
                place.run(["claim", "held", "--as", "a", "--lease", "1h"])?.done()?;
                place.run(["send", "harness", "an early message", "--from", "a"])?.done()?;
                place
            }
        };
        templates.insert(*verb, place);
    }
    Ok(templates)
}

/// The arguments of a verb, and what it reads.
fn arguments(verb: &str) -> (Vec<&'static str>, String) {
    let long = "long ".repeat(4000);
    let (line, input) = match verb {
        "init" => ("init", String::new()),
        "add" => ("add A --id new --description short", String::new()),
        "add with a blob" => ("add A --id new --description -", long),
        "claim" => ("claim free --as b --lease 1h --json", String::new()),
        "complete with a blob" => ("complete held --as a --result -", long),
        "send" => ("send harness hello --from a", String::new()),
        "inbox" => ("inbox --as harness", String::new()),
        "status" => ("status", String::new()),
        _ => ("list", String::new()),
    };
    (line.split(' ').collect(), input)
}

fn every_call(setup: &Setup, templates: &BTreeMap<&str, Place<'_>>, case: &Case) -> Result<Seen> {
    let template = templates.get(case.verb).context("a template")?;
    let mut seen = Seen::default();
    for number in 1..CALLS_MAX {
        let place = Place::new(setup)?;
        if template.log().exists() {
            Place::copy(&template.file(""), &place.file(""))?;
        }
        let fault = Fault::at(case.call, case.action).on("/.agent-team").nth(number);
        let fault = if case.always { fault.always() } else { fault }.reported_to(&place.report());
        let (arguments, input) = arguments(case.verb);
        let ran = place.run_under(Some(&fault), &arguments, &input)?;
        if !fault.has_happened() {
            ran.done().context("without a fault")?;
            return Ok(seen);
        }
        seen.faults += 1;
        judge(case, &ran)
            .and_then(|()| go_on(&place, case, &ran))
            .with_context(|| format!("call {number}"))?;
        if ran.is_done() {
            seen.done += 1;
        } else {
            seen.errors += 1;
        }
    }
    bail!("the command does not come to an end of its calls")
}

/// What the command said about the fault.
fn judge(case: &Case, ran: &Ran) -> Result<()> {
    ensure!(ran.signal.is_none() && !ran.stderr.contains("panicked"), "it broke down: {ran:?}");
    let once_interrupted = case.action == "fail:EINTR";
    match ran.code {
        Some(0) => Ok(()),
        Some(1) if !once_interrupted => {
            let error = ran.error();
            let told = error.starts_with("ERROR ") || error.starts_with("{\"error\":");
            ensure!(told && error.len() > 30, "the error is not clear: {ran:?}");
            // What is printed before it failed is no acknowledgement of anything that is not there; nothing is printed.
            // Messages are shown before it is noted that they were: they come again.
            ensure!(
                ran.stdout.is_empty() || case.verb == "inbox",
                "it failed, and printed an answer: {ran:?}"
            );
            Ok(())
        }
        _ => bail!("it ended with another code: {ran:?}"),
    }
}

/// The next process finds a sound team, and does what was not done.
fn go_on(place: &Place<'_>, case: &Case, before: &Ran) -> Result<()> {
    if case.verb == "init" {
        place.run(["init"])?.done()?;
        place.run(["add", "A"])?.done()?;
    }
    let (arguments, input) = arguments(case.verb);
    let again = place.run_under(None, &arguments, &input)?;
    match (case.verb, again.code) {
        (_, Some(0)) | ("add" | "add with a blob" | "claim" | "complete with a blob", Some(3)) => {}
        _ => bail!("it cannot be done afterwards: {again:?}"),
    }
    if before.is_done() && case.verb.starts_with("add") {
        ensure!(again.code == Some(3), "it was acknowledged, and could be added again");
    }
    let log = LogFile::read(&place.log())?;
    match case.verb {
        "add" => ensure!(place.json(["show", "new"])?["description"] == "short", "the task is another"),
        "add with a blob" => {
            ensure!(place.json(["show", "new"])?["description"] == input, "the description is another");
        }
        "claim" => ensure!(place.json(["show", "free"])?["agent"] == "b", "the claim is not there"),
        "complete with a blob" => {
            let shown = place.json(["show", "held"])?;
            ensure!(shown["status"] == "completed" && shown["result"] == input, "the result is another");
        }
        "send" => {
            let id = before.stdout.trim();
            let is_there = log.of_kind("message_sent").any(|record| text(&record["id"]) == id);
            ensure!(!before.is_done() || is_there, "the message was acknowledged and is not there");
        }
        _ => {}
    }
    if !matches!(case.verb, "init" | "list with a snapshot") {
        ensure!(log.of_kind("task_added").count() >= 2, "tasks are lost");
    }
    place.run(["doctor"])?.done().context("the doctor finds a loss")?;
    Ok(())
}
