//! What an agent says in a turn that is not over, and what the command prints that it runs, for those who look on:
//! `draft.jsonl` beside the journal, a piece on a line.
//!
//! Nobody goes on from it, and no turn fails because of it: it is never synced, and gone when its turn is in the journal.

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};

use crate::Secrets;
use crate::command::clean_line;
use crate::model::Delta;
use crate::secrets::Veil;
use crate::tools::{OUTPUTS, newest_output};

/// The draft's name in the folder of an attempt.
const DRAFT: &str = "draft.jsonl";
/// How long a call takes before anything of it is written: an answer that is there sooner is read in the journal.
const LONG: Duration = Duration::from_millis(100);
/// How much of the end of a command's output is shown, in bytes.
const OUTPUT_BYTES: u64 = 4 << 10;

/// What an agent has said so far in a turn that is not over, or what the command has printed that it runs.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Draft {
    /// The number that the turn, or the one after the command, will have in the journal: one that is there already is over.
    pub turn: u32,
    /// The text so far.
    pub text: String,
    /// The tools of which it has begun to write calls.
    pub calls: Vec<String>,
    /// The end of what a command has printed so far, in whole lines but for the last one.
    pub output: String,
}

/// A line of a draft.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Piece {
    /// The first line: which turn it is.
    Turn(u32),
    /// More text.
    Text(String),
    /// A call of this tool begins.
    Call(String),
    /// A command runs, whose output is none of the first so many.
    Runs(u32),
}

impl Draft {
    /// The draft in an attempt's folder; none where nothing is being said.
    pub(crate) fn of(attempt: &Path) -> Option<Self> {
        let pieces = std::fs::read(attempt.join(DRAFT)).ok()?;
        let mut draft = Self::default();
        // The last line may be on its way.
        for piece in pieces.split(|byte| *byte == b'\n').filter_map(|line| serde_json::from_slice(line).ok())
        {
            match piece {
                Piece::Turn(turn) => draft.turn = turn,
                Piece::Text(text) => draft.text += &text,
                Piece::Call(name) => draft.calls.push(name),
                Piece::Runs(before) => draft.output = output_after(&attempt.join(OUTPUTS), before),
            }
        }
        (draft.turn > 0).then_some(draft)
    }
}

/// The end of the newest output in a folder, if it is none of the first so many.
fn output_after(folder: &Path, before: u32) -> String {
    let newest = newest_output(folder).filter(|(number, _)| *number > before);
    newest.and_then(|(_, path)| end_of(&path).ok()).unwrap_or_default()
}

/// The last lines of a file that grows.
fn end_of(path: &Path) -> io::Result<String> {
    let mut file = File::open(path)?;
    let begin = file.metadata()?.len().saturating_sub(OUTPUT_BYTES);
    file.seek(SeekFrom::Start(begin))?;
    let mut bytes = Vec::new();
    file.take(OUTPUT_BYTES).read_to_end(&mut bytes)?;
    let text = String::from_utf8_lossy(&bytes);
    // Where it begins in the middle of a line, that one is left out, unless it is the only one.
    let whole = match text.split_once('\n') {
        Some((_, rest)) if begin > 0 && !rest.is_empty() => rest,
        _ => &text,
    };
    // What was written over is not seen on a terminal either.
    let seen = |line: &str| {
        clean_line(line.trim_end_matches('\r').rsplit('\r').next().unwrap_or_default().as_bytes())
    };
    let lines = whole.split('\n').map(seen).collect::<Vec<_>>().join("\n");
    Ok(if begin > 0 { format!("…\n{lines}") } else { lines })
}

/// Takes away the draft in an attempt's folder: whoever spoke there is gone.
pub(super) fn erase(attempt: &Path) {
    // There is none, most often.
    let _ = std::fs::remove_file(attempt.join(DRAFT));
}

/// Writes the draft of one turn, and takes it away when dropped.
pub(super) struct Drafting {
    /// `None` for a team in memory, which nobody watches.
    attempt: Option<PathBuf>,
    turn: u32,
    secrets: Secrets,
    /// Holds back what may become a secret.
    veil: Veil,
    /// All that was said, as it will stand in the journal.
    text: String,
    /// What is not written yet.
    waiting: Vec<u8>,
    not_before: Instant,
    file: Option<File>,
}

impl Drafting {
    /// Begins a turn, of which nothing is said yet.
    pub fn new(attempt: Option<PathBuf>, secrets: Secrets, turn: u32) -> Self {
        // A process that ended while it spoke has left one behind.
        attempt.iter().for_each(|attempt| erase(attempt));
        let (veil, not_before) = (secrets.veil(), Instant::now() + LONG);
        Self {
            attempt,
            turn,
            secrets,
            veil,
            text: String::new(),
            waiting: Vec::new(),
            not_before,
            file: None,
        }
    }

    /// The same for a turn that goes on for long already.
    #[must_use]
    pub fn at_once(mut self) -> Self {
        self.not_before = Instant::now();
        self
    }

    /// Takes in what comes of a model's answer.
    pub fn hears(&mut self, delta: &Delta) {
        match delta {
            Delta::Text(text) => self.says(text),
            Delta::ToolCall { name } => self.add(&Piece::Call(name.clone())),
            Delta::Retry { .. } | Delta::Waits { .. } => self.begin_anew(),
            Delta::Thinking(_) | Delta::Limited { .. } | Delta::Begins => {}
        }
    }

    /// Adds a piece of text.
    pub fn says(&mut self, text: &str) {
        self.text += text;
        let shown = self.veil.push(text.as_bytes());
        let shown = String::from_utf8_lossy(&shown).into_owned();
        self.add(&Piece::Text(shown));
    }

    /// Adds a whole text that begins after so many bytes: pieces of it may be there already.
    pub fn says_whole(&mut self, after: usize, text: &str) {
        let pieces = self.text.get(after..).unwrap_or_default().trim();
        match !pieces.is_empty() && pieces == text.trim() {
            // What follows begins where this ends.
            true => self.says(text.get(text.trim_end().len()..).unwrap_or_default()),
            false => self.says(text),
        }
        self.text.truncate(self.text.floor_char_boundary(after));
        self.text += text;
    }

    /// A command runs, whose output comes after those that are there.
    pub fn runs(&mut self) {
        let before = self.attempt.as_ref().and_then(|attempt| newest_output(&attempt.join(OUTPUTS)));
        self.add(&Piece::Runs(before.map_or(0, |(number, _)| number)));
    }

    fn begin_anew(&mut self) {
        self.veil = self.secrets.veil();
        self.text.clear();
        self.waiting.clear();
        self.take_away();
    }

    /// Writes a piece. One that cannot be written is not seen, and that is all.
    fn add(&mut self, piece: &Piece) {
        let Some(attempt) = &self.attempt else { return };
        let line = |piece| serde_json::to_string(piece).unwrap_or_default() + "\n";
        self.waiting.extend_from_slice(line(piece).as_bytes());
        if self.file.is_none() && Instant::now() >= self.not_before {
            self.waiting.splice(..0, line(&Piece::Turn(self.turn)).into_bytes());
            self.file = File::create(attempt.join(DRAFT)).ok();
        }
        if let Some(file) = &mut self.file {
            let _ = file.write_all(&std::mem::take(&mut self.waiting));
        }
    }

    fn take_away(&mut self) {
        if let (Some(attempt), Some(_)) = (&self.attempt, self.file.take()) {
            erase(attempt);
        }
    }
}

impl Drop for Drafting {
    fn drop(&mut self) {
        self.take_away();
    }
}

#[cfg(test)]
mod tests {
    use std::ffi::OsStr;

    use super::*;

    /// A turn in a folder, which goes on for long already.
    fn speaking(attempt: &Path) -> Drafting {
        let secrets = Secrets::default().with(OsStr::new("A_TOKEN"), OsStr::new("tok_0123456789"));
        Drafting::new(Some(attempt.to_owned()), secrets, 7).at_once()
    }

    fn seen(attempt: &Path) -> Option<(String, Vec<String>)> {
        let draft = Draft::of(attempt)?;
        assert_eq!(draft.turn, 7);
        Some((draft.text, draft.calls))
    }

    #[test]
    fn what_is_said_is_there_until_the_turn_is_over() {
        let attempt = tempfile::tempdir().unwrap();
        let mut drafting = speaking(attempt.path());
        assert_eq!(seen(attempt.path()), None);
        drafting.hears(&Delta::Text("I look ".into()));
        drafting.hears(&Delta::Text("first.\n".into()));
        assert_eq!(seen(attempt.path()), Some(("I look first.\n".into(), vec![])));
        drafting.hears(&Delta::ToolCall { name: "read".into() });
        assert_eq!(seen(attempt.path()), Some(("I look first.\n".into(), vec!["read".into()])));
        drop(drafting);
        assert_eq!(std::fs::read_dir(attempt.path()).unwrap().count(), 0);
    }

    #[test]
    fn a_turn_that_is_over_soon_writes_none_and_one_that_is_not_all_that_it_said() {
        let attempt = tempfile::tempdir().unwrap();
        let mut drafting = Drafting::new(Some(attempt.path().to_owned()), Secrets::default(), 7);
        drafting.not_before += Duration::from_secs(3600);
        drafting.says("I look ");
        assert_eq!(std::fs::read_dir(attempt.path()).unwrap().count(), 0);
        let mut drafting = drafting.at_once();
        drafting.says("first.");
        assert_eq!(seen(attempt.path()).unwrap().0, "I look first.");
    }

    #[test]
    fn a_call_that_is_made_again_begins_anew() {
        let attempt = tempfile::tempdir().unwrap();
        let mut drafting = speaking(attempt.path());
        drafting.hears(&Delta::Text("The begin".into()));
        drafting.hears(&Delta::Retry { wait_ms: 1, reason: "cut".into() });
        assert_eq!(seen(attempt.path()), None);
        drafting.hears(&Delta::Text("Another".into()));
        assert_eq!(seen(attempt.path()).unwrap().0, "Another");
    }

    #[test]
    fn what_comes_whole_is_not_said_twice() {
        let attempt = tempfile::tempdir().unwrap();
        let mut drafting = speaking(attempt.path());
        drafting.says_whole(0, "Told.\n");
        drafting.says("I lo");
        drafting.says("ok.");
        drafting.says_whole("Told.\n".len(), "I look.\n");
        drafting.says("Do");
        drafting.says("ne.");
        drafting.says_whole("Told.\nI look.\n".len(), "Done.\n");
        assert_eq!(seen(attempt.path()).unwrap().0, "Told.\nI look.\nDone.\n");
    }

    #[test]
    fn no_part_of_a_secret_is_seen() {
        let attempt = tempfile::tempdir().unwrap();
        let mut drafting = speaking(attempt.path());
        drafting.says("the key is tok_0123");
        assert_eq!(seen(attempt.path()).unwrap().0, "the key is ");
        drafting.says("456789, I think");
        assert_eq!(seen(attempt.path()).unwrap().0, "the key is [redacted], I think");
    }

    #[test]
    fn what_a_command_prints_is_seen_while_it_runs() {
        let attempt = tempfile::tempdir().unwrap();
        let outputs = attempt.path().join(OUTPUTS);
        std::fs::create_dir(&outputs).unwrap();
        std::fs::write(outputs.join("command-9.txt"), "of another command").unwrap();
        let printed = || Draft::of(attempt.path()).map(|draft| draft.output);
        let mut drafting = speaking(attempt.path());
        drafting.runs();
        assert_eq!(printed().unwrap(), "", "it has printed nothing");
        let now = outputs.join("command-10.txt");
        std::fs::write(&now, "\u{1b}[31mone\u{1b}[0m\r\n 3 %\r50 %").unwrap();
        assert_eq!(printed().unwrap(), "one\n50 %");
        std::fs::write(&now, "a line of it\n".repeat(10_000) + "the la").unwrap();
        let end = printed().unwrap();
        assert!(end.starts_with("…\na line of it\n") && end.ends_with("of it\nthe la"), "{end}");
        drop(drafting);
        assert_eq!(printed(), None);
    }

    #[test]
    fn a_process_that_was_killed_leaves_none_for_the_next() {
        let attempt = tempfile::tempdir().unwrap();
        let mut drafting = speaking(attempt.path());
        drafting.says("I");
        std::mem::forget(drafting);
        assert!(seen(attempt.path()).is_some());
        drop(Drafting::new(Some(attempt.path().to_owned()), Secrets::default(), 7));
        assert_eq!(seen(attempt.path()), None);
    }
}
