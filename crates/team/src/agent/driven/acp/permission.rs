//! How a program asks for a permission, and is answered.

use agent_client_protocol::v1::schema::{
    PermissionOption, PermissionOptionKind, RequestPermissionOutcome, RequestPermissionRequest,
    RequestPermissionResponse, SelectedPermissionOutcome, ToolKind,
};

use serde_json::Value;

use crate::agent::driven::driver::Access;
use crate::agent::driven::permission::Wish;
use crate::agent::driven::server::TeamServer;

/// What was asked for, whether it is allowed, and the answer. Options are chosen by their kind, and for this once: what stands
/// in their names is the program's.
pub(super) fn judge(
    access: Access,
    request: &RequestPermissionRequest,
) -> (String, bool, RequestPermissionResponse) {
    let call = &request.tool_call.fields;
    let codex = of_codex(&call.title, &call.raw_input);
    let title = codex.map(|(_, what)| what.to_owned()).or_else(|| call.title.clone());
    let what = title.unwrap_or_else(|| request.tool_call.tool_call_id.to_string());
    let kind = call.kind.unwrap_or_default();
    let is_of_team = kind == ToolKind::Other
        && match codex {
            Some((server, _)) => server == TeamServer::NAME,
            None => TeamServer::is_called(call.name.as_deref().unwrap_or(&what)),
        };
    let wish = match kind {
        _ if is_of_team => Wish::Team,
        ToolKind::Read | ToolKind::Search | ToolKind::Think => Wish::Look,
        _ => Wish::Act,
    };
    let allowed = wish.is_allowed(access);
    let option = choose(&request.options, allowed);
    let outcome = option.map_or(RequestPermissionOutcome::Cancelled, |option| {
        RequestPermissionOutcome::Selected(SelectedPermissionOutcome::new(option.option_id.clone()))
    });
    // Where it offers no way to say yes, it is a no.
    let allowed = allowed && option.is_some();
    (what, allowed, RequestPermissionResponse::new(outcome))
}

/// The server that Codex wants to call, and its question: its title is the same for all.
fn of_codex<'a>(title: &Option<String>, input: &'a Option<Value>) -> Option<(&'a str, &'a str)> {
    let input = input.as_ref().filter(|_| title.as_deref() == Some("Approve MCP tool call"))?;
    Some((input.get("server_name")?.as_str()?, input.pointer("/request/message")?.as_str()?))
}

fn choose(options: &[PermissionOption], allowed: bool) -> Option<&PermissionOption> {
    let kinds = match allowed {
        true => [PermissionOptionKind::AllowOnce, PermissionOptionKind::AllowAlways],
        false => [PermissionOptionKind::RejectOnce, PermissionOptionKind::RejectAlways],
    };
    kinds.iter().find_map(|kind| options.iter().find(|option| option.kind == *kind))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    /// What a program is answered that asks for a call.
    fn answered(access: Access, call: &Value) -> (bool, String) {
        let mut call = call.clone();
        call["toolCallId"] = json!("call-1");
        let options = json!([
            {"optionId": "ever", "name": "No", "kind": "allow_always"},
            {"optionId": "no", "name": "Yes", "kind": "reject_once"},
            {"optionId": "yes", "name": "Never", "kind": "allow_once"},
        ]);
        let request = json!({"sessionId": "s", "toolCall": call, "options": options});
        let (_, allowed, response) = judge(access, &serde_json::from_value(request).unwrap());
        let RequestPermissionOutcome::Selected(chosen) = response.outcome else { panic!("it is cancelled") };
        (allowed, chosen.option_id.to_string())
    }

    #[test]
    fn who_works_may_do_what_it_asks_for_this_once_whatever_the_options_are_called() {
        assert_eq!(
            answered(Access::Work, &json!({"kind": "execute", "title": "make"})),
            (true, "yes".into())
        );
        assert_eq!(answered(Access::Work, &json!({"title": "?"})), (true, "yes".into()));
    }

    #[test]
    fn who_only_looks_may_read_and_call_the_team() {
        for kind in ["edit", "delete", "move", "execute", "fetch", "switch_mode", "other"] {
            let call = json!({"kind": kind, "title": "Read a file"});
            assert_eq!(answered(Access::Look, &call), (false, "no".into()), "{kind}");
        }
        for kind in ["read", "search", "think"] {
            assert!(answered(Access::Look, &json!({"kind": kind})).0, "{kind}");
        }
        let of_team = [
            "mcp__team__finish",
            "team_finish",
            "team: finish",
            "finish (team MCP Server)",
            "finish (team MCP Server): {}",
        ];
        for title in of_team {
            assert!(answered(Access::Look, &json!({"title": title})).0, "{title}");
        }
        let of_codex = |server: &str| {
            let asked =
                json!({"server_name": server, "request": {"message": "Allow it to run tool \"finish\"?"}});
            answered(Access::Look, &json!({"title": "Approve MCP tool call", "rawInput": asked})).0
        };
        assert!(of_codex("team") && !of_codex("files"));
        let disguised = json!({"kind": "execute", "title": "mcp__team__finish"});
        assert!(
            !answered(Access::Look, &disguised).0,
            "a command is no call of the team's, whatever it is called"
        );
    }

    #[test]
    fn without_an_option_that_fits_nothing_is_allowed() {
        let request = json!({"sessionId": "s", "toolCall": {"toolCallId": "c"}, "options": []});
        let (what, allowed, response) = judge(Access::Work, &serde_json::from_value(request).unwrap());
        assert_eq!((what.as_str(), allowed), ("c", false));
        assert!(matches!(response.outcome, RequestPermissionOutcome::Cancelled));
    }
}
