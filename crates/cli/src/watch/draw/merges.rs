//! The merge queue: the gate and what it said last, what is being proved, and what was completed last.

use agent_team::view::RowView;
use agent_team::{HUMAN, Status};
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

use super::board::draw_row;
use super::text::Pen;
use super::{scrollbar, window};
use crate::time::short;
use crate::watch::screen::{Hit, Screen};
use crate::watch::theme::Tone;

/// Draws the gate and the tasks that are seen.
pub fn draw(screen: &mut Screen, area: Rect, buffer: &mut Buffer) {
    gate(screen, area, buffer);
    let list = Rect { y: area.y + 3, height: area.height.saturating_sub(3), ..area };
    let proving = screen.lists.merges.iter().filter_map(|place| screen.team.task(*place));
    let proving = proving.take_while(|task| task.status != Status::Completed).count();
    let done = screen.lists.merges.len() - proving;
    // Two lines are names: what is proved, and what is done.
    let (count, rows) = (screen.lists.merges.len() + 2, usize::from(list.height));
    let line_of = |place: usize| if place < proving { place + 1 } else { place + 2 };
    let at = screen.lists.at.merge;
    screen.drawn.rows = rows;
    let [.., top] = &mut screen.drawn.tops;
    let selected = if screen.lists.merges.is_empty() { 0 } else { line_of(at) };
    *top = window(window(*top, if at == 0 { 0 } else { selected }, rows, count), selected, rows, count);
    let top = *top;
    let style = |tone| screen.theme.style(tone);
    for (y, line) in (0..list.height).zip(top..count) {
        if line == 0 {
            Pen::at(buffer, list, y).text(&format!("proving and merging {proving}"), style(Tone::Head));
            continue;
        }
        if line == proving + 1 {
            Pen::at(buffer, list, y).text(&format!("completed {done}, newest first"), style(Tone::Head));
            continue;
        }
        let place = if line <= proving { line - 1 } else { line - 2 };
        let Some(task) = screen.lists.merges.get(place).and_then(|place| screen.team.task(*place)) else {
            continue;
        };
        let row = Rect { y: list.y + y, height: 1, width: list.width - 1, ..list };
        screen.hits.push((row, Hit::Merge(place)));
        draw_row(screen, task, row, place == at, buffer);
        if task.status == Status::Reviewing && waits_for_human(screen, task) {
            Pen::at(buffer, row, 0).right(" r: your review ", style(Tone::Calls));
        }
    }
    scrollbar(buffer, list, top, rows, count);
}

fn gate(screen: &mut Screen, area: Rect, buffer: &mut Buffer) {
    let picture = &screen.team.picture;
    let style = |tone| screen.theme.style(tone);
    let mut pen = Pen::at(buffer, area, 0);
    pen.text("gate  ", style(Tone::Head));
    match &picture.gate.command {
        Some(command) => pen.text(command, style(Tone::Plain)),
        None => pen.text("none: a task is merged once its own check holds", style(Tone::Faint)),
    };
    let mut pen = Pen::at(buffer, area, 1);
    pen.text("last  ", style(Tone::Head));
    match &picture.gate.last {
        None => {
            pen.text("nothing was merged or refused yet", style(Tone::Faint));
        }
        Some(last) => {
            let ago = short(screen.now_ms.saturating_sub(last.at_ms));
            let (tone, word) =
                if last.passed { (Tone::Good, "✓ merged") } else { (Tone::Bad, "✗ refused") };
            pen.text(&format!("{word} {}", last.task), style(tone))
                .text(&format!(", {ago} ago"), style(Tone::Faint));
            if let Some(said) = &last.output {
                let said = said.preview();
                let first = said.lines().find(|line| !line.trim().is_empty()).unwrap_or_default();
                pen.text("  ", style(Tone::Plain)).text(first, style(Tone::Plain));
            }
        }
    }
    screen.hits.push((Rect { height: 2, ..area }, Hit::Gate));
}

fn waits_for_human(screen: &Screen, task: &RowView) -> bool {
    screen.team.picture.stuck.iter().any(|waiting| waiting.task == task.id && waiting.reason.contains(HUMAN))
}
