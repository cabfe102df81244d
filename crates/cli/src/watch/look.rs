//! Looking at the team: the picture, and the last lines of the transcripts. It blocks, and is done beside the thread that draws.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::Arc;

use agent_team::{Error, RecordId, TaskQueue, TeamFolder, TranscriptReader};

use super::team::Team;
use crate::view::{Picture, spoken, words};

/// How much of a transcript's end is looked at first, in bytes.
const NEAR_END_BYTES: u64 = 32 << 10;
/// How much of it is read at once later, in bytes.
const READ_BYTES: u64 = 256 << 10;
/// How much of a long line that is being said is shown, in characters.
const SPOKEN_CHARS: usize = 4_000;
/// How many lines are kept of each.
const LINES: usize = 60;

/// Looks at a team again and again.
pub struct Looker {
    queue: TaskQueue,
    name: String,
    tails: BTreeMap<RecordId, Tail>,
}

/// What was read of a transcript.
struct Tail {
    reader: TranscriptReader,
    lines: Vec<String>,
}

/// What was seen.
pub struct Seen {
    /// The team.
    pub team: Arc<Team>,
    /// The last lines of the transcripts of its agents.
    pub tails: BTreeMap<RecordId, Vec<String>>,
}

impl Looker {
    /// Looks at the team of a queue.
    pub fn new(queue: TaskQueue) -> Self {
        let workspace = queue.team_log().folder().map(|folder| folder.workspace().to_owned());
        let name =
            workspace.as_deref().and_then(Path::file_name).map(|name| name.to_string_lossy().into_owned());
        Self { queue, name: name.unwrap_or_else(|| "team".to_owned()), tails: BTreeMap::new() }
    }

    /// Looks once.
    pub fn look(&mut self) -> Result<Seen, Error> {
        let picture = Picture::of(&self.queue, &self.name, None)?;
        let folder = self.queue.team_log().folder();
        let wanted: BTreeSet<RecordId> = picture.agents.iter().filter_map(|row| row.transcript).collect();
        self.tails.retain(|token, _| wanted.contains(token));
        let mut tails = BTreeMap::new();
        if let Some(root) = folder.map(TeamFolder::root) {
            for token in wanted {
                let new = || Tail {
                    reader: TranscriptReader::near_end(&root, token, NEAR_END_BYTES),
                    lines: Vec::new(),
                };
                let tail = self.tails.entry(token).or_insert_with(new);
                // What cannot be read now has no more lines.
                let lines = tail.reader.read(READ_BYTES).unwrap_or_default();
                tail.lines.extend(lines.iter().flat_map(words).map(|line| line.replace('\t', " ")));
                tail.lines.drain(..tail.lines.len().saturating_sub(LINES));
                let now = tail.reader.draft().map(|draft| spoken(&draft, SPOKEN_CHARS)).unwrap_or_default();
                tails.insert(token, tail.lines.iter().cloned().chain(now).collect());
            }
        }
        Ok(Seen { team: Arc::new(Team::of(picture)), tails })
    }
}
