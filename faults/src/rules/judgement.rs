//! What others make of plans and results: nobody judges what is their own.

use serde_json::Value;

use super::book::{Guard, NoEffect, Rule};
use super::task::{Plan, Task};
use super::{Entry, HUMAN, Team};
use crate::log_file::text;

/// The hash that names a text, whether it stands in the record or beside the log.
fn hash(value: &Value) -> String {
    match value.as_str() {
        Some(inline) => blake3::hash(inline.as_bytes()).to_hex().to_string(),
        None => text(&value["blob"]).to_owned(),
    }
}

impl Team {
    pub(super) fn planned(&mut self, entry: Entry<'_>, guard: &mut Guard) -> Result<(), NoEffect> {
        let name = self.holds(entry, Some("work"), guard)?;
        let Some(task) = self.tasks.get_mut(&name) else { return Ok(()) };
        task.takeovers = 0;
        let Some(claim) = &mut task.claim else { return Ok(()) };
        entry.id.clone_into(&mut claim.renewal);
        let (author, hash) = (claim.agent.clone(), hash(&entry.body["text"]));
        task.plan = Some(Plan { id: entry.id.to_owned(), author, hash, approved: None });
        Ok(())
    }

    pub(super) fn plan_judged(&mut self, entry: Entry<'_>, guard: &mut Guard) -> Result<(), NoEffect> {
        let (name, by) = (text(&entry.body["task"]), text(&entry.body["by"]));
        let task = self.tasks.get(name);
        let waits = |plan: &&Plan| plan.approved.is_none() && plan.id == text(&entry.body["plan"]);
        let plan = task.and_then(|task| task.plan.as_ref()).filter(waits);
        guard.must(Rule::PlanNewest, plan.is_some(), || {
            format!("{by} judges a plan of {name} that does not wait")
        })?;
        let (Some(task), Some(plan)) = (task, plan) else { return Ok(()) };
        guard.must(Rule::PlanText, plan.hash == text(&entry.body["text_hash"]), || {
            format!("{by} judges a plan of {name} by another text")
        })?;
        guard
            .must(Rule::PlanAuthor, plan.author != by, || format!("{by} judges their own plan of {name}"))?;
        let is_lead = || self.members.get(by).is_some_and(|member| !member.has_left && member.role == "lead");
        let may = by == HUMAN || task.named("approver").map_or_else(is_lead, |named| named == by);
        guard.must(Rule::Approver, may, || format!("{by} may not judge the plan of {name}"))?;
        if let Some(plan) = self.tasks.get_mut(name).and_then(|task| task.plan.as_mut()) {
            plan.approved = entry.body["approved"].as_bool();
        }
        Ok(())
    }

    pub(super) fn may_review(
        &self,
        task: &Task,
        name: &str,
        agent: &str,
        guard: &mut Guard,
    ) -> Result<(), NoEffect> {
        let delivered = task.submission.as_ref();
        if agent == HUMAN {
            let is_over = task.number("review_rounds").is_some_and(|most| task.rounds >= most);
            guard.must_where(Rule::Rounds, is_over, true, String::new)?;
            let was_for_human = delivered.is_some_and(|it| it.is_protected);
            return guard.must_where(Rule::HumanOnly, was_for_human, true, String::new);
        }
        let is_own = delivered.is_some_and(|it| it.author == agent);
        guard.must(Rule::OwnWork, !is_own, || format!("{agent} reviews their own work on {name}"))?;
        let for_human = delivered.is_some_and(|it| it.is_protected);
        guard.must_where(Rule::HumanOnly, false, !for_human, || {
            format!("{agent} reviews {name}, which changes protected files")
        })?;
        let has_approved = task.approvals.iter().any(|known| known == agent);
        let is_quorum = task.number("reviews").is_some_and(|wanted| wanted > 1);
        guard
            .must_where(Rule::Quorum, is_quorum, !has_approved, || format!("{agent} reviews {name} again"))?;
        if let Some(most) = task.number("review_rounds") {
            guard.must_where(Rule::Rounds, task.rounds > 0, task.rounds < most, || {
                format!("{agent} reviews {name} after the last round")
            })?;
        }
        let role = self.members.get(agent).map_or("worker", |member| member.role.as_str());
        guard.must(Rule::Reviewer, matches!(role, "reviewer" | "lead"), || {
            format!("{agent}, a {role}, reviews {name}")
        })
    }

    pub(super) fn reviewed(&mut self, entry: Entry<'_>, guard: &mut Guard) -> Result<(), NoEffect> {
        let name = self.holds(entry, Some("review"), guard)?;
        let Some(task) = self.tasks.get_mut(&name) else { return Ok(()) };
        let delivered = task.submission.as_ref().map_or("", |it| it.id.as_str());
        guard.must(Rule::Submission, text(&entry.body["submission"]) == delivered, || {
            format!("a review of {name} is not of what was delivered last")
        })?;
        if entry.body["approved"] != true {
            task.rounds += 1;
            task.send_back(entry.id, "review");
            return Ok(());
        }
        let reviewer = task.claim.take().map(|claim| claim.agent).unwrap_or_default();
        let is_human = reviewer == HUMAN;
        task.approvals.push(reviewer);
        // The human's word is enough.
        if is_human || task.approvals.len() as u64 >= task.number("reviews").unwrap_or(1) {
            self.passed(&name, entry.id);
        } else {
            entry.id.clone_into(&mut task.revision);
            task.takeovers = 0;
        }
        Ok(())
    }
}
