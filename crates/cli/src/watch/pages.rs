//! The texts that are opened over a view: a task, its plan, its result, a change, a message, a transcript, the help.
//!
//! A page knows what it is about, so that it can be made anew when that changes. It reads nothing itself.

use agent_team::view::{MessageView, StretchView, TaskView};
use agent_team::{AgentId, Change, Receipt, RecordId, TaskId};

use super::ask::{PlanText, ReviewText};
use super::keys::{self, Place};
use super::reader::{Block, Reader};
use super::theme::Tone;
use crate::time;

/// A text that is open.
#[derive(Debug, Clone)]
pub struct Page {
    /// What is written above it.
    pub title: String,
    /// What it is.
    pub kind: Kind,
    /// The text.
    pub reader: Reader,
    /// What was searched in it.
    pub searched: String,
}

/// What a page is about.
#[derive(Debug, Clone)]
pub enum Kind {
    /// A task.
    Task(TaskId),
    /// A plan, by its number, and whether it waits.
    Plan(TaskId, u32, bool),
    /// A result, by its attempt, and whether it waits.
    Review(TaskId, u32, bool),
    /// A message.
    Message(RecordId),
    /// A transcript, and where its next lines begin; `None` before the first.
    Transcript(Box<StretchView>, Option<u64>),
    /// The change of a task.
    Diff(TaskId),
    /// A text that stays as it is.
    Text,
}

impl Page {
    fn new(title: impl Into<String>, kind: Kind, blocks: Vec<Block>) -> Self {
        Self { title: title.into(), kind, reader: Reader::new(blocks), searched: String::new() }
    }

    /// What its keys are about.
    pub fn place(&self) -> Place {
        match self.kind {
            // What was judged is a text about its task, too.
            Kind::Task(_) | Kind::Diff(_) | Kind::Plan(_, _, false) | Kind::Review(_, _, false) => {
                Place::Task
            }
            Kind::Plan(..) => Place::Plan,
            Kind::Review(..) => Place::Review,
            Kind::Message(_) => Place::Message,
            Kind::Transcript(..) => Place::Transcript,
            Kind::Text => Place::Text,
        }
    }

    /// The task that it is about.
    pub fn task(&self) -> Option<&TaskId> {
        match &self.kind {
            Kind::Task(task) | Kind::Plan(task, ..) | Kind::Review(task, ..) | Kind::Diff(task) => Some(task),
            Kind::Transcript(view, _) => Some(&view.task),
            Kind::Message(_) | Kind::Text => None,
        }
    }

    /// The agent that it is about.
    pub fn agent(&self) -> Option<&AgentId> {
        match &self.kind {
            Kind::Transcript(view, _) => Some(&view.agent),
            _ => None,
        }
    }

    /// All that is known of a task.
    pub fn of_task(view: &TaskView, text: &str) -> Self {
        let mut lines = text.lines();
        let mut blocks: Vec<Block> =
            lines.next().map(|head| Block::line(Tone::Head, head)).into_iter().collect();
        blocks.extend(lines.map(|line| {
            let is_head = line.ends_with(':') && !line.starts_with(' ');
            Block::line(if is_head { Tone::Head } else { Tone::Plain }, line)
        }));
        Self::new(format!("Task {}", view.id), Kind::Task(view.id.clone()), blocks)
    }

    /// A plan.
    pub fn of_plan(plan: &PlanText) -> Self {
        let (tone, word) = match &plan.verdict {
            None => (Tone::Calls, format!("waits to be judged by {}", plan.approvers)),
            Some((true, _)) => (Tone::Good, "approved".to_owned()),
            Some((false, _)) => (Tone::Bad, "rejected".to_owned()),
        };
        let mut blocks = vec![
            Block::line(Tone::Head, &plan.title),
            Block::line(tone, format!("plan {} by {}: {word}", plan.round, plan.author)),
            Block::line(Tone::Plain, ""),
        ];
        blocks.extend(Block::text(Tone::Plain, &plan.text));
        if let Some((_, feedback)) = plan.verdict.as_ref().filter(|(_, feedback)| !feedback.is_empty()) {
            blocks.extend([Block::line(Tone::Plain, ""), Block::line(Tone::Head, "what was said to it:")]);
            blocks.extend(Block::text(Tone::Plain, feedback));
        }
        let kind = Kind::Plan(plan.task.clone(), plan.round, plan.verdict.is_none());
        Self::new(format!("Plan of {}", plan.task), kind, blocks)
    }

    /// A result that is to be judged.
    pub fn of_review(review: &ReviewText) -> Self {
        let word = review.review.as_deref().unwrap_or(if review.waits { "waits to be judged" } else { "" });
        let tone = if review.waits { Tone::Calls } else { Tone::Faint };
        let mut blocks = vec![
            Block::line(Tone::Head, &review.title),
            Block::line(tone, format!("result of attempt {}: {word}", review.attempt)),
        ];
        let mut section = |head: &str, text: &str| {
            blocks.extend([Block::line(Tone::Plain, ""), Block::line(Tone::Head, head)]);
            blocks.extend(Block::text(Tone::Plain, text));
        };
        section("result:", &review.result);
        if let Some(check) = &review.check {
            section("its check:", check);
        }
        for (head, said) in &review.setbacks {
            section(head, said);
        }
        if let Some(diff) = &review.diff {
            blocks.push(Block::line(Tone::Plain, ""));
            blocks.extend(diff_blocks(diff));
        }
        let kind = Kind::Review(review.task.clone(), review.attempt, review.waits);
        Self::new(format!("Result of {}", review.task), kind, blocks)
    }

    /// A change of files.
    pub fn of_diff(task: &TaskId, change: &Change) -> Self {
        let head = [Block::line(Tone::Faint, change.to_string()), Block::line(Tone::Plain, "")];
        let blocks = head.into_iter().chain(diff_blocks(&change.patch)).collect();
        Self::new(format!("Change of {task}"), Kind::Diff(task.clone()), blocks)
    }

    /// A message with its whole text.
    pub fn of_message(message: &MessageView, text: &str) -> Self {
        let mut blocks = vec![Block::line(
            Tone::Head,
            format!("{} to {}, {}", message.from, message.to, time::local(message.at_ms)),
        )];
        let flags = [
            (message.urgent, "urgent"),
            (message.asks, "asks for an answer"),
            (message.returned, "returned"),
        ];
        let flags: Vec<&str> = flags.into_iter().filter(|(is, _)| *is).map(|(_, word)| word).collect();
        let about = message.task.as_ref().map(|task| format!("about {task}"));
        let words: Vec<String> = about.into_iter().chain(flags.into_iter().map(str::to_owned)).collect();
        if !words.is_empty() {
            blocks.push(Block::line(Tone::Faint, words.join(", ")));
        }
        blocks.push(Block::line(Tone::Plain, ""));
        blocks.extend(Block::text(Tone::Plain, text));
        blocks.push(Block::line(Tone::Plain, ""));
        for reader in &message.readers {
            let (tone, word) = match reader.receipt {
                _ if reader.left => (Tone::Faint, "left without reading it"),
                Some(Receipt::Read) => (Tone::Good, "read"),
                Some(Receipt::Delivered) => (Tone::Active, "delivered"),
                None => (Tone::Faint, "queued"),
            };
            blocks.push(Block::line(tone, format!("  {}: {word}", reader.agent)));
        }
        if message.nobody_reads {
            blocks.push(Block::line(Tone::Warning, "  nobody reads it: the task has ended"));
        }
        Self::new("Message", Kind::Message(message.id), blocks)
    }

    /// A transcript whose lines come.
    pub fn of_transcript(view: StretchView) -> Self {
        let came_of_it = if view.to_ms.is_some() { format!(": {}", view.words) } else { String::new() };
        let StretchView { agent, task, attempt, stage, .. } = &view;
        let title = format!("{agent} at {task}, attempt {attempt} ({stage}){came_of_it}");
        let kind = Kind::Transcript(Box::new(view), None);
        Self { title, kind, reader: Reader::at_end(), searched: String::new() }
    }

    /// Another text.
    pub fn of_text(title: impl Into<String>, text: &str) -> Self {
        Self::new(title, Kind::Text, Block::text(Tone::Plain, text).collect())
    }

    /// The keys of a place.
    pub fn of_help(place: Place) -> Self {
        let mut blocks = Vec::new();
        let mut section = |head: &str, bindings: &mut dyn Iterator<Item = &keys::Binding>| {
            let lines: Vec<Block> = bindings
                .filter(|binding| !binding.keys.is_empty())
                .map(|binding| Block::line(Tone::Plain, format!("  {:<14} {}", binding.keys, binding.does)))
                .collect();
            if !lines.is_empty() {
                blocks.push(Block::line(Tone::Head, head));
                blocks.extend(lines);
                blocks.push(Block::line(Tone::Plain, ""));
            }
        };
        section("Here", &mut keys::of_place(place).iter().flat_map(|bindings| bindings.iter()));
        section("Everywhere", &mut keys::EVERYWHERE.iter());
        section("To move", &mut keys::MOVES.iter());
        blocks.extend(Block::text(
            Tone::Faint,
            "A click selects, a second one opens; the wheel scrolls. With Shift the terminal selects text.\n\
             What a key does is what a command does: it is shown below when it was done.",
        ));
        Self::new("Keys", Kind::Text, blocks)
    }
}

/// A change as git shows it, in colours.
fn diff_blocks(diff: &str) -> impl Iterator<Item = Block> {
    let mut in_patch = false;
    diff.lines().map(move |line| {
        in_patch |= line.starts_with("diff --git");
        let is_head =
            ["diff --git", "index ", "--- ", "+++ ", "new file", "deleted file", "rename ", "similarity "];
        let tone = match line.chars().next() {
            _ if line.starts_with("diff --git") => Tone::Head,
            _ if !in_patch => Tone::Plain,
            _ if is_head.iter().any(|head| line.starts_with(head)) => Tone::Faint,
            Some('@') => Tone::Active,
            Some('+') => Tone::Good,
            Some('-') => Tone::Bad,
            _ => Tone::Plain,
        };
        Block::line(tone, line)
    })
}
