//! What each view lists, and which of it is selected. Made when the team, the filter or what is folded changes, and never for a
//! frame.
//!
//! What is selected stays selected when it moves: who watches a task sees where it goes.

use std::collections::BTreeSet;

use agent_team::view::{MessageView, RowView};
use agent_team::{AgentId, RecordId, TaskId};

use super::team::{COLUMNS, LISTED, Team};
use super::tree::Row;
use crate::view::AgentRow;

/// What each view lists, by place in the picture.
#[derive(Debug, Default)]
pub struct Lists {
    /// The agents.
    pub agents: Vec<usize>,
    /// The columns of the board.
    pub columns: [Vec<usize>; COLUMNS.len()],
    /// The rows of the tree.
    pub rows: Vec<Row>,
    /// The messages.
    pub messages: Vec<usize>,
    /// What is being proved, then what was completed.
    pub merges: Vec<usize>,
    /// What is selected in each.
    pub at: At,
}

/// What is selected.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct At {
    /// The agent.
    pub agent: usize,
    /// The column of the board, and the task in it.
    pub board: (usize, usize),
    /// The row of the tree.
    pub row: usize,
    /// The message.
    pub message: usize,
    /// The merge.
    pub merge: usize,
}

impl Lists {
    /// The lists of a team, with what a filter leaves; of many agents those with nothing to do only if they are wanted.
    pub fn of(team: &Team, filter: &str, folded: &BTreeSet<TaskId>, shows_idle: bool) -> Self {
        let wanted = filter.to_lowercase();
        let shown = if shows_idle || !wanted.is_empty() { team.agents.len() } else { team.shown };
        let is_task = |place: &usize| team.task(*place).is_some_and(|task| holds_task(task, &wanted));
        let tasks = |places: &[usize]| -> Vec<usize> {
            if wanted.is_empty() { places.to_vec() } else { places.iter().copied().filter(is_task).collect() }
        };
        let agents = team.agents.iter().copied().take(shown);
        let is_agent = |place: &usize| {
            team.picture.agents.get(*place).is_some_and(|row| wanted.is_empty() || holds_agent(row, &wanted))
        };
        let messages = 0..team.picture.messages.len();
        let is_message = |place: &usize| {
            let message = team.picture.messages.get(*place);
            message.is_some_and(|message| wanted.is_empty() || holds_message(message, &wanted))
        };
        let mut merges = tasks(&team.proving);
        merges.extend(tasks(&team.completed));
        Self {
            agents: agents.filter(is_agent).collect(),
            columns: std::array::from_fn(|column| {
                tasks(team.columns.get(column).map_or(&[][..], Vec::as_slice))
            }),
            // A tree with holes would be none: what is wanted is looked for in it, and nothing is left out.
            rows: team.tree.rows(&team.picture.tasks, folded),
            messages: messages.filter(is_message).collect(),
            merges,
            at: At::default(),
        }
    }

    /// The same, and what was selected before is selected still.
    pub fn after(mut self, team: &Team, before: &Self, team_before: &Team) -> Self {
        let at = before.at;
        let agent = before.agent(team_before).and_then(|agent| {
            self.agents.iter().position(|place| {
                team.picture.agents.get(*place).is_some_and(|row| row.agent.id == agent.agent.id)
            })
        });
        let place = |task: Option<&RowView>| task.and_then(|task| team.place(&task.id));
        let board = place(before.board_task(team_before)).and_then(|place| {
            let mut columns = self.columns.iter().enumerate();
            columns.find_map(|(column, tasks)| Some((column, tasks.iter().position(|task| *task == place)?)))
        });
        let node = place(before.row_task(team_before));
        let row = node.and_then(|place| self.rows.iter().position(|row| row.task == place));
        // Whoever is at the newest message follows what comes.
        let at_newest = at.message + 1 >= before.messages.len();
        let known = before.message(team_before).map(|message| message.id).filter(|_| !at_newest);
        let message = known.and_then(|id| {
            let is_it =
                |place: &usize| team.picture.messages.get(*place).is_some_and(|message| message.id == id);
            self.messages.iter().position(is_it)
        });
        let merged = place(before.merge_task(team_before));
        let merge = merged.and_then(|place| self.merges.iter().position(|task| *task == place));
        self.at = At {
            agent: agent.unwrap_or(at.agent),
            board: board.unwrap_or(at.board),
            row: row.unwrap_or(at.row),
            message: message.unwrap_or(if at_newest { usize::MAX } else { at.message }),
            merge: merge.unwrap_or(at.merge),
        };
        self.settle();
        self
    }

    /// Keeps what is selected within what there is.
    pub fn settle(&mut self) {
        let within = |at: usize, count: usize| at.min(count.saturating_sub(1));
        let (column, row) = self.at.board;
        let column = within(column, self.columns.len());
        let count = self.columns.get(column).map_or(0, Vec::len);
        self.at = At {
            agent: within(self.at.agent, self.agents.len()),
            board: (column, within(row, count)),
            row: within(self.at.row, self.rows.len()),
            message: within(self.at.message, self.messages.len()),
            merge: within(self.at.merge, self.merges.len()),
        };
    }

    /// To a column of the board that holds something, if the present one holds nothing.
    pub fn find_something(&mut self) {
        let holds = |column: usize| self.columns.get(column).is_some_and(|tasks| !tasks.is_empty());
        if !holds(self.at.board.0)
            && let Some(column) = LISTED.into_iter().find(|column| holds(*column))
        {
            self.at.board = (column, 0);
        }
    }

    /// The agent that is selected.
    pub fn agent<'a>(&self, team: &'a Team) -> Option<&'a AgentRow> {
        self.agents.get(self.at.agent).and_then(|place| team.picture.agents.get(*place))
    }

    /// The task that is selected on the board.
    pub fn board_task<'a>(&self, team: &'a Team) -> Option<&'a RowView> {
        let (column, row) = self.at.board;
        self.columns.get(column).and_then(|tasks| tasks.get(row)).and_then(|place| team.task(*place))
    }

    /// The task that is selected in the tree.
    pub fn row_task<'a>(&self, team: &'a Team) -> Option<&'a RowView> {
        self.rows.get(self.at.row).and_then(|row| team.task(row.task))
    }

    /// The message that is selected.
    pub fn message<'a>(&self, team: &'a Team) -> Option<&'a MessageView> {
        self.messages.get(self.at.message).and_then(|place| team.picture.messages.get(*place))
    }

    /// The task that is selected in the merge queue.
    pub fn merge_task<'a>(&self, team: &'a Team) -> Option<&'a RowView> {
        self.merges.get(self.at.merge).and_then(|place| team.task(*place))
    }

    /// Selects an agent.
    pub fn select_agent(&mut self, team: &Team, agent: &AgentId) -> bool {
        let is_it = |place: &usize| team.picture.agents.get(*place).is_some_and(|row| row.agent.id == *agent);
        let found = self.agents.iter().position(is_it);
        self.at.agent = found.unwrap_or(self.at.agent);
        found.is_some()
    }

    /// Selects a message.
    pub fn select_message(&mut self, team: &Team, message: RecordId) {
        let is_it =
            |place: &usize| team.picture.messages.get(*place).is_some_and(|known| known.id == message);
        self.at.message = self.messages.iter().position(is_it).unwrap_or(self.at.message);
    }

    /// Moves in the list of the board where its columns stand below each other.
    pub fn move_in_list(&mut self, by: isize) {
        let (column, row) = self.at.board;
        let place = LISTED.iter().position(|listed| *listed == column).unwrap_or(0);
        let count = |listed: usize| {
            LISTED.get(listed).and_then(|column| self.columns.get(*column)).map_or(0, Vec::len)
        };
        let before: usize = (0..place).map(count).sum();
        let all: usize = (0..LISTED.len()).map(count).sum();
        let mut at = (before + row).saturating_add_signed(by).min(all.saturating_sub(1));
        for (listed, column) in LISTED.into_iter().enumerate() {
            if at < count(listed) {
                self.at.board = (column, at);
                return;
            }
            at -= count(listed);
        }
    }
}

/// Whether a task is wanted, by what is written in lower case.
pub fn holds_task(task: &RowView, wanted: &str) -> bool {
    let agent = task.agent.as_ref().or(task.for_agent.as_ref());
    holds(task.id.as_str(), wanted)
        || holds(&task.title, wanted)
        || holds(task.status.as_str(), wanted)
        || agent.is_some_and(|agent| holds(agent.as_str(), wanted))
        || task.labels.iter().any(|label| holds(label, wanted))
}

fn holds_agent(row: &AgentRow, wanted: &str) -> bool {
    holds(row.agent.id.as_str(), wanted)
        || holds(&row.words, wanted)
        || holds(&row.agent.role.to_string(), wanted)
        || row.agent.skills.iter().any(|skill| holds(skill.as_str(), wanted))
        || holds(super::theme::of_agent(row).2, wanted)
        || !row.agent.holds.is_empty() && holds("working", wanted)
}

fn holds_message(message: &MessageView, wanted: &str) -> bool {
    holds(message.from.as_str(), wanted)
        || holds(&message.to.to_string(), wanted)
        || holds(&message.text.preview(), wanted)
}

/// Whether a text holds another one, which is in lower case.
fn holds(text: &str, wanted: &str) -> bool {
    if !text.is_ascii() {
        return text.to_lowercase().contains(wanted);
    }
    let (text, wanted) = (text.as_bytes(), wanted.as_bytes());
    wanted.is_empty() || text.windows(wanted.len()).any(|window| window.eq_ignore_ascii_case(wanted))
}
