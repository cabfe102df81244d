//! The head: what the team is for and has spent, how far it is, what holds it up, and the views.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

use super::text::{Pen, cells, fit};
use super::{cost, tokens};
use crate::report::money;
use crate::time::short;
use crate::watch::screen::{Ending, Hit, Host, Screen, TABS};
use crate::watch::team::Call;
use crate::watch::theme::Tone;

/// How much of why an agent left is shown, in cells: the transcript has all of it.
const WHY_CELLS: usize = 44;

/// Draws the head, and gives its height.
pub fn draw(screen: &mut Screen, area: Rect, buffer: &mut Buffer) -> u16 {
    what_for(screen, area, buffer);
    how_far(screen, area, buffer);
    views(screen, area, buffer);
    3
}

fn what_for(screen: &Screen, area: Rect, buffer: &mut Buffer) {
    let picture = &screen.team.picture;
    let style = |tone| screen.theme.style(tone);
    let mut pen = Pen::at(buffer, area, 0);
    pen.skip(1).right(" ", style(Tone::Plain)).right(&spent(screen), style(Tone::Plain));
    pen.text(&picture.name, style(Tone::Head));
    if let Some(goal) = picture.goal.as_ref().and_then(|goal| goal.goal.as_ref()) {
        pen.text("  ", style(Tone::Plain)).text(goal.lines().next().unwrap_or_default(), style(Tone::Plain));
    }
}

/// What was spent, and what of the budget that is nearest its end is used.
fn spent(screen: &Screen) -> String {
    let picture = &screen.team.picture;
    let mut text = cost(picture.spent.micro_usd, picture.spent.tokens());
    let nearest = picture.budgets.iter().filter(|budget| budget.used_percent.is_some());
    if let Some(budget) = nearest.max_by_key(|budget| budget.used_percent) {
        let percent = budget.used_percent.unwrap_or(0);
        let of = match (budget.limit_micro_usd, budget.limit_tokens) {
            (Some(limit), _) => format!(" of {}", money(limit)),
            (None, Some(limit)) => format!(" of {} tok", tokens(limit)),
            (None, None) => String::new(),
        };
        text += &format!("{of} ({percent}%)");
    }
    text
}

fn how_far(screen: &Screen, area: Rect, buffer: &mut Buffer) {
    let team = &screen.team;
    let counts = &team.picture.counts;
    let style = |tone| screen.theme.style(tone);
    let mut pen = Pen::at(buffer, area, 1);
    pen.skip(1);
    // What holds the team up goes before the figures where there is not room for both.
    for (tone, text) in states(screen).into_iter().rev() {
        pen.right(" ", style(Tone::Plain)).right(&format!(" {text} "), style(tone));
    }
    pen.text(&format!("{}/{} done", counts.completed, counts.total), style(Tone::Good));
    for (count, word, tone) in [
        (counts.running, "under way", Tone::Active),
        (counts.failed, "failed", Tone::Bad),
        (counts.ready, "ready", Tone::Plain),
        (counts.blocked, "blocked", Tone::Faint),
        (counts.cancelled, "cancelled", Tone::Faint),
    ] {
        if count > 0 {
            pen.text("  ", style(Tone::Plain)).text(&format!("{count} {word}"), style(tone));
        }
    }
    if pen.left() > 14 && counts.total > 0 {
        let width = (pen.left() - 4).min(24);
        let part =
            |count: u64| usize::try_from(count.saturating_mul(width as u64) / counts.total).unwrap_or(0);
        let (done, running) = (part(counts.completed), part(counts.running));
        pen.text("  ", style(Tone::Plain));
        pen.text(&"━".repeat(done), style(Tone::Good));
        pen.text(&"━".repeat(running.min(width - done)), style(Tone::Active));
        pen.text(&"─".repeat(width.saturating_sub(done + running)), style(Tone::Faint));
    }
}

/// What holds the team up, or that nothing runs it; the most urgent last.
fn states(screen: &Screen) -> Vec<(Tone, String)> {
    let picture = &screen.team.picture;
    let mut states = Vec::new();
    let until = |limit: &&agent_team::view::LimitView| limit.until_ms > screen.now_ms;
    if let Some(limit) = picture.limited.iter().filter(until).max_by_key(|limit| limit.until_ms) {
        let left = short(limit.until_ms.saturating_sub(screen.now_ms));
        states.push((Tone::Warning, format!("{} limited for {left}", limit.model)));
    }
    let says_so = screen.is_over && screen.team.calls.is_empty();
    if !picture.is_run && !says_so {
        let ended = picture.runs.last().and_then(|run| run.outcome.as_ref());
        let (tone, words) = match ended {
            // Nothing of the team is stuck: it is whoever sits here that it waits for.
            Some(_) if !screen.team.calls.is_empty() => {
                (Tone::Warning, "run over: answer what waits for you, then agent-team run".to_owned())
            }
            Some(outcome) => (Tone::Faint, format!("run over: {outcome}")),
            None => (Tone::Faint, "no run is alive".to_owned()),
        };
        states.push((tone, words));
    }
    let unable: Vec<_> = picture.agents.iter().filter(|row| !row.agent.left_because.is_empty()).collect();
    if let [first, others @ ..] = unable.as_slice() {
        let more = if others.is_empty() { String::new() } else { format!(" and {} more", others.len()) };
        let why = fit(&first.agent.left_because, WHY_CELLS);
        states.push((Tone::Bad, format!("{}{more} left: {why}", first.agent.id)));
    }
    if screen.team.is_paused() {
        states.push((Tone::Calls, "TEAM PAUSED".to_owned()));
    }
    match screen.ending {
        _ if screen.is_over => {
            let outcome = picture.runs.last().and_then(|run| run.outcome.as_deref()).unwrap_or_default();
            let outcome = if outcome.is_empty() { String::new() } else { format!(": {outcome}") };
            states.push((Tone::Calls, format!("THE RUN IS OVER{outcome}")));
        }
        Ending::Gently if screen.host == Host::Run => states.push((Tone::Calls, "ENDING".to_owned())),
        Ending::AtOnce if screen.host == Host::Run => states.push((Tone::Calls, "ENDING AT ONCE".to_owned())),
        _ => {}
    }
    states
}

fn views(screen: &mut Screen, area: Rect, buffer: &mut Buffer) {
    let theme = screen.theme;
    let team = screen.team.clone();
    let mut pen = Pen::at(buffer, area, 2);
    pen.skip(1);
    let y = area.y + 2;
    let calls = calls(&team.calls);
    if let Some(calls) = &calls {
        let end = area.right() - 1;
        pen.right(" ", theme.style(Tone::Plain)).right(calls, theme.style(Tone::Calls));
        let width = cells(calls);
        screen.hits.push((Rect::new(end.saturating_sub(width + 1), y, width, 1), Hit::Calls));
    }
    let is_narrow = area.width < 72 + calls.as_ref().map_or(0, |calls| cells(calls));
    let counts = [
        team.picture.agents.iter().filter(|row| !row.agent.left).count(),
        team.picture.tasks.len(),
        0,
        team.picture.messages.len(),
        team.proving.len(),
    ];
    for (tab, ((name, _), count)) in TABS.into_iter().zip(counts).enumerate() {
        let from = pen.x();
        let is_here = tab == screen.tab;
        let count = if count > 0 && !is_narrow { format!(" {count}") } else { String::new() };
        let text = format!(" {} {name}{count} ", tab + 1);
        let tone = if is_here { Tone::Selected } else { Tone::Plain };
        pen.text(&text, theme.style(tone));
        screen.hits.push((Rect::new(from, y, pen.x() - from, 1), Hit::Tab(tab)));
    }
}

/// What waits for the human, in words.
fn calls(calls: &[Call]) -> Option<String> {
    let count = |is: fn(&Call) -> bool| calls.iter().filter(|call| is(call)).count();
    let all = [
        (count(|call| matches!(call, Call::Plan(_))), "plan"),
        (count(|call| matches!(call, Call::Question(_))), "question"),
        (count(|call| matches!(call, Call::Review(_))), "review"),
    ];
    let words: Vec<String> = all
        .into_iter()
        .filter(|(count, _)| *count > 0)
        .map(|(count, word)| format!("{count} {word}{}", if count > 1 { "s" } else { "" }))
        .collect();
    (!words.is_empty()).then(|| format!(" a: {} ", words.join(", ")))
}
