//! The script is played here task by task, with the real tools on the real repository, but without a team.

use std::time::Duration;

use serde_json::Value;
use tempfile::TempDir;
use tokio_util::sync::CancellationToken;

use super::*;
use crate::command::Environment;
use crate::config::Config;
use crate::model::{Caller, Message, Model, Part, Request};
use crate::tools::{ToolContext, Toolbox};
use crate::{AgentId, NewTask};

/// The demo's repository in a temporary folder.
struct Demo {
    folder: TempDir,
    script: Script,
}

/// What an agent said and did in one attempt.
#[derive(Default)]
struct Played {
    /// The calls of the team's own tools, which no toolbox here has.
    team_calls: Vec<(String, Value)>,
    /// What the other tools gave.
    outputs: Vec<String>,
    /// The tools that refused.
    refused: Vec<String>,
}

impl Demo {
    fn new() -> Self {
        let folder = TempDir::new().unwrap();
        create_repository(&folder.path().join("text-tools"), std::env::vars_os()).unwrap();
        fs::create_dir(folder.path().join("outputs")).unwrap();
        Self { folder, script: undelayed() }
    }

    fn repository(&self) -> PathBuf {
        self.folder.path().join("text-tools")
    }

    fn run(&self, command: &str) -> (bool, String) {
        let output = Command::new("sh")
            .args(["-c", command])
            .current_dir(self.repository())
            .env_clear()
            .envs(IDENTITY)
            .env("PATH", std::env::var_os("PATH").unwrap())
            .env("HOME", self.folder.path())
            .env("GIT_CONFIG_NOSYSTEM", "1")
            .output()
            .unwrap();
        let text = [output.stdout, output.stderr].concat();
        (output.status.success(), String::from_utf8(text).unwrap())
    }

    #[track_caller]
    fn succeed(&self, command: &str) -> String {
        let (succeeded, output) = self.run(command);
        assert!(succeeded, "{command}: {output}");
        output
    }

    #[track_caller]
    fn fail(&self, command: &str) -> String {
        let (succeeded, output) = self.run(command);
        assert!(!succeeded, "{command}: {output}");
        output
    }

    /// Plays one attempt until the agent ends it.
    async fn play(&self, role: &str, task: &str, attempt: u32) -> Played {
        let context = ToolContext {
            workspace: self.repository(),
            output_folder: self.folder.path().join("outputs"),
            stop: CancellationToken::new(),
            environment: Environment::of_parent([
                ("PATH".into(), std::env::var_os("PATH").unwrap()),
                ("HOME".into(), self.folder.path().into()),
            ]),
            command_time_limit: Duration::from_secs(60),
        };
        let caller = Caller {
            agent: format!("{role}-1"),
            role: role.into(),
            task: Some(task.into()),
            attempt,
            ..Caller::default()
        };
        let mut request = Request {
            system: String::new(),
            messages: vec![Message::user(task)],
            tools: Vec::new(),
            max_output_tokens: None,
            caller,
        };
        let toolbox = Toolbox::coding();
        let mut played = Played::default();
        loop {
            let answer = self.script.respond(&request, &mut |_| {}).await.unwrap();
            let mut results = Vec::new();
            for part in &answer.parts {
                let Part::ToolCall { id, name, input } = part else { continue };
                let (output, is_error) = if TEAM_TOOLS.contains(&name.as_str()) {
                    played.team_calls.push((name.clone(), input.clone()));
                    (String::new(), false)
                } else {
                    let output = toolbox.call(name, input.clone(), &context).await;
                    played.outputs.push(output.text.clone());
                    if output.is_error {
                        played.refused.push(format!("{name} {input}: {}", output.text));
                    }
                    (output.text, output.is_error)
                };
                results.push(Part::ToolResult { call_id: id.clone(), output, is_error });
            }
            request.messages.extend([Message::Assistant(answer.parts), Message::User(results)]);
            if played.team_calls.iter().any(|(name, _)| name == "finish" || name == "review") {
                return played;
            }
        }
    }

    /// Plays an attempt at which every tool must do what it is asked.
    async fn work(&self, task: &str, attempt: u32) -> Played {
        let played = self.play("worker", task, attempt).await;
        assert_eq!(played.refused, Vec::<String>::new(), "{task}, attempt {attempt}");
        played
    }

    /// The tasks that the lead adds.
    async fn plan(&self) -> Vec<NewTask> {
        let played = self.play("lead", "plan", 1).await;
        let (_, input) = played.team_calls.iter().find(|(name, _)| name == "add_tasks").unwrap();
        serde_json::from_value(input["tasks"].clone()).unwrap()
    }
}

const TEAM_TOOLS: [&str; 5] = ["add_tasks", "finish", "review", "send", "receive"];

/// The demo's script without its delays, which are for those who watch.
fn undelayed() -> Script {
    fn strip(value: &mut Value) {
        match value {
            Value::Object(fields) => {
                fields.remove("delay_ms");
                fields.values_mut().for_each(strip);
            }
            Value::Array(values) => values.iter_mut().for_each(strip),
            _ => {}
        }
    }
    let mut value = serde_json::from_str(SCRIPT).unwrap();
    strip(&mut value);
    Script::parse("demo.json", &value.to_string()).unwrap()
}

fn id(task: &NewTask) -> &str {
    task.id.as_deref().unwrap()
}

#[test]
fn the_first_commit_is_the_same_everywhere() {
    let commits = [Demo::new(), Demo::new()].map(|demo| {
        assert_eq!(demo.succeed("git status --porcelain"), "");
        demo.succeed("git rev-parse main")
    });
    assert_eq!(commits[0], commits[1]);
}

#[test]
fn a_folder_that_holds_something_is_left_alone() {
    let folder = TempDir::new().unwrap();
    fs::write(folder.path().join("thesis.txt"), "mine").unwrap();
    let error = create_repository(folder.path(), std::env::vars_os()).unwrap_err();
    assert!(matches!(error, DemoError::NotEmpty { .. }), "{error}");
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
}

#[test]
fn the_teams_file_is_right() {
    let demo = Demo::new();
    let config = Config::load(&demo.repository().join("team.toml")).unwrap();
    let names: Vec<_> = config.agents.iter().flat_map(|agent| &agent.names).map(AgentId::as_str).collect();
    assert_eq!(names, ["lead", "worker-1", "worker-2", "worker-3", "worker-4", "reviewer"]);
    assert_eq!(
        (config.gate.as_deref(), config.check.as_deref()),
        (Some("tests/gate"), Some("tests/complete"))
    );
}

#[tokio::test]
async fn before_the_work_the_gate_is_green_and_every_check_is_red() {
    let demo = Demo::new();
    demo.succeed("tests/gate");
    demo.fail("tests/complete");
    let wanted = demo.succeed("cat tests/wanted");
    let tasks = demo.plan().await;
    assert_eq!(tasks.iter().map(id).collect::<Vec<_>>(), wanted.lines().collect::<Vec<_>>());
    for task in &tasks {
        demo.fail(task.check.as_deref().unwrap());
    }
    assert_eq!(tasks.iter().filter(|task| task.review).map(id).collect::<Vec<_>>(), ["expand", "top"]);
}

#[tokio::test]
async fn first_attempts_do_the_work_but_for_one_that_its_check_finds() {
    let demo = Demo::new();
    for task in demo.plan().await {
        demo.work(id(&task), 1).await;
        let check = task.check.as_deref().unwrap();
        if id(&task) == "uniq" {
            let output = demo.fail(check);
            assert!(
                output.contains("== uniq -c < tests/data/numbers") && output.contains("< 1 1.0"),
                "{output}"
            );
            let mended = demo.work("uniq", 2).await;
            assert!(mended.outputs.iter().any(|output| output.contains("ok uniq")), "it checks its work");
            assert!(
                mended.team_calls.iter().any(|(name, input)| name == "send" && input["to"] == "role:worker")
            );
        }
        demo.succeed(check);
    }
    demo.succeed("tests/complete");
}

#[tokio::test]
async fn a_further_attempt_works_in_a_fresh_workspace_and_on_earlier_work() {
    let fresh = Demo::new();
    let earlier = Demo::new();
    for task in fresh.plan().await {
        earlier.work(id(&task), 1).await;
        for demo in [&fresh, &earlier] {
            // Reading what is not there yet tells the agent so, and is no mistake.
            demo.play("worker", id(&task), 2).await;
            demo.succeed(task.check.as_deref().unwrap());
        }
        earlier.work(id(&task), 3).await;
    }
    fresh.succeed("tests/complete");
    earlier.succeed("tests/complete");
}

#[tokio::test]
async fn tools_of_one_base_merge_except_head_and_tail() {
    let demo = Demo::new();
    let alone: Vec<NewTask> = demo.plan().await.into_iter().filter(|task| task.after.is_empty()).collect();
    for task in &alone {
        demo.succeed(&format!("git switch --quiet --create {} main", id(task)));
        demo.work(id(task), 1).await;
        demo.succeed("git add --all && git commit --quiet --message work");
    }
    demo.succeed("git switch --quiet main");
    for task in &alone {
        let merge = format!("git merge --quiet --no-edit {}", id(task));
        if id(task) == "tail" {
            assert!(demo.fail(&merge).contains("Merge conflict in README.md"));
            demo.succeed("git merge --abort");
        } else {
            demo.succeed(&merge);
        }
    }
}

#[tokio::test]
async fn whoever_comes_second_resolves_the_conflict() {
    for (first, second) in [("head", "tail"), ("tail", "head")] {
        let demo = Demo::new();
        demo.succeed("git switch --quiet --create second");
        demo.work(second, 1).await;
        demo.succeed("git add --all && git commit --quiet --message second && git switch --quiet main");
        demo.work(first, 1).await;
        demo.succeed("git add --all && git commit --quiet --message first");
        // As a workspace holds it after a conflict: the earlier work on the new tip, with marks that name the sides.
        demo.fail("git merge --no-commit second");
        demo.succeed("git reset --quiet && cp README.md ../marked");
        demo.succeed(
            "sed -e 's/^<<<<<<< .*/<<<<<<< target/' -e 's/^>>>>>>> .*/>>>>>>> yours/' ../marked >README.md",
        );
        demo.fail("tests/gate");
        let resolved = demo.work(second, 2).await;
        assert!(
            resolved.outputs.iter().any(|output| output.contains("\t>>>>>>> yours\n")),
            "it sees the marks"
        );
        demo.succeed("tests/gate");
        assert_eq!(
            demo.succeed("grep -o -e '`bin/head ' -e '`bin/tail ' README.md"),
            "`bin/head \n`bin/tail \n"
        );
        // A last attempt copes with marks of another kind.
        demo.succeed("cp ../marked README.md");
        demo.work(second, 3).await;
        demo.succeed("tests/gate");
    }
}

#[tokio::test]
async fn the_reviewer_approves_what_is_to_be_reviewed() {
    let demo = Demo::new();
    for task in ["uniq", "head", "expand", "top"] {
        demo.play("worker", task, 2).await;
    }
    for task in ["expand", "top"] {
        let played = demo.play("reviewer", task, 1).await;
        assert_eq!(played.refused, Vec::<String>::new());
        let (name, verdict) = played.team_calls.last().unwrap();
        assert_eq!((name.as_str(), &verdict["approve"]), ("review", &Value::Bool(true)));
    }
}

#[tokio::test]
async fn the_lead_sums_up_in_plain_text() {
    let request = Request {
        system: String::new(),
        messages: vec![Message::user("The team is done. Sum up.")],
        tools: Vec::new(),
        max_output_tokens: None,
        caller: Caller { role: "lead".into(), task: Some("summary".into()), attempt: 1, ..Caller::default() },
    };
    let answer = undelayed().respond(&request, &mut |_| {}).await.unwrap();
    assert!(answer.text().starts_with("text-tools is complete: "), "{}", answer.text());
    assert!(answer.parts.iter().all(|part| matches!(part, Part::Text { .. })));
}

#[test]
fn nobody_waits_long() {
    fn delays(value: &Value) -> u64 {
        match value {
            Value::Object(fields) => {
                let own = fields.get("delay_ms").and_then(Value::as_u64).unwrap_or(0);
                own + fields.values().map(delays).sum::<u64>()
            }
            Value::Array(values) => values.iter().map(delays).sum(),
            _ => 0,
        }
    }
    let rules: Value = serde_json::from_str(SCRIPT).unwrap();
    for rule in rules["rules"].as_array().unwrap() {
        assert!((100..=1_500).contains(&delays(rule)), "{rule}");
    }
    script().unwrap();
}
