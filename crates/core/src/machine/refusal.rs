//! Refusals: the lawful no. A value, not an error: someone else has the task, the graph would have a cycle, …

use serde::{Deserialize, Serialize};

use super::transition::Status;
use crate::id::{AgentId, RecordId, Skill, TaskId};
use crate::record::{Account, Resource, Role, Stage};

/// Why a command is refused, or why a record took no effect.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[serde(tag = "refusal", rename_all = "snake_case")]
pub enum Refusal {
    /// There is no such task.
    #[error("there is no task `{task}`")]
    NoSuchTask {
        /// The id that was asked for.
        task: TaskId,
    },
    /// The task changed since the record was decided.
    #[error("task `{task}` has changed in the meantime")]
    Changed {
        /// The task.
        task: TaskId,
    },
    /// The team's policy or a budget changed since the record was decided.
    #[error("{what} has changed in the meantime")]
    SettingChanged {
        /// What changed.
        what: String,
    },
    /// The id is taken.
    #[error("there is a task `{task}` already")]
    IdTaken {
        /// The id.
        task: TaskId,
    },
    /// An id stands twice in one batch.
    #[error("the id `{task}` stands twice among the tasks to be added")]
    RepeatedId {
        /// The id.
        task: TaskId,
    },
    /// A task depends on one that does not exist.
    #[error("task `{task}` shall come after `{missing}`, which does not exist")]
    MissingDependency {
        /// The task that was to be added.
        task: TaskId,
        /// What it names.
        missing: TaskId,
    },
    /// The parent does not exist.
    #[error("task `{task}` names the parent `{missing}`, which does not exist")]
    MissingParent {
        /// The task that was to be added.
        task: TaskId,
        /// What it names.
        missing: TaskId,
    },
    /// Tasks would wait for each other.
    #[error("these tasks would wait for each other: {}", chain(.tasks))]
    Cycle {
        /// The tasks, each waiting for the next, the last for the first.
        tasks: Vec<TaskId>,
    },
    /// Tasks would be parts of each other.
    #[error("these tasks would be parts of each other: {}", chain(.tasks))]
    ParentCycle {
        /// The tasks, each part of the next, the last of the first.
        tasks: Vec<TaskId>,
    },
    /// A batch is not whole.
    #[error("a batch of {expected} tasks was closed with {found}")]
    BatchIncomplete {
        /// How many tasks it should have.
        expected: u32,
        /// How many were written.
        found: u32,
    },
    /// A task cannot be what it says.
    #[error("task `{task}`: {reason}")]
    BadTask {
        /// The task.
        task: TaskId,
        /// What is wrong.
        reason: String,
    },
    /// The task is not in a status from which this can happen.
    #[error("task `{task}` is {status}")]
    WrongStatus {
        /// The task.
        task: TaskId,
        /// Its status.
        status: Status,
    },
    /// Someone holds the task.
    #[error("{holder} has the {stage} claim on task `{task}`")]
    Held {
        /// The task.
        task: TaskId,
        /// Who has it.
        holder: AgentId,
        /// The stage.
        stage: Stage,
    },
    /// The task waits for its backoff to pass.
    #[error("task `{task}` failed and is tried again in {wait_ms} ms")]
    BackingOff {
        /// The task.
        task: TaskId,
        /// How long still, in milliseconds.
        wait_ms: u64,
    },
    /// The agent may not take this task.
    #[error("{agent} may not take the {stage} stage of task `{task}`: {reason}")]
    NotFitting {
        /// The task.
        task: TaskId,
        /// The agent.
        agent: AgentId,
        /// The stage.
        stage: Stage,
        /// Why not.
        reason: Unfit,
    },
    /// No task fits the agent now, but one may come.
    #[error("nothing fits {agent} right now")]
    NothingNow {
        /// The agent.
        agent: AgentId,
        /// When the earliest backoff ends, in milliseconds since 1970; `None` if it depends on others.
        at_ms: Option<u64>,
    },
    /// No task fits the agent, and none will come.
    #[error("no work will come for {agent}: {reason}")]
    NothingEver {
        /// The agent.
        agent: AgentId,
        /// Why.
        reason: String,
    },
    /// The claim is not, or no longer, the task's claim.
    #[error("claim {claim} on task `{task}` has ended: {ending}")]
    ClaimLost {
        /// The task.
        task: TaskId,
        /// The claim.
        claim: RecordId,
        /// How it ended.
        ending: super::Ending,
    },
    /// There never was such a claim.
    #[error("there is no claim {claim}")]
    NoSuchClaim {
        /// The id that was given.
        claim: RecordId,
    },
    /// The claim is for another stage.
    #[error("claim {claim} on task `{task}` is for the {stage} stage")]
    WrongStage {
        /// The task.
        task: TaskId,
        /// The claim.
        claim: RecordId,
        /// Its stage.
        stage: Stage,
    },
    /// The holder was seen alive since.
    #[error("the holder of claim {claim} renewed it in the meantime")]
    Renewed {
        /// The claim.
        claim: RecordId,
    },
    /// A merge is under way, and its fence has not been moved.
    #[error("task `{task}` is being merged right now")]
    MergeUnderWay {
        /// The task.
        task: TaskId,
        /// The intent.
        intent: RecordId,
    },
    /// There is no such merge intent now.
    #[error("merge intent {intent} is no longer wanted")]
    NoSuchIntent {
        /// The intent.
        intent: RecordId,
    },
    /// The review is of another submission.
    #[error("task `{task}` has another submission in the meantime")]
    OtherSubmission {
        /// The task.
        task: TaskId,
    },
    /// The team or the agent is held up.
    #[error("{} is paused", .agent.as_ref().map_or("the team".to_owned(), AgentId::to_string))]
    Paused {
        /// The agent; `None` if it is the whole team.
        agent: Option<AgentId>,
    },
    /// The task's plan is another one in the meantime, has been judged, or there is none.
    #[error("no such plan waits for approval at task `{task}`")]
    OtherPlan {
        /// The task.
        task: TaskId,
    },
    /// The plan must be approved before anything is delivered.
    #[error("the plan for task `{task}` is not approved")]
    PlanNotApproved {
        /// The task.
        task: TaskId,
    },
    /// The agent may not judge the plan.
    #[error("{agent} may not judge the plan for task `{task}`")]
    NoApprover {
        /// The task.
        task: TaskId,
        /// The agent.
        agent: AgentId,
    },
    /// Tasks are delegated as deep as they may be.
    #[error("task `{task}` would be delegated deeper than {most}")]
    TooDeep {
        /// The task that was to be added.
        task: TaskId,
        /// How deep tasks may be delegated.
        most: u32,
    },
    /// Parts of a delegated task are not done.
    #[error("task `{task}` has parts that are not done: {}", names(.parts))]
    PartsOpen {
        /// The task.
        task: TaskId,
        /// The first of them.
        parts: Vec<TaskId>,
    },
    /// There is nothing for which a delegated task could wait, or it is none.
    #[error("task `{task}` has no part that it could wait for")]
    NoOpenPart {
        /// The task.
        task: TaskId,
    },
    /// A task that waits for its parts is given up when one failed.
    #[error("no part of task `{task}` has failed")]
    NoFailedPart {
        /// The task.
        task: TaskId,
    },
    /// The failure cannot be planned anew.
    #[error("the failure of task `{task}` cannot be planned anew: {reason}")]
    NoReplan {
        /// The task that failed.
        task: TaskId,
        /// Why not.
        reason: String,
    },
    /// There is no such agent.
    #[error("there is no agent `{agent}` in the team")]
    NoSuchAgent {
        /// The agent.
        agent: AgentId,
    },
    /// The amount does not fit into a budget.
    #[error("this would exceed the budget of {account}: {what}")]
    OverBudget {
        /// The account.
        account: Account,
        /// What there is not enough of.
        what: Resource,
    },
    /// The team has as many members as it may.
    #[error("the team has as many agents as it may: {most}")]
    TooManyAgents {
        /// How many there may be.
        most: u32,
    },
    /// Another claim has reserved the file.
    #[error("`{path}` is reserved by {holder}")]
    FileReserved {
        /// The path.
        path: String,
        /// Who has it.
        holder: AgentId,
    },
    /// A path cannot be reserved.
    #[error("`{}` cannot be reserved: give a path inside the project, relative to it", path.escape_debug())]
    BadPath {
        /// The path.
        path: String,
    },
    /// The record's format version is not the log's.
    #[error("format {found} where the log is at {expected}")]
    WrongFormat {
        /// The log's version.
        expected: u32,
        /// The record's.
        found: u32,
    },
}

/// Why an agent does not fit a task.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[serde(rename_all = "snake_case")]
pub enum Unfit {
    /// The task is for another agent.
    #[error("it is for {0}")]
    ForAgent(AgentId),
    /// The task wants another role.
    #[error("it wants a {0}")]
    WantsRole(Role),
    /// The task wants a skill that the agent has not.
    #[error("it wants the skill `{0}`")]
    WantsSkill(Skill),
    /// The task is for a lead's team.
    #[error("it is for the team of {0}")]
    ForTeam(AgentId),
    /// The agent works for a lead.
    #[error("it is not a task of {0}, whose team this agent is in")]
    NotOfTeam(AgentId),
    /// A task that wants nobody in particular is for workers.
    #[error("a {0} takes only the tasks that ask for one")]
    NotAWorker(Role),
    /// It has approved already.
    #[error("it has approved this already, and others must, too")]
    Approved,
    /// Reviewers sent it back too often.
    #[error("reviewers sent it back as often as they may, so the human must judge it")]
    RoundsOver,
    /// The author may not review.
    #[error("an author does not review their own work")]
    Author,
    /// Reviews are for reviewers, the lead and the human.
    #[error("reviews are for reviewers, the lead and the human")]
    NotAReviewer,
    /// Protected files are for the human.
    #[error("it changes protected files, so only the human may approve it")]
    HumanOnly,
}

impl Refusal {
    /// Its name, as `--json` shows it and as a [fingerprint](super::State::fingerprint) counts it.
    pub fn name(&self) -> &'static str {
        match self {
            Self::NoSuchTask { .. } => "no_such_task",
            Self::Changed { .. } => "changed",
            Self::SettingChanged { .. } => "setting_changed",
            Self::IdTaken { .. } => "id_taken",
            Self::RepeatedId { .. } => "repeated_id",
            Self::MissingDependency { .. } => "missing_dependency",
            Self::MissingParent { .. } => "missing_parent",
            Self::Cycle { .. } => "cycle",
            Self::ParentCycle { .. } => "parent_cycle",
            Self::BatchIncomplete { .. } => "batch_incomplete",
            Self::BadTask { .. } => "bad_task",
            Self::WrongStatus { .. } => "wrong_status",
            Self::Held { .. } => "held",
            Self::BackingOff { .. } => "backing_off",
            Self::NotFitting { .. } => "not_fitting",
            Self::NothingNow { .. } => "nothing_now",
            Self::NothingEver { .. } => "nothing_ever",
            Self::ClaimLost { .. } => "claim_lost",
            Self::NoSuchClaim { .. } => "no_such_claim",
            Self::WrongStage { .. } => "wrong_stage",
            Self::Renewed { .. } => "renewed",
            Self::MergeUnderWay { .. } => "merge_under_way",
            Self::NoSuchIntent { .. } => "no_such_intent",
            Self::OtherSubmission { .. } => "other_submission",
            Self::Paused { .. } => "paused",
            Self::OtherPlan { .. } => "other_plan",
            Self::PlanNotApproved { .. } => "plan_not_approved",
            Self::NoApprover { .. } => "no_approver",
            Self::TooDeep { .. } => "too_deep",
            Self::PartsOpen { .. } => "parts_open",
            Self::NoOpenPart { .. } => "no_open_part",
            Self::NoFailedPart { .. } => "no_failed_part",
            Self::NoReplan { .. } => "no_replan",
            Self::NoSuchAgent { .. } => "no_such_agent",
            Self::OverBudget { .. } => "over_budget",
            Self::TooManyAgents { .. } => "too_many_agents",
            Self::FileReserved { .. } => "file_reserved",
            Self::BadPath { .. } => "bad_path",
            Self::WrongFormat { .. } => "wrong_format",
        }
    }

    /// What to do next, where there is something to do.
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::NoSuchTask { .. } => Some("`agent-team list` shows all tasks".into()),
            Self::Changed { .. } | Self::SettingChanged { .. } => Some("look at it and try again".into()),
            Self::MissingDependency { .. } | Self::MissingParent { .. } => {
                Some("add it first, or in the same batch".into())
            }
            Self::Cycle { .. } => Some("remove one of these dependencies".into()),
            Self::ParentCycle { .. } => Some("leave out one of these parents".into()),
            Self::IdTaken { .. } | Self::RepeatedId { .. } => Some("choose another id".into()),
            Self::WrongStatus { task, status: Status::Failed } => {
                Some(format!("`agent-team retry {task}` gives it new attempts"))
            }
            Self::FileReserved { holder, .. } => Some(format!("{holder} is told that you want it")),
            Self::ClaimLost { .. } => Some("claim again for new work".into()),
            Self::Paused { agent: None } => Some("`agent-team resume` lets it go on".into()),
            Self::Paused { agent: Some(agent) } => Some(format!("`agent-team resume {agent}` lets it go on")),
            Self::OtherPlan { task } => Some(format!("`agent-team plan show {task}` shows the newest")),
            Self::PlanNotApproved { task } => {
                Some(format!("submit a plan, and wait for `agent-team plan approve {task}` by somebody else"))
            }
            Self::NoApprover { .. } => Some(
                "plans are judged by the lead, whom the task names, or the human; never by their author"
                    .into(),
            ),
            Self::TooDeep { .. } => Some("split it yourself, or raise `max_depth` in team.toml".into()),
            Self::PartsOpen { .. } => Some("wait for them, or cancel those that are not wanted".into()),
            Self::MergeUnderWay { .. } => Some("try again in a moment".into()),
            Self::OverBudget { account, what } => {
                let (name, (option, value)) = (account.as_named(), what.as_option());
                Some(format!("`agent-team budget {name} {option} {value}` allows more, or stop here"))
            }
            Self::TooManyAgents { .. } => Some(
                "drop one (`agent-team agent drop NAME`), or raise `max_agents` in team.toml and run the team".into(),
            ),
            Self::WrongFormat { .. } => Some("use the version of agent-team that wrote the log".into()),
            _ => None,
        }
    }
}

fn names(tasks: &[TaskId]) -> String {
    tasks.iter().map(TaskId::as_str).collect::<Vec<_>>().join(", ")
}

fn chain(tasks: &[TaskId]) -> String {
    let names: Vec<&str> = tasks.iter().chain(tasks.first()).map(TaskId::as_str).collect();
    names.join(" → ")
}
