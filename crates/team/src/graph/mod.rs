//! Tasks and what they wait for, as a picture: for documents (Mermaid), for Graphviz (DOT), or drawn (SVG).
//!
//! Text of tasks is never markup: each form escapes it in its own way.

mod dot;
mod mermaid;
mod svg;

use std::collections::{BTreeMap, VecDeque};

use crate::command::clean_line;
use crate::view::TaskView;
use crate::{Status, TaskId};

/// How much of a title is shown, in characters, where a form has no width of its own.
const TITLE_CHARS: usize = 60;

/// Tasks, each with those before it: those that must be completed, and the one whose failure it plans anew.
///
/// ```
/// use agent_team::{NewTask, TaskGraph, TaskQueue};
///
/// let queue = TaskQueue::in_memory()?;
/// let write = queue.add_task("Write it")?;
/// queue.add_task(NewTask { after: vec![write.to_string()], ..NewTask::new("Read it") })?;
/// let graph = TaskGraph::of(&queue.list_tasks()?);
/// assert!(graph.mermaid().contains("n0 --> n1"));
/// # Ok::<(), agent_team::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TaskGraph {
    nodes: Vec<Node>,
}

/// One task.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Node {
    id: TaskId,
    title: String,
    status: Status,
    /// Who works on it, or has delivered it.
    agent: Option<String>,
    /// The tasks before it, by their places.
    before: Vec<usize>,
}

/// What the status of a task looks like. Whatever is under way looks alike.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Look {
    Waiting,
    Ready,
    UnderWay,
    Completed,
    Failed,
    Cancelled,
}

impl Look {
    const ALL: [Self; 6] =
        [Self::Waiting, Self::Ready, Self::UnderWay, Self::Completed, Self::Failed, Self::Cancelled];

    fn of(status: Status) -> Self {
        match status {
            Status::Blocked => Self::Waiting,
            Status::Ready => Self::Ready,
            Status::Running | Status::Verifying | Status::Reviewing | Status::Merging => Self::UnderWay,
            Status::Completed => Self::Completed,
            Status::Failed => Self::Failed,
            Status::Cancelled => Self::Cancelled,
        }
    }

    fn name(self) -> &'static str {
        match self {
            Self::Waiting => "waiting",
            Self::Ready => "ready",
            Self::UnderWay => "underWay",
            Self::Completed => "completed",
            Self::Failed => "failed",
            Self::Cancelled => "cancelled",
        }
    }

    /// The colours of its border and its ground.
    fn colours(self) -> (&'static str, &'static str) {
        match self {
            Self::Waiting | Self::Cancelled => ("#8a8f98", "#f1f2f4"),
            Self::Ready => ("#5b6470", "#ffffff"),
            Self::UnderWay => ("#2b64b8", "#e4eefb"),
            Self::Completed => ("#2f7d4f", "#e3f4e8"),
            Self::Failed => ("#b3373f", "#fbe5e6"),
        }
    }

    fn is_dashed(self) -> bool {
        matches!(self, Self::Waiting | Self::Cancelled)
    }
}

impl TaskGraph {
    /// The graph of these tasks. What one of them waits for beside them is left out.
    pub fn of(tasks: &[TaskView]) -> Self {
        let places: BTreeMap<&TaskId, usize> =
            tasks.iter().enumerate().map(|(place, task)| (&task.id, place)).collect();
        let node = |task: &TaskView| Node {
            id: task.id.clone(),
            title: clean_line(task.title.as_bytes()),
            status: task.status,
            agent: task.agent.as_ref().or(task.author.as_ref()).map(ToString::to_string),
            // What plans a failure anew comes after it.
            before: task.after.iter().chain(&task.replans).filter_map(|on| places.get(on).copied()).collect(),
        };
        Self { nodes: tasks.iter().map(node).collect() }
    }

    /// How many tasks it shows.
    pub fn len(&self) -> usize {
        self.nodes.len()
    }

    /// Whether it shows none.
    pub fn is_empty(&self) -> bool {
        self.nodes.is_empty()
    }

    /// The tasks by how many others stand before them, one after the other, as places in what was given. Within a layer they stand
    /// near those that they wait for.
    pub fn layers(&self) -> Vec<Vec<usize>> {
        let mut layers: Vec<Vec<usize>> = Vec::new();
        for (place, depth) in self.depths().into_iter().enumerate() {
            if layers.len() <= depth {
                layers.resize(depth + 1, Vec::new());
            }
            layers[depth].push(place);
        }
        // How high each stands: half of its layer above the middle, and half below.
        let mut heights = vec![0.0_f64; self.nodes.len()];
        for layer in &mut layers {
            layer.sort_by(|one, other| {
                self.middle_before(*one, &heights).total_cmp(&self.middle_before(*other, &heights))
            });
            let mut height = -half(layer.len());
            for place in layer {
                heights[*place] = height;
                height += 1.0;
            }
        }
        layers
    }

    /// How many tasks stand before each, one after the other.
    fn depths(&self) -> Vec<usize> {
        let mut after: Vec<Vec<usize>> = vec![Vec::new(); self.nodes.len()];
        let mut open: Vec<usize> = Vec::with_capacity(self.nodes.len());
        for (place, node) in self.nodes.iter().enumerate() {
            open.push(node.before.len());
            node.before.iter().for_each(|before| after[*before].push(place));
        }
        let mut depths = vec![0; self.nodes.len()];
        let mut free: VecDeque<usize> = (0..open.len()).filter(|place| open[*place] == 0).collect();
        while let Some(place) = free.pop_front() {
            for later in &after[place] {
                depths[*later] = depths[*later].max(depths[place] + 1);
                open[*later] -= 1;
                if open[*later] == 0 {
                    free.push_back(*later);
                }
            }
        }
        depths
    }

    /// The middle of those before a task.
    fn middle_before(&self, place: usize, heights: &[f64]) -> f64 {
        let before = &self.nodes[place].before;
        let sum: f64 = before.iter().map(|before| heights[*before]).sum();
        if before.is_empty() { 0.0 } else { sum / (2.0 * half(before.len())) }
    }
}

#[expect(clippy::cast_precision_loss, reason = "there are no 2^52 tasks")]
fn half(count: usize) -> f64 {
    count as f64 / 2.0
}

/// The beginning of a text, so many characters at most.
fn cut(text: &str, most: usize) -> String {
    match text.char_indices().nth(most) {
        None => text.to_owned(),
        Some(_) => text.chars().take(most.saturating_sub(1)).chain(['…']).collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{AgentId, NewTask, TaskQueue};

    /// A team's tasks: `b` and `c` after `a`, `d` after both, and `e` by itself.
    fn queue(titles: [&str; 5]) -> TaskQueue {
        let queue = TaskQueue::in_memory().unwrap();
        let tasks = ["a", "b", "c", "d", "e"].iter().zip(titles).map(|(id, title)| {
            let after: &[&str] = match *id {
                "b" | "c" => &["a"],
                "d" => &["b", "c", "a"],
                _ => &[],
            };
            let after = after.iter().map(|id| id.parse().unwrap()).collect();
            NewTask { id: Some(id.parse().unwrap()), after, ..NewTask::new(title) }
        });
        queue.add_tasks(&AgentId::human(), &tasks.collect::<Vec<_>>()).unwrap();
        queue
    }

    fn plain() -> TaskGraph {
        TaskGraph::of(&queue(["A", "B", "C", "D", "E"]).list_tasks().unwrap())
    }

    #[test]
    fn a_task_stands_behind_the_last_of_those_that_it_waits_for() {
        assert_eq!(plain().layers(), [vec![0, 4], vec![1, 2], vec![3]]);
        assert_eq!(TaskGraph::of(&[]).layers(), Vec::<Vec<usize>>::new());
    }

    #[test]
    fn a_chain_of_thousands_is_laid_out_in_no_time() {
        let queue = TaskQueue::in_memory().unwrap();
        let task = |number: u32| {
            let after = number.checked_sub(1).map(|before| format!("t{before}").parse().unwrap());
            let id = Some(format!("t{number}").parse().unwrap());
            NewTask { id, after: after.into_iter().collect(), ..NewTask::new("Next") }
        };
        queue.add_tasks(&AgentId::human(), &(0..3_000).map(task).collect::<Vec<_>>()).unwrap();
        assert_eq!(TaskGraph::of(&queue.list_tasks().unwrap()).layers().len(), 3_000);
    }

    #[test]
    fn a_line_over_several_layers_passes_below_what_stands_between() {
        let svg = plain().svg();
        // From `a` to `d` it passes the layer of `b` and `c`.
        let passing: Vec<_> =
            svg.lines().filter(|line| line.contains('H') && line.starts_with("<path")).collect();
        let [line] = passing[..] else { panic!("{svg}") };
        let height = line.split('H').next().unwrap().rsplit(' ').next().unwrap().parse::<usize>().unwrap();
        let boxes = svg.split("<rect x=\"284\" y=\"").skip(1);
        let tops = boxes.map(|rest| rest.split('"').next().unwrap().parse::<usize>().unwrap());
        assert!(tops.clone().count() == 2 && tops.max().unwrap() + 46 < height, "{svg}");
    }

    #[test]
    fn every_form_shows_every_task_and_what_it_waits_for() {
        let graph = plain();
        for (form, line) in [(graph.mermaid(), " --> "), (graph.dot(), " -> "), (graph.svg(), "<path ")] {
            assert_eq!(form.matches(line).count(), 5, "{form}");
            for title in ["A", "B", "C", "D", "E"] {
                assert!(form.contains(title), "{form}");
            }
        }
    }

    #[test]
    fn text_is_markup_in_no_form() {
        let odd = [
            "</text><script>alert(1)</script>",
            "\"] --> n9[\"",
            "a\\\" b\n\u{1b}[31m",
            "`#quot;&amp;",
            "\u{0}\u{ffff}",
        ];
        let mut tasks = queue(["A", "B", "C", "D", "E"]).list_tasks().unwrap();
        tasks.iter_mut().zip(odd).for_each(|(task, title)| task.title = title.to_owned());
        let graph = TaskGraph::of(&tasks);
        let (mermaid, dot, svg) = (graph.mermaid(), graph.dot(), graph.svg());
        assert!(!svg.contains("<script") && svg.contains("&lt;script"), "{svg}");
        assert!(!svg.contains(['\u{0}', '\u{ffff}', '\u{1b}']), "no XML may hold these: {svg}");
        assert!(!mermaid.contains("<script") && !mermaid.contains("n9["), "{mermaid}");
        assert_eq!(mermaid.lines().filter(|line| line.contains("[\"")).count(), 5, "{mermaid}");
        let unescaped = dot.replace("\\\\", "").replace("\\\"", "");
        assert_eq!(dot.lines().filter(|line| line.contains("label=")).count(), 5, "{dot}");
        for line in unescaped.lines() {
            assert_eq!(line.matches('"').count() % 2, 0, "{line}");
        }
    }

    #[test]
    fn who_works_on_a_task_and_how_it_stands_is_shown() {
        let queue = queue(["A", "B", "C", "D", "E"]);
        let worker = "worker-1".parse().unwrap();
        let claimed = queue.claim_task(&worker).unwrap().unwrap();
        let graph = TaskGraph::of(&queue.list_tasks().unwrap());
        assert!(graph.svg().contains("a · running · worker-1"), "{}", graph.svg());
        assert!(graph.mermaid().contains(":::underWay"), "{}", graph.mermaid());
        queue.complete(claimed.token, &worker, "done", None, Vec::new()).unwrap();
        let graph = TaskGraph::of(&queue.list_tasks().unwrap());
        assert!(graph.dot().contains("#e3f4e8"), "{}", graph.dot());
    }
}
