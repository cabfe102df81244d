//! The rehearsals of `rehearsals/`: one for each behaviour of a team, through the real command, with scripted models.
//!
//! A rehearsal is a folder: what lies in it is committed into a new repository, and `steps`, which nobody commits, is what a
//! person would type there. At the end of each the checker reads its log.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};

use crate::child::Child;
use crate::place::Place;
use crate::rules;
use crate::setup::{Report, Setup, in_parallel};

/// How long one may take.
const LONG: Duration = Duration::from_secs(120);

/// Does all of them, or those whose name holds what is asked for.
///
/// # Errors
/// When one does not go as its steps say.
pub fn run(setup: &Setup, count: u64) -> Result<Report> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../rehearsals");
    let mut all = Vec::new();
    for entry in std::fs::read_dir(&folder).with_context(|| format!("cannot read {}", folder.display()))? {
        let path = entry?.path();
        let name = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
        if path.join("steps").is_file() && setup.wants(&name) {
            all.push((name, path));
        }
    }
    all.sort();
    for program in ["bash", "jq"] {
        let is_there = Command::new(program).arg("--version").stdout(Stdio::null()).status();
        ensure!(is_there.is_ok(), "steps need {program}: install it, as by `apt-get install {program}`");
    }
    ensure!(!all.is_empty(), "there is no such rehearsal in {}", folder.display());
    let many = all.len() as u64;
    let records = in_parallel(2, many * count, "rehearsals", |number| {
        let (name, path) = &all[usize::try_from(number % many)?];
        one(setup, path, &folder).with_context(|| format!("the rehearsal {name}"))
    })?;
    let names: Vec<&str> = all.iter().map(|(name, _)| name.as_str()).collect();
    let records: usize = records.iter().sum();
    let line = format!("{many} behaviours hold, {records} records: {}", names.join(", "));
    Ok(Report::new(line).with("rehearsals", names).with("records", records))
}

/// Does one, and says how many records its log has.
fn one(setup: &Setup, from: &Path, all: &Path) -> Result<usize> {
    let place = Place::new(setup)?;
    let begun = Instant::now();
    Place::copy(from, &place.team())?;
    let steps = place.beside("steps");
    std::fs::rename(place.team().join("steps"), &steps)?;
    std::fs::write(place.beside(".gitconfig"), "[user]\nname = Ursula\nemail = u@example.org\n")?;
    place.git(&["init", "-q", "-b", "main"])?;
    place.git(&["add", "--all"])?;
    place.git(&["commit", "-q", "-m", "Start"])?;
    place.run(["init"])?.done()?;
    let mut command = place.program("bash");
    command.args(["-euo", "pipefail", "-c", "source \"$0\"; source \"$1\""]);
    command.args([&all.join("words.sh"), &steps]).env("PATH", with_programs(setup)?);
    let ran = Child::start(&mut command)?.finish_within(LONG)?;
    let words = ran.stderr.trim();
    ensure!(ran.is_done(), "it went otherwise than its steps say ({:?}): {words}", ran.code);
    let checked = rules::check(&place.log())?;
    ensure!(checked.holds(), "the log breaks rules: {:?}", checked.breaches);
    eprintln!("  {} ({} ms)", from.display(), begun.elapsed().as_millis());
    Ok(checked.records)
}

/// The search path, with the programs under test before all others.
fn with_programs(setup: &Setup) -> Result<std::ffi::OsString> {
    let own = |program: &Path| program.parent().map(Path::to_owned).unwrap_or_default();
    let path = std::env::var_os("PATH").unwrap_or_else(|| "/usr/local/bin:/usr/bin:/bin".into());
    let folders: Vec<PathBuf> =
        [own(&setup.agent_team), own(&setup.own)].into_iter().chain(std::env::split_paths(&path)).collect();
    Ok(std::env::join_paths(folders)?)
}
