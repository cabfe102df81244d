//! What changes, as the page hears of it: server-sent events with what is new since the last one
//! (<https://html.spec.whatwg.org/multipage/server-sent-events.html>).

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::sync::Arc;

use agent_team::agent::Draft;
use agent_team::{RecordId, TranscriptReader};
use axum::extract::{Query, State};
use axum::response::sse::{Event, KeepAlive, Sse};
use futures::Stream;
use futures::stream;
use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::painter::{Listener, Painter};
use super::site::now_ms;
use crate::view::Picture;

/// What a page wants to hear of, besides the team.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct Wanted {
    /// The transcripts that it shows, separated by commas.
    transcripts: String,
    /// The picture that it has, by its number of records.
    records: u64,
}

/// What a page knows.
struct Page {
    listener: Listener,
    painter: Arc<Painter>,
    /// How many records the picture is of that it came with.
    has: u64,
    known: Option<Arc<Picture>>,
    /// How far each transcript had come when the page was told of it, and what was being said after it.
    known_of: BTreeMap<RecordId, (u64, Option<Draft>)>,
    waiting: Vec<Event>,
}

/// The changes from now on.
pub async fn events(
    State(painter): State<Arc<Painter>>,
    Query(wanted): Query<Wanted>,
) -> Sse<impl Stream<Item = Result<Event, Infallible>>> {
    let tokens: Vec<RecordId> =
        wanted.transcripts.split(',').filter_map(|token| token.parse().ok()).collect();
    let known_of = tokens.iter().map(|token| (*token, standing(&painter, *token))).collect();
    painter.refresh().await;
    let listener = painter.listen(tokens);
    let page = Page { listener, painter, has: wanted.records, known: None, known_of, waiting: Vec::new() };
    let next = |mut page: Page| async move {
        loop {
            if let Some(event) = page.waiting.pop() {
                return Some((Ok(event), page));
            }
            page.wait().await?;
        }
    };
    Sse::new(stream::unfold(page, next)).keep_alive(KeepAlive::default())
}

impl Page {
    /// Waits until there is something to tell.
    async fn wait(&mut self) -> Option<()> {
        let newest = self.listener.pictures.borrow_and_update().clone();
        let change = match &self.known {
            // Tasks may be many: a page that has them is not told of them again.
            None if self.has == newest.records => {
                Some(change(None, &Picture { tasks: Vec::new(), ..(*newest).clone() }))
            }
            None => Some(change(None, &newest)),
            Some(known) if Arc::ptr_eq(known, &newest) => None,
            Some(known) => Some(change(Some(known), &newest)),
        };
        if let Some(change) = change {
            self.known = Some(newest);
            self.waiting.extend(event("change", &change));
            return Some(());
        }
        tokio::select! {
            changed = self.listener.pictures.changed() => changed.ok(),
            changed = self.listener.grown.changed() => {
                changed.ok()?;
                self.look_at_transcripts();
                Some(())
            }
        }
    }

    fn look_at_transcripts(&mut self) {
        for (token, known) in &mut self.known_of {
            let now = standing(&self.painter, *token);
            if now != *known {
                *known = now;
                self.waiting.extend(event("transcript", &json!({ "token": token })));
            }
        }
    }
}

/// How long a transcript is, and what is being said after it.
fn standing(painter: &Painter, token: RecordId) -> (u64, Option<Draft>) {
    let reader = TranscriptReader::new(painter.site.root(), token, 0);
    (reader.length(), reader.draft())
}

fn event(name: &str, data: &Value) -> Option<Event> {
    Event::default().event(name).json_data(data).ok()
}

/// What is new in a picture since the last one: the fields that differ, and the rows of tasks that do.
fn change(known: Option<&Picture>, newest: &Picture) -> Value {
    let fields = |picture: &Picture| -> Map<String, Value> {
        // Tasks are compared row by row.
        let short = Picture { tasks: Vec::new(), ..picture.clone() };
        match serde_json::to_value(short) {
            Ok(Value::Object(mut fields)) => {
                fields.remove("tasks");
                fields
            }
            _ => Map::new(),
        }
    };
    let mut set = fields(newest);
    let known_fields = known.map(fields).unwrap_or_default();
    set.retain(|name, value| known_fields.get(name) != Some(value));
    let known_tasks = known.map(|known| known.tasks.as_slice()).unwrap_or_default();
    let is_new = |(index, row): &(usize, &agent_team::view::RowView)| known_tasks.get(*index) != Some(*row);
    let tasks: Vec<_> = newest.tasks.iter().enumerate().filter(is_new).map(|(_, row)| row).collect();
    json!({ "records": newest.records, "at_ms": now_ms(), "set": set, "tasks": tasks })
}
