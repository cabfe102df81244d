//! `plan`: shows, submits and judges plans.

use std::str::FromStr;

use agent_team::view::{PlanView, TaskView};
use agent_team::{AgentId, RecordId, TaskId, TaskQueue, Verdict, is_called_by_hook};
use clap::{Args, Subcommand};
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::json;

use super::{read_text, words};
use crate::cli::Global;
use crate::exit::{Exit, Failure};
use crate::operation::{Actor, Holder, Operation, parsed_if_any};
use crate::output::{Cell, Output, Paint};
use crate::{task_text, time};

/// The arguments of `plan`.
#[derive(Debug, Args)]
#[command(
    about = "Show, submit, approve or reject plans",
    long_about = "Where a task or an agent asks for it (`add --plan`, `agent add --plan`), nothing is changed before the \
                  plan was approved: by the human, by the agent that the task names, or else by a lead, and never by its \
                  author. An approval is of exactly the text that was read, so another plan than the first is named by its number; \
                  nothing is approved by time.",
    after_help = "Examples:\n  agent-team plan list\n  agent-team plan show parse\n  agent-team plan approve parse\n  \
                  agent-team plan approve parse --plan 2\n  agent-team plan reject parse 'Keep the public API'\n  \
                  agent-team plan submit parse 'First the lexer, ...' --as worker-1"
)]
pub struct Plan {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, Subcommand)]
enum What {
    /// The plans that wait to be judged
    List,
    /// The newest plan for a task, and what was said to it
    Show {
        /// The task
        id: TaskId,
    },
    /// Let the work begin
    Approve {
        /// The task
        id: TaskId,
        /// A word to the author; - for standard input
        text: Option<String>,
        #[command(flatten)]
        judge: Judge,
    },
    /// Ask for another plan
    Reject {
        /// The task
        id: TaskId,
        /// What is to be changed; - for standard input
        text: String,
        #[command(flatten)]
        judge: Judge,
    },
    /// Say how you mean to do the task that you hold
    Submit {
        #[command(flatten)]
        operation: SubmitPlan,
        #[command(flatten)]
        holder: Holder,
    },
}

/// How somebody means to do a task.
#[derive(Debug, Args, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct SubmitPlan {
    /// The task
    #[schemars(with = "String")]
    id: TaskId,
    /// The plan; - for standard input
    #[schemars(description = "The plan")]
    #[serde(alias = "plan")]
    text: String,
}

/// What somebody says to a plan, as a session says it.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct JudgePlan {
    /// The task; without one, the plans are listed that wait to be judged
    #[schemars(with = "Option<String>")]
    id: Option<TaskId>,
    /// Whether the work may begin; leave it out to read the plan
    approve: Option<bool>,
    /// What is to be changed, or a word to the author
    #[serde(default)]
    text: String,
    /// The plan that was read, by its number or its id. Needed to approve another one than the first
    #[serde(default, deserialize_with = "parsed_if_any")]
    #[schemars(with = "Option<String>")]
    plan: Option<Read>,
}

#[derive(Debug, Args)]
struct Judge {
    /// Who judges
    #[arg(long = "as", value_name = "NAME", default_value = "human")]
    agent: AgentId,
    /// The plan that was read, by its number or its id: refused if another one waits by now. Needed to approve another
    /// one than the first
    #[arg(long = "plan", value_name = "PLAN")]
    plan: Option<Read>,
}

/// The plan that somebody has read.
#[derive(Debug, Clone, Copy)]
enum Read {
    /// As so many-th for its task.
    Round(u32),
    Id(RecordId),
}

impl FromStr for Read {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let id = || text.parse().map(Self::Id).ok();
        text.parse()
            .map(Self::Round)
            .ok()
            .or_else(id)
            .ok_or_else(|| "name a plan by its number or its id".to_owned())
    }
}

impl Plan {
    pub fn run(self, global: &Global, out: &mut Output) -> Result<Exit, Failure> {
        if matches!(self.what, What::Approve { .. }) && is_called_by_hook() {
            return Err(Failure::refused("a hook approves no plan")
                .hint("let it say no, and approve by yourself: agent-team plan approve"));
        }
        let queue = match self.what {
            What::List | What::Show { .. } => global.open()?,
            What::Approve { .. } | What::Reject { .. } | What::Submit { .. } => {
                global.open_with_hooks(out)?
            }
        };
        match self.what {
            What::List => list(&queue, out),
            What::Show { id } => show(&queue, &id, out),
            What::Approve { id, text, judge } => {
                let text = text.map(read_text).transpose()?.unwrap_or_default();
                let judgement = JudgePlan { id: Some(id), approve: Some(true), text, plan: judge.plan };
                judgement.perform(&Actor::named(&queue, &judge.agent, None), out)
            }
            What::Reject { id, text, judge } => {
                let text = read_text(text)?;
                let judgement = JudgePlan { id: Some(id), approve: Some(false), text, plan: judge.plan };
                judgement.perform(&Actor::named(&queue, &judge.agent, None), out)
            }
            What::Submit { operation, holder } => {
                let text = read_text(operation.text)?;
                holder.perform(SubmitPlan { text, ..operation }, &queue, out)
            }
        }
    }
}

impl Operation for SubmitPlan {
    const TOOL: &'static str = "submit_plan";
    const ABOUT: &'static str = "Say how you mean to do the task that you hold. Where a task wants a plan, nothing can be \
                                 delivered before somebody else has approved it.";

    fn perform(self, by: &Actor<'_>, out: &mut Output) -> Result<Exit, Failure> {
        let plan = words(self.text, "how you mean to do it")?;
        by.queue.submit_plan(by.claim(&self.id)?, by.agent()?, plan)?;
        show(by.queue, &self.id, out)
    }
}

impl Operation for JudgePlan {
    const TOOL: &'static str = "judge_plan";
    const ABOUT: &'static str = "Read plans that wait, and approve or reject one: for a lead, or whom the task names, and \
                                 never for its author.";
    const LIST: &'static str = "plans";

    fn perform(self, by: &Actor<'_>, out: &mut Output) -> Result<Exit, Failure> {
        let Some(id) = &self.id else { return list(by.queue, out) };
        let Some(approves) = self.approve else { return show(by.queue, id, out) };
        let verdict = match approves {
            true => Verdict::Approved(self.text),
            false => Verdict::ChangesRequested(words(self.text, "what is to be changed")?),
        };
        let read = read(by.queue, id, self.plan, approves)?;
        by.queue.judge_plan(by.agent()?, id, read, verdict)?;
        show(by.queue, id, out)
    }
}

/// The plan that is judged. An approval is of the text that was read: whoever names none means the first, as long as
/// there was no other.
fn read(
    queue: &TaskQueue,
    id: &TaskId,
    named: Option<Read>,
    approves: bool,
) -> Result<Option<RecordId>, Failure> {
    if let Some(Read::Id(plan)) = named {
        return Ok(Some(plan));
    }
    let waiting = queue.plan(id)?.filter(|plan| plan.approved.is_none());
    // Why none can be judged is said by the rules.
    let Some(plan) = waiting else { return Ok(None) };
    let hint = format!(
        "read it: agent-team plan show {id}; then judge it: agent-team plan approve {id} --plan {}",
        plan.round
    );
    match named {
        Some(Read::Round(round)) if round != plan.round => {
            let words = format!("plan {} of task `{id}` waits by now, not plan {round}", plan.round);
            Err(Failure::refused(words).hint(hint))
        }
        None if approves && plan.round > 1 => {
            let words =
                format!("plan {} of task `{id}` waits: say that it is the one you have read", plan.round);
            Err(Failure::refused(words).hint(hint))
        }
        _ => Ok(Some(plan.id)),
    }
}

fn list(queue: &TaskQueue, out: &mut Output) -> Result<Exit, Failure> {
    let plans = queue.open_plans()?;
    let view = |(id, plan, held): &(TaskId, PlanView, bool)| json!({ "task": id, "plan": whole(queue, plan), "held": held });
    let value = plans.iter().map(view).collect::<Vec<_>>();
    let row = |(id, plan, held): &(TaskId, PlanView, bool)| -> Vec<Cell> {
        let text = plan.text.preview();
        let first = text.lines().next().unwrap_or_default();
        let note = if *held { "" } else { "nobody holds the task: the next run goes on with the verdict" };
        vec![
            id.as_str().into(),
            plan.author.as_str().into(),
            time::ago(plan.at_ms).into(),
            first.into(),
            Cell::painted(note, Some(Paint::Faint)),
        ]
    };
    out.answer(&value, |out| out.table(&plans.iter().map(row).collect::<Vec<_>>()))?;
    Ok(Exit::Done)
}

fn show(queue: &TaskQueue, id: &TaskId, out: &mut Output) -> Result<Exit, Failure> {
    let task = queue.get_task(id)?;
    let Some(plan) = &task.plan else {
        let failure = Failure::refused(format!("there is no plan for task `{id}`"));
        let wanted = format!("it wants one, which {} approves", task_text::approvers(&task));
        return Err(if task.wants_plan { failure.hint(wanted) } else { failure });
    };
    let value = json!({ "task": id, "plan": whole(queue, plan), "approver": task.approver });
    out.answer(&value, |out| print(queue, &task, plan, out))?;
    Ok(Exit::Done)
}

fn print(queue: &TaskQueue, task: &TaskView, plan: &PlanView, out: &mut Output) -> std::io::Result<()> {
    let id = &task.id;
    let (word, paint) = match plan.approved {
        None => ("waits to be judged", Paint::Warning),
        Some(true) => ("approved", Paint::Good),
        Some(false) => ("rejected", Paint::Bad),
    };
    let by = plan.judged_by.as_ref().map(|by| format!(" by {by}")).unwrap_or_default();
    let head = format!("{id}: plan {} by {}, {word}{by}", plan.round, plan.author);
    out.painted(&head, Some(paint))?;
    out.line(&format!("  id    {}", plan.id))?;
    out.line(&format!("  hash  {}", plan.hash))?;
    if plan.approved.is_none() {
        out.line(&format!("  for   {}", task_text::approvers(task)))?;
    }
    if plan.approved.is_none() && !out.is_kept() {
        out.line(&format!("  yes   agent-team plan approve {id} --plan {}", plan.round))?;
        out.line(&format!("  no    agent-team plan reject {id} 'WHAT IS TO BE CHANGED'"))?;
    }
    out.line("")?;
    out.block("  ", &task_text::whole(queue, &plan.text))?;
    if let Some(feedback) = plan.feedback.as_ref().filter(|feedback| !feedback.is_empty()) {
        out.line("")?;
        out.line("feedback:")?;
        out.block("  ", &task_text::whole(queue, feedback))?;
    }
    Ok(())
}

/// The plan with its texts in full.
fn whole(queue: &TaskQueue, plan: &PlanView) -> PlanView {
    let mut plan = plan.clone();
    plan.text = task_text::whole(queue, &plan.text).into();
    plan.feedback = plan.feedback.map(|feedback| task_text::whole(queue, &feedback).into());
    plan
}
