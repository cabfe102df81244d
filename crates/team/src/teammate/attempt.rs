//! One attempt at an assignment: where it is made, how long it may take, and what it came to.

use std::sync::Arc;
use std::time::Duration;

use agent_team_core::record::Stage;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;
use tracing::Instrument;

use super::Teammate;
use super::outcome::Outcome;
use crate::agent::{Activity, AgentError, Assignment, Context, Journal, JudgedPlan, prompt};
use crate::progress::Progress;
use crate::team_log::{blocking, refusal};
use crate::work_time::WorkTime;
use crate::{Account, Claimed, Error, Refusal, format_duration, liveness, telemetry};

/// Plans for one attempt that may be rejected before it fails.
const PLANS_MAX: usize = 5;

impl Teammate {
    /// Does one assignment and delivers what came out.
    pub(crate) async fn execute(&self, claimed: Claimed) -> Result<Outcome, Error> {
        let token = claimed.token;
        let Ok(assignment) = refusal(Assignment::of(self.queue.team_log(), token))? else {
            return Ok(Outcome::Lost);
        };
        for task in [Some(&claimed.task.id), claimed.task.replans.as_ref()].into_iter().flatten() {
            self.telling.until_told(task).await;
        }
        self.reporter.report(Progress::Began {
            agent: self.id.clone(),
            task: assignment.id.clone(),
            stage: assignment.stage,
            attempt: assignment.attempt,
        });
        let limit = claimed.task.time_limit_ms.map(Duration::from_millis);
        let (stage, with) = (claimed.task.stage, self.agent.with());
        let span = telemetry::attempt(&self.id, self.role, &with, &assignment, token);
        // Apart, so that an agent who waits does not keep room for all that an attempt may need.
        let attempt = Box::pin(self.attempt(assignment, claimed, limit).instrument(span.clone())).await;
        span.in_scope(|| ended(&attempt, stage));
        let attempt = attempt?;
        let lost = attempt == Outcome::Lost;
        self.reporter.report(Progress::Idle { agent: self.id.clone() });
        if lost {
            self.reporter.report(Progress::Note(format!("{} lost its claim", self.id)));
        }
        Ok(attempt)
    }

    async fn attempt(
        &self,
        mut assignment: Assignment,
        claimed: Claimed,
        limit: Option<Duration>,
    ) -> Result<Outcome, Error> {
        let stop = self.stop.child_token();
        let _at_work = self.unfinished.as_ref().map(|unfinished| unfinished.begin(claimed.token));
        let context = match self.context(&mut assignment, &claimed, stop.clone()).await {
            Ok(context) => context,
            Err(error) => {
                let reason = format!("its workspace cannot be made: {error}");
                return self.fail(&claimed, reason, false).await;
            }
        };
        let stage = assignment.stage;
        let (team_log, task) = (self.queue.team_log(), &claimed.task.id);
        let attempt_folder = context.attempt_folder.clone();
        let mut time = WorkTime::begin(team_log, &self.id, task, self.purses.clone());
        let (waits, waiting) = watch::channel(false);
        let context = Context { activity: context.activity.waits_to(Arc::new(waits)), ..context };
        let work = async {
            if assignment.lacks_plan && !self.agent.plans() {
                self.have_plan_approved(&mut assignment, &context).await?;
            }
            self.agent.execute_task(&assignment, &context).await.map(|answer| (answer, assignment))
        };
        let mut work = Box::pin(async { self.serving(waiting, work).await? });
        let out_of_time = async {
            match limit {
                Some(limit) => tokio::time::sleep(limit).await,
                None => std::future::pending().await,
            }
        };
        // When time at work is used up, the turn under way is finished, and what it delivers counts.
        let budgeted = async {
            let used_up = time.until_used_up().await?;
            stop.cancel();
            tokio::time::sleep(self.last_turn).await;
            Ok::<AgentError, Error>(used_up)
        };
        let mut is_cut_off = true;
        let ended = tokio::select! {
            answer = &mut work => {
                is_cut_off = false;
                Some(answer)
            }
            () = self.abort.cancelled() => Some(Err(AgentError::Stopped)),
            () = liveness::claim_lost(team_log, claimed.token) => None,
            () = out_of_time => {
                let limit = limit.unwrap_or_default();
                Some(Err(AgentError::Failed(format!("it took longer than its time limit of {}", format_duration(limit)))))
            }
            used_up = budgeted => Some(Err(used_up?)),
        };
        // What it still runs ends here, so that nothing changes any more in its folder.
        drop(work);
        if is_cut_off && let Some(folder) = attempt_folder {
            let words = match &ended {
                Some(Err(error)) => error.to_string(),
                _ => "its claim was lost".to_owned(),
            };
            Journal::cut_off(&folder, words)?;
        }
        let used_up = time.used_up();
        time.end().await?;
        let Some(answer) = ended else { return self.lost(&claimed).await };
        let answer = match (answer, used_up) {
            (Err(AgentError::Stopped), Some(used_up)) => Err(used_up),
            (answer, _) => answer,
        };
        match answer {
            Ok((answer, assignment)) if stage == Stage::Review => {
                self.judge(&claimed, &assignment, answer).await
            }
            Ok((answer, assignment)) => self.deliver(&claimed, &assignment, answer).await,
            Err(AgentError::Failed(reason)) => self.fail_unfinished(&claimed, &reason, false).await,
            Err(AgentError::GaveUp(reason) | AgentError::TooLong(reason)) => {
                self.fail_unfinished(&claimed, &reason, true).await
            }
            Err(AgentError::Stopped) => self.hand_back(&claimed, "stopped", None).await,
            Err(AgentError::Waits) => self.hand_out(&claimed).await,
            // What else is to be done has a budget of its own.
            Err(AgentError::OverBudget {
                refusal: refused @ Refusal::OverBudget { account: Account::Task(_), .. },
                upper,
            }) => self.over_task_budget(&claimed, refused, upper).await,
            Err(AgentError::OverBudget { refusal, upper }) => {
                self.over_budget(&claimed, refusal, upper).await
            }
            Err(AgentError::Unable(reason)) => self.unable(&claimed, reason).await,
            Err(AgentError::Broken(Error::Refused(_))) => self.lost(&claimed).await,
            Err(AgentError::Broken(error)) => Err(error),
        }
    }

    /// Asks an agent that has no tools to submit a plan how it means to do the task, until somebody approves of it.
    async fn have_plan_approved(
        &self,
        assignment: &mut Assignment,
        context: &Context,
    ) -> Result<(), AgentError> {
        let mut rejected = Vec::new();
        // It may have been stopped while it waited for the verdict.
        let mut submitted = context.submitted_plan()?;
        while rejected.len() < PLANS_MAX {
            let (plan, judged) = match submitted.take() {
                Some((id, plan)) => (plan, context.until_judged(id).await?),
                None => {
                    // Its work is to read that, too, so it counts as read only then.
                    let unread = context.bus.unread(&self.id)?;
                    let asked = Context::told(&prompt::plan_wanted(assignment, &rejected), &unread);
                    context.activity.is("makes a plan");
                    let question = Assignment::question(assignment.id.clone(), asked);
                    let plan = self.agent.answer(&question, context).await?;
                    if plan.trim().is_empty() {
                        return Err(AgentError::Failed("its plan was empty".into()));
                    }
                    (plan.clone(), context.have_judged(plan).await?)
                }
            };
            let Some(judged) = judged else { return Err(AgentError::Stopped) };
            if judged.approved {
                assignment.plan = Some(JudgedPlan { author: self.id.clone(), text: plan, rejected: None });
                assignment.lacks_plan = false;
                return Ok(());
            }
            rejected.push((plan, judged));
        }
        Err(AgentError::Failed(format!("{PLANS_MAX} of its plans were rejected")))
    }

    async fn context(
        &self,
        assignment: &mut Assignment,
        claimed: &Claimed,
        stop: CancellationToken,
    ) -> Result<Context, Error> {
        let mut environment = self.environment.clone();
        let mut workspace = None;
        if let Some(desk) = self.desk.clone().filter(|_| self.agent.needs_workspace()) {
            let (agent, given) = (self.id.clone(), assignment.clone());
            let left = self.left_by_the_last_attempt(claimed).await;
            let place = blocking(move || desk.place(&agent, &given, &left)).await?;
            for (name, value) in place.environment {
                environment = environment.with(name, value);
            }
            workspace = Some(place.folder);
            assignment.note = place.note;
            // The words of an attempt whose files are not here would only mislead. Who leads changes none.
            if !place.goes_on && !assignment.delegated {
                assignment.resumes = None;
            }
        }
        if let (Some(desk), Some(delivered)) = (self.desk.clone(), assignment.delivered.as_mut())
            && let Some((commit, base)) = delivered.commit.clone()
        {
            delivered.diff = Some(blocking(move || desk.diff(&base, &commit)).await?);
        }
        let folder = self.queue.team_log().folder();
        let root = assignment.resumes.unwrap_or(claimed.token);
        let (reporter, agent) = (self.reporter.clone(), self.id.clone());
        let activity = move |what| reporter.report(Progress::Activity { agent: agent.clone(), what });
        let reporter = self.reporter.clone();
        let notes = move |text| reporter.report(Progress::Note(text));
        Ok(Context {
            agent: self.id.clone(),
            role: self.role,
            token: claimed.token,
            queue: self.queue.clone(),
            bus: self.bus.clone(),
            workspace,
            attempt_folder: folder.map(|folder| folder.attempt(root)),
            environment,
            stop,
            activity: Activity::told_to(activity).notes_to(notes),
        })
    }
}

/// Tells those who watch what became of an attempt that has not told it itself.
fn ended(attempt: &Result<Outcome, Error>, stage: Option<Stage>) {
    match attempt {
        Ok(Outcome::Written | Outcome::BrokenDown) => {}
        Ok(Outcome::GivenBack) => telemetry::attempt_ended("given_back", stage),
        Ok(Outcome::Lost) => telemetry::attempt_ended("lost", stage),
        Ok(Outcome::Unable) => {
            telemetry::failed("unable");
            telemetry::attempt_ended("given_back", stage);
        }
        Err(_) => {
            telemetry::failed("broken");
            telemetry::attempt_ended("broken", stage);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;
    use std::sync::Arc;

    use async_trait::async_trait;
    use rustix::process::{Pid, test_kill_process};
    use serde_json::json;

    use super::*;
    use crate::agent::{Agent, Answer};
    use crate::sandbox::{Sandbox, SandboxChoice};
    use crate::tools::{OUTPUTS, ToolContext, Toolbox};
    use crate::{AgentId, Bounds, MessageBus, Role, TaskQueue};

    /// An agent that runs a command which does not end, by the tool that models have for it.
    struct Runs(PathBuf);

    #[async_trait]
    impl Agent for Runs {
        async fn execute_task(&self, _: &Assignment, context: &Context) -> Result<Answer, AgentError> {
            let tools = ToolContext {
                workspace: self.0.clone(),
                output_folder: self.0.join(OUTPUTS),
                stop: CancellationToken::new(),
                environment: context.environment.clone(),
                command_time_limit: Duration::from_secs(3_600),
            };
            let input = json!({"command": "sleep 3600 & echo $$ $! > pids; wait"});
            let output = Toolbox::coding().call("run", input, &tools).await;
            Ok(Answer::text(output.text))
        }
    }

    /// Whether a process is there, and no zombie that its new parent has not reaped yet.
    fn is_there(pid: Pid) -> bool {
        let status = std::fs::read_to_string(format!("/proc/{}/stat", pid.as_raw_nonzero()));
        test_kill_process(pid).is_ok() && !status.is_ok_and(|text| text.contains(") Z "))
    }

    #[tokio::test]
    async fn when_time_at_work_is_used_up_commands_end_with_the_last_turn() {
        let folder = tempfile::tempdir().unwrap();
        let queue = TaskQueue::in_memory().unwrap();
        let bus = MessageBus::over(queue.team_log().clone());
        let task = queue.add_task("Wait").unwrap();
        let agent = Arc::new(Runs(folder.path().to_owned()));
        let id: AgentId = "worker-1".parse().unwrap();
        let mut worker = Teammate::new(id.clone(), Role::Worker, queue.clone(), bus, agent);
        worker.last_turn = Duration::from_millis(100);
        // Process ids mean the same within and outside.
        worker.environment = worker.environment.confined(Sandbox::new(SandboxChoice::None));
        let claimed = queue.claim_task(&id).unwrap().unwrap();
        let begun = async {
            let pids = loop {
                let text = std::fs::read_to_string(folder.path().join("pids")).unwrap_or_default();
                if text.ends_with('\n') {
                    break text;
                }
                tokio::time::sleep(Duration::from_millis(5)).await;
            };
            let bounds = Bounds { time_ms: Some(1), ..Bounds::default() };
            queue.set_budget(&AgentId::human(), &Account::Task(task.clone()), bounds).unwrap();
            pids
        };

        let (outcome, pids) = tokio::join!(worker.execute(claimed), begun);

        assert_eq!(outcome.unwrap(), Outcome::GivenBack);
        let pids: Vec<Pid> =
            pids.split_whitespace().map(|pid| Pid::from_raw(pid.parse().unwrap()).unwrap()).collect();
        assert_eq!(pids.len(), 2);
        let gone = async {
            while pids.iter().any(|pid| is_there(*pid)) {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        };
        tokio::time::timeout(Duration::from_secs(10), gone).await.expect("a process is still there");
        let known = queue.get_task(&task).unwrap();
        assert_eq!(
            known.waits_for.as_deref(),
            Some(&*format!("more time at work in the budget of task {task}"))
        );
    }
}
