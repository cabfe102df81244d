//! The sweeper: a small program that ends what this process leaves running when it is killed.
//!
//! Nobody can do anything in the moment of a `kill -9`. Where commands have a process namespace the kernel ends them; elsewhere they
//! would work on until somebody comes and [ends them](super::end_all). So a process that starts such commands has a sweeper beside it,
//! which is told of each by a pipe, hears when the pipe breaks off, and ends what is left then. It is started for the first such
//! command, and ends by itself.

use std::collections::BTreeMap;
use std::io::{self, BufRead, PipeWriter, Write};
use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::sync::{Mutex, OnceLock, PoisonError};

use super::straggler::{Mark, end_all};

/// The argument by which the program knows what it is to do.
const VERB: &str = "sweep";

static SWEEPER: OnceLock<Sweeper> = OnceLock::new();

/// Has this process swept up after when it is killed. `program` is one whose `sweep` calls [`sweep`]: the command `agent-team`. What
/// is said first holds.
pub fn sweep_with(program: impl Into<PathBuf>) {
    let _ = SWEEPER.set(Sweeper { program: program.into(), pipe: Mutex::new(Pipe::NotYet) });
}

/// That of this process.
struct Sweeper {
    program: PathBuf,
    pipe: Mutex<Pipe>,
}

enum Pipe {
    NotYet,
    To(PipeWriter),
    /// It cannot be started, or has ended: whoever comes next ends what is left.
    Broken,
}

/// A command that the sweeper knows of, until this is dropped.
#[derive(Debug)]
pub(super) struct Known(Mark);

impl Known {
    /// Tells the sweeper of a command, if there is one, before that begins.
    pub fn to_sweeper(mark: &Mark) -> Option<Self> {
        SWEEPER.get()?.tell(&format!("+{mark}"));
        Some(Self(mark.clone()))
    }
}

impl Drop for Known {
    fn drop(&mut self) {
        if let Some(sweeper) = SWEEPER.get() {
            sweeper.tell(&format!("-{}", self.0));
        }
    }
}

impl Sweeper {
    fn tell(&self, line: &str) {
        let mut pipe = self.pipe.lock().unwrap_or_else(PoisonError::into_inner);
        if let Pipe::NotYet = *pipe {
            *pipe = self.start().map_or(Pipe::Broken, Pipe::To);
        }
        if let Pipe::To(open) = &mut *pipe
            && writeln!(open, "{line}").is_err()
        {
            *pipe = Pipe::Broken;
        }
    }

    /// Starts it: apart from what a terminal sends to this process, and without a mark by which somebody would end it.
    fn start(&self) -> io::Result<PipeWriter> {
        let (theirs, ours) = io::pipe()?;
        let mut command = Command::new(&self.program);
        command.arg(VERB).env_clear().current_dir("/").process_group(0);
        command.stdin(theirs).stdout(Stdio::null()).stderr(Stdio::null());
        let mut child = command.spawn()?;
        // Whoever waits for nobody leaves a zombie, for as long as this process is there.
        std::thread::spawn(move || child.wait());
        Ok(ours)
    }
}

/// Hears of commands until whoever tells of them is no more, and ends those that are left. Blocks.
///
/// # Errors
/// When nothing can be read.
pub fn sweep(told: impl BufRead) -> io::Result<()> {
    let mut known: BTreeMap<String, Mark> = BTreeMap::new();
    for line in told.lines() {
        let line = line?;
        let Some((sign, mark)) = line.split_at_checked(1) else { continue };
        match (sign, Mark::parse(mark)) {
            ("+", Some(parsed)) => drop(known.insert(mark.to_owned(), parsed)),
            ("-", _) => drop(known.remove(mark)),
            _ => {}
        }
    }
    if !known.is_empty() {
        end_all(|process, environment| known.values().any(|mark| mark.is_on(process, environment)));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_told_of_and_not_taken_back_is_ended() {
        let [left, ended] = [(); 2].map(|()| Mark::new(None));
        let start = |mark: &Mark| {
            let mut command = Command::new("sleep");
            command.arg("600").env_clear().env(super::super::MARK_VARIABLE, mark.value());
            command.spawn().unwrap()
        };
        let (mut one, mut other) = (start(&left), start(&ended));
        let told = format!("+{left}\n+{ended}\nnonsense\n\n-{ended}\n");
        sweep(told.as_bytes()).unwrap();
        assert!(one.wait().unwrap().code().is_none(), "it was killed");
        assert!(other.try_wait().unwrap().is_none());
        other.kill().unwrap();
        other.wait().unwrap();
    }
}
