//! `add`: adds tasks, one from the command line or many from a file.

use std::path::{Path, PathBuf};
use std::time::Duration;

use agent_team::{AgentId, NewTask, Role, Skill, TaskBudget, TaskId};
use clap::Args;
use serde_json::json;

use super::budget::WorkBudget;
use super::read_text;
use crate::cli::Global;
use crate::exit::{Exit, Failure};
use crate::output::Output;
use crate::time::{milliseconds, parse_duration};

/// The arguments of `add`.
#[derive(Debug, Args)]
#[command(
    about = "Add a task, or many from a file",
    long_about = "Add a task, or all tasks of a file or none of them. Prints the ids.\n\nA file of tasks has one JSON \
                  object per line with the fields `title`, `id`, `description`, `after` (an array of ids), `priority`, \
                  `role`, `skill`, `agent`, `attempts`, `backoff_ms`, `check`, `time_limit` (as in `15m`), `labels`, `parent`, \
                  `review`, `reviews`, `review_rounds`, `refute`, `plan`, `approver`, `allow_protected`, `delegate`, `team`, `budget` \
                  (an object with `usd`, `tokens`, `turns`, `time`); only the title or the description is needed. Tasks of one file may \
                  refer to each other in any direction.",
    after_help = "Examples:\n  agent-team add 'Write the parser' --id parse --check 'cargo test parse'\n  \
                  agent-team add 'Compare' --after a --after b --priority 2\n  \
                  agent-team add 'Rewrite it' --budget-usd 2 --budget-turns 60\n  \
                  agent-team add 'Long story' --description - < story.md\n  agent-team add --file tasks.jsonl"
)]
pub struct Add {
    /// One line for people; it may be the whole task
    #[arg(required_unless_present = "file", conflicts_with = "file")]
    title: Option<String>,
    /// Add the tasks of this file, one JSON object per line; - for standard input
    #[arg(long, value_name = "FILE", conflicts_with = "WorkBudget")]
    file: Option<PathBuf>,
    #[command(flatten)]
    wishes: Wishes,
    #[command(flatten)]
    budget: WorkBudget,
}

/// What a task from the command line may ask for.
#[derive(Debug, Args)]
#[group(conflicts_with = "file", multiple = true)]
struct Wishes {
    /// The id; a short one is made if there is none
    #[arg(long)]
    id: Option<TaskId>,
    /// The whole text for whoever does it; - for standard input
    #[arg(long, short, value_name = "TEXT")]
    description: Option<String>,
    /// A task that must be completed first (repeat it, or separate by commas)
    #[arg(long, value_name = "ID", value_delimiter = ',')]
    after: Vec<TaskId>,
    /// Higher goes first
    #[arg(long, value_name = "N", default_value_t = 0, allow_negative_numbers = true)]
    priority: i32,
    /// Only agents of this role may take it: lead, worker, reviewer or specialist
    #[arg(long)]
    role: Option<Role>,
    /// Only agents with this skill may take it
    #[arg(long)]
    skill: Option<Skill>,
    /// Only this agent may take it
    #[arg(long, value_name = "NAME")]
    agent: Option<AgentId>,
    /// How many attempts may fail before it fails for good (3 if not said)
    #[arg(long, value_name = "N")]
    attempts: Option<u32>,
    /// The wait after the first failed attempt; it doubles with each further one (1s if not said)
    #[arg(long, value_name = "DURATION", value_parser = parse_duration)]
    backoff: Option<Duration>,
    /// The shell command that proves the result: it must exit with 0
    #[arg(long, value_name = "COMMAND")]
    check: Option<String>,
    /// How long one attempt may take
    #[arg(long, value_name = "DURATION", value_parser = parse_duration)]
    time_limit: Option<Duration>,
    /// A word to find it by (repeat it, or separate by commas)
    #[arg(long, value_delimiter = ',')]
    label: Vec<String>,
    /// The task that it is a part of
    #[arg(long, value_name = "ID")]
    parent: Option<TaskId>,
    /// Someone other than the author must approve the result
    #[arg(long)]
    review: bool,
    /// So many reviewers must approve the result (1 if not said); asks for a review
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    reviews: Option<u32>,
    /// How often reviewers may send it back before the human must judge it (3 if not said)
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    review_rounds: Option<u32>,
    /// Reviewers are asked to try to refute the result; asks for a review
    #[arg(long)]
    refute: bool,
    /// Its plan must be approved before anything is changed for it
    #[arg(long)]
    plan: bool,
    /// Who approves its plan, besides the human; a lead if not said. Asks for a plan
    #[arg(long, value_name = "NAME")]
    approver: Option<AgentId>,
    /// It may change the files that the team protects
    #[arg(long)]
    allow_protected: bool,
    /// A lead splits it into parts, and delivers it when they are done
    #[arg(long)]
    delegate: bool,
    /// Only this lead and the members of its team may take it
    #[arg(long, value_name = "LEAD")]
    for_team: Option<AgentId>,
}

impl Add {
    pub fn run(self, global: &Global, out: &mut Output) -> Result<Exit, Failure> {
        let queue = global.open_with_hooks(out)?;
        let tasks = match &self.file {
            Some(file) => read_tasks(file)?,
            None => vec![self.wishes.task(self.title.unwrap_or_default(), self.budget)?],
        };
        let ids = queue.add_tasks(&AgentId::human(), &tasks)?;
        tell(&ids, out)
    }
}

/// Says which tasks were added.
pub fn tell(ids: &[TaskId], out: &mut Output) -> Result<Exit, Failure> {
    out.answer(&json!({ "ids": ids }), |out| ids.iter().try_for_each(|id| out.line(id.as_str())))?;
    Ok(Exit::Done)
}

impl Wishes {
    fn task(self, title: String, budget: WorkBudget) -> Result<NewTask, Failure> {
        Ok(NewTask {
            asked_by: None,
            goal: None,
            title,
            id: self.id.map(String::from),
            description: self.description.map(read_text).transpose()?.unwrap_or_default(),
            after: self.after.into_iter().map(String::from).collect(),
            priority: self.priority,
            role: self.role,
            skill: self.skill.map(String::from),
            agent: self.agent.map(String::from),
            attempts: self.attempts,
            backoff_ms: self.backoff.map(milliseconds),
            check: self.check,
            time_limit: self.time_limit,
            labels: self.label,
            parent: self.parent.map(String::from),
            review: self.review,
            reviews: self.reviews,
            review_rounds: self.review_rounds,
            refute: self.refute,
            plan: self.plan,
            approver: self.approver.map(String::from),
            allow_protected: self.allow_protected,
            delegate: self.delegate,
            team: self.for_team.map(String::from),
            budget: TaskBudget {
                micro_usd: budget.budget_usd,
                tokens: budget.budget_tokens,
                turns: budget.budget_turns,
                time: budget.budget_time,
            },
        })
    }
}

/// The tasks of a file. Errors name the file, the line, the column and the field.
fn read_tasks(file: &Path) -> Result<Vec<NewTask>, Failure> {
    let (name, text) = if file == Path::new("-") {
        ("standard input".to_owned(), read_text("-".to_owned())?)
    } else {
        let name = file.display().to_string();
        let text =
            std::fs::read_to_string(file).map_err(|error| Failure::usage(format!("{name}: {error}")))?;
        (name, text)
    };
    NewTask::parse_lines(&text)
        .map_err(|error| Failure::usage(format!("{name}:{error}")).hint("no task was added"))
}
