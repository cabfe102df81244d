//! Steering from the command line: pause and stop, hand over, change, plans, questions, notes, reservations, budgets.

use std::io::{BufRead, BufReader};
use std::process::Stdio;

use crate::support::Team;

fn token(team: &Team, agent: &str) -> String {
    team.json(["claim", "--as", agent])["token"].as_str().unwrap().to_owned()
}

#[test]
fn agents_and_the_team_are_paused_stopped_and_let_go_on() {
    let team = Team::new();
    team.ok(["add", "A", "--id", "a"]);
    team.ok(["join", "--as", "w1"]);
    assert_eq!(team.ok(["pause", "w1", "--reason", "lunch"]), "w1 paused\n");
    assert_eq!(team.ok(["pause", "w1"]), "w1 was paused already\n");
    team.run(["claim", "--as", "w1"]).failed(3, "w1 is paused");
    let status = team.json(["status"]);
    assert_eq!((&status["paused"][0][0], &status["paused"][0][1]), (&"w1".into(), &"lunch".into()));
    assert!(team.ok(["status"]).contains("paused"), "{}", team.ok(["status"]));
    team.ok(["resume", "w1"]);
    let token = token(&team, "w1");
    assert_eq!(team.ok(["stop", "w1"]), "w1 stopped\n");
    team.run(["complete", "a", "--as", "w1", "--token", &token, "--result", "done"]).failed(3, "has ended");
    team.ok(["resume", "w1"]);
    team.ok(["pause"]);
    team.run(["claim", "--as", "w2"]).failed(3, "the team is paused");
    assert!(team.ok(["show", "a"]).contains("the team to be resumed"));
    assert_eq!(team.json(["resume"])["paused"].as_array().unwrap().len(), 0);
    team.run(["pause", "nobody"]).failed(3, "there is no agent `nobody`");
    let log = team.ok(["log", "--kind", "pause_set"]);
    assert!(log.contains("w1 paused: lunch") && log.contains("the team resumed"), "{log}");
}

#[test]
fn whoever_is_stopped_is_told_apart_from_whoever_is_paused() {
    let team = Team::new();
    team.ok(["join", "--as", "w1"]);
    team.ok(["join", "--as", "w2"]);
    team.ok(["pause", "w1", "--reason", "lunch"]);
    team.ok(["stop", "w2", "--reason", "It deletes tests"]);
    let status = team.ok(["status"]);
    assert!(status.contains("stopped: It deletes tests; agent-team resume w2 lets it go on"), "{status}");
    assert!(status.contains("paused  w1: lunch") && !status.contains("paused  w2"), "{status}");
    let stopped = team.json(["stop", "w2"]);
    let w2 = serde_json::json!({"stopped": [{"agent": "w2", "reason": "It deletes tests"}], "changed": []});
    assert_eq!(stopped, w2, "who is only paused is not among them");
    assert_eq!(team.json(["pause", "w1"])["paused"].as_array().unwrap().len(), 2);
    let log = team.ok(["log", "--kind", "pause_set"]);
    assert!(log.contains("w1 paused: lunch") && log.contains("w2 stopped: It deletes tests"), "{log}");
    let doing = team.json(["status"])["doing"].clone();
    assert_eq!((&doing[0]["doing"], &doing[1]["doing"]), (&"paused".into(), &"stopped".into()), "{doing}");
    assert_eq!(team.ok(["stop", "w1"]), "w1 stopped\n", "who is only paused is not stopped yet");
    team.ok(["resume", "w1", "w2"]);
    team.ok(["pause", "w2"]);
    assert_eq!(team.json(["status"])["doing"][1]["doing"], "paused");
}

#[test]
fn agents_of_a_run_that_was_killed_are_gone() {
    let team = Team::new();
    team.ok(["join", "--as", "shell-1"]);
    let script = r#"{"rules": [{"give": {"text": "Done.", "delay_ms": 600000}}]}"#;
    std::fs::write(team.path().join("slow.json"), script).unwrap();
    let run = ["run", "Say it", "--agents", "2", "--with", "script:slow.json"];
    let mut run = team.command(run).stderr(Stdio::piped()).stdout(Stdio::null()).spawn().unwrap();
    let mut lines = BufReader::new(run.stderr.take().unwrap()).lines().map_while(Result::ok);
    assert!(lines.any(|line| line.contains(" begins ")), "it began to work");
    let doing = |team: &Team| team.json(["status"])["doing"].clone();
    let alive = doing(&team);
    run.kill().unwrap();
    run.wait().unwrap();
    assert!(!alive.to_string().contains("gone"), "{alive}");
    let dead = doing(&team);
    let of =
        |name: &str| dead.as_array().unwrap().iter().find(|state| state["agent"] == name).unwrap().clone();
    for name in ["lead-1", "worker-1"] {
        assert_eq!(of(name)["doing"], "gone", "{dead}");
        assert_eq!(of(name)["words"], "gone: no run is alive; agent-team run goes on");
    }
    assert_eq!(of("shell-1")["doing"], "idle", "nobody runs who works from a shell");

    team.ok(["pause", "worker-1", "--reason", "lunch"]);
    team.ok(["pause"]);
    let status = team.ok(["status"]);
    let line = |words: &str| status.lines().find(|line| line.starts_with(words)).unwrap_or_default();
    assert!(line("paused  the team").ends_with("  agent-team resume"), "{status}");
    assert!(line("paused  worker-1: lunch").ends_with("  agent-team resume worker-1"), "{status}");
    assert!(line("agent  worker-1").contains("agent-team run goes on, once it is resumed"), "{status}");
    let pauses = team.json(["status"])["pauses"].clone();
    assert_eq!((&pauses[0]["agent"], &pauses[0]["remedy"]), (&().into(), &"agent-team resume".into()));
    assert_eq!(
        (&pauses[1]["agent"], &pauses[1]["reason"], &pauses[1]["remedy"]),
        (&"worker-1".into(), &"lunch".into(), &"agent-team resume worker-1".into())
    );
}

#[test]
fn whoever_is_not_in_the_team_is_not_steered_and_those_who_are_get_named() {
    let team = Team::new();
    team.ok(["add", "A", "--id", "a"]);
    team.ok(["join", "--as", "worker-1"]);
    let steered: [&[&str]; 6] = [
        &["interrupt", "worker-2", "x"],
        &["stop", "worker-2"],
        &["stop", "worker-1", "worker-2"],
        &["pause", "worker-2"],
        &["reassign", "a", "--to", "worker-2"],
        &["agent", "drop", "worker-2"],
    ];
    for arguments in steered {
        let ran = team.run(arguments);
        assert!(ran.stderr.contains("hint: in the team are worker-1"), "{ran:?}");
        ran.failed(3, "there is no agent `worker-2`");
    }
    assert_eq!(team.json(["status"])["paused"].as_array().unwrap().len(), 0, "all of them or none");
    assert_eq!(team.ok(["inbox", "--as", "worker-2"]), "");
}

#[test]
fn a_task_is_handed_over_and_changed() {
    let team = Team::new();
    team.ok(["add", "A", "--id", "a"]);
    let token = token(&team, "w1");
    team.run(["reassign", "a"]).failed(2, "--to");
    team.run(["reassign", "a", "--to", "w2"]).failed(3, "there is no agent `w2`");
    team.ok(["join", "--as", "w2"]);
    assert!(team.ok(["reassign", "a", "--to", "w2"]).contains("ready"));
    team.run(["renew", "a", "--as", "w1", "--token", &token]).failed(3, "was given to another agent");
    team.run(["claim", "--as", "w1"]).failed(3, "nothing fits w1");
    team.ok(["reassign", "a", "--to-anyone"]);
    team.ok(["set", "a", "--priority", "7", "--title", "B"]);
    let shown = team.json(["show", "a"]);
    assert_eq!((&shown["priority"], &shown["title"]), (&7.into(), &"B".into()));
    team.run(["set", "a"]).failed(2, "say what is to change");
}

#[test]
fn a_task_for_somebody_who_can_never_take_it_is_named_with_what_to_do() {
    let team = Team::new();
    team.ok(["add", "A", "--id", "a", "--role", "reviewer"]);
    team.ok(["add", "B", "--id", "b"]);
    team.ok(["join", "--as", "w1"]);
    team.ok(["join", "--as", "w2"]);
    let refused = "w1 may not take the work stage of task `a`: it wants a reviewer";
    team.run(["reassign", "a", "--to", "w1"]).failed(3, refused);
    team.ok(["reassign", "b", "--to", "w2"]);
    team.ok(["leave", "--as", "w2"]);
    team.run(["reassign", "b", "--to", "w2"]).failed(3, "there is no agent `w2`");
    let status = team.ok(["status"]);
    assert!(status.contains("waits for w2, who has left the team"), "{status}");
    assert!(status.contains("agent-team reassign b --to AGENT, or --to-anyone"), "{status}");
    let stuck = team.json(["status"])["stuck"].clone();
    assert_eq!((&stuck[0]["task"], &stuck[1]["task"]), (&"a".into(), &"b".into()), "{stuck}");
    assert_eq!(stuck[0]["remedy"], "add one: agent-team agent add NAME --role reviewer");
    team.ok(["reassign", "b", "--to-anyone"]);
    team.ok(["agent", "add", "critic", "--role", "reviewer"]);
    assert_eq!(team.json(["status"])["stuck"].as_array().unwrap().len(), 0);
}

#[test]
fn a_plan_is_approved_by_somebody_else_before_anything_is_delivered() {
    let team = Team::new();
    team.ok(["add", "A", "--id", "a", "--plan"]);
    let token = token(&team, "w1");
    let complete = ["complete", "a", "--as", "w1", "--token", &token, "--result", "done"];
    team.run(complete).failed(3, "the plan for task `a` is not approved");
    team.run(["plan", "show", "a"]).failed(3, "there is no plan");
    team.ok(["plan", "submit", "a", "Change one line.", "--as", "w1", "--token", &token]);
    assert!(team.ok(["plan", "list"]).contains("Change one line."));
    assert!(team.ok(["show", "a"]).contains("the human to approve the plan of w1"));
    team.run(["plan", "approve", "a", "--as", "w1"]).failed(3, "may not judge the plan");
    let plan = team.json(["plan", "show", "a"]);
    let (id, hash) = (plan["plan"]["id"].as_str().unwrap().to_owned(), plan["plan"]["hash"].clone());
    assert_eq!(hash.as_str().unwrap().len(), 64);
    team.ok(["plan", "reject", "a", "Two lines."]);
    team.run(["plan", "approve", "a"]).failed(3, "no such plan waits");
    team.ok(["plan", "submit", "a", "Change two lines.", "--as", "w1", "--token", &token]);
    team.run(["plan", "approve", "a", "--plan", &id]).failed(3, "no such plan waits");
    team.run(["plan", "approve", "a"]).failed(3, "say that it is the one you have read");
    team.run(["plan", "approve", "a", "--plan", "1"])
        .failed(3, "plan 2 of task `a` waits by now, not plan 1");
    team.run(["plan", "approve", "a", "--plan", "x"]).failed(2, "by its number or its id");
    assert!(team.ok(["plan", "show", "a"]).contains("agent-team plan approve a --plan 2"));
    assert!(team.ok(["plan", "approve", "a", "Go.", "--plan", "2"]).contains("approved by human"));
    team.ok(complete);
    assert_eq!(team.json(["show", "a"])["status"], "completed");
}

#[test]
fn several_reviewers_must_approve_and_the_human_decides_after_the_last_round() {
    let team = Team::new();
    for critic in ["ann", "bob"] {
        team.ok(["join", "--as", critic, "--role", "reviewer"]);
    }
    let reviews = ["--reviews", "2", "--review-rounds", "1", "--refute"];
    team.ok([&["add", "A", "--id", "a", "--backoff", "0s"][..], &reviews].concat());
    let deliver = || {
        let token = token(&team, "w1");
        team.ok(["complete", "a", "--as", "w1", "--token", &token, "--result", "done"]);
    };
    deliver();
    team.ok(["review", "a", "--as", "ann", "--approve"]);
    team.run(["review", "a", "--as", "ann", "--approve"]).failed(3, "it has approved this already");
    assert_eq!(team.json(["show", "a"])["approvals"][0], "ann");
    for arguments in [&["show", "a"][..], &["list"], &["review", "a"]] {
        let shown = team.ok(arguments);
        assert!(shown.contains("1 of 2 approved (ann), round 1 of 1, reviewers try to refute it"), "{shown}");
    }
    let shown = team.json(["show", "a"]);
    let review =
        ["reviews", "review_rounds", "review_rounds_max", "refute"].map(|field| shown[field].clone());
    assert_eq!(serde_json::json!(review), serde_json::json!([2, 0, 1, true]));
    team.ok(["review", "a", "--as", "bob", "--reject", "No tests."]);
    assert!(team.ok(["show", "a"]).contains("attempt 1 by w1: review by bob"), "{}", team.ok(["show", "a"]));
    deliver();
    let again = ["review", "a", "--as", "bob", "--approve", "--attempt", "2"];
    team.run(again).failed(3, "the human must judge it");
    let shown = team.ok(["show", "a"]);
    assert!(shown.contains("0 of 2 approved, sent back 1 of 1 times: the human judges"), "{shown}");
    team.ok(["review", "a", "--reject", "Still none."]);
    deliver();
    let shown = team.ok(["show", "a"]);
    assert!(
        shown.contains("0 of 2 approved, sent back 2 times, 1 by reviewers: the human judges"),
        "{shown}"
    );
    team.ok(["review", "a", "--approve", "--attempt", "3"]);
    assert_eq!(team.json(["show", "a"])["status"], "completed");
}

#[test]
fn more_attempts_than_may_fail_are_told_as_such_and_counted_with_the_budget_of_their_task() {
    let team = Team::new();
    team.ok(["add", "A", "--id", "a", "--attempts", "1", "--reviews", "1", "--backoff", "0s"]);
    for number in 1..=2 {
        let token = token(&team, "w1");
        team.ok(["complete", "a", "--as", "w1", "--token", &token, "--result", "done"]);
        let shown = team.ok(["show", "a"]);
        let expected = ["attempt    1 of 1", "attempt    2 (failures allowed: 1)"][number - 1];
        assert!(shown.contains(expected), "{shown}");
        team.ok(["review", "a", "--reject", "No."]);
    }
    team.ok(["budget", "task:a", "--turns", "5"]);
    assert!(team.ok(["budget", "task:a"]).contains("2 attempts"));
}

#[test]
fn a_question_is_listed_and_answered_and_what_is_urgent_is_marked() {
    let team = Team::new();
    team.ok(["join", "--as", "w1"]);
    assert_eq!(team.ok(["answer"]), "");
    let question = team.ok(["send", "human", "Tabs or spaces?", "--from", "w1", "--ask"]);
    let question = question.trim();
    assert!(team.ok(["answer"]).contains("w1 asks human"));
    assert_eq!(team.json(["status"])["questions"][0], question);
    team.run(["answer", "zzz", "Spaces."]).failed(3, "no open question");
    for somebody in ["w1", "ghost", "orchestrator"] {
        let ran = team.run(["answer", question, "Tabs.", "--as", somebody]);
        ran.failed(3, &format!("is not open, or not for {somebody}"));
    }
    team.ok(["answer", &question[..30], "Spaces."]);
    team.run(["answer", question, "Tabs."]).failed(3, "has been answered");
    team.run(["answer", "--it", "Tabs."]).failed(3, "no question is open");
    team.ok(["interrupt", "w1", "Stop that."]);
    let inbox = team.json(["inbox", "--as", "w1"]);
    assert_eq!((&inbox[0]["reply_to"], &inbox[0]["text"]), (&question.into(), &"Spaces.".into()));
    assert_eq!((&inbox[1]["urgent"], &inbox[1]["text"]), (&true.into(), &"Stop that.".into()));
    let ran = team.run(["say", "w9", "Hello."]);
    assert!(ran.code == 0 && ran.stderr.contains("nobody called w9"), "{ran:?}");
    let ran = team.run(["say", "role:specialist", "Hello."]);
    assert!(ran.code == 0 && ran.stderr.contains("WARNING no specialist is in the team now"), "{ran:?}");
    assert_eq!(team.run(["say", "role:worker", "Hello."]).stderr, "");
}

#[test]
fn what_is_said_in_a_tasks_thread_reaches_whoever_works_on_it() {
    let team = Team::new();
    team.ok(["add", "A", "--id", "a"]);
    team.ok(["say", "task:a", "Keep the API."]);
    team.run(["say", "task:nothing", "x"]).failed(3, "there is no task");
    for status in ["completed", "cancelled"] {
        let id = team.ok(["add", status, "--id", status]);
        assert!(id.contains(status));
        if status == "cancelled" {
            team.ok(["cancel", status]);
        } else {
            let token = team.json(["claim", status, "--as", "w0"])["token"].as_str().unwrap().to_owned();
            team.ok(["complete", status, "--as", "w0", "--token", &token, "--result", "done"]);
        }
        let thread = format!("task:{status}");
        for arguments in [&["say", &thread, "x"][..], &["send", &thread, "x", "--from", "w9"]] {
            let ran = team.run(arguments);
            assert!(
                ran.code == 0 && ran.stderr.contains(&format!("WARNING {status} is {status}")),
                "{ran:?}"
            );
            assert_eq!(team.json(arguments)["nobody_reads"], true);
        }
    }
    team.ok(["add", "Late", "--id", "late"]);
    assert_eq!(team.json(["send", "task:late", "Keep it.", "--from", "w9"])["nobody_reads"], false);
    team.ok(["cancel", "late"]);
    let sent = team.ok(["inbox", "--as", "w9", "--sent"]);
    assert!(sent.contains("to task:late (nobody read it before the task ended): Keep it."), "{sent}");
    assert_eq!(team.ok(["inbox", "--as", "w1"]), "");
    token(&team, "w1");
    assert_eq!(team.json(["inbox", "--as", "w1"])[0]["text"], "Keep the API.");
}

#[test]
fn agents_are_added_and_dropped_notes_and_reservations_are_kept() {
    let team = Team::new();
    let added = team.run(["agent", "add", "w5", "--role", "reviewer", "--plan"]);
    assert!(added.code == 0 && added.stdout.contains("w5 is in the team as a reviewer"), "{added:?}");
    assert!(added.stderr.contains("nobody runs the team now: the next run starts it"), "{added:?}");
    team.run(["agent", "add", "w5"]).failed(3, "already");
    for nobody in ["w5", "w6", "ghost"] {
        let ran = team.run(["agent", "add", "w6", "--lead", nobody]);
        ran.failed(3, &format!("`{nobody}` is no lead of the team"));
    }
    team.ok(["agent", "add", "lea", "--role", "lead"]);
    team.ok(["agent", "add", "w6", "--lead", "lea"]);
    let agents = team.json(["status"])["agents"].clone();
    let added = agents.as_array().unwrap().iter().find(|agent| agent["id"] == "w6").unwrap();
    assert_eq!(added["lead"], "lea");
    let dropped = team.run(["agent", "drop", "lea"]);
    assert!(dropped.code == 0 && dropped.stderr.contains("whose tasks alone they take: w6."), "{dropped:?}");
    team.ok(["agent", "drop", "w6"]);
    assert_eq!(team.run(["agent", "drop", "w5"]).stderr, "", "nobody had it as lead");
    team.run(["agent", "drop", "w5"]).failed(3, "there is no agent `w5`");

    team.ok(["note", "The tests need UTF-8.", "--label", "tests"]);
    team.ok(["note", "Be kind."]);
    assert_eq!(team.json(["note"]).as_array().unwrap().len(), 2);
    assert_eq!(team.json(["note", "--label", "other"]).as_array().unwrap().len(), 1);

    team.ok(["add", "A", "--id", "a"]);
    team.ok(["add", "B", "--id", "b"]);
    let (one, other) = (token(&team, "w1"), token(&team, "w2"));
    let reserve = |path: &str| team.run(["reserve", "a", path, "--as", "w1", "--token", &one]);
    reserve("src/*").failed(2, "`src/*` is a pattern, and no file");
    reserve(".").failed(3, "`.`");
    team.ok(["reserve", "a", "src/", "--as", "w1", "--token", &one]);
    for _ in 0..2 {
        let refused = team.run(["reserve", "b", "src/x.rs", "--as", "w2", "--token", &other]);
        refused.failed(3, "is reserved by w1");
        assert!(refused.stderr.contains("hint: w1 is told that you want it"), "{refused:?}");
    }
    let heard = team.json(["inbox", "--as", "w1"]);
    assert_eq!((heard.as_array().unwrap().len(), &heard[0]["from"]), (1, &"w2".into()), "{heard}");
    assert!(heard[0]["text"].as_str().unwrap().contains("I want to change src/x.rs"), "{heard}");
    assert!(team.ok(["reserve"]).contains("src/  w1"));
    team.ok(["reserve", "a", "src/", "--as", "w1", "--token", &one, "--release"]);
    team.ok(["reserve", "b", "src/x.rs", "--as", "w2", "--token", &other]);
}

#[test]
fn budgets_are_shown_and_set_for_every_kind_of_account() {
    let team = Team::new();
    team.ok(["budget", "team", "--usd", "5"]);
    team.ok(["budget", "agent:w1", "--turns", "10", "--tokens", "1000"]);
    team.ok(["budget", "run", "--turns", "3"]);
    let set = team.json(["budget", "agent:w1", "--tokens", "none"]);
    assert_eq!((&set[0]["limit_turns"], &set[0]["limit_tokens"]), (&10.into(), &serde_json::Value::Null));
    let all = team.ok(["budget"]);
    assert!(
        all.contains("$0.00 of $5.00") && all.contains("0 of 10 turns") && all.contains("this run"),
        "{all}"
    );
    team.run(["budget", "moon", "--usd", "1"]).failed(2, "name team, run, agent:NAME or task:ID");
    team.run(["budget", "team", "--usd", "much"]).failed(2, "write dollars");
}

#[test]
fn words_that_somebody_is_to_act_on_are_not_empty() {
    let team = Team::new();
    team.ok(["add", "V", "--id", "v", "--plan", "--backoff", "0s"]);
    team.ok(["add", "T", "--id", "t", "--review"]);
    let of = |task: &str| {
        team.json(["claim", task, "--as", &format!("w-{task}")])["token"].as_str().unwrap().to_owned()
    };
    let (v, t) = (of("v"), of("t"));
    for blank in ["", " \n"] {
        team.run(["plan", "submit", "v", blank, "--as", "w-v", "--token", &v]).failed(2, "the text is empty");
        team.run(["note", blank]).failed(2, "say what others shall know");
        team.run(["say", "w-v", blank]).failed(2, "say what its reader shall know");
        team.run(["interrupt", "w-v", blank]).failed(2, "say what its reader shall know");
        team.run(["send", "w-v", blank, "--from", "w-t"]).failed(2, "say what its reader shall know");
    }
    team.ok(["plan", "submit", "v", "So.", "--as", "w-v", "--token", &v]);
    team.run(["plan", "reject", "v", " "]).failed(2, "say what is to be changed");
    team.ok(["complete", "t", "--as", "w-t", "--token", &t, "--result", "done"]);
    team.run(["review", "t", "--reject", ""]).failed(2, "say what is to be changed");
    team.ok(["send", "human", "Tabs?", "--from", "w-v", "--ask"]);
    team.run(["answer", "--it", ""]).failed(2, "say the answer");
    assert_eq!(team.json(["status"])["questions"].as_array().unwrap().len(), 1, "it is still open");
    assert_eq!(team.ok(["inbox", "--as", "w-v"]), "", "nothing was sent");
    assert_eq!(team.json(["show", "v"])["plan"]["round"], 1);
}

#[test]
fn a_task_says_that_it_wants_a_plan_and_who_approves_it() {
    let team = Team::new();
    team.run(["add", "P", "--id", "p", "--agent", "zed", "--approver", "zed"])
        .failed(2, "p is for zed, who cannot approve a plan of its own");
    team.ok(["add", "P", "--id", "p", "--plan", "--approver", "zed"]);
    team.ok(["add", "Q", "--id", "q", "--plan"]);
    let words = |id: &str| team.ok(["show", id]);
    assert!(words("p").contains("must be approved first, by zed or the human"), "{}", words("p"));
    assert!(words("q").contains("must be approved first, by a lead or the human"), "{}", words("q"));
    let shown = team.json(["show", "p"]);
    assert_eq!((&shown["wants_plan"], &shown["approver"]), (&true.into(), &"zed".into()));
    let none = team.run(["plan", "show", "p"]);
    none.failed(3, "there is no plan for task `p`");
    assert!(none.stderr.contains("zed or the human approves"), "{none:?}");
    let token = team.json(["claim", "p", "--as", "w"])["token"].as_str().unwrap().to_owned();
    team.ok(["plan", "submit", "p", "So.", "--as", "w", "--token", &token]);
    assert!(words("p").contains("plan 1 waits to be judged"), "{}", words("p"));
    assert!(team.ok(["plan", "show", "p"]).contains("zed or the human"));
    assert_eq!(team.json(["plan", "show", "p"])["approver"], "zed");
}

#[test]
fn a_bound_of_nothing_is_refused_and_not_dropped() {
    let team = Team::new();
    for (flag, value) in [("--reviews", "0"), ("--review-rounds", "0"), ("--budget-time", "0s")] {
        team.run(["add", "X", flag, value]).failed(2, "invalid value");
    }
    team.run(["run", "--budget-elapsed", "0s"]).failed(2, "invalid value");
    for field in ["reviews", "review_rounds"] {
        let task = format!("{{\"title\": \"X\", \"{field}\": 0}}\n");
        team.with_input(["add", "--file", "-"], &task).failed(2, "it is one at least");
    }
    assert_eq!(team.json(["list"]).as_array().unwrap().len(), 0);
}
