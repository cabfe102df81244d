//! An agent that is Python's.

use std::sync::Arc;

use agent_team::agent::{Agent, AgentError, Answer, Assignment, Context, agent_fn};
use async_trait::async_trait;
use pyo3::prelude::*;
use serde::Serialize;

use crate::line::Sender;

/// An object of the class `Agent` in `agent.py`, which does its work on an event loop.
pub struct Member {
    pub agent: Arc<Py<PyAny>>,
    pub line: Sender,
    /// As what it is known to the team.
    pub with: String,
}

/// What of a task its agent is told beside the prompt.
#[derive(Serialize)]
struct Told<'a> {
    id: &'a str,
    title: &'a str,
    description: &'a str,
    stage: String,
    attempt: u32,
    check: Option<&'a str>,
    results: Vec<(&'a str, &'a str)>,
}

impl Member {
    /// Its method as an agent that gets the whole prompt, so that reviews, messages and setbacks are told as to any other.
    fn by(&self, method: &'static str, told: &Told<'_>) -> Arc<dyn Agent> {
        let (agent, line) = (self.agent.clone(), self.line.clone());
        let told = Arc::new(serde_json::to_value(told).unwrap_or_default());
        agent_fn(move |prompt: String| {
            let (agent, line, told) = (agent.clone(), line.clone(), told.clone());
            async move { line.call(agent, method, told, prompt).await }
        })
    }
}

fn told(task: &Assignment) -> Told<'_> {
    Told {
        id: task.id.as_str(),
        title: &task.title,
        description: &task.description,
        stage: task.stage.to_string(),
        attempt: task.attempt,
        check: task.check.as_deref(),
        results: task.dependencies.iter().map(|on| (on.id.as_str(), on.result.as_str())).collect(),
    }
}

#[async_trait]
impl Agent for Member {
    async fn execute_task(&self, task: &Assignment, context: &Context) -> Result<Answer, AgentError> {
        self.by("_execute", &told(task)).execute_task(task, context).await
    }

    async fn answer(&self, question: &Assignment, context: &Context) -> Result<String, AgentError> {
        self.by("_answer", &told(question)).answer(question, context).await
    }

    fn with(&self) -> String {
        self.with.clone()
    }
}
