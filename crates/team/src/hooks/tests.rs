use std::sync::Mutex;

use super::*;
use crate::agent::llm_fn;
use crate::{AgentId, ClaimOptions, Error, MessageBus, NewTask, Role, Status, TaskQueue, TeamLog, Teammate};

/// A team with hooks, in a folder of its own, and what was noted.
struct Team {
    folder: tempfile::TempDir,
    queue: TaskQueue,
    notes: Arc<Mutex<Vec<String>>>,
}

impl Team {
    /// A team in which nobody waits for long until it asks again for what it was kept from.
    fn with(commands: HookCommands) -> Self {
        Self::waiting(commands, Duration::from_millis(1))
    }

    fn waiting(commands: HookCommands, first_wait: Duration) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let team_folder = TeamFolder::of(folder.path());
        let team_log = TeamLog::open_or_create(&team_folder, crate::Durability::Process).unwrap();
        let notes = Arc::<Mutex<Vec<String>>>::default();
        let kept = notes.clone();
        let reporter = Reporter::to(move |progress| {
            if let Progress::Note(text) = progress {
                kept.lock().unwrap().push(text);
            }
        });
        team_log.set_hooks(Hooks(Arc::new(Shared {
            commands,
            folder: team_folder,
            environment: Environment::of_this_process(),
            reporter,
            presence: OnceLock::new(),
            blocks: Blocks::waiting(first_wait),
        })));
        Self { folder, queue: TaskQueue::over(team_log), notes }
    }

    fn read(&self, file: &str) -> String {
        std::fs::read_to_string(self.folder.path().join(file)).unwrap_or_default()
    }

    fn notes(&self) -> Vec<String> {
        self.notes.lock().unwrap().clone()
    }
}

fn says(hook: Hook, command: impl Into<String>) -> HookCommands {
    let command = Some(command.into());
    let mut commands = HookCommands::default();
    match hook {
        Hook::TaskAdded => commands.task_added = command,
        Hook::TaskClaimed => commands.task_claimed = command,
        Hook::TaskCompleted => commands.task_completed = command,
        Hook::TaskFailed => commands.task_failed = command,
        Hook::AgentIdle => commands.agent_idle = command,
        Hook::BeforeMerge => commands.before_merge = command,
        Hook::PlanSubmitted => commands.plan_submitted = command,
        Hook::PlanJudged => commands.plan_judged = command,
    }
    commands
}

fn worker(number: u32) -> AgentId {
    format!("worker-{number}").parse().unwrap()
}

#[test]
fn exit_code_0_lets_pass_2_says_no_and_what_goes_wrong_is_noted_on_one_line() {
    for (command, words) in [
        ("exit 0", None),
        ("echo 'one reason'; echo 'and one more' >&2; exit 2", Some("one reason\nand one more")),
        ("exit 2", Some("it gave no reason")),
    ] {
        let team = Team::with(says(Hook::TaskAdded, command));
        match (team.queue.add_task("Write it"), words) {
            (Ok(_), None) => assert_eq!(team.queue.get_status().unwrap().counts.total, 1),
            (Err(Error::Blocked(blocked)), Some(words)) => {
                assert_eq!((blocked.hook, blocked.feedback.as_str()), (Hook::TaskAdded, words));
                assert_eq!(team.queue.get_status().unwrap().counts.total, 0);
            }
            other => panic!("{command}: {other:?}"),
        }
        assert_eq!(team.notes(), Vec::<String>::new(), "{command}");
    }
    for (command, words) in [
        ("echo a; echo b; exit 7", "ERROR the hook task_added is passed over: exit code 7: b"),
        ("kill -9 $$", "ERROR the hook task_added is passed over: killed by signal 9"),
        ("./not-here", "exit code 127"),
    ] {
        let team = Team::with(says(Hook::TaskAdded, command));
        team.queue.add_task("Write it").unwrap();
        let notes = team.notes();
        assert!(notes.len() == 1 && notes[0].contains(words) && !notes[0].contains('\n'), "{notes:?}");
    }
}

#[test]
fn a_hook_that_hangs_is_ended_and_passed_over() {
    let limit = Duration::from_millis(50);
    let hangs = HookCommands { time_limit: Some(limit), ..says(Hook::TaskAdded, "sleep 1000") };
    let team = Team::with(hangs);
    team.queue.add_task("Write it").unwrap();
    assert_eq!(
        team.notes(),
        ["ERROR the hook task_added is passed over: ended: over its time limit"],
        "its group is gone, so this test ends"
    );
}

#[test]
fn a_hook_is_told_what_happens_and_may_leave_any_of_it_unread() {
    let team = Team::with(says(
        Hook::TaskAdded,
        "head -c 20 > seen; echo $AGENT_TEAM_TASK-$AGENT_TEAM_HOOK > named",
    ));
    let long = "A long story. ".repeat(100_000);
    team.queue.add_task(NewTask::new("Write it").id("write").description(long)).unwrap();
    assert_eq!(
        (team.read("seen").as_str(), team.read("named").as_str()),
        ("{\"event\":\"task_added", "write-task_added\n")
    );
    let left: Vec<_> = std::fs::read_dir(team.folder.path().join(".agent-team/hooks")).unwrap().collect();
    assert!(left.is_empty(), "outputs do not pile up: {left:?}");
}

#[test]
fn nobody_is_asked_about_a_task_that_cannot_be_added() {
    let team = Team::with(says(Hook::TaskAdded, "echo asked >> asked"));
    let missing = team.queue.add_task(NewTask::new("Write it").after("nothing")).unwrap_err();
    assert!(missing.refusal().is_some(), "{missing}");
    assert_eq!(team.read("asked"), "");
    team.queue.add_tasks(&AgentId::human(), &["One".into(), "Two".into()]).unwrap();
    assert_eq!(team.read("asked"), "asked\nasked\n");
}

#[test]
fn an_agent_that_is_kept_from_a_task_gets_the_next_one_and_another_agent_gets_it() {
    let no = "test $AGENT_TEAM_AGENT-$AGENT_TEAM_TASK != worker-1-first || { echo 'not you'; exit 2; }";
    // However slow the machine is, nobody asks a second time.
    let team = Team::waiting(says(Hook::TaskClaimed, no), Duration::from_secs(3600));
    team.queue.add_task(NewTask::new("First").id("first").priority(1)).unwrap();
    team.queue.add_task(NewTask::new("Second").id("second")).unwrap();
    let claim = |number| team.queue.claim_task(&worker(number)).unwrap().unwrap().task;
    assert_eq!(claim(1).id.as_str(), "second");
    let first = claim(2);
    assert_eq!(
        (first.id.as_str(), first.claims.len()),
        ("first", 1),
        "the claim that was given back is listed"
    );
    team.queue.fail_task(&first.id, &worker(2), "too hard").unwrap();
    assert_eq!(
        team.queue.get_task(&first.id).unwrap().feedback.len(),
        1,
        "to be kept from a task is no failed attempt"
    );
}

#[test]
fn one_that_is_kept_from_all_there_is_is_told_why() {
    let team = Team::with(says(Hook::TaskClaimed, "echo 'not at night'; exit 2"));
    team.queue.add_task("First").unwrap();
    match team.queue.claim(&worker(1), &ClaimOptions::default()) {
        Err(Error::Blocked(blocked)) => assert_eq!(blocked.feedback, "not at night"),
        other => panic!("{other:?}"),
    }
    assert_eq!(team.queue.list_tasks().unwrap()[0].status, Status::Ready);
}

#[tokio::test]
async fn whoever_waits_gets_the_task_as_soon_as_the_hook_has_nothing_against_it() {
    let team =
        Team::with(says(Hook::TaskClaimed, "echo asked >> asked; test $(wc -l < asked) -gt 3 || exit 2"));
    team.queue.add_task("First").unwrap();
    let waited = team.queue.claim_when_ready(&worker(1), &ClaimOptions::default(), None).await.unwrap();
    assert!(matches!(waited, crate::Waited::Claimed(_)), "{waited:?}");
    assert_eq!(team.read("asked").lines().count(), 4);
    assert_eq!(team.notes().len(), 1, "it is said once: {:?}", team.notes());
}

#[tokio::test]
async fn a_teammate_that_is_always_kept_from_what_is_left_leaves_instead_of_asking_for_ever() {
    let team = Team::with(says(Hook::TaskClaimed, "echo never; exit 2"));
    team.queue.add_task("First").unwrap();
    let bus = MessageBus::over(team.queue.team_log().clone());
    let echo = llm_fn(async |prompt: String| Ok::<_, std::convert::Infallible>(prompt));
    let mut mate = Teammate::new(worker(1), Role::Worker, team.queue.clone(), bus, echo);
    mate.stays = true;
    team.queue.join_as_worker(&worker(1), "test").unwrap();
    assert_eq!(mate.run_loop(None).await.unwrap(), 0);
    let told = team.queue.list_tasks().unwrap();
    assert_eq!((told[0].status, told[0].feedback.len()), (Status::Ready, 0));
    assert_eq!(team.notes().len(), 1, "it is said once");
}

#[tokio::test]
async fn agents_that_are_kept_from_the_same_tasks_ask_no_more_often_for_that() {
    let team = Team::with(says(Hook::TaskClaimed, "echo asked >> asked; exit 2"));
    team.queue.add_tasks(&AgentId::human(), &[NewTask::new("First"), NewTask::new("Second")]).unwrap();
    let bus = MessageBus::over(team.queue.team_log().clone());
    let echo = llm_fn(async |prompt: String| Ok::<_, std::convert::Infallible>(prompt));
    let mates = [1, 2].map(|number| {
        team.queue.join_as_worker(&worker(number), "test").unwrap();
        let mut mate =
            Teammate::new(worker(number), Role::Worker, team.queue.clone(), bus.clone(), echo.clone());
        mate.stays = true;
        mate
    });
    let done = tokio::join!(mates[0].run_loop(None), mates[1].run_loop(None));
    assert_eq!((done.0.unwrap(), done.1.unwrap()), (0, 0), "they leave");
    // While one is asked about the other does not see the task, so it may ask for one or the other a few times more.
    let asked = team.read("asked").lines().count();
    assert!((20..60).contains(&asked), "{asked} times for 2 agents, 2 tasks and 5 tries");
}

#[test]
fn a_result_that_the_hook_refuses_is_not_delivered_and_the_claim_stays() {
    let no = "grep -q tested || { echo 'say how it was tested'; exit 2; }";
    let team = Team::with(says(Hook::TaskCompleted, no));
    let id = team.queue.add_task("Write it").unwrap();
    team.queue.claim_task(&worker(1)).unwrap().unwrap();
    let refused = team.queue.complete_task(&id, &worker(1), "done").unwrap_err();
    assert!(refused.to_string().ends_with("says no to task `t1`: say how it was tested"), "{refused}");
    assert_eq!(team.queue.get_task(&id).unwrap().status, Status::Running);
    team.queue.complete_task(&id, &worker(1), "done, and tested").unwrap();
    assert_eq!(team.queue.get_task(&id).unwrap().status, Status::Completed);
}

#[test]
fn a_failed_attempt_is_told_once_and_a_no_changes_nothing() {
    let team =
        Team::with(says(Hook::TaskFailed, "cat >> told; echo >> told; echo 'try the other door'; exit 2"));
    let id = team.queue.add_task(NewTask::new("Write it").attempts(1)).unwrap();
    team.queue.claim_task(&worker(1)).unwrap().unwrap();
    team.queue.fail_task(&id, &worker(1), "it is locked").unwrap();
    assert_eq!(team.queue.get_task(&id).unwrap().status, Status::Failed);
    let told: serde_json::Value = serde_json::from_str(&team.read("told")).unwrap();
    assert_eq!(
        (&told["error"], &told["cause"], &told["task"]["status"]),
        (&"it is locked".into(), &"error".into(), &"failed".into())
    );
    assert_eq!(team.notes(), ["the hook task_failed says of t1: try the other door"]);
}

#[test]
fn one_who_finds_nothing_to_do_gets_what_the_hook_says_as_a_message() {
    let team = Team::with(says(Hook::AgentIdle, "echo \"$AGENT_TEAM_AGENT, tidy up\"; exit 2"));
    team.queue.join_as_worker(&worker(1), "test").unwrap();
    assert!(team.queue.claim_task(&worker(1)).unwrap().is_none());
    let messages = MessageBus::over(team.queue.team_log().clone()).receive(&worker(1), 0).unwrap();
    assert_eq!(
        messages.iter().map(|message| message.text.as_str()).collect::<Vec<_>>(),
        ["worker-1, tidy up"]
    );
}

#[test]
fn the_files_of_the_commands_are_known() {
    let commands = HookCommands {
        task_added: Some("./hooks/added --fast".into()),
        task_failed: Some("python3 hooks/failed.py".into()),
        task_completed: Some("/usr/bin/logger done".into()),
        agent_idle: Some("../outside/idle".into()),
        before_merge: Some("git show | grep FIXME".into()),
        ..HookCommands::default()
    };
    assert_eq!(commands.files(), ["/hooks/added", "/hooks/failed.py"]);
}

#[test]
fn a_line_that_is_too_long_for_feedback_lies_whole_beside_the_log() {
    let line = "head -c 300000 /dev/zero | tr '\\0' y";
    for (exit, files) in [(2, 1), (0, 0)] {
        let team = Team::with(says(Hook::TaskAdded, format!("{line}; exit {exit}")));
        let added = team.queue.add_task("A task");
        let folder = team.folder.path().join(".agent-team/hooks");
        let kept: Vec<_> = std::fs::read_dir(&folder).unwrap().map(|file| file.unwrap().path()).collect();
        assert_eq!(kept.len(), files, "exit code {exit}: {kept:?}");
        if let [whole] = kept.as_slice() {
            assert_eq!(std::fs::metadata(whole).unwrap().len(), 300_000);
            let said = added.unwrap_err().to_string();
            assert!(said.contains("more bytes]") && said.contains(whole.to_str().unwrap()), "{said}");
        }
    }
}
