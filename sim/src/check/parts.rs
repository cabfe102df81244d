//! Delegated tasks: handed out with parts, begun again and delivered when those are done. Failures are planned anew once.

use agent_team_core::id::TaskId;
use agent_team_core::record::{Body, TaskAdded, TaskDelegated, TaskSubmitted};

use super::{Verdict, Witness, violation};

/// How many failures may be planned anew at one place, since nobody says otherwise here.
const REPLANS_MAX: usize = 3;
/// Deeper than tasks are ever added.
const DEPTH_MAX: usize = 16;

impl Witness {
    /// The delegated tasks that a task is a part of, the nearest first.
    pub(super) fn wholes(&self, task: &TaskId) -> Vec<TaskId> {
        let mut wholes = Vec::new();
        let mut below = task.clone();
        while let Some(parent) = self.spec(&below).and_then(|spec| spec.parent.clone()) {
            if self.spec(&parent).is_some_and(|spec| spec.delegate) {
                wholes.push(parent.clone());
            }
            if wholes.len() > DEPTH_MAX || parent == *task {
                break;
            }
            below = parent;
        }
        wholes
    }

    /// The parts of a task that were certainly added before a place.
    fn parts(&self, whole: &TaskId, before: usize) -> Vec<TaskId> {
        let is_there = |tags: &Vec<usize>| {
            let there = tags.iter().filter(|tag| self.stands(**tag) && self.place(**tag) < before);
            there.filter_map(|tag| self.body(*tag)).any(|body| {
                // Whether a batch was closed by then is for others to judge.
                matches!(body, Body::TaskAdded(body) if body.batch.is_none() && body.task.replans.is_none())
            })
        };
        let parts = self.specs.iter().filter(|(id, tags)| {
            is_there(tags) && self.wholes(id).first().is_some_and(|nearest| nearest == whole)
        });
        parts.map(|(id, _)| id.clone()).collect()
    }

    /// Whether a task may have been cancelled before a place, itself or with what it is a part of.
    fn may_be_cancelled(&self, task: &TaskId, before: usize) -> bool {
        self.facts_about(task, before).any(|(_, body)| matches!(body, Body::TaskCancelled(_)))
    }

    /// No part of a task is certainly open.
    fn judge_parts(&self, whole: &TaskId, place: usize, what: &str) -> Verdict {
        let is_open =
            |part: &&TaskId| !self.may_be_completed(part, place) && !self.may_be_cancelled(part, place);
        match self.parts(whole, place).iter().find(is_open) {
            Some(part) => violation("parts", format!("{whole} was {what} before its part {part} was done")),
            None => Ok(()),
        }
    }

    pub(super) fn judge_whole(&self, body: &TaskSubmitted, place: usize) -> Verdict {
        let Some(claim) = self.claims.get(&body.claim) else { return Ok(()) };
        self.judge_parts(&claim.task, place, "delivered")
    }

    /// What was handed out is begun again when all its parts are done, unless it was given up and wanted anew.
    pub(super) fn judge_begun_again(&self, task: &TaskId, place: usize) -> Verdict {
        let mut handed_out = None;
        for (tag, body) in self.facts_about(task, place) {
            match body {
                Body::TaskDelegated(_) if self.stands(tag) => handed_out = Some(self.place(tag)),
                Body::TaskRetried(_) | Body::TaskClaimed(_) => handed_out = None,
                _ => {}
            }
        }
        match handed_out {
            Some(_) => self.judge_parts(task, place, "begun again"),
            None => Ok(()),
        }
    }

    pub(super) fn judge_handed_out(&self, body: &TaskDelegated) -> Verdict {
        let Some(claim) = self.claims.get(&body.claim) else { return Ok(()) };
        match self.spec(&claim.task) {
            Some(spec) if !spec.delegate => {
                violation("parts", format!("{} was handed out, and is not delegated", claim.task))
            }
            _ => Ok(()),
        }
    }

    /// A failure is planned anew once, and at one place only so many are.
    pub(super) fn judge_replan(&self, body: &TaskAdded, tag: usize, place: usize) -> Verdict {
        let Some(replan) = &body.task.replans else { return Ok(()) };
        let tags = self.specs.values().flatten();
        let others =
            tags.filter(|other| **other != tag && self.stands(**other) && self.place(**other) < place);
        let others = others.filter_map(|other| match self.body(*other) {
            Some(Body::TaskAdded(other)) if other.task.id != body.task.id => {
                Some((&other.task, other.task.replans.as_ref()?))
            }
            _ => None,
        });
        let others: Vec<_> = others.collect();
        if others.iter().any(|(_, other)| *other == replan) {
            return violation("replan", format!("the failure of {} was planned anew twice", replan.task));
        }
        if others.iter().filter(|(task, _)| task.parent == body.task.parent).count() >= REPLANS_MAX {
            return violation("replan", format!("one failure too many was planned anew: {}", replan.task));
        }
        Ok(())
    }
}
