//! The exit codes, and how it is said that a verb did not do what was asked. The one place where errors become codes.

use std::io::{self, ErrorKind};
use std::process::ExitCode;

use agent_team::command::CommandError;
use agent_team::{Error, Refusal};
use serde::Serialize;
use serde_json::{Value, json};

use crate::safe_text;

/// How the command ends. The numbers are an interface.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Exit {
    /// What was asked for is done.
    Done = 0,
    /// Something broke.
    Broken = 1,
    /// The command line, or a file that it names, is wrong.
    Usage = 2,
    /// The team's state does not allow it. Nothing is broken.
    Refused = 3,
    /// There is no work, and none will come.
    NoWork = 4,
    /// A run ended with tasks that failed, or wait for something, or with a goal that is not proved.
    Unfinished = 5,
    /// The time that was given is over.
    TimedOut = 124,
    /// Someone pressed Ctrl-C.
    Interrupted = 130,
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit as u8)
    }
}

/// Why a verb did not do what was asked.
#[derive(Debug)]
pub enum Failure {
    /// It is said on standard error.
    Told(Box<Told>),
    /// Whoever reads our output has gone, as `head` does: nothing to say, and nobody to say it to.
    ReaderGone,
}

/// What is said of a failure.
#[derive(Debug)]
pub struct Told {
    exit: Exit,
    message: String,
    hint: Option<String>,
    refusal: Option<Value>,
}

#[derive(Serialize)]
struct Json<'a> {
    error: &'a str,
    hint: Option<&'a str>,
    code: u8,
    /// The refusal as a value, so that a program need not read the sentence.
    #[serde(skip_serializing_if = "Option::is_none")]
    refused: Option<&'a Value>,
}

impl Failure {
    /// A failure with the code that it ends with.
    pub fn new(exit: Exit, message: impl Into<String>) -> Self {
        Self::Told(Box::new(Told { exit, message: message.into(), hint: None, refusal: None }))
    }

    /// The command line, or a file that it names, is wrong.
    pub fn usage(message: impl Into<String>) -> Self {
        Self::new(Exit::Usage, message)
    }

    /// The team's state does not allow it.
    pub fn refused(message: impl Into<String>) -> Self {
        Self::new(Exit::Refused, message)
    }

    /// Something that was read from or written to `what` broke.
    pub fn io(what: &str, error: &io::Error) -> Self {
        Self::new(Exit::Broken, format!("{what}: {error}"))
    }

    /// Says what to do next.
    #[must_use]
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        if let Self::Told(told) = &mut self {
            told.hint = Some(hint.into());
        }
        self
    }

    /// The code that it ends with.
    pub fn exit(&self) -> Exit {
        match self {
            Self::Told(told) => told.exit,
            Self::ReaderGone => Exit::Done,
        }
    }

    /// It in words, with what to do next.
    pub fn words(&self) -> String {
        let Self::Told(told) = self else { return String::new() };
        let hint = told.hint.as_ref().map(|hint| format!("\nhint: {hint}")).unwrap_or_default();
        format!("{}{hint}", told.message)
    }

    /// It as a value, as `--json` gives it.
    pub fn value(&self) -> Value {
        let Self::Told(told) = self else { return Value::Null };
        let value = Json {
            error: &told.message,
            hint: told.hint.as_deref(),
            code: told.exit as u8,
            refused: told.refusal.as_ref(),
        };
        serde_json::to_value(&value).unwrap_or_default()
    }

    /// Says it on standard error, and gives the code to end with.
    pub fn tell(&self, json: bool) -> Exit {
        let Self::Told(told) = self else { return self.exit() };
        if json {
            eprintln!("{}", safe_text::json(&self.value().to_string()));
            return told.exit;
        }
        // That no work will come is an answer; a script that looks for ERROR should not find one.
        let mark = if told.exit == Exit::NoWork { "" } else { "ERROR " };
        let (first, rest) = told.message.split_once('\n').unwrap_or((&told.message, ""));
        eprintln!("{mark}{}", safe_text::line(first));
        for line in safe_text::block(rest).trim_end().lines() {
            eprintln!("{line}");
        }
        if let Some(hint) = &told.hint {
            eprintln!("  hint: {}", safe_text::line(hint));
        }
        told.exit
    }
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        let exit = match &error {
            Error::Refused(Refusal::NothingEver { .. }) => Exit::NoWork,
            Error::Refused(_)
            | Error::Blocked(_)
            | Error::Untrusted { .. }
            | Error::AlreadyRunning { .. }
            | Error::SeatTaken { .. }
            | Error::Sandbox(_)
            | Error::Command(CommandError::Sandbox(_))
            | Error::Past { .. }
            | Error::WithinCommand => Exit::Refused,
            Error::Name(_)
            | Error::Input(_)
            | Error::NoModel { .. }
            | Error::Process { .. }
            | Error::NoTeam { .. } => Exit::Usage,
            _ => Exit::Broken,
        };
        let (message, hint) = (error.to_string(), error.hint());
        let refusal = match &error {
            Error::Refused(refusal) => serde_json::to_value(refusal).ok(),
            Error::Blocked(blocked) => Some(json!({
                "refusal": "blocked",
                "hook": blocked.hook,
                "task": blocked.task,
                "feedback": blocked.feedback,
            })),
            _ => None,
        };
        Self::Told(Box::new(Told { exit, message, hint, refusal }))
    }
}

/// Standard output broke; that its reader went away is no failure.
impl From<io::Error> for Failure {
    fn from(error: io::Error) -> Self {
        match error.kind() {
            ErrorKind::BrokenPipe => Self::ReaderGone,
            _ => Self::io("cannot write to standard output", &error),
        }
    }
}
