//! The git side of a team: the user's repository, a workspace per agent, captures of their work, and landing it.
//!
//! Blocking code around the git program. It knows nothing of logs, task records or models: ids come in as strings,
//! results go out as values. A lawful no (a conflict, a moved fence) is a value; [`GitError`] means that something broke.
//! `docs/workspaces.md` tells the whole story; the order of reading is the order of the list below.

mod capture;
mod command;
mod error;
mod name;
mod project;
mod replay;
mod separate;
mod workspace;

#[cfg(test)]
mod test_repository;

pub use capture::{Capture, Captured, FILE_LIMIT_BYTES, OwnCommits, Problem, Submission};
pub use command::GitProgram;
pub use error::GitError;
pub use project::{DiscoverError, Project, STATE_FOLDER, TargetError};
pub use replay::{Conflict, Replayed};
pub use workspace::{Kept, Prepared, Workspace};
