//! Records about tasks, as the one who wants them done writes them.

use borsh::{BorshDeserialize, BorshSerialize};
use serde::{Deserialize, Serialize};

use super::{GoalPlan, Replan, Revision, Role};
use crate::id::{AgentId, RecordId, Skill, TaskId};
use crate::text::Text;

/// What is wanted.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, BorshSerialize, BorshDeserialize)]
pub struct TaskSpec {
    /// The id, unique in the team.
    pub id: TaskId,
    /// One line for people.
    pub title: String,
    /// The whole text of the task, for whoever does it.
    #[serde(default, skip_serializing_if = "Text::is_empty")]
    pub description: Text,
    /// The tasks that must be completed first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub after: Vec<TaskId>,
    /// Higher goes first.
    #[serde(default, skip_serializing_if = "is_default")]
    pub priority: i32,
    /// Only agents of this role may take it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub role: Option<Role>,
    /// Only agents with this skill may take it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub skill: Option<Skill>,
    /// Only this agent may take it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub agent: Option<AgentId>,
    /// How many attempts may fail before the task fails for good.
    #[serde(default = "default_attempts", skip_serializing_if = "is_default_attempts")]
    pub attempts: u32,
    /// The wait after the first failed attempt, in milliseconds; it doubles with each further one.
    #[serde(default = "default_backoff_ms", skip_serializing_if = "is_default_backoff")]
    pub backoff_ms: u64,
    /// The command that proves the result.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub check: Option<String>,
    /// How long one attempt may take, in milliseconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub time_limit_ms: Option<u64>,
    /// Words to find it by.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub labels: Vec<String>,
    /// The task that this one is a part of.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub parent: Option<TaskId>,
    /// Whether someone other than the author must approve the result.
    #[serde(default, skip_serializing_if = "is_default")]
    pub review: bool,
    /// How many reviewers must approve it.
    #[serde(default = "one", skip_serializing_if = "is_one")]
    pub reviews: u32,
    /// How often reviewers may send it back before the human must judge it; `None` for no end.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub review_rounds: Option<u32>,
    /// Whether reviewers are asked to try to refute it.
    #[serde(default, skip_serializing_if = "is_default")]
    pub refute: bool,
    /// Whether its plan must be approved before anything is changed for it.
    #[serde(default, skip_serializing_if = "is_default")]
    pub plan: bool,
    /// Who approves plans for it, besides the human; a lead if nobody is named.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub approver: Option<AgentId>,
    /// Whether it may change the files that the policy protects.
    #[serde(default, skip_serializing_if = "is_default")]
    pub allow_protected: bool,
    /// Whether a lead splits it into parts, and delivers it when they are done.
    #[serde(default, skip_serializing_if = "is_default")]
    pub delegate: bool,
    /// Only this lead and the members of its team may take it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub team: Option<AgentId>,
    /// The failure that is planned anew by doing it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub replans: Option<Replan>,
    /// The agent whose words it is in; the user's if nothing is said. No rule asks for it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub asked_by: Option<AgentId>,
    /// The goal of which a lead makes tasks by doing it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub goal: Option<GoalPlan>,
}

/// Attempts that a task has if it does not say.
pub const ATTEMPTS_DEFAULT: u32 = 3;
/// The first backoff of a task that does not say, in milliseconds.
pub const BACKOFF_MS_DEFAULT: u64 = 1_000;

fn one() -> u32 {
    1
}

fn is_one(number: &u32) -> bool {
    *number == 1
}

fn default_attempts() -> u32 {
    ATTEMPTS_DEFAULT
}

fn default_backoff_ms() -> u64 {
    BACKOFF_MS_DEFAULT
}

fn is_default_attempts(attempts: &u32) -> bool {
    *attempts == ATTEMPTS_DEFAULT
}

fn is_default_backoff(backoff_ms: &u64) -> bool {
    *backoff_ms == BACKOFF_MS_DEFAULT
}

fn is_default<T: Default + PartialEq>(value: &T) -> bool {
    *value == T::default()
}

impl TaskSpec {
    /// A task with an id and a title, and the defaults for the rest.
    pub fn new(id: TaskId, title: impl Into<String>) -> Self {
        Self {
            id,
            title: title.into(),
            description: Text::default(),
            after: Vec::new(),
            priority: 0,
            role: None,
            skill: None,
            agent: None,
            attempts: ATTEMPTS_DEFAULT,
            backoff_ms: BACKOFF_MS_DEFAULT,
            check: None,
            time_limit_ms: None,
            labels: Vec::new(),
            parent: None,
            review: false,
            reviews: 1,
            review_rounds: None,
            refute: false,
            plan: false,
            approver: None,
            allow_protected: false,
            delegate: false,
            team: None,
            replans: None,
            asked_by: None,
            goal: None,
        }
    }

    /// Whether a lead does it by adding and changing tasks: it splits it, or plans a goal or a failure.
    pub fn is_planning(&self) -> bool {
        self.delegate || self.replans.is_some() || self.goal.is_some()
    }

    /// Whether a lead makes more tasks of a goal that was not proved.
    pub fn plans_on(&self) -> bool {
        self.goal.as_ref().is_some_and(|goal| goal.anew)
    }

    /// Whether it asks for what a log has only since [`NEWEST_FORMAT`](super::NEWEST_FORMAT).
    pub(crate) fn needs_newest_format(&self) -> bool {
        let judged =
            self.plan || self.approver.is_some() || self.reviews != 1 || self.review_rounds.is_some();
        judged || self.is_planning() || self.team.is_some() || self.asked_by.is_some()
    }
}

/// A task was added. Names revision `none` of its id: it is void if the id is taken.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TaskAdded {
    /// What is wanted.
    pub task: Box<TaskSpec>,
    /// The batch that it is part of: then it takes effect with that batch's closing record, or not at all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub batch: Option<RecordId>,
}

/// All tasks of a batch are written. They take effect here, together, or none of them does.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct BatchClosed {
    /// The batch.
    pub batch: RecordId,
    /// How many tasks it has: a batch of which some are missing is void.
    pub tasks: u32,
}

/// A task's words or wishes changed. Names the task's revision; does not disturb a claim.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TaskEdited {
    /// The task.
    pub task: TaskId,
    /// Its revision.
    pub on: Revision,
    /// What changes.
    pub change: TaskChange,
}

/// What an edit changes; what is absent stays.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct TaskChange {
    /// A new title.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub title: Option<String>,
    /// A new description.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<Text>,
    /// A new priority.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub priority: Option<i32>,
    /// Whether it may change protected files.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub allow_protected: Option<bool>,
    /// The tasks that must be completed first, all of them: they take the place of those before.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub after: Option<Vec<TaskId>>,
}

/// A failed or cancelled task is wanted again, with all its attempts. Names the task's revision.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TaskRetried {
    /// The task.
    pub task: TaskId,
    /// Its revision.
    pub on: Revision,
}

/// A task is not wanted any more. Names the task's revision.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TaskCancelled {
    /// The task.
    pub task: TaskId,
    /// Its revision.
    pub on: Revision,
    /// Whether the tasks that wait for it, directly or not, are cancelled with it.
    pub dependents: bool,
    /// The merge intent that was fenced off before, where there is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fenced: Option<RecordId>,
}
