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
/// The room of a line that passes a layer, and how many such places are drawn at most: of more nobody sees where one leads.
const PASS: usize = 12;
const PASSES_MAX: usize = 5_000;
/// How many letters fit into a box in most fonts; of text below it, which is smaller.
const LETTERS: usize = 32;
const SMALL_LETTERS: usize = 36;
/// The head of an arrow.
const ARROW: &str = "<defs><marker id=\"agent-team-arrow\" viewBox=\"0 0 8 8\" refX=\"8\" refY=\"4\" markerWidth=\"7\" \
                     markerHeight=\"7\" orient=\"auto\"><polygon points=\"0,0 8,4 0,8\" fill=\"#8a8f98\"/></marker></defs>\n";

/// Where something stands.
#[derive(Clone, Copy, Default)]
struct Place {
    x: usize,
    y: usize,
}

/// What stands in a layer, from top to bottom.
#[derive(Clone, Copy)]
enum Slot {
    /// A task.
    Task(usize),
    /// A line that passes on its way to a later layer, by its number.
    Line(usize),
}

/// A line from one task to another, with where it passes the layers between.
struct Line {
    from: usize,
    to: usize,
    passes: Vec<Place>,
}

impl TaskGraph {
    /// The picture, from left to right. It needs nothing from elsewhere and holds no style that a page around it would heed.
    pub fn svg(&self) -> String {
        let layers = self.layers();
        let mut lines = self.lines();
        let columns = columns(&layers, &lines);
        let room = |slot: &Slot| match slot {
            Slot::Task(_) => HEIGHT + DOWN,
            Slot::Line(_) => PASS,
        };
        let heights: Vec<usize> = columns.iter().map(|column| column.iter().map(room).sum()).collect();
        let whole = heights.iter().copied().max().unwrap_or_default();
        let mut places = vec![Place::default(); self.nodes.len()];
        for (number, (column, height)) in columns.iter().zip(heights).enumerate() {
            let (x, mut y) = (MARGIN + number * (WIDTH + ACROSS), MARGIN + (whole - height) / 2);
            for slot in column {
                match *slot {
                    Slot::Task(place) => places[place] = Place { x, y },
                    Slot::Line(line) => lines[line].passes.push(Place { x, y: y + PASS / 2 }),
                }
                y += room(slot);
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
        for line in &lines {
            draw_line(&mut text, places[line.from], &line.passes, places[line.to]);
        }
        for (node, place) in self.nodes.iter().zip(&places) {
            draw_box(&mut text, node, *place);
        }
        text + "</svg>\n"
    }

    fn lines(&self) -> Vec<Line> {
        let all = self.nodes.iter().enumerate();
        let lines = all.flat_map(|(to, node)| {
            node.before.iter().map(move |from| Line { from: *from, to, passes: Vec::new() })
        });
        lines.collect()
    }
}

/// The layers with the lines that pass each of them, below its tasks: so none runs behind a box, as if it ended there.
fn columns(layers: &[Vec<usize>], lines: &[Line]) -> Vec<Vec<Slot>> {
    let mut columns: Vec<Vec<Slot>> =
        layers.iter().map(|layer| layer.iter().map(|place| Slot::Task(*place)).collect()).collect();
    let mut depths = vec![0; layers.iter().map(Vec::len).sum()];
    for (depth, layer) in layers.iter().enumerate() {
        layer.iter().for_each(|place| depths[*place] = depth);
    }
    let passed = |line: &Line| depths[line.from] + 1..depths[line.to];
    if lines.iter().map(|line| passed(line).len()).sum::<usize>() <= PASSES_MAX {
        for (number, line) in lines.iter().enumerate() {
            passed(line).for_each(|depth| columns[depth].push(Slot::Line(number)));
        }
    }
    columns
}

fn draw_line(text: &mut String, from: Place, passes: &[Place], to: Place) {
    let (mut x, mut y) = (from.x + WIDTH, from.y + HEIGHT / 2);
    let _ = write!(text, "<path d=\"M{x} {y}");
    let end = Place { x: to.x, y: to.y + HEIGHT / 2 };
    for next in passes.iter().copied().chain([end]) {
        let bend = usize::midpoint(x, next.x);
        let _ = write!(text, "C{bend} {y} {bend} {} {} {}", next.y, next.x, next.y);
        (x, y) = (next.x, next.y);
        // Along the layer that it passes.
        if x != end.x {
            x += WIDTH;
            let _ = write!(text, "H{x}");
        }
    }
    let _ = writeln!(text, "\" fill=\"none\" stroke=\"#8a8f98\" marker-end=\"url(#agent-team-arrow)\"/>");
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
