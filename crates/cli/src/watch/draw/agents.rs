//! The agents: as many panes as fit, each with what its agent does, its task, the last lines of its transcript, and its cost.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::widgets::{Block, BorderType, Widget};

use super::text::{Pen, cells};
use super::{age, cost, scrollbar, window};
use crate::view::AgentRow;
use crate::watch::reader::broken;
use crate::watch::screen::{Hit, Screen};
use crate::watch::theme::{Tone, of_agent};

/// The smallest pane.
const SMALLEST: (u16, u16) = (38, 6);

/// Draws the panes that are seen.
pub fn draw(screen: &mut Screen, area: Rect, buffer: &mut Buffer) {
    let count = screen.lists.agents.len();
    if count == 0 {
        let words = if screen.filter.is_empty() {
            "nobody has joined the team yet"
        } else {
            "no agent fits the filter"
        };
        Pen::at(buffer, area, 1).skip(2).text(words, screen.theme.style(Tone::Faint));
        return;
    }
    let folded = if screen.filter.is_empty() { screen.team.agents.len() - count } else { 0 };
    let mut area = area;
    if folded > 0 && area.height > SMALLEST.1 {
        let words = format!("{folded} agents have nothing to do: z shows them");
        Pen::at(buffer, area, area.height - 1).skip(1).text(&words, screen.theme.style(Tone::Faint));
        area.height -= 1;
    }
    let (beside, rows) = grid(count, area);
    let all_rows = count.div_ceil(beside);
    let is_scrolled = all_rows > rows;
    let width = area.width - u16::from(is_scrolled);
    let [top, ..] = &mut screen.drawn.tops;
    *top = window(*top, screen.lists.at.agent / beside, rows, all_rows);
    let top = *top;
    screen.drawn.panes = (beside, rows);
    let team = screen.team.clone();
    let seen = screen.lists.agents.iter().copied().enumerate().skip(top * beside).take(rows * beside);
    let seen: Vec<(usize, usize)> = seen.collect();
    for (nth, (place, agent)) in seen.into_iter().enumerate() {
        let Some(row) = team.picture.agents.get(agent) else { continue };
        let (column, line) = (nth % beside, nth / beside);
        let pane = part(area, width, (column, beside), (line, rows));
        screen.hits.push((pane, Hit::Agent(place)));
        draw_pane(screen, row, pane, place == screen.lists.at.agent, buffer);
    }
    scrollbar(buffer, area, top, rows, all_rows);
}

/// How many panes stand beside each other, and how many rows of them there are: all agents if they fit, in the shape that is
/// read best.
fn grid(count: usize, area: Rect) -> (usize, usize) {
    let most_beside = usize::from(area.width / SMALLEST.0).max(1);
    let most_rows = usize::from(area.height / SMALLEST.1).max(1);
    // Four cells wide for each line: lines of text are long.
    let misfit = |beside: &usize| {
        let (width, height) =
            (usize::from(area.width) / beside, usize::from(area.height) / count.div_ceil(*beside));
        width.abs_diff(height * 4)
    };
    let fits = (1..=most_beside.min(count)).filter(|beside| count.div_ceil(*beside) <= most_rows);
    match fits.min_by_key(misfit) {
        Some(beside) => (beside, count.div_ceil(beside)),
        None => (most_beside, most_rows),
    }
}

/// One of so many parts of an area beside and below each other; together they fill it.
fn part(area: Rect, width: u16, (column, columns): (usize, usize), (row, rows): (usize, usize)) -> Rect {
    let at = |length: u16, place: usize, count: usize| {
        u16::try_from(usize::from(length) * place / count.max(1)).unwrap_or(length)
    };
    let (left, right) = (at(width, column, columns), at(width, column + 1, columns));
    let (upper, lower) = (at(area.height, row, rows), at(area.height, row + 1, rows));
    Rect { x: area.x + left, y: area.y + upper, width: right - left, height: lower - upper }
}

fn draw_pane(screen: &Screen, row: &AgentRow, pane: Rect, is_selected: bool, buffer: &mut Buffer) {
    let style = |tone| screen.theme.style(tone);
    let (mark, tone, word) = of_agent(row);
    let border = if is_selected { BorderType::Thick } else { BorderType::Plain };
    let border_style = if is_selected { style(Tone::Key) } else { style(Tone::Faint) };
    Block::bordered().border_type(border).border_style(border_style).render(pane, buffer);
    let title = Rect { x: pane.x + 1, width: pane.width.saturating_sub(2), ..pane };
    let mut pen = Pen::at(buffer, title, 0);
    let name = if is_selected { style(Tone::Head).patch(style(Tone::Selected)) } else { style(Tone::Head) };
    let since = row.since_ms.map(|since_ms| age(screen.now_ms, since_ms)).unwrap_or_default();
    let state = format!(" {mark} {word} {since}").trim_end().to_owned() + " ";
    if usize::from(cells(&state)) + 8 < pen.left() {
        pen.right(&state, style(tone));
    }
    pen.text(&format!(" {} ", row.agent.id), name);
    let inner = Rect {
        x: pane.x + 2,
        y: pane.y + 1,
        width: pane.width.saturating_sub(4),
        height: pane.height.saturating_sub(2),
    };
    let mut head = Pen::at(buffer, inner, 0);
    let spent = cost(row.agent.spent.micro_usd, row.agent.spent.tokens());
    head.right(&spent, style(Tone::Faint));
    let used = heading(screen, row, &mut head);
    let lines = lines(screen, row);
    // At a place of its own where the state has more to say than one word.
    let mut at = 1;
    if !used && inner.height > 2 {
        Pen::at(buffer, inner, 1).text(&row.words, style(tone));
        at = 2;
    }
    let height = usize::from(inner.height.saturating_sub(at));
    let mut laid: Vec<(Tone, String)> = Vec::new();
    // From the last line back, until the pane is full.
    for line in lines.iter().rev() {
        if laid.len() >= height {
            break;
        }
        let (tone, texts) = match line {
            // Of a call, and of what it gave, the beginning says most.
            line if line.starts_with("> ") => (Tone::Active, vec![(*line).to_owned()]),
            line if line.starts_with("  ") => (Tone::Faint, vec![(*line).to_owned()]),
            line => (Tone::Plain, broken(line, usize::from(inner.width))),
        };
        laid.extend(texts.into_iter().rev().map(|text| (tone, text)));
    }
    laid.truncate(height);
    for (row, (tone, text)) in (at..inner.height).zip(laid.iter().rev()) {
        Pen::at(buffer, inner, row).text(text, style(*tone));
    }
}

/// The first line: the task and its title, or why there is none. Whether all that its state says stands there.
fn heading(screen: &Screen, row: &AgentRow, pen: &mut Pen<'_>) -> bool {
    let style = |tone| screen.theme.style(tone);
    let Some((task, stage)) = row.agent.holds.first() else {
        pen.text(&row.agent.role.to_string(), style(Tone::Faint));
        return row.words.is_empty();
    };
    pen.text(task.as_str(), style(Tone::Head));
    if *stage != agent_team::Stage::Work {
        pen.text(&format!(" ({stage})"), style(Tone::Active));
    }
    let known = screen.team.task_of(task);
    if let Some(known) = known.filter(|known| known.attempt > 1) {
        pen.text(&format!(" #{}", known.attempt), style(Tone::Warning));
    }
    if let Some(known) = known.filter(|known| known.title != task.as_str()) {
        pen.text("  ", style(Tone::Plain)).text(&known.title, style(Tone::Plain));
    }
    use agent_team::Doing;
    matches!(row.doing, Doing::Working | Doing::WaitingForModel | Doing::Paused)
}

/// The last lines of what it did, with what it told last at the end.
fn lines<'a>(screen: &'a Screen, row: &'a AgentRow) -> Vec<&'a str> {
    let tail = row.transcript.and_then(|token| screen.tails.get(&token));
    let mut lines: Vec<&str> = tail.map_or(&row.last, |tail| tail).iter().map(String::as_str).collect();
    if let Some(activity) = screen.activity.get(&row.agent.id).filter(|_| !row.agent.holds.is_empty()) {
        // What stands there as a call is not said again.
        let is_said =
            lines.iter().any(|line| line.strip_prefix("> ").is_some_and(|call| is_same(call, activity)));
        if !is_said {
            lines.push(activity);
        }
    }
    lines
}

/// Whether a call of a tool and what is told of it, `run make` and `run: make`, are the same.
fn is_same(call: &str, activity: &str) -> bool {
    let plain =
        |text: &str| text.chars().filter(|letter| letter.is_alphanumeric()).take(40).collect::<String>();
    plain(call) == plain(activity)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn as_many_panes_as_fit_and_all_of_them_fill_the_screen() {
        assert_eq!(grid(1, Rect::new(0, 0, 80, 19)), (1, 1));
        assert_eq!(grid(4, Rect::new(0, 0, 80, 19)), (2, 2));
        assert_eq!(grid(6, Rect::new(0, 0, 80, 19)), (2, 3));
        assert_eq!(grid(100, Rect::new(0, 0, 80, 19)), (2, 3));
        assert_eq!(grid(16, Rect::new(0, 0, 200, 55)), (4, 4));
        let area = Rect::new(0, 0, 81, 19);
        let panes: u32 = (0..6).map(|n| part(area, 81, (n % 2, 2), (n / 2, 3)).area()).sum();
        assert_eq!(panes, area.area());
    }
}
