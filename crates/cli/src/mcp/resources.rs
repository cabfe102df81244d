//! What can be read: the tasks, each one, and the log.

use std::collections::VecDeque;

use agent_team::{Records, TaskQueue};
use rmcp::ErrorData;
use rmcp::model::{ReadResourceResult, Resource, ResourceContents, ResourceTemplate};
use serde_json::json;

use crate::exit::Failure;
use crate::operation::{Actor, Operation};
use crate::output::Output;
use crate::verb::{list, log, show};

const TASKS: &str = "agent-team://tasks";
const LOG: &str = "agent-team://log";
const JSON: &str = "application/json";
const TEXT: &str = "text/plain";
/// How many of the newest records are shown.
const RECORDS_MAX: usize = 200;
/// How many tasks are named, each as a resource of its own; all can be read.
const TASKS_MAX: usize = 200;

/// All that can be read, as far as it is named.
pub fn list(queue: &TaskQueue) -> Result<Vec<Resource>, ErrorData> {
    let tasks = queue.find_tasks(TASKS_MAX, |_| true).map_err(|error| broken(&error.into()))?;
    let of_task = |task: agent_team::view::TaskView| {
        let about = format!("Task {}, {}", task.id, task.status);
        Resource::new(format!("{TASKS}/{}", task.id), task.id.to_string())
            .with_title(task.title)
            .with_description(about)
            .with_mime_type(JSON)
    };
    let all = Resource::new(TASKS, "tasks")
        .with_description("All tasks: id, status, holder or author, title, and what each waits for")
        .with_mime_type(TEXT);
    let log = Resource::new(LOG, "log")
        .with_description(format!("What happened: the newest {RECORDS_MAX} records, one a line"))
        .with_mime_type(TEXT);
    Ok([all, log].into_iter().chain(tasks.into_iter().map(of_task)).collect())
}

/// The forms of what is too much to be named.
pub fn templates() -> Vec<ResourceTemplate> {
    vec![
        ResourceTemplate::new(format!("{TASKS}/{{id}}"), "task")
            .with_description("All that is known of a task, as `agent-team show --json` gives it")
            .with_mime_type(JSON),
    ]
}

/// Reads one.
pub fn read(queue: &TaskQueue, uri: &str) -> Result<ReadResourceResult, ErrorData> {
    let task = uri.strip_prefix(TASKS).and_then(|rest| rest.strip_prefix('/'));
    let (text, mime) = match task {
        Some(id) => {
            let wanted: show::Show =
                serde_json::from_value(json!({ "id": id })).map_err(|_| not_found(uri, "no such task"))?;
            let kept = told(wanted, queue).map_err(|failure| not_found(uri, &failure.words()))?;
            (kept.value.unwrap_or_default().to_string(), JSON)
        }
        None if uri == TASKS => {
            let all: list::List = serde_json::from_value(json!({ "limit": 0 })).unwrap_or_default();
            (told(all, queue).map_err(|failure| broken(&failure))?.text, TEXT)
        }
        None if uri == LOG => (newest_records(queue).map_err(|failure| broken(&failure))?, TEXT),
        None => return Err(not_found(uri, "there are tasks and the log")),
    };
    Ok(ReadResourceResult::new(vec![ResourceContents::text(text, uri).with_mime_type(mime)]))
}

fn told(operation: impl Operation, queue: &TaskQueue) -> Result<crate::output::Kept, Failure> {
    let mut out = Output::kept();
    operation.perform(&Actor::nobody(queue), &mut out)?;
    Ok(out.into_kept())
}

fn newest_records(queue: &TaskQueue) -> Result<String, Failure> {
    let Some(folder) = queue.team_log().folder() else { return Ok(String::new()) };
    let mut records = Records::open(folder)?;
    let mut newest = VecDeque::new();
    loop {
        let batch = records.read()?;
        if batch.is_empty() {
            break;
        }
        newest.extend(batch);
        newest.drain(..newest.len().saturating_sub(RECORDS_MAX));
    }
    let mut out = Output::kept();
    newest.iter().try_for_each(|record| log::print(record, &mut out))?;
    Ok(out.into_kept().text)
}

fn not_found(uri: &str, why: &str) -> ErrorData {
    ErrorData::resource_not_found(format!("{uri}: {why}"), Some(json!({ "uri": uri })))
}

fn broken(failure: &Failure) -> ErrorData {
    ErrorData::internal_error(failure.words(), Some(failure.value()))
}
