//! `report`: what a team did, as a document.

use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

use clap::Args;
use serde_json::json;

use crate::cli::Global;
use crate::exit::{Exit, Failure};
use crate::output::Output;
use crate::team_report::TeamReport;
use crate::time::milliseconds;

/// The arguments of `report`.
#[derive(Debug, Args)]
#[command(
    about = "Tell what the team did, as a document",
    long_about = "Tell what was asked of the team, who did what and when, what it cost, and what failed and why: as one page of HTML \
                  that needs nothing from elsewhere, in Markdown, or both. Without a file the Markdown is printed. It tells of the \
                  team as it is now, in the middle of a run as well.",
    after_help = "Examples:\n  agent-team report\n  agent-team report --html report.html\n  \
                  agent-team report --markdown report.md --html report.html"
)]
pub struct Report {
    /// Write a page of HTML into this file
    #[arg(long, value_name = "FILE")]
    html: Option<PathBuf>,
    /// Write Markdown into this file
    #[arg(long, value_name = "FILE")]
    markdown: Option<PathBuf>,
}

impl Report {
    pub fn run(self, global: &Global, out: &mut Output) -> Result<Exit, Failure> {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let report = TeamReport::of(&global.open()?, milliseconds(now))?;
        if self.html.is_none() && self.markdown.is_none() {
            let markdown = report.markdown();
            out.answer(&json!({ "markdown": markdown }), |out| out.block("", markdown.trim_end()))?;
            return Ok(Exit::Done);
        }
        let (html, markdown) = (|| report.html(), || report.markdown());
        let written = [
            self.html.as_deref().map(|file| write(file, &html())).transpose()?,
            self.markdown.as_deref().map(|file| write(file, &markdown())).transpose()?,
        ];
        let written: Vec<_> = written.into_iter().flatten().collect();
        out.answer(&json!({ "files": written }), |out| {
            written.iter().try_for_each(|file| out.line(&format!("Wrote {file}")))
        })?;
        Ok(Exit::Done)
    }
}

/// Writes a file, and gives its name.
fn write(file: &Path, text: &str) -> Result<String, Failure> {
    let name = file.display().to_string();
    std::fs::write(file, text).map_err(|error| Failure::io(&name, &error))?;
    Ok(name)
}
