//! The real Claude Code and Codex, driven by their own streams, with fakes of ours for their providers (`tests/providers`).
//!
//! They are looked for in the folder `$AGENT_TEAM_CLIENTS`, as npm installs them: `n-claude/node_modules/.bin/claude` and
//! `n-codex/node_modules/.bin/codex`. Without that variable nothing is tested here. They work in the sandbox, where they see no key,
//! and call models that they are lent.

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use serde_json::{Value, json};
use tempfile::TempDir;

use crate::clients::{self, KEY, Provider};
use crate::support::{Ran, Team};

/// A program, and how its model calls a command.
#[derive(Clone, Copy)]
struct Client {
    program: &'static str,
    /// To models that it does not know itself Codex gives the tools that the fake knows.
    model: &'static str,
    provider: &'static str,
    shell: fn(&str) -> Value,
}

const CLAUDE: Client = Client {
    program: "claude",
    model: "claude-fake-1",
    provider: "anthropic_messages.py",
    shell: |command| json!({"call": ["Bash", {"command": command, "description": "a command"}]}),
};

const CODEX: Client = Client {
    program: "codex",
    model: "fake",
    provider: "openai_responses.py",
    shell: |command| json!({"call": ["exec_command", {"cmd": command}]}),
};

/// A team in a git repository, one program to work in it, and its provider.
struct Place {
    team: Team,
    client: Client,
    /// The user's home, which the programs do not see.
    home: TempDir,
    /// Where all programs are installed.
    installed: PathBuf,
    provider: Provider,
}

impl Place {
    /// `None` where the programs are not installed.
    fn with(client: Client, script: &Value) -> Option<Self> {
        let installed = clients::installed()?;
        let team = clients::team_in_a_repository();
        let provider = Provider::start(&team, client.provider, script);
        let place = Self { team, client, home: tempfile::tempdir().unwrap(), installed, provider };
        place.configure("");
        Some(place)
    }

    /// Writes team.toml, by which the sandbox shows where the program is installed.
    fn configure(&self, more: &str) {
        let agents = if more.is_empty() { "[[agent]]\nname = 'worker-1'\n" } else { more };
        let model = format!("[[agent]]\nmodel = '{}'\n", self.client.model);
        let agents = agents.replace("[[agent]]\n", &model);
        let config = format!("sandbox.read = ['{}']\n{agents}", self.installed.display());
        std::fs::write(self.team.path().join("team.toml"), config).unwrap();
        assert!(self.command(["trust", "--yes"]).output().unwrap().status.success());
    }

    fn command<const N: usize>(&self, arguments: [&str; N]) -> Command {
        let mut command = self.team.command(arguments);
        let programs = clients::programs(&self.installed, &format!("n-{}", self.client.program));
        clients::find_in(&mut command, &[programs]);
        command.env("HOME", self.home.path());
        // The key that the program does not get, and where it is worth something.
        let url = &self.provider.url;
        command.env("ANTHROPIC_BASE_URL", url).env("OPENAI_BASE_URL", format!("{url}/v1"));
        command.env("ANTHROPIC_API_KEY", KEY).env("OPENAI_API_KEY", KEY);
        command
    }

    /// A run in which the program does a task.
    fn run(&self) -> Command {
        self.run_with(&format!("{}:headless", self.client.program))
    }

    fn run_with(&self, with: &str) -> Command {
        let check = "grep -q hello a.txt";
        self.command(["run", "Write a", "--with", with, "--check", check, "--yes"])
    }

    fn transcript(&self) -> Vec<Value> {
        let Ok(attempts) = std::fs::read_dir(self.team.path().join(".agent-team/attempts")) else {
            return Vec::new();
        };
        let files = attempts.map(|attempt| attempt.unwrap().path().join("transcript.jsonl"));
        let texts: Vec<String> = files.filter_map(|file| std::fs::read_to_string(file).ok()).collect();
        texts
            .iter()
            .flat_map(|text| text.lines())
            .filter_map(|line| serde_json::from_str(line).ok())
            .collect()
    }

    /// The lines of a type in the transcripts of all attempts.
    fn lines(&self, kind: &str) -> Vec<Value> {
        self.transcript().into_iter().filter(|line| line["type"] == kind).collect()
    }

    /// Starts a run, and waits until something stands in its transcript.
    fn run_until(&self, stands: impl Fn(&Self) -> bool) -> Child {
        let mut run = self.run().stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        while !stands(self) {
            if run.try_wait().unwrap().is_some() {
                panic!("it ended: {:?}", Ran::of(run.wait_with_output().unwrap()));
            }
            std::thread::yield_now();
        }
        run
    }

    fn shown(&self, path: &str) -> String {
        clients::merged(&self.team, path)
    }
}

fn finishes(result: &str) -> Value {
    json!({"call": ["mcp__team__finish", {"result": result}]})
}

fn does_a_task(client: Client) {
    let write = (client.shell)("echo hello > a.txt && echo written");
    let script = json!({"Write a": [write, finishes("a.txt says hello."), {"say": "Done."}]});
    let Some(place) = Place::with(client, &script) else { return };
    let ran = Ran::of(place.run().output().unwrap());
    assert_eq!(ran.code, 0, "{ran:?} {:?}", place.transcript());
    assert_eq!(place.shown("a.txt"), "hello\n");
    let results = place.lines("tool_result");
    assert!(results[0]["output"].as_str().unwrap().contains("written"), "{results:?}");
    assert_eq!(results[1]["name"], "mcp__team__finish");
    let permissions = place.lines("permission");
    let allowed = permissions.iter().all(|line| line["allowed"] == true);
    assert!(allowed && permissions.iter().any(|line| line["what"] == "mcp__team__finish"), "{permissions:?}");
    let tasks = place.team.json(["list"]);
    let result = &tasks[0]["result"];
    assert_eq!(result["preview"].as_str().or(result.as_str()), Some("a.txt says hello."), "{tasks}");
    let spent = &place.team.json(["status"])["spent"];
    assert!(spent["calls"].as_u64() >= Some(2) && spent["input_tokens"].as_u64() >= Some(200), "{spent}");
    let holds_key =
        |folder: &Path| place.team.program("grep").args(["-rl", KEY]).arg(folder).status().unwrap().success();
    assert!(!holds_key(place.team.path()) && !holds_key(place.home.path()), "nobody has written it");
}

#[test]
fn a_budget_is_asked_before_each_call_of_a_program_and_ends_its_work() {
    let script = json!({"Write a": [(CLAUDE.shell)("echo hello > a.txt"), finishes("Written.")]});
    let Some(place) = Place::with(CLAUDE, &script) else { return };
    let ran = Ran::of(
        place
            .command(["run", "Write a", "--with", "claude:headless", "--no-gate", "--budget-tokens", "900"])
            .output()
            .unwrap(),
    );
    assert_eq!(ran.code, 5, "{ran:?}");
    assert!(ran.stderr.contains("the budget of the team is used up (tokens)"), "{ran:?}");
    assert_eq!(place.provider.asked(), "", "its provider was not asked");
    assert_eq!(place.team.json(["show", "goal"])["status"], "ready", "no attempt has failed");
}

fn needs_no_adapter(client: Client) {
    let script = json!({"Write a": [(client.shell)("echo hello > a.txt"), finishes("Written.")]});
    let Some(place) = Place::with(client, &script) else { return };
    let ran = Ran::of(place.run_with(client.program).output().unwrap());
    assert_eq!(ran.code, 0, "{ran:?} {:?}", place.transcript());
    assert_eq!(place.lines("began")[0]["with"], client.program, "it is known by the name that was asked for");
}

fn is_interrupted_in_a_command_that_hangs(client: Client) {
    let script = json!({
        "Leave the lexer": [(client.shell)("echo hello > a.txt"), finishes("Without the lexer.")],
        "Write a": [(client.shell)("while true; do sleep 1; done")],
    });
    let Some(place) = Place::with(client, &script) else { return };
    let run = place.run_until(|place| !place.lines("answered").is_empty());
    place.team.ok(["interrupt", "worker-1", "Leave the lexer alone"]);
    let ran = Ran::of(run.wait_with_output().unwrap());
    assert_eq!(ran.code, 0, "{ran:?} {:?}", place.transcript());
    assert_eq!(place.shown("a.txt"), "hello\n");
    assert_eq!(place.team.json(["show", "goal"])["attempt"], 1, "it goes on in the same attempt");
}

fn is_refused_what_a_reviewer_may_not_do(client: Client, is_refused: impl Fn(&Place) -> bool) {
    let acts = (client.shell)("echo mine > b.txt");
    let review = json!({"call": ["mcp__team__review", {"approve": true, "feedback": "Good."}]});
    let script = json!({
        "What worker-1 delivered": [(client.shell)("cat a.txt"), acts, review],
        "Write a": [(client.shell)("echo hello > a.txt"), finishes("Written.")],
    });
    let Some(place) = Place::with(client, &script) else { return };
    let with = format!("{}:headless", client.program);
    let config = format!(
        "with = '{with}'\ngate = 'true'\n[[agent]]\nname = 'worker-1'\n[[agent]]\nname = 'critic'\nrole = 'reviewer'\n\
         [[task]]\nid = 'a'\ntitle = 'Write a'\nreview = true\n"
    );
    place.configure(&config);
    let ran = Ran::of(place.command(["run", "--yes"]).output().unwrap());
    assert_eq!(ran.code, 0, "{ran:?} {:?}", place.transcript());
    assert!(is_refused(&place), "{:?}", place.transcript());
    let looked = place.lines("tool_result").into_iter().any(|line| {
        line["is_error"] == false && line["output"].as_str().is_some_and(|output| output.trim() == "hello")
    });
    assert!(looked, "it may look: {:?}", place.lines("tool_result"));
    assert_eq!((place.shown("a.txt").as_str(), place.shown("b.txt").as_str()), ("hello\n", ""));
}

/// Whether a conversation in or below a folder, as the program keeps it, has what came of a command.
fn has_kept_what_it_did(folder: &Path) -> bool {
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
    entries.map(|entry| entry.path()).any(|path| {
        let is_its = |folder: &Path| folder.ends_with("projects") || folder.ends_with("sessions");
        let is_kept = path.extension().is_some_and(|end| end == "jsonl") && path.ancestors().any(is_its);
        let kept = if is_kept { std::fs::read_to_string(&path).unwrap_or_default() } else { String::new() };
        let has_result = kept.contains("tool_result") || kept.contains("function_call_output");
        has_result || (path.is_dir() && !path.is_symlink() && has_kept_what_it_did(&path))
    })
}

fn goes_on_after_the_run_was_killed(client: Client) {
    let script = json!({
        "Go on with your task where you left off": [finishes("Written, in two goes.")],
        "Write a": [(client.shell)("echo hello > a.txt"), {"hang": true}],
    });
    let Some(place) = Place::with(client, &script) else { return };
    // It asks its model again before it has written down what it did.
    let mut run = place.run_until(|place| has_kept_what_it_did(&place.team.path().join(".agent-team")));
    run.kill().unwrap();
    run.wait().unwrap();
    let ran = Ran::of(place.run().output().unwrap());
    assert_eq!(ran.code, 0, "{ran:?} {:?}", place.transcript());
    assert_eq!(place.shown("a.txt"), "hello\n");
    assert_eq!(place.lines("session").len(), 1, "it is one conversation: {:?}", place.lines("session"));
    let asked = place.provider.asked();
    let last = asked.lines().rfind(|line| line.contains("Go on with your task where you left off")).unwrap();
    assert!(last.contains("echo hello > a.txt"), "its model knows what it did before: {last}");
    assert!(!last.contains("What you did so far"), "and is not told");
}

fn works_in_the_same_conversation_once_its_plan_is_approved(client: Client) {
    let plan = json!({"call": ["mcp__team__submit_plan", {"plan": "One line."}]});
    let script = json!({
        "You may change files now": [(client.shell)("echo hello > a.txt"), finishes("One line it was.")],
        "Write a": [plan, {"say": "I wait."}],
    });
    let Some(place) = Place::with(client, &script) else { return };
    let config = "[[agent]]\nname = 'worker-1'\nplan = true\n";
    place.configure(config);
    let run = place.run_until(|place| place.team.ok(["plan", "list"]).contains("One line."));
    place.team.ok(["plan", "approve", "goal"]);
    let ran = Ran::of(run.wait_with_output().unwrap());
    assert_eq!(ran.code, 0, "{ran:?} {:?}", place.transcript());
    assert_eq!(place.shown("a.txt"), "hello\n");
    assert_eq!(place.lines("session").len(), 1, "it is one conversation: {:?}", place.lines("session"));
    let spent = &place.team.json(["status"])["spent"];
    assert!(spent["input_tokens"].as_u64() >= Some(300), "the second part counts, too: {spent}");
}

fn says_that_it_is_not_logged_in(client: Client) {
    let Some(place) = Place::with(client, &json!({"Write a": [{"status": 401}]})) else { return };
    let ran = Ran::of(place.run().output().unwrap());
    assert!(ran.code == 5 && ran.stderr.contains("is not logged in"), "{ran:?}");
}

#[test]
fn claude_does_a_task() {
    does_a_task(CLAUDE);
}

#[test]
fn codex_does_a_task() {
    does_a_task(CODEX);
}

#[test]
fn claude_needs_no_adapter() {
    needs_no_adapter(CLAUDE);
}

#[test]
fn codex_needs_no_adapter() {
    needs_no_adapter(CODEX);
}

#[test]
fn claude_is_interrupted_in_a_command_that_hangs() {
    is_interrupted_in_a_command_that_hangs(CLAUDE);
}

#[test]
fn codex_is_interrupted_in_a_command_that_hangs() {
    is_interrupted_in_a_command_that_hangs(CODEX);
}

/// It asks whether it may.
#[test]
fn claude_is_refused_what_a_reviewer_may_not_do() {
    is_refused_what_a_reviewer_may_not_do(CLAUDE, |place| {
        let permissions = place.lines("permission").into_iter();
        let refused: Vec<Value> = permissions.filter(|line| line["allowed"] == false).collect();
        refused.len() == 1 && refused[0]["what"].as_str().unwrap().contains("b.txt")
    });
}

/// It asks nobody, and the sandbox keeps it from that.
#[test]
fn codex_is_refused_what_a_reviewer_may_not_do() {
    is_refused_what_a_reviewer_may_not_do(CODEX, |place| {
        let results = place.lines("tool_result").into_iter();
        let said: Vec<String> =
            results.map(|line| line["output"].as_str().unwrap_or_default().to_owned()).collect();
        said.iter().any(|said| said.contains("Read-only file system"))
    });
}

#[test]
fn claude_goes_on_after_the_run_was_killed() {
    goes_on_after_the_run_was_killed(CLAUDE);
}

#[test]
fn codex_goes_on_after_the_run_was_killed() {
    goes_on_after_the_run_was_killed(CODEX);
}

#[test]
fn claude_works_in_the_same_conversation_once_its_plan_is_approved() {
    works_in_the_same_conversation_once_its_plan_is_approved(CLAUDE);
}

#[test]
fn codex_works_in_the_same_conversation_once_its_plan_is_approved() {
    works_in_the_same_conversation_once_its_plan_is_approved(CODEX);
}

#[test]
fn claude_says_that_it_is_not_logged_in() {
    says_that_it_is_not_logged_in(CLAUDE);
}

#[test]
fn codex_says_that_it_is_not_logged_in() {
    says_that_it_is_not_logged_in(CODEX);
}
