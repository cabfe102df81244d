//! Ends what a process of a team that is gone left running: commands of agents, checks and gates that outlived a `kill -9`
//! of their run would still write where the next attempt works.
//!
//! A process is ended only if it is proved to be one of these. It was started with the folder of this very team, and with the
//! presence of the process that it was run for; and that one is gone. No name of a program counts, and no place where
//! something runs: the user's own shell may stand in a workspace. What was started with another environment is found
//! if it is confined: it has a number among its limits, which is also the name of a folder that the run left. Where
//! `/proc` is missing, nothing is.

use std::ffi::OsStr;
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use agent_team_log::{Liveness, probe};
use rustix::process::Pid;

use crate::ancestry::{WITHIN_VARIABLE, value};
use crate::command::{MARK_VARIABLE, end_all, is_among_limits};
use crate::folder::TeamFolder;
use crate::hooks::HOOK_FOLDER_VARIABLE;
use crate::liveness::PRESENCE_PREFIX;
use crate::sandbox::marks_in;

/// The variable that names to each command the presence of the process that runs it.
pub(crate) const PRESENCE_VARIABLE: &str = "AGENT_TEAM_PRESENCE";

/// Ends what runs for processes of this team that are gone, with all that carries the marks of those commands: a run of
/// another team within one of them, and the commands of that one. `is_alone` says that no run of the team is alive but
/// perhaps this process, which has run nothing yet. Blocks for a few milliseconds.
pub(crate) fn end(folder: &TeamFolder, is_alone: bool) {
    let Ok(team) = fs::metadata(folder.workspace()) else { return };
    let team = (team.dev(), team.ino());
    let presences = folder.presence();
    let mut marks: Vec<Vec<u8>> = Vec::new();
    let hidden = if is_alone { marks_in(&folder.private()) } else { Vec::new() };
    end_all(|process, environment| {
        if hidden.iter().any(|number| is_among_limits(process, *number)) {
            return true;
        }
        if is_left_behind(process, environment, team, &presences) {
            let mark = value(environment, MARK_VARIABLE).and_then(own_mark);
            marks.extend(mark.filter(|mark| !marks.contains(mark)));
            return true;
        }
        let within = value(environment, MARK_VARIABLE).map_or(&[][..], OsStr::as_encoded_bytes);
        within.split(|byte| *byte == b':').any(|mark| marks.iter().any(|known| known == mark))
    });
}

/// Whether a process was started for one of this team that is gone.
fn is_left_behind(process: Pid, environment: &[u8], team: (u64, u64), presences: &Path) -> bool {
    let folder = value(environment, WITHIN_VARIABLE).or_else(|| value(environment, HOOK_FOLDER_VARIABLE));
    let presence = value(environment, PRESENCE_VARIABLE).and_then(OsStr::to_str);
    let (Some(folder), Some(presence)) = (folder, presence) else {
        return false;
    };
    presence.starts_with(PRESENCE_PREFIX)
        && folder_of(process, folder) == Some(team)
        && probe(presences, presence) == Liveness::Dead
}

/// The folder that a path means to a process, which may live in a container where the same path is another folder.
fn folder_of(process: Pid, folder: &OsStr) -> Option<(u64, u64)> {
    let mut path = PathBuf::from(format!("/proc/{}/root", process.as_raw_nonzero()));
    path.push(Path::new(folder).strip_prefix("/").ok()?);
    let folder = fs::metadata(path).ok()?;
    Some((folder.dev(), folder.ino()))
}

/// What the processes of one command carry: the last of the marks, behind those of the commands around it.
fn own_mark(marks: &OsStr) -> Option<Vec<u8>> {
    let own = marks.as_encoded_bytes().rsplit(|byte| *byte == b':').next()?;
    (!own.is_empty()).then(|| own.to_vec())
}
