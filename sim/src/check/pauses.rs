//! Pauses: nobody begins anything while they, or the whole team, are certainly held up.

use agent_team_core::id::{AgentId, HUMAN};
use agent_team_core::record::{Body, PauseSet, TaskClaimed};

use super::{Verdict, Witness, violation};

impl Witness {
    pub(super) fn judge_held_up(&self, body: &TaskClaimed, place: usize) -> Verdict {
        // The human has paused it, and means others.
        if body.agent.as_str() == HUMAN {
            return Ok(());
        }
        for whom in [None, Some(&body.agent)] {
            if self.newest_pause(whom, place).is_some_and(|(_, pause)| pause.paused) {
                let who = whom.map_or("the team", AgentId::as_str);
                let what = format!("{} began {} while {who} was held up", body.agent, body.task);
                return violation("pause", what);
            }
        }
        Ok(())
    }

    /// Who holds up or lets go on has seen what was said last.
    pub(super) fn judge_pause(&self, body: &PauseSet, place: usize) -> Verdict {
        match self.newest_pause(body.agent.as_ref(), place) {
            Some((tag, _)) if self.id_of(tag) != body.on => {
                violation("lost update", "a pause was overwritten by who had not seen it")
            }
            _ => Ok(()),
        }
    }

    /// What was said last, before a place, of whether somebody is held up, if that is certain.
    fn newest_pause(&self, whom: Option<&AgentId>, before: usize) -> Option<(usize, &PauseSet)> {
        let known =
            self.pauses.iter().rev().filter(|tag| self.place(**tag) < before && self.may_stand(**tag));
        let mut known = known.filter_map(|tag| match self.body(*tag) {
            Some(Body::PauseSet(body)) if body.agent.as_ref() == whom => Some((*tag, body)),
            _ => None,
        });
        known.next().filter(|(tag, _)| self.stands(*tag))
    }
}
