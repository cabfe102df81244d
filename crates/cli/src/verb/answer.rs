//! `answer`: shows the questions that agents wait with, and answers them.

use agent_team::{AgentId, AgentMessage, Error, HUMAN, MessageBus, RecordId};
use clap::Args;
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::json;

use super::{read_words, words};
use crate::cli::Global;
use crate::exit::{Exit, Failure};
use crate::operation::{Actor, Operation};
use crate::output::{Output, Paint};
use crate::time;

/// The arguments of `answer`.
#[derive(Debug, Args)]
#[command(
    about = "Answer a question of an agent, or list the open ones",
    long_about = "Answer a question that an agent waits with. Without a question all open ones are listed. The beginning \
                  of an id is enough if no other begins so; if one question alone is open, `answer --it TEXT` answers it.",
    after_help = "Examples:\n  agent-team answer\n  agent-team answer 0192f 'Use spaces'\n  \
                  agent-team answer --it 'Use spaces'\n  agent-team answer 0192f 'Spaces.' --as lead-1"
)]
pub struct Answer {
    /// The question: its id, or the beginning of it
    #[arg(value_name = "QUESTION", requires = "text", conflicts_with = "it")]
    question: Option<String>,
    /// The answer; - for standard input
    text: Option<String>,
    /// Answer the only open question
    #[arg(long, value_name = "TEXT")]
    it: Option<String>,
    /// Who answers
    #[arg(long = "as", value_name = "NAME", default_value = "human")]
    agent: AgentId,
}

impl Answer {
    pub fn run(self, global: &Global, out: &mut Output) -> Result<Exit, Failure> {
        let bus = MessageBus::over(global.open()?.team_log().clone());
        let open = bus.questions(None)?;
        let (question, text) = match (self.question, self.text, self.it) {
            (Some(begin), Some(text), _) => (find(&open, &begin)?, text),
            (_, _, Some(text)) => match open.as_slice() {
                [only] => (only.id, text),
                [] => return Err(Failure::refused("no question is open")),
                _ => {
                    let failure = Failure::usage(format!("{} questions are open", open.len()));
                    return Err(failure.hint("`agent-team answer` lists them; name the one you mean"));
                }
            },
            _ => return list(&open, out),
        };
        may_answer(&bus, &self.agent, question)?;
        give(&bus, &self.agent, question, read_words(text, "the answer")?, out)
    }
}

/// An answer, as a session gives it: to those questions alone that it was asked.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct AnswerQuestion {
    /// The question: its id, or the beginning of it. Without one, those are listed that wait for your answer
    question: Option<String>,
    /// The answer
    text: Option<String>,
}

impl Operation for AnswerQuestion {
    const TOOL: &'static str = "answer";
    const ABOUT: &'static str = "Answer a question that another agent waits with. Without a question those are listed that \
                                 you may answer.";
    const LIST: &'static str = "questions";

    fn perform(self, by: &Actor<'_>, out: &mut Output) -> Result<Exit, Failure> {
        let bus = MessageBus::over(by.queue.team_log().clone());
        let open = bus.questions(Some(by.agent()?))?;
        let Some(question) = self.question else { return list(&open, out) };
        let question = find(&open, &question)?;
        may_answer(&bus, by.agent()?, question)?;
        give(&bus, by.agent()?, question, words(self.text.unwrap_or_default(), "the answer")?, out)
    }
}

/// The human may answer everything, and others what they are asked.
fn may_answer(bus: &MessageBus, by: &AgentId, question: RecordId) -> Result<(), Failure> {
    if by.as_str() == HUMAN || bus.questions(Some(by))?.iter().any(|asked| asked.id == question) {
        return Ok(());
    }
    Err(Failure::refused(format!("question {question} is not open, or not for {by}")))
}

fn give(
    bus: &MessageBus,
    by: &AgentId,
    question: RecordId,
    text: String,
    out: &mut Output,
) -> Result<Exit, Failure> {
    let given = bus.answer(by, question, text).map_err(|error| match error {
        Error::Input(message) => {
            Failure::refused(message).hint("`agent-team answer` lists the open questions")
        }
        error => error.into(),
    });
    let id = given?;
    out.answer(&json!({ "id": id, "question": question }), |out| out.line(&id.to_string()))?;
    Ok(Exit::Done)
}

/// The open question whose id begins so.
fn find(open: &[AgentMessage], begin: &str) -> Result<RecordId, Failure> {
    if let Ok(id) = begin.parse() {
        return Ok(id);
    }
    let mut found = open.iter().filter(|question| question.id.to_string().starts_with(begin));
    match (found.next(), found.next()) {
        (Some(only), None) => Ok(only.id),
        (Some(_), Some(_)) => Err(Failure::usage(format!("several questions begin with `{begin}`"))),
        (None, _) => Err(Failure::refused(format!("no open question begins with `{begin}`"))
            .hint("`agent-team answer` lists the open ones")),
    }
}

fn list(open: &[AgentMessage], out: &mut Output) -> Result<Exit, Failure> {
    out.answer(&open, |out| {
        for question in open {
            let about = question.task.as_ref().map(|task| format!(", about {task}")).unwrap_or_default();
            let when = time::ago(question.at_ms);
            let head = format!("{} {} asks {}{about}, {when}:", question.id, question.from, question.to);
            out.painted(&head, Some(Paint::Warning))?;
            out.block("  ", &question.text)?;
        }
        Ok(())
    })?;
    Ok(Exit::Done)
}
