//! The journal of an attempt: `transcript.jsonl`, one schema for every kind of agent, append-only.
//!
//! Views follow it live, and an attempt goes on from it after a crash without paying again for turns already made. A
//! line is written before anyone acts on it; a torn last line was never acted on and is left out. docs/transcript.md
//! describes it.

use std::collections::BTreeSet;
use std::fs::{File, OpenOptions};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::account::turns;
use super::draft::{self, Drafting};
use super::{Assignment, Context};
use crate::model::{INTERRUPTED, Message, Part, Response, StopReason, Usage};
use crate::outside::now_ms;
use crate::{AgentId, RecordId, Secrets, TaskId};

/// The journal's name in the folder of an attempt.
pub(crate) const TRANSCRIPT: &str = "transcript.jsonl";

/// How much of a journal's end is read for its last line, in bytes. Of a longer line nothing is told.
const TAIL_BYTES: u64 = 256 << 10;

impl Line {
    /// The last step in the journal of an attempt's folder, and since when it stands in milliseconds since 1970, for those who
    /// want to know what the attempt does. An agent that goes on does so where that step left it.
    pub(crate) fn last_step(attempt: &Path) -> Option<(Self, u64)> {
        let tail = tail_of(attempt)?;
        let mut since_ms = None;
        // What calls of the last turn gave; those that have given nothing yet are under way.
        let (mut given, mut newest) = (Vec::new(), None);
        let lines = tail.rsplit(|byte| *byte == b'\n').filter(|line| !line.is_empty());
        for line in lines {
            // A kill may have torn it.
            let Ok(line) = serde_json::from_slice::<Self>(line) else { continue };
            let since_ms = *since_ms.get_or_insert(line.at_ms());
            let is_step = matches!(
                line,
                Self::Told { .. } | Self::Answered { .. } | Self::ToolResult { .. } | Self::Compacted { .. }
            );
            match line {
                Self::ToolResult { ref call_id, .. } => {
                    given.push(call_id.clone());
                    newest.get_or_insert(line);
                }
                Self::Answered { at_ms, turn, mut parts, usage, stop } if newest.is_some() => {
                    parts.retain(|part| matches!(part, Part::ToolCall { id, .. } if !given.contains(id)));
                    let under_way = Self::Answered { at_ms, turn, parts, usage, stop };
                    let is_under_way =
                        matches!(&under_way, Self::Answered { parts, .. } if !parts.is_empty());
                    return newest.filter(|_| !is_under_way).or(Some(under_way)).map(|line| (line, since_ms));
                }
                _ if is_step => return newest.or(Some(line)).map(|line| (line, since_ms)),
                _ => {}
            }
        }
        newest.map(|line| (line, since_ms.unwrap_or_default()))
    }

    /// When it was written, in milliseconds since 1970.
    fn at_ms(&self) -> u64 {
        match self {
            Self::Began { at_ms, .. }
            | Self::Told { at_ms, .. }
            | Self::Answered { at_ms, .. }
            | Self::ToolResult { at_ms, .. }
            | Self::Compacted { at_ms, .. }
            | Self::Session { at_ms, .. }
            | Self::Permission { at_ms, .. }
            | Self::Ended { at_ms, .. } => *at_ms,
        }
    }

    /// When the agent last answered or a call of it ended, in milliseconds since 1970: whatever it was told since.
    pub(crate) fn acted_ms(attempt: &Path) -> Option<u64> {
        let tail = tail_of(attempt)?;
        tail.rsplit(|byte| *byte == b'\n').find_map(|line| match serde_json::from_slice(line).ok()? {
            Self::Answered { at_ms, .. } | Self::ToolResult { at_ms, .. } => Some(at_ms),
            _ => None,
        })
    }
}

/// The end of the journal in an attempt's folder.
fn tail_of(attempt: &Path) -> Option<Vec<u8>> {
    let mut file = File::open(attempt.join(TRANSCRIPT)).ok()?;
    let length = file.metadata().ok()?.len();
    file.seek(SeekFrom::Start(length.saturating_sub(TAIL_BYTES))).ok()?;
    let mut tail = Vec::new();
    file.read_to_end(&mut tail).ok()?;
    Some(tail)
}

/// One line of a journal.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum Line {
    /// An agent began the attempt, or goes on with it.
    Began {
        /// When, in milliseconds since 1970.
        at_ms: u64,
        /// The claim.
        token: RecordId,
        /// The task.
        task: TaskId,
        /// The attempt.
        attempt: u32,
        /// The agent.
        agent: AgentId,
        /// What stands behind it.
        with: String,
    },
    /// What the agent was told.
    Told {
        /// When, in milliseconds since 1970.
        at_ms: u64,
        /// The parts, tool results left out.
        parts: Vec<Part>,
        /// The messages of other agents among them.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        messages: Vec<RecordId>,
    },
    /// What the model answered: a turn.
    Answered {
        /// When, in milliseconds since 1970.
        at_ms: u64,
        /// The number of the turn, from 1.
        turn: u32,
        /// What it said and which tools it called.
        parts: Vec<Part>,
        /// What the call used.
        usage: Usage,
        /// Why it stopped.
        stop: StopReason,
    },
    /// What a tool call gave.
    ToolResult {
        /// When, in milliseconds since 1970.
        at_ms: u64,
        /// The call.
        call_id: String,
        /// The tool.
        name: String,
        /// What it printed, as the model sees it.
        output: String,
        /// Whether it failed.
        is_error: bool,
    },
    /// The conversation was compacted: what goes on from here holds what the agent was told first, these parts, and the
    /// turns that are kept.
    Compacted {
        /// When, in milliseconds since 1970.
        at_ms: u64,
        /// What stands in the place of the turns that are left out: the approved plan, open questions, the agent's own
        /// notes.
        parts: Vec<Part>,
        /// The first turn that is kept as it was; one that was not made yet if none is.
        kept_from: u32,
        /// What the call used that made the notes; none if they were made from the journal.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        usage: Option<Usage>,
    },
    /// A driven agent holds a conversation, which it can go on with.
    Session {
        /// When, in milliseconds since 1970.
        at_ms: u64,
        /// What the agent calls it.
        id: String,
    },
    /// A driven agent asked whether it may do something, and was answered by what it is for.
    Permission {
        /// When, in milliseconds since 1970.
        at_ms: u64,
        /// What it asked for, in its words.
        what: String,
        /// Whether it may.
        allowed: bool,
    },
    /// The attempt ended, or was interrupted.
    Ended {
        /// When, in milliseconds since 1970.
        at_ms: u64,
        /// How, in words.
        outcome: String,
    },
}

/// The journal of one attempt, open for writing.
#[derive(Debug)]
pub struct Journal {
    /// `None` for a team in memory, whose attempts end with the process.
    file: Option<(PathBuf, File)>,
    lines: Vec<Line>,
    /// What is not written into the file.
    secrets: Secrets,
}

/// A journal cannot be read or written.
#[derive(Debug, thiserror::Error)]
#[error("the journal {path} cannot be used: {source}")]
pub struct JournalError {
    path: PathBuf,
    source: io::Error,
}

impl From<JournalError> for crate::Error {
    fn from(error: JournalError) -> Self {
        Self::Io { verb: "use the journal", path: error.path, source: error.source }
    }
}

/// Whether a file ends in the middle of a line.
fn is_torn(file: &mut File) -> io::Result<bool> {
    if file.metadata()?.len() == 0 {
        return Ok(false);
    }
    let mut last = [0];
    file.seek(SeekFrom::End(-1))?;
    file.read_exact(&mut last)?;
    Ok(last != *b"\n")
}

impl Journal {
    /// The journal in an attempt's folder, with what it holds so far.
    ///
    /// # Errors
    /// When the folder or the file cannot be used.
    pub fn open(folder: &Path) -> Result<Self, JournalError> {
        let path = folder.join(TRANSCRIPT);
        let opened = std::fs::create_dir_all(folder).and_then(|()| {
            let lines = Self::read(&path)?;
            let mut file = OpenOptions::new().create(true).read(true).append(true).open(&path)?;
            // Ends a line that a crash tore, so that it cannot swallow the next one.
            if is_torn(&mut file)? {
                file.write_all(b"\n")?;
            }
            Ok((file, lines))
        });
        match opened {
            Ok((file, lines)) => Ok(Self { file: Some((path, file)), lines, secrets: Secrets::default() }),
            Err(source) => Err(JournalError { path, source }),
        }
    }

    /// Notes in an attempt's folder that it was ended while its agent was at work, which writes no more then.
    ///
    /// # Errors
    /// When the file cannot be used.
    pub(crate) fn cut_off(folder: &Path, outcome: String) -> Result<(), JournalError> {
        if !folder.join(TRANSCRIPT).exists() {
            return Ok(());
        }
        draft::erase(folder);
        let mut journal = Self::open(folder)?;
        match journal.lines.last() {
            None | Some(Line::Ended { .. }) => Ok(()),
            Some(_) => journal.write(Line::Ended { at_ms: now_ms(), outcome }),
        }
    }

    /// The journal of an attempt, which an agent begins or goes on with.
    pub(super) fn of(context: &Context, task: &Assignment, with: String) -> Result<Self, JournalError> {
        let folder = context.attempt_folder.as_deref();
        let mut journal = folder.map_or_else(|| Ok(Self::in_memory()), Self::open)?;
        journal.secrets = context.queue.team_log().secrets();
        journal.write(Line::Began {
            at_ms: now_ms(),
            token: context.token,
            task: task.id.clone(),
            attempt: task.attempt,
            agent: context.agent.clone(),
            with,
        })?;
        Ok(journal)
    }

    /// The draft of the next turn, which stands beside the journal until it is dropped.
    pub(super) fn drafting(&self) -> Drafting {
        let attempt = self.file.as_ref().and_then(|(path, _)| path.parent().map(Path::to_owned));
        Drafting::new(attempt, self.secrets.clone(), self.turns() + 1)
    }

    /// The draft of what a command prints that is about to run, as [`drafting`](Self::drafting).
    pub(super) fn running(&self) -> Drafting {
        let mut drafting = self.drafting().at_once();
        drafting.runs();
        drafting
    }

    /// A journal that is kept in memory only.
    pub fn in_memory() -> Self {
        Self { file: None, lines: Vec::new(), secrets: Secrets::default() }
    }

    /// Reads the lines of a journal. What is torn or unknown is left out.
    ///
    /// # Errors
    /// When the file is there and cannot be read.
    pub fn read(path: &Path) -> io::Result<Vec<Line>> {
        let content = match std::fs::read(path) {
            Ok(content) => content,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            Err(error) => return Err(error),
        };
        let lines = content.split(|byte| *byte == b'\n');
        Ok(lines.filter_map(|line| serde_json::from_slice(line).ok()).collect())
    }

    /// Writes a line. It is on disk when this returns: the turn that it holds was paid for.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn write(&mut self, line: Line) -> Result<(), JournalError> {
        if let Some((path, file)) = &mut self.file {
            let written = serde_json::to_string(&line).map_err(io::Error::from).and_then(|line| {
                file.write_all(format!("{}\n", self.secrets.hidden(&line)).as_bytes())?;
                file.sync_data()
            });
            written.map_err(|source| JournalError { path: path.clone(), source })?;
        }
        self.lines.push(line);
        Ok(())
    }

    /// Turns made so far.
    pub fn turns(&self) -> u32 {
        let turns = self.lines.iter().filter(|line| matches!(line, Line::Answered { .. }));
        u32::try_from(turns.count()).unwrap_or(u32::MAX)
    }

    /// The last turn, if the model was told nothing since, and which of its calls have results.
    pub(super) fn last_turn(&self) -> Option<(Response, BTreeSet<String>)> {
        let place = self.lines.iter().rposition(|line| matches!(line, Line::Answered { .. }))?;
        let Some(Line::Answered { parts, usage, stop, .. }) = self.lines.get(place) else { return None };
        let mut results = BTreeSet::new();
        for line in self.lines.iter().skip(place + 1) {
            match line {
                Line::Told { .. } | Line::Compacted { .. } => return None,
                Line::ToolResult { call_id, .. } => results.extend([call_id.clone()]),
                Line::Began { .. }
                | Line::Answered { .. }
                | Line::Session { .. }
                | Line::Permission { .. }
                | Line::Ended { .. } => {}
            }
        }
        Some((Response { parts: parts.clone(), usage: *usage, stop: *stop }, results))
    }

    /// When the attempt began, in milliseconds since 1970.
    pub(super) fn began_ms(&self) -> u64 {
        self.lines.first().map_or(0, Line::at_ms)
    }

    /// When the model last answered, in milliseconds since 1970; 0 if it never did.
    pub(super) fn answered_ms(&self) -> u64 {
        let answers = self.lines.iter().rev();
        let mut times = answers.filter(|line| matches!(line, Line::Answered { .. })).map(Line::at_ms);
        times.next().unwrap_or_default()
    }

    /// The messages of others that the agent was told, also where a compaction has left out what came of them.
    pub(super) fn told(&self) -> BTreeSet<RecordId> {
        let messages = self.lines.iter().filter_map(|line| match line {
            Line::Told { messages, .. } => Some(messages),
            _ => None,
        });
        messages.flatten().copied().collect()
    }

    /// All lines, oldest first.
    pub(super) fn lines(&self) -> &[Line] {
        &self.lines
    }

    /// What the agent was told first.
    pub(super) fn task(&self) -> Option<&Line> {
        self.lines.iter().find(|line| matches!(line, Line::Told { .. }))
    }

    /// The lines that the conversation is made of. After a compaction these are: what the agent was told first, the
    /// compaction, the turns that it kept with all that came between them, and what came after it. A turn is kept with
    /// the results of its calls, or not at all.
    pub(super) fn in_force(&self) -> Vec<&Line> {
        let compacted = self.lines.iter().rposition(|line| matches!(line, Line::Compacted { .. }));
        let (before, rest) = self.lines.split_at(compacted.unwrap_or_default());
        let Some((compaction @ Line::Compacted { kept_from, .. }, after)) = rest.split_first() else {
            return self.lines.iter().collect();
        };
        let is_kept = |line: &Line| matches!(line, Line::Answered { turn, .. } if turn >= kept_from);
        let kept = before.iter().position(is_kept).map_or_else(
            || {
                // What the model was told since its last turn, it has not answered.
                let last_turn = before.iter().rposition(|line| matches!(line, Line::Answered { .. }));
                let since = before.get(last_turn.map_or(0, |place| place + 1)..).unwrap_or_default();
                since.iter().filter(|line| matches!(line, Line::Told { .. })).collect::<Vec<_>>()
            },
            |place| before.get(place..).unwrap_or_default().iter().collect(),
        );
        let kept = kept.into_iter().filter(|line| !matches!(line, Line::Compacted { .. }));
        self.task().into_iter().chain([compaction]).chain(kept).chain(after).collect()
    }

    /// Turns that the conversation does not hold any more, those with an interrupted call left out.
    pub(super) fn turns_left_out(&self) -> u32 {
        let held = self.in_force();
        let first = held.iter().find_map(|line| match line {
            Line::Answered { turn, .. } => Some(*turn),
            _ => None,
        });
        // Most conversations are never compacted.
        if held.len() == self.lines.len() {
            return 0;
        }
        let left_out =
            turns(&self.lines).into_iter().filter(|turn| first.is_none_or(|first| turn.number < first));
        u32::try_from(left_out.filter(|turn| !turn.is_interrupted()).count()).unwrap_or(u32::MAX)
    }

    /// The conversation so far, ready to be sent: each call of the last turn has a result.
    ///
    /// A call whose result is missing was interrupted, and may or may not have had its effect: the model is told so,
    /// and the call is not silently run again.
    pub fn conversation(&self) -> Vec<Message> {
        let mut messages: Vec<Message> = Vec::new();
        for line in self.in_force() {
            match line {
                Line::Told { parts, .. } | Line::Compacted { parts, .. } => {
                    tell(&mut messages, parts.clone());
                }
                Line::Answered { parts, .. } => {
                    close_calls(&mut messages);
                    messages.push(Message::Assistant(parts.clone()));
                }
                Line::ToolResult { call_id, output, is_error, .. } => {
                    let (call_id, output, is_error) = (call_id.clone(), output.clone(), *is_error);
                    tell(&mut messages, vec![Part::ToolResult { call_id, output, is_error }]);
                }
                Line::Began { .. } | Line::Session { .. } | Line::Permission { .. } | Line::Ended { .. } => {}
            }
        }
        close_calls(&mut messages);
        messages
    }
}

/// Adds parts to the user's message at the end; results go before texts, as some providers demand.
fn tell(messages: &mut Vec<Message>, mut new: Vec<Part>) {
    match messages.last_mut() {
        Some(Message::User(parts)) => {
            parts.append(&mut new);
            parts.sort_by_key(|part| !matches!(part, Part::ToolResult { .. }));
        }
        _ => messages.push(Message::User(new)),
    }
}

/// Gives every unanswered call of the last turn a result that says it was interrupted.
fn close_calls(messages: &mut Vec<Message>) {
    let last_turn = messages.iter().rposition(|message| matches!(message, Message::Assistant(_)));
    let Some(last_turn) = last_turn else { return };
    let after: Vec<&Part> = messages.iter().skip(last_turn + 1).flat_map(Message::parts).collect();
    let answered =
        |id: &str| after.iter().any(|part| matches!(part, Part::ToolResult { call_id, .. } if call_id == id));
    let calls = messages.get(last_turn).map(Message::parts).unwrap_or_default();
    let open: Vec<Part> = calls
        .iter()
        .filter_map(|part| match part {
            Part::ToolCall { id, .. } if !answered(id) => {
                Some(Part::ToolResult { call_id: id.clone(), output: INTERRUPTED.to_owned(), is_error: true })
            }
            _ => None,
        })
        .collect();
    if !open.is_empty() {
        tell(messages, open);
    }
}

/// Lines for tests.
#[cfg(test)]
pub(super) mod testing {
    use super::*;

    pub fn call(id: &str, name: &str, input: serde_json::Value) -> Part {
        Part::ToolCall { id: id.into(), name: name.into(), input }
    }

    pub fn answered(turn: u32, parts: Vec<Part>) -> Line {
        Line::Answered { at_ms: 0, turn, parts, usage: Usage::default(), stop: StopReason::ToolCalls }
    }

    pub fn told(text: &str) -> Line {
        Line::Told { at_ms: 0, parts: vec![Part::text(text)], messages: Vec::new() }
    }

    pub fn result(id: &str, output: &str, is_error: bool) -> Line {
        Line::ToolResult { at_ms: 0, call_id: id.into(), name: "run".into(), output: output.into(), is_error }
    }
}

#[cfg(test)]
mod tests {
    use super::testing::{answered, told};
    use super::*;

    fn call(id: &str) -> Part {
        testing::call(id, "run", serde_json::json!({}))
    }

    fn result(id: &str) -> Line {
        testing::result(id, "done", false)
    }

    #[test]
    fn an_attempt_goes_on_with_the_turns_that_were_made_and_learns_what_was_interrupted() {
        let folder = tempfile::tempdir().unwrap();
        let mut journal = Journal::open(folder.path()).unwrap();
        for line in [told("do it"), answered(1, vec![call("a"), call("b")]), result("a")] {
            journal.write(line).unwrap();
        }
        drop(journal);
        let path = folder.path().join(TRANSCRIPT);
        let mut torn = OpenOptions::new().append(true).open(&path).unwrap();
        torn.write_all(br#"{"type":"tool_result","at_ms":0,"call_id":"b","na"#).unwrap();

        let mut journal = Journal::open(folder.path()).unwrap();
        assert_eq!(journal.turns(), 1);
        let conversation = journal.conversation();
        let [Message::User(_), Message::Assistant(_), Message::User(results)] = &conversation[..] else {
            panic!("{conversation:?}")
        };
        assert!(matches!(&results[0], Part::ToolResult { call_id, is_error: false, .. } if call_id == "a"));
        assert!(
            matches!(&results[1], Part::ToolResult { call_id, is_error: true, output } if call_id == "b" && output.starts_with("Interrupted"))
        );
        journal.write(answered(2, vec![Part::text("done")])).unwrap();
        assert_eq!(Journal::open(folder.path()).unwrap().turns(), 2);
    }

    #[test]
    fn whoever_goes_on_leaves_no_empty_line_and_ends_a_torn_one() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join(TRANSCRIPT);
        Journal::open(folder.path()).unwrap().write(told("do it")).unwrap();
        Journal::open(folder.path()).unwrap().write(told("go on")).unwrap();
        let text = std::fs::read_to_string(&path).unwrap();
        assert!(text.lines().all(|line| !line.is_empty()) && text.lines().count() == 2, "{text}");
        std::fs::write(&path, text + "{\"type\":\"to").unwrap();
        Journal::open(folder.path()).unwrap().write(told("once more")).unwrap();
        assert_eq!(Journal::open(folder.path()).unwrap().lines().len(), 3);
    }

    #[test]
    fn what_it_does_is_what_its_turn_has_called_and_not_yet_got() {
        let folder = tempfile::tempdir().unwrap();
        let mut journal = Journal::open(folder.path()).unwrap();
        let under_way = || match Line::last_step(folder.path()) {
            Some((Line::Answered { parts, .. }, _)) => parts.len(),
            Some((Line::ToolResult { .. }, _)) => 0,
            other => panic!("{other:?}"),
        };
        journal.write(told("do it")).unwrap();
        journal.write(answered(1, vec![Part::text("So."), call("a"), call("b")])).unwrap();
        assert_eq!(under_way(), 3, "all that it said");
        journal.write(result("a")).unwrap();
        assert_eq!(under_way(), 1, "the second call");
        journal.write(result("b")).unwrap();
        assert_eq!(under_way(), 0, "its model is asked");
    }

    #[test]
    fn the_last_step_of_an_attempt_that_goes_on_is_where_it_stopped() {
        let folder = tempfile::tempdir().unwrap();
        let mut journal = Journal::open(folder.path()).unwrap();
        let began = |at_ms| Line::Began {
            at_ms,
            token: "01a218d5046c7590ae8e43f3a997e9f4".parse().unwrap(),
            task: "a".parse().unwrap(),
            attempt: 1,
            agent: "w1".parse().unwrap(),
            with: "m".into(),
        };
        journal.write(began(1)).unwrap();
        assert_eq!(Line::last_step(folder.path()), None, "it has done nothing yet");
        journal.write(told("do it")).unwrap();
        journal.write(began(7)).unwrap();
        assert!(matches!(Line::last_step(folder.path()), Some((Line::Told { .. }, 7))));
    }

    #[test]
    fn results_stand_before_the_texts_that_came_with_them() {
        let mut messages = Vec::new();
        messages.push(Message::Assistant(vec![call("a")]));
        tell(&mut messages, vec![Part::text("news")]);
        tell(
            &mut messages,
            vec![Part::ToolResult { call_id: "a".into(), output: String::new(), is_error: false }],
        );
        assert!(matches!(messages[1].parts()[0], Part::ToolResult { .. }));
    }
}
