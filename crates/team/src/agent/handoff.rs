//! Where an attempt stood when it ended, told to whoever makes the next one: made from its transcript, without a model.
//!
//! It says what was planned, done, touched and said last. What was wrong with the attempt is told beside it, as a setback.

use std::fmt::Write;

use agent_team_core::machine::{Ending, PastClaim, Task};
use agent_team_core::record::Stage;

use super::account::{self, Files, head};
use super::journal::{Journal, Line, TRANSCRIPT};
use super::prompt;
use crate::model::Part;
use crate::{AgentId, FeedbackCause, RecordId, TeamFolder};

/// The longest note, in bytes, without the words around it.
const NOTE_BYTES_MAX: usize = 5_800;
/// How much of it the single parts take, in bytes.
const PLAN_BYTES_MAX: usize = 1_000;
const NOTES_BYTES_MAX: usize = 1_500;
const DONE_BYTES_MAX: usize = 1_500;
const FILES_BYTES_MAX: usize = 700;
const LAST_WORDS_BYTES_MAX: usize = 800;

/// The last attempt at a task, as the log knows it.
pub(super) struct LastAttempt {
    agent: AgentId,
    attempt: u32,
    /// How it ended, in words.
    ending: String,
    /// Its claims, newest first: the folder of one of them holds the transcript.
    claims: Vec<RecordId>,
}

impl LastAttempt {
    /// The last attempt at a task that is over; `None` if there was none.
    pub fn of(task: &Task) -> Option<Self> {
        let last = task.past_claims.iter().rev().find(|past| past.stage == Stage::Work)?;
        let resumed = |past: &&PastClaim| {
            let earlier = past.resumes?;
            task.past_claims.iter().find(|other| other.id == earlier)
        };
        let claims = std::iter::successors(Some(last), resumed).map(|past| past.id);
        let feedback = task.feedback.iter().rev().find(|feedback| feedback.attempt == last.attempt);
        let ending = match (last.ending, feedback.map(|feedback| feedback.cause)) {
            (Ending::Done, Some(FeedbackCause::Check)) => "its result did not pass the check".to_owned(),
            (Ending::Done, Some(FeedbackCause::Gate)) => "its result did not pass the gate".to_owned(),
            (Ending::Done, Some(FeedbackCause::Conflict)) => {
                "its result conflicts with what others merged".to_owned()
            }
            (Ending::Done, Some(FeedbackCause::Hook)) => {
                "a hook kept its result from being merged".to_owned()
            }
            (Ending::Done, Some(FeedbackCause::Review)) => "a reviewer sent its result back".to_owned(),
            (Ending::Done, _) if task.spec.delegate && task.submission.is_none() => {
                "it handed the task out in parts".to_owned()
            }
            (Ending::Done, _) => "it delivered a result".to_owned(),
            (Ending::Failed, _) => "it failed".to_owned(),
            (Ending::Released, _) => "it was stopped before it was done".to_owned(),
            (ending, _) => ending.to_string(),
        };
        Some(Self { agent: last.agent.clone(), attempt: last.attempt, ending, claims: claims.collect() })
    }

    /// The note, if a transcript with at least one turn is here. One that cannot be read is as good as none.
    pub fn note(&self, folder: &TeamFolder) -> Option<String> {
        let mut transcripts = self
            .claims
            .iter()
            .map(|claim| Journal::read(&folder.attempt(*claim).join(TRANSCRIPT)).unwrap_or_default());
        let lines =
            transcripts.find(|lines| lines.iter().any(|line| matches!(line, Line::Answered { .. })))?;
        let note = note(&lines);
        Some(format!(
            "Attempt {} was made by {}; {}. From its transcript:\n\n{}",
            self.attempt,
            self.agent,
            self.ending,
            prompt::quoted(&self.agent, &note)
        ))
    }
}

/// Where the last attempt at a task stood, if its transcript is here.
pub(crate) fn last_words(task: &Task, folder: &TeamFolder) -> Option<String> {
    LastAttempt::of(task)?.note(folder)
}

/// What a transcript tells of its attempt.
pub(super) fn note(lines: &[Line]) -> String {
    let turns = account::turns(lines);
    let mut note = format!("Turns: {}\n", turns.len());
    let mut add = |title: &str, text: &str| {
        if !text.trim().is_empty() {
            let _ = writeln!(note, "\n{title}:\n{}", text.trim());
        }
    };
    let submitted = turns.iter().rev().flat_map(|turn| &turn.steps).find(|step| step.name == "submit_plan");
    let submitted = submitted.and_then(|step| step.input.get("plan")?.as_str());
    let said = || turns.iter().flat_map(|turn| &turn.said);
    let plan = submitted.or_else(|| said().next().copied()).unwrap_or_default();
    add("What it planned", &head(plan, PLAN_BYTES_MAX));
    let notes = lines.iter().rev().find_map(|line| match line {
        Line::Compacted { parts, .. } => parts.iter().rev().find_map(|part| match part {
            Part::Text { text } => Some(text.as_str()),
            _ => None,
        }),
        _ => None,
    });
    add("Its own notes", &head(notes.unwrap_or_default(), NOTES_BYTES_MAX));
    add("What it did last", &account::done(lines, DONE_BYTES_MAX));
    add("Files", &Files::of(&turns).words(FILES_BYTES_MAX));
    let last_words = said().next_back().filter(|words| **words != plan);
    add("Its last words", &head(last_words.copied().unwrap_or_default(), LAST_WORDS_BYTES_MAX));
    head(&note, NOTE_BYTES_MAX).into_owned()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::agent::journal::testing::{answered, call, result, told};

    #[test]
    fn a_note_tells_the_plan_the_calls_the_files_and_the_last_words() {
        let lines = [
            told("Write wc."),
            answered(1, vec![Part::text("First the parser."), call("1", "read", json!({"path": "a.rs"}))]),
            result("1", "fn main() {}", false),
            answered(2, vec![call("1", "write", json!({"path": "b.rs", "content": "x"}))]),
            result("1", "Written.", false),
            answered(3, vec![Part::text("It does not build."), call("1", "run", json!({"command": "make"}))]),
            result("1", "error: no rule", true),
        ];
        let expected = "Turns: 3\n\nWhat it planned:\nFirst the parser.\n\nWhat it did last:\n- said: First the parser.\n\
                        - read a.rs -> fn main() {}\n- write b.rs -> Written.\n- said: It does not build.\n\
                        - run make -> failed: error: no rule\n\nFiles:\nChanged: b.rs\nRead: a.rs\n\n\
                        Its last words:\nIt does not build.\n";
        assert_eq!(note(&lines), expected);
    }

    #[test]
    fn a_note_stays_short_however_long_the_attempt_was() {
        let long = "word ".repeat(5_000);
        let mut lines = vec![told(&long)];
        for turn in 1..500 {
            let write = call("1", "write", json!({"path": format!("folder/file-{turn}"), "content": long}));
            lines.extend([answered(turn, vec![Part::text(long.clone()), write]), result("1", &long, false)]);
        }
        assert!(note(&lines).len() <= NOTE_BYTES_MAX + 3, "{}", note(&lines).len());
    }
}
