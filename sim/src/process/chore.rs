//! What people and agents do beside the work: add tasks, change their minds, set budgets, write to each other.

use agent_team_core::id::TaskId;
use agent_team_core::machine::{Command, Status};
use agent_team_core::record::{
    Account, AgentJoined, AgentLeft, Bounds, BudgetSet, FormatRaised, NEWEST_FORMAT, Policy, PolicySet, Role,
    TaskChange, TaskEdited, TaskSpec,
};
use agent_team_core::text::Text;
use agent_team_core::view::stuck;

use super::Process;
use super::job::Job;
use super::merge::{EndStep, Ending, Then};
use super::submit::Submit;
use crate::fault::Fault;
use crate::world::{Appended, World};

impl Process {
    pub(super) fn chore(&mut self, world: &mut World) {
        self.catch_up(world);
        if world.calm {
            self.tidy_up(world);
            return;
        }
        if self.next_version && self.state.format() <= NEWEST_FORMAT && world.fault(Fault::Raised) {
            self.submit(Submit::new(FormatRaised { version: NEWEST_FORMAT + 1 }));
            self.job = Job::Chore("raised");
            return;
        }
        if world.fault(Fault::NotARecord) {
            let (id, format) = (world.new_id(), self.state.format());
            let malformed = format!(
                r#"{{"v":{format},"id":"{id}","at_ms":5,"by":"w","kind":"batch_closed","body":{{"batch":7}}}}"#
            );
            let line = if world.random.chance(500) { malformed } else { r#"{"hello":"world"}"#.to_owned() };
            self.append_line(world, line.as_bytes());
            return;
        }
        if self.next_version && world.fault(Fault::UnknownKind) {
            let (id, format) = (world.new_id(), self.state.format());
            let line = format!(
                r#"{{"v":{format},"id":"{id}","at_ms":5,"by":"w","kind":"agent_smiled","body":{{"teeth":32}}}}"#
            );
            self.append_line(world, line.as_bytes());
            return;
        }
        if world.is_steered && self.steer(world) {
            return;
        }
        if self.part.human { self.rule(world) } else { self.write_a_message(world) }
    }

    /// Appends a line that this program has no words for. Nobody is told anything.
    fn append_line(&mut self, world: &mut World, line: &[u8]) {
        let record = agent_team_core::record::codec::decode(line).ok();
        let tag = world.witness.writes(record, self.pid, None);
        if world.append(line, tag) == Appended::Killed {
            self.die(world);
        }
    }

    /// Once all is calm: who wants something that will not come is told so, by cancelling it.
    fn tidy_up(&mut self, world: &mut World) {
        if !self.part.human {
            self.sleep(world, 20);
            return;
        }
        if self.resume(world) || self.open_the_team() || self.give_more_attempts() {
            return;
        }
        let waiting = stuck(&self.state).into_iter().find(|waiting| waiting.status != Status::Reviewing);
        match waiting {
            Some(waiting) => self.cancel(waiting.task, true),
            None => self.sleep(world, 40),
        }
    }

    /// Raises the limit of attempts where it keeps somebody from what only they may do.
    fn give_more_attempts(&mut self) -> bool {
        let ledger = self.state.ledger();
        let agents = self.state.agents().map(|agent| Account::Agent(agent.id.clone()));
        let used_up = [Account::Team, Account::Run].into_iter().chain(agents).find_map(|account| {
            let (known, used) = (ledger.limit(&account), ledger.attempts(&account));
            // Each limit of money is higher than the one before, so that one that overwrites another is seen.
            let micro_usd = known.bounds.micro_usd.map(|limit| limit + 1);
            let bounds = Bounds { micro_usd, attempts: Some(used + 1), ..known.bounds };
            let is_used_up = known.bounds.attempts.is_some_and(|most| used >= most);
            is_used_up.then_some(BudgetSet { account, on: known.revision, bounds })
        });
        let Some(raised) = used_up else { return false };
        self.submit(Submit::new(raised));
        self.job = Job::Chore("budget set");
        true
    }

    fn cancel(&mut self, task: TaskId, dependents: bool) {
        self.end_any(task, Then::Cancel { dependents });
    }

    /// As the command does: without a look whether there is a merge to fence off.
    pub(super) fn end_any(&mut self, task: TaskId, then: Then) {
        self.job = Job::Ending(Ending { task, intent: None, then, step: EndStep::Write { fenced: None } });
    }

    fn rule(&mut self, world: &mut World) {
        let tasks: Vec<(TaskId, Status, u64)> = self
            .state
            .tasks()
            .map(|task| {
                (task.id().clone(), task.status, task.spec.description.preview().parse().unwrap_or(0))
            })
            .collect();
        let merging =
            self.state.held().find(|(task, _)| task.intent.is_some()).map(|(task, _)| task.id().clone());
        if let (Some(task), true) = (merging, world.random.chance(400)) {
            return self.cancel(task, false);
        }
        let some = world.random.pick(&tasks).cloned();
        if tasks.len() < world.options.tasks && world.random.chance(700) {
            return self.add(world, &tasks);
        }
        let Some((task, status, edits)) = some else { return self.add(world, &tasks) };
        let lost = self.state.lost().map(|task| task.id().clone()).next();
        if let (Some(task), true) = (lost, world.random.chance(250)) {
            self.submit(Submit::new(Command::RetryTask { task }));
            self.job = Job::Chore("retried");
            return;
        }
        match world.random.below(10) {
            0..=2 => self.edit(world, task, edits),
            3 if !status.is_ended() => self.cancel(task, world.random.chance(500)),
            4 => self.set_budget(world, task),
            3 => self.set_policy(world),
            5..=7 => self.see_a_guest(world),
            _ => self.write_a_message(world),
        }
    }

    /// Edits what it saw: the description counts the edits.
    fn edit(&mut self, world: &mut World, task: TaskId, edits: u64) {
        let on = self.state.task(&task).map(|task| task.revision);
        let priority = Some(i32::try_from(world.random.below(5)).unwrap_or(0));
        let description = Some(Text::Inline((edits + 1).to_string()));
        let known: Vec<TaskId> = self.state.tasks().map(|task| task.id().clone()).collect();
        let rewires = world.is_steered && world.random.chance(200);
        let after = rewires.then(|| world.random.pick(&known).cloned().into_iter().collect());
        let change = TaskChange { priority, description, after, ..TaskChange::default() };
        self.submit(Submit::new(TaskEdited { task, on, change }));
        self.job = Job::Chore("edited");
    }

    /// Raises a budget over what it saw.
    fn set_budget(&mut self, world: &mut World, task: TaskId) {
        let account = match world.random.below(if world.is_steered { 4 } else { 3 }) {
            3 => Account::Run,
            0 => Account::Task(task),
            1 => self.state.agents().next().map_or(Account::Team, |agent| Account::Agent(agent.id.clone())),
            _ => Account::Team,
        };
        let known = self.state.ledger().limit(&account);
        let micro_usd = Some(known.bounds.micro_usd.unwrap_or(0) + world.random.between(10, 100));
        let counts_calls = known.bounds.calls.is_some() || (world.is_steered && world.random.chance(500));
        let calls = counts_calls.then(|| known.bounds.calls.unwrap_or(0) + world.random.between(2, 12));
        let attempts = self.more_attempts(world, &account);
        let bounds = Bounds { micro_usd, calls, attempts, ..Bounds::default() };
        self.submit(Submit::new(BudgetSet { account, on: known.revision, bounds }));
        self.job = Job::Chore("budget set");
    }

    /// A few attempts more than an account has used, where it bounds them or may begin to.
    fn more_attempts(&self, world: &mut World, account: &Account) -> Option<u64> {
        let known = self.state.ledger().limit(account).bounds.attempts;
        if matches!(account, Account::Task(_)) || !world.is_steered {
            return None;
        }
        let counts = known.is_some() || world.random.chance(400);
        let used = self.state.ledger().attempts(account);
        counts.then(|| known.unwrap_or(used).max(used) + world.random.between(1, 5))
    }

    fn set_policy(&mut self, world: &mut World) {
        let mut policy = self.state.policy().clone();
        policy.no_gate = true;
        if world.is_steered {
            let members = u32::try_from(self.state.member_count()).unwrap_or(u32::MAX);
            let places = u32::from(world.random.chance(300));
            policy.max_agents = world.random.chance(600).then(|| members.saturating_add(places).max(1));
        }
        self.replace_policy(policy);
    }

    /// Nobody is kept from joining any more. Says whether somebody was.
    fn open_the_team(&mut self) -> bool {
        let mut policy = self.state.policy().clone();
        let is_bounded = policy.max_agents.take().is_some();
        if is_bounded {
            self.replace_policy(policy);
        }
        is_bounded
    }

    fn replace_policy(&mut self, mut policy: Policy) {
        policy.gate_limit_ms = Some(policy.gate_limit_ms.unwrap_or(0) + 1);
        self.submit(Submit::new(PolicySet { on: self.policy_revision(), policy }));
        self.job = Job::Chore("policy set");
    }

    /// The record that last set the policy: what a command would name.
    fn policy_revision(&self) -> Option<agent_team_core::id::RecordId> {
        let wish = Command::SetPolicy { policy: self.state.policy().clone() };
        match agent_team_core::machine::decide(&self.state, &wish, 0).ok()?.pop()? {
            agent_team_core::record::Body::PolicySet(body) => body.on,
            _ => None,
        }
    }

    /// Somebody who only passes by.
    fn see_a_guest(&mut self, world: &mut World) {
        let Ok(agent) = "guest".parse::<agent_team_core::id::AgentId>() else { return };
        let is_there = self.state.agent(&agent).is_some_and(|guest| !guest.left);
        if is_there && world.random.chance(500) {
            self.submit(Submit::new(AgentLeft::new(agent)));
        } else {
            let (role, skills) = (Role::Specialist, Vec::new());
            // Long, and not synced: so that there is something for a power cut to take.
            let length = world.random.below(6000);
            let with = Some(world.filler(length)).filter(|_| length > 1000);
            self.submit(Submit::new(AgentJoined {
                skills,
                with,
                lead: "lead".parse().ok().filter(|_| world.is_steered && world.random.chance(500)),
                ..AgentJoined::new(agent, role)
            }));
        }
        self.job = Job::Chore("guest");
    }

    fn add(&mut self, world: &mut World, known: &[(TaskId, Status, u64)]) {
        let many = if world.random.chance(400) { 2 + world.random.below(4) } else { 1 };
        let mut names: Vec<TaskId> = known.iter().map(|(id, ..)| id.clone()).collect();
        let mut tasks = Vec::new();
        for _ in 0..many {
            let id = world.new_id();
            let Ok(id) = format!("t{:x}", id.0).parse::<TaskId>() else { continue };
            tasks.push(spec(world, id.clone(), &names));
            names.push(id);
        }
        let batch = world.new_id();
        self.submit(Submit::new(Command::AddTasks { tasks, batch, limits: Vec::new() }));
        self.job = Job::Chore("added");
    }
}

/// A task that wants this or that.
pub(super) fn spec(world: &mut World, id: TaskId, known: &[TaskId]) -> TaskSpec {
    let title = match world.random.below(25) {
        0 => "conflict",
        1 => "poison",
        _ => "a task",
    };
    let mut spec = TaskSpec::new(id, title);
    for _ in 0..world.random.below(3) {
        if world.random.chance(500) {
            spec.after.extend(world.random.pick(known).cloned());
        }
    }
    spec.priority = i32::try_from(world.random.below(4)).unwrap_or(0);
    spec.attempts = 1 + u32::try_from(world.random.below(3)).unwrap_or(0);
    spec.backoff_ms = world.random.between(20, 300);
    if world.is_steered {
        want_more(world, &mut spec);
    }
    spec.check = world.random.chance(400).then(|| "true".to_owned());
    spec.review |= world.random.chance(300);
    match world.random.below(16) {
        0 => spec.role = Some(Role::Reviewer),
        1 => spec.skill = "rust".parse().ok(),
        2 => spec.agent = "worker-1".parse().ok(),
        _ => {}
    }
    let wants_nobody = spec.role.is_none() && spec.skill.is_none() && spec.agent.is_none();
    if world.is_steered && wants_nobody && world.random.chance(120) {
        spec.role = Some(Role::Lead);
        spec.delegate = world.random.chance(700);
        spec.team = "lead".parse().ok().filter(|_| !spec.delegate);
    }
    if world.random.chance(150) {
        let length = world.random.below(1800);
        spec.check = spec.check.map(|check| check + &world.filler(length));
    }
    spec
}

/// What the first format has no words for: a plan, several reviewers, an end of the rounds.
fn want_more(world: &mut World, spec: &mut TaskSpec) {
    spec.plan = world.random.chance(150);
    if world.random.chance(if spec.plan { 500 } else { 20 }) {
        let name = world.random.pick(&["worker-1", "worker-2", "lead", "rita"]).copied();
        spec.approver = name.and_then(|name| name.parse().ok());
    }
    if world.random.chance(250) {
        spec.review = true;
        spec.reviews = 1 + u32::try_from(world.random.below(3)).unwrap_or(0);
        let rounds = if world.random.chance(700) { 1 } else { 2 };
        spec.review_rounds = Some(rounds).filter(|_| world.random.chance(500));
    }
}
