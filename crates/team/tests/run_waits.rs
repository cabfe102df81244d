//! Runs that are stopped while an agent waits for somebody, or has been told something: the end does not wait for it, and
//! whoever goes on asks nothing and is told nothing a second time.
#![expect(clippy::unwrap_used, clippy::expect_used, reason = "the tests' own functions fail by panicking")]

#[expect(dead_code, reason = "what other tests of runs need")]
mod project;

use std::sync::Arc;

use agent_team::agent::{Agent, llm_fn};
use agent_team::view::StatusView;
use agent_team::{
    AgentId, AgentTeam, NewTask, Progress, Recipient, Reporter, Role, RunOptions, RunOutcome, RunReport,
    Status, Verdict,
};
use project::{LONG, Remembering, TestProject, agent, finishes, gated, run, script, task, view};
use serde_json::{Value, json};

fn id<T: std::str::FromStr<Err: std::fmt::Debug>>(name: &str) -> T {
    name.parse().unwrap()
}

fn calls(name: &str, input: &Value) -> Value {
    json!({"tool_calls": [{"name": name, "input": input}]})
}

/// A team of one with one task that wants a plan, or none.
fn team_of(project: &TestProject, worker: Arc<dyn Agent>, plan: bool) -> AgentTeam {
    let mut team = project.team();
    team.add_agent("worker-1", Role::Worker, worker).unwrap();
    team.options(gated("true"));
    if view_of(&team).is_none() {
        team.add_task(NewTask { plan, ..task("tool") }).unwrap();
    }
    team
}

fn view_of(team: &AgentTeam) -> Option<agent_team::view::TaskView> {
    team.queue().get_task(&id("tool")).ok()
}

/// Runs a team, asks it once to stop as soon as the question says yes, and waits for no more than that.
async fn stopped_when(team: &AgentTeam, is_so: impl Fn(&StatusView) -> bool) -> RunReport {
    let stop = async {
        let mut news = team.queue().team_log().follow();
        while !is_so(&team.get_status().unwrap()) {
            news.changed().await.unwrap();
        }
        team.stop().gently();
    };
    let both = async { tokio::join!(run(team), stop).0 };
    let report = tokio::time::timeout(LONG, both).await.expect("one request to stop ends it");
    assert_eq!((report.outcome, view(team, "tool").status), (RunOutcome::Interrupted, Status::Ready));
    report
}

#[tokio::test(flavor = "multi_thread")]
async fn who_waits_for_an_answer_hands_its_task_back_and_goes_on_waiting_in_the_next_run() {
    let project = TestProject::new();
    let ask = calls("ask", &json!({"question": "Tabs or spaces?"}));
    let model = Remembering::new(script(&[
        json!({"when": {"turn": 0}, "give": ask}),
        json!({"give": finishes("Done.")}),
    ]));
    let team = team_of(&project, agent(model.clone()), false);
    stopped_when(&team, |status| !status.questions.is_empty()).await;
    drop(team);

    let team = team_of(&project, agent(model.clone()), false);
    stopped_when(&team, |status| status.counts.running == 1).await;
    assert_eq!(model.asked().len(), 1, "who waits asks no model");
    drop(team);

    let team = team_of(&project, agent(model.clone()), false);
    let asked = team.bus().questions(None).unwrap();
    assert_eq!(asked.len(), 1, "nothing is asked a second time");
    team.bus().answer(&AgentId::human(), asked[0].id, "Spaces.").unwrap();
    assert_eq!(run(&team).await.outcome, RunOutcome::Completed);

    let requests = model.asked();
    assert_eq!((requests.len(), view(&team, "tool").attempt), (2, 1));
    let told = format!("{:?}", requests[1].messages);
    assert!(told.contains("Spaces.") && !told.contains("Interrupted"), "{told}");
    assert_eq!(team.bus().sent(&id("worker-1")).unwrap().len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn who_waits_for_its_plan_to_be_judged_hands_its_task_back_and_hears_the_verdict_in_the_next_run() {
    let project = TestProject::new();
    let submits = |plan: &str| calls("submit_plan", &json!({ "plan": plan }));
    let model = Remembering::new(script(&[
        json!({"when": {"turn": 0}, "give": submits("So.")}),
        json!({"when": {"turn": 1}, "give": submits("Otherwise.")}),
        json!({"give": finishes("Done.")}),
    ]));
    let team = team_of(&project, agent(model.clone()), true);
    stopped_when(&team, |status| !status.plans.is_empty()).await;
    let no = Verdict::ChangesRequested("Not so.".into());
    team.queue().judge_plan(&AgentId::human(), &id("tool"), None, no).unwrap();
    drop(team);

    let team = team_of(&project, agent(model.clone()), true);
    stopped_when(&team, |status| !status.plans.is_empty()).await;
    assert!(format!("{:?}", model.asked()[1].messages).contains("Not so."));
    team.queue().judge_plan(&AgentId::human(), &id("tool"), None, Verdict::Approved("".into())).unwrap();
    drop(team);

    let team = team_of(&project, agent(model.clone()), true);
    assert_eq!(run(&team).await.outcome, RunOutcome::Completed);
    assert_eq!(view(&team, "tool").plan.unwrap().round, 2, "no plan is submitted twice");
    let told = format!("{:?}", model.asked()[2].messages);
    assert!(told.contains("You may begin now.") && !told.contains("Interrupted"), "{told}");
}

#[tokio::test(flavor = "multi_thread")]
async fn who_is_asked_for_its_plan_beforehand_is_not_asked_again_after_a_stop() {
    let project = TestProject::new();
    let worker = llm_fn(async |prompt: String| Ok::<_, std::convert::Infallible>(prompt));
    let team = team_of(&project, worker.clone(), true);
    stopped_when(&team, |status| !status.plans.is_empty()).await;
    drop(team);

    let team = team_of(&project, worker, true);
    stopped_when(&team, |status| status.counts.running == 1).await;
    assert_eq!(view(&team, "tool").plan.unwrap().round, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_journal_has_told_is_not_told_again_and_is_read_with_the_next_turn() {
    let project = TestProject::new();
    let thinks_on = agent(script(&[json!({"give": {"text": "Never.", "delay_ms": 600_000}})]));
    let mut team = team_of(&project, thinks_on, false);
    let human = AgentId::human();
    team.bus().send(&human, Recipient::Agent(id("worker-1")), "MSG-A").unwrap();
    let stop = team.stop();
    let reporter = Reporter::to(move |progress| {
        // It has been told, and its turn is never over.
        if matches!(&progress, Progress::Activity { what, .. } if what.contains("thinking")) {
            stop.gently();
            stop.at_once();
        }
    });
    team.options(RunOptions { reporter, ..gated("true") });
    assert_eq!(run(&team).await.outcome, RunOutcome::Interrupted);
    assert_eq!(team.bus().unread(&id("worker-1")).unwrap().len(), 1);
    drop(team);

    let model = Remembering::new(script(&[json!({"give": finishes("Done.")})]));
    let team = team_of(&project, agent(model.clone()), false);
    team.bus().send(&human, Recipient::Agent(id("worker-1")), "MSG-B").unwrap();
    assert_eq!(run(&team).await.outcome, RunOutcome::Completed);

    let told = format!("{:?}", model.asked()[0].messages);
    assert_eq!((told.matches("MSG-A").count(), told.matches("MSG-B").count()), (1, 1), "{told}");
    assert!(team.bus().unread(&id("worker-1")).unwrap().is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lead_that_was_stopped_while_its_tasks_were_judged_adds_them_in_the_next_run() {
    let project = TestProject::new();
    let proposes = |title: &str| calls("add_tasks", &json!({"tasks": [{"title": title}]}));
    let model = Remembering::new(script(&[
        json!({"when": {"role": "lead", "contains": "Propose better tasks"}, "give": proposes("Write it small")}),
        json!({"when": {"role": "lead", "task": "plan", "turn": 0}, "give": proposes("Write it")}),
        json!({"when": {"role": "lead", "task": "plan"}, "give": finishes("One task.")}),
        json!({"when": {"role": "lead"}, "give": {"text": "It is done."}}),
        json!({"give": finishes("Written.")}),
    ]));
    let begin = || {
        let mut team = project.team();
        team.add_agent("lead-1", Role::Lead, agent(model.clone())).unwrap();
        team.add_agent("worker-1", Role::Worker, agent(model.clone())).unwrap();
        team.options(RunOptions { goal: Some("A tool".into()), approve_plan: true, ..gated("true") });
        team
    };
    let stop_while_it_waits = async |team: &AgentTeam, round: u32| {
        let stop = async {
            let mut news = team.queue().team_log().follow();
            let waits = || {
                team.get_status().unwrap().plans == [id("plan")]
                    && view(team, "plan").plan.unwrap().round == round
            };
            while !waits() {
                news.changed().await.unwrap();
            }
            team.stop().gently();
        };
        let report = tokio::time::timeout(LONG, async { tokio::join!(run(team), stop).0 }).await.unwrap();
        assert_eq!(report.outcome, RunOutcome::Interrupted);
        assert!(
            report.unfinished[0].plan.as_ref().unwrap().approved.is_none(),
            "the report says that it waits"
        );
        let open = team.queue().open_plans().unwrap();
        assert!(matches!(&open[..], [(task, plan, false)] if task.as_str() == "plan" && plan.round == round));
    };
    let judged =
        |verdict| project.team().queue().judge_plan(&AgentId::human(), &id("plan"), None, verdict).unwrap();

    stop_while_it_waits(&begin(), 1).await;
    // Nobody has said anything: it waits on.
    stop_while_it_waits(&begin(), 1).await;
    judged(Verdict::ChangesRequested("Smaller.".into()));
    stop_while_it_waits(&begin(), 2).await;
    judged(Verdict::Approved(String::new()));
    let team = begin();
    assert_eq!(run(&team).await.outcome, RunOutcome::Completed);

    let titles: Vec<String> = team.queue().list_tasks().unwrap().into_iter().map(|task| task.title).collect();
    assert_eq!(titles, ["Plan: A tool", "Write it small"], "each proposal is made and added once");
    assert_eq!(view(&team, "plan").plan.unwrap().round, 2);
    let leads = model.asked().iter().filter(|request| request.caller.task.as_deref() == Some("plan")).count();
    assert_eq!(leads, 3, "no turn is paid for twice");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_review_that_only_somebody_outside_of_the_run_can_give_is_said_to_wait_for_them() {
    let project = TestProject::new();
    let worker = agent(script(&[json!({"give": finishes("Done.")})]));
    let mut team = team_of(&project, worker, false);
    team.add_task(NewTask { review: true, ..task("reviewed") }).unwrap();
    let ann: AgentId = id("ann");
    team.queue().join(agent_team::AgentJoined::new(ann.clone(), Role::Reviewer)).unwrap();
    let (told, mut waits) = tokio::sync::mpsc::unbounded_channel();
    let reporter = Reporter::to(move |progress| {
        if let Progress::Note(note) = progress
            && note.starts_with("WAITS ")
        {
            let _ = told.send(note);
        }
    });
    team.options(RunOptions { reporter, ..gated("true") });
    let judging = async {
        let words = waits.recv().await.unwrap();
        let approved = Verdict::Approved(String::new());
        agent_team::review(team.queue(), &ann, &id("reviewed"), None, approved).unwrap();
        words
    };
    let (report, words) = tokio::join!(run(&team), judging);
    assert_eq!(report.outcome, RunOutcome::Completed, "{report:?}");
    assert_eq!(words, "WAITS reviewed for a review by ann: agent-team review reviewed --as ann");
}
