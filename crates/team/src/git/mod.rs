//! The git side of a team: the user's repository, a workspace per agent, captures of their work, and landing
//! it.
//!
//! Blocking code around the git program. It knows nothing of logs, task records or models: ids come in as
//! strings, results go out as values. A lawful no (a conflict, a moved fence) is a value; [`GitError`] means
//! that something broke.
//! `docs/workspaces.md` tells the whole story; a good order of reading: `project`, `separate`, `workspace`, `capture`,
//! `candidate`, `fence`, `landing`.

mod candidate;
mod capture;
mod checkout;
mod command;
mod diff;
mod error;
mod fence;
mod landing;
mod lock;
mod name;
mod pipes;
mod project;
mod protect;
mod replay;
mod separate;
mod survey;
mod workspace;

#[cfg(test)]
mod test_repository;

pub use candidate::{Candidate, MergeWorktree, Rebased};
pub use capture::{Capture, Captured, FILE_LIMIT_BYTES, OwnCommits, Problem, Submission, Unfinished};
pub use checkout::{Checkout, CheckoutMove, CheckoutState};
pub use command::GitProgram;
pub use error::GitError;
pub use fence::FenceSet;
pub use landing::{Gathered, Intent, Landed, Landing};
pub use lock::{Lock, LockState, Removal};
pub use project::{DiscoverError, Project, STATE_FOLDER, TargetError, ignore_state_folder};
pub use protect::{PatternError, Protected};
pub use replay::{Conflict, Replayed};
pub use workspace::{Kept, Prepared, Workspace};
pub(crate) use workspace::{changes_in_workspace, patch_of_workspace};
