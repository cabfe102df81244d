//! A dialog in the middle of the screen.

use ratatui::buffer::Buffer;
use ratatui::layout::{Position, Rect};
use ratatui::widgets::{Block, Clear, Widget};

use super::text::{Pen, fit};
use super::window;
use crate::watch::dialog::{Dialog, Pick, Purpose, Words};
use crate::watch::pages::Kind;
use crate::watch::reader::{Block as Text, Reader};
use crate::watch::screen::Screen;
use crate::watch::theme::{Theme, Tone, of_agent};

/// How wide a dialog is at most.
const WIDTH: u16 = 76;
/// How many lines of a text are seen while it is typed.
const TEXT_LINES: u16 = 6;
/// How many lines of what it is about are seen.
const ABOUT_LINES: u16 = 6;

/// How many rows at the bottom the dialog needs under a page: what it is about can be read above it.
pub fn rows(screen: &Screen, area: Rect) -> u16 {
    match &screen.dialog {
        Some(Dialog::Words(words)) if !screen.pages.is_empty() => height_of(words, screen, area) + 2,
        _ => 0,
    }
}

/// Draws the dialog that is open, and gives the place of the cursor where something is typed.
pub fn draw(screen: &Screen, area: Rect, buffer: &mut Buffer) -> Option<Position> {
    match screen.dialog.as_ref()? {
        Dialog::Words(words) => words_of(words, screen, area, buffer),
        Dialog::Confirm { question, steer } => {
            let about = lines(question, area);
            let inner =
                frame(area, buffer, screen.theme, "Sure?", u16::try_from(about.len()).unwrap_or(1) + 3);
            for (row, line) in (0..).zip(&about) {
                Pen::at(buffer, inner, row).text(line, screen.theme.style(Tone::Plain));
            }
            let row = inner.height.saturating_sub(2);
            Pen::at(buffer, inner, row).text(&steer.command(), screen.theme.style(Tone::Faint));
            hint(buffer, inner, screen.theme, &[("y", "yes"), ("n", "no")]);
            None
        }
        Dialog::Pick(pick) => {
            pick_of(pick, screen, area, buffer);
            None
        }
    }
}

/// What is said beside the words; nothing of a text that is open above.
fn about_of(words: &Words, screen: &Screen, area: Rect) -> Vec<String> {
    let is_read = match (&words.purpose, screen.pages.last().map(|page| &page.kind)) {
        (Purpose::Answer(question), Some(Kind::Message(open))) => question == open,
        _ => false,
    };
    if is_read { Vec::new() } else { lines(&words.about, area) }
}

fn height_of(words: &Words, screen: &Screen, area: Rect) -> u16 {
    let about = u16::try_from(about_of(words, screen, area).len()).unwrap_or(0).min(ABOUT_LINES);
    let width = usize::from(area.width.min(WIDTH)).saturating_sub(4);
    let text = u16::try_from(words.text.lines(width).0.len()).unwrap_or(TEXT_LINES).clamp(2, TEXT_LINES);
    about + u16::from(words.to.is_some()) + text + 2 + u16::from(about > 0)
}

fn words_of(words: &Words, screen: &Screen, area: Rect, buffer: &mut Buffer) -> Option<Position> {
    let theme = screen.theme;
    let about = about_of(words, screen, area);
    let about_height = u16::try_from(about.len()).unwrap_or(0).min(ABOUT_LINES);
    let width = usize::from(area.width.min(WIDTH)).saturating_sub(4);
    let (text, line, column) = words.text.lines(width);
    let text_height = u16::try_from(text.len()).unwrap_or(TEXT_LINES).clamp(2, TEXT_LINES);
    let height = height_of(words, screen, area);
    // Under a text that is open it stands at the bottom.
    let below = match rows(screen, area) {
        0 => area,
        rows => Rect {
            y: area.bottom().saturating_sub(rows + 2).max(area.y),
            height: rows.min(area.height),
            ..area
        },
    };
    let inner = frame(below, buffer, theme, &words.title, height);
    let style = |tone| theme.style(tone);
    let mut row = 0;
    let is_cut = about.len() > usize::from(about_height);
    for line in about.iter().take(usize::from(about_height)) {
        let is_last = is_cut && row + 1 == about_height;
        Pen::at(buffer, inner, row)
            .text(if is_last { "… (all of it stands in its message)" } else { line }, style(Tone::Faint));
        row += 1;
    }
    row += u16::from(about_height > 0);
    let mut cursor = None;
    if let Some(to) = &words.to {
        let mut pen = Pen::at(buffer, inner, row);
        pen.text("to  ", style(Tone::Faint));
        let (texts, line, column) = to.lines(width.saturating_sub(4));
        let x = pen.x() + u16::try_from(column).unwrap_or(0);
        pen.text(
            texts.get(line).map_or("", String::as_str),
            style(if words.in_text { Tone::Plain } else { Tone::Head }),
        );
        if !words.in_text {
            cursor = Some(Position::new(x, inner.y + row));
        }
        row += 1;
    }
    let top = window(0, line, usize::from(text_height), text.len());
    for (at, line) in (row..).zip(text.iter().skip(top).take(usize::from(text_height))) {
        Pen::at(buffer, inner, at).text(line, style(Tone::Plain));
    }
    if words.in_text {
        let y = inner.y + row + u16::try_from(line - top).unwrap_or(0);
        cursor = Some(Position::new(inner.x + u16::try_from(column).unwrap_or(0), y));
    }
    match &words.wrong {
        Some(wrong) => {
            Pen::at(buffer, inner, inner.height.saturating_sub(1)).text(wrong, style(Tone::Bad));
        }
        None if words.to.is_some() && !words.in_text => {
            hint(
                buffer,
                inner,
                theme,
                &[("↑↓", "choose, or type"), ("Enter", "to the words"), ("Esc", "leave")],
            );
        }
        None if words.to.is_some() => {
            let keys = [("Enter", "send"), ("Alt-Enter", "new line"), ("Tab", "to whom"), ("Esc", "leave")];
            hint(buffer, inner, theme, &keys);
        }
        None if !screen.pages.is_empty() => {
            let keys =
                [("Enter", "do it"), ("Alt-Enter", "new line"), ("PgUp PgDn", "read on"), ("Esc", "leave")];
            hint(buffer, inner, theme, &keys);
        }
        None => {
            hint(buffer, inner, theme, &[("Enter", "do it"), ("Alt-Enter", "new line"), ("Esc", "leave")]);
        }
    }
    cursor
}

fn pick_of(pick: &Pick, screen: &Screen, area: Rect, buffer: &mut Buffer) {
    let style = |tone| screen.theme.style(tone);
    let count = u16::try_from(pick.agents.len()).unwrap_or(u16::MAX);
    let height = count.min(area.height.saturating_sub(6).min(16)) + 1;
    let loses = pick.holder.as_ref().map(|holder| format!("; {holder} works on it, and loses it"));
    let title = format!("Give {} to{}", pick.task, loses.unwrap_or_default());
    let inner = frame(area, buffer, screen.theme, &title, height);
    let rows = usize::from(inner.height.saturating_sub(1));
    let top = window(0, pick.at, rows, pick.agents.len());
    for (row, (place, agent)) in (0..).zip(pick.agents.iter().enumerate().skip(top).take(rows)) {
        let over = if place == pick.at { style(Tone::Selected) } else { style(Tone::Plain) };
        let mut pen = Pen::at(buffer, inner, row).over(over);
        let Some(agent) = agent else {
            pen.text("  whoever fits", style(Tone::Plain));
            continue;
        };
        let known = screen.team.agent(agent);
        let (mark, tone, _) = known.map_or((" ", Tone::Plain, ""), of_agent);
        pen.text(mark, style(tone)).skip(1).column(agent.as_str(), 16, style(Tone::Plain)).skip(1);
        if let Some(row) = known {
            pen.column(&row.agent.role.to_string(), 9, style(Tone::Faint))
                .skip(1)
                .text(&row.words, style(Tone::Faint));
        }
    }
    hint(buffer, inner, screen.theme, &[("Enter", "give"), ("Esc", "leave")]);
}

/// The lines of a text that stand in a dialog.
fn lines(text: &str, area: Rect) -> Vec<String> {
    if text.is_empty() {
        return Vec::new();
    }
    let mut reader = Reader::new(Text::text(Tone::Plain, text).collect());
    reader.window(area.width.min(WIDTH).saturating_sub(4), ABOUT_LINES);
    reader.lines().map(|(line, _)| line.text.clone()).collect()
}

/// Clears a place in the middle, and gives what is inside of its frame.
fn frame(area: Rect, buffer: &mut Buffer, theme: Theme, title: &str, height: u16) -> Rect {
    let (width, height) = (area.width.min(WIDTH), (height + 2).min(area.height));
    let place =
        Rect { x: area.x + (area.width - width) / 2, y: area.y + (area.height - height) / 2, width, height };
    Clear.render(place, buffer);
    let title = fit(title, usize::from(width).saturating_sub(6)).into_owned();
    Block::bordered().border_style(theme.style(Tone::Key)).render(place, buffer);
    Pen::at(buffer, Rect { x: place.x + 2, width: width.saturating_sub(4), ..place }, 0)
        .text(&format!(" {title} "), theme.style(Tone::Head));
    Rect { x: place.x + 2, y: place.y + 1, width: width.saturating_sub(4), height: height.saturating_sub(2) }
}

fn hint(buffer: &mut Buffer, inner: Rect, theme: Theme, keys: &[(&str, &str)]) {
    let mut pen = Pen::at(buffer, inner, inner.height.saturating_sub(1));
    for (key, word) in keys {
        pen.text(key, theme.style(Tone::Key)).skip(1).text(word, theme.style(Tone::Faint)).skip(2);
    }
}
