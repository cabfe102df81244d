//! Agents that are driven: programs that bring a model and tools of their own. Here they are a fake that speaks their protocol
//! (`tests/acp/agent.py`), and shell scripts.

use std::path::PathBuf;
use std::process::Stdio;

use serde_json::{Value, json};

use crate::clients::find_in;
use crate::support::{Ran, Team};

/// A team in a git repository.
pub fn project() -> Team {
    let team = Team::new();
    let git = "git init -q -b main . && git -c user.name=ann -c user.email=ann@example.com commit -q --allow-empty -m begin";
    assert!(team.program("sh").args(["-c", git]).status().unwrap().success());
    team
}

/// A fake agent that follows a script, as `--with` names it. It is seen in the sandbox.
pub fn acp(team: &Team, script: &Value) -> String {
    let folder = team.path().join("fake");
    std::fs::create_dir(&folder).unwrap();
    std::fs::write(folder.join("script.json"), script.to_string()).unwrap();
    std::fs::copy(fixture("acp/agent.py"), folder.join("agent.py")).unwrap();
    std::fs::write(team.path().join("team.toml"), SEEN).unwrap();
    team.ok(["trust", "--yes"]);
    format!("acp:python3 {0}/agent.py {0}/script.json", folder.display())
}

/// What lets commands see the fake.
const SEEN: &str = "sandbox.read = ['fake']\n";

fn fixture(path: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests").join(path)
}

pub fn finishes(result: &str) -> Value {
    json!({"team": ["finish", {"result": result}]})
}

/// The lines of the transcripts of all attempts.
fn transcript(team: &Team) -> Vec<Value> {
    let attempts = std::fs::read_dir(team.path().join(".agent-team/attempts")).unwrap();
    let files = attempts.map(|attempt| attempt.unwrap().path().join("transcript.jsonl"));
    let texts = files.filter_map(|file| std::fs::read_to_string(file).ok());
    let lines: Vec<Value> = texts
        .flat_map(|text| text.lines().map(str::to_owned).collect::<Vec<_>>())
        .filter_map(|line| serde_json::from_str(&line).ok())
        .collect();
    lines
}

fn shown(team: &Team, path: &str) -> String {
    let output = team.program("git").args(["show", &format!("main:{path}")]).output().unwrap();
    String::from_utf8(output.stdout).unwrap()
}

#[test]
fn an_agent_that_is_driven_does_a_task_with_its_own_tools_and_delivers_it_by_the_teams() {
    let team = project();
    let script = json!({"Write a": [
        {"say": "I write it."},
        {"write": ["a.txt", "hello\n"]},
        {"team": ["send", {"to": "human", "text": "Nearly done."}]},
        finishes("a.txt says hello."),
    ]});
    let with = acp(&team, &script);

    let ran = team.run(["run", "Write a", "--with", &with, "--check", "grep -q hello a.txt", "--yes"]);

    assert_eq!(ran.code, 0, "{ran:?}");
    assert_eq!(shown(&team, "a.txt"), "hello\n");
    let tasks = team.json(["list"]);
    assert_eq!(
        tasks[0]["result"]["preview"].as_str().or(tasks[0]["result"].as_str()),
        Some("a.txt says hello."),
        "{tasks}"
    );
    let inbox = team.ok(["inbox", "--as", "human"]);
    assert!(inbox.contains("Nearly done."), "{inbox}");
    let lines = transcript(&team);
    let of = |kind: &str| lines.iter().filter(|line| line["type"] == kind).collect::<Vec<_>>();
    assert_eq!(
        (of("permission")[0]["what"].as_str(), of("permission")[0]["allowed"].as_bool()),
        (Some("Write a.txt"), Some(true))
    );
    let names: Vec<&str> = of("tool_result").iter().map(|line| line["name"].as_str().unwrap()).collect();
    assert_eq!(names, ["Write a.txt", "mcp__team__send", "mcp__team__finish"]);
    assert_eq!(of("answered")[0]["parts"][0]["text"], "I write it.");
    assert_eq!(team.json(["status"])["spent"]["input_tokens"], 100, "what it says that it used counts");
}

#[test]
fn it_calls_the_model_that_it_is_told_to_or_does_not_begin() {
    let team = project();
    let script = json!({"$models": ["small", "large"], "Write a": [{"model": true}]});
    let with = acp(&team, &script);
    let run = |model: &str| {
        let agent = format!("[[agent]]\nname = 'worker-1'\nwith = {with:?}\nmodel = '{model}'\n");
        std::fs::write(team.path().join("team.toml"), format!("{SEEN}{agent}")).unwrap();
        team.ok(["trust", "--yes"]);
        team.run(["run", "Write a", "--yes", "--no-gate"])
    };

    let ran = run("huge");
    assert_eq!((ran.code, team.json(["show", "goal"])["attempt"].as_u64()), (5, Some(1)), "{ran:?}");
    let words =
        "it does not take the model `huge`: it can be told none over the protocol; it offers small, large";
    assert!(ran.stdout.contains(words), "{ran:?}");

    let ran = run("large");
    assert_eq!((ran.code, &team.json(["show", "goal"])["result"]), (0, &json!("I call large.")), "{ran:?}");
}

#[test]
fn without_a_call_of_the_team_its_last_words_are_its_result_and_nothing_counts_that_no_check_proves() {
    let team = project();
    let script = json!({
        "did not pass its check": [{"write": ["a.txt", "hello\n"]}, {"say": "Now it is there."}],
        "Write a": [{"say": "It is done."}],
    });
    let with = acp(&team, &script);
    let ran = team.run(["run", "Write a", "--with", &with, "--check", "grep -q hello a.txt", "--yes"]);
    assert_eq!(ran.code, 0, "{ran:?}");
    let task = team.json(["show", "goal"]);
    assert_eq!((&task["attempt"], shown(&team, "a.txt").as_str()), (&json!(2), "hello\n"), "{task}");
}

#[test]
fn who_reviews_only_looks() {
    let team = project();
    let script = json!({
        "What worker-1 delivered": [
            {"write": ["b.txt", "mine\n"]},
            {"team": ["review", {"approve": true, "feedback": "Good."}]},
        ],
        "Write a": [{"write": ["a.txt", "hello\n"]}, finishes("Written.")],
    });
    let with = acp(&team, &script);
    std::fs::write(
        team.path().join("team.toml"),
        format!(
            "{SEEN}with = '{with}'\ngate = 'true'\n[[agent]]\nname = 'worker-1'\n[[agent]]\nname = 'critic'\nrole = 'reviewer'\n\
             [[task]]\nid = 'a'\ntitle = 'Write a'\nreview = true\n"
        ),
    )
    .unwrap();
    let ran = team.run(["run", "--yes"]);
    assert_eq!(ran.code, 0, "{ran:?}");
    let asked: Vec<bool> = transcript(&team)
        .iter()
        .filter(|line| line["type"] == "permission")
        .map(|line| line["allowed"].as_bool().unwrap())
        .collect();
    assert!(asked.contains(&true) && asked.contains(&false), "{asked:?}");
    assert_eq!((shown(&team, "a.txt").as_str(), shown(&team, "b.txt").as_str()), ("hello\n", ""));
}

#[test]
fn an_interrupt_breaks_off_what_it_does_and_it_hears_why() {
    let team = project();
    let script = json!({
        "Leave the lexer": [{"write": ["a.txt", "hello\n"]}, finishes("Without the lexer.")],
        "Write a": [{"say": "First the lexer."}, {"hang": true}],
    });
    let with = acp(&team, &script);
    let arguments = ["run", "Write a", "--with", &with, "--no-gate", "--yes"];
    let mut run = team.command(arguments).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    while !team.path().join(".agent-team/attempts").exists()
        || transcript(&team).iter().all(|line| line["type"] != "told")
    {
        assert!(
            run.try_wait().unwrap().is_none(),
            "it ended: {:?}",
            Ran::of(run.wait_with_output().unwrap())
        );
        std::thread::yield_now();
    }
    team.ok(["interrupt", "worker-1", "Leave the lexer alone"]);
    let ran = Ran::of(run.wait_with_output().unwrap());
    assert_eq!(ran.code, 0, "{ran:?}");
    assert_eq!(shown(&team, "a.txt"), "hello\n");
}

#[test]
fn whoever_cannot_be_started_or_is_not_logged_in_works_on_nothing_and_says_why() {
    for (script, words) in [
        (json!({"login": true}), "is not logged in"),
        (json!({"Write a": [{"die": 3}]}), "the battery is empty"),
    ] {
        let team = project();
        let with = acp(&team, &script);
        let ran = team.run(["run", "Write a", "--with", &with, "--no-gate", "--yes"]);
        assert_eq!(ran.code, 5, "{ran:?}");
        assert!(ran.stderr.contains(words), "{ran:?}");
    }
    for with in ["exec:no-such-program", "acp:no-such-program --acp"] {
        let team = project();
        let ran = team.run(["run", "Write a", "--with", with, "--no-gate", "--yes"]);
        assert!(ran.code == 5 && ran.stderr.contains("takes nothing more: cannot start"), "{ran:?}");
        assert!(ran.stderr.contains("no-such-program: not found"), "{ran:?}");
        assert_eq!(team.json(["show", "goal"])["status"], "ready", "{ran:?}");
    }
    let team = project();
    let ran = team.run(["run", "Write a", "--with", "opencode", "--no-gate", "--yes", "--no-sandbox"]);
    assert!(ran.code == 5 && ran.stderr.contains("see that it is installed"), "{ran:?}");

    // A link from a folder of PATH to where nobody is let look.
    let hidden = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
    std::fs::create_dir(hidden.path().join("bin")).unwrap();
    std::fs::write(hidden.path().join("program"), "").unwrap();
    std::os::unix::fs::symlink("../program", hidden.path().join("bin/opencode")).unwrap();
    let mut run = team.command(["run", "--with", "opencode", "--no-gate", "--yes", "--budget-tokens", "9"]);
    find_in(&mut run, &[hidden.path().join("bin")]);
    let ran = Ran::of(run.env("OPENAI_API_KEY", "a-key").output().unwrap());
    assert!(ran.code == 5 && ran.stderr.contains("name the folder that it is installed in"), "{ran:?}");
}

#[test]
fn any_program_can_be_an_agent() {
    let team = project();
    let command = "exec:grep -q 'Write a' && echo hello > a.txt && echo 'It says hello.'";
    let ran = team.run(["run", "Write a", "--with", command, "--check", "grep -q hello a.txt", "--yes"]);
    assert_eq!(ran.code, 0, "{ran:?}");
    assert_eq!(shown(&team, "a.txt"), "hello\n");

    let team = project();
    let ran =
        team.run(["run", "Write a", "--with", "exec:echo 'out of paper' >&2; exit 7", "--no-gate", "--yes"]);
    assert!(ran.code == 5 && ran.stderr.contains("exit code 7: out of paper"), "{ran:?}");
}

#[test]
fn whose_login_is_out_of_reach_is_not_driven_without_a_key_to_lend() {
    let team = project();
    let ran = team.run(["run", "Write a", "--with", "claude", "--no-gate", "--yes"]);
    ran.failed(2, "claude works in a sandbox, where its own login is out of reach: set ANTHROPIC_API_KEY");
    assert!(ran.stderr.contains("--no-sandbox"), "{ran:?}");
}

#[test]
fn a_program_that_prints_without_end_fails_and_it_is_said_why() {
    for (with, words) in [
        ("exec:yes", "it printed more than 1 MiB"),
        ("acp:yes nonsense", "it printed 1000 lines that are no messages of the protocol"),
        ("acp:yes nonsense | tr -d '\\n'", "it printed a line of more than 64 MiB"),
    ] {
        let team = project();
        let ran = team.run(["run", "Write a", "--with", with, "--no-gate", "--yes"]);
        assert!(ran.code == 5 && ran.stdout.contains(words), "{ran:?}");
    }
}
