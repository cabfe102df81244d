//! A team: its members, its tasks, and running them until there is nothing left to do.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use tokio_util::sync::CancellationToken;

use crate::agent::Agent;
use crate::command::Environment;
use crate::folder::TeamFolder;
use crate::members::free_to_take;
use crate::progress::Reporter;
use crate::run::{self, RunReport};
use crate::team_log::{Durability, TeamLog};
use crate::view::StatusView;
use crate::{
    Account, AgentId, Bounds, Error, MessageBus, NewTask, Role, Skill, TaskId, TaskQueue, telemetry,
};

/// A team of agents that work on shared tasks.
///
/// ```
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// use agent_team::{AgentTeam, NewTask, Role, agent::llm_fn};
///
/// let my_llm = || llm_fn(async |prompt: String| Ok::<_, std::convert::Infallible>(format!("{} bytes", prompt.len())));
/// let mut team = AgentTeam::in_memory()?;
/// team.add_agent("lead-1", Role::Lead, my_llm())?;
/// team.add_agent("worker-1", Role::Worker, my_llm())?;
/// team.add_agent("worker-2", Role::Worker, my_llm())?;
/// let a = team.add_task("Implement solution A")?;
/// let b = team.add_task("Implement solution B")?;
/// team.add_task(NewTask::new("Compare and synthesize").after(a.as_str()).after(b.as_str()))?;
/// let report = team.run(None).await?;
/// assert_eq!((report.status.counts.completed, report.status.counts.total), (3, 3));
/// # Ok(()) }
/// ```
pub struct AgentTeam {
    pub(crate) queue: TaskQueue,
    pub(crate) bus: MessageBus,
    pub(crate) members: Vec<Member>,
    pub(crate) options: RunOptions,
    pub(crate) stop: Stop,
}

/// A member that this program runs.
#[derive(Clone)]
pub(crate) struct Member {
    pub id: AgentId,
    pub role: Role,
    pub skills: Vec<Skill>,
    /// Whether each of its plans must be approved.
    pub plan: bool,
    /// The lead to whose team it belongs.
    pub lead: Option<AgentId>,
    pub agent: Arc<dyn Agent>,
}

/// How a team is run. Everything has a sensible default.
#[derive(Clone, Default)]
pub struct RunOptions {
    /// What the team shall reach. A lead splits it into tasks; without a lead it is one task.
    pub goal: Option<String>,
    /// Whether the human must approve the tasks into which a lead splits the goal, before they are added.
    pub approve_plan: bool,
    /// The command that proves the goal as a whole, at the end: while it is red, a lead plans anew. If nothing is said, that
    /// of an earlier run of the same goal.
    pub check: Option<String>,
    /// How many failures, its red check among them, a lead may plan anew, for each goal and for each delegated task; 3 if nothing was ever said.
    pub replans: Option<u32>,
    /// How deep tasks may be delegated; 3 if nothing was ever said.
    pub max_depth: Option<u32>,
    /// The command that must hold on the target branch at all times.
    pub gate: Option<String>,
    /// How long gate and checks may take.
    pub gate_limit: Option<Duration>,
    /// Patterns of files that no task may change unless it is allowed to.
    pub protect: Vec<String>,
    /// The largest file that is taken into a commit; [`FILE_LIMIT_BYTES`](crate::git::FILE_LIMIT_BYTES) if nothing is
    /// said.
    pub max_file_bytes: Option<u64>,
    /// Whether work with neither check nor gate may be merged.
    pub no_gate: bool,
    /// The branch to merge into; the checked-out one if nothing is said.
    pub into: Option<String>,
    /// The most money the team may use, in millionths of a US dollar.
    pub budget_micro_usd: Option<u64>,
    /// The most tokens the team may use.
    pub budget_tokens: Option<u64>,
    /// The most calls to models.
    pub budget_turns: Option<u64>,
    /// The most attempts at tasks.
    pub budget_attempts: Option<u64>,
    /// The most time at work, of all agents together.
    pub budget_time: Option<Duration>,
    /// How long this run may take by the clock. Unlike the limit that [`run`](AgentTeam::run) is given it can be raised while
    /// the run goes on.
    pub budget_elapsed: Option<Duration>,
    /// What agents and tasks may use, each. As with the team's budget, what was raised since an earlier run said the same
    /// stays raised.
    pub budgets: BTreeMap<Account, Bounds>,
    /// How many agents may be in the team at once.
    pub max_agents: Option<u32>,
    /// The environment of commands: checks, gates, and what agents run.
    pub environment: Option<Environment>,
    /// Whether the models are scripted.
    pub rehearsal: bool,
    /// After how long without progress an agent is nudged; after twice that it is interrupted, after three times its task
    /// goes to somebody else. 15 minutes if nothing is said, and then only for agents that write a transcript.
    pub stuck_after: Option<Duration>,
    /// How long turns under way may take once time is over; 20 seconds if nothing is said. Then they are dropped.
    pub grace: Option<Duration>,
    /// Makes the agents that are added while the team runs.
    pub recruiter: Option<Recruiter>,
    /// Told what happens, as it happens.
    pub reporter: Reporter,
}

/// Makes an agent of the name of what stands behind it, for those that are added while a team runs.
#[derive(Clone)]
pub struct Recruiter(Arc<Recruit>);

/// From what stands behind an agent, if that was said, to the agent.
type Recruit = dyn Fn(Option<&str>) -> Result<Arc<dyn Agent>, Error> + Send + Sync;

impl Recruiter {
    /// A recruiter that calls a function with what was said to stand behind the agent, or with nothing.
    pub fn new(make: impl Fn(Option<&str>) -> Result<Arc<dyn Agent>, Error> + Send + Sync + 'static) -> Self {
        Self(Arc::new(make))
    }

    pub(crate) fn recruit(&self, with: Option<&str>) -> Result<Arc<dyn Agent>, Error> {
        (self.0)(with)
    }
}

/// Stops a run from outside: first gently, then at once.
#[derive(Clone, Default)]
pub struct Stop {
    pub(crate) gently: CancellationToken,
    pub(crate) at_once: CancellationToken,
}

impl Stop {
    /// Agents finish their turns and give back what they hold; the run ends then.
    pub fn gently(&self) {
        self.gently.cancel();
    }

    /// Agents drop what they do. What they hold is taken up by the next run, where their journals end.
    pub fn at_once(&self) {
        self.gently.cancel();
        self.at_once.cancel();
    }

    /// Whether someone asked for it.
    pub fn is_asked(&self) -> bool {
        self.gently.is_cancelled()
    }
}

impl AgentTeam {
    /// The team of a folder, which is made if it is not there.
    ///
    /// # Errors
    /// When the log cannot be made or read.
    pub fn new(workspace: impl AsRef<Path>) -> Result<Self, Error> {
        let folder = TeamFolder::of(workspace.as_ref());
        Ok(Self::over(TeamLog::open_or_create(&folder, Durability::default())?))
    }

    /// A team in this process's memory.
    ///
    /// # Errors
    /// None that happen.
    pub fn in_memory() -> Result<Self, Error> {
        Ok(Self::over(TeamLog::in_memory()?))
    }

    /// The team of a log.
    pub fn over(team_log: TeamLog) -> Self {
        Self {
            queue: TaskQueue::over(team_log.clone()),
            bus: MessageBus::over(team_log),
            members: Vec::new(),
            options: RunOptions::default(),
            stop: Stop::default(),
        }
    }

    /// Adds an agent that works when the team is run.
    ///
    /// # Errors
    /// When the name cannot be one, or is taken by another agent of this team.
    pub fn add_agent(&mut self, id: &str, role: Role, agent: Arc<dyn Agent>) -> Result<(), Error> {
        self.add_specialist(id, role, &[], agent)
    }

    /// Adds an agent with skills.
    ///
    /// # Errors
    /// When a name cannot be one, or is taken by another agent of this team.
    pub fn add_specialist(
        &mut self,
        id: &str,
        role: Role,
        skills: &[&str],
        agent: Arc<dyn Agent>,
    ) -> Result<(), Error> {
        let id: AgentId = id.parse()?;
        free_to_take(&id)?;
        if self.members.iter().any(|member| member.id == id) {
            return Err(Error::Input(format!("there are two agents called {id}")));
        }
        let skills = skills.iter().map(|skill| skill.parse()).collect::<Result<_, _>>()?;
        self.members.push(Member { id, role, skills, plan: false, lead: None, agent });
        Ok(())
    }

    /// Wants each plan of an agent approved by somebody else before it may change anything.
    ///
    /// # Errors
    /// When there is no such agent.
    pub fn require_plan(&mut self, id: &str) -> Result<(), Error> {
        let member = self.members.iter_mut().find(|member| member.id.as_str() == id);
        member.map(|member| member.plan = true).ok_or_else(|| Error::Input(format!("there is no agent {id}")))
    }

    /// Puts an agent into the team of a lead: it takes that team's tasks and no others.
    ///
    /// # Errors
    /// When there is no such agent, or no such lead.
    pub fn set_lead(&mut self, id: &str, lead: &str) -> Result<(), Error> {
        let known =
            self.members.iter().find(|member| member.id.as_str() == lead && member.role == Role::Lead);
        let known = known.ok_or_else(|| Error::Input(format!("there is no lead {lead}")))?;
        let lead = known.id.clone();
        let member = self.members.iter_mut().find(|member| member.id.as_str() == id && member.id != lead);
        let member =
            member.ok_or_else(|| Error::Input(format!("there is no agent {id} that {lead} could lead")))?;
        member.lead = Some(lead);
        Ok(())
    }

    /// Adds a task.
    ///
    /// # Errors
    /// A refusal when its id is taken, or a dependency does not exist.
    pub fn add_task(&self, task: impl Into<NewTask>) -> Result<TaskId, Error> {
        self.queue.add_task(task)
    }

    /// Sets how the team is run.
    pub fn options(&mut self, options: RunOptions) -> &mut Self {
        self.options = options;
        self
    }

    /// Sets how long turns under way may take once time is over: see [`RunOptions::grace`].
    pub fn grace(&mut self, grace: Duration) -> &mut Self {
        self.options.grace = Some(grace);
        self
    }

    /// What stops a run from outside.
    pub fn stop(&self) -> Stop {
        self.stop.clone()
    }

    /// The tasks.
    pub fn queue(&self) -> &TaskQueue {
        &self.queue
    }

    /// The messages.
    pub fn bus(&self) -> &MessageBus {
        &self.bus
    }

    /// The team at a glance.
    ///
    /// # Errors
    /// When the log cannot be read.
    pub fn get_status(&self) -> Result<StatusView, Error> {
        self.queue.get_status()
    }

    /// Runs the team until all is done, nothing can go on, time is over, or somebody stops it. Running it again
    /// goes on where it ended.
    ///
    /// # Errors
    /// When another process runs this team, the gate does not hold on the untouched target, or something is broken.
    pub async fn run(&self, timeout: Option<Duration>) -> Result<RunReport, Error> {
        telemetry::run(run::run(self, timeout)).await
    }
}
