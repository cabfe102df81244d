//! Which task an agent gets.

use crate::id::{AgentId, TaskId};
use crate::machine::fit::Member;
use crate::machine::refusal::Refusal;
use crate::machine::state::State;
use crate::machine::task::Task;
use crate::machine::transition::Status;
use crate::record::Stage;

/// The task that was asked for, or the best that fits: priority first, then age.
pub(super) fn task<'a>(
    state: &'a State,
    agent: &AgentId,
    wanted: Option<&TaskId>,
    stage: Stage,
    now_ms: u64,
) -> Result<&'a Task, Refusal> {
    // Whoever a run has at work learns that it was dropped only when it looks: it is given nothing until then.
    if wanted.is_none() && state.agent(agent).is_some_and(|known| known.left && known.orchestrated) {
        return Err(Refusal::NothingEver { agent: agent.clone(), reason: "it has left the team".into() });
    }
    if let Some(wanted) = wanted {
        let task = state.task(wanted).ok_or_else(|| Refusal::NoSuchTask { task: wanted.clone() })?;
        let wait_ms = task.not_before_ms.saturating_sub(now_ms);
        if stage == Stage::Work && task.status == Status::Ready && wait_ms > 0 {
            return Err(Refusal::BackingOff { task: wanted.clone(), wait_ms });
        }
        if task.status.stage() == Some(stage) {
            state.offered(task, agent)?;
        }
        return Ok(task);
    }
    let member = Member::of(state, agent);
    let found = match stage {
        Stage::Work => {
            let interrupted = interrupted(state, &member);
            let best = || state.queue.best(&member, now_ms, |slot| state.is_slot_offered(slot, agent));
            let best = || best().and_then(|slot| state.tasks.at(slot));
            interrupted.or_else(best).or_else(|| state.left_to_others(&member, now_ms))
        }
        _ => state
            .waiting_for(stage)
            .find(|task| member.fits_stage(task, stage).is_ok() && state.offered(task, agent).is_ok()),
    };
    found.ok_or_else(|| nothing(state, &member))
}

/// The attempt that the agent was cut off from: its folder still holds what was done, and nothing else should be done
/// in that folder before.
fn interrupted<'a>(state: &'a State, member: &Member<'_>) -> Option<&'a Task> {
    let mut tasks = state.queue.for_agent(member.agent).filter_map(|slot| state.tasks.at(slot));
    tasks.find(|task| {
        let fits = task.resume.is_some() && member.fits_stage(task, Stage::Work).is_ok();
        fits && state.offered(task, member.agent).is_ok()
    })
}

/// Nothing to take: will there be something?
fn nothing(state: &State, member: &Member<'_>) -> Refusal {
    let agent = member.agent.clone();
    let is_offered = |slot| state.is_slot_offered(slot, member.agent);
    if let Some(at_ms) = state.queue.next_backoff_ms(member, is_offered) {
        return Refusal::NothingNow { agent, at_ms: Some(at_ms) };
    }
    let counts = state.counts();
    // Work under way may fail and come back, unblock others, or add tasks; so may work that a member can take. The one
    // who asks can: it may have asked for a later stage.
    let mut wanted = state.wanted();
    if counts.running > 0
        || wanted.any(|lane| member.fits(lane).is_ok() || state.members_for(lane).next().is_some())
    {
        return Refusal::NothingNow { agent, at_ms: None };
    }
    // What waits for a budget alone is said, so that somebody raises it.
    let mut short = state.short_of_budget();
    let fits = |task: &Task| task.status.stage().is_some_and(|stage| member.fits_stage(task, stage).is_ok());
    if let Some((_, account, what)) = short.find(|(task, ..)| fits(task)) {
        return Refusal::OverBudget { account, what };
    }
    let reason = if counts.total == 0 {
        "no task has been added yet".to_owned()
    } else if counts.ready + counts.blocked == 0 {
        "all tasks have ended".to_owned()
    } else {
        format!("{} ready and {} blocked tasks wait for something else", counts.ready, counts.blocked)
    };
    Refusal::NothingEver { agent, reason }
}
