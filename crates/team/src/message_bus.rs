//! The message bus: messages arrive, and their sender can see how far they came.

mod heard;
mod unheard;

use std::collections::VecDeque;
use std::path::Path;

use agent_team_core::id::{AgentId, HUMAN, RecordId, TaskId};
use agent_team_core::machine::{Command, Message, Refusal, State};
use agent_team_core::record::{MessageSent, MessagesDelivered, MessagesRead, Recipient, Role};
use agent_team_core::view::{MessageView, message as message_view};
use futures::stream::{self, Stream};

use crate::Error;
use crate::folder::TeamFolder;
use crate::team_log::{Durability, TeamLog};
use crate::wanted::{self, wanted};

pub use unheard::Unheard;

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
    /// Whether it interrupts what its reader does.
    pub urgent: bool,
    /// Whether the sender waits for an answer.
    pub asks: bool,
    /// The message that it answers.
    pub reply_to: Option<RecordId>,
}

/// A message that is to be sent.
///
/// ```
/// use agent_team::{MessageBus, NewMessage, Recipient};
///
/// let bus = MessageBus::in_memory()?;
/// let (lead, worker) = ("lead-1".parse()?, "worker-1".parse()?);
/// let question = NewMessage::new(&worker, Recipient::Agent(lead), "Tabs or spaces?");
/// let question = bus.post(NewMessage { asks: true, ..question })?;
/// bus.answer(&"lead-1".parse()?, question, "Spaces.")?;
/// assert_eq!(bus.answer_to(question)?.ok_or("no answer")?.text, "Spaces.");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewMessage {
    /// Who sends it.
    pub from: AgentId,
    /// To whom.
    pub to: Recipient,
    /// What it says.
    pub text: String,
    /// The task that it is about.
    pub task: Option<TaskId>,
    /// Whether it interrupts the turn in progress, where others are read between turns.
    pub urgent: bool,
    /// Whether the sender waits for an answer.
    pub asks: bool,
    /// The message that it answers.
    pub reply_to: Option<RecordId>,
}

impl NewMessage {
    /// A message that is read between turns, and that nobody has to answer.
    pub fn new(from: &AgentId, to: Recipient, text: impl Into<String>) -> Self {
        let (from, text) = (from.clone(), text.into());
        Self { from, to, text, task: None, urgent: false, asks: false, reply_to: None }
    }
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
    /// As for [`post`](Self::post).
    pub fn send(&self, from: &AgentId, to: Recipient, text: impl Into<String>) -> Result<RecordId, Error> {
        self.post(NewMessage::new(from, to, text))
    }

    /// Sends a message with all that can be said of one. What the human says to somebody who has left waits, should that one
    /// come back; what an agent says to one returns to it at once.
    ///
    /// # Errors
    /// An input error when it says nothing; a refusal when it is for the thread of a task that does not exist; otherwise when
    /// the log cannot be written.
    pub fn post(&self, message: NewMessage) -> Result<RecordId, Error> {
        wanted(&message.text, wanted::MESSAGE)?;
        let body = self.as_record(message)?;
        Ok(self.team_log.submit(&body.from.clone(), &body.into())?.id())
    }

    /// A message as a record can hold it.
    fn as_record(&self, message: NewMessage) -> Result<MessageSent, Error> {
        let NewMessage { from, to, text, task, urgent, asks, reply_to } = message;
        if let Recipient::Task(task) = &to
            && self.team_log.look(|state| state.task(task).is_none())?
        {
            return Err(Refusal::NoSuchTask { task: task.clone() }.into());
        }
        let text = self.team_log.text(text)?;
        // An agent that talks to one who has left learns at once that nobody reads it.
        let waits = from.as_str() == HUMAN && self.has_left(&to)?;
        Ok(MessageSent { from, to, text, task, urgent, asks, reply_to, waits })
    }

    fn has_left(&self, to: &Recipient) -> Result<bool, Error> {
        let Recipient::Agent(agent) = to else { return Ok(false) };
        self.team_log.look(|state| state.agent(agent).is_some_and(|known| known.left))
    }

    /// Answers a question. The one who asked gets it at once; the first answer counts.
    ///
    /// # Errors
    /// An input error when there is no such question, it was answered, nobody waits for the answer any more (its asker has
    /// gone on without it, or the task has ended), or the text is blank.
    pub fn answer(
        &self,
        by: &AgentId,
        question: RecordId,
        text: impl Into<String>,
    ) -> Result<RecordId, Error> {
        let answered = || Error::Input(format!("question {question} has been answered"));
        if self.team_log.look(|state| is_overtaken(state, question))? {
            return Err(Error::Input(format!("nobody waits for the answer to question {question} any more")));
        }
        self.answer_if(by, question, text, |_| true)?.ok_or_else(answered)
    }

    /// The same if the newest state is as the question says; `None` if it is not, or somebody else was faster.
    pub(crate) fn answer_if(
        &self,
        by: &AgentId,
        question: RecordId,
        text: impl Into<String>,
        is_so: impl Fn(&State) -> bool,
    ) -> Result<Option<RecordId>, Error> {
        let text = text.into();
        wanted(&text, "the answer")?;
        let is_open = |state: &State| state.messages().answer_to(question).is_none();
        let asked = self.team_log.look(|state| {
            state.messages().get(question).filter(|message| message.asks).map(|asked| {
                let to = Recipient::Agent(asked.from.clone());
                (NewMessage { task: asked.task.clone(), ..NewMessage::new(by, to, "") }, is_open(state))
            })
        })?;
        let answer = match asked {
            None => return Err(Error::Input(format!("there is no question {question}"))),
            Some((_, false)) => return Ok(None),
            Some((answer, true)) => answer,
        };
        let answer = self.as_record(NewMessage { text, reply_to: Some(question), ..answer })?;
        // Of several who answer at once one is heard, and the others learn it.
        let is_wanted = |state: &State| is_open(state) && is_so(state);
        let written = self.team_log.submit_if(by, &answer.into(), is_wanted)?;
        Ok(written.map(|written| written.id()))
    }

    /// The answer to a question; `None` while there is none.
    ///
    /// # Errors
    /// When the log cannot be read.
    pub fn answer_to(&self, question: RecordId) -> Result<Option<AgentMessage>, Error> {
        let answer = self.team_log.look(|state| state.messages().answer_to(question).cloned())?;
        Ok(self.whole(answer.into_iter().collect())?.pop())
    }

    /// Waits until a question is answered, and gives the answer; `None` if whom it was for left without one, or there is no
    /// such question.
    ///
    /// # Errors
    /// When the log cannot be read.
    pub async fn answered(&self, question: RecordId) -> Result<Option<AgentMessage>, Error> {
        let is_over = move |state: &State| {
            let asked = state.messages().get(question);
            asked.is_none_or(|asked| asked.returned) || state.messages().answer_to(question).is_some()
        };
        self.team_log.until(is_over).await?;
        self.answer_to(question)
    }

    /// Waits until there is something that an agent has not read.
    ///
    /// # Errors
    /// When the log cannot be read.
    pub async fn mail_comes(&self, agent: &AgentId) -> Result<(), Error> {
        let reader = agent.clone();
        let has_mail =
            move |state: &State| state.messages().unread(&reader, role(state, &reader)).next().is_some();
        self.team_log.until(has_mail).await
    }

    /// The questions that nobody has answered and whose askers still want to know, oldest first; those that this agent may answer, if one is named.
    ///
    /// # Errors
    /// When the log cannot be read.
    pub fn questions(&self, to: Option<&AgentId>) -> Result<Vec<AgentMessage>, Error> {
        self.whole(self.team_log.look(|state| {
            let open = state.open_questions();
            let is_meant =
                |message: &&Message| to.is_none_or(|agent| message.is_for(agent, role(state, agent)));
            open.filter(is_meant).cloned().collect()
        })?)
    }

    /// What came for an agent after the place `since` in the log, oldest first; 0 for everything. They count as read.
    ///
    /// # Errors
    /// When the log cannot be read or written.
    pub fn receive(&self, agent: &AgentId, since: u64) -> Result<Vec<AgentMessage>, Error> {
        let messages = self.since(agent, since)?;
        self.mark_read(agent, &messages)?;
        Ok(messages)
    }

    /// The same without reading it.
    fn since(&self, agent: &AgentId, since: u64) -> Result<Vec<AgentMessage>, Error> {
        self.whole(self.team_log.look(|state| {
            let role = role(state, agent);
            state.messages().since(since, agent, role).cloned().collect()
        })?)
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
                    let read = bus.mark_read(&agent, std::slice::from_ref(&message));
                    return Some(match read {
                        Ok(()) => (Ok(message), Some((bus, agent, since, waiting))),
                        Err(error) => (Err(error), None),
                    });
                }
                let reader = agent.clone();
                let came = bus.team_log.until(move |state| {
                    state.messages().since(since, &reader, role(state, &reader)).next().is_some()
                });
                match came.await.and_then(|()| bus.since(&agent, since)) {
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

    /// What came for an agent before a message, oldest first, read or not.
    pub(crate) fn before(&self, agent: &AgentId, message: RecordId) -> Result<Vec<AgentMessage>, Error> {
        let earlier: Option<Vec<Message>> = self.team_log.look(|state| {
            let end = state.messages().get(message)?.seq;
            let all = state.messages().since(0, agent, role(state, agent));
            Some(all.take_while(|earlier| earlier.seq < end).cloned().collect())
        })?;
        self.whole(earlier.ok_or_else(|| Error::Input(format!("there is no message {message}")))?)
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
            self.note(agent, &body.into())?;
        }
        Ok(())
    }

    /// What was unread when an agent left went back to its senders: it has not been read by one that was dropped while it was
    /// about to.
    fn note(&self, agent: &AgentId, command: &Command) -> Result<(), Error> {
        let is_there = |state: &State| !state.agent(agent).is_some_and(|known| known.left);
        self.team_log.submit_if(agent, command, is_there).map(|_| ())
    }

    /// Notes that the agent has read messages, which their senders can see. For those of [`unread`](Self::unread), once
    /// they were shown.
    ///
    /// # Errors
    /// When the log cannot be written.
    pub fn mark_read(&self, agent: &AgentId, messages: &[AgentMessage]) -> Result<(), Error> {
        let unread: Vec<RecordId> = self.team_log.look_at_known(|state| {
            let ids = messages.iter().map(|message| message.id);
            ids.filter(|id| state.messages().get(*id).is_some_and(|known| !known.is_read_by(agent))).collect()
        });
        if !unread.is_empty() {
            let body = MessagesRead { agent: agent.clone(), messages: unread };
            self.note(agent, &body.into())?;
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
                urgent: message.urgent,
                asks: message.asks,
                reply_to: message.reply_to,
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

/// Whether a question that nobody has answered needs no answer any more.
fn is_overtaken(state: &State, question: RecordId) -> bool {
    let messages = state.messages();
    let asked = messages.get(question).filter(|asked| asked.asks && messages.answer_to(asked.id).is_none());
    asked.is_some_and(|asked| !state.is_still_asked(asked))
}

#[cfg(test)]
mod tests;
