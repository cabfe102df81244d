//! What becomes of tasks: begun in order, by who may, as often as was allowed, and judged by somebody else.

use std::collections::BTreeSet;

use agent_team_core::id::{AgentId, RecordId, TaskId};
use agent_team_core::record::{
    Body, ExpiryCause, FORMAT, Record, RefusalCause, Role, Stage, TaskAdded, TaskClaimed, TaskEdited,
    TaskSpec, TaskSubmitted,
};
use agent_team_core::text::Text;

use super::facts::Fact;
use super::{Verdict, Witness, violation};

/// Takeovers in a row after which nobody should begin a task again.
const TAKEOVERS_MAX: u32 = 3;
/// Conflicts after which nobody should begin a task again.
const CONFLICTS_MAX: u32 = 10;

impl Witness {
    /// The tasks that a record is about.
    pub(super) fn tasks_of(&self, body: &Body) -> Vec<TaskId> {
        match body {
            Body::TaskEdited(body) => vec![body.task.clone()],
            Body::TaskRetried(body) => vec![body.task.clone()],
            Body::TaskCancelled(body) => self.doomed(&body.task, body.dependents),
            Body::TaskGivenUp(body) => vec![body.task.clone()],
            Body::TaskClaimed(body) => vec![body.task.clone()],
            Body::TaskReassigned(body) => vec![body.task.clone()],
            Body::PlanJudged(body) => vec![body.task.clone()],
            body => {
                let claim = self.claim_named(body).and_then(|id| self.claims.get(&id));
                claim.map(|claim| claim.task.clone()).into_iter().collect()
            }
        }
    }

    /// A task with its parts, and all that may wait for it, directly or not, if those are meant.
    pub(super) fn doomed(&self, root: &TaskId, dependents: bool) -> Vec<TaskId> {
        self.doomed_by(root, |task, found| {
            let waits = |spec: &TaskSpec| spec.after.iter().any(|id| found.contains(id));
            let mut rewired = self.afters(task, usize::MAX).into_iter().flatten();
            dependents && (self.spec(task).is_some_and(waits) || rewired.any(|id| found.contains(id)))
        })
    }

    /// The same without what is only reached by way of a task whose dependencies may have been changed.
    pub(super) fn certainly_doomed(&self, root: &TaskId, dependents: bool) -> Vec<TaskId> {
        self.doomed_by(root, |task, found| {
            let waits = |spec: &TaskSpec| spec.after.iter().any(|id| found.contains(id));
            dependents && !self.is_rewired(task) && self.spec(task).is_some_and(waits)
        })
    }

    fn doomed_by(&self, root: &TaskId, waits: impl Fn(&TaskId, &BTreeSet<TaskId>) -> bool) -> Vec<TaskId> {
        let mut found = BTreeSet::from([root.clone()]);
        loop {
            let is_part = |task: &TaskId| self.wholes(task).iter().any(|whole| found.contains(whole));
            let waits = |task: &TaskId| is_part(task) || waits(task, &found);
            let more: Vec<TaskId> =
                self.specs.keys().filter(|id| !found.contains(*id) && waits(id)).cloned().collect();
            if more.is_empty() {
                return found.into_iter().collect();
            }
            found.extend(more);
        }
    }

    /// What was asked for.
    pub(super) fn spec(&self, task: &TaskId) -> Option<&TaskSpec> {
        let tags = self.specs.get(task)?.iter().filter(|tag| self.may_stand(**tag));
        tags.filter_map(|tag| {
            if let Some(Body::TaskAdded(body)) = self.body(*tag) { Some(&*body.task) } else { None }
        })
        .next()
    }

    /// What a task may come after: as it was added, or as it was last changed.
    pub(super) fn afters(&self, task: &TaskId, before: usize) -> Vec<&[TaskId]> {
        let mut afters = Vec::new();
        for (tag, body) in self.facts_about(task, before).rev() {
            let Body::TaskEdited(body) = body else { continue };
            let Some(after) = &body.change.after else { continue };
            afters.push(after.as_slice());
            if self.stands(tag) {
                return afters;
            }
        }
        afters.extend(self.spec(task).map(|spec| spec.after.as_slice()));
        afters
    }

    /// Whether somebody may have changed what a task comes after.
    pub(super) fn is_rewired(&self, task: &TaskId) -> bool {
        let mut facts = self.facts_about(task, usize::MAX);
        facts.any(|(_, body)| matches!(body, Body::TaskEdited(body) if body.change.after.is_some()))
    }

    pub(super) fn facts_about(
        &self,
        task: &TaskId,
        before: usize,
    ) -> impl DoubleEndedIterator<Item = (usize, &Body)> {
        let tags = self.about.get(task).into_iter().flatten().copied();
        let tags = tags.filter(move |tag| self.place(*tag) < before && self.may_stand(*tag));
        tags.filter_map(|tag| Some((tag, self.body(tag)?)))
    }

    /// What may be the newest record of a kind about a task before a place: the newest that is known to count, and those
    /// after it of which nobody knows, since their writers died.
    pub(super) fn newest<'a, T>(
        &'a self,
        task: &TaskId,
        before: usize,
        kind: impl Fn(&'a Body) -> Option<&'a T>,
    ) -> Vec<(RecordId, &'a T)> {
        let mut newest = Vec::new();
        for (tag, body) in self.facts_about(task, before).rev() {
            let (Some(id), Some(body)) = (self.id_of(tag), kind(body)) else { continue };
            newest.push((id, body));
            if self.stands(tag) {
                break;
            }
        }
        newest
    }

    /// What may be the newest delivery.
    pub(super) fn newest_deliveries(&self, task: &TaskId, before: usize) -> Vec<(RecordId, &TaskSubmitted)> {
        self.newest(task, before, |body| match body {
            Body::TaskSubmitted(body) => Some(body),
            _ => None,
        })
    }

    /// Whether somebody may have done the last that a task needed, before a place.
    pub(super) fn may_be_completed(&self, task: &TaskId, before: usize) -> bool {
        let Some(spec) = self.spec(task) else { return false };
        let place_after = |tag| self.place(tag) + 1;
        self.facts_about(task, before).any(|(tag, body)| {
            let newest = self.newest_deliveries(task, place_after(tag));
            let ends_it = |delivered: Option<&(RecordId, &TaskSubmitted)>| {
                let has_commit = delivered.is_some_and(|(_, body)| body.commit.is_some());
                let reviewed = spec.review || delivered.is_some_and(|(_, body)| !body.protected.is_empty());
                let suffices = || delivered.is_none_or(|(id, _)| self.suffices(task, *id, place_after(tag)));
                match body {
                    Body::TaskSubmitted(_) => spec.check.is_none() && !reviewed && !has_commit,
                    Body::CheckReported(body) => body.passed && !reviewed && !has_commit,
                    Body::ReviewGiven(body) => body.approved && !has_commit && suffices(),
                    Body::Merged(_) => true,
                    _ => false,
                }
            };
            // Of which delivery nobody knows whether it counts may be the newest that does.
            newest.is_empty() && ends_it(None) || newest.iter().any(|delivered| ends_it(Some(delivered)))
        })
    }

    /// What must hold when somebody begins a stage of a task.
    pub(super) fn judge_start(&self, body: &TaskClaimed, place: usize) -> Verdict {
        let task = &body.task;
        let Some(spec) = self.spec(task) else {
            return violation("start", format!("{task} was begun, and nobody added it"));
        };
        if self.is_cancelled(task, place) {
            return violation("start", format!("{task} was begun after it was cancelled"));
        }
        if body.stage != Stage::Work {
            return self.judge_stage(task, body, place);
        }
        let open = |after: &&[TaskId]| after.iter().find(|id| !self.may_be_completed(id, place)).cloned();
        let afters = self.afters(task, place);
        if let Some(open) = afters.iter().map(open).reduce(Option::and).flatten() {
            return violation("dependency", format!("{task} was begun before {open} was completed"));
        }
        self.judge_begun_again(task, place)?;
        if self.is_completed(task, place) {
            return violation("start", format!("{task} was begun although it was completed"));
        }
        self.judge_fit(spec, body, place)?;
        self.judge_history(task, spec, place)
    }

    /// Somebody begins to check, review or merge what was delivered.
    fn judge_stage(&self, task: &TaskId, body: &TaskClaimed, place: usize) -> Verdict {
        let newest = self.newest_deliveries(task, place);
        if newest.is_empty() {
            return violation(
                "start",
                format!("the {} stage of {task} was begun before anything was delivered", body.stage),
            );
        }
        match body.stage {
            Stage::Review => {
                let may = |delivered: &(RecordId, &TaskSubmitted)| {
                    self.may_review(task, *delivered, &body.agent, place)
                };
                newest.iter().map(may).reduce(Verdict::or).unwrap_or(Ok(()))
            }
            Stage::Merge => self.judge_passed(task, &newest, place),
            Stage::Work | Stage::Verify => Ok(()),
        }
    }

    /// Whether everybody knows that a task was completed before a place.
    fn is_completed(&self, task: &TaskId, before: usize) -> bool {
        self.facts_about(task, before).any(|(tag, body)| self.stands(tag) && matches!(body, Body::Merged(_)))
    }

    /// Whether everybody knows that a task was cancelled, and nobody may have wanted it again.
    pub(super) fn is_cancelled(&self, task: &TaskId, before: usize) -> bool {
        let ended = self.facts_about(task, before).rev().find_map(|(tag, body)| match body {
            Body::TaskRetried(_) => Some(false),
            Body::TaskCancelled(body) if body.task == *task || self.wholes(task).contains(&body.task) => {
                Some(self.stands(tag) && self.place(tag) > self.is_there_since(task))
            }
            _ => None,
        });
        ended == Some(true)
    }

    /// From which place on everybody knows that a task is there: its own, or that of the record that closed its batch. Who
    /// cancelled the whole before that did not mean it.
    fn is_there_since(&self, task: &TaskId) -> usize {
        let tags = self.specs.get(task).into_iter().flatten().filter(|tag| self.may_stand(**tag));
        let since = tags.map(|tag| match self.body(*tag) {
            Some(Body::TaskAdded(TaskAdded { batch: Some(batch), .. })) => self.closed_at(*batch),
            _ => self.place(*tag),
        });
        since.max().unwrap_or(usize::MAX)
    }

    /// The last place at which somebody closed a batch.
    fn closed_at(&self, batch: RecordId) -> usize {
        let closes = |tag: &usize| {
            self.may_stand(*tag)
                && matches!(self.body(*tag), Some(Body::BatchClosed(body)) if body.batch == batch)
        };
        (0..self.facts.len()).filter(closes).map(|tag| self.place(tag)).max().unwrap_or(usize::MAX)
    }

    /// For whom a task may be: as it was added, or as it was last handed over.
    fn wanted_agents<'a>(&'a self, spec: &'a TaskSpec, before: usize) -> Vec<Option<&'a AgentId>> {
        let mut wanted = Vec::new();
        for (tag, body) in self.facts_about(&spec.id, before).rev() {
            let Body::TaskReassigned(body) = body else { continue };
            wanted.push(body.agent.as_ref());
            if self.stands(tag) {
                return wanted;
            }
        }
        wanted.push(spec.agent.as_ref());
        wanted
    }

    fn judge_fit(&self, spec: &TaskSpec, body: &TaskClaimed, place: usize) -> Verdict {
        let (agent, role) = (&body.agent, self.cast.roles.get(&body.agent).copied().unwrap_or(Role::Worker));
        let wrong_role = spec.role.is_some_and(|wanted| wanted != role);
        let unskilled = spec.skill.is_some() && !self.cast.skilled.contains(agent);
        let for_workers = spec.role.is_none() && spec.skill.is_none();
        let suits = |wanted: &Option<&AgentId>| match wanted {
            Some(wanted) => *wanted == agent,
            None => !for_workers || role == Role::Worker,
        };
        if wrong_role || unskilled || !self.wanted_agents(spec, place).iter().any(suits) {
            return violation("fit", format!("{agent} took {}, which wants somebody else", spec.id));
        }
        Ok(())
    }

    /// A task is begun as often as was allowed since it was last wanted anew, and no more.
    fn judge_history(&self, task: &TaskId, spec: &TaskSpec, place: usize) -> Verdict {
        let (mut failures, mut takeovers, mut conflicts) = (0, 0, 0);
        // Whether whoever held it last was stuck, and whether whoever holds it has it from such a one.
        let (mut was_stuck, mut after_stuck) = (false, false);
        for (tag, body) in self.facts_about(task, place) {
            let stands = u32::from(self.stands(tag));
            match body {
                Body::TaskRetried(_) => (failures, takeovers, conflicts) = (0, 0, 0),
                Body::TaskFailed(_) => failures += stands,
                Body::CheckReported(body) => {
                    failures += if body.passed { 0 } else { stands };
                    takeovers = 0;
                }
                Body::ReviewGiven(body) => {
                    // Where rounds have an end, that is what bounds them.
                    failures += if body.approved || spec.review_rounds.is_some() { 0 } else { stands };
                    takeovers = 0;
                }
                Body::MergeRefused(body) if body.cause == RefusalCause::Conflict => {
                    conflicts += stands;
                    takeovers = 0;
                }
                Body::MergeRefused(_) => {
                    failures += stands;
                    takeovers = 0;
                }
                Body::TaskClaimed(_) if stands == 1 => {
                    (was_stuck, after_stuck) = (false, was_stuck);
                }
                // Whoever hangs after each turn gets on by none.
                Body::TurnJournalled(_) if after_stuck => {}
                Body::TaskSubmitted(_)
                | Body::TurnJournalled(_)
                | Body::PlanSubmitted(_)
                | Body::Merged(_) => takeovers = 0,
                Body::ClaimExpired(body) => {
                    let Some(claim) = self.claims.get(&body.claim) else { continue };
                    let orchestrator = body.cause == ExpiryCause::ProcessGone && claim.holder.orchestrated;
                    was_stuck |= stands == 1 && body.cause == ExpiryCause::Stuck;
                    takeovers += if orchestrator || claim.stage == Stage::Review { 0 } else { stands };
                }
                _ => {}
            }
        }
        if failures >= spec.attempts {
            return violation(
                "attempts",
                format!("{task} was begun after {failures} of {} attempts failed", spec.attempts),
            );
        }
        if takeovers >= TAKEOVERS_MAX {
            return violation("quarantine", format!("{task} was begun after {takeovers} takeovers in a row"));
        }
        if conflicts >= CONFLICTS_MAX {
            return violation("conflicts", format!("{task} was begun after {conflicts} conflicts"));
        }
        Ok(())
    }

    /// Nobody begins a task anew before the time that its last failure named, by the clock of who begins.
    pub(super) fn judge_backoff(&self, task: &TaskId, clock_ms: u64, place: usize) -> Verdict {
        let mut not_before_ms = 0;
        for (tag, body) in self.facts_about(task, place) {
            match body {
                Body::TaskFailed(body) if self.stands(tag) => not_before_ms = body.not_before_ms,
                Body::TaskRetried(_) | Body::TaskClaimed(TaskClaimed { stage: Stage::Work, .. }) => {
                    not_before_ms = 0;
                }
                _ => {}
            }
        }
        if clock_ms < not_before_ms {
            return violation(
                "backoff",
                format!("{task} was begun {} ms too early", not_before_ms - clock_ms),
            );
        }
        Ok(())
    }

    /// Who edits what they saw, loses nobody's edit: each counts one up.
    pub(super) fn judge_edit(&self, body: &TaskEdited, place: usize) -> Verdict {
        let count = |body: &TaskEdited| match &body.change.description {
            Some(Text::Inline(text)) => text.parse::<u64>().ok(),
            _ => None,
        };
        let before = self.facts_about(&body.task, place).filter(|(tag, _)| self.stands(*tag));
        let before = before
            .filter_map(|(_, other)| if let Body::TaskEdited(other) = other { count(other) } else { None });
        match (count(body), before.max()) {
            (Some(now), Some(before)) if now <= before => violation(
                "lost update",
                format!("an edit of {} was overwritten by who had not seen it", body.task),
            ),
            _ => Ok(()),
        }
    }

    /// No two tasks have one id.
    pub(super) fn judge_added(&self, body: &TaskAdded, tag: usize) -> Verdict {
        let others = self
            .specs
            .get(&body.task.id)
            .into_iter()
            .flatten()
            .filter(|other| **other != tag && self.stands(**other));
        for other in others {
            if self.body(*other) != self.body(tag) {
                return violation("ids", format!("two tasks have the id {}", body.task.id));
            }
        }
        Ok(())
    }

    pub(super) fn judge_retry(&self, task: &TaskId, place: usize) -> Verdict {
        if self.is_completed(task, place) {
            return violation("lawless", format!("{task} was retried although it was completed"));
        }
        Ok(())
    }

    pub(super) fn judge_cancel(&self, task: &TaskId, place: usize) -> Verdict {
        if self.is_completed(task, place) {
            return violation(
                "lawless",
                format!("{task} was cancelled or given away although it was completed"),
            );
        }
        Ok(())
    }

    /// A record of an older format than the log's counts for nothing.
    pub(super) fn judge_format(&self, fact: &Fact, record: &Record, place: usize) -> Verdict {
        let raised = self.raises.iter().filter(|tag| self.stands(**tag) && self.place(**tag) < place);
        let version = raised.filter_map(|tag| match self.body(*tag) {
            Some(Body::FormatRaised(body)) => Some(body.version),
            _ => None,
        });
        let version = version.max().unwrap_or(FORMAT);
        let may_be = self.raises.iter().filter(|tag| self.may_stand(**tag) && self.place(**tag) < place);
        let mut may_be = may_be.filter_map(|tag| self.body(*tag));
        let raises = |body: &Body| matches!(body, Body::FormatRaised(body) if body.version >= record.format);
        if record.format > FORMAT && !may_be.any(raises) {
            return violation("format", format!("{} counts, and nobody raised the log to that", fact.name()));
        }
        if record.format < version {
            return violation(
                "format",
                format!("{} counts, and is of format {}, below {version}", fact.name(), record.format),
            );
        }
        Ok(())
    }
}
