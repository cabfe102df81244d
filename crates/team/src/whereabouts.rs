//! By which process an agent works that comes and goes with short commands, for other processes to see: one small file beside
//! the presence of processes. What it holds is told by its claim; this tells whether somebody is there who holds nothing.
//!
//! It says nothing of rules, and may be deleted at any time.

use std::fs;
use std::path::PathBuf;

use agent_team_core::machine::Agent;
use agent_team_core::record::{Holder, ProcessId};
use agent_team_log::Liveness;

use crate::folder::TeamFolder;
use crate::liveness::identity;
use crate::seat;
use crate::{AgentId, TaskQueue};

/// How these files end, after the agent.
const SUFFIX: &str = ".shell";

impl TaskQueue {
    /// Notes by which process an agent works, until something else is noted: when that has ended, the agent is shown as gone,
    /// even if it held nothing. Of a holder without a process, such as one with a lease alone, nobody can know.
    ///
    /// ```
    /// # use agent_team::{AgentId, Doing, TaskQueue, holder_of_process};
    /// let folder = tempfile::tempdir()?;
    /// let (queue, worker): (_, AgentId) = (TaskQueue::new(folder.path())?, "worker-1".parse()?);
    /// queue.join_as_worker(&worker, "shell")?;
    /// queue.works_by(&worker, &holder_of_process(std::process::id())?);
    /// assert_eq!(queue.agent_states()?[0].doing, Doing::Idle);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn works_by(&self, agent: &AgentId, holder: &Holder) {
        let Some(folder) = self.team_log().folder() else { return };
        if read(folder, agent) == holder.process {
            return;
        }
        // Of whom nothing can be noted is taken to be there.
        let _ = match holder.process.as_ref().and_then(|process| serde_json::to_vec(process).ok()) {
            Some(content) => fs::write(path(folder, agent), content),
            None => fs::remove_file(path(folder, agent)),
        };
    }
}

/// Why nobody is there who works as this agent; `None` as long as somebody may be.
pub(crate) fn why_gone(folder: &TeamFolder, agent: &Agent) -> Option<String> {
    if seat::is_left_empty(folder, agent) {
        return Some("its session has ended".to_owned());
    }
    let process = read(folder, &agent.id)?;
    let is_over = identity(&process).judge() == Liveness::Dead;
    is_over.then(|| format!("process {}, by which it worked, has ended", process.pid))
}

fn read(folder: &TeamFolder, agent: &AgentId) -> Option<ProcessId> {
    serde_json::from_slice(&fs::read(path(folder, agent)).ok()?).ok()
}

fn path(folder: &TeamFolder, agent: &AgentId) -> PathBuf {
    folder.presence().join(format!("{agent}{SUFFIX}"))
}

#[cfg(test)]
mod tests {
    use std::process::{Command, Stdio};

    use super::*;
    use crate::{AgentJoined, AgentState, Doing, Role, Seat, SeatWish, holder_of_process};

    fn state(queue: &TaskQueue, agent: &AgentId) -> AgentState {
        queue.agent_states().unwrap().into_iter().find(|state| state.agent == *agent).unwrap()
    }

    #[test]
    fn whoever_ends_while_it_holds_nothing_is_gone_until_it_claims_again() {
        let place = tempfile::tempdir().unwrap();
        let queue = TaskQueue::new(place.path()).unwrap();
        let worker: AgentId = "worker-1".parse().unwrap();
        queue.join_as_worker(&worker, "shell").unwrap();
        assert_eq!(
            state(&queue, &worker).doing,
            Doing::Idle,
            "of whom nothing is known is taken to be there"
        );

        let mut shell = Command::new("cat").stdin(Stdio::piped()).spawn().unwrap();
        let by_shell = holder_of_process(shell.id()).unwrap();
        queue.works_by(&worker, &by_shell);
        assert_eq!(state(&queue, &worker).doing, Doing::Idle);
        drop(shell.stdin.take());
        shell.wait().unwrap();
        let words = format!("gone: process {}, by which it worked, has ended", shell.id());
        let gone = state(&queue, &worker);
        assert!(gone.doing == Doing::Gone && gone.words.starts_with(&words), "{}", gone.words);

        let leased = Holder { lease_ms: Some(1_000), ..Holder::default() };
        for comes_back_by in [holder_of_process(std::process::id()).unwrap(), leased] {
            queue.works_by(&worker, &by_shell);
            assert_eq!(state(&queue, &worker).doing, Doing::Gone);
            queue.works_by(&worker, &comes_back_by);
            assert_eq!(state(&queue, &worker).doing, Doing::Idle, "{comes_back_by:?}");
        }
        fs::write(path(queue.team_log().folder().unwrap(), &worker), b"{").unwrap();
        assert_eq!(state(&queue, &worker).doing, Doing::Idle, "half a file says nothing");
    }

    #[test]
    fn whoever_has_no_session_any_more_is_gone() {
        let place = tempfile::tempdir().unwrap();
        let queue = TaskQueue::new(place.path()).unwrap();
        let agent: AgentId = "claude-1".parse().unwrap();
        let (role, skills) = (None, Vec::new());
        let wish =
            SeatWish { agent: agent.clone(), is_users_name: false, role, is_users_role: false, skills };
        let seat = Seat::take(&queue, &wish).unwrap();
        assert_eq!(state(&queue, &agent).doing, Doing::Idle);
        seat.leave().unwrap();
        assert_eq!(state(&queue, &agent).doing, Doing::Left);

        // So a session leaves it that was killed.
        let with = Some("mcp".to_owned());
        queue.join(AgentJoined { with, ..AgentJoined::new(agent.clone(), Role::Worker) }).unwrap();
        let gone = state(&queue, &agent);
        assert!(gone.doing == Doing::Gone && gone.words.contains("its session has ended"), "{}", gone.words);
        let _seat = Seat::take(&queue, &wish).unwrap();
        assert_eq!(state(&queue, &agent).doing, Doing::Idle);
    }
}
