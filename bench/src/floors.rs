//! The raw limits: what the machine can do when the least code that could do it asks for it.
//!
//! Nothing here uses agent-team. Records are lines of the same length as the real ones.

use std::fs::{File, OpenOptions};
use std::io::Write;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use clap::Args;
use rustix::fs::{FlockOperation, flock};

use crate::peer::{self, Peer};
use crate::statistics::per_second;

/// A file to append to and read from.
pub fn append_file(path: &Path) -> Result<File> {
    Ok(OpenOptions::new().create(true).append(true).read(true).open(path)?)
}

/// Appends lines to a new file and reads each back: how long that takes.
pub fn replay(path: &Path, lines: &[Vec<u8>]) -> Result<Duration> {
    let mut file = append_file(path)?;
    let mut read = vec![0; lines.iter().map(Vec::len).max().unwrap_or(0)];
    let (begun, mut offset) = (Instant::now(), 0);
    for line in lines {
        file.write_all(line)?;
        let bytes = read.get_mut(..line.len()).context("a line longer than the longest")?;
        file.read_exact_at(bytes, offset)?;
        offset += line.len() as u64;
    }
    let elapsed = begun.elapsed();
    std::fs::remove_file(path)?;
    Ok(elapsed)
}

/// The records of a log behind an offset, each with the line breaks around it.
pub fn lines_after(log: &Path, offset: u64) -> Result<Vec<Vec<u8>>> {
    let bytes = std::fs::read(log)?;
    let tail = bytes.get(usize::try_from(offset)?..).context("the log has shrunk")?;
    let records = tail.split(|&byte| byte == b'\n').filter(|line| !line.is_empty());
    Ok(records.map(|record| [b"\n", record, b"\n"].concat()).collect())
}

/// How many lines a second are appended and synced, each by itself, by one process.
pub fn synced_appends(path: &Path, bytes: usize, limit: Duration) -> Result<f64> {
    let mut file = append_file(path)?;
    let line = vec![b'x'; bytes];
    let (begun, mut count) = (Instant::now(), 0);
    while begun.elapsed() < limit {
        file.write_all(&line)?;
        file.sync_data()?;
        count += 1;
    }
    Ok(per_second(count, begun.elapsed()))
}

/// Tasks that many processes claim and complete over one file: the first claim in its order wins.
#[derive(Debug, Clone, Args)]
pub struct RawClaims {
    pub file: PathBuf,
    pub worker: u8,
    pub tasks: usize,
    /// The length of a claim.
    pub claim_bytes: usize,
    /// The length of a result.
    pub result_bytes: usize,
    /// Whether each append is made under a lock.
    #[arg(long)]
    pub locked: bool,
}

impl RawClaims {
    /// How many tasks a second so many processes get done.
    pub fn rate(&self, processes: u8) -> Result<f64> {
        append_file(&self.file)?;
        let mut peers = Vec::new();
        for worker in 0..processes {
            let mut arguments = vec!["claim-raw".to_owned(), self.file.display().to_string()];
            let numbers = [usize::from(worker), self.tasks, self.claim_bytes, self.result_bytes];
            arguments.extend(numbers.map(|number| number.to_string()));
            arguments.extend(self.locked.then(|| "--locked".to_owned()));
            peers.push(Peer::start(arguments)?);
        }
        let begun = Instant::now();
        for peer in &mut peers {
            peer.say("go")?;
        }
        let done: Vec<usize> = peers.iter_mut().map(Peer::hear_value).collect::<Result<_>>()?;
        let rate = per_second(self.tasks, begun.elapsed());
        let done: usize = done.iter().sum();
        ensure!(done == self.tasks, "{done} of {} raw tasks were done", self.tasks);
        Ok(rate)
    }

    /// One of these processes.
    pub fn play(&self) -> Result<()> {
        let mut claims = Claims {
            file: append_file(&self.file)?,
            lock: append_file(&self.file.with_extension("lock"))?,
            offset: 0,
            rest: Vec::new(),
            owners: vec![None; self.tasks],
            buffer: vec![0; 1 << 16],
        };
        peer::ready()?;
        let (mut next, mut done) = (0, 0_usize);
        loop {
            let task = claims.append(self.locked, |owners| {
                while owners.get(next).is_some_and(Option::is_some) {
                    next += 1;
                }
                (next < owners.len()).then(|| (next, line(b'C', next, self.worker, self.claim_bytes)))
            })?;
            let Some(task) = task else { break };
            if claims.owners.get(task) == Some(&Some(self.worker)) {
                claims.append(self.locked, |_| {
                    Some((task, line(b'D', task, self.worker, self.result_bytes)))
                })?;
                done += 1;
            }
        }
        peer::tell_value(&done)
    }
}

/// The file, as far as one process has read it, and what it says.
struct Claims {
    file: File,
    lock: File,
    offset: u64,
    rest: Vec<u8>,
    owners: Vec<Option<u8>>,
    buffer: Vec<u8>,
}

impl Claims {
    /// Reads the tail, appends what is chosen, and reads it back.
    fn append(
        &mut self,
        locked: bool,
        choose: impl FnOnce(&[Option<u8>]) -> Option<(usize, Vec<u8>)>,
    ) -> Result<Option<usize>> {
        if locked {
            flock(&self.lock, FlockOperation::LockExclusive)?;
        }
        self.read()?;
        let chosen = choose(&self.owners);
        if let Some((_, line)) = &chosen {
            self.file.write_all(line)?;
            self.read()?;
        }
        if locked {
            flock(&self.lock, FlockOperation::Unlock)?;
        }
        Ok(chosen.map(|(task, _)| task))
    }

    fn read(&mut self) -> Result<()> {
        loop {
            let read = self.file.read_at(&mut self.buffer, self.offset)?;
            self.offset += read as u64;
            self.rest.extend_from_slice(self.buffer.get(..read).unwrap_or_default());
            if read < self.buffer.len() {
                break;
            }
        }
        let whole = self.rest.iter().rposition(|&byte| byte == b'\n').map_or(0, |end| end + 1);
        for line in self.rest.get(..whole).unwrap_or_default().split(|&byte| byte == b'\n') {
            if let Some((b'C', task, worker)) = parse(line)
                && let Some(owner) = self.owners.get_mut(task)
            {
                owner.get_or_insert(worker);
            }
        }
        self.rest.drain(..whole);
        Ok(())
    }
}

/// A line that says a kind, a task and a worker, filled up to a length.
fn line(kind: u8, task: usize, worker: u8, bytes: usize) -> Vec<u8> {
    let mut line = format!("\n{} {task:08} {worker:03} ", char::from(kind)).into_bytes();
    line.resize(bytes.saturating_sub(1).max(line.len()), b'.');
    line.push(b'\n');
    line
}

fn parse(line: &[u8]) -> Option<(u8, usize, u8)> {
    let digits = |range| std::str::from_utf8(line.get(range)?).ok();
    let task = digits(2..10)?.parse().ok()?;
    let worker = digits(11..14)?.parse().ok()?;
    Some((*line.first()?, task, worker))
}

/// Appends of many processes, each acknowledged when it is on disk.
#[derive(Debug, Clone, Args)]
pub struct RawSyncs {
    file: PathBuf,
    bytes: usize,
    limit_ms: u64,
    /// Whether one process syncs for all that wait: then nobody syncs what is synced already.
    #[arg(long)]
    grouped: bool,
}

/// How many appends a second so many processes get acknowledged: each syncing by itself, and one for all that wait.
pub fn group_commit(folder: &Path, bytes: usize, processes: u8, limit_ms: u64) -> Result<(f64, f64)> {
    let rate = |grouped: bool, name: &str| {
        RawSyncs { file: folder.join(name), bytes, limit_ms, grouped }.rate(processes)
    };
    Ok((rate(false, "raw-single")?, rate(true, "raw-grouped")?))
}

impl RawSyncs {
    /// How many appends a second so many processes get acknowledged.
    fn rate(&self, processes: u8) -> Result<f64> {
        let mut peers = Vec::new();
        for _ in 0..processes {
            let mut arguments = vec!["sync-raw".to_owned(), self.file.display().to_string()];
            arguments.extend([self.bytes.to_string(), self.limit_ms.to_string()]);
            arguments.extend(self.grouped.then(|| "--grouped".to_owned()));
            peers.push(Peer::start(arguments)?);
        }
        let begun = Instant::now();
        for peer in &mut peers {
            peer.say("go")?;
        }
        let counts: Vec<usize> = peers.iter_mut().map(Peer::hear_value).collect::<Result<_>>()?;
        Ok(per_second(counts.iter().sum(), begun.elapsed()))
    }

    /// One of these processes.
    pub fn play(&self) -> Result<()> {
        let mut file = append_file(&self.file)?;
        let synced = OpenOptions::new()
            .create(true)
            .truncate(false)
            .read(true)
            .write(true)
            .open(self.file.with_extension("synced"))?;
        let line = vec![b'x'; self.bytes];
        peer::ready()?;
        let (begun, mut count) = (Instant::now(), 0_usize);
        while begun.elapsed() < Duration::from_millis(self.limit_ms) {
            file.write_all(&line)?;
            if self.grouped {
                sync_for_all(&file, &synced)?;
            } else {
                file.sync_data()?;
            }
            count += 1;
        }
        peer::tell_value(&count)
    }
}

/// How long one waits before it looks again whether somebody has synced.
const NAP: Duration = Duration::from_micros(100);

/// Syncs, unless somebody did so meanwhile: `synced` holds how far the file is on disk.
fn sync_for_all(file: &File, synced: &File) -> Result<()> {
    let own_end = rustix::fs::tell(file)?;
    let is_synced = || -> Result<bool> {
        let mut known = [0; 8];
        let read = synced.read_at(&mut known, 0)?;
        Ok(read == known.len() && u64::from_le_bytes(known) >= own_end)
    };
    while !is_synced()? {
        if flock(synced, FlockOperation::NonBlockingLockExclusive).is_err() {
            thread::sleep(NAP);
            continue;
        }
        let end = file.metadata()?.len();
        file.sync_data()?;
        synced.write_all_at(&end.to_le_bytes(), 0)?;
        return Ok(flock(synced, FlockOperation::Unlock)?);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_raw_line_says_what_was_written() {
        let line = line(b'C', 123, 7, 200);
        assert_eq!(line.len(), 200);
        assert_eq!(parse(&line[1..]), Some((b'C', 123, 7)));
        assert_eq!(parse(b""), None);
    }
}
