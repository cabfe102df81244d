//! Why nothing fits an agent now, in words.

use std::collections::BTreeMap;

use crate::id::AgentId;
use crate::machine::fit::Member;
use crate::machine::{State, Unfit};
use crate::record::Stage;

/// As many reasons are given for what others are to take.
const REASONS_MAX: usize = 3;

/// Why an agent finds no work now: what there is, and for whom it is. `now_ms` is in milliseconds since 1970.
///
/// ```
/// use agent_team_core::machine::State;
///
/// let words = agent_team_core::view::why_idle(&State::default(), &"worker-1".parse()?, 0);
/// assert_eq!(words, "no task has been added yet");
/// # Ok::<(), agent_team_core::id::BadName>(())
/// ```
pub fn why_idle(state: &State, agent: &AgentId, now_ms: u64) -> String {
    let counts = state.counts();
    if counts.total == 0 {
        return "no task has been added yet".to_owned();
    }
    if counts.ready + counts.running + counts.blocked == 0 {
        return "all tasks have ended".to_owned();
    }
    let member = Member::of(state, agent);
    let is_offered = |slot| state.is_slot_offered(slot, agent);
    let mut for_others: BTreeMap<String, usize> = BTreeMap::new();
    let (mut failed, mut kept) = (0, 0);
    for (lane, due, backing_off) in state.queue.wanted_with_counts() {
        match member.fits(lane) {
            Ok(()) => {
                kept += due;
                failed += backing_off;
            }
            Err(unfit) => *for_others.entry(for_whom(&unfit)).or_default() += due + backing_off,
        }
    }
    let mut for_others: Vec<(String, usize)> =
        for_others.into_iter().filter(|(_, count)| *count > 0).collect();
    for_others.sort_by_key(|(_, count)| std::cmp::Reverse(*count));
    let rest: usize = for_others.iter().skip(REASONS_MAX).map(|(_, count)| count).sum();
    let mut parts: Vec<String> = for_others
        .into_iter()
        .take(REASONS_MAX)
        .map(|(whom, count)| format!("{count} ready {whom}"))
        .collect();
    let mut add = |count: u64, words: &str| {
        if count > 0 {
            parts.push(format!("{count} {words}"));
        }
    };
    add(rest as u64, "ready for others");
    add(kept as u64, "ready without the budget for a step");
    let again = state.queue.next_backoff_ms(&member, is_offered).map(|at_ms| at_ms.saturating_sub(now_ms));
    let again =
        again.map(|ms| format!("tried again after a failure, in {} s at the earliest", ms.div_ceil(1_000)));
    add(failed as u64, again.as_deref().unwrap_or("failed before and is not offered"));
    // Those that no run drives have to be told by which command.
    let mut to_review =
        state.waiting_for(Stage::Review).filter(|task| member.fits_stage(task, Stage::Review).is_ok());
    if let Some(first) = to_review.next() {
        let words = format!("to review: agent-team review {} --as {agent}", first.id());
        add(1 + to_review.count() as u64, &words);
    }
    // Reviewers look at a submission one after another: if one asks for changes, the next one looks at what comes of that.
    let next = state.held().filter(|(task, claim)| {
        let more = task.approvals.len() + 1 < task.spec.reviews as usize;
        claim.stage == Stage::Review && more && member.fits_stage(task, Stage::Review).is_ok()
    });
    add(next.count() as u64, "to review when another reviewer has done so");
    add(counts.running, "under way");
    add(counts.blocked, "blocked");
    if parts.is_empty() { "what there is is not offered to it".to_owned() } else { parts.join(", ") }
}

/// For whom a task is that an agent may not take.
fn for_whom(unfit: &Unfit) -> String {
    match unfit {
        Unfit::ForAgent(agent) => format!("for {agent}"),
        Unfit::WantsRole(role) => format!("for a {role}"),
        Unfit::WantsSkill(skill) => format!("for the skill `{skill}`"),
        Unfit::ForTeam(lead) => format!("for the team of {lead}"),
        Unfit::NotOfTeam(lead) => format!("outside of the team of {lead}"),
        Unfit::NotAWorker(_) => "for workers".to_owned(),
        // Of reviews alone.
        Unfit::Approved | Unfit::RoundsOver | Unfit::Author | Unfit::NotAReviewer | Unfit::HumanOnly => {
            "for others".to_owned()
        }
    }
}
