//! The log joined with what it means: this process's copy of the team's state, and the way to change it.
//!
//! Everything that a process knows of its team it reads from the log, and everything that it does to the team goes
//! through [`TeamLog::submit`]: read the tail, decide, append, read back. No other module appends.

mod history;
mod long_texts;
mod replica;
mod submit;

use std::borrow::Cow;
use std::io::ErrorKind;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError, TryLockError};
use std::thread;

use agent_team_core::id::RecordId;
use agent_team_core::machine::{Refusal, State};
use agent_team_core::text::{INLINE_BYTES_MAX, LongText, Text};
use agent_team_log::{FileLog, Log, MemoryLog, OpenError, Position, Presence, ProcessIdentity};
use tokio::sync::watch;

use crate::Error;
use crate::agent::Governor;
use crate::ancestry::is_called_within;
use crate::folder::TeamFolder;
use crate::follow::Follower;
use crate::hooks::{Hook, Hooks};
use crate::outside::{new_id, now_ms};
use crate::secrets::Secrets;
use crate::waiting::Waiters;
pub use history::History;
use long_texts::LongTexts;
use replica::{Own, Replica};

/// How often a thread that finds the state in use lets others run before it sleeps.
const YIELDS: u32 = 64;

/// How much survives when something is acknowledged.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Durability {
    /// Results, approvals, money and merges survive a power cut.
    #[default]
    Power,
    /// Everything survives the death of any process, but not of the machine.
    Process,
}

/// A team's log and its meaning. Cheap to clone; all clones share one state.
#[derive(Clone)]
pub struct TeamLog(pub(crate) Arc<Shared>);

pub(crate) struct Shared {
    /// Shared with the follower, which must hold nothing else while it waits.
    log: Arc<dyn Log>,
    folder: Option<TeamFolder>,
    long_texts: Arc<LongTexts>,
    is_in_memory: bool,
    durability: Durability,
    /// `None` after a sync failed: the log must be opened anew.
    replica: Mutex<Replica>,
    /// The number of records applied so far; watched by whoever waits for news.
    news: watch::Sender<u64>,
    presence: Mutex<Option<(Arc<Presence>, String)>>,
    /// Locked after the replica where both are.
    waiters: Mutex<Waiters>,
    follower: Follower,
    /// What this process knows of the limits of its models.
    governor: Governor,
    /// Held by the one who looks for holders that are gone, for all who wait in this process.
    lookout: tokio::sync::Mutex<()>,
    /// Held by the one who makes changes that somebody has approved.
    carrying_out: Mutex<()>,
    hooks: Mutex<Option<Hooks>>,
    /// What is written nowhere.
    secrets: Mutex<Secrets>,
    /// Whether this process runs commands without a sandbox.
    is_unconfined: AtomicBool,
    /// When the newest record of a team as it was before was written, in milliseconds since 1970; `None` for one as it is.
    as_of_ms: Option<u64>,
    /// Whether this process is a command of the team's own: it looks, and changes nothing. Found out when it first matters.
    is_within: OnceLock<bool>,
}

/// What [`TeamLog::submit`] wrote.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Written {
    /// The ids of the records, in order.
    pub ids: Vec<RecordId>,
}

impl Written {
    /// The id of the last record: of the only one, unless tasks were added in a batch.
    pub fn id(&self) -> RecordId {
        self.ids.last().copied().unwrap_or(RecordId(0))
    }
}

impl TeamLog {
    /// Opens the team of a folder, which must be there.
    ///
    /// # Errors
    /// When there is no log, or it cannot be read.
    pub fn open(folder: &TeamFolder) -> Result<Self, Error> {
        if !folder.log().is_file() {
            return Err(Error::NoTeam { start: folder.workspace().to_owned() });
        }
        match Self::open_or_create(folder, Durability::default()) {
            // Whoever may only read sees the team all the same, and is told so when something is to be written.
            Err(Error::Open(OpenError::Io { source, .. })) if may_only_read(&source) => {
                let log = Arc::new(FileLog::open_read_only(&folder.log())?);
                Self::over(log, Some(folder.clone()), Durability::default(), false)
            }
            opened => opened,
        }
    }

    /// Opens the team of a folder, and makes it first if it is not there.
    ///
    /// # Errors
    /// When the folder cannot be made, or the log cannot be read.
    pub fn open_or_create(folder: &TeamFolder, durability: Durability) -> Result<Self, Error> {
        folder.create()?;
        let log = Arc::new(FileLog::open_or_create(&folder.log())?);
        Self::over(log, Some(folder.clone()), durability, false)
    }

    /// Opens a log for looking at it only: nothing is written, not even a cache.
    ///
    /// # Errors
    /// When the log cannot be read.
    pub fn open_read_only(log: &Path) -> Result<Self, Error> {
        let long_texts = LongTexts::beside(log);
        let log = Arc::new(FileLog::open_read_only(log)?);
        Self::with_texts(log, None, long_texts, Durability::Process, false)
    }

    /// A team that lives in this process's memory alone.
    ///
    /// # Errors
    /// When the new log cannot be read, which does not happen.
    pub fn in_memory() -> Result<Self, Error> {
        Self::over(Arc::new(MemoryLog::new()), None, Durability::Process, true)
    }

    fn over(
        log: Arc<dyn Log>,
        folder: Option<TeamFolder>,
        durability: Durability,
        is_in_memory: bool,
    ) -> Result<Self, Error> {
        let long_texts = LongTexts::of(folder.as_ref());
        Self::with_texts(log, folder, long_texts, durability, is_in_memory)
    }

    fn with_texts(
        log: Arc<dyn Log>,
        folder: Option<TeamFolder>,
        long_texts: LongTexts,
        durability: Durability,
        is_in_memory: bool,
    ) -> Result<Self, Error> {
        let replica = Replica::open(&log, folder.as_ref())?;
        let long_texts = Arc::new(long_texts);
        Ok(Self::joined(log, folder, long_texts, durability, is_in_memory, replica, None))
    }

    /// The team of this log as it was when its state was this one, and for ever.
    fn as_it_was(&self, state: State, position: Position, at_ms: u64) -> Self {
        let replica = Replica::of(state, position);
        let (log, long_texts) = (Arc::clone(&self.0.log), Arc::clone(&self.0.long_texts));
        Self::joined(log, None, long_texts, Durability::Process, true, replica, Some(at_ms))
    }

    fn joined(
        log: Arc<dyn Log>,
        folder: Option<TeamFolder>,
        long_texts: Arc<LongTexts>,
        durability: Durability,
        is_in_memory: bool,
        replica: Replica,
        as_of_ms: Option<u64>,
    ) -> Self {
        let (news, _) = watch::channel(replica.state.records());
        Self(Arc::new(Shared {
            log,
            folder,
            long_texts,
            is_in_memory,
            durability,
            replica: Mutex::new(replica),
            news,
            presence: Mutex::new(None),
            waiters: Mutex::default(),
            follower: Follower::default(),
            governor: Governor::default(),
            lookout: tokio::sync::Mutex::default(),
            carrying_out: Mutex::default(),
            hooks: Mutex::default(),
            secrets: Mutex::default(),
            is_unconfined: AtomicBool::new(false),
            as_of_ms,
            is_within: OnceLock::new(),
        }))
    }

    /// Now, in milliseconds since 1970; in a team as it was before, when its newest record was written.
    pub(crate) fn now_ms(&self) -> u64 {
        self.0.as_of_ms.unwrap_or_else(now_ms)
    }

    /// Whether it is a team as it was before, in which nothing can be changed.
    pub(crate) fn is_past(&self) -> bool {
        self.0.as_of_ms.is_some()
    }

    /// Whether the team lives in this process's memory alone.
    pub(crate) fn is_in_memory(&self) -> bool {
        self.0.is_in_memory && !self.is_past()
    }

    /// The team's folder; `None` for a team in memory.
    pub fn folder(&self) -> Option<&TeamFolder> {
        self.0.folder.as_ref()
    }

    /// Has these words hidden, too, in all texts and transcripts from now on, by all clones.
    pub fn hide(&self, secrets: &Secrets) {
        let mut known = self.0.secrets.lock().unwrap_or_else(PoisonError::into_inner);
        *known = known.and(secrets);
    }

    /// What is written nowhere.
    pub fn secrets(&self) -> Secrets {
        self.0.secrets.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Has hooks asked from now on, by all clones, in the place of those that were; or none.
    pub fn set_hooks(&self, hooks: impl Into<Option<Hooks>>) {
        *self.0.hooks.lock().unwrap_or_else(PoisonError::into_inner) = hooks.into();
    }

    /// Has every record that this process writes from now on say that it runs commands without a sandbox.
    pub fn set_unconfined(&self) {
        self.0.is_unconfined.store(true, Ordering::Relaxed);
    }

    /// Whether this process runs commands without a sandbox.
    pub fn is_unconfined(&self) -> bool {
        self.0.is_unconfined.load(Ordering::Relaxed)
    }

    /// Whether this process belongs to a command that an agent, a check or the gate of this very team runs.
    pub(crate) fn is_within(&self) -> bool {
        let is_called = || self.0.folder.as_ref().is_some_and(|folder| is_called_within(folder.workspace()));
        *self.0.is_within.get_or_init(is_called)
    }

    /// Says for which run hooks are asked: see [`Hooks::are_asked_by`].
    pub(crate) fn hooks_are_asked_by(&self, presence: &str) {
        if let Some(hooks) = &*self.0.hooks.lock().unwrap_or_else(PoisonError::into_inner) {
            hooks.are_asked_by(presence);
        }
    }

    /// The hooks, if one of them is asked at this moment.
    pub(crate) fn hooks(&self, hook: Hook) -> Option<Hooks> {
        let hooks = self.0.hooks.lock().unwrap_or_else(PoisonError::into_inner);
        hooks.as_ref().filter(|hooks| hooks.has(hook)).cloned()
    }

    /// Looks at the newest state.
    ///
    /// # Errors
    /// When the log cannot be read.
    pub fn look<T>(&self, look: impl FnOnce(&State) -> T) -> Result<T, Error> {
        let mut replica = self.lock();
        self.catch_up(&mut replica, &mut Own::none())?;
        Ok(look(&replica.state))
    }

    /// How many records the log holds.
    ///
    /// # Errors
    /// When the log cannot be read.
    pub fn records(&self) -> Result<u64, Error> {
        self.look(State::records)
    }

    /// Looks at the state as this process knows it: for what it has read or written itself.
    pub(crate) fn look_at_known<T>(&self, look: impl FnOnce(&State) -> T) -> T {
        look(&self.lock().state)
    }

    /// How many lines of the log were no records at all.
    pub fn unreadable(&self) -> u64 {
        self.lock().unreadable
    }

    /// Applies what came since the last look.
    fn catch_up(&self, replica: &mut Replica, own: &mut Own) -> Result<(), Error> {
        if self.is_past() {
            return Ok(());
        }
        let before = replica.state.records();
        replica.catch_up(self.0.log.as_ref(), own)?;
        self.tell_news(replica, before);
        Ok(())
    }

    /// Tells those who wait what came since so many records were applied.
    fn tell_news(&self, replica: &mut Replica, before: u64) {
        let now = replica.state.records();
        if now == before {
            return;
        }
        self.0.news.send_replace(now);
        for model in replica.ended.take_lifted() {
            if replica.state.limit(&model).is_none() {
                self.0.governor.lift(&model);
            }
        }
        self.waiters().call(&replica.state, &mut replica.ended);
        if let Some(folder) = self.folder() {
            replica.save_if_due(&self.0.log, folder);
        }
    }

    /// Whoever holds it does so for microseconds, and to be put to sleep and woken takes longer: so others of this process
    /// let the rest of the machine run a few times before they sleep.
    fn lock(&self) -> MutexGuard<'_, Replica> {
        for _ in 0..YIELDS {
            match self.0.replica.try_lock() {
                Ok(replica) => return replica,
                Err(TryLockError::Poisoned(poisoned)) => return poisoned.into_inner(),
                Err(TryLockError::WouldBlock) => thread::yield_now(),
            }
        }
        self.0.replica.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Follows the log: the receiver sees the number of records rise, whoever writes them. On a tokio runtime the log is
    /// followed as long as that lives.
    pub fn follow(&self) -> watch::Receiver<u64> {
        self.ensure_followed();
        self.0.news.subscribe()
    }

    fn ensure_followed(&self) {
        // Nobody else writes a log in memory.
        if !self.0.is_in_memory {
            self.0.follower.ensure(&Arc::downgrade(&self.0), || self.0.log.watch());
        }
    }

    pub(crate) fn follower(&self) -> &Follower {
        &self.0.follower
    }

    pub(crate) fn governor(&self) -> &Governor {
        &self.0.governor
    }

    /// Lets nobody else of this process make changes that somebody has approved, as long as it is held.
    pub(crate) fn carries_out(&self) -> MutexGuard<'_, ()> {
        self.0.carrying_out.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The log, and how far it was applied.
    pub(crate) fn place(&self) -> (Arc<dyn Log>, Position) {
        (self.0.log.clone(), self.lock().position)
    }

    /// Those who wait in this process. Never to be held while the state is looked at from outside.
    pub(crate) fn waiters(&self) -> MutexGuard<'_, Waiters> {
        self.0.waiters.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Looks at the state as it is known, and lets somebody wait for another one without a gap in between: what is not
    /// known yet comes with the follower.
    pub(crate) fn look_and_wait<T>(&self, look: impl FnOnce(&State, &mut Waiters) -> T) -> T {
        self.ensure_followed();
        let replica = self.lock();
        look(&replica.state, &mut self.waiters())
    }

    /// Calls those whose wait is over in the state as it is known.
    pub(crate) fn call_waiters(&self) {
        let mut replica = self.lock();
        let replica = &mut *replica;
        self.waiters().call(&replica.state, &mut replica.ended);
    }

    /// Held by the one who looks for holders that are gone, for all who wait in this process.
    pub(crate) fn lookout(&self) -> &tokio::sync::Mutex<()> {
        &self.0.lookout
    }

    /// A text as a record can hold it: what is long becomes a blob, which is on disk when this returns.
    ///
    /// # Errors
    /// When the blob cannot be written.
    pub fn text(&self, text: impl Into<String>) -> Result<Text, Error> {
        let text = text.into();
        let text = match self.secrets().hidden(&text) {
            Cow::Owned(hidden) => hidden,
            Cow::Borrowed(_) => text,
        };
        if text.len() <= INLINE_BYTES_MAX {
            return Ok(Text::Inline(text));
        }
        let blob = self.0.long_texts.put(&text)?;
        let head = text.chars().take(200).collect();
        Ok(Text::Blob(Box::new(LongText { blob, size_bytes: text.len() as u64, head })))
    }

    /// The whole of a text.
    ///
    /// # Errors
    /// When its blob is missing or damaged.
    pub fn read_text(&self, text: &Text) -> Result<String, Error> {
        match text {
            Text::Inline(text) => Ok(text.clone()),
            Text::Blob(long) => {
                let whole = self.0.long_texts.get(&long.blob)?;
                Ok(whole.unwrap_or_else(|| text.preview().into_owned()))
            }
        }
    }

    /// The name of this process's presence, if it was announced.
    pub(crate) fn announced(&self) -> Option<String> {
        let known = self.0.presence.lock().unwrap_or_else(PoisonError::into_inner);
        known.as_ref().map(|(_, name)| name.clone())
    }

    /// Runs what may write to the log: here if that takes microseconds, away from the threads that serve everyone if
    /// it may wait for a disk.
    pub(crate) async fn write_soon<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> Result<T, Error> + Send + 'static,
    ) -> Result<T, Error> {
        match self.0.durability {
            Durability::Process => work(),
            Durability::Power => blocking(work).await,
        }
    }

    /// This process's presence among the team's processes: its name, and who it is. Announced when first asked for.
    ///
    /// # Errors
    /// When it cannot be announced.
    pub fn presence(&self) -> Result<Option<(String, ProcessIdentity)>, Error> {
        let Some(folder) = self.folder() else { return Ok(None) };
        let mut known = self.0.presence.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((presence, name)) = &*known {
            return Ok(Some((name.clone(), presence.identity().clone())));
        }
        // Unique for ever, so that nobody takes a later process for this one.
        let name = format!("{}{}", crate::liveness::PRESENCE_PREFIX, new_id());
        let presence = Arc::new(Presence::announce(&folder.presence(), &name)?);
        let identity = presence.identity().clone();
        *known = Some((presence, name.clone()));
        Ok(Some((name, identity)))
    }
}

/// Whether the system lets nobody, or only others, write.
fn may_only_read(error: &std::io::Error) -> bool {
    matches!(error.kind(), ErrorKind::PermissionDenied | ErrorKind::ReadOnlyFilesystem)
}

/// Runs something that blocks (git, a sync) away from the threads that serve everyone.
pub(crate) async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, Error> + Send + 'static,
) -> Result<T, Error> {
    match tokio::task::spawn_blocking(work).await {
        Ok(outcome) => outcome,
        Err(failed) => Err(Error::Input(format!("a task of this program broke down: {failed}"))),
    }
}

/// The refusal that an outcome is, for callers that treat some of them as answers.
pub(crate) fn refusal<T>(outcome: Result<T, Error>) -> Result<Result<T, Refusal>, Error> {
    match outcome {
        Ok(value) => Ok(Ok(value)),
        Err(Error::Refused(refusal)) => Ok(Err(refusal)),
        Err(error) => Err(error),
    }
}

#[cfg(test)]
mod tests;
