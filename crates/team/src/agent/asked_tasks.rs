//! Tasks as agents ask for them: less than the user may say of one, and placed where they belong.
//!
//! What only the user gives is not here: leave to change protected files. What nobody knows is refused, so that nothing that was
//! asked for is left out unsaid.

use schemars::JsonSchema;
use serde::Deserialize;

use super::Context;
use super::helping::Own;
use crate::new_task::one_or_more;
use crate::{AgentId, Error, NewTask, RecordId, Role, TaskBudget, TaskId, TaskQueue};

#[derive(Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct AddTasksInput {
    /// The tasks. They may refer to each other in `after`, in any order.
    pub tasks: Vec<AskedTask>,
}

/// A task that an agent asks for.
///
/// ```
/// use agent_team::TaskQueue;
/// use agent_team::agent::AskedTask;
///
/// let queue = TaskQueue::in_memory()?;
/// let worker = "worker-1".parse()?;
/// let asked: AskedTask = serde_json::from_str(r#"{"title": "Mend the lexer", "check": "make lexer"}"#)?;
/// let ids = queue.add_asked_tasks(&worker, None, vec![asked])?;
/// assert_eq!(queue.get_task(&ids[0])?.check.as_deref(), Some("make lexer"));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(description = "A task.")]
pub struct AskedTask {
    /// A short id of letters, digits and dashes, such as `parse-header`.
    id: Option<String>,
    /// One line that says what is wanted.
    title: String,
    /// Everything that whoever does it must know.
    description: Option<String>,
    /// The ids of the tasks that must be completed first.
    after: Option<Vec<String>>,
    /// A shell command that fails now and exits with 0 when the task is done.
    check: Option<String>,
    /// `worker`, `reviewer`, `specialist` or `lead`; leave it out for any worker.
    role: Option<String>,
    /// A skill that whoever does it must have.
    skill: Option<String>,
    /// The one agent that may do it, by name; leave it out, so that whoever is free does it.
    agent: Option<String>,
    /// Whether a reviewer must approve the result.
    review: Option<bool>,
    /// How many reviewers must approve it; one if you leave it out. It asks for a review.
    #[serde(default, deserialize_with = "one_or_more")]
    reviews: Option<u32>,
    /// Whether they are asked to try to refute it. It asks for a review.
    refute: Option<bool>,
    /// How often they may send it back before the human judges it.
    #[serde(default, deserialize_with = "one_or_more")]
    review_rounds: Option<u32>,
    /// Whether whoever does it must have a plan approved first.
    plan: Option<bool>,
    /// Who approves that plan, by name; a lead if you leave it out. It asks for a plan.
    approver: Option<String>,
    /// How many attempts may fail before it fails for good.
    attempts: Option<u32>,
    /// Words to find it by; notes for these labels are shown to whoever does it.
    labels: Option<Vec<String>>,
    /// Higher goes first.
    priority: Option<i32>,
    /// Whether a lead splits it further and delivers it: for what is too large for one.
    delegate: Option<bool>,
    /// Which lead does so; any if you leave it out.
    lead: Option<String>,
    /// The most that it may cost with all its parts, in US dollars.
    budget_usd: Option<f64>,
    /// The most tokens that it may use with all its parts.
    budget_tokens: Option<u64>,
}

impl TaskQueue {
    /// Adds tasks that an agent asks for, all or none: as parts of what it works on under a claim, or beside the failure that
    /// it plans anew.
    ///
    /// # Errors
    /// As [`add_tasks`](Self::add_tasks); an input error when what is asked for cannot be.
    pub fn add_asked_tasks(
        &self,
        agent: &AgentId,
        claim: Option<RecordId>,
        tasks: Vec<AskedTask>,
    ) -> Result<Vec<TaskId>, Error> {
        let place = Place::of(self, agent, claim)?;
        let tasks = tasks.into_iter().map(|task| task.into_task(&place)).collect::<Result<Vec<_>, _>>()?;
        loop {
            let Some(own) = Own::of(self, claim)? else { return self.add_tasks(agent, &tasks) };
            if own.is_agreed_on {
                return Err(Error::Input(format!(
                    "somebody has agreed to the tasks of which {} is one, and nothing is added to them unseen: tell your lead by \
                     `send` what is missing, or say it in your result",
                    own.spec.id
                )));
            }
            if let Some(ids) = self.add_helpers(agent, &own, tasks.clone())? {
                return Ok(ids);
            }
        }
    }
}

/// Adds tasks. A hook may be asked, and take its time.
pub(super) fn add(context: &Context, input: AddTasksInput) -> Result<Vec<TaskId>, Error> {
    context.queue.add_asked_tasks(&context.agent, Some(context.token), input.tasks)
}

/// Where what an agent adds belongs.
struct Place {
    parent: Option<String>,
    team: Option<String>,
    /// Who asks.
    by: AgentId,
}

impl Place {
    /// Parts of the task that the agent works on; or beside the failure that it plans anew. Those of a lead with a team of
    /// its own are for that team.
    fn of(queue: &TaskQueue, agent: &AgentId, claim: Option<RecordId>) -> Result<Self, Error> {
        queue.team_log().look(|state| {
            let Some(task) = claim.and_then(|claim| state.task_of_claim(claim)) else {
                return Self { parent: None, team: None, by: agent.clone() };
            };
            let parent = match task.spec.replans {
                Some(_) => task.spec.parent.clone(),
                None => Some(task.id().clone()),
            };
            let is_led = task.spec.delegate || !task.above.is_empty();
            let mut members = state.agents().filter(|member| !member.left);
            let has_team = members.any(|member| member.lead.as_ref() == Some(agent));
            let leads = state.agent(agent).is_some_and(|known| known.role == Role::Lead);
            let own = (leads && has_team).then(|| agent.to_string());
            // What a member of a team adds is for that team.
            let team = own.or_else(|| task.spec.team.as_ref().map(ToString::to_string));
            Self { parent: parent.map(String::from), team: team.filter(|_| is_led), by: agent.clone() }
        })
    }
}

impl AddTasksInput {
    /// The tasks, as parts of the one that the agent works on.
    pub(super) fn into_tasks(self, context: &Context) -> Result<Vec<NewTask>, Error> {
        let place = Place::of(&context.queue, &context.agent, Some(context.token))?;
        self.tasks.into_iter().map(|task| task.into_task(&place)).collect()
    }
}

impl AskedTask {
    fn into_task(self, place: &Place) -> Result<NewTask, Error> {
        let input = |error: &dyn std::fmt::Display| Error::Input(error.to_string());
        let role = self.role.map(|role| role.parse::<Role>()).transpose().map_err(|error| input(&error))?;
        let delegate = self.delegate.unwrap_or(false);
        if self.lead.is_some() && !delegate {
            return Err(Error::Input("a `lead` goes with `delegate: true`".into()));
        }
        if self.agent.is_some() && delegate {
            return Err(Error::Input("who splits a delegated task is its `lead`, not its `agent`".into()));
        }
        let micro_usd = self.budget_usd.map(micro_usd).transpose()?;
        Ok(NewTask {
            title: self.title,
            id: self.id,
            description: self.description.unwrap_or_default(),
            after: self.after.unwrap_or_default(),
            check: self.check,
            role,
            skill: self.skill,
            review: self.review.unwrap_or(false),
            reviews: self.reviews,
            refute: self.refute.unwrap_or(false),
            review_rounds: self.review_rounds,
            plan: self.plan.unwrap_or(false),
            approver: self.approver,
            attempts: self.attempts,
            labels: self.labels.unwrap_or_default(),
            priority: self.priority.unwrap_or(0),
            parent: place.parent.clone(),
            delegate,
            // A lead takes what it is named for, whatever team it is in.
            team: place.team.clone().filter(|_| !delegate || self.lead.is_none()),
            agent: self.lead.or(self.agent),
            asked_by: Some(place.by.clone()),
            budget: TaskBudget { micro_usd, tokens: self.budget_tokens, ..TaskBudget::default() },
            ..NewTask::default()
        })
    }
}

#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "the range is checked before")]
fn micro_usd(dollars: f64) -> Result<u64, Error> {
    if (1e-6..=1e9).contains(&dollars) {
        return Ok((dollars * 1e6).round() as u64);
    }
    Err(Error::Input("a budget is more than 0 US dollars, and at most a billion".into()))
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::tools::{parse_input, spec_of};

    fn asked(task: &Value) -> Result<NewTask, String> {
        let spec = spec_of::<AddTasksInput>("add_tasks", "Adds tasks.");
        let input: Result<AddTasksInput, _> = parse_input(&spec, json!({ "tasks": [task] }));
        let task = input.map_err(|error| error.to_string())?.tasks.remove(0);
        task.into_task(&Place { parent: None, team: None, by: "worker-1".parse().unwrap() })
            .map_err(|error| error.to_string())
    }

    #[test]
    fn what_a_task_asks_for_is_what_it_gets_and_what_nobody_knows_is_refused() {
        let task = asked(
            &json!({"title": "t", "reviews": 2, "refute": true, "review_rounds": 1, "approver": "ann", "agent": "bob"}),
        );
        let task = task.unwrap();
        assert_eq!((task.reviews, task.refute, task.review_rounds), (Some(2), true, Some(1)));
        assert_eq!((task.approver.as_deref(), task.agent.as_deref()), (Some("ann"), Some("bob")));
        let cases = [
            (json!({"title": "t", "reviewers": 2}), "unknown field `reviewers`"),
            (json!({"title": "t", "reviews": 0}), "one at least"),
            (json!({"title": "t", "lead": "ann"}), "goes with `delegate: true`"),
            (json!({"title": "t", "delegate": true, "agent": "ann"}), "is its `lead`, not its `agent`"),
        ];
        for (task, words) in cases {
            let refused = asked(&task).unwrap_err();
            assert!(refused.contains(words), "{refused}");
        }
    }
}
