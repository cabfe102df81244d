//! Runs with agents that get nowhere: said by `status`, nudged, interrupted, and taken over however often they begin the
//! same again.
#![expect(clippy::unwrap_used, clippy::expect_used, reason = "the tests' own functions fail by panicking")]

#[expect(dead_code, reason = "what other tests of runs need")]
mod project;

use std::sync::{Arc, Mutex};
use std::time::Duration;

use agent_team::{AgentId, AgentTeam, Doing, Progress, Reporter, Role, RunOptions, RunOutcome};
use project::{LONG, TestProject, agent, attempt, finishes, gated, run, runs, script, task, view};
use serde_json::{Value, json};

type Said = Arc<Mutex<Vec<String>>>;

/// A team of one that is stuck after this time, and what is said of it.
fn team_of(project: &TestProject, rules: &[Value], stuck_after: Duration) -> (AgentTeam, Said) {
    let mut team = project.team();
    team.add_agent("worker-1", Role::Worker, agent(script(rules))).unwrap();
    let said = Said::default();
    let heard = said.clone();
    let reporter = Reporter::to(move |progress| {
        if let Progress::Note(note) = progress {
            heard.lock().unwrap().push(note);
        }
    });
    team.options(RunOptions { stuck_after: Some(stuck_after), reporter, ..gated("true") });
    team.add_task(task("tool")).unwrap();
    (team, said)
}

/// Runs a team until the question says yes, then cancels its task.
async fn cancelled_when(team: &AgentTeam, is_so: impl Fn() -> bool) {
    let cancel = async {
        let mut news = team.queue().team_log().follow();
        while !is_so() {
            news.changed().await.unwrap();
        }
        team.queue().cancel(&AgentId::human(), &"tool".parse().unwrap(), false).unwrap();
    };
    let both = async { tokio::join!(run(team), cancel) };
    tokio::time::timeout(LONG, both).await.expect("it came to that");
}

fn is_taken_over(team: &AgentTeam) -> bool {
    view(team, "tool").claims.iter().any(|claim| claim.ending.to_string().contains("no progress"))
}

fn count(said: &Said, words: &str) -> usize {
    said.lock().unwrap().iter().filter(|note| note.contains(words)).count()
}

#[tokio::test(flavor = "multi_thread")]
async fn who_begins_again_what_was_interrupted_is_taken_over() {
    let project = TestProject::new();
    let hangs = json!({"give": runs("sleep 600")});
    let (team, said) = team_of(&project, &[hangs], Duration::from_millis(400));

    cancelled_when(&team, || is_taken_over(&team)).await;

    assert_eq!(count(&said, "is interrupted"), 1, "{said:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn who_gets_something_done_after_it_was_interrupted_keeps_its_task() {
    let project = TestProject::new();
    // Each hangs at first, and ends when it is tried again.
    let hangs_once = |name: &str| {
        let mark = project.beside(name);
        runs(&format!("test -e {0} || {{ touch {0}; sleep 600; }}", mark.display()))
    };
    let steps = [hangs_once("one"), hangs_once("two"), finishes("Done.")];
    let (team, said) = team_of(&project, &[attempt("tool", 1, &steps)], Duration::from_millis(1_500));

    assert_eq!(run(&team).await.outcome, RunOutcome::Completed);

    assert_eq!((count(&said, "is interrupted"), view(&team, "tool").attempt), (2, 1), "{said:?}");
    assert!(!is_taken_over(&team));
}

#[tokio::test(flavor = "multi_thread")]
async fn who_was_nudged_is_shown_as_stuck_until_it_does_something() {
    let project = TestProject::new();
    let thinks = json!({"give": {"text": "I am still thinking.", "delay_ms": 600_000}});
    let (team, _) = team_of(&project, &[thinks], Duration::from_millis(400));
    let words = Mutex::new(String::new());

    cancelled_when(&team, || {
        let states = team.queue().agent_states().unwrap();
        let stuck = states.into_iter().find(|state| state.doing == Doing::Stuck);
        *words.lock().unwrap() = stuck.map(|state| state.words).unwrap_or_default();
        !words.lock().unwrap().is_empty()
    })
    .await;

    let words = words.into_inner().unwrap();
    assert!(words.starts_with("tool: no progress for "), "{words}");
}
