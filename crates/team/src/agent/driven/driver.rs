//! How a coding agent is driven, whichever it is: it is told something, and heard until it has done with that.
//!
//! A driver knows one program's way of talking. It knows nothing of tasks, teams and budgets.

use std::path::PathBuf;

use async_trait::async_trait;
use serde_json::Value;

use super::server::TeamServer;
use super::steering::{More, Steering};
use crate::command::Environment;
use crate::model::Usage;

/// A program that does coding tasks by itself when it is told to.
#[async_trait]
pub trait Driver: Send + Sync {
    /// How a user names it: `opencode`, `acp:my-agent --acp`.
    fn name(&self) -> String;

    /// Whether the program can call the tools of a team.
    fn takes_tools(&self) -> bool {
        true
    }

    /// Starts the program and begins a conversation with it; or goes on with an earlier one, by the name which that one
    /// [had](Conversation::id), if the program can.
    ///
    /// # Errors
    /// When it cannot be started, is not logged in, or does not speak the protocol.
    async fn begin(&self, place: &Place, earlier: Option<&str>)
    -> Result<Box<dyn Conversation>, DriverError>;
}

/// Where a driven agent works, and what it may do there.
#[derive(Clone)]
pub struct Place {
    /// The folder that it is to work in.
    pub folder: PathBuf,
    /// All variables that it has.
    pub environment: Environment,
    /// What it may do.
    pub access: Access,
    /// Where it finds the tools of its team; `None` where it is only asked something.
    pub team: Option<TeamServer>,
    /// The model that it is to call, by its own name for it; `None` for its usual one.
    pub model: Option<String>,
}

impl Place {
    /// The value of a variable that it has.
    pub(super) fn variable(&self, name: &str) -> Option<&str> {
        let mut variables = self.environment.iter();
        variables.find(|(known, _)| *known == name).and_then(|(_, value)| value.to_str())
    }

    /// The same with what lets a program into the server of its team among its variables: where others can read it, in the
    /// arguments of a command, it does not stand.
    #[must_use]
    pub(super) fn with_word_of_team(mut self) -> Self {
        for (name, value) in self.team.iter().flat_map(|team| &team.environment) {
            self.environment = self.environment.with(name, value);
        }
        self
    }
}

/// What an agent may do in its folder.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Access {
    /// Read, and nothing else: it plans, leads or reviews.
    Look,
    /// Change files and run commands.
    Work,
}

/// A conversation with a program that runs.
#[async_trait]
pub trait Conversation: Send {
    /// What the program calls it, where it can be gone on with later.
    fn id(&self) -> Option<&str>;

    /// Whether it goes on with an earlier one, so that the program knows what was said there.
    fn goes_on(&self) -> bool;

    /// Whether it can be told more while it does what it was told.
    fn takes_more(&self) -> bool {
        false
    }

    /// Says something, and hears what comes of it until the program has done with it, or is [steered](Steering) otherwise.
    ///
    /// # Errors
    /// When the program ended, or said what nobody understands.
    async fn say(
        &mut self,
        words: &str,
        hear: &mut (dyn FnMut(Heard) + Send),
        steering: &mut Steering,
    ) -> Result<Done, DriverError>;

    /// Ends the program, with all that it has started.
    async fn end(self: Box<Self>);
}

/// Something that a program tells while it works.
#[derive(Debug, Clone, PartialEq)]
pub enum Heard {
    /// It says a piece of text.
    Text(String),
    /// It writes a piece of what it will have said: that comes as [`Text`](Self::Text), too, when it is whole.
    Writes(String),
    /// It thinks.
    Thinks,
    /// It calls a tool of its own, or of a server.
    Calls {
        /// What it calls this call.
        id: String,
        /// The tool, or what the program says that it does.
        name: String,
        /// What the tool is given.
        input: Value,
    },
    /// A call has ended.
    Returned {
        /// The call.
        id: String,
        /// What it gave, as far as the program says.
        output: String,
        /// Whether it failed.
        is_error: bool,
    },
    /// It asked whether it may do something, and was answered.
    Asked {
        /// What it asked for.
        what: String,
        /// Whether it may.
        allowed: bool,
    },
    /// It has taken what it was told while it worked.
    Took(More),
    /// All that it has used in this conversation so far.
    Used(Usage),
}

/// Why a program has done with what it was told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Done {
    /// It has said what it had to say.
    Said,
    /// It was broken off.
    BrokenOff,
    /// It ran into a limit of its own: of tokens, or of turns.
    Limit,
    /// Its model refuses.
    Refused,
}

/// Why a conversation cannot begin, or go on.
#[derive(Debug, thiserror::Error)]
pub enum DriverError {
    /// The program could not be started.
    #[error("cannot start `{command}`: {source}")]
    Start {
        /// The command.
        command: String,
        /// What the operating system said.
        source: std::io::Error,
    },
    /// The program wants a login, or a key.
    #[error("{program} is not logged in: {reason}")]
    NotLoggedIn {
        /// The program.
        program: String,
        /// What it said.
        reason: String,
    },
    /// It ended in the middle.
    #[error("{program} ended: {reason}")]
    Ended {
        /// The program.
        program: String,
        /// How, and what it last wrote to standard error.
        reason: String,
    },
    /// It answered with an error, or with what nobody understands.
    #[error("{program}: {reason}")]
    Failed {
        /// The program.
        program: String,
        /// What is wrong.
        reason: String,
    },
}
