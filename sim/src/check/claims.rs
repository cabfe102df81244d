//! Who may act on a task: one at a time, not once it is gone, and not taken from who is alive.

use agent_team_core::id::{AgentId, RecordId, TaskId};
use agent_team_core::record::{
    Body, ClaimExpired, ExpiryCause, FilesReserved, Holder, LateResult, Stage, TaskClaimed,
};

use super::{Verdict, Witness, violation};
use crate::process::STUCK_MS;

/// A claim that somebody wrote.
#[derive(Debug)]
pub(super) struct ClaimFact {
    pub task: TaskId,
    pub stage: Stage,
    pub agent: AgentId,
    pub holder: std::sync::Arc<Holder>,
    pub tag: usize,
    /// What would end it.
    pub endings: Vec<usize>,
    /// What may have ended it, or not.
    pub perhaps: Vec<usize>,
    /// What shows that its holder lives.
    pub signs: Vec<usize>,
}

/// The claim that a record of a holder names, and the stage that it is for.
fn named(body: &Body) -> Option<(RecordId, Option<Stage>)> {
    Some(match body {
        Body::ClaimRenewed(body) => (body.claim, None),
        Body::ClaimReleased(body) => (body.claim, None),
        Body::ClaimExpired(body) => (body.claim, None),
        Body::TurnJournalled(body) => (body.claim, None),
        Body::FilesReserved(body) => (body.claim, None),
        Body::FilesReleased(body) => (body.claim, None),
        Body::TaskSubmitted(body) => (body.claim, Some(Stage::Work)),
        Body::TaskFailed(body) => (body.claim, Some(Stage::Work)),
        Body::TaskDelegated(body) => (body.claim, Some(Stage::Work)),
        Body::PlanSubmitted(body) => (body.claim, Some(Stage::Work)),
        Body::CheckReported(body) => (body.claim, Some(Stage::Verify)),
        Body::ReviewGiven(body) => (body.claim, Some(Stage::Review)),
        Body::MergeIntended(body) => (body.claim, Some(Stage::Merge)),
        Body::MergeRefused(body) => (body.claim, Some(Stage::Merge)),
        _ => return None,
    })
}

/// Whether a record ends the claim that it names.
fn ends(body: &Body) -> bool {
    matches!(
        body,
        Body::ClaimReleased(_)
            | Body::ClaimExpired(_)
            | Body::TaskSubmitted(_)
            | Body::TaskDelegated(_)
            | Body::TaskFailed(_)
            | Body::CheckReported(_)
            | Body::ReviewGiven(_)
            | Body::MergeRefused(_)
            | Body::Merged(_)
    )
}

impl Witness {
    pub(super) fn register_claim(&mut self, id: RecordId, body: &TaskClaimed, tag: usize) {
        let claim = ClaimFact {
            task: body.task.clone(),
            stage: body.stage,
            agent: body.agent.clone(),
            holder: body.holder.clone(),
            tag,
            endings: Vec::new(),
            perhaps: Vec::new(),
            signs: vec![tag],
        };
        if self.claims.insert(id, claim).is_none() {
            self.claims_of.entry(body.task.clone()).or_default().push(id);
        }
    }

    pub(super) fn register_endings(&mut self, body: &Body, tag: usize) {
        if let Some(claim) = self.claim_named(body).and_then(|id| self.claims.get_mut(&id)) {
            if ends(body) {
                claim.endings.push(tag);
            }
            if matches!(body, Body::ClaimRenewed(_) | Body::TurnJournalled(_) | Body::PlanSubmitted(_)) {
                claim.signs.push(tag);
            }
        }
        if let Body::TaskCancelled(body) = body {
            let certain = self.certainly_doomed(&body.task, body.dependents);
            for task in self.doomed(&body.task, body.dependents) {
                // What a task waits for may have changed: then nobody knows here whether it was cancelled, too.
                let is_certain = certain.contains(&task);
                for id in self.claims_of.get(&task).cloned().unwrap_or_default() {
                    let Some(claim) = self.claims.get_mut(&id) else { continue };
                    let endings = if is_certain { &mut claim.endings } else { &mut claim.perhaps };
                    endings.push(tag);
                }
            }
        }
    }

    /// What takes work from a holder without naming the claim: the task is another's, or the agent was stopped.
    pub(super) fn register_takings(&mut self, body: &Body, tag: usize) {
        match body {
            Body::TaskReassigned(body) => {
                for id in self.claims_of.get(&body.task).into_iter().flatten() {
                    let claim = self.claims.get_mut(id).filter(|claim| claim.stage == Stage::Work);
                    claim.into_iter().for_each(|claim| claim.endings.push(tag));
                }
            }
            Body::PauseSet(body) if body.paused && body.release => {
                let stops = |claim: &&mut ClaimFact| {
                    Some(&claim.agent) == body.agent.as_ref()
                        && matches!(claim.stage, Stage::Work | Stage::Review)
                };
                self.claims.values_mut().filter(stops).for_each(|claim| claim.endings.push(tag));
            }
            _ => {}
        }
    }

    /// The claim that a record names, itself or by its intent.
    pub(super) fn claim_named(&self, body: &Body) -> Option<RecordId> {
        match body {
            Body::Merged(merged) => match &self.fact_of(merged.intent)?.record.as_ref()?.body {
                Body::MergeIntended(intended) => Some(intended.claim),
                _ => None,
            },
            body => named(body).map(|(claim, _)| claim),
        }
    }

    /// Of two claims on a task that both count, something must have ended the first before the second.
    pub(super) fn judge_claim(
        &self,
        record: &agent_team_core::record::Record,
        body: &TaskClaimed,
        place: usize,
    ) -> Verdict {
        for other in self.claims_of.get(&body.task).into_iter().flatten().filter(|id| **id != record.id) {
            let Some(other) = self.claims.get(other).filter(|other| self.stands(other.tag)) else { continue };
            let at = self.place(other.tag);
            let Some(mine) = self.claims.get(&record.id) else { continue };
            let (first, from, to) = if at < place { (other, at, place) } else { (mine, place, at) };
            let between = |tag: &&usize| (from..to).contains(&self.place(**tag));
            if !first.endings.iter().chain(&first.perhaps).filter(between).any(|tag| self.may_stand(*tag)) {
                let (task, one, two) = (&body.task, &other.agent, &body.agent);
                return violation("double claim", format!("{one} and {two} both hold {task}"));
            }
        }
        self.judge_start(body, place)
    }

    /// What a holder did counts only while its claim was in force, and for the claim's own stage.
    pub(super) fn judge_holder(&self, body: &Body, tag: usize, place: usize) -> Verdict {
        let Some(id) = self.claim_named(body) else { return Ok(()) };
        let Some(claim) = self.claims.get(&id) else {
            return violation("fenced", format!("a {} counts under a claim that nobody made", body.kind()));
        };
        if !self.may_stand(claim.tag) {
            // A claim that was not synced may be gone with the power, and what followed it stays as it was told.
            let void = !self.facts.get(claim.tag).is_some_and(|fact| fact.lost);
            return if void {
                violation("fenced", format!("a {} counts under a void claim", body.kind()))
            } else {
                Ok(())
            };
        }
        let ended = claim
            .endings
            .iter()
            .find(|ending| **ending != tag && self.stands(**ending) && self.place(**ending) < place);
        if let Some(ending) = ended {
            let how = self.body(*ending).map(|body| body.kind().to_owned()).unwrap_or_default();
            let what = format!(
                "a {} of {} counts after its claim on {} ended ({how})",
                body.kind(),
                claim.agent,
                claim.task
            );
            return violation("fenced", what);
        }
        match named(body) {
            Some((_, Some(stage))) if stage != claim.stage => violation(
                "stage",
                format!("a {} counts under a claim for the {} stage", body.kind(), claim.stage),
            ),
            _ => Ok(()),
        }
    }

    /// A claim is taken from a holder only if that one is dead, or gave no sign of life for its lease.
    pub(super) fn judge_expiry(&self, body: &ClaimExpired, tag: usize, place: usize) -> Verdict {
        let Some(claim) = self.claims.get(&body.claim) else { return Ok(()) };
        let at_ms = self.facts.get(tag).map_or(0, |fact| fact.at_ms);
        let signs = claim.signs.iter().filter(|sign| self.may_stand(**sign) && self.place(**sign) < place);
        // What lived on in the words of an older format may have said so to nobody.
        let heard = signs
            .filter_map(|sign| self.facts.get(*sign))
            .filter(|fact| !self.is_outdated(fact, |raise| self.may_stand(raise)));
        let sign_ms = heard.map(|fact| fact.at_ms).max().unwrap_or(0);
        match (body.cause, claim.holder.lease_ms, &claim.holder.process) {
            (ExpiryCause::Lease, Some(lease_ms), _) if at_ms.saturating_sub(sign_ms) < lease_ms => {
                let quiet = at_ms.saturating_sub(sign_ms);
                let what = format!(
                    "{} was taken from {}, quiet for {quiet} of {lease_ms} ms",
                    claim.task, claim.agent
                );
                violation("takeover", what)
            }
            (ExpiryCause::Lease, None, _) => {
                violation("takeover", "a claim without a lease was taken for its lease")
            }
            (ExpiryCause::Stuck, ..) if at_ms.saturating_sub(sign_ms) < STUCK_MS => {
                let quiet = at_ms.saturating_sub(sign_ms);
                let what =
                    format!("{} was taken from {} as stuck, quiet for {quiet} ms", claim.task, claim.agent);
                violation("takeover", what)
            }
            (ExpiryCause::ProcessGone, _, Some(process)) if !self.dead.contains_key(&process.pid) => {
                violation(
                    "takeover",
                    format!("{} was taken from {}, whose process lives", claim.task, claim.agent),
                )
            }
            _ => Ok(()),
        }
    }

    pub(super) fn judge_late(&self, body: &LateResult) -> Verdict {
        match self.claims.get(&body.claim) {
            Some(claim) if claim.task != body.task => {
                violation("late", format!("a late result of {} was kept for {}", claim.task, body.task))
            }
            _ => Ok(()),
        }
    }

    /// Two holders do not both have a file.
    pub(super) fn judge_files(&self, body: &FilesReserved, place: usize) -> Verdict {
        for tag in &self.files {
            let (true, Some(Body::FilesReserved(other))) = (self.stands(*tag), self.body(*tag)) else {
                continue;
            };
            let from = self.place(*tag);
            if other.claim == body.claim
                || from > place
                || !other.paths.iter().any(|path| body.paths.contains(path))
            {
                continue;
            }
            let between = |tag: &usize| (from..place).contains(&self.place(*tag)) && self.may_stand(*tag);
            let released = |tag: &usize| matches!(self.body(*tag), Some(Body::FilesReleased(released)) if released.claim == other.claim);
            let may_end = |claim: &ClaimFact| claim.endings.iter().chain(&claim.perhaps).any(between);
            let ended = self.claims.get(&other.claim).is_none_or(may_end);
            if !ended && !self.files.iter().any(|tag| released(tag) && between(tag)) {
                return violation("files", format!("{:?} is reserved by two at once", body.paths));
            }
        }
        Ok(())
    }
}
