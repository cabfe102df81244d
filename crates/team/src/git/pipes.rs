//! Talks with a child process through its pipes, all three from one thread, until a deadline.
//!
//! A thread for each pipe would cost about as much as git's shortest commands. What the child is, and how it is ended,
//! this module does not know.

use std::io::{self, ErrorKind, Read, Write};
use std::process::{Child, ChildStderr, ChildStdin, ChildStdout};
use std::time::Instant;

use rustix::event::{PollFd, PollFlags, Timespec, poll};

/// How much is read in one go, in bytes.
const READ_BYTES: usize = 16 << 10;

/// What came out of one pipe.
#[derive(Debug, Default)]
pub(super) struct Drained {
    /// What was kept.
    pub bytes: Vec<u8>,
    /// Whether there was more.
    pub is_cut: bool,
}

/// The pipes of a child, and what was heard through them so far.
pub(super) struct Pipes {
    stdin: Option<ChildStdin>,
    stdout: Option<ChildStdout>,
    stderr: Option<ChildStderr>,
    input: Vec<u8>,
    written: usize,
    /// Standard output.
    pub output: Drained,
    /// Standard error.
    pub error: Drained,
    output_limit: usize,
    error_limit: usize,
}

impl Pipes {
    /// Takes the pipes of a child. What exceeds the limits is read and dropped.
    pub fn of(
        child: &mut Child,
        input: Vec<u8>,
        output_limit: usize,
        error_limit: usize,
    ) -> io::Result<Self> {
        let stdin = child.stdin.take();
        if let Some(stdin) = &stdin {
            // Git may answer before it has read everything: writing must not wait for it.
            let flags = rustix::fs::fcntl_getfl(stdin)?;
            rustix::fs::fcntl_setfl(stdin, flags | rustix::fs::OFlags::NONBLOCK)?;
        }
        let (stdout, stderr) = (child.stdout.take(), child.stderr.take());
        let (output, error) = (Drained::default(), Drained::default());
        Ok(Self { stdin, stdout, stderr, input, written: 0, output, error, output_limit, error_limit })
    }

    /// Writes the input and reads both outputs to their ends. Says whether they came to it before the deadline.
    pub fn talk(&mut self, deadline: Instant) -> io::Result<bool> {
        while self.stdout.is_some() || self.stderr.is_some() {
            let Some((can_write, can_read, can_read_error)) = self.ready(deadline)? else { return Ok(false) };
            if can_write {
                self.write();
            }
            if can_read {
                drain(&mut self.stdout, &mut self.output, self.output_limit)?;
            }
            if can_read_error {
                drain(&mut self.stderr, &mut self.error, self.error_limit)?;
            }
        }
        Ok(true)
    }

    /// Waits until something can be done, and says what: write, read, read errors. `None` when time is over.
    fn ready(&self, deadline: Instant) -> io::Result<Option<(bool, bool, bool)>> {
        let left = deadline.saturating_duration_since(Instant::now());
        let timeout = Timespec::try_from(left).map_err(io::Error::other)?;
        let mut fds = Vec::with_capacity(3);
        let stdin = self.stdin.as_ref().map(|stdin| PollFd::new(stdin, PollFlags::OUT));
        let stdout = self.stdout.as_ref().map(|stdout| PollFd::new(stdout, PollFlags::IN));
        let stderr = self.stderr.as_ref().map(|stderr| PollFd::new(stderr, PollFlags::IN));
        let present = [stdin.is_some(), stdout.is_some(), stderr.is_some()];
        fds.extend([stdin, stdout, stderr].into_iter().flatten());
        match poll(&mut fds, Some(&timeout)) {
            Ok(0) => return Ok(None),
            Ok(_) | Err(rustix::io::Errno::INTR) => {}
            Err(error) => return Err(error.into()),
        }
        let mut answers = fds.iter().map(|fd| !fd.revents().is_empty());
        let mut is_ready = |present: bool| present && answers.next().unwrap_or(false);
        let [stdin, stdout, stderr] = present;
        Ok(Some((is_ready(stdin), is_ready(stdout), is_ready(stderr))))
    }

    fn write(&mut self) {
        let Some(stdin) = &mut self.stdin else { return };
        let rest = self.input.get(self.written..).unwrap_or_default();
        match stdin.write(rest) {
            Ok(written) => self.written += written,
            Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::Interrupted) => return,
            // An early end of the child closes the pipe; its exit code tells more than this error would.
            Err(_) => self.written = self.input.len(),
        }
        if self.written >= self.input.len() {
            self.stdin = None;
        }
    }
}

/// Reads what is there, and closes the pipe at its end.
fn drain(pipe: &mut Option<impl Read>, drained: &mut Drained, limit: usize) -> io::Result<()> {
    let Some(open) = pipe else { return Ok(()) };
    let mut buffer = [0; READ_BYTES];
    let read = match open.read(&mut buffer) {
        Err(error) if error.kind() == ErrorKind::Interrupted => return Ok(()),
        read => read?,
    };
    let kept = read.min(limit.saturating_sub(drained.bytes.len()));
    drained.bytes.extend_from_slice(buffer.get(..kept).unwrap_or_default());
    drained.is_cut |= kept < read;
    if read == 0 {
        *pipe = None;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::process::{Command, Stdio};
    use std::time::Duration;

    use super::*;

    fn start(script: &str) -> Child {
        let mut command = Command::new("/bin/sh");
        command.args(["-c", script]).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        command.spawn().unwrap()
    }

    fn long() -> Instant {
        Instant::now() + Duration::from_secs(60)
    }

    #[test]
    fn much_input_and_much_output_at_once_do_not_stop_each_other() {
        let input: Vec<u8> = (0..1 << 20).map(|number: u32| number as u8).collect();
        let mut child = start("tee /dev/stderr");
        let mut pipes = Pipes::of(&mut child, input.clone(), usize::MAX, 100).unwrap();
        assert!(pipes.talk(long()).unwrap());
        assert!(child.wait().unwrap().success());
        assert_eq!((pipes.output.bytes, pipes.output.is_cut), (input, false));
        assert_eq!((pipes.error.bytes.len(), pipes.error.is_cut), (100, true));
    }

    #[test]
    fn a_child_that_reads_nothing_ends_all_the_same() {
        let mut child = start("echo done");
        let mut pipes = Pipes::of(&mut child, vec![b'x'; 1 << 20], usize::MAX, 0).unwrap();
        assert!(pipes.talk(long()).unwrap());
        assert!(child.wait().unwrap().success());
        assert_eq!(pipes.output.bytes, b"done\n");
    }

    #[test]
    fn a_child_that_does_not_end_is_not_waited_for_beyond_the_deadline() {
        let mut child = start("echo begun; exec sleep 600");
        let mut pipes = Pipes::of(&mut child, Vec::new(), usize::MAX, 0).unwrap();
        assert!(!pipes.talk(Instant::now() + Duration::from_millis(300)).unwrap());
        child.kill().unwrap();
        assert!(pipes.talk(long()).unwrap());
        child.wait().unwrap();
        assert_eq!(pipes.output.bytes, b"begun\n");
    }
}
