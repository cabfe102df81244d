//! What an agent learns of its own messages by the tool that sends them. Only the model's words are scripted.
#![expect(clippy::unwrap_used, clippy::expect_used, reason = "the tests' own functions fail by panicking")]

#[expect(dead_code, reason = "what other tests of runs need")]
mod project;

use agent_team::{AgentId, AgentJoined, Role, RunOutcome};
use project::{Remembering, TestProject, agent, attempt, finishes, gated, run, script, task};
use serde_json::{Value, json};

#[tokio::test(flavor = "multi_thread")]
async fn whoever_writes_to_one_who_is_not_there_is_told_so() {
    let sends = |to: &str| -> Value {
        json!({"tool_calls": [{"name": "send", "input": {"to": to, "text": "The grammar has changed."}}]})
    };
    let project = TestProject::new();
    let steps = [
        sends("nobody-1"),
        sends("role:reviewer"),
        sends("worker-9"),
        sends("worker-2"),
        sends("everyone"),
        finishes("Said."),
    ];
    let model = Remembering::new(script(&[attempt("tell", 1, &steps)]));
    let mut team = project.team();
    for name in ["worker-1", "worker-2"] {
        team.add_agent(name, Role::Worker, agent(model.clone())).unwrap();
    }
    let gone: AgentId = "worker-9".parse().unwrap();
    team.queue().join(AgentJoined::new(gone.clone(), Role::Worker)).unwrap();
    team.queue().drop_agent(&AgentId::human(), &gone).unwrap();
    team.options(gated("true"));
    team.add_task(task("tell")).unwrap();

    assert_eq!(run(&team).await.outcome, RunOutcome::Completed);

    let asked = model.asked();
    let last = format!("{:?}", asked.iter().max_by_key(|request| request.messages.len()).unwrap().messages);
    for told in [
        "Sent, but nobody called nobody-1 is in the team now: the message waits.",
        "Sent, but no reviewer is in the team now: the message waits.",
        "Sent, but worker-9 has left the team: the message comes back to you.",
    ] {
        assert!(last.contains(told), "{told}: {last}");
    }
    assert_eq!(last.matches("\"Sent.\"").count(), 2, "{last}");
}
