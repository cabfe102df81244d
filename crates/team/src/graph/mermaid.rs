//! The graph in Mermaid's language (<https://mermaid.js.org/syntax/flowchart.html>), which many documents show as a picture.

use std::fmt::Write;

use super::{Look, Node, TITLE_CHARS, TaskGraph, cut};

impl TaskGraph {
    /// A flowchart from left to right.
    pub fn mermaid(&self) -> String {
        let mut text = "flowchart LR\n".to_owned();
        for (place, node) in self.nodes.iter().enumerate() {
            let look = Look::of(node.status).name();
            let _ = writeln!(text, "    n{place}[\"{}\"]:::{look}", label(node));
        }
        for (place, node) in self.nodes.iter().enumerate() {
            for before in &node.before {
                let _ = writeln!(text, "    n{before} --> n{place}");
            }
        }
        for look in Look::ALL {
            let (border, ground) = look.colours();
            let dashes = if look.is_dashed() { ",stroke-dasharray:4 3" } else { "" };
            let _ = writeln!(
                text,
                "    classDef {} fill:{ground},stroke:{border},color:#1c2128{dashes}",
                look.name()
            );
        }
        text
    }
}

fn label(node: &Node) -> String {
    let agent = node.agent.as_ref().map(|agent| format!(" · {agent}")).unwrap_or_default();
    let below = format!("{} · {}{agent}", node.id, node.status);
    format!("{}<br/>{}", escaped(&cut(&node.title, TITLE_CHARS)), escaped(&below))
}

/// Mermaid knows characters by their numbers, as HTML does, with `#` in the place of `&#`.
fn escaped(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            _ if character.is_alphanumeric() || " .,:;!?()/+-_·…'".contains(character) => {
                escaped.push(character);
            }
            _ => {
                let _ = write!(escaped, "#{};", u32::from(character));
            }
        }
    }
    escaped
}
