//! The task of a group: its id, its words, and whether it is there already.

use std::fs;

use agent_team_core::text::misleads;

use super::group::Group;
use super::sample::hash;
use super::shrink::Shrunk;
use super::suite::Suite;
use crate::{Error, NewTask, Refusal, Status, TaskId, TaskQueue};

/// The word by which tasks of suites are found.
const LABEL: &str = "split";

/// The length of an id's part that is made of the reason, in characters.
const SLUG_CHARS_MAX: usize = 40;

/// How many inputs a description names.
const INPUTS_SHOWN: usize = 20;

/// The longest smallest input that a description shows, in bytes.
const SHOWN_BYTES_MAX: usize = 4 << 10;

/// Where the task of a group stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Place {
    /// It is to be added, with this id.
    New(TaskId),
    /// It was added before, and has not ended.
    There(TaskId, Status),
}

/// The commands that a task names.
#[derive(Debug, Clone)]
pub struct TaskCommands {
    /// Proves the task: all inputs of the group pass.
    pub check: String,
    /// Runs a sample of the suite, to see early what broke.
    pub sample: String,
    /// The list of the group's inputs, for who wants to see all.
    pub list: String,
}

/// Finds the place for a group's task. Its id comes from the suite and the reason alone, so it is the same whenever the
/// suite is split. If one of that id has ended and the group fails all the same, the next gets a number.
pub(super) fn place(queue: Option<&TaskQueue>, suite: &Suite, group: &Group) -> Result<Place, Error> {
    let base = id(suite, group);
    let Some(queue) = queue else { return Ok(Place::New(base.parse()?)) };
    for number in 1_u32.. {
        let id: TaskId = if number == 1 { base.parse()? } else { format!("{base}-{number}").parse()? };
        match queue.get_task(&id) {
            Ok(task) if matches!(task.status, Status::Completed | Status::Failed | Status::Cancelled) => {}
            Ok(task) => return Ok(Place::There(id, task.status)),
            Err(Error::Refused(Refusal::NoSuchTask { .. })) => return Ok(Place::New(id)),
            Err(error) => return Err(error),
        }
    }
    Err(Error::Input(format!("there is no free id for `{base}`")))
}

/// The id of a group's task as long as none of that id has ended.
fn id(suite: &Suite, group: &Group) -> String {
    let key = &group.reason.key;
    let mut slug = String::new();
    for character in key.chars().map(|character| character.to_ascii_lowercase()) {
        match character {
            'a'..='z' | '0'..='9' => slug.push(character),
            _ if slug.ends_with('-') || slug.is_empty() => {}
            _ => slug.push('-'),
        }
        if slug.len() >= SLUG_CHARS_MAX {
            break;
        }
    }
    let mark = hash(&[&suite.candidate, suite.oracle.as_deref().unwrap_or_default(), key]) >> 40;
    let slug = slug.trim_end_matches('-');
    let slug = if slug.is_empty() { "other" } else { slug };
    format!("{LABEL}-{slug}-{mark:06x}")
}

/// The task of a group of failures out of `total` inputs.
pub fn task(
    suite: &Suite,
    group: &Group,
    total: usize,
    shrunk: Option<&Shrunk>,
    commands: &TaskCommands,
) -> NewTask {
    let inputs = group.inputs();
    let title = format!("{} of {total} inputs: {}", inputs.len(), group.reason.text);
    // What the candidate printed may hold marks that a title must not have.
    let title = title.chars().filter(|character| !misleads(&character.to_string()));
    let mut task = NewTask::new(title.collect::<String>());
    task.description = description(suite, group, &inputs, shrunk, commands);
    task.check = Some(commands.check.clone());
    task.labels = vec![LABEL.to_owned()];
    task
}

fn description(
    suite: &Suite,
    group: &Group,
    inputs: &[String],
    shrunk: Option<&Shrunk>,
    commands: &TaskCommands,
) -> String {
    let Some(first) = group.failures.first() else { return String::new() };
    let failure = shrunk.map_or(first, |shrunk| &shrunk.failure);
    let mut text = format!(
        "Mend the candidate so that these inputs pass. Do not change the inputs.\n\nAll of them fail with the same first \
         difference:\n{}\n",
        indented(&group.reason.text)
    );
    text += &format!("\nReproduce it:\n{}\n", indented(&suite.command(&suite.candidate, &failure.inputs)));
    if let Some(oracle) = &suite.oracle {
        let command = suite.command(oracle, &failure.inputs);
        text += &format!("What is right comes from:\n{}\n", indented(&command));
    }
    if suite.together {
        text += "The command is given these inputs at once: the smallest set that fails.\n";
    }
    if let Some(shrunk) = shrunk {
        text += &smallest(shrunk);
    }
    if let Some(expected) = &failure.expected {
        text += &format!("\nExpected:\n{}\n", indented(expected));
    }
    text += &format!("\nActual:\n{}\n", indented(&failure.actual));
    text += &format!("\nThe inputs that fail so ({}), one per line in {}:\n", inputs.len(), commands.list);
    for input in inputs.iter().take(INPUTS_SHOWN) {
        text += &format!("    {input}\n");
    }
    if inputs.len() > INPUTS_SHOWN {
        text += &format!("    ... and {} more\n", inputs.len() - INPUTS_SHOWN);
    }
    text += &format!("\nThis proves the task, and is its check:\n{}\n", indented(&commands.check));
    text += &format!(
        "\nTo see quickly whether something else broke, run your sample of the suite, with your own name:\n{}\n",
        indented(&commands.sample)
    );
    text
}

fn smallest(shrunk: &Shrunk) -> String {
    let needed = if shrunk.is_smallest { "each of them needed" } else { "as far as there was time" };
    let mut text = format!(
        "\nThe smallest input: {} of {} lines of {}, {needed}:\n",
        shrunk.lines, shrunk.of_lines, shrunk.of
    );
    let content = fs::read(&shrunk.path).unwrap_or_default();
    match String::from_utf8(content) {
        Ok(content) if content.len() <= SHOWN_BYTES_MAX => text += &format!("{}\n", indented(&content)),
        _ => text += &format!("    {}\n", shrunk.path.display()),
    }
    text
}

fn indented(text: &str) -> String {
    text.trim_end().lines().map(|line| format!("    {line}")).collect::<Vec<_>>().join("\n")
}
