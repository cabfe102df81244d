//! Checks that are run for whoever delivers a result by the queue alone. Those of a run are the run's.

use std::path::Path;
use std::time::Duration;

use agent_team::config::{CONFIG_FILE, Config, Confinement};
use agent_team::sandbox::{Sandbox, SandboxChoice};
use agent_team::trust::{self, Trust};
use agent_team::{AgentId, Error, TaskId, TaskQueue, Verified, Verifier};
use pyo3::prelude::*;
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;

use crate::error::{TeamError, nowhere, parsed, raised};
use crate::process::runtime;
use crate::team::{Team, doing, python};

/// How often it is looked whether somebody pressed Ctrl-C.
const LOOK_EVERY: Duration = Duration::from_millis(100);

#[pymethods]
impl Team {
    /// Runs the check of a task whose result waits for it, and gives what came out; nothing if somebody else runs it, or none waits.
    fn verify(&self, py: Python<'_>, by: &str, task: &str, is_confined: bool) -> PyResult<Option<Py<PyAny>>> {
        let (by, task, queue): (AgentId, TaskId, _) = (parsed(by)?, parsed(task)?, self.queue()?);
        let verifier = Verifier::new(queue.clone(), by).confined(sandbox(queue, is_confined)?);
        let stop = CancellationToken::new();
        let runtime = runtime()?;
        let mut check = Box::pin(verifier.verify(Some(task), &stop));
        let mut interrupted = Ok(());
        loop {
            let look = async {
                tokio::select! {
                    verified = &mut check => verified.map(Some),
                    () = sleep(LOOK_EVERY) => Ok(None),
                }
            };
            match doing(py, || runtime.block_on(look))? {
                Some(Verified::Reported(_, judgement)) => return Ok(Some(python(py, &judgement)?)),
                Some(Verified::NotOurs(_)) => return Ok(None),
                // Its processes have ended, and the next who comes may run it.
                Some(Verified::Stopped) => return interrupted.map(|()| None),
                None if interrupted.is_ok() => {
                    interrupted = py.check_signals();
                    if interrupted.is_err() {
                        stop.cancel();
                    }
                }
                None => {}
            }
        }
    }
}

/// Fails if a check could not be run here, before a result is delivered that has to be checked.
pub fn can_be_run(py: Python<'_>, queue: &TaskQueue, is_confined: bool) -> PyResult<()> {
    let sandbox = sandbox(queue, is_confined)?;
    doing(py, || sandbox.kind().map(drop).map_err(Error::from))
}

/// The sandbox that the team's file describes, as for the command; or none, if so said.
fn sandbox(queue: &TaskQueue, is_confined: bool) -> PyResult<Sandbox> {
    if !is_confined {
        return Ok(Sandbox::new(SandboxChoice::None));
    }
    let Some(folder) = queue.team_log().folder() else { return Ok(Sandbox::default()) };
    let workspace = folder.workspace();
    let home = std::env::home_dir();
    written(workspace)?.sandbox(workspace, home.as_deref(), None).map_err(|error| raised(&error))
}

/// What the file says of it. It is not obeyed unless the user trusts it.
fn written(workspace: &Path) -> PyResult<Confinement> {
    let file = workspace.join(CONFIG_FILE);
    if !file.is_file() {
        return Ok(Confinement::default());
    }
    let config = Config::load(&file).map_err(|error| TeamError::new_err(error.to_string()))?;
    let Config { sandbox, .. } = config;
    // Of what else it says nothing is obeyed here.
    let asked = Config { sandbox: sandbox.clone(), ..Config::default() };
    let wishes = trust::wishes(workspace, &asked).map_err(|error| raised(&error))?;
    if !wishes.is_empty() {
        let variables: Vec<_> = std::env::vars_os().collect();
        let trust = Trust::of(&variables).ok_or_else(nowhere)?;
        trust.require(&wishes).map_err(|error| raised(&error))?;
    }
    Ok(sandbox)
}
