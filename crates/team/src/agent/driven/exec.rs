//! Any program: it is given a prompt on its standard input, and what it writes to standard output is its answer.
//!
//! It is started anew for each thing that it is told, and knows nothing of what was said before; so it is told that again.

use std::time::Duration;

use async_trait::async_trait;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use super::driver::{Conversation, Done, Driver, DriverError, Heard, Place};
use super::program::Program;
use super::steering::Steering;

/// What a program has said that printed nothing.
const SILENT: &str = "(exit code 0, and nothing printed)";

/// The longest answer, in bytes: what is longer is no answer that anybody reads.
const ANSWER_BYTES_MAX: u64 = 1 << 20;
/// How long a program whose answer is complete may take to end.
const END_LIMIT: Duration = Duration::from_secs(10);

/// A program that answers a prompt.
#[derive(Debug, Clone)]
pub struct Exec {
    name: String,
    command: Vec<String>,
}

impl Exec {
    /// The program behind a command, under the name by which the user knows it.
    pub fn new(name: impl Into<String>, command: Vec<String>) -> Self {
        Self { name: name.into(), command }
    }
}

#[async_trait]
impl Driver for Exec {
    fn name(&self) -> String {
        self.name.clone()
    }

    fn takes_tools(&self) -> bool {
        false
    }

    async fn begin(&self, place: &Place, _: Option<&str>) -> Result<Box<dyn Conversation>, DriverError> {
        Ok(Box::new(Answers { exec: self.clone(), place: place.clone(), said: String::new() }))
    }
}

/// What was said so far, and the program that is told all of it.
struct Answers {
    exec: Exec,
    place: Place,
    said: String,
}

#[async_trait]
impl Conversation for Answers {
    fn id(&self) -> Option<&str> {
        None
    }

    fn goes_on(&self) -> bool {
        false
    }

    async fn say(
        &mut self,
        words: &str,
        hear: &mut (dyn FnMut(Heard) + Send),
        steering: &mut Steering,
    ) -> Result<Done, DriverError> {
        self.said += words;
        let mut program = Program::start(&self.exec.name, &self.exec.command, &self.place)?;
        let answered = tokio::select! {
            answered = answer(&mut program, &self.said) => answered,
            () = steering.stop.cancelled() => {
                program.end().await;
                return Ok(Done::BrokenOff);
            }
        };
        let text = match answered {
            Ok(text) => text,
            Err(NoAnswer::TooLong) => {
                program.end().await;
                let reason = format!("it printed more than {} MiB", ANSWER_BYTES_MAX >> 20);
                return Err(DriverError::Failed { program: self.exec.name.clone(), reason });
            }
            Err(NoAnswer::Broken(reason)) => return Err(program.broken(reason).await),
        };
        match tokio::time::timeout(END_LIMIT, program.wait()).await {
            Ok(Ok(status)) if status.success() => program.end().await,
            // Why, it has said on standard error.
            _ => return Err(program.broken(format!("it did not end within {END_LIMIT:?}")).await),
        }
        self.said += &format!("\n\n# You answered\n\n{text}\n\n# You are told\n\n");
        // Many programs that went well have nothing to say.
        hear(Heard::Text(if text.trim().is_empty() { SILENT.to_owned() } else { text }));
        Ok(Done::Said)
    }

    async fn end(self: Box<Self>) {}
}

/// Why there is no answer.
enum NoAnswer {
    TooLong,
    Broken(String),
}

/// What a program answers to words.
async fn answer(program: &mut Program, words: &str) -> Result<String, NoAnswer> {
    let broken = |reason: &str| NoAnswer::Broken(reason.to_owned());
    let (mut input, output) = program.streams().ok_or_else(|| broken("it has no streams"))?;
    let tell = async {
        // Whoever does not read what it is told may have its reasons.
        let _ = input.write_all(words.as_bytes()).await;
        drop(input);
    };
    let mut text = Vec::new();
    let mut most = output.take(ANSWER_BYTES_MAX + 1);
    let ((), read) = tokio::join!(tell, most.read_to_end(&mut text));
    read.map_err(|error| broken(&error.to_string()))?;
    if text.len() as u64 > ANSWER_BYTES_MAX {
        return Err(NoAnswer::TooLong);
    }
    Ok(String::from_utf8_lossy(&text).into_owned())
}
