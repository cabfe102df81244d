//! Runs that somebody steers while they go on: paused, interrupted, asked for plans, questions, agents added and dropped.
//! Only the model's words are scripted.
#![expect(clippy::unwrap_used, clippy::expect_used, reason = "the tests' own functions fail by panicking")]

#[expect(dead_code, reason = "what other tests of runs need")]
mod project;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use agent_team::model::{
    Delta, Model, ModelError, ModelErrorKind, Request, Response, RetryPolicy, Retrying, Script,
};
use agent_team::view::StatusView;
use agent_team::{
    AgentId, AgentJoined, AgentTeam, NewMessage, NewTask, Progress, Recipient, Recruiter, Refusal, Reporter,
    Role, RunOptions, RunOutcome, Status, Verdict,
};
use async_trait::async_trait;
use project::{
    Remembering, TestProject, agent, attempt, finishes, gated, run, runs, script, task, view, writes,
};
use serde_json::{Value, json};
use tokio::sync::Notify;

fn id<T: std::str::FromStr<Err: std::fmt::Debug>>(name: &str) -> T {
    name.parse().unwrap()
}

fn calls(name: &str, input: &Value) -> Value {
    json!({"tool_calls": [{"name": name, "input": input}]})
}

/// Resolves as soon as the team is as the question says.
async fn until(team: &AgentTeam, is_so: impl Fn(&StatusView) -> bool) {
    let mut news = team.queue().team_log().follow();
    while !is_so(&team.get_status().unwrap()) {
        news.changed().await.unwrap();
    }
}

fn works(status: &StatusView, agent: &str) -> bool {
    status.agents.iter().any(|known| known.id.as_str() == agent && !known.holds.is_empty())
}

/// Whether the first answer of an agent's model is in the log: its tools run, or are about to.
fn has_answered(status: &StatusView, agent: &str) -> bool {
    status.agents.iter().any(|known| known.id.as_str() == agent && known.spent.output_tokens > 0)
}

/// Does a run, and beside it what somebody does to it.
async fn steered(team: &AgentTeam, steer: impl Future<Output = ()>) -> agent_team::RunReport {
    let (report, ()) = tokio::join!(run(team), steer);
    report
}

/// A command that ends when this file is there.
fn waits_for(project: &TestProject, file: &str) -> Value {
    runs(&format!("while ! test -e {}; do sleep 0.01; done", project.beside(file).display()))
}

#[tokio::test(flavor = "multi_thread")]
async fn an_agent_that_must_have_its_plan_approved_can_only_read_before_and_is_told_why_not() {
    let project = TestProject::new();
    let model = Remembering::new(script(&[
        json!({"when": {"role": "worker", "contains": "Keep the old name"},
               "give": calls("submit_plan", &json!({"plan": "Add tool.sh beside the old one."}))}),
        json!({"when": {"role": "worker", "contains": "You may begin now"},
               "give": writes("tool.sh", "echo ok\n")}),
        json!({"when": {"role": "worker", "turn": 0}, "give": writes("tool.sh", "echo early\n")}),
        json!({"when": {"role": "worker", "contains": "There is no tool `write`"},
               "give": calls("submit_plan", &json!({"plan": "Rename everything."}))}),
        json!({"when": {"role": "worker"}, "give": finishes("It says ok.")}),
    ]));
    let mut team = project.team();
    team.add_agent("worker-1", Role::Worker, agent(model.clone())).unwrap();
    team.options(gated("true"));
    team.add_task(NewTask { plan: true, ..task("tool").check("sh tool.sh | grep ok") }).unwrap();

    let human = AgentId::human();
    let report = steered(&team, async {
        until(&team, |status| !status.plans.is_empty()).await;
        let plan = team.queue().plan(&id("tool")).unwrap().unwrap();
        assert_eq!(plan.text.preview(), "Rename everything.");
        let own = team.queue().judge_plan(&id("worker-1"), &id("tool"), None, Verdict::Approved("".into()));
        assert!(matches!(own.unwrap_err().refusal(), Some(Refusal::NoApprover { .. })));
        let no = Verdict::ChangesRequested("Keep the old name.".into());
        team.queue().judge_plan(&human, &id("tool"), Some(plan.id), no).unwrap();
        until(&team, |_| team.queue().plan(&id("tool")).unwrap().unwrap().round == 2).await;
        team.queue().judge_plan(&human, &id("tool"), None, Verdict::Approved("Go.".into())).unwrap();
    })
    .await;

    assert_eq!(report.outcome, RunOutcome::Completed, "{report:?}");
    assert_eq!(project.read("tool.sh"), "echo ok\n");
    let first = &model.asked()[0];
    let tools: Vec<&str> = first.tools.iter().map(|tool| tool.name.as_str()).collect();
    assert!(tools.contains(&"read") && tools.contains(&"submit_plan"), "{tools:?}");
    for tool in ["write", "edit", "run", "finish", "add_tasks"] {
        assert!(!tools.contains(&tool), "{tool} is no tool of one whose plan is not approved");
    }
    let last = model.asked().last().unwrap().clone();
    assert!(last.tools.iter().any(|tool| tool.name == "write"), "approved, it may write");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_lead_judges_plans_and_answers_questions_between_its_own_work() {
    let project = TestProject::new();
    let model = script(&[
        json!({"when": {"role": "lead", "contains": "A plan waits for you"}, "give": {"text": "APPROVE: good."}}),
        json!({"when": {"role": "lead", "contains": "A question"}, "give": {"text": "Use spaces."}}),
        json!({"when": {"role": "lead"}, "give": {"text": "All done."}}),
        json!({"when": {"role": "worker"}, "steps": [
            calls("ask", &json!({"question": "Tabs or spaces?", "to": "lead-1"})),
            calls("submit_plan", &json!({"plan": "With spaces."})),
            writes("tool.sh", "echo ok\n"),
            finishes("Done, with spaces."),
        ]}),
    ]);
    let model = Remembering::new(model);
    let mut team = project.team();
    team.add_agent("lead-1", Role::Lead, agent(model.clone())).unwrap();
    team.add_agent("worker-1", Role::Worker, agent(model.clone())).unwrap();
    team.require_plan("worker-1").unwrap();
    team.options(gated("true"));
    team.add_task(task("tool")).unwrap();

    let report = run(&team).await;

    assert_eq!(report.outcome, RunOutcome::Completed, "{report:?}");
    let plan = view(&team, "tool").plan.unwrap();
    assert_eq!(plan.judged_by, Some(id("lead-1")));
    let answered = model.asked().iter().any(|request| {
        let text = format!("{:?}", request.messages);
        text.contains("<message from=\\\"lead-1\\\">\\nUse spaces.") && request.caller.role == "worker"
    });
    assert!(answered, "the answer comes as data, with its sender");
    assert!(report.status.questions.is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn who_is_dropped_while_it_judges_a_plan_has_not_failed_at_it() {
    let project = TestProject::new();
    let model = Remembering::new(script(&[
        json!({"when": {"role": "lead"}, "give": {"text": "I am still thinking.", "delay_ms": 600_000}}),
        json!({"when": {"role": "worker"}, "steps": [
            calls("submit_plan", &json!({"plan": "With spaces."})),
            writes("tool.sh", "echo ok\n"),
            finishes("Done, with spaces."),
        ]}),
    ]));
    let mut team = project.team();
    team.add_agent("lead-1", Role::Lead, agent(model.clone())).unwrap();
    team.add_agent("worker-1", Role::Worker, agent(model.clone())).unwrap();
    team.options(gated("true"));
    team.add_task(NewTask { plan: true, ..task("tool") }).unwrap();

    let human = AgentId::human();
    let report = steered(&team, async {
        while !model.asked().iter().any(|request| request.caller.role == "lead") {
            tokio::task::yield_now().await;
        }
        team.queue().drop_agent(&human, &id("lead-1")).unwrap();
        until(&team, |status| {
            !status.agents.iter().any(|known| known.id.as_str() == "lead-1" && !known.left)
        })
        .await;
        team.queue().judge_plan(&human, &id("tool"), None, Verdict::Approved("Go.".into())).unwrap();
    })
    .await;

    assert_eq!((report.outcome, report.errors), (RunOutcome::Completed, Vec::new()));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_urgent_word_interrupts_the_turn_and_a_normal_one_waits_for_its_end() {
    let project = TestProject::new();
    let model = Remembering::new(script(&[
        json!({"when": {"contains": "Use the other way"}, "give": writes("tool.sh", "echo other\n")}),
        json!({"when": {"turn": 0}, "give": runs("sleep 600")}),
        json!({"when": {}, "give": finishes("The other way.")}),
    ]));
    let mut team = project.team();
    team.add_agent("worker-1", Role::Worker, agent(model.clone())).unwrap();
    team.options(gated("true"));
    team.add_task(task("tool")).unwrap();

    let human = AgentId::human();
    let report = steered(&team, async {
        until(&team, |status| has_answered(status, "worker-1")).await;
        let to = Recipient::Agent(id("worker-1"));
        team.bus().send(&human, to.clone(), "No hurry with this.").unwrap();
        let message = NewMessage::new(&human, to, "Use the other way.");
        team.bus().post(NewMessage { urgent: true, ..message }).unwrap();
    })
    .await;

    assert_eq!(report.outcome, RunOutcome::Completed, "{report:?}");
    assert!(report.took_ms < 60_000, "the command of ten minutes was broken off");
    assert_eq!(project.read("tool.sh"), "echo other\n");
    let asked = model.asked();
    let second = format!("{:?}", asked[1].messages);
    assert!(second.contains("Interrupted") && second.contains("urgent"), "{second}");
    assert!(second.contains("No hurry with this."), "what is not urgent comes with the next turn");
    assert_eq!(view(&team, "tool").attempt, 1, "an interruption is no failed attempt");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_paused_agent_finishes_its_turn_keeps_its_task_and_goes_on_when_it_is_let_go() {
    let project = TestProject::new();
    let model = Remembering::new(script(&[attempt(
        "tool",
        1,
        &[waits_for(&project, "go"), writes("tool.sh", "echo ok\n"), finishes("Done.")],
    )]));
    let mut team = project.team();
    team.add_agent("worker-1", Role::Worker, agent(model.clone())).unwrap();
    let (holds_still, held_up) = tokio::sync::mpsc::unbounded_channel();
    let reporter = Reporter::to(move |progress| {
        if matches!(&progress, Progress::Activity { what, .. } if what == "paused") {
            let _ = holds_still.send(());
        }
    });
    team.options(RunOptions { reporter, ..gated("true") });
    team.add_task(task("tool")).unwrap();

    let human = AgentId::human();
    let report = steered(&team, async {
        until(&team, |status| has_answered(status, "worker-1")).await;
        team.queue().pause(&human, None, "lunch").unwrap();
        std::fs::write(project.beside("go"), "").unwrap();
        let mut held_up = held_up;
        held_up.recv().await.unwrap();
        assert_eq!(model.asked().len(), 1, "its turn is over, and it began no other");
        assert_eq!(view(&team, "tool").status, Status::Running);
        assert_eq!(view(&team, "tool").agent, Some(id("worker-1")));
        team.queue().resume(&human, None).unwrap();
    })
    .await;

    assert_eq!(report.outcome, RunOutcome::Completed, "{report:?}");
    assert_eq!(view(&team, "tool").attempt, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stopped_agent_loses_its_task_at_once_and_goes_on_with_it_when_it_is_resumed() {
    let project = TestProject::new();
    let model = script(&[attempt(
        "tool",
        1,
        &[writes("tool.sh", "echo ok\n"), waits_for(&project, "go"), finishes("Done.")],
    )]);
    let mut team = project.team();
    team.add_agent("worker-1", Role::Worker, agent(model)).unwrap();
    team.options(gated("true"));
    team.add_task(task("tool").check("sh tool.sh | grep ok")).unwrap();

    let human = AgentId::human();
    let report = steered(&team, async {
        until(&team, |status| has_answered(status, "worker-1")).await;
        assert!(team.queue().stop_agent(&human, &id("worker-1"), "wrong way").unwrap());
        assert_eq!(view(&team, "tool").status, Status::Ready);
        std::fs::write(project.beside("go"), "").unwrap();
        team.queue().resume(&human, Some(&id("worker-1"))).unwrap();
    })
    .await;

    assert_eq!(report.outcome, RunOutcome::Completed, "{report:?}");
    assert_eq!(view(&team, "tool").attempt, 1, "it went on where it was");
    assert_eq!(project.read("tool.sh"), "echo ok\n", "its work was kept");
}

#[tokio::test(flavor = "multi_thread")]
async fn agents_are_added_and_dropped_and_tasks_handed_over_while_the_team_runs() {
    let project = TestProject::new();
    let model = script(&[
        json!({"when": {"agent": "worker-1"}, "give": runs("sleep 600")}),
        json!({"when": {"agent": "worker-2", "turn": 0}, "give": writes("tool.sh", "echo ok\n")}),
        json!({"when": {"agent": "worker-2"}, "give": finishes("Done.")}),
    ]);
    let mut team = project.team();
    team.add_agent("worker-1", Role::Worker, agent(model.clone())).unwrap();
    let recruiter = Recruiter::new(move |_| Ok(agent(model.clone())));
    team.options(RunOptions { recruiter: Some(recruiter), ..gated("true") });
    team.add_task(task("tool")).unwrap();

    let human = AgentId::human();
    let report = steered(&team, async {
        until(&team, |status| works(status, "worker-1")).await;
        let (role, skills, with) = (Role::Worker, Vec::new(), None);
        let joined =
            AgentJoined { skills, with, orchestrated: true, ..AgentJoined::new(id("worker-2"), role) };
        team.queue().join(joined).unwrap();
        team.queue().reassign(&human, &id("tool"), Some(&id("worker-2"))).unwrap();
        team.queue().drop_agent(&human, &id("worker-1")).unwrap();
    })
    .await;

    assert_eq!(report.outcome, RunOutcome::Completed, "{report:?}");
    assert_eq!(view(&team, "tool").author, Some(id("worker-2")));
    let left: Vec<_> = report.status.agents.iter().map(|agent| (agent.id.as_str(), agent.left)).collect();
    assert!(left.contains(&("worker-1", true)), "{left:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn who_is_added_by_hand_is_started_by_each_run_until_it_is_dropped() {
    let project = TestProject::new();
    let model = script(&[
        json!({"when": {"turn": 0}, "give": writes("tool.sh", "echo ok\n")}),
        json!({"when": {}, "give": finishes("Done.")}),
    ]);
    let mut team = project.team();
    team.add_agent("worker-1", Role::Worker, agent(model.clone())).unwrap();
    let recruiter = Recruiter::new(move |_| Ok(agent(model.clone())));
    team.options(RunOptions { recruiter: Some(recruiter), ..gated("true") });
    let added =
        AgentJoined { orchestrated: true, added: true, ..AgentJoined::new(id("ann"), Role::Reviewer) };
    team.queue().join(added).unwrap();
    let of_ann = |name: &str| NewTask { role: Some(Role::Reviewer), ..task(name) };

    for name in ["one", "two"] {
        team.add_task(of_ann(name)).unwrap();
        assert_eq!(run(&team).await.outcome, RunOutcome::Completed);
        assert_eq!(view(&team, name).author, Some(id("ann")));
    }

    team.queue().drop_agent(&AgentId::human(), &id("ann")).unwrap();
    team.add_task(of_ann("three")).unwrap();
    assert_eq!(run(&team).await.outcome, RunOutcome::Stuck);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_human_says_to_one_who_has_left_with_the_last_run_is_heard_in_the_next_one() {
    let project = TestProject::new();
    let model = Remembering::new(script(&[
        json!({"when": {"turn": 0}, "give": writes("tool.sh", "echo ok\n")}),
        json!({"when": {}, "give": finishes("Done.")}),
    ]));
    let mut team = project.team();
    team.add_agent("worker-1", Role::Worker, agent(model.clone())).unwrap();
    team.options(gated("true"));
    team.add_task(task("one")).unwrap();
    run(&team).await;
    let to = Recipient::Agent(id("worker-1"));
    let (human, other) = (AgentId::human(), id("worker-2"));
    team.bus().send(&human, to.clone(), "Mind the lexer.").unwrap();
    let said = team.bus().send(&other, to, "Are you there?").unwrap();
    let returned = team.bus().inbox(&other).unwrap();
    assert!(returned.len() == 1 && returned[0].id == said && returned[0].returned, "agents learn it at once");
    team.add_task(task("two")).unwrap();

    run(&team).await;

    assert!(format!("{:?}", model.asked()).contains("Mind the lexer."));
    let sent = team.bus().sent(&human).unwrap();
    assert!(!sent[0].returned && team.bus().inbox(&human).unwrap().is_empty(), "{sent:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_call_that_is_interrupted_counts_as_all_that_it_could_use_with_a_budget_or_without() {
    let mut counted = Vec::new();
    for budget_tokens in [Some(10_000_000), None] {
        let project = TestProject::new();
        let model = Remembering::new(script(&[
            json!({"when": {"contains": "Use the other way"}, "give": finishes("The other way.")}),
            json!({"give": {"text": "I am still thinking.", "delay_ms": 600_000}}),
        ]));
        let mut team = project.team();
        team.add_agent("worker-1", Role::Worker, agent(model.clone())).unwrap();
        team.options(RunOptions { budget_tokens, ..gated("true") });
        team.add_task(task("tool")).unwrap();
        let human = AgentId::human();

        let report = steered(&team, async {
            until(&team, |status| works(status, "worker-1")).await;
            while model.asked().is_empty() {
                tokio::task::yield_now().await;
            }
            let message = NewMessage::new(&human, Recipient::Agent(id("worker-1")), "Use the other way.");
            team.bus().post(NewMessage { urgent: true, ..message }).unwrap();
        })
        .await;

        assert_eq!(report.outcome, RunOutcome::Completed, "{report:?}");
        counted.push((report.status.spent.calls, report.status.spent.output_tokens));
    }
    assert_eq!(counted[0], counted[1]);
    assert!(counted[0].0 == 2 && counted[0].1 > 16_000, "{counted:?}");
}

/// A model whose first call fails, and after a long wait would be made again.
struct FailsFirst(Script, AtomicBool);

#[async_trait]
impl Model for FailsFirst {
    fn name(&self) -> &str {
        self.0.name()
    }

    async fn respond(
        &self,
        request: &Request,
        stream: &mut (dyn FnMut(Delta) + Send),
    ) -> Result<Response, ModelError> {
        if self.1.swap(true, Ordering::Relaxed) {
            return self.0.respond(request, stream).await;
        }
        Err(ModelError::new(ModelErrorKind::Connection, self.name(), "nobody listens there"))
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_failed_call_that_is_interrupted_before_its_next_try_used_nothing() {
    let project = TestProject::new();
    let policy = RetryPolicy { first_wait: Duration::from_secs(200), ..RetryPolicy::default() };
    let first = FailsFirst(script(&[json!({"give": finishes("done")})]), AtomicBool::new(false));
    let model = Arc::new(Retrying::new(first, policy).with_random(|| 1.0));
    let mut team = project.team();
    team.add_agent("worker-1", Role::Worker, agent(model)).unwrap();
    let waits = Arc::new(Notify::new());
    let heard = waits.clone();
    let reporter = Reporter::to(move |progress| {
        if let Progress::Activity { what, .. } = progress
            && what.contains("nobody listens there")
        {
            heard.notify_one();
        }
    });
    team.options(RunOptions { reporter, budget_tokens: Some(10_000_000), ..gated("true") });
    team.add_task(task("tool")).unwrap();

    let report = steered(&team, async {
        waits.notified().await;
        let message = NewMessage::new(&AgentId::human(), Recipient::Agent(id("worker-1")), "What keeps you?");
        team.bus().post(NewMessage { urgent: true, ..message }).unwrap();
    })
    .await;

    assert_eq!(report.outcome, RunOutcome::Completed, "{report:?}");
    assert!(report.status.spent.calls == 2 && report.status.spent.output_tokens < 1_000, "{report:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_makes_no_progress_is_nudged_interrupted_and_taken_over() {
    let project = TestProject::new();
    let model =
        Remembering::new(script(&[json!({"give": {"text": "I am still thinking.", "delay_ms": 600_000}})]));
    let mut team = project.team();
    team.add_agent("worker-1", Role::Worker, agent(model.clone())).unwrap();
    team.options(RunOptions { stuck_after: Some(Duration::from_millis(400)), ..gated("true") });
    team.add_task(task("tool")).unwrap();

    let human = AgentId::human();
    let report = steered(&team, async {
        until(&team, |_| {
            view(&team, "tool").claims.iter().any(|claim| claim.ending.to_string().contains("no progress"))
        })
        .await;
        team.queue().cancel(&human, &id("tool"), false).unwrap();
    })
    .await;

    assert!(report.took_ms < 60_000);
    let told: Vec<String> = model
        .asked()
        .iter()
        .map(|request| format!("{:?}", request.messages))
        .filter(|messages| messages.contains("You made no progress on tool"))
        .collect();
    assert!(!told.is_empty(), "it was interrupted, and told why");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_human_says_about_a_task_is_known_in_each_attempt_at_it() {
    let project = TestProject::new();
    let model = Remembering::new(script(&[
        attempt("a", 1, &[calls("give_up", &json!({"reason": "Too hard."}))]),
        attempt("a", 2, &[finishes("With spaces.")]),
    ]));
    let mut team = project.team();
    team.add_agent("worker-1", Role::Worker, agent(model.clone())).unwrap();
    team.options(gated("true"));
    team.add_task(task("a")).unwrap();
    team.bus().send(&AgentId::human(), Recipient::Task(id("a")), "Use spaces.").unwrap();

    let report = run(&team).await;

    assert_eq!(report.outcome, RunOutcome::Completed, "{report:?}");
    let told = model.prompt("a", 2);
    assert!(
        told.contains("## What the human has said about this task") && told.contains("Use spaces."),
        "{told}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn the_leads_tasks_are_added_when_the_human_approves_them_and_not_before() {
    let project = TestProject::new();
    let tasks = |title: &str| {
        calls(
            "add_tasks",
            &json!({"tasks": [{"id": "tool", "title": title, "check": "sh tool.sh | grep ok"}]}),
        )
    };
    let model = Remembering::new(script(&[
        json!({"when": {"role": "lead", "contains": "Propose better tasks"}, "give": tasks("Write the tool")}),
        json!({"when": {"role": "lead", "task": "plan", "turn": 0}, "give": tasks("Write everything")}),
        json!({"when": {"role": "lead", "task": "plan"}, "give": finishes("One task.")}),
        json!({"when": {"role": "lead"}, "give": {"text": "It is done."}}),
        attempt("tool", 1, &[writes("tool.sh", "echo ok\n"), finishes("It says ok.")]),
    ]));
    let mut team = project.team();
    team.add_agent("lead-1", Role::Lead, agent(model.clone())).unwrap();
    team.add_agent("worker-1", Role::Worker, agent(model.clone())).unwrap();
    team.options(RunOptions { goal: Some("A tool".into()), approve_plan: true, ..gated("true") });

    let human = AgentId::human();
    let report = steered(&team, async {
        until(&team, |status| !status.plans.is_empty()).await;
        let plan = team.queue().plan(&id("plan")).unwrap().unwrap();
        assert!(
            plan.text.preview().contains("- tool: Write everything\n    part of plan\n    check: sh tool.sh"),
            "{plan:?}"
        );
        assert_eq!(team.get_status().unwrap().counts.total, 1, "nothing is added before");
        let no = Verdict::ChangesRequested("Only the tool.".into());
        team.queue().judge_plan(&human, &id("plan"), Some(plan.id), no).unwrap();
        until(&team, |_| team.queue().plan(&id("plan")).unwrap().unwrap().round == 2).await;
        team.queue().judge_plan(&human, &id("plan"), None, Verdict::Approved("".into())).unwrap();
    })
    .await;

    assert_eq!(report.outcome, RunOutcome::Completed, "{report:?}");
    assert_eq!((report.status.counts.total, view(&team, "tool").title.as_str()), (2, "Write the tool"));
    let tools: Vec<String> = model.asked()[0].tools.iter().map(|tool| tool.name.clone()).collect();
    for tool in ["write", "edit", "run"] {
        assert!(!tools.iter().any(|known| known == tool), "a lead delegates only: {tools:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_model_that_answers_in_words_before_its_plan_is_approved_is_told_to_submit_one() {
    let project = TestProject::new();
    let model = Remembering::new(script(&[
        json!({"when": {"contains": "You may begin now"}, "give": finishes("Done.")}),
        json!({"when": {"contains": "call `submit_plan`"}, "give": calls("submit_plan", &json!({"plan": "Nothing."}))}),
        json!({"when": {"task": "tool"}, "give": {"text": "All done!"}}),
    ]));
    let mut team = project.team();
    team.add_agent("worker-1", Role::Worker, agent(model)).unwrap();
    team.options(gated("true"));
    team.add_task(NewTask { plan: true, ..task("tool") }).unwrap();

    let human = AgentId::human();
    let report = steered(&team, async {
        until(&team, |status| !status.plans.is_empty()).await;
        team.queue().judge_plan(&human, &id("tool"), None, Verdict::Approved("".into())).unwrap();
    })
    .await;

    assert_eq!(report.outcome, RunOutcome::Completed, "{report:?}");
    assert_eq!(view(&team, "tool").result.unwrap().preview(), "Done.");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_model_that_never_submits_a_plan_fails_its_attempts_and_not_the_run() {
    let project = TestProject::new();
    let model = script(&[json!({"give": {"text": "All done!"}})]);
    let mut team = project.team();
    team.add_agent("worker-1", Role::Worker, agent(model)).unwrap();
    team.options(gated("true"));
    let stubborn = NewTask { plan: true, attempts: Some(2), backoff_ms: Some(0), ..task("tool") };
    team.add_task(stubborn).unwrap();

    let report = run(&team).await;

    assert_eq!(report.outcome, RunOutcome::Stuck, "{report:?}");
    assert_eq!(view(&team, "tool").status, Status::Failed);
    assert!(project::feedback(&team, "tool").iter().any(|said| said.contains("plan")), "{report:?}");
}
