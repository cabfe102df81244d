//! `run`: a shell command in the workspace.

use std::fs::{self, OpenOptions};
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use async_trait::async_trait;
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::Value;

use super::{Correction, Tool, ToolContext, ToolOutput, parse_input, spec_of};
use crate::command::{CommandEnding, CommandOutcome, CommandSpec};
use crate::model::ToolSpec;

const DESCRIPTION: &str = "\
Runs a shell command (`sh -c`) in the workspace folder and shows what it printed and its exit code.
Every call starts anew in the workspace folder: `cd` and variables do not last, so join steps as in `cd sub && make`.
There is no keyboard input: pass flags such as `--yes`. All that the command starts is ended with it, so do not start \
servers in the background for later calls.
A long output is cut; the whole of it is kept in a file that is then named, which `read` and `search` can open.
To look at files or to change them, use `read`, `search`, `list`, `edit` and `write` instead.
Example: {\"command\": \"cargo test --quiet\"} or {\"command\": \"make\", \"time_limit_seconds\": 300}";

/// The `run` tool.
#[derive(Debug, Clone, Copy)]
pub struct Run;

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Input {
    /// The command, as one would type it into a shell.
    #[serde(alias = "cmd")]
    command: String,
    /// After how many seconds the command is ended. Leave it out unless the command should be ended early.
    #[serde(alias = "timeout")]
    time_limit_seconds: Option<u64>,
}

#[async_trait]
impl Tool for Run {
    fn spec(&self) -> ToolSpec {
        spec_of::<Input>("run", DESCRIPTION)
    }

    async fn call(&self, input: Value, context: &ToolContext) -> ToolOutput {
        match self.run(input, context).await {
            Ok(outcome) => {
                ToolOutput { is_error: !outcome.succeeded(), ..ToolOutput::text(report(&outcome)) }
            }
            Err(Correction(text)) => ToolOutput::failure(text),
        }
    }
}

impl Run {
    async fn run(&self, input: Value, context: &ToolContext) -> Result<CommandOutcome, Correction> {
        let input: Input = parse_input(&self.spec(), input)?;
        let output_file = new_output_file(&context.output_folder)
            .map_err(|error| Correction(format!("The command's output cannot be kept: {error}.")))?;
        let asked = input.time_limit_seconds.map_or(Duration::MAX, Duration::from_secs);
        let spec = CommandSpec {
            environment: context.environment.clone().reading(&context.output_folder),
            time_limit: asked.min(context.command_time_limit),
            ..CommandSpec::new(input.command, &context.workspace, output_file)
        };
        spec.run(&context.stop).await.map_err(|error| Correction(error.to_string()))
    }
}

/// The newest output of a command in a folder, and its number.
pub(crate) fn newest_output(folder: &Path) -> Option<(u32, PathBuf)> {
    let outputs = fs::read_dir(folder).ok()?.filter_map(|entry| {
        let path = entry.ok()?.path();
        let number = path.file_name()?.to_str()?.strip_prefix("command-")?.strip_suffix(".txt")?;
        Some((number.parse().ok()?, path))
    });
    outputs.max()
}

/// The first `command-N.txt` that is not there yet. Made at once, so that no two calls have the same.
fn new_output_file(folder: &Path) -> io::Result<PathBuf> {
    fs::create_dir_all(folder)?;
    let mut number: u32 = 1;
    loop {
        let path = folder.join(format!("command-{number}.txt"));
        match OpenOptions::new().write(true).create_new(true).open(&path) {
            Ok(_) => return Ok(path),
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => number += 1,
            Err(error) => return Err(error),
        }
    }
}

fn report(outcome: &CommandOutcome) -> String {
    let hint = match outcome.ending {
        CommandEnding::TimedOut => " Try a smaller step, or one that ends by itself.",
        CommandEnding::OutputLimit => " Let it print less.",
        CommandEnding::MemoryLimit | CommandEnding::ProcessLimit => " Let it use less.",
        CommandEnding::Exited(_) | CommandEnding::Killed(_) | CommandEnding::Stopped => "",
    };
    let output = if outcome.output.text.is_empty() { "(no output)\n" } else { &outcome.output.text };
    format!("{output}[{} after {:.1} s]{hint}", outcome.ending, outcome.duration.as_secs_f64())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::tools::Read;
    use crate::tools::testing::Project;

    #[tokio::test]
    async fn a_command_runs_in_the_workspace_and_tells_how_it_ended() {
        let project = Project::with([("file", "content\n")]);
        let text = project.good(Run, json!({"command": "cat file"})).await;
        assert!(text.starts_with("content\n[exit code 0 after "), "{text}");
        let text = project.bad(Run, json!({"command": "exit 3"})).await;
        assert!(text.starts_with("(no output)\n[exit code 3 after "), "{text}");
    }

    #[tokio::test]
    async fn the_time_limit_is_the_shorter_one() {
        let project = Project::new();
        let context = ToolContext { command_time_limit: Duration::from_millis(100), ..project.context() };
        let output = Run.call(json!({"command": "sleep 1000", "time_limit_seconds": 900}), &context).await;
        assert!(output.is_error && output.text.contains("over its time limit"), "{}", output.text);
        let text = project.bad(Run, json!({"command": "sleep 1000", "time_limit_seconds": 0})).await;
        assert!(text.contains("over its time limit"), "{text}");
    }

    #[tokio::test]
    async fn the_whole_of_a_cut_output_can_be_read() {
        let project = Project::new();
        let text = project.good(Run, json!({"command": "seq 1 100000"})).await;
        assert!(text.len() < 25_000);
        let path = text.split("whole output in ").nth(1).unwrap().split(" ...").next().unwrap();
        let part = project.good(Read, json!({"path": path, "offset": 50_000, "limit": 1})).await;
        assert!(part.starts_with(" 50000\t50000\n"), "{part}");
    }

    #[test]
    fn outputs_never_share_a_file() {
        let folder = tempfile::tempdir().unwrap();
        let names = [1, 2].map(|_| new_output_file(folder.path()).unwrap());
        assert_eq!(names, ["command-1.txt", "command-2.txt"].map(|name| folder.path().join(name)));
    }
}
