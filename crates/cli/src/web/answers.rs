//! What the page asks for, and what it has done. Whatever reads files or git does so away from the threads that serve.

use std::sync::Arc;

use agent_team::view::{MessageView, message};
use agent_team::{Error, Recipient, RecordId, TaskId, TaskQueue, TranscriptReader};
use axum::Json;
use axum::extract::rejection::JsonRejection;
use axum::extract::{Path, Query, State};
use axum::http::StatusCode;
use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse, Response};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::site::{Site, now_ms};
use super::timeline::Timeline;
use super::{refusals, search};
use crate::exit::Failure;
use crate::task_text::{in_full, whole};
use crate::view::{Done, Steer};

/// How many records are shown at once.
const RECORDS: usize = 200;
/// How much of a transcript is sent at once, in bytes.
const TRANSCRIPT_BYTES: u64 = 1 << 20;

type Team = State<Arc<Site>>;

/// What most questions may say.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct Asked {
    /// The team after so many records.
    at: Option<u64>,
    /// Records before this one.
    before: Option<u64>,
    /// Records about this task.
    task: Option<TaskId>,
    /// A transcript from this byte on.
    from: u64,
    /// A transcript from where so many bytes are left of it.
    end: Option<u64>,
    /// The words that are looked for.
    q: String,
}

pub async fn picture(State(site): Team, Query(asked): Query<Asked>) -> Response {
    answer(site, move |site| site.shown(asked.at)).await
}

pub async fn task(State(site): Team, Path(id): Path<TaskId>, Query(asked): Query<Asked>) -> Response {
    answer(site, move |site| {
        let queue = site.at(asked.at)?;
        let task = in_full(&queue, queue.get_task(&id)?);
        let transcripts = queue.transcripts_of(&id)?;
        let messages = queue.team_log().look(|state| {
            let of_task = state
                .messages()
                .all()
                .iter()
                .filter(|one| one.task.as_ref() == Some(&id) || one.to == Recipient::Task(id.clone()));
            of_task.map(|one| message(state, one)).collect::<Vec<_>>()
        })?;
        Ok(json!({ "task": task, "transcripts": transcripts, "messages": messages }))
    })
    .await
}

pub async fn said(State(site): Team, Path(id): Path<RecordId>, Query(asked): Query<Asked>) -> Response {
    answer(site, move |site| {
        let queue = site.at(asked.at)?;
        let known = queue.team_log().look(|state| Some(message(state, state.messages().get(id)?)))?;
        let none = || Failure::refused(format!("there is no message {id}"));
        let known = known.ok_or_else(none)?;
        let text = whole(&queue, &known.text).into();
        Ok(MessageView { text, ..known })
    })
    .await
}

pub async fn diff(State(site): Team, Path(id): Path<TaskId>) -> Response {
    answer(site, move |site| {
        if site.is_read_only() {
            let words = "a log holds no changes of files: `agent-team web` in its team's folder shows them";
            return Err(Failure::refused(words));
        }
        let change = site.queue().change_of(&id)?;
        let of = change.as_ref().map(ToString::to_string);
        Ok(json!({ "of": of, "diff": change.map(|change| change.patch) }))
    })
    .await
}

pub async fn transcript(
    State(site): Team,
    Path(token): Path<RecordId>,
    Query(asked): Query<Asked>,
) -> Response {
    answer(site, move |site| {
        let of = site.queue().transcript(token)?;
        let mut reader = match asked.end {
            Some(bytes) => TranscriptReader::near_end(site.root(), token, bytes),
            None => TranscriptReader::new(site.root(), token, asked.from),
        };
        let from = reader.offset();
        let lines = reader.read(TRANSCRIPT_BYTES).map_err(|error| Failure::io("the transcript", &error))?;
        Ok(json!({ "of": of, "lines": lines, "from": from, "next": reader.offset(), "draft": reader.draft() }))
    })
    .await
}

pub async fn records(State(site): Team, Query(asked): Query<Asked>) -> Response {
    answer(site, move |site| {
        let end = asked.at.map_or(u64::MAX, |at| at.saturating_add(1));
        let end = asked.before.map_or(end, |before| before.min(end));
        Ok(site.with_index(|index| index.before(end, asked.task.as_ref(), RECORDS))?)
    })
    .await
}

pub async fn timeline(State(site): Team, Query(asked): Query<Asked>) -> Response {
    answer(site, move |site| {
        let queue = site.at(asked.at)?;
        let is_now = asked.at.is_none() && !site.is_read_only() && !was_cut_off(&queue)?;
        let newest = site.newest()?;
        let (at_ms, waits) = site.with_index(|index| {
            (index.at_ms(asked.at.unwrap_or(newest)), index.waits(asked.at.unwrap_or(u64::MAX)))
        })?;
        Ok(Timeline::of(&queue, waits, if is_now { now_ms() } else { at_ms })?)
    })
    .await
}

/// Whether the last run has no end, and nobody runs it any more: then nothing goes on since it wrote last.
fn was_cut_off(queue: &TaskQueue) -> Result<bool, Error> {
    let is_open =
        queue.team_log().look(|state| state.runs().last().is_some_and(|run| run.ended.is_none()))?;
    Ok(is_open && !queue.is_being_run()?)
}

pub async fn cost(State(site): Team, Query(asked): Query<Asked>) -> Response {
    answer(site, move |site| {
        let until = asked.at.unwrap_or(u64::MAX);
        Ok(site.with_index(|index| json!({ "points": index.costs(until) }))?)
    })
    .await
}

pub async fn search(State(site): Team, Query(asked): Query<Asked>) -> Response {
    answer(site, move |site| Ok(search::search(site.queue(), site.root(), &asked.q)?)).await
}

/// Does what the page was told to do.
pub async fn steer(State(site): Team, steer: Result<Json<Steer>, JsonRejection>) -> Response {
    let steer = match steer {
        Ok(Json(steer)) => steer,
        Err(wrong) => {
            return (StatusCode::BAD_REQUEST, Json(json!({ "error": wrong.body_text() }))).into_response();
        }
    };
    let Some(workspace) = site.workspace().map(std::path::Path::to_owned) else {
        let words = "this log is only looked at: `agent-team web` in its team's folder steers it";
        return (StatusCode::FORBIDDEN, Json(json!({ "error": words, "command": steer.command() })))
            .into_response();
    };
    let done = tokio::task::spawn_blocking(move || steer.perform(&workspace)).await;
    let Ok(Done { command, outcome }) = done else { return broken() };
    match outcome {
        Ok(text) => Json(json!({ "text": text, "command": command })).into_response(),
        Err(failure) => {
            let mut told = failure.value();
            if let Value::Object(fields) = &mut told {
                fields.insert("command".to_owned(), command.into());
            }
            (StatusCode::CONFLICT, Json(told)).into_response()
        }
    }
}

/// Answers with what a look gives, or why there is nothing.
async fn answer<T: Serialize>(
    site: Arc<Site>,
    look: impl FnOnce(&Site) -> Result<T, Failure> + Send + 'static,
) -> Response {
    // A picture of a large team is some megabytes, which are written away from the threads that serve, too.
    let written = move || {
        let value = look(&site)?;
        serde_json::to_vec(&value).map_err(|error| Failure::io("an answer", &error.into()))
    };
    match tokio::task::spawn_blocking(written).await {
        Ok(Ok(json)) => ([(CONTENT_TYPE, "application/json")], json).into_response(),
        Ok(Err(failure)) => refusals::of(&failure),
        Err(_) => broken(),
    }
}

fn broken() -> Response {
    (StatusCode::INTERNAL_SERVER_ERROR, Json(json!({ "error": "this program broke down over the question" })))
        .into_response()
}
