//! The board: tasks by status, in columns where there is room for them, else in groups below each other.

use agent_team::view::{PlanWord, RowView};
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

use super::text::Pen;
use super::{age, cost, scrollbar, window};
use crate::watch::screen::{Hit, Screen};
use crate::watch::team::{COLUMNS, Call, LISTED};
use crate::watch::theme::{Tone, of_status};

/// The narrowest screen with columns beside each other.
const WIDE: u16 = 132;

/// Draws the tasks that are seen.
pub fn draw(screen: &mut Screen, area: Rect, buffer: &mut Buffer) {
    screen.drawn.is_wide = area.width >= WIDE;
    if screen.drawn.is_wide { columns(screen, area, buffer) } else { groups(screen, area, buffer) }
}

fn columns(screen: &mut Screen, area: Rect, buffer: &mut Buffer) {
    let count = u16::try_from(COLUMNS.len()).unwrap_or(1);
    let rows = usize::from(area.height.saturating_sub(1)) / 2;
    screen.drawn.rows = rows;
    for (nth, (column, (name, _))) in (0..).zip(COLUMNS.iter().enumerate()) {
        let (left, right) = (area.width * nth / count, area.width * (nth + 1) / count);
        let place = Rect { x: area.x + left, width: (right - left).saturating_sub(1), ..area };
        let (at, tasks) =
            (screen.lists.at.board, screen.lists.columns.get(column).map_or(&[][..], Vec::as_slice));
        let is_here = at.0 == column;
        let Some(top) = screen.drawn.columns.get_mut(column) else { continue };
        *top = window(*top, if is_here { at.1 } else { *top }, rows, tasks.len());
        let top = *top;
        let style = |tone| screen.theme.style(tone);
        let tone = if is_here { Tone::Key } else { Tone::Head };
        Pen::at(buffer, place, 0).text(&format!("{name} {}", tasks.len()), style(tone));
        for (row, (nth, task)) in (0..).zip(tasks.iter().enumerate().skip(top).take(rows)) {
            let Some(task) = screen.team.task(*task) else { continue };
            let card = Rect { y: place.y + 1 + row * 2, height: 2, ..place };
            screen.hits.push((card, Hit::Board(column, nth)));
            draw_card(screen, task, card, is_here && at.1 == nth, buffer);
        }
        let body =
            Rect { y: place.y + 1, height: place.height.saturating_sub(1), width: place.width + 1, ..place };
        scrollbar(buffer, body, top, rows, tasks.len());
    }
}

/// A task in two lines: its id and who holds it, and its title.
fn draw_card(screen: &Screen, task: &RowView, card: Rect, is_selected: bool, buffer: &mut Buffer) {
    let style = |tone| screen.theme.style(tone);
    let (mark, tone) = of_status(task.status);
    let over = if is_selected { style(Tone::Selected) } else { style(Tone::Plain) };
    let mut pen = Pen::at(buffer, card, 0).over(over);
    let note = note(screen, task);
    pen.text(mark, style(tone)).skip(1);
    if note.1.len() + task.id.as_str().len() + 4 < usize::from(card.width) {
        pen.right(&note.1, style(note.0));
    }
    pen.text(task.id.as_str(), style(Tone::Head));
    let mut pen = Pen::at(buffer, card, 1).over(over);
    pen.skip(2).text(&task.title, style(Tone::Plain));
}

fn groups(screen: &mut Screen, area: Rect, buffer: &mut Buffer) {
    // A line for the name of each group that holds something, and one for each task.
    let count = |column: usize| screen.lists.columns.get(column).map_or(0, Vec::len);
    let (column, row) = screen.lists.at.board;
    let heads = |upto: usize| LISTED.iter().take(upto).filter(|listed| count(**listed) > 0).count();
    let before = |upto: usize| LISTED.iter().take(upto).map(|listed| count(*listed)).sum::<usize>();
    let place = LISTED.iter().position(|listed| *listed == column).unwrap_or(0);
    let at = before(place) + heads(place) + row + usize::from(count(column) > 0);
    let all = before(LISTED.len()) + heads(LISTED.len());
    let rows = usize::from(area.height);
    screen.drawn.rows = rows;
    let [_, top, ..] = &mut screen.drawn.tops;
    // The name of a group is seen with its first task.
    let wanted = if row == 0 { at.saturating_sub(1) } else { at };
    *top = window(window(*top, wanted, rows, all), at, rows, all);
    let top = *top;
    if all == 0 {
        let words = if screen.filter.is_empty() { "there is no task yet" } else { "no task fits the filter" };
        Pen::at(buffer, area, 1).skip(2).text(words, screen.theme.style(Tone::Faint));
        return;
    }
    let mut line = 0;
    for listed in LISTED {
        let held = count(listed);
        if held == 0 || line >= top + rows {
            continue;
        }
        let name = COLUMNS.get(listed).map_or("", |(name, _)| name);
        if line >= top {
            let y = u16::try_from(line - top).unwrap_or(u16::MAX);
            let tone = if listed == column { Tone::Key } else { Tone::Head };
            Pen::at(buffer, area, y).text(&format!("{name} {held}"), screen.theme.style(tone));
        }
        line += 1;
        let skipped = top.saturating_sub(line).min(held);
        let seen = (top + rows).saturating_sub(line).min(held);
        for nth in skipped..seen {
            let place = screen.lists.columns.get(listed).and_then(|tasks| tasks.get(nth));
            let Some(task) = place.and_then(|place| screen.team.task(*place)) else { continue };
            let y = u16::try_from(line + nth - top).unwrap_or(u16::MAX);
            let place = Rect { y: area.y + y, height: 1, width: area.width.saturating_sub(1), ..area };
            screen.hits.push((place, Hit::Board(listed, nth)));
            draw_row(screen, task, place, (listed, nth) == (column, row), buffer);
        }
        line += held;
    }
    scrollbar(buffer, area, top, rows, all);
}

/// A task in one line.
pub fn draw_row(screen: &Screen, task: &RowView, place: Rect, is_selected: bool, buffer: &mut Buffer) {
    let style = |tone| screen.theme.style(tone);
    let (mark, tone) = of_status(task.status);
    let over = if is_selected { style(Tone::Selected) } else { style(Tone::Plain) };
    let mut pen = Pen::at(buffer, place, 0).over(over);
    let note = note(screen, task);
    let wide = place.width >= 100;
    pen.skip(1).text(mark, style(tone)).skip(1);
    pen.right(&note.1, style(note.0));
    pen.column(task.id.as_str(), if wide { 24 } else { 16 }, style(Tone::Head)).skip(1);
    if wide {
        pen.right(&cost(task.micro_usd, task.tokens), style(Tone::Faint));
        pen.column(&task.status.to_string(), 10, style(tone)).skip(1);
    }
    pen.text(&task.title, style(Tone::Plain));
}

/// What matters most of a task where it stands: who holds it, that its plan waits, for how long.
fn note(screen: &Screen, task: &RowView) -> (Tone, String) {
    let since = age(screen.now_ms, task.since_ms);
    let again = if task.attempt > 1 { format!(" #{}", task.attempt) } else { String::new() };
    if task.plan == Some(PlanWord::Waits) && !task.status.is_ended() {
        return (Tone::Warning, format!("plan waits {since}"));
    }
    if screen.team.asking.contains(&task.id) {
        return (Tone::Calls, format!("asks you {since}"));
    }
    if screen.team.calls.contains(&Call::Review(task.id.clone())) {
        return (Tone::Calls, format!("you review {since}"));
    }
    match (&task.agent, &task.failure, &task.for_agent) {
        (Some(agent), ..) => (Tone::Active, format!("{agent}{again} {since}")),
        (None, Some(failure), _) => (Tone::Bad, failure.words().to_owned()),
        (None, None, Some(agent)) if !task.status.is_ended() => (Tone::Faint, format!("for {agent}")),
        _ => (
            Tone::Faint,
            format!("{}{since}", again.trim_start().to_owned() + if again.is_empty() { "" } else { " " }),
        ),
    }
}
