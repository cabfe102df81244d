//! The report in Markdown. No text of an agent is markup in it.

use std::fmt::Write;

use agent_team::view::TaskView;

use super::{Setback, TeamReport, cost};
use crate::safe_text;
use crate::time::short;

impl TeamReport {
    /// The report as a document in Markdown, with pictures in Mermaid's language.
    pub fn markdown(&self) -> String {
        let mut text = format!("# {}\n\n{}.\n", plain(&self.name), plain(&self.headline()));
        for goal in self.goals() {
            let _ = write!(text, "\n> {}\n", plain(goal));
        }
        if !self.runs.is_empty() {
            text += "\n## Runs\n\n| began | took | outcome | proved by |\n|---|---|---|---|\n";
            for run in &self.runs {
                let check = run.check.as_deref().unwrap_or_default();
                let _ =
                    writeln!(text, "| {} | {} | {} | {} |", run.began, run.took, run.outcome, plain(check));
            }
        }
        text += "\n## Who did what\n\n| agent | role | model or program | completed | at work | calls | tokens | cost |\n\
                 |---|---|---|---|---|---|---|---|\n";
        for agent in self.agents() {
            let _ = writeln!(
                text,
                "| {} | {} | {} | {} | {} | {} | {} | {} |",
                plain(&agent.name),
                agent.role,
                plain(&agent.with),
                agent.completed,
                short(agent.work_ms),
                agent.spent.calls,
                agent.spent.tokens(),
                cost(agent.spent)
            );
        }
        for (agent, why) in self.unable() {
            let _ = write!(text, "\n{} left: {}\n", plain(agent), plain(why));
        }
        text += "\n## Tasks\n\n| task | status | by | attempts | at work | cost | title |\n|---|---|---|---|---|---|---|\n";
        for task in self.tasks() {
            let _ = writeln!(
                text,
                "| {} | {} | {} | {} | {} | {} | {} |",
                plain(task.view.id.as_str()),
                task.view.status,
                plain(&task.by),
                task.view.attempt,
                short(task.work_ms),
                cost(task.view.spent),
                plain(&task.view.title)
            );
        }
        let waits = self.waits();
        if !waits.is_empty() {
            text += "\n## What waits for somebody\n\n";
        }
        for (words, remedy) in waits {
            let helps = if remedy.is_empty() { String::new() } else { format!(": {}", plain(&remedy)) };
            let _ = writeln!(text, "- {}{helps}", plain(&words));
        }
        let mut failed = self.failed().peekable();
        if failed.peek().is_some() {
            text += "\n## What failed, and why\n";
        }
        for (task, failure, setbacks) in failed {
            let _ = write!(text, "{}\n{failure}\n{}", heading(task), told(&setbacks));
        }
        let mut on_the_way = self.on_the_way().peekable();
        if on_the_way.peek().is_some() {
            text += "\n## What was sent back on the way\n";
        }
        for (task, setbacks) in on_the_way {
            text += &(heading(task) + &told(&setbacks));
        }
        let mut results = self.results().peekable();
        if results.peek().is_some() {
            text += "\n## What came of it\n\n";
        }
        for (task, result) in results {
            let commit = task.merged.as_ref().map(|commit| format!(" ({commit})")).unwrap_or_default();
            let first = result.lines().find(|line| !line.trim().is_empty()).unwrap_or_default();
            let more = if result.trim() == first.trim() { "" } else { " …" };
            let _ =
                writeln!(text, "- **{}**: {}{more}{commit}", plain(task.id.as_str()), plain(first.trim()));
        }
        if !self.questions.is_empty() {
            text += "\n## What was asked\n";
        }
        for asked in &self.questions {
            let _ = write!(text, "\n{}\n{}", plain(&asked.head), fenced(&asked.text));
            let _ = match &asked.answer {
                Some((by, answer)) => write!(text, "\n{} answered\n{}", plain(by), fenced(answer)),
                None => writeln!(text, "\nNobody has answered."),
            };
        }
        if let Some(gantt) = self.gantt() {
            let _ = write!(text, "\n## When\n\n```mermaid\n{gantt}```\n");
        }
        if !self.graph.is_empty() {
            let _ = write!(text, "\n## What waited for what\n\n```mermaid\n{}```\n", self.graph.mermaid());
        }
        text
    }
}

/// A text in which nothing is markup, in one line.
fn plain(text: &str) -> String {
    let mut plain = String::with_capacity(text.len());
    for character in safe_text::block(text).chars() {
        match character {
            '<' => plain.push_str("&lt;"),
            '&' => plain.push_str("&amp;"),
            '\\' | '`' | '*' | '_' | '[' | ']' | '|' | '#' | '~' | '!' | '>' => {
                plain.push('\\');
                plain.push(character);
            }
            _ if character.is_control() => plain.push(' '),
            _ => plain.push(character),
        }
    }
    plain
}

/// What stands above all that is told of a task.
fn heading(task: &TaskView) -> String {
    format!("\n### {}: {}\n", plain(task.id.as_str()), plain(&task.title))
}

/// What was refused, each with its head.
fn told(setbacks: &[Setback<'_>]) -> String {
    let told = |setback: &Setback<'_>| format!("\nIn {}\n{}", plain(&setback.head), fenced(&setback.said));
    setbacks.iter().map(told).collect()
}

/// A text as it is, in a fence; nothing of an empty one.
fn fenced(text: &str) -> String {
    let said = safe_text::block(text.trim_end());
    if said.is_empty() {
        return String::new();
    }
    let fence = fence(&said);
    format!("\n{fence}text\n{said}\n{fence}\n")
}

/// A fence that no line of the text ends.
fn fence(text: &str) -> String {
    let mut longest = 0;
    let mut run = 0;
    for character in text.chars() {
        run = if character == '`' { run + 1 } else { 0 };
        longest = longest.max(run);
    }
    "`".repeat((longest + 1).max(3))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_text_is_markup() {
        assert_eq!(plain("a|b\n# <b>*c*</b>"), "a\\|b \\# &lt;b\\>\\*c\\*&lt;/b\\>");
        assert_eq!(plain("\u{202e}x\u{1b}[31m"), "\\\\u{202e}x\\\\u{1b}\\[31m");
        assert_eq!(fence("no"), "```");
        assert_eq!(fence("````x"), "`````");
    }
}
