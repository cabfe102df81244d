//! Reviews: by who may, of what was read, by as many as were asked for, and in the end by the human.

use std::collections::BTreeSet;

use agent_team_core::id::{AgentId, HUMAN, RecordId, TaskId};
use agent_team_core::record::{Body, ReviewGiven, Role, TaskSubmitted};

use super::{Verdict, Witness, violation};

impl Witness {
    /// Whether somebody may review a delivery at a place, as far as everybody knows.
    pub(super) fn may_review(
        &self,
        task: &TaskId,
        (id, delivered): (RecordId, &TaskSubmitted),
        reviewer: &AgentId,
        place: usize,
    ) -> Verdict {
        if reviewer.as_str() == HUMAN {
            return Ok(());
        }
        let author = self.claims.get(&delivered.claim).map(|claim| &claim.agent);
        if author == Some(reviewer) {
            return violation("review", format!("{reviewer} reviews its own work on {task}"));
        }
        if !delivered.protected.is_empty() && !self.spec(task).is_some_and(|spec| spec.allow_protected) {
            return violation("review", format!("{reviewer} reviews protected files of {task}"));
        }
        let mut approvers = self.approvals(task, id, place).filter(|(tag, _)| self.stands(*tag));
        if approvers.any(|(_, approver)| approver == reviewer) {
            return violation("review", format!("{reviewer} approved {task} before, and others must, too"));
        }
        if self.rounds_are_over(task, place) {
            return violation("rounds", format!("{reviewer} reviews {task}, and only the human may now"));
        }
        match self.cast.roles.get(reviewer) {
            Some(Role::Reviewer | Role::Lead) => Ok(()),
            _ => violation("review", format!("{reviewer} reviews {task} and is no reviewer")),
        }
    }

    /// A review counts for what was read, and by who may.
    pub(super) fn judge_review(&self, body: &ReviewGiven, place: usize) -> Verdict {
        let Some(claim) = self.claims.get(&body.claim) else { return Ok(()) };
        let newest = self.newest_deliveries(&claim.task, place);
        if newest.is_empty() {
            return violation("review", format!("{} was reviewed before anything was delivered", claim.task));
        }
        match newest.iter().find(|(id, _)| *id == body.submission) {
            Some(delivered) => self.may_review(&claim.task, *delivered, &claim.agent, place),
            None => violation(
                "review",
                format!("the review of {} is of another delivery than the newest", claim.task),
            ),
        }
    }

    /// Nothing goes on to its merge before it was reviewed by as many as were asked for.
    pub(super) fn judge_passed(
        &self,
        task: &TaskId,
        newest: &[(RecordId, &TaskSubmitted)],
        place: usize,
    ) -> Verdict {
        let Some(spec) = self.spec(task) else { return Ok(()) };
        let passed = |(id, delivered): &(RecordId, &TaskSubmitted)| {
            let is_asked = spec.review || (!delivered.protected.is_empty() && !spec.allow_protected);
            !is_asked || self.suffices(task, *id, place)
        };
        if newest.iter().any(passed) {
            return Ok(());
        }
        violation("quorum", format!("{task} is merged, and fewer than {} approved it", spec.reviews))
    }

    /// Whether a delivery may have been approved by as many as were asked for, or by the human, before a place.
    pub(super) fn suffices(&self, task: &TaskId, delivery: RecordId, before: usize) -> bool {
        let approvers: BTreeSet<&AgentId> =
            self.approvals(task, delivery, before).map(|(_, approver)| approver).collect();
        let wanted = self.spec(task).map_or(1, |spec| spec.reviews as usize);
        approvers.len() >= wanted || approvers.iter().any(|approver| approver.as_str() == HUMAN)
    }

    /// Who may have approved a delivery before a place.
    fn approvals(
        &self,
        task: &TaskId,
        delivery: RecordId,
        before: usize,
    ) -> impl Iterator<Item = (usize, &AgentId)> {
        self.facts_about(task, before).filter_map(move |(tag, body)| match body {
            Body::ReviewGiven(body) if body.approved && body.submission == delivery => {
                Some((tag, &self.claims.get(&body.claim)?.agent))
            }
            _ => None,
        })
    }

    /// Whether reviewers certainly sent a task back as often as they may, since it was last wanted anew.
    fn rounds_are_over(&self, task: &TaskId, before: usize) -> bool {
        let Some(most) = self.spec(task).and_then(|spec| spec.review_rounds) else { return false };
        let mut rounds = 0;
        for (tag, body) in self.facts_about(task, before) {
            match body {
                Body::TaskRetried(_) => rounds = 0,
                Body::ReviewGiven(body) if !body.approved => rounds += u32::from(self.stands(tag)),
                _ => {}
            }
        }
        rounds >= most
    }
}
