//! What waits for whoever sits at the terminal: it is found, judged and answered here.

use agent_team::{Recipient, RecordId, TaskId};

use super::ask::Ask;
use super::dialog::{Purpose, Words};
use super::field::Field;
use super::keys::Place;
use super::pages::Kind;
use super::screen::Screen;
use super::team::Call;
use super::theme::Tone;
use crate::view::Steer;

impl Screen {
    /// What waits for the human, the first of it.
    pub fn answers(&mut self) -> Vec<Ask> {
        let open = self.pages.last().and_then(|page| match &page.kind {
            Kind::Plan(task, ..) => Some(Call::Plan(task.clone())),
            Kind::Review(task, ..) => Some(Call::Review(task.clone())),
            Kind::Message(message) => Some(Call::Question(*message)),
            _ => None,
        });
        // What is selected goes first, and then from one of them to the next.
        if let (None, Some(call)) = (&open, self.call_of_agent()) {
            return vec![Self::opens_call(call)];
        }
        let calls = &self.team.calls;
        let at = open.and_then(|open| calls.iter().position(|call| *call == open));
        let next = at.map_or(0, |at| (at + 1) % calls.len());
        if at == Some(next) {
            self.said = Some((Tone::Faint, "nothing else waits for you".to_owned()));
            return Vec::new();
        }
        let call = calls.get(next).cloned();
        if at.is_some() {
            self.pages.pop();
        }
        if call.is_none() {
            self.said = Some((Tone::Faint, "nothing waits for you".to_owned()));
        }
        call.map(Self::opens_call).into_iter().collect()
    }

    /// Approves what is open, once it was read.
    pub fn approves(&mut self) -> Vec<Ask> {
        let Some(page) = self.pages.last_mut() else { return Vec::new() };
        let steer = match &page.kind {
            Kind::Plan(task, round, true) => {
                Steer::ApprovePlan { task: task.clone(), round: *round, text: String::new() }
            }
            Kind::Review(task, attempt, true) => {
                Steer::Review { task: task.clone(), attempt: *attempt, approve: true, text: String::new() }
            }
            _ => {
                self.said = Some((Tone::Warning, "it does not wait to be judged".to_owned()));
                return Vec::new();
            }
        };
        if !page.reader.was_read() {
            let is_at_end = page.reader.percent() == 100;
            let words = match is_at_end {
                true => "this part of it was skipped: read it first",
                false => "read it to its end first: Space goes on",
            };
            if is_at_end {
                page.reader.go_to_unseen();
            }
            self.said = Some((Tone::Warning, words.to_owned()));
            return Vec::new();
        }
        self.does(steer)
    }

    /// Sends back what is open, answers a message, or opens the result that is to be judged.
    pub fn rejects(&mut self) -> Vec<Ask> {
        match self.pages.last().map(|page| page.kind.clone()) {
            Some(Kind::Plan(task, round, true)) => {
                let title = format!("Plan {round} of {task}: what is to be changed");
                self.asks(Words::new(title, Purpose::RejectPlan(task, round)));
            }
            Some(Kind::Review(task, attempt, true)) => {
                let title = format!("Result of {task}: what is to be changed");
                self.asks(Words::new(title, Purpose::SendBack(task, attempt)));
            }
            Some(Kind::Plan(..) | Kind::Review(..)) => {
                self.said = Some((Tone::Warning, "it does not wait to be judged".to_owned()));
            }
            Some(Kind::Message(message)) => self.answer_question(message),
            Some(Kind::Task(task) | Kind::Diff(task)) => return vec![Ask::Review(task)],
            None if self.place() == Place::Messages => {
                if let Some(message) = self.lists.message(&self.team).map(|message| message.id) {
                    self.answer_question(message);
                }
            }
            Some(Kind::Transcript(..)) | None if self.call_of_agent().is_some() => {
                let call = self.call_of_agent();
                // The question stands above its answer.
                if let Some(Call::Question(question)) = call {
                    self.answer_question(question);
                }
                return call.map(Self::opens_call).into_iter().collect();
            }
            None | Some(Kind::Transcript(..))
                if matches!(self.place(), Place::Agents | Place::Transcript) =>
            {
                self.said = Some((Tone::Faint, "it waits for nothing of yours".to_owned()));
            }
            Some(Kind::Transcript(..) | Kind::Text) => {}
            None => return self.task().map(|task| Ask::Review(task.id.clone())).into_iter().collect(),
        }
        Vec::new()
    }

    /// What the selected agent waits for from whoever sits here.
    pub fn call_of_agent(&self) -> Option<Call> {
        let agent = self.agent()?;
        let is_its = |task: &TaskId| agent.agent.holds.iter().any(|(held, _)| held == task);
        let is_of_it = |call: &&Call| match call {
            Call::Plan(task) => is_its(task),
            Call::Question(question) => {
                self.team.message(*question).is_some_and(|asked| asked.from == agent.agent.id)
            }
            Call::Review(_) => false,
        };
        self.team.calls.iter().find(is_of_it).cloned()
    }

    fn opens_call(call: Call) -> Ask {
        match call {
            Call::Plan(task) => Ask::Plan(task),
            Call::Review(task) => Ask::Review(task),
            // It is read whole first, as plans are: `r` answers it there.
            Call::Question(question) => Ask::Message(question),
        }
    }

    /// Answers a question, or says something to whoever sent a message that is none.
    fn answer_question(&mut self, message: RecordId) {
        let team = self.team.clone();
        let known = team.message(message);
        let is_open = team.picture.questions.contains(&message);
        let words = match known {
            Some(known) if !is_open => {
                let mut words = Words::new("Say", Purpose::Say { task: known.task.clone(), urgent: false });
                words.known = team.recipients();
                // Nobody reads what is said to the run itself: whoever works on the task does.
                let from = words.known.iter().find(|name| *name == known.from.as_str()).cloned();
                let thread = || known.task.clone().map(|task| Recipient::Task(task).to_string());
                let to = from.or_else(thread).unwrap_or_else(|| Recipient::Everyone.to_string());
                words.to = Some(Field::with(&to));
                words
            }
            _ => {
                let from = known.map_or("somebody", |known| known.from.as_str());
                let mut words = Words::new(format!("Answer {from}"), Purpose::Answer(message));
                words.about = known.map(|known| known.text.preview().into_owned()).unwrap_or_default();
                words
            }
        };
        self.lists.select_message(&team, message);
        self.asks(words);
    }
}
