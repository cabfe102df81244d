//! The beginning of a run: alone, with its members, its rules and its gate green.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use agent_team_core::machine::Command;
use agent_team_core::record::{Account, AgentJoined, AgentLeft, Bounds, Policy, ProcessId, RunStarted};
use agent_team_log::{AnnounceError, Presence, ProcessIdentity};
use tokio_util::sync::CancellationToken;

use super::goal::Goal;
use super::over::End;
use super::{Run, RunOutcome, budgets, unsettled};
use crate::agent_team::{AgentTeam, Member};
use crate::ancestry::WITHIN_VARIABLE;
use crate::command::Environment;
use crate::desk::{Desk, as_it_is};
use crate::git::DiscoverError;
use crate::judge::Judge;
use crate::left_behind::{self, PRESENCE_VARIABLE};
use crate::liveness::{Observer, sweep_presence};
use crate::outside::new_id;
use crate::progress::{Progress, Reporter};
use crate::purse::Purses;
use crate::task_queue::process_id;
use crate::team_log::blocking;
use crate::{AgentId, Error, Holder, Role, telemetry};

/// The name under which checks and merges are recorded.
pub(crate) const ORCHESTRATOR: &str = "orchestrator";
/// The presence by which a second run is kept away.
pub(crate) const ALONE: &str = "run";

/// What is said of a run whose commands are not confined.
const UNCONFINED: &str = "UNCONFINED commands run without a sandbox: they may do whatever you may";

/// Prepares a run. The presence must be kept as long as it lasts.
pub(super) async fn begin(team: &AgentTeam) -> Result<(Run<'_>, Option<Presence>), Error> {
    if team.members.is_empty() {
        return Err(Error::Input("the team has no agents to run".into()));
    }
    let alone = be_alone(team)?;
    let (reporter, errors) = team.options.reporter.keeping_errors();
    let by: AgentId = ORCHESTRATOR.parse()?;
    let team_log = team.queue.team_log();
    confine(team, &reporter)?;
    if let Some(folder) = team_log.folder().filter(|_| !team_log.is_within()) {
        // Not only with what it held: somebody may have taken that back without a look at what it started.
        left_behind::end(folder, true);
        // What its commands left there; whoever is alone here uses it alone.
        let _ = std::fs::remove_dir_all(folder.private());
    }
    Observer::new(team_log).expire_dead()?;
    if let Some(folder) = team_log.folder() {
        sweep_presence(folder);
    }
    unsettled::settle(team_log, &by, &reporter)?;
    gather_members(team, &by)?;
    let desk = open_desk(team).await?;
    let policy = rules(team, desk.as_ref())?;
    let presence = team_log.presence()?;
    if let Some((name, _)) = &presence {
        team_log.hooks_are_asked_by(name);
    }
    let (presence, process) = presence.map(|(name, identity)| (name, process_id(identity))).unzip();
    let holder = Arc::new(Holder { process: process.clone(), presence, lease_ms: None, orchestrated: true });
    let said = team.options.goal.as_ref().map(|goal| team_log.secrets().hidden(goal).into_owned());
    let (words, check) = (said.as_deref(), team.options.check.as_deref());
    let goal = team_log.look(|state| Goal::of(state, words, check))?;
    let started = RunStarted {
        process: process.unwrap_or_else(nowhere),
        goal: said,
        rehearsal: team.options.rehearsal,
        budget: Some(budgets::of_team(team)).filter(|said| *said != Bounds::default()),
        budgets: budgets::written(team)?,
        check: goal.check.clone(),
    };
    // Before the run is said to have begun: the next one takes for set what this one said.
    budgets::set(team, &by, &reporter)?;
    let id = team_log.submit(&by, &started.into())?.id();
    let run = Run {
        team,
        id,
        by,
        environment: environment(team, desk.as_ref(), holder.presence.as_deref()),
        holder,
        desk,
        reporter,
        errors,
        goal,
        policy,
        stop: team.stop.gently.child_token(),
        abort: team.stop.at_once.child_token(),
        over: CancellationToken::new(),
        merges_blocked: Arc::default(),
        purses: Arc::new(Purses::new()),
        unfinished: Arc::default(),
        telling: Arc::default(),
    };
    match run.prepare().await {
        Ok(()) => Ok((run, alone)),
        Err(error) => {
            run.ended(&End::cut_off(RunOutcome::Broken))?;
            Err(error)
        }
    }
}

/// Sees to it that commands can be confined, or has all records say that they are not, before the first is written.
fn confine(team: &AgentTeam, reporter: &Reporter) -> Result<(), Error> {
    let team_log = team.queue.team_log();
    let wanted = team.options.environment.as_ref().map(Environment::sandbox).cloned().unwrap_or_default();
    if wanted.is_none() {
        team_log.set_unconfined();
        reporter.report(Progress::Note(UNCONFINED.to_owned()));
    }
    if team_log.folder().is_some() {
        wanted.kind()?;
    }
    Ok(())
}

/// The environment of all commands of the run. By what it says of the team and of this process they are known for its own.
fn environment(team: &AgentTeam, desk: Option<&Desk>, presence: Option<&str>) -> Environment {
    let mut environment = team.options.environment.clone().unwrap_or_else(Environment::of_this_process);
    let mut sandbox = environment.sandbox().clone();
    if let Some(folder) = team.queue.team_log().folder() {
        environment = environment.with(WITHIN_VARIABLE, folder.workspace());
        sandbox = folder.guarded(sandbox).private_in(folder.private());
    }
    if let Some(desk) = desk {
        // Workspaces are clones that borrow them.
        let repository = desk.project.common_dir();
        sandbox = sandbox.hiding(repository).reading(repository.join("objects"));
    }
    environment = environment.confined(sandbox);
    presence.into_iter().fold(environment, |environment, name| environment.with(PRESENCE_VARIABLE, name))
}

/// What stands for the process of a team in memory, which nobody else can see.
fn nowhere() -> ProcessId {
    let unknown = || "memory".to_owned();
    ProcessId { machine: unknown(), boot: unknown(), namespace: unknown(), pid: std::process::id(), start: 0 }
}

/// Keeps a second run away from a living team.
fn be_alone(team: &AgentTeam) -> Result<Option<Presence>, Error> {
    let Some(folder) = team.queue.team_log().folder() else { return Ok(None) };
    match Presence::announce(&folder.presence(), ALONE) {
        Ok(presence) => Ok(Some(presence)),
        Err(AnnounceError::Taken { holder, .. }) => {
            let known: Option<ProcessIdentity> = serde_json::from_str(&holder).ok();
            let holder = known.map_or(holder, |process| format!("process {}", process.pid));
            Err(Error::AlreadyRunning { holder })
        }
        Err(error) => Err(error.into()),
    }
}

/// Those who are here join; those who worked for an earlier run and are not here leave. Who was added by hand stays.
fn gather_members(team: &AgentTeam, by: &AgentId) -> Result<(), Error> {
    let known = team.queue.team_log().look(|state| state.policy().clone())?;
    if team.options.max_agents.is_some() && known.max_agents != team.options.max_agents {
        let policy = Policy { max_agents: team.options.max_agents, ..known };
        team.queue.team_log().submit(by, &Command::SetPolicy { policy })?;
    }
    let here: BTreeSet<&AgentId> = team.members.iter().map(|member| &member.id).collect();
    let gone: Vec<AgentId> = team.queue.team_log().look(|state| {
        let members = state.agents().filter(|agent| agent.orchestrated && !agent.added && !agent.left);
        members.map(|agent| agent.id.clone()).filter(|id| !here.contains(id)).collect()
    })?;
    for agent in gone {
        team.queue.team_log().submit(by, &AgentLeft::new(agent).into())?;
    }
    for member in &team.members {
        team.queue.join(AgentJoined {
            skills: member.skills.clone(),
            with: Some(member.agent.with()),
            orchestrated: true,
            plan: member.plan,
            lead: member.lead.clone(),
            ..AgentJoined::new(member.id.clone(), member.role)
        })?;
    }
    Ok(())
}

/// The git repository, if there is one and an agent changes files.
async fn open_desk(team: &AgentTeam) -> Result<Option<Desk>, Error> {
    let Some(folder) = team.queue.team_log().folder().cloned() else { return Ok(None) };
    if !team.members.iter().any(|member| member.agent.needs_workspace()) {
        return Ok(None);
    }
    let (into, mut protect) = (team.options.into.clone(), team.options.protect.clone());
    if protect.is_empty() {
        protect = team.queue.team_log().look(|state| state.policy().protect.clone())?;
    }
    let largest = team.options.max_file_bytes;
    let opened = blocking(move || Desk::open(folder.workspace(), into.as_deref(), &protect, largest)).await;
    match opened {
        Ok(desk) => Ok(Some(desk)),
        Err(Error::Discover(DiscoverError::NotARepository { .. })) => Ok(None),
        Err(error) => Err(error),
    }
}

/// The rules of this run. What it does not say stays as it was.
fn rules(team: &AgentTeam, desk: Option<&Desk>) -> Result<Policy, Error> {
    let options = &team.options;
    let known = team.queue.team_log().look(|state| state.policy().clone())?;
    let limit_ms = options.gate_limit.map(|limit| u64::try_from(limit.as_millis()).unwrap_or(u64::MAX));
    Ok(Policy {
        gate: options.gate.clone().or(known.gate).filter(|_| options.gate.is_some() || !options.no_gate),
        gate_limit_ms: limit_ms.or(known.gate_limit_ms),
        protect: if options.protect.is_empty() { known.protect } else { options.protect.clone() },
        no_gate: options.no_gate || (known.no_gate && options.gate.is_none()),
        target: desk.map(|desk| desk.target.clone()).or(known.target),
        max_agents: options.max_agents.or(known.max_agents),
        max_depth: options.max_depth.or(known.max_depth),
        replans: options.replans.or(known.replans),
    })
}

impl Run<'_> {
    async fn prepare(&self) -> Result<(), Error> {
        self.bring_in_gathered().await?;
        // A gate that does not hold now is not fixed in the log: nothing would ever pass it.
        self.gate_holds().await?;
        self.fix_rules()?;
        self.add_goal()
    }

    /// Fixes the rules in the log, so that no candidate can change what judges it.
    fn fix_rules(&self) -> Result<(), Error> {
        let team_log = self.team.queue.team_log();
        if team_log.look(|state| *state.policy() != self.policy)? {
            team_log.submit(&self.by, &Command::SetPolicy { policy: self.policy.clone() })?;
        }
        // The account of a run begins anew with each.
        let clock = Bounds { elapsed_ms: budgets::of_team(self.team).elapsed_ms, ..Bounds::default() };
        self.team.queue.limit(&self.by, &Account::Run, clock)
    }

    /// Work that gathered beside the target comes in, now that its checkout may be clean.
    async fn bring_in_gathered(&self) -> Result<(), Error> {
        let Some(desk) = self.desk.clone() else { return Ok(()) };
        let target = desk.target.clone();
        if blocking(move || desk.bring_in_gathered(&new_id().to_string())).await? {
            let note = format!("work that had gathered on agent-team/{target} is on {target} now");
            self.reporter.report(Progress::Note(note));
        }
        Ok(())
    }

    /// The gate must hold on the untouched target: what is red from the start says nothing about anyone's work.
    async fn gate_holds(&self) -> Result<(), Error> {
        let Some(desk) = &self.desk else { return Ok(()) };
        let Some(gate) = self.policy.gate.clone() else { return Ok(()) };
        self.reporter.report(Progress::Note(format!("gate on the untouched {}: {gate}", desk.target)));
        let judged = self.judge_tip(&gate, "gate").await?;
        match judged {
            Some(judged) if judged.passed => Ok(()),
            Some(judged) => Err(Error::GateRed { target: desk.target.clone(), output: judged.report() }),
            // The run is being stopped: nothing will be judged by this gate.
            None => Ok(()),
        }
    }

    /// Runs a command on the tip of the branch that work lands on.
    pub(super) async fn judge_tip(
        &self,
        command: &str,
        name: &str,
    ) -> Result<Option<crate::Judgement>, Error> {
        let mut environment = self.environment.clone();
        let folder = match self.desk.clone() {
            None => self.team.queue.team_log().folder().map(|folder| folder.workspace().to_owned()),
            Some(desk) => {
                let bench = blocking(move || {
                    let bench = desk.bench(0)?;
                    bench.reset_pristine(&as_it_is(&desk.newest()?))?;
                    Ok(bench)
                })
                .await?;
                for (name, value) in bench.environment() {
                    environment = environment.with(name, value);
                }
                Some(bench.path().to_owned())
            }
        };
        let team_log = self.team.queue.team_log();
        let limit = self.policy.gate_limit_ms;
        let outputs = team_log.folder().map_or_else(std::env::temp_dir, |folder| folder.attempt(self.id));
        let judge = Judge {
            command,
            folder: &folder.unwrap_or_else(std::env::temp_dir),
            environment,
            limit: limit.map(Duration::from_millis),
            output_file: outputs.join(format!("{name}.txt")),
        };
        let before = self.changes().await?;
        let judged = telemetry::judged(name, None, judge.run(&self.team.stop.gently)).await?;
        let after = self.changes().await?;
        let appeared: Vec<&str> = after.difference(&before).map(String::as_str).collect();
        if !appeared.is_empty() {
            let note = format!(
                "ERROR while the {name} ran, the project's own folder changed ({}): it may judge only what is in its own",
                appeared.join(", ")
            );
            self.reporter.report(Progress::Note(note));
        }
        Ok(judged)
    }

    /// What is not committed in the user's folder.
    async fn changes(&self) -> Result<BTreeSet<String>, Error> {
        let Some(desk) = self.desk.clone() else { return Ok(BTreeSet::new()) };
        blocking(move || Ok(desk.project.changes()?)).await
    }

    /// The first lead.
    pub(super) fn lead(&self) -> Option<&Member> {
        self.team.members.iter().find(|member| member.role == Role::Lead)
    }
}
