//! The team that is shown, now and at any record of its log.

use std::collections::VecDeque;
use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};
use std::time::{SystemTime, UNIX_EPOCH};

use agent_team::{Error, History, TaskQueue, TeamLog};
use serde::Serialize;

use super::record_index::RecordIndex;
use crate::exit::Failure;
use crate::time::milliseconds;
use crate::view::Picture;

/// How many teams as they were are kept for whoever goes to and fro.
const KEPT: usize = 4;

/// A team, and all that a page asks of it.
pub struct Site {
    queue: TaskQueue,
    name: String,
    log: PathBuf,
    /// The folder that holds `.agent-team`; `None` for a log that is only looked at.
    workspace: Option<PathBuf>,
    history: History,
    past: Mutex<VecDeque<(u64, TaskQueue)>>,
    index: Mutex<RecordIndex>,
}

/// A picture, and what it is of.
#[derive(Serialize)]
pub struct Shown {
    /// When it is of, in milliseconds since 1970.
    pub at_ms: u64,
    /// Whether it is of the team as it is now.
    pub live: bool,
    /// Whether the team can be steered from here at all.
    pub read_only: bool,
    /// How many records the log holds now.
    pub newest: u64,
    #[serde(flatten)]
    pub picture: Picture,
}

impl Site {
    /// The team of a folder.
    ///
    /// # Errors
    /// When its log cannot be read.
    pub fn of_team(queue: TaskQueue) -> Result<Self, Failure> {
        let folder = queue.team_log().folder().ok_or_else(|| Failure::usage("the team has no folder"))?;
        let (workspace, log) = (folder.workspace().to_owned(), folder.log());
        Self::new(queue, log, Some(workspace))
    }

    /// The team of a log that is only looked at.
    ///
    /// # Errors
    /// When it cannot be read.
    pub fn of_log(log: &Path) -> Result<Self, Failure> {
        Self::new(TaskQueue::over(TeamLog::open_read_only(log)?), log.to_owned(), None)
    }

    fn new(queue: TaskQueue, log: PathBuf, workspace: Option<PathBuf>) -> Result<Self, Failure> {
        let shown = std::path::absolute(&log).unwrap_or_else(|_| log.clone());
        // `.agent-team` says nothing: what holds it does. A copy of a log is called what somebody called it.
        let own = shown.file_name() != Some(OsStr::new("log.jsonl"));
        let copy = shown.file_stem().filter(|_| own);
        let mut above = shown.ancestors().skip(1).filter_map(Path::file_name);
        let name = copy.or_else(|| above.find(|name| *name != agent_team::FOLDER));
        let name = name.map_or_else(|| "team".to_owned(), |name| name.to_string_lossy().into_owned());
        let (history, index) = (History::of(queue.team_log()), RecordIndex::open(&log)?);
        Ok(Self { queue, name, log, workspace, history, past: Mutex::default(), index: Mutex::new(index) })
    }

    /// The team as it is now.
    pub fn queue(&self) -> &TaskQueue {
        &self.queue
    }

    /// Where it is steered; `None` where it cannot be.
    pub fn workspace(&self) -> Option<&Path> {
        self.workspace.as_deref()
    }

    /// Whether the team can only be looked at.
    pub fn is_read_only(&self) -> bool {
        self.workspace.is_none()
    }

    /// The folder in which transcripts lie.
    pub fn root(&self) -> &Path {
        self.log.parent().unwrap_or(Path::new("."))
    }

    /// The team after so many records; as it is now without a number.
    ///
    /// # Errors
    /// When there are not so many yet, or the log cannot be read.
    pub fn at(&self, records: Option<u64>) -> Result<TaskQueue, Failure> {
        let Some(records) = records else { return Ok(self.queue.clone()) };
        let newest = self.newest()?;
        if records > newest {
            return Err(Failure::usage(format!("`at` is {records}, and the log has {newest} records")));
        }
        let mut past = self.past.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((_, known)) = past.iter().find(|(known, _)| *known == records) {
            return Ok(known.clone());
        }
        let found = TaskQueue::over(self.history.at(records)?);
        past.push_front((records, found.clone()));
        past.truncate(KEPT);
        Ok(found)
    }

    /// What is shown of the team after so many records, or now.
    ///
    /// # Errors
    /// When the log cannot be read.
    pub fn shown(&self, records: Option<u64>) -> Result<Shown, Failure> {
        let newest = self.newest()?;
        let records = records.filter(|records| *records != newest);
        let queue = self.at(records)?;
        let at_ms = match records {
            Some(records) => self.with_index(|index| index.at_ms(records))?,
            // Of a log alone nobody knows what came after it.
            None if self.is_read_only() => self.with_index(|index| index.at_ms(newest))?,
            None => now_ms(),
        };
        // Transcripts are not of then.
        let root = records.is_none().then(|| self.root());
        let picture = Picture::of(&queue, &self.name, root)?;
        Ok(Shown { at_ms, live: records.is_none(), read_only: self.is_read_only(), newest, picture })
    }

    /// A picture of the team as it is now.
    ///
    /// # Errors
    /// When the log cannot be read.
    pub fn picture(&self) -> Result<Picture, Error> {
        Picture::of(&self.queue, &self.name, Some(self.root()))
    }

    /// How many records the log holds now.
    ///
    /// # Errors
    /// When the log cannot be read.
    pub fn newest(&self) -> Result<u64, Error> {
        self.queue.team_log().records()
    }

    /// Looks at the records of the log in short, all that there are now.
    ///
    /// # Errors
    /// When the log cannot be read.
    pub fn with_index<T>(&self, look: impl FnOnce(&RecordIndex) -> T) -> Result<T, Error> {
        let mut index = self.index.lock().unwrap_or_else(PoisonError::into_inner);
        index.catch_up()?;
        Ok(look(&index))
    }
}

/// Now, in milliseconds since 1970.
pub fn now_ms() -> u64 {
    milliseconds(SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default())
}
