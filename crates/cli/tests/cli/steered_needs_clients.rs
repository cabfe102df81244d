//! Words of a real coding agent, which are heard while it says them, and words that reach it while it works: those that are urgent
//! break off its command, the others its model knows at its next call, where its program can hear them.

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use serde_json::{Value, json};

use crate::clients::{
    self, CLAUDE, CLAUDE_HEADLESS, CODEX, CODEX_HEADLESS, Driven, GEMINI, GOOSE, OPENCODE, Provider, QWEN,
};
use crate::support::{Ran, Team};

/// Waits until somebody reads a pipe, and lets them go on by the guard.
fn somebody_reads(pipe: &Path) -> std::fs::File {
    std::fs::OpenOptions::new().write(true).open(pipe).unwrap()
}

impl Driven {
    /// A team with a worker whose model has a command read a pipe first, and does what follows then; told to, it writes b.txt.
    fn team_that_reads(&self, installed: &Path, pipe: &Path, then: &[Value]) -> (Team, Provider) {
        let config = format!(
            "[[agent]]\nname = 'worker-1'\nmodel = '{}'\n[[task]]\nid = 'goal'\ntitle = 'Write a.txt'\n",
            self.model
        );
        let team = self.team(&[installed, pipe.parent().unwrap()], &config);
        let finish = self.of_team("finish", &json!({"result": "There is b.txt."}));
        let goal: Vec<Value> = [self.reads(pipe)].iter().chain(then).cloned().collect();
        let script = json!({
            "# Task goal:": goal,
            "Write b.txt instead.": [(self.shell)("echo hello > b.txt"), finish, {"say": "Done."}],
        });
        let provider = Provider::start(&team, self.provider, &script);
        (team, provider)
    }

    fn reads(&self, pipe: &Path) -> Value {
        (self.shell)(&format!("cat '{}'", pipe.display()))
    }

    fn is_told_more_while_it_works(&self) {
        let Some(installed) = clients::installed() else { return };
        let pipes = tempfile::tempdir().unwrap();
        let [first, more] = ["first", "more"].map(|name| pipe(pipes.path(), name));
        let late = self.of_team("finish", &json!({"result": "It came too late."}));
        let then = [self.reads(&more), self.reads(&more), late];
        let (team, provider) = self.team_that_reads(&installed, &first, &then);
        let run = spawned(self.run(&installed, &team, &provider));
        let command_runs = somebody_reads(&first);
        team.ok(["send", "worker-1", "Write b.txt instead."]);
        drop(command_runs);
        // Whether it is in time for the call after this command is the program's affair; that it is for one of the next is not.
        std::thread::spawn(move || {
            for _ in 0..2 {
                drop(somebody_reads(&more));
            }
        });
        has_written_b(&team, run);
    }

    fn is_interrupted_while_it_works(&self) {
        let Some(installed) = clients::installed() else { return };
        let pipes = tempfile::tempdir().unwrap();
        let first = pipe(pipes.path(), "first");
        let (team, provider) = self.team_that_reads(&installed, &first, &[]);
        let run = spawned(self.run(&installed, &team, &provider));
        // The command would never end.
        let command_runs = somebody_reads(&first);
        team.ok(["interrupt", "worker-1", "Write b.txt instead."]);
        has_written_b(&team, run);
        drop(command_runs);
    }

    /// What it says is seen before its turn is over, and it can be interrupted in the middle of that.
    fn is_heard_while_it_speaks(&self) {
        let Some(installed) = clients::installed() else { return };
        let config = format!(
            "[[agent]]\nname = 'worker-1'\nmodel = '{}'\n[[task]]\nid = 'goal'\ntitle = 'Write a.txt'\n",
            self.model
        );
        let team = self.team(&[&installed], &config);
        let finish = self.of_team("finish", &json!({"result": "There is b.txt."}));
        let script = json!({
            "# Task goal:": [{"say": "I look at it first", "stays": true}],
            "Write b.txt instead.": [(self.shell)("echo hello > b.txt"), finish, {"say": "Done."}],
        });
        let provider = Provider::start(&team, self.provider, &script);
        let run = spawned(self.run(&installed, &team, &provider));
        team.waits_for("what it says", |team| team.drafts().contains("I look at it first"));
        team.ok(["interrupt", "worker-1", "Write b.txt instead."]);
        has_written_b(&team, run);
        assert_eq!(team.drafts(), "", "it says nothing any more");
    }
}

/// A pipe of a name.
fn pipe(folder: &Path, name: &str) -> PathBuf {
    let pipe = folder.join(name);
    let made = Command::new("mkfifo").env_clear().env("PATH", "/usr/bin:/bin").arg(&pipe).status();
    assert!(made.unwrap().success());
    pipe
}

fn spawned(mut run: Command) -> Child {
    run.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
}

/// The worker has done what it was told besides, and was told that once.
fn has_written_b(team: &Team, run: Child) {
    let ran = Ran::of(run.wait_with_output().unwrap());
    assert_eq!((ran.code, clients::merged(team, "b.txt").as_str()), (0, "hello\n"), "{ran:?}");
    assert_eq!(team.json(["show", "goal"])["result"], "There is b.txt.", "{ran:?}");
    let transcript = team.transcripts();
    let is_told = |line: &&str| line.contains(r#""type":"told""#) && line.contains("Write b.txt instead.");
    assert_eq!(transcript.lines().filter(is_told).count(), 1, "{transcript}");
    assert!(team.ok(["inbox", "--as", "human", "--sent"]).contains("read"), "its sender sees that");
    assert_eq!(left_of(team), Vec::<String>::new(), "its wrappers and servers have ended with it");
}

/// The commands of all processes that were started for a team.
fn left_of(team: &Team) -> Vec<String> {
    let team = std::fs::canonicalize(team.path()).unwrap();
    let mark = format!("AGENT_TEAM_WITHIN={}", team.display());
    let read = |process: &Path, what: &str| std::fs::read(process.join(what)).unwrap_or_default();
    let processes = std::fs::read_dir("/proc").unwrap().flatten().map(|entry| entry.path());
    let left = processes.filter(|process| {
        read(process, "environ").split(|byte| *byte == 0).any(|variable| variable == mark.as_bytes())
    });
    left.map(|process| String::from_utf8_lossy(&read(&process, "cmdline")).into_owned()).collect()
}

#[test]
fn claude_is_told_more_while_it_works() {
    CLAUDE.is_told_more_while_it_works();
}

#[test]
fn claude_headless_is_told_more_while_it_works() {
    CLAUDE_HEADLESS.is_told_more_while_it_works();
}

#[test]
fn codex_headless_is_told_more_while_it_works() {
    CODEX_HEADLESS.is_told_more_while_it_works();
}

#[test]
fn goose_is_told_more_while_it_works() {
    GOOSE.is_told_more_while_it_works();
}

#[test]
fn claude_is_interrupted_while_it_works() {
    CLAUDE.is_interrupted_while_it_works();
}

#[test]
fn claude_headless_is_interrupted_while_it_works() {
    CLAUDE_HEADLESS.is_interrupted_while_it_works();
}

#[test]
fn codex_is_interrupted_while_it_works() {
    CODEX.is_interrupted_while_it_works();
}

#[test]
fn codex_headless_is_interrupted_while_it_works() {
    CODEX_HEADLESS.is_interrupted_while_it_works();
}

#[test]
fn gemini_is_interrupted_while_it_works() {
    GEMINI.is_interrupted_while_it_works();
}

#[test]
fn opencode_is_interrupted_while_it_works() {
    OPENCODE.is_interrupted_while_it_works();
}

#[test]
fn qwen_is_interrupted_while_it_works() {
    QWEN.is_interrupted_while_it_works();
}

#[test]
fn goose_is_interrupted_while_it_works() {
    GOOSE.is_interrupted_while_it_works();
}

#[test]
fn claude_is_heard_while_it_speaks() {
    CLAUDE.is_heard_while_it_speaks();
}

#[test]
fn claude_headless_is_heard_while_it_speaks() {
    CLAUDE_HEADLESS.is_heard_while_it_speaks();
}

#[test]
fn codex_is_heard_while_it_speaks() {
    CODEX.is_heard_while_it_speaks();
}

#[test]
fn codex_headless_is_heard_while_it_speaks() {
    CODEX_HEADLESS.is_heard_while_it_speaks();
}

#[test]
fn gemini_is_heard_while_it_speaks() {
    GEMINI.is_heard_while_it_speaks();
}

#[test]
fn opencode_is_heard_while_it_speaks() {
    OPENCODE.is_heard_while_it_speaks();
}

#[test]
fn qwen_is_heard_while_it_speaks() {
    QWEN.is_heard_while_it_speaks();
}

#[test]
fn goose_is_heard_while_it_speaks() {
    GOOSE.is_heard_while_it_speaks();
}
