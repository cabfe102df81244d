//! What is said of the sandbox, and what is refused without one.

use std::io::{BufRead, Write};

use serde_json::{Value, json};

use crate::support::Team;

/// Takes every sandbox from the machine, as far as the program knows.
const LACKS: (&str, &str) = ("AGENT_TEAM_SANDBOX_LACKS", "bubblewrap,landlock");

const HINT: &str = "install bubblewrap, use a kernel with Landlock";

/// A repository with a worker that runs one command, and a gate.
fn repository() -> Team {
    let team = Team::without_init();
    let git = |arguments: &[&str]| assert!(team.program("git").args(arguments).status().unwrap().success());
    git(&["init", "--quiet", "--initial-branch", "main"]);
    let author = ["-c", "user.name=U", "-c", "user.email=u@localhost"];
    git(&[&author[..], &["commit", "--quiet", "--allow-empty", "--message", "begin"]].concat());
    let words = json!({"rules": [{"steps": [
        {"tool_calls": [{"name": "run", "input": {"command": "echo new > new"}}]},
        {"tool_calls": [{"name": "finish", "input": {"result": "done"}}]},
    ]}]});
    std::fs::write(team.path().join("words.json"), words.to_string()).unwrap();
    let config = "with = 'script:words.json'\ngate = 'true'\n[[agent]]\nname = 'worker-1'\n[[task]]\nid = 'own'\ntitle = 'Own'\n";
    std::fs::write(team.path().join("team.toml"), config).unwrap();
    team
}

/// The records of a team that say that commands are not confined, and all of them.
fn unconfined(team: &Team) -> (usize, usize) {
    let log = team.ok(["log", "--json"]);
    let records: Vec<Value> = log.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let says = |record: &&Value| record["record"]["unconfined"] == json!(true);
    (records.iter().filter(says).count(), records.len())
}

#[test]
fn without_a_sandbox_nothing_is_run_unless_the_user_says_so_and_every_record_does() {
    let team = repository();
    team.command(["run", "--yes"])
        .env(LACKS.0, LACKS.1)
        .output()
        .map(|output| {
            let said = String::from_utf8_lossy(&output.stderr).into_owned();
            assert_eq!(output.status.code(), Some(3), "{said}");
            assert!(said.contains("there is no sandbox for commands") && said.contains(HINT), "{said}");
        })
        .unwrap();
    assert!(!team.path().join("new").exists());
    let (_, before) = unconfined(&team);
    let ran = team.run(["run", "--yes", "--no-sandbox"]);
    assert_eq!(ran.code, 0, "{ran:?}");
    assert!(ran.stderr.contains("UNCONFINED") || ran.stdout.contains("UNCONFINED"), "{ran:?}");
    let (says, all) = unconfined(&team);
    assert_eq!(says, all - before, "all that the run wrote, and nothing before");
    assert!(team.ok(["log"]).contains("unconfined"));
}

#[test]
fn with_a_sandbox_no_record_says_otherwise() {
    let team = repository();
    assert_eq!(team.run(["run", "--yes"]).code, 0);
    assert_eq!(unconfined(&team).0, 0);
}

#[test]
fn a_check_in_a_shell_is_refused_without_a_sandbox_too() {
    let team = Team::new();
    team.ok(["add", "Prove it", "--id", "a", "--check", "touch ran"]);
    team.ok(["claim", "--as", "w"]);
    let output =
        team.command(["complete", "a", "--as", "w", "--result", "x"]).env(LACKS.0, LACKS.1).output().unwrap();
    assert_eq!(output.status.code(), Some(3), "{output:?}");
    assert!(!team.path().join("ran").exists());
    assert_eq!(unconfined(&team).0, 0);
    assert_eq!(team.run(["verify", "a", "--no-sandbox"]).code, 0);
    assert!(team.path().join("ran").exists());
    assert_eq!(unconfined(&team).0, 2, "the claim on the check, and what it came to");
}

#[test]
fn a_suite_is_refused_without_a_sandbox_too() {
    let team = Team::new();
    let split = ["split", "--run", "--candidate", "touch ran #", "x"];
    let output = team.command(split).env(LACKS.0, LACKS.1).output().unwrap();
    assert_ne!(output.status.code(), Some(0));
    assert!(!team.path().join("ran").exists());
}

#[test]
fn doctor_says_which_there_is() {
    let team = Team::new();
    let known = team.json(["doctor"])["sandbox"].as_str().unwrap().to_owned();
    assert!(["bubblewrap", "landlock"].contains(&known.as_str()), "{known}");
    let output = team.command(["doctor"]).env(LACKS.0, LACKS.1).output().unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(said.contains("none can be used, so commands are refused"), "{said}");
}

#[test]
fn the_check_of_a_split_task_sees_inputs_that_git_does_not_know() {
    let team = Team::without_init();
    let git = |arguments: &[&str]| assert!(team.program("git").args(arguments).status().unwrap().success());
    git(&["init", "--quiet", "--initial-branch", "main"]);
    std::fs::write(team.path().join("candidate"), "grep -q ok mended && grep . \"$1\"\n").unwrap();
    git(&["add", "candidate"]);
    git(&["-c", "user.name=U", "-c", "user.email=u@localhost", "commit", "--quiet", "--message", "begin"]);
    std::fs::create_dir(team.path().join("in")).unwrap();
    std::fs::write(team.path().join("in/a"), "text\n").unwrap();
    team.ok(["init"]);
    team.ok(["split", "--candidate", "sh candidate", "in/a", "--minimize-limit", "0"]);
    let words = json!({"rules": [{"steps": [
        {"tool_calls": [{"name": "write", "input": {"path": "mended", "content": "ok\n"}}]},
        {"tool_calls": [{"name": "finish", "input": {"result": "done"}}]},
    ]}]});
    std::fs::write(team.path().join("words.json"), words.to_string()).unwrap();
    let ran = team.run(["run", "--yes", "--with", "script:words.json"]);
    assert_eq!(ran.code, 0, "{ran:?}");
}

/// Somebody who answers all who come with one word.
fn somebody_answers() -> u16 {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    std::thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let mut stream = std::io::BufReader::new(stream);
            let mut line = String::new();
            while stream.read_line(&mut line).is_ok_and(|read| read > 2) {
                line.clear();
            }
            let answer = b"HTTP/1.1 200 OK\r\ncontent-length: 8\r\nconnection: close\r\n\r\nanswered";
            let _ = stream.into_inner().write_all(answer);
        }
    });
    port
}

#[test]
fn an_agent_reaches_the_hosts_of_its_own_and_nobody_else_does_needs_bwrap() {
    let team = repository();
    let port = somebody_answers();
    let asks = format!(
        "bash -c 'exec 3<>/dev/tcp/127.0.0.1/3128 && printf \"GET http://127.0.0.1:{port}/ HTTP/1.1\\r\\nhost: 127.0.0.1:{port}\\r\\n\\r\\n\" >&3 \
         && timeout 5 cat <&3' > heard; grep -q answered heard && echo yes > said || echo no > said; rm heard; mv said $(basename $PWD)"
    );
    let words = json!({"rules": [{"steps": [
        {"tool_calls": [{"name": "run", "input": {"command": asks}}]},
        {"tool_calls": [{"name": "finish", "input": {"result": "done"}}]},
    ]}]});
    std::fs::write(team.path().join("words.json"), words.to_string()).unwrap();
    let config = |hosts: &str| {
        let tasks = "[[task]]\nid = 'a'\ntitle = 'A'\nagent = 'net'\n[[task]]\nid = 'b'\ntitle = 'B'\nagent = 'none'\n";
        format!(
            "with = 'script:words.json'\ngate = 'true'\n[[agent]]\nname = 'net'\n{hosts}[[agent]]\nname = 'none'\n{tasks}"
        )
    };
    let hosts = format!("hosts = ['127.0.0.1:{port}']\n");
    std::fs::write(team.path().join("team.toml"), config(&hosts)).unwrap();
    let wants = format!("agent.hosts = \"127.0.0.1:{port}\" (net) (commands of it reach it)");
    team.run(["run", "--yes"]).failed(3, &wants);
    team.ok(["trust", "--yes"]);
    let output = team.command(["run", "--yes"]).env(LACKS.0, "bubblewrap").output().unwrap();
    assert_eq!(output.status.code(), Some(3), "Landlock has no way there: {output:?}");
    let ran = team.run(["run", "--yes"]);
    assert_eq!(ran.code, 0, "{ran:?}");
    let said = |name: &str| std::fs::read_to_string(team.path().join(name)).unwrap();
    assert_eq!((said("net").as_str(), said("none").as_str()), ("yes\n", "no\n"));
}
