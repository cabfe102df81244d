//! The tools with which a lead changes what it planned, and waits for the parts of its task.
//!
//! They reach as far as the lead's task does: within a delegated task its parts, elsewhere what is no part of another
//! lead's task. A lead whose claim is over changes nothing.

use std::marker::PhantomData;

use agent_team_core::machine::{Feedback, State, Status, Task};
use async_trait::async_trait;
use schemars::JsonSchema;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

use super::Context;
use super::helping::is_agreed_on;
use super::lead_changes::{CancelTaskInput, Change, ChangeTaskInput, ReplaceTaskInput, RetryTaskInput};
use super::proposing::Proposes;
use crate::model::ToolSpec;
use crate::team_log::blocking;
use crate::tools::{Ending, Tool, ToolContext, ToolOutput, Toolbox, parse_input, spec_of};
use crate::{Error, Refusal, Role, Stage, TaskId};

/// What a lead's task is, as far as its tools depend on it.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Leading {
    /// It splits the task and waits for the parts.
    Delegated,
    /// It plans a failure anew.
    Replan,
}

impl Context {
    /// What the agent leads by the task that it works on; nothing if it does not.
    pub(super) fn leading(&self) -> Option<Leading> {
        if self.role != Role::Lead {
            return None;
        }
        self.queue.team_log().look_at_known(|state| {
            let (task, claim) = state.live_claim(self.token).ok()?;
            let spec = Some(&task.spec).filter(|_| claim.stage == Stage::Work)?;
            let delegated = spec.delegate.then_some(Leading::Delegated);
            delegated.or_else(|| spec.replans.is_some().then_some(Leading::Replan))
        })
    }

    /// Whether the agent makes more tasks of a goal that is not proved.
    pub(super) fn plans_on(&self) -> bool {
        let held = |state: &State| state.live_claim(self.token).is_ok_and(|(task, _)| task.spec.plans_on());
        self.queue.team_log().look_at_known(held)
    }

    /// Whether the agent's task was to have its tasks approved: those that it proposed are all that it may add. Who splits a
    /// delegated task goes on with that.
    pub(super) fn has_proposed(&self) -> bool {
        self.queue.team_log().look_at_known(|state| {
            state.live_claim(self.token).is_ok_and(|(task, _)| task.spec.plan && !task.spec.delegate)
        })
    }

    /// The tool by which the agent has a plan of its task approved.
    pub(super) fn proposes_by(&self) -> &'static str {
        match (self.role, self.leading()) {
            (Role::Lead, Some(Leading::Replan)) => Proposes::PlanAnew.tool(),
            (Role::Lead, _) => Proposes::AddTasks.tool(),
            _ => "submit_plan",
        }
    }

    /// Whether somebody has agreed to the tasks of which the agent's is one: nothing is added to those unseen.
    pub(super) fn is_agreed_on(&self) -> bool {
        self.queue.team_log().look_at_known(|state| {
            state.live_claim(self.token).is_ok_and(|(task, _)| is_agreed_on(state, task))
        })
    }

    /// Whether the agent was to make tasks of a goal, or parts of its task, and there are none that anybody wants.
    pub(super) fn has_planned_nothing(&self) -> bool {
        self.queue.team_log().look_at_known(|state| {
            let is_wanted = |id: &TaskId| state.task(id).is_some_and(|part| part.status != Status::Cancelled);
            let has_none = |task: &Task| match task.spec.delegate {
                true => !task.parts.iter().any(is_wanted),
                false => task.spec.goal.is_some() && !state.tasks().any(|other| is_of_goal(task, other)),
            };
            state
                .live_claim(self.token)
                .is_ok_and(|(task, claim)| claim.stage == Stage::Work && has_none(task))
        })
    }

    /// Whether parts of the delegated task that the agent works on are not done.
    pub(super) fn has_open_parts(&self) -> bool {
        let held = |state: &State| state.live_claim(self.token).is_ok_and(|(task, _)| task.open_parts > 0);
        self.queue.team_log().look_at_known(held)
    }

    /// Whether parts of the delegated task that the agent works on have not ended, well or not.
    pub(super) fn has_parts_under_way(&self) -> bool {
        self.queue.team_log().look_at_known(|state| {
            state
                .live_claim(self.token)
                .is_ok_and(|(task, _)| state.parts(task).any(|part| !part.status.is_ended()))
        })
    }

    /// Whether the agent's task reaches so far that it may change this one.
    pub(super) fn may_change(&self, id: &TaskId) -> Result<(), Error> {
        self.queue.team_log().look(|state| {
            let (own, _) = state.live_claim(self.token)?;
            let task = state.task(id).ok_or_else(|| Refusal::NoSuchTask { task: id.clone() })?;
            let whole = if own.spec.delegate { Some(own.id()) } else { own.above.first() };
            let is_within = match whole {
                Some(whole) => task.above.contains(whole),
                None => task.above.is_empty(),
            };
            if is_within && id != own.id() {
                return Ok(());
            }
            Err(Error::Input(format!("{id} is not yours to change: it is no part of what you lead")))
        })?
    }
}

/// Whether a task is one of those that a lead has made of a goal, or is open beside them. What ended before is of another goal.
fn is_of_goal(goal: &Task, task: &Task) -> bool {
    let is_part = task.spec.parent.as_ref() == Some(goal.id()) && task.status != Status::Cancelled;
    task.id() != goal.id() && (is_part || !task.status.is_ended())
}

/// Adds the tools of a lead that splits a task, or plans a failure anew.
pub(super) fn with_lead_tools(toolbox: Toolbox, context: &Context, leading: Leading) -> Toolbox {
    let toolbox = toolbox
        .with(Makes::<RetryTaskInput>::new(
            context,
            "retry_task",
            "Gives a failed task all its attempts again, with another text if you say one.",
        ))
        .with(Makes::<ReplaceTaskInput>::new(
            context,
            "replace_task",
            "Adds tasks in the place of one, all or nothing: what waits for that one waits for all the new ones instead, \
             and it is cancelled.",
        ))
        .with(Makes::<ChangeTaskInput>::new(
            context,
            "change_task",
            "Changes the words of a task, its priority, or what it waits for.",
        ))
        .with(Makes::<CancelTaskInput>::new(
            context,
            "cancel_task",
            "Stops wanting a task, and the parts of a delegated one; whoever works on it loses it.",
        ));
    match leading {
        Leading::Delegated => toolbox.with(Wait(context.clone())),
        Leading::Replan => toolbox,
    }
}

/// A tool that makes a change among the tasks that the lead leads, at once.
struct Makes<C> {
    context: Context,
    name: &'static str,
    about: &'static str,
    change: PhantomData<fn() -> C>,
}

impl<C> Makes<C> {
    fn new(context: &Context, name: &'static str, about: &'static str) -> Self {
        Self { context: context.clone(), name, about, change: PhantomData }
    }
}

#[async_trait]
impl<C: Change + DeserializeOwned + JsonSchema + Send + 'static> Tool for Makes<C> {
    fn spec(&self) -> ToolSpec {
        spec_of::<C>(self.name, self.about)
    }

    async fn call(&self, input: Value, _: &ToolContext) -> ToolOutput {
        let input: C = match parse_input(&self.spec(), input) {
            Ok(input) => input,
            Err(correction) => return ToolOutput::failure(correction.to_string()),
        };
        let context = self.context.clone();
        match blocking(move || input.needs_no_approval(&context).and_then(|()| input.make(&context))).await {
            Ok(text) => ToolOutput::text(text),
            Err(error) => ToolOutput::failure(error.to_string()),
        }
    }
}

struct Wait(Context);

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct WaitInput {}

#[async_trait]
impl Tool for Wait {
    fn spec(&self) -> ToolSpec {
        spec_of::<WaitInput>(
            "wait",
            "Hands your task out: you stop here, and are given it back when all its parts are completed or cancelled. \
             Failures of parts are put to you meanwhile, as tasks of their own.",
        )
    }

    async fn call(&self, _: Value, _: &ToolContext) -> ToolOutput {
        if !self.0.has_open_parts() {
            return ToolOutput::failure(
                "There is no part to wait for: add parts with `add_tasks`, or deliver with `finish`.",
            );
        }
        ToolOutput { ends_turns: Some(Ending::Waits), ..ToolOutput::text("The parts are handed out.") }
    }
}

/// How the team stands, for its lead: members, tasks, what waits for a judgement or an answer. As far as there is room.
pub(super) fn sheet(state: &State, own: &Task, lead: &crate::AgentId) -> String {
    use std::fmt::Write;
    let mut text = String::from("Members:\n");
    for agent in state.agents().filter(|agent| !agent.left) {
        let team = agent.lead.as_ref().map(|lead| format!(", in the team of {lead}")).unwrap_or_default();
        let you = if agent.id == *lead { " (you)" } else { "" };
        let held = state.held().filter(|(_, claim)| claim.agent == agent.id);
        let held: Vec<&str> = held.map(|(task, _)| task.id().as_str()).collect();
        let held = if held.is_empty() { String::new() } else { format!(", at work on {}", held.join(", ")) };
        let _ = writeln!(text, "- {}{you}, {}{team}{held}", agent.id, agent.role);
    }
    let whole = if own.spec.delegate { Some(own.id()) } else { own.above.first() };
    let is_within = |task: &&Task| {
        whole.map_or(task.above.is_empty(), |whole| task.above.contains(whole)) && task.id() != own.id()
    };
    let mut tasks: Vec<&Task> = state.tasks().filter(is_within).collect();
    // What is not done matters most, where there is not room for all.
    tasks.sort_by_key(|task| (task.status.is_ended(), task.added));
    let _ = writeln!(text, "\n{}:", if whole.is_some() { "Parts of your task" } else { "Tasks" });
    for (place, task) in tasks.iter().enumerate() {
        if text.len() > SHEET_BYTES_MAX {
            let _ = writeln!(text, "- and {} more: call `list_tasks`", tasks.len() - place);
            break;
        }
        let view = agent_team_core::view::task(state, task);
        let waits = view.waits_for.as_ref().map(|what| format!(", waits for {what}")).unwrap_or_default();
        let failure = task.failure.map(|failure| format!(" ({})", failure.as_str())).unwrap_or_default();
        let _ = writeln!(
            text,
            "- {} [{}{failure}{waits}] {}",
            task.id(),
            task.status,
            super::tags::harmless(&task.spec.title)
        );
        let said = task.result().map(|result| result.preview().into_owned());
        let wrong = || task.feedback.last().map(|last| last.text.preview().into_owned());
        if let Some(said) = said.or_else(|| wrong().filter(|_| task.failure.is_some())) {
            let head = said.get(..said.floor_char_boundary(RESULT_BYTES_MAX)).unwrap_or_default();
            let _ = writeln!(text, "{}", super::prompt::quoted(lead_of_result(task, lead), head));
        }
    }
    let plans = state.open_plans().filter(|(task, _)| state.may_approve(task, lead));
    let plans: Vec<&str> = plans.map(|(task, _)| task.id().as_str()).collect();
    if !plans.is_empty() {
        let _ = writeln!(text, "\nPlans that wait to be judged: {}", plans.join(", "));
    }
    let questions: Vec<String> = state
        .open_questions()
        .map(|asked| super::prompt::quoted(&asked.from, &asked.text.preview()))
        .collect();
    if !questions.is_empty() {
        let _ = writeln!(text, "\nQuestions that nobody has answered:\n{}", questions.join("\n"));
    }
    text
}

/// The longest sheet, in bytes, before the rest is left to `list_tasks`.
const SHEET_BYTES_MAX: usize = 8_000;
/// How much of a result stands in it, in bytes.
const RESULT_BYTES_MAX: usize = 1_000;

/// Whose words a result, or what was wrong, are.
fn lead_of_result<'a>(task: &'a Task, lead: &'a crate::AgentId) -> &'a crate::AgentId {
    let author = task.submission.as_ref().map(|submission| &submission.author);
    author.or_else(|| task.feedback.last().map(Feedback::said_by)).unwrap_or(lead)
}
