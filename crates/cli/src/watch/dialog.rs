//! What the view asks before it does something: words, a yes, or an agent. A dialog ends in the command that is to be done.

use agent_team::{AgentId, Recipient, RecordId, TaskId};
use crossterm::event::{KeyCode, KeyEvent, KeyModifiers};

use super::field::Field;
use crate::view::Steer;

/// A dialog that is open.
#[derive(Debug, Clone, PartialEq)]
pub enum Dialog {
    /// Words are typed.
    Words(Words),
    /// Something is confirmed.
    Confirm {
        /// What is asked.
        question: String,
        /// What is done after a yes.
        steer: Steer,
    },
    /// An agent is chosen.
    Pick(Pick),
}

/// Words that are typed, and what for.
#[derive(Debug, Clone, PartialEq)]
pub struct Words {
    /// What is asked.
    pub title: String,
    /// What is said beside it, such as the text that is answered.
    pub about: String,
    /// To whom it is said, where that can be changed.
    pub to: Option<Field>,
    /// To whom it could be said.
    pub known: Vec<String>,
    /// The words.
    pub text: Field,
    /// Whether the words are typed, and not whom they go to.
    pub in_text: bool,
    /// Whether nothing was typed yet where it is said whom they go to.
    is_fresh: bool,
    /// What is wrong with what was typed.
    pub wrong: Option<String>,
    /// What is done with it.
    pub purpose: Purpose,
}

/// What words are for.
#[derive(Debug, Clone, PartialEq)]
pub enum Purpose {
    /// They are said.
    Say {
        /// The task that they are about.
        task: Option<TaskId>,
        /// Whether they interrupt.
        urgent: bool,
    },
    /// They interrupt an agent.
    Interrupt(AgentId),
    /// They are why an agent is stopped.
    Stop(AgentId),
    /// They are what a plan lacks.
    RejectPlan(TaskId, u32),
    /// They are what a result lacks.
    SendBack(TaskId, u32),
    /// They answer a question.
    Answer(RecordId),
    /// They are a task's title.
    Add,
}

/// An agent that is chosen for a task.
#[derive(Debug, Clone, PartialEq)]
pub struct Pick {
    /// The task.
    pub task: TaskId,
    /// Who works on it, and loses it.
    pub holder: Option<AgentId>,
    /// Those who may be chosen; `None` for whoever fits.
    pub agents: Vec<Option<AgentId>>,
    /// Which one is marked.
    pub at: usize,
}

/// What came of a key.
#[derive(Debug, PartialEq)]
pub enum Pressed {
    /// The dialog stays.
    Stays,
    /// It is closed, and nothing is done.
    Closed,
    /// It is closed, and this is done.
    Does(Steer),
}

impl Words {
    /// A dialog that asks for words.
    pub fn new(title: impl Into<String>, purpose: Purpose) -> Self {
        Self {
            title: title.into(),
            about: String::new(),
            to: None,
            known: Vec::new(),
            text: Field::default(),
            in_text: true,
            is_fresh: false,
            wrong: None,
            purpose,
        }
    }

    /// What the words are for, and whom they go to.
    pub fn key(&self) -> String {
        format!("{:?} {}", self.purpose, self.to.as_ref().map_or("", Field::text))
    }

    /// The words as a command, or why they are none.
    fn steer(&self) -> Result<Steer, String> {
        let text = self.text.text().trim().to_owned();
        let said =
            || if text.is_empty() { Err("say something, or press Esc".to_owned()) } else { Ok(text.clone()) };
        Ok(match &self.purpose {
            Purpose::Say { task, urgent } => {
                let to = self.to.as_ref().map(|to| to.text().trim()).unwrap_or_default();
                let to: Recipient = to.parse().map_err(|error| format!("to whom? {error}"))?;
                if let Recipient::Agent(agent) = &to
                    && !self.known.is_empty()
                    && !self.known.iter().any(|known| known == agent.as_str())
                {
                    return Err(format!("nobody called {agent} is in the team: Tab, then ↑ and ↓ choose"));
                }
                Steer::Say { to, text: said()?, task: task.clone(), urgent: *urgent }
            }
            Purpose::Interrupt(agent) => {
                Steer::Interrupt { agent: agent.clone(), text: Some(text).filter(|text| !text.is_empty()) }
            }
            Purpose::Stop(agent) => Steer::Stop { agent: agent.clone(), reason: text },
            Purpose::RejectPlan(task, round) => {
                Steer::RejectPlan { task: task.clone(), round: *round, text: said()? }
            }
            Purpose::SendBack(task, attempt) => {
                Steer::Review { task: task.clone(), attempt: *attempt, approve: false, text: said()? }
            }
            Purpose::Answer(question) => Steer::Answer { question: *question, text: said()? },
            Purpose::Add => {
                let title = said()?;
                let (title, description) = title.split_once('\n').unwrap_or((&title, ""));
                Steer::Add {
                    title: title.to_owned(),
                    description: description.trim().to_owned(),
                    after: Vec::new(),
                    check: None,
                }
            }
        })
    }

    fn field(&mut self) -> &mut Field {
        match &mut self.to {
            Some(to) if !self.in_text => to,
            _ => &mut self.text,
        }
    }

    /// Names the next one, or the one before, of those to whom it could be said.
    fn choose(&mut self, next: bool) {
        let Some(to) = &mut self.to else { return };
        let count = self.known.len().max(1);
        let at = self.known.iter().position(|known| known == to.text().trim());
        let at = match at {
            Some(at) if next => (at + 1) % count,
            Some(at) => (at + count - 1) % count,
            None => 0,
        };
        if let Some(known) = self.known.get(at) {
            *to = Field::with(known);
        }
    }

    fn press(&mut self, key: KeyEvent) -> Pressed {
        self.wrong = None;
        match key.code {
            KeyCode::Esc => return Pressed::Closed,
            KeyCode::Tab | KeyCode::BackTab if self.to.is_some() => {
                self.in_text = !self.in_text;
                self.is_fresh = !self.in_text;
            }
            // Whoever types a name means another one than that which stands there.
            KeyCode::Char(_) if std::mem::take(&mut self.is_fresh) && !self.in_text => {
                self.to = Some(Field::default());
                self.field().press(key);
            }
            KeyCode::Up | KeyCode::Down if !self.in_text => self.choose(key.code == KeyCode::Down),
            KeyCode::Enter if key.modifiers.is_empty() && !self.in_text => self.in_text = true,
            KeyCode::Enter if key.modifiers.is_empty() => match self.steer() {
                Ok(steer) => return Pressed::Does(steer),
                Err(wrong) => self.wrong = Some(wrong),
            },
            _ => {
                self.field().press(key);
            }
        }
        Pressed::Stays
    }
}

impl Dialog {
    /// Takes a key.
    pub fn press(&mut self, key: KeyEvent) -> Pressed {
        if key.code == KeyCode::Char('c') && key.modifiers.contains(KeyModifiers::CONTROL) {
            return Pressed::Closed;
        }
        match self {
            Self::Words(words) => words.press(key),
            Self::Confirm { steer, .. } => match key.code {
                KeyCode::Char('y' | 'Y') => Pressed::Does(steer.clone()),
                KeyCode::Char('n' | 'N' | 'q') | KeyCode::Esc => Pressed::Closed,
                _ => Pressed::Stays,
            },
            Self::Pick(pick) => pick.press(key),
        }
    }

    /// Takes a text that was pasted.
    pub fn paste(&mut self, text: &str) {
        if let Self::Words(words) = self {
            words.field().insert(text);
        }
    }
}

impl Pick {
    fn press(&mut self, key: KeyEvent) -> Pressed {
        let last = self.agents.len().saturating_sub(1);
        match key.code {
            KeyCode::Up | KeyCode::Char('k') => self.at = self.at.saturating_sub(1),
            KeyCode::Down | KeyCode::Char('j') => self.at = (self.at + 1).min(last),
            KeyCode::Home | KeyCode::Char('g') => self.at = 0,
            KeyCode::End | KeyCode::Char('G') => self.at = last,
            KeyCode::Esc | KeyCode::Char('q') => return Pressed::Closed,
            KeyCode::Enter => {
                let Some(agent) = self.agents.get(self.at).cloned() else { return Pressed::Closed };
                return Pressed::Does(Steer::Reassign { task: self.task.clone(), agent });
            }
            _ => {}
        }
        Pressed::Stays
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn press(dialog: &mut Dialog, codes: &[KeyCode]) -> Pressed {
        let pressed = codes.iter().map(|code| dialog.press(KeyEvent::new(*code, KeyModifiers::NONE)));
        pressed.last().unwrap_or(Pressed::Stays)
    }

    #[test]
    fn words_become_a_command_once_they_say_something() {
        let mut words = Words::new("Say", Purpose::Say { task: None, urgent: false });
        words.to = Some(Field::with("worker-1"));
        let mut dialog = Dialog::Words(words);
        assert_eq!(press(&mut dialog, &[KeyCode::Enter]), Pressed::Stays);
        let Dialog::Words(words) = &dialog else { panic!() };
        assert!(words.wrong.is_some());
        dialog.paste("Use tabs.\n");
        let Pressed::Does(steer) = press(&mut dialog, &[KeyCode::Enter]) else { panic!("{dialog:?}") };
        assert_eq!(steer.command(), "agent-team say worker-1 -- 'Use tabs.'");
        assert_eq!(press(&mut dialog, &[KeyCode::Tab, KeyCode::Backspace, KeyCode::Esc]), Pressed::Closed);
        let mut stop = Dialog::Words(Words::new("Stop", Purpose::Stop("worker-1".parse().unwrap())));
        let Pressed::Does(steer) = press(&mut stop, &[KeyCode::Enter]) else { panic!() };
        assert_eq!(steer.command(), "agent-team stop worker-1");
    }

    #[test]
    fn what_is_confirmed_needs_a_yes() {
        let steer = Steer::Cancel { task: "parse".parse().unwrap() };
        let mut dialog = Dialog::Confirm { question: "Cancel?".to_owned(), steer: steer.clone() };
        assert_eq!(press(&mut dialog, &[KeyCode::Enter]), Pressed::Stays);
        assert_eq!(press(&mut dialog, &[KeyCode::Char('n')]), Pressed::Closed);
        assert_eq!(press(&mut dialog, &[KeyCode::Char('y')]), Pressed::Does(steer));
        let agents = vec![None, Some("worker-1".parse().unwrap())];
        let mut pick = Dialog::Pick(Pick { task: "parse".parse().unwrap(), holder: None, agents, at: 0 });
        let Pressed::Does(steer) = press(&mut pick, &[KeyCode::Down, KeyCode::Down, KeyCode::Enter]) else {
            panic!()
        };
        assert_eq!(steer.command(), "agent-team reassign parse --to=worker-1");
    }
}
