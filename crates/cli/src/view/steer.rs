//! What can be done from a view: the commands of the command line, done by the very verbs.
//!
//! So a view can do nothing that a shell cannot, is refused with the same words, and can show what one would have typed.

use std::path::Path;

use agent_team::split::quote;
use agent_team::{AgentId, Recipient, RecordId, TaskId};
use clap::Parser;
use serde::Deserialize;

use crate::cli::Cli;
use crate::exit::Failure;
use crate::output::Output;

/// Something that the human does to the team.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(tag = "do", rename_all = "snake_case", deny_unknown_fields)]
pub enum Steer {
    /// Says something.
    Say {
        /// To whom.
        to: Recipient,
        /// What.
        text: String,
        /// The task that it is about.
        #[serde(default)]
        task: Option<TaskId>,
        /// Whether it interrupts its reader.
        #[serde(default)]
        urgent: bool,
    },
    /// Breaks off what an agent does.
    Interrupt {
        /// The agent.
        agent: AgentId,
        /// What it shall know.
        #[serde(default)]
        text: Option<String>,
    },
    /// Holds up an agent, or the whole team.
    Pause {
        /// The agent; `None` for the team.
        #[serde(default)]
        agent: Option<AgentId>,
        /// Why.
        #[serde(default)]
        reason: String,
    },
    /// Lets an agent, or the whole team, go on.
    Resume {
        /// The agent; `None` for the team.
        #[serde(default)]
        agent: Option<AgentId>,
    },
    /// Stops an agent and takes from it what it works on.
    Stop {
        /// The agent.
        agent: AgentId,
        /// Why.
        #[serde(default)]
        reason: String,
    },
    /// Lets a plan be carried out.
    ApprovePlan {
        /// The task.
        task: TaskId,
        /// Which of its plans was read, from 1.
        round: u32,
        /// A word with it.
        #[serde(default)]
        text: String,
    },
    /// Wants another plan.
    RejectPlan {
        /// The task.
        task: TaskId,
        /// Which of its plans was read, from 1.
        round: u32,
        /// What is to be changed.
        text: String,
    },
    /// Judges what was delivered.
    Review {
        /// The task.
        task: TaskId,
        /// The attempt whose result was read.
        attempt: u32,
        /// Whether it is good.
        approve: bool,
        /// What is to be changed, or a word with the approval.
        #[serde(default)]
        text: String,
    },
    /// Gives a task new attempts.
    Retry {
        /// The task.
        task: TaskId,
    },
    /// Wants a task no longer.
    Cancel {
        /// The task.
        task: TaskId,
    },
    /// Gives a task to an agent.
    Reassign {
        /// The task.
        task: TaskId,
        /// To whom; `None` for anyone who fits.
        #[serde(default)]
        agent: Option<AgentId>,
    },
    /// Answers a question.
    Answer {
        /// The question.
        question: RecordId,
        /// The answer.
        text: String,
    },
    /// Adds a task.
    Add {
        /// Its title.
        title: String,
        /// Its whole text.
        #[serde(default)]
        description: String,
        /// What must be completed first.
        #[serde(default)]
        after: Vec<TaskId>,
        /// The command that proves it.
        #[serde(default)]
        check: Option<String>,
    },
}

/// What came of it.
#[derive(Debug)]
pub struct Done {
    /// The command as one would type it.
    pub command: String,
    /// What it printed, or why it did not do it.
    pub outcome: Result<String, Failure>,
}

impl Steer {
    /// Does it to the team of this folder: the one that holds `.agent-team`. Blocks while a hook is asked.
    pub fn perform(&self, workspace: &Path) -> Done {
        let command = self.command();
        let mut arguments = vec!["agent-team".into(), "--team".into(), workspace.as_os_str().to_owned()];
        arguments.extend(self.arguments().into_iter().map(Into::into));
        let parsed = Cli::try_parse_from(arguments).map_err(|error| {
            let text = error.render().to_string();
            Failure::usage(text.lines().next().unwrap_or_default().trim_start_matches("error: "))
        });
        let outcome = parsed.and_then(|cli| {
            let mut out = Output::kept();
            cli.verb.run(&cli.global, &mut out)?;
            Ok(out.into_kept().text.trim_end().to_owned())
        });
        Done { command, outcome }
    }

    /// The command as one would type it.
    pub fn command(&self) -> String {
        let quoted = |argument: &String| {
            let is_plain = |c: char| c.is_ascii_alphanumeric() || "-_./:=@".contains(c);
            if !argument.is_empty() && argument.chars().all(is_plain) {
                argument.clone()
            } else {
                quote(argument)
            }
        };
        let words: Vec<String> = self.arguments().iter().map(quoted).collect();
        format!("agent-team {}", words.join(" "))
    }

    /// What stands on the command line. Texts are given by `--option=TEXT` or behind `--`, since they may begin with a dash.
    fn arguments(&self) -> Vec<String> {
        let list = |words: &[&str]| words.iter().map(|word| (*word).to_owned()).collect::<Vec<_>>();
        match self {
            Self::Say { to, text, task, urgent } => {
                let mut words = list(&["say"]);
                words.extend(urgent.then(|| "--urgent".to_owned()));
                words.extend(task.as_ref().map(|task| format!("--task={task}")));
                words.extend([to.to_string(), "--".to_owned(), typed(text)]);
                words
            }
            Self::Interrupt { agent, text } => {
                let mut words = list(&["interrupt", agent.as_str()]);
                let text = text.as_ref().filter(|text| !text.trim().is_empty());
                words.extend(text.into_iter().flat_map(|text| ["--".to_owned(), typed(text)]));
                words
            }
            Self::Pause { agent, reason } => with_reason(whom("pause", agent.as_ref()), reason),
            Self::Resume { agent } => whom("resume", agent.as_ref()),
            Self::Stop { agent, reason } => with_reason(whom("stop", Some(agent)), reason),
            Self::ApprovePlan { task, round, text } => {
                let mut words = list(&["plan", "approve", task.as_str()]);
                words.push(format!("--plan={round}"));
                words.extend(some(text).into_iter().flat_map(|text| ["--".to_owned(), text]));
                words
            }
            Self::RejectPlan { task, round, text } => {
                let mut words = list(&["plan", "reject", task.as_str()]);
                words.extend([format!("--plan={round}"), "--".to_owned(), typed(text)]);
                words
            }
            Self::Review { task, attempt, approve, text } => {
                let verdict = match approve {
                    true => {
                        some(text).map_or_else(|| "--approve".to_owned(), |text| format!("--approve={text}"))
                    }
                    false => format!("--reject={}", typed(text)),
                };
                let mut words = list(&["review", task.as_str()]);
                words.extend([format!("--attempt={attempt}"), verdict]);
                words
            }
            Self::Retry { task } => list(&["retry", task.as_str()]),
            Self::Cancel { task } => list(&["cancel", task.as_str()]),
            Self::Reassign { task, agent } => {
                let to =
                    agent.as_ref().map_or_else(|| "--to-anyone".to_owned(), |agent| format!("--to={agent}"));
                let mut words = list(&["reassign", task.as_str()]);
                words.push(to);
                words
            }
            Self::Answer { question, text } => {
                let mut words = list(&["answer"]);
                words.extend([question.to_string(), "--".to_owned(), typed(text)]);
                words
            }
            Self::Add { title, description, after, check } => {
                let mut words = list(&["add"]);
                words.extend(some(description).map(|text| format!("--description={text}")));
                words.extend(after.iter().map(|task| format!("--after={task}")));
                words.extend(
                    check.as_ref().and_then(|check| some(check)).map(|check| format!("--check={check}")),
                );
                words.extend(["--".to_owned(), typed(title)]);
                words
            }
        }
    }
}

fn whom(verb: &str, agent: Option<&AgentId>) -> Vec<String> {
    std::iter::once(verb).chain(agent.map(AgentId::as_str)).map(str::to_owned).collect()
}

fn with_reason(mut words: Vec<String>, reason: &str) -> Vec<String> {
    words.extend(some(reason).map(|reason| format!("--reason={reason}")));
    words
}

/// A text that says something.
fn some(text: &str) -> Option<String> {
    Some(typed(text)).filter(|text| !text.trim().is_empty())
}

/// A text that was typed into a view. A single dash would stand for standard input, which nobody means there.
fn typed(text: &str) -> String {
    if text == "-" { "- ".to_owned() } else { text.to_owned() }
}

#[cfg(test)]
mod tests {
    use agent_team::{MessageBus, NewTask, TaskQueue};

    use super::*;

    #[test]
    fn what_is_typed_into_a_view_is_done_as_on_the_command_line() {
        let folder = tempfile::tempdir().unwrap();
        let queue = TaskQueue::new(folder.path()).unwrap();
        queue.add_task(NewTask::new("a").id("parse")).unwrap();
        let say = |text: &str| Steer::Say {
            to: "worker-9".parse().unwrap(),
            text: text.to_owned(),
            task: Some("parse".parse().unwrap()),
            urgent: false,
        };
        for text in ["--help", "-", "'; rm -rf ~", "two\nlines"] {
            let done = say(text).perform(folder.path());
            let printed = done.outcome.unwrap_or_else(|failure| panic!("{text}: {}", failure.words()));
            assert!(printed.contains("WARNING"), "nobody is there to read it: {printed}");
        }
        let sent = MessageBus::over(queue.team_log().clone()).sent(&AgentId::human()).unwrap();
        let texts: Vec<_> = sent.iter().map(|message| message.text.preview().into_owned()).collect();
        assert_eq!(texts, ["--help", "- ", "'; rm -rf ~", "two\nlines"]);
        assert_eq!(say("it's").command(), r"agent-team say --task=parse worker-9 -- 'it'\''s'");
    }

    #[test]
    fn what_is_refused_says_why_as_on_the_command_line() {
        let folder = tempfile::tempdir().unwrap();
        TaskQueue::new(folder.path()).unwrap();
        let steer: Steer = serde_json::from_str(r#"{"do":"retry","task":"parse"}"#).unwrap();
        let done = steer.perform(folder.path());
        assert_eq!(done.command, "agent-team retry parse");
        assert!(done.outcome.unwrap_err().words().contains("parse"));
        let pause = Steer::Pause { agent: None, reason: "lunch".to_owned() };
        assert_eq!(pause.perform(folder.path()).outcome.unwrap(), "the team paused");
        assert!(serde_json::from_str::<Steer>(r#"{"do":"init"}"#).is_err());
    }
}
