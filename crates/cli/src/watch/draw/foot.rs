//! The foot: what came of the last command, or what is searched for, and the keys of the place.

use ratatui::buffer::Buffer;
use ratatui::layout::{Position, Rect};

use super::text::{Pen, cells};
use crate::watch::keys;
use crate::watch::reader::broken;
use crate::watch::screen::{Ending, Host, Screen};
use crate::watch::theme::Tone;

/// How many rows of words there are at most.
const WORDS_ROWS: usize = 4;

/// How many rows the foot needs: what came of a command may be long, and is read nowhere else.
pub fn rows(screen: &Screen, area: Rect) -> u16 {
    let words = screen.said.as_ref().filter(|_| screen.typing.is_none());
    let rows = words.map_or(1, |(_, words)| broken(words, usize::from(area.width)).len().min(WORDS_ROWS));
    u16::try_from(rows).unwrap_or(1) + 1
}

/// Draws the foot, and gives the place of the cursor where something is typed in it.
pub fn draw(screen: &Screen, area: Rect, buffer: &mut Buffer) -> Option<Position> {
    let cursor = said(screen, area, buffer);
    keys_of(screen, area, buffer);
    cursor
}

fn said(screen: &Screen, area: Rect, buffer: &mut Buffer) -> Option<Position> {
    let style = |tone| screen.theme.style(tone);
    let mut pen = Pen::at(buffer, area, 0);
    if let Some(field) = &screen.typing {
        let width = usize::from(area.width).saturating_sub(3).max(4);
        let (lines, line, column) = field.lines(width);
        pen.text("/", style(Tone::Key)).text(lines.get(line).map_or("", String::as_str), style(Tone::Plain));
        let x = area.x + 1 + u16::try_from(column).unwrap_or(0);
        return Some(Position::new(x.min(area.right() - 1), area.y));
    }
    let searched = screen.pages.last().map_or(&screen.filter, |page| &page.searched);
    if !searched.is_empty() {
        pen.right(&format!(" /{searched}  n N, Esc "), style(Tone::Warning));
    }
    if let Some((tone, words)) = &screen.said {
        if searched.is_empty() || area.height > 2 {
            for (row, line) in (0..).zip(broken(words, usize::from(area.width)).iter().take(WORDS_ROWS)) {
                Pen::at(buffer, area, row).text(line, style(*tone));
            }
        } else {
            pen.text(words, style(*tone));
        }
    } else if screen.host == Host::Run && screen.ending == Ending::Gently {
        pen.text(
            "agents finish their turns and give back what they hold; Ctrl-C once more to end at once",
            style(Tone::Warning),
        );
    } else if let Some(line) = screen.told.back() {
        pen.text(line, style(Tone::Faint));
    } else if screen.team.picture.tasks.is_empty() {
        pen.text("no task yet: press A to add one, or agent-team add", style(Tone::Faint));
    } else if screen.team.picture.counts.completed == screen.team.picture.counts.total {
        pen.text("all tasks are completed", style(Tone::Good));
    } else if !screen.team.picture.is_run && screen.team.picture.counts.running == 0 {
        pen.text("nobody works at this team now; agent-team run goes on", style(Tone::Faint));
    }
    None
}

fn keys_of(screen: &Screen, area: Rect, buffer: &mut Buffer) {
    let style = |tone| screen.theme.style(tone);
    let mut pen = Pen::at(buffer, area, area.height.saturating_sub(1));
    let place = screen.place();
    let is_page = !screen.pages.is_empty();
    // The way out is always seen.
    let out = if is_page {
        ("Esc", "back")
    } else {
        ("q", if screen.host == Host::Run { "close" } else { "quit" })
    };
    for (key, short) in [out, ("?", "help")] {
        pen.right(short, style(Tone::Plain)).right(key, style(Tone::Key)).right("", style(Tone::Plain));
    }
    if screen.pages.is_empty() && place == keys::Place::Agents && screen.call_of_agent().is_some() {
        pen.text("r", style(Tone::Key)).skip(1).text("answer", style(Tone::Plain)).skip(2);
    }
    let own = keys::of_place(place).iter().flat_map(|bindings| bindings.iter());
    let bindings = keys::MOVES.iter().chain(own).chain(keys::EVERYWHERE);
    for binding in bindings.filter(|binding| !binding.short.is_empty() && !["q", "?"].contains(&binding.keys))
    {
        let width = usize::from(cells(binding.keys) + cells(binding.short)) + 3;
        if pen.left() < width {
            break;
        }
        pen.text(binding.keys, style(Tone::Key)).skip(1).text(binding.short, style(Tone::Plain)).skip(2);
    }
}
