//! One bit after the other that flips in a team's files: what is read then is either what was there, or an error.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use agent_team::{AgentId, ClaimOptions, Durability, Holder, MessageBus, Recipient};
use agent_team::{Diagnosis, NewTask, SnapshotHealth, TaskQueue, TeamFolder, TeamLog};
use agent_team_core::machine::State;
use anyhow::{Context, Result, bail, ensure};

use crate::child::Child;
use crate::place::Place;
use crate::seeded::Seeded;
use crate::setup::{Progress, Report, Setup};

/// One flip in so many is shown to the command too.
const FLIPS_PER_COMMAND: u64 = 20;

/// Flips `count` bits, one at a time.
///
/// # Errors
/// When one is believed, or not told.
pub fn run(setup: &Setup, count: u64) -> Result<Report> {
    let mut random = setup.random(500);
    let place = Place::with_team(setup)?;
    let living = team(&place, &mut random)?;
    let sound = look(&place)?.context("the team is sound before any flip")?;
    let files = files(&place)?;
    let progress = Progress::new("bits:", count);
    let mut seen: BTreeMap<&str, (u64, u64)> = BTreeMap::new();
    for number in 0..count {
        // Every kind of file as often as the others, and within it every byte.
        let (kind, of_kind) = files.iter().nth(random.index(files.len())).context("files")?;
        let file = of_kind.get(random.index(of_kind.len())).context("a file")?;
        let bytes = fs::read(file)?;
        let bit = random.below(bytes.len() as u64 * 8);
        flip(file, &bytes, bit)?;
        let with_command = number % FLIPS_PER_COMMAND == 0;
        let detected = judge(&place, kind, &sound, with_command)
            .with_context(|| format!("flip {number}: bit {bit} of {}", file.display()));
        fs::write(file, &bytes)?;
        let counts = seen.entry(*kind).or_default();
        if detected? {
            counts.0 += 1;
        } else {
            counts.1 += 1;
        }
        progress.step();
    }
    let at_the_end = look(&place)?.context("the team cannot be read at the end")?;
    ensure!(
        at_the_end == sound,
        "the flips left something behind: {}",
        difference(&sound.state, &at_the_end.state)
    );
    drop(living);
    let told = |(kind, (detected, harmless)): (&&str, &(u64, u64))| format!("{kind} {detected}/{harmless}");
    let each = seen.iter().map(told).collect::<Vec<_>>().join(", ");
    let detected: u64 = seen.values().map(|(detected, _)| detected).sum();
    let line = format!(
        "{count} flipped bits: {detected} told by the doctor and by reading, {} harmless as the state is the same \
         without what was flipped, 0 believed ({each})",
        count - detected
    );
    Ok(Report::new(line).with("flips", count).with("detected", detected).with("harmless", count - detected))
}

/// Where two texts begin to differ.
fn difference(one: &str, other: &str) -> String {
    let at =
        one.bytes().zip(other.bytes()).take_while(|(one, other)| one == other).count().saturating_sub(60);
    let part = |text: &str| {
        String::from_utf8_lossy(text.as_bytes().get(at..).unwrap_or_default())
            .chars()
            .take(120)
            .collect::<String>()
    };
    format!("`{}` and `{}`", part(one), part(other))
}

fn flip(file: &Path, bytes: &[u8], bit: u64) -> Result<()> {
    let mut flipped = bytes.to_vec();
    let byte = flipped.get_mut(usize::try_from(bit / 8)?).context("a byte")?;
    *byte ^= 1 << (bit % 8);
    Ok(fs::write(file, flipped)?)
}

/// A team with all that can be there: a snapshot and records after it, blobs, leases, a process that is present.
fn team(place: &Place<'_>, random: &mut Seeded) -> Result<Child> {
    let folder = TeamFolder::of(&place.team());
    let log = TeamLog::open_or_create(&folder, Durability::Process)?;
    let queue = TaskQueue::over(log.clone());
    let by = AgentId::human();
    let many: Vec<NewTask> =
        (0..2200).map(|number| NewTask::new(format!("Task {number}")).id(format!("m{number}"))).collect();
    queue.add_tasks(&by, &many)?;
    let worker: AgentId = "worker".parse()?;
    let lease = Arc::new(Holder { lease_ms: Some(3_600_000), ..Holder::default() });
    let mut done = 0;
    while log.look(State::records)? < 4_150 {
        let options = ClaimOptions { task: None, holder: Some(lease.clone()) };
        let claimed = queue.claim(&worker, &options)?;
        let length = if done < 8 { 5_000 + done * 1_000 } else { random.length(10, 300) };
        queue.complete(claimed.token, &worker, random.text(length), None, Vec::new())?;
        done += 1;
    }
    let bus = MessageBus::over(log.clone());
    for _ in 0..10 {
        let length = random.length(100, 9_000);
        bus.send(&worker, Recipient::Everyone, random.text(length))?;
    }
    for _ in 0..3 {
        queue.claim(&worker, &ClaimOptions { task: None, holder: Some(lease.clone()) })?;
    }
    // The last who has the log waits for the thread that writes the snapshot.
    drop((queue, bus, log));
    ensure!(folder.cache().join("snapshot").is_file(), "there is no snapshot");
    // Present for as long as the test lasts.
    let team = place.team().display().to_string();
    let arguments = [
        "--team",
        &team,
        "--name",
        "holder",
        "--life",
        "0",
        "--seed",
        "1",
        "--mode",
        "hold",
        "--lease-ms",
        "3600000",
    ];
    let mut child = Child::start(&mut place.worker(&arguments))?;
    child.tell("claim m2199")?;
    let begun = std::time::Instant::now();
    while place.json(["show", "m2199"])?["agent"] != "holder" {
        ensure!(begun.elapsed().as_secs() < 30, "nobody claims");
        std::thread::sleep(std::time::Duration::from_millis(5));
    }
    // It renews its claim, which would change what is compared.
    child.signal(rustix::process::Signal::STOP);
    child.until_stopped(std::time::Duration::from_secs(10))?;
    place.run(["status"])?.done()?;
    Ok(child)
}

/// The team's files, by kind.
fn files(place: &Place<'_>) -> Result<BTreeMap<&'static str, Vec<PathBuf>>> {
    let mut blobs = Vec::new();
    for folder in fs::read_dir(place.file("blobs"))? {
        for blob in fs::read_dir(folder?.path())? {
            blobs.push(blob?.path());
        }
    }
    let mut presence = Vec::new();
    for file in fs::read_dir(place.file("presence"))? {
        presence.push(file?.path());
    }
    ensure!(!blobs.is_empty() && !presence.is_empty(), "not every kind of file is there");
    let mut files = BTreeMap::from([("blobs", blobs), ("presence", presence)]);
    for (kind, name) in [("log", "log.jsonl"), ("snapshot", "cache/snapshot"), ("observed", "cache/observed")]
    {
        ensure!(place.file(name).is_file(), "{name} is not there");
        files.insert(kind, vec![place.file(name)]);
    }
    Ok(files)
}

/// What is seen of a team.
#[derive(Debug, PartialEq, Eq)]
struct Seen {
    /// Its state, and every text in full.
    state: String,
    /// Who lives, as the doctor finds out, who folds the log as far as it is sound.
    holders: String,
}

/// All that can be read of the team, texts in full, or `None` if something cannot be read.
fn look(place: &Place<'_>) -> Result<Option<Seen>> {
    let folder = TeamFolder::of(&place.team());
    let Ok(log) = TeamLog::open(&folder) else { return Ok(None) };
    let queue = TaskQueue::over(log.clone());
    let Ok(tasks) = queue.list_tasks() else { return Ok(None) };
    let mut all = serde_json::to_string(&tasks)?;
    for task in &tasks {
        for text in std::iter::once(&task.description).chain(&task.result) {
            match log.read_text(text) {
                Ok(text) => all.push_str(&text),
                Err(_) => return Ok(None),
            }
        }
    }
    let Ok(messages) = MessageBus::over(log.clone()).unread(&"reader".parse()?) else { return Ok(None) };
    all.push_str(&serde_json::to_string(&messages)?);
    let Ok(state) = log.look(State::fingerprint) else { return Ok(None) };
    all.push_str(&state.to_string());
    let holders = serde_json::to_string(&Diagnosis::of(&folder)?.holders)?;
    Ok(Some(Seen { state: all, holders }))
}

/// Whether a flip is told. If not, nothing may be different.
fn judge(place: &Place<'_>, kind: &str, sound: &Seen, with_command: bool) -> Result<bool> {
    let diagnosis = Diagnosis::of(&TeamFolder::of(&place.team()))?;
    let told = !diagnosis.is_sound();
    let read = look(place)?;
    if with_command {
        let doctor = place.run(["doctor"])?;
        ensure!(doctor.code == Some(i32::from(told)), "the command's doctor says otherwise: {doctor:?}");
        let list = place.run(["list"])?;
        ensure!(list.is_done() || (kind == "log" && list.code == Some(1)), "{list:?}");
    }
    match (kind, read) {
        ("log" | "blobs", None) => {
            ensure!(told, "reading fails, and the doctor finds nothing");
            Ok(true)
        }
        // A log before its snapshot is not read again, so what is seen is what was there before the flip.
        ("log", Some(read)) => {
            ensure!(told, "the doctor finds nothing");
            ensure!(read.state == sound.state, "it is believed: {}", difference(&sound.state, &read.state));
            Ok(true)
        }
        ("blobs", Some(_)) => bail!("it is believed"),
        (_, None) => bail!("a cache that is damaged keeps the team from being read"),
        (_, Some(read)) => {
            let what = "the state is another: what was flipped was believed";
            ensure!(read.state == sound.state, "{what}: {}", difference(&sound.state, &read.state));
            ensure!(read.holders == sound.holders, "{what}: {}", difference(&sound.holders, &read.holders));
            ensure!(!told, "nothing is lost, and the doctor says so");
            let ignored = kind == "snapshot";
            ensure!(
                !ignored || diagnosis.snapshot == SnapshotHealth::Ignored,
                "the doctor takes the snapshot for {:?}",
                diagnosis.snapshot
            );
            // A snapshot that is not believed is told as such.
            Ok(ignored)
        }
    }
}
