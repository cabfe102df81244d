//! `split`: turns a failing suite into tasks, or only runs it.

mod commands;
mod progress;
mod report;

use std::collections::BTreeSet;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use agent_team::command::Environment;
use agent_team::sandbox::Sandbox;
use agent_team::split::{
    Group, Place, PlanOptions, Planned, Share, ShrinkLimit, Suite, Survey, collect, group, parse_list, task,
};
use agent_team::{AgentId, TaskQueue, TeamFolder};
use clap::Args;
use tokio_util::sync::CancellationToken;

use self::commands::Commands;
use self::progress::Progress;
use self::report::{Found, Report, tell_run};
use super::read_text;
use crate::cli::Global;
use crate::confinement;
use crate::exit::{Exit, Failure};
use crate::interrupt::{self, block_on};
use crate::output::{self, Output};
use crate::time::parse_duration;

const LONG_ABOUT: &str = "\
Run a candidate over many inputs, beside an oracle that is known to be right, and turn what fails into tasks: failures \
with the same first difference become one task, with the smallest input that fails so and a check that runs the inputs of \
this task. Splitting again adds only what is not there yet.

An input is a file, a folder (all files in it) or a name; what looks like a path and is none is refused, unless a list names it. \
Commands are run by `sh -c` in the current folder. {} in them \
stands for the input; without it the input is appended, unless the command names $INPUT. With an oracle, exit code and \
standard output must be the same; without one, the candidate must exit with 0. What fails is run twice: an input that then \
passes is unsteady, and becomes no task.

With --together each command is given all inputs at once ({}, and standard input, one per line), and the smallest sets \
that fail become tasks.

With --run nothing is split: the inputs, or a sample of them, are run, each failure is a line that begins with ERROR, and \
the exit code is 3 if there is one. That is what checks and gates call; --check-file does this several times, as a file says.

Commands see your environment without keys, and run in a sandbox that they share with nobody: see docs/sandbox.md. Checks and \
gates see less of your environment: see [environment] in team.toml.";

const AFTER_HELP: &str = "\
Examples:
  agent-team split --candidate './mycc -o /dev/stdout -S {}' --oracle 'gcc -o /dev/stdout -S {}' tests/c
  agent-team split --candidate 'cargo test --quiet -- --exact' --inputs-from test-names.txt
  agent-team split --together --candidate './build-with-mycc {}' --inputs-from - < sources.txt
  agent-team split --candidate ./check-one tests/*.txt --dry-run
  agent-team split --run --sample 10% --as worker-1 --candidate ./check-one tests";

/// The arguments of `split`.
#[derive(Debug, Args)]
#[command(about = "Turn a failing suite into tasks, one for each bug", long_about = LONG_ABOUT, after_help = AFTER_HELP)]
pub struct Split {
    /// Files, folders or names
    #[arg(value_name = "INPUT")]
    inputs: Vec<String>,
    /// The command that is to become right
    #[arg(long, value_name = "COMMAND", required_unless_present = "check_file")]
    candidate: Option<String>,
    /// The command that is right
    #[arg(long, value_name = "COMMAND")]
    oracle: Option<String>,
    /// More inputs, one per line; - for standard input. A file that is not in the current folder is looked for in the
    /// team's, and so is that of --except
    #[arg(long, value_name = "FILE")]
    inputs_from: Option<PathBuf>,
    /// Where relative inputs are found that are not in the current folder; itself seen from the team's folder
    #[arg(long, value_name = "DIR")]
    inputs_base: Option<PathBuf>,
    /// Leave out the inputs that this file lists
    #[arg(long, value_name = "FILE")]
    except: Option<PathBuf>,
    /// Give all inputs to one command
    #[arg(long)]
    together: bool,
    /// How long one command may take
    #[arg(long, value_name = "DURATION", default_value = "10s", value_parser = parse_duration)]
    timeout: Duration,
    /// How many inputs are run at the same time; as many as there are cores if not said
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..))]
    jobs: Option<u16>,
    /// Only run the inputs, and say which fail
    #[arg(long, conflicts_with = "dry_run")]
    run: bool,
    /// Only run the check of a task that this file has, since it is too long for a command line. One that is not in the
    /// current folder is looked for in the team's
    #[arg(long, value_name = "FILE", conflicts_with_all = ["inputs", "candidate", "inputs_from", "run", "dry_run", "sample"])]
    check_file: Option<PathBuf>,
    /// With --run, the share that is run, as in 10%; else the share that tasks name for a quick look (10% if not said)
    #[arg(long, value_name = "SHARE")]
    sample: Option<Share>,
    /// Whose sample: each name has another one, and always the same
    #[arg(long = "as", value_name = "NAME", requires = "sample", default_value = "human")]
    agent: AgentId,
    /// The most tasks that are added, the largest groups first
    #[arg(long, value_name = "N", default_value_t = 50)]
    tasks: usize,
    /// How long the smallest failure of a group is looked for: a number of tries, or a time; 0 for not at all
    #[arg(long, value_name = "LIMIT", default_value = "1m")]
    minimize_limit: ShrinkLimit,
    /// Show what would be added, and write nothing; smallest inputs are not looked for
    #[arg(long)]
    dry_run: bool,
    #[command(flatten)]
    commands: confinement::Commands,
}

impl Split {
    pub fn run(self, global: &Global, out: &mut Output) -> Result<Exit, Failure> {
        let folder = std::env::current_dir().map_err(|error| Failure::io("the current folder", &error))?;
        let known = global.folder().ok().or_else(TeamFolder::around_this_command);
        if let Some(file) = &self.check_file {
            return Err(run_check(&found_from(file, &folder, known.as_ref())));
        }
        let suite = Suite {
            candidate: self.candidate.clone().unwrap_or_default(),
            oracle: self.oracle.clone(),
            together: self.together,
            time_limit: self.timeout,
            environment: self.environment(&folder, known.as_ref())?,
            folder,
        };
        if !self.run {
            self.doubt_names(&suite.folder, known.as_ref(), out)?;
        }
        let inputs = self.inputs(&suite.folder, known.as_ref())?;
        if self.run {
            return self.only_run(&suite, inputs, out);
        }
        let team = if self.dry_run { known } else { Some(global.folder()?) };
        let queue = if team.is_some() { Some(global.open()?) } else { None };
        if let Some(queue) = queue.as_ref().filter(|_| suite.environment.sandbox().is_none()) {
            queue.team_log().set_unconfined();
        }
        let found = self.find(&suite, &inputs, queue.as_ref(), team.as_ref(), out)?;
        let team = team.unwrap_or_else(|| TeamFolder::of(&suite.folder));
        let commands = Commands::new(&self, &suite, &team, &inputs);
        let except = not_passed(&found.survey, &found.groups);
        let tasks = self.tasks(&suite, &team, &commands, &found, inputs.len(), &except)?;
        if let Some(queue) = queue.filter(|_| !self.dry_run) {
            commands.write_lists(&except)?;
            queue.add_tasks(&AgentId::human(), &tasks)?;
        }
        let gate = commands.gate(&except);
        let report = Report { found: &found, inputs: inputs.len(), gate: &gate, dry_run: self.dry_run };
        report.tell(self.tasks, out)?;
        Ok(Exit::Done)
    }

    /// What commands see: all that we see, but no key, and of files what the sandbox shows, the inputs among it.
    fn environment(&self, folder: &Path, team: Option<&TeamFolder>) -> Result<Environment, Failure> {
        let sandbox = self.commands.sandbox(team)?;
        let base = self.inputs_base(folder, team);
        let named = self.inputs.iter().map(PathBuf::from).filter(|input| input.is_absolute());
        let sandbox = base.into_iter().chain(named).fold(sandbox, Sandbox::reading);
        let variables = std::env::vars_os();
        let environment = variables.fold(Environment::default(), |all, (name, value)| all.with(name, value));
        Ok(environment.confined(sandbox))
    }

    /// All inputs that are meant.
    fn inputs(&self, folder: &Path, team: Option<&TeamFolder>) -> Result<Vec<String>, Failure> {
        let base = self.inputs_base(folder, team);
        let list = |file: &Path| read_list(&found_from(file, folder, team));
        let mut named = self.inputs.clone();
        if let Some(file) = &self.inputs_from {
            named.extend(parse_list(&list(file)?));
        }
        let mut inputs = collect(&named, folder, base.as_deref())?;
        if inputs.is_empty() {
            return Err(Failure::usage("no input is named")
                .hint("name files, folders or tests, or a list by --inputs-from"));
        }
        if let Some(file) = &self.except {
            let except = collect(&parse_list(&list(file)?), folder, base.as_deref())?;
            let except: BTreeSet<String> = except.into_iter().collect();
            inputs.retain(|input| !except.contains(input));
        }
        Ok(inputs)
    }

    /// Refuses an argument that is a path to nothing, and warns of one that may have been meant to be one: a task about
    /// a name that nobody meant helps nobody. Lists are taken as they are, and what checks call has been split before.
    fn doubt_names(&self, folder: &Path, team: Option<&TeamFolder>, out: &Output) -> Result<(), Failure> {
        let base = self.inputs_base(folder, team);
        let is_there = |name: &&String| {
            folder.join(name).exists() || base.as_ref().is_some_and(|base| base.join(name).exists())
        };
        let names: Vec<&String> = self.inputs.iter().filter(|name| !is_there(name)).collect();
        // `tests/a.py::test_x` is the name of a test.
        if let Some(path) = names.iter().find(|name| name.contains('/') && !name.contains("::")) {
            return Err(Failure::usage(format!("`{path}` is neither a file nor a folder")).hint(
                "a name that holds / is taken from a list: --inputs-from FILE, or - for standard input",
            ));
        }
        // Several, and none of them a file: these are names.
        if names.len() > 1 && names.len() == self.inputs.len() {
            return Ok(());
        }
        for name in names {
            let warning = format!("WARNING `{name}` is neither a file nor a folder: it is taken for a name");
            output::note(&warning, out.is_json());
        }
        Ok(())
    }

    /// Where inputs are found that the current folder does not have.
    fn inputs_base(&self, folder: &Path, team: Option<&TeamFolder>) -> Option<PathBuf> {
        let from = team.map_or(folder, TeamFolder::workspace);
        self.inputs_base.as_ref().map(|base| from.join(base))
    }

    fn jobs(&self) -> usize {
        let cores = || std::thread::available_parallelism().map_or(1, usize::from);
        self.jobs.map_or_else(cores, usize::from)
    }

    /// Runs the inputs and says which fail.
    fn only_run(&self, suite: &Suite, mut inputs: Vec<String>, out: &mut Output) -> Result<Exit, Failure> {
        if let Some(share) = self.sample {
            inputs = share.sample(self.agent.as_str(), &inputs);
        }
        let mut progress = Progress::new(out);
        let survey = until_interrupted(async |stop| {
            let told = |at| progress.show(&told(at));
            let survey = suite.survey(&inputs, self.jobs(), false, stop, told).await?;
            survey.ok_or_else(interrupt::failure)
        })?;
        drop(progress);
        tell_run(&survey, inputs.len(), out)?;
        let failed = inputs.len() - survey.passed;
        if failed == 0 {
            return Ok(Exit::Done);
        }
        out.flush()?;
        Err(Failure::refused(format!("{failed} of {} inputs did not pass", inputs.len())))
    }

    /// Runs everything, groups the failures, and makes them small.
    fn find(
        &self,
        suite: &Suite,
        inputs: &[String],
        queue: Option<&TaskQueue>,
        team: Option<&TeamFolder>,
        out: &Output,
    ) -> Result<Found, Failure> {
        let mut progress = Progress::new(out);
        let files = team.filter(|_| !self.dry_run).map(TeamFolder::split);
        until_interrupted(async |stop| {
            let survey = suite.survey(inputs, self.jobs(), true, stop, |at| progress.show(&told(at))).await?;
            let mut survey = survey.ok_or_else(interrupt::failure)?;
            if let Some(why) = survey.not_started() {
                return Err(Failure::usage(format!("nothing can be judged: {why}"))
                    .hint(format!("commands are run in {}", suite.folder.display())));
            }
            if suite.together
                && let Some(whole) = survey.failures.pop()
            {
                let told = |count| progress.show(&format!("found {count} smallest sets that fail"));
                survey.failures =
                    suite.shrink_sets(whole, self.tasks, self.minimize_limit, stop, told).await?;
                let failing: usize = survey.failures.iter().map(|failure| failure.inputs.len()).sum();
                survey.passed = inputs.len() - failing;
            }
            let groups = group(std::mem::take(&mut survey.failures));
            let options = PlanOptions {
                most: self.tasks,
                folder: files.as_deref(),
                limit: self.minimize_limit,
                jobs: self.jobs(),
            };
            let told =
                |done, of| progress.show(&format!("looked for the smallest input of {done} of {of} groups"));
            let plan = suite.plan(groups.clone(), queue, options, stop, told).await?;
            if stop.is_cancelled() {
                return Err(interrupt::failure());
            }
            Ok(Found { survey, groups, plan })
        })
    }

    /// The tasks to add; their lists are written.
    fn tasks(
        &self,
        suite: &Suite,
        team: &TeamFolder,
        commands: &Commands<'_>,
        found: &Found,
        total: usize,
        except: &[String],
    ) -> Result<Vec<agent_team::NewTask>, Failure> {
        let mut tasks = Vec::new();
        for Planned { group, place, shrunk } in &found.plan.planned {
            let Place::New(id) = place else { continue };
            let folder = team.split().join(id.as_str());
            let sets: Vec<Vec<String>> = if suite.together {
                group.failures.iter().map(|failure| failure.inputs.clone()).collect()
            } else {
                vec![group.inputs()]
            };
            let share = self.sample.unwrap_or(Share::TENTH);
            let named = commands.of_task(&folder, sets.len(), share, except);
            if !self.dry_run {
                commands.write_task(&folder, &sets)?;
            }
            tasks.push(task(suite, group, total, shrunk.as_ref(), &named).id(id.as_str()));
        }
        Ok(tasks)
    }
}

/// The inputs that did not pass, for whatever reason.
fn not_passed(survey: &Survey, groups: &[Group]) -> Vec<String> {
    let failed = groups.iter().flat_map(Group::inputs);
    let unjudged = survey.unjudged.iter().map(|(input, _)| input.clone());
    failed.chain(survey.unsteady.iter().cloned()).chain(unjudged).collect()
}

/// A list that checks and gates name: they run in checkouts, and the list is in the team's folder.
fn found_from(file: &Path, folder: &Path, team: Option<&TeamFolder>) -> PathBuf {
    match team {
        Some(team) if file != Path::new("-") && !folder.join(file).exists() => {
            let there = team.workspace().join(file);
            if there.exists() { there } else { file.to_owned() }
        }
        _ => file.to_owned(),
    }
}

/// Runs a check in the place of this process, so that its exit code is this one's. Returns only if it cannot be run.
fn run_check(file: &Path) -> Failure {
    if let Err(error) = std::fs::metadata(file) {
        return Failure::usage(format!("{}: {error}", file.display()));
    }
    Failure::io("cannot run sh", &Command::new("sh").arg("--").arg(file).exec())
}

fn read_list(file: &Path) -> Result<String, Failure> {
    if file == Path::new("-") {
        return read_text("-".to_owned());
    }
    std::fs::read_to_string(file).map_err(|error| Failure::usage(format!("{}: {error}", file.display())))
}

/// Does async work until Ctrl-C, which stops it.
fn until_interrupted<T>(
    work: impl AsyncFnOnce(&CancellationToken) -> Result<T, Failure>,
) -> Result<T, Failure> {
    let stop = CancellationToken::new();
    block_on(async {
        let work = work(&stop);
        tokio::pin!(work);
        tokio::select! {
            done = &mut work => return done,
            () = interrupt::interrupted() => stop.cancel(),
        }
        // The commands' processes end.
        work.await
    })
}

fn told(at: agent_team::split::SurveyProgress) -> String {
    format!("judged {} of {}, {} failed", at.judged, at.total, at.failed)
}
