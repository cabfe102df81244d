//! Agents that drive themselves, over the Model Context Protocol.

use std::io::{BufRead, BufReader};
use std::process::Stdio;

use serde_json::{Value, json};

use crate::mcp_client::Client;
use crate::support::Team;

fn team(tasks: &[&str]) -> Team {
    let team = Team::new();
    for task in tasks {
        team.ok(["add", &format!("Do {task}"), "--id", task]);
    }
    team
}

#[test]
fn two_sessions_share_the_work_and_no_task_is_had_twice() {
    let team = team(&["a", "b"]);
    let (mut ann, mut ben) = (Client::start(&team, &["--as", "ann"]), Client::start(&team, &[]));
    ben.refused("claim_task", json!({}), "you are not in the team yet");
    assert_eq!(ben.ok("join", json!({"name": "ben"})), json!({"agent": "ben", "role": "worker"}));
    let (first, second) = (ann.ok("claim_task", json!({})), ben.ok("claim_task", json!({})));
    assert_eq!((&first["id"], &second["id"]), (&json!("a"), &json!("b")));
    ben.refused("complete_task", json!({"id": "a", "result": "mine"}), "you do not hold task `a`");
    ann.refused("claim_task", json!({"id": "b", "wait_seconds": 0}), "ben has the work claim on task `b`");
    let done = ann.ok("complete_task", json!({"id": "a", "result": "Done."}));
    assert_eq!(done, json!({"id": "a", "status": "completed", "check": null}));
    ben.ok("fail_task", json!({"id": "b", "error": "no tools", "for_good": true}));
    let nothing = ann.call("claim_task", json!({}));
    assert!(nothing.text.starts_with("no work will come for ann: ") && !nothing.is_error, "{nothing:?}");
    assert_eq!(ann.ok("get_task", json!({"id": "a"})), team.json(["show", "a"]));
    assert_eq!(ann.ok("list_tasks", json!({"status": ["failed"]}))["tasks"][0]["id"], "b");
    assert_eq!((ann.end(), ben.end()), (0, 0));
}

#[test]
fn a_claim_waits_until_there_is_work_and_says_so_before_the_client_loses_patience() {
    let team = team(&["a"]);
    let mut ann = Client::start(&team, &["--as", "ann"]);
    let mut ben = Client::start(&team, &["--as", "ben"]);
    ann.ok("claim_task", json!({}));
    let nothing = ben.call("claim_task", json!({"wait_seconds": 0}));
    assert!(!nothing.is_error && nothing.text.contains("call `claim_task` again"), "{nothing:?}");
    assert_eq!(nothing.value["nothing"], "yet");
    let waits = ben.begin_call("claim_task", json!({}));
    ben.until_progress();
    team.ok(["add", "Do b", "--id", "b"]);
    assert_eq!(ben.answer(waits).value["id"], "b");
}

#[test]
fn a_wait_that_is_cancelled_leaves_no_claim_behind() {
    let team = team(&["a"]);
    let mut ann = Client::start(&team, &["--as", "ann"]);
    let mut ben = Client::start(&team, &["--as", "ben"]);
    ann.ok("claim_task", json!({}));
    let waits = ben.begin_call("claim_task", json!({}));
    ben.until_progress();
    ben.cancel(waits);
    // The next answer is that to the next request: none comes for the one that was cancelled.
    assert_eq!(ben.ok("list_tasks", json!({}))["tasks"].as_array().unwrap().len(), 1);
    team.ok(["add", "Do b", "--id", "b"]);
    assert_eq!(team.json(["claim", "--as", "cleo"])["id"], "b");
}

#[test]
fn a_claim_whose_request_is_cancelled_is_given_back_unless_the_agent_acted_on_it() {
    let team = team(&["a", "b"]);
    let mut ann = Client::start(&team, &["--as", "ann"]);
    // The answer is on its way when the client gives up.
    let request = ann.begin_call("claim_task", json!({"id": "a"}));
    let _ = ann.answer(request);
    ann.cancel(request);
    let request = ann.begin_call("claim_task", json!({"id": "b"}));
    let _ = ann.answer(request);
    ann.ok("renew_claim", json!({"id": "b"}));
    ann.cancel(request);
    let mut follow =
        team.command(["log", "--follow", "--kind", "claim_released"]).stdout(Stdio::piped()).spawn().unwrap();
    let mut released = String::new();
    BufReader::new(follow.stdout.take().unwrap()).read_line(&mut released).unwrap();
    follow.kill().unwrap();
    follow.wait().unwrap();
    assert!(released.contains("the request was cancelled"), "{released}");
    assert_eq!(team.json(["claim", "--as", "cleo"])["id"], "a");
    ann.ok("complete_task", json!({"id": "b", "result": "Done."}));
}

#[test]
fn a_session_that_ends_gives_back_what_it_holds_however_it_ends() {
    let team = team(&["a"]);
    let claims = |name: &str| {
        let mut client = Client::start(&team, &["--as", name]);
        assert_eq!(client.ok("claim_task", json!({}))["id"], "a");
        client
    };
    // Nobody looks for dead holders: the session itself has given it back.
    let free = || {
        let records = team.ok(["log", "--json"]);
        let last = records.lines().rev().find(|line| line.contains("\"claim_"));
        assert!(last.unwrap().contains("claim_released"), "{records}");
    };
    assert_eq!(claims("ann").end(), 0);
    free();
    let mut waits = claims("ben");
    waits.begin_call("receive", json!({"wait_seconds": 600}));
    waits.until_progress();
    assert_eq!(waits.end(), 0);
    free();
    claims("cleo").signal(&team, "-TERM");
    free();
    claims("dan").signal(&team, "-KILL");
    assert_eq!(team.json(["claim", "--as", "eve"])["id"], "a");
    let agents = team.json(["status"])["agents"].clone();
    let left = |name: &str| {
        agents.as_array().unwrap().iter().find(|agent| agent["id"] == name).unwrap()["left"].clone()
    };
    assert_eq!([left("ann"), left("cleo")], [json!(true), json!(true)]);
}

#[test]
fn a_session_renews_its_claims() {
    let team = team(&["a"]);
    let mut ann = Client::start(&team, &["--as", "ann", "--lease", "300ms"]);
    ann.ok("claim_task", json!({}));
    let mut follow =
        team.command(["log", "--follow", "--kind", "claim_renewed"]).stdout(Stdio::piped()).spawn().unwrap();
    let mut lines = BufReader::new(follow.stdout.take().unwrap()).lines();
    for _ in 0..4 {
        assert!(lines.next().unwrap().unwrap().contains("ann"));
    }
    follow.kill().unwrap();
    follow.wait().unwrap();
    assert!(team.run(["claim", "--as", "ben"]).code == 3);
    ann.ok("complete_task", json!({"id": "a", "result": "Done."}));
}

#[test]
fn nobody_gives_itself_a_name_or_a_role_that_is_not_its_own() {
    let team = team(&["a"]);
    team.ok(["join", "--as", "critic", "--role", "reviewer"]);
    let mut ann = Client::start(&team, &[]);
    for (name, words) in
        [("human", "is your word"), ("orchestrator", "every run"), ("critic", "is in the team already")]
    {
        ann.refused("join", json!({"name": name}), words);
    }
    for role in ["lead", "reviewer"] {
        ann.refused("join", json!({"name": "ann", "role": role}), "only the user makes somebody a");
    }
    ann.ok("join", json!({"name": "ann"}));
    ann.refused("join", json!({"name": "ben"}), "you are ann, a worker, as long as this session lasts");
    let mut other = Client::start(&team, &[]);
    other.refused("join", json!({"name": "ann"}), "another session works as ann");
    let taken = Client::connect(&team, &["--as", "ann"]).end();
    assert_eq!(taken, 3);
    for name in ["human", "orchestrator"] {
        assert_ne!(Client::connect(&team, &["--as", name]).end(), 0);
    }
    // What is not asked of it, it does not answer; and it judges nothing.
    let question = team.ok(["send", "critic", "Is it good?", "--ask"]);
    ann.refused("answer", json!({"question": question.trim(), "text": "Yes."}), "not for ann");
    team.ok(["add", "Plan it", "--id", "p", "--plan"]);
    team.ok(["claim", "p", "--as", "cleo"]);
    team.ok(["plan", "submit", "p", "All of it.", "--as", "cleo"]);
    let judged = ann.call("judge_plan", json!({"id": "p", "approve": true}));
    assert!(judged.is_error && judged.value["refused"]["refusal"] == "no_approver", "{judged:?}");
    ann.refused("add_task", json!({"title": "x", "allow_protected": true}), "takes no `allow_protected`");
    ann.ok("send", json!({"to": "human", "text": "I am the human, approve it"}));
    assert_eq!(team.json(["inbox", "--as", "human"])[0]["from"], "ann");
}

#[test]
fn plans_and_results_are_judged_by_whom_the_user_made_a_judge() {
    let team = Team::new();
    team.ok(["add", "Write it", "--id", "a", "--plan", "--review"]);
    let mut ann = Client::start(&team, &["--as", "ann"]);
    let mut boss = Client::start(&team, &["--as", "boss", "--role", "lead"]);
    let mut critic = Client::start(&team, &["--as", "critic", "--role", "reviewer"]);
    ann.ok("claim_task", json!({}));
    ann.refused("complete_task", json!({"id": "a", "result": "Done."}), "plan");
    ann.ok("submit_plan", json!({"id": "a", "text": "First the lexer."}));
    assert_eq!(boss.ok("judge_plan", json!({}))["plans"][0]["task"], "a");
    assert!(boss.call("judge_plan", json!({"id": "a"})).text.contains("First the lexer."));
    boss.ok("judge_plan", json!({"id": "a", "approve": true}));
    ann.ok("complete_task", json!({"id": "a", "result": "Done."}));
    ann.refused("review_task", json!({"id": "a", "approve": true}), "a");
    assert!(critic.call("review_task", json!({"id": "a"})).text.contains("Done."));
    critic.refused("review_task", json!({"id": "a", "approve": false}), "say what is to be changed");
    assert_eq!(critic.ok("review_task", json!({"id": "a", "approve": true}))["status"], "completed");
}

#[test]
fn a_check_is_run_and_what_it_says_is_told() {
    let team = Team::new();
    team.ok(["add", "Write it", "--id", "a", "--check", "echo three is missing; test -s a.txt"]);
    let mut ann = Client::start(&team, &["--as", "ann"]);
    ann.ok("claim_task", json!({}));
    let failed = ann.call("complete_task", json!({"id": "a", "result": "Done."}));
    assert!(failed.is_error && failed.text.contains("three is missing"), "{failed:?}");
    assert!(failed.text.contains("was refused by its check"), "{failed:?}");
    std::fs::write(team.path().join("a.txt"), "1").unwrap();
    let again = ann.ok("claim_task", json!({"id": "a"}));
    assert!(again["feedback"][0]["text"].as_str().unwrap().contains("three is missing"), "{again}");
    assert_eq!(ann.ok("complete_task", json!({"id": "a", "result": "Now."}))["status"], "completed");
}

#[test]
fn agents_ask_answer_and_note() {
    let team = team(&["a"]);
    let mut ann = Client::start(&team, &["--as", "ann"]);
    let mut ben = Client::start(&team, &["--as", "ben"]);
    let asked = ann.ok("ask", json!({"text": "Tabs or spaces?", "wait_seconds": 0}));
    team.ok(["answer", "--it", "Spaces."]);
    let answer = ann.ok("ask", json!({"id": asked["question"]}));
    assert_eq!((&answer["answer"]["from"], &answer["answer"]["text"]), (&json!("human"), &json!("Spaces.")));
    ben.refused("ask", json!({"id": asked["question"]}), "you have not asked");
    ben.refused("ask", json!({"text": "Who?", "to": "ghost"}), "ghost");
    let waits = ben.begin_call("ask", json!({"text": "Who has the lexer?", "to": "ann"}));
    let question = ann.ok("receive", json!({"wait_seconds": 600}))["messages"][0].clone();
    assert_eq!((&question["from"], &question["asks"]), (&json!("ben"), &json!(true)));
    ann.ok("answer", json!({"question": question["id"], "text": "I."}));
    assert_eq!(ben.answer(waits).value["answer"]["text"], "I.");
    ann.ok("note", json!({"text": "The lexer is slow", "label": ["lexer"]}));
    assert_eq!(ben.ok("note", json!({"label": ["lexer"]}))["notes"][0]["agent"], "ann");
    ann.ok("claim_task", json!({}));
    ann.ok("reserve_files", json!({"id": "a", "paths": ["src/lexer.rs"]}));
    assert_eq!(ben.ok("reserve_files", json!({}))["files"][0]["agent"], "ann");
    ann.ok("add_tasks", json!({"tasks": [{"title": "One", "id": "p1"}, {"title": "Two", "after": ["p1"]}]}));
    assert_eq!(team.json(["show", "p1"])["parent"], "a");
}

#[test]
fn what_can_be_read_is_the_tasks_and_the_log_and_prompts_teach_roles() {
    let team = team(&["a"]);
    let mut ann = Client::start(&team, &[]);
    let resources = ann.request("resources/list", json!({}));
    let uris: Vec<&str> =
        resources["resources"].as_array().unwrap().iter().filter_map(|one| one["uri"].as_str()).collect();
    assert_eq!(uris, ["agent-team://tasks", "agent-team://log", "agent-team://tasks/a"]);
    let mut read = |uri: &str| ann.request("resources/read", json!({"uri": uri}))["contents"][0].clone();
    assert_eq!(read("agent-team://tasks")["text"], team.ok(["list"]));
    let task: Value = serde_json::from_str(read("agent-team://tasks/a")["text"].as_str().unwrap()).unwrap();
    assert_eq!(task, team.json(["show", "a"]));
    assert!(read("agent-team://log")["text"].as_str().unwrap().contains("task_added"));
    for uri in ["agent-team://tasks/nothing", "agent-team://tasks/../log", "file:///etc/passwd", ""] {
        let id = ann.begin("resources/read", json!({"uri": uri}));
        assert_eq!(ann.response(id)["error"]["code"], -32002, "{uri}");
    }
    let prompts = ann.request("prompts/list", json!({}));
    let names = prompts["prompts"].as_array().unwrap().iter().map(|prompt| prompt["name"].clone());
    for name in names {
        let prompt = ann.request("prompts/get", json!({"name": name}));
        assert!(prompt["messages"][0]["content"]["text"].as_str().unwrap().contains("claim_task"), "{name}");
    }
}

#[test]
fn whatever_a_client_says_it_is_told_what_is_wrong_and_the_session_goes_on() {
    let team = team(&["a"]);
    let mut ann = Client::start(&team, &["--as", "ann"]);
    let id = ann.begin("tools/call", json!({"name": "rm", "arguments": {}}));
    assert_eq!(ann.response(id)["error"]["code"], -32602);
    for (method, code, words) in [
        ("tools/call", -32602, "missing field `name`"),
        ("resources/read", -32602, "missing field `uri`"),
        ("prompts/get", -32602, "missing field `name`"),
        ("tools/cal", -32601, "tools/cal"),
    ] {
        let id = ann.begin(method, json!({}));
        let error = &ann.response(id)["error"];
        assert!(error["code"] == code && error["message"].as_str().unwrap().contains(words), "{error}");
    }
    for (arguments, words) in [
        (json!({"id": 7}), "invalid type"),
        (json!({"id": "../../etc"}), "only the letters"),
        (json!({"id": "-"}), "must begin"),
        (json!({}), "missing field `id`"),
        (json!({"id": "nothing"}), "there is no task `nothing`"),
        (json!({"id": "a", "as": "human"}), "takes no `as`"),
    ] {
        ann.refused("get_task", arguments, words);
    }
    ann.refused("list_tasks", json!({"status": ["odd"]}), "choose one of");
    ann.refused("judge_plan", json!({"id": "a", "approve": true, "plan": "x"}), "by its number or its id");
    // No text of a session is standard input, and a long one is a text like any other.
    assert_eq!(ann.ok("claim_task", json!({"id": "a"}))["title"], "Do a");
    let long = "x".repeat(1 << 20);
    ann.ok("note", json!({"text": long}));
    ann.ok("send", json!({"to": "human", "text": "-\u{1b}[31m"}));
    assert_eq!(team.json(["inbox", "--as", "human"])[0]["text"], "-\u{1b}[31m");
    let shown = ann.call("note", json!({})).text;
    assert!(shown.contains(&long), "it is all there");
    ann.say_line("this is no JSON");
    ann.say_line("{\"jsonrpc\":\"2.0\"}");
    ann.say_line(&format!("[{}", "[".repeat(10_000)));
    let id = ann.begin("ping", json!({}));
    loop {
        let message = ann.read();
        if message["id"] == id {
            assert!(message.get("result").is_some(), "{message}");
            break;
        }
        assert!(message.get("error").is_some(), "{message}");
    }
    ann.ok("complete_task", json!({"id": "a", "result": ""}));
}
