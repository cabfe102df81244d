//! The graph in DOT, the language of Graphviz (<https://graphviz.org/doc/info/lang.html>).

use std::fmt::Write;

use super::{Look, Node, TITLE_CHARS, TaskGraph, cut};

impl TaskGraph {
    /// A directed graph from left to right.
    pub fn dot(&self) -> String {
        let mut text = "digraph tasks {\n    rankdir=LR;\n    node [shape=box, style=\"rounded,filled\", \
                        fontname=\"sans-serif\", fontsize=11];\n    edge [color=\"#8a8f98\"];\n"
            .to_owned();
        for node in &self.nodes {
            let look = Look::of(node.status);
            let (border, ground) = look.colours();
            let style = if look.is_dashed() { ", style=\"rounded,filled,dashed\"" } else { "" };
            let _ = writeln!(
                text,
                "    {} [label={}, color=\"{border}\", fillcolor=\"{ground}\"{style}];",
                quoted(node.id.as_str()),
                label(node)
            );
        }
        for node in &self.nodes {
            for before in node.before.iter().filter_map(|before| self.nodes.get(*before)) {
                let _ = writeln!(text, "    {} -> {};", quoted(before.id.as_str()), quoted(node.id.as_str()));
            }
        }
        text + "}\n"
    }
}

fn label(node: &Node) -> String {
    let agent = node.agent.as_ref().map(|agent| format!(" · {agent}")).unwrap_or_default();
    let (title, id) = (escaped(&cut(&node.title, TITLE_CHARS)), escaped(node.id.as_str()));
    // `\n` is a new line within a label.
    format!("\"{title}\\n{id} · {}{agent}\"", node.status)
}

fn quoted(text: &str) -> String {
    format!("\"{}\"", escaped(text))
}

fn escaped(text: &str) -> String {
    text.replace('\\', "\\\\").replace('"', "\\\"")
}
