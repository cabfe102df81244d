//! `note`: the team's memory.

use agent_team::{AgentId, TaskId};
use clap::Args;
use serde_json::json;

use super::read_words;
use crate::cli::Global;
use crate::exit::{Exit, Failure};
use crate::output::{Output, Paint};
use crate::{task_text, time};

/// The arguments of `note`.
#[derive(Debug, Args)]
#[command(
    about = "Note what agents shall know, or show what was noted",
    long_about = "Note what agents shall know. It is shown to whoever takes a task with one of its labels, or any task if \
                  it has none. Without a text the notes are shown, oldest first.",
    after_help = "Examples:\n  agent-team note 'The tests need a UTF-8 locale'\n  \
                  agent-team note 'Arrays are passed by reference' --label codegen\n  agent-team note\n  \
                  agent-team note --label codegen"
)]
pub struct Note {
    /// What to note; - for standard input
    text: Option<String>,
    /// For tasks with this label only (repeat it, or separate by commas)
    #[arg(long, value_delimiter = ',', value_name = "LABEL")]
    label: Vec<String>,
    /// The task at which it came up
    #[arg(long, value_name = "ID", requires = "text")]
    task: Option<TaskId>,
    /// Who notes it
    #[arg(long = "as", value_name = "NAME", default_value = "human")]
    agent: AgentId,
}

impl Note {
    pub fn run(self, global: &Global, out: &mut Output) -> Result<Exit, Failure> {
        let queue = global.open()?;
        let Some(text) = self.text else {
            let labels = (!self.label.is_empty()).then_some(self.label.as_slice());
            let notes = queue.notes(labels)?;
            if out.is_json() {
                out.json(&notes)?;
                return Ok(Exit::Done);
            }
            for note in notes {
                let labels = note.labels.iter().map(|label| format!(" [{label}]")).collect::<String>();
                let about = note.task.as_ref().map(|task| format!(", at {task}")).unwrap_or_default();
                let head = format!("{} {}{about}{labels}:", time::local(note.at_ms), note.agent);
                out.painted(&head, Some(Paint::Faint))?;
                out.block("  ", &task_text::whole(&queue, &note.text))?;
            }
            return Ok(Exit::Done);
        };
        let id = queue.add_note(
            &self.agent,
            read_words(text, "what others shall know")?,
            self.label,
            self.task,
        )?;
        if out.is_json() {
            out.json(&json!({ "id": id }))?;
        } else {
            out.line(&id.to_string())?;
        }
        Ok(Exit::Done)
    }
}
