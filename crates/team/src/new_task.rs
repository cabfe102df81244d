//! A task as people write it: on the command line, in a file of tasks, in `team.toml`, in code.

use std::time::Duration;

use agent_team_core::id::{AgentId, Skill, TaskId};
use agent_team_core::record::{GoalPlan, Role, TaskSpec};
use schemars::JsonSchema;
use serde::{Deserialize, Deserializer, Serialize, de};

use crate::budget::{TaskBudget, milliseconds};
use crate::team_log::TeamLog;
use crate::{Error, duration};

/// The longest title, in characters, that is made of a description.
const TITLE_CHARS_MAX: usize = 80;
/// How often reviewers may send a task back before the human must judge it.
const REVIEW_ROUNDS: u32 = 3;

/// A task that is to be added. Only the title is needed; it may be the whole text.
///
/// ```
/// use agent_team::NewTask;
///
/// let task = NewTask::new("Compare and synthesize").id("compare").after("a").after("b").priority(2);
/// assert_eq!(task.after, ["a", "b"]);
/// ```
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "Task", description = "A task. Only the title is needed; it may be the whole text.")]
pub struct NewTask {
    /// One line for people. If it is empty, it is made of the description.
    #[serde(default)]
    pub title: String,
    /// The id; a short one is made if there is none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub id: Option<String>,
    /// The whole text for whoever does it.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub description: String,
    /// The ids of the tasks that must be completed first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub after: Vec<String>,
    /// Higher goes first.
    #[serde(default)]
    pub priority: i32,
    /// Only agents of this role may take it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<String>")]
    pub role: Option<Role>,
    /// Only agents with this skill may take it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub skill: Option<String>,
    /// Only this agent may take it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub agent: Option<String>,
    /// How many attempts may fail before it fails for good.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub attempts: Option<u32>,
    /// The wait after the first failed attempt, in milliseconds; it doubles with each further one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub backoff_ms: Option<u64>,
    /// The command that proves the result.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub check: Option<String>,
    /// How long one attempt may take, as in `15m`.
    #[serde(default, with = "duration::optional", skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<String>")]
    pub time_limit: Option<Duration>,
    /// Words to find it by.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub labels: Vec<String>,
    /// The task that it is a part of.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub parent: Option<String>,
    /// Whether someone other than the author must approve the result.
    #[serde(default)]
    pub review: bool,
    /// How many reviewers must approve it, one at least; one if nothing is said. It asks for a review.
    #[serde(default, deserialize_with = "one_or_more", skip_serializing_if = "Option::is_none")]
    pub reviews: Option<u32>,
    /// How often reviewers may send it back before the human must judge it, once at least; 3 if nothing is said.
    #[serde(default, deserialize_with = "one_or_more", skip_serializing_if = "Option::is_none")]
    pub review_rounds: Option<u32>,
    /// Whether reviewers are asked to try to refute it, instead of to judge it.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub refute: bool,
    /// Whether its plan must be approved before anything is changed for it.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub plan: bool,
    /// Who approves plans for it, besides the human; a lead if nobody is named.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub approver: Option<String>,
    /// Whether it may change the files that the team protects.
    #[serde(default)]
    pub allow_protected: bool,
    /// Whether a lead splits it into parts, and delivers it when they are done.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub delegate: bool,
    /// Only this lead and the members of its team may take it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub team: Option<String>,
    /// What it may use with all its parts. It holds before anybody can take the task.
    #[serde(default, skip_serializing_if = "TaskBudget::is_empty")]
    pub budget: TaskBudget,
    /// The agent whose words it is in, if it is not the user: nobody says that of themselves.
    #[serde(skip)]
    pub asked_by: Option<AgentId>,
    /// The goal of which a lead makes tasks by doing it: a run alone says so.
    #[serde(skip)]
    pub goal: Option<GoalPlan>,
}

impl NewTask {
    /// A task with this title.
    pub fn new(title: impl Into<String>) -> Self {
        Self { title: title.into(), ..Self::default() }
    }

    /// Sets the id.
    #[must_use]
    pub fn id(mut self, id: impl Into<String>) -> Self {
        self.id = Some(id.into());
        self
    }

    /// Sets the whole text.
    #[must_use]
    pub fn description(mut self, description: impl Into<String>) -> Self {
        self.description = description.into();
        self
    }

    /// Adds a task that must be completed first.
    #[must_use]
    pub fn after(mut self, task: impl Into<String>) -> Self {
        self.after.push(task.into());
        self
    }

    /// Sets the priority; higher goes first.
    #[must_use]
    pub fn priority(mut self, priority: i32) -> Self {
        self.priority = priority;
        self
    }

    /// Sets the command that proves the result.
    #[must_use]
    pub fn check(mut self, check: impl Into<String>) -> Self {
        self.check = Some(check.into());
        self
    }

    /// Wants an agent of this role.
    #[must_use]
    pub fn role(mut self, role: Role) -> Self {
        self.role = Some(role);
        self
    }

    /// Wants an agent with this skill.
    #[must_use]
    pub fn skill(mut self, skill: impl Into<String>) -> Self {
        self.skill = Some(skill.into());
        self
    }

    /// Sets how many attempts may fail.
    #[must_use]
    pub fn attempts(mut self, attempts: u32) -> Self {
        self.attempts = Some(attempts);
        self
    }

    /// Sets how long one attempt may take.
    #[must_use]
    pub fn time_limit(mut self, limit: Duration) -> Self {
        self.time_limit = Some(limit);
        self
    }

    /// Sets what it may use.
    #[must_use]
    pub fn budget(mut self, budget: TaskBudget) -> Self {
        self.budget = budget;
        self
    }

    /// Wants the result approved by someone other than its author.
    #[must_use]
    pub fn review(mut self, review: bool) -> Self {
        self.review = review;
        self
    }

    /// The task as a record holds it. `id` is used if it has none of its own.
    pub(crate) fn spec(&self, team_log: &TeamLog, id: TaskId) -> Result<TaskSpec, Error> {
        let defaults = TaskSpec::new(id, team_log.secrets().hidden(&self.full_title()));
        let review = self.review || self.refute || self.reviews.is_some_and(|reviews| reviews > 0);
        let ids =
            |names: &[String]| names.iter().map(|name| name.parse()).collect::<Result<Vec<TaskId>, _>>();
        // Of a title that is too long the whole stands before the description.
        let is_cut = !self.title.trim().is_empty() && title_line(&self.title) != self.title.trim();
        let whole = match self.description.is_empty() {
            true if defaults.title != self.title => self.title.clone(),
            false if is_cut => format!("{}\n\n{}", self.title.trim(), self.description),
            _ => self.description.clone(),
        };
        if self.approver.is_some() && self.approver == self.agent {
            return Err(Error::Input(format!(
                "{} is for {}, who cannot approve a plan of its own: name another approver, or none",
                defaults.id,
                self.agent.as_deref().unwrap_or_default()
            )));
        }
        Ok(TaskSpec {
            description: team_log.text(whole)?,
            after: ids(&self.after)?,
            priority: self.priority,
            role: self.role.or(self.delegate.then_some(Role::Lead)),
            skill: self.skill.as_deref().map(Skill::try_from).transpose()?,
            agent: self.agent.as_deref().map(AgentId::try_from).transpose()?,
            attempts: self.attempts.unwrap_or(defaults.attempts),
            backoff_ms: self.backoff_ms.unwrap_or(defaults.backoff_ms),
            check: self.check.clone(),
            time_limit_ms: self.time_limit.map(milliseconds),
            labels: self.labels.iter().map(|label| team_log.secrets().hidden(label).into_owned()).collect(),
            parent: self.parent.as_deref().map(TaskId::try_from).transpose()?,
            review,
            reviews: self.reviews.unwrap_or(defaults.reviews).max(1),
            review_rounds: review.then(|| self.review_rounds.unwrap_or(REVIEW_ROUNDS)),
            refute: self.refute,
            plan: self.plan || self.approver.is_some(),
            approver: self.approver.as_deref().map(AgentId::try_from).transpose()?,
            allow_protected: self.allow_protected,
            delegate: self.delegate,
            team: self.team.as_deref().map(AgentId::try_from).transpose()?,
            asked_by: self.asked_by.clone(),
            goal: self.goal.clone(),
            ..defaults
        })
    }

    /// The title: one line, made of the description if need be.
    pub(crate) fn full_title(&self) -> String {
        let text = if self.title.trim().is_empty() { &self.description } else { &self.title };
        title_line(text)
    }
}

/// The first line of a text with something in it, as long as a title may be.
pub(crate) fn title_line(text: &str) -> String {
    let line = text.lines().map(str::trim).find(|line| !line.is_empty()).unwrap_or_default();
    if line.chars().count() <= TITLE_CHARS_MAX {
        return line.to_owned();
    }
    line.chars().take(TITLE_CHARS_MAX - 1).chain(['…']).collect()
}

/// A number of reviewers or reviews. None of them is said by leaving it out.
pub(crate) fn one_or_more<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<u32>, D::Error> {
    match Option::<u32>::deserialize(deserializer)? {
        Some(0) => Err(de::Error::custom("it is one at least: leave it out for the usual")),
        number => Ok(number),
    }
}

impl From<&str> for NewTask {
    fn from(title: &str) -> Self {
        Self::new(title)
    }
}

impl From<String> for NewTask {
    fn from(title: String) -> Self {
        Self::new(title)
    }
}
