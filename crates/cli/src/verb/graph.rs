//! `graph`: the tasks and what they wait for, as a picture.

use agent_team::TaskGraph;
use clap::{Args, ValueEnum};
use serde_json::json;

use crate::cli::Global;
use crate::exit::{Exit, Failure};
use crate::output::Output;

/// The arguments of `graph`.
#[derive(Debug, Args)]
#[command(
    about = "Show the tasks and what they wait for as a picture",
    long_about = "Print the tasks and what they wait for as a picture: in Mermaid's language, which many documents and forges show, in \
                  DOT for Graphviz, or drawn as SVG. With --json an object with the `format` and the `graph` as a text.",
    after_help = "Examples:\n  agent-team graph > tasks.mmd\n  agent-team graph --format dot | dot -Tpng -o tasks.png\n  \
                  agent-team graph --format svg > tasks.svg"
)]
pub struct Graph {
    /// How it is written
    #[arg(long, value_enum, value_name = "FORMAT", default_value_t)]
    format: Format,
}

/// How a graph is written.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum)]
enum Format {
    /// A flowchart for documents
    #[default]
    Mermaid,
    /// For Graphviz
    Dot,
    /// A picture
    Svg,
}

impl Graph {
    pub fn run(self, global: &Global, out: &mut Output) -> Result<Exit, Failure> {
        let graph = TaskGraph::of(&global.open()?.list_tasks()?);
        let (format, graph) = match self.format {
            Format::Mermaid => ("mermaid", graph.mermaid()),
            Format::Dot => ("dot", graph.dot()),
            Format::Svg => ("svg", graph.svg()),
        };
        out.answer(&json!({ "format": format, "graph": graph }), |out| out.block("", graph.trim_end()))?;
        Ok(Exit::Done)
    }
}
