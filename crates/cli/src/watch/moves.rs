//! Moving about: by keys and by the mouse. How far a page is, and what stands beside what, is as it was drawn last.

use crossterm::event::{MouseButton, MouseEvent, MouseEventKind};
use ratatui::layout::Position;

use super::ask::Ask;
use super::keys::{Action, Place};
use super::screen::{Hit, Screen};
use super::team::COLUMNS;

/// How many lines the wheel moves.
const WHEEL_LINES: isize = 3;
/// Far enough to be at an end.
const FAR: isize = isize::MAX / 2;

impl Screen {
    /// Moves as a key says.
    pub fn moves(&mut self, action: Action) {
        if let Some(page) = self.pages.last_mut() {
            let grows = page.agent().is_some();
            let reader = &mut page.reader;
            match action {
                Action::Up => reader.move_by(-1),
                Action::Down => reader.move_by(1),
                Action::PageUp => reader.page_by(-1),
                Action::PageDown => reader.page_by(1),
                Action::Start => reader.go_to_start(),
                Action::End => reader.go_to_end(grows),
                _ => {}
            }
            return;
        }
        let page = isize::try_from(self.drawn.rows.max(2) - 1).unwrap_or(1);
        let (beside, rows) = self.drawn.panes;
        let across = isize::try_from(beside.max(1)).unwrap_or(1);
        let is_panes = self.place() == Place::Agents;
        match action {
            Action::Up if is_panes => self.step(-across),
            Action::Down if is_panes => self.step(across),
            Action::Up => self.step(-1),
            Action::Down => self.step(1),
            Action::PageUp if is_panes => {
                self.step(-across.saturating_mul(isize::try_from(rows.max(1)).unwrap_or(1)));
            }
            Action::PageDown if is_panes => {
                self.step(across.saturating_mul(isize::try_from(rows.max(1)).unwrap_or(1)));
            }
            Action::PageUp => self.step(-page),
            Action::PageDown => self.step(page),
            Action::Start => self.step(-FAR),
            Action::End => self.step(FAR),
            Action::Left => self.sideways(false),
            Action::Right => self.sideways(true),
            _ => {}
        }
    }

    /// Moves within the list by so many.
    pub fn step(&mut self, by: isize) {
        let is_wide = self.drawn.is_wide;
        let place = self.place();
        let lists = &mut self.lists;
        let at = match place {
            Place::Agents => &mut lists.at.agent,
            Place::Board if !is_wide => return lists.move_in_list(by),
            Place::Board => &mut lists.at.board.1,
            Place::Graph => &mut lists.at.row,
            Place::Messages => &mut lists.at.message,
            Place::Merges => &mut lists.at.merge,
            _ => return,
        };
        *at = at.saturating_add_signed(by);
        lists.settle();
    }

    fn sideways(&mut self, right: bool) {
        match self.place() {
            Place::Agents => self.step(if right { 1 } else { -1 }),
            Place::Board => self.next_column(right),
            Place::Graph => self.folds(!right),
            _ => {}
        }
    }

    /// To the next column of the board that holds something.
    fn next_column(&mut self, right: bool) {
        let lists = &mut self.lists;
        let (column, _) = lists.at.board;
        let holds = |column: &usize| lists.columns.get(*column).is_some_and(|tasks| !tasks.is_empty());
        let found = match right {
            true => (column + 1..COLUMNS.len()).find(holds),
            false => (0..column).rev().find(holds),
        };
        if let Some(found) = found {
            let top = self.drawn.columns.get(found).copied().unwrap_or(0);
            let from = self.drawn.columns.get(column).copied().unwrap_or(0);
            // The same height on the screen.
            let row = (lists.at.board.1.saturating_sub(from)).saturating_add(top);
            lists.at.board = (found, if self.drawn.is_wide { row } else { 0 });
            lists.settle();
        }
    }

    /// Folds or opens the selected task in the tree; what has nothing to fold leads to the task above.
    fn folds(&mut self, fold: bool) {
        let Some(row) = self.lists.rows.get(self.lists.at.row).cloned() else { return };
        let Some(id) = self.team.task(row.task).map(|task| task.id.clone()) else { return };
        if fold && (!row.has_children || self.folded.contains(&id)) {
            let rows = self.lists.rows.get(..self.lists.at.row).unwrap_or_default();
            let above = rows.iter().rposition(|above| above.depth < row.depth);
            self.lists.at.row = above.unwrap_or(self.lists.at.row);
            return;
        }
        let has_changed = if fold { self.folded.insert(id) } else { self.folded.remove(&id) };
        if has_changed {
            self.relist_here();
        } else if !fold && row.has_children {
            self.step(1);
        }
    }

    /// Folds all tasks that have something below, or opens all.
    pub fn folds_all(&mut self) {
        if let Some(page) = self.pages.last_mut() {
            return page.reader.toggle_all();
        }
        if self.place() == Place::Agents {
            self.shows_idle = !self.shows_idle;
            return self.relist_here();
        }
        if self.folded.is_empty() {
            let rows = self.lists.rows.iter().filter(|row| row.has_children);
            let ids = rows.filter_map(|row| self.team.task(row.task)).map(|task| task.id.clone());
            self.folded = ids.collect();
        } else {
            self.folded.clear();
        }
        self.relist_here();
    }

    /// The mouse was used.
    pub fn mouse(&mut self, event: MouseEvent) -> Vec<Ask> {
        if self.dialog.is_some() {
            return Vec::new();
        }
        match event.kind {
            MouseEventKind::ScrollUp => self.wheel(-WHEEL_LINES),
            MouseEventKind::ScrollDown => self.wheel(WHEEL_LINES),
            MouseEventKind::Down(MouseButton::Left) => {
                let at = Position::new(event.column, event.row);
                let hit = self.hits.iter().rev().find(|(area, _)| area.contains(at)).map(|(_, hit)| *hit);
                return hit.map(|hit| self.click(hit)).unwrap_or_default();
            }
            _ => {}
        }
        Vec::new()
    }

    fn wheel(&mut self, lines: isize) {
        let is_panes = self.place() == Place::Agents;
        match self.pages.last_mut() {
            Some(page) => page.reader.scroll_by(lines),
            None if is_panes => self.moves(if lines < 0 { Action::Up } else { Action::Down }),
            None => self.step(lines),
        }
    }

    /// A click selects; on what is selected it opens.
    fn click(&mut self, hit: Hit) -> Vec<Ask> {
        let before = self.lists.at;
        let at = &mut self.lists.at;
        match hit {
            Hit::Tab(tab) => {
                self.show_tab(tab);
                return Vec::new();
            }
            Hit::Calls => return self.answers(),
            Hit::Gate => return vec![Ask::Gate],
            Hit::Agent(place) => at.agent = place,
            Hit::Board(column, row) => at.board = (column, row),
            Hit::Row(row) => at.row = row,
            Hit::Message(place) => at.message = place,
            Hit::Merge(place) => at.merge = place,
        }
        if self.lists.at == before { self.act(Action::Open) } else { Vec::new() }
    }
}
