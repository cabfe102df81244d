//! One file per verb: its arguments, its help with examples, and what it does.

pub mod add;
pub mod agent;
pub mod answer;
pub mod budget;
pub mod cancel;
pub mod claim;
pub mod complete;
pub mod completions;
pub mod demo;
pub mod diff;
pub mod doctor;
pub mod doorway;
pub mod fail;
pub mod graph;
pub mod hand_out;
pub mod inbox;
pub mod init;
pub mod join;
pub mod leave;
pub mod list;
pub mod log;
pub mod mcp;
pub mod note;
pub mod pause;
pub mod plan;
pub mod reassign;
pub mod relay;
pub mod release;
pub mod renew;
pub mod report;
pub mod reserve;
pub mod retry;
pub mod review;
pub mod run;
pub mod say;
pub mod send;
pub mod set;
pub mod show;
pub mod split;
pub mod status;
pub mod sweep;
pub mod trust;
pub mod verify;
pub mod watch;
pub mod web;

use std::io::Read;

use agent_team::{AgentId, Error, MessageBus, Recipient, Refusal, TaskId, TaskQueue, Unheard};

use crate::exit::{Exit, Failure};
use crate::output::{self, Output};
use crate::task_text;

/// A text from the command line; `-` stands for standard input.
fn read_text(text: String) -> Result<String, Failure> {
    if text != "-" {
        return Ok(text);
    }
    let mut whole = String::new();
    let read = std::io::stdin().read_to_string(&mut whole);
    read.map_err(|error| Failure::io("cannot read standard input", &error))?;
    Ok(whole)
}

/// The same where nothing is said by a text that is empty or blank. `what` is what it was to say.
fn read_words(text: String, what: &str) -> Result<String, Failure> {
    words(read_text(text)?, what)
}

/// A text that says something.
fn words(text: String, what: &str) -> Result<String, Failure> {
    if text.trim().is_empty() {
        return Err(Failure::usage(format!("the text is empty: say {what}")));
    }
    Ok(text)
}

/// Refuses whoever is not in the team, and names who is.
pub fn check_member(queue: &TaskQueue, agent: &AgentId) -> Result<(), Failure> {
    let there = members(queue)?;
    if agent.as_str() == agent_team::HUMAN || there.contains(agent) {
        return Ok(());
    }
    Err(Failure::from(Error::from(Refusal::NoSuchAgent { agent: agent.clone() })).hint(queue.who_is_there()?))
}

fn members(queue: &TaskQueue) -> Result<Vec<AgentId>, Failure> {
    let known = queue.get_status()?.agents.into_iter();
    Ok(known.filter(|known| !known.left).map(|known| known.id).collect())
}

/// What a sender is told of a message that nobody hears, now or ever.
struct Told {
    /// Whether it waits until somebody is in the team who may read it.
    waits_for_member: bool,
    /// Whether it stands in the thread of a task that has ended.
    nobody_reads: bool,
    warning: Option<String>,
}

impl Told {
    fn of(bus: &MessageBus, from: &AgentId, to: &Recipient) -> Result<Self, Failure> {
        let unheard = bus.unheard(from, to)?;
        let is = |what: fn(&Unheard) -> bool| unheard.as_ref().is_some_and(what);
        let (waits_for_member, nobody_reads) = (is(Unheard::waits_for_member), is(Unheard::is_for_nobody));
        Ok(Self { waits_for_member, nobody_reads, warning: unheard.map(|why| why.to_string()) })
    }

    fn warn(&self, out: &mut Output) -> std::io::Result<()> {
        match &self.warning {
            Some(warning) if out.is_kept() => out.line(&format!("WARNING {warning}")),
            Some(warning) => {
                output::note(&format!("WARNING {warning}"), out.is_json());
                Ok(())
            }
            None => Ok(()),
        }
    }
}

/// Says where a task stands after something was done to it.
fn tell_task(queue: &TaskQueue, id: &TaskId, out: &mut Output) -> Result<Exit, Failure> {
    let task = queue.get_task(id)?;
    out.answer(&task, |out| out.table(&[task_text::row(&task)]))?;
    Ok(Exit::Done)
}

/// Says where tasks stand after something was done to all of them.
fn tell_tasks(
    queue: &TaskQueue,
    ids: &[TaskId],
    done: Result<(), Error>,
    out: &mut Output,
) -> Result<Exit, Failure> {
    done?;
    let tasks = ids.iter().map(|id| queue.get_task(id)).collect::<Result<Vec<_>, _>>()?;
    if out.is_json() {
        out.json(&tasks)?;
    } else {
        out.table(&tasks.iter().map(task_text::row).collect::<Vec<_>>())?;
    }
    Ok(Exit::Done)
}
