//! Searching: in lists it leaves what holds the words, in the tree and in texts it goes to them.

use crossterm::event::{KeyCode, KeyEvent, KeyModifiers};

use super::field::Field;
use super::keys::Place;
use super::lists::holds_task;
use super::screen::Screen;
use super::theme::Tone;

impl Screen {
    /// Begins to type what is searched for.
    pub fn search(&mut self) {
        self.typing = Some(Field::with(if self.pages.is_empty() { &self.filter } else { "" }));
    }

    /// A key while that is typed.
    pub fn search_key(&mut self, key: KeyEvent) {
        let control_c = key.code == KeyCode::Char('c') && key.modifiers.contains(KeyModifiers::CONTROL);
        match key.code {
            KeyCode::Esc => self.search_ends(false),
            _ if control_c => self.search_ends(false),
            KeyCode::Enter | KeyCode::Down | KeyCode::Up => self.search_ends(true),
            _ => {
                if let Some(field) = &mut self.typing
                    && field.press(key)
                {
                    self.searched_for();
                }
            }
        }
    }

    /// What is searched for has changed.
    pub fn searched_for(&mut self) {
        let Some(field) = &self.typing else { return };
        let text = field.text().to_owned();
        if let Some(page) = self.pages.last_mut() {
            page.searched = text;
        } else {
            self.filter = text;
            self.relist_here();
        }
    }

    fn search_ends(&mut self, keeps: bool) {
        self.typing = None;
        let is_tree = self.place() == Place::Graph;
        match self.pages.last_mut() {
            Some(page) if !keeps => page.searched.clear(),
            None if !keeps => {
                self.filter.clear();
                self.relist_here();
            }
            Some(_) => self.find(true),
            None if is_tree => {
                let is_there = self
                    .lists
                    .row_task(&self.team)
                    .is_some_and(|task| holds_task(task, &self.filter.to_lowercase()));
                if !is_there {
                    self.find(true);
                }
            }
            None => {}
        }
    }

    /// Goes to what is found next, or before.
    pub fn find(&mut self, forwards: bool) {
        if let Some(page) = self.pages.last_mut() {
            if page.searched.is_empty() {
                return;
            }
            if !page.reader.find(&page.searched.clone(), forwards) {
                self.said = Some((Tone::Warning, format!("`{}` is not in it", page.searched)));
            }
            return;
        }
        if self.place() != Place::Graph {
            // What a filter leaves was found, all of it.
            self.step(if forwards { 1 } else { -1 });
            return;
        }
        let wanted = self.filter.to_lowercase();
        let count = self.lists.rows.len();
        if wanted.is_empty() || count == 0 {
            return;
        }
        let place = |step: usize| match forwards {
            true => (self.lists.at.row + step) % count,
            false => (self.lists.at.row + count - step) % count,
        };
        let is_it = |place: &usize| {
            let row = self.lists.rows.get(*place);
            row.and_then(|row| self.team.task(row.task)).is_some_and(|task| holds_task(task, &wanted))
        };
        match (1..=count).map(place).find(is_it) {
            Some(found) => self.lists.at.row = found,
            None => self.said = Some((Tone::Warning, format!("no task in sight holds `{}`", self.filter))),
        }
    }
}
