//! Tasks as they are shown: one row in a list, or all that is known of them with every text in full.

use std::borrow::Cow;

use agent_team::view::TaskView;
use agent_team::{AgentId, Amount, Error, HUMAN, Status, TaskQueue, Text, with_texts};

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
    let waits = task.waits_for.as_ref().map(|reason| format!("waits for {reason}{remedy}"));
    let judged =
        (task.status == Status::Reviewing && is_judged_specially(task)).then(|| review(task)).flatten();
    let more = [waits, judged].into_iter().flatten().collect::<Vec<_>>().join("; ");
    let more = if more.is_empty() { more } else { format!("[{more}]") };
    vec![
        task.id.as_str().into(),
        Cell::painted(task.status, paint(task.status)),
        agent.map_or("-", |agent| agent.as_str()).into(),
        task.title.as_str().into(),
        Cell::painted(more, Some(Paint::Faint)),
    ]
}

/// Who may approve its plan, in words.
pub fn approvers(task: &TaskView) -> String {
    let author = task.plan.as_ref().map(|plan| &plan.author).or(task.agent.as_ref());
    match &task.approver {
        Some(named) if named.as_str() == HUMAN => "the human".to_owned(),
        Some(named) if Some(named) == author => format!("the human, since {named} cannot approve its own"),
        Some(named) => format!("{named} or the human"),
        None => "a lead or the human".to_owned(),
    }
}

/// What its reviewers are asked for, and how far they are; `None` for a task without a review.
pub fn review(task: &TaskView) -> Option<String> {
    if !task.review {
        return None;
    }
    let mut words = if task.status == Status::Reviewing {
        let by: Vec<&str> = task.approvals.iter().map(AgentId::as_str).collect();
        let by = if by.is_empty() { String::new() } else { format!(" ({})", by.join(", ")) };
        format!("{} of {} approved{by}", task.approvals.len(), task.reviews.max(1))
    } else if task.reviews > 1 {
        format!("{} reviewers must approve", task.reviews)
    } else {
        "wanted".to_owned()
    };
    match task.review_rounds_max {
        // The human may send it back once more.
        Some(most) if task.review_rounds > most => {
            words +=
                &format!(", sent back {} times, {most} by reviewers: the human judges", task.review_rounds);
        }
        Some(most) if task.review_rounds == most => {
            words += &format!(", sent back {} of {most} times: the human judges", task.review_rounds);
        }
        Some(most) => words += &format!(", round {} of {most}", task.review_rounds + 1),
        None if task.review_rounds > 0 => words += &format!(", round {}", task.review_rounds + 1),
        None => {}
    }
    if task.refute {
        words += ", reviewers try to refute it";
    }
    Some(words)
}

/// Whether there is more to say of its review than that there is one.
fn is_judged_specially(task: &TaskView) -> bool {
    task.reviews > 1 || task.refute || task.review_rounds > 0
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
    let tokens = format!("{} tokens", spent.tokens());
    Some(match spent.micro_usd {
        _ if spent == Amount::default() => return None,
        // It is free, or nobody knows its price.
        0 => tokens,
        micro_usd => format!("${:.4}, {tokens}", micro_usd as f64 / 1e6),
    })
}
