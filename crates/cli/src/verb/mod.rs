//! One file per verb: its arguments, its help with examples, and what it does.

pub mod add;
pub mod claim;
pub mod complete;
pub mod init;
pub mod list;
pub mod show;
pub mod status;

use std::io::Read;

use agent_team::{AgentId, Error, RecordId, TaskId, TaskQueue};

use crate::exit::Failure;

/// A text from the command line; `-` stands for standard input.
fn read_text(text: String) -> Result<String, Failure> {
    if text != "-" {
        return Ok(text);
    }
    let mut whole = String::new();
    let read = std::io::stdin().read_to_string(&mut whole);
    read.map_err(|error| Failure::io("cannot read standard input", &error))?;
    Ok(whole)
}

/// The claim that is meant: the one that was named, or else the one that the agent has, unless that would be a guess.
fn token(
    queue: &TaskQueue,
    named: Option<RecordId>,
    task: &TaskId,
    agent: &AgentId,
) -> Result<RecordId, Failure> {
    if let Some(token) = named {
        return Ok(token);
    }
    queue.token_of(task, agent).map_err(|error| match error {
        Error::Input(message) => {
            Failure::refused(message).hint("--token or $AGENT_TEAM_TOKEN names the claim")
        }
        error => error.into(),
    })
}
