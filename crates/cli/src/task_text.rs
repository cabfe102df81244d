//! Tasks as they are shown: one row in a list, or all that is known of them with every text in full.

use std::borrow::Cow;

use agent_team::view::TaskView;
use agent_team::{Amount, Error, Status, TaskQueue, Text, with_texts};

use crate::output::{Cell, Paint};

/// The colour of a status.
pub fn paint(status: Status) -> Option<Paint> {
    match status {
        Status::Completed => Some(Paint::Good),
        Status::Failed => Some(Paint::Bad),
        Status::Running | Status::Verifying | Status::Reviewing | Status::Merging => Some(Paint::Active),
        Status::Blocked | Status::Cancelled => Some(Paint::Faint),
        Status::Ready => None,
    }
}

/// A task as a row: id, status, holder or author, title, what it waits for and what somebody can do about that.
pub fn row(task: &TaskView) -> Vec<Cell> {
    let agent = task.agent.as_ref().or(task.author.as_ref());
    let remedy = task.remedy.as_ref().map(|remedy| format!("; {remedy}")).unwrap_or_default();
    let waits = task.waits_for.as_ref().map(|reason| format!("[waits for {reason}{remedy}]"));
    vec![
        task.id.as_str().into(),
        Cell::painted(task.status, paint(task.status)),
        agent.map_or("-", |agent| agent.as_str()).into(),
        task.title.as_str().into(),
        Cell::painted(waits.unwrap_or_default(), Some(Paint::Faint)),
    ]
}

/// The task with every text in full instead of a reference to where it is kept.
pub fn in_full(queue: &TaskQueue, task: TaskView) -> TaskView {
    with_texts(task, |text| whole(queue, text))
}

/// The task with the beginning of every long text, so that each is a string whatever its length.
pub fn in_short(task: TaskView) -> TaskView {
    with_texts(task, |text| text.preview().into_owned())
}

/// The whole of a text. One that is lost or damaged hides nothing else: its beginning is shown, and why it ends.
pub fn whole(queue: &TaskQueue, text: &Text) -> String {
    queue.team_log().read_text(text).unwrap_or_else(|error: Error| format!("{}\n[{error}]", text.preview()))
}

/// A text that was put in full by [`in_full`].
pub fn full(text: &Text) -> Cow<'_, str> {
    text.preview()
}

/// What was spent, in words; nothing if nothing was.
pub fn cost(spent: Amount) -> Option<String> {
    let dollars = spent.micro_usd as f64 / 1e6;
    (spent != Amount::default()).then(|| format!("${dollars:.4}, {} tokens", spent.tokens()))
}
