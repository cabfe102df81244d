//! The teams that this process has opened: one log for each folder, however many objects of Python's use it.
//!
//! A claim lives as long as the process that made it, and not as long as an object that Python may forget before. So whatever may
//! hold one is kept; and since it is kept by its folder, a program that opens its team for each request holds no more than one.

use std::collections::HashMap;
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, PoisonError, Weak};

use agent_team::git::ignore_state_folder;
use agent_team::{Durability, Error, TaskQueue, TeamFolder, TeamLog};

use crate::process::Process;

/// An open team.
pub struct Opened {
    pub log: TeamLog,
    /// Whether what is acknowledged outlives a loss of power.
    pub is_power: bool,
    place: Option<Place>,
    is_running: AtomicBool,
}

/// That a team is being run by this process, until this is dropped.
pub struct Running(Arc<Opened>);

impl Drop for Running {
    fn drop(&mut self) {
        self.0.is_running.store(false, Ordering::Release);
    }
}

/// Where the log of a team is: a folder that was made anew has another one under the same name.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Place {
    folder: PathBuf,
    /// Device and number of the log's file.
    file: (u64, u64),
    is_power: bool,
}

/// Those that somebody has, or that hold something.
#[derive(Default)]
pub struct Teams {
    open: HashMap<PathBuf, Weak<Opened>>,
    holding: Vec<Arc<Opened>>,
}

fn teams<T>(what: impl FnOnce(&mut Teams) -> T) -> T {
    what(&mut Process::this().teams.lock().unwrap_or_else(PoisonError::into_inner))
}

impl Place {
    fn of(folder: &TeamFolder, durability: Durability) -> Option<Self> {
        let file = fs::metadata(folder.log()).ok()?;
        Some(Self {
            folder: fs::canonicalize(folder.root()).ok()?,
            file: (file.dev(), file.ino()),
            is_power: durability == Durability::Power,
        })
    }
}

impl Opened {
    /// The team of a folder, which is made if there is none.
    ///
    /// # Errors
    /// When it cannot be opened.
    pub fn at(workspace: &Path, durability: Durability) -> Result<Arc<Self>, Error> {
        let folder = TeamFolder::of(workspace);
        if let Some(place) = Place::of(&folder, durability) {
            let open = teams(|teams| teams.open.get(&place.folder).and_then(Weak::upgrade));
            // One that cannot be read any more, as after a sync that failed, has to be opened anew.
            let is_it =
                |open: &Arc<Self>| open.place.as_ref() == Some(&place) && open.log.look(|_| ()).is_ok();
            if let Some(open) = open.filter(is_it) {
                return Ok(open);
            }
        }
        let is_new = !folder.log().is_file();
        let log = TeamLog::open_or_create(&folder, durability)?;
        if is_new {
            ignore_state_folder(workspace)?;
        }
        let place = Place::of(&folder, durability);
        let opened = Arc::new(Self {
            log,
            is_power: durability == Durability::Power,
            place: place.clone(),
            is_running: AtomicBool::new(false),
        });
        if let Some(place) = place {
            teams(|teams| {
                teams.open.retain(|_, open| open.strong_count() > 0);
                teams.open.insert(place.folder, Arc::downgrade(&opened));
            });
        }
        Ok(opened)
    }

    /// A team in memory.
    ///
    /// # Errors
    /// As [`TeamLog::in_memory`].
    pub fn in_memory() -> Result<Arc<Self>, Error> {
        Ok(Arc::new(Self {
            log: TeamLog::in_memory()?,
            is_power: false,
            place: None,
            is_running: AtomicBool::new(false),
        }))
    }

    /// Says that it is run from now on, unless it is already.
    pub fn running(self: &Arc<Self>) -> Option<Running> {
        (!self.is_running.swap(true, Ordering::AcqRel)).then(|| Running(self.clone()))
    }

    /// Keeps it, since a claim may be made by it.
    pub fn hold(self: &Arc<Self>) {
        teams(|teams| {
            if !teams.holding.iter().any(|held| Arc::ptr_eq(held, self)) {
                teams.holding.push(self.clone());
            }
        });
    }

    /// Keeps it no longer if nothing is claimed by this process. Called by the last object that uses it.
    pub fn let_go(self: &Arc<Self>) {
        let is_last = |held: &Arc<Self>| Arc::ptr_eq(held, self) && Arc::strong_count(held) <= 2;
        if teams(|teams| teams.holding.iter().any(is_last)) && !self.holds_something() {
            teams(|teams| teams.holding.retain(|held| !is_last(held)));
        }
    }

    /// Whether a task is held by this process. Where that cannot be known, one is.
    fn holds_something(&self) -> bool {
        let Ok(this) = TaskQueue::over(self.log.clone()).this_process() else { return true };
        let held = self.log.look(|state| state.held().any(|(_, claim)| claim.holder == this));
        held.unwrap_or(true)
    }
}
