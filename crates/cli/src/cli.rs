//! The arguments that all verbs share, the list of verbs, and the way from arguments to an exit code.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use agent_team::command::{Environment, sweep_with};
use agent_team::{Durability, TaskQueue, TeamFolder, TeamLog};
use clap::error::ErrorKind;
use clap::{Args, Parser, Subcommand, ValueEnum};

use crate::exit::{Exit, Failure};
use crate::hooks;
use crate::output::Output;
use crate::verb;

/// What stands under `agent-team --help`.
const AFTER_HELP: &str = "\
The team is found by walking up from the current folder to one that holds `.agent-team`, as git finds its repository.

Exit codes:
  0    done
  1    something broke
  2    the command line is wrong
  3    refused: the team's state does not allow it, nothing is broken
  4    no work will come (claim)
  5    a run ended with failed or blocked tasks
  124  time was over
  130  interrupted

Results go to standard output. What went wrong goes to standard error: one line `ERROR ...` and, where \
there is something to do, one line `  hint: ...`; with --json one object with `error`, `hint` and `code`.

Examples:
  agent-team init
  agent-team add 'Write the parser' --id parse
  agent-team add 'Test the parser' --after parse
  agent-team claim --as worker-1 --wait --json
  agent-team status";

/// Many LLM agents at work in parallel on shared tasks, without losing work or doing it twice.
#[derive(Debug, Parser)]
#[command(name = "agent-team", version, after_help = AFTER_HELP, subcommand_required = true)]
pub struct Cli {
    #[command(flatten)]
    pub global: Global,
    #[command(subcommand)]
    pub verb: Verb,
}

/// What every verb understands.
#[derive(Debug, Args)]
pub struct Global {
    /// Print JSON for programs instead of text for people
    #[arg(long, global = true, help_heading = "Everywhere")]
    pub json: bool,
    /// When to use colours; NO_COLOR is honoured
    #[arg(
        long,
        global = true,
        value_enum,
        default_value_t,
        value_name = "WHEN",
        help_heading = "Everywhere"
    )]
    pub color: ColorWhen,
    /// Look for the team from this folder upwards instead of the current one
    #[arg(short = 'C', long = "team", global = true, value_name = "DIR", help_heading = "Everywhere")]
    pub team: Option<PathBuf>,
}

/// When colours are used.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum)]
pub enum ColorWhen {
    /// On a terminal, unless NO_COLOR is set
    #[default]
    Auto,
    /// Always
    Always,
    /// Never
    Never,
}

/// What can be done.
#[derive(Debug, Subcommand)]
pub enum Verb {
    Init(verb::init::Init),
    Run(verb::run::Run),
    Demo(verb::demo::Demo),
    Add(verb::add::Add),
    Split(verb::split::Split),
    List(verb::list::List),
    Show(verb::show::Show),
    Diff(verb::diff::Diff),
    Graph(verb::graph::Graph),
    Report(verb::report::Report),
    Web(verb::web::Web),
    Status(verb::status::Status),
    Watch(verb::watch::Watch),
    Claim(verb::claim::Claim),
    Complete(verb::complete::Complete),
    Fail(verb::fail::Fail),
    Renew(verb::renew::Renew),
    Release(verb::release::Release),
    HandOut(verb::hand_out::HandOut),
    Retry(verb::retry::Retry),
    Cancel(verb::cancel::Cancel),
    Set(verb::set::Set),
    Reassign(verb::reassign::Reassign),
    Verify(verb::verify::Verify),
    Plan(verb::plan::Plan),
    Review(verb::review::Review),
    Say(verb::say::Say),
    Interrupt(verb::say::Interrupt),
    Pause(verb::pause::Pause),
    Resume(verb::pause::Resume),
    Stop(verb::pause::Stop),
    Answer(verb::answer::Answer),
    Send(verb::send::Send),
    Inbox(verb::inbox::Inbox),
    Join(verb::join::Join),
    Leave(verb::leave::Leave),
    Agent(verb::agent::Agent),
    Note(verb::note::Note),
    Reserve(verb::reserve::Reserve),
    Budget(verb::budget::Budget),
    Mcp(verb::mcp::Mcp),
    Relay(verb::relay::Relay),
    Trust(verb::trust::Trust),
    Log(verb::log::Log),
    Doctor(verb::doctor::Doctor),
    Doorway(verb::doorway::Doorway),
    Sweep(verb::sweep::Sweep),
    Completions(verb::completions::Completions),
}

impl Verb {
    pub fn run(self, global: &Global, out: &mut Output) -> Result<Exit, Failure> {
        match self {
            Self::Init(verb) => verb.run(global, out),
            Self::Run(verb) => verb.run(global, out),
            Self::Demo(verb) => verb.run(global, out),
            Self::Add(verb) => verb.run(global, out),
            Self::Split(verb) => verb.run(global, out),
            Self::List(verb) => verb.run(global, out),
            Self::Show(verb) => verb.run(global, out),
            Self::Diff(verb) => verb.run(global, out),
            Self::Graph(verb) => verb.run(global, out),
            Self::Report(verb) => verb.run(global, out),
            Self::Web(verb) => verb.run(global, out),
            Self::Status(verb) => verb.run(global, out),
            Self::Watch(verb) => verb.run(global, out),
            Self::Claim(verb) => verb.run(global, out),
            Self::Complete(verb) => verb.run(global, out),
            Self::Fail(verb) => verb.run(global, out),
            Self::Renew(verb) => verb.run(global, out),
            Self::Release(verb) => verb.run(global, out),
            Self::HandOut(verb) => verb.run(global, out),
            Self::Retry(verb) => verb.run(global, out),
            Self::Cancel(verb) => verb.run(global, out),
            Self::Set(verb) => verb.run(global, out),
            Self::Reassign(verb) => verb.run(global, out),
            Self::Verify(verb) => verb.run(global, out),
            Self::Plan(verb) => verb.run(global, out),
            Self::Review(verb) => verb.run(global, out),
            Self::Say(verb) => verb.run(global, out),
            Self::Interrupt(verb) => verb.run(global, out),
            Self::Pause(verb) => verb.run(global, out),
            Self::Resume(verb) => verb.run(global, out),
            Self::Stop(verb) => verb.run(global, out),
            Self::Answer(verb) => verb.run(global, out),
            Self::Send(verb) => verb.run(global, out),
            Self::Inbox(verb) => verb.run(global, out),
            Self::Join(verb) => verb.run(global, out),
            Self::Leave(verb) => verb.run(global, out),
            Self::Agent(verb) => verb.run(global, out),
            Self::Note(verb) => verb.run(global, out),
            Self::Reserve(verb) => verb.run(global, out),
            Self::Budget(verb) => verb.run(global, out),
            Self::Mcp(verb) => verb.run(global, out),
            Self::Relay(verb) => verb.run(global, out),
            Self::Trust(verb) => verb.run(global, out),
            Self::Log(verb) => verb.run(global, out),
            Self::Doctor(verb) => verb.run(global, out),
            Self::Doorway(verb) => verb.run(global, out),
            Self::Sweep(verb) => verb.run(global, out),
            Self::Completions(verb) => verb.run(global, out),
        }
    }
}

impl Global {
    /// Where the search for the team begins.
    pub fn start(&self) -> &Path {
        self.team.as_deref().unwrap_or(Path::new("."))
    }

    /// The folder of the team that is meant.
    pub fn folder(&self) -> Result<TeamFolder, Failure> {
        Ok(TeamFolder::find(self.start())?)
    }

    /// The team that is meant.
    pub fn open(&self) -> Result<TaskQueue, Failure> {
        let team_log = TeamLog::open(&self.folder()?)?;
        // What is said by this command is written for long.
        team_log.hide(Environment::of_this_process().secrets());
        Ok(TaskQueue::over(team_log))
    }

    /// The team that is meant, for a verb that brings something about which its hooks are asked.
    pub fn open_with_hooks(&self, out: &Output) -> Result<TaskQueue, Failure> {
        let queue = self.open()?;
        hooks::set(queue.team_log(), out)?;
        Ok(queue)
    }

    /// The team of exactly this folder, made if it is not there.
    pub fn open_or_create(folder: &TeamFolder) -> Result<TaskQueue, Failure> {
        Ok(TaskQueue::over(TeamLog::open_or_create(folder, Durability::default())?))
    }
}

/// Does what the command line says.
pub fn run() -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => return misunderstood(&error),
    };
    let mut out = Output::new(&cli.global);
    if let Ok(program) = std::env::current_exe() {
        sweep_with(program);
    }
    let outcome = cli.verb.run(&cli.global, &mut out);
    let flushed = out.flush().map_err(Failure::from);
    let exit = match outcome.and_then(|exit| flushed.map(|()| exit)) {
        Ok(exit) => exit,
        Err(failure) => failure.tell(cli.global.json),
    };
    exit.into()
}

/// Help that was asked for, or what is wrong with the command line.
fn misunderstood(error: &clap::Error) -> ExitCode {
    if matches!(error.kind(), ErrorKind::DisplayHelp | ErrorKind::DisplayVersion) {
        // A reader that is gone (`--help | head -1`) has read what it wanted.
        let _ = error.print();
        return Exit::Done.into();
    }
    let json = std::env::args_os().any(|argument| argument == "--json");
    if error.kind() == ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand && !json {
        eprintln!("{}", error.render());
        return Exit::Usage.into();
    }
    // The first paragraph says what is wrong, the others what would be right.
    let text = error.render().to_string();
    let (wrong, right) = text.split_once("\n\n").unwrap_or((&text, ""));
    let wrong = wrong.strip_prefix("error: ").unwrap_or(wrong);
    let exit = Failure::usage(wrong.split_whitespace().collect::<Vec<_>>().join(" ")).tell(json);
    if !json {
        eprint!("{right}");
    }
    exit.into()
}
