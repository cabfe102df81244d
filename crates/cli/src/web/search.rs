//! Words in tasks, messages and transcripts.

use std::path::Path;
use std::time::{Duration, Instant};

use agent_team::view::StretchView;
use agent_team::{AgentId, Error, RecordId, TaskId, TaskQueue, TranscriptReader};
use serde::Serialize;

/// How much is found of each kind, at most.
const FOUND: usize = 50;
/// How long transcripts are searched at most: they lie in many files.
const PATIENCE: Duration = Duration::from_millis(800);
/// How much of a transcript is read, in bytes.
const TRANSCRIPT_BYTES: u64 = 4 << 20;
/// How much stands around what was found, in characters on each side.
const AROUND: usize = 60;

/// What was found.
#[derive(Debug, Default, Serialize)]
pub struct Found {
    pub tasks: Vec<FoundTask>,
    pub messages: Vec<FoundMessage>,
    pub transcripts: Vec<FoundTranscript>,
    /// Whether there may be more.
    pub more: bool,
}

#[derive(Debug, Serialize)]
pub struct FoundTask {
    pub id: TaskId,
    pub title: String,
    /// In which of its texts.
    #[serde(rename = "where")]
    pub place: &'static str,
    pub text: String,
}

#[derive(Debug, Serialize)]
pub struct FoundMessage {
    pub id: RecordId,
    pub from: AgentId,
    pub to: String,
    pub text: String,
}

#[derive(Debug, Serialize)]
pub struct FoundTranscript {
    pub token: RecordId,
    pub task: TaskId,
    pub agent: AgentId,
    pub text: String,
}

/// Looks for words in all that a team said. Large and small letters are the same.
///
/// # Errors
/// When the log cannot be read.
pub fn search(queue: &TaskQueue, root: &Path, wanted: &str) -> Result<Found, Error> {
    let wanted = wanted.trim().to_lowercase();
    if wanted.is_empty() {
        return Ok(Found::default());
    }
    let mut found = Found::default();
    // A text that is kept elsewhere is searched by how it begins.
    queue.team_log().look(|state| {
        for task in state.tasks() {
            let spec = &task.spec;
            let given = task.submission.as_ref().map(|given| given.result.preview());
            let said = task.feedback.iter().map(|feedback| ("feedback", feedback.text.preview()));
            let texts = [("id", spec.id.as_str().into()), ("title", spec.title.as_str().into())]
                .into_iter()
                .chain([("description", spec.description.preview())])
                .chain(given.map(|result| ("result", result)))
                .chain(said);
            let hit = texts.into_iter().find_map(|(place, text)| Some((place, around(&text, &wanted)?)));
            if let Some((place, text)) = hit {
                if found.tasks.len() == FOUND {
                    found.more = true;
                    break;
                }
                found.tasks.push(FoundTask { id: spec.id.clone(), title: spec.title.clone(), place, text });
            }
        }
        for message in state.messages().all().iter().rev() {
            let Some(text) = around(&message.text.preview(), &wanted) else { continue };
            if found.messages.len() == FOUND {
                found.more = true;
                break;
            }
            let (id, from, to) = (message.id, message.from.clone(), message.to.to_string());
            found.messages.push(FoundMessage { id, from, to, text });
        }
    })?;
    let mut views = Vec::new();
    for task in
        queue.team_log().look(|state| state.tasks().map(|task| task.id().clone()).collect::<Vec<_>>())?
    {
        views.extend(queue.transcripts_of(&task)?);
    }
    views.sort_by_key(|view| std::cmp::Reverse(view.from_ms));
    let begun = Instant::now();
    for view in views {
        if found.transcripts.len() == FOUND || begun.elapsed() > PATIENCE {
            found.more = true;
            break;
        }
        let StretchView { token, task, agent, .. } = view;
        if let Some(text) = in_transcript(root, token, &wanted) {
            found.transcripts.push(FoundTranscript { token, task, agent, text });
        }
    }
    Ok(found)
}

/// Where a transcript has the words.
fn in_transcript(root: &Path, token: RecordId, wanted: &str) -> Option<String> {
    let lines = TranscriptReader::new(root, token, 0).read(TRANSCRIPT_BYTES).ok()?;
    lines.iter().find_map(|line| {
        let value = serde_json::to_value(line).ok()?;
        in_value(&value, wanted)
    })
}

/// Where a value of JSON has the words in one of its texts.
fn in_value(value: &serde_json::Value, wanted: &str) -> Option<String> {
    match value {
        serde_json::Value::String(text) => around(text, wanted),
        serde_json::Value::Array(values) => values.iter().find_map(|value| in_value(value, wanted)),
        serde_json::Value::Object(fields) => fields.values().find_map(|value| in_value(value, wanted)),
        _ => None,
    }
}

/// The words with what stands around them, in one line; `None` if the text has them not.
fn around(text: &str, wanted: &str) -> Option<String> {
    let lower = text.to_lowercase();
    let at = lower.find(wanted)?;
    // Small letters may be longer than large ones: what is shown is counted in characters, and may be a little off.
    let before = lower.get(..at)?.chars().count();
    let length = wanted.chars().count() + 2 * AROUND;
    let shown: String = text.chars().skip(before.saturating_sub(AROUND)).take(length).collect();
    Some(shown.split_whitespace().collect::<Vec<_>>().join(" "))
}

#[cfg(test)]
mod tests {
    use agent_team::{MessageBus, NewTask};

    use super::*;

    #[test]
    fn words_are_found_wherever_they_stand() {
        let queue = TaskQueue::in_memory().unwrap();
        queue.add_task(NewTask::new("Write the lexer").id("a")).unwrap();
        queue
            .add_task(NewTask {
                description: "It reads what the LEXER gives.".into(),
                ..NewTask::new("b").id("b")
            })
            .unwrap();
        let bus = MessageBus::over(queue.team_log().clone());
        let human = AgentId::human();
        bus.send(&human, agent_team::Recipient::Everyone, "The lexer is done, and \u{130}stanbul too")
            .unwrap();
        let found = search(&queue, Path::new("/nonexistent"), "Lexer").unwrap();
        let places: Vec<_> = found.tasks.iter().map(|task| (task.id.as_str(), task.place)).collect();
        assert_eq!(places, [("a", "title"), ("b", "description")]);
        assert_eq!(found.messages.len(), 1);
        assert!(search(&queue, Path::new("/nonexistent"), " ").unwrap().tasks.is_empty());
        assert_eq!(search(&queue, Path::new("/nonexistent"), "too").unwrap().messages.len(), 1);
    }
}
