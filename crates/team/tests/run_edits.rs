//! Two who change the same file in a run: both are told before they conflict. Only the model's words are scripted.
#![expect(clippy::unwrap_used, clippy::expect_used, reason = "the tests' own functions fail by panicking")]

#[expect(dead_code, reason = "what other tests of runs need")]
mod project;

use std::sync::Arc;

use agent_team::command::Environment;
use agent_team::model::Script;
use agent_team::sandbox::Sandbox;
use agent_team::{AgentTeam, NewTask, RunOptions};
use project::{Remembering, TestProject, agent, attempt, finishes, gated, run, runs, script, task, writes};
use serde_json::{Value, json};

/// A command that ends when somebody was warned of a file that both change.
fn waits(project: &TestProject) -> Value {
    runs(&format!("while ! test -e {}; do sleep 0.01; done", project.beside("go").display()))
}

/// A run of two workers, each with a task of its own that is done as `steps` say, until one of them has warned the other.
async fn both_at_once(
    project: &TestProject,
    steps: impl Fn(&str) -> Vec<Value>,
) -> (AgentTeam, Arc<Remembering<Script>>) {
    let model = Remembering::new(script(&[
        attempt("a", 1, &steps("a")),
        attempt("b", 1, &steps("b")),
        json!({"give": finishes("Given up on it.")}),
    ]));
    let mut team = project.team();
    project::workers(&mut team, 2, &agent(model.clone()));
    let sandbox = Sandbox::default().reading(project.beside(""));
    let environment = Environment::of_this_process().confined(sandbox);
    team.options(RunOptions { environment: Some(environment), ..gated("true") });
    for (name, worker) in [("a", "worker-1"), ("b", "worker-2")] {
        team.add_task(NewTask { agent: Some(worker.into()), ..task(name) }).unwrap();
    }
    let warned = async {
        let mut news = team.queue().team_log().follow();
        while ["worker-1", "worker-2"].iter().all(|worker| sent(&team, worker) == 0) {
            news.changed().await.unwrap();
        }
        std::fs::write(project.beside("go"), "").unwrap();
    };
    let (report, ()) = tokio::join!(run(&team), warned);
    assert!(report.succeeded() || report.status.counts.failed > 0, "{:?}", report.status);
    (team, model)
}

/// How many messages a worker has sent.
fn sent(team: &AgentTeam, worker: &str) -> usize {
    team.bus().sent(&worker.parse().unwrap()).unwrap().len()
}

fn seen(model: &Remembering<Script>, words: &str) -> bool {
    model.asked().iter().any(|request| format!("{:?}", request.messages).contains(words))
}

#[tokio::test(flavor = "multi_thread")]
async fn two_who_edit_the_same_file_are_both_warned_before_they_conflict() {
    let project = TestProject::new();
    let receives = json!({"tool_calls": [{"name": "receive", "input": {}}]});
    let (_team, model) = both_at_once(&project, |me| {
        let wrote = writes("shared.txt", &format!("{me}\n"));
        vec![wrote, waits(&project), receives.clone(), finishes("Done.")]
    })
    .await;
    assert!(seen(&model, "is editing shared.txt, too"), "the second is warned by its own edit");
    assert!(seen(&model, "I am editing shared.txt, which you are editing, too"), "the first by a message");
}

#[tokio::test(flavor = "multi_thread")]
async fn two_whose_commands_change_the_same_files_are_warned_once_and_nobody_of_what_only_one_changes() {
    let project = TestProject::new();
    let receives = json!({"tool_calls": [{"name": "receive", "input": {}}]});
    let (team, model) = both_at_once(&project, |me| {
        let command = format!(
            "echo {me} >> README; mkdir -p made; echo {me} > 'made/by both'; echo {me} > only-{me}; mkdir only; echo > only/{me}"
        );
        vec![runs(&command), waits(&project), runs("true"), receives.clone(), finishes("Done.")]
    })
    .await;
    assert!(
        seen(&model, "is editing README, made/by both, too for task"),
        "the second is told with its command"
    );
    assert!(
        seen(&model, "I am editing README, made/by both, which you are editing, too"),
        "the first by a message"
    );
    let warnings = sent(&team, "worker-1") + sent(&team, "worker-2");
    assert_eq!(warnings, 1, "one for both files, and none for a later command");
    for request in model.asked() {
        let messages = format!("{:?}", request.messages);
        assert!(messages.matches("WARNING worker-").count() <= 1, "{messages}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn one_of_two_who_reserve_the_same_file_before_they_edit_it_has_it_and_hears_who_wants_it() {
    let project = TestProject::new();
    let calls = |name: &str, input: Value| json!({"tool_calls": [{"name": name, "input": input}]});
    let (_team, model) = both_at_once(&project, |_| {
        let reserves = calls("reserve_files", json!({"paths": ["./shared.txt", "parts/"]}));
        vec![reserves, waits(&project), calls("receive", json!({})), finishes("Done.")]
    })
    .await;
    assert!(seen(&model, "Reserved for you: ./shared.txt, parts/."), "the first has it");
    assert!(seen(&model, "`shared.txt` is reserved by worker-"), "the second is told who has it");
    assert!(seen(&model, "I want to change shared.txt, which you have reserved"), "the first hears it");
}
