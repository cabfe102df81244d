//! Messages, members, and the log of it all.

use agent_team_log::{FileLog, Log};

use crate::support::Team;

#[test]
fn a_message_is_read_once_and_its_sender_sees_it() {
    let team = Team::new();
    team.ok(["join", "--as", "critic", "--role", "reviewer"]);
    team.ok(["add", "A", "--id", "a"]);
    let id = team.ok(["send", "role:reviewer", "Please look.", "--from", "w1", "--task", "a"]);
    assert_eq!(id.trim().len(), 32);
    assert!(team.ok(["inbox", "--as", "w1", "--sent"]).contains("critic  queued"));
    assert_eq!(team.json(["inbox", "--as", "critic", "--peek"])[0]["text"], "Please look.");
    let read = team.json(["inbox", "--as", "critic"]);
    assert_eq!(
        (&read[0]["from"], &read[0]["task"], &read[0]["id"]),
        (&"w1".into(), &"a".into(), &id.trim().into())
    );
    assert_eq!(team.ok(["inbox", "--as", "critic"]), "");
    assert!(team.ok(["inbox", "--as", "w1", "--sent"]).contains("critic  read"));
    assert_eq!(team.json(["inbox", "--as", "critic", "--since", "0"]).as_array().unwrap().len(), 1);
    let seq = read[0]["seq"].to_string();
    assert_eq!(team.json(["inbox", "--as", "critic", "--since", &seq]).as_array().unwrap().len(), 0);
    team.run(["send", "role:king", "x"]).failed(2, "is no role");
    team.run(["send", "critic", "x", "--task", "nothing"]).failed(3, "there is no task `nothing`");
}

#[test]
fn specialists_take_the_tasks_of_their_skill_and_leave() {
    let team = Team::new();
    team.ok(["add", "Paint", "--id", "p", "--skill", "css"]);
    assert!(team.ok(["status"]).contains("waits for an agent with the skill css"));
    team.run(["claim", "--as", "w"]).failed(4, "no work will come");
    team.ok(["join", "--as", "painter", "--role", "specialist", "--skill", "css,svg"]);
    assert_eq!(team.json(["claim", "--as", "painter"])["id"], "p");
    assert!(team.ok(["leave", "--as", "painter"]).contains("has left"));
    team.run(["leave", "--as", "nobody"]).failed(3, "there is no agent `nobody`");
}

#[test]
fn the_log_tells_what_happened_and_what_took_no_effect() {
    let team = Team::new();
    team.ok(["add", "A", "--id", "a"]);
    let token = team.json(["claim", "--as", "w"])["token"].as_str().unwrap().to_owned();
    team.ok(["complete", "a", "--as", "w", "--result", "done"]);
    // Another process that decided on the same state: its record is in the log, and void.
    let mut submitted = team.json(["log", "--kind", "task_submitted"])["record"].clone();
    submitted["id"] = token.as_str().replacen('0', "f", 1).into();
    append(&team, &submitted.to_string());
    let lines = team.ok(["log"]);
    assert_eq!(lines.lines().count(), 5);
    assert!(lines.lines().last().unwrap().contains("[void: claim"), "{lines}");
    let last = team.ok(["log", "--json", "--since", "4"]);
    let last: serde_json::Value = serde_json::from_str(&last).unwrap();
    assert_eq!((&last["outcome"], &last["record"]["body"]["claim"]), (&"void".into(), &token.into()));
    let about_a = team.ok(["log", "--task", "a", "--json"]);
    assert_eq!(about_a.lines().count(), 4);
    let doctor = team.ok(["doctor"]);
    assert!(doctor.contains("void  1  task_submitted  claim_lost"), "{doctor}");
    assert!(team.ok(["doctor", "--all"]).contains("has ended: done"));
}

/// Appends a record as another process may that has not read the end of the log.
fn append(team: &Team, record: &str) {
    let log = FileLog::open(&team.path().join(".agent-team/log.jsonl")).unwrap();
    log.append(&[record.as_bytes()]).unwrap();
}

#[test]
fn what_could_not_be_shown_is_not_read() {
    let team = Team::new();
    team.ok(["send", "w1", "important"]);
    let full = std::fs::File::create("/dev/full").unwrap();
    let mut inbox = team.command(["inbox", "--as", "w1"]);
    assert_eq!(inbox.stdout(full).output().unwrap().status.code(), Some(1));
    assert!(team.ok(["inbox", "--as", "w1"]).contains("important"));
    assert_eq!(team.ok(["inbox", "--as", "w1"]), "");
}

#[test]
fn what_nobody_hears_now_is_sent_and_warned_of() {
    let team = Team::new();
    team.ok(["join", "--as", "w1"]);
    team.ok(["add", "A", "--id", "a"]);
    for verb in ["say", "send"] {
        for (to, warning) in [
            ("w2", "nobody called w2 is in the team now: the message waits"),
            ("role:reviewer", "no reviewer is in the team now: the message waits"),
        ] {
            let ran = team.run([verb, to, "A word"]);
            assert_eq!((ran.code, ran.stderr), (0, format!("WARNING {warning}\n")), "{verb}");
        }
        for to in ["w1", "human", "role:worker", "task:a", "everyone"] {
            let ran = team.run([verb, to, "A word"]);
            assert_eq!((ran.code, ran.stderr.as_str()), (0, ""), "{verb} {to}");
        }
        assert_eq!(team.json([verb, "w3", "A word"])["waits_for_member"], true);
        team.run([verb, "task:b", "A word"]).failed(3, "there is no task `b`");
    }
    team.ok(["join", "--as", "w4"]);
    team.ok(["leave", "--as", "w4"]);
    let ran = team.run(["send", "w4", "A word", "--from", "w1"]);
    assert_eq!(ran.stderr, "WARNING w4 has left the team: the message comes back to you\n");
    assert_eq!(team.json(["send", "w4", "A word", "--from", "w1"])["waits_for_member"], false);
    assert!(team.run(["send", "w4", "A word"]).stderr.contains("the message waits"), "the human's does");
}

#[test]
fn who_leaves_without_reading_what_went_to_all_is_named_to_its_sender() {
    let team = Team::new();
    for name in ["w1", "w2", "w3"] {
        team.ok(["join", "--as", name]);
    }
    team.ok(["say", "everyone", "Keep the API."]);
    team.ok(["inbox", "--as", "w2"]);
    team.ok(["leave", "--as", "w1"]);
    team.ok(["leave", "--as", "w2"]);
    let sent = team.ok(["inbox", "--as", "human", "--sent"]);
    let told = |name: &str, word: &str| {
        sent.lines().any(|line| line.trim().starts_with(name) && line.ends_with(word))
    };
    assert!(told("w1", "left without reading it") && told("w2", "read") && told("w3", "queued"), "{sent}");
    let status = team.ok(["status"]);
    assert_eq!(status.matches("unread").count(), 1, "only of who is there: {status}");
    // Who comes back may read it yet.
    team.ok(["join", "--as", "w1"]);
    team.ok(["inbox", "--as", "w1"]);
    let sent = team.ok(["inbox", "--as", "human", "--sent"]);
    assert!(!sent.contains("left without"), "{sent}");
}
