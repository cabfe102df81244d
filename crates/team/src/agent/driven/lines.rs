//! Programs that talk in JSON, one message a line, each in a way of its own: what all of them have in common.

use std::time::Duration;

use async_trait::async_trait;
use futures::{SinkExt, StreamExt};
use serde_json::Value;
use tokio::process::{ChildStdin, ChildStdout};
use tokio::time::{Instant, sleep_until, timeout};
use tokio_util::codec::{FramedRead, FramedWrite, LinesCodec};

use super::driver::{Conversation, Done, DriverError, Heard, Place};
use super::program::{BEGIN_LIMIT, BREAK_OFF_LIMIT, Program};
use super::steering::{More, Steering};

/// The longest line, in bytes: a message with a large file in it is shorter.
pub(super) const LINE_BYTES_MAX: usize = 64 << 20;
/// How long a program may leave unread what it is told.
const READ_LIMIT: Duration = Duration::from_secs(60);

/// What the messages of one program mean. It has no input and no output, so that recordings can be put to it.
pub(super) trait Speech: Send {
    /// What the program calls the conversation.
    fn id(&self) -> &str;

    /// The message that tells it something.
    fn tell(&mut self, words: &str) -> Value;

    /// Whether it can be told more now, while it does what it was told.
    fn takes_more(&self) -> bool;

    /// The message that tells it more. Whether it has taken that is [heard](Heard::Took).
    fn tell_more(&mut self, more: More) -> Value;

    /// Takes what came, and tells what that means.
    fn take(&mut self, message: &Value, hear: &mut (dyn FnMut(Heard) + Send)) -> Step;

    /// The message that makes it break off; `None` while there is nothing to break off yet. It is asked for until it has come.
    fn break_off(&mut self) -> Option<Value>;
}

/// What follows from a message.
#[derive(Debug, PartialEq)]
pub(super) enum Step {
    /// Nothing.
    Listen,
    /// It wants an answer.
    Answer(Value),
    /// The program has done with what it was told.
    Over(Done),
    /// It cannot go on.
    Broken(Fault),
}

/// Why a program cannot go on.
#[derive(Debug, PartialEq)]
pub(super) enum Fault {
    /// It says that it wants a login, or a key.
    Login(String),
    /// It says that something else is wrong.
    Said(String),
    /// It does not talk as it should; perhaps it has ended, and says why on standard error.
    Broke(String),
}

/// A program that talks in lines.
pub(super) struct Lines {
    name: String,
    program: Program,
    input: FramedWrite<ChildStdin, LinesCodec>,
    output: FramedRead<ChildStdout, LinesCodec>,
}

impl Lines {
    /// Starts a command.
    pub fn start(name: &str, command: &[String], place: &Place) -> Result<Self, DriverError> {
        let mut program = Program::start(name, command, place)?;
        let Some((input, output)) = program.streams() else {
            let reason = "it has no streams".to_owned();
            return Err(DriverError::Failed { program: name.to_owned(), reason });
        };
        Ok(Self {
            name: name.to_owned(),
            program,
            input: FramedWrite::new(input, LinesCodec::new()),
            output: FramedRead::new(output, LinesCodec::new_with_max_length(LINE_BYTES_MAX)),
        })
    }

    /// Sends a message.
    pub async fn send(&mut self, message: &Value) -> Result<(), Fault> {
        match timeout(READ_LIMIT, self.input.send(message.to_string())).await {
            Ok(Ok(())) => Ok(()),
            Ok(Err(error)) => Err(Fault::Broke(error.to_string())),
            Err(_) => Err(Fault::Broke(format!("it read nothing for {READ_LIMIT:?}"))),
        }
    }

    /// The next message. What is none is passed over: some programs print a word of their own now and then. May be dropped
    /// while it waits; nothing is lost then.
    pub async fn next(&mut self) -> Result<Value, Fault> {
        loop {
            let line = self.output.next().await.ok_or_else(|| Fault::Broke("it closed its output".into()))?;
            let line = line.map_err(|error| Fault::Broke(error.to_string()))?;
            if let Ok(message @ Value::Object(_)) = serde_json::from_str(&line) {
                return Ok(message);
            }
        }
    }

    /// Lets a conversation begin, and ends the program if it does not.
    pub async fn begin<T>(
        &mut self,
        greeting: impl AsyncFnOnce(&mut Self) -> Result<T, Fault>,
    ) -> Result<T, DriverError> {
        match timeout(BEGIN_LIMIT, greeting(self)).await {
            Ok(Ok(begun)) => Ok(begun),
            Ok(Err(fault)) => Err(self.broken(fault).await),
            Err(_) => Err(self.program.silent().await),
        }
    }

    /// Ends the program, and says what went wrong.
    async fn broken(&mut self, fault: Fault) -> DriverError {
        match fault {
            Fault::Broke(reason) => self.program.broken(reason).await,
            Fault::Said(reason) => {
                self.program.end().await;
                DriverError::Failed { program: self.name.clone(), reason }
            }
            Fault::Login(reason) => {
                self.program.end().await;
                DriverError::NotLoggedIn { program: self.name.clone(), reason }
            }
        }
    }
}

/// A conversation, and the program that it is held with.
pub(super) struct Talk<S> {
    pub lines: Lines,
    pub speech: S,
    /// Whether it goes on with an earlier one.
    pub goes_on: bool,
}

#[async_trait]
impl<S: Speech> Conversation for Talk<S> {
    fn id(&self) -> Option<&str> {
        Some(self.speech.id())
    }

    fn goes_on(&self) -> bool {
        self.goes_on
    }

    fn takes_more(&self) -> bool {
        true
    }

    async fn say(
        &mut self,
        words: &str,
        hear: &mut (dyn FnMut(Heard) + Send),
        steering: &mut Steering,
    ) -> Result<Done, DriverError> {
        match self.turn(words, hear, steering).await {
            Ok(done) => Ok(done),
            Err(fault) => Err(self.lines.broken(fault).await),
        }
    }

    async fn end(mut self: Box<Self>) {
        self.lines.program.end().await;
    }
}

impl<S: Speech> Talk<S> {
    async fn turn(
        &mut self,
        words: &str,
        hear: &mut (dyn FnMut(Heard) + Send),
        steering: &mut Steering,
    ) -> Result<Done, Fault> {
        let told = self.speech.tell(words);
        self.lines.send(&told).await?;
        // From when on it is to break off, and whether it knows.
        let mut stopped: Option<(Instant, bool)> = None;
        loop {
            let limit = stopped.map(|(since, _)| since + BREAK_OFF_LIMIT);
            let message = tokio::select! {
                biased;
                () = steering.stop.cancelled(), if stopped.is_none() => {
                    stopped = Some((Instant::now(), false));
                    None
                }
                () = sleep_until(limit.unwrap_or_else(Instant::now)), if limit.is_some() => {
                    let reason = format!("it did not leave off within {BREAK_OFF_LIMIT:?}");
                    return Err(Fault::Broke(reason));
                }
                more = steering.more.next(), if stopped.is_none() && self.speech.takes_more() => {
                    let told = self.speech.tell_more(more);
                    self.lines.send(&told).await?;
                    None
                }
                message = self.lines.next() => Some(message?),
            };
            match message.map_or(Step::Listen, |message| self.speech.take(&message, hear)) {
                Step::Listen => {}
                Step::Answer(answer) => self.lines.send(&answer).await?,
                Step::Over(_) if stopped.is_some() => return Ok(Done::BrokenOff),
                Step::Over(done) => return Ok(done),
                Step::Broken(fault) => return Err(fault),
            }
            if let Some((since, false)) = stopped
                && let Some(message) = self.speech.break_off()
            {
                self.lines.send(&message).await?;
                stopped = Some((since, true));
            }
        }
    }
}
