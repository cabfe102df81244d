//! What calls had set aside that ended with their process.
//!
//! Nobody knows what such a call has cost, but at most what was set aside for it. Until now that only kept others from using
//! it; from here on it counts as used, so that whoever looks at a budget sees where it went.

use agent_team_core::machine::State;
use agent_team_core::record::{Amount, SpendingSettled};

use crate::progress::{Progress, Reporter};
use crate::team_log::TeamLog;
use crate::{AgentId, Error, RecordId, TaskId};

struct Unsettled {
    reservation: RecordId,
    agent: AgentId,
    task: Option<TaskId>,
    upper: Amount,
}

/// Settles with all that was set aside what agents of an earlier run left open. To be called when no run is alive and the
/// claims of the dead have ended: whoever holds a task still works, from a shell for example.
pub(super) fn settle(team_log: &TeamLog, by: &AgentId, reporter: &Reporter) -> Result<(), Error> {
    let unsettled = team_log.look(left_open)?;
    let cut_off = unsettled.iter().filter(|left| left.upper.calls > 0);
    let (calls, sum) = cut_off
        .fold((0, Amount::default()), |(calls, sum), left| (calls + left.upper.calls, sum.plus(left.upper)));
    for Unsettled { reservation, agent, task, upper } in unsettled {
        let (reservation, model) = (Some(reservation), String::new());
        team_log.submit(by, &SpendingSettled { reservation, agent, task, model, actual: upper }.into())?;
    }
    if calls > 0 {
        let (what, made) = match calls {
            1 => ("1 call to a model".to_owned(), "made it"),
            _ => (format!("{calls} calls to models"), "made them"),
        };
        let tokens = sum.input_tokens.saturating_add(sum.output_tokens);
        reporter.report(Progress::Note(format!(
            "{what} ended with the process that {made}: what was set aside, {tokens} tokens, counts as used"
        )));
    }
    Ok(())
}

fn left_open(state: &State) -> Vec<Unsettled> {
    let works = |agent: &AgentId| state.held().any(|(_, claim)| claim.agent == *agent);
    let open = state.ledger().reservations().filter(|(_, agent, ..)| !works(agent));
    let left = open.map(|(reservation, agent, task, upper)| Unsettled {
        reservation,
        agent: agent.clone(),
        task: task.cloned(),
        upper,
    });
    left.collect()
}
