//! Who was at work on what, and when.

use std::collections::BTreeMap;
use std::fmt::Write;

use agent_team::view::{StretchOutcome, StretchView};
use agent_team::{Stage, TaskId, escaped};

use super::TeamReport;
use crate::time::{local, short};

/// The picture's size, in pixels: of the names, of the time, of one row.
const NAMES: u64 = 130;
const WIDTH: u64 = 830;
const ROW: u64 = 26;
const HEAD: u64 = 24;
/// How many times are written above it at most.
const TICKS: u64 = 8;

/// So far apart are times that people count by, in milliseconds.
const STEPS_MS: [u64; 20] = [
    100, 200, 500, 1_000, 2_000, 5_000, 10_000, 15_000, 30_000, 60_000, 120_000, 300_000, 600_000, 900_000,
    1_800_000, 3_600_000, 7_200_000, 21_600_000, 43_200_000, 86_400_000,
];

/// What the colours mean, in the order in which they are told.
const LEGEND: [(&str, &str); 5] = [
    ("well", "work"),
    ("badly", "failed or sent back"),
    ("other", "review, check, merge"),
    ("on", "goes on"),
    ("off", "broken off"),
];

/// One stretch of work.
struct Stretch<'a> {
    title: &'a str,
    view: &'a StretchView,
    to_ms: u64,
}

impl TeamReport {
    /// What each agent worked on, in the order of time.
    fn by_agent(&self) -> BTreeMap<&str, Vec<Stretch<'_>>> {
        let titles: BTreeMap<&TaskId, &str> =
            self.tasks.iter().map(|task| (&task.id, task.title.as_str())).collect();
        let mut by_agent: BTreeMap<&str, Vec<Stretch<'_>>> = BTreeMap::new();
        for view in &self.stretches {
            by_agent.entry(view.agent.as_str()).or_default().push(Stretch {
                title: titles.get(&view.task).copied().unwrap_or_default(),
                view,
                to_ms: view.to_ms.unwrap_or(self.now_ms).max(view.from_ms),
            });
        }
        by_agent.values_mut().for_each(|stretches| stretches.sort_by_key(|stretch| stretch.view.from_ms));
        by_agent
    }

    /// The same as a Gantt chart in Mermaid's language.
    pub(super) fn gantt(&self) -> Option<String> {
        let all = self.by_agent();
        if all.is_empty() {
            return None;
        }
        let mut text = "gantt\n    dateFormat x\n    axisFormat %H:%M:%S\n".to_owned();
        for (agent, stretches) in all {
            let _ = writeln!(text, "    section {agent}");
            for stretch in stretches {
                let mark = match stretch.class() {
                    "badly" => "crit, ",
                    "on" => "active, ",
                    _ => "",
                };
                let from_ms = stretch.view.from_ms;
                let to_ms = stretch.to_ms.max(from_ms + 1);
                let _ = writeln!(text, "    {} :{mark}{from_ms}, {to_ms}", stretch.name());
            }
        }
        Some(text)
    }

    /// The same as a picture.
    pub(super) fn timeline(&self) -> Option<String> {
        let all = self.by_agent();
        let begin = all.values().flatten().map(|stretch| stretch.view.from_ms).min()?;
        let end = all.values().flatten().map(|stretch| stretch.to_ms).max()?.max(begin + 1);
        let across = |at_ms: u64| NAMES + (at_ms - begin).saturating_mul(WIDTH) / (end - begin);
        let rows = u64::try_from(all.len()).unwrap_or(u64::MAX);
        let (width, height) = (NAMES + WIDTH + 10, HEAD + rows.saturating_mul(ROW));
        let mut text = format!(
            "<svg width=\"{width}\" height=\"{height}\" viewBox=\"0 0 {width} {height}\" role=\"img\" \
             aria-label=\"who was at work on what, and when\">\n"
        );
        let is_far = |step: &&u64| (end - begin) / **step <= TICKS;
        let step_ms = STEPS_MS.iter().find(is_far).copied().unwrap_or((end - begin) / TICKS);
        for tick in 0..=(end - begin) / step_ms {
            let at_ms = tick * step_ms;
            let (x, label) = (across(begin + at_ms), tick_words(at_ms));
            let anchor = if x + 40 > width { "end" } else { "start" };
            let _ = writeln!(
                text,
                "<path class=\"tick\" d=\"M{x} {HEAD}V{height}\"/><text class=\"time\" x=\"{x}\" y=\"14\" \
                 text-anchor=\"{anchor}\">{label}</text>"
            );
        }
        for (row, (agent, stretches)) in (0_u64..).zip(all) {
            let y = HEAD + row * ROW;
            let _ = writeln!(text, "<text x=\"0\" y=\"{}\">{}</text>", y + 17, escaped(agent));
            for stretch in stretches {
                let (from, to) = (across(stretch.view.from_ms), across(stretch.to_ms));
                let _ = writeln!(
                    text,
                    "<rect class=\"{}\" x=\"{from}\" y=\"{}\" width=\"{}\" height=\"{}\"><title>{}</title></rect>",
                    stretch.class(),
                    y + 4,
                    (to - from).max(2),
                    ROW - 8,
                    escaped(&stretch.told())
                );
            }
        }
        let key = LEGEND.map(|(class, words)| format!("<i class=\"{class}\"></i> {words}"));
        Some(format!("{text}</svg>\n<p class=\"faint key\">{}</p>\n", key.join(" ")))
    }
}

/// A time since the beginning, exactly.
fn tick_words(at_ms: u64) -> String {
    match at_ms {
        0 => "0".to_owned(),
        60_000..3_600_000 if !at_ms.is_multiple_of(60_000) => {
            format!("{}m {}s", at_ms / 60_000, at_ms / 1_000 % 60)
        }
        _ => short(at_ms),
    }
}

impl Stretch<'_> {
    fn class(&self) -> &'static str {
        match (self.view.outcome, self.view.stage) {
            (StretchOutcome::UnderWay, _) => "on",
            (StretchOutcome::BrokenOff, _) => "off",
            (StretchOutcome::Failed | StretchOutcome::SentBack, _) => "badly",
            (StretchOutcome::Well, Stage::Work) => "well",
            (StretchOutcome::Well | StretchOutcome::Refused, _) => "other",
        }
    }

    /// What stands on its bar: letters that mean nothing in Mermaid's language.
    fn name(&self) -> String {
        match self.view.stage {
            Stage::Work => self.view.task.to_string(),
            stage => format!("{} {stage}", self.view.task),
        }
    }

    fn told(&self) -> String {
        let StretchView { task, stage, attempt, from_ms, words, .. } = self.view;
        let took = short(self.to_ms.saturating_sub(*from_ms));
        format!(
            "{task}: {}\n{stage}, attempt {attempt}, from {}, {took}: {words}",
            self.title,
            local(*from_ms)
        )
    }
}
