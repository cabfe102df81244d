//! A process under test: killed and waited for when its guard goes.

use std::io::{Read, Write};
use std::os::unix::process::ExitStatusExt;
use std::process::{Command, ExitStatus, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use rustix::process::Signal;

use crate::cleanup;

/// A process that was started here.
pub struct Child {
    child: std::process::Child,
    output: Option<thread::JoinHandle<Vec<u8>>>,
    errors: Option<thread::JoinHandle<Vec<u8>>>,
    status: Option<ExitStatus>,
}

/// What one run of a program came to.
#[derive(Debug, Clone)]
pub struct Ran {
    /// The exit code; `None` if a signal ended it.
    pub code: Option<i32>,
    /// The signal that ended it.
    pub signal: Option<i32>,
    /// Standard output.
    pub stdout: String,
    /// Standard error.
    pub stderr: String,
}

impl Ran {
    /// Whether it was killed by `kill -9`.
    #[must_use]
    pub fn was_killed(&self) -> bool {
        self.signal == Some(9)
    }

    /// Whether it ended as it should.
    #[must_use]
    pub fn is_done(&self) -> bool {
        self.code == Some(0)
    }

    /// The first line of what it said on standard error.
    #[must_use]
    pub fn error(&self) -> &str {
        self.stderr.lines().next().unwrap_or_default()
    }

    /// Standard output as JSON.
    ///
    /// # Errors
    /// When it is none.
    pub fn json(&self) -> Result<serde_json::Value> {
        serde_json::from_str(&self.stdout).with_context(|| format!("no JSON: {self:?}"))
    }

    /// The run, if it ended with 0.
    ///
    /// # Errors
    /// When it did not.
    pub fn done(self) -> Result<Self> {
        if self.is_done() { Ok(self) } else { bail!("it did not end with 0: {self:?}") }
    }
}

fn read_all(pipe: Option<impl Read + Send + 'static>) -> Option<thread::JoinHandle<Vec<u8>>> {
    let mut pipe = pipe?;
    Some(thread::spawn(move || {
        let mut bytes = Vec::new();
        // What was read until it broke is all there is.
        let _ = pipe.read_to_end(&mut bytes);
        bytes
    }))
}

fn text_of(thread: Option<thread::JoinHandle<Vec<u8>>>) -> String {
    let bytes = thread.and_then(|thread| thread.join().ok()).unwrap_or_default();
    String::from_utf8_lossy(&bytes).into_owned()
}

impl Child {
    /// Starts a program. Standard output and standard error are kept unless the command says otherwise.
    ///
    /// # Errors
    /// When it cannot be started.
    pub fn start(command: &mut Command) -> Result<Self> {
        command.stderr(Stdio::piped());
        let mut child = command.spawn().with_context(|| format!("cannot start {command:?}"))?;
        cleanup::process_began(child.id());
        let (output, errors) = (read_all(child.stdout.take()), read_all(child.stderr.take()));
        Ok(Self { child, output, errors, status: None })
    }

    /// Its process id.
    #[must_use]
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// Writes a line to its standard input.
    ///
    /// # Errors
    /// When it does not read any more.
    pub fn tell(&mut self, line: &str) -> Result<()> {
        let input = self.child.stdin.as_mut().context("it has no standard input")?;
        input.write_all(format!("{line}\n").as_bytes()).context("it does not read")
    }

    /// Sends it a signal.
    pub fn signal(&self, signal: Signal) {
        if self.status.is_none() {
            cleanup::signal(self.id(), signal);
        }
    }

    /// Whether a signal has stopped it.
    #[must_use]
    pub fn is_stopped(&self) -> bool {
        self.state() == Some('T')
    }

    /// The letter of its state in proc(5).
    #[must_use]
    pub fn state(&self) -> Option<char> {
        let stat = std::fs::read_to_string(format!("/proc/{}/stat", self.id())).ok()?;
        stat.rsplit_once(") ")?.1.chars().next()
    }

    /// Waits until a signal has stopped it.
    ///
    /// # Errors
    /// When it ends instead, or nothing stops it.
    pub fn until_stopped(&mut self, within: Duration) -> Result<()> {
        let begun = Instant::now();
        while !self.is_stopped() {
            if self.has_ended()? {
                bail!("it ended and was not stopped: {:?}", self.status);
            }
            if begun.elapsed() > within {
                bail!("nothing stopped it in {within:?}");
            }
            thread::sleep(Duration::from_millis(1));
        }
        Ok(())
    }

    /// Whether it has ended.
    ///
    /// # Errors
    /// When the system does not tell.
    pub fn has_ended(&mut self) -> Result<bool> {
        if self.status.is_none() {
            self.status = self.child.try_wait()?;
            if self.status.is_some() {
                cleanup::process_ended(self.id());
            }
        }
        Ok(self.status.is_some())
    }

    /// Kills it at once and waits for its end.
    pub fn kill(&mut self) {
        if self.status.is_none() {
            let id = self.id();
            let _ = self.child.kill();
            self.status = self.child.wait().ok();
            cleanup::process_ended(id);
        }
    }

    /// Waits for its end by itself.
    ///
    /// # Errors
    /// When the system does not tell.
    pub fn finish(mut self) -> Result<Ran> {
        // To wait closes its standard input, and a worker whose input ends takes that for the end of whoever started it.
        let _input = self.child.stdin.take();
        if self.status.is_none() {
            self.status = Some(self.child.wait()?);
            cleanup::process_ended(self.id());
        }
        Ok(self.ran())
    }

    /// Waits for its end by itself, but not for ever.
    ///
    /// # Errors
    /// When it has not ended by then.
    pub fn finish_within(mut self, within: Duration) -> Result<Ran> {
        let begun = Instant::now();
        while !self.has_ended()? {
            if begun.elapsed() > within {
                self.kill();
                bail!("it did not end in {within:?}: {:?}", self.ran());
            }
            thread::sleep(Duration::from_millis(2));
        }
        Ok(self.ran())
    }

    fn ran(&mut self) -> Ran {
        let (stdout, stderr) = (text_of(self.output.take()), text_of(self.errors.take()));
        let status = self.status.unwrap_or_default();
        Ran { code: status.code(), signal: status.signal(), stdout, stderr }
    }
}

impl Drop for Child {
    fn drop(&mut self) {
        self.kill();
    }
}
