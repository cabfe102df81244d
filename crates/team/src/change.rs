//! What was delivered for a task, as a change of files: for those who look before they judge.

use crate::git::{GitProgram, Project};
use crate::{Error, TaskId, TaskQueue};

/// The longest change that is shown whole, in bytes.
const CHANGE_BYTES_MAX: usize = 1 << 20;

impl TaskQueue {
    /// What was delivered last for a task, as git shows it: the files, then the patch, cut after a mebibyte with a note that
    /// says so. `None` while nothing was, or what was is no change of files. Blocks while git works.
    ///
    /// # Errors
    /// A refusal when there is no such task; anything else when git breaks, or the repository is not there any more.
    pub fn change_of(&self, task: &TaskId) -> Result<Option<String>, Error> {
        let Some(work) = self.get_task(task)?.commit else { return Ok(None) };
        let Some(folder) = self.team_log().folder() else { return Ok(None) };
        let git = GitProgram::from_process_environment();
        let project = Project::discover(&git, folder.workspace())?;
        Ok(Some(project.diff(&work.base, &work.commit, CHANGE_BYTES_MAX)?))
    }
}
