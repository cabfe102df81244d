//! What a task waits for, in words.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use super::remedy::what_helps;
use crate::id::{AgentId, TaskId};
use crate::machine::{Refusal, State, Status, Task};
use crate::record::{Account, Resource, Role, Stage};

/// A task that waits for something that will not happen by itself.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Waiting {
    /// The task.
    pub task: TaskId,
    /// Its status.
    pub status: Status,
    /// What it waits for.
    pub reason: String,
    /// What somebody can do about it; `None` where that is another task's remedy.
    #[serde(default)]
    pub remedy: Option<String>,
}

/// What a task waits for; `None` if it has ended or somebody works on it.
pub fn waits_for(state: &State, task: &Task) -> Option<String> {
    reason(state, task).map(|(reason, _)| reason)
}

/// What somebody can do for a task that waits for what will not happen by itself; `None` if it will, or if that is another
/// task's remedy.
pub fn remedy(state: &State, task: &Task) -> Option<String> {
    reason(state, task).filter(|(_, stuck)| *stuck).and_then(|_| what_helps(state, task))
}

/// All tasks that wait for something that will not happen by itself, by id.
pub fn stuck(state: &State) -> Vec<Waiting> {
    let is_stuck = |task: &Task| reason(state, task).is_some_and(|(_, stuck)| stuck);
    let mut found: BTreeSet<&TaskId> = BTreeSet::new();
    let mut open: Vec<&Task> = state.lost().filter(|task| planned_anew(state, task).is_none()).collect();
    // Those that want the same wait for the same, so one of them is asked for all.
    for mut lane in state.ready() {
        if let Some(first) = lane.next().filter(|task| is_stuck(task)) {
            open.push(first);
            open.extend(lane);
        }
    }
    open.extend(state.short_of_budget().map(|(task, ..)| task));
    for stage in [Stage::Review, Stage::Merge] {
        open.extend(state.waiting_for(stage).filter(|task| is_stuck(task)));
    }
    while let Some(task) = open.pop() {
        if task.status != Status::Completed && found.insert(task.id()) {
            let whole = task.above.first().filter(|_| task.status == Status::Failed);
            let failed = task.spec.replans.iter().map(|replan| &replan.task);
            open.extend(task.dependents.iter().chain(whole).chain(failed).filter_map(|id| state.task(id)));
        }
    }
    let tasks = found.into_iter().filter_map(|id| state.task(id));
    let waiting = tasks.filter_map(|task| {
        let reason = waits_for(state, task)?;
        let (task, status, remedy) = (task.id().clone(), task.status, what_helps(state, task));
        Some(Waiting { task, status, reason, remedy })
    });
    waiting.collect()
}

/// What a task waits for by itself, and whether that will not happen unless somebody does something.
fn reason(state: &State, task: &Task) -> Option<(String, bool)> {
    if let Some(plan) = task.open_plan() {
        let words = approval(state, task, &plan.author);
        match task.status {
            // Whoever takes it next waits for the verdict, too, but somebody must.
            Status::Ready => return Some((words, ready(state, task).1)),
            _ if task.claim.is_some() => return Some((words, false)),
            _ => {}
        }
    }
    let is_reviewed = task.status == Status::Reviewing && task.claim.is_none();
    let judged = is_reviewed.then(|| review(state, task));
    let can_be_claimed = task.status.stage().is_some() && task.claim.is_none();
    // The human's word waits for no pause.
    let is_humans = judged.as_ref().is_some_and(|(_, stuck)| *stuck);
    if can_be_claimed && !is_humans && state.pauses().any(|(agent, _)| agent.is_none()) {
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
        Status::Reviewing => judged,
        Status::Running => asked(state, task),
        _ => None,
    }
}

/// Whose answer whoever works on a task waits for.
fn asked(state: &State, task: &Task) -> Option<(String, bool)> {
    let claim = task.claim.as_ref()?;
    let mut open = state.open_questions();
    let question = open.find(|asked| asked.from == claim.agent && asked.task.as_ref() == Some(task.id()))?;
    Some((format!("an answer from {}", question.to), false))
}

fn approval(state: &State, task: &Task, author: &AgentId) -> String {
    let mut members = state.agents().filter(|agent| !agent.left);
    let approver = members.find(|agent| state.may_approve(task, &agent.id));
    let approver = approver.map_or("the human", |agent| agent.id.as_str());
    format!("{approver} to approve the plan of {author}")
}

fn blocked(state: &State, task: &Task) -> (String, bool) {
    let open = task.spec.after.iter().filter_map(|id| state.task(id));
    let open: Vec<&Task> = open.filter(|needed| needed.status != Status::Completed).collect();
    let lost: Vec<String> = open
        .iter()
        .filter(|needed| is_lost(state, needed))
        .map(|needed| match needed.failure {
            Some(failure) => format!("{} (failed: {})", needed.id(), failure.as_str()),
            None => format!("{} ({})", needed.id(), needed.status),
        })
        .collect();
    if !lost.is_empty() {
        return (lost.join(", "), true);
    }
    if !open.is_empty() || !task.handed_out {
        let names: Vec<String> = open.iter().map(|needed| named(state, needed)).collect();
        return (names.join(", "), false);
    }
    let failed = state.failed_parts(task).filter(|part| is_lost(state, part));
    let failed: Vec<&str> = failed.map(|part| part.id().as_str()).collect();
    if !failed.is_empty() {
        return (format!("its parts, of which failed: {}", failed.join(", ")), true);
    }
    (format!("{} of its {} parts", task.open_parts, task.parts.len()), false)
}

/// Whether a task will not be completed unless somebody does something.
pub(super) fn is_lost(state: &State, task: &Task) -> bool {
    matches!(task.status, Status::Failed | Status::Cancelled) && planned_anew(state, task).is_none()
}

/// The task in which a lead plans a failure anew; `None` if none does. One that somebody made wait for others may wait for
/// what waits for the failure.
fn planned_anew<'a>(state: &'a State, task: &Task) -> Option<&'a Task> {
    let replan = task.replan.as_ref().filter(|_| task.status == Status::Failed)?;
    state.task(replan).filter(|replan| !replan.status.is_ended() && replan.status != Status::Blocked)
}

/// A task that another one waits for, and what is done about it if it failed.
fn named(state: &State, task: &Task) -> String {
    match planned_anew(state, task) {
        Some(replan) => format!("{}, which {} plans anew", task.id(), replan.id()),
        None => task.id().to_string(),
    }
}

fn ready(state: &State, task: &Task) -> (String, bool) {
    let spec = &task.spec;
    if let Some((account, what)) = lacks(state, task) {
        return (format!("more {what} in the budget of {account}"), true);
    }
    let back_to = task.back_to.as_ref().filter(|_| !state.is_free_of_its_author(task));
    if let Some(agent) = spec.agent.as_ref().or(back_to) {
        if let Err(why) = state.could_work_on(task, agent) {
            return (format!("{agent}, {}", never(state, agent, &why)), true);
        }
        if !state.is_member(agent) {
            return (agent.to_string(), true);
        }
        if state.held_up(agent).is_some() {
            return (format!("{agent} to be resumed"), false);
        }
        return (agent.to_string(), false);
    }
    if let Some(team) = &spec.team {
        return (format!("the team of {team}"), !state.has_somebody_for(task));
    }
    let whom = match (spec.role, &spec.skill) {
        (None, None) if task.not_before_ms > 0 => return ("its next attempt".to_owned(), false),
        (None, None) => return ("a worker".to_owned(), false),
        (Some(role), None) => format!("a {role}"),
        (None, Some(skill)) => format!("an agent with the skill {skill}"),
        (Some(role), Some(skill)) => format!("a {role} with the skill {skill}"),
    };
    (whom, !state.has_somebody_for(task))
}

/// Why an agent will never take what waits for it.
fn never(state: &State, agent: &AgentId, why: &Refusal) -> String {
    match why {
        Refusal::NotFitting { reason, .. } => format!("who cannot take it: {reason}"),
        _ if state.agent(agent).is_some() => "who has left the team".to_owned(),
        _ => "who is not in the team".to_owned(),
    }
}

/// The account that allows nobody to take a task, and what it has too little of.
pub(super) fn lacks(state: &State, task: &Task) -> Option<(Account, Resource)> {
    let attempts =
        || Some((state.lacks_attempts(task)?, Resource::Attempts)).filter(|_| task.status == Status::Ready);
    state.short_of(task).or_else(attempts)
}

fn review(state: &State, task: &Task) -> (String, bool) {
    if task.spec.review_rounds.is_some_and(|most| task.review_rounds >= most) {
        return ("the human to review it, after as many rounds as there may be".to_owned(), true);
    }
    if let Some((account, what)) = lacks(state, task) {
        return (format!("more {what} in the budget of {account}"), true);
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
