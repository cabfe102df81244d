//! A page over a view: its title, its text, and how far one is in it.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

use super::scrollbar;
use super::text::Pen;
use crate::watch::pages::Kind;
use crate::watch::screen::Screen;
use crate::watch::theme::{Tone, of_agent};

/// Draws the topmost page.
pub fn draw(screen: &mut Screen, area: Rect, buffer: &mut Buffer) {
    let (theme, team) = (screen.theme, screen.team.clone());
    let Some(page) = screen.pages.last_mut() else { return };
    let style = |tone| theme.style(tone);
    let body = Rect { y: area.y + 1, height: area.height.saturating_sub(1), ..area };
    page.reader.window(body.width.saturating_sub(3), body.height);
    let mut pen = Pen::at(buffer, area, 0);
    let waits = matches!(page.kind, Kind::Plan(_, _, true) | Kind::Review(_, _, true));
    let how_far = match page.reader.was_read() {
        true if waits => "read: y approves, r rejects".to_owned(),
        false if waits => format!("{}%: read to the end to approve", page.reader.percent()),
        _ if page.reader.follows() => "follows".to_owned(),
        _ => format!("{}%", page.reader.percent()),
    };
    let tone = if waits { Tone::Warning } else { Tone::Faint };
    pen.right(" ", style(Tone::Plain)).right(&how_far, style(tone));
    pen.text("── ", style(Tone::Faint)).text(&page.title, style(Tone::Head));
    if let Some(row) = page.agent().and_then(|agent| team.agent(agent)) {
        let (mark, tone, word) = of_agent(row);
        pen.text(&format!("  {mark} {word}"), style(tone));
    }
    let searched = page.searched.to_lowercase();
    for (row, (line, is_cursor)) in (0..).zip(page.reader.lines()) {
        let is_found = !searched.is_empty() && line.text.to_lowercase().contains(&searched);
        let mut pen = Pen::at(buffer, body, row);
        let mark = if is_cursor { "▌" } else { " " };
        pen.text(mark, style(Tone::Key)).skip(1);
        pen.text(
            &line.text,
            if is_found { style(line.tone).patch(style(Tone::Selected)) } else { style(line.tone) },
        );
    }
    let (top, count) = page.reader.place();
    scrollbar(buffer, body, top, usize::from(body.height), count);
}
