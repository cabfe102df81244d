//! The message bus: messages arrive, and their sender can see how far they came.

use std::collections::VecDeque;
use std::path::Path;

use agent_team_core::id::{AgentId, RecordId, TaskId};
use agent_team_core::machine::{Message, State};
use agent_team_core::record::{MessageSent, MessagesDelivered, MessagesRead, Recipient, Role};
use agent_team_core::view::{MessageView, message as message_view};
use futures::stream::{self, Stream};

use crate::Error;
use crate::folder::TeamFolder;
use crate::team_log::{Durability, TeamLog};

/// The messages of a team, for any number of processes at once.
///
/// ```
/// use agent_team::{MessageBus, Recipient};
///
/// let bus = MessageBus::in_memory()?;
/// let (lead, worker) = ("lead-1".parse()?, "worker-1".parse()?);
/// bus.send(&lead, Recipient::Everyone, "The parser is done.")?;
/// let received = bus.receive(&worker, 0)?;
/// assert_eq!(received[0].text, "The parser is done.");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone)]
pub struct MessageBus {
    team_log: TeamLog,
}

/// A message as its reader gets it.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct AgentMessage {
    /// Its id.
    pub id: RecordId,
    /// Its place in the order of the log: the cursor for the next `receive`.
    pub seq: u64,
    /// Who sent it.
    pub from: AgentId,
    /// To whom.
    pub to: Recipient,
    /// The whole text.
    pub text: String,
    /// The task that it is about.
    pub task: Option<TaskId>,
    /// When it was sent, in milliseconds since 1970.
    pub at_ms: u64,
    /// Whether it comes back to its sender, since its reader left without reading it.
    pub returned: bool,
}

impl MessageBus {
    /// The messages of the team in a folder, which is made if it is not there.
    ///
    /// # Errors
    /// When the log cannot be made or read.
    pub fn new(workspace: impl AsRef<Path>) -> Result<Self, Error> {
        let folder = TeamFolder::of(workspace.as_ref());
        Ok(Self::over(TeamLog::open_or_create(&folder, Durability::default())?))
    }

    /// Messages in this process's memory.
    ///
    /// # Errors
    /// None that happen.
    pub fn in_memory() -> Result<Self, Error> {
        Ok(Self::over(TeamLog::in_memory()?))
    }

    /// The messages of a team log.
    pub fn over(team_log: TeamLog) -> Self {
        Self { team_log }
    }

    /// Sends a message. When this returns it is queued for good.
    ///
    /// # Errors
    /// When the log cannot be written.
    pub fn send(&self, from: &AgentId, to: Recipient, text: impl Into<String>) -> Result<RecordId, Error> {
        self.send_about(from, to, text, None)
    }

    /// Sends a message about a task.
    ///
    /// # Errors
    /// When the log cannot be written.
    pub fn send_about(
        &self,
        from: &AgentId,
        to: Recipient,
        text: impl Into<String>,
        task: Option<TaskId>,
    ) -> Result<RecordId, Error> {
        let body = MessageSent { from: from.clone(), to, text: self.team_log.text(text)?, task };
        Ok(self.team_log.submit(from, &body.into())?.id())
    }

    /// What came for an agent after the place `since` in the log, oldest first; 0 for everything. They count as read.
    ///
    /// # Errors
    /// When the log cannot be read or written.
    pub fn receive(&self, agent: &AgentId, since: u64) -> Result<Vec<AgentMessage>, Error> {
        let messages = self.whole(self.team_log.look(|state| {
            let role = role(state, agent);
            state.messages().since(since, agent, role).cloned().collect()
        })?)?;
        self.mark_read(agent, &messages)?;
        Ok(messages)
    }

    /// What comes for an agent after the place `since` in the log, as it comes. Each counts as read when it is given out.
    /// Ends after an error.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// use agent_team::{MessageBus, Recipient};
    /// use futures::StreamExt;
    ///
    /// let bus = MessageBus::in_memory()?;
    /// let (lead, worker) = ("lead-1".parse()?, "worker-1".parse()?);
    /// let mut messages = std::pin::pin!(bus.stream(&worker, 0));
    /// bus.send(&lead, Recipient::Agent(worker.clone()), "Begin.")?;
    /// assert_eq!(messages.next().await.ok_or("no message")??.text, "Begin.");
    /// # Ok(()) }
    /// ```
    pub fn stream(
        &self,
        agent: &AgentId,
        since: u64,
    ) -> impl Stream<Item = Result<AgentMessage, Error>> + Send + use<> {
        let begin = Some((self.clone(), agent.clone(), since, VecDeque::new()));
        stream::unfold(begin, |state| async move {
            let (bus, agent, mut since, mut waiting) = state?;
            loop {
                if let Some(message) = waiting.pop_front() {
                    return Some((Ok(message), Some((bus, agent, since, waiting))));
                }
                let reader = agent.clone();
                let came = bus.team_log.until(move |state| {
                    state.messages().since(since, &reader, role(state, &reader)).next().is_some()
                });
                match came.await.and_then(|()| bus.receive(&agent, since)) {
                    Ok(messages) => {
                        since = messages.last().map_or(since, |last: &AgentMessage| last.seq);
                        waiting.extend(messages);
                    }
                    Err(error) => return Some((Err(error), None)),
                }
            }
        })
    }

    /// What an agent has not read, oldest first. They count as read.
    ///
    /// # Errors
    /// When the log cannot be read or written.
    pub fn inbox(&self, agent: &AgentId) -> Result<Vec<AgentMessage>, Error> {
        let messages = self.unread(agent)?;
        self.mark_read(agent, &messages)?;
        Ok(messages)
    }

    /// What an agent has not read, oldest first, without reading it.
    ///
    /// # Errors
    /// When the log cannot be read.
    pub fn unread(&self, agent: &AgentId) -> Result<Vec<AgentMessage>, Error> {
        self.whole(self.team_log.look(|state| unread(state, agent))?)
    }

    /// The same as far as this process has read the log: whatever was sent before the task that it claimed last.
    pub(crate) fn unread_so_far(&self, agent: &AgentId) -> Result<Vec<AgentMessage>, Error> {
        self.whole(self.team_log.look_at_known(|state| unread(state, agent)))
    }

    /// How far the messages came that an agent sent, oldest first.
    ///
    /// # Errors
    /// When the log cannot be read.
    pub fn sent(&self, agent: &AgentId) -> Result<Vec<MessageView>, Error> {
        self.team_log.look(|state| {
            let sent = state.messages().all().iter().filter(|message| message.from == *agent);
            sent.map(|message| message_view(state, message)).collect()
        })
    }

    /// Notes that messages were put into a request to the agent's model.
    pub(crate) fn mark_delivered(&self, agent: &AgentId, messages: Vec<RecordId>) -> Result<(), Error> {
        if !messages.is_empty() {
            let body = MessagesDelivered { agent: agent.clone(), messages };
            self.team_log.submit(agent, &body.into())?;
        }
        Ok(())
    }

    /// Notes that the agent has read messages.
    pub(crate) fn mark_read(&self, agent: &AgentId, messages: &[AgentMessage]) -> Result<(), Error> {
        let unread: Vec<RecordId> = self.team_log.look_at_known(|state| {
            let ids = messages.iter().map(|message| message.id);
            ids.filter(|id| state.messages().get(*id).is_some_and(|known| !known.is_read_by(agent))).collect()
        });
        if !unread.is_empty() {
            let body = MessagesRead { agent: agent.clone(), messages: unread };
            self.team_log.submit(agent, &body.into())?;
        }
        Ok(())
    }

    /// Messages with the whole of their texts.
    fn whole(&self, messages: Vec<Message>) -> Result<Vec<AgentMessage>, Error> {
        let whole = messages.into_iter().map(|message| {
            Ok(AgentMessage {
                id: message.id,
                seq: message.seq,
                from: message.from,
                to: message.to,
                text: self.team_log.read_text(&message.text)?,
                task: message.task,
                at_ms: message.at_ms,
                returned: message.returned,
            })
        });
        whole.collect()
    }
}

fn unread(state: &State, agent: &AgentId) -> Vec<Message> {
    state.messages().unread(agent, role(state, agent)).cloned().collect()
}

fn role(state: &State, agent: &AgentId) -> Option<Role> {
    state.agent(agent).map(|known| known.role)
}
