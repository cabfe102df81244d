//! The report in Markdown. No text of an agent is markup in it.

use std::fmt::Write;

use super::{TeamReport, cost};
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
        let mut failed = self.failed().peekable();
        if failed.peek().is_some() {
            text += "\n## What failed, and why\n";
        }
        for (task, failure, said) in failed {
            let _ = write!(text, "\n### {}: {}\n\n{failure}\n", plain(task.id.as_str()), plain(&task.title));
            if !said.is_empty() {
                let said = safe_text::block(said.trim_end());
                let fence = fence(&said);
                let _ = write!(text, "\n{fence}text\n{said}\n{fence}\n");
            }
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
