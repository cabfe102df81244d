//! Small real repositories, scripted agents, and models that remember what they were asked, for tests of whole runs.
//!
//! A test binary that needs only a part of this says `#[expect(dead_code, reason = "...")] mod project;`.

use std::cell::RefCell;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use agent_team::agent::{Agent, ModelAgent};
use agent_team::command::Environment;
use agent_team::model::{Delta, Message, Model, ModelError, Part, Request, Response, Script};
use agent_team::sandbox::Sandbox;
use agent_team::{AgentTeam, NewTask, Role, RunOptions, RunOutcome, RunReport};
use serde_json::{Value, json};

/// A user's repository with a branch `main`, one commit that holds `README`, and a home of its own.
pub struct TestProject {
    folder: tempfile::TempDir,
}

impl TestProject {
    pub fn new() -> Self {
        let project = Self { folder: tempfile::tempdir().unwrap() };
        BESIDE.set(project.folder.path().to_owned());
        std::fs::write(
            project.folder.path().join(".gitconfig"),
            "[user]\nname = Ursula\nemail = u@example.org\n",
        )
        .unwrap();
        std::fs::create_dir(project.root()).unwrap();
        project.git(&["init", "-q", "-b", "main"]);
        project.write("README", "hello\n");
        project.commit("Start");
        project
    }

    /// The user's folder.
    pub fn root(&self) -> PathBuf {
        self.folder.path().join("project")
    }

    /// A place beside the repository, where commands of a test meet.
    pub fn beside(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Runs git as the user would, and gives what it printed.
    pub fn git(&self, arguments: &[&str]) -> String {
        git(self.folder.path(), &self.root(), arguments)
    }

    pub fn write(&self, path: &str, content: &str) {
        let place = self.root().join(path);
        std::fs::create_dir_all(place.parent().unwrap()).unwrap();
        std::fs::write(place, content).unwrap();
    }

    pub fn read(&self, path: &str) -> String {
        std::fs::read_to_string(self.root().join(path)).unwrap()
    }

    pub fn commit(&self, message: &str) {
        self.git(&["add", "--all"]);
        self.git(&["commit", "-q", "--allow-empty", "-m", message]);
    }

    /// What the user did not commit.
    pub fn changes(&self) -> String {
        self.git(&["status", "--porcelain"])
    }

    /// The commits of a branch, oldest first, the very first left out.
    pub fn commits(&self, branch: &str) -> Vec<String> {
        let list = self.git(&["rev-list", "--reverse", branch]);
        list.lines().skip(1).map(str::to_owned).collect()
    }

    /// Whether a command holds in a clean folder at each commit of a branch.
    pub fn holds_at_every_commit(&self, branch: &str, command: &str) -> bool {
        self.commits(branch).iter().all(|commit| {
            let place = tempfile::tempdir().unwrap();
            let path = place.path().to_str().unwrap();
            self.git(&["--work-tree", path, "read-tree", "--empty"]);
            let archive = format!("git archive {commit} | tar -x -C {path}");
            assert!(shell(self.folder.path(), &self.root(), &archive));
            let holds = shell(self.folder.path(), place.path(), command);
            self.git(&["read-tree", "HEAD"]);
            holds
        })
    }

    /// Counts the commits of a branch that say they are of a task.
    pub fn merges_of(&self, branch: &str, task: &str) -> usize {
        let trailers = self.git(&["log", "--format=%(trailers:key=Task,valueonly,separator=%x2C)", branch]);
        trailers.lines().filter(|line| *line == task).count()
    }

    pub fn team(&self) -> AgentTeam {
        AgentTeam::new(self.root()).unwrap()
    }
}

fn git(home: &Path, folder: &Path, arguments: &[&str]) -> String {
    let output = command("git", home, folder).args(arguments).output().unwrap();
    assert!(output.status.success(), "git {arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8_lossy(&output.stdout).trim_end().to_owned()
}

fn shell(home: &Path, folder: &Path, line: &str) -> bool {
    command("sh", home, folder).args(["-c", line]).status().unwrap().success()
}

fn command(program: &str, home: &Path, folder: &Path) -> Command {
    let path = std::env::var_os("PATH").unwrap_or_else(|| "/usr/local/bin:/usr/bin:/bin".into());
    let mut command = Command::new(program);
    command.current_dir(folder).env_clear();
    command.env("PATH", path).env("HOME", home).env("GIT_CONFIG_NOSYSTEM", "1");
    command
}

/// A model that remembers what it was asked.
pub struct Remembering<M> {
    model: M,
    asked: Mutex<Vec<Request>>,
}

impl<M: Model> Remembering<M> {
    pub fn new(model: M) -> Arc<Self> {
        Arc::new(Self { model, asked: Mutex::default() })
    }

    /// All requests, oldest first.
    pub fn asked(&self) -> Vec<Request> {
        self.asked.lock().unwrap().clone()
    }

    /// What it was told first for an attempt at a task.
    pub fn prompt(&self, task: &str, attempt: u32) -> String {
        let asked = self.asked();
        let of = |request: &&Request| {
            request.caller.task.as_deref() == Some(task) && request.caller.attempt == attempt
        };
        let request = asked.iter().find(of).expect("it was asked");
        let texts = request.messages[0].parts().iter().filter_map(|part| match part {
            Part::Text { text } => Some(text.as_str()),
            _ => None,
        });
        texts.collect::<Vec<_>>().join("\n")
    }
}

#[async_trait::async_trait]
impl<M: Model> Model for Remembering<M> {
    fn name(&self) -> &str {
        self.model.name()
    }

    async fn respond(
        &self,
        request: &Request,
        stream: &mut (dyn FnMut(Delta) + Send),
    ) -> Result<Response, ModelError> {
        self.asked.lock().unwrap().push(request.clone());
        self.model.respond(request, stream).await
    }
}

/// How often the model has spoken in a conversation.
pub fn turns(request: &Request) -> usize {
    request.messages.iter().filter(|message| matches!(message, Message::Assistant(_))).count()
}

/// A scripted model of these rules.
pub fn script(rules: &[Value]) -> Script {
    Script::parse("test", &json!({ "rules": rules }).to_string()).unwrap()
}

/// A coding agent behind a model.
pub fn agent(model: impl Model + 'static) -> Arc<dyn Agent> {
    Arc::new(ModelAgent::new(Arc::new(model)))
}

/// The turns of one attempt at a task.
pub fn attempt(task: &str, attempt: u32, steps: &[Value]) -> Value {
    json!({"when": {"task": task, "attempt": attempt}, "steps": steps})
}

pub fn writes(path: &str, content: &str) -> Value {
    json!({"tool_calls": [{"name": "write", "input": {"path": path, "content": content}}]})
}

pub fn runs(command: &str) -> Value {
    json!({"tool_calls": [{"name": "run", "input": {"command": command}}]})
}

pub fn finishes(result: &str) -> Value {
    json!({"tool_calls": [{"name": "finish", "input": {"result": result}}]})
}

/// A team of so many workers behind one model.
pub fn workers(team: &mut AgentTeam, count: usize, agent: &Arc<dyn Agent>) {
    for number in 1..=count {
        team.add_agent(&format!("worker-{number}"), Role::Worker, agent.clone()).unwrap();
    }
}

/// A task whose title is its id.
pub fn task(id: &str) -> NewTask {
    NewTask::new(format!("Do {id}")).id(id)
}

/// Longer than any run here takes: one that hangs fails.
pub const LONG: Duration = Duration::from_secs(120);

/// Runs a team to its end.
pub async fn run(team: &AgentTeam) -> RunReport {
    let report = team.run(Some(LONG)).await.unwrap();
    assert_ne!(report.outcome, RunOutcome::TimedOut, "{:?}", report.status);
    report
}

/// Options with a gate and nothing else.
pub fn gated(gate: &str) -> RunOptions {
    RunOptions { gate: Some(gate.into()), ..open_beside() }
}

thread_local! {
    /// The folder of this test's project, and what lies beside it.
    static BESIDE: RefCell<PathBuf> = RefCell::default();
}

/// Options with which commands see what lies beside the project, as tests tell them by files there how to go on.
pub fn open_beside() -> RunOptions {
    let beside = BESIDE.with_borrow(Clone::clone);
    let environment = Environment::of_this_process().confined(Sandbox::default().writing(beside));
    RunOptions { environment: Some(environment), ..RunOptions::default() }
}

/// A task as it is now.
pub fn view(team: &AgentTeam, task: &str) -> agent_team::view::TaskView {
    team.queue().get_task(&task.parse().unwrap()).unwrap()
}

/// What went wrong with a task so far.
pub fn feedback(team: &AgentTeam, task: &str) -> Vec<String> {
    let feedback = view(team, task).feedback;
    feedback.iter().map(|said| team.queue().team_log().read_text(&said.text).unwrap()).collect()
}
