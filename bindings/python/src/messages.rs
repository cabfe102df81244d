//! Messages, and questions that wait for an answer.

use agent_team::{AgentId, Error, NewMessage, Recipient, RecordId, TaskId};
use futures::StreamExt;
use pyo3::prelude::*;
use serde::Deserialize;

use crate::beside::{Stopper, wait_beside};
use crate::error::{hinted, parsed, raised};
use crate::line::Line;
use crate::team::{Team, doing, python, read};

/// What is said of a message that is to be sent.
#[derive(Deserialize)]
struct Letter {
    from: AgentId,
    to: Option<String>,
    text: String,
    #[serde(default)]
    task: Option<TaskId>,
    #[serde(default)]
    urgent: bool,
    #[serde(default)]
    asks: bool,
    #[serde(default)]
    reply_to: Option<RecordId>,
}

#[pymethods]
impl Team {
    fn send(&self, py: Python<'_>, message: &Bound<'_, PyAny>) -> PyResult<String> {
        let Letter { from, to, text, task, urgent, asks, reply_to } = read(message)?;
        let to: Recipient = to.as_deref().map_or(Ok(Recipient::Everyone), parsed)?;
        let message = NewMessage { task, urgent, asks, reply_to, ..NewMessage::new(&from, to, text) };
        let bus = self.bus()?;
        doing(py, || bus.post(message)).map(|id| id.to_string())
    }

    fn receive(&self, py: Python<'_>, agent: &str, since: u64) -> PyResult<Py<PyAny>> {
        let (agent, bus): (AgentId, _) = (parsed(agent)?, self.bus()?);
        python(py, &doing(py, || bus.receive(&agent, since))?)
    }

    fn inbox(&self, py: Python<'_>, agent: &str) -> PyResult<Py<PyAny>> {
        let (agent, bus): (AgentId, _) = (parsed(agent)?, self.bus()?);
        python(py, &doing(py, || bus.inbox(&agent))?)
    }

    /// The questions that nobody has answered: those that an agent may answer, if one is named.
    #[pyo3(signature = (agent=None))]
    fn questions(&self, py: Python<'_>, agent: Option<&str>) -> PyResult<Py<PyAny>> {
        let (agent, bus): (Option<AgentId>, _) = (agent.map(parsed).transpose()?, self.bus()?);
        python(py, &doing(py, || bus.questions(agent.as_ref()))?)
    }

    fn answer(&self, py: Python<'_>, by: &str, question: &str, text: String) -> PyResult<String> {
        let (by, question, bus): (AgentId, RecordId, _) = (parsed(by)?, parsed(question)?, self.bus()?);
        match py.detach(|| bus.answer(&by, question, text)) {
            Ok(id) => Ok(id.to_string()),
            Err(Error::Input(words)) => Err(hinted(words, "`agent-team answer` lists the open questions")),
            Err(error) => Err(raised(&error)),
        }
    }

    /// Waits until a question is answered; `done` is called with the answer, or nothing if none will come.
    fn answered(&self, line: &Line, done: Py<PyAny>, question: &str) -> PyResult<Stopper> {
        let (question, bus): (RecordId, _) = (parsed(question)?, self.bus()?.clone());
        wait_beside(line, done, move |over| async move {
            tokio::select! {
                answer = bus.answered(question) => answer,
                () = over.notified() => Ok(None),
            }
        })
    }

    /// Waits for the next message to an agent after a place in the log; `done` is called with it. It counts as read.
    fn next_message(&self, line: &Line, done: Py<PyAny>, agent: &str, since: u64) -> PyResult<Stopper> {
        let (agent, bus): (AgentId, _) = (parsed(agent)?, self.bus()?.clone());
        wait_beside(line, done, move |over| async move {
            let mut messages = std::pin::pin!(bus.stream(&agent, since));
            tokio::select! {
                message = messages.next() => message.transpose(),
                () = over.notified() => Ok(None),
            }
        })
    }
}
