//! The log that is deleted, cut off, replaced or written over while processes read and write it; folders that cannot be
//! written; and file systems that do not append.

use std::fs;
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use serde_json::json;

use crate::child::{Child, Ran};
use crate::fault::Fault;
use crate::place::Place;
use crate::setup::{Report, Setup};

const LONG: Duration = Duration::from_secs(30);
/// Nobody, to whom a folder of root's is closed.
const NOBODY: u32 = 65_534;

/// What is done to the log, and the words of which each error has one.
struct Harm {
    name: &'static str,
    words: &'static [&'static str],
    act: fn(log: &Path, other: &Path) -> Result<()>,
}

const HARMS: &[Harm] = &[
    Harm {
        name: "deleted",
        words: &["deleted or moved", "no log", "no team"],
        act: |log, _| Ok(fs::remove_file(log)?),
    },
    Harm {
        name: "moved away",
        words: &["deleted or moved", "no log", "no team"],
        act: |log, _| Ok(fs::rename(log, log.with_file_name("elsewhere"))?),
    },
    Harm {
        name: "cut off",
        words: &["cut off"],
        act: |log, _| {
            let file = fs::OpenOptions::new().write(true).open(log)?;
            Ok(file.set_len(file.metadata()?.len() / 2)?)
        },
    },
    Harm { name: "emptied", words: &["cut off"], act: |log, _| Ok(fs::write(log, "")?) },
    Harm { name: "replaced by another", words: &["replaced"], act: |log, other| Ok(fs::rename(other, log)?) },
    Harm {
        name: "replaced by its own copy",
        words: &["replaced"],
        act: |log, other| {
            fs::copy(log, other)?;
            Ok(fs::rename(other, log)?)
        },
    },
    Harm {
        name: "written over by a shorter one",
        words: &["cut off", "replaced"],
        act: |log, other| {
            let bytes = fs::read(other)?;
            let size = usize::try_from(fs::metadata(log)?.len())?;
            let end = bytes.iter().take(size - 1).rposition(|byte| *byte == b'\n').unwrap_or(0);
            Ok(fs::write(log, &bytes[..=end])?)
        },
    },
    Harm {
        name: "written over by a longer one",
        words: &["corrupt", "replaced", "cut off"],
        act: |log, other| Ok(fs::write(log, fs::read(other)?)?),
    },
    Harm {
        name: "written over by one of the same size",
        words: &["corrupt", "replaced", "cut off"],
        act: |log, other| {
            let size = usize::try_from(fs::metadata(log)?.len())?;
            let mut bytes = fs::read(other)?;
            bytes.truncate(size - 1);
            // What is missing to the last line's end is a torn record.
            bytes.push(b'\n');
            // In place and in one piece, so that no reader sees it shorter.
            Ok(std::os::unix::fs::FileExt::write_all_at(
                &fs::OpenOptions::new().write(true).open(log)?,
                &bytes,
                0,
            )?)
        },
    },
];

/// Network file systems, as statfs(2) numbers them.
const NETWORKS: &[(&str, u32)] =
    &[("NFS", 0x6969), ("9p", 0x0102_1997), ("CIFS", 0xFF53_4D42), ("SMB2", 0xFE53_4D42)];

/// Does all of it `count` times.
///
/// # Errors
/// When an error is not clear, or the wrong file is written.
pub fn run(setup: &Setup, count: u64) -> Result<Report> {
    let mut errors = 0;
    for round in 0..count {
        for harm in HARMS.iter().filter(|harm| setup.wants(harm.name)) {
            errors +=
                harmed(setup, harm).with_context(|| format!("round {round}: the log is {}", harm.name))?;
        }
    }
    let read_only =
        if setup.wants("read-only") { read_only(setup).context("a read-only folder")? } else { 0 };
    networks(setup)?;
    let line = format!(
        "{} harms to a log in use, {count} times: {errors} readers and writers each with an error that names it, 0 bytes \
         written into the wrong file; {read_only} verbs on a read-only folder; {} network file systems refused by name \
         (the kernel's answer to fstatfs replaced; none can be mounted without a server)",
        HARMS.len(),
        NETWORKS.len()
    );
    Ok(Report::new(line).with("harms", HARMS.len()).with("errors", errors).with("read_only_verbs", read_only))
}

/// A team with every kind of long-lived process at its log. Its one task waits for another that a shell holds, so that all
/// of them wait.
fn harmed(setup: &Setup, harm: &Harm) -> Result<u64> {
    let place = Place::with_team(setup)?;
    place.git(&["init", "-q", "-b", "main"])?;
    let ursula = ["-c", "user.name=Ursula", "-c", "user.email=u@example.org"];
    place.git(&[&ursula[..], &["commit", "-q", "--allow-empty", "-m", "Start"]].concat())?;
    let script = json!({"rules": [{"give": {"text": "Done.", "delay_ms": 600_000}}]});
    fs::write(place.beside("script.json"), script.to_string())?;
    place.run(["add", "A", "--id", "held"])?.done()?;
    place.run(["add", "B", "--id", "waits", "--after", "held"])?.done()?;
    place.run(["claim", "held", "--as", "shell", "--lease", "1h"])?.done()?;
    let model = format!("script:{}", place.beside("script.json").display());
    let mut waiting = vec![
        ("claim --wait", Child::start(&mut place.command(["claim", "--as", "w", "--wait"]))?),
        ("log --follow", Child::start(&mut place.command(["log", "--follow"]))?),
        (
            "run",
            Child::start(&mut place.command(["run", "--with", &model, "--no-gate", "--timeout", "10m"]))?,
        ),
    ];
    // Each has read the log when the run has begun and the waiting agent has joined.
    let begun = Instant::now();
    loop {
        let log = fs::read_to_string(place.log())?;
        if log.contains("\"kind\":\"run_started\"")
            && log.contains("\"agent\":\"w\"")
            && log.contains("worker-1")
        {
            break;
        }
        for index in 0..waiting.len() {
            let (name, child) = &mut waiting[index];
            let name = *name;
            if child.has_ended()? {
                bail!(
                    "{name} does not wait: {:?}",
                    Some(waiting.swap_remove(index)).map(|(_, child)| child.finish())
                );
            }
        }
        ensure!(begun.elapsed() < LONG, "they do not begin: {log}");
        std::thread::sleep(Duration::from_millis(5));
    }
    // What they have begun to write is written: whoever looked just before the harm may still append one record.
    let (mut size, mut since) = (0, Instant::now());
    while since.elapsed() < Duration::from_millis(500) {
        let now = fs::metadata(place.log())?.len();
        if now != size {
            (size, since) = (now, Instant::now());
        }
        std::thread::sleep(Duration::from_millis(5));
    }
    for (name, child) in &mut waiting {
        ensure!(!child.has_ended()?, "{name} does not wait");
    }

    let other = Place::with_team(setup)?;
    let lines = (0..200).map(|number| format!("{{\"title\":\"Another {number}\"}}\n"));
    fs::write(other.beside("tasks"), lines.collect::<String>())?;
    other.run(["add", "--file", &other.beside("tasks").display().to_string()])?.done()?;
    let copy = place.beside("other.jsonl");
    fs::copy(other.log(), &copy)?;
    (harm.act)(&place.log(), &copy)?;
    let after = fs::read(place.log()).ok();

    let mut errors = 0;
    for (name, child) in waiting {
        let ran = child.finish_within(LONG).context(name)?;
        clear(&ran, harm.words).context(name)?;
        errors += 1;
    }
    let now = fs::read(place.log()).ok();
    ensure!(now == after, "something was written to what lies in the log's place");
    Ok(errors)
}

/// Whether a command failed with an error that has one of the words.
fn clear(ran: &Ran, words: &[&str]) -> Result<()> {
    ensure!(
        matches!(ran.code, Some(1 | 2)) && !ran.stderr.contains("panicked"),
        "it did not fail as it should: {ran:?}"
    );
    let line = ran
        .stderr
        .lines()
        .find(|line| line.starts_with("ERROR "))
        .with_context(|| format!("no error: {ran:?}"))?;
    ensure!(words.iter().any(|word| line.contains(word)), "the error does not say what happened: {line}");
    Ok(())
}

/// A team whose folder cannot be written. Gives how many verbs were tried.
fn read_only(setup: &Setup) -> Result<u64> {
    let place = Place::with_team(setup)?;
    place.run(["add", "A", "--id", "one", "--description", &"long ".repeat(2000)])?.done()?;
    place.run(["add", "B", "--id", "two"])?.done()?;
    let mut holder = place.program("sleep");
    let mut holder = Child::start(holder.arg("600"))?;
    place.run(["claim", "two", "--as", "w", "--pid", &holder.id().to_string()])?.done()?;
    place.run(["send", "w", "hello"])?.done()?;
    // What it holds is to be taken back, which cannot be written.
    holder.kill();
    let root = rustix::process::geteuid().is_root();
    let binary = place.beside("agent-team");
    fs::copy(&setup.agent_team, &binary)?;
    let _restored = Restored::new(&place, root)?;
    let run = |arguments: &[&str]| -> Result<Ran> {
        let mut command: Command = place.program(&binary);
        command.args(arguments);
        if root {
            std::os::unix::process::CommandExt::uid(&mut command, NOBODY);
        }
        Child::start(&mut command)?.finish()
    };
    let mut tried = 0;
    for verb in [
        &["list"][..],
        &["show", "one"],
        &["status"],
        &["log"],
        &["doctor"],
        &["inbox", "--as", "w", "--peek"],
        &["inbox", "--as", "human", "--sent"],
    ] {
        run(verb)?.done().with_context(|| format!("{verb:?} only reads"))?;
        tried += 1;
    }
    for verb in [
        &["add", "C"][..],
        &["claim", "--as", "v"],
        &["send", "w", "hello"],
        &["complete", "two", "--as", "w", "--result", "x"],
        &["inbox", "--as", "w"],
        &["cancel", "one"],
    ] {
        let ran = run(verb)?;
        clear(&ran, &["Permission denied", "read-only", "for reading only", "Read-only"])
            .with_context(|| format!("{verb:?}"))?;
        tried += 1;
    }
    Ok(tried)
}

/// A team's folder that nobody may write, until this goes.
struct Restored<'a>(&'a Place<'a>);

impl<'a> Restored<'a> {
    fn new(place: &'a Place<'a>, root: bool) -> Result<Self> {
        if root {
            set_mode(&place.beside(""), 0o755)?;
        }
        for folder in ["", "presence", "cache", "blobs"] {
            set_mode(&place.file(folder), 0o555)?;
        }
        set_mode(&place.team(), 0o555)?;
        set_mode(&place.log(), 0o444)?;
        set_mode(&place.file("log.jsonl.lock"), 0o444)?;
        Ok(Self(place))
    }
}

impl Drop for Restored<'_> {
    fn drop(&mut self) {
        for folder in ["", "presence", "cache", "blobs"] {
            let _ = set_mode(&self.0.file(folder), 0o755);
        }
        let _ = set_mode(&self.0.team(), 0o755);
    }
}

fn set_mode(path: &Path, mode: u32) -> Result<()> {
    Ok(fs::set_permissions(path, std::os::unix::fs::PermissionsExt::from_mode(mode))?)
}

/// File systems on which appends of several machines overwrite each other.
fn networks(setup: &Setup) -> Result<()> {
    if !cfg!(target_arch = "x86_64") {
        bail!("the kernel's answer can be replaced on x86-64 alone");
    }
    for (name, magic) in NETWORKS.iter().filter(|(name, _)| setup.wants(name)) {
        let fault = Fault::file_system(*magic);
        let place = Place::new(setup)?;
        let made = place.run_under(Some(&fault), ["init"], "")?;
        clear(&made, &[name]).context("making a team")?;
        ensure!(!place.log().exists(), "a log was made on {name}");
        place.run(["init"])?.done()?;
        let before = fs::read(place.log())?;
        for verb in [&["add", "A"][..], &["list"], &["claim", "--as", "w"]] {
            let ran = place.run_under(Some(&fault), verb, "")?;
            clear(&ran, &[name]).with_context(|| format!("{verb:?} on {name}"))?;
        }
        ensure!(fs::read(place.log())? == before, "something was written on {name}");
    }
    let fuse = Place::with_team(setup)?;
    let ran = fuse.run_under(Some(&Fault::file_system(0x6573_5546)), ["doctor"], "")?.done()?;
    ensure!(ran.stdout.contains("FUSE"), "the doctor does not warn of FUSE: {}", ran.stdout);
    Ok(())
}
