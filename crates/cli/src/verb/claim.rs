//! `claim`: takes a task, and waits for one if asked to.

use std::time::Duration;

use agent_team::view::TaskView;
use agent_team::{
    AgentId, ClaimOptions, Claimed, Error, Holder, Refusal, TaskId, TaskQueue, Waited, holder_of_process,
};
use clap::Args;
use serde::Serialize;

use crate::cli::Global;
use crate::exit::{Exit, Failure};
use crate::interrupt::{self, block_on};
use crate::output::Output;
use crate::task_text::{self, full};
use crate::time::{milliseconds, parse_duration};

/// How long a claim lasts without a renewal, if nothing else is said.
pub const LEASE: Duration = Duration::from_secs(15 * 60);

const LONG_ABOUT: &str = "\
Take the best task that fits, or a certain one, and print it. The name joins the team as a worker if it is not a member.

The first line has three fields between tabs: the task's id, the claim's token, the title. Then comes, after an empty \
line, all that is known of the task, to be read or handed on as a prompt. With --json one object: `id`, `token`, \
`title`, `description` (all of it), `attempt`, `check`, `feedback` (what went wrong before), `dependencies` (each with \
`id`, `title` and `result`), and what `show --json` has besides.

This command ends at once, so its claim lives by a lease (15 minutes if not said; `renew` begins it anew), or by the \
process that --pid names: when that ends, the task is free for others at once, and a wait for one ends, too. Whoever completes the task should name \
the token, by --token or $AGENT_TEAM_TOKEN.

Exit codes: 0 with a task; 3 when there is none right now; 4 when none will come; 124 when --timeout is over.";

const AFTER_HELP: &str = "\
Examples:
  agent-team claim --as worker-1
  agent-team claim parse --as worker-1 --lease 1h
  agent-team claim --as worker-1 --wait --timeout 10m --json

A worker in a shell:
  while task=$(agent-team claim --as worker-1 --wait --pid $$); do
      IFS=$(printf '\\t') read -r id token title <<EOF
  $task
  EOF
      agent-team complete \"$id\" --as worker-1 --token \"$token\" --result \"did: $title\"
  done";

/// The arguments of `claim`.
#[derive(Debug, Args)]
#[command(about = "Take a task", long_about = LONG_ABOUT, after_help = AFTER_HELP)]
pub struct Claim {
    /// A certain task; otherwise the best that fits
    id: Option<TaskId>,
    /// Who takes it
    #[arg(long = "as", value_name = "NAME")]
    agent: AgentId,
    /// Wait while work may still come
    #[arg(long)]
    wait: bool,
    /// Wait at most this long (and so wait)
    #[arg(long, value_name = "DURATION", value_parser = parse_duration)]
    timeout: Option<Duration>,
    /// How long the claim lasts without a renewal
    #[arg(long, value_name = "DURATION", value_parser = parse_duration)]
    lease: Option<Duration>,
    /// The claim lasts as long as this process, without a lease unless --lease is said too
    #[arg(long)]
    pid: Option<u32>,
}

#[derive(Serialize)]
struct Json<'a> {
    #[serde(flatten)]
    task: &'a TaskView,
    dependencies: &'a [Dependency],
}

/// A task that had to be completed first, with what came out.
#[derive(Serialize)]
struct Dependency {
    id: TaskId,
    title: String,
    result: String,
}

impl Claim {
    pub fn run(self, global: &Global, out: &mut Output) -> Result<Exit, Failure> {
        let holder = self.holder()?;
        let queue = global.open_with_hooks(out)?;
        queue.join_as_worker(&self.agent, "shell")?;
        queue.works_by(&self.agent, &holder);
        let options = ClaimOptions { task: self.id.clone(), holder: Some(holder.into()) };
        let claimed = if self.wait || self.timeout.is_some() {
            block_on(self.wait(&queue, &options))?
        } else {
            queue.claim(&self.agent, &options).or_else(|error| self.no_work(&queue, error))?
        };
        tell(&queue, claimed, out)
    }

    /// A refusal, with what there is instead if nothing fits now.
    fn no_work(&self, queue: &TaskQueue, error: Error) -> Result<Claimed, Failure> {
        let is_nothing = matches!(error.refusal(), Some(Refusal::NothingNow { .. }));
        let failure = Failure::from(error);
        Err(if is_nothing { failure.hint(queue.why_idle(&self.agent)?) } else { failure })
    }

    fn holder(&self) -> Result<Holder, Failure> {
        let mut holder = match self.pid {
            Some(pid) => holder_of_process(pid)?,
            None => Holder { lease_ms: Some(milliseconds(LEASE)), ..Holder::default() },
        };
        holder.lease_ms = self.lease.map(milliseconds).or(holder.lease_ms);
        Ok(holder)
    }

    async fn wait(&self, queue: &TaskQueue, options: &ClaimOptions) -> Result<Claimed, Failure> {
        let waited = tokio::select! {
            waited = queue.claim_when_ready(&self.agent, options, self.timeout) => waited?,
            () = interrupt::interrupted() => return Err(interrupt::failure()),
        };
        match waited {
            Waited::Claimed(claimed) => Ok(*claimed),
            Waited::NothingEver(reason) => {
                Err(Failure::new(Exit::NoWork, format!("no work will come for {}: {reason}", self.agent)))
            }
            Waited::TimedOut => {
                Err(Failure::new(Exit::TimedOut, format!("no work for {} in time", self.agent)))
            }
        }
    }
}

/// Tells whoever claimed a task all that is known of it.
pub fn tell(queue: &TaskQueue, claimed: Claimed, out: &mut Output) -> Result<Exit, Failure> {
    let dependencies = dependencies(queue, &claimed.task)?;
    let task = task_text::in_full(queue, claimed.task);
    out.answer(&Json { task: &task, dependencies: &dependencies }, |out| {
        out.tabbed(&[task.id.as_str(), &claimed.token.to_string(), &task.title])?;
        print(&task, &dependencies, out)
    })?;
    Ok(Exit::Done)
}

fn dependencies(queue: &TaskQueue, task: &TaskView) -> Result<Vec<Dependency>, Failure> {
    let known = task.after.iter().map(|id| {
        let known = queue.get_task(id)?;
        let result = known.result.as_ref().map(|result| task_text::whole(queue, result));
        Ok(Dependency { id: known.id, title: known.title, result: result.unwrap_or_default() })
    });
    known.collect()
}

/// The task as whoever does it wants to read it.
fn print(task: &TaskView, dependencies: &[Dependency], out: &mut Output) -> std::io::Result<()> {
    let section = |out: &mut Output, head: &str, text: &str| {
        if text.is_empty() {
            return Ok(());
        }
        out.line("")?;
        out.line(head)?;
        out.block("", text)
    };
    section(out, &task.title, &full(&task.description))?;
    section(out, "It is proved by this command:", task.check.as_deref().unwrap_or_default())?;
    for dependency in dependencies {
        section(out, &format!("Result of {} ({}):", dependency.id, dependency.title), &dependency.result)?;
    }
    for feedback in &task.feedback {
        let head = format!(
            "Attempt {} by {} went wrong ({}):",
            feedback.attempt,
            feedback.agent,
            feedback.cause.as_str()
        );
        section(out, &head, &full(&feedback.text))?;
    }
    Ok(())
}
