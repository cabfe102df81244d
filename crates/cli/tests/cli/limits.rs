//! What is seen of a provider's limits.

use std::io::{BufRead, BufReader};
use std::process::Stdio;

use crate::support::Team;

const LIMITED: &str = r#"{"rules": [{"give": {"error":
    {"kind": "rate_limited", "message": "slow down", "retry_after_ms": 3000000}}}]}"#;

#[test]
fn a_limit_fails_nothing_and_is_shown_by_run_status_and_log() {
    let team = Team::new();
    std::fs::write(team.path().join("limit.json"), LIMITED).unwrap();
    let run = ["run", "Say it", "--with", "script:limit.json", "--timeout", "3s"];
    let ran = team.run(run);
    assert_eq!(ran.code, 124, "{ran:?}");
    assert_eq!(
        ran.stderr.matches("LIMITED script takes no calls, the next try is in ").count(),
        1,
        "{ran:?}"
    );
    let end = "  waited for script, limited by its provider: slow down; the next try would be in 49m\n";
    assert!(ran.stdout.contains(end), "{ran:?}");
    assert_eq!((team.count("failed"), team.count("ready")), (0, 1));

    let status = team.ok(["status"]);
    let line = status.lines().find(|line| line.starts_with("limited")).unwrap_or_else(|| panic!("{status}"));
    assert!(line.contains("script  no calls for 49m, until 20") && line.contains("slow down"), "{line}");
    assert!(line.ends_with("agent-team resume --model script"), "{line}");
    let limit = &team.json(["status"])["limited"][0];
    assert_eq!((&limit["model"], &limit["reason"]), (&"script".into(), &"slow down".into()));
    let log = team.ok(["log"]);
    assert!(log.contains("model_limited") && log.contains("script for 50m: slow down"), "{log}");

    // A second process has nobody refused anew: what the first one learned is in the log.
    assert_eq!(team.run(run).code, 124);
    assert_eq!(team.ok(["log"]).matches("model_limited").map(|_| 1).sum::<u32>(), 1);
}

#[test]
fn a_limit_is_lifted_by_hand_and_whoever_waits_tries_at_once() {
    let team = Team::new();
    // Only the first call of each attempt is refused, as by a limit that somebody has raised since.
    let once = r#"{"rules": [
        {"when": {"retry": 0}, "give": {"error": {"kind": "rate_limited", "message": "slow down", "retry_after_ms": 3000000}}},
        {"give": {"text": "Said."}}]}"#;
    std::fs::write(team.path().join("limit.json"), once).unwrap();
    let run = ["run", "Say it", "--agents", "1", "--with", "script:limit.json", "--timeout", "60s"];
    let mut run = team.command(run).stderr(Stdio::piped()).stdout(Stdio::null()).spawn().unwrap();
    let mut lines = BufReader::new(run.stderr.take().unwrap()).lines().map_while(Result::ok);
    assert!(lines.any(|line| line.contains("LIMITED script")), "it waits");
    assert_eq!(team.ok(["resume", "--model", "other"]), "other was not limited\n");
    assert_eq!(team.ok(["resume", "--model", "script"]), "script may be called again\n");
    assert!(lines.any(|line| line.contains("goal")), "it goes on");
    lines.for_each(drop);
    assert!(run.wait().unwrap().success());
    assert_eq!(team.ok(["resume", "--model", "script"]), "script was not limited\n");
    assert!(!team.ok(["status"]).contains("limited"));
    let log = team.ok(["log"]);
    assert!(log.contains("script may be called again"), "{log}");
    team.run(["resume", "worker-1", "--model", "script"]).failed(2, "cannot be used with");
}
