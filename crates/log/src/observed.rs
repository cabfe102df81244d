//! When this machine's processes first saw each claim's latest renewal.
//!
//! No timestamp of another machine says that a lease is over: only an observer that saw no renewal for the lease's
//! length, on its own clock, may say so. Short commands do not live that long, so they share what they saw in a
//! file. It is a cache: when it is lost or damaged, or the machine was booted anew, observing starts over and
//! leases only last longer. What a claim or a renewal is, this module does not know; they are ids.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::safeguard::Safeguards;
use crate::{durable, process};

const FILE_NAME: &str = "observed";

/// The observations of this machine's processes, as of when they were loaded, and this process's own.
///
/// Several processes may save at once. The last one wins, so an observation can be lost, but what is kept is always
/// a time at which some process did see that very renewal: nothing ever looks older than it is.
#[derive(Debug)]
pub struct Observed {
    path: PathBuf,
    content: Content,
    is_changed: bool,
}

#[derive(Debug, Default, Serialize, Deserialize)]
struct Content {
    /// The boot whose clock was read; without one nothing is kept beyond this process.
    boot: Option<String>,
    claims: BTreeMap<String, Observation>,
}

#[derive(Debug, Serialize, Deserialize)]
struct Observation {
    renewal: String,
    /// On the monotonic clock of the boot, which stands still while the machine sleeps.
    first_seen_ms: u64,
}

impl Observed {
    /// Loads what was saved in `folder` during this boot of the machine; nothing, if there is nothing to believe.
    #[must_use]
    pub fn open(folder: &Path) -> Self {
        Self::open_at(folder, process::boot_id().ok(), now_ms())
    }

    /// How long ago the latest renewal of `claim`, which is `renewal`, was first seen; if never before, it is now.
    pub fn first_seen(&mut self, claim: &str, renewal: &str) -> Duration {
        self.first_seen_at(claim, renewal, now_ms())
    }

    /// Forgets a claim.
    pub fn forget(&mut self, claim: &str) {
        self.is_changed |= self.content.claims.remove(claim).is_some();
    }

    /// Forgets all claims but those of which `is_held` says that they are still held.
    pub fn retain(&mut self, mut is_held: impl FnMut(&str) -> bool) {
        let before = self.content.claims.len();
        self.content.claims.retain(|claim, _| is_held(claim));
        self.is_changed |= self.content.claims.len() != before;
    }

    /// Saves what was seen for other processes, if it changed.
    ///
    /// # Errors
    ///
    /// When the file cannot be written. Nothing is lost by that but time.
    pub fn save(&mut self) -> io::Result<()> {
        if self.is_changed && self.content.boot.is_some() {
            durable::replace_cache(&self.path, &[&durable::seal(&serde_json::to_vec(&self.content)?)])?;
        }
        self.is_changed = false;
        Ok(())
    }

    fn open_at(folder: &Path, boot: Option<String>, now_ms: u64) -> Self {
        let path = folder.join(FILE_NAME);
        let mut content = load(&path)
            .filter(|content| content.boot.is_some() && content.boot == boot)
            .unwrap_or(Content { boot, ..Content::default() });
        // A clock that was ahead of this one (a time namespace) cannot be compared with it.
        content.claims.retain(|_, observation| observation.first_seen_ms <= now_ms);
        Self { path, content, is_changed: false }
    }

    fn first_seen_at(&mut self, claim: &str, renewal: &str, now_ms: u64) -> Duration {
        match self.content.claims.get(claim) {
            Some(seen) if seen.renewal == renewal => {
                Duration::from_millis(now_ms.saturating_sub(seen.first_seen_ms))
            }
            _ => {
                let observation = Observation { renewal: renewal.to_owned(), first_seen_ms: now_ms };
                self.content.claims.insert(claim.to_owned(), observation);
                self.is_changed = true;
                Duration::ZERO
            }
        }
    }
}

fn load(path: &Path) -> Option<Content> {
    serde_json::from_slice(durable::unseal(Safeguards::ALL, &fs::read(path).ok()?)?).ok()
}

fn now_ms() -> u64 {
    let now = rustix::time::clock_gettime(rustix::time::ClockId::Monotonic);
    let since_boot = Duration::try_from(now).unwrap_or_default();
    u64::try_from(since_boot.as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    const BOOT: &str = "a boot";

    fn open(folder: &Path, now_ms: u64) -> Observed {
        Observed::open_at(folder, Some(BOOT.to_owned()), now_ms)
    }

    fn seconds(observed: &mut Observed, claim: &str, renewal: &str, now_ms: u64) -> u64 {
        observed.first_seen_at(claim, renewal, now_ms).as_secs()
    }

    #[test]
    fn a_renewal_is_as_old_as_when_some_process_first_saw_it() {
        let folder = tempfile::tempdir().unwrap();
        let mut first = open(folder.path(), 1_000);
        assert_eq!(seconds(&mut first, "claim", "r1", 1_000), 0);
        assert_eq!(seconds(&mut first, "claim", "r1", 4_000), 3);
        first.save().unwrap();
        let mut later = open(folder.path(), 9_000);
        assert_eq!(seconds(&mut later, "claim", "r1", 9_000), 8);
        assert_eq!(seconds(&mut later, "claim", "r2", 9_000), 0, "a new renewal begins anew");
        assert_eq!(seconds(&mut later, "claim", "r2", 12_000), 3);
    }

    #[test]
    fn a_lost_observation_makes_nothing_look_older() {
        let folder = tempfile::tempdir().unwrap();
        let (mut one, mut other) = (open(folder.path(), 0), open(folder.path(), 0));
        seconds(&mut one, "claim", "r1", 1_000);
        seconds(&mut other, "claim", "r2", 5_000);
        other.save().unwrap();
        one.save().unwrap();
        assert_eq!(seconds(&mut open(folder.path(), 9_000), "claim", "r2", 9_000), 0);
    }

    #[test]
    fn another_boot_damage_or_a_clock_that_ran_back_start_over() {
        let folder = tempfile::tempdir().unwrap();
        let mut observed = open(folder.path(), 5_000);
        seconds(&mut observed, "claim", "r1", 5_000);
        observed.save().unwrap();
        assert_eq!(seconds(&mut open(folder.path(), 9_000), "claim", "r1", 9_000), 4);
        let mut booted = Observed::open_at(folder.path(), Some("another".to_owned()), 9_000);
        assert_eq!(seconds(&mut booted, "claim", "r1", 9_000), 0);
        assert_eq!(seconds(&mut open(folder.path(), 4_000), "claim", "r1", 4_000), 0);
        let path = folder.path().join(FILE_NAME);
        let damaged = fs::read_to_string(&path).unwrap().replace("5000", "1000");
        fs::write(&path, damaged).unwrap();
        assert_eq!(seconds(&mut open(folder.path(), 9_000), "claim", "r1", 9_000), 0);
    }

    #[test]
    fn what_is_forgotten_is_seen_anew() {
        let folder = tempfile::tempdir().unwrap();
        let mut observed = open(folder.path(), 0);
        for claim in ["a", "b", "c"] {
            seconds(&mut observed, claim, "r", 0);
        }
        observed.forget("a");
        observed.retain(|claim| claim != "b");
        observed.save().unwrap();
        let mut observed = open(folder.path(), 7_000);
        assert_eq!(["a", "b", "c"].map(|claim| seconds(&mut observed, claim, "r", 7_000)), [0, 0, 7]);
    }

    #[test]
    fn the_real_clock_runs_forward_across_handles() {
        let folder = tempfile::tempdir().unwrap();
        let mut observed = Observed::open(folder.path());
        observed.first_seen("claim", "r");
        observed.save().unwrap();
        let seen = Observed::open(folder.path()).content.claims.into_keys().collect::<Vec<_>>();
        assert_eq!(seen, if process::boot_id().is_ok() { vec!["claim"] } else { vec![] });
    }
}
