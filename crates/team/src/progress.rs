//! What happens in a run, told to those who watch as it happens. The log has all that counts; this is for eyes.

use std::sync::{Arc, Mutex, PoisonError};

use serde::Serializer;
use serde::ser::SerializeStruct;

use crate::{AgentId, Stage, TaskId};

/// Something that happened.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
#[serde(tag = "progress", rename_all = "snake_case")]
pub enum Progress {
    /// An agent began an assignment.
    Began {
        /// The agent.
        agent: AgentId,
        /// The task.
        task: TaskId,
        /// What it does with it.
        stage: Stage,
        /// Which attempt.
        attempt: u32,
    },
    /// What an agent does at the moment.
    Activity {
        /// The agent.
        agent: AgentId,
        /// What, in a few words.
        what: String,
    },
    /// An agent has nothing to do.
    Idle {
        /// The agent.
        agent: AgentId,
    },
    /// An agent delivered its work.
    Delivered {
        /// The agent.
        agent: AgentId,
        /// The task.
        task: TaskId,
    },
    /// An attempt failed.
    Failed {
        /// The agent.
        agent: AgentId,
        /// The task.
        task: TaskId,
        /// Why.
        reason: String,
    },
    /// An agent gave back what it was to judge, without a verdict: others may.
    GaveBack {
        /// The agent.
        agent: AgentId,
        /// The task.
        task: TaskId,
        /// Why.
        reason: String,
    },
    /// A task's check ran.
    Checked {
        /// The task.
        task: TaskId,
        /// Whether it passed.
        passed: bool,
        /// How it ended, in one line.
        reason: String,
    },
    /// A reviewer judged.
    Reviewed {
        /// The reviewer.
        agent: AgentId,
        /// The task.
        task: TaskId,
        /// The verdict.
        approved: bool,
    },
    /// Work was merged.
    Merged {
        /// The task.
        task: TaskId,
        /// The commit.
        commit: String,
        /// The branch.
        branch: String,
    },
    /// Work was not merged, and went back.
    Refused {
        /// The task.
        task: TaskId,
        /// Why.
        reason: String,
    },
    /// Something else that is worth a line: as JSON its `text`.
    Note(#[serde(serialize_with = "as_field")] String),
}

/// A text has no field that could stand beside the kind of progress.
fn as_field<S: Serializer>(text: &str, serializer: S) -> Result<S::Ok, S::Error> {
    let mut fields = serializer.serialize_struct("Note", 1)?;
    fields.serialize_field("text", text)?;
    fields.end()
}

/// Tells progress to a listener, if there is one.
#[derive(Clone, Default)]
pub struct Reporter(Option<Arc<dyn Fn(Progress) + Send + Sync>>);

impl Reporter {
    /// A reporter with a listener. It is called from many threads and must return quickly.
    pub fn to(listener: impl Fn(Progress) + Send + Sync + 'static) -> Self {
        Self(Some(Arc::new(listener)))
    }

    /// A reporter that tells the same listener, and keeps the notes that say what went wrong.
    pub(crate) fn keeping_errors(&self) -> (Self, Arc<Mutex<Vec<String>>>) {
        let (listener, errors) = (self.clone(), Arc::<Mutex<Vec<String>>>::default());
        let kept = errors.clone();
        let reporter = Self::to(move |progress| {
            if let Progress::Note(text) = &progress
                && let Some(error) = text.strip_prefix("ERROR ")
            {
                kept.lock().unwrap_or_else(PoisonError::into_inner).push(error.to_owned());
            }
            listener.report(progress);
        });
        (reporter, errors)
    }

    /// Tells the listener.
    pub fn report(&self, progress: Progress) {
        if let Some(listener) = &self.0 {
            listener(progress);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_note_is_told_as_json_like_everything_else() {
        let note = serde_json::to_value(Progress::Note("goes on".to_owned())).unwrap();
        assert_eq!(note, serde_json::json!({ "progress": "note", "text": "goes on" }));
    }
}
