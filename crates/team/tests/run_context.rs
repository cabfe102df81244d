//! What agents know: conversations that grow too long, attempts that follow others, results that others wait for.
#![expect(clippy::unwrap_used, clippy::expect_used, reason = "the tests' own functions fail by panicking")]
#[expect(dead_code, reason = "this needs only a part of it")]
mod project;

use std::sync::{Arc, Mutex};

use agent_team::agent::{Journal, Line, ModelAgent};
use agent_team::model::{Delta, Message, Model, ModelError, ModelErrorKind, Part, Request, Response, Script};
use agent_team::{
    AgentId, AgentTeam, NewTask, Progress, Recipient, Reporter, Role, RunOptions, RunOutcome, Status,
};
use project::{
    Remembering, TestProject, agent, attempt, finishes, gated, run, runs, script, task, view, workers, writes,
};
use serde_json::{Value, json};

/// How the model gives an account of its work, when it is asked to.
fn accounts(text: &str) -> Value {
    json!({"when": {"contains": "Write your account"}, "give": {"text": text}})
}

/// The same turn, of which the provider says that it read so many tokens.
fn having_read(tokens: u64, mut step: Value) -> Value {
    step["usage"] = json!({ "input_tokens": tokens });
    step
}

/// What a request tells the model.
fn words(request: &Request) -> String {
    let parts = request.messages.iter().flat_map(Message::parts);
    let texts = parts.map(|part| match part {
        Part::Text { text } => text.clone(),
        Part::ToolCall { name, input, .. } => format!("{name} {input}"),
        Part::ToolResult { output, .. } => output.clone(),
        Part::Opaque { .. } => String::new(),
    });
    texts.collect::<Vec<_>>().join("\n")
}

/// The transcripts of a team.
fn transcripts(project: &TestProject) -> Vec<Vec<Line>> {
    let folders = std::fs::read_dir(project.root().join(".agent-team/attempts")).unwrap();
    let paths = folders.map(|folder| folder.unwrap().path().join("transcript.jsonl"));
    paths.filter(|path| path.exists()).map(|path| Journal::read(&path).unwrap()).collect()
}

/// A model that cannot read more than so many bytes.
struct Small {
    script: Script,
    bytes_max: usize,
}

#[async_trait::async_trait]
impl Model for Small {
    fn name(&self) -> &str {
        "script"
    }

    async fn respond(
        &self,
        request: &Request,
        stream: &mut (dyn FnMut(Delta) + Send),
    ) -> Result<Response, ModelError> {
        if words(request).len() > self.bytes_max {
            return Err(ModelError::new(ModelErrorKind::TooLong, "script", "prompt is too long"));
        }
        self.script.respond(request, stream).await
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_conversation_that_grows_too_long_is_compacted_and_the_attempt_goes_on_to_its_end() {
    let project = TestProject::new();
    let steps = [
        writes("one", "1\n"),
        writes("two", "2\n"),
        having_read(9_000, runs("echo the third turn")),
        writes("four", "4\n"),
        finishes("All is written."),
    ];
    let account = accounts("## Decisions and why\nNo tables, since they are slow.");
    let model = Remembering::new(script(&[account, attempt("work", 1, &steps)]));
    let mut team = project.team();
    let worker = ModelAgent::new(model.clone()).context_tokens(8_000);
    team.add_agent("worker-1", Role::Worker, Arc::new(worker)).unwrap();
    let heard = Arc::<Mutex<Vec<Progress>>>::default();
    let ears = heard.clone();
    let reporter = Reporter::to(move |progress| ears.lock().unwrap().push(progress));
    team.options(RunOptions { reporter, ..gated("true") });
    team.add_task(task("work")).unwrap();

    assert_eq!(run(&team).await.outcome, RunOutcome::Completed);

    for (file, content) in [("one", "1\n"), ("two", "2\n"), ("four", "4\n")] {
        assert_eq!(project.read(file), content);
    }
    let asked = model.asked();
    assert_eq!(asked.len(), 6, "five turns and one account");
    let (account, after) = (&asked[3], words(&asked[4]));
    assert!(account.tools.is_empty() && words(account).contains("the third turn"), "{}", words(account));
    assert!(after.starts_with("# Task work"), "{after}");
    assert!(
        after.contains("No tables, since they are slow.") && after.contains("Changed: two, one"),
        "{after}"
    );
    assert!(after.contains("the third turn"), "{after}");
    assert!(!after.contains(r#""content":"1\n""#), "the oldest turn is left out: {after}");
    let compactions = transcripts(&project).concat();
    let compactions: Vec<_> =
        compactions.iter().filter(|line| matches!(line, Line::Compacted { .. })).collect();
    assert!(
        matches!(compactions[..], [Line::Compacted { kept_from: 3, usage: Some(_), .. }]),
        "{compactions:?}"
    );
    let heard = heard.lock().unwrap();
    let does = |progress: &Progress| matches!(progress, Progress::Activity { what, .. } if what.starts_with("compacts"));
    let noted = |progress: &Progress| matches!(progress, Progress::Note(note) if note.contains("compacted its conversation about task work"));
    assert!(heard.iter().any(does) && heard.iter().any(noted), "{heard:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn messages_and_open_questions_outlive_a_compaction() {
    let project = TestProject::new();
    let steps = [having_read(9_000, runs("true")), having_read(9_000, runs("true")), finishes("Done.")];
    let model = Remembering::new(script(&[accounts("Nothing to say."), attempt("work", 1, &steps)]));
    let mut team = project.team();
    let worker = ModelAgent::new(model.clone()).context_tokens(8_000);
    team.add_agent("worker-1", Role::Worker, Arc::new(worker)).unwrap();
    team.options(gated("true"));
    team.add_task(task("work")).unwrap();
    let (human, to) = ("human".parse().unwrap(), Recipient::Agent("worker-1".parse().unwrap()));
    let question = agent_team::NewMessage::new(&human, to, "Which colour shall it have?");
    team.bus().post(agent_team::NewMessage { asks: true, ..question }).unwrap();

    assert_eq!(run(&team).await.outcome, RunOutcome::Completed);

    let last = words(model.asked().last().unwrap());
    assert!(
        last.contains("Others wait for your answer") && last.contains("Which colour shall it have?"),
        "{last}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_model_that_cannot_read_so_much_is_told_less_and_the_attempt_does_not_fail() {
    let project = TestProject::new();
    let mut steps: Vec<Value> = (1..=8).map(|turn| runs(&format!("seq {turn}000 {turn}400"))).collect();
    steps.extend([writes("new", "x\n"), finishes("Done.")]);
    let script = script(&[accounts("I looked at numbers."), attempt("work", 1, &steps)]);
    let model = Remembering::new(Small { script, bytes_max: 9_000 });
    let mut team = project.team();
    workers(&mut team, 1, &agent(model.clone()));
    team.options(gated("true"));
    team.add_task(task("work")).unwrap();

    assert_eq!(run(&team).await.outcome, RunOutcome::Completed);

    assert_eq!((project.read("new"), view(&team, "work").attempt), ("x\n".into(), 1));
    let compactions = transcripts(&project).concat();
    let compactions = compactions.iter().filter(|line| matches!(line, Line::Compacted { .. })).count();
    assert!(compactions >= 2, "{compactions}");
    let refused = model.asked().iter().filter(|request| words(request).len() > 9_000).count();
    assert_eq!(refused, 1, "what it could not read once is not sent again");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_task_that_the_model_cannot_read_at_all_fails_with_that_reason() {
    let project = TestProject::new();
    let model = Small { script: script(&[]), bytes_max: 100 };
    let mut team = project.team();
    workers(&mut team, 1, &agent(model));
    team.options(gated("true"));
    team.add_task(NewTask { description: "word ".repeat(100), ..task("work") }).unwrap();
    assert_eq!(run(&team).await.outcome, RunOutcome::Stuck);
    assert_eq!(view(&team, "work").status, Status::Failed);
    assert!(project::feedback(&team, "work")[0].contains("cannot read so much"));
}

#[tokio::test(flavor = "multi_thread")]
async fn without_an_account_of_the_model_the_journal_gives_one() {
    let project = TestProject::new();
    let refuses = json!({
        "when": {"contains": "Write your account"},
        "give": {"error": {"kind": "refused", "message": "no"}}
    });
    let steps = [writes("one", "1\n"), having_read(9_000, runs("echo seen; false")), finishes("Done.")];
    let model = Remembering::new(script(&[refuses, attempt("work", 1, &steps)]));
    let mut team = project.team();
    let worker = ModelAgent::new(model.clone()).context_tokens(8_000);
    team.add_agent("worker-1", Role::Worker, Arc::new(worker)).unwrap();
    team.options(gated("true"));
    team.add_task(task("work")).unwrap();
    assert_eq!(run(&team).await.outcome, RunOutcome::Completed);
    let last = words(model.asked().last().unwrap());
    assert!(last.contains("made from your transcript") && last.contains("- write one -> "), "{last}");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_next_attempt_begins_with_a_note_of_where_the_last_one_stood() {
    let project = TestProject::new();
    let mut looks = writes("wrong", "x\n");
    looks["text"] = json!("I try it with a table first.");
    // It answers only if it was told all of this.
    let knows = json!({
        "when": {"task": "work", "attempt": 2, "turn": 0, "contains": "I try it with a table first."},
        "give": writes("right", "x\n"),
    });
    let ends = json!({"when": {"task": "work", "attempt": 2}, "give": finishes("Done.")});
    let model =
        Remembering::new(script(&[attempt("work", 1, &[looks, finishes("It is done.")]), knows, ends]));
    let mut team = project.team();
    team.add_agent("worker-1", Role::Worker, Arc::new(ModelAgent::new(model.clone()))).unwrap();
    team.options(gated("true"));
    team.add_task(NewTask { backoff_ms: Some(0), ..task("work").check("test -e right") }).unwrap();

    assert_eq!(run(&team).await.outcome, RunOutcome::Completed);

    assert!(!model.prompt("work", 1).contains("Where the last attempt stood"));
    let prompt = model.prompt("work", 2);
    let wanted = [
        "## Where the last attempt stood\n\nAttempt 1 was made by worker-1; its result did not pass the check.",
        "<message from=\"worker-1\">\nTurns: 2",
        "- write wrong -> ",
        "Changed: wrong",
        "## Attempt 1 did not pass its check",
    ];
    let places: Vec<_> =
        wanted.iter().map(|wanted| prompt.find(wanted).unwrap_or_else(|| panic!("{prompt}"))).collect();
    assert!(places.is_sorted(), "{prompt}");
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_takes_over_what_another_agent_gave_up_is_told_what_that_one_did() {
    let project = TestProject::new();
    let gives_up = json!({"tool_calls": [{"name": "give_up", "input": {"reason": "I lack the tools."}}]});
    let first = json!({
        "when": {"agent": "worker-1"},
        "steps": [runs("echo looked around"), gives_up],
    });
    let second = json!({"when": {"agent": "worker-2"}, "steps": [writes("new", "x\n"), finishes("Done.")]});
    let model = Remembering::new(script(&[first, second]));
    let mut team = project.team();
    team.add_agent("worker-1", Role::Worker, agent(model.clone())).unwrap();
    team.options(gated("true"));
    team.add_task(NewTask { backoff_ms: Some(0), attempts: Some(1), ..task("work") }).unwrap();
    assert_eq!(run(&team).await.outcome, RunOutcome::Stuck);
    team.queue().retry(&"human".parse().unwrap(), &"work".parse().unwrap()).unwrap();

    let mut again = AgentTeam::over(team.queue().team_log().clone());
    again.add_agent("worker-2", Role::Worker, agent(model.clone())).unwrap();
    again.options(gated("true"));
    assert_eq!(run(&again).await.outcome, RunOutcome::Completed);

    let prompt = model.prompt("work", 2);
    for wanted in ["made by worker-1; it failed", "- run echo looked around -> ", "I lack the tools."] {
        assert!(prompt.contains(wanted), "{wanted}: {prompt}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_long_result_comes_in_as_its_beginning_and_the_whole_is_a_call_away() {
    let project = TestProject::new();
    let lines: Vec<String> = (0..500).map(|line| format!("finding {line}")).collect();
    let looks_up = json!({"tool_calls": [{"name": "task_result", "input": {"id": "find"}}]});
    let model = Remembering::new(script(&[
        attempt("find", 1, &[finishes(&lines.join("\n"))]),
        attempt("use", 1, &[looks_up, finishes("Used.")]),
    ]));
    let mut team = project.team();
    workers(&mut team, 1, &agent(model.clone()));
    team.options(gated("true"));
    team.add_task(task("find")).unwrap();
    team.add_task(task("use").after("find")).unwrap();

    assert_eq!(run(&team).await.outcome, RunOutcome::Completed);

    let prompt = model.prompt("use", 1);
    let total = lines.join("\n").len();
    assert!(prompt.contains("finding 0\nfinding 1\n") && !prompt.contains("finding 499"), "{prompt}");
    assert!(
        prompt.contains(&format!("of {total} bytes; the whole: call `task_result` with id `find`]")),
        "{prompt}"
    );
    let shown = prompt.lines().filter(|line| line.starts_with("finding ")).collect::<Vec<_>>();
    assert_eq!(shown, lines.iter().take(shown.len()).collect::<Vec<_>>(), "it is cut at a line");
    let last = words(model.asked().last().unwrap());
    assert!(lines.iter().all(|line| last.contains(line)), "{last}");
}

#[tokio::test(flavor = "multi_thread")]
async fn many_long_notes_and_messages_leave_room_in_a_prompt_and_are_a_call_away() {
    let project = TestProject::new();
    let calls = |name: &str, input: Value| json!({"tool_calls": [{"name": name, "input": input}]});
    let steps = [calls("notes", json!({"first": 9})), finishes("All is read.")];
    let model = Remembering::new(script(&[attempt("work", 1, &steps)]));
    let mut team = project.team();
    team.add_agent("worker-1", Role::Worker, agent(model.clone())).unwrap();
    team.options(gated("true"));
    team.add_task(task("work")).unwrap();
    let (human, worker) = (AgentId::human(), "worker-1".parse::<AgentId>().unwrap());
    let long = |what: &str, number: usize| format!("{what} {number}: {}", "x".repeat(60_000));
    for number in 1..=10 {
        team.queue().add_note(&human, long("note", number), Vec::new(), None).unwrap();
        team.bus().send(&human, Recipient::Agent(worker.clone()), long("message", number)).unwrap();
    }

    assert_eq!(run(&team).await.outcome, RunOutcome::Completed);

    let asked = model.asked();
    let prompt = words(&asked[0]);
    assert!(prompt.len() < 150_000, "{} bytes", prompt.len());
    for told in ["note 10: x", "message 10: x", "[9 older notes of human, ", "call `notes` with `first` 9"] {
        assert!(prompt.contains(told), "{told} is missing");
    }
    let named = prompt.split("call `receive` with `before` `").nth(1).unwrap();
    let first = named.split('`').next().unwrap().parse().unwrap();
    let shown = team.bus().receive(&worker, 0).unwrap().into_iter().find(|message| message.id == first);
    assert!(shown.unwrap().text.starts_with("message 10: "));
    let read = words(&asked[1]);
    assert!(read.contains("note 9: x") && read.contains("[8 older notes of human, "), "the next page");
}
