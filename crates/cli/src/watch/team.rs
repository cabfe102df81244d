//! The team as the view has it: its picture, and what is found in it quickly. Made once for each change of the log, on another
//! thread, so that no frame looks at all tasks.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};

use agent_team::view::{MessageView, RowView};
use agent_team::{AgentId, Doing, HUMAN, Recipient, RecordId, Status, TaskId};

use super::tree::Tree;
use crate::view::{AgentRow, Picture};

/// So many agents are seen at once. Of more those at work stand first; few stay where they are.
const FEW_AGENTS: usize = 12;

/// How many merges are listed.
const MERGES: usize = 200;

/// The columns of the board, with the statuses in each.
pub const COLUMNS: [(&str, &[Status]); 6] = [
    ("blocked", &[Status::Blocked]),
    ("ready", &[Status::Ready]),
    ("running", &[Status::Running]),
    ("proving", &[Status::Verifying, Status::Reviewing, Status::Merging]),
    ("completed", &[Status::Completed]),
    ("failed", &[Status::Failed, Status::Cancelled]),
];

/// The order of the columns where they stand below each other: what goes on first.
pub const LISTED: [usize; 6] = [2, 3, 1, 5, 0, 4];

/// A picture of the team, and where in it things are.
#[derive(Debug)]
pub struct Team {
    /// The picture.
    pub picture: Picture,
    /// The place of each task.
    places: BTreeMap<TaskId, usize>,
    /// The tasks in each column of the board, by place.
    pub columns: [Vec<usize>; COLUMNS.len()],
    /// The tasks and what they wait for.
    pub tree: Tree,
    /// The agents in the order in which they are shown: who needs somebody first, who has left last.
    pub agents: Vec<usize>,
    /// How many of these are shown unasked: of many agents those that have something to do, or need somebody.
    pub shown: usize,
    /// What is being proved or merged, in the order in which it came there.
    pub proving: Vec<usize>,
    /// What was completed last, newest first.
    pub completed: Vec<usize>,
    /// The tasks at which somebody waits for an answer of the human.
    pub asking: BTreeSet<TaskId>,
    /// The messages that somebody has answered.
    pub answered: BTreeSet<RecordId>,
    /// What waits for the human, oldest kind first.
    pub calls: Vec<Call>,
}

/// Something that waits for whoever sits at the terminal.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Call {
    /// A plan is to be judged.
    Plan(TaskId),
    /// A question is to be answered.
    Question(RecordId),
    /// A result is to be judged.
    Review(TaskId),
}

impl Team {
    /// What is found in a picture.
    pub fn of(picture: Picture) -> Self {
        let tasks = &picture.tasks;
        let places: BTreeMap<TaskId, usize> =
            tasks.iter().enumerate().map(|(place, task)| (task.id.clone(), place)).collect();
        let mut columns: [Vec<usize>; COLUMNS.len()] = Default::default();
        for (place, task) in tasks.iter().enumerate() {
            let column = COLUMNS.iter().position(|(_, statuses)| statuses.contains(&task.status));
            if let Some(column) = column.and_then(|column| columns.get_mut(column)) {
                column.push(place);
            }
        }
        let since = |place: &usize| tasks.get(*place).map_or(0, |task| task.since_ms);
        let [_, ready, running, proving, completed, failed] = &mut columns;
        ready.sort_by_key(|place| Reverse(tasks.get(*place).map_or(0, |task| task.priority)));
        running.sort_by_key(since);
        proving.sort_by_key(since);
        completed.sort_by_key(|place| Reverse((since(place), *place)));
        failed.sort_by_key(|place| Reverse((since(place), *place)));
        let (proving, completed) = (proving.clone(), completed.iter().copied().take(MERGES).collect());
        let tree = Tree::of(tasks, &places);
        let mut agents: Vec<usize> = (0..picture.agents.len()).collect();
        let is_large = agents.len() > FEW_AGENTS;
        agents.sort_by_key(|place| picture.agents.get(*place).map(|row| rank(row, is_large)));
        let idle =
            agents.iter().filter(|place| picture.agents.get(**place).is_some_and(|row| rank(row, true) >= 2));
        let busy = agents.len() - idle.count();
        let shown = if is_large && busy > 0 { busy } else { agents.len() };
        let questions = picture.messages.iter().filter(|message| picture.questions.contains(&message.id));
        let asking = questions.filter(|asked| is_for_human(asked)).filter_map(|asked| asked.task.clone());
        let asking = asking.collect();
        let answered = picture.messages.iter().filter_map(|message| message.reply_to).collect();
        let calls = calls(&picture, &places);
        Self { places, columns, tree, agents, shown, proving, completed, asking, answered, calls, picture }
    }

    /// A task by its place.
    pub fn task(&self, place: usize) -> Option<&RowView> {
        self.picture.tasks.get(place)
    }

    /// The place of a task.
    pub fn place(&self, task: &TaskId) -> Option<usize> {
        self.places.get(task).copied()
    }

    /// A task by its id.
    pub fn task_of(&self, task: &TaskId) -> Option<&RowView> {
        self.place(task).and_then(|place| self.task(place))
    }

    /// An agent by its name.
    pub fn agent(&self, agent: &AgentId) -> Option<&AgentRow> {
        self.picture.agents.iter().find(|row| row.agent.id == *agent)
    }

    /// A message by its id.
    pub fn message(&self, message: RecordId) -> Option<&MessageView> {
        self.picture.messages.iter().find(|known| known.id == message)
    }

    /// To whom something can be said.
    pub fn recipients(&self) -> Vec<String> {
        let agents =
            self.picture.agents.iter().filter(|row| !row.agent.left && row.agent.id.as_str() != HUMAN);
        let roles: BTreeSet<String> = agents.clone().map(|row| format!("role:{}", row.agent.role)).collect();
        let names = agents.map(|row| row.agent.id.to_string());
        std::iter::once("everyone".to_owned()).chain(names).chain(roles).collect()
    }

    /// Whether the whole team is held up.
    pub fn is_paused(&self) -> bool {
        self.picture.pauses.iter().any(|pause| pause.agent.is_none())
    }
}

/// Where an agent stands among the others: who needs somebody first, who is gone last.
fn rank(row: &AgentRow, is_large: bool) -> u8 {
    match row.doing {
        // The head says it, and nothing more comes of it.
        _ if !row.agent.left_because.is_empty() => 3,
        Doing::WaitingForHuman | Doing::Stuck | Doing::Dead => 0,
        Doing::Left => 4,
        _ if !is_large => 1,
        Doing::Gone | Doing::Stopped => 3,
        _ if row.agent.holds.is_empty() => 2,
        _ => 1,
    }
}

fn is_for_human(message: &MessageView) -> bool {
    matches!(&message.to, Recipient::Agent(to) if to.as_str() == HUMAN)
}

fn calls(picture: &Picture, places: &BTreeMap<TaskId, usize>) -> Vec<Call> {
    let task = |id: &TaskId| places.get(id).and_then(|place| picture.tasks.get(*place));
    // A plan that an agent judges is that agent's as long as it waits for it.
    let is_anothers = |id: &TaskId| {
        let holder = task(id).and_then(|task| task.agent.as_ref());
        let row = holder.and_then(|holder| picture.agents.iter().find(|row| row.agent.id == *holder));
        row.is_some_and(|row| row.doing == Doing::WaitingForAgent)
    };
    let plans = picture.plans.iter().filter(|id| !is_anothers(id)).cloned().map(Call::Plan);
    let is_humans = |id: &&RecordId| {
        let asked = picture.messages.iter().find(|message| message.id == **id);
        asked.is_none_or(is_for_human)
    };
    let questions = picture.questions.iter().filter(is_humans).copied().map(Call::Question);
    let is_review = |waiting: &&agent_team::view::Waiting| {
        waiting.status == Status::Reviewing && waiting.reason.contains("the human")
    };
    let reviews = picture.stuck.iter().filter(is_review).map(|waiting| Call::Review(waiting.task.clone()));
    plans.chain(questions).chain(reviews).collect()
}
