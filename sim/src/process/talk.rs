//! What agents say to each other: messages, threads, questions and their answers, notes.

use agent_team_core::id::{AgentId, RecordId, TaskId};
use agent_team_core::record::{MessageSent, NoteAdded, Recipient, Role};

use super::Process;
use super::job::Job;
use super::submit::Submit;
use crate::world::World;

impl Process {
    pub(super) fn write_a_message(&mut self, world: &mut World) {
        let others: Vec<_> = self
            .state
            .agents()
            .filter(|agent| agent.id != self.part.agent)
            .map(|agent| agent.id.clone())
            .collect();
        if world.is_steered && world.random.chance(300) {
            let tasks: Vec<&TaskId> = self.state.tasks().map(agent_team_core::machine::Task::id).collect();
            match (world.random.below(5), world.random.pick(&others), world.random.pick(&tasks)) {
                (0, ..) => return self.note(world),
                (1 | 2, Some(agent), _) => {
                    return self.send(Recipient::Agent(agent.clone()), true, None, "asked");
                }
                (_, _, Some(task)) => {
                    return self.send(Recipient::Task((*task).clone()), false, None, "said in a thread");
                }
                _ => {}
            }
        }
        let to = match (world.random.below(5), world.random.pick(&others)) {
            (0, _) | (_, None) => Recipient::Everyone,
            (1, _) => Recipient::Role(Role::Worker),
            (_, Some(agent)) => Recipient::Agent(agent.clone()),
        };
        self.send(to, false, None, "sent");
    }

    fn send(&mut self, to: Recipient, asks: bool, reply_to: Option<RecordId>, told: &'static str) {
        self.counter += 1;
        let text = format!("message {}-{}-{}", self.part.agent, self.pid, self.counter).into();
        let from = self.by();
        self.submit(Submit::new(MessageSent {
            from,
            to,
            text,
            task: None,
            urgent: asks,
            asks,
            reply_to,
            waits: false,
        }));
        self.job = Job::Chore(told);
    }

    /// What its agent was asked and has not answered: the question, and who asks.
    pub(super) fn asked(&self) -> Option<(RecordId, AgentId)> {
        let asked = Recipient::Agent(self.by());
        let mut open = self.state.open_questions();
        open.find(|question| question.to == asked).map(|question| (question.id, question.from.clone()))
    }

    /// Answers, perhaps, what its agent was asked. Says whether.
    pub(super) fn answer(&mut self, world: &mut World) -> bool {
        if !world.random.chance(if world.calm { 1000 } else { 200 }) {
            return false;
        }
        let Some((question, from)) = self.asked() else { return false };
        self.send(Recipient::Agent(from), false, Some(question), "answered");
        true
    }

    pub(super) fn note(&mut self, world: &mut World) {
        self.counter += 1;
        let text = format!("note {}-{}", self.pid, self.counter).into();
        let task = self.state.tasks().next().map(|task| task.id().clone());
        let task = task.filter(|_| world.random.chance(500));
        self.submit(Submit::new(NoteAdded { agent: self.by(), text, labels: Vec::new(), task }));
        self.job = Job::Chore("noted");
    }

    /// Who begins to work is told what was noted.
    pub(super) fn read_notes(&self, world: &mut World, claim: RecordId) {
        let notes: Vec<RecordId> = self.state.notes_for(&[]).map(|note| note.id).collect();
        let verdict = world.witness.told_notes(&self.part.agent, claim, &notes);
        world.check(verdict);
    }
}
