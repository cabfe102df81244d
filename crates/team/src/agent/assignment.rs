//! What an agent is given: the task with everything that it should know to do it.

use agent_team_core::machine::{Claim, Feedback, Plan, State, Submission, Task};
use agent_team_core::record::Stage;
use agent_team_core::view;

use super::handoff::LastAttempt;
use super::lead_tools::sheet;
use crate::team_log::TeamLog;
use crate::{Error, FeedbackCause, RecordId, Refusal, Role, TaskId, Text};

/// A task with everything that an agent should know to do it, or to judge it.
#[derive(Debug, Clone, PartialEq)]
pub struct Assignment {
    /// The task.
    pub id: TaskId,
    /// One line.
    pub title: String,
    /// The whole text; the title if there is no more.
    pub description: String,
    /// Whether its words are the program's own, with quotes of others in them; not those of a user or an agent.
    pub is_ours: bool,
    /// Whose words they are, if that is neither the user nor a lead: they ask, and order nothing.
    pub asked_by: Option<crate::AgentId>,
    /// Whether to do it, or to review what somebody did.
    pub stage: Stage,
    /// Which attempt this is, from 1.
    pub attempt: u32,
    /// The first claim of the attempt that this one continues: its folder holds the journal of all of them.
    pub resumes: Option<RecordId>,
    /// The last claim of that attempt: work that was handed back is kept under its token.
    pub left_off: Option<RecordId>,
    /// The command that will prove the result.
    pub check: Option<String>,
    /// What the tasks that it depends on gave.
    pub dependencies: Vec<Dependency>,
    /// Where the last attempt stood when it ended, if its transcript is on this machine: made from that, and quoted as
    /// data with the name of who made the attempt.
    pub handoff: Option<String>,
    /// What went wrong before, oldest first.
    pub setbacks: Vec<Setback>,
    /// For a review: who delivered what.
    pub delivered: Option<Delivered>,
    /// What the agent should know about the folder that it works in.
    pub note: Option<String>,
    /// What the team noted for tasks with its labels, each with who noted it.
    pub notes: Vec<(crate::AgentId, String)>,
    /// The newest plan for it, if somebody has judged that one.
    pub plan: Option<JudgedPlan>,
    /// Whether a plan must be approved before anything is changed.
    pub lacks_plan: bool,
    /// For a review: whether to try to refute what was delivered.
    pub refute: bool,
    /// Whether it is to be split into parts by its lead, who delivers it when they are done.
    pub delegated: bool,
    /// For a lead: how its team and the tasks stand.
    pub team: Option<String>,
}

/// A plan on which somebody has given their word.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct JudgedPlan {
    /// Whose it is.
    pub author: crate::AgentId,
    /// The plan.
    pub text: String,
    /// Who rejected it, and what they said; `None` if it was approved.
    pub rejected: Option<(crate::AgentId, String)>,
}

impl JudgedPlan {
    /// `None` while nobody has judged it.
    pub(super) fn of(team_log: &TeamLog, plan: &Plan) -> Result<Option<Self>, Error> {
        let Some(verdict) = &plan.verdict else { return Ok(None) };
        let feedback = (!verdict.approved).then(|| team_log.read_text(&verdict.feedback)).transpose()?;
        Ok(Some(Self {
            author: plan.author.clone(),
            text: team_log.read_text(&plan.text)?,
            rejected: feedback.map(|feedback| (verdict.by.clone(), feedback)),
        }))
    }
}

/// What a task that this one depends on gave.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Dependency {
    /// Its id.
    pub id: TaskId,
    /// Its title.
    pub title: String,
    /// Its result.
    pub result: String,
    /// Whose words that is.
    pub author: crate::AgentId,
}

/// Something that went wrong with an earlier attempt.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Setback {
    /// The attempt.
    pub attempt: u32,
    /// What kind of thing.
    pub cause: FeedbackCause,
    /// All that is known about it.
    pub text: String,
    /// Whose words that is: a reviewer's, or of whoever made the attempt; or who ran what printed it.
    pub agent: crate::AgentId,
    /// The commit that was refused.
    pub commit: Option<String>,
}

/// What is to be reviewed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Delivered {
    /// The submission that the verdict must name.
    pub submission: RecordId,
    /// Who delivered it.
    pub author: crate::AgentId,
    /// What the author says came out.
    pub result: String,
    /// The commit, and the one that it was made on.
    pub commit: Option<(String, String)>,
    /// The difference that the commit makes, as far as it is shown.
    pub diff: Option<String>,
    /// What the task's check said of it when it held, where it has one.
    pub check_output: Option<String>,
    /// The team's gate, where it is still to hold on the commit.
    pub gate: Option<GateAhead>,
}

/// The team's gate, which what is to be reviewed has not passed yet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GateAhead {
    /// The command.
    pub command: String,
    /// The newest attempt at the task that it refused: what it said then is among the setbacks.
    pub refused: Option<u32>,
}

impl Assignment {
    /// A question to an agent, outside of any task.
    pub(crate) fn question(id: TaskId, text: String) -> Self {
        Self {
            id,
            title: text.clone(),
            description: text,
            is_ours: true,
            asked_by: None,
            stage: Stage::Work,
            attempt: 1,
            resumes: None,
            left_off: None,
            check: None,
            dependencies: Vec::new(),
            handoff: None,
            setbacks: Vec::new(),
            delivered: None,
            note: None,
            notes: Vec::new(),
            plan: None,
            lacks_plan: false,
            refute: false,
            delegated: false,
            team: None,
        }
    }

    /// The assignment of a claim, if it is still in force.
    pub(crate) fn of(team_log: &TeamLog, token: RecordId) -> Result<Self, Error> {
        let draft = team_log.look_at_known(|state| Draft::of(state, token))?;
        let whole = |text: &Text| team_log.read_text(text);
        let description = whole(&draft.description)?;
        let title = draft.title;
        let dependencies = draft.dependencies.into_iter().map(|(id, title, result, author)| {
            Ok::<_, Error>(Dependency { id, title, result: whole(&result)?, author })
        });
        let setbacks = draft.setbacks.into_iter().map(|feedback| {
            let (attempt, cause, agent) = (feedback.attempt, feedback.cause, feedback.said_by().clone());
            let commit = feedback.commit.map(|work| work.commit);
            Ok::<_, Error>(Setback { attempt, cause, text: whole(&feedback.text)?, agent, commit })
        });
        let gate = draft.gate;
        let delivered = draft.delivered.map(|submission| {
            Ok::<_, Error>(Delivered {
                submission: submission.id,
                author: submission.author,
                result: whole(&submission.result)?,
                commit: submission.commit.map(|work| (work.commit, work.base)),
                diff: None,
                check_output: submission.check_output.as_ref().map(whole).transpose()?,
                gate,
            })
        });
        let handoff = draft.last.and_then(|last| last.note(team_log.folder()?));
        Ok(Self {
            id: draft.id,
            description: if description.is_empty() { title.clone() } else { description },
            title,
            is_ours: draft.is_ours,
            asked_by: draft.asked_by,
            stage: draft.stage,
            attempt: draft.attempt,
            resumes: draft.resumes,
            left_off: draft.left_off,
            check: draft.check,
            dependencies: dependencies.collect::<Result<_, _>>()?,
            handoff,
            setbacks: setbacks.collect::<Result<_, _>>()?,
            delivered: delivered.transpose()?,
            note: None,
            notes: draft
                .notes
                .into_iter()
                .map(|(by, text)| Ok::<_, Error>((by, whole(&text)?)))
                .collect::<Result<_, _>>()?,
            plan: draft.plan.map(|plan| JudgedPlan::of(team_log, &plan)).transpose()?.flatten(),
            lacks_plan: draft.lacks_plan,
            refute: draft.refute,
            delegated: draft.delegated,
            team: draft.team,
        })
    }
}

/// The claim with which the attempt began that a claim continues, whatever came in between.
fn first_of_attempt(task: &Task, claim: &Claim) -> Option<RecordId> {
    let mut first = claim.resumes?;
    let before = |id| task.past_claims.iter().find(|past| past.id == id).and_then(|past| past.resumes);
    while let Some(earlier) = before(first) {
        first = earlier;
    }
    Some(first)
}

/// The last claim on the work itself that has ended.
fn last_work(task: &Task) -> Option<RecordId> {
    let mut past = task.past_claims.iter().rev();
    past.find(|past| past.stage == Stage::Work).map(|past| past.id)
}

/// An assignment whose texts have not been fetched yet.
struct Draft {
    id: TaskId,
    title: String,
    description: Text,
    is_ours: bool,
    asked_by: Option<crate::AgentId>,
    stage: Stage,
    attempt: u32,
    resumes: Option<RecordId>,
    left_off: Option<RecordId>,
    check: Option<String>,
    dependencies: Vec<(TaskId, String, Text, crate::AgentId)>,
    last: Option<LastAttempt>,
    setbacks: Vec<Feedback>,
    delivered: Option<Submission>,
    gate: Option<GateAhead>,
    notes: Vec<(crate::AgentId, Text)>,
    plan: Option<Box<Plan>>,
    lacks_plan: bool,
    refute: bool,
    delegated: bool,
    team: Option<String>,
}

fn is_lead(state: &State, agent: &crate::AgentId) -> bool {
    state.agent(agent).is_some_and(|agent| agent.role == Role::Lead)
}

/// How the team stands, if the holder leads it and there is anything to know but the task.
pub(super) fn team(state: &State, task: &Task, claim: &Claim) -> Option<String> {
    let leads = is_lead(state, &claim.agent) && claim.stage == Stage::Work && state.counts().total > 1;
    (leads || task.spec.delegate).then(|| sheet(state, task, &claim.agent))
}

impl Draft {
    fn of(state: &State, token: RecordId) -> Result<Self, Refusal> {
        let (task, claim) = state.live_claim(token)?;
        let spec = &task.spec;
        let needed = spec.after.iter().filter_map(|id| state.task(id));
        let results = needed.filter_map(|needed| {
            let submission = needed.submission.as_ref().filter(|_| needed.result().is_some())?;
            let (result, author) = (submission.result.clone(), submission.author.clone());
            Some((needed.id().clone(), needed.spec.title.clone(), result, author))
        });
        let delivered = task.submission.as_deref().filter(|_| claim.stage != Stage::Work);
        let gate = view::gate(state, task);
        Ok(Self {
            id: spec.id.clone(),
            title: spec.title.clone(),
            description: spec.description.clone(),
            // A run alone says what is planned anew; who asks for a task is named in it.
            is_ours: spec.replans.is_some() || spec.plans_on(),
            asked_by: spec.asked_by.clone().filter(|agent| !is_lead(state, agent)),
            stage: claim.stage,
            attempt: task.attempt,
            resumes: first_of_attempt(task, claim),
            left_off: claim.resumes.and_then(|_| last_work(task)),
            check: spec.check.clone(),
            dependencies: results.collect(),
            last: (claim.stage == Stage::Work).then(|| LastAttempt::of(task)).flatten(),
            setbacks: task.feedback.clone(),
            delivered: delivered.cloned(),
            gate: gate.map(|gate| GateAhead { command: gate.command, refused: gate.refused }),
            notes: state
                .notes_for(&spec.labels)
                .map(|note| (note.agent.clone(), note.text.clone()))
                .collect(),
            plan: task.plan.clone().filter(|plan| plan.is_approved() || claim.stage == Stage::Work),
            lacks_plan: claim.stage == Stage::Work && state.lacks_plan(task, &claim.agent),
            refute: claim.stage == Stage::Review && spec.refute,
            delegated: claim.stage == Stage::Work && spec.delegate,
            team: team(state, task, claim),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::agent::prompt::{self, Results};
    use crate::{AgentId, AgentJoined, NewTask, TaskQueue, Verdict};

    #[test]
    fn who_takes_a_task_on_knows_what_was_wrong_with_the_last_plan() {
        let queue = TaskQueue::in_memory().unwrap();
        let agents = ["worker-1", "worker-2"].map(|name| name.parse::<AgentId>().unwrap());
        for agent in &agents {
            queue.join(AgentJoined::new(agent.clone(), Role::Worker)).unwrap();
        }
        let task = queue.add_task(NewTask { plan: true, ..NewTask::new("Rewrite it") }).unwrap();
        let planned = |token| Assignment::of(queue.team_log(), token).unwrap().plan;
        let first = queue.claim_task(&agents[0]).unwrap().unwrap().token;
        queue.submit_plan(first, &agents[0], "Delete the tests.").unwrap();
        assert_eq!(planned(first), None, "nobody has judged it");
        let no = Verdict::ChangesRequested("Keep them.".into());
        queue.judge_plan(&AgentId::human(), &task, None, no).unwrap();
        queue.release(first, &agents[0], "gone").unwrap();

        let second = queue.claim_task(&agents[1]).unwrap().unwrap().token;
        let rejected = Some((AgentId::human(), "Keep them.".to_owned()));
        let plan = JudgedPlan { author: agents[0].clone(), text: "Delete the tests.".into(), rejected };
        assert_eq!(planned(second), Some(plan));
        let told = prompt::task(&Assignment::of(queue.team_log(), second).unwrap(), Results::Whole);
        assert!(told.contains("human rejected it") && told.contains("Keep them."), "{told}");
    }
}
