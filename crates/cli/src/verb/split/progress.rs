//! How far a suite is, on standard error: a line that moves on a terminal, elsewhere a line now and then. Nothing is
//! said of what takes less than a second.

use std::io::{IsTerminal, Write};
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use crate::output::Output;

/// How long nothing is said.
const QUIET: Duration = Duration::from_secs(1);

/// The least time between two lines where there is no terminal.
const PAUSE: Duration = Duration::from_secs(10);

pub struct Progress {
    started: Instant,
    /// When the next line is due.
    due: Instant,
    /// `None` without a terminal.
    bar: Option<ProgressBar>,
}

impl Progress {
    pub fn new(out: &Output) -> Self {
        let started = Instant::now();
        let bar = (std::io::stderr().is_terminal() && !out.is_json()).then(ProgressBar::hidden);
        Self { started, due: started + QUIET, bar }
    }

    /// Says how far it is.
    pub fn show(&mut self, text: &str) {
        let now = Instant::now();
        if now < self.due {
            return;
        }
        match &self.bar {
            Some(bar) => {
                if bar.is_hidden() {
                    bar.set_draw_target(ProgressDrawTarget::stderr());
                    let style = ProgressStyle::with_template("{spinner} {elapsed:>6}  {msg}");
                    bar.set_style(style.unwrap_or_else(|_| ProgressStyle::default_spinner()));
                    bar.enable_steady_tick(Duration::from_millis(120));
                }
                bar.set_message(text.to_owned());
            }
            None => {
                self.due = now + PAUSE;
                let elapsed = self.started.elapsed().as_secs_f64();
                // A reader that is gone needs no line.
                let _ = writeln!(std::io::stderr(), "{elapsed:>7.1}s {text}");
            }
        }
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
    }
}
