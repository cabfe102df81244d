//! What a run is for: the goal as a task, the check that proves the whole, and a lead that plans on while that is red.
//!
//! The check stays with its goal in the log: a run that is not told it again goes by it as well, and no candidate can change it.

use agent_team_core::machine::{State, Status, Task};
use agent_team_core::record::GoalPlan;

use super::{Run, RunOutcome};
use crate::agent::prompt;
use crate::new_task::title_line;
use crate::progress::Progress;
use crate::team_log::blocking;
use crate::{AgentId, Error, HUMAN, Judgement, NewTask, RecordId, Role, TaskId};

/// What a run is for.
#[derive(Default)]
pub(super) struct Goal {
    /// What the team shall reach; what an earlier run was to reach, if this one goes on without a goal of its own.
    pub words: Option<String>,
    /// The command that proves it.
    pub check: Option<String>,
}

impl Goal {
    /// What a run is for that was told so much, after those of the log.
    pub fn of(state: &State, words: Option<&str>, check: Option<&str>) -> Self {
        let newest_first = || state.runs().iter().rev();
        let known = match words {
            Some(words) => {
                newest_first().find(|run| run.goal.as_deref() == Some(words) && run.check.is_some())
            }
            // What has been proved need not be so for ever.
            None => newest_first().find(|run| run.goal.is_some() || run.check.is_some()).filter(|run| {
                run.ended.as_ref().is_none_or(|(outcome, _)| outcome != RunOutcome::Completed.as_str())
            }),
        };
        let words = words.or_else(|| newest_first().find_map(|run| run.goal.as_deref()));
        let check = check.or_else(|| known.and_then(|run| run.check.as_deref()));
        Self { words: words.map(str::to_owned), check: check.map(str::to_owned) }
    }
}

/// The first run that had this goal: by it the plans of a goal are told from those of others.
fn run_of(state: &State, goal: Option<&str>) -> Option<RecordId> {
    state.runs().iter().find(|run| run.goal.as_deref() == goal).map(|run| run.id)
}

/// What becomes of a goal that is not proved.
enum Next {
    /// A lead plans on.
    Plan(Box<NextPlan>),
    /// Nobody does, and why.
    Nobody(String),
}

struct NextPlan {
    id: TaskId,
    /// Of which goal it is.
    goal: Option<GoalPlan>,
    /// The plan of the goal, if a lead has made one: failures are planned anew within it.
    parent: Option<TaskId>,
    /// Which plan anew of this goal it is, and how many there may be.
    number: u32,
    most: u32,
    board: String,
}

impl Run<'_> {
    /// Runs the check of the whole goal. Where the goal was one task, that task's check was it.
    pub(super) async fn prove_goal(&self) -> Result<Option<Judgement>, Error> {
        let Some(check) = &self.goal.check else { return Ok(None) };
        let is_proved = self.team.queue.team_log().look(|state| {
            let mut tasks = state.tasks();
            let is_over = |task: &Task| matches!(task.status, Status::Completed | Status::Cancelled);
            tasks.any(|task| is_over(task) && task.spec.check.as_ref() == Some(check))
        })?;
        if is_proved && self.lead().is_none() {
            return Ok(None);
        }
        self.reporter.report(Progress::Note(format!("check of the goal: {check}")));
        self.judge_tip(check, "check").await
    }

    /// Has a lead plan on for a goal whose check is red, if any may: says whether it is asked to.
    pub(super) async fn plan_on(&self, red: &Judgement) -> Result<bool, Error> {
        let Some(lead) = self.lead().filter(|_| !self.team.stop.is_asked()) else { return Ok(false) };
        let not_planned = |why: &str| {
            self.reporter.report(Progress::Note(format!("WARNING the goal is not proved, and {why}")));
            Ok(false)
        };
        let next = match self.team.queue.team_log().look(|state| self.next_plan(state, &lead.id))? {
            None => return Ok(false),
            Some(Next::Nobody(why)) => return not_planned(&why),
            Some(Next::Plan(next)) => next,
        };
        let (number, most) = (next.number, next.most);
        let about = prompt::Unproved {
            goal: self.goal.words.as_deref(),
            members: &self.roster(),
            check: &red.report(),
            board: &next.board,
            left: most - number,
        };
        let words =
            self.goal.words.as_deref().map_or_else(|| "what the tasks are for".to_owned(), title_line);
        let title = title_line(&format!("Plan anew, not proved: {words}"));
        let task = NewTask {
            parent: next.parent.as_ref().map(ToString::to_string),
            goal: next.goal,
            ..self.for_the_lead(title, prompt::planning_on(&about))
        };
        let task = task.id(next.id.as_str()).priority(i32::MAX);
        let (queue, by) = (self.team.queue.clone(), self.by.clone());
        match blocking(move || Ok(queue.add_tasks(&by, &[task]))).await? {
            Ok(_) => {
                let line = red.line();
                let note = format!("the goal is not proved ({line}): a lead plans anew ({number} of {most})");
                self.reporter.report(Progress::Note(note));
                Ok(true)
            }
            Err(Error::Blocked(blocked)) => not_planned(&format!("is not planned anew: {blocked}")),
            Err(error) => Err(error),
        }
    }

    /// The next plan for a goal that is not proved; `None` if no lead is there to make one.
    fn next_plan(&self, state: &State, lead: &AgentId) -> Option<Next> {
        if !state.is_member(lead) {
            return None;
        }
        let run = run_of(state, self.goal.words.as_deref());
        let is_its = |task: &&Task| task.spec.goal.as_ref().is_some_and(|goal| Some(goal.run) == run);
        let mut plans: Vec<&Task> = state.tasks().filter(is_its).collect();
        plans.sort_by_key(|task| task.added);
        let (plans, firsts): (Vec<&Task>, Vec<&Task>) =
            plans.into_iter().partition(|task| task.spec.plans_on());
        if let Some(last) = plans.last().filter(|last| last.status == Status::Failed)
            && state.tasks().all(|task| task.added <= last.added)
        {
            let said = last.feedback.last().map(|last| last.text.preview().into_owned()).unwrap_or_default();
            return Some(Next::Nobody(format!("{} could not help: {said}", last.id())));
        }
        let first = firsts.last().map(|task| task.id().clone());
        let failures = first.as_ref().map_or(0, |first| state.replans(Some(first)));
        let used = u32::try_from(plans.len()).unwrap_or(u32::MAX).saturating_add(failures);
        let most = state.replans_max();
        if used >= most {
            let why = format!("{used} of {most} re-plans are used: nobody plans anew");
            return Some(Next::Nobody(why));
        }
        let (id, board) = (free_id(state, "replan-goal")?, super::board(state));
        let goal = run.map(|run| GoalPlan { run, anew: true });
        Some(Next::Plan(Box::new(NextPlan { id, goal, parent: first, number: used + 1, most, board })))
    }

    /// The goal as a task, unless it is there from an earlier run: the lead's to split, or the worker's to do.
    pub(super) fn add_goal(&self) -> Result<(), Error> {
        let Some(said) = &self.team.options.goal else { return Ok(()) };
        // As it stands in the log.
        let goal = self.goal.words.as_deref().unwrap_or(said);
        let (id, task) = match self.lead() {
            Some(_) => {
                let title = title_line(&format!("Plan: {}", title_line(goal)));
                let run = self.team.queue.team_log().look(|state| run_of(state, Some(goal)))?;
                let plan = self.for_the_lead(title, prompt::planning(goal, &self.roster()));
                ("plan", NewTask { goal: run.map(|run| GoalPlan { run, anew: false }), ..plan })
            }
            None => {
                let check = self.team.options.check.clone();
                ("goal", NewTask { check, ..NewTask::default().description(goal.to_owned()) })
            }
        };
        if let Some(id) = self.id_of_goal(goal, id, &task)? {
            self.team.queue.add_tasks(&AgentId::human(), &[task.id(id.as_str())])?;
        }
        Ok(())
    }

    /// The id for the goal's task; `None` if the tasks that are there stand for it, or an earlier run had it already.
    fn id_of_goal(&self, goal: &str, id: &str, new: &NewTask) -> Result<Option<TaskId>, Error> {
        self.team.queue.team_log().look(|state| {
            let earlier = || state.runs().iter().filter(|run| run.id != self.id);
            // A run that broke may have had no time to add it.
            let (title, mut tasks) = (new.full_title(), state.tasks());
            let mut is_added = || match &new.goal {
                Some(_) => tasks.any(|task| task.spec.goal == new.goal),
                None => tasks.any(|task| task.spec.title == title && task.id().as_str().starts_with(id)),
            };
            let broke = |ended: &(String, u64)| ended.0 == RunOutcome::Broken.as_str();
            let mut same = earlier().filter(|run| run.goal.as_deref() == Some(goal));
            let had_it = same.any(|run| !run.ended.as_ref().is_some_and(broke) || is_added());
            if state.tasks().next().is_some() && (had_it || earlier().next().is_none()) {
                return None;
            }
            free_id(state, id)
        })
    }

    /// A task in which the first lead makes tasks; somebody must agree to them where that is asked for.
    fn for_the_lead(&self, title: String, description: String) -> NewTask {
        let approver = self.team.options.approve_plan.then(|| HUMAN.to_owned());
        // Of several leads the first one leads the team.
        let leads = self.team.members.iter().filter(|member| member.role == Role::Lead).count();
        let agent = self.lead().filter(|_| leads > 1).map(|lead| lead.id.to_string());
        let task = NewTask::new(title).description(description).role(Role::Lead);
        NewTask { approver, agent, ..task }
    }

    fn roster(&self) -> String {
        let lines = self.team.members.iter().map(|member| {
            let skills: Vec<&str> = member.skills.iter().map(crate::Skill::as_str).collect();
            let skills =
                if skills.is_empty() { String::new() } else { format!(" with {}", skills.join(", ")) };
            let lead =
                member.lead.as_ref().map(|lead| format!(", in the team of {lead}")).unwrap_or_default();
            format!("- {}, {}{skills}{lead}", member.id, member.role)
        });
        lines.collect::<Vec<_>>().join("\n")
    }
}

/// An id that no task has, with a number behind it if need be.
pub(super) fn free_id(state: &State, id: &str) -> Option<TaskId> {
    let numbered = (2_u64..).map(|number| format!("{id}-{number}"));
    let mut ids = std::iter::once(id.to_owned()).chain(numbered).filter_map(|id| id.parse().ok());
    ids.find(|id| state.task(id).is_none())
}
