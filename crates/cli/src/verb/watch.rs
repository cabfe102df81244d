//! `watch`: the team in the terminal, live, and steered from there.

use clap::Args;

use crate::cli::Global;
use crate::exit::{Exit, Failure};
use crate::interrupt::block_on;
use crate::output::Output;
use crate::watch::{Feed, View, has_terminal, measure, show};

const LONG_ABOUT: &str = "\
Watch the team at work, and steer it: its agents with what each says and does as it comes, a board of tasks, the graph \
of what waits for what, messages, and the merge queue. From there you say something, interrupt, pause, stop, retry, \
reassign or cancel, read plans and results and judge them, answer questions, and see what was changed.

Press ? for the keys of the place where you are. Each key does what a command does, and the command is shown when it was \
done. The view can be left at any time (q): the team goes on. It can be opened as often as you like, also while nobody \
works at the team.

`agent-team run` shows the same at a terminal. Without a terminal there is `agent-team status`.

Colours are the terminal's own; NO_COLOR and --color never leave weights alone.";

const AFTER_HELP: &str = "\
Examples:
  agent-team watch
  agent-team watch -C ~/projects/parser
  NO_COLOR=1 agent-team watch";

/// The arguments of `watch`.
#[derive(Debug, Args)]
#[command(about = "Watch the team in the terminal, and steer it", long_about = LONG_ABOUT, after_help = AFTER_HELP)]
pub struct Watch {
    /// Draw so many frames of each view into memory, and print how long they took: for `agent-team-bench`
    #[arg(long, hide = true, value_name = "N")]
    measure: Option<usize>,
}

impl Watch {
    pub fn run(self, global: &Global, out: &mut Output) -> Result<Exit, Failure> {
        if let Some(frames) = self.measure {
            out.json(&measure(&global.open()?, frames)?)?;
            return Ok(Exit::Done);
        }
        if out.is_json() {
            return Err(Failure::usage("`watch` is for eyes: it has no --json").hint(
                "agent-team status --json has the team at one moment, agent-team log --follow --json what happens",
            ));
        }
        let queue = global.open()?;
        if !has_terminal() {
            return Err(Failure::usage("there is no terminal to draw on").hint(
                "agent-team status shows the team at one moment, agent-team log --follow what happens",
            ));
        }
        let view = View { queue, colors: out.colors(), stop: None, feed: Feed::default() };
        block_on(show(view))?;
        Ok(Exit::Done)
    }
}
