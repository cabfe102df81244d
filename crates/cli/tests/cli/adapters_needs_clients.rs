//! Real coding agents over the Agent Client Protocol: they run commands in our sandbox, review, and obey what a repository has for them once the user trusts it, and not before.

use serde_json::{Value, json};

use crate::clients::{
    self, CLAUDE, CLAUDE_HEADLESS, CODEX, CODEX_HEADLESS, Driven, GEMINI, GOOSE, KEY, OPENCODE, Provider,
    QWEN, find_in, programs,
};
use crate::support::{Ran, Team};

#[test]
fn claude_obeys_a_hook_of_the_repository_only_once_that_is_trusted() {
    let Some(installed) = clients::installed() else { return };
    let team = clients::team_in_a_repository();
    let hook = json!({"type": "command", "command": "touch hooked"});
    let settings = json!({"hooks": {"UserPromptSubmit": [{"hooks": [hook]}]}});
    std::fs::create_dir(team.path().join(".claude")).unwrap();
    std::fs::write(team.path().join(".claude/settings.json"), settings.to_string()).unwrap();
    let commit =
        "git add .claude && git -c user.name=ann -c user.email=ann@example.com commit -q -m Settings";
    assert!(team.program("sh").args(["-c", commit]).status().unwrap().success());
    let config =
        format!("with = 'claude'\nsandbox.read = ['{}']\n[[agent]]\nname = 'claude'\n", installed.display());
    let write = |file: &str| {
        let command = format!("echo hello > {file}");
        json!([
            {"call": ["Bash", {"command": command, "description": "Writes it"}]},
            {"call": ["mcp__team__finish", {"result": file}]},
        ])
    };
    let script = json!({"# Task goal:": write("a.txt"), "# Task goal-2:": write("b.txt")});
    let provider = Provider::start(&team, "anthropic_messages.py", &script);
    let run = |goal: &str| {
        let mut run = team.command(["run", goal, "--yes", "--no-gate", "--budget-tokens", "10000000"]);
        find_in(&mut run, &["n-claude", "n-cacp"].map(|name| programs(&installed, name)));
        run.env("ANTHROPIC_BASE_URL", &provider.url).env("ANTHROPIC_API_KEY", KEY);
        Ran::of(run.output().unwrap())
    };
    // What the user has said of team.toml says nothing of the settings that come later.
    let settings = team.path().join(".claude");
    let aside = tempfile::tempdir().unwrap();
    std::fs::rename(&settings, aside.path().join("claude")).unwrap();
    std::fs::write(team.path().join("team.toml"), config).unwrap();
    team.ok(["trust", "--yes"]);
    std::fs::rename(aside.path().join("claude"), &settings).unwrap();

    let ran = run("Write a.txt");
    assert_eq!((ran.code, clients::merged(&team, "a.txt").as_str()), (0, "hello\n"), "{ran:?}");
    assert!(!is_merged(&team, "hooked"), "{ran:?}");

    team.ok(["trust", "--yes"]);
    let ran = run("Write b.txt");
    assert_eq!((ran.code, clients::merged(&team, "b.txt").as_str()), (0, "hello\n"), "{ran:?}");
    assert!(is_merged(&team, "hooked"), "{ran:?}");
}

fn is_merged(team: &Team, path: &str) -> bool {
    let object = format!("main:{path}");
    team.program("git").args(["cat-file", "-e", &object]).output().unwrap().status.success()
}

impl Driven {
    /// A worker runs a command and ends its task by the team's tool; each call of its model counts once.
    fn works(&self) {
        let Some(installed) = clients::installed() else { return };
        let shell = (self.shell)("echo hello > a.txt && echo written");
        let finish = self.of_team("finish", &json!({"result": "There is a.txt now."}));
        let script = json!({"# Task goal:": [shell, finish, {"say": "Done."}]});
        let agents = format!("[[agent]]\nname = 'worker-1'\nmodel = '{}'\n", self.model);
        let task = "[[task]]\nid = 'goal'\ntitle = 'Write a.txt'\ncheck = 'grep -q hello a.txt'\n";
        let team = self.team(&[&installed], &(agents + task));
        let provider = Provider::start(&team, self.provider, &script);
        let ran = Ran::of(self.run(&installed, &team, &provider).output().unwrap());
        assert_eq!((ran.code, clients::merged(&team, "a.txt").as_str()), (0, "hello\n"), "{ran:?}");
        assert_eq!(team.json(["show", "goal"])["result"], "There is a.txt now.", "{ran:?}");
        let spent = team.json(["budget", "agent:worker-1"])[0]["spent"].clone();
        let used = ["calls", "input_tokens", "output_tokens"].map(|kind| spent[kind].as_u64().unwrap());
        let calls = 3 + self.calls_by_the_way;
        assert_eq!(used, [calls, calls * 100, calls * 20], "{spent}");
        self.is_called_by_name(&provider);
        let transcript = team.transcripts();
        assert!(transcript.contains("echo hello > a.txt") && transcript.contains("written"), "{transcript}");
    }

    /// What the program asked, but for calls by the way, it asked the model that it was told to.
    fn is_called_by_name(&self, provider: &Provider) {
        let model = self.model.rsplit('/').next().unwrap();
        let asked = provider.asked();
        let calls = asked.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
        let calls: Vec<Value> = calls.filter(|call| call["body"]["tools"].is_array()).collect();
        assert!(!calls.is_empty(), "{asked}");
        for call in calls {
            let called =
                [&call["body"]["model"], &call["path"]].map(|name| name.as_str().unwrap_or_default());
            assert!(called[0] == model || called[1].contains(&format!("/{model}:")), "{called:?}");
        }
    }

    /// Its model is called as often as the budget bears, to the last one, and no more; the run says so, and what was done is kept.
    fn keeps_a_budget_of_turns(&self) {
        let Some(installed) = clients::installed() else { return };
        let calls: Vec<Value> =
            (1..=9).map(|number| (self.shell)(&format!("echo {number} >> a.txt"))).collect();
        let script = json!({"# Task goal:": calls});
        let turns = 3 + self.calls_by_the_way;
        let agents =
            format!("budget.turns = {turns}\n[[agent]]\nname = 'worker-1'\nmodel = '{}'\n", self.model);
        let task = "[[task]]\nid = 'goal'\ntitle = 'Write a.txt'\n";
        let team = self.team(&[&installed], &(agents + task));
        let provider = Provider::start(&team, self.provider, &script);
        let ran = Ran::of(self.run(&installed, &team, &provider).output().unwrap());
        assert_eq!(
            (ran.code, team.json(["budget"])[0]["spent"]["calls"].as_u64()),
            (5, Some(turns)),
            "{ran:?}"
        );
        assert!(
            ran.stdout.contains("BUDGET USED UP") && ran.stdout.contains("kept goal by worker-1"),
            "{ran:?}"
        );
        assert_eq!(team.json(["show", "goal"])["status"], "ready", "{ran:?}");
    }

    /// It is told that its plan was approved, and does it in the same attempt.
    fn works_once_its_plan_is_approved(&self) {
        let Some(installed) = clients::installed() else { return };
        let plan = self.of_team("submit_plan", &json!({"plan": "One line."}));
        let finish = self.of_team("finish", &json!({"result": "One line it was."}));
        let script = json!({
            "# Task goal:": [plan, {"say": "I wait."}],
            "You may change files now": [(self.shell)("echo hello > a.txt"), finish, {"say": "Done."}],
        });
        let agents = format!(
            "[[agent]]\nname = 'worker-1'\nplan = true\nmodel = '{}'\n\
             [[agent]]\nname = 'boss'\nrole = 'lead'\nwith = 'exec:echo APPROVE'\n",
            self.model
        );
        let task = "[[task]]\nid = 'goal'\ntitle = 'Write a.txt'\ncheck = 'grep -q hello a.txt'\n";
        let team = self.team(&[&installed], &(agents + task));
        let provider = Provider::start(&team, self.provider, &script);
        let ran = Ran::of(self.run(&installed, &team, &provider).output().unwrap());
        assert_eq!((ran.code, clients::merged(&team, "a.txt").as_str()), (0, "hello\n"), "{ran:?}");
        let task = team.json(["show", "goal"]);
        assert_eq!((&task["attempt"], &task["result"]), (&json!(1), &json!("One line it was.")), "{ran:?}");
        let asked = provider.asked();
        let told = asked.lines().find(|line| line.contains("You may change files now")).unwrap();
        assert!(told.contains("Your plan was approved by boss") && told.contains("One line."), "{told}");
    }

    /// A provider that refuses its calls fails the attempt, with its words, whatever the program makes of it.
    fn fails_with_its_provider(&self) {
        let Some(installed) = clients::installed() else { return };
        let refused = vec![json!({"status": 400}); 99];
        let script = json!({"# Task goal:": refused});
        let agents = format!("[[agent]]\nname = 'worker-1'\nmodel = '{}'\n", self.model);
        let task = "[[task]]\nid = 'goal'\ntitle = 'Write a.txt'\nattempts = 1\n";
        let team = self.team(&[&installed], &(agents + task));
        let provider = Provider::start(&team, self.provider, &script);
        let ran = Ran::of(self.run(&installed, &team, &provider).output().unwrap());
        assert_eq!(ran.code, 5, "{ran:?}");
        assert_eq!(team.json(["show", "goal"])["status"], "failed", "{ran:?}");
        assert!(ran.stdout.contains("The script says 400."), "{ran:?}");
    }

    /// A reviewer may not write, and gives its verdict by the team's tool.
    fn reviews(&self) {
        let Some(installed) = clients::installed() else { return };
        let shell = (self.shell)("touch bad.txt");
        let verdict = self.of_team("review", &json!({"approve": true, "feedback": "It is there."}));
        let script = json!({"## What worker-1 delivered": [shell, verdict, {"say": "Done."}]});
        let agents = format!(
            "[[agent]]\nname = 'worker-1'\nwith = 'exec:echo hello > a.txt'\n\
             [[agent]]\nname = 'ann'\nrole = 'reviewer'\nmodel = '{}'\n",
            self.model
        );
        let task = "[[task]]\nid = 'goal'\ntitle = 'Write a.txt'\nreviews = 1\n";
        let team = self.team(&[&installed], &(agents + task));
        let provider = Provider::start(&team, self.provider, &script);
        let ran = Ran::of(self.run(&installed, &team, &provider).output().unwrap());
        assert_eq!((ran.code, clients::merged(&team, "a.txt").as_str()), (0, "hello\n"), "{ran:?}");
        let verdicts = team.ok(["log", "--task", "goal", "--json"]);
        assert!(verdicts.contains("It is there."), "{verdicts}");
        let transcripts = team.transcripts();
        let refused = transcripts.lines().any(|line| line.contains(r#""allowed":false"#));
        assert!(refused || transcripts.contains("Read-only file system"), "{transcripts}");
    }
}

#[test]
fn claude_over_its_adapter_works_and_each_call_counts_once() {
    CLAUDE.works();
}

#[test]
fn a_program_that_nobody_knows_works_and_calls_the_model_that_it_is_told_to() {
    Driven { with: "acp:claude-agent-acp", model: "claude-haiku-4-5", ..CLAUDE }.works();
}

#[test]
fn codex_over_its_adapter_works_and_each_call_counts_once() {
    CODEX.works();
}

#[test]
fn opencode_works_and_each_call_counts_once() {
    OPENCODE.works();
}

#[test]
fn gemini_works_and_each_call_counts_once() {
    GEMINI.works();
}

#[test]
fn qwen_works_and_each_call_counts_once() {
    QWEN.works();
}

#[test]
fn goose_works_and_each_call_counts_once() {
    GOOSE.works();
}

#[test]
fn claude_over_its_adapter_keeps_a_budget_of_turns() {
    CLAUDE.keeps_a_budget_of_turns();
}

#[test]
fn claude_headless_keeps_a_budget_of_turns() {
    CLAUDE_HEADLESS.keeps_a_budget_of_turns();
}

#[test]
fn codex_over_its_adapter_keeps_a_budget_of_turns() {
    CODEX.keeps_a_budget_of_turns();
}

#[test]
fn codex_headless_keeps_a_budget_of_turns() {
    CODEX_HEADLESS.keeps_a_budget_of_turns();
}

#[test]
fn opencode_keeps_a_budget_of_turns() {
    OPENCODE.keeps_a_budget_of_turns();
}

#[test]
fn gemini_keeps_a_budget_of_turns() {
    GEMINI.keeps_a_budget_of_turns();
}

#[test]
fn qwen_keeps_a_budget_of_turns() {
    QWEN.keeps_a_budget_of_turns();
}

#[test]
fn goose_keeps_a_budget_of_turns() {
    GOOSE.keeps_a_budget_of_turns();
}

#[test]
fn claude_over_its_adapter_works_once_its_plan_is_approved() {
    CLAUDE.works_once_its_plan_is_approved();
}

#[test]
fn codex_over_its_adapter_works_once_its_plan_is_approved() {
    CODEX.works_once_its_plan_is_approved();
}

#[test]
fn opencode_works_once_its_plan_is_approved() {
    OPENCODE.works_once_its_plan_is_approved();
}

#[test]
fn gemini_works_once_its_plan_is_approved() {
    GEMINI.works_once_its_plan_is_approved();
}

#[test]
fn qwen_works_once_its_plan_is_approved() {
    QWEN.works_once_its_plan_is_approved();
}

#[test]
fn goose_works_once_its_plan_is_approved() {
    GOOSE.works_once_its_plan_is_approved();
}

#[test]
fn codex_over_its_adapter_reviews() {
    CODEX.reviews();
}

#[test]
fn opencode_reviews() {
    OPENCODE.reviews();
}

#[test]
fn gemini_reviews() {
    GEMINI.reviews();
}

#[test]
fn qwen_reviews() {
    QWEN.reviews();
}

#[test]
fn goose_reviews() {
    GOOSE.reviews();
}

#[test]
fn codex_over_its_adapter_fails_with_its_provider() {
    CODEX.fails_with_its_provider();
}

#[test]
fn opencode_fails_with_its_provider() {
    OPENCODE.fails_with_its_provider();
}

#[test]
fn gemini_fails_with_its_provider() {
    GEMINI.fails_with_its_provider();
}

#[test]
fn qwen_fails_with_its_provider() {
    QWEN.fails_with_its_provider();
}

#[test]
fn goose_fails_with_its_provider() {
    GOOSE.fails_with_its_provider();
}
