//! `watch`, and what `run` shows at a terminal: through a real terminal, which tmux gives, as a person would use it.

use std::path::PathBuf;
use std::process::Command;
use std::time::{Duration, Instant};

use crate::support::{PATIENCE, Team};

/// A terminal with a shell in it, in a server of its own that ends with it.
struct Terminal<'a> {
    team: &'a Team,
    socket: String,
}

impl<'a> Terminal<'a> {
    fn new(team: &'a Team, width: u16, height: u16) -> Self {
        let socket = team.path().join("tmux").display().to_string();
        let terminal = Self { team, socket };
        let size = [width.to_string(), height.to_string()];
        let shell = "env -u CI PS1='$ ' sh";
        terminal.tmux(&["new-session", "-d", "-x", &size[0], "-y", &size[1], shell]);
        terminal.waits_for("$");
        terminal
    }

    fn tmux(&self, arguments: &[&str]) -> String {
        let mut command: Command = self.team.program("tmux");
        command.args(["-S", &self.socket, "-f", "/dev/null"]).args(arguments).env("TERM", "xterm-256color");
        let output = command.output().unwrap();
        assert!(output.status.success(), "{arguments:?}: {output:?}");
        String::from_utf8_lossy(&output.stdout).into_owned()
    }

    fn screen(&self) -> String {
        self.tmux(&["capture-pane", "-p"])
    }

    /// Types keys by the names that tmux has for them.
    fn keys(&self, keys: &[&str]) {
        self.tmux(&[&["send-keys"], keys].concat());
    }

    /// Types a command, and Enter.
    fn types(&self, command: &str) {
        self.tmux(&["send-keys", "-l", command]);
        self.keys(&["Enter"]);
    }

    /// Waits until a text is on the screen, and gives that.
    fn waits_for(&self, text: &str) -> String {
        self.waits(&format!("`{text}`"), |screen| screen.contains(text))
    }

    fn waits(&self, what: &str, is_there: impl Fn(&str) -> bool) -> String {
        let begun = Instant::now();
        loop {
            let screen = self.screen();
            if is_there(&screen) {
                return screen;
            }
            assert!(begun.elapsed() < PATIENCE, "{what} does not appear on:\n{screen}");
            std::thread::sleep(Duration::from_millis(30));
        }
    }
}

impl Drop for Terminal<'_> {
    fn drop(&mut self) {
        let mut command = self.team.program("tmux");
        let _ = command.args(["-S", &self.socket, "kill-server"]).output();
    }
}

/// A team in a repository, whose agents can be driven.
fn team_of_repository() -> Team {
    let team = Team::without_init();
    let git = |arguments: &[&str]| {
        let identity = ["-c", "user.name=t", "-c", "user.email=t@localhost"];
        let done = team.program("git").args(identity).args(arguments).output().unwrap();
        assert!(done.status.success(), "{done:?}");
    };
    git(&["init", "-q", "-b", "main"]);
    git(&["commit", "-q", "--allow-empty", "-m", "begin"]);
    team.ok(["init"]);
    team
}

/// A team whose tasks a person and shell workers hold.
fn team() -> Team {
    let team = Team::new();
    team.ok(["join", "--as", "worker-1"]);
    team.ok(["join", "--as", "worker-2"]);
    team.ok(["add", "Write the parser", "--id", "parse", "--plan", "--approver", "human"]);
    team.ok(["add", "Test the parser", "--id", "test", "--after", "parse"]);
    team.ok(["add", "Draw a sign", "--id", "sign"]);
    team.ok(["claim", "parse", "--as", "worker-1"]);
    team
}

/// A team with a task, an agent that does it once a file is there, and the file.
fn team_that_waits() -> (Team, String, PathBuf) {
    let team = team_of_repository();
    team.ok(["add", "Wait for it", "--id", "wait"]);
    let go = team.path().join("go");
    let agent = format!("exec:until test -e {}; do sleep 0.1; done; echo waited", go.display());
    (team, agent, go)
}

#[test]
fn the_view_shows_and_steers_a_team_and_leaves_the_terminal_as_it_was_needs_tmux() {
    let team = team();
    let terminal = Terminal::new(&team, 80, 24);
    terminal
        .types("echo before; stty -a > stty-before; $AGENT_TEAM watch; echo over $?; stty -a > stty-after");
    let screen = terminal.waits_for("1 Agents");
    assert!(screen.contains("worker-1") && screen.contains("0/3 done"), "{screen}");
    terminal.keys(&["2"]);
    terminal.waits_for("ready 1");
    // What others do is seen at once.
    team.ok(["add", "Come in from outside", "--id", "outside"]);
    terminal.waits_for("Come in from outside");
    terminal.keys(&["/", "s", "i", "g", "n", "Enter"]);
    terminal
        .waits("the filter", |screen| screen.contains("Draw a sign") && !screen.contains("Write the parser"));
    terminal.keys(&["Escape"]);
    terminal.waits_for("Write the parser");
    terminal.keys(&["3"]);
    terminal.waits_for("└─· test");
    // A word to whoever is selected.
    terminal.keys(&["1"]);
    terminal.waits_for("━ ");
    terminal.keys(&["s"]);
    terminal.waits_for("Enter send");
    terminal.types("Mind the gap");
    terminal.waits_for("✓ agent-team say");
    assert!(team.ok(["inbox", "--as", "worker-1", "--peek"]).contains("Mind the gap"));
    terminal.keys(&["4"]);
    terminal.waits_for("Mind the gap");
    // Another size.
    terminal.tmux(&["resize-window", "-x", "150", "-y", "40"]);
    terminal.keys(&["2"]);
    terminal.waits_for("proving 0");
    terminal.keys(&["q"]);
    let screen = terminal.waits_for("over 0");
    assert!(screen.contains("before") && !screen.contains("Agents"), "the old screen is back: {screen}");
    team.waits_for("stty has written", |team| {
        std::fs::read_to_string(team.path().join("stty-after")).is_ok_and(|text| text.contains("echo"))
    });
    let stty = |when: &str| {
        let text = std::fs::read_to_string(team.path().join(when)).unwrap();
        // The size has changed with the window.
        text.lines().filter(|line| !line.contains("rows")).collect::<Vec<_>>().join("\n")
    };
    assert_eq!(stty("stty-before"), stty("stty-after"));
    team.ok(["claim", "sign", "--as", "worker-2"]);
}

#[test]
fn a_plan_is_read_and_approved_and_an_agent_stopped_in_the_view_needs_tmux() {
    let team = team();
    let plan: String = (1..=60).map(|n| format!("Step {n} of the plan\n")).collect();
    team.ok(["plan", "submit", "parse", &plan, "--as", "worker-1"]);
    let terminal = Terminal::new(&team, 80, 24);
    terminal.types("$AGENT_TEAM watch; echo over $?");
    terminal.waits_for("a: 1 plan");
    terminal.keys(&["a"]);
    terminal.waits_for("read to the end to approve");
    terminal.keys(&["y"]);
    terminal.waits_for("read it to its end first");
    for _ in 0..4 {
        terminal.keys(&["Space"]);
    }
    terminal.waits_for("Step 60 of the plan");
    terminal.waits_for("read: y approves");
    terminal.keys(&["y"]);
    terminal.waits_for("✓ agent-team plan approve parse --plan=1");
    assert!(team.ok(["plan", "show", "parse"]).contains("approved by human"));
    terminal.keys(&["1"]);
    terminal.waits_for("working");
    terminal.keys(&["x"]);
    terminal.waits_for("Stop worker-1?");
    terminal.types("enough");
    terminal.waits_for("✓ agent-team stop worker-1 --reason=enough");
    assert_eq!(team.json(["show", "parse"])["agent"], serde_json::Value::Null);
    terminal.waits_for("stopped");
    terminal.keys(&["C-c"]);
    terminal.waits_for("over 0");
}

#[test]
fn the_view_ends_with_a_signal_and_the_terminal_is_as_it_was_needs_tmux() {
    let team = team();
    let terminal = Terminal::new(&team, 80, 24);
    for signal in ["TERM", "INT", "HUP"] {
        terminal.types("clear; sh -c 'echo $$ > pid; exec $AGENT_TEAM watch'; echo over $?");
        terminal.waits_for("1 Agents");
        let pid = std::fs::read_to_string(team.path().join("pid")).unwrap();
        let killed = team.program("kill").args([&format!("-{signal}"), pid.trim()]).status().unwrap();
        assert!(killed.success());
        let screen = terminal.waits_for("over 0");
        assert!(!screen.contains("Agents"), "{screen}");
    }
}

#[test]
fn the_view_is_left_for_the_shell_and_brought_back_needs_tmux() {
    let team = team();
    let terminal = Terminal::new(&team, 80, 24);
    terminal.types("$AGENT_TEAM watch; echo over $?");
    terminal.waits_for("1 Agents");
    terminal.keys(&["C-z"]);
    terminal.waits_for("Stopped");
    terminal.types("stty -a | grep -o -- '-icanon'; echo cooked; fg");
    let screen = terminal.waits_for("1 Agents");
    assert!(!screen.contains("cooked"), "{screen}");
    terminal.keys(&["C-l", "2"]);
    terminal.waits_for("ready 1");
    terminal.keys(&["q"]);
    let screen = terminal.waits_for("cooked");
    assert!(!screen.contains("\n-icanon"), "the shell had the terminal as it was: {screen}");
}

#[test]
fn run_shows_the_view_and_ends_with_its_report_needs_tmux() {
    let (team, agent, go) = team_that_waits();
    let terminal = Terminal::new(&team, 100, 30);
    terminal.types(&format!(
        "clear; $AGENT_TEAM run --yes --no-gate --no-sandbox --with '{agent}'; echo over $?"
    ));
    let screen = terminal.waits_for("1 Agents");
    assert!(screen.contains("q close"), "{screen}");
    terminal.waits_for("Wait for it");
    // The run goes on by lines when the view is left, and another view shows it.
    terminal.keys(&["q"]);
    terminal.waits_for("the run goes on; agent-team watch shows it again");
    std::fs::write(&go, "").unwrap();
    let screen = terminal.waits_for("over 0");
    assert!(screen.contains("done: 1 of 1 tasks completed"), "{screen}");
    // What is over is over for the view, too.
    team.ok(["add", "Once more", "--id", "more"]);
    terminal.types(&format!(
        "clear; $AGENT_TEAM run --yes --no-gate --no-sandbox --with '{agent}'; echo again $?"
    ));
    let screen = terminal.waits_for("again 0");
    assert!(screen.contains("done: 2 of 2 tasks completed") && !screen.contains("Agents"), "{screen}");
    // And without it there are lines from the beginning.
    std::fs::remove_file(&go).unwrap();
    team.ok(["add", "By lines", "--id", "lines"]);
    terminal.types(&format!(
        "clear; $AGENT_TEAM run --plain --yes --no-gate --no-sandbox --with '{agent}'; echo by lines $?"
    ));
    let screen = terminal.waits_for("begins lines");
    assert!(!screen.contains("Agents"), "{screen}");
    std::fs::write(&go, "").unwrap();
    terminal.waits_for("by lines 0");
}

#[test]
fn a_run_outlives_its_terminal_and_lets_go_of_it_needs_tmux() {
    let (team, agent, go) = team_that_waits();
    let terminal = Terminal::new(&team, 100, 30);
    terminal
        .types(&format!("echo $$ > pid; exec $AGENT_TEAM run --yes --no-gate --no-sandbox --with '{agent}'"));
    terminal.waits_for("Wait for it");
    let process = std::fs::read_to_string(team.path().join("pid")).unwrap();
    let input = format!("/proc/{}/fd/0", process.trim());
    let is_terminal = |path: &str| std::fs::read_link(path).is_ok_and(|what| what.starts_with("/dev/pts"));
    assert!(is_terminal(&input));
    drop(terminal);
    // Who goes on to read from a terminal that is gone does nothing else.
    team.waits_for("the terminal is let go of", |_| !is_terminal(&input));
    assert!(std::fs::read_link(&input).unwrap().to_string_lossy().starts_with("pipe:"));
    std::fs::write(&go, "").unwrap();
    team.waits_for("the run goes on to its end", |team| team.json(["show", "wait"])["status"] == "completed");
}

#[test]
fn ctrl_c_in_the_view_of_a_run_ends_the_run_in_order_needs_tmux() {
    let team = team_of_repository();
    team.ok(["add", "Sleep", "--id", "sleep"]);
    let terminal = Terminal::new(&team, 100, 30);
    terminal.types("$AGENT_TEAM run --yes --no-gate --no-sandbox --with 'exec:sleep 300'; echo over $?");
    terminal.waits_for("begins sleep");
    terminal.keys(&["C-c"]);
    terminal.waits_for("ENDING");
    terminal.keys(&["C-c"]);
    let screen = terminal.waits_for("over 130");
    assert!(screen.contains("INTERRUPTED"), "{screen}");
}

#[test]
fn without_a_terminal_or_a_team_the_view_says_what_to_do_instead() {
    let team = Team::new();
    let ran = team.run(["watch"]);
    ran.failed(2, "there is no terminal to draw on");
    assert!(ran.stderr.contains("agent-team status"), "{ran:?}");
    let ran = team.run(["watch", "--json"]);
    assert!(ran.code == 2 && ran.stderr.contains("has no --json"), "{ran:?}");
    Team::without_init().run(["watch"]).failed(2, "no team");
}

#[test]
fn how_long_a_frame_takes_is_measured_on_the_real_log() {
    let team = team();
    let figures: serde_json::Value = serde_json::from_str(&team.ok(["watch", "--measure", "3"])).unwrap();
    assert_eq!((figures["tasks"].as_u64(), figures["agents"].as_u64()), (Some(3), Some(2)));
    assert!(figures["sizes"][0]["frame"]["median_us"].as_f64().unwrap() > 0.0);
}

#[test]
fn what_an_agent_says_is_there_while_it_says_it_needs_tmux() {
    let team = team_of_repository();
    team.ok(["add", "Talk", "--id", "talk"]);
    let words: String = (0..400).map(|n| format!("word-{n} of it.\n")).collect();
    let script = serde_json::json!({"rules": [{"give": {"text": words, "stream_ms": 120_000}}]});
    std::fs::write(team.path().join("talk.json"), script.to_string()).unwrap();
    let terminal = Terminal::new(&team, 100, 30);
    terminal.types("$AGENT_TEAM run --yes --no-gate --no-sandbox --with script:talk.json; echo over $?");
    terminal.waits_for("word-2 of it.");
    // In its whole transcript, too, where more comes as it is said.
    terminal.keys(&["Enter"]);
    terminal.waits_for("begins talk, attempt 1");
    terminal.waits_for("word-15 of it.");
    terminal.keys(&["C-c"]);
    terminal.waits_for("ENDING");
    terminal.keys(&["C-c"]);
    terminal.waits_for("over 130");
    assert_eq!(team.drafts(), "", "it says nothing any more");
}

#[test]
fn what_a_command_prints_is_there_while_it_runs_needs_tmux() {
    let team = team_of_repository();
    team.ok(["add", "Build", "--id", "build"]);
    let command = "for n in 1 2 3; do until test -e go-$n; do sleep 0.02; done; echo part $n is built; done";
    let calls = |name: &str, input| serde_json::json!({"tool_calls": [{"name": name, "input": input}]});
    let script = serde_json::json!({"rules": [{"steps": [
        calls("run", serde_json::json!({"command": command})),
        calls("finish", serde_json::json!({"result": "It is built."})),
    ]}]});
    std::fs::write(team.path().join("build.json"), script.to_string()).unwrap();
    let terminal = Terminal::new(&team, 100, 30);
    terminal.types("$AGENT_TEAM run --yes --no-gate --no-sandbox --with script:build.json; echo over $?");
    terminal.waits_for("> run for n in 1 2 3");
    let goes_on = |part: &str| {
        std::fs::write(team.path().join(".agent-team/workspaces/worker-1").join(part), "").unwrap();
    };
    goes_on("go-1");
    terminal.waits_for("part 1 is built");
    // In its whole transcript, too.
    terminal.keys(&["Enter"]);
    terminal.waits_for("begins build, attempt 1");
    goes_on("go-2");
    terminal.waits_for("part 2 is built");
    goes_on("go-3");
    terminal.waits_for("ended: finished: It is built.");
    assert_eq!(team.drafts(), "");
    terminal.keys(&["q", "q"]);
    terminal.waits_for("over 0");
}
