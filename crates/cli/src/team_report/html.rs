//! The report as one page that needs nothing from elsewhere. No text of an agent is markup in it, and nothing in it is a program.

use std::fmt::Write;

use agent_team::escaped;

use super::{Setback, TeamReport, cost};
use crate::time::short;

const STYLE: &str = "
:root { color-scheme: light dark; --text: #1c2128; --faint: #5b6470; --line: #d5d9e0; --ground: #ffffff; --well: #2f7d4f; --badly: #b3373f;
  --other: #2b64b8; --on: #b58a1b; }
@media (prefers-color-scheme: dark) { :root { --text: #e6e9ef; --faint: #9aa3b0; --line: #353b45; --ground: #14171c; --well: #57b37c;
  --badly: #e0707a; --other: #7aa7ea; --on: #d9b04a; } }
body { font: 15px/1.5 system-ui, sans-serif; color: var(--text); background: var(--ground); margin: 2rem auto; max-width: 64rem;
  padding: 0 1rem; }
h1, h2, h3 { line-height: 1.2; } h2 { margin-top: 2.5rem; } .faint { color: var(--faint); } a { color: inherit; }
blockquote { border-left: 3px solid var(--line); margin: 1rem 0; padding-left: 1rem; white-space: pre-wrap; }
.wide { overflow-x: auto; } table { border-collapse: collapse; width: 100%; }
th, td { text-align: left; padding: .3rem .6rem; border-bottom: 1px solid var(--line); vertical-align: top; }
th { color: var(--faint); font-weight: 500; } td, th { white-space: nowrap; }
td.text { white-space: normal; } td.number, th.number { text-align: right; font-variant-numeric: tabular-nums; }
pre { overflow-x: auto; border: 1px solid var(--line); border-radius: 6px; padding: .6rem; white-space: pre-wrap; }
.completed { color: var(--well); } .failed { color: var(--badly); }
svg text { fill: var(--text); font-size: 12px; } svg .time { fill: var(--faint); } svg .tick { stroke: var(--line); fill: none; }
.well { --bar: var(--well); } .badly { --bar: var(--badly); } .other { --bar: var(--other); } .on { --bar: var(--on); } .off { --bar: var(--faint); }
svg rect[class] { fill: var(--bar); } .key i { display: inline-block; width: .9em; height: .9em; margin-left: 1em; background: var(--bar); }
.graph svg text { fill: #1c2128; }
";

impl TeamReport {
    /// The report as a page.
    pub fn html(&self) -> String {
        let name = escaped(&self.name);
        let mut text = format!(
            "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\"><meta name=\"viewport\" content=\"width=device-width\">\n\
             <meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'\">\n\
             <title>{name}: what the team did</title>\n<style>{STYLE}</style></head>\n<body>\n<h1>{name}</h1>\n<p>{}.</p>\n",
            escaped(&self.headline())
        );
        for goal in self.goals() {
            let _ = writeln!(text, "<blockquote>{}</blockquote>", escaped(goal));
        }
        if !self.runs.is_empty() {
            let rows = self.runs.iter().map(|run| {
                let check = run.check.as_deref().unwrap_or_default();
                vec![run.began.clone(), run.took.clone(), run.outcome.clone(), check.to_owned()]
            });
            section(&mut text, "Runs", &table(&["began", "took", "outcome", "proved by"], 4, rows));
        }
        let rows = self.agents().into_iter().map(|agent| {
            let (calls, tokens) = (agent.spent.calls.to_string(), agent.spent.tokens().to_string());
            let (completed, work) = (agent.completed.to_string(), short(agent.work_ms));
            vec![agent.name, agent.role, agent.with, completed, work, calls, tokens, cost(agent.spent)]
        });
        let heads = ["agent", "role", "model or program", "completed", "at work", "calls", "tokens", "cost"];
        let left = self.unable().map(|(agent, why)| {
            format!("<p class=\"failed\">{} left: {}</p>\n", escaped(agent), escaped(why))
        });
        let left: String = left.collect();
        section(&mut text, "Who did what", &(table(&heads, 3, rows) + &left));
        if let Some(timeline) = self.timeline() {
            section(&mut text, "When", &format!("<div class=\"wide\">{timeline}</div>\n"));
        }
        let mut waits = String::new();
        for (words, remedy) in self.waits() {
            let helps =
                if remedy.is_empty() { String::new() } else { format!(" <code>{}</code>", escaped(&remedy)) };
            let _ = writeln!(waits, "<li>{}{helps}</li>", escaped(&words));
        }
        if !waits.is_empty() {
            section(&mut text, "What waits for somebody", &format!("<ul>\n{waits}</ul>\n"));
        }
        let mut failed = String::new();
        for (task, failure, setbacks) in self.failed() {
            let (id, title) = (escaped(task.id.as_str()), escaped(&task.title));
            let _ = writeln!(failed, "<h3>{id}: {title}</h3>\n<p class=\"failed\">{failure}</p>");
            failed += &told(&setbacks);
        }
        if !failed.is_empty() {
            section(&mut text, "What failed, and why", &failed);
        }
        let mut on_the_way = String::new();
        for (task, setbacks) in self.on_the_way() {
            let _ = writeln!(on_the_way, "<h3>{}: {}</h3>", escaped(task.id.as_str()), escaped(&task.title));
            on_the_way += &told(&setbacks);
        }
        if !on_the_way.is_empty() {
            section(&mut text, "What was sent back on the way", &on_the_way);
        }
        let mut results = String::new();
        for (task, result) in self.results() {
            let commit = task
                .merged
                .as_ref()
                .map(|commit| format!("<p class=\"faint\">commit {}</p>", escaped(commit)));
            let (id, title) = (escaped(task.id.as_str()), escaped(&task.title));
            let (result, commit) = (shown(&result), commit.unwrap_or_default());
            let _ = writeln!(results, "<details><summary>{id}: {title}</summary>{result}{commit}</details>");
        }
        if !results.is_empty() {
            section(&mut text, "What came of it", &results);
        }
        let mut asked = String::new();
        for question in &self.questions {
            let _ = writeln!(asked, "<h3>{}</h3>{}", escaped(&question.head), shown(&question.text));
            let _ = match &question.answer {
                Some((by, answer)) => writeln!(asked, "<p>{} answered</p>{}", escaped(by), shown(answer)),
                None => writeln!(asked, "<p class=\"failed\">Nobody has answered.</p>"),
            };
        }
        if !asked.is_empty() {
            section(&mut text, "What was asked", &asked);
        }
        let rows = self.tasks().map(|task| {
            let (id, status) = (task.view.id.to_string(), task.view.status.to_string());
            let (attempts, work) = (task.view.attempt.to_string(), short(task.work_ms));
            vec![id, task.view.title.clone(), status, task.by, attempts, work, cost(task.view.spent)]
        });
        let heads = ["task", "title", "status", "by", "attempts", "at work", "cost"];
        section(&mut text, "Tasks", &table(&heads, 4, rows));
        if !self.graph.is_empty() {
            let graph = format!("<div class=\"wide graph\">{}</div>\n", self.graph.svg());
            section(&mut text, "What waited for what", &graph);
        }
        with_contents(&text) + "</body></html>\n"
    }
}

/// What was refused, each with its head.
fn told(setbacks: &[Setback<'_>]) -> String {
    let told =
        |setback: &Setback<'_>| format!("<p>In {}</p>{}\n", escaped(&setback.head), shown(&setback.said));
    setbacks.iter().map(told).collect()
}

/// A text as it is; nothing of an empty one.
fn shown(text: &str) -> String {
    let text = text.trim_end();
    if text.is_empty() { String::new() } else { format!("<pre>{}</pre>", escaped(text)) }
}

fn section(text: &mut String, title: &str, content: &str) {
    let _ = write!(text, "<h2 id=\"{}\">{title}</h2>\n{content}", anchor(title));
}

fn anchor(title: &str) -> String {
    title.chars().filter(|letter| letter.is_alphanumeric()).collect::<String>().to_lowercase()
}

/// The page with links to its sections before the first of them: that of a large team is long.
fn with_contents(page: &str) -> String {
    let titles = page.split("<h2 id=\"").skip(1).filter_map(|rest| {
        let (id, rest) = rest.split_once("\">")?;
        Some((id, rest.split_once("</h2>")?.0))
    });
    let links: Vec<String> = titles.map(|(id, title)| format!("<a href=\"#{id}\">{title}</a>")).collect();
    let Some((head, sections)) = page.split_once("<h2 id=\"") else { return page.to_owned() };
    format!("{head}<nav class=\"faint\">{}</nav>\n<h2 id=\"{sections}", links.join(" · "))
}

/// A table, with figures from a column on. A status has its colour.
fn table(heads: &[&str], figures_from: usize, rows: impl Iterator<Item = Vec<String>>) -> String {
    let class = |column: usize| if column >= figures_from { " class=\"number\"" } else { "" };
    let mut text = "<div class=\"wide\"><table><tr>".to_owned();
    for (column, head) in heads.iter().enumerate() {
        let _ = write!(text, "<th{}>{head}</th>", class(column));
    }
    text += "</tr>\n";
    for row in rows {
        text += "<tr>";
        for (column, cell) in row.iter().enumerate() {
            let class = match (cell.as_str(), heads.get(column)) {
                ("completed" | "failed", _) => format!(" class=\"{cell}\""),
                (_, Some(&("title" | "proved by"))) => " class=\"text\"".to_owned(),
                _ => class(column).to_owned(),
            };
            let _ = write!(text, "<td{class}>{}</td>", escaped(cell));
        }
        text += "</tr>\n";
    }
    text + "</table></div>\n"
}
