//! Commands: what someone wishes.

use std::sync::Arc;

use crate::id::{AgentId, RecordId, TaskId};
use crate::record::{Account, Body, Bounds, ExpiryCause, Holder, Policy, Stage, TaskChange, TaskSpec};
use crate::text::Text;

/// A wish. [`decide`](super::decide()) turns it into records, or refuses it.
#[derive(Debug, Clone, PartialEq)]
pub enum Command {
    /// Add tasks, all or none. They may refer to each other in any direction.
    AddTasks {
        /// The tasks.
        tasks: Vec<TaskSpec>,
        /// A new id, for the batch that several tasks form.
        batch: RecordId,
        /// What some of them may use. It holds before anybody can take them.
        limits: Vec<(TaskId, Bounds)>,
    },
    /// Add tasks in the place of one, all or nothing: what waits for that one waits for all of them, and it is cancelled.
    ReplaceTask {
        /// The task that is not wanted any more.
        task: TaskId,
        /// The tasks that take its place. Those that are there already, word for word, are not added again.
        tasks: Vec<TaskSpec>,
        /// A new id, for the batch that several tasks form.
        batch: RecordId,
        /// What some of them may use. It holds before anybody can take them.
        limits: Vec<(TaskId, Bounds)>,
        /// The merge intent that the caller has fenced off.
        fenced: Option<RecordId>,
    },
    /// Change a task's words or wishes.
    EditTask {
        /// The task.
        task: TaskId,
        /// What changes.
        change: TaskChange,
    },
    /// Give a failed or cancelled task new attempts.
    RetryTask {
        /// The task.
        task: TaskId,
    },
    /// Stop wanting a task.
    CancelTask {
        /// The task.
        task: TaskId,
        /// Whether the tasks that wait for it are cancelled too.
        dependents: bool,
        /// The merge intent that the caller has fenced off.
        fenced: Option<RecordId>,
    },
    /// Take a task, or a later stage of one.
    Claim {
        /// Who takes it.
        agent: AgentId,
        /// Which task; `None` for the best that fits.
        task: Option<TaskId>,
        /// Which stage.
        stage: Stage,
        /// How the holder is known to be alive.
        holder: Arc<Holder>,
    },
    /// Take a claim from a holder that is gone.
    Expire {
        /// The claim.
        claim: RecordId,
        /// Its last renewal when its holder was found to be gone. A newer one keeps the claim.
        seen: RecordId,
        /// Why the holder is thought to be gone.
        cause: ExpiryCause,
        /// The merge intent that the caller has fenced off.
        fenced: Option<RecordId>,
    },
    /// Say that an attempt failed.
    Fail {
        /// The claim.
        claim: RecordId,
        /// Why.
        error: Text,
        /// Whether further attempts are pointless.
        for_good: bool,
    },
    /// Change the team's policy.
    SetPolicy {
        /// The new policy, whole.
        policy: Policy,
    },
    /// Limit an account.
    SetBudget {
        /// The account.
        account: Account,
        /// The most that it may use, whole.
        bounds: Bounds,
    },
    /// Hold up the team or an agent, or let it go on.
    Pause {
        /// The agent; `None` for the whole team.
        agent: Option<AgentId>,
        /// Whether it is held up.
        paused: bool,
        /// Whether what the agent works on goes back at once.
        release: bool,
        /// Why, for people.
        reason: String,
    },
    /// Give a task to another agent.
    Reassign {
        /// The task.
        task: TaskId,
        /// For whom it is; `None` for anyone who fits.
        agent: Option<AgentId>,
        /// The merge intent that the caller has fenced off.
        fenced: Option<RecordId>,
    },
    /// Give up a task that waits for its parts, since a part failed.
    GiveUp {
        /// The task.
        task: TaskId,
        /// Why.
        reason: Text,
    },
    /// Judge the plan that waits at a task, as its text is now known.
    JudgePlan {
        /// The task.
        task: TaskId,
        /// The plan that was read; `None` for the one that waits.
        plan: Option<RecordId>,
        /// Who judges.
        by: AgentId,
        /// Whether the work may begin.
        approved: bool,
        /// What the author should know.
        feedback: Text,
    },
    /// Write a body as it is: one that names its claim, or only adds.
    Record(Body),
}

impl<T: Into<Body>> From<T> for Command {
    fn from(body: T) -> Self {
        Self::Record(body.into())
    }
}
