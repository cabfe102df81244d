//! Runs with agents that get nowhere: said by `status`, nudged, interrupted, and taken over however often they begin the
//! same again.
#![expect(clippy::unwrap_used, clippy::expect_used, reason = "the tests' own functions fail by panicking")]

#[expect(dead_code, reason = "what other tests of runs need")]
mod project;

use std::sync::{Arc, Mutex};
use std::time::Duration;

use agent_team::{AgentId, AgentTeam, Doing, NewTask, Progress, Reporter, Role, RunOptions, RunOutcome};
use project::{LONG, TestProject, agent, attempt, finishes, gated, run, runs, script, task, view};
use serde_json::{Value, json};

type Said = Arc<Mutex<Vec<String>>>;

/// Lets agents be stuck after this time, and gives what is said of them.
fn told(team: &mut AgentTeam, stuck_after: Duration) -> Said {
    let said = Said::default();
    let heard = said.clone();
    let reporter = Reporter::to(move |progress| {
        if let Progress::Note(note) = progress {
            heard.lock().unwrap().push(note);
        }
    });
    team.options(RunOptions { stuck_after: Some(stuck_after), reporter, ..gated("true") });
    said
}

/// A team of one that is stuck after this time, and what is said of it.
fn team_of(project: &TestProject, rules: &[Value], stuck_after: Duration) -> (AgentTeam, Said) {
    let mut team = project.team();
    team.add_agent("worker-1", Role::Worker, agent(script(rules))).unwrap();
    let said = told(&mut team, stuck_after);
    team.add_task(task("tool")).unwrap();
    (team, said)
}

/// Runs a team until the question says yes, then cancels its tasks.
async fn cancelled_when(team: &AgentTeam, is_so: impl Fn() -> bool) {
    let cancel = async {
        let mut news = team.queue().team_log().follow();
        while !is_so() {
            news.changed().await.unwrap();
        }
        for task in team.queue().list_tasks().unwrap() {
            team.queue().cancel(&AgentId::human(), &task.id, false).unwrap();
        }
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

fn calls(name: &str, input: &Value) -> Value {
    json!({"tool_calls": [{"name": name, "input": input}]})
}

fn asks(whom: &str) -> Value {
    calls("ask", &json!({"to": whom, "question": format!("What now, {whom}?")}))
}

/// A team of `a` and `b`, each with a task of its own.
fn team_of_two(
    project: &TestProject,
    rules: &[Value],
    stuck_after: Duration,
    of_a: NewTask,
) -> (AgentTeam, Said) {
    let mut team = project.team();
    for name in ["a", "b"] {
        team.add_agent(name, Role::Worker, agent(script(rules))).unwrap();
    }
    let said = told(&mut team, stuck_after);
    let is_for = |task: NewTask, agent: &str| NewTask { agent: Some(agent.into()), ..task };
    team.add_task(is_for(of_a, "a")).unwrap();
    team.add_task(is_for(task("tb"), "b")).unwrap();
    (team, said)
}

fn of(agent: &str, task: &str, steps: &[Value]) -> Value {
    json!({"when": {"agent": agent, "task": task}, "steps": steps})
}

#[tokio::test(flavor = "multi_thread")]
async fn agents_that_ask_each_other_answer_each_other() {
    let project = TestProject::new();
    let rules = [
        of("a", "ta", &[asks("b"), finishes("a is done.")]),
        of("b", "tb", &[asks("a"), finishes("b is done.")]),
        json!({"when": {"task": "question"}, "give": {"text": "Go left."}}),
    ];
    let (team, said) = team_of_two(&project, &rules, LONG, task("ta"));

    assert_eq!(run(&team).await.outcome, RunOutcome::Completed);

    assert!(team.bus().questions(None).unwrap().is_empty());
    assert_eq!(count(&said, "could not answer"), 0, "{said:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn who_asks_the_one_whose_plan_it_is_to_judge_judges_it_meanwhile() {
    let project = TestProject::new();
    let plans = calls("submit_plan", &json!({"plan": "So."}));
    let rules = [
        json!({"when": {"agent": "b", "task": "ta"}, "give": {"text": "APPROVE: go"}}),
        of("a", "ta", &[plans, finishes("a is done.")]),
        of("b", "tb", &[asks("a"), finishes("b is done.")]),
        json!({"when": {"task": "question"}, "give": {"text": "Go left."}}),
    ];
    let planned = NewTask { plan: true, approver: Some("b".into()), ..task("ta") };
    let (team, _) = team_of_two(&project, &rules, LONG, planned);

    assert_eq!(run(&team).await.outcome, RunOutcome::Completed);
}

#[tokio::test(flavor = "multi_thread")]
async fn who_cannot_answer_says_so_to_whoever_asked() {
    let wordless = json!({"when": {"task": "question"}, "give": {"text": " "}});
    // No rule answers a question, or one that has no words.
    for answers in [vec![], vec![wordless]] {
        let project = TestProject::new();
        let works = [
            of("a", "ta", &[asks("b"), finishes("a is done.")]),
            of("b", "tb", &[asks("a"), finishes("b is done.")]),
        ];
        let rules = [works.to_vec(), answers].concat();
        let (team, _) = team_of_two(&project, &rules, LONG, task("ta"));

        assert_eq!(run(&team).await.outcome, RunOutcome::Completed);

        let heard = team.bus().receive(&"a".parse().unwrap(), 0).unwrap();
        assert!(heard.iter().any(|answer| answer.text.contains("No answer: b could not")), "{heard:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_user_is_told_who_waits_long_for_an_agent() {
    let project = TestProject::new();
    let thinks = json!({"text": "I am still thinking.", "delay_ms": 600_000});
    let rules = [of("a", "ta", &[asks("b")]), of("b", "tb", &[thinks])];
    let (team, said) = team_of_two(&project, &rules, Duration::from_millis(400), task("ta"));

    cancelled_when(&team, || count(&said, "WAITS a for b to answer it") > 0).await;
}
