//! Who is asked something outside of any task at the moment, for other processes to see: one small file beside the presence of
//! the process that asks. It says something only as long as that process lives, and may be deleted at any time.

use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;

use agent_team_log::{Liveness, probe};
use serde::{Deserialize, Serialize};

use crate::AgentId;
use crate::folder::TeamFolder;
use crate::outside::now_ms;
use crate::team_log::TeamLog;

/// How these files end, after the process and the agent.
const SUFFIX: &str = ".duty";

/// What an agent is asked, and since when.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Doing {
    /// In a few words.
    pub what: String,
    /// In milliseconds since 1970.
    pub since_ms: u64,
}

/// While this is there an agent is seen at it.
pub(crate) struct AtDuty(Option<PathBuf>);

impl AtDuty {
    /// An agent of this process is asked something. That it cannot be written is no reason not to ask.
    pub fn begin(team_log: &TeamLog, agent: &AgentId, what: &str) -> Self {
        let path = || {
            let (process, _) = team_log.presence().ok()??;
            let path = team_log.folder()?.presence().join(format!("{process}.{agent}{SUFFIX}"));
            let doing = Doing { what: what.to_owned(), since_ms: now_ms() };
            fs::write(&path, serde_json::to_vec(&doing).ok()?).ok()?;
            Some(path)
        };
        Self(path())
    }
}

impl Drop for AtDuty {
    fn drop(&mut self) {
        if let Some(path) = &self.0 {
            let _ = fs::remove_file(path);
        }
    }
}

/// What agents of living processes are asked at the moment.
pub(crate) fn seen(folder: &TeamFolder) -> BTreeMap<AgentId, Doing> {
    let files = files(folder).filter(|file| probe(&folder.presence(), &file.process) == Liveness::Alive);
    let seen = files.filter_map(|file| {
        // One that is just being written is seen by the next look.
        let doing = serde_json::from_slice(&fs::read(&file.path).ok()?).ok()?;
        Some((file.agent, doing))
    });
    seen.collect()
}

/// Removes what dead processes left.
pub(crate) fn sweep(folder: &TeamFolder) {
    for file in files(folder) {
        if probe(&folder.presence(), &file.process) == Liveness::Dead {
            // If it cannot be removed it only stays, and says nothing.
            let _ = fs::remove_file(file.path);
        }
    }
}

struct File {
    path: PathBuf,
    process: String,
    agent: AgentId,
}

fn files(folder: &TeamFolder) -> impl Iterator<Item = File> + use<> {
    let files = fs::read_dir(folder.presence()).into_iter().flatten().flatten();
    files.filter_map(|file| {
        let name = file.file_name();
        // The name of a process has no dot.
        let (process, agent) = name.to_str()?.strip_suffix(SUFFIX)?.split_once('.')?;
        Some(File { path: file.path(), process: process.to_owned(), agent: agent.parse().ok()? })
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::team_log::Durability;

    #[test]
    fn it_is_seen_while_its_process_lives_and_swept_afterwards() {
        let place = tempfile::tempdir().unwrap();
        let folder = TeamFolder::of(place.path());
        let team_log = TeamLog::open_or_create(&folder, Durability::default()).unwrap();
        let lead: AgentId = "lead.1".parse().unwrap();
        let at_duty = AtDuty::begin(&team_log, &lead, "sums up");
        assert_eq!(seen(&folder)[&lead].what, "sums up");
        drop(at_duty);
        assert!(seen(&folder).is_empty());

        std::mem::forget(AtDuty::begin(&team_log, &lead, "sums up"));
        assert_eq!((seen(&folder).len(), files(&folder).count()), (1, 1));
        drop(team_log);
        assert!(seen(&folder).is_empty(), "its process is gone");
        sweep(&folder);
        assert_eq!(files(&folder).count(), 0);
    }
}
