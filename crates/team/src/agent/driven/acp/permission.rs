//! How a program asks for a permission, and is answered.

use agent_client_protocol::v1::schema::{
    PermissionOption, PermissionOptionKind, RequestPermissionOutcome, RequestPermissionRequest,
    RequestPermissionResponse, SelectedPermissionOutcome, ToolKind,
};

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
    let what = call.title.clone().unwrap_or_else(|| request.tool_call.tool_call_id.to_string());
    let kind = call.kind.unwrap_or_default();
    let is_of_team = kind == ToolKind::Other && TeamServer::is_called(call.name.as_deref().unwrap_or(&what));
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

fn choose(options: &[PermissionOption], allowed: bool) -> Option<&PermissionOption> {
    let kinds = match allowed {
        true => [PermissionOptionKind::AllowOnce, PermissionOptionKind::AllowAlways],
        false => [PermissionOptionKind::RejectOnce, PermissionOptionKind::RejectAlways],
    };
    kinds.iter().find_map(|kind| options.iter().find(|option| option.kind == *kind))
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

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
        assert!(answered(Access::Look, &json!({"title": "mcp__team__finish"})).0);
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
