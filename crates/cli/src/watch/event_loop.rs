//! The loop of the view: it waits for keys, for what the team does and for what was asked for, and draws when one of them has
//! changed what is seen. Whatever may block is done on other threads.

use std::io;
use std::path::PathBuf;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use agent_team::{Error, Stop, TaskQueue, TranscriptNews};
use crossterm::event::{Event, EventStream, KeyEventKind};
use futures::StreamExt;
use rustix::process::{Signal, getpid, kill_process};
use rustix::termios::tcgetattr;
use tokio::signal::unix::{Signal as SignalStream, SignalKind, signal};
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio::task::{JoinHandle, spawn_blocking};

use super::ask::{Answer, Ask};
use super::feed::Feed;
use super::look::{Looker, Seen};
use super::screen::{Ending, Host, Screen};
use super::terminal::{Held, give_back};
use super::theme::Theme;
use crate::exit::Failure;

/// The least time between two frames.
const FRAME: Duration = Duration::from_millis(16);
/// How often the clock is looked at: ages are shown in seconds.
const TICK: Duration = Duration::from_secs(1);
/// How often the team is looked at though nothing was written: who is gone writes nothing.
const LOOK_ANYWAY: Duration = Duration::from_secs(4);
/// How long it takes at most until this process is stopped after it was asked to be.
const SUSPENDED: Duration = Duration::from_millis(100);
/// The least time between two looks.
const BETWEEN_LOOKS: Duration = Duration::from_millis(40);
/// How much of the time is spent looking at most: one part in so many.
const LOOK_SHARE: u32 = 4;

/// Why the view ended.
#[derive(Debug, PartialEq, Eq)]
pub enum Over {
    /// Whoever sat there left it.
    Left,
    /// The terminal is gone, and with it whoever sat there.
    Gone,
    /// The run is over, or the process is asked to end.
    Ended,
}

/// What the view is shown with.
pub struct View {
    /// The team.
    pub queue: TaskQueue,
    /// Whether it is drawn in colours.
    pub colors: bool,
    /// What ends the run that shows it; `None` where none does.
    pub stop: Option<Stop>,
    /// What the run tells.
    pub feed: Feed,
}

/// The view at work.
struct Loop {
    screen: Screen,
    held: Held,
    looker: Looking,
    transcripts: Option<TranscriptNews>,
    workspace: Option<PathBuf>,
    queue: TaskQueue,
    answers: (UnboundedSender<Answer>, UnboundedReceiver<Answer>),
}

/// Who looks, and when to look again.
struct Looking {
    /// At rest; `None` while it looks.
    looker: Option<Looker>,
    task: Option<JoinHandle<Look>>,
    /// Whether something has changed since it began to look.
    wanted: bool,
    /// When it may look again.
    not_before: Instant,
    /// When it looked last.
    last: Instant,
}

/// Who looked, what was seen, and how long that took.
type Look = (Looker, Result<Seen, Error>, Duration);

/// Shows the view until somebody leaves it, or what it shows is over.
pub async fn show(view: View) -> Result<Over, Failure> {
    let View { queue, colors, stop, feed } = view;
    let host = if stop.is_some() { Host::Run } else { Host::Watch };
    let mut looker = Looker::new(queue.clone());
    let (looker, seen) = spawn_blocking(move || {
        let seen = looker.look();
        (looker, seen)
    })
    .await
    .map_err(|error| Failure::new(crate::exit::Exit::Broken, error.to_string()))?;
    let seen = seen?;
    let terminal = |error: io::Error| Failure::io("the terminal", &error);
    let mut screen = Screen::new(seen.team, Theme { colors }, host, now_ms());
    screen.tails = seen.tails;
    let folder = queue.team_log().folder().cloned();
    let title = format!("agent-team: {}", screen.team.picture.name);
    let mut at_work = Loop {
        screen,
        held: Held::take(&title).map_err(terminal)?,
        looker: Looking {
            looker: Some(looker),
            task: None,
            wanted: false,
            not_before: Instant::now(),
            last: Instant::now(),
        },
        transcripts: folder.as_ref().map(|folder| TranscriptNews::new(&folder.root())),
        workspace: folder.map(|folder| folder.workspace().to_owned()),
        queue,
        answers: unbounded_channel(),
    };
    match at_work.run(&feed, stop.as_ref()).await {
        // It cannot be drawn on, either, and that may be found first.
        Err(_) if tcgetattr(io::stdin()).is_err() => Ok(gone()),
        over => over,
    }
}

impl Loop {
    async fn run(&mut self, feed: &Feed, stop: Option<&Stop>) -> Result<Over, Failure> {
        let terminal = |error: io::Error| Failure::io("the terminal", &error);
        let mut events = EventStream::new();
        let mut log = self.queue.team_log().follow();
        let mut tick = tokio::time::interval(TICK);
        let mut ends = Ends::new(self.screen.host)?;
        let mut resumed = hear(SignalKind::from_raw(Signal::CONT.as_raw()))?;
        self.follow_transcripts();
        self.held.draw(&mut self.screen).map_err(terminal)?;
        let (mut drawn, mut is_stale) = (Instant::now(), false);
        loop {
            let (mut asks, mut is_key) = (Vec::new(), false);
            let look_at = self.looker.next_look();
            let draw_at = is_stale.then_some(drawn + FRAME);
            tokio::select! {
                event = events.next() => match event {
                    Some(Ok(event)) => {
                        is_key = matches!(event, Event::Key(_));
                        asks.extend(self.event(event));
                    }
                    Some(Err(_)) | None => return Ok(gone()),
                },
                changed = log.changed() => {
                    if changed.is_err() {
                        return Ok(Over::Ended);
                    }
                    self.looker.wanted = true;
                }
                () = grown(&mut self.transcripts) => {
                    asks.extend(self.screen.transcript_grew());
                    self.looker.wanted = true;
                }
                () = feed.changed() => {}
                () = feed.ended(), if !self.screen.is_over => self.screen.is_over = true,
                over = ends.come() => return Ok(over),
                // The shell had the terminal, and left it as it likes it.
                _ = resumed.recv() => self.held.take_again().map_err(terminal)?,
                () = wait_until(draw_at) => {}
                _ = tick.tick() => self.looker.wanted |= self.looker.last.elapsed() >= LOOK_ANYWAY,
                () = wait_until(look_at) => self.looker.look(),
                seen = self.looker.seen() => asks.extend(self.seen(seen)?),
                Some(answer) = self.answers.1.recv() => {
                    self.screen.awaited = self.screen.awaited.saturating_sub(1);
                    asks.extend(self.screen.answer(answer));
                }
            }
            if self.screen.is_over {
                self.screen.clock(now_ms());
                if !self.screen.is_busy() {
                    return Ok(Over::Ended);
                }
            }
            let told = feed.take();
            told.lines.into_iter().for_each(|line| self.screen.tell(line));
            for (agent, what) in told.activity {
                match what {
                    Some(what) => self.screen.activity.insert(agent, what),
                    None => self.screen.activity.remove(&agent),
                };
            }
            for ask in asks {
                match ask {
                    Ask::Quit => return Ok(Over::Left),
                    Ask::Interrupt => match stop {
                        None => return Ok(Over::Left),
                        Some(stop) if stop.is_asked() => stop.at_once(),
                        Some(stop) => stop.gently(),
                    },
                    Ask::Redraw => self.held.forget().map_err(terminal)?,
                    Ask::Suspend => suspend().await?,
                    ask => self.ask(ask),
                }
            }
            if stop.is_some_and(Stop::is_asked) && self.screen.ending == Ending::No {
                // It was asked by a signal.
                self.screen.ending = Ending::Gently;
            }
            is_stale = true;
            // What a key shows is seen before the next key counts: whoever pages through a text has seen each page.
            if is_key || drawn.elapsed() >= FRAME {
                self.screen.clock(now_ms());
                self.held.draw(&mut self.screen).map_err(terminal)?;
                (drawn, is_stale) = (Instant::now(), false);
            }
        }
    }

    fn event(&mut self, event: Event) -> Vec<Ask> {
        match event {
            Event::Key(key) if key.kind != KeyEventKind::Release => {
                self.screen.clock(now_ms());
                self.screen.press(key)
            }
            Event::Mouse(mouse) => self.screen.mouse(mouse),
            Event::Paste(text) => {
                self.screen.paste(&text);
                Vec::new()
            }
            Event::Resize(..) | Event::FocusGained | Event::FocusLost | Event::Key(_) => Vec::new(),
        }
    }

    /// Reads or does something on another thread.
    fn ask(&mut self, ask: Ask) {
        let (queue, answers) = (self.queue.clone(), self.answers.0.clone());
        let workspace = self.workspace.clone().unwrap_or_default();
        self.screen.awaited += 1;
        spawn_blocking(move || {
            // A view that is gone needs no answer.
            let _ = answers.send(ask.answer(&queue, &workspace));
        });
    }

    fn seen(&mut self, seen: Result<Seen, Error>) -> Result<Vec<Ask>, Failure> {
        let seen = seen?;
        self.screen.tails = seen.tails;
        let asks = self.screen.news(seen.team);
        self.follow_transcripts();
        Ok(asks)
    }

    fn follow_transcripts(&mut self) {
        let open = self.screen.open_transcript();
        if let Some(news) = &mut self.transcripts {
            news.follow(self.screen.team.picture.transcripts().into_iter().chain(open));
        }
    }
}

impl Looking {
    /// When to look next, if there is something to see.
    fn next_look(&self) -> Option<Instant> {
        (self.wanted && self.looker.is_some()).then_some(self.not_before)
    }

    fn look(&mut self) {
        let Some(mut looker) = self.looker.take() else { return };
        (self.wanted, self.last) = (false, Instant::now());
        self.task = Some(spawn_blocking(move || {
            let begun = Instant::now();
            let seen = looker.look();
            (looker, seen, begun.elapsed())
        }));
    }

    /// Completes when it has looked.
    async fn seen(&mut self) -> Result<Seen, Error> {
        let Some(task) = &mut self.task else { return std::future::pending().await };
        match task.await {
            Ok((looker, seen, took)) => {
                self.task = None;
                self.looker = Some(looker);
                self.not_before = Instant::now() + BETWEEN_LOOKS.max(took * LOOK_SHARE);
                seen
            }
            // It was ended with the runtime.
            Err(_) => std::future::pending().await,
        }
    }
}

/// Stops this process as Ctrl-Z does others, with the terminal as it was. What goes on is heard of by a signal.
async fn suspend() -> Result<(), Failure> {
    give_back();
    let stopped = kill_process(getpid(), Signal::TSTP);
    stopped.map_err(|error| Failure::io("this process", &error.into()))?;
    // Where no shell would bring it back the system does not stop it: then it goes on by itself.
    tokio::time::sleep(SUSPENDED).await;
    kill_process(getpid(), Signal::CONT).map_err(|error| Failure::io("this process", &error.into()))
}

fn hear(kind: SignalKind) -> Result<SignalStream, Failure> {
    signal(kind).map_err(|error| Failure::io("signals", &error))
}

/// What ends the view from outside.
struct Ends {
    terminate: Option<SignalStream>,
    interrupt: Option<SignalStream>,
    hangup: Option<SignalStream>,
}

impl Ends {
    fn new(host: Host) -> Result<Self, Failure> {
        // A run hears of those by itself: it ends in order, and the view with it.
        let (terminate, interrupt) = match host {
            Host::Watch => (Some(hear(SignalKind::terminate())?), Some(hear(SignalKind::interrupt())?)),
            Host::Run => (None, None),
        };
        Ok(Self { terminate, interrupt, hangup: Some(hear(SignalKind::hangup())?) })
    }

    async fn come(&mut self) -> Over {
        tokio::select! {
            () = heard(&mut self.terminate) => Over::Ended,
            () = heard(&mut self.interrupt) => Over::Ended,
            () = heard(&mut self.hangup) => gone(),
        }
    }
}

/// Lets go of a terminal that is gone. Whoever reads from it is told at once, again and again, that there is nothing, and the thread
/// that reads for crossterm asks again until something comes: from here on it waits at a pipe into which nobody writes.
fn gone() -> Over {
    if let Ok((end, beginning)) = io::pipe()
        && rustix::stdio::dup2_stdin(&end).is_ok()
    {
        std::mem::forget(beginning);
    }
    Over::Gone
}

async fn heard(signal: &mut Option<SignalStream>) {
    match signal {
        Some(signal) => {
            signal.recv().await;
        }
        None => std::future::pending().await,
    }
}

/// Completes when one of the transcripts may have grown.
async fn grown(transcripts: &mut Option<TranscriptNews>) {
    match transcripts {
        Some(news) => news.changed().await,
        None => std::future::pending().await,
    }
}

async fn wait_until(at: Option<Instant>) {
    match at {
        Some(at) => tokio::time::sleep_until(at.into()).await,
        None => std::future::pending().await,
    }
}

fn now_ms() -> u64 {
    crate::time::milliseconds(SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default())
}
