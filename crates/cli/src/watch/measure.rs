//! How long the view takes: for `agent-team-bench`, on a log of any size, drawn into memory with all that a terminal would get.
//!
//! Beside it stands what ratatui alone takes to draw as many cells. Nothing is judged here.

use std::io::{BufWriter, Sink, sink};
use std::time::{Duration, Instant};

use agent_team::{Error, TaskQueue};
use crossterm::event::{KeyCode, KeyEvent, KeyModifiers};
use ratatui::backend::CrosstermBackend;
use ratatui::layout::Rect;
use ratatui::style::Style;
use ratatui::{Terminal, TerminalOptions, Viewport};
use serde::Serialize;

use super::draw::draw;
use super::look::Looker;
use super::screen::{Host, Screen, TABS};
use super::theme::Theme;
use crate::exit::{Exit, Failure};

/// The sizes of terminals.
const SIZES: [(u16, u16); 2] = [(200, 60), (80, 24)];
/// How much of a frame is gathered before it is written, in bytes.
const FRAME_BYTES: usize = 256 << 10;
/// How often the team is looked at.
const LOOKS: usize = 9;

/// What was measured.
#[derive(Debug, Serialize)]
pub struct Figures {
    tasks: usize,
    agents: usize,
    /// To take the picture and to find one's way in it, on a thread of its own.
    look: Spread,
    /// To take it over into the view, between two frames.
    news: Spread,
    /// To filter everything anew after a key.
    filter: Spread,
    sizes: Vec<OfSize>,
}

/// What was measured on a terminal of one size.
#[derive(Debug, Serialize)]
struct OfSize {
    width: u16,
    height: u16,
    /// A key and the frame after it, in all views.
    frame: Spread,
    /// The slowest view.
    slowest: Spread,
    slowest_view: &'static str,
    /// The same number of cells by ratatui alone, each another one in each frame.
    raw: Spread,
}

/// Times in microseconds.
#[derive(Debug, Clone, Copy, Serialize)]
struct Spread {
    median_us: f64,
    max_us: f64,
}

impl Spread {
    fn of(times: &[Duration]) -> Self {
        let mut sorted = times.to_vec();
        sorted.sort_unstable();
        let us = |time: Option<&Duration>| time.map_or(0.0, |time| time.as_secs_f64() * 1e6);
        Self { median_us: us(sorted.get(sorted.len() / 2)), max_us: us(sorted.last()) }
    }
}

/// Measures the view of a team, by so many frames for each view and size.
pub fn measure(queue: &TaskQueue, frames: usize) -> Result<Figures, Failure> {
    let mut looker = Looker::new(queue.clone());
    let mut seen = looker.look()?;
    let mut screen = Screen::new(seen.team.clone(), Theme { colors: true }, Host::Watch, 0);
    let (mut look, mut news, mut filter) = (Vec::new(), Vec::new(), Vec::new());
    for _ in 0..LOOKS {
        look.push(timed(|| looker.look().map(|new| seen = new))?);
        let (tails, team) = (seen.tails.clone(), seen.team.clone());
        screen.tails = tails;
        news.push(timed(|| {
            screen.news(team);
            Ok::<_, Error>(())
        })?);
        screen.act(super::keys::Action::Search);
        filter.push(timed(|| {
            screen.press(KeyEvent::new(KeyCode::Char('9'), KeyModifiers::NONE));
            Ok::<_, Error>(())
        })?);
        screen.press(KeyEvent::new(KeyCode::Esc, KeyModifiers::NONE));
    }
    let sizes = SIZES.into_iter().map(|size| of_size(&mut screen, size, frames)).collect::<Result<_, _>>()?;
    Ok(Figures {
        tasks: seen.team.picture.tasks.len(),
        agents: seen.team.picture.agents.len(),
        look: Spread::of(&look),
        news: Spread::of(&news),
        filter: Spread::of(&filter),
        sizes,
    })
}

fn of_size(screen: &mut Screen, (width, height): (u16, u16), frames: usize) -> Result<OfSize, Failure> {
    let area = Rect::new(0, 0, width, height);
    let mut terminal = terminal(area)?;
    let mut all = Vec::new();
    let mut slowest: Option<(Spread, &'static str)> = None;
    for (tab, (name, _)) in TABS.into_iter().enumerate() {
        screen.show_tab(tab);
        let mut times = Vec::new();
        for frame in 0..frames {
            // A page at a time, and back from the end: each frame shows something else.
            let code = if frame % 64 < 48 { KeyCode::PageDown } else { KeyCode::Home };
            times.push(timed(|| {
                screen.press(KeyEvent::new(code, KeyModifiers::NONE));
                terminal
                    .draw(|frame| {
                        draw(screen, area, frame.buffer_mut());
                    })
                    .map(drop)
            })?);
        }
        let spread = Spread::of(&times);
        if slowest.is_none_or(|(known, _)| known.median_us < spread.median_us) {
            slowest = Some((spread, name));
        }
        all.extend(times);
    }
    let raw = raw(area, frames)?;
    let frame = Spread::of(&all);
    let (slowest, slowest_view) = slowest.unwrap_or((frame, ""));
    Ok(OfSize { width, height, frame, slowest, slowest_view, raw })
}

/// Frames of ratatui alone, in which each cell differs from the one before.
fn raw(area: Rect, frames: usize) -> Result<Spread, Failure> {
    let mut terminal = terminal(area)?;
    let lines = ["abcdefghij", "klmnopqrst"].map(|text| text.repeat(usize::from(area.width) / 10 + 1));
    let mut times = Vec::new();
    for frame in 0..frames.max(2) {
        let line = if frame % 2 == 0 { &lines[0] } else { &lines[1] };
        times.push(timed(|| {
            let drawn = terminal.draw(|frame| {
                for y in 0..area.height {
                    frame.buffer_mut().set_stringn(0, y, line, usize::from(area.width), Style::new());
                }
            });
            drawn.map(drop)
        })?);
    }
    Ok(Spread::of(&times))
}

fn terminal(area: Rect) -> Result<Terminal<CrosstermBackend<BufWriter<Sink>>>, Failure> {
    let options = TerminalOptions { viewport: Viewport::Fixed(area) };
    Terminal::with_options(CrosstermBackend::new(BufWriter::with_capacity(FRAME_BYTES, sink())), options)
        .map_err(failed)
}

fn timed<E: ToString>(does: impl FnOnce() -> Result<(), E>) -> Result<Duration, Failure> {
    let begun = Instant::now();
    does().map_err(failed)?;
    Ok(begun.elapsed())
}

#[expect(clippy::needless_pass_by_value, reason = "it stands where errors are mapped")]
fn failed(error: impl ToString) -> Failure {
    Failure::new(Exit::Broken, error.to_string())
}
