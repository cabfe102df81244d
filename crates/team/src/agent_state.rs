//! What each agent does at the moment, told apart: working, waiting for a model, a gate or a human, idle, stuck, dead.
//!
//! It is read from the log, from who is alive, from the last line of the transcript of what the agent works on, and from what
//! says of it that it is asked something outside of any task (`at_duty`), so every process of this machine sees the same, whoever runs the agents.

use std::collections::BTreeMap;
use std::time::Duration;

use agent_team_core::machine::{Agent, Claim, Command, Message, Refusal, State, Status, Task, decide};
use agent_team_core::record::{Holder, Recipient, Stage};
use agent_team_core::view::why_idle;
use serde::Serialize;

use crate::agent::{Draft, Line};
use crate::at_duty;
use crate::liveness::{self, Health};
use crate::model::Part;
use crate::purse::UsedUp;
use crate::run::{ALONE, ORCHESTRATOR};
use crate::team_log::TeamLog;
use crate::whereabouts;
use crate::{AgentId, Error, HUMAN, TaskQueue, format_duration};

/// After this time without progress an agent is shown as stuck, if its run has not said so before.
const STUCK_AFTER: Duration = Duration::from_secs(15 * 60);
/// From when on it is said how long an agent has waited for a word.
const LONG_WAIT: Duration = Duration::from_secs(60);

/// What an agent does at the moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Doing {
    /// It runs a command, changes files, or does what nobody sees.
    Working,
    /// Its model has been asked and has not answered.
    WaitingForModel,
    /// What it delivered is being checked, or waits to be merged, and nothing else fits it.
    WaitingForGate,
    /// It waits for a human: an approval, an answer.
    WaitingForHuman,
    /// It waits for another agent: an approval, an answer.
    WaitingForAgent,
    /// It is held up, by itself or with the whole team.
    Paused,
    /// Somebody stopped it and took from it what it worked on.
    Stopped,
    /// Nothing fits it.
    Idle,
    /// It holds something and made no progress for its limit.
    Stuck,
    /// Its process is gone: what it holds goes back to the queue.
    Dead,
    /// Nobody is there to do anything: it works for runs of the team, and none is alive, or the process or the session by
    /// which it worked has ended.
    Gone,
    /// It has left the team.
    Left,
}

/// An agent, and what it does at the moment.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct AgentState {
    /// The agent.
    pub agent: AgentId,
    /// What it does.
    pub doing: Doing,
    /// The same in words, with what and for whom.
    pub words: String,
    /// Since when, in milliseconds since 1970, where that is known.
    pub since_ms: Option<u64>,
}

/// What of the log is needed about an agent.
struct Known {
    agent: AgentId,
    paused: bool,
    /// Why it was stopped, if it was.
    stopped: Option<String>,
    left: bool,
    /// Why it left, if that was said.
    left_because: String,
    /// Whether only a run lets it do anything.
    orchestrated: bool,
    held: Option<(Claim, String)>,
    /// When its run last told it that it gets nowhere with what it holds.
    nudged_ms: Option<u64>,
    /// For whose word it waits, for which, and since when, in milliseconds since 1970.
    waits_for: Option<(AgentId, &'static str, u64)>,
    /// Until when its model takes no calls, in milliseconds since 1970.
    limited_ms: Option<u64>,
    /// Why nobody is there who works as this agent, where that is known though it holds nothing.
    gone: Option<String>,
    /// The task that was last taken back from it since its process was gone, and when, in milliseconds since 1970.
    died_ms: Option<(String, u64)>,
    /// Its result that is being proved.
    proving: Option<(String, Status)>,
    /// Whether all tasks have ended, and the run runs the check of its goal, or tells what came of it.
    is_being_proved: bool,
    /// Why nothing fits it.
    idle: String,
}

impl TaskQueue {
    /// What each agent does at the moment, by name.
    ///
    /// # Errors
    /// When the log cannot be read.
    pub fn agent_states(&self) -> Result<Vec<AgentState>, Error> {
        let team_log = self.team_log();
        let (is_run, now_ms) = (is_run(team_log)?, team_log.now_ms());
        let known: Vec<Known> = team_log.look(|state| {
            // One look at what is held and asked for all agents: teams may have thousands of each.
            let held = state.held().map(|(task, claim)| (&claim.agent, (task, claim))).collect();
            let asked = state.open_questions().map(|asked| (&asked.from, asked)).collect();
            let nudged = nudges(state).collect();
            let known = |agent: &Agent| {
                let died_ms = state.death(&agent.id).map(|death| (death.task.to_string(), death.at_ms));
                let gone = team_log.folder().filter(|_| !agent.orchestrated && !agent.left);
                let gone = gone.and_then(|folder| whereabouts::why_gone(folder, agent));
                Known { died_ms, gone, ..Known::of(state, agent, &held, &asked, &nudged, now_ms) }
            };
            let mut all: Vec<Known> = state.agents().map(known).collect();
            all.sort_by(|one, other| one.agent.in_order().cmp(&other.agent.in_order()));
            all
        })?;
        let at_duty = team_log.folder().map(at_duty::seen).unwrap_or_default();
        let doing = |known: Known| {
            let duty = at_duty.get(&known.agent);
            state_of(team_log, is_run, known, duty)
        };
        Ok(known.into_iter().map(doing).collect())
    }
}

impl TaskQueue {
    /// Why an agent finds no work now, in words: what there is, and for whom it is.
    ///
    /// ```
    /// # use agent_team::{AgentId, NewTask, Role, TaskQueue};
    /// let (queue, worker): (_, AgentId) = (TaskQueue::in_memory()?, "worker-1".parse()?);
    /// queue.add_task(NewTask { role: Some(Role::Reviewer), ..NewTask::new("Look at the parser") })?;
    /// assert_eq!(queue.why_idle(&worker)?, "1 ready for a reviewer");
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// When the log cannot be read.
    pub fn why_idle(&self, agent: &AgentId) -> Result<String, Error> {
        self.team_log().look(|state| why_idle(state, agent, self.team_log().now_ms()))
    }
}

/// What runs said to agents that got nowhere, oldest first.
fn nudges(state: &State) -> impl Iterator<Item = (&AgentId, &Message)> {
    let said = state.messages().all().iter();
    said.filter(|message| message.from.as_str() == ORCHESTRATOR).filter_map(|message| match &message.to {
        Recipient::Agent(to) => Some((to, message)),
        _ => None,
    })
}

/// Whether a run of the team is alive, as far as this process can know: one on another machine is taken to be.
pub(crate) fn is_run(team_log: &TeamLog) -> Result<bool, Error> {
    // Nobody else sees a team in memory.
    if team_log.is_in_memory() {
        return Ok(true);
    }
    let last = team_log.look(|state| {
        let run = state.runs().last()?;
        run.ended.is_none().then(|| run.process.clone())
    })?;
    // Who was alive when a log said so is seen in its folder alone.
    let Some(folder) = team_log.folder() else { return Ok(last.is_some()) };
    let alone = Some(ALONE.to_owned());
    let lives = |process| {
        let holder = Holder { process: Some(process), presence: alone, ..Holder::default() };
        liveness::health(folder, &holder) != Health::Dead
    };
    Ok(last.is_some_and(lives))
}

impl Known {
    fn of(
        state: &State,
        agent: &Agent,
        held: &BTreeMap<&AgentId, (&Task, &Claim)>,
        asked: &BTreeMap<&AgentId, &Message>,
        nudged: &BTreeMap<&AgentId, &Message>,
        now_ms: u64,
    ) -> Self {
        let id = &agent.id;
        let held = held.get(id).copied();
        let nudged = held.and_then(|(task, claim)| {
            let nudged = nudged.get(id)?;
            let is_of_it = nudged.task.as_ref() == Some(task.id()) && nudged.at_ms >= claim.at_ms;
            is_of_it.then_some(nudged.at_ms)
        });
        let asked = asked.get(id).map(|asked| {
            let to = match &asked.to {
                Recipient::Agent(to) => to.clone(),
                _ => AgentId::human(),
            };
            (to, "to answer it", asked.at_ms)
        });
        let judged = held.and_then(|(task, _)| {
            let plan = task.open_plan()?;
            let mut members = state.agents().filter(|known| !known.left);
            let approver = members.find(|known| state.may_approve(task, &known.id));
            let approver = approver.map_or_else(AgentId::human, |known| known.id.clone());
            Some((approver, "to approve its plan", plan.at_ms))
        });
        let waits_for = judged.or(asked).filter(|_| held.is_some());
        let is_its = |task: &&Task| task.submission.as_ref().is_some_and(|given| given.author == *id);
        let proving = [Stage::Verify, Stage::Merge].into_iter().flat_map(|stage| state.waiting_for(stage));
        let judged = state.held().map(|(task, _)| task).filter(|task| task.status != Status::Running);
        let proving = proving.chain(judged).find(is_its);
        let command = Command::Claim {
            agent: id.clone(),
            task: None,
            stage: Stage::Work,
            holder: std::sync::Arc::default(),
        };
        // Only a run can say that its clock is over, and only who is run by one pays for calls by the log.
        let used_up = UsedUp::look(state, id, agent.orchestrated, Duration::ZERO);
        let idle = match (decide(state, &command, now_ms), used_up) {
            (Ok(_), Some(used_up)) => used_up.refusal().to_string(),
            (Ok(_), None) => "about to take a task".to_owned(),
            (Err(Refusal::NothingNow { .. } | Refusal::NothingEver { .. }), _) => {
                format!("nothing fits: {}", why_idle(state, id, now_ms))
            }
            (Err(refusal), _) => refusal.to_string(),
        };
        let counts = state.counts();
        let limit = agent.with.as_deref().and_then(|model| state.limit(model));
        Self {
            agent: id.clone(),
            paused: state.held_up(id).is_some(),
            stopped: state.stopped(id).map(str::to_owned),
            left: agent.left,
            left_because: agent.left_because.clone(),
            orchestrated: agent.orchestrated,
            held: held.map(|(task, claim)| (claim.clone(), task.id().to_string())),
            nudged_ms: nudged,
            waits_for,
            limited_ms: limit.map(|limit| limit.until_ms).filter(|until_ms| *until_ms > now_ms),
            proving: proving.map(|task| (task.id().to_string(), task.status)),
            died_ms: None,
            gone: None,
            is_being_proved: counts.ready + counts.running + counts.blocked == 0
                && state.runs().last().is_some_and(|run| run.ended.is_none() && run.check.is_some()),
            idle,
        }
    }
}

fn state_of(team_log: &TeamLog, is_run: bool, known: Known, duty: Option<&at_duty::Doing>) -> AgentState {
    let Known {
        agent,
        paused,
        stopped,
        left,
        left_because,
        orchestrated,
        held,
        nudged_ms,
        waits_for,
        limited_ms,
        proving,
        died_ms,
        gone,
        is_being_proved,
        idle,
    } = known;
    let is = |doing, words: String, since_ms| AgentState { agent: agent.clone(), doing, words, since_ms };
    if left {
        let why = if left_because.is_empty() { String::new() } else { format!(": {left_because}") };
        return is(Doing::Left, format!("has left{why}"), None);
    }
    if let (Some(reason), None) = (stopped, &held) {
        let why = if reason.is_empty() { String::new() } else { format!(": {reason}") };
        return is(Doing::Stopped, format!("stopped{why}; agent-team resume {agent} lets it go on"), None);
    }
    if let Some(at_duty::Doing { what, since_ms }) = duty.filter(|_| !paused) {
        return is(Doing::WaitingForModel, what.clone(), Some(*since_ms));
    }
    let Some((claim, task)) = held else {
        // A run knows of its own agents whether they live.
        if let Some((task, at_ms)) = died_ms.filter(|_| !orchestrated && !paused) {
            let words = format!(
                "dead: its process is gone, and {task} went back; it lives again with its next claim"
            );
            return is(Doing::Dead, words, Some(at_ms));
        }
        if let Some(why) = gone.filter(|_| !paused) {
            return is(Doing::Gone, format!("gone: {why}; it is back with its next claim"), None);
        }
        return match proving {
            _ if orchestrated && !is_run => {
                let then = if paused { ", once it is resumed" } else { "" };
                is(Doing::Gone, format!("gone: no run is alive; agent-team run goes on{then}"), None)
            }
            _ if paused => is(Doing::Paused, "paused".to_owned(), None),
            None if is_being_proved && orchestrated => {
                is(Doing::WaitingForGate, "the goal is being proved".to_owned(), None)
            }
            Some((task, status)) => is(Doing::WaitingForGate, format!("{task} is {status}"), None),
            None => is(Doing::Idle, idle, None),
        };
    };
    let folder = team_log.folder();
    let is_dead = folder.is_some_and(|folder| liveness::health(folder, &claim.holder) == Health::Dead);
    if is_dead {
        return is(Doing::Dead, format!("dead; {task} goes back to the queue"), None);
    }
    let root = claim.resumes.unwrap_or(claim.id);
    let attempt = folder.map(|folder| folder.attempt(root));
    let last = attempt.as_deref().and_then(Line::last_step);
    let draft = attempt.as_deref().and_then(Draft::of);
    if paused {
        // A turn that goes on is finished first.
        let calls = matches!(&last, Some((Line::Answered { parts, .. }, _)) if !called(parts).is_empty());
        let calls = calls && waits_for.is_none();
        return match draft.is_some() || calls {
            true => is(Doing::Working, format!("{task}: finishes its turn, then pauses"), None),
            false => is(Doing::Paused, format!("paused in {task}"), None),
        };
    }
    if let Some((whom, what, since_ms)) = waits_for {
        let doing = if whom.as_str() == HUMAN { Doing::WaitingForHuman } else { Doing::WaitingForAgent };
        let waited = Duration::from_millis(team_log.now_ms().saturating_sub(since_ms));
        let long = if waited >= LONG_WAIT { format!(", for {}", roughly(waited)) } else { String::new() };
        return is(doing, format!("{task}: waits for {whom} {what}{long}"), Some(since_ms));
    }
    let limited_ms = limited_ms.map(|until_ms| until_ms.saturating_sub(team_log.now_ms()));
    let step = last.map(|(line, since_ms)| step(&line, since_ms, draft.as_ref(), limited_ms));
    let (doing, what, since_ms) = step.unwrap_or((Doing::Working, String::new(), claim.at_ms));
    // Whoever takes over where another one stopped is not idle since then.
    let since_ms = since_ms.max(claim.at_ms);
    let stage = if claim.stage == Stage::Work { String::new() } else { format!(" ({})", claim.stage) };
    // What it was told since, by its run above all, is no progress of its own.
    let acted_ms = || attempt.as_deref().and_then(Line::acted_ms).unwrap_or_default().max(claim.at_ms);
    let nudged_since = nudged_ms.and_then(|nudged_ms| Some(acted_ms()).filter(|acted| *acted <= nudged_ms));
    let idle_since = nudged_since.unwrap_or(since_ms);
    let idle = Duration::from_millis(team_log.now_ms().saturating_sub(idle_since));
    if claim.holder.orchestrated && (nudged_since.is_some() || idle >= STUCK_AFTER) {
        let words = format!("{task}{stage}: no progress for {}", roughly(idle));
        return is(Doing::Stuck, words, Some(idle_since));
    }
    let what = if what.is_empty() { String::new() } else { format!(": {what}") };
    is(doing, format!("{task}{stage}{what}"), Some(since_ms))
}

/// What an agent is at after the last step in its transcript, and since when. `limited_ms`: for how long its model takes no calls.
fn step(last: &Line, since_ms: u64, draft: Option<&Draft>, limited_ms: Option<u64>) -> (Doing, String, u64) {
    if let Line::Answered { parts, .. } = last {
        return (Doing::Working, called(parts), since_ms);
    }
    if draft.is_some_and(|draft| !draft.text.trim().is_empty()) {
        return (Doing::Working, "writes".to_owned(), since_ms);
    }
    let limited = limited_ms.map(|left_ms| {
        let left = Duration::from_millis(left_ms).max(Duration::from_secs(1));
        format!(", which takes no calls for {}", roughly(left))
    });
    (Doing::WaitingForModel, format!("waits for its model{}", limited.unwrap_or_default()), since_ms)
}

/// A time in minutes, or in seconds as long as it is short.
fn roughly(time: Duration) -> String {
    let unit = if time.as_secs() < 60 { 1 } else { 60 };
    format_duration(Duration::from_secs(time.as_secs() / unit * unit))
}

/// What a turn does, in a few words.
fn called(parts: &[Part]) -> String {
    let calls = parts.iter().filter_map(|part| match part {
        Part::ToolCall { name, .. } => Some(name.as_str()),
        _ => None,
    });
    calls.collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{AgentJoined, MessageBus, NewMessage, NewTask, Role};

    fn doing(queue: &TaskQueue, agent: &AgentId) -> (Doing, String) {
        let states = queue.agent_states().unwrap();
        let state = states.into_iter().find(|state| state.agent == *agent).unwrap();
        (state.doing, state.words)
    }

    #[test]
    fn waiting_idle_and_working_are_told_apart() {
        let queue = TaskQueue::in_memory().unwrap();
        let bus = MessageBus::over(queue.team_log().clone());
        let (human, worker) = (AgentId::human(), "worker-1".parse::<AgentId>().unwrap());
        queue.join(AgentJoined::new(worker.clone(), Role::Worker)).unwrap();
        assert_eq!(doing(&queue, &worker).0, Doing::Idle);
        assert!(doing(&queue, &worker).1.contains("no task has been added yet"));
        let task = queue.add_task(NewTask { plan: true, ..NewTask::new("a").id("a") }).unwrap();
        let token = queue.claim_task(&worker).unwrap().unwrap().token;
        assert_eq!(doing(&queue, &worker), (Doing::Working, "a".to_owned()));
        queue.submit_plan(token, &worker, "So.").unwrap();
        assert_eq!(
            doing(&queue, &worker),
            (Doing::WaitingForHuman, "a: waits for human to approve its plan".into())
        );
        queue.judge_plan(&human, &task, None, crate::Verdict::Approved(String::new())).unwrap();
        let question = NewMessage::new(&worker, Recipient::Agent(human.clone()), "Why?");
        let question = bus.post(NewMessage { asks: true, ..question }).unwrap();
        assert_eq!(doing(&queue, &worker).0, Doing::WaitingForHuman);
        bus.answer(&human, question, "So.").unwrap();
        queue.pause(&human, None, "").unwrap();
        assert_eq!(doing(&queue, &worker).0, Doing::Paused);
    }

    #[test]
    fn a_question_is_open_as_long_as_whoever_asked_it_wants_to_know() {
        let queue = TaskQueue::in_memory().unwrap();
        let bus = MessageBus::over(queue.team_log().clone());
        let (human, one, other) = (
            AgentId::human(),
            "worker-1".parse::<AgentId>().unwrap(),
            "worker-2".parse::<AgentId>().unwrap(),
        );
        for agent in [&one, &other] {
            queue.join(AgentJoined::new(agent.clone(), Role::Worker)).unwrap();
        }
        let task = queue.add_task(NewTask::new("a").id("a")).unwrap();
        let asks = |from: &AgentId| {
            let question = NewMessage::new(from, Recipient::Agent(AgentId::human()), "Tabs or spaces?");
            bus.post(NewMessage { asks: true, task: Some(task.clone()), ..question }).unwrap()
        };
        let open = || bus.questions(None).unwrap().into_iter().map(|asked| asked.id).collect::<Vec<_>>();
        let holder = Holder { orchestrated: true, ..Holder::default() };
        let by_run = crate::ClaimOptions { holder: Some(holder.into()), ..Default::default() };
        queue.claim(&one, &by_run).unwrap();
        let first = asks(&one);
        queue.stop_agent(&human, &one, "").unwrap();
        assert_eq!(open(), [first], "it goes on with the task once it is resumed");
        let token = queue.claim_task(&other).unwrap().unwrap().token;
        let second = asks(&other);
        assert_eq!(open(), [second], "another one has the task now");
        let refused = bus.answer(&human, first, "Tabs.").unwrap_err().to_string();
        assert!(refused.contains("nobody waits for the answer"), "{refused}");
        queue.complete(token, &other, "done", None, Vec::new()).unwrap();
        assert_eq!(open(), [], "the task has ended");
    }

    #[test]
    fn who_is_idle_is_told_what_there_is_and_for_whom() {
        let queue = TaskQueue::in_memory().unwrap();
        let join = |name: &str, role| {
            let agent: AgentId = name.parse().unwrap();
            queue.join(AgentJoined::new(agent.clone(), role)).unwrap();
            agent
        };
        let [worker, lead, reviewer] =
            [("worker-1", Role::Worker), ("lead-1", Role::Lead), ("reviewer-1", Role::Reviewer)]
                .map(|(name, role)| join(name, role));
        queue.add_task(NewTask::new("a").id("a")).unwrap();
        queue.add_task(NewTask { after: vec!["a".into()], ..NewTask::new("b") }).unwrap();
        queue.add_task(NewTask { role: Some(Role::Reviewer), ..NewTask::new("c") }).unwrap();
        queue.add_task(NewTask { skill: Some("rust".into()), ..NewTask::new("d") }).unwrap();
        let words = "nothing fits: 1 ready for a reviewer, 1 ready for the skill `rust`, 1 ready for workers, 1 blocked";
        assert_eq!(doing(&queue, &lead), (Doing::Idle, words.to_owned()));
        assert_eq!(doing(&queue, &reviewer).1, "about to take a task");
        let token = queue.claim_task(&worker).unwrap().unwrap().token;
        let (human, other) = (AgentId::human(), join("worker-2", Role::Worker));
        let words =
            "nothing fits: 1 ready for a reviewer, 1 ready for the skill `rust`, 1 under way, 1 blocked";
        assert_eq!(doing(&queue, &other).1, words);
        queue.fail(token, &worker, "It is too dark.", false).unwrap();
        let words = doing(&queue, &other).1;
        assert!(
            words.contains("1 tried again after a failure, in ") && words.contains(" s at the earliest"),
            "{words}"
        );
        for task in queue.list_tasks().unwrap() {
            let _ = queue.cancel(&human, &task.id, false);
        }
        assert_eq!(doing(&queue, &other).1, "nothing fits: all tasks have ended");
    }

    #[test]
    fn who_has_nothing_left_to_spend_is_idle_and_says_so() {
        let queue = TaskQueue::in_memory().unwrap();
        let worker: AgentId = "worker-1".parse().unwrap();
        let member = AgentJoined { orchestrated: true, ..AgentJoined::new(worker.clone(), Role::Worker) };
        queue.join(member).unwrap();
        queue.add_task("a").unwrap();
        assert_eq!(doing(&queue, &worker).1, "about to take a task");
        let bounds = crate::Bounds { calls: Some(0), ..crate::Bounds::default() };
        queue.set_budget(&AgentId::human(), &crate::Account::Run, bounds).unwrap();
        let words = "this would exceed the budget of this run: turns";
        assert_eq!(doing(&queue, &worker), (Doing::Idle, words.to_owned()));
    }
}
