//! Carries what a command prints from its pipe into the output file and the cutter, as far as the limit allows.
//!
//! Never waits for the pipe's end: a daemon may hold it open for ever, so whoever reads decides when it is enough.

use std::fs::File;
use std::future::pending;
use std::io::Write;
use std::path::{Path, PathBuf};

use tokio::io::AsyncReadExt;
use tokio::net::unix::pipe::Receiver;

use super::{CommandError, CutLimits, CutOutput, Cutter};

/// How much is read at once: a pipe's usual capacity.
const CHUNK_BYTES: usize = 64 << 10;

/// What may still be in the pipe when the command has ended: the greatest capacity of a pipe, unless root raised it.
/// A daemon that goes on printing must not keep us.
const DRAIN_BYTES: usize = 1 << 20;

/// The output of one command while it runs.
pub(super) struct Capture {
    path: PathBuf,
    file: File,
    cutter: Cutter,
    /// How many more bytes the file takes.
    room_bytes: u64,
}

impl Capture {
    pub(super) fn create(path: &Path, limit_bytes: u64, limits: CutLimits) -> Result<Self, CommandError> {
        let broken = |source| CommandError::output(path, source);
        if let Some(folder) = path.parent() {
            std::fs::create_dir_all(folder).map_err(broken)?;
        }
        let file = File::create(path).map_err(broken)?;
        Ok(Self { path: path.to_owned(), file, cutter: Cutter::new(limits), room_bytes: limit_bytes })
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

    /// What is worth reading of it all.
    pub(super) fn finish(self) -> CutOutput {
        self.cutter.finish(Some(&self.path))
    }

    /// Keeps as much of `bytes` as there is room for; `false` when it was not all.
    ///
    /// Writes without awaiting: reading may be broken off at any await, and what was read must not be lost then.
    fn keep(&mut self, bytes: &[u8]) -> Result<bool, CommandError> {
        let room = usize::try_from(self.room_bytes).unwrap_or(usize::MAX);
        let kept = bytes.get(..room).unwrap_or(bytes);
        self.file.write_all(kept).map_err(|source| self.broken(source))?;
        self.cutter.push(kept);
        self.room_bytes -= kept.len() as u64;
        Ok(kept.len() == bytes.len())
    }

    fn broken(&self, source: std::io::Error) -> CommandError {
        CommandError::output(&self.path, source)
    }
}
