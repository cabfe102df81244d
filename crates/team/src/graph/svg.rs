//! The graph as a picture, drawn here: in a page or a notebook, without a program that lays it out.

use std::fmt::Write;

use super::{Look, Node, TaskGraph, cut};
use crate::markup::escaped;

/// The size of a box, the gaps between boxes, and the edge of the picture, in pixels.
const WIDTH: usize = 220;
const HEIGHT: usize = 46;
const ACROSS: usize = 56;
const DOWN: usize = 14;
const MARGIN: usize = 8;
/// The room between a box and its text.
const PADDING: usize = 10;
/// How many letters fit into a box in most fonts; of text below it, which is smaller.
const LETTERS: usize = 32;
const SMALL_LETTERS: usize = 36;
/// The head of an arrow.
const ARROW: &str = "<defs><marker id=\"agent-team-arrow\" viewBox=\"0 0 8 8\" refX=\"8\" refY=\"4\" markerWidth=\"7\" \
                     markerHeight=\"7\" orient=\"auto\"><polygon points=\"0,0 8,4 0,8\" fill=\"#8a8f98\"/></marker></defs>\n";

/// Where a box stands.
#[derive(Clone, Copy, Default)]
struct Place {
    x: usize,
    y: usize,
}

impl TaskGraph {
    /// The picture, from left to right. It needs nothing from elsewhere and holds no style that a page around it would heed.
    pub fn svg(&self) -> String {
        let layers = self.layers();
        let rows = layers.iter().map(Vec::len).max().unwrap_or_default();
        let whole = rows * (HEIGHT + DOWN);
        let mut places = vec![Place::default(); self.nodes.len()];
        for (column, layer) in layers.iter().enumerate() {
            let top = MARGIN + (whole - layer.len() * (HEIGHT + DOWN)) / 2;
            for (row, place) in layer.iter().enumerate() {
                places[*place] =
                    Place { x: MARGIN + column * (WIDTH + ACROSS), y: top + row * (HEIGHT + DOWN) };
            }
        }
        let width = (layers.len() * (WIDTH + ACROSS)).saturating_sub(ACROSS) + 2 * MARGIN;
        let height = whole.saturating_sub(DOWN) + 2 * MARGIN;
        let mut text = format!(
            "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{width}\" height=\"{height}\" viewBox=\"0 0 {width} {height}\" \
             role=\"img\" aria-label=\"{} tasks and what they wait for\" font-family=\"sans-serif\" font-size=\"12\">\n",
            self.nodes.len()
        );
        text += ARROW;
        for (node, place) in self.nodes.iter().zip(&places) {
            for before in &node.before {
                draw_line(&mut text, places[*before], *place);
            }
        }
        for (node, place) in self.nodes.iter().zip(&places) {
            draw_box(&mut text, node, *place);
        }
        text + "</svg>\n"
    }
}

fn draw_line(text: &mut String, from: Place, to: Place) {
    let (x1, y1, x2, y2) = (from.x + WIDTH, from.y + HEIGHT / 2, to.x, to.y + HEIGHT / 2);
    let bend = usize::midpoint(x1, x2);
    let _ = writeln!(
        text,
        "<path d=\"M{x1} {y1}C{bend} {y1} {bend} {y2} {x2} {y2}\" fill=\"none\" stroke=\"#8a8f98\" \
         marker-end=\"url(#agent-team-arrow)\"/>"
    );
}

fn draw_box(text: &mut String, node: &Node, Place { x, y }: Place) {
    let look = Look::of(node.status);
    let (border, ground) = look.colours();
    let dashes = if look.is_dashed() { " stroke-dasharray=\"4 3\"" } else { "" };
    let agent = node.agent.as_ref().map(|agent| format!(" · {agent}")).unwrap_or_default();
    let below = format!("{} · {}{agent}", node.id, node.status);
    let (title, short) = (escaped(&node.title), escaped(&cut(&node.title, LETTERS)));
    let (below, short_below) = (escaped(&below), escaped(&cut(&below, SMALL_LETTERS)));
    let inner = WIDTH - 2 * PADDING;
    // A picture within the picture shows no more than its size, so a long title ends at the box.
    let _ = writeln!(
        text,
        "<g><title>{title}\n{below}</title>\
         <rect x=\"{x}\" y=\"{y}\" width=\"{WIDTH}\" height=\"{HEIGHT}\" rx=\"6\" fill=\"{ground}\" stroke=\"{border}\"{dashes}/>\
         <svg x=\"{}\" y=\"{y}\" width=\"{inner}\" height=\"{HEIGHT}\"><text y=\"19\" fill=\"#1c2128\">{short}</text>\
         <text y=\"36\" fill=\"{border}\" font-size=\"11\">{short_below}</text></svg></g>",
        x + PADDING
    );
}
