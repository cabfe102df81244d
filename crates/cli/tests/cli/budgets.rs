//! Budgets as the command sets, shows and keeps them, across processes; and how many agents a team may have.

use std::collections::BTreeSet;
use std::io::{BufRead, BufReader};
use std::process::Stdio;

use serde_json::{Value, json};

use crate::support::{Ran, Team};

#[test]
fn attempts_time_and_the_clock_of_a_run_are_set_and_shown() {
    let team = Team::new();
    team.ok(["add", "A", "--id", "a"]);
    let set = &team.json(["budget", "agent:w1", "--attempts", "5", "--time", "1h30m"])[0];
    assert_eq!((&set["limit_attempts"], &set["limit_time_ms"]), (&5.into(), &5_400_000.into()));
    team.ok(["budget", "run", "--elapsed", "2h"]);
    team.ok(["claim", "--as", "w1"]);
    let all = team.ok(["budget"]);
    assert!(all.contains("1 of 5 attempts") && all.contains("0s of 1h30m at work"), "{all}");
    assert!(all.contains("20 % of attempts used"), "{all}");
    let status = team.ok(["status"]);
    assert!(status.contains("budget  agent w1") && !status.contains("budget  the team"), "{status}");
    let budgets = team.json(["status"])["budgets"].clone();
    let of_w1 = budgets.as_array().unwrap().iter().find(|budget| budget["limit_attempts"] == 5).unwrap();
    assert_eq!((&of_w1["attempts"], &of_w1["nearest"]), (&1.into(), &"attempts".into()));
    let none = &team.json(["budget", "agent:w1", "--attempts", "none"])[0];
    assert_eq!((&none["limit_attempts"], &none["limit_time_ms"]), (&Value::Null, &5_400_000.into()));

    team.run(["budget", "task:a", "--attempts", "1"]).failed(2, "a task has attempts of its own");
    team.run(["budget", "team", "--elapsed", "1h"]).failed(2, "only a run has a clock");
    team.run(["budget", "team", "--time", "8"]).failed(2, "write a duration like 500ms");
    team.run(["budget", "--attempts", "8"]).failed(2, "the following required arguments");
}

/// What is said of an account by `budget`.
fn limits(team: &Team, account: &str) -> Value {
    team.json(["budget", account])[0].clone()
}

#[test]
fn a_task_and_an_agent_have_a_budget_from_the_beginning_on() {
    let team = Team::new();
    team.ok(["add", "X", "--id", "x", "--budget-usd", "0.5", "--budget-turns", "7"]);
    let of_x = limits(&team, "task:x");
    assert_eq!((&of_x["limit_micro_usd"], &of_x["limit_turns"]), (&500_000.into(), &7.into()));
    let log = std::fs::read_to_string(team.path().join(".agent-team/log.jsonl")).unwrap();
    assert!(
        log.find("budget_set") < log.find("task_added"),
        "it holds before anybody can take the task: {log}"
    );
    team.run(["add", "Y", "--id", "x", "--budget-turns", "99"]).failed(3, "there is a task `x` already");
    assert_eq!(limits(&team, "task:x")["limit_turns"], 7, "what is refused changes nothing");
    team.run(["add", "Y", "--budget-usd", "0"]).failed(2, "an amount of dollars above 0");

    let tasks = "{\"title\":\"A\",\"id\":\"a\",\"budget\":{\"tokens\":9,\"time\":\"2h\"}}\n{\"title\":\"B\",\"id\":\"b\"}\n";
    let file = team.path().join("tasks.jsonl");
    std::fs::write(&file, tasks).unwrap();
    team.ok(["add", "--file", "tasks.jsonl"]);
    let of_a = limits(&team, "task:a");
    assert_eq!((&of_a["limit_tokens"], &of_a["limit_time_ms"]), (&9.into(), &7_200_000.into()));
    std::fs::write(&file, "{\"title\":\"A\",\"budget\":{\"attempts\":1}}\n").unwrap();
    team.run(["add", "--file", "tasks.jsonl"]).failed(2, "1:33: field `budget.attempts`: unknown field");

    team.ok(["agent", "add", "helper", "--budget-attempts", "3", "--budget-time", "2h"]);
    let of_helper = limits(&team, "agent:helper");
    assert_eq!((&of_helper["limit_attempts"], &of_helper["limit_time_ms"]), (&3.into(), &7_200_000.into()));
}

#[test]
fn budgets_of_agents_and_tasks_in_team_toml_are_set_when_they_change_and_what_was_raised_stays() {
    let team = in_a_repository();
    let toml = |of_each: u32| {
        let text = format!(
            "with = 'script:script.json'\ngate = 'true'\n[[agent]]\nname = 'worker'\ncount = 2\n\
             budget = {{ turns = {of_each} }}\n[[task]]\nid = 'two'\ntitle = 'Two'\nbudget = {{ turns = 1 }}\n"
        );
        std::fs::write(team.path().join("team.toml"), text).unwrap();
    };
    let turns = || {
        ["agent:worker-1", "agent:worker-2", "task:two"]
            .map(|account| limits(&team, account)["limit_turns"].as_u64().unwrap())
    };
    toml(20);
    let ran = team.run(["run"]);
    assert!(ran.code == 5 && ran.stdout.contains("agent-team budget task:two --turns"), "{ran:?}");
    assert_eq!(turns(), [20, 20, 1]);

    team.ok(["budget", "task:two", "--turns", "9"]);
    team.ok(["budget", "agent:worker-2", "--turns", "30"]);
    let again = team.run(["run"]);
    assert_eq!((again.code, turns()), (0, [20, 30, 9]), "{again:?}");

    toml(25);
    assert_eq!((team.run(["run"]).code, turns()), (0, [25, 25, 9]), "only what changed is set anew");
}

#[test]
fn many_processes_begin_no_more_attempts_together_than_their_budget_allows() {
    let team = Team::new();
    for number in 0..8 {
        team.ok(["add", &format!("task {number}")]);
    }
    team.ok(["budget", "team", "--attempts", "3"]);
    let claims = (0..8).map(|number| {
        let mut claim = team.command(["claim", "--as", &format!("w{number}"), "--json"]);
        claim.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
    });
    let claims: Vec<_> = claims.collect();
    let ran: Vec<Ran> = claims.into_iter().map(|claim| Ran::of(claim.wait_with_output().unwrap())).collect();
    let (got, refused): (Vec<&Ran>, Vec<&Ran>) = ran.iter().partition(|ran| ran.code == 0);
    let tokens: BTreeSet<String> = got.iter().map(|ran| ran.stdout.clone()).collect();
    assert_eq!((tokens.len(), refused.len(), team.count("running")), (3, 5, 3), "{ran:?}");
    for refused in refused {
        assert_eq!(refused.code, 3, "{refused:?}");
        let told: Value = serde_json::from_str(&refused.stderr).unwrap();
        let expected = json!({"refusal": "over_budget", "account": "team", "what": "attempts"});
        assert_eq!(told["refused"], expected);
    }
    // Who waits is told, too: nothing will come by itself.
    team.run(["claim", "--as", "w9", "--wait"]).failed(3, "the budget of the team: attempts");
    team.ok(["budget", "team", "--attempts", "4"]);
    team.ok(["claim", "--as", "w9"]);
}

const SCRIPT: &str = r#"{"rules": [
    {"when": {"task": "one"}, "steps": [
        {"tool_calls": [{"name": "write", "input": {"path": "one", "content": "1\n"}}]},
        {"tool_calls": [{"name": "finish", "input": {"result": "Done."}}]}]},
    {"when": {"task": "two"}, "steps": [
        {"tool_calls": [{"name": "write", "input": {"path": "two", "content": "half\n"}}]},
        {"tool_calls": [{"name": "write", "input": {"path": "two", "content": "2\n"}}]},
        {"tool_calls": [{"name": "finish", "input": {"result": "Done."}}]}]}]}"#;

/// A team in a repository, with two tasks for a scripted model.
fn in_a_repository() -> Team {
    let team = Team::without_init();
    let git = |arguments: &[&str]| {
        let identity = ["-c", "user.name=U", "-c", "user.email=u@example.org"];
        assert!(team.program("git").args(identity).args(arguments).status().unwrap().success());
    };
    std::fs::write(team.path().join("script.json"), SCRIPT).unwrap();
    git(&["init", "-q", "-b", "main"]);
    git(&["config", "user.name", "U"]);
    git(&["config", "user.email", "u@example.org"]);
    git(&["add", "--all"]);
    git(&["commit", "-q", "-m", "Start"]);
    team.ok(["init"]);
    team.ok(["add", "One", "--id", "one", "--priority", "1"]);
    team.ok(["add", "Two", "--id", "two"]);
    team
}

#[test]
fn a_run_whose_budget_is_used_up_says_what_is_left_and_the_command_that_it_names_goes_on() {
    let team = in_a_repository();
    let run = ["run", "--with", "script:script.json", "--gate", "true", "--budget-turns", "3"];

    let ran = team.run(run);

    assert_eq!(ran.code, 5, "{ran:?}");
    assert!(ran.stdout.starts_with("BUDGET USED UP: 1 of 2 tasks completed, 1 ready"), "{ran:?}");
    assert!(ran.stdout.contains("open two ready: waits for worker-1"), "{ran:?}");
    assert!(ran.stdout.contains("kept two by worker-1: refs/agent-team/attempts/"), "{ran:?}");
    assert!(ran.stdout.contains("3 of 3 turns"), "{ran:?}");
    assert!(
        ran.stdout.contains(
            "go on with: agent-team budget team --turns 6 && agent-team run --with script:script.json --gate true\n"
        ),
        "{ran:?}"
    );
    assert_eq!(std::fs::read_to_string(team.path().join("one")).unwrap(), "1\n");

    let forgotten = team.run(["run"]);
    forgotten.failed(2, "no model is named, and a run has left 1 task open");
    assert!(forgotten.stderr.contains("agent-team run --with script:FILE"), "{forgotten:?}");

    let again = type_what_it_says(&team, &ran);
    assert_eq!(again.code, 0, "{again:?}");
    assert_eq!(std::fs::read_to_string(team.path().join("two")).unwrap(), "2\n");
    assert_eq!(team.json(["budget", "team"])[0]["spent"]["calls"], 5);
}

/// Types what a run says in `go on with: …`, as a person does.
fn type_what_it_says(team: &Team, ran: &Ran) -> Ran {
    let command = ran.stdout.lines().find_map(|line| line.strip_prefix("go on with: ")).unwrap();
    let script = format!("agent-team() {{ \"$AGENT_TEAM\" \"$@\"; }}\n{command}");
    Ran::of(team.program("bash").args(["-c", &script]).output().unwrap())
}

#[test]
fn the_command_that_goes_on_says_all_that_the_run_was_told_and_that_nothing_else_holds() {
    let team = in_a_repository();
    let run = ["run", "Write it's \"f\"", "--with", "script:script.json", "--no-gate", "--agents", "1"];
    let elsewhere = tempfile::tempdir().unwrap();
    let beside = elsewhere.path().join("a b");
    std::os::unix::fs::symlink(team.path(), &beside).unwrap();
    let script = format!("script:{}/script.json", beside.display());
    let place = format!("{}", beside.display());
    let run = run.map(|word| if word.starts_with("script:") { script.as_str() } else { word });
    let run = run.into_iter().chain(["--budget-turns", "3", "--timeout", "1h", "-C", &place]);

    let ran = Ran::of(team.command(run).current_dir(elsewhere.path()).output().unwrap());

    let expected = format!(
        "go on with: agent-team budget team --turns 6 -C '{place}' && agent-team run -C '{place}' 'Write it'\\''s \"f\"' \
         --agents 1 --with '{script}' --no-gate --timeout 1h\n"
    );
    assert!(ran.code == 5 && ran.stdout.contains(&expected), "{ran:?}");
    assert_eq!(type_what_it_says(&team, &ran).code, 0);
}

#[test]
fn a_task_whose_own_budget_is_used_up_says_so_and_goes_on_with_more_of_it_alone() {
    let team = in_a_repository();
    team.ok(["budget", "task:two", "--turns", "1"]);
    let run = ["run", "--with", "script:script.json", "--gate", "true"];

    let ran = team.run(run);

    assert_eq!(ran.code, 5, "{ran:?}");
    let (waits, raise) =
        ("waits for more turns in the budget of task two", "agent-team budget task:two --turns");
    for words in [
        "BUDGET USED UP: 1 of 2 tasks completed, 1 ready".to_owned(),
        format!("open two ready: {waits}"),
        format!("allow more: {raise} N"),
        "kept two by worker-1: refs/agent-team/attempts/".to_owned(),
        format!("go on with: {raise} 2 && agent-team run --with script:script.json --gate true\n"),
    ] {
        assert!(ran.stdout.contains(&words), "{words}: {ran:?}");
    }
    for arguments in [&["status"][..], &["list"], &["show", "two"]] {
        let said = team.ok(arguments.iter().copied());
        assert!(said.contains("more turns in the budget of task two"), "{said}");
        assert!(said.contains(&format!("{raise} N")), "{said}");
    }
    let refused = team.run(["claim", "--as", "w9"]);
    refused.failed(3, "the budget of task two: turns");
    assert!(refused.stderr.contains(&format!("{raise} N")), "{refused:?}");

    team.ok(["budget", "task:two", "--turns", "2"]);
    assert_eq!(team.run(run).code, 5);
    team.ok(["budget", "task:two", "--turns", "3"]);
    let again = team.run(run);
    assert_eq!(again.code, 0, "{again:?}");
    assert_eq!(std::fs::read_to_string(team.path().join("two")).unwrap(), "2\n");
    let two = team.json(["show", "two"]);
    assert_eq!((&two["attempt"], &two["failure"], &two["remedy"]), (&1.into(), &Value::Null, &Value::Null));
}

#[test]
fn a_run_shares_its_attempts_with_those_who_claim_in_a_shell() {
    let team = in_a_repository();
    team.ok(["budget", "team", "--attempts", "2"]);
    team.ok(["claim", "two", "--as", "w1", "--lease", "1h"]);
    team.ok(["release", "two", "--as", "w1"]);

    let run = ["run", "--with", "script:script.json", "--gate", "true", "--json"];
    let ran = team.run(run);

    let report: Value = serde_json::from_str(&ran.stdout).unwrap_or_else(|error| panic!("{error}: {ran:?}"));
    assert_eq!((ran.code, &report["outcome"]), (5, &"over_budget".into()), "{report}");
    assert_eq!((&report["completed"], &report["ready"]), (&1.into(), &1.into()));
    assert_eq!(report["unfinished"][0]["waits_for"], "more attempts in the budget of the team");
    assert_eq!(
        report["go_on"],
        "agent-team budget team --attempts 4 && agent-team run --with script:script.json --gate true"
    );
}

#[test]
fn a_team_has_no_more_agents_than_it_may() {
    let team = in_a_repository();
    let toml = "max_agents = 2\nwith = 'script:script.json'\ngate = 'true'\n[[agent]]\nname = 'worker-1'\n";
    std::fs::write(team.path().join("team.toml"), toml).unwrap();
    assert_eq!(team.run(["run"]).code, 0);
    team.ok(["join", "--as", "a"]);
    team.ok(["agent", "add", "b"]);
    team.run(["join", "--as", "c"]).failed(3, "the team has as many agents as it may: 2");
    let full = team.run(["agent", "add", "c", "--budget-turns", "5"]);
    let budgets = team.json(["budget"]);
    assert!(!budgets.to_string().contains("\"c\""), "who may not come gets no budget: {budgets}");
    full.failed(3, "the team has as many agents as it may: 2");
    assert!(full.stderr.contains("agent-team agent drop NAME"), "{full:?}");
    team.ok(["agent", "drop", "b"]);
    team.ok(["join", "--as", "c"]);
}

#[test]
fn a_budget_that_nobody_has_yet_is_set_and_warned_of() {
    let team = Team::new();
    for (account, warning) in [
        ("agent:nobody", "there is no agent `nobody` in the team"),
        ("task:nothing", "there is no task `nothing`"),
        ("run", "nobody runs the team now"),
    ] {
        let ran = team.run(["budget", account, "--turns", "5"]);
        assert!(ran.code == 0 && ran.stderr.contains(&format!("WARNING {warning}")), "{account}: {ran:?}");
        let told = team.run(["budget", account, "--turns", "6", "--json"]).stderr;
        let told: Value = serde_json::from_str(&told).unwrap();
        assert!(told["note"].as_str().unwrap().contains(warning), "{account}: {told}");
    }
    assert_eq!(team.run(["budget", "team", "--turns", "5"]).stderr, "");
}

#[test]
fn nothing_that_may_cost_money_begins_without_a_budget_or_a_word_where_nobody_can_be_asked() {
    let team = in_a_repository();
    let run = [
        "run",
        "Say it",
        "--with",
        "openai-compatible:m",
        "--base-url",
        "http://127.0.0.1:9",
        "--agents",
        "1",
    ];
    let ran = team.run(run);
    ran.failed(2, "this calls openai-compatible:m without a budget, and there is no terminal to ask at");
    assert!(ran.stderr.contains("--budget-usd N; or that it may: --yes"), "{ran:?}");
    assert_eq!(team.count("ready"), 2, "nothing was begun");
}

#[test]
fn the_command_that_goes_on_goes_on_though_team_toml_says_less() {
    let team = in_a_repository();
    std::fs::write(
        team.path().join("team.toml"),
        "with = 'script:script.json'\ngate = 'true'\n[budget]\nturns = 2\n",
    )
    .unwrap();
    let ran = team.run(["run", "--budget-turns", "3"]);
    assert!(ran.code == 5 && ran.stdout.contains("3 of 3 turns"), "{ran:?}");
    assert_eq!(type_what_it_says(&team, &ran).code, 0);
    assert_eq!(team.json(["budget", "team"])[0]["limit_turns"], 6, "what somebody raised stays");
}

#[test]
fn a_run_that_sets_back_what_was_raised_by_hand_says_so() {
    let team = in_a_repository();
    std::fs::write(
        team.path().join("team.toml"),
        "with = 'script:script.json'\ngate = 'true'\n[budget]\nturns = 5\n",
    )
    .unwrap();
    assert_eq!(team.run(["run", "--budget-turns", "3"]).code, 5);
    team.ok(["budget", "team", "--turns", "7"]);
    let ran = team.run(["run"]);
    let warning = "WARNING the budget of the team was set to 7 (turns) by hand, and is 5 again, as this run says: `agent-team budget \
                   team --turns 7` sets it back";
    assert!(format!("{ran:?}").contains(warning), "{ran:?}");
}

#[test]
fn a_run_that_leaves_what_was_raised_by_hand_says_so() {
    let team = in_a_repository();
    let run = ["run", "--with", "script:script.json", "--no-gate", "--budget-turns", "3"];
    assert_eq!(team.run(run).code, 5);
    team.ok(["budget", "team", "--turns", "none"]);
    let ran = team.run(run);
    let note = "NOTE the budget of the team stays none (turns), as it was set by hand since an earlier run said 3, too: `agent-team \
                budget team --turns 3` sets it";
    assert!(format!("{ran:?}").contains(note), "{ran:?}");
}

#[test]
fn what_a_killed_call_had_set_aside_counts_as_used_from_the_next_run_on() {
    let team = in_a_repository();
    let slow = r#"{"rules": [{"when": {"task": "one"}, "give": {"text": "Done.", "delay_ms": 600000}}]}"#;
    std::fs::write(team.path().join("slow.json"), slow).unwrap();
    let run = ["run", "--with", "script:slow.json", "--gate", "true", "--budget-tokens", "100000"];
    let mut run = team.command(run).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    let mut log = team.command(["log", "--follow", "--kind", "spending_reserved"]);
    let mut log = log.stdout(Stdio::piped()).spawn().unwrap();
    let mut lines = BufReader::new(log.stdout.take().unwrap()).lines();
    lines.next().unwrap().unwrap();
    for process in [&mut run, &mut log] {
        process.kill().unwrap();
        process.wait().unwrap();
    }
    let before = team.json(["budget", "team"])[0].clone();
    let again = team.run(["run", "--with", "script:script.json", "--gate", "true"]);
    assert_eq!(again.code, 0, "{again:?}");
    let after = team.json(["budget", "team"])[0].clone();
    let tokens = |view: &Value, what: &str| {
        let of = |name: &str| view[what][name].as_u64().unwrap_or(0);
        of("input_tokens") + of("output_tokens")
    };
    let lost = tokens(&before, "reserved");
    assert!(
        lost > 0 && tokens(&after, "reserved") == 0 && tokens(&after, "spent") >= lost,
        "{before} {after}"
    );
    let told = format!(
        "1 call to a model ended with the process that made it: what was set aside, {lost} tokens, counts as used"
    );
    assert!(again.stderr.contains(&told), "{again:?}");
}

#[test]
fn the_command_that_goes_on_leaves_enough_for_the_call_that_did_not_fit() {
    let team = in_a_repository();
    let config = "with = 'script:script.json'\ngate = 'true'\n[budget]\nusd = 0.5\n[prices.script]\ninput = 100.0\noutput = 100.0\n";
    std::fs::write(team.path().join("team.toml"), config).unwrap();
    team.ok(["trust", "--yes"]);
    let ran = team.run(["run"]);
    let calls = || team.json(["budget", "team"])[0]["spent"]["calls"].as_u64().unwrap_or(0);
    assert!(ran.code == 5 && calls() == 0, "{ran:?}");
    let again = type_what_it_says(&team, &ran);
    assert!(calls() > 0, "what did not fit is called: {ran:?} {again:?}");
}

#[test]
fn an_attempt_that_a_time_limit_ends_says_so_in_its_transcript() {
    let team = Team::new();
    let slow = r#"{"rules": [{"give": {"text": "Said.", "delay_ms": 600000}}]}"#;
    std::fs::write(team.path().join("slow.json"), slow).unwrap();
    let config = "with = 'script:slow.json'\n[[agent]]\nname = 'worker-1'\n[[task]]\nid = 'say'\ntitle = 'Say it'\ntime_limit = '300ms'\nattempts = 1\n";
    std::fs::write(team.path().join("team.toml"), config).unwrap();
    let ran = team.run(["run", "--yes"]);
    assert_eq!(ran.code, 5, "{ran:?}");
    let transcript = team.transcripts();
    let last = transcript.lines().last().unwrap();
    assert!(
        last.contains(r#""type":"ended""#) && last.contains("longer than its time limit of 300ms"),
        "{transcript}"
    );
}
