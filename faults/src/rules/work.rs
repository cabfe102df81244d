//! Tasks are added, claimed, worked on, and delivered.

use serde_json::Value;

use super::book::{Guard, NoEffect, Rule};
use super::task::{Claim, Exhausted, Status, Submission, Task};
use super::{Entry, HUMAN, Team};
use crate::log_file::text;

/// Takeovers in a row without progress after which nobody takes the task any more.
const TAKEOVERS_MAX: u64 = 3;

impl Team {
    pub(super) fn added(&mut self, entry: Entry<'_>, guard: &mut Guard) -> Result<(), NoEffect> {
        let spec = &entry.body["task"];
        if let Some(batch) = entry.body["batch"].as_str() {
            let added = (entry.id.to_owned(), spec.clone());
            self.batches.entry(batch.to_owned()).or_default().push(added);
            return Ok(());
        }
        self.can_be_added(&[spec], guard)?;
        self.plan_anew(spec);
        self.tasks.insert(text(&spec["id"]).to_owned(), Task::new(entry.id, spec));
        Ok(())
    }

    pub(super) fn batch_closed(&mut self, entry: Entry<'_>, guard: &mut Guard) -> Result<(), NoEffect> {
        let added = self.batches.get(text(&entry.body["batch"])).cloned().unwrap_or_default();
        let is_whole = entry.body["tasks"].as_u64() == Some(added.len() as u64);
        guard.must(Rule::Batch, is_whole, || format!("a batch has {} tasks, and not all", added.len()))?;
        self.can_be_added(&added.iter().map(|(_, spec)| spec).collect::<Vec<_>>(), guard)?;
        self.batches.remove(text(&entry.body["batch"]));
        for (_, spec) in &added {
            self.plan_anew(spec);
            self.tasks.insert(text(&spec["id"]).to_owned(), Task::new(entry.id, spec));
        }
        Ok(())
    }

    /// Ids are new, and what is waited for is there.
    fn can_be_added(&self, specs: &[&Value], guard: &mut Guard) -> Result<(), NoEffect> {
        let is_new = |spec: &&&Value| {
            let twice = specs.iter().filter(|other| other["id"] == spec["id"]).count() > 1;
            !twice && !self.tasks.contains_key(text(&spec["id"]))
        };
        let taken = specs.iter().find(|spec| !is_new(spec));
        guard.must(Rule::EndsOnce, taken.is_none(), || "a task of this id is there already".into())?;
        let is_there =
            |id: &str| self.tasks.contains_key(id) || specs.iter().any(|spec| text(&spec["id"]) == id);
        let missing = specs.iter().flat_map(|spec| spec["after"].as_array().into_iter().flatten());
        let missing = missing.map(text).find(|id| !is_there(id));
        guard.must_where(Rule::Dependencies, false, missing.is_none(), || {
            format!("{missing:?} is waited for and not there")
        })?;
        self.may_be_led(specs, guard)
    }

    pub(super) fn claimed(&mut self, entry: Entry<'_>, guard: &mut Guard) -> Result<(), NoEffect> {
        let (agent, name, stage) =
            (text(&entry.body["agent"]), text(&entry.body["task"]), text(&entry.body["stage"]));
        let Some(task) = self.tasks.get(name) else {
            return guard.must(Rule::Dependencies, false, || format!("there is no task {name}"));
        };
        let held = task.claim.as_ref();
        guard.must(Rule::OneClaim, held.is_none(), || {
            format!("{agent} claims {name}, which {} holds", held.map_or("", |claim| claim.agent.as_str()))
        })?;
        self.can_go_on(task, name, guard)?;
        guard.must(Rule::Stage, task.stage() == stage, || {
            format!("{agent} claims {name} to {stage}, and it is {:?}", task.status)
        })?;
        guard.must(Rule::Newest, entry.body["on"] == task.revision.as_str(), || {
            format!("{agent} claims {name} as it was before {}", task.revision)
        })?;
        let pause = self.pauses.holds_up(agent);
        guard.must_where(Rule::Pause, self.pauses.anybody(), pause.is_none(), || {
            format!("{agent} claims {name} while {} is paused", pause.unwrap_or_default())
        })?;
        match stage {
            "work" => self.may_work(task, name, agent, guard)?,
            "review" => self.may_review(task, name, agent, guard)?,
            _ => {}
        }
        let resumes = task.resumed_by.as_deref() == Some(agent);
        if stage == "work" && !resumes {
            self.may_begin(agent, guard)?;
            self.ledger.begin_attempt(agent);
        }
        let Some(task) = self.tasks.get_mut(name) else { return Ok(()) };
        task.resumed_by = None;
        if stage == "work" {
            task.is_handed_out = false;
            task.submission = None;
            task.approvals.clear();
            task.status = Status::Running;
            self.messages.join_thread(name, agent);
        }
        let is_orchestrated = entry.body["holder"]["orchestrated"].as_bool().unwrap_or_default();
        entry.id.clone_into(&mut task.revision);
        task.claim = Some(Claim {
            id: entry.id.to_owned(),
            stage: stage.to_owned(),
            agent: agent.to_owned(),
            is_orchestrated,
            renewal: entry.id.to_owned(),
            paused_turns: 0,
            after_stuck: std::mem::take(&mut task.was_stuck),
        });
        self.task_of.insert(entry.id.to_owned(), name.to_owned());
        Ok(())
    }

    /// It has not ended, and what it waits for has.
    fn can_go_on(&self, task: &Task, name: &str, guard: &mut Guard) -> Result<(), NoEffect> {
        let gone = |cause| task.status == Status::Failed && task.exhausted == Some(cause);
        guard.must_where(Rule::Attempts, task.failures > 0, !gone(Exhausted::Attempts), || {
            format!("{name} has no attempt left")
        })?;
        guard.must_where(Rule::Takeovers, task.takeovers > 0, !gone(Exhausted::Takeovers), || {
            format!("{name} is in quarantine")
        })?;
        guard.must_where(Rule::Conflicts, task.conflicts > 0, !gone(Exhausted::Conflicts), || {
            format!("{name} had ten conflicts")
        })?;
        guard.must(Rule::EndsOnce, !task.status.is_ended(), || format!("{name} has ended"))?;
        let is_open = |id: &&str| self.tasks.get(*id).is_none_or(|other| other.status != Status::Completed);
        let open = task.dependencies().find(is_open);
        let waited = task.dependencies().next().is_some();
        guard.must_where(Rule::Dependencies, waited, open.is_none(), || {
            format!("{name} waits for {}", open.unwrap_or_default())
        })?;
        if task.is_handed_out { self.parts_are_done(name, guard) } else { Ok(()) }
    }

    fn may_work(&self, task: &Task, name: &str, agent: &str, guard: &mut Guard) -> Result<(), NoEffect> {
        let known = self.members.get(agent);
        let role = known.map_or("worker", |member| member.role.as_str());
        let has_skill =
            |skill: &str| known.is_some_and(|member| member.skills.iter().any(|known| known == skill));
        let (wants_agent, wants_role, wants_skill) =
            (task.named("agent"), task.named("role"), task.named("skill"));
        let wants_nobody = wants_agent.is_none() && wants_role.is_none() && wants_skill.is_none();
        let fits = wants_agent.is_none_or(|wanted| wanted == agent)
            && wants_role.is_none_or(|wanted| wanted == role)
            && wants_skill.is_none_or(has_skill)
            && (!wants_nobody || role == "worker")
            && self.is_for_team_of(agent, task);
        guard.must(Rule::Fit, fits, || format!("{name} is not for {agent}, a {role}"))
    }

    /// The task of a claim that is in force at this stage.
    pub(super) fn holds(
        &self,
        entry: Entry<'_>,
        stage: Option<&str>,
        guard: &mut Guard,
    ) -> Result<String, NoEffect> {
        let id = text(&entry.body["claim"]);
        let name = self.task_of.get(id).cloned().unwrap_or_default();
        let claim = self.tasks.get(&name).and_then(|task| task.claim.as_ref()).filter(|claim| claim.id == id);
        guard.must(Rule::Fencing, claim.is_some(), || {
            format!("a {} on {name} under a claim that has ended", entry.kind)
        })?;
        let found = claim.map_or("", |claim| claim.stage.as_str());
        if let Some(stage) = stage {
            guard
                .must(Rule::Stage, found == stage, || format!("a {} under a claim to {found}", entry.kind))?;
        }
        Ok(name)
    }

    pub(super) fn alive(&mut self, entry: Entry<'_>, guard: &mut Guard) -> Result<(), NoEffect> {
        let name = self.holds(entry, None, guard)?;
        let Some(task) = self.tasks.get_mut(&name) else { return Ok(()) };
        let is_turn = entry.kind == "turn_journalled";
        // Whoever hangs after each turn gets on by none.
        if is_turn && !task.claim.as_ref().is_some_and(|claim| claim.after_stuck) {
            task.takeovers = 0;
        }
        let Some(claim) = &mut task.claim else { return Ok(()) };
        entry.id.clone_into(&mut claim.renewal);
        if !is_turn {
            return Ok(());
        }
        let agent = claim.agent.clone();
        match self.pauses.holds_up(&agent) {
            None => claim.paused_turns = 0,
            Some(whom) => {
                claim.paused_turns += 1;
                let turns = claim.paused_turns;
                self.book.must(Rule::PausedTurns, turns == 1, &[entry.id], || {
                    format!("{agent} ended {turns} turns on {name} while {whom} is paused")
                });
            }
        }
        self.received(entry, &agent, "read", true);
        Ok(())
    }

    pub(super) fn given_back(&mut self, entry: Entry<'_>, guard: &mut Guard) -> Result<(), NoEffect> {
        let name = self.holds(entry, None, guard)?;
        let Some(task) = self.tasks.get(&name) else { return Ok(()) };
        let expires = entry.kind == "claim_expired";
        if expires {
            let renewal = task.claim.as_ref().map_or("", |claim| claim.renewal.as_str());
            guard.must(Rule::Renewal, text(&entry.body["seen"]) == renewal, || {
                format!("{name} is taken back though its holder was alive at {renewal}")
            })?;
        }
        Self::fence_was_moved(task, &name, entry, guard)?;
        self.given_back_for_a_budget(entry);
        let Some(task) = self.tasks.get_mut(&name) else { return Ok(()) };
        let Some(claim) = task.claim.clone() else { return Ok(()) };
        task.release(entry.id);
        task.was_stuck = expires && entry.body["cause"] == "stuck";
        let orchestrator_died = entry.body["cause"] == "process_gone" && claim.is_orchestrated;
        if expires && !orchestrator_died {
            task.resumed_by = None;
        }
        if expires && !orchestrator_died && claim.stage != "review" {
            task.takeovers += 1;
            if task.takeovers >= TAKEOVERS_MAX {
                task.status = Status::Failed;
                task.exhausted = Some(Exhausted::Takeovers);
            }
        }
        Ok(())
    }

    pub(super) fn submitted(&mut self, entry: Entry<'_>, guard: &mut Guard) -> Result<(), NoEffect> {
        let name = self.holds(entry, Some("work"), guard)?;
        let Some(task) = self.tasks.get(&name) else { return Ok(()) };
        let author = task.claim.as_ref().map(|claim| claim.agent.clone()).unwrap_or_default();
        self.has_plan(&name, &author, guard)?;
        self.parts_are_done(&name, guard)?;
        let has_commit = entry.body["commit"].is_object();
        if self.members.get(&author).is_some_and(|member| member.role == "lead") && author != HUMAN {
            self.book.must(Rule::Delegates, !has_commit, &[entry.id], || {
                format!("the lead {author} changes files for {name}")
            });
        }
        let Some(task) = self.tasks.get_mut(&name) else { return Ok(()) };
        let changes_protected = entry.body["protected"].as_array().is_some_and(|paths| !paths.is_empty());
        let is_protected = changes_protected && !task.wants("allow_protected");
        task.submission = Some(Submission { id: entry.id.to_owned(), author, has_commit, is_protected });
        self.passed(&name, entry.id);
        Ok(())
    }

    /// Whose plan must be approved has an approved plan.
    pub(super) fn has_plan(&self, name: &str, author: &str, guard: &mut Guard) -> Result<(), NoEffect> {
        let Some(task) = self.tasks.get(name) else { return Ok(()) };
        let must_plan = task.wants("plan") || self.members.get(author).is_some_and(|member| member.must_plan);
        if !must_plan {
            return Ok(());
        }
        let is_approved = task.plan.as_ref().is_some_and(|plan| plan.approved == Some(true));
        guard.must(Rule::PlanFirst, is_approved, || {
            format!("{author} delivers {name} without an approved plan")
        })
    }

    /// A stage of a task is passed.
    pub(super) fn passed(&mut self, name: &str, record: &str) {
        let Some(task) = self.tasks.get_mut(name) else { return };
        task.pass(record);
        if task.status == Status::Completed {
            self.book.held(Rule::EndsOnce);
        }
    }

    pub(super) fn failed(&mut self, entry: Entry<'_>, guard: &mut Guard) -> Result<(), NoEffect> {
        let name = self.holds(entry, Some("work"), guard)?;
        self.fails_by_no_limit(entry, &name);
        let Some(task) = self.tasks.get_mut(&name) else { return Ok(()) };
        entry.id.clone_into(&mut task.revision);
        task.claim = None;
        task.failures += 1;
        if entry.body["for_good"] == true {
            task.status = Status::Failed;
        } else {
            task.give_back();
        }
        Ok(())
    }

    pub(super) fn checked(&mut self, entry: Entry<'_>, guard: &mut Guard) -> Result<(), NoEffect> {
        let name = self.holds(entry, Some("verify"), guard)?;
        if entry.body["passed"] == true {
            self.passed(&name, entry.id);
        } else if let Some(task) = self.tasks.get_mut(&name) {
            task.send_back(entry.id, "check");
        }
        Ok(())
    }
}
