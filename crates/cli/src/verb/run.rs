//! `run`: agents work until there is nothing left to do.

use std::path::PathBuf;
use std::time::Duration;

use agent_team::config::{AgentConfig, Budget, CONFIG_FILE, Config, HookCommands};
use agent_team::git::{GitProgram, Project};
use agent_team::split::quote;
use agent_team::trust::{Trust, Wish};
use agent_team::{
    AgentBudget, AgentId, Role, RunOutcome, Surroundings, TeamFolder, TeamLog, With, assemble,
    is_called_by_hook,
};
use clap::Args;

use crate::again::Again;
use crate::approve::{agree_to_the_leads_tasks, approve_plans, forget_what_was_typed, somebody_is_there};
use crate::cli::Global;
use crate::confinement::Commands;
use crate::exit::{Exit, Failure};
use crate::live::Live;
use crate::output::Output;
use crate::report;
use crate::run_shown::{Shown, stop_on_interrupt, view_then_lines};
use crate::telemetry::Telemetry;
use crate::time::{parse_duration, some_time};
use crate::verb::budget::WorkBudget;
use crate::verb::trust;
use crate::watch::View;

const LONG_ABOUT: &str = "\
Run the team: its agents claim tasks, work each in a workspace of their own, and what passes its check and the gate is \
merged. It ends when all is done, when nothing can go on (and says what waits for what), at --timeout, or on Ctrl-C: \
the first lets agents finish their turns and give back what they hold, the second ends at once. Unfinished work is kept \
under refs, which the end names; the second Ctrl-C leaves it in the agents' folders. Running it again goes on where it \
ended.

Agents, models, tasks, gate and budget come from team.toml, if there is one; the command line goes first. A goal with \
one agent is that agent's task; with more, the first is the lead, who splits it, and --check proves the whole at the end. \
At a terminal you are shown the lead's tasks and asked whether they are right, unless you say --yes.

Without a model, by --with or in team.toml, the team rehearses: a scripted copy of it shows how the run would go, and \
nothing is called or changed. Tasks that a run has left open are not rehearsed (exit code 2): name its model again.

Work is merged into the branch that is checked out (or --into). If its work tree is clean, it moves along; if not, merged \
work gathers on agent-team/BRANCH, and the command that brings it in is printed. Uncommitted files are never touched.

A budget that is used up (--budget-…, team.toml, `agent-team budget`) winds the team down in order: agents finish their \
turns and hand back what they work on, their work is kept under a ref, what was delivered is checked and merged, and the \
end says what is left, what was spent and how to go on. Raised meanwhile, by `agent-team budget`, the team goes on.

A limit of a model's provider (too many requests, or an overloaded server) fails no task: whoever meets it tells the \
whole team, every process of it waits, and `agent-team status` shows for how long.

At a terminal it shows the team at work, and lets you steer it, as `agent-team watch` does: ? has the keys, q leaves the \
view and the run goes on with a line for each agent. Plans that wait are judged there. --plain shows the lines from the \
beginning.

Without a terminal it prints one line for each thing that happens, ERROR first where something went wrong. Where \
OTEL_EXPORTER_OTLP_ENDPOINT names a collector of OpenTelemetry, traces and metrics go there.

Exit codes: 0 all done; 5 tasks failed or wait for something, a budget for example, or the goal is not proved; 124 at --timeout with something left; 130 interrupted.";

const AFTER_HELP: &str = "\
Examples:
  agent-team run                                      rehearse, or run what team.toml describes
  agent-team run 'Add a --version flag' --with anthropic:claude-sonnet-5-5 --check './tool --version'
  agent-team run 'Port the parser to C' --agents 4 --with openai:gpt-6.1-sol --gate 'make test' --budget-usd 5
  agent-team run --with ollama:qwen3-coder --budget-attempts 100 --budget-elapsed 2h
  agent-team run --with ollama:qwen3-coder --timeout 2h --json";

/// The arguments of `run`.
#[derive(Debug, Args)]
#[command(about = "Let the team work until there is nothing left to do", long_about = LONG_ABOUT, after_help = AFTER_HELP)]
pub struct Run {
    /// What the team shall reach
    goal: Option<String>,
    /// How many agents; with more than one, the first is the lead
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=1000))]
    agents: Option<u32>,
    /// The model: anthropic:MODEL, openai:MODEL, gemini:MODEL, ollama:MODEL, openai-compatible:MODEL or script:FILE; or an agent
    /// to drive: claude, codex, gemini, opencode, qwen, goose, claude:headless, codex:headless, acp:COMMAND or exec:COMMAND
    #[arg(long, value_name = "MODEL")]
    with: Option<With>,
    /// Where the model's provider is found
    #[arg(long, value_name = "URL")]
    base_url: Option<String>,
    /// The command that proves the goal, in later runs of it as well; while it is red at the end, the lead plans anew
    #[arg(long, value_name = "COMMAND")]
    check: Option<String>,
    /// The command that must hold on the target branch at all times
    #[arg(long, value_name = "COMMAND")]
    gate: Option<String>,
    /// Files that no task may change, as in .gitignore; repeat it for more
    #[arg(long, value_name = "PATTERN")]
    protect: Vec<String>,
    /// Merge work even if neither a check nor a gate proves it
    #[arg(long)]
    no_gate: bool,
    /// The branch to merge into; the one that is checked out if not said
    #[arg(long, value_name = "BRANCH")]
    into: Option<String>,
    /// End after this time, as in 90s, 15m or 2h
    #[arg(long, value_name = "DURATION", value_parser = parse_duration)]
    timeout: Option<Duration>,
    /// How many agents may be in the team at once
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=10_000))]
    max_agents: Option<u32>,
    /// The configuration; team.toml in the team's folder if not said
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// The tasks into which the lead splits the goal wait for your approval even in a rehearsal. With a model they always do,
    /// unless --yes: here if there is a terminal, or by `agent-team plan approve`
    #[arg(long, conflicts_with = "yes")]
    approve_plan: bool,
    #[command(flatten)]
    commands: Commands,
    /// Ask nothing: neither before models that cost money are called, nor whether the lead's plan is right
    #[arg(long, short)]
    yes: bool,
    /// Show lines instead of the view, at a terminal too
    #[arg(long)]
    plain: bool,
    #[command(flatten)]
    budget: WorkBudget,
    /// The most attempts at tasks that the team may begin
    #[arg(long, help_heading = "Budget", value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    budget_attempts: Option<u64>,
    /// How long this run may take by the clock; unlike --timeout it can be raised while it goes on
    #[arg(long, help_heading = "Budget", value_name = "DURATION", value_parser = some_time)]
    budget_elapsed: Option<Duration>,
}

impl Run {
    pub fn run(self, global: &Global, out: &mut Output) -> Result<Exit, Failure> {
        let folder = folder(global)?;
        let written = self.written(&folder)?;
        let again = self.again(global, &written.budget);
        let config = self.configuration(written.clone())?;
        // A rehearsal calls nothing.
        if config.names_a_model() {
            let hint = format!("read it, then say so: {}", self.trusting());
            trust::require(&folder, &written).map_err(|failure| failure.hint(hint))?;
        }
        let consent = match self.yes {
            true => Consent::Given,
            false => {
                Consent::Asked { unsaid: self.unsaid_limits(&folder, &written)?, trusting: self.trusting() }
            }
        };
        let shown = if self.plain { Shown::Lines } else { Shown::View };
        run_team(&folder, &config, &again, &consent, shown, out)
    }

    /// The command by which the user trusts what the configuration asks for.
    fn trusting(&self) -> String {
        let file = self.config.as_ref().map(|file| format!(" --config {}", quote(&file.to_string_lossy())));
        format!("agent-team trust{}", file.unwrap_or_default())
    }

    /// The limits by which a run would spend, and which the user has neither said nor trusted.
    fn unsaid_limits(&self, folder: &TeamFolder, written: &Config) -> Result<Vec<Wish>, Failure> {
        let WorkBudget { budget_usd, budget_tokens, budget_turns, .. } = &self.budget;
        let is_said = budget_usd.is_some() || budget_tokens.is_some() || budget_turns.is_some();
        if is_said { Ok(Vec::new()) } else { trust::unknown_limits(folder, written) }
    }

    /// What the next run has to be told, too. What the log keeps is not said again: budgets that were set, but for the clock,
    /// which begins anew, and those of which team.toml says something else. A base URL with a password in it stands in no output.
    fn again(&self, global: &Global, file: &Budget) -> Again {
        let base_url = self.base_url.as_deref().filter(|url| !url.contains('@'));
        let config = self.config.as_ref().map(|file| file.display());
        let again = Again::from(global.team.as_deref())
            .argument(self.goal.as_deref())
            .option("agents", self.agents)
            .option("with", self.with.as_ref())
            .option("base-url", base_url)
            .option("check", self.check.as_deref())
            .option("gate", self.gate.as_deref());
        let protect = |again: Again, pattern: &String| again.option("protect", Some(pattern));
        let again = self.protect.iter().fold(again, protect);
        again
            .flag("no-gate", self.no_gate)
            .flag("no-sandbox", self.commands.no_sandbox)
            .option("into", self.into.as_deref())
            .duration("timeout", self.timeout)
            .option("max-agents", self.max_agents)
            .option("config", config)
            .flag("approve-plan", self.approve_plan)
            .flag("yes", self.yes)
            .flag("plain", self.plain)
            .option("budget-usd", self.budget.budget_usd.filter(|_| file.micro_usd.is_some()).map(dollars))
            .option("budget-tokens", self.budget.budget_tokens.filter(|_| file.tokens.is_some()))
            .option("budget-turns", self.budget.budget_turns.filter(|_| file.turns.is_some()))
            .option("budget-attempts", self.budget_attempts.filter(|_| file.attempts.is_some()))
            .duration("budget-time", self.budget.budget_time.filter(|_| file.time.is_some()))
            .duration("budget-elapsed", self.budget_elapsed)
    }

    /// What team.toml says.
    fn written(&self, folder: &TeamFolder) -> Result<Config, Failure> {
        let file = self.config.clone().unwrap_or_else(|| folder.workspace().join(CONFIG_FILE));
        if self.config.is_some() || file.is_file() {
            Config::load(&file).map_err(|error| Failure::usage(error.to_string()))
        } else {
            Ok(Config::default())
        }
    }

    /// What the file says, and the command line where it says something else.
    fn configuration(&self, mut config: Config) -> Result<Config, Failure> {
        if !config.hooks.is_empty() && is_called_by_hook() {
            // A hook started this run.
            config.hooks = HookCommands::default();
        }
        config.goal = self.goal.clone().or(config.goal);
        config.with = self.with.clone().or(config.with);
        if self.with.is_some() {
            // What is said now goes for everyone.
            config.agents.iter_mut().for_each(|agent| agent.with = None);
        }
        config.base_url = self.base_url.clone().or(config.base_url);
        config.check = self.check.clone().or(config.check);
        config.gate = self.gate.clone().or(config.gate);
        config.into = self.into.clone().or(config.into);
        config.timeout = self.timeout.or(config.timeout);
        config.no_gate |= self.no_gate;
        self.commands.overrule(&mut config.sandbox);
        // A rehearsal changes nothing that anybody would have to agree to.
        let approves = self.approve_plan || config.approve_plan.unwrap_or_else(|| config.names_a_model());
        config.approve_plan = Some(approves && !self.yes);
        config.protect.extend(self.protect.iter().cloned());
        config.budget.micro_usd = self.budget.budget_usd.or(config.budget.micro_usd);
        config.budget.tokens = self.budget.budget_tokens.or(config.budget.tokens);
        config.budget.turns = self.budget.budget_turns.or(config.budget.turns);
        config.budget.attempts = self.budget_attempts.or(config.budget.attempts);
        config.budget.time = self.budget.budget_time.or(config.budget.time);
        config.budget.elapsed = self.budget_elapsed.or(config.budget.elapsed);
        config.max_agents = self.max_agents.or(config.max_agents);
        if let Some(count) = self.agents {
            config.agents = agents(count)?;
        }
        Ok(config)
    }
}

/// The team that is meant: the nearest one, or a new one at the top of the repository.
pub fn folder(global: &Global) -> Result<TeamFolder, Failure> {
    if let Ok(folder) = TeamFolder::find(global.start()) {
        return Ok(folder);
    }
    let here =
        std::path::absolute(global.start()).map_err(|error| Failure::io("the current folder", &error))?;
    let project = Project::discover(&GitProgram::from_process_environment(), &here);
    Ok(TeamFolder::of(project.map_or(here, |project| project.root().to_owned()).as_path()))
}

/// As many agents as were asked for: one worker, or a lead and workers.
fn agents(count: u32) -> Result<Vec<AgentConfig>, Failure> {
    let group = |role: Role, names: Vec<String>| {
        let names: Result<Vec<AgentId>, _> = names.into_iter().map(AgentId::try_from).collect();
        let names = names.map_err(|error| Failure::usage(error.to_string()))?;
        Ok::<_, Failure>(AgentConfig {
            names,
            role,
            model: None,
            with: None,
            skills: Vec::new(),
            prompt: None,
            plan: false,
            context_tokens: None,
            max_output_tokens: None,
            hosts: Vec::new(),
            members: Vec::new(),
            budget: AgentBudget::default(),
        })
    };
    let workers = |most: u32| (1..=most).map(|number| format!("worker-{number}")).collect();
    if count == 1 {
        return Ok(vec![group(Role::Worker, workers(1))?]);
    }
    Ok(vec![group(Role::Lead, vec!["lead-1".to_owned()])?, group(Role::Worker, workers(count - 1))?])
}

/// Whether money may be spent.
pub enum Consent {
    /// The user has said so.
    Given,
    /// It is asked for, unless there is a limit that the user knows.
    Asked {
        /// The limits of `team.toml` that the user has not trusted.
        unsaid: Vec<Wish>,
        /// The command by which they are trusted.
        trusting: String,
    },
}

/// Runs a team as a configuration describes it, and says what happens and what came of it.
pub fn run_team(
    folder: &TeamFolder,
    config: &Config,
    again: &Again,
    consent: &Consent,
    shown: Shown,
    out: &mut Output,
) -> Result<Exit, Failure> {
    let yes = matches!(consent, Consent::Given);
    let team_log = if config.names_a_model() || folder.log().is_file() {
        Global::open_or_create(folder)?.team_log().clone()
    } else {
        // A rehearsal leaves nothing behind.
        TeamLog::in_memory()?
    };
    // Where this program cannot say where it is, driven agents have no tools of the team.
    let relay = std::env::current_exe().ok();
    let surroundings = Surroundings::of(std::env::vars_os());
    let trust = Trust::of(&surroundings.variables);
    let surroundings = Surroundings { relay, trust, ..surroundings };
    let live = Live::new(out, config);
    let assembled = assemble(&team_log, config, &surroundings, live.reporter())?;
    if assembled.rehearses {
        live.say("REHEARSAL no model is named (--with, or `with` in team.toml): nothing is called and nothing is changed");
    } else if !live.aside(|| agreed(&assembled.paid_models, config, consent))? {
        return Err(Failure::new(Exit::Interrupted, "not started"));
    } else if config.approve_plan == Some(true) && plans_a_goal(config) && !somebody_is_there() {
        live.say("NOTE the lead's tasks wait for `agent-team plan approve`, as there is no terminal to ask at; --yes asks nothing");
    }
    let team = assembled.team;
    live.count(team.queue());
    let telemetry = Telemetry::begin(&live, team.queue());
    let timeout = config.timeout;
    let asks = !yes && somebody_is_there();
    let has_view = shown.has_view(&live, team.queue());
    let colors = out.colors();
    out.flush()?;
    let report = block_on_all(async {
        let stop = team.stop();
        let watching = tokio::spawn(stop_on_interrupt(stop.clone(), live.clone()));
        let agreeing = yes.then(|| tokio::spawn(agree_to_the_leads_tasks(team.queue().clone())));
        let queue = team.queue().clone();
        let view = View { queue: queue.clone(), colors, stop: Some(stop), feed: live.feed().clone() };
        let viewing = has_view.then(|| tokio::spawn(view_then_lines(view, live.clone(), asks)));
        let asking = (asks && !has_view).then(|| tokio::spawn(approve_plans(queue, live.clone())));
        let report = team.run(timeout).await;
        live.feed().end();
        if let Some(viewing) = viewing {
            // The terminal is as it was before anything is printed.
            let _ = viewing.await;
        }
        watching.abort();
        agreeing.into_iter().chain(asking).for_each(|answering| answering.abort());
        report
    })?;
    live.finish();
    let mut report = report?;
    report.go_on = report.go_on.map(|go_on| again.complete(&go_on));
    report::tell(&report, assembled.rehearses, out)?;
    // Who waits for the report does not wait for a collector.
    out.flush()?;
    drop(telemetry);
    Ok(match report.outcome {
        RunOutcome::TimedOut => Exit::TimedOut,
        RunOutcome::Interrupted => Exit::Interrupted,
        _ if report.succeeded() => Exit::Done,
        _ => Exit::Unfinished,
    })
}

/// An amount of money as the command line takes it.
#[expect(clippy::cast_precision_loss, reason = "nobody allows a million billion dollars")]
fn dollars(micro_usd: u64) -> f64 {
    micro_usd as f64 / 1e6
}

/// Whether a lead is to split a goal into tasks.
fn plans_a_goal(config: &Config) -> bool {
    config.goal.is_some() && config.agents.iter().any(|agent| agent.role == Role::Lead)
}

/// Asks before money may be spent without a limit that the user knows, where there is somebody to ask.
fn agreed(paid: &[String], config: &Config, consent: &Consent) -> Result<bool, Failure> {
    let Consent::Asked { unsaid, trusting } = consent else { return Ok(true) };
    let budget = &config.budget;
    let limited = budget.micro_usd.is_some() || budget.tokens.is_some() || budget.turns.is_some();
    if paid.is_empty() || (limited && unsaid.is_empty()) {
        return Ok(true);
    }
    let limits: Vec<&str> = unsaid.iter().map(|limit| limit.what.as_str()).collect();
    let (how, hint) = match limited {
        true => (
            format!("by the limits of team.toml ({})", limits.join(", ")),
            format!("say that you trust them: {trusting}; or how much it may cost: --budget-usd N"),
        ),
        false => (
            "without a budget".to_owned(),
            "say how much it may cost: --budget-usd N; or that it may: --yes".to_owned(),
        ),
    };
    let calls = format!("calls {} {how}", paid.join(", "));
    if !somebody_is_there() {
        return Err(Failure::usage(format!("this {calls}, and there is no terminal to ask at")).hint(hint));
    }
    forget_what_was_typed();
    eprint!("This {calls}; --budget-usd N sets a limit. Go on? [y/N] ");
    let mut answer = String::new();
    std::io::stdin().read_line(&mut answer).map_err(|error| Failure::io("standard input", &error))?;
    let agreed = matches!(answer.trim(), "y" | "Y" | "yes");
    if agreed && limited {
        // Nobody is asked twice.
        trust::remember(unsaid)?;
    }
    Ok(agreed)
}

/// Runs async work on all cores.
fn block_on_all<T>(work: impl Future<Output = T>) -> Result<T, Failure> {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build();
    let runtime = runtime.map_err(|error| Failure::io("cannot start", &error))?;
    let outcome = runtime.block_on(work);
    // What a second Ctrl-C left behind is not waited for.
    runtime.shutdown_timeout(Duration::from_millis(500));
    Ok(outcome)
}
