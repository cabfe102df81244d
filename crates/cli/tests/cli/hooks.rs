//! Hooks of team.toml, asked by the verbs.

use serde_json::Value;

use crate::support::{Ran, Team};

/// A team with these lines under `[hooks]`, which the user trusts.
fn team(hooks: &str) -> Team {
    let team = Team::new();
    trusted(&team, &format!("[hooks]\n{hooks}"));
    team
}

/// Gives a team a configuration that the user trusts.
fn trusted(team: &Team, config: &str) {
    std::fs::write(team.path().join("team.toml"), config).unwrap();
    team.ok(["trust", "--yes"]);
}

/// What a hook wrote into a file, as one JSON value for each line.
fn seen(team: &Team, file: &str) -> Vec<Value> {
    let text = std::fs::read_to_string(team.path().join(file)).unwrap_or_default();
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

#[test]
fn each_verb_tells_its_hook_once_what_happens() {
    let hook = |name: &str| format!("{name} = 'cat >> {name}; echo >> {name}'\n");
    let names = ["task_added", "task_claimed", "task_completed", "task_failed", "agent_idle"];
    let team = team(&names.map(hook).concat());
    team.ok(["add", "Write it", "--id", "a", "--description", "All of it.", "--backoff", "0ms"]);
    team.ok(["claim", "--as", "w"]);
    team.ok(["fail", "a", "--as", "w", "--error", "too hard"]);
    let token = team.json(["claim", "--as", "w"])["token"].as_str().unwrap().to_owned();
    team.ok(["complete", "a", "--as", "w", "--token", &token, "--result", "Here it is."]);
    team.run(["claim", "--as", "w"]).failed(4, "all tasks have ended");
    let one = |name: &str| {
        let mut all = seen(&team, name);
        assert_eq!(all.len(), if name == "task_claimed" { 2 } else { 1 }, "{name}: {all:?}");
        let last = all.pop().unwrap();
        assert_eq!(last["event"], name);
        assert_eq!(last["team"], team.path().canonicalize().unwrap().to_str().unwrap());
        last
    };
    let added = one("task_added");
    assert_eq!((&added["agent"], &added["task"]["id"]), (&"human".into(), &"a".into()));
    assert_eq!(added["task"]["description"], "All of it.");
    let claimed = one("task_claimed");
    assert_eq!((&claimed["agent"], &claimed["task"]["attempt"]), (&"w".into(), &2.into()));
    assert_eq!(claimed["task"]["token"], token.as_str());
    assert_eq!(one("task_completed")["result"], "Here it is.");
    let failed = one("task_failed");
    assert_eq!((&failed["error"], &failed["cause"]), (&"too hard".into(), &"error".into()));
    assert_eq!(one("agent_idle")["agent"], "w");
}

#[test]
fn a_task_that_the_hook_refuses_is_not_added_nor_are_those_that_came_with_it() {
    let team = team("task_added = 'grep -q check.:null && { echo give it a check; exit 2; } || exit 0'\n");
    let refused = team.run(["add", "Write it"]);
    refused.failed(3, "the hook task_added says no to task `t1`: give it a check");
    assert!(refused.stderr.contains("  hint: the hooks stand in team.toml"), "{refused:?}");
    let tasks = "{\"title\": \"good\", \"check\": \"true\"}\n{\"title\": \"bad\"}\n";
    team.with_input(["add", "--file", "-"], tasks).failed(3, "give it a check");
    assert_eq!(team.count("total"), 0);
    assert_eq!(team.ok(["add", "Write it", "--check", "true"]), "t1\n");
    let mut command = team.command(["add", "Write more", "--json"]);
    let told = Ran::of(command.output().unwrap());
    let told: Value = serde_json::from_str(&told.stderr).unwrap();
    assert_eq!((&told["code"], &told["refused"]["hook"]), (&3.into(), &"task_added".into()));
    assert_eq!(told["refused"]["feedback"], "give it a check");
}

#[test]
fn a_claim_that_the_hook_refuses_is_given_back_and_the_next_task_is_had() {
    let team = team("task_claimed = 'test $AGENT_TEAM_TASK != deploy || { echo people deploy; exit 2; }'\n");
    team.ok(["add", "Deploy it", "--id", "deploy", "--priority", "9"]);
    team.run(["claim", "--as", "w"])
        .failed(3, "the hook task_claimed says no to task `deploy`: people deploy");
    team.ok(["add", "Write it", "--id", "write"]);
    assert!(team.ok(["claim", "--as", "w"]).starts_with("write\t"));
    let left = team.json(["show", "deploy"]);
    assert_eq!((&left["status"], left["feedback"].as_array().unwrap().len()), (&"ready".into(), 0));
    let waited = team.run(["claim", "deploy", "--as", "w", "--timeout", "100ms"]);
    assert_eq!(waited.code, 124, "who waits may get it later: {waited:?}");
    assert!(waited.stderr.starts_with("the hook task_claimed says no to task `deploy`: people deploy\n"));
}

#[test]
fn a_result_that_the_hook_refuses_can_be_delivered_again_under_the_same_claim() {
    let team = team("task_completed = 'grep -q tested || { echo say how you tested it; exit 2; }'\n");
    team.ok(["add", "Write it", "--id", "a"]);
    team.ok(["claim", "--as", "w"]);
    let refused = team.run(["complete", "a", "--as", "w", "--result", "done"]);
    refused.failed(3, "the hook task_completed says no to task `a`: say how you tested it");
    assert!(team.ok(["list"]).contains("running"));
    team.ok(["complete", "a", "--as", "w", "--result", "done and tested"]);
    assert_eq!(team.count("completed"), 1);
}

#[test]
fn red_checks_and_reviews_that_want_changes_are_failed_attempts() {
    let team = team("task_failed = 'cat >> failed; echo >> failed'\n");
    team.ok(["add", "One", "--id", "a", "--check", "echo red; exit 1"]);
    team.ok(["claim", "--as", "w"]);
    team.run(["complete", "a", "--as", "w", "--result", "done"]).failed(3, "was refused by its check");
    team.ok(["add", "Two", "--id", "b", "--review"]);
    team.ok(["claim", "b", "--as", "w"]);
    team.ok(["complete", "b", "--as", "w", "--result", "done"]);
    team.ok(["review", "b", "--reject", "Too short."]);
    let causes: Vec<_> =
        seen(&team, "failed").iter().map(|told| told["cause"].as_str().unwrap().to_owned()).collect();
    assert_eq!(causes, ["check", "review"]);
    assert!(seen(&team, "failed")[0]["error"].as_str().unwrap().contains("red"));
}

#[test]
fn a_hook_that_goes_wrong_is_noted_and_stops_nothing() {
    let team = team("task_added = 'echo oh no >&2; exit 7'\n");
    let ran = team.run(["add", "Write it"]);
    assert_eq!((ran.code, ran.stdout.as_str()), (0, "t1\n"), "{ran:?}");
    assert_eq!(ran.stderr, "ERROR the hook task_added is passed over: exit code 7: oh no\n");
    let json = Ran::of(team.command(["add", "More", "--json"]).output().unwrap());
    let note: Value = serde_json::from_str(&json.stderr).unwrap();
    assert_eq!(note["note"], "ERROR the hook task_added is passed over: exit code 7: oh no");
}

#[test]
fn what_a_hook_does_asks_no_hooks_and_it_sees_no_key() {
    let team = team("task_added = '\"$AGENT\" add \"And document it\" && env > environment'\n");
    let toml = std::fs::read_to_string(team.path().join("team.toml")).unwrap();
    let binary = env!("CARGO_BIN_EXE_agent-team");
    let toml = format!("{toml}[environment]\nset = {{ AGENT = '{binary}' }}\n");
    trusted(&team, &toml);
    let mut command = team.command(["add", "Write it", "--id", "a"]);
    command.env("ANTHROPIC_API_KEY", "secret").env("AGENT_TEAM_TOKEN", "secret").env("OTHER", "secret");
    assert!(command.output().unwrap().status.success());
    assert_eq!(team.count("total"), 2);
    let environment = std::fs::read_to_string(team.path().join("environment")).unwrap();
    assert!(
        environment.contains("AGENT_TEAM_HOOK=task_added\n") && environment.contains("AGENT_TEAM_TASK=a\n")
    );
    assert!(!environment.contains("secret"), "{environment}");
}

#[test]
fn a_mistake_in_the_hooks_is_shown_at_its_place_and_nothing_is_done() {
    let team = Team::new();
    std::fs::write(team.path().join("team.toml"), "[hooks]\ntask_aded = 'true'\n").unwrap();
    team.run(["add", "Write it"])
        .failed(2, "team.toml:2:1: unknown key `task_aded`, did you mean `task_added`?");
    assert_eq!(team.count("total"), 0, "verbs that ask no hook do not mind");
}

#[test]
fn a_plan_is_sent_back_by_its_hook_and_approved_by_none() {
    let team = team(
        "plan_submitted = 'grep -q tested || { echo say how it is tested; exit 2; }'\n\
         plan_judged = 'cat >> judged; echo >> judged'\n",
    );
    team.ok(["add", "Write it", "--id", "a", "--plan"]);
    team.ok(["claim", "--as", "w"]);
    let submit = |text| team.run(["plan", "submit", "a", text, "--as", "w"]);
    submit("All of it.").failed(3, "the hook plan_submitted says no to task `a`: ");
    team.run(["plan", "show", "a"]).failed(3, "there is no plan");
    team.ok(["plan", "submit", "a", "All of it, tested.", "--as", "w"]);
    assert_eq!(team.json(["plan", "show", "a"])["plan"]["approved"], Value::Null, "a yes approves nothing");
    team.ok(["plan", "reject", "a", "Half of it."]);
    let told = seen(&team, "judged");
    assert_eq!(told.len(), 1);
    assert_eq!((&told[0]["approved"], &told[0]["feedback"]), (&false.into(), &"Half of it.".into()));
    assert_eq!(told[0]["task"]["plan"]["text"], "All of it, tested.");
    team.ok(["plan", "submit", "a", "Half of it, tested.", "--as", "w"]);
    let mut from_a_hook = team.command(["plan", "approve", "a"]);
    from_a_hook.env("AGENT_TEAM_HOOK", "plan_judged");
    Ran::of(from_a_hook.output().unwrap()).failed(3, "a hook approves no plan");
    assert_eq!(team.json(["plan", "show", "a"])["plan"]["approved"], Value::Null);
    team.ok(["plan", "approve", "a", "--plan", "2"]);
    assert_eq!(seen(&team, "judged").len(), 2);
}

#[test]
fn a_hook_that_clears_its_environment_approves_no_plan_either() {
    let approve = "plan approve a 2>> said";
    let binary = env!("CARGO_BIN_EXE_agent-team");
    for (how, command) in [
        ("its last command", format!("env -i {binary} {approve}")),
        ("instead of itself", format!("exec env -i {binary} {approve}")),
        ("a shell between", format!("exec env -i sh -c '{binary} {approve}; echo $? >> codes'")),
        ("its variable alone", format!("unset AGENT_TEAM_HOOK; {binary} {approve}; true")),
        ("a script", "sh hooks/added".to_owned()),
    ] {
        let team = Team::new();
        team.ok(["add", "Write it", "--id", "a", "--plan"]);
        team.ok(["claim", "--as", "w"]);
        team.ok(["plan", "submit", "a", "All of it.", "--as", "w"]);
        std::fs::create_dir(team.path().join("hooks")).unwrap();
        let script = format!("#!/bin/sh\nenv -i {binary} {approve}\necho $? >> codes\n");
        std::fs::write(team.path().join("hooks/added"), script).unwrap();
        let toml = format!("[hooks]\ntask_added = \"\"\"{command}\"\"\"\n");
        trusted(&team, &toml);
        team.ok(["add", "Write more"]);
        let said = std::fs::read_to_string(team.path().join("said")).unwrap();
        assert!(said.contains("a hook approves no plan"), "{how}: {said}");
        assert_eq!(team.json(["plan", "show", "a"])["plan"]["approved"], Value::Null, "{how}");
        team.ok(["plan", "approve", "a"]);
    }
}

#[test]
fn a_hook_that_clears_its_environment_does_not_come_back_to_itself() {
    let binary = env!("CARGO_BIN_EXE_agent-team");
    let team =
        team(&format!("task_added = 'echo asked >> asked; env -i {binary} add \"And document it\"'\n"));
    team.ok(["add", "Write it"]);
    assert_eq!(std::fs::read_to_string(team.path().join("asked")).unwrap(), "asked\n");
    assert_eq!(team.count("total"), 2);
}
