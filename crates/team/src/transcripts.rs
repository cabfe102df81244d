//! Transcripts for those who look on: which there are, what is in them, and when they grow.
//!
//! An attempt's transcript is written by whoever works on it, on this machine (`agent::journal`); here it is only read.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};
use std::time::Duration;

use agent_team_core::machine::{State, Task};
use agent_team_core::view::{StretchView, stretches};
use agent_team_log::FolderWatch;
use tokio::net::unix::pipe;
use tokio::time::Instant;

use crate::agent::{Draft, Line, TRANSCRIPT};
use crate::follow::notified;
use crate::tools::OUTPUTS;
use crate::{AgentId, Error, RecordId, Stage, TaskId, TaskQueue};

/// How long to wait at most before looking although the system did not notify, where it notifies at all.
const POLL_BEHIND_WATCH: Duration = Duration::from_secs(5);
/// The same where it does not.
const POLL: Duration = Duration::from_millis(500);

/// The stretches of work that have a transcript: those of agents. An attempt by a shell worker has none.
fn with_transcripts(task: &Task) -> impl Iterator<Item = StretchView> {
    stretches(task).filter(|stretch| matches!(stretch.stage, Stage::Work | Stage::Review))
}

impl TaskQueue {
    /// The transcripts of a task, oldest first; an attempt that was gone on with counts once, from its beginning to its newest end.
    ///
    /// # Errors
    /// When the log cannot be read.
    pub fn transcripts_of(&self, task: &TaskId) -> Result<Vec<StretchView>, Error> {
        self.team_log().look(|state| {
            let mut views: Vec<StretchView> = Vec::new();
            for view in state.task(task).into_iter().flat_map(with_transcripts) {
                match views.iter_mut().find(|known| known.token == view.token) {
                    Some(known) => *known = StretchView { from_ms: known.from_ms, ..view },
                    None => views.push(view),
                }
            }
            views
        })
    }

    /// The newest transcript of each agent: of what it works on, or worked on last.
    ///
    /// # Errors
    /// When the log cannot be read.
    pub fn newest_transcripts(&self) -> Result<BTreeMap<AgentId, StretchView>, Error> {
        self.team_log().look(|state| {
            let mut newest: BTreeMap<AgentId, StretchView> = BTreeMap::new();
            for view in state.tasks().flat_map(with_transcripts) {
                let end = |view: &StretchView| view.to_ms.unwrap_or(u64::MAX);
                match newest.get(&view.agent) {
                    Some(known) if end(known) > end(&view) => {}
                    _ => {
                        newest.insert(view.agent.clone(), view);
                    }
                }
            }
            newest
        })
    }

    /// Of which attempt a transcript is; `None` if there is none of this name.
    ///
    /// # Errors
    /// When the log cannot be read.
    pub fn transcript(&self, token: RecordId) -> Result<Option<StretchView>, Error> {
        self.team_log().look(|state: &State| {
            let mut views = state.tasks().flat_map(with_transcripts);
            views.find(|view| view.token == token)
        })
    }
}

/// Reads a transcript from its beginning, or near its end, and then what comes.
#[derive(Debug)]
pub struct TranscriptReader {
    attempt: PathBuf,
    offset: u64,
    /// The last turn that was read.
    turn: u32,
}

impl TranscriptReader {
    /// The transcript of this name, in the folder `.agent-team` of its team, from an offset that
    /// [`offset`](Self::offset) gave; 0 for its beginning.
    pub fn new(root: &Path, token: RecordId, offset: u64) -> Self {
        Self { attempt: root.join("attempts").join(token.to_string()), offset, turn: 0 }
    }

    /// The same, from the first line that begins within so many bytes of its end.
    pub fn near_end(root: &Path, token: RecordId, bytes: u64) -> Self {
        let mut reader = Self::new(root, token, 0);
        let length = reader.length();
        if length > bytes {
            // Where it begins in the middle of a line, that one is no JSON, and left out.
            reader.offset = length - bytes;
        }
        reader
    }

    /// How long the transcript is, in bytes; nothing while there is none.
    pub fn length(&self) -> u64 {
        std::fs::metadata(self.attempt.join(TRANSCRIPT)).map_or(0, |known| known.len())
    }

    /// Where the next read begins, in bytes.
    pub fn offset(&self) -> u64 {
        self.offset
    }

    /// The whole lines that came since the last read, at most about `max_bytes` of them; none while there is no file. What is
    /// torn or unknown is left out.
    ///
    /// # Errors
    /// When the file is there and cannot be read.
    pub fn read(&mut self, max_bytes: u64) -> io::Result<Vec<Line>> {
        let mut file = match File::open(self.attempt.join(TRANSCRIPT)) {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            Err(error) => return Err(error),
        };
        file.seek(SeekFrom::Start(self.offset))?;
        let mut bytes = Vec::new();
        let mut most = max_bytes;
        // A line longer than that is read whole all the same.
        let end = loop {
            let read = file.by_ref().take(most).read_to_end(&mut bytes)?;
            match memchr::memrchr(b'\n', &bytes) {
                Some(end) => break end + 1,
                None if read == 0 => return Ok(Vec::new()),
                None => most = most.saturating_mul(2),
            }
        };
        self.offset += end as u64;
        let lines = bytes.get(..end).unwrap_or_default().split(|byte| *byte == b'\n');
        let lines: Vec<Line> = lines.filter_map(|line| serde_json::from_slice(line).ok()).collect();
        for line in &lines {
            match line {
                Line::Answered { turn, .. } => self.turn = *turn,
                Line::Ended { .. } => self.turn = u32::MAX,
                Line::Began { .. } if self.turn == u32::MAX => self.turn = 0,
                _ => {}
            }
        }
        Ok(lines)
    }

    /// What the agent has said so far in the turn that it is at, or what the command has printed that it runs; `None` while it
    /// does neither, where that turn was read already, or where the attempt has ended.
    pub fn draft(&self) -> Option<Draft> {
        Draft::of(&self.attempt).filter(|draft| draft.turn > self.turn)
    }
}

/// Says when one of several transcripts grew.
pub struct TranscriptNews {
    root: PathBuf,
    /// `None` where the system has no notifications.
    watch: Option<(FolderWatch, pipe::Receiver)>,
    /// Whether a folder of those that are followed is not there yet: nothing tells when it comes, if its own is not there either.
    is_blind: bool,
    /// When to look although nothing was told. Whoever gives up waiting and waits again does not put it off.
    look_at: Option<Instant>,
}

impl TranscriptNews {
    /// Of no transcript yet, in the folder `.agent-team` of a team. To be made on a tokio runtime.
    pub fn new(root: &Path) -> Self {
        let watch = FolderWatch::new().and_then(|watch| {
            // Notifications come through a descriptor that is read like a pipe.
            let notifications = pipe::Receiver::from_owned_fd_unchecked(watch.descriptor()?)?;
            Ok((watch, notifications))
        });
        Self { root: root.to_owned(), watch: watch.ok(), is_blind: false, look_at: None }
    }

    /// Follows these transcripts and no others. Those whose folders are not there yet are found when it is said again,
    /// for which [`changed`](Self::changed) gives an occasion.
    pub fn follow(&mut self, tokens: impl IntoIterator<Item = RecordId>) {
        let attempts = self.root.join("attempts");
        let mut folders: BTreeSet<PathBuf> =
            tokens.into_iter().map(|token| attempts.join(token.to_string())).collect();
        folders.insert(attempts);
        if let Some((watch, _)) = &mut self.watch {
            // Beside what is said, what commands print; that folder comes into one that is followed.
            let outputs = folders.iter().map(|folder| folder.join(OUTPUTS));
            watch.set(&outputs.chain(folders.iter().cloned()).collect());
            self.is_blind = !folders.iter().all(|folder| watch.watches(folder));
        }
    }

    /// Completes when one of them may have grown, or after a while all the same. Look then, since what came in between is
    /// not told again.
    pub async fn changed(&mut self) {
        // After a while all the same: a notification can be lost.
        let patience = if self.is_blind || self.watch.is_none() { POLL } else { POLL_BEHIND_WATCH };
        let look_at = *self.look_at.get_or_insert_with(|| Instant::now() + patience);
        let told = async {
            match &self.watch {
                Some((_, notifications)) => notified(notifications).await,
                None => std::future::pending().await,
            }
        };
        if let Ok(Err(_)) = tokio::time::timeout_at(look_at, told).await {
            // One that cannot be waited for is looked for at a pace.
            tokio::time::sleep_until(look_at).await;
        }
        self.look_at = None;
    }
}

#[cfg(test)]
mod tests {
    use std::fs::{self, OpenOptions};
    use std::io::Write;

    use super::*;

    const LINE: &str = r#"{"type":"ended","at_ms":1,"outcome":"finished"}"#;

    fn token(number: u128) -> RecordId {
        RecordId(number)
    }

    #[test]
    fn whole_lines_are_read_once_and_torn_ones_when_they_are_whole() {
        let root = tempfile::tempdir().unwrap();
        let mut reader = TranscriptReader::new(root.path(), token(1), 0);
        assert!(reader.read(1000).unwrap().is_empty(), "there is none yet");
        let folder = root.path().join("attempts").join(token(1).to_string());
        fs::create_dir_all(&folder).unwrap();
        let mut file = OpenOptions::new().create(true).append(true).open(folder.join(TRANSCRIPT)).unwrap();
        write!(file, "{LINE}\n{LINE}\nnonsense\n{}", &LINE[..10]).unwrap();
        assert_eq!(reader.read(1000).unwrap().len(), 2);
        assert!(reader.read(1000).unwrap().is_empty());
        writeln!(file, "{}", &LINE[10..]).unwrap();
        assert_eq!(reader.read(3).unwrap().len(), 1, "a line is read whole");
        assert_eq!(TranscriptReader::near_end(root.path(), token(1), 100).read(1000).unwrap().len(), 1);
        let mut again = TranscriptReader::new(root.path(), token(1), 0);
        assert_eq!(again.read(60).unwrap().len(), 1);
        assert_eq!(again.read(1000).unwrap().len(), 2);
        assert_eq!(again.offset(), reader.offset());
    }

    #[tokio::test(start_paused = true)]
    async fn a_transcript_whose_folder_comes_later_is_found_however_often_the_wait_is_given_up() {
        let root = tempfile::tempdir().unwrap();
        let mut news = TranscriptNews::new(root.path());
        // Not even the folder of all attempts is there.
        news.follow([token(7)]);
        let begun = Instant::now();
        let mut gave_up = 0;
        while tokio::time::timeout(POLL / 4, news.changed()).await.is_err() {
            gave_up += 1;
            assert!(gave_up < 10, "it is put off for ever");
        }
        assert_eq!(begun.elapsed(), POLL);
    }

    #[tokio::test]
    async fn a_transcript_that_grows_is_told_of_at_once() {
        let root = tempfile::tempdir().unwrap();
        let folder = root.path().join("attempts").join(token(7).to_string());
        fs::create_dir_all(&folder).unwrap();
        let mut news = TranscriptNews::new(root.path());
        news.follow([token(7)]);
        let mut reader = TranscriptReader::new(root.path(), token(7), 0);
        let writes = tokio::task::spawn_blocking(move || {
            fs::write(folder.join(TRANSCRIPT), format!("{LINE}\n")).unwrap();
        });
        let mut lines = Vec::new();
        while lines.is_empty() {
            news.changed().await;
            lines = reader.read(1000).unwrap();
        }
        writes.await.unwrap();
        assert!(matches!(lines.as_slice(), [Line::Ended { .. }]));
    }
}
