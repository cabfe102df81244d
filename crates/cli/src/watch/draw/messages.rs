//! The messages, the newest at the end, with how far each came.

use agent_team::Receipt;
use agent_team::view::MessageView;
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

use super::text::Pen;
use super::{age, scrollbar, window};
use crate::watch::screen::{Hit, Screen};
use crate::watch::theme::Tone;

/// Draws the messages that are seen.
pub fn draw(screen: &mut Screen, area: Rect, buffer: &mut Buffer) {
    let (count, rows) = (screen.lists.messages.len(), usize::from(area.height));
    screen.drawn.rows = rows;
    let at = screen.lists.at.message;
    let [_, _, _, top, _] = &mut screen.drawn.tops;
    *top = window(*top, at, rows, count);
    let top = *top;
    if count == 0 {
        let words = if screen.filter.is_empty() {
            "no message yet: s says something"
        } else {
            "no message fits the filter"
        };
        Pen::at(buffer, area, 1).skip(2).text(words, screen.theme.style(Tone::Faint));
        return;
    }
    for (y, (nth, message)) in (0..).zip(screen.lists.messages.iter().enumerate().skip(top).take(rows)) {
        let Some(message) = screen.team.picture.messages.get(*message) else { continue };
        let place = Rect { y: area.y + y, height: 1, width: area.width - 1, ..area };
        screen.hits.push((place, Hit::Message(nth)));
        draw_row(screen, message, place, nth == at, buffer);
    }
    scrollbar(buffer, area, top, rows, count);
}

fn draw_row(screen: &Screen, message: &MessageView, place: Rect, is_selected: bool, buffer: &mut Buffer) {
    let style = |tone| screen.theme.style(tone);
    let over = if is_selected { style(Tone::Selected) } else { style(Tone::Plain) };
    let mut pen = Pen::at(buffer, place, 0).over(over);
    let is_open = screen.team.picture.questions.contains(&message.id);
    let (tone, word) = match screen.team.answered.contains(&message.id) {
        true if message.asks => (Tone::Good, "✓✓ answered".to_owned()),
        _ => receipt(message),
    };
    pen.skip(1).right(word.as_str(), style(tone));
    if is_open {
        pen.right(" asks ", style(Tone::Calls));
    } else if message.urgent {
        pen.right("urgent", style(Tone::Warning));
    }
    let ago = age(screen.now_ms, message.at_ms);
    pen.column(&format!("{ago:>5}"), 5, style(Tone::Faint)).skip(1);
    let whom = format!("{} → {}", message.from, message.to);
    let width = if place.width >= 100 { 36 } else { 26 };
    pen.column(&whom, width, style(Tone::Head)).skip(1);
    let text = message.text.preview();
    pen.text(text.lines().find(|line| !line.trim().is_empty()).unwrap_or_default(), style(Tone::Plain));
}

/// How far a message came with those who are to read it.
fn receipt(message: &MessageView) -> (Tone, String) {
    let all = message.readers.len();
    let is = |wanted: Receipt| message.readers.iter().filter(|reader| reader.receipt == Some(wanted)).count();
    let (read, delivered) = (is(Receipt::Read), is(Receipt::Delivered));
    match all {
        _ if message.nobody_reads => (Tone::Warning, "nobody reads it".to_owned()),
        0 => (Tone::Faint, "waits".to_owned()),
        1 if read == 1 => (Tone::Good, "✓✓ read".to_owned()),
        1 if delivered == 1 => (Tone::Active, "✓ delivered".to_owned()),
        1 => (Tone::Faint, "queued".to_owned()),
        _ if read == all => (Tone::Good, format!("✓✓ read by {all}")),
        _ => (Tone::Faint, format!("✓✓ {read} of {all}")),
    }
}
