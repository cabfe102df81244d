//! What Claude Code's messages mean.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};
use uuid::Uuid;

use crate::agent::driven::driver::{Access, Done, Heard};
use crate::agent::driven::lines::{Fault, Speech, Step};
use crate::agent::driven::permission::Wish;
use crate::agent::driven::server::TeamServer;
use crate::agent::driven::steering::More;
use crate::agent::driven::usage::plus;
use crate::model::Usage;

/// Tools that read or search.
const LOOKS: [&str; 5] = ["Read", "Glob", "Grep", "LS", "NotebookRead"];
/// What whoever may not do something is told.
const NO: &str = "You may not do that here: you look, and change nothing.";

/// A conversation with it.
pub(super) struct Stream {
    id: String,
    access: Access,
    /// Whether it was given the team's server, which it must have then.
    has_team: bool,
    /// What it was told last, and whether it has begun with that.
    told: String,
    is_begun: bool,
    is_broken_off: bool,
    /// What it was told besides, by the names of the messages, and has not begun with.
    more: BTreeMap<String, More>,
    /// The calls about which it asked: other refusals are its own.
    asked: BTreeSet<String>,
    used: Usage,
}

impl Stream {
    pub fn new(id: String, access: Access, has_team: bool) -> Self {
        Self {
            id,
            access,
            has_team,
            told: String::new(),
            is_begun: false,
            is_broken_off: false,
            more: BTreeMap::new(),
            asked: BTreeSet::new(),
            used: Usage::default(),
        }
    }
}

impl Speech for Stream {
    fn id(&self) -> &str {
        &self.id
    }

    fn tell(&mut self, words: &str) -> Value {
        // It takes no message twice: each needs a name that it has never seen.
        self.told = Uuid::new_v4().to_string();
        (self.is_begun, self.is_broken_off) = (false, false);
        self.more.clear();
        user(&self.told, words)
    }

    fn takes_more(&self) -> bool {
        self.is_begun && !self.is_broken_off
    }

    fn tell_more(&mut self, more: More) -> Value {
        let name = Uuid::new_v4().to_string();
        let message = user(&name, &more.words);
        self.more.insert(name, more);
        message
    }

    fn take(&mut self, message: &Value, hear: &mut (dyn FnMut(Heard) + Send)) -> Step {
        match message["type"].as_str().unwrap_or_default() {
            "system" => return self.system(message, hear),
            "assistant" => says(message, hear),
            "stream_event" => writes(message, hear),
            "user" if message["isReplay"] == true => {
                self.is_begun |= message["uuid"] == *self.told;
                let more = message["uuid"].as_str().and_then(|name| self.more.remove(name));
                more.into_iter().for_each(|more| hear(Heard::Took(more)));
            }
            "user" => returns(message, hear),
            "control_request" => return Step::Answer(self.answer(message, hear)),
            "result" => return self.result(message, hear),
            _ => {}
        }
        Step::Listen
    }

    fn break_off(&mut self) -> Option<Value> {
        // Before it has begun it would only leave off waiting, and then begin.
        self.is_broken_off = self.is_begun;
        let request = json!({"subtype": "interrupt"});
        let message = json!({"type": "control_request", "request_id": Uuid::new_v4(), "request": request});
        self.is_begun.then_some(message)
    }
}

impl Stream {
    fn system(&self, message: &Value, hear: &mut (dyn FnMut(Heard) + Send)) -> Step {
        match message["subtype"].as_str() {
            Some("init") if self.has_team => {
                let servers = message["mcp_servers"].as_array().into_iter().flatten();
                let team = servers.into_iter().find(|server| server["name"] == TeamServer::NAME);
                // It works on without a server that does not start, and says so here alone.
                match team.map(|server| server["status"].as_str().unwrap_or_default()) {
                    Some("connected" | "pending") => Step::Listen,
                    status => Step::Broken(Fault::Said(format!(
                        "it has no connection with the tools of its team ({})",
                        status.unwrap_or("it does not know the server")
                    ))),
                }
            }
            // A key that is wrong does not become right: it would try for minutes.
            Some("api_retry") if is_login(message["error_status"].as_u64()) => {
                let error = message["error"].as_str().unwrap_or("its provider does not know it");
                Step::Broken(Fault::Login(error.to_owned()))
            }
            Some("api_retry") => {
                hear(Heard::Thinks);
                Step::Listen
            }
            _ => Step::Listen,
        }
    }

    /// The answer to a request.
    fn answer(&mut self, message: &Value, hear: &mut (dyn FnMut(Heard) + Send)) -> Value {
        let request = &message["request"];
        let answer = match request["subtype"].as_str() {
            Some("can_use_tool") => {
                let tool = request["tool_name"].as_str().unwrap_or_default();
                let wish = match tool {
                    _ if TeamServer::is_called(tool) => Wish::Team,
                    _ if LOOKS.contains(&tool) => Wish::Look,
                    _ => Wish::Act,
                };
                let allowed = wish.is_allowed(self.access);
                self.asked.extend(request["tool_use_id"].as_str().map(str::to_owned));
                hear(Heard::Asked { what: what(tool, &request["input"]), allowed });
                let answer = match allowed {
                    true => json!({"behavior": "allow", "updatedInput": request["input"]}),
                    false => json!({"behavior": "deny", "message": NO}),
                };
                json!({"subtype": "success", "response": answer})
            }
            _ => json!({"subtype": "error", "error": "agent-team does not do that"}),
        };
        let mut response = answer;
        response["request_id"] = message["request_id"].clone();
        json!({"type": "control_response", "response": response})
    }

    /// It has done with something: one process tells that many times.
    fn result(&mut self, message: &Value, hear: &mut (dyn FnMut(Heard) + Send)) -> Step {
        self.used = plus(self.used, used(message));
        hear(Heard::Used(self.used));
        // It succeeds in spite of what it was refused, and tells of that only here.
        for denial in message["permission_denials"].as_array().into_iter().flatten() {
            let is_known = denial["tool_use_id"].as_str().is_some_and(|id| self.asked.contains(id));
            if !is_known {
                let tool = denial["tool_name"].as_str().unwrap_or_default();
                hear(Heard::Asked { what: what(tool, &denial["tool_input"]), allowed: false });
            }
        }
        let fails = message["is_error"] == true;
        match (message["subtype"].as_str(), message["stop_reason"].as_str()) {
            _ if self.is_broken_off => Step::Over(Done::BrokenOff),
            // What it does by itself, such as when a command ended that ran beside.
            _ if !self.is_begun && !fails => Step::Listen,
            (Some("error_max_turns" | "error_max_budget_usd"), _) => Step::Over(Done::Limit),
            // A provider that fails is a success that is an error.
            _ if fails => Step::Broken(fault(message)),
            // What came too late for this turn it does in another one, which begins by itself.
            _ if !self.more.is_empty() => Step::Listen,
            (_, Some("refusal")) => Step::Over(Done::Refused),
            (_, Some("max_tokens")) => Step::Over(Done::Limit),
            _ => Step::Over(Done::Said),
        }
    }
}

/// A message of a name.
fn user(name: &str, words: &str) -> Value {
    let message = json!({"role": "user", "content": words});
    json!({"type": "user", "uuid": name, "message": message, "parent_tool_use_id": null})
}

/// What is wrong, by a result that is an error.
pub(super) fn fault(result: &Value) -> Fault {
    let errors: Vec<&str> =
        result["errors"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
    let said = result["result"].as_str().filter(|said| !said.is_empty()).map(str::to_owned);
    let kind = || result["subtype"].as_str().unwrap_or("it says that something is wrong").to_owned();
    let reason =
        said.or_else(|| Some(errors.join("; ")).filter(|text| !text.is_empty())).unwrap_or_else(kind);
    match is_login(result["api_error_status"].as_u64()) || reason.contains("/login") {
        true => Fault::Login(reason),
        false => Fault::Said(reason),
    }
}

fn is_login(status: Option<u64>) -> bool {
    matches!(status, Some(401 | 403))
}

/// What its model says and calls. What a helper of its own says is told to it, and not to us; nor is an error its word.
fn says(message: &Value, hear: &mut (dyn FnMut(Heard) + Send)) {
    let is_its_own = message["parent_tool_use_id"].is_null() && message["error"].is_null();
    for part in message["message"]["content"].as_array().into_iter().flatten() {
        match part["type"].as_str() {
            Some("text") if is_its_own => {
                hear(Heard::Text(format!("{}\n", part["text"].as_str().unwrap_or_default())));
            }
            Some("thinking") => hear(Heard::Thinks),
            Some("tool_use") => hear(Heard::Calls {
                id: text(&part["id"]),
                name: text(&part["name"]),
                input: part["input"].clone(),
            }),
            _ => {}
        }
    }
}

/// What its model writes at the moment. What a helper of its own writes is told to it, and not to us.
fn writes(message: &Value, hear: &mut (dyn FnMut(Heard) + Send)) {
    let delta = &message["event"]["delta"];
    if let (Some(text), true) = (delta["text"].as_str(), message["parent_tool_use_id"].is_null()) {
        hear(Heard::Writes(text.to_owned()));
    }
}

/// What its tools gave.
fn returns(message: &Value, hear: &mut (dyn FnMut(Heard) + Send)) {
    let parts = message["message"]["content"].as_array().into_iter().flatten();
    for part in parts.filter(|part| part["type"] == "tool_result") {
        let content = &part["content"];
        let texts = content.as_array().into_iter().flatten().filter_map(|part| part["text"].as_str());
        let output = content.as_str().map_or_else(|| texts.collect::<Vec<_>>().join("\n"), str::to_owned);
        let is_error = part["is_error"] == true;
        hear(Heard::Returned { id: text(&part["tool_use_id"]), output, is_error });
    }
}

/// What a call does, in a few words.
fn what(tool: &str, input: &Value) -> String {
    let argument =
        ["file_path", "notebook_path", "command", "url"].iter().find_map(|key| input[key].as_str());
    match argument.and_then(|argument| argument.lines().next()) {
        Some(argument) => format!("{tool} {argument}"),
        None => tool.to_owned(),
    }
}

/// What was used since the result before. Newer versions tell it by model, with what helpers of its own used.
fn used(result: &Value) -> Usage {
    let count = |value: &Value| value.as_u64().unwrap_or_default();
    let of = |input: u64, cached: u64, written: u64, output: u64| Usage {
        input_tokens: input.saturating_add(cached).saturating_add(written),
        cached_tokens: cached,
        cache_write_tokens: written,
        output_tokens: output,
    };
    match result["model_usage_since_last_result"].as_object() {
        Some(models) => models.values().fold(Usage::default(), |sum, model| {
            let (cached, written) = (&model["cacheReadInputTokens"], &model["cacheCreationInputTokens"]);
            let (input, output) = (count(&model["inputTokens"]), count(&model["outputTokens"]));
            plus(sum, of(input, count(cached), count(written), output))
        }),
        None => {
            let usage = &result["usage"];
            let (cached, written) =
                (&usage["cache_read_input_tokens"], &usage["cache_creation_input_tokens"]);
            let (input, output) = (count(&usage["input_tokens"]), count(&usage["output_tokens"]));
            of(input, count(cached), count(written), output)
        }
    }
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}

#[cfg(test)]
mod tests;
