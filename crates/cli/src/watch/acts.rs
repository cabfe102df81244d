//! What each key brings about: on the agents and tasks that it is about, and in the view itself.

use agent_team::view::{AgentView, RowView};
use agent_team::{AgentId, HUMAN, Recipient, Role, TaskId};

use super::ask::Ask;
use super::dialog::{Dialog, Pick, Purpose, Words};
use super::field::Field;
use super::keys::{Action, Place};
use super::pages::{Kind, Page};
use super::screen::{Ending, Host, Screen, TABS};
use super::team::Call;
use super::theme::Tone;
use crate::view::{AgentRow, Steer};

impl Screen {
    /// Does what a key stands for.
    pub fn act(&mut self, action: Action) -> Vec<Ask> {
        match action {
            Action::Up
            | Action::Down
            | Action::Left
            | Action::Right
            | Action::PageUp
            | Action::PageDown
            | Action::Start
            | Action::End => self.moves(action),
            Action::Open => return self.opens(),
            Action::Quit if self.pages.is_empty() => return vec![Ask::Quit],
            Action::Quit | Action::Back => self.back(),
            Action::Interrupt => return self.interrupts(),
            Action::Redraw => return vec![Ask::Redraw],
            Action::Suspend if self.host == Host::Watch => return vec![Ask::Suspend],
            Action::Suspend => {
                let words = "the run would stand still: q closes the view, and the run goes on";
                self.said = Some((Tone::Warning, words.to_owned()));
            }
            Action::Tab(tab) => self.show_tab(tab),
            Action::NextTab => self.show_tab((self.tab + 1) % TABS.len()),
            Action::PreviousTab => self.show_tab((self.tab + TABS.len() - 1) % TABS.len()),
            Action::Search => self.search(),
            Action::NextFound => self.find(true),
            Action::PreviousFound => self.find(false),
            Action::Help => self.helps(),
            Action::Answer => return self.answers(),
            Action::Gate => return vec![Ask::Gate],
            Action::Events => return self.events(),
            Action::FoldAll => self.folds_all(),
            Action::Older => return self.beside(false),
            Action::Newer => return self.beside(true),
            Action::SayEveryone => self.say_to(&Recipient::Everyone, None, false),
            Action::Add => {
                self.dialog = Some(Dialog::Words(Words::new(
                    "Add a task: its title, and its text below",
                    Purpose::Add,
                )));
            }
            Action::PauseTeam => return self.pauses_team(),
            Action::Say | Action::SayUrgently => self.says(action == Action::SayUrgently),
            Action::InterruptAgent | Action::Stop | Action::Pause | Action::Agent => {
                return self.acts_on_agent(action);
            }
            Action::Retry
            | Action::Reassign
            | Action::Cancel
            | Action::Plan
            | Action::Diff
            | Action::Transcript
            | Action::Task => return self.acts_on_task(action),
            Action::Approve => return self.approves(),
            Action::Reject => return self.rejects(),
        }
        Vec::new()
    }

    /// The agent that keys are about: the selected one, or whoever holds the task.
    pub fn agent(&self) -> Option<&AgentRow> {
        if let Some(page) = self.pages.last() {
            let holder =
                || page.task().and_then(|task| self.team.task_of(task)).and_then(|task| task.agent.as_ref());
            return page.agent().or_else(holder).and_then(|agent| self.team.agent(agent));
        }
        match self.place() {
            Place::Agents => self.lists.agent(&self.team),
            _ => self.task().and_then(|task| task.agent.as_ref()).and_then(|agent| self.team.agent(agent)),
        }
    }

    /// The task that keys are about: the selected one, or what the agent works on.
    pub fn task(&self) -> Option<&RowView> {
        let team = &*self.team;
        if let Some(page) = self.pages.last() {
            let about = || match page.kind {
                Kind::Message(message) => team.message(message).and_then(|message| message.task.as_ref()),
                _ => None,
            };
            return page.task().or_else(about).and_then(|task| team.task_of(task));
        }
        match self.place() {
            Place::Agents => {
                let (task, _) = self.lists.agent(team)?.agent.holds.first()?;
                team.task_of(task)
            }
            Place::Board => self.lists.board_task(team),
            Place::Graph => self.lists.row_task(team),
            Place::Messages => self.lists.message(team)?.task.as_ref().and_then(|task| team.task_of(task)),
            Place::Merges => self.lists.merge_task(team),
            _ => None,
        }
    }

    fn opens(&mut self) -> Vec<Ask> {
        if let Some(page) = self.pages.last_mut() {
            page.reader.toggle();
            return Vec::new();
        }
        match self.place() {
            Place::Agents => self.lists.agent(&self.team).map(|row| Ask::NewestBy(row.agent.id.clone())),
            Place::Messages => self.lists.message(&self.team).map(|message| Ask::Message(message.id)),
            _ => self.task().map(|task| Ask::Task(task.id.clone())),
        }
        .into_iter()
        .collect()
    }

    fn back(&mut self) {
        if self.pages.pop().is_none() && !self.filter.is_empty() {
            self.filter.clear();
            self.relist_here();
        }
    }

    fn interrupts(&mut self) -> Vec<Ask> {
        if self.host == Host::Run {
            self.said = None;
            self.ending = if self.ending == Ending::No { Ending::Gently } else { Ending::AtOnce };
        }
        vec![Ask::Interrupt]
    }

    /// Shows a view. What is open over another one is closed.
    pub fn show_tab(&mut self, tab: usize) {
        // What was said of one view says nothing of another.
        self.said = self.said.take().filter(|_| self.tab == tab);
        self.pages.clear();
        if self.tab != tab && !self.filter.is_empty() {
            self.filter.clear();
            self.relist_here();
        }
        self.tab = tab;
    }

    fn helps(&mut self) {
        let page = Page::of_help(self.place());
        if self.pages.last().is_some_and(|known| known.title == page.title) {
            self.pages.pop();
        } else {
            self.pages.push(page);
        }
    }

    fn events(&mut self) -> Vec<Ask> {
        if self.told.is_empty() {
            return vec![Ask::Events];
        }
        let text: Vec<&str> = self.told.iter().map(String::as_str).collect();
        let mut page = Page::of_text("What happened in this run", &text.join("\n"));
        page.reader.go_to_end(true);
        self.pages.push(page);
        Vec::new()
    }

    fn beside(&mut self, newer: bool) -> Vec<Ask> {
        match self.pages.last().map(|page| &page.kind) {
            Some(Kind::Transcript(view, _)) => vec![Ask::Beside { token: view.token, newer }],
            _ => Vec::new(),
        }
    }

    fn pauses_team(&mut self) -> Vec<Ask> {
        let steer = match self.team.is_paused() {
            true => Steer::Resume { agent: None },
            false => Steer::Pause { agent: None, reason: String::new() },
        };
        self.does(steer)
    }

    /// Says something: to the selected agent, or to whoever works on the selected task.
    fn says(&mut self, urgent: bool) {
        let on_agent = matches!(self.place(), Place::Agents | Place::Transcript);
        let agent = self.agent().filter(|_| on_agent).map(|row| Recipient::Agent(row.agent.id.clone()));
        let task = self.task().map(|task| task.id.clone());
        let to_task = || task.clone().filter(|_| self.place() != Place::Messages).map(Recipient::Task);
        let to = agent.or_else(to_task).unwrap_or(Recipient::Everyone);
        self.say_to(&to, None, urgent);
    }

    fn say_to(&mut self, to: &Recipient, task: Option<TaskId>, urgent: bool) {
        let title = if urgent { "Say at once: it interrupts the turn in progress" } else { "Say" };
        let mut words = Words::new(title, Purpose::Say { task, urgent });
        words.to = Some(Field::with(&to.to_string()));
        words.known = self.team.recipients();
        let asks = |call: &Call| matches!(call, Call::Question(_) | Call::Plan(_));
        if self.call_of_agent().as_ref().is_some_and(asks) {
            words.about = "It waits for an answer, and this is none: r answers it.".to_owned();
        }
        self.asks(words);
    }

    fn acts_on_agent(&mut self, action: Action) -> Vec<Ask> {
        let Some((agent, is_held)) = self.agent().map(|row| (row.agent.id.clone(), self.is_held_up(row)))
        else {
            let words = match self.task() {
                Some(task) => format!("nobody holds {}: there is no agent to do that to", task.id),
                None => "no agent is selected".to_owned(),
            };
            self.said = Some((Tone::Warning, words));
            return Vec::new();
        };
        match action {
            Action::Pause if is_held => return self.does(Steer::Resume { agent: Some(agent) }),
            Action::Pause => return self.does(Steer::Pause { agent: Some(agent), reason: String::new() }),
            Action::Agent => {
                self.show_tab(0);
                let team = self.team.clone();
                self.lists.select_agent(&team, &agent);
            }
            Action::Stop => {
                let mut words = Words::new(format!("Stop {agent}? Why, if you like"), Purpose::Stop(agent));
                words.about =
                    "What it works on is taken from it and kept. Enter stops it, Esc does not.".to_owned();
                self.dialog = Some(Dialog::Words(words));
            }
            _ if self.team.agent(&agent).is_some_and(|row| row.agent.holds.is_empty()) => {
                let words = format!("{agent} is at no task: there is no turn to interrupt; s says something");
                self.said = Some((Tone::Warning, words));
            }
            _ => {
                let mut words =
                    Words::new(format!("Interrupt {agent}: what it shall know"), Purpose::Interrupt(agent));
                words.about =
                    "Its turn is broken off; it keeps its task. Without words it is told to think again."
                        .to_owned();
                self.dialog = Some(Dialog::Words(words));
            }
        }
        Vec::new()
    }

    /// Whether an agent is held up by itself: who is held up with the team is not let go by itself.
    fn is_held_up(&self, row: &AgentRow) -> bool {
        self.team.picture.pauses.iter().any(|pause| pause.agent.as_ref() == Some(&row.agent.id))
    }

    fn acts_on_task(&mut self, action: Action) -> Vec<Ask> {
        let Some(task) = self.task().map(|task| task.id.clone()) else {
            self.said = Some((Tone::Warning, "no task is selected".to_owned()));
            return Vec::new();
        };
        match action {
            Action::Retry => self.does(Steer::Retry { task }),
            Action::Plan => vec![Ask::Plan(task)],
            Action::Diff => vec![Ask::Diff(task)],
            Action::Transcript => vec![Ask::NewestOf(task)],
            Action::Task => vec![Ask::Task(task)],
            Action::Cancel => {
                let question = format!(
                    "Cancel {task}? What waits for it will wait for ever, unless somebody retries it."
                );
                self.dialog = Some(Dialog::Confirm { question, steer: Steer::Cancel { task } });
                Vec::new()
            }
            _ => {
                let Some(row) = self.team.task_of(&task) else { return Vec::new() };
                let fitting = self.team.picture.agents.iter().filter(|agent| may_take(agent, row));
                let agents: Vec<Option<AgentId>> =
                    std::iter::once(None).chain(fitting.map(|row| Some(row.agent.id.clone()))).collect();
                let holder = row.agent.clone();
                self.dialog = Some(Dialog::Pick(Pick { task, holder, agents, at: 0 }));
                Vec::new()
            }
        }
    }
}

/// Whether a task can be given to an agent.
fn may_take(agent: &AgentRow, task: &RowView) -> bool {
    let AgentView { id, role, skills, left, holds, .. } = &agent.agent;
    let is_at_it = holds.iter().any(|(held, _)| *held == task.id);
    let fits = match (task.role, &task.skill) {
        (Some(wanted), _) if *role != wanted => false,
        (None, _) if matches!(role, Role::Lead | Role::Reviewer) => false,
        (_, Some(skill)) => skills.contains(skill),
        _ => true,
    };
    !left && !is_at_it && id.as_str() != HUMAN && fits
}
