//! How things look: a few tones, each a colour of the terminal's own palette or, without colours, a weight.
//!
//! Text is in the terminal's own colours, so that it is read on a dark and on a light background. White and yellow vanish on the
//! one, blue on the other: none of them carries text.

use agent_team::{Doing, Status};
use ratatui::style::{Color, Modifier, Style};

use crate::view::AgentRow;

/// What a text means to whoever looks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Tone {
    /// Nothing special.
    #[default]
    Plain,
    /// It matters less.
    Faint,
    /// A heading.
    Head,
    /// It went well, or was added.
    Good,
    /// It went wrong, or was taken away.
    Bad,
    /// Somebody should look at it.
    Warning,
    /// It is under way.
    Active,
    /// It waits for whoever sits here.
    Calls,
    /// What is selected.
    Selected,
    /// A key that can be pressed.
    Key,
}

/// The looks of a terminal: with colours or without.
#[derive(Debug, Clone, Copy)]
pub struct Theme {
    /// Whether there are colours.
    pub colors: bool,
}

impl Theme {
    /// How a tone looks.
    pub fn style(self, tone: Tone) -> Style {
        let plain = Style::new();
        let colored = |color: Color| if self.colors { plain.fg(color) } else { plain };
        match tone {
            Tone::Plain => plain,
            Tone::Faint => plain.add_modifier(Modifier::DIM),
            Tone::Good => colored(Color::Green),
            Tone::Bad => colored(Color::Red).add_modifier(Modifier::BOLD),
            Tone::Warning => colored(Color::Magenta).add_modifier(Modifier::BOLD),
            Tone::Active => colored(Color::Cyan),
            Tone::Calls if self.colors => plain.fg(Color::Black).bg(Color::Yellow),
            Tone::Calls => plain.add_modifier(Modifier::REVERSED | Modifier::BOLD),
            Tone::Selected => plain.add_modifier(Modifier::REVERSED),
            Tone::Key if self.colors => plain.fg(Color::Cyan).add_modifier(Modifier::BOLD),
            Tone::Head | Tone::Key => plain.add_modifier(Modifier::BOLD),
        }
    }
}

/// The mark and the tone of a task's status.
pub fn of_status(status: Status) -> (&'static str, Tone) {
    match status {
        Status::Blocked => ("·", Tone::Faint),
        Status::Ready => ("○", Tone::Plain),
        Status::Running => ("●", Tone::Active),
        Status::Verifying => ("◔", Tone::Active),
        Status::Reviewing => ("◑", Tone::Active),
        Status::Merging => ("◕", Tone::Active),
        Status::Completed => ("✓", Tone::Good),
        Status::Failed => ("✗", Tone::Bad),
        Status::Cancelled => ("-", Tone::Faint),
    }
}

/// The mark, the tone and the word of what an agent does.
pub fn of_agent(row: &AgentRow) -> (&'static str, Tone, &'static str) {
    // Who can do no more has not just gone home.
    if !row.agent.left_because.is_empty() {
        return ("✗", Tone::Bad, "left");
    }
    // A turn that goes on is finished before it pauses.
    if row.agent.paused && matches!(row.doing, Doing::Working | Doing::WaitingForModel) {
        return ("‖", Tone::Warning, "pausing");
    }
    of_doing(row.doing)
}

fn of_doing(doing: Doing) -> (&'static str, Tone, &'static str) {
    match doing {
        Doing::Working => ("●", Tone::Active, "working"),
        Doing::WaitingForModel => ("◐", Tone::Active, "model"),
        Doing::WaitingForGate => ("◔", Tone::Plain, "gate"),
        Doing::WaitingForHuman => ("▲", Tone::Warning, "waits for you"),
        Doing::WaitingForAgent => ("△", Tone::Plain, "waits"),
        Doing::Paused => ("‖", Tone::Warning, "paused"),
        Doing::Stopped => ("■", Tone::Warning, "stopped"),
        Doing::Idle => ("○", Tone::Faint, "idle"),
        Doing::Stuck => ("!", Tone::Warning, "stuck"),
        Doing::Dead => ("✗", Tone::Bad, "dead"),
        Doing::Gone => ("-", Tone::Faint, "gone"),
        Doing::Left => ("-", Tone::Faint, "left"),
    }
}
