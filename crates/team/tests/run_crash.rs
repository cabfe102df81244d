//! Runs that are killed: whoever dies when, the next run ends the same, and nothing is lost, repeated or paid twice.
//!
//! Where it matters when a process dies, the test is its own child: the test `child`, which an environment variable tells
//! where its project is.
#![expect(clippy::unwrap_used, clippy::expect_used, reason = "the tests' own functions fail by panicking")]
#[expect(dead_code, reason = "what other tests of runs need")]
mod project;

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use agent_team::agent::{Agent, Assignment, Context, ModelAgent};
use agent_team::git::{FenceSet, GitProgram, Intent, Landed, MergeWorktree, Project, Rebased};
use agent_team::model::{Delta, Model, ModelError, Request, Response, Script};
use agent_team::{
    AgentId, AgentTeam, Holder, Role, RunOptions, RunOutcome, Stage, TaskQueue, TeamFolder, TeamLog,
};
use agent_team_core::machine::Command as Wish;
use agent_team_core::record::{MergeIntended, Policy, ProcessId};
use project::{
    Remembering, TestProject, agent, attempt, finishes, runs, script, task, turns, workers, writes,
};
use serde_json::json;

const LONG: Duration = Duration::from_secs(120);
/// Where the child's project is.
const ROLE: &str = "RUN_CRASH_PROJECT";
const GATE: &str = "for tool in *.sh; do test ! -e $tool || sh $tool | grep -q ok || exit 1; done";
/// Tasks that make a tool each.
const TOOLS: [&str; 5] = ["a", "b", "c", "mended", "last"];

/// A scripted model that notes in a file which turn it was asked for, so that it is known over all processes.
struct Noting {
    script: Script,
    notes: Mutex<std::fs::File>,
}

#[async_trait::async_trait]
impl Model for Noting {
    fn name(&self) -> &str {
        "script"
    }

    async fn respond(
        &self,
        request: &Request,
        stream: &mut (dyn FnMut(Delta) + Send),
    ) -> Result<Response, ModelError> {
        let caller = &request.caller;
        let note =
            format!("{} {} {}\n", caller.task.as_deref().unwrap_or("-"), caller.attempt, turns(request));
        self.notes.lock().unwrap().write_all(note.as_bytes()).unwrap();
        self.script.respond(request, stream).await
    }
}

/// The team that is killed: tools that are checked and gated, one of which is wrong at first, and one that needs all.
fn team(root: &Path) -> AgentTeam {
    let tool = |name: &str| {
        let mut thinks = writes(&format!("{name}.sh"), &format!("echo {name} ok\n"));
        thinks["delay_ms"] = json!(15);
        attempt(name, 1, &[runs("true"), thinks, finishes("It says ok.")])
    };
    let wrong = attempt("mended", 1, &[writes("mended.sh", "echo ok, but wrong\n"), finishes("Done.")]);
    let right = attempt("mended", 2, &[writes("mended.sh", "echo mended ok\n"), finishes("Mended.")]);
    let mut rules: Vec<_> = ["a", "b", "c", "last"].into_iter().map(tool).collect();
    rules.extend([wrong, right]);
    // Two that change the same line: whoever comes second has to bring both together.
    for (me, greeting) in [("left", "hello left\n"), ("right", "hello right\n")] {
        rules.push(attempt(me, 1, &[writes("README", greeting), finishes("Greeted.")]));
        let both = [writes("README", "hello left\nhello right\n"), finishes("Greeted both.")];
        rules.push(json!({"when": {"task": me}, "steps": both}));
    }
    let notes = std::fs::File::options().append(true).create(true).open(root.join("../notes")).unwrap();
    let model = Arc::new(Noting { script: script(&rules), notes: Mutex::new(notes) });
    let mut team = AgentTeam::new(root).unwrap();
    workers(&mut team, 3, &agent(model));
    team.options(RunOptions { gate: Some(GATE.into()), ..RunOptions::default() });
    team
}

/// The child that the other tests kill. Without a project it has nothing to do.
#[tokio::test(flavor = "multi_thread")]
async fn child() {
    let Some(root) = std::env::var_os(ROLE).map(PathBuf::from) else { return };
    assert!(team(&root).run(Some(LONG)).await.unwrap().succeeded());
}

fn start_child(root: &Path) -> Child {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args(["child", "--exact"]).env_clear().env(ROLE, root);
    command.env("PATH", std::env::var_os("PATH").unwrap_or_default()).env("HOME", root.join(".."));
    command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap()
}

/// Small numbers by seed (Knuth's MMIX generator).
struct Seeded(u64);

impl Seeded {
    fn below(&mut self, bound: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % bound
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_that_is_killed_again_and_again_ends_as_if_it_had_not_been() {
    let project = TestProject::new();
    let root = project.root();
    let setup = team(&root);
    setup.add_task(task("left")).unwrap();
    setup.add_task(task("right")).unwrap();
    for id in TOOLS {
        let new = task(id).check(format!("sh {id}.sh | grep -q '^{id} ok'"));
        let new = if id == "last" { new.after("a").after("b").after("c").after("mended") } else { new };
        setup.add_task(new).unwrap();
    }
    drop(setup);
    let log = TeamLog::open(&TeamFolder::of(&root)).unwrap();
    let mut news = log.follow();
    let records = || log.look(agent_team_core::machine::State::records).unwrap();
    let seed = std::env::var("SEED").ok().and_then(|seed| seed.parse().ok()).unwrap_or(2);
    let mut random = Seeded(seed);
    let mut kills = 0;
    let done = || log.look(|state| state.counts().completed == state.counts().total).unwrap();
    while kills < 20 && !done() {
        let mut child = start_child(&root);
        let enough = records() + 1 + random.below(9);
        while records() < enough && child.try_wait().unwrap().is_none() {
            let _ = tokio::time::timeout(Duration::from_millis(100), news.changed()).await;
        }
        child.kill().unwrap();
        child.wait().unwrap();
        kills += 1;
    }
    drop((log, news));

    println!("{kills} kills with SEED={seed}");
    let team = team(&root);
    let report = team.run(Some(LONG)).await.unwrap();

    assert_eq!(report.outcome, RunOutcome::Completed, "{:?}", report.status);
    for id in TOOLS {
        assert_eq!(project.merges_of("main", id), 1, "{id} after {kills} kills");
        assert_eq!(project.read(&format!("{id}.sh")), format!("echo {id} ok\n"));
        let attempts = team.queue().get_task(&id.parse().unwrap()).unwrap().attempt;
        assert_eq!(attempts, if id == "mended" { 2 } else { 1 }, "{id} after {kills} kills");
    }
    assert_eq!((project.merges_of("main", "left"), project.merges_of("main", "right")), (1, 1));
    assert_eq!(project.commits("main").len(), TOOLS.len() + 2);
    assert!(project.holds_at_every_commit("main", GATE));
    let presence = std::fs::read_dir(root.join(".agent-team/presence")).unwrap().count();
    assert_eq!(presence, 1, "of those who are gone nothing is left, only this process is there");
    assert_eq!(project.changes(), "");
    nothing_was_paid_twice(&std::fs::read_to_string(root.join("../notes")).unwrap(), kills);
}

/// A turn that was journalled is never asked for again: the turns of an attempt only go up, and one is asked for twice
/// only when its process was killed before it was journalled.
fn nothing_was_paid_twice(notes: &str, kills: usize) {
    let mut newest = std::collections::BTreeMap::new();
    let mut repeated = 0;
    for note in notes.lines() {
        let (attempt, turn) = note.rsplit_once(' ').unwrap();
        let turn: usize = turn.parse().unwrap();
        let before = newest.insert(attempt.to_owned(), turn);
        assert!(before.is_none_or(|before| before <= turn), "{attempt} began anew:\n{notes}");
        repeated += usize::from(before == Some(turn));
    }
    assert!(repeated <= 3 * kills, "{repeated} turns were asked for twice in {kills} kills");
}

/// A task whose work waits to be merged, and the merger that died: it had claimed the merge and intended it.
struct DeadMerger {
    project: TestProject,
    team: AgentTeam,
    git: Project,
    intent: MergeIntended,
}

impl DeadMerger {
    async fn new() -> Self {
        let project = TestProject::new();
        let mut team = project.team();
        let script = script(&[attempt("work", 1, &[writes("new", "x\n"), finishes("Done.")])]);
        workers(&mut team, 1, &agent(script));
        team.add_task(task("work")).unwrap();
        assert_eq!(team.run(Some(LONG)).await.unwrap().outcome, RunOutcome::Stuck);
        let git = Project::discover(&GitProgram::from_process_environment(), &project.root()).unwrap();

        let by: AgentId = "orchestrator".parse().unwrap();
        let log = team.queue().team_log();
        let policy = Policy { no_gate: true, ..log.look(|state| state.policy().clone()).unwrap() };
        log.submit(&by, &Wish::SetPolicy { policy }).unwrap();
        let id = "work".parse().unwrap();
        let wish =
            Wish::Claim { agent: by.clone(), task: Some(id), stage: Stage::Merge, holder: dead(log).into() };
        let claim = log.submit(&by, &wish).unwrap().id();
        let fence = git.fence("main").unwrap();
        let set = git.set_fence("main", fence.as_deref(), &claim.to_string()).unwrap();
        assert!(!matches!(set, FenceSet::Moved { .. }));
        let old_tip = git.tip("main").unwrap().unwrap();
        let work = team.queue().get_task(&"work".parse().unwrap()).unwrap().commit.unwrap();
        let bench = MergeWorktree::open(&git, 0).unwrap();
        let rebased = bench.rebase(&claim.to_string(), &old_tip, &work.commit).unwrap();
        let candidate = match rebased {
            Rebased::Candidate(candidate) => Some(candidate),
            Rebased::AlreadyThere | Rebased::Conflict(_) => None,
        };
        let commit = candidate.expect("it fits").commit;
        let intent = MergeIntended { claim, commit, old_tip, branch: "main".into() };
        log.submit(&by, &intent.clone().into()).unwrap();
        Self { project, team, git, intent }
    }

    /// Runs the team again: the work must be on the target once.
    async fn merges_once(&self) {
        let report = self.team.run(Some(LONG)).await.unwrap();
        assert_eq!(report.outcome, RunOutcome::Completed, "{:?}", report.status);
        assert_eq!(self.project.merges_of("main", "work"), 1);
        assert_eq!((self.project.read("new"), self.project.changes()), ("x\n".into(), String::new()));
    }
}

/// A holder whose process is gone.
fn dead(log: &TeamLog) -> Holder {
    let (_, known) = log.presence().unwrap().unwrap();
    let process = ProcessId {
        machine: known.machine,
        boot: known.boot,
        namespace: known.pid_namespace,
        pid: known.pid,
        start: known.start,
    };
    let presence = Some("process-that-is-gone".to_owned());
    Holder { process: Some(process), presence, lease_ms: None, orchestrated: true }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_merger_that_died_before_it_landed_is_fenced_off_and_the_work_merged_by_the_next() {
    let dead = DeadMerger::new().await;
    dead.merges_once().await;
    let late = dead.git.land(&Intent {
        target: "main",
        fence: &dead.intent.claim.to_string(),
        branch: "main",
        old: &dead.intent.old_tip,
        new: &dead.intent.commit,
        checkout: None,
    });
    assert!(!matches!(late.unwrap(), Landed::Landed { .. }), "it slept only, and lands too late");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_merger_that_died_after_it_landed_is_recorded_and_not_repeated() {
    let dead = DeadMerger::new().await;
    let root = dead.project.root();
    let landed = dead.git.land(&Intent {
        target: "main",
        fence: &dead.intent.claim.to_string(),
        branch: "main",
        old: &dead.intent.old_tip,
        new: &dead.intent.commit,
        checkout: Some(&root),
    });
    assert!(matches!(landed.unwrap(), Landed::Landed { .. }));
    dead.merges_once().await;
    assert_eq!(dead.git.tip("main").unwrap().unwrap(), dead.intent.commit);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_merger_that_died_before_the_checkout_followed_leaves_it_to_the_next() {
    let dead = DeadMerger::new().await;
    dead.project.git(&["update-ref", "refs/heads/main", &dead.intent.commit]);
    dead.merges_once().await;
}

/// An attempt that was cut off after its last turn, before its result was delivered, ends without asking again.
#[tokio::test]
async fn an_attempt_that_was_done_but_not_delivered_is_delivered_without_another_call() {
    let ends = [
        (finishes("All done."), Ok("All done.")),
        (json!({"text": "Nothing was to be done."}), Ok("Nothing was to be done.")),
        (
            json!({"tool_calls": [{"name": "give_up", "input": {"reason": "It cannot be."}}]}),
            Err("the agent gave up: It cannot be."),
        ),
    ];
    for (last, expected) in ends {
        for lines_lost in 0..=2 {
            let model = Remembering::new(script(&[attempt("work", 1, &[writes("a", "x\n"), last.clone()])]));
            let attempt = Interrupted::new();
            let agent = ModelAgent::new(model.clone());
            attempt.go_on(&agent).await.ok();
            attempt.lose_lines(lines_lost);
            let outcome = attempt.go_on(&agent).await;
            assert_eq!(outcome.as_deref().map_err(String::as_str), expected, "{lines_lost} lines were lost");
            assert_eq!(model.asked().len(), 2, "{lines_lost} lines were lost");
        }
    }
}

/// One attempt, which may be gone on with as after a crash.
struct Interrupted {
    folder: tempfile::TempDir,
    context: Context,
    assignment: Assignment,
}

impl Interrupted {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let queue = TaskQueue::in_memory().unwrap();
        let worker: AgentId = "worker-1".parse().unwrap();
        queue.add_task(task("work")).unwrap();
        let claimed = queue.claim_task(&worker).unwrap().unwrap();
        let workspace = folder.path().join("workspace");
        std::fs::create_dir(&workspace).unwrap();
        let context = Context {
            agent: worker,
            role: Role::Worker,
            token: claimed.token,
            bus: agent_team::MessageBus::over(queue.team_log().clone()),
            queue,
            workspace: Some(workspace),
            attempt_folder: Some(folder.path().join("attempt")),
            environment: agent_team::command::Environment::of_this_process(),
            stop: tokio_util::sync::CancellationToken::new(),
            activity: agent_team::agent::Activity::default(),
        };
        let assignment = Assignment {
            is_ours: false,
            asked_by: None,
            id: claimed.task.id,
            title: "Work".into(),
            description: "Work".into(),
            stage: Stage::Work,
            attempt: 1,
            resumes: None,
            left_off: None,
            check: None,
            dependencies: Vec::new(),
            handoff: None,
            setbacks: Vec::new(),
            delivered: None,
            note: None,
            notes: Vec::new(),
            plan: None,
            lacks_plan: false,
            refute: false,
            delegated: false,
            team: None,
        };
        Self { folder, context, assignment }
    }

    async fn go_on(&self, agent: &ModelAgent) -> Result<String, String> {
        let answer = agent.execute_task(&self.assignment, &self.context).await;
        answer.map(|answer| answer.text).map_err(|error| error.to_string())
    }

    /// The journal as it was before the last so many answers of the model.
    fn lose_answers(&self, count: usize) {
        let path = self.folder.path().join("attempt/transcript.jsonl");
        let text = std::fs::read_to_string(&path).unwrap();
        let lines: Vec<&str> = text.lines().collect();
        let answers = lines.iter().enumerate().filter(|(_, line)| line.contains(r#""type":"answered""#));
        let places: Vec<usize> = answers.map(|(place, _)| place).collect();
        let end = if count == 0 { lines.len() } else { places[places.len() - count] };
        std::fs::write(&path, lines[..end].join("\n") + "\n").unwrap();
    }

    /// The journal as it was a few lines earlier, but never before the model's last answer.
    fn lose_lines(&self, count: usize) {
        let path = self.folder.path().join("attempt/transcript.jsonl");
        let text = std::fs::read_to_string(&path).unwrap();
        let mut lines: Vec<&str> = text.lines().collect();
        for _ in 0..count {
            if !lines.last().unwrap().contains(r#""type":"answered""#) {
                lines.pop();
            }
        }
        std::fs::write(&path, lines.join("\n") + "\n").unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_scripted_turn_whose_call_was_interrupted_is_said_again() {
    let model = Remembering::new(script(&[attempt("work", 1, &[writes("a", "x\n"), finishes("Done.")])]));
    let attempt = Interrupted::new();
    let agent = ModelAgent::new(model.clone());
    attempt.go_on(&agent).await.unwrap();
    let path = attempt.folder.path().join("attempt/transcript.jsonl");
    let text = std::fs::read_to_string(&path).unwrap();
    let first_answer: Vec<&str> = text.lines().take(3).collect();
    assert!(first_answer[2].contains("answered"), "{first_answer:?}");
    std::fs::write(&path, first_answer.join("\n") + "\n").unwrap();
    let written = attempt.folder.path().join("workspace/a");
    std::fs::remove_file(&written).unwrap();

    assert_eq!(attempt.go_on(&agent).await.as_deref(), Ok("Done."));
    assert_eq!(std::fs::read_to_string(written).unwrap(), "x\n");
}

/// Wherever an attempt is cut off that was compacted, it goes on from the compacted conversation.
#[tokio::test(flavor = "multi_thread")]
async fn an_attempt_that_was_compacted_goes_on_from_there_and_pays_for_no_second_account() {
    // No command, since what is said of one has its time in it; and nothing that says something else the second time.
    let reads = json!({"tool_calls": [{"name": "read", "input": {"path": "a"}}]});
    let mut long = writes("c", "x\n");
    long["usage"] = json!({"input_tokens": 9_000});
    let rules = [
        json!({"when": {"contains": "Write your account"}, "give": {"text": "I wrote a, for a reason."}}),
        attempt("work", 1, &[writes("a", "x\n"), writes("b", "x\n"), long, reads, finishes("Done.")]),
    ];
    let whole = {
        let attempt = Interrupted::new();
        let model = Remembering::new(script(&rules));
        attempt.go_on(&ModelAgent::new(model.clone()).context_tokens(8_000)).await.unwrap();
        assert_eq!(model.asked().len(), 6);
        model.asked()
    };
    for answers_lost in 0..=2 {
        let model = Remembering::new(script(&rules));
        let agent = ModelAgent::new(model.clone()).context_tokens(8_000);
        let attempt = Interrupted::new();
        attempt.go_on(&agent).await.unwrap();
        attempt.lose_answers(answers_lost);
        assert_eq!(attempt.go_on(&agent).await.as_deref(), Ok("Done."));
        let again = &model.asked()[6..];
        assert_eq!(again.len(), answers_lost, "{answers_lost} answers were lost");
        for (again, before) in again.iter().zip(&whole[6 - answers_lost..]) {
            assert_eq!(again.messages, before.messages, "the conversation is the same");
            assert_eq!(again.caller, before.caller);
        }
    }
}
