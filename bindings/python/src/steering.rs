//! The word of a person: plans, reviews, pauses, budgets, notes.

use agent_team::view::PlanView;
use agent_team::{Account, AgentId, AgentJoined, Bounds, RecordId, TaskId, TaskQueue, Verdict};
use pyo3::prelude::*;
use serde::{Deserialize, Deserializer};
use serde_json::json;

use crate::error::{TeamError, parsed, raised_of_agent};
use crate::team::{Team, Wish, doing, python, read};

/// The limits that are said of an account: `Some(None)` takes one away.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Said {
    #[serde(default, deserialize_with = "said")]
    micro_usd: Option<Option<u64>>,
    #[serde(default, deserialize_with = "said")]
    tokens: Option<Option<u64>>,
    #[serde(default, deserialize_with = "said")]
    calls: Option<Option<u64>>,
    #[serde(default, deserialize_with = "said")]
    attempts: Option<Option<u64>>,
    #[serde(default, deserialize_with = "said")]
    time_ms: Option<Option<u64>>,
    #[serde(default, deserialize_with = "said")]
    elapsed_ms: Option<Option<u64>>,
}

fn said<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Option<u64>>, D::Error> {
    Option::deserialize(deserializer).map(Some)
}

#[pymethods]
impl Team {
    fn join(&self, py: Python<'_>, member: &Bound<'_, PyAny>) -> PyResult<()> {
        let Wish { id, role, skills, plan, lead, with } = read(member)?;
        let queue = self.queue()?;
        doing(py, || queue.join(AgentJoined { skills, with, plan, lead, ..AgentJoined::new(id, role) }))
    }

    fn leave(&self, py: Python<'_>, agent: &str) -> PyResult<()> {
        let (agent, queue): (AgentId, _) = (parsed(agent)?, self.queue()?);
        of_agent(py, queue, || queue.leave(&agent))
    }

    /// Takes an agent out of the team, also in the middle of a run.
    fn drop_agent(&self, py: Python<'_>, agent: &str) -> PyResult<()> {
        let (agent, queue): (AgentId, _) = (parsed(agent)?, self.queue()?);
        of_agent(py, queue, || queue.drop_agent(&AgentId::human(), &agent))
    }

    fn submit_plan(
        &self,
        py: Python<'_>,
        task: &str,
        agent: &str,
        token: &str,
        text: String,
    ) -> PyResult<String> {
        let (task, agent): (TaskId, AgentId) = (parsed(task)?, parsed(agent)?);
        let (token, queue) = (self.token(py, &task, &agent, token)?, self.queue()?);
        doing(py, || queue.submit_plan(token, &agent, text)).map(|id| id.to_string())
    }

    /// The plans that wait to be judged, each with its task.
    fn open_plans(&self, py: Python<'_>) -> PyResult<Py<PyAny>> {
        let queue = self.queue()?;
        let plans = doing(py, || {
            let open = queue.open_plans()?;
            let log = queue.team_log();
            let plan = |task: TaskId, plan: PlanView| Ok((task, plan.author, log.read_text(&plan.text)?));
            open.into_iter().map(|(task, waits, _)| plan(task, waits)).collect::<Result<Vec<_>, _>>()
        })?;
        python(py, &plans)
    }

    /// What somebody says to the plan that waits at a task.
    fn judge_plan(&self, py: Python<'_>, by: &str, task: &str, approve: bool, words: String) -> PyResult<()> {
        let (by, task, queue): (AgentId, TaskId, _) = (parsed(by)?, parsed(task)?, self.queue()?);
        doing(py, || queue.judge_plan(&by, &task, None, verdict(approve, words)))
    }

    /// What somebody says to the result that waits at a task.
    fn review(&self, py: Python<'_>, by: &str, task: &str, approve: bool, words: String) -> PyResult<()> {
        let (by, task, queue): (AgentId, TaskId, _) = (parsed(by)?, parsed(task)?, self.queue()?);
        doing(py, || agent_team::review(queue, &by, &task, None, verdict(approve, words)))
    }

    /// Holds an agent up, or the whole team.
    fn pause(&self, py: Python<'_>, agent: Option<&str>, reason: &str) -> PyResult<bool> {
        let (agent, queue): (Option<AgentId>, _) = (agent.map(parsed).transpose()?, self.queue()?);
        of_agent(py, queue, || queue.pause(&AgentId::human(), agent.as_ref(), reason))
    }

    /// Lets an agent go on, or the whole team.
    fn resume(&self, py: Python<'_>, agent: Option<&str>) -> PyResult<bool> {
        let (agent, queue): (Option<AgentId>, _) = (agent.map(parsed).transpose()?, self.queue()?);
        of_agent(py, queue, || queue.resume(&AgentId::human(), agent.as_ref()))
    }

    /// Lets the calls to a model go on that its provider has limited.
    fn lift_limit(&self, py: Python<'_>, model: &str) -> PyResult<bool> {
        let queue = self.queue()?;
        doing(py, || queue.lift_limit(&AgentId::human(), model))
    }

    /// Cuts an agent off from what it does: others may take its task.
    fn stop_agent(&self, py: Python<'_>, agent: &str, reason: &str) -> PyResult<bool> {
        let (agent, queue): (AgentId, _) = (parsed(agent)?, self.queue()?);
        of_agent(py, queue, || queue.stop_agent(&AgentId::human(), &agent, reason))
    }

    /// What each account may use, and has used.
    fn budgets(&self, py: Python<'_>) -> PyResult<Py<PyAny>> {
        let queue = self.queue()?;
        let budgets = doing(py, || queue.budgets())?;
        let named = budgets.iter().map(|budget| (budget.account.as_named(), budget));
        python(py, &named.collect::<Vec<_>>())
    }

    /// Limits an account. What is not said stays as it is.
    fn set_budget(&self, py: Python<'_>, account: &str, said: &Bound<'_, PyAny>) -> PyResult<()> {
        let account: Account = account.parse().map_err(|wrong: String| TeamError::new_err(wrong))?;
        let (said, queue): (Said, _) = (read(said)?, self.queue()?);
        doing(py, || {
            let known = queue.budgets()?.into_iter().find(|known| known.account == account);
            let known = known.map(|known| known.bounds()).unwrap_or_default();
            let bounds = Bounds {
                micro_usd: said.micro_usd.unwrap_or(known.micro_usd),
                tokens: said.tokens.unwrap_or(known.tokens),
                calls: said.calls.unwrap_or(known.calls),
                attempts: said.attempts.unwrap_or(known.attempts),
                time_ms: said.time_ms.unwrap_or(known.time_ms),
                elapsed_ms: said.elapsed_ms.unwrap_or(known.elapsed_ms),
            };
            queue.set_budget(&AgentId::human(), &account, bounds)
        })
    }

    /// Notes what agents shall know.
    #[pyo3(signature = (by, text, labels, task=None))]
    fn add_note(
        &self,
        py: Python<'_>,
        by: &str,
        text: String,
        labels: Vec<String>,
        task: Option<&str>,
    ) -> PyResult<String> {
        let (by, task): (AgentId, Option<TaskId>) = (parsed(by)?, task.map(parsed).transpose()?);
        let queue = self.queue()?;
        doing(py, || queue.add_note(&by, text, labels, task)).map(|id: RecordId| id.to_string())
    }

    /// What was noted; for tasks with these labels, if some are named.
    #[pyo3(signature = (labels=None))]
    #[expect(clippy::needless_pass_by_value, reason = "an argument of Python's is made for the call")]
    fn notes(&self, py: Python<'_>, labels: Option<Vec<String>>) -> PyResult<Py<PyAny>> {
        let queue = self.queue()?;
        let notes = doing(py, || {
            let notes = queue.notes(labels.as_deref())?;
            let told = notes.into_iter().map(|note| {
                let text = queue.team_log().read_text(&note.text)?;
                Ok(json!({ "agent": note.agent, "text": text, "labels": note.labels, "task": note.task, "at_ms": note.at_ms }))
            });
            told.collect::<Result<Vec<_>, agent_team::Error>>()
        })?;
        python(py, &notes)
    }

    /// Whether somebody runs the team now.
    fn is_being_run(&self, py: Python<'_>) -> PyResult<bool> {
        let queue = self.queue()?;
        doing(py, || queue.is_being_run())
    }
}

impl Team {
    /// Whether money, tokens or calls are limited for the whole team.
    pub fn is_limited(&self, py: Python<'_>) -> PyResult<bool> {
        let queue = self.queue()?;
        let budgets = doing(py, || queue.budgets())?;
        let whole = budgets.iter().filter(|known| matches!(known.account, Account::Team));
        let bounds = whole.map(agent_team::view::BudgetView::bounds);
        Ok(bounds
            .into_iter()
            .any(|bounds| bounds.micro_usd.is_some() || bounds.tokens.is_some() || bounds.calls.is_some()))
    }
}

/// Does what somebody said of an agent.
fn of_agent<T: Send>(
    py: Python<'_>,
    queue: &TaskQueue,
    what: impl FnOnce() -> Result<T, agent_team::Error> + Send,
) -> PyResult<T> {
    py.detach(what).map_err(|error| raised_of_agent(&error, queue))
}

fn verdict(approve: bool, words: String) -> Verdict {
    if approve { Verdict::Approved(words) } else { Verdict::ChangesRequested(words) }
}
