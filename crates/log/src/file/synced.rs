//! How far a log is on disk, told to all processes that write it: one sync serves all that wait for one.
//!
//! Beside the log lies `<name>.synced`. Whoever syncs holds the lock on it meanwhile, and then notes in it how far the log
//! reached when the sync began. Whoever waits for the lock reads the note, and need not sync what is on disk already. Where
//! sixteen processes deliver results, most of them find their records on disk when their turn comes.
//!
//! The note is a cache. It is about one log in one file, is true when it is written, and stays true as long as that
//! file is not cut off; one that says more than the file has is not believed. Where it is missing or damaged, or the lock is
//! not to be had, everybody syncs by himself. Once a sync failed no note is believed any more: the system tells each open
//! file of a lost page, but marks it clean, so that the sync of one who opened the log later would prove nothing to others.

use std::ffi::OsString;
use std::fs::{File, Metadata, OpenOptions};
use std::io;
use std::os::unix::fs::{FileExt, MetadataExt};
use std::path::{Path, PathBuf};
use std::sync::OnceLock;
use std::thread;
use std::time::{Duration, Instant};

use super::turn::nap;
use crate::Watch;

/// How long one waits for the syncs of others before syncing by itself: one of them may have been stopped.
const PATIENCE: Duration = Duration::from_millis(100);

/// The note beside a log.
#[derive(Debug, Default)]
pub(super) struct Synced {
    /// `None` if it cannot be had.
    note: OnceLock<Option<Note>>,
}

/// The open note, and what tells that it was written.
#[derive(Debug)]
struct Note {
    file: File,
    /// Made when somebody first waits: a system has few of them. `None` if it has none left.
    watch: OnceLock<Option<Watch>>,
}

impl Note {
    fn beside(log: &Path) -> io::Result<Self> {
        let path = note_path(log);
        let file = OpenOptions::new().read(true).write(true).create(true).truncate(false).open(path)?;
        Ok(Self { file, watch: OnceLock::new() })
    }

    /// Waits until it is written, or one who has waited so long should look again all the same: who wrote it may not have let
    /// go of the lock yet.
    fn wait(&self, log: &Path, waited: Duration) {
        match self.watch.get_or_init(|| Watch::of(&note_path(log)).ok()) {
            Some(watch) => watch.wait(4 * nap(waited)),
            None => thread::sleep(nap(waited)),
        }
    }

    /// Forgets that it was written so far.
    fn clear(&self) {
        if let Some(Some(watch)) = self.watch.get() {
            watch.clear();
        }
    }

    /// Whether it says that the bytes of a log before `end` are on disk, as far as it can be believed.
    fn covers(&self, log: Named<'_>, end: u64) -> bool {
        let Ok(found) = log.file.metadata() else { return false };
        match read(&self.file, log.identity(&found)) {
            Some(Said::UpTo(reached)) => (end..=found.len()).contains(&reached),
            Some(Said::Failed) | None => false,
        }
    }

    /// Syncs, for others, too. To be called with the lock.
    fn sync(&self, log: Named<'_>, sync: impl FnOnce() -> io::Result<()>) -> io::Result<()> {
        let Ok(before) = log.file.metadata() else { return sync() };
        let file = log.identity(&before);
        let result = sync();
        let has_failed = result.is_err() || read(&self.file, file) == Some(Said::Failed);
        self.say(file, if has_failed { Said::Failed } else { Said::UpTo(before.len()) });
        result
    }

    /// Syncs without the lock: others learn nothing of it but that it failed.
    fn sync_alone(&self, log: Named<'_>, sync: impl FnOnce() -> io::Result<()>) -> io::Result<()> {
        let result = sync();
        if result.is_err()
            && let Ok(found) = log.file.metadata()
        {
            self.say(log.identity(&found), Said::Failed);
        }
        result
    }

    /// Notes what is known of a file. Where it cannot be written, others sync by themselves.
    fn say(&self, file: Identity<'_>, said: Said) {
        let _ = self.file.write_all_at(line(file, said).as_bytes(), 0);
    }
}

/// A log's file, and the log's id.
#[derive(Debug, Clone, Copy)]
pub(super) struct Named<'a> {
    pub file: &'a File,
    pub id: &'a str,
}

/// Which file of which log.
#[derive(Debug, Clone, Copy)]
struct Identity<'a> {
    device: u64,
    inode: u64,
    log: &'a str,
}

impl<'a> Named<'a> {
    fn identity(self, found: &Metadata) -> Identity<'a> {
        Identity { device: found.dev(), inode: found.ino(), log: self.id }
    }
}

/// What a note says of a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Said {
    /// All bytes before this one are on disk.
    UpTo(u64),
    /// A sync failed.
    Failed,
}

impl Synced {
    /// Returns once the bytes of a log before `end` are on disk: by `sync`, which covers all that was appended before it
    /// began, or by that of another process. `path` is the log's.
    pub(super) fn sync(
        &self,
        log: Named<'_>,
        path: &Path,
        end: u64,
        sync: impl FnOnce() -> io::Result<()>,
    ) -> io::Result<()> {
        let Some(note) = self.note.get_or_init(|| Note::beside(path).ok()) else { return sync() };
        let begun = Instant::now();
        loop {
            note.clear();
            if note.covers(log, end) {
                return Ok(());
            }
            if note.file.try_lock().is_ok() {
                // Whoever had the lock before may just have noted it.
                let result = if note.covers(log, end) { Ok(()) } else { note.sync(log, sync) };
                // A lock that stays taken only keeps others from sharing.
                let _ = note.file.unlock();
                return result;
            }
            if begun.elapsed() >= PATIENCE {
                return note.sync_alone(log, sync);
            }
            note.wait(path, begun.elapsed());
        }
    }
}

/// Four words of 16 digits, each with what divides it from the next.
const LINE_BYTES: usize = 4 * 17;
/// The place of a file at which a sync failed.
const FAILED: u64 = u64::MAX;

/// A note as it is written: always as long, so that one overwrites the other.
fn line(file: Identity<'_>, said: Said) -> String {
    let reached = match said {
        Said::UpTo(reached) => reached,
        Said::Failed => FAILED,
    };
    let content = format!("{:016x} {:016x} {reached:016x} ", file.device, file.inode);
    let sum = sum(file, content.as_bytes());
    format!("{content}{sum:016x}\n")
}

/// The checksum of a note, since it may be read while it is written. It is also over the log's id, since another log may come
/// to have the same file.
fn sum(file: Identity<'_>, content: &[u8]) -> u64 {
    let mut sum = crc32fast::Hasher::new();
    sum.update(file.log.as_bytes());
    sum.update(content);
    sum.finalize().into()
}

/// What the note says of a file; `None` if it says nothing of it.
fn read(note: &File, file: Identity<'_>) -> Option<Said> {
    let mut found = [0; LINE_BYTES];
    note.read_exact_at(&mut found, 0).ok()?;
    let text = std::str::from_utf8(&found).ok()?;
    let word = |place: usize| u64::from_str_radix(text.get(place * 17..place * 17 + 16)?, 16).ok();
    let (content, _) = found.split_at_checked(3 * 17)?;
    let (device, inode, reached) = (word(0)?, word(1)?, word(2)?);
    let is_of_it = (device, inode) == (file.device, file.inode) && word(3)? == sum(file, content);
    let said = if reached == FAILED { Said::Failed } else { Said::UpTo(reached) };
    is_of_it.then_some(said)
}

fn note_path(log: &Path) -> PathBuf {
    let mut name = log.file_name().map_or_else(OsString::new, OsString::from);
    name.push(".synced");
    log.with_file_name(name)
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;
    use std::fs;
    use std::io::{Seek, Write};
    use std::sync::atomic::{AtomicU64, Ordering};

    use super::*;

    /// A log of some bytes, and how often it was synced.
    struct Scene {
        folder: tempfile::TempDir,
        syncs: Cell<u32>,
    }

    impl Scene {
        fn new(bytes: &[u8]) -> Self {
            let folder = tempfile::tempdir().unwrap();
            fs::write(folder.path().join("log"), bytes).unwrap();
            Self { folder, syncs: Cell::new(0) }
        }

        fn path(&self) -> PathBuf {
            self.folder.path().join("log")
        }

        /// Syncs as a process of its own would; says how often that took a sync so far.
        fn sync(&self, end: u64, result: io::Result<()>) -> (u32, bool) {
            self.sync_log("a", end, result)
        }

        fn sync_log(&self, id: &str, end: u64, result: io::Result<()>) -> (u32, bool) {
            let file = &File::open(self.path()).unwrap();
            let synced = Synced::default().sync(Named { file, id }, &self.path(), end, || {
                self.syncs.set(self.syncs.get() + 1);
                result
            });
            (self.syncs.get(), synced.is_ok())
        }
    }

    fn failure() -> io::Result<()> {
        Err(io::ErrorKind::Other.into())
    }

    #[test]
    fn what_another_process_has_synced_is_not_synced_again_and_what_came_later_is() {
        let scene = Scene::new(b"12345");
        assert_eq!(scene.sync(5, Ok(())), (1, true));
        assert_eq!(scene.sync(5, Ok(())), (1, true));
        assert_eq!(scene.sync(3, failure()), (1, true));
        fs::write(scene.path(), b"123456").unwrap();
        assert_eq!(scene.sync(6, Ok(())), (2, true));
        assert_eq!(scene.sync(6, Ok(())), (2, true));
    }

    #[test]
    fn of_many_that_append_and_sync_nobody_is_told_of_what_no_sync_covers() {
        const WRITERS: u64 = 8;
        const APPENDS: u64 = 60;
        let scene = Scene::new(b"");
        let path = scene.path();
        // What a power cut would leave: each sync covers what was there when it began.
        let (on_disk, syncs) = (AtomicU64::new(0), AtomicU64::new(0));
        thread::scope(|scope| {
            for _ in 0..WRITERS {
                scope.spawn(|| {
                    // With files of its own, as a process has.
                    let mut file = OpenOptions::new().append(true).open(&path).unwrap();
                    let synced = Synced::default();
                    for _ in 0..APPENDS {
                        file.write_all(b"record\n").unwrap();
                        let end = file.stream_position().unwrap();
                        let sync = || {
                            let reached = file.metadata()?.len();
                            thread::yield_now();
                            on_disk.fetch_max(reached, Ordering::SeqCst);
                            syncs.fetch_add(1, Ordering::SeqCst);
                            Ok(())
                        };
                        synced.sync(Named { file: &file, id: "a" }, &path, end, sync).unwrap();
                        assert!(on_disk.load(Ordering::SeqCst) >= end);
                    }
                });
            }
        });
        assert!((1..=WRITERS * APPENDS).contains(&syncs.into_inner()));
    }

    #[test]
    fn a_note_on_another_file_on_one_that_was_cut_off_or_that_is_damaged_is_not_believed() {
        let scene = Scene::new(b"12345");
        scene.sync(5, Ok(()));
        fs::write(scene.path(), b"123").unwrap();
        assert_eq!(scene.sync(3, Ok(())), (2, true), "cut off");
        // Kept, so that its number is not given to the next file.
        fs::rename(scene.path(), scene.folder.path().join("before")).unwrap();
        fs::write(scene.path(), b"123").unwrap();
        assert_eq!(scene.sync(3, Ok(())), (3, true), "another file");
        assert_eq!(scene.sync_log("b", 3, Ok(())), (4, true), "another log in the same file");
        let note = note_path(&scene.path());
        // All but the line break at the end.
        for at in 0..LINE_BYTES - 1 {
            scene.sync(3, Ok(()));
            let before = scene.syncs.get();
            let mut bytes = fs::read(&note).unwrap();
            bytes[at] ^= 1;
            fs::write(&note, bytes).unwrap();
            assert_eq!(scene.sync(3, Ok(())), (before + 1, true), "byte {at} changed");
            scene.sync(3, Ok(()));
            fs::write(&note, &fs::read(&note).unwrap()[..at]).unwrap();
            assert_eq!(scene.sync(3, Ok(())), (before + 2, true), "cut at {at}");
        }
    }

    #[test]
    fn after_a_sync_that_failed_everybody_syncs_by_himself() {
        let scene = Scene::new(b"12345");
        assert_eq!(scene.sync(5, failure()), (1, false));
        assert_eq!(scene.sync(5, Ok(())), (2, true));
        assert_eq!(scene.sync(5, Ok(())), (3, true), "the success of one says nothing to others");
    }

    #[test]
    fn nobody_waits_for_ever_for_one_who_was_stopped_while_it_synced() {
        let scene = Scene::new(b"12345");
        let held = Note::beside(&scene.path()).unwrap();
        held.file.try_lock().unwrap();
        assert_eq!(scene.sync(5, Ok(())), (1, true));
        assert_eq!(
            fs::read(note_path(&scene.path())).unwrap(),
            b"",
            "only who has the lock notes how far it came"
        );
        assert_eq!(scene.sync(5, failure()), (2, false));
        drop(held);
        assert_eq!(scene.sync(5, Ok(())), (3, true));
        assert_eq!(scene.sync(5, Ok(())), (4, true), "nobody believes a note after a failure");
    }

    #[test]
    fn a_log_beside_which_nothing_can_be_written_is_synced_all_the_same() {
        let scene = Scene::new(b"12345");
        fs::create_dir(note_path(&scene.path())).unwrap();
        assert_eq!(scene.sync(5, Ok(())), (1, true));
        assert_eq!(scene.sync(5, failure()), (2, false));
    }
}
