//! A snapshot in its file, for a state that leaves there what nobody has asked for.
//!
//! The state must have these bytes as long as it lives. The file is kept open and nobody writes into it; should a disk
//! or somebody's hand lose a block of it all the same, the log is folded anew: equal logs give equal states, and equal
//! states give equal bytes. Only when the log is gone too is there nothing left to go on with.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};

use agent_team_core::machine::{Kept, State};
use agent_team_core::record::codec::Decoder;
use agent_team_log::{FileLog, Log, Position, SavedSnapshot};
use bytes::Bytes;

use crate::folder::TeamFolder;

/// How much of the log is read in one go, in bytes.
const READ_BYTES: usize = 4 << 20;

#[derive(Debug)]
struct KeptSnapshot {
    saved: SavedSnapshot,
    team: TeamFolder,
    /// Whether a state rests on it. Before that, a snapshot that is damaged is no snapshot.
    in_use: AtomicBool,
    /// All of it, made of the log anew, once a part of the file was lost.
    anew: OnceLock<Bytes>,
}

/// The state of the newest snapshot of a log, and the position up to which it was folded, if there is one to be believed.
pub(crate) fn open(team: &TeamFolder, log: &dyn Log) -> Option<(State, Position)> {
    let saved = SavedSnapshot::open(&team.cache(), log)?;
    let position = saved.position();
    let in_use = AtomicBool::new(false);
    let kept = Arc::new(KeptSnapshot { saved, team: team.clone(), in_use, anew: OnceLock::new() });
    let state = State::from_kept(Arc::clone(&kept) as Arc<dyn Kept>)?;
    kept.in_use.store(true, Ordering::Relaxed);
    Some((state, position))
}

impl Kept for KeptSnapshot {
    fn length(&self) -> usize {
        self.saved.length()
    }

    fn read(&self, at: usize, length: usize) -> Option<Bytes> {
        let end = at.checked_add(length).filter(|end| *end <= self.length())?;
        if self.anew.get().is_none()
            && let Ok(bytes) = self.saved.read(at, length)
        {
            return Some(bytes);
        }
        if !self.in_use.load(Ordering::Relaxed) {
            return None;
        }
        Some(self.anew.get_or_init(|| self.fold_anew()).slice(at..end))
    }

    fn copy(&self, at: usize, to: &mut [u8]) -> bool {
        if self.anew.get().is_none() && self.saved.copy(at, to).is_ok() {
            return true;
        }
        let bytes = self.read(at, to.len());
        bytes.is_some_and(|bytes| {
            to.copy_from_slice(&bytes);
            true
        })
    }
}

impl KeptSnapshot {
    #[expect(clippy::panic, reason = "what the state rests on is lost, and any answer would be a lie")]
    fn fold_anew(&self) -> Bytes {
        match self.folded() {
            Some(bytes) => bytes,
            None => panic!(
                "neither the snapshot in {} nor the log {} can be read any more, so that nothing more is known of the \
                 team: look after the disk, then start again",
                self.team.cache().display(),
                self.team.log().display()
            ),
        }
    }

    /// The very bytes that were saved, made of the log.
    fn folded(&self) -> Option<Bytes> {
        let log = FileLog::open_read_only(&self.team.log()).ok().filter(|log| self.saved.is_of(log))?;
        let (mut state, mut decoder, mut position) = (State::new(), Decoder::default(), Position::START);
        while position < self.saved.position() {
            let batch = log.read(position, READ_BYTES).ok()?;
            for record in batch.records().take_while(|record| record.next <= self.saved.position()) {
                match decoder.decode(record.bytes) {
                    Ok(record) => drop(state.apply(record)),
                    Err(_) => state.skip(),
                }
            }
            // No record is left before the position of the snapshot if there are none at all.
            if batch.is_last() {
                break;
            }
            position = batch.next();
        }
        let bytes = state.to_snapshot().ok()?;
        self.saved.is_made_of(&bytes).then(|| bytes.into())
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;
    use crate::{AgentId, Durability, NewTask, TaskQueue, TeamLog};

    /// A team with a snapshot of some blocks.
    fn team() -> (tempfile::TempDir, TeamFolder, FileLog) {
        let workspace = tempfile::tempdir().unwrap();
        let team = TeamFolder::of(workspace.path());
        let open = || TeamLog::open_or_create(&team, Durability::Process).unwrap();
        let tasks: Vec<NewTask> = (0..4_500).map(|number| NewTask::new(format!("Task {number}"))).collect();
        TaskQueue::over(open()).add_tasks(&AgentId::human(), &tasks).unwrap();
        fs::remove_dir_all(team.cache()).unwrap();
        open();
        let log = FileLog::open_read_only(&team.log()).unwrap();
        (workspace, team, log)
    }

    /// Changes every byte of the snapshot's file after its head, in place.
    fn spoil(team: &TeamFolder) {
        let path = team.cache().join("snapshot");
        let mut bytes = fs::read(&path).unwrap();
        bytes.iter_mut().skip(4096).for_each(|byte| *byte ^= 0x20);
        fs::write(&path, bytes).unwrap();
    }

    #[test]
    fn a_state_stays_what_it_is_when_the_snapshot_is_spoilt_under_it() {
        let (_workspace, team, log) = team();
        let (sound, position) = open(&team, &log).unwrap();
        assert_eq!(sound.counts().ready, 4_500);
        let expected = sound.to_snapshot().unwrap();
        let (spoilt, same) = open(&team, &log).unwrap();
        assert_eq!(position, same);
        spoil(&team);
        assert_eq!(spoilt.to_snapshot().unwrap(), expected);
        assert!(spoilt == sound);
    }

    #[test]
    fn a_snapshot_whose_damage_shows_at_once_is_none() {
        let (_workspace, team, log) = team();
        spoil(&team);
        assert!(open(&team, &log).is_none());
    }

    #[test]
    #[should_panic(expected = "can be read any more")]
    fn nothing_is_told_of_a_team_whose_snapshot_and_log_are_both_lost() {
        let (_workspace, team, log) = team();
        let (spoilt, _) = open(&team, &log).unwrap();
        spoil(&team);
        fs::remove_file(team.log()).unwrap();
        let _ = spoilt.tasks().count();
    }
}
