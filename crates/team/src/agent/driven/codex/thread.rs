//! What the messages of Codex's app server mean.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};

use crate::agent::driven::driver::{Access, Done, Heard};
use crate::agent::driven::lines::{Fault, Speech, Step};
use crate::agent::driven::permission::Wish;
use crate::agent::driven::server::TeamServer;
use crate::agent::driven::steering::More;
use crate::agent::driven::usage::{minus, plus};
use crate::model::Usage;

/// The ids of our requests within a conversation.
const BEGIN: &str = "turn/start";
const BREAK_OFF: &str = "turn/interrupt";
const TELL_MORE: &str = "turn/steer";

/// A conversation with it.
pub(super) struct Thread {
    id: String,
    access: Access,
    /// The turn that goes on, once it has begun.
    turn: Option<String>,
    /// What it was told besides in this turn, by the requests that it has not answered; and how many there were.
    told: BTreeMap<String, More>,
    told_count: u64,
    /// The calls that are under way.
    open: BTreeSet<String>,
    /// What was used before this conversation began, or went on, and all since: for each thread, since its helpers have their own.
    used: BTreeMap<String, (Usage, Usage)>,
}

impl Thread {
    pub fn new(id: String, access: Access) -> Self {
        Self {
            id,
            access,
            turn: None,
            told: BTreeMap::new(),
            told_count: 0,
            open: BTreeSet::new(),
            used: BTreeMap::new(),
        }
    }
}

impl Speech for Thread {
    fn id(&self) -> &str {
        &self.id
    }

    fn tell(&mut self, words: &str) -> Value {
        self.turn = None;
        // What it has not taken by now it is told with these words.
        self.told.clear();
        let params = json!({"threadId": self.id, "input": [{"type": "text", "text": words}]});
        json!({"id": BEGIN, "method": BEGIN, "params": params})
    }

    fn takes_more(&self) -> bool {
        self.turn.is_some()
    }

    fn tell_more(&mut self, more: More) -> Value {
        self.told_count += 1;
        let id = format!("{TELL_MORE} {}", self.told_count);
        let input = json!([{"type": "text", "text": more.words}]);
        self.told.insert(id.clone(), more);
        let params = json!({"threadId": self.id, "expectedTurnId": self.turn, "input": input});
        json!({"id": id, "method": TELL_MORE, "params": params})
    }

    fn take(&mut self, message: &Value, hear: &mut (dyn FnMut(Heard) + Send)) -> Step {
        let params = &message["params"];
        let is_ours = params["threadId"] == *self.id;
        match (message["method"].as_str(), message.get("id")) {
            (Some(method), Some(id)) => {
                let mut answer = self.answer(method, params, hear);
                answer["id"] = id.clone();
                return Step::Answer(answer);
            }
            (None, Some(id)) if id == BEGIN => {
                if let Some(error) = message["error"]["message"].as_str() {
                    return Step::Broken(Fault::Said(error.to_owned()));
                }
                self.turn = message["result"]["turn"]["id"].as_str().map(str::to_owned);
            }
            (None, Some(Value::String(id))) => {
                let more = self.told.remove(id).filter(|_| message["error"].is_null());
                more.into_iter().for_each(|more| hear(Heard::Took(more)));
            }
            (Some("thread/tokenUsage/updated"), None) => self.count(params, hear),
            (Some("item/agentMessage/delta"), None) if is_ours => {
                hear(Heard::Writes(text(&params["delta"])));
            }
            (Some("item/started"), None) if is_ours => self.begins(&params["item"], hear),
            (Some("item/completed"), None) if is_ours => self.ends(&params["item"], hear),
            (Some("error"), None) if is_ours && params["willRetry"] == true => hear(Heard::Thinks),
            (Some("turn/completed"), None) if is_ours => {
                let turn = &params["turn"];
                if self.turn.as_deref().is_some_and(|id| turn["id"] == id) {
                    return over(turn);
                }
            }
            // An error or a warning by the way may stand in a turn that succeeds; why one failed is told with its end.
            _ => {}
        }
        Step::Listen
    }

    fn break_off(&mut self) -> Option<Value> {
        let turn = self.turn.as_ref()?;
        let params = json!({"threadId": self.id, "turnId": turn});
        Some(json!({"id": BREAK_OFF, "method": BREAK_OFF, "params": params}))
    }
}

impl Thread {
    /// The answer to a request, but for its id.
    fn answer(&self, method: &str, params: &Value, hear: &mut (dyn FnMut(Heard) + Send)) -> Value {
        let mut ask = |what: String, wish: Wish| {
            let allowed = wish.is_allowed(self.access);
            hear(Heard::Asked { what, allowed });
            allowed
        };
        let result = match method {
            "item/commandExecution/requestApproval" => {
                let allowed = ask(text(&params["command"]), Wish::Act);
                json!({"decision": if allowed { "accept" } else { "decline" }})
            }
            "item/fileChange/requestApproval" => {
                let allowed = ask("change files".into(), Wish::Act);
                json!({"decision": if allowed { "accept" } else { "decline" }})
            }
            "item/permissions/requestApproval" => {
                let allowed = ask("have more permissions".into(), Wish::Act);
                let granted = if allowed { params["permissions"].clone() } else { json!({}) };
                json!({"permissions": granted, "scope": "turn"})
            }
            // By this it also asks whether it may call a tool of a server; what is a question to a person stays open.
            "mcpServer/elicitation/request" => {
                let about = &params["_meta"];
                let is_call = about["codex_approval_kind"] == "mcp_tool_call";
                let is_of_team = params["serverName"] == TeamServer::NAME;
                let what = format!("mcp__{}__{}", text(&params["serverName"]), text(&about["tool_name"]));
                let wish = if is_of_team { Wish::Team } else { Wish::Act };
                match is_call && ask(what, wish) {
                    true => json!({"action": "accept", "content": {}, "_meta": null}),
                    false => json!({"action": "decline", "content": null, "_meta": null}),
                }
            }
            "item/tool/requestUserInput" => json!({"answers": {}}),
            _ => {
                return json!({"error": {"code": -32601, "message": "agent-team does not do that"}});
            }
        };
        json!({"result": result})
    }

    fn begins(&mut self, item: &Value, hear: &mut (dyn FnMut(Heard) + Send)) {
        match call(item) {
            Some((name, input)) => {
                let id = text(&item["id"]);
                if self.open.insert(id.clone()) {
                    hear(Heard::Calls { id, name, input });
                }
            }
            None if item["type"] == "reasoning" => hear(Heard::Thinks),
            None => {}
        }
    }

    fn ends(&mut self, item: &Value, hear: &mut (dyn FnMut(Heard) + Send)) {
        if item["type"] == "agentMessage" {
            return hear(Heard::Text(format!("{}\n", text(&item["text"]))));
        }
        if call(item).is_none() {
            return;
        }
        self.begins(item, hear);
        let id = text(&item["id"]);
        self.open.remove(&id);
        let is_error = matches!(item["status"].as_str(), Some("failed" | "declined"));
        hear(Heard::Returned { id, output: output(item), is_error });
    }

    /// Counts what a thread has used. What it tells is the sum since the thread's first beginning, wherever that was.
    fn count(&mut self, params: &Value, hear: &mut (dyn FnMut(Heard) + Send)) {
        let usage = &params["tokenUsage"];
        let (total, last) = (used(&usage["total"]), used(&usage["last"]));
        // Going on with a conversation, it tells once more what it told before.
        let is_new = params["threadId"] != *self.id || self.turn.is_some();
        let before = if is_new { minus(total, last) } else { total };
        let (before, now) = self.used.entry(text(&params["threadId"])).or_insert((before, Usage::default()));
        *now = minus(total, *before);
        hear(Heard::Used(self.used.values().fold(Usage::default(), |sum, (_, now)| plus(sum, *now))));
    }
}

/// How a turn ended.
fn over(turn: &Value) -> Step {
    match turn["status"].as_str() {
        Some("completed") => Step::Over(Done::Said),
        Some("interrupted") => Step::Over(Done::BrokenOff),
        _ => {
            let error = &turn["error"];
            let reason = error["message"].as_str().unwrap_or("its turn failed").to_owned();
            let info = &error["codexErrorInfo"];
            let details = info.as_object().into_iter().flat_map(|info| info.values());
            let status = details.filter_map(|about| about["httpStatusCode"].as_u64()).next();
            match (info.as_str(), status) {
                (Some("unauthorized"), _) | (_, Some(401)) => Step::Broken(Fault::Login(reason)),
                (Some("contextWindowExceeded" | "sessionBudgetExceeded"), _) => Step::Over(Done::Limit),
                (Some("cyberPolicy" | "misalignmentPolicyViolation"), _) => Step::Over(Done::Refused),
                _ => Step::Broken(Fault::Said(reason)),
            }
        }
    }
}

/// What an item calls, if it is a call.
fn call(item: &Value) -> Option<(String, Value)> {
    let kind = item["type"].as_str()?;
    Some(match kind {
        "commandExecution" => ("exec_command".into(), json!({"command": item["command"]})),
        "fileChange" => ("apply_patch".into(), json!({"path": paths(item)})),
        "mcpToolCall" => {
            let name = format!("mcp__{}__{}", text(&item["server"]), text(&item["tool"]));
            (name, item["arguments"].clone())
        }
        "dynamicToolCall" | "collabAgentToolCall" => (text(&item["tool"]), item["arguments"].clone()),
        "webSearch" => ("web_search".into(), json!({"pattern": item["query"]})),
        "imageView" => ("view_image".into(), json!({"path": item["path"]})),
        _ => return None,
    })
}

/// What a call gave.
fn output(item: &Value) -> String {
    if let Some(error) = item["error"]["message"].as_str() {
        return error.to_owned();
    }
    match item["type"].as_str() {
        Some("commandExecution") => {
            let output = text(&item["aggregatedOutput"]);
            match item["exitCode"].as_i64() {
                Some(0) => output,
                Some(code) => format!("{output}(exit code {code})"),
                None => format!("{output}({})", text(&item["status"])),
            }
        }
        Some("fileChange") => format!("{}: {}", text(&item["status"]), paths(item)),
        _ => {
            let parts = item["result"]["content"].as_array().into_iter().flatten();
            parts.filter_map(|part| part["text"].as_str()).collect::<Vec<_>>().join("\n")
        }
    }
}

/// The files that an item changes.
fn paths(item: &Value) -> String {
    let changes = item["changes"].as_array().into_iter().flatten();
    changes.filter_map(|change| change["path"].as_str()).collect::<Vec<_>>().join(", ")
}

/// Tokens as it counts them: what came from a cache is part of the input, what was thought part of the output.
fn used(tokens: &Value) -> Usage {
    let count = |name: &str| tokens[name].as_u64().unwrap_or_default();
    Usage {
        input_tokens: count("inputTokens"),
        cached_tokens: count("cachedInputTokens"),
        cache_write_tokens: count("cacheWriteInputTokens"),
        output_tokens: count("outputTokens"),
    }
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}

#[cfg(test)]
mod tests;
