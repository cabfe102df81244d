//! What was done for a task, as a change of files: for those who look before they judge, or while somebody works.

use crate::git::{GitProgram, Project, patch_of_workspace};
use crate::{Error, Stage, TaskId, TaskQueue};

/// The longest change that is shown whole, in bytes.
const CHANGE_BYTES_MAX: usize = 1 << 20;

impl TaskQueue {
    /// What was done for a task, as git shows it: while an agent of a run works on it, what its folder holds now, with the names of
    /// new files; else what was delivered last. Cut after a mebibyte. `None` where there is neither, or it is no change of files.
    /// Blocks while git works.
    ///
    /// # Errors
    /// A refusal when there is no such task; anything else when git breaks, or the repository is not there any more.
    pub fn change_of(&self, task: &TaskId) -> Result<Option<String>, Error> {
        let task = self.get_task(task)?;
        let Some(folder) = self.team_log().folder() else { return Ok(None) };
        let git = GitProgram::from_process_environment();
        if let (Some(Stage::Work), Some(agent)) = (task.stage, &task.agent) {
            let workspace = folder.root().join("workspaces").join(agent.as_str());
            let patch = patch_of_workspace(&git, agent.as_str(), &workspace, CHANGE_BYTES_MAX)?;
            return Ok(Some(patch).filter(|patch| !patch.is_empty()));
        }
        let Some(work) = task.commit else { return Ok(None) };
        let project = Project::discover(&git, folder.workspace())?;
        Ok(Some(project.diff(&work.base, &work.commit, CHANGE_BYTES_MAX)?))
    }
}
