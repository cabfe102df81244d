//! `note`: the team's memory.

use agent_team::{AgentId, TaskId, TaskQueue};
use clap::Args;
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::json;

use super::{read_text, words};
use crate::cli::Global;
use crate::exit::{Exit, Failure};
use crate::operation::{Actor, Operation};
use crate::output::{Output, Paint};
use crate::{task_text, time};

/// The arguments of `note`.
#[derive(Debug, Args)]
#[command(
    about = "Note what agents shall know, or show what was noted",
    long_about = TakeNote::ABOUT,
    after_help = "Examples:\n  agent-team note 'The tests need a UTF-8 locale'\n  \
                  agent-team note 'Arrays are passed by reference' --label codegen\n  agent-team note\n  \
                  agent-team note --label codegen"
)]
pub struct Note {
    #[command(flatten)]
    operation: TakeNote,
    /// Who notes it
    #[arg(long = "as", value_name = "NAME", default_value = "human")]
    agent: AgentId,
}

/// What is noted.
#[derive(Debug, Args, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct TakeNote {
    /// What to note; - for standard input
    #[schemars(description = "What to note")]
    text: Option<String>,
    /// For tasks with this label only (repeat it, or separate by commas)
    #[arg(long, value_delimiter = ',', value_name = "LABEL")]
    #[serde(default)]
    #[schemars(description = "For tasks with one of these labels only")]
    label: Vec<String>,
    /// The task at which it came up
    #[arg(long, value_name = "ID", requires = "text")]
    #[schemars(with = "Option<String>")]
    task: Option<TaskId>,
}

impl Note {
    pub fn run(self, global: &Global, out: &mut Output) -> Result<Exit, Failure> {
        let queue = global.open()?;
        let text = self.operation.text.map(read_text).transpose()?;
        TakeNote { text, ..self.operation }.perform(&Actor::named(&queue, &self.agent, None), out)
    }
}

impl Operation for TakeNote {
    const TOOL: &'static str = "note";
    const ABOUT: &'static str = "Note what agents shall know. It is shown to whoever takes a task with one of its labels, or \
                                 any task if it has none. Without a text the notes are shown, oldest first.";
    const LIST: &'static str = "notes";

    fn perform(self, by: &Actor<'_>, out: &mut Output) -> Result<Exit, Failure> {
        let Some(text) = self.text else { return show(&self.label, by.queue, out) };
        let text = words(text, "what others shall know")?;
        let id = by.queue.add_note(by.agent()?, text, self.label, self.task)?;
        out.answer(&json!({ "id": id }), |out| out.line(&id.to_string()))?;
        Ok(Exit::Done)
    }
}

fn show(labels: &[String], queue: &TaskQueue, out: &mut Output) -> Result<Exit, Failure> {
    let labels = (!labels.is_empty()).then_some(labels);
    let notes = queue.notes(labels)?;
    out.answer(&notes, |out| {
        for note in &notes {
            let labels = note.labels.iter().map(|label| format!(" [{label}]")).collect::<String>();
            let about = note.task.as_ref().map(|task| format!(", at {task}")).unwrap_or_default();
            let head = format!("{} {}{about}{labels}:", time::local(note.at_ms), note.agent);
            out.painted(&head, Some(Paint::Faint))?;
            out.block("  ", &task_text::whole(queue, &note.text))?;
        }
        Ok(())
    })?;
    Ok(Exit::Done)
}
