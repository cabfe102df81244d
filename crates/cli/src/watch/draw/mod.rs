//! Draws the screen: a head, a view or a page, a foot, and a dialog over them. It draws what is seen and looks at nothing else:
//! how long that takes does not depend on how many tasks there are.

mod agents;
mod board;
mod dialog;
mod foot;
mod graph;
mod head;
mod merges;
mod messages;
mod page;
mod text;

use ratatui::buffer::Buffer;
use ratatui::layout::{Position, Rect};

use super::keys::Place;
use super::screen::Screen;

/// The smallest screen on which something is drawn.
const SMALLEST: (u16, u16) = (20, 8);

/// Draws the screen, and gives the place of the cursor where something is typed.
pub fn draw(screen: &mut Screen, area: Rect, buffer: &mut Buffer) -> Option<Position> {
    screen.hits.clear();
    if area.width < SMALLEST.0 || area.height < SMALLEST.1 {
        text::Pen::at(buffer, area, 0).text("too small", ratatui::style::Style::new());
        return None;
    }
    let head = head::draw(screen, area, buffer);
    let foot = foot::rows(screen, area);
    let below = foot.max(dialog::rows(screen, area) + 2);
    let body = Rect { y: area.y + head, height: area.height.saturating_sub(head + below), ..area };
    if screen.pages.is_empty() {
        match screen.place() {
            Place::Agents => agents::draw(screen, body, buffer),
            Place::Board => board::draw(screen, body, buffer),
            Place::Graph => graph::draw(screen, body, buffer),
            Place::Messages => messages::draw(screen, body, buffer),
            _ => merges::draw(screen, body, buffer),
        }
    } else {
        page::draw(screen, body, buffer);
    }
    let foot = Rect { y: area.bottom() - foot, height: foot, ..area };
    let typed = foot::draw(screen, foot, buffer);
    let asked = dialog::draw(screen, area, buffer);
    asked.or(typed)
}

/// Where a window of `height` rows begins, so that `at` is in it and it moves as little as it can.
fn window(top: usize, at: usize, height: usize, count: usize) -> usize {
    let least = (at + 1).saturating_sub(height);
    top.clamp(least, at.max(least)).min(count.saturating_sub(height))
}

/// The column of a list in which a bar shows where in it the window is. Nothing where all of it is seen.
fn scrollbar(buffer: &mut Buffer, area: Rect, top: usize, height: usize, count: usize) {
    if count <= height || area.height == 0 {
        return;
    }
    let rows = usize::from(area.height);
    let size = (height * rows / count).clamp(1, rows);
    let from = (top * (rows - size)).checked_div(count - height).unwrap_or(0);
    for row in 0..rows {
        let sign = if (from..from + size).contains(&row) { "█" } else { "│" };
        let y = area.y + u16::try_from(row).unwrap_or(0);
        let style = ratatui::style::Style::new().add_modifier(ratatui::style::Modifier::DIM);
        buffer.set_string(area.right() - 1, y, sign, style);
    }
}

/// How long ago something was; nothing for what is just now.
fn age(now_ms: u64, since_ms: u64) -> String {
    match now_ms.saturating_sub(since_ms) {
        0..1_000 => String::new(),
        length_ms => crate::time::short(length_ms),
    }
}

/// A number of tokens, short.
fn tokens(count: u64) -> String {
    match count {
        0 => String::new(),
        1..10_000 => count.to_string(),
        10_000..1_000_000 => format!("{}k", count / 1_000),
        _ => format!("{}.{}M", count / 1_000_000, count % 1_000_000 / 100_000),
    }
}

/// Money and tokens, short.
fn cost(micro_usd: u64, count: u64) -> String {
    match (micro_usd, tokens(count)) {
        (0, tokens) if tokens.is_empty() => String::new(),
        (0, tokens) => format!("{tokens} tok"),
        (money, tokens) if tokens.is_empty() => crate::report::money(money),
        (money, tokens) => format!("{} {tokens} tok", crate::report::money(money)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_window_moves_as_little_as_it_can() {
        assert_eq!(window(0, 5, 10, 20), 0);
        assert_eq!(window(0, 10, 10, 20), 1);
        assert_eq!(window(8, 3, 10, 20), 3);
        assert_eq!(window(15, 19, 10, 20), 10);
        assert_eq!(window(5, 0, 10, 3), 0);
    }

    #[test]
    fn costs_are_short() {
        assert_eq!(cost(0, 0), "");
        assert_eq!(cost(120_000, 34_567), "$0.12 34k tok");
        assert_eq!(cost(0, 1_234_567), "1.2M tok");
    }
}
