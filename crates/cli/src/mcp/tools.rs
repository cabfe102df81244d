//! The list of tools: every operation of the command that is one too, and those that wait.

use std::sync::Arc;

use agent_team::agent::AskedTask;
use agent_team::tools::{parse_input, spec_of};
use agent_team::{AgentId, Role, Skill};
use rmcp::model::{CallToolResult, ContentBlock, RequestId, Tool, ToolAnnotations};
use schemars::JsonSchema;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};

use super::session::Session;
use super::waits::{self, Meanwhile};
use crate::exit::{Exit, Failure};
use crate::operation::{Actor, Operation, parsed_if_any};
use crate::output::Output;
use crate::verb;

/// A tool: what it is called, what it takes, and what it does.
pub struct Entry {
    name: &'static str,
    about: &'static str,
    reads: bool,
    /// What an answer is called that is a list.
    list: &'static str,
    input: fn(&str, &str) -> agent_team::model::ToolSpec,
    call: Call,
}

/// How a tool is called.
enum Call {
    /// It is done at once, on a thread that may block.
    Now(fn(Value, &Session, &mut Output) -> Result<Exit, Failure>),
    /// It may have to wait.
    Waits(waits::Kind),
}

/// All tools, in the order in which they are listed.
pub static TOOLS: &[Entry] = &[
    of_session::<Join>("join", JOIN, join),
    operation::<verb::status::Status>(),
    operation::<verb::list::List>(),
    operation::<verb::show::Show>(),
    waiting::<waits::ClaimTask>("claim_task", waits::CLAIM, waits::Kind::Claim),
    operation::<verb::renew::RenewClaim>(),
    waiting::<waits::CompleteTask>("complete_task", waits::COMPLETE, waits::Kind::Complete),
    operation::<verb::fail::FailTask>(),
    operation::<verb::release::ReleaseTask>(),
    of_session::<AskedTask>("add_task", ADD, add_task),
    of_session::<AddTasks>("add_tasks", ADD_ALL, add_tasks),
    operation::<verb::hand_out::HandOutTask>(),
    operation::<verb::plan::SubmitPlan>(),
    operation::<verb::plan::JudgePlan>(),
    operation::<verb::review::ReviewTask>(),
    operation::<verb::reserve::ReserveFiles>(),
    operation::<verb::send::SendMessage>(),
    waiting::<waits::Receive>("receive", waits::RECEIVE, waits::Kind::Receive),
    waiting::<waits::Ask>("ask", waits::ASK, waits::Kind::Ask),
    operation::<verb::answer::AnswerQuestion>(),
    operation::<verb::note::TakeNote>(),
];

const JOIN: &str = "Join the team under a name that nobody else has. Do this first, unless you were given a name: then \
                    it says who you are.";
const ADD: &str = "Add a task to the team's queue. While you hold one task alone it is a part of that.";
const ADD_ALL: &str = "Add tasks to the team's queue, all or none. Give each an id if others depend on it. While you hold one \
                       task alone they are parts of that.";

/// The tool of an operation.
const fn operation<O: Operation>() -> Entry {
    Entry { reads: O::READS, list: O::LIST, ..of_session::<O>(O::TOOL, O::ABOUT, perform::<O>) }
}

const fn of_session<I: JsonSchema>(
    name: &'static str,
    about: &'static str,
    call: fn(Value, &Session, &mut Output) -> Result<Exit, Failure>,
) -> Entry {
    Entry { name, about, reads: false, list: "list", input: spec_of::<I>, call: Call::Now(call) }
}

const fn waiting<I: JsonSchema>(name: &'static str, about: &'static str, kind: waits::Kind) -> Entry {
    Entry { name, about, reads: false, list: "messages", input: spec_of::<I>, call: Call::Waits(kind) }
}

fn perform<O: Operation>(input: Value, session: &Session, out: &mut Output) -> Result<Exit, Failure> {
    input_of::<O>(O::TOOL, input)?.perform(&session.actor(), out)
}

/// The input of a tool, or what is wrong with it in words for a model.
pub fn input_of<I: DeserializeOwned + JsonSchema>(tool: &str, input: Value) -> Result<I, Failure> {
    let spec = spec_of::<I>(tool, "");
    if let Some(name) = unknown_field(&spec.input_schema, &input) {
        return Err(Failure::usage(format!("`{tool}` takes no `{name}`")));
    }
    parse_input(&spec, input).map_err(|correction| Failure::usage(correction.to_string()))
}

/// A field that the tool does not take: passed over in silence, it would mislead whoever gave it.
fn unknown_field<'a>(schema: &Value, input: &'a Value) -> Option<&'a str> {
    match input {
        Value::Object(fields) => fields.iter().find_map(|(name, value)| {
            let known = schema.get("properties").map(|known| known.get(name));
            known.and_then(|known| known.map_or(Some(name.as_str()), |schema| unknown_field(schema, value)))
        }),
        Value::Array(items) => {
            let schema = schema.get("items")?;
            items.iter().find_map(|item| unknown_field(schema, item))
        }
        _ => None,
    }
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Join {
    /// Your name in the team: letters, digits and dashes, such as `ann-2`
    #[schemars(with = "String")]
    name: AgentId,
    /// `worker` or `specialist`; other roles are the user's to give
    #[serde(default, deserialize_with = "parsed_if_any")]
    #[schemars(with = "Option<String>")]
    role: Option<Role>,
    /// What you can do that others cannot, if tasks ask for it
    #[serde(default)]
    #[schemars(with = "Vec<String>")]
    skills: Vec<Skill>,
}

fn join(input: Value, session: &Session, out: &mut Output) -> Result<Exit, Failure> {
    let Join { name, role, skills } = input_of("join", input)?;
    let (agent, role) = session.join(name, role, skills)?;
    verb::join::tell(agent, *role, out)
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct AddTasks {
    /// The tasks. They may refer to each other in `after`, in any order
    tasks: Vec<AskedTask>,
}

fn add_task(input: Value, session: &Session, out: &mut Output) -> Result<Exit, Failure> {
    add(vec![input_of("add_task", input)?], &session.actor(), out)
}

fn add_tasks(input: Value, session: &Session, out: &mut Output) -> Result<Exit, Failure> {
    add(input_of::<AddTasks>("add_tasks", input)?.tasks, &session.actor(), out)
}

fn add(tasks: Vec<AskedTask>, by: &Actor<'_>, out: &mut Output) -> Result<Exit, Failure> {
    let ids = by.queue.add_asked_tasks(by.agent()?, by.only_claim(), tasks)?;
    verb::add::tell(&ids, out)
}

impl Entry {
    /// The tool of a name.
    pub fn named(name: &str) -> Option<&'static Self> {
        TOOLS.iter().find(|tool| tool.name == name)
    }

    /// The tool as the protocol describes it.
    pub fn describe(&self) -> Tool {
        let schema = match (self.input)(self.name, self.about).input_schema {
            Value::Object(mut schema) => {
                schema.entry("properties").or_insert_with(|| Value::Object(Map::new()));
                schema
            }
            _ => Map::new(),
        };
        let hints = ToolAnnotations::new().read_only(self.reads).destructive(false).open_world(false);
        Tool::new(self.name, self.about, Arc::new(schema)).with_annotations(hints)
    }

    /// Calls the tool. What it cannot do is told by its result, for the agent to read.
    pub async fn call(
        &self,
        input: Value,
        session: &Arc<Session>,
        request: RequestId,
        meanwhile: Meanwhile,
    ) -> CallToolResult {
        let mut out = Output::kept();
        let done = match self.call {
            Call::Waits(kind) => waits::call(kind, input, session, request, meanwhile, &mut out).await,
            Call::Now(call) => {
                let session = Arc::clone(session);
                let called = tokio::task::spawn_blocking(move || {
                    let mut out = Output::kept();
                    (call(input, &session, &mut out), out)
                });
                match called.await {
                    Ok((done, told)) => {
                        out = told;
                        done
                    }
                    Err(_) => Err(Failure::new(
                        Exit::Broken,
                        "the tool broke down: that is a mistake of agent-team",
                    )),
                }
            }
        };
        result(self.list, out, done)
    }
}

/// What came out, as lines and as JSON.
fn result(list: &str, out: Output, done: Result<Exit, Failure>) -> CallToolResult {
    let kept = out.into_kept();
    let value = kept.value.map(|value| match value {
        Value::Object(_) => value,
        other => Value::Object(Map::from_iter([(list.to_owned(), other)])),
    });
    let text = kept.text.trim_end().to_owned();
    let (text, value, failed) = match done {
        Ok(_) if text.is_empty() => ("nothing".to_owned(), value, false),
        Ok(_) => (text, value, false),
        Err(failure) => {
            let words = failure.words();
            let text = if text.is_empty() { words } else { format!("{text}\n{words}") };
            (text, Some(failure.value()), true)
        }
    };
    let content = vec![ContentBlock::text(text)];
    let mut result = if failed { CallToolResult::error(content) } else { CallToolResult::success(content) };
    result.structured_content = value;
    result
}
