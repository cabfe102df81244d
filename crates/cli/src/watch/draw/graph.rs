//! The graph: tasks as a tree, each below what it waited for longest, and beside it what else it waits for.

use agent_team::TaskId;
use agent_team::view::RowView;
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

use super::text::Pen;
use super::{scrollbar, window};
use crate::watch::lists::holds_task;
use crate::watch::screen::{Hit, Screen};
use crate::watch::theme::{Tone, of_status};
use crate::watch::tree::Row;

/// How many depths are drawn; what stands deeper is marked with its depth.
const DEPTHS: usize = 16;
/// How much room what else is known of the selected task takes at the right, and the narrowest screen that has it.
const ASIDE: (u16, u16) = (44, 120);

/// Draws the rows that are seen.
pub fn draw(screen: &mut Screen, area: Rect, buffer: &mut Buffer) {
    let aside = if area.width >= ASIDE.1 { ASIDE.0 } else { 0 };
    let body = Rect { width: area.width - aside, ..area };
    let (count, rows) = (screen.lists.rows.len(), usize::from(body.height));
    screen.drawn.rows = rows;
    let at = screen.lists.at.row;
    let [_, _, top, ..] = &mut screen.drawn.tops;
    *top = window(*top, at, rows, count);
    let top = *top;
    if count == 0 {
        Pen::at(buffer, area, 1).skip(2).text("there is no task yet", screen.theme.style(Tone::Faint));
        return;
    }
    let wanted = screen.filter.to_lowercase();
    for (y, (nth, row)) in (0..).zip(screen.lists.rows.iter().enumerate().skip(top).take(rows)) {
        let Some(task) = screen.team.task(row.task) else { continue };
        let place = Rect { y: body.y + y, height: 1, width: body.width - 1, ..body };
        screen.hits.push((place, Hit::Row(nth)));
        let is_found = !wanted.is_empty() && holds_task(task, &wanted);
        draw_row(screen, row, task, place, (nth == at, is_found), buffer);
    }
    scrollbar(buffer, body, top, rows, count);
    if aside > 0 {
        draw_aside(screen, Rect { x: body.right() + 1, width: aside - 1, ..area }, buffer);
    }
}

fn draw_row(
    screen: &Screen,
    row: &Row,
    task: &RowView,
    place: Rect,
    (is_selected, is_found): (bool, bool),
    buffer: &mut Buffer,
) {
    let style = |tone| screen.theme.style(tone);
    let over = if is_selected { style(Tone::Selected) } else { style(Tone::Plain) };
    let mut pen = Pen::at(buffer, place, 0).over(over);
    let is_folded = screen.folded.contains(&task.id);
    let tree = &screen.team.tree;
    pen.skip(1).text(&stem(row), style(Tone::Faint));
    pen.text(if is_folded && row.has_children { "▸" } else { "" }, style(Tone::Key));
    let (mark, tone) = of_status(task.status);
    pen.text(mark, style(tone)).skip(1);
    if let Some(agent) = &task.agent {
        pen.right(agent.as_str(), style(Tone::Active));
    }
    pen.text(task.id.as_str(), style(if is_found { Tone::Warning } else { Tone::Head }));
    if is_folded && row.has_children {
        let (all, done) = tree.below(row.task);
        pen.text(&format!("  +{all} below, {done} done"), style(Tone::Key));
    }
    if task.title != task.id.as_str() {
        pen.text("  ", style(Tone::Plain)).text(&task.title, style(Tone::Plain));
    }
    if task.after.len() > 1 {
        let names: Vec<&str> = task.after.iter().map(TaskId::as_str).take(8).collect();
        let more = if task.after.len() > 8 { ", …" } else { "" };
        pen.text(&format!("  after {}{more}", names.join(", ")), style(Tone::Faint));
    }
}

/// The lines that lead to a row.
fn stem(row: &Row) -> String {
    if row.depth == 0 {
        return String::new();
    }
    let mut stem = String::new();
    let first = row.depth.saturating_sub(DEPTHS);
    if first > 0 {
        stem += &format!("{:>4} ", row.depth);
    }
    for depth in first.max(1)..row.depth {
        let goes_on = depth < 64 && row.lines & (1 << depth) != 0;
        stem += if goes_on { "│ " } else { "  " };
    }
    stem += if row.is_last { "└─" } else { "├─" };
    stem
}

/// What the selected task waits for, and what waits for it.
fn draw_aside(screen: &Screen, area: Rect, buffer: &mut Buffer) {
    let style = |tone| screen.theme.style(tone);
    let Some(row) = screen.lists.rows.get(screen.lists.at.row) else { return };
    let Some(task) = screen.team.task(row.task) else { return };
    let team = &screen.team;
    let mut y = 0;
    let mut line = |mark: &str, tone: Tone, text: &str, text_tone: Tone| {
        let mut pen = Pen::at(buffer, area, y);
        pen.text(mark, style(tone)).skip(u16::from(!mark.is_empty())).text(text, style(text_tone));
        y += 1;
    };
    let (mark, tone) = of_status(task.status);
    line(mark, tone, task.id.as_str(), Tone::Head);
    line("", Tone::Plain, &task.title, Tone::Plain);
    let layer = team.tree.layers.get(row.task).copied().unwrap_or(0);
    line("", Tone::Plain, &format!("{}, layer {layer}", task.status), tone);
    let half = usize::from(area.height.saturating_sub(8) / 2).max(1);
    let dependents = team.tree.dependents.get(row.task).map_or(&[][..], Vec::as_slice);
    let needed: Vec<usize> = task.after.iter().take(half).filter_map(|id| team.place(id)).collect();
    for (head, places, all) in
        [("after", needed.as_slice(), task.after.len()), ("before", dependents, dependents.len())]
    {
        if all == 0 {
            continue;
        }
        line("", Tone::Plain, "", Tone::Plain);
        line("", Tone::Plain, &format!("{head} {all}"), Tone::Key);
        for known in places.iter().take(half).filter_map(|place| team.task(*place)) {
            let (mark, tone) = of_status(known.status);
            line(mark, tone, &format!("{}  {}", known.id, known.title), Tone::Plain);
        }
        if all > half {
            line("", Tone::Plain, &format!("… and {} more", all - half), Tone::Faint);
        }
    }
}
