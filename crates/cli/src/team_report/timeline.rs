//! Who was at work on what, and when.

use std::collections::BTreeMap;
use std::fmt::Write;

use agent_team::{Ending, Stage, escaped};

use super::TeamReport;
use crate::time::{local, short};

/// The picture's size, in pixels: of the names, of the time, of one row.
const NAMES: u64 = 130;
const WIDTH: u64 = 830;
const ROW: u64 = 26;
const HEAD: u64 = 24;
/// How many times are written above it.
const TICKS: u64 = 5;

/// One stretch of work.
struct Stretch<'a> {
    task: &'a str,
    title: &'a str,
    stage: Stage,
    ending: Option<Ending>,
    from_ms: u64,
    to_ms: u64,
}

impl TeamReport {
    /// What each agent worked on, in the order of time.
    fn stretches(&self) -> BTreeMap<&str, Vec<Stretch<'_>>> {
        let mut by_agent: BTreeMap<&str, Vec<Stretch<'_>>> = BTreeMap::new();
        for task in &self.tasks {
            for claim in &task.claims {
                by_agent.entry(claim.agent.as_str()).or_default().push(Stretch {
                    task: task.id.as_str(),
                    title: &task.title,
                    stage: claim.stage,
                    ending: Some(claim.ending),
                    from_ms: claim.from_ms,
                    to_ms: claim.to_ms,
                });
            }
        }
        by_agent.values_mut().for_each(|stretches| stretches.sort_by_key(|stretch| stretch.from_ms));
        by_agent
    }

    /// The same as a Gantt chart in Mermaid's language.
    pub(super) fn gantt(&self) -> Option<String> {
        let all = self.stretches();
        if all.is_empty() {
            return None;
        }
        let mut text = "gantt\n    dateFormat x\n    axisFormat %H:%M:%S\n".to_owned();
        for (agent, stretches) in all {
            let _ = writeln!(text, "    section {agent}");
            for stretch in stretches {
                let mark = if stretch.went_well() { "" } else { "crit, " };
                let to_ms = stretch.to_ms.max(stretch.from_ms + 1);
                let _ = writeln!(text, "    {} :{mark}{}, {to_ms}", stretch.name(), stretch.from_ms);
            }
        }
        Some(text)
    }

    /// The same as a picture.
    pub(super) fn timeline(&self) -> Option<String> {
        let all = self.stretches();
        let begin = all.values().flatten().map(|stretch| stretch.from_ms).min()?;
        let end = all.values().flatten().map(|stretch| stretch.to_ms).max()?.max(begin + 1);
        let across = |at_ms: u64| NAMES + (at_ms - begin).saturating_mul(WIDTH) / (end - begin);
        let rows = u64::try_from(all.len()).unwrap_or(u64::MAX);
        let (width, height) = (NAMES + WIDTH + 10, HEAD + rows.saturating_mul(ROW));
        let mut text = format!(
            "<svg width=\"{width}\" height=\"{height}\" viewBox=\"0 0 {width} {height}\" role=\"img\" \
             aria-label=\"who was at work on what, and when\">\n"
        );
        for tick in 0..=TICKS {
            let at_ms = begin + (end - begin) * tick / TICKS;
            let (x, label) = (across(at_ms), short(at_ms - begin));
            let anchor = if tick == TICKS { "end" } else { "start" };
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
                let (from, to) = (across(stretch.from_ms), across(stretch.to_ms));
                let class = if stretch.went_well() { "well" } else { "badly" };
                let _ = writeln!(
                    text,
                    "<rect class=\"{class} {}\" x=\"{from}\" y=\"{}\" width=\"{}\" height=\"{}\"><title>{}</title></rect>",
                    stretch.stage,
                    y + 4,
                    (to - from).max(2),
                    ROW - 8,
                    escaped(&stretch.told())
                );
            }
        }
        Some(text + "</svg>\n")
    }
}

impl Stretch<'_> {
    fn went_well(&self) -> bool {
        matches!(self.ending, None | Some(Ending::Done))
    }

    /// What stands on its bar: letters that mean nothing in Mermaid's language.
    fn name(&self) -> String {
        match self.stage {
            Stage::Work => self.task.to_owned(),
            stage => format!("{} {stage}", self.task),
        }
    }

    fn told(&self) -> String {
        let ending = self.ending.map(|ending| format!(", {ending}")).unwrap_or_default();
        let took = short(self.to_ms.saturating_sub(self.from_ms));
        format!("{}: {}\n{} from {}, {took}{ending}", self.task, self.title, self.stage, local(self.from_ms))
    }
}
