//! What is said while a team runs: on a terminal a line per agent and one for the whole, elsewhere a line for each
//! thing that happens. All of it on standard error, so that standard output holds the report alone. While the view has the
//! terminal (`watch`), all of it is told to the view instead.

use std::collections::BTreeMap;
use std::io::{IsTerminal, Write};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use agent_team::command::Environment;
use agent_team::config::Config;
use agent_team::{Progress, Reporter, Secrets, Stage, TaskQueue};
use indicatif::{MultiProgress, ProgressBar, ProgressDrawTarget, ProgressStyle};

use crate::output::{self, Output, Paint};
use crate::report::spent;
use crate::safe_text;
use crate::watch::Feed;

/// The longest text of one line, in characters.
const LINE_CHARS: usize = 160;

/// The live display of a run. Clones show the same.
#[derive(Clone)]
pub struct Live(Arc<Display>);

struct Display {
    started: Instant,
    colors: bool,
    /// Whether a program reads along.
    json: bool,
    /// What stands in no line: those of a build are kept, and many read them.
    secrets: Secrets,
    /// `None` without a terminal that can show them.
    bars: Option<Bars>,
    /// Where the view hears of it.
    feed: Feed,
    /// Whether the view has the terminal.
    is_viewed: AtomicBool,
}

struct Bars {
    all: MultiProgress,
    /// The line of each agent, and the task that it has.
    agents: Mutex<BTreeMap<String, (ProgressBar, Option<String>)>>,
    /// The tasks that are counted; none before the team is there.
    queue: Mutex<Option<TaskQueue>>,
    whole: ProgressBar,
}

impl Live {
    /// A display for a run of the team that a configuration describes.
    pub fn new(out: &Output, config: &Config) -> Self {
        let terminal = std::io::stderr().is_terminal() && !out.is_json();
        // Some terminals cannot move back (`TERM=dumb`): they get lines.
        let bars = terminal.then(|| Bars::new(config)).filter(|bars| !bars.all.is_hidden());
        Self(Arc::new(Display {
            started: Instant::now(),
            colors: out.colors_errors(),
            json: out.is_json(),
            secrets: Environment::of_this_process().secrets().clone(),
            bars,
            feed: Feed::default(),
            is_viewed: AtomicBool::new(false),
        }))
    }

    /// What a run tells its progress to.
    pub fn reporter(&self) -> Reporter {
        let display = self.0.clone();
        Reporter::to(move |progress| display.show(&progress))
    }

    /// Counts the tasks of this team from now on.
    pub fn count(&self, queue: &TaskQueue) {
        if let Some(bars) = &self.0.bars {
            *bars.queue.lock().unwrap_or_else(PoisonError::into_inner) = Some(queue.clone());
        }
    }

    /// Shows a line that stays.
    pub fn say(&self, text: &str) {
        self.0.line(text);
    }

    /// Takes the moving lines away for as long as something else has the terminal.
    pub fn aside<T>(&self, other: impl FnOnce() -> T) -> T {
        match &self.0.bars {
            Some(bars) => bars.all.suspend(other),
            None => other(),
        }
    }

    /// Whether there is a terminal whose lines can move.
    pub fn moves(&self) -> bool {
        self.0.bars.is_some()
    }

    /// Where a view hears what happens.
    pub fn feed(&self) -> &Feed {
        &self.0.feed
    }

    /// Leaves the terminal to the view.
    pub fn hide(&self) {
        self.0.is_viewed.store(true, Ordering::SeqCst);
        if let Some(bars) = &self.0.bars {
            // What cannot be cleared is covered.
            let _ = bars.all.clear();
            bars.all.set_draw_target(ProgressDrawTarget::hidden());
        }
    }

    /// Takes the terminal again, after the view.
    pub fn show(&self) {
        self.0.is_viewed.store(false, Ordering::SeqCst);
        if let Some(bars) = &self.0.bars {
            bars.all.set_draw_target(ProgressDrawTarget::stderr());
        }
    }

    /// Takes the moving lines away.
    pub fn finish(&self) {
        if let Some(bars) = &self.0.bars {
            bars.whole.finish_and_clear();
            for (bar, _) in bars.agents.lock().unwrap_or_else(PoisonError::into_inner).values() {
                bar.finish_and_clear();
            }
        }
    }
}

impl Display {
    fn show(&self, progress: &Progress) {
        if let Some(bars) = &self.bars {
            bars.follow(progress);
        }
        if self.is_viewed.load(Ordering::SeqCst) {
            match progress {
                Progress::Activity { agent, what } => {
                    self.feed.activity(agent, Some(&self.secrets.hidden(what)));
                }
                Progress::Began { agent, .. } | Progress::Idle { agent } => self.feed.activity(agent, None),
                _ => {}
            }
        }
        if let Some(text) = words(progress) {
            self.line(&text);
        }
    }

    fn line(&self, text: &str) {
        let text = &*self.secrets.hidden(text);
        if self.json {
            return output::note(text, true);
        }
        if self.is_viewed.load(Ordering::SeqCst) {
            let took = self.started.elapsed().as_secs_f64();
            return self.feed.line(&format!("{took:>7.1}s {text}"));
        }
        // On a terminal a line should stay one; a program that reads along gets the whole reason.
        let most = if self.bars.is_some() { LINE_CHARS } else { usize::MAX };
        let text: String = safe_text::line(text).chars().take(most).collect();
        let paint = match text.split(' ').next() {
            Some("ERROR") => Some(Paint::Bad),
            Some("merged") => Some(Paint::Good),
            Some("REHEARSAL" | "INTERRUPTED" | "LIMITED" | "WARNING") => Some(Paint::Warning),
            _ => None,
        };
        let text = match paint {
            Some(paint) if self.colors => paint.around(&text),
            _ => text,
        };
        let text = format!("{:>7.1}s {text}", self.started.elapsed().as_secs_f64());
        match &self.bars {
            Some(bars) => {
                let _ = bars.all.println(text);
            }
            None => {
                // A reader that is gone needs no line.
                let _ = writeln!(std::io::stderr(), "{text}");
            }
        }
    }
}

impl Bars {
    fn new(config: &Config) -> Self {
        let all = MultiProgress::new();
        let whole = all.add(ProgressBar::new_spinner());
        whole.set_style(style("{spinner} {elapsed:>6}  {msg}"));
        whole.enable_steady_tick(Duration::from_millis(120));
        let bars = Self { all, agents: Mutex::default(), queue: Mutex::default(), whole };
        for name in config.agents.iter().flat_map(|agent| &agent.names) {
            bars.agent(name.as_str(), None, "idle");
        }
        bars
    }

    /// Shows what an agent does, with the task that it has; `None` for one that has none.
    fn agent(&self, name: &str, task: Option<&str>, what: &str) {
        let mut agents = self.agents.lock().unwrap_or_else(PoisonError::into_inner);
        let (bar, has) = agents.entry(name.to_owned()).or_insert_with(|| {
            let bar = self.all.insert_before(&self.whole, ProgressBar::new_spinner());
            bar.set_style(style("  {prefix:<12} {wide_msg}"));
            bar.set_prefix(name.to_owned());
            (bar, None)
        });
        *has = task.map(str::to_owned);
        let text = task.map_or_else(|| what.to_owned(), |task| format!("{task}: {what}"));
        bar.set_message(safe_text::line(&text).into_owned());
    }

    /// The task that an agent has, as far as was shown.
    fn task_of(&self, name: &str) -> Option<String> {
        let agents = self.agents.lock().unwrap_or_else(PoisonError::into_inner);
        agents.get(name).and_then(|(_, task)| task.clone())
    }

    fn follow(&self, progress: &Progress) {
        match progress {
            Progress::Began { agent, task, stage, .. } => {
                self.agent(agent.as_str(), Some(task.as_str()), doing(*stage));
            }
            Progress::Activity { agent, what } => {
                // It changes no figure.
                return self.agent(agent.as_str(), self.task_of(agent.as_str()).as_deref(), what);
            }
            Progress::Idle { agent } => self.agent(agent.as_str(), None, "idle"),
            _ => {}
        }
        let queue = self.queue.lock().unwrap_or_else(PoisonError::into_inner).clone();
        // What cannot be read now is told by the run itself.
        if let Some(status) = queue.and_then(|queue| queue.get_status().ok()) {
            let counts = status.counts;
            let mut line = format!("{} of {} done", counts.completed, counts.total);
            if counts.failed > 0 {
                line += &format!(", {} failed", counts.failed);
            }
            let spent = spent(status.spent);
            if !spent.is_empty() {
                line += &format!(", {spent}");
            }
            self.whole.set_message(line);
        }
    }
}

fn style(template: &str) -> ProgressStyle {
    ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_spinner())
}

fn doing(stage: Stage) -> &'static str {
    match stage {
        Stage::Work => "works",
        Stage::Verify => "runs the check",
        Stage::Review => "reviews",
        Stage::Merge => "merges",
    }
}

/// The line that stays for something that happened; `None` for what only moves.
fn words(progress: &Progress) -> Option<String> {
    Some(match progress {
        Progress::Began { agent, task, stage, attempt } => {
            let again = if *attempt > 1 { format!(" (attempt {attempt})") } else { String::new() };
            format!("{agent} {} {task}{again}", if *stage == Stage::Review { "reviews" } else { "begins" })
        }
        Progress::Activity { .. } | Progress::Idle { .. } => return None,
        Progress::Delivered { agent, task } => format!("{agent} delivered {task}"),
        Progress::Failed { agent, task, reason } => format!("ERROR {task} failed ({agent}): {reason}"),
        Progress::GaveBack { agent, task, reason } => {
            format!("{agent} gave back {task} without a verdict: {reason}")
        }
        Progress::Checked { task, passed: true, .. } => format!("check of {task} passed"),
        Progress::Checked { task, passed: false, reason } => {
            format!("ERROR check of {task} failed: {reason}")
        }
        Progress::Reviewed { agent, task, approved: true } => format!("{agent} approved {task}"),
        Progress::Reviewed { agent, task, approved: false } => format!("{agent} wants changes in {task}"),
        Progress::Merged { task, commit, branch } => {
            format!("merged {task} into {branch} ({})", commit.get(..10).unwrap_or(commit))
        }
        Progress::Refused { task, reason } => format!("ERROR {task} was not merged and goes back: {reason}"),
        Progress::Note(text) => text.clone(),
    })
}
