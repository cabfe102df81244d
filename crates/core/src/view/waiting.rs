//! What a task waits for, in words.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use crate::id::{AgentId, TaskId};
use crate::machine::{Agent, State, Status, Task};
use crate::record::{Role, Stage};

/// A task that waits for something that will not happen by itself.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Waiting {
    /// The task.
    pub task: TaskId,
    /// Its status.
    pub status: Status,
    /// What it waits for.
    pub reason: String,
}

/// What a task waits for; `None` if it has ended or somebody works on it.
pub fn waits_for(state: &State, task: &Task) -> Option<String> {
    reason(state, task).map(|(reason, _)| reason)
}

/// All tasks that wait for something that will not happen by itself, by id.
pub fn stuck(state: &State) -> Vec<Waiting> {
    let is_stuck = |task: &Task| reason(state, task).is_some_and(|(_, stuck)| stuck);
    let mut found: BTreeSet<&TaskId> = BTreeSet::new();
    let mut open: Vec<&Task> = state.lost().collect();
    // Those that want the same wait for the same, so one of them is asked for all.
    for mut lane in state.ready() {
        if let Some(first) = lane.next().filter(|task| is_stuck(task)) {
            open.push(first);
            open.extend(lane);
        }
    }
    for stage in [Stage::Review, Stage::Merge] {
        open.extend(state.waiting_for(stage).filter(|task| is_stuck(task)));
    }
    while let Some(task) = open.pop() {
        if task.status != Status::Completed && found.insert(task.id()) {
            let whole = task.above.first().filter(|_| task.status == Status::Failed);
            open.extend(task.dependents.iter().chain(whole).filter_map(|id| state.task(id)));
        }
    }
    let tasks = found.into_iter().filter_map(|id| state.task(id));
    let waiting = tasks.filter_map(|task| {
        let reason = waits_for(state, task)?;
        Some(Waiting { task: task.id().clone(), status: task.status, reason })
    });
    waiting.collect()
}

/// What a task waits for by itself, and whether that will not happen unless somebody does something.
fn reason(state: &State, task: &Task) -> Option<(String, bool)> {
    if let Some(plan) = task.plan.as_ref().filter(|plan| plan.verdict.is_none() && task.claim.is_some()) {
        return Some(approval(state, task, &plan.author));
    }
    let can_be_claimed = task.status.stage().is_some() && task.claim.is_none();
    if can_be_claimed && state.pauses().any(|(agent, _)| agent.is_none()) {
        return Some(("the team to be resumed".to_owned(), false));
    }
    match task.status {
        Status::Blocked => Some(blocked(state, task)),
        Status::Ready => Some(ready(state, task)),
        Status::Verifying if task.claim.is_none() => Some(("its check to be run".to_owned(), false)),
        Status::Merging if task.claim.is_none() && !state.may_merge(task) => {
            Some(("a check or a gate to prove it, or the user to allow `--no-gate`".to_owned(), true))
        }
        Status::Merging if task.claim.is_none() => Some(("its turn in the merge queue".to_owned(), false)),
        Status::Reviewing if task.claim.is_none() => Some(review(state, task)),
        _ => None,
    }
}

fn approval(state: &State, task: &Task, author: &AgentId) -> (String, bool) {
    let mut members = state.agents().filter(|agent| !agent.left);
    let approver = members.find(|agent| state.may_approve(task, &agent.id));
    match approver {
        Some(agent) => (format!("{} to approve the plan of {author}", agent.id), false),
        None => (format!("the human to approve the plan of {author}"), false),
    }
}

fn blocked(state: &State, task: &Task) -> (String, bool) {
    let open = task.spec.after.iter().filter_map(|id| state.task(id));
    let open: Vec<&Task> = open.filter(|needed| needed.status != Status::Completed).collect();
    let lost: Vec<String> = open
        .iter()
        .filter(|needed| matches!(needed.status, Status::Failed | Status::Cancelled))
        .map(|needed| match needed.failure {
            Some(failure) => format!("{} (failed: {})", needed.id(), failure.as_str()),
            None => format!("{} ({})", needed.id(), needed.status),
        })
        .collect();
    if !lost.is_empty() {
        return (lost.join(", "), true);
    }
    if !open.is_empty() || !task.handed_out {
        let names: Vec<&str> = open.iter().map(|needed| needed.id().as_str()).collect();
        return (names.join(", "), false);
    }
    let failed: Vec<&str> = state.failed_parts(task).map(|part| part.id().as_str()).collect();
    if !failed.is_empty() {
        return (format!("its parts, of which failed: {}", failed.join(", ")), true);
    }
    (format!("{} of its {} parts", task.open_parts, task.parts.len()), false)
}

fn ready(state: &State, task: &Task) -> (String, bool) {
    let members = || state.agents().filter(|agent| !agent.left);
    let has = |agent: &AgentId| members().any(|member| member.id == *agent);
    let spec = &task.spec;
    if let Some(agent) = spec.agent.as_ref().or(task.back_to.as_ref()) {
        if has(agent) && state.held_up(agent).is_some() {
            return (format!("{agent} to be resumed"), false);
        }
        return (agent.to_string(), !has(agent));
    }
    let fits = |member: &Agent| {
        let is_in = match &spec.team {
            Some(team) => member.id == *team || member.lead.as_ref() == Some(team),
            None => member.lead.is_none(),
        };
        let has_role = spec.role.is_none_or(|role| role == member.role);
        let has_skill = spec.skill.as_ref().is_none_or(|skill| member.skills.contains(skill));
        is_in && has_role && has_skill
    };
    let nobody = !members().any(fits);
    if let Some(team) = &spec.team {
        return (format!("the team of {team}"), nobody);
    }
    if let Some(skill) = &spec.skill {
        return (format!("an agent with the skill {skill}"), nobody);
    }
    if let Some(role) = spec.role {
        return (format!("a {role}"), nobody);
    }
    let reason = if task.not_before_ms > 0 { "its next attempt" } else { "a worker" };
    (reason.to_owned(), false)
}

fn review(state: &State, task: &Task) -> (String, bool) {
    if task.spec.review_rounds.is_some_and(|most| task.review_rounds >= most) {
        return ("the human to review it, after as many rounds as there may be".to_owned(), true);
    }
    let submission = task.submission.as_ref();
    let protected = submission.map_or(&[][..], |submission| &submission.protected);
    if !protected.is_empty() {
        return (format!("the human to approve changes to {}", protected.join(", ")), true);
    }
    let mut members = state.agents().filter(|agent| !agent.left);
    let found = members.any(|member| {
        matches!(member.role, Role::Reviewer | Role::Lead)
            && !task.approvals.contains(&member.id)
            && submission.is_none_or(|submission| submission.author != member.id)
    });
    (format!("a {}", if found { "reviewer" } else { "reviewer, or the human" }), !found)
}
