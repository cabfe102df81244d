//! Runs the command of one hook, and reads its exit code as an answer.

use std::path::PathBuf;

use tokio_util::sync::CancellationToken;

use super::{Event, HOOK_FOLDER_VARIABLE, HOOK_LIMIT, HOOK_VARIABLE, Hooks, Ruling};
use crate::Error;
use crate::command::{CommandEnding, CommandOutcome, CommandSpec};
use crate::left_behind::PRESENCE_VARIABLE;
use crate::outside::new_id;

/// The exit code that says no.
const BLOCKS: i32 = 2;
/// What prints more than this is ended: it is no feedback.
const OUTPUT_LIMIT_BYTES: u64 = 16 << 20;

impl Hooks {
    /// Runs the hook of an event to its end. Blocks the thread: where others wait for it, call it from
    /// [`blocking`](crate::team_log::blocking).
    pub(crate) fn ask(&self, event: &Event, stop: &CancellationToken) -> Ruling {
        let Some(command) = self.0.commands.command(event.event) else { return Ruling::Pass };
        let outcome = match self.run_apart(command, event, stop) {
            Ok(outcome) => outcome,
            Err(error) => return self.pass_over(event, &error.to_string()),
        };
        let said = outcome.output.text.trim();
        match outcome.ending {
            CommandEnding::Exited(0) | CommandEnding::Stopped => Ruling::Pass,
            CommandEnding::Exited(BLOCKS) if said.is_empty() => Ruling::Block("it gave no reason".to_owned()),
            CommandEnding::Exited(BLOCKS) => Ruling::Block(said.to_owned()),
            ending => {
                let last = said.lines().next_back().map(|line| format!(": {line}")).unwrap_or_default();
                self.pass_over(event, &format!("{ending}{last}"))
            }
        }
    }

    /// Says on one line that a hook went wrong. The work goes on.
    fn pass_over(&self, event: &Event, reason: &str) -> Ruling {
        let reason = reason.lines().next().unwrap_or_default();
        self.note(format!("ERROR the hook {} is passed over: {reason}", event.event));
        Ruling::Pass
    }

    /// Runs the command on a thread of its own: the caller may stand on a runtime, or on none.
    fn run_apart(
        &self,
        command: &str,
        event: &Event,
        stop: &CancellationToken,
    ) -> Result<CommandOutcome, Error> {
        let input = serde_json::to_vec(event).map_err(|error| Error::Input(error.to_string()))?;
        let spec = self.spec(command, event, input);
        let broken = |source| Error::io("run a hook in", self.0.folder.workspace(), source);
        let mut outcome = std::thread::scope(|scope| {
            let run = || -> Result<CommandOutcome, Error> {
                let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
                Ok(runtime.map_err(broken)?.block_on(spec.run(stop))?)
            };
            let thread = std::thread::Builder::new().name("hook".into()).spawn_scoped(scope, run);
            let broke_down = |_| Err(Error::Input("the thread of a hook broke down".into()));
            thread.map_err(broken)?.join().unwrap_or_else(broke_down)
        })?;
        let output = &mut outcome.output;
        let passes = matches!(outcome.ending, CommandEnding::Exited(0) | CommandEnding::Stopped);
        // What was left out of the feedback may be looked up; the rest would only pile up.
        if passes || output.lines_left_out + output.lines_cut == 0 {
            let _ = std::fs::remove_file(&spec.output_file);
        } else if outcome.ending == CommandEnding::Exited(BLOCKS) && output.lines_left_out == 0 {
            // Where whole lines are left out it is said there.
            let (kept, place) = (output.text.trim_end(), spec.output_file.display());
            output.text = format!("{kept}\n... long lines are cut; whole output in {place} ...\n");
        }
        Ok(outcome)
    }

    fn spec(&self, command: &str, event: &Event, input: Vec<u8>) -> CommandSpec {
        let mut spec = CommandSpec::new(command, self.0.folder.workspace(), self.output_file(event));
        spec.input = input;
        spec.time_limit = self.0.commands.time_limit.unwrap_or(HOOK_LIMIT);
        spec.output_limit_bytes = OUTPUT_LIMIT_BYTES;
        let mut environment = self.0.environment.clone().with(HOOK_VARIABLE, event.event.as_str());
        if let Some(presence) = self.0.presence.get() {
            let folder = self.0.folder.workspace();
            environment = environment.with(HOOK_FOLDER_VARIABLE, folder).with(PRESENCE_VARIABLE, presence);
        }
        spec.environment = event
            .variables()
            .into_iter()
            .fold(environment, |environment, (name, value)| environment.with(name, value));
        spec
    }

    /// A file of its own: several processes may run the same hook at once.
    fn output_file(&self, event: &Event) -> PathBuf {
        self.0.folder.root().join("hooks").join(format!("{}-{}.txt", event.event, new_id()))
    }
}
