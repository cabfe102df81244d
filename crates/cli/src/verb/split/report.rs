//! What `split` says at the end, for people and for programs.

use agent_team::split::{Failure as Failed, Group, Place, Plan, Planned, Survey};
use serde_json::{Value, json};

use crate::exit::Failure;
use crate::output::{Cell, Output, Paint};

/// How many lines of one kind are shown.
const LINES_MAX: usize = 20;

/// What came out, before anything is added.
pub struct Found {
    /// Its failures are in the groups.
    pub survey: Survey,
    /// All groups, whether there is room for their tasks or not.
    pub groups: Vec<Group>,
    pub plan: Plan,
}

/// What is said at the end.
pub struct Report<'a> {
    pub found: &'a Found,
    pub inputs: usize,
    pub gate: &'a str,
    pub dry_run: bool,
}

impl Report<'_> {
    /// Says it.
    pub fn tell(self, most: usize, out: &mut Output) -> Result<(), Failure> {
        if out.is_json() {
            out.json(&self.json())?;
            return Ok(());
        }
        self.print(most, out)
    }

    fn print(&self, most: usize, out: &mut Output) -> Result<(), Failure> {
        let Found { survey, groups, plan } = self.found;
        let failing: usize = groups.iter().map(|group| group.inputs().len()).sum();
        let mut line = format!("{}: {} passed", counted(self.inputs, "input"), survey.passed);
        for (count, what) in [
            (failing, format!("failed in {}", counted(groups.len(), "group"))),
            (survey.unsteady.len(), "unsteady".to_owned()),
            (survey.unjudged.len(), "unjudged".to_owned()),
        ] {
            if count > 0 {
                line += &format!(", {count} {what}");
            }
        }
        out.painted(&line, Some(if failing == 0 { Paint::Good } else { Paint::Bad }))?;
        let rows = plan.planned.iter().map(|planned| self.row(planned));
        out.table(&rows.collect::<Vec<_>>())?;
        if plan.left_out > 0 {
            let line = format!(
                "{} more: split again when these are done, or with --tasks {}",
                counted(plan.left_out, "group"),
                most + plan.left_out
            );
            out.painted(&line, Some(Paint::Warning))?;
        }
        let unsteady = survey
            .unsteady
            .iter()
            .map(|input| format!("unsteady  {input}  failed, and passed when run again"));
        tell_lines(unsteady, out)?;
        tell_lines(survey.unjudged.iter().map(|(input, why)| format!("unjudged  {input}  {why}")), out)?;
        // JSON strings are TOML strings.
        out.line(&format!("for team.toml: gate = {}", json!(self.gate)))?;
        Ok(())
    }

    fn row(&self, planned: &Planned) -> Vec<Cell> {
        let (id, state) = match &planned.place {
            Place::New(id) => (id, if self.dry_run { "new".to_owned() } else { "added".to_owned() }),
            Place::There(id, status) => (id, format!("there already ({status})")),
        };
        let inputs = counted(planned.group.inputs().len(), "input");
        vec![id.as_str().into(), state.into(), inputs.into(), planned.group.reason.text.as_str().into()]
    }

    fn json(&self) -> Value {
        let Found { survey, plan, .. } = self.found;
        let groups = plan.planned.iter().map(|planned| {
            let (id, status) = match &planned.place {
                Place::New(id) => (id, None),
                Place::There(id, status) => (id, Some(status)),
            };
            let smallest = planned.shrunk.as_ref().map(|shrunk| {
                json!({ "file": shrunk.path, "of": shrunk.of, "lines": shrunk.lines, "of_lines": shrunk.of_lines,
                        "is_smallest": shrunk.is_smallest })
            });
            json!({ "task": id, "added": status.is_none() && !self.dry_run, "status": status,
                    "reason": planned.group.reason.text, "key": planned.group.reason.key, "inputs": planned.group.inputs(), "smallest": smallest })
        });
        json!({
            "inputs": self.inputs,
            "passed": survey.passed,
            "groups": groups.collect::<Vec<_>>(),
            "groups_left_out": plan.left_out,
            "unsteady": survey.unsteady,
            "unjudged": unjudged_json(survey),
            "gate": self.gate,
        })
    }
}

/// Says what came of inputs that were only run.
pub fn tell_run(survey: &Survey, inputs: usize, out: &mut Output) -> Result<(), Failure> {
    if out.is_json() {
        out.json(&json!({
            "inputs": inputs,
            "passed": survey.passed,
            "failures": survey.failures.iter().map(failure_json).collect::<Vec<_>>(),
            "unjudged": unjudged_json(survey),
        }))?;
        return Ok(());
    }
    tell_failures(survey, out)?;
    out.line(&format!("{} of {inputs} inputs passed", survey.passed))?;
    Ok(())
}

/// One line for each failure, and the lines around the first one's difference.
fn tell_failures(survey: &Survey, out: &mut Output) -> Result<(), Failure> {
    let failures = survey.failures.iter();
    tell_lines(failures.map(|failure| format!("ERROR {}: {}", name(failure), failure.reason.text)), out)?;
    tell_lines(survey.unjudged.iter().map(|(input, why)| format!("ERROR {input}: {why}")), out)?;
    let Some(first) = survey.failures.first() else { return Ok(()) };
    if let Some(expected) = &first.expected {
        out.line(&format!("expected of {}:", name(first)))?;
        out.block("    ", expected)?;
    }
    out.line(&format!("actual of {}:", name(first)))?;
    out.block("    ", &first.actual)?;
    Ok(())
}

fn counted(count: usize, what: &str) -> String {
    format!("{count} {what}{}", if count == 1 { "" } else { "s" })
}

/// What a failure is called in a line.
fn name(failure: &Failed) -> String {
    match failure.inputs.as_slice() {
        [one] => one.clone(),
        inputs => format!("{} inputs together", inputs.len()),
    }
}

fn tell_lines(lines: impl ExactSizeIterator<Item = String>, out: &mut Output) -> Result<(), Failure> {
    let count = lines.len();
    for line in lines.take(LINES_MAX) {
        out.line(&line)?;
    }
    if count > LINES_MAX {
        out.line(&format!("... and {} more; --json lists all", count - LINES_MAX))?;
    }
    Ok(())
}

fn failure_json(failure: &Failed) -> Value {
    json!({ "inputs": failure.inputs, "reason": failure.reason.text, "expected": failure.expected,
            "actual": failure.actual })
}

fn unjudged_json(survey: &Survey) -> Vec<Value> {
    survey.unjudged.iter().map(|(input, why)| json!({ "input": input, "reason": why })).collect()
}
