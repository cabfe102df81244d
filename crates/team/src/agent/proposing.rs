//! The tools with which a lead proposes what it would do. Nothing of it is done before somebody has agreed to it; and then it is
//! done by whoever has the task, whatever became of the call that proposed it.

use std::collections::BTreeSet;

use async_trait::async_trait;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::Context;
use super::asked_tasks::{AddTasksInput, AskedTask};
use super::lead_changes::{CancelTaskInput, Change, ChangeTaskInput, ReplaceTaskInput, RetryTaskInput};
use crate::model::ToolSpec;
use crate::team_log::blocking;
use crate::tools::{Correction, Tool, ToolContext, ToolOutput, parse_input, spec_of};
use crate::{Error, RecordId, Stage, Text};

/// The longest beginning of a made id, in bytes.
const ID_BYTES_MAX: usize = 48;

/// What a lead can propose.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Proposes {
    /// The tasks of a goal.
    AddTasks,
    /// All that is to be done about a failure.
    PlanAnew,
}

impl Proposes {
    /// What is proposed by the tool of a name.
    pub fn by(tool: &str) -> Option<Self> {
        [Self::AddTasks, Self::PlanAnew].into_iter().find(|proposes| proposes.tool() == tool)
    }

    /// The name of its tool.
    pub fn tool(self) -> &'static str {
        match self {
            Self::AddTasks => "add_tasks",
            Self::PlanAnew => "plan_anew",
        }
    }

    fn spec(self) -> ToolSpec {
        match self {
            Self::AddTasks => spec_of::<AddTasksInput>(
                self.tool(),
                "Proposes tasks for the team's queue, and waits until somebody approves or rejects them; approved, they are \
                 added, all or none. Give each an id if others depend on it.",
            ),
            Self::PlanAnew => spec_of::<PlanAnewInput>(
                self.tool(),
                "Proposes what is to be done about the failure, all of it at once, and waits until somebody approves or \
                 rejects it; approved, it is done. After a rejection propose something better.",
            ),
        }
    }

    fn changes(self, input: Value) -> Result<Vec<Box<dyn Change>>, Correction> {
        match self {
            Self::AddTasks => {
                parse_input::<AddTasksInput>(&self.spec(), input).map(|tasks| vec![Box::new(tasks) as _])
            }
            Self::PlanAnew => parse_input(&self.spec(), input).map(PlanAnewInput::changes),
        }
    }
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct PlanAnewInput {
    /// Tasks that are tried again.
    retry: Option<Vec<RetryTaskInput>>,
    /// Tasks in whose place others are added.
    replace: Option<Vec<ReplaceTaskInput>>,
    /// Tasks that are added besides.
    add: Option<Vec<AskedTask>>,
    /// Tasks whose words, priority or dependencies are changed.
    change: Option<Vec<ChangeTaskInput>>,
    /// Tasks that are not wanted any more.
    cancel: Option<Vec<CancelTaskInput>>,
}

impl PlanAnewInput {
    /// Its changes, in the order in which they are made.
    fn changes(self) -> Vec<Box<dyn Change>> {
        fn each<C: Change + 'static>(changes: Option<Vec<C>>) -> impl Iterator<Item = Box<dyn Change>> {
            changes.into_iter().flatten().map(|change| Box::new(change) as Box<dyn Change>)
        }
        let added =
            self.add.filter(|tasks| !tasks.is_empty()).map(|tasks| vec![AddBesides(AddTasksInput { tasks })]);
        let changes = each(self.retry).chain(each(self.replace)).chain(each(added));
        changes.chain(each(self.change)).chain(each(self.cancel)).collect()
    }
}

/// Tasks that are added besides other changes.
struct AddBesides(AddTasksInput);

impl Change for AddBesides {
    fn shown(&self, context: &Context) -> Result<String, Error> {
        Ok(format!("added besides:\n{}", self.0.shown(context)?))
    }

    fn is_made(&self, context: &Context, approved: RecordId) -> Result<bool, Error> {
        self.0.is_made(context, approved)
    }

    fn make(&self, context: &Context) -> Result<String, Error> {
        self.0.make(context)
    }
}

/// Gives an id to each task that has none, so that it is known again, whoever carries the proposal out: `plan-1`, `plan-2`, …
/// for the tasks of `plan`.
fn with_ids(context: &Context, input: &mut Value) -> Result<(), Error> {
    let (own, taken) = context.queue.team_log().look(|state| {
        let own = state.task_of_claim(context.token).map_or_else(String::new, |task| task.id().to_string());
        let own = own.get(..own.floor_char_boundary(ID_BYTES_MAX)).unwrap_or_default().to_owned();
        let ids = state.tasks().map(|task| task.id().to_string());
        let taken: BTreeSet<String> = ids.filter(|id| id.starts_with(&own)).collect();
        (own, taken)
    })?;
    let mut free = (1_u64..).map(|number| format!("{own}-{number}")).filter(|id| !taken.contains(id));
    let mut name = |tasks: &mut Value| {
        for task in tasks.as_array_mut().into_iter().flatten().filter_map(Value::as_object_mut) {
            if task.get("id").is_none_or(Value::is_null)
                && let Some(id) = free.next()
            {
                task.insert("id".to_owned(), Value::String(id));
            }
        }
    };
    let replaced = input.get_mut("replace").and_then(Value::as_array_mut).into_iter().flatten();
    replaced.filter_map(|change| change.get_mut("tasks")).for_each(&mut name);
    ["tasks", "add"].into_iter().for_each(|list| {
        if let Some(tasks) = input.get_mut(list) {
            name(tasks);
        }
    });
    Ok(())
}

/// A proposal, as the log keeps it until it is carried out.
#[derive(Serialize, Deserialize)]
struct Proposal {
    proposes: Proposes,
    input: Value,
}

/// Proposes, and waits until somebody judges that.
pub(super) struct Propose {
    pub context: Context,
    pub what: Proposes,
    /// The plan with which it did so, if the lead was cut off in this very call after that.
    pub proposed: Option<RecordId>,
}

#[async_trait]
impl Tool for Propose {
    fn spec(&self) -> ToolSpec {
        self.what.spec()
    }

    async fn call(&self, mut input: Value, _: &ToolContext) -> ToolOutput {
        // Whatever is wrong with it is said in its own words.
        let changes = self.what.changes(input.clone()).map(|_| with_ids(&self.context, &mut input));
        let changes = match changes {
            Ok(Ok(())) => self.what.changes(input.clone()),
            Ok(Err(error)) => return ToolOutput::failure(error.to_string()),
            Err(correction) => Err(correction),
        };
        let changes = match changes {
            Ok(changes) => changes,
            Err(correction) => return ToolOutput::failure(correction.to_string()),
        };
        match self.propose(&changes, input).await {
            Ok(output) => output,
            Err(error) => ToolOutput::failure(error.to_string()),
        }
    }
}

impl Propose {
    async fn propose(&self, changes: &[Box<dyn Change>], input: Value) -> Result<ToolOutput, Error> {
        let context = &self.context;
        let verdict = match self.proposed {
            Some(plan) => context.until_judged(plan).await?,
            None => {
                if changes.is_empty() {
                    return Err(Error::Input(
                        "this changes nothing: say what is to be done, or call `give_up`".into(),
                    ));
                }
                // What cannot be done is not worth anybody's look.
                if let [change] = changes {
                    change.check(context)?;
                }
                let shown: String =
                    changes.iter().map(|change| change.shown(context)).collect::<Result<_, _>>()?;
                let proposal = serde_json::to_string(&Proposal { proposes: self.what, input });
                let proposal = proposal.map_err(|error| Error::Input(error.to_string()))?;
                context.have_changes_judged(shown, proposal).await?
            }
        };
        let Some(verdict) = verdict else { return Ok(ToolOutput::stopped()) };
        if !verdict.approved {
            let better = match self.what {
                Proposes::AddTasks => "Propose better tasks.",
                Proposes::PlanAnew => "Propose something better.",
            };
            return Ok(ToolOutput::failure(format!("{} {better}", verdict.words())));
        }
        let made = context.carry_out().await?.unwrap_or_else(|| "It was done before.".to_owned());
        Ok(ToolOutput::text(format!("{}\n{made}", verdict.words())))
    }
}

impl Context {
    /// Does what was proposed for the agent's task, is approved, and is not done yet: whoever proposed it may have been cut off,
    /// or have lost the task. Says what came of it; nothing if there is nothing to do.
    pub(super) async fn carry_out(&self) -> Result<Option<String>, Error> {
        let team_log = self.queue.team_log();
        let approved = team_log.look(|state| {
            let (task, claim) = state.live_claim(self.token).ok()?;
            let plan = task.plan.as_ref().filter(|_| claim.stage == Stage::Work)?;
            let verdict = plan.verdict.as_ref().filter(|verdict| verdict.approved)?;
            Some((plan.changes.clone(), verdict.id)).filter(|(changes, _): &(Text, _)| !changes.is_empty())
        })?;
        let Some((changes, approved)) = approved else { return Ok(None) };
        // What another version has written may not be known here; then the lead is told nothing, and says so itself.
        let Ok(proposal) = serde_json::from_str::<Proposal>(&team_log.read_text(&changes)?) else {
            return Ok(None);
        };
        let Ok(changes) = proposal.proposes.changes(proposal.input) else { return Ok(None) };
        let context = self.clone();
        let made = blocking(move || {
            // Whoever was interrupted in it is not awaited any more, and may still be at it.
            let _alone = context.queue.team_log().carries_out();
            // All are looked at first: one change may touch the task of another.
            let mut open = Vec::new();
            for change in changes {
                if !change.is_made(&context, approved)? {
                    open.push(change);
                }
            }
            let mut made = Vec::new();
            for change in open {
                made.push(change.make(&context).unwrap_or_else(|error| {
                    // What cannot be done any more is told: the tasks have gone on while somebody looked at the proposal.
                    context.activity.note(format!("ERROR what was approved is not done: {error}"));
                    format!("Not done: {error}")
                }));
            }
            Ok(made)
        });
        let made = made.await?;
        Ok((!made.is_empty()).then(|| made.join("\n")))
    }
}
