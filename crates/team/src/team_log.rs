//! The log joined with what it means: this process's copy of the team's state, and the way to change it.
//!
//! Everything that a process knows of its team it reads from the log, and everything that it does to the team goes
//! through [`TeamLog::submit`]: read the tail, decide, append, read back. No other module appends.

use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::thread;
use std::time::Duration;

use agent_team_core::id::{AgentId, RecordId};
use agent_team_core::machine::{Command, Refusal, State, decide};
use agent_team_core::record::{Body, FORMAT, Record, codec};
use agent_team_core::text::{INLINE_BYTES_MAX, Text};
use agent_team_log::{
    BlobHash, BlobStore, FileLog, Log, MemoryLog, Position, Presence, ProcessIdentity, Snapshot,
};
use tokio::sync::watch;

use crate::Error;
use crate::folder::TeamFolder;
use crate::outside::{new_id, now_ms};

/// How long a writer waits for its turn at the log's end before it appends without it.
const PATIENCE: Duration = Duration::from_millis(250);
/// How often a command is decided anew when others overtake it.
const TRIES_MAX: u32 = 64;
/// How much of the log is read in one go, in bytes.
const READ_BYTES: usize = 4 << 20;
/// After how many further records a new snapshot is worth its cost.
const SNAPSHOT_RECORDS: u64 = 2_000;
/// How long the follower sleeps at most before it looks whether anyone still listens.
const FOLLOW: Duration = Duration::from_secs(2);

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
pub struct TeamLog(Arc<Shared>);

struct Shared {
    /// Shared with the follower, which must hold nothing else while it waits.
    log: Arc<dyn Log>,
    folder: Option<TeamFolder>,
    blobs: Option<BlobStore>,
    durability: Durability,
    /// `None` after a sync failed: the log must be opened anew.
    replica: Mutex<Replica>,
    /// The number of records applied so far; watched by whoever waits for news.
    news: watch::Sender<u64>,
    presence: Mutex<Option<(Arc<Presence>, String)>>,
    following: Mutex<bool>,
}

struct Replica {
    state: State,
    position: Position,
    unreadable: u64,
    snapshot_at: u64,
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
        Self::open_or_create(folder, Durability::default())
    }

    /// Opens the team of a folder, and makes it first if it is not there.
    ///
    /// # Errors
    /// When the folder cannot be made, or the log cannot be read.
    pub fn open_or_create(folder: &TeamFolder, durability: Durability) -> Result<Self, Error> {
        folder.create()?;
        let log = Arc::new(FileLog::open_or_create(&folder.log())?);
        Self::over(log, Some(folder.clone()), durability)
    }

    /// Opens a log for looking at it only: nothing is written, not even a cache.
    ///
    /// # Errors
    /// When the log cannot be read.
    pub fn open_read_only(log: &Path) -> Result<Self, Error> {
        Self::over(Arc::new(FileLog::open_read_only(log)?), None, Durability::Process)
    }

    /// A team that lives in this process's memory alone.
    ///
    /// # Errors
    /// When the new log cannot be read, which does not happen.
    pub fn in_memory() -> Result<Self, Error> {
        Self::over(Arc::new(MemoryLog::new()), None, Durability::Process)
    }

    fn over(log: Arc<dyn Log>, folder: Option<TeamFolder>, durability: Durability) -> Result<Self, Error> {
        let blobs = folder.as_ref().map(|folder| BlobStore::new(&folder.blobs()));
        let replica = Replica::open(log.as_ref(), folder.as_ref())?;
        let (news, _) = watch::channel(replica.state.records());
        Ok(Self(Arc::new(Shared {
            log,
            folder,
            blobs,
            durability,
            replica: Mutex::new(replica),
            news,
            presence: Mutex::new(None),
            following: Mutex::new(false),
        })))
    }

    /// The team's folder; `None` for a team in memory.
    pub fn folder(&self) -> Option<&TeamFolder> {
        self.0.folder.as_ref()
    }

    /// Looks at the newest state.
    ///
    /// # Errors
    /// When the log cannot be read.
    pub fn look<T>(&self, look: impl FnOnce(&State) -> T) -> Result<T, Error> {
        let mut replica = self.lock();
        self.catch_up(&mut replica)?;
        Ok(look(&replica.state))
    }

    /// How many lines of the log were no records at all.
    pub fn unreadable(&self) -> u64 {
        self.lock().unreadable
    }

    /// Does what a command wishes, if the newest state allows it.
    ///
    /// When this returns, the record is in the log, took effect, and (with [`Durability::Power`], if it is a result,
    /// an approval, money or a merge) is on disk. A command that a race made void is decided again at once.
    ///
    /// # Errors
    /// [`Error::Refused`] with the refusal that the newest state gives; anything else means that something broke.
    pub fn submit(&self, by: &AgentId, command: &Command) -> Result<Written, Error> {
        let (written, must_sync) = self.write(by, command)?;
        if must_sync && self.0.durability == Durability::Power {
            self.0.log.sync()?;
        }
        Ok(written)
    }

    fn write(&self, by: &AgentId, command: &Command) -> Result<(Written, bool), Error> {
        let mut replica = self.lock();
        // Whoever is refused needs no turn: many who wait for work would keep those from it who have some.
        self.catch_up(&mut replica)?;
        decide(&replica.state, command, now_ms())?;
        for _ in 0..TRIES_MAX {
            // Without the turn a proposal is only voided more often.
            let _turn = self.0.log.turn(PATIENCE).ok().flatten();
            self.catch_up(&mut replica)?;
            if let Some(found) = replica.state.newer_format() {
                return Err(Error::NewerFormat { found, known: FORMAT });
            }
            let bodies = decide(&replica.state, command, now_ms())?;
            let must_sync = bodies.iter().any(must_survive_power_cuts);
            let format = replica.state.format();
            let record = |body| Record { id: new_id(), format, at_ms: now_ms(), by: by.clone(), body };
            let records: Vec<Record> = bodies.into_iter().map(record).collect();
            self.append(&mut replica, &records)?;
            let ids: Vec<RecordId> = records.iter().map(|record| record.id).collect();
            if ids.iter().all(|id| replica.state.why_void(*id).is_none()) {
                return Ok((Written { ids }, must_sync));
            }
        }
        Err(Error::Overtaken { tries: TRIES_MAX })
    }

    /// Appends records and reads them back. An append that failed may have landed, so what is there is looked at
    /// before it is appended again, under the same id.
    fn append(&self, replica: &mut Replica, records: &[Record]) -> Result<(), Error> {
        let mut failure = None;
        for _ in 0..3 {
            let missing = records.iter().filter(|record| !replica.state.has_seen(record.id));
            let lines: Vec<Vec<u8>> = missing.map(codec::encode).collect::<Result<_, _>>()?;
            if lines.is_empty() {
                return Ok(());
            }
            let lines: Vec<&[u8]> = lines.iter().map(Vec::as_slice).collect();
            failure = self.0.log.append(&lines).err();
            self.catch_up(replica)?;
        }
        match failure {
            _ if records.iter().all(|record| replica.state.has_seen(record.id)) => Ok(()),
            Some(failure) => Err(failure.into()),
            None => Err(Error::Overtaken { tries: 3 }),
        }
    }

    /// Applies what came since the last look.
    fn catch_up(&self, replica: &mut Replica) -> Result<(), Error> {
        let before = replica.state.records();
        replica.catch_up(self.0.log.as_ref())?;
        let now = replica.state.records();
        if now != before {
            self.0.news.send_replace(now);
        }
        if let Some(folder) = self.folder().filter(|_| now >= replica.snapshot_at + SNAPSHOT_RECORDS) {
            replica.snapshot_at = now;
            // A snapshot is a cache: that it cannot be written harms nobody.
            let _ = replica.save(self.0.log.as_ref(), folder);
        }
        Ok(())
    }

    fn lock(&self) -> MutexGuard<'_, Replica> {
        self.0.replica.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Follows the log: the receiver sees the number of records rise, whoever writes them. From here on a thread of
    /// its own waits for news, until the last clone of this team log is gone.
    pub fn follow(&self) -> watch::Receiver<u64> {
        let mut following = self.0.following.lock().unwrap_or_else(PoisonError::into_inner);
        if !*following {
            *following = true;
            let shared = Arc::downgrade(&self.0);
            let name = "agent-team-follow".to_owned();
            // Without the thread, news come with the next look only; waiters also wake up by themselves now and then.
            let _ = thread::Builder::new().name(name).spawn(move || follow(&shared));
        }
        self.0.news.subscribe()
    }

    /// A text as a record can hold it: what is long becomes a blob, which is on disk when this returns.
    ///
    /// # Errors
    /// When the blob cannot be written.
    pub fn text(&self, text: impl Into<String>) -> Result<Text, Error> {
        let text = text.into();
        match &self.0.blobs {
            Some(blobs) if text.len() > INLINE_BYTES_MAX => {
                let blob = blobs.put(text.as_bytes())?.to_string();
                let head = text.chars().take(200).collect();
                Ok(Text::Blob { blob, size_bytes: text.len() as u64, head })
            }
            _ => Ok(Text::Inline(text)),
        }
    }

    /// The whole of a text.
    ///
    /// # Errors
    /// When its blob is missing or damaged.
    pub fn read_text(&self, text: &Text) -> Result<String, Error> {
        let (blob, blobs) = match (text, &self.0.blobs) {
            (Text::Inline(text), _) => return Ok(text.clone()),
            (Text::Blob { .. }, None) => return Ok(text.preview().into_owned()),
            (Text::Blob { blob, .. }, Some(blobs)) => (blob, blobs),
        };
        let hash: BlobHash = blob.parse().map_err(|_| Error::Input(format!("`{blob}` names no blob")))?;
        Ok(String::from_utf8_lossy(&blobs.get(&hash)?).into_owned())
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

impl Replica {
    fn open(log: &dyn Log, folder: Option<&TeamFolder>) -> Result<Self, Error> {
        let snapshot = folder.and_then(|folder| Snapshot::load(&folder.cache(), log));
        let known = snapshot
            .and_then(|snapshot| Some((State::from_snapshot(snapshot.bytes.into())?, snapshot.position)));
        let (state, position) = known.unwrap_or_else(|| (State::new(), Position::START));
        let snapshot_at = state.records();
        let mut replica = Self { state, position, unreadable: 0, snapshot_at };
        replica.catch_up(log)?;
        Ok(replica)
    }

    fn catch_up(&mut self, log: &dyn Log) -> Result<(), Error> {
        loop {
            let batch = log.read(self.position, READ_BYTES)?;
            for record in batch.records() {
                match codec::decode(record.bytes) {
                    Ok(record) => {
                        self.state.apply(&record);
                    }
                    Err(_) => {
                        self.state.skip();
                        self.unreadable += 1;
                    }
                }
            }
            self.position = batch.next();
            if batch.is_empty() {
                return Ok(());
            }
        }
    }

    fn save(&self, log: &dyn Log, folder: &TeamFolder) -> Option<()> {
        let bytes = self.state.to_snapshot().ok()?;
        Snapshot { position: self.position, bytes }.save(&folder.cache(), log).ok()
    }
}

/// Waits for news and applies them, as long as anyone holds the team log. While it waits it holds only the log, so that
/// this process's presence ends with the last one who needs it.
fn follow(shared: &Weak<Shared>) {
    while let Some((log, position)) =
        shared.upgrade().map(|shared| (shared.log.clone(), TeamLog(shared).lock().position))
    {
        let waited = log.wait(position, FOLLOW);
        let Some(team_log) = shared.upgrade().map(TeamLog) else { return };
        // What is broken is told to whoever looks or submits next.
        if waited.is_err() || team_log.look(|_| ()).is_err() {
            drop(team_log);
            thread::sleep(FOLLOW);
        }
    }
}

/// Whether a record is promised to someone outside, or costs money: then it is synced before it is acknowledged.
fn must_survive_power_cuts(body: &Body) -> bool {
    match body {
        Body::TaskAdded(_)
        | Body::BatchClosed(_)
        | Body::TaskEdited(_)
        | Body::TaskRetried(_)
        | Body::TaskCancelled(_)
        | Body::TaskSubmitted(_)
        | Body::TaskFailed(_)
        | Body::LateResult(_)
        | Body::CheckReported(_)
        | Body::ReviewGiven(_)
        | Body::MergeIntended(_)
        | Body::Merged(_)
        | Body::MergeRefused(_)
        | Body::MessageSent(_)
        | Body::PolicySet(_)
        | Body::BudgetSet(_)
        | Body::SpendingReserved(_)
        | Body::SpendingSettled(_)
        | Body::FormatRaised(_) => true,
        Body::RunStarted(_)
        | Body::RunEnded(_)
        | Body::AgentJoined(_)
        | Body::AgentLeft(_)
        | Body::TaskClaimed(_)
        | Body::ClaimRenewed(_)
        | Body::ClaimReleased(_)
        | Body::ClaimExpired(_)
        | Body::TurnJournalled(_)
        | Body::MessagesDelivered(_)
        | Body::MessagesRead(_)
        | Body::FilesReserved(_)
        | Body::FilesReleased(_)
        | Body::Unknown { .. }
        | Body::Malformed { .. } => false,
    }
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
