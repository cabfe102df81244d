//! A team that rehearses, since no model is named: a copy of it in memory, and a scripted model for everyone.
//!
//! What was only added may be rehearsed. What a run has begun may not: whoever forgot to name the model would see a good end
//! of work that nobody did.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use agent_team_core::machine::State;

use crate::agent_team::AgentTeam;
use crate::config::AgentConfig;
use crate::model::{Model, Script};
use crate::team_log::TeamLog;
use crate::{AgentId, Error, NewTask, RunOutcome, TaskId};

/// The script of a rehearsal.
const REHEARSAL: &str = include_str!("rehearsal.json");

/// The model of a rehearsal, for every agent.
pub(crate) fn scripted(agents: &[AgentConfig]) -> Result<BTreeMap<AgentId, Arc<dyn Model>>, Error> {
    let script =
        Script::parse("the rehearsal", REHEARSAL).map_err(|error| Error::Input(error.to_string()))?;
    let script: Arc<dyn Model> = Arc::new(script);
    let names = agents.iter().flat_map(|agent| &agent.names);
    Ok(names.map(|name| (name.clone(), script.clone())).collect())
}

/// A team in memory with the tasks of the real one that are not done, without their checks: nobody will have worked.
///
/// # Errors
/// When a run has left tasks open: those are to be gone on with.
pub(crate) fn rehearsing_copy(team_log: &TeamLog) -> Result<AgentTeam, Error> {
    if let Some(left) = team_log.look(left_open)? {
        return Err(left);
    }
    let copy = AgentTeam::over(TeamLog::in_memory()?);
    let tasks = team_log.look(open_tasks)?;
    copy.queue().add_tasks(&AgentId::human(), &tasks)?;
    Ok(copy)
}

/// Copies of the tasks that are not done.
fn open_tasks(state: &State) -> Vec<NewTask> {
    let mut tasks: Vec<_> = state.tasks().filter(|task| !task.status.is_ended()).collect();
    tasks.sort_by_key(|task| task.added);
    let open: BTreeSet<TaskId> = tasks.iter().map(|task| task.id().clone()).collect();
    let copies = tasks.into_iter().map(|task| {
        let after = task.spec.after.iter().filter(|id| open.contains(*id));
        NewTask {
            title: task.spec.title.clone(),
            id: Some(task.id().to_string()),
            after: after.map(TaskId::to_string).collect(),
            priority: task.spec.priority,
            role: task.spec.role,
            skill: task.spec.skill.as_ref().map(crate::Skill::to_string),
            agent: task.spec.agent.as_ref().map(AgentId::to_string),
            review: task.spec.review,
            delegate: task.spec.delegate,
            team: task.spec.team.as_ref().map(AgentId::to_string),
            ..NewTask::default()
        }
    });
    copies.collect()
}

/// What speaks against a rehearsal: tasks that a run has left open, or a goal that is not proved. Its models are said, as far as the log knows them.
fn left_open(state: &State) -> Option<Error> {
    let open = state.tasks().filter(|task| !task.status.is_ended()).count();
    let unproved = state.runs().last().and_then(|run| run.ended.as_ref());
    let is_unproved = unproved.is_some_and(|(outcome, _)| outcome == RunOutcome::Unproved.as_str());
    if (open == 0 && !is_unproved) || state.runs().is_empty() {
        return None;
    }
    let of_runs: Vec<_> = state.agents().filter(|agent| agent.orchestrated).collect();
    let models: BTreeSet<&str> = of_runs.iter().filter_map(|agent| agent.with.as_deref()).collect();
    let models = models.into_iter().map(|model| if model == "script" { "script:FILE" } else { model });
    Some(Error::NoModel {
        open,
        models: models.map(str::to_owned).collect(),
        agents: of_runs.into_iter().map(|agent| agent.id.clone()).collect(),
    })
}
