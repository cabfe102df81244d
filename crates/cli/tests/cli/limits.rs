//! What is seen of a provider's limits.

use crate::support::Team;

const LIMITED: &str = r#"{"rules": [{"give": {"error":
    {"kind": "rate_limited", "message": "slow down", "retry_after_ms": 3000000}}}]}"#;

#[test]
fn a_limit_fails_nothing_and_is_shown_by_run_status_and_log() {
    let team = Team::new();
    std::fs::write(team.path().join("limit.json"), LIMITED).unwrap();
    let run = ["run", "Say it", "--with", "script:limit.json", "--timeout", "300ms"];
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
    assert!(line.contains("script  no calls for 49m, until 20") && line.ends_with("slow down"), "{line}");
    let limit = &team.json(["status"])["limited"][0];
    assert_eq!((&limit["model"], &limit["reason"]), (&"script".into(), &"slow down".into()));
    let log = team.ok(["log"]);
    assert!(log.contains("model_limited") && log.contains("script for 50m: slow down"), "{log}");

    // A second process has nobody refused anew: what the first one learned is in the log.
    assert_eq!(team.run(run).code, 124);
    assert_eq!(team.ok(["log"]).matches("model_limited").map(|_| 1).sum::<u32>(), 1);
}
