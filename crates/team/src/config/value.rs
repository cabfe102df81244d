//! How single values are written, and what is refused whatever stands around them.
//!
//! Every error of a value is raised while it is read, so that the parser knows its place.

use std::fmt::Display;
use std::str::FromStr;

use agent_team_core::id::{AgentId, BadName, Skill};
use agent_team_core::record::Role;
use schemars::JsonSchema;
use serde::{Deserialize, Deserializer, de};

use super::AgentConfig;
use crate::Durability;
use crate::budget::AgentBudget;
use crate::sandbox::HostRule;
use crate::with::With;

/// More agents than this are taken for a slip of the finger.
pub(super) const AGENTS_MAX: u32 = 10_000;
/// The words of a task and of the tools alone come to about as many tokens.
const CONTEXT_TOKENS_MIN: u64 = 4_000;
/// A call of a tool alone takes about as many tokens, with the words around it.
pub(super) const OUTPUT_TOKENS_MIN: u32 = 256;

/// One agent, or with `count` several that differ in nothing but their number.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "Agent")]
pub(super) struct WrittenAgent {
    /// The name; with `count`, what comes before the number.
    #[schemars(with = "String")]
    name: AgentId,
    /// What it is for.
    #[serde(default = "worker")]
    #[schemars(with = "WrittenRole")]
    role: Role,
    /// Its model, if not the team's.
    #[serde(default, deserialize_with = "parsed")]
    #[schemars(with = "Option<String>")]
    with: Option<With>,
    /// The model that a coding agent calls which is driven, by its own name for it; else its usual one.
    #[serde(default, deserialize_with = "filled")]
    model: Option<String>,
    /// What it can do that others cannot.
    #[serde(default)]
    #[schemars(with = "Vec<String>")]
    skills: Vec<Skill>,
    /// What it is told besides its role's instructions.
    #[serde(default, deserialize_with = "filled")]
    prompt: Option<String>,
    /// Whether each of its plans must be approved before it may change anything.
    #[serde(default)]
    plan: bool,
    /// How large its conversation may become, in tokens, if not as large as the team's.
    #[serde(default, deserialize_with = "context_tokens")]
    #[schemars(range(min = CONTEXT_TOKENS_MIN))]
    context_tokens: Option<u64>,
    /// How long one answer of its model may become, in tokens, if not as long as the team's.
    #[serde(default, deserialize_with = "max_output_tokens")]
    #[schemars(range(min = OUTPUT_TOKENS_MIN))]
    max_output_tokens: Option<u32>,
    /// Hosts that its commands, or the program that is driven, may reach besides those of `[sandbox]`.
    #[serde(default)]
    hosts: Vec<HostRule>,
    /// For a lead: the agents of its own team, by name; they take its tasks and no others.
    #[serde(default)]
    #[schemars(with = "Vec<String>")]
    members: Vec<AgentId>,
    /// What it may use in all; with `count`, each of them.
    #[serde(default)]
    budget: AgentBudget,
    /// How many there are of it: `name = "worker"` and `count = 3` are worker-1, worker-2 and worker-3.
    #[serde(default, deserialize_with = "count")]
    #[schemars(range(min = 1, max = AGENTS_MAX))]
    count: Option<u32>,
}

/// The roles, for the schema.
#[derive(JsonSchema)]
#[serde(rename_all = "snake_case")]
#[schemars(rename = "Role")]
#[expect(dead_code, reason = "the core's type has no schema; a test holds the two together")]
pub(super) enum WrittenRole {
    Lead,
    Worker,
    Reviewer,
    Specialist,
}

/// The settings of durability as they are written.
#[derive(Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[schemars(rename = "Durability")]
pub(super) enum WrittenDurability {
    Power,
    Process,
}

impl TryFrom<WrittenAgent> for AgentConfig {
    type Error = String;

    fn try_from(written: WrittenAgent) -> Result<Self, String> {
        let WrittenAgent {
            name,
            role,
            with,
            model,
            skills,
            prompt,
            plan,
            context_tokens,
            max_output_tokens,
            hosts,
            members,
            budget,
            count,
        } = written;
        let names = match count {
            None => Ok(vec![name]),
            Some(count) => (1..=count).map(|number| format!("{name}-{number}").try_into()).collect(),
        };
        let names = names.map_err(|error: BadName| error.to_string())?;
        Ok(Self {
            names,
            role,
            with,
            model,
            skills,
            prompt,
            plan,
            context_tokens,
            max_output_tokens,
            hosts,
            members,
            budget,
        })
    }
}

fn worker() -> Role {
    Role::Worker
}

fn count<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<u32>, D::Error> {
    let written = i64::deserialize(deserializer)?;
    let count = u32::try_from(written).ok().filter(|count| (1..=AGENTS_MAX).contains(count));
    let refusal = || de::Error::custom(format_args!("there can be 1 to {AGENTS_MAX} of it, not {written}"));
    count.map(Some).ok_or_else(refusal)
}

/// A value that is written as a text.
pub(super) fn parsed<'de, D, T>(deserializer: D) -> Result<Option<T>, D::Error>
where
    D: Deserializer<'de>,
    T: FromStr<Err: Display>,
{
    let text = Option::<String>::deserialize(deserializer)?;
    text.map(|text| text.parse().map_err(de::Error::custom)).transpose()
}

/// A text that is not empty.
pub(super) fn filled<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<String>, D::Error> {
    let text = String::deserialize(deserializer)?;
    if text.trim().is_empty() {
        return Err(de::Error::custom("nothing is written here: say something, or leave the key out"));
    }
    Ok(Some(text))
}

pub(super) fn base_url<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<String>, D::Error> {
    let text = String::deserialize(deserializer)?;
    if ["http://", "https://"].iter().any(|scheme| text.len() > scheme.len() && text.starts_with(scheme)) {
        return Ok(Some(text));
    }
    Err(de::Error::custom(format_args!(
        "{text:?} is no base URL: write one such as http://127.0.0.1:8080/v1"
    )))
}

pub(super) fn durability<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Durability, D::Error> {
    Ok(match WrittenDurability::deserialize(deserializer)? {
        WrittenDurability::Power => Durability::Power,
        WrittenDurability::Process => Durability::Process,
    })
}

pub(super) fn max_file_bytes<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<u64>, D::Error> {
    match i64::deserialize(deserializer).map(u64::try_from)? {
        Ok(bytes @ 1..) => Ok(Some(bytes)),
        _ => Err(de::Error::custom("a file has more than 0 bytes: leave it out for 52428800 (50 MiB)")),
    }
}

pub(super) fn some_bytes<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<u64>, D::Error> {
    match i64::deserialize(deserializer).map(u64::try_from)? {
        Ok(bytes @ 1..) => Ok(Some(bytes)),
        _ => Err(de::Error::custom(
            "it is a number of bytes above 0: leave it out for three quarters of the memory",
        )),
    }
}

pub(super) fn some_processes<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<u32>, D::Error> {
    match i64::deserialize(deserializer).map(u32::try_from)? {
        Ok(count @ 1..) => Ok(Some(count)),
        _ => Err(de::Error::custom("it is a number of processes above 0: leave it out for 1024")),
    }
}

pub(super) fn context_tokens<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<u64>, D::Error> {
    let written = i64::deserialize(deserializer)?;
    let tokens = u64::try_from(written).ok().filter(|tokens| *tokens >= CONTEXT_TOKENS_MIN);
    let refusal = || {
        de::Error::custom(format_args!(
            "a conversation holds at least {CONTEXT_TOKENS_MIN} tokens, not {written}: leave it out for what the model can \
             read"
        ))
    };
    tokens.map(Some).ok_or_else(refusal)
}

pub(super) fn max_output_tokens<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<u32>, D::Error> {
    let written = i64::deserialize(deserializer)?;
    let tokens = u32::try_from(written).ok().filter(|tokens| *tokens >= OUTPUT_TOKENS_MIN);
    let refusal = || {
        de::Error::custom(format_args!(
            "an answer holds at least {OUTPUT_TOKENS_MIN} tokens, or no call of a tool fits into it, not {written}: leave it out \
             for what the provider allows"
        ))
    };
    tokens.map(Some).ok_or_else(refusal)
}

pub(super) fn max_agents<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<u32>, D::Error> {
    let written = i64::deserialize(deserializer)?;
    let count = u32::try_from(written).ok().filter(|count| (1..=AGENTS_MAX).contains(count));
    let refusal = || {
        de::Error::custom(format_args!(
            "a team may have 1 to {AGENTS_MAX} agents, not {written}: leave it out for no bound"
        ))
    };
    count.map(Some).ok_or_else(refusal)
}
