//! Carries what a command prints from its pipe into the output file and the cutter, as far as the limit allows.
//!
//! The file keeps the beginning and the end; what does not fit between them is counted. Never waits for the pipe's end: a daemon may hold it open for ever, so whoever reads decides when it is enough.

use std::fs::File;
use std::future::pending;
use std::io::Write;
use std::path::{Path, PathBuf};

use tokio::io::AsyncReadExt;
use tokio::net::unix::pipe::Receiver;

use super::{CommandError, CutLimits, CutOutput, Cutter, grouped};
use crate::Secrets;
use crate::secrets::Veil;

/// How much is read at once: a pipe's usual capacity.
const CHUNK_BYTES: usize = 64 << 10;

/// What may still be in the pipe when the command has ended: the greatest capacity of a pipe, unless root raised it.
/// A daemon that goes on printing must not keep us.
const DRAIN_BYTES: usize = 1 << 20;

/// The most that is held in memory for the end of the file.
const TAIL_BYTES: u64 = 1 << 20;

/// The output of one command while it runs.
pub(super) struct Capture {
    path: PathBuf,
    file: File,
    veil: Veil,
    cutter: Cutter,
    /// How many more bytes may come.
    room_bytes: u64,
    /// How many more bytes the beginning of the file takes.
    head_room_bytes: u64,
    /// What came after the beginning: twice `tail_bytes` at most.
    tail: Vec<u8>,
    tail_bytes: usize,
    /// What came between beginning and end.
    left_out_bytes: u64,
}

/// How much of an output is taken.
#[derive(Debug, Clone, Copy)]
pub(super) struct OutputLimits {
    /// How much may come at all.
    pub(super) most_bytes: u64,
    /// How much of it the file keeps.
    pub(super) kept_bytes: u64,
    /// How much of it is worth reading.
    pub(super) cut: CutLimits,
}

impl Capture {
    pub(super) fn create(path: &Path, limits: OutputLimits, secrets: &Secrets) -> Result<Self, CommandError> {
        let broken = |source| CommandError::output(path, source);
        if let Some(folder) = path.parent() {
            std::fs::create_dir_all(folder).map_err(broken)?;
        }
        let file = File::create(path).map_err(broken)?;
        let tail_bytes = TAIL_BYTES.min(limits.kept_bytes / 2);
        Ok(Self {
            path: path.to_owned(),
            file,
            veil: secrets.veil(),
            cutter: Cutter::new(limits.cut),
            room_bytes: limits.most_bytes,
            head_room_bytes: limits.kept_bytes - tail_bytes,
            tail: Vec::new(),
            tail_bytes: usize::try_from(tail_bytes).unwrap_or(usize::MAX),
            left_out_bytes: 0,
        })
    }

    /// Keeps what comes out of `pipe`; returns only when the limit is passed. May be dropped at any time.
    pub(super) async fn copy(&mut self, pipe: &mut Receiver) -> Result<(), CommandError> {
        let mut chunk = vec![0; CHUNK_BYTES];
        loop {
            let count = pipe.read(&mut chunk).await.map_err(|source| self.broken(source))?;
            if count == 0 {
                // Every writer closed it. The command itself may go on without an output.
                return pending().await;
            }
            if !self.keep(chunk.get(..count).unwrap_or_default())? {
                return Ok(());
            }
        }
    }

    /// Keeps what still fits and reads on past the limit, so that a command that is asked to end is not stuck in a
    /// write. Returns only when the output is broken.
    pub(super) async fn copy_and_discard(&mut self, pipe: &mut Receiver) -> Result<(), CommandError> {
        loop {
            self.copy(pipe).await?;
        }
    }

    /// Keeps what the pipe holds at this moment, without waiting for more.
    pub(super) fn drain(&mut self, pipe: &Receiver) -> Result<(), CommandError> {
        let mut chunk = vec![0; CHUNK_BYTES];
        let mut drained = 0;
        // The pipe is asked directly, as the runtime may not have noticed yet that it can be read.
        while drained < DRAIN_BYTES {
            match rustix::io::read(pipe, &mut chunk) {
                Ok(0) | Err(rustix::io::Errno::AGAIN) => break,
                Ok(count) => {
                    drained += count;
                    self.keep(chunk.get(..count).unwrap_or_default())?;
                }
                Err(rustix::io::Errno::INTR) => {}
                Err(errno) => return Err(self.broken(errno.into())),
            }
        }
        Ok(())
    }

    /// Writes the end of the file, and gives what is worth reading of it all.
    pub(super) fn finish(mut self) -> Result<CutOutput, CommandError> {
        let rest = self.veil.end();
        self.keep_shown(&rest)?;
        self.shorten_tail(self.tail_bytes);
        if self.left_out_bytes > 0 {
            let note = format!("\n... {} bytes left out ...\n", grouped(self.left_out_bytes));
            self.file.write_all(note.as_bytes()).map_err(|source| self.broken(source))?;
        }
        self.file.write_all(&self.tail).map_err(|source| self.broken(source))?;
        Ok(self.cutter.finish(Some(&self.path)))
    }

    /// Keeps as much of `bytes` as there is room for; `false` when it was not all.
    ///
    /// Writes without awaiting: reading may be broken off at any await, and what was read must not be lost then.
    fn keep(&mut self, bytes: &[u8]) -> Result<bool, CommandError> {
        let shown = self.veil.push(bytes);
        self.keep_shown(&shown)
    }

    fn keep_shown(&mut self, bytes: &[u8]) -> Result<bool, CommandError> {
        let taken = front(bytes, self.room_bytes);
        self.room_bytes -= taken.len() as u64;
        self.cutter.push(taken);
        let head = front(taken, self.head_room_bytes);
        self.head_room_bytes -= head.len() as u64;
        self.file.write_all(head).map_err(|source| self.broken(source))?;
        self.tail.extend_from_slice(taken.get(head.len()..).unwrap_or_default());
        if self.tail.len() / 2 > self.tail_bytes {
            self.shorten_tail(self.tail_bytes);
        }
        Ok(taken.len() == bytes.len())
    }

    fn shorten_tail(&mut self, most_bytes: usize) {
        let left_out = self.tail.len().saturating_sub(most_bytes);
        self.tail.drain(..left_out);
        self.left_out_bytes += left_out as u64;
    }

    fn broken(&self, source: std::io::Error) -> CommandError {
        CommandError::output(&self.path, source)
    }
}

/// The first `most_bytes` of `bytes`, or all.
fn front(bytes: &[u8], most_bytes: u64) -> &[u8] {
    bytes.get(..usize::try_from(most_bytes).unwrap_or(usize::MAX)).unwrap_or(bytes)
}
