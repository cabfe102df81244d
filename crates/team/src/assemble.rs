//! From a configuration to a team that can be run: models are connected, agents made, tasks added.
//!
//! Where no model is named anywhere, the team **rehearses**: a copy of it in memory runs with a scripted model, so that
//! one sees how it would go. Nothing is called, nothing is changed, and no real task counts as done.

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::agent::Agent;
use crate::agent_team::{AgentTeam, Recruiter, RunOptions};
use crate::command::Environment;
use crate::config::{AgentConfig, Config, Confinement};
use crate::folder::TeamFolder;
use crate::hooks::Hooks;
use crate::making::{Behind, Making, variable};
use crate::model::{Model, ModelSpec};
use crate::progress::Reporter;
use crate::rehearsal::{rehearsing_copy, scripted};
use crate::sandbox::Sandbox;
use crate::team_log::TeamLog;
use crate::trust::Trust;
use crate::with::With;
use crate::{Account, AgentBudget, AgentId, Bounds, Error, NewTask, Role, Skill, TaskId};

/// The longest id that is made of a title.
const SLUG_CHARS_MAX: usize = 40;

/// A team that is ready to be run.
pub struct Assembled {
    /// The team.
    pub team: AgentTeam,
    /// Whether it only rehearses, since no model is named.
    pub rehearses: bool,
    /// The models that cost money, by name, for a question before the first call.
    pub paid_models: Vec<String>,
}

/// In what a team works.
#[derive(Debug, Clone, Default)]
pub struct Surroundings {
    /// The environment in which this program was started: keys and base URLs of providers are read from it, and commands get
    /// the few variables that they may see.
    pub variables: Vec<(OsString, OsString)>,
    /// The command `agent-team`, by whose `relay` agents that are driven reach the tools of their team. Without it they have
    /// none.
    pub relay: Option<PathBuf>,
    /// What the user trusts of what repositories hold for coding agents. Without it these see no settings that a repository has
    /// for them.
    pub trust: Option<Trust>,
}

impl Surroundings {
    /// These variables, no tools of the team for agents that are driven, and nothing trusted.
    pub fn of(variables: impl IntoIterator<Item = (OsString, OsString)>) -> Self {
        Self { variables: variables.into_iter().collect(), relay: None, trust: None }
    }
}

/// An agent that the program brings itself, beside those of the configuration.
#[derive(Clone)]
pub struct OwnAgent {
    /// Its name.
    pub id: AgentId,
    /// What it is for.
    pub role: Role,
    /// What it can do that others cannot.
    pub skills: Vec<Skill>,
    /// Whether each of its plans must be approved before it may change anything.
    pub plan: bool,
    /// The lead to whose team it belongs.
    pub lead: Option<AgentId>,
    /// What does the work.
    pub agent: Arc<dyn Agent>,
}

/// Makes a team of a configuration.
///
/// # Errors
/// When a model cannot be connected to, or none is named for what a run has begun, a budget cannot be kept since a price is
/// not known, or a task is refused.
pub fn assemble(
    team_log: &TeamLog,
    config: &Config,
    surroundings: &Surroundings,
    reporter: Reporter,
) -> Result<Assembled, Error> {
    assemble_with(team_log, config, Vec::new(), surroundings, reporter)
}

/// The same with agents of the program's own: then nothing is rehearsed, and no worker is made up if the configuration names
/// no agent.
///
/// # Errors
/// As [`assemble`]; and when two agents have the same name.
pub fn assemble_with(
    team_log: &TeamLog,
    config: &Config,
    own: Vec<OwnAgent>,
    surroundings: &Surroundings,
    reporter: Reporter,
) -> Result<Assembled, Error> {
    let parent = surroundings.variables.as_slice();
    let agents = if own.is_empty() { members(config) } else { config.agents.clone() };
    let making = Making::of(config, surroundings);
    let names_a_model = config.names_a_model() || !own.is_empty();
    let models = if names_a_model { Some(connect_all(config, &agents, &making)?) } else { None };
    let rehearses = models.is_none();
    let mut team = match rehearses {
        false => AgentTeam::over(team_log.clone()),
        true => rehearsing_copy(team_log)?,
    };
    let rehearsed = || scripted(&agents).map(of_models);
    let models = models.map_or_else(rehearsed, Ok)?;
    let prices = &config.prices;
    let mut paid_models = BTreeSet::new();
    for agent in &agents {
        for name in &agent.names {
            let Some(model) = models.get(name) else { continue };
            if prices.cost(&model.name(), one_token()) != Some(0) {
                paid_models.insert(model.name());
            }
            let made = making.agent(model.clone(), Some(agent));
            let skills: Vec<&str> = agent.skills.iter().map(Skill::as_str).collect();
            team.add_specialist(name.as_str(), agent.role, &skills, made)?;
            if agent.plan {
                team.require_plan(name.as_str())?;
            }
        }
    }
    let leads = own.iter().filter_map(|own| Some((own.id.clone(), own.lead.clone()?))).collect::<Vec<_>>();
    for OwnAgent { id, role, skills, plan, agent, .. } in own {
        let skills: Vec<&str> = skills.iter().map(Skill::as_str).collect();
        team.add_specialist(id.as_str(), role, &skills, agent)?;
        if plan {
            team.require_plan(id.as_str())?;
        }
    }
    leads.iter().try_for_each(|(member, lead)| team.set_lead(member.as_str(), lead.as_str()))?;
    for lead in agents.iter().filter(|agent| !agent.members.is_empty()) {
        let Some(name) = lead.names.first() else { continue };
        lead.members.iter().try_for_each(|member| team.set_lead(member.as_str(), name.as_str()))?;
    }
    budgets_can_be_kept(config, &agents, &models)?;
    let environment = config.environment.environment(parent.iter().cloned());
    if let Some(folder) = team_log.folder().filter(|_| !rehearses) {
        // An earlier run of this process may have had others.
        let hooks = || Hooks::new(config.hooks.clone(), folder, environment.clone(), reporter.clone());
        team_log.set_hooks((!config.hooks.is_empty()).then(hooks));
    }
    let home = variable(parent, "HOME").map(PathBuf::from);
    let base = team_log.folder().map_or(Path::new("/"), TeamFolder::workspace);
    let sandbox = config.sandbox.sandbox(base, home.as_deref(), surroundings.relay.as_deref())?;
    hosts_can_be_reached(&agents, &sandbox, config, surroundings)?;
    if sandbox.is_none() {
        // Before its first record.
        team.queue.team_log().set_unconfined();
    }
    team.queue.team_log().hide(environment.secrets());
    let of_tasks = add_missing_tasks(&team, config, rehearses)?;
    let budgets = of_agents(&agents).chain(of_tasks).filter(|(_, bounds)| *bounds != Bounds::default());
    let recruiter = Some(recruiter(config, &models, making));
    let options = options(config, environment.confined(sandbox), rehearses, recruiter, reporter);
    team.options(RunOptions { budgets: budgets.collect(), ..options });
    Ok(Assembled { team, rehearses, paid_models: paid_models.into_iter().collect() })
}

/// Refuses hosts of single agents to which there is no way, before anybody works.
fn hosts_can_be_reached(
    agents: &[AgentConfig],
    sandbox: &Sandbox,
    config: &Config,
    surroundings: &Surroundings,
) -> Result<(), Error> {
    let keeper = surroundings.relay.as_deref();
    let hosts = agents.iter().flat_map(|agent| agent.hosts.iter().cloned()).collect::<Vec<_>>();
    if hosts.is_empty() || sandbox.is_none() {
        return Ok(());
    }
    let confinement = Confinement { hosts, ..config.sandbox.clone() };
    confinement.leading_to_hosts(sandbox.clone(), keeper)?.kind()?;
    Ok(())
}

/// The agents of the configuration; one worker if it names none.
fn members(config: &Config) -> Vec<AgentConfig> {
    if !config.agents.is_empty() {
        return config.agents.clone();
    }
    let names = "worker-1".parse().into_iter().collect();
    vec![AgentConfig {
        names,
        role: Role::Worker,
        with: None,
        model: None,
        skills: Vec::new(),
        prompt: None,
        plan: false,
        context_tokens: None,
        max_output_tokens: None,
        hosts: Vec::new(),
        members: Vec::new(),
        budget: AgentBudget::default(),
    }]
}

fn of_models(models: BTreeMap<AgentId, Arc<dyn Model>>) -> BTreeMap<AgentId, Behind> {
    models.into_iter().map(|(agent, model)| (agent, Behind::Model(model))).collect()
}

/// What stands behind each agent. Those that name the same share it.
fn connect_all(
    config: &Config,
    agents: &[AgentConfig],
    making: &Making,
) -> Result<BTreeMap<AgentId, Behind>, Error> {
    let mut connected: BTreeMap<(String, Option<String>), Behind> = BTreeMap::new();
    let mut models = BTreeMap::new();
    for agent in agents {
        let Some(spec) = agent.with.as_ref().or(config.with.as_ref()) else {
            let names: Vec<&str> = agent.names.iter().map(AgentId::as_str).collect();
            return Err(Error::Input(format!(
                "no model is named for {}: give it a `with`",
                names.join(", ")
            )));
        };
        let key = (spec.to_string(), agent.model.clone());
        let model = match connected.get(&key) {
            Some(model) => model.clone(),
            None => making.connected(spec, agent.model.as_deref())?,
        };
        connected.insert(key, model.clone());
        models.extend(agent.names.iter().map(|name| (name.clone(), model.clone())));
    }
    Ok(models)
}

/// A budget in money needs the price of every model that may be paid from it.
fn budgets_can_be_kept(
    config: &Config,
    agents: &[AgentConfig],
    models: &BTreeMap<AgentId, Behind>,
) -> Result<(), Error> {
    let prices = &config.prices;
    let of_tasks = config.tasks.iter().any(|task| task.budget.micro_usd.is_some());
    let is_for_all = config.budget.micro_usd.is_some() || of_tasks;
    let bounded = agents.iter().filter(|agent| is_for_all || agent.budget.micro_usd.is_some());
    // Of models that are lent nobody knows which will be called: each call asks for its price.
    let behind = bounded.flat_map(|agent| &agent.names).filter_map(|name| models.get(name));
    let mut names = behind.filter(|behind| !behind.is_lent_models()).map(Behind::name);
    match names.find(|model: &String| prices.cost(model, one_token()).is_none()) {
        None => Ok(()),
        Some(model) => Err(Error::Input(format!(
            "the budget in dollars cannot be kept, since the price of {model} is not known: add `[prices.\"{model}\"]` \
             with `input` and `output` to team.toml, or set the budget in tokens"
        ))),
    }
}

/// What each agent may use.
fn of_agents(agents: &[AgentConfig]) -> impl Iterator<Item = (Account, Bounds)> {
    let of = |agent: &AgentConfig| {
        let bounds = agent.budget.bounds();
        agent.names.clone().into_iter().map(move |name| (Account::Agent(name), bounds))
    };
    agents.iter().flat_map(of)
}

fn one_token() -> crate::model::Usage {
    crate::model::Usage { input_tokens: 1, output_tokens: 1, ..crate::model::Usage::default() }
}

/// Adds the tasks of the configuration that are not there from an earlier run. One without an id gets one from its
/// title, so that it is known again. Gives what each task of the configuration may use.
fn add_missing_tasks(
    team: &AgentTeam,
    config: &Config,
    rehearses: bool,
) -> Result<Vec<(Account, Bounds)>, Error> {
    let mut taken: BTreeSet<String> = config.tasks.iter().filter_map(|task| task.id.clone()).collect();
    let (mut tasks, mut budgets) = (Vec::new(), Vec::new());
    for task in &config.tasks {
        let id = task.id.clone().unwrap_or_else(|| free_slug(&task.title, &mut taken));
        let known: TaskId = id.parse()?;
        budgets.push((Account::Task(known.clone()), task.budget.bounds()));
        if team.queue().team_log().look(|state| state.task(&known).is_some())? {
            continue;
        }
        let check = task.check.clone().filter(|_| !rehearses);
        tasks.push(NewTask { id: Some(id), check, ..task.clone() });
    }
    team.queue().add_tasks(&AgentId::human(), &tasks)?;
    Ok(budgets)
}

/// A readable id made of a title, other than those that are taken.
fn free_slug(title: &str, taken: &mut BTreeSet<String>) -> String {
    let words = title.split(|letter: char| !letter.is_ascii_alphanumeric()).filter(|word| !word.is_empty());
    let mut slug = String::new();
    for word in words {
        if slug.len() + word.len() >= SLUG_CHARS_MAX {
            break;
        }
        if !slug.is_empty() {
            slug.push('-');
        }
        slug += &word.to_ascii_lowercase();
    }
    if slug.is_empty() {
        slug.push_str("task");
    }
    let mut free = slug.clone();
    let mut number = 1;
    while !taken.insert(free.clone()) {
        number += 1;
        free = format!("{slug}-{number}");
    }
    free
}

/// Makes agents that are added while the team runs: with the model that is named, or the team's, or the first agent's.
fn recruiter(config: &Config, models: &BTreeMap<AgentId, Behind>, making: Making) -> Recruiter {
    let teams = config.with.clone();
    let usual = models.values().next().cloned();
    Recruiter::new(move |with| {
        let model = match with.filter(|with| *with != "script") {
            None => match (&teams, &usual) {
                (Some(spec), _) => making.connected(spec, None)?,
                (None, Some(model)) => model.clone(),
                (None, None) => {
                    return Err(Error::Input("no model is named for it: give it a `--with`".into()));
                }
            },
            Some(with) => {
                let spec: With = with.parse().map_err(|error| Error::Input(format!("{error}")))?;
                making.connected(&spec, None)?
            }
        };
        Ok(making.agent(model, None))
    })
}

fn options(
    config: &Config,
    environment: Environment,
    rehearses: bool,
    recruiter: Option<Recruiter>,
    reporter: Reporter,
) -> RunOptions {
    RunOptions {
        goal: config.goal.clone(),
        approve_plan: config.approve_plan.unwrap_or_default(),
        check: config.check.clone().filter(|_| !rehearses),
        replans: config.replans,
        max_depth: config.max_depth,
        gate: config.gate.clone().filter(|_| !rehearses),
        gate_limit: config.gate_time_limit,
        protect: [config.protect.clone(), config.hooks.files()].concat(),
        max_file_bytes: config.max_file_bytes,
        no_gate: config.no_gate,
        into: config.into.clone(),
        budget_micro_usd: config.budget.micro_usd,
        budget_tokens: config.budget.tokens,
        budget_turns: config.budget.turns,
        budget_attempts: config.budget.attempts,
        budget_time: config.budget.time,
        budget_elapsed: config.budget.elapsed,
        budgets: BTreeMap::new(),
        max_agents: config.max_agents,
        environment: Some(environment),
        grace: None,
        stuck_after: config.stuck_after,
        recruiter,
        rehearsal: rehearses || matches!(config.with, Some(With::Model(ModelSpec::Script(_)))),
        reporter,
    }
}
