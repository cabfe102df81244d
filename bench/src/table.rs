//! What a row is, whether its target holds, and how the table is printed.

use anyhow::{Error, Result};
use serde::Serialize;

use crate::rows;
use crate::setting::Setting;

/// Rows that come from one measurement.
pub struct Group {
    /// For those who watch.
    pub what: &'static str,
    /// Its rows, in the order in which `measure` gives their figures.
    pub rows: &'static [Row],
    /// Makes one figure for each row.
    pub measure: fn(&Setting) -> Result<Vec<Measured>>,
}

/// One line of the table, before it is measured.
pub struct Row {
    /// How it is chosen.
    pub name: &'static str,
    /// What is measured, for people.
    pub what: &'static str,
    /// What the figure counts.
    pub unit: &'static str,
    /// What is required; nothing for rows that only show.
    pub at_least: Option<Target>,
    /// Where to go.
    pub aim: Option<Target>,
}

/// What a figure is held against.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Target {
    /// The figure is at least this.
    Least(f64),
    /// The figure is at most this.
    Most(f64),
    /// The figure is at least this part of the limit.
    PartOfLimit(f64),
    /// The figure is at most this many times the limit.
    TimesLimit(f64),
}

/// One figure.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Measured {
    /// The median.
    pub value: f64,
    /// The raw limit of the same run.
    pub limit: Option<f64>,
    /// The least and the greatest of the rounds.
    pub spread: Option<(f64, f64)>,
    /// What else was seen.
    pub note: String,
}

impl Target {
    /// Whether a figure reaches it; `None` where there is no limit to hold it against.
    pub fn holds(self, measured: &Measured) -> Option<bool> {
        match self {
            Self::Least(target) => Some(measured.value >= target),
            Self::Most(target) => Some(measured.value <= target),
            Self::PartOfLimit(part) => measured.limit.map(|limit| measured.value >= part * limit),
            Self::TimesLimit(times) => measured.limit.map(|limit| measured.value <= times * limit),
        }
    }

    /// The target as a text: `>= 100000`, `<= 2 x limit`.
    pub fn text(self) -> String {
        match self {
            Self::Least(target) => format!(">= {}", number(target)),
            Self::Most(target) => format!("<= {}", number(target)),
            Self::PartOfLimit(part) => format!(">= {part} x limit"),
            Self::TimesLimit(times) => format!("<= {times} x limit"),
        }
    }
}

/// One line of the table, as `--json` gives it.
#[derive(Debug, Serialize)]
pub struct Line {
    name: &'static str,
    value: Option<f64>,
    unit: &'static str,
    limit: Option<f64>,
    ratio: Option<f64>,
    target: Option<String>,
    holds: Option<bool>,
    aim: Option<String>,
    reaches_aim: Option<bool>,
    spread: Option<(f64, f64)>,
    note: String,
    #[serde(skip)]
    what: &'static str,
}

impl Line {
    /// The line of a row with its figure.
    pub fn new(row: &Row, measured: &Measured) -> Self {
        let Measured { value, limit, spread, note } = measured.clone();
        Self {
            ratio: limit.filter(|&limit| limit > 0.0).map(|limit| value / limit),
            holds: row.at_least.and_then(|target| target.holds(measured)),
            reaches_aim: row.aim.and_then(|aim| aim.holds(measured)),
            value: Some(value),
            limit,
            spread,
            note,
            ..Self::without_figure(row)
        }
    }

    /// The line of a row that could not be measured: it does not hold.
    pub fn failed(row: &Row, error: &Error) -> Self {
        Self { holds: Some(false), note: format!("NOT MEASURED: {error:#}"), ..Self::without_figure(row) }
    }

    fn without_figure(row: &Row) -> Self {
        Self {
            name: row.name,
            value: None,
            unit: row.unit,
            limit: None,
            ratio: None,
            target: row.at_least.map(Target::text),
            holds: None,
            aim: row.aim.map(Target::text),
            reaches_aim: None,
            spread: None,
            note: String::new(),
            what: row.what,
        }
    }
}

/// The lines so far.
#[derive(Debug, Default)]
pub struct Table(Vec<Line>);

impl Table {
    /// Adds what a group measured.
    pub fn add(&mut self, group: &Group, measured: &[Measured], wanted: &[String]) {
        let figures = group.rows.iter().zip(measured).filter(|(row, _)| rows::is_wanted(row, wanted));
        self.0.extend(figures.map(|(row, measured)| Line::new(row, measured)));
    }

    /// Adds a group that could not be measured.
    pub fn add_failed(&mut self, group: &Group, error: &Error, wanted: &[String]) {
        let rows = group.rows.iter().filter(|row| rows::is_wanted(row, wanted));
        self.0.extend(rows.map(|row| Line::failed(row, error)));
    }

    /// Whether everything could be measured.
    pub fn is_whole(&self) -> bool {
        self.0.iter().all(|line| line.value.is_some())
    }

    /// Prints the lines as a JSON list.
    pub fn print_json(&self) -> Result<()> {
        println!("{}", serde_json::to_string_pretty(&self.0)?);
        Ok(())
    }

    /// Prints the lines for people.
    pub fn print(&self) {
        let header =
            ["row", "value", "unit", "limit", "ratio", "target", "holds", "aim", "reached", "spread"];
        let cells: Vec<[String; 10]> =
            std::iter::once(header.map(str::to_owned)).chain(self.0.iter().map(cells)).collect();
        let width = |column: usize| cells.iter().map(|row| row[column].chars().count()).max().unwrap_or(0);
        let widths: Vec<usize> = (0..header.len()).map(width).collect();
        for (row, line) in cells.iter().zip(std::iter::once(None).chain(self.0.iter().map(Some))) {
            let padded = row.iter().zip(&widths).map(|(cell, width)| format!("{cell:<width$}"));
            println!("{}", padded.collect::<Vec<_>>().join("  ").trim_end());
            if let Some(line) = line {
                println!("    {}{}{}", line.what, if line.note.is_empty() { "" } else { "; " }, line.note);
            }
        }
    }
}

fn cells(line: &Line) -> [String; 10] {
    let figure = |value: Option<f64>| value.map_or_else(|| "-".to_owned(), number);
    let text = |text: &Option<String>| text.clone().unwrap_or_else(|| "-".to_owned());
    let truth = |truth: Option<bool>| truth.map_or("-", |truth| if truth { "yes" } else { "NO" }).to_owned();
    [
        line.name.to_owned(),
        figure(line.value),
        line.unit.to_owned(),
        figure(line.limit),
        line.ratio.map_or_else(|| "-".to_owned(), |ratio| format!("{ratio:.3}")),
        text(&line.target),
        truth(line.holds),
        text(&line.aim),
        truth(line.reaches_aim),
        line.spread
            .map_or_else(|| "-".to_owned(), |(least, most)| format!("{}..{}", number(least), number(most))),
    ]
}

/// Prints what can be measured.
pub fn print_list(groups: &[Group]) {
    for row in groups.iter().flat_map(|group| group.rows) {
        println!("{:<22} {}", row.name, row.what);
    }
}

/// A figure with as many digits as mean something.
fn number(value: f64) -> String {
    match value.abs() {
        0.0 => "0".to_owned(),
        size if size >= 100.0 || value.fract() == 0.0 => format!("{value:.0}"),
        size if size >= 10.0 => format!("{value:.1}"),
        size if size >= 1.0 => format!("{value:.2}"),
        _ => format!("{value:.4}").trim_end_matches('0').to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use anyhow::anyhow;
    use serde_json::{Value, json};

    use super::*;

    const ROW: Row = Row {
        name: "row",
        what: "what it measures",
        unit: "tasks/s",
        at_least: Some(Target::Least(100.0)),
        aim: Some(Target::PartOfLimit(0.9)),
    };

    fn line(value: f64, limit: Option<f64>) -> Value {
        let measured = Measured { value, limit, spread: Some((1.0, 2.0)), note: "a note".to_owned() };
        serde_json::to_value(Line::new(&ROW, &measured)).unwrap()
    }

    #[test]
    fn a_line_has_its_fields_in_json() {
        let expected = json!({
            "name": "row", "value": 150.0, "unit": "tasks/s", "limit": 200.0, "ratio": 0.75, "target": ">= 100",
            "holds": true, "aim": ">= 0.9 x limit", "reaches_aim": false, "spread": [1.0, 2.0], "note": "a note",
        });
        assert_eq!(line(150.0, Some(200.0)), expected);
    }

    #[test]
    fn a_target_holds_at_its_figure_and_not_beyond() {
        let holds =
            |target: Target, value, limit| target.holds(&Measured { value, limit, ..Measured::default() });
        for (target, good, bad) in [
            (Target::Least(100.0), 100.0, 99.9),
            (Target::Most(100.0), 100.0, 100.1),
            (Target::PartOfLimit(0.5), 100.0, 99.9),
            (Target::TimesLimit(0.5), 100.0, 100.1),
        ] {
            assert_eq!(holds(target, good, Some(200.0)), Some(true), "{target:?}");
            assert_eq!(holds(target, bad, Some(200.0)), Some(false), "{target:?}");
        }
        assert_eq!(holds(Target::PartOfLimit(0.5), 100.0, None), None, "nothing to hold it against");
        assert_eq!(line(99.0, None)["holds"], false);
        assert_eq!(line(99.0, None)["ratio"], Value::Null);
    }

    #[test]
    fn what_could_not_be_measured_does_not_hold() {
        let failed = serde_json::to_value(Line::failed(&ROW, &anyhow!("a task was claimed twice"))).unwrap();
        assert_eq!((&failed["value"], &failed["holds"]), (&Value::Null, &json!(false)));
        assert_eq!(failed["note"], "NOT MEASURED: a task was claimed twice");
    }
}
