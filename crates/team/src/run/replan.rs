//! Failures are put to a lead, as often as may be; a task that waits in vain for its parts is given up.
//!
//! What was put to whom stands in the log: a re-planning task names the failure. So a run that is started anew counts
//! on, and puts no failure twice. What a hook kept from being put is known to this run alone: the next one asks again.

use std::collections::{BTreeMap, BTreeSet};

use agent_team_core::machine::{Command, State, Status, Task};
use agent_team_core::record::Replan;
use tokio_util::sync::CancellationToken;

use super::Run;
use super::goal::free_id;
use crate::agent::{last_words, prompt};
use crate::hooks::{self, Blocked, Hook};
use crate::outside::new_id;
use crate::progress::Progress;
use crate::team_log::{blocking, refusal};
use crate::{AgentId, Error, HUMAN, NewTask, RecordId, Role, TaskId, Text};

/// What this run knows of failures, each by the record of the failure.
#[derive(Default)]
pub(super) struct Failures {
    /// Those that the user was told of.
    told: BTreeSet<RecordId>,
    /// Those that a hook kept from being planned anew, and what it said.
    blocked: BTreeMap<RecordId, Blocked>,
}

/// What is to be done about a failure.
enum Answer {
    /// A lead plans it anew.
    Put(Box<Put>),
    /// The task that waits for it as a part is given up.
    GiveUp { whole: TaskId, reason: String },
    /// Nothing can be, but the user may want to know.
    Tell { failure: RecordId, words: String },
}

struct Put {
    failed: Box<Task>,
    /// The task within which the failure is planned anew.
    within: Option<TaskId>,
    /// Whether a task waits for the failed one as its part.
    is_part: bool,
    /// Who plans, if it must be somebody in particular.
    lead: Option<AgentId>,
    /// Which re-plan it is within that, and how many there may be.
    number: u32,
    most: u32,
    goal: String,
    board: String,
}

impl Run<'_> {
    /// Sees to the failures that somebody must hear of. May be dropped half-way.
    pub(super) async fn see_to_failures(&self, failures: &mut Failures) -> Result<(), Error> {
        while !self.stop.is_cancelled() && self.see_to_a_failure(failures).await? {}
        Ok(())
    }

    /// Sees to one failure, and says whether there was one.
    async fn see_to_a_failure(&self, failures: &mut Failures) -> Result<bool, Error> {
        let first_lead = self.lead().map(|lead| lead.id.clone());
        let answer = self.team.queue.team_log().look(|state| {
            let mut failed = state.lost().filter(|task| task.status == Status::Failed);
            failed.find_map(|task| {
                let answer = answer(state, task, first_lead.as_ref(), &failures.blocked)?;
                let was_told = |failure| failures.told.contains(failure);
                (!matches!(&answer, Answer::Tell { failure, .. } if was_told(failure))).then_some(answer)
            })
        })?;
        let Some(answer) = answer else { return Ok(false) };
        match answer {
            Answer::Put(put) => self.put(*put, failures).await?,
            Answer::GiveUp { whole, reason } => {
                let words = format!("{whole} is given up: {reason}");
                let reason = self.team.queue.team_log().text(reason)?;
                let command = Command::GiveUp { task: whole, reason };
                // Somebody may have gone on with it meanwhile.
                if refusal(self.team.queue.team_log().submit(&self.by, &command))?.is_ok() {
                    self.reporter.report(Progress::Note(words));
                }
            }
            Answer::Tell { failure, words } => {
                failures.told.insert(failure);
                self.reporter.report(Progress::Note(words));
            }
        }
        Ok(true)
    }

    /// Puts a failure to a lead, if the hook has nothing against it.
    async fn put(&self, put: Put, failures: &mut Failures) -> Result<(), Error> {
        let team_log = self.team.queue.team_log();
        let failed = &put.failed;
        let id = team_log.look(|state| {
            let base = format!("replan-{}", failed.id());
            let base = base.get(..base.floor_char_boundary(60)).unwrap_or("replan");
            free_id(state, base)
        })?;
        let Some(id) = id else { return Ok(()) };
        let task = NewTask {
            agent: put.lead.as_ref().map(ToString::to_string),
            parent: put.within.as_ref().map(ToString::to_string),
            // Whoever is to agree to the lead's tasks is to agree to those, too.
            approver: self.proposes(&put).then(|| HUMAN.to_owned()),
            ..NewTask::new(format!("Plan anew: {} failed", failed.id()))
        };
        let task = task.description(self.words(&put)?).role(Role::Lead).priority(i32::MAX);
        if let Err(blocked) = self.may_put(&id, &task, failed.id()).await? {
            if !put.is_part {
                let note = format!("WARNING {} failed, and is not planned anew: {blocked}", failed.id());
                self.reporter.report(Progress::Note(note));
            }
            failures.blocked.insert(failed.revision, blocked);
            return Ok(());
        }
        let mut spec = task.spec(team_log, id)?;
        spec.replans = Some(Replan { task: failed.id().clone(), failure: failed.revision });
        let command = Command::AddTasks { tasks: vec![spec], batch: new_id(), limits: Vec::new() };
        // Somebody may have retried it meanwhile.
        if refusal(team_log.submit(&self.by, &command))?.is_ok() {
            let (number, most) = (put.number, put.most);
            let note = format!("{} failed: a lead plans anew ({number} of {most})", failed.id());
            self.reporter.report(Progress::Note(note));
        }
        Ok(())
    }

    /// Whether somebody must agree to what the lead does about it.
    fn proposes(&self, put: &Put) -> bool {
        self.team.options.approve_plan && !put.is_part
    }

    /// What the hook says of a task that puts a failure to a lead. Whoever stops waiting for it ends it.
    async fn may_put(
        &self,
        id: &TaskId,
        task: &NewTask,
        failed: &TaskId,
    ) -> Result<Result<(), Blocked>, Error> {
        let team_log = self.team.queue.team_log().clone();
        if team_log.hooks(Hook::TaskAdded).is_none() {
            return Ok(Ok(()));
        }
        let (by, id, task, failed) = (self.by.clone(), id.clone(), task.clone(), failed.clone());
        let stop = CancellationToken::new();
        let _ended = stop.clone().drop_guard();
        blocking(move || Ok(hooks::may_plan_anew(&team_log, &by, (&id, &task), &failed, &stop))).await
    }

    /// What the lead is told of a failure.
    fn words(&self, put: &Put) -> Result<String, Error> {
        let team_log = self.team.queue.team_log();
        let whole = |text: &Text| team_log.read_text(text);
        let failed = &put.failed;
        let description = whole(&failed.spec.description)?;
        let setbacks = failed
            .feedback
            .iter()
            .map(|feedback| Ok((feedback.cause, feedback.said_by().clone(), whole(&feedback.text)?)));
        let setbacks: Vec<_> = setbacks.collect::<Result<_, Error>>()?;
        let left = put.most.saturating_sub(put.number);
        Ok(prompt::replanning(&prompt::Failed {
            goal: &put.goal,
            id: failed.id(),
            title: &failed.spec.title,
            description: &description,
            reason: failed.failure.map_or("failed", |failure| failure.as_str()),
            setbacks: &setbacks,
            handoff: team_log.folder().and_then(|folder| last_words(failed, folder)),
            dependents: &failed.dependents,
            board: &put.board,
            left,
            is_proposed: self.proposes(put),
        }))
    }
}

/// Whether nothing is left to be done about a task: it is completed or not wanted, or it was to plan anew what is no failure
/// any more, or a goal.
pub(super) fn is_settled(state: &State, task: &Task) -> bool {
    match task.status {
        Status::Completed | Status::Cancelled => true,
        Status::Failed => match &task.spec.replans {
            Some(replan) => state.task(&replan.task).is_none_or(|failed| failed.status != Status::Failed),
            // What counts is whether the goal is proved.
            None => task.spec.plans_on(),
        },
        _ => false,
    }
}

/// What is to be done about a task that failed for good; nothing if that has been done, or somebody else is at it.
fn answer(
    state: &State,
    failed: &Task,
    first_lead: Option<&AgentId>,
    blocked: &BTreeMap<RecordId, Blocked>,
) -> Option<Answer> {
    let is_ended = |id: &TaskId| state.task(id).is_none_or(|task| task.status.is_ended());
    let plans_anew = failed.spec.replans.is_some() || failed.spec.plans_on();
    if plans_anew || failed.replan.as_ref().is_some_and(|replan| !is_ended(replan)) {
        return None;
    }
    let whole = failed.above.first().and_then(|whole| state.task(whole));
    if let Some(whole) = whole
        && !(whole.status == Status::Blocked && whole.handed_out)
    {
        // Whoever holds it sees to its parts, or nobody wants it any more.
        return None;
    }
    if let Some(blocked) = blocked.get(&failed.revision) {
        let reason = format!("its part {} failed, and is not planned anew: {blocked}", failed.id());
        return whole.map(|whole| Answer::GiveUp { whole: whole.id().clone(), reason });
    }
    let within = state.planned_within(failed);
    let (used, most) = (state.replans(within.as_ref()), state.replans_max());
    let leads = || state.agents().filter(|agent| !agent.left && agent.role == Role::Lead);
    if let Some(replan) = &failed.replan {
        let said = state.task(replan).and_then(|task| {
            let result = task.result().map(Text::preview);
            result.or_else(|| task.feedback.last().map(|last| last.text.preview()))
        });
        let reason = format!(
            "its part {} failed, and {replan} could not help: {}",
            failed.id(),
            said.as_deref().unwrap_or("it was not done")
        );
        return whole.map(|whole| Answer::GiveUp { whole: whole.id().clone(), reason });
    }
    if leads().next().is_none() || used >= most {
        let last = failed.feedback.last().map(|last| last.text.preview().into_owned()).unwrap_or_default();
        if let Some(whole) = whole {
            let why = format!("its part {} failed, and {used} of {most} re-plans are used", failed.id());
            return Some(Answer::GiveUp { whole: whole.id().clone(), reason: format!("{why}: {last}") });
        }
        let words = format!(
            "WARNING {} failed, and {used} of {most} re-plans are used: nobody plans anew",
            failed.id()
        );
        return leads().next().map(|_| Answer::Tell { failure: failed.revision, words });
    }
    // Who split it knows best what its parts are for.
    let split_by = whole.and_then(|whole| whole.past_claims.last()).map(|claim| &claim.agent);
    let lead = split_by.or(first_lead).filter(|lead| leads().any(|agent| agent.id == **lead));
    let goal = whole.map(|whole| whole.spec.title.clone());
    let goal = goal.or_else(|| state.runs().iter().rev().find_map(|run| run.goal.clone()));
    Some(Answer::Put(Box::new(Put {
        failed: Box::new(failed.clone()),
        within,
        is_part: whole.is_some(),
        lead: lead.cloned(),
        number: used + 1,
        most,
        goal: goal.unwrap_or_default(),
        board: super::board(state),
    })))
}
