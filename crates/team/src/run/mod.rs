//! Running a team: its agents at work at once, checks and merges beside them, until nothing is left to do.

mod begin;
mod budgets;
mod crew;
mod end;
mod goal;
mod limits;
mod over;
mod replan;
mod stuck;
mod unsettled;
mod waits;

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use agent_team_core::machine::{Claim, State, Task};
use agent_team_core::record::{ClaimReleased, Policy};
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;
use tracing::Instrument;

pub(crate) use begin::{ALONE, ORCHESTRATOR};
use crew::Crew;
pub(crate) use end::board;
pub use end::{Landed, RunOutcome, RunReport};
use goal::Goal;
use limits::Limits;
use over::{End, goes_on, is_done};
use replan::Failures;
use stuck::Watched;
use waits::Waits;

use crate::agent_team::AgentTeam;
use crate::command::Environment;
use crate::desk::Desk;
use crate::liveness::{self, TakenBack};
use crate::merge_queue::{Merger, Turn};
use crate::progress::{Progress, Reporter};
use crate::purse::{Purses, warning_of_the_clock};
use crate::team_log::{TeamLog, refusal};
use crate::telling::Telling;
use crate::unfinished::{KEEP_LIMIT, Unfinished};
use crate::verify::{Verified, Verifier};
use crate::{Account, AgentId, ClaimOptions, Error, Holder, RecordId, Stage, telemetry};

/// Checks that are run at the same time.
const VERIFIERS: u32 = 2;
/// How often a run looks, while something happens, at what nobody is called for.
const LOOK: Duration = Duration::from_secs(1);
/// How often it looks at least whether its agents get anywhere.
const LOOK_AT_AGENTS: Duration = Duration::from_secs(30);
/// How long agents may take to finish their turns when time is over, if nothing is said.
const GRACE: Duration = Duration::from_secs(20);
/// How long agents that were told to drop everything may take to give back what they hold.
const LAST_GRACE: Duration = Duration::from_secs(2);

/// A run that has begun: everything is prepared.
struct Run<'a> {
    team: &'a AgentTeam,
    id: RecordId,
    /// Who writes the records of checks and merges.
    by: AgentId,
    holder: Arc<Holder>,
    desk: Option<Desk>,
    environment: Environment,
    reporter: Reporter,
    /// What went wrong beyond single tasks, for the report.
    errors: Arc<Mutex<Vec<String>>>,
    /// What it is for.
    goal: Goal,
    /// The rules, as they are in the log from the beginning of the work.
    policy: Policy,
    /// Cancelled when agents shall finish their turns and take nothing new.
    stop: CancellationToken,
    /// Cancelled when agents shall drop what they do.
    abort: CancellationToken,
    /// Cancelled when nothing of this run shall go on.
    over: CancellationToken,
    /// Whether merges wait for the user.
    merges_blocked: Arc<watch::Sender<bool>>,
    /// What the agents have used up.
    purses: Arc<Purses>,
    /// What they leave unfinished.
    unfinished: Arc<Unfinished>,
    /// In which order is told what they do.
    telling: Arc<Telling>,
}

/// What a run has said already, or knows.
#[derive(Default)]
struct Noted {
    named: BTreeSet<RecordId>,
    /// The limits of the run's clock that were warned of, and whether all of it was used.
    clock: BTreeSet<(u64, bool)>,
    failures: Failures,
    limits: Limits,
    waits: Waits,
}

pub(crate) async fn run(team: &AgentTeam, timeout: Option<Duration>) -> Result<RunReport, Error> {
    let started = std::time::Instant::now();
    let (mut run, _alone) = begin::begin(team).await?;
    telemetry::run_began(run.id);
    let mut noted = Noted::default();
    loop {
        let left = timeout.map(|timeout| timeout.saturating_sub(started.elapsed()));
        let end = run.work(left, &mut noted).await;
        let given_back = run.give_back_all();
        let end = match end.and_then(|end| given_back.map(|()| end)) {
            Ok(end) => end,
            Err(error) => {
                run.ended(&End::cut_off(RunOutcome::Broken))?;
                return Err(error);
            }
        };
        if let Some(report) = run.report(end, started).await? {
            return Ok(report);
        }
        run.go_on();
    }
}

impl Run<'_> {
    async fn work(&self, timeout: Option<Duration>, noted: &mut Noted) -> Result<End, Error> {
        if self.stop.is_cancelled() {
            return Ok(End::cut_off(RunOutcome::Interrupted));
        }
        self.purses.warn(self.team.queue.team_log(), &self.reporter)?;
        let mut agents = self.start_crew()?;
        let mut stages = self.start_stages();
        let end = self.until_the_end(timeout, noted, &mut agents, &mut stages).await;
        self.name_limits(&mut noted.limits);
        let governor = self.team.queue.team_log().governor();
        let limited = if governor.holds_up_anybody() { governor.limits() } else { Vec::new() };
        let end = end.map(|end| End { limited, ..end });
        self.stop.cancel();
        let finished = self.finish(&mut agents, end.as_ref().ok().map(|end| end.outcome)).await;
        self.over.cancel();
        while let Some(ended) = stages.join_next().await {
            broken_down(ended)?;
        }
        self.name_limits(&mut noted.limits);
        self.purses.warn(self.team.queue.team_log(), &self.reporter)?;
        finished?;
        self.or_completed(end?)
    }

    /// Makes it ready to work again: something came that can go on before the end was written down.
    fn go_on(&mut self) {
        self.stop = self.team.stop.gently.child_token();
        self.abort = self.team.stop.at_once.child_token();
        self.over = CancellationToken::new();
        self.reporter.report(Progress::Note("goes on: there is something to do again".to_owned()));
    }

    /// Starts what serves all agents: checks, merges, and the look for holders that are gone.
    fn start_stages(&self) -> JoinSet<Result<(), Error>> {
        let mut stages = JoinSet::new();
        let queue = &self.team.queue;
        let options = ClaimOptions { task: None, holder: Some(self.holder.clone()) };
        for number in 1..=VERIFIERS {
            let verifier = Verifier {
                queue: queue.clone(),
                by: self.by.clone(),
                options: options.clone(),
                environment: self.environment.clone(),
                bench: self.desk.clone().map(|desk| (desk, number)),
                reporter: self.reporter.clone(),
                telling: self.telling.clone(),
            };
            stages.spawn(verify(verifier, self.over.clone()).in_current_span());
        }
        if let Some(desk) = self.desk.clone() {
            let merger = Merger {
                queue: queue.clone(),
                desk,
                by: self.by.clone(),
                options,
                environment: self.environment.clone(),
                stop: self.over.clone(),
            };
            let merging = merge(merger, self.merges_blocked.clone(), self.reporter.clone());
            stages.spawn(merging.in_current_span());
        }
        let (team_log, over, reporter) = (queue.team_log().clone(), self.over.clone(), self.reporter.clone());
        stages.spawn(async move {
            let tell = |gone: TakenBack| {
                let note = format!("{} is gone; task {} is free again", gone.agent, gone.task);
                reporter.report(Progress::Note(note));
            };
            tokio::select! {
                () = over.cancelled() => Ok(()),
                looked = liveness::look_out(&team_log, tell) => match looked? {},
            }
        });
        stages
    }

    /// Waits until nothing can go on, time is over, or somebody stops the run.
    async fn until_the_end(
        &self,
        timeout: Option<Duration>,
        noted: &mut Noted,
        agents: &mut Crew,
        stages: &mut JoinSet<Result<(), Error>>,
    ) -> Result<End, Error> {
        let team_log = self.team.queue.team_log();
        let time_over = async {
            match timeout {
                Some(timeout) => tokio::time::sleep(timeout).await,
                None => std::future::pending().await,
            }
        };
        tokio::pin!(time_over);
        let mut merges_blocked = self.merges_blocked.subscribe();
        let mut watched = Watched::default();
        loop {
            self.follow_members(agents)?;
            self.look_who_is_stuck(&mut watched)?;
            let warnings = self.purses.warn(team_log, &self.reporter)?;
            self.warn_of_the_clock(&mut noted.clock)?;
            self.name_what_waits_for_the_human(&mut noted.named)?;
            self.name_who_waits_for_agents(&mut noted.waits)?;
            self.name_limits(&mut noted.limits);
            tokio::select! {
                biased;
                seen = self.see_to_failures(&mut noted.failures) => seen?,
                // A hook that is asked meanwhile keeps nobody who stops the run.
                () = self.team.stop.gently.cancelled() => {}
                () = &mut time_over => return Ok(End::cut_off(RunOutcome::TimedOut)),
            }
            merges_blocked.mark_unchanged();
            let nobody = agents.is_empty();
            let (is_over, is_done, seen) =
                team_log.look(|state| (self.is_over(state, nobody), is_done(state), state.records()))?;
            self.name_foreign_holders(&mut noted.named)?;
            if is_over {
                let outcome = match is_done {
                    true => RunOutcome::Completed,
                    // Agents that were told to stop may be gone before this is looked at.
                    false if self.stop.is_cancelled() => RunOutcome::Interrupted,
                    false => self.why_nothing_goes_on()?,
                };
                return Ok(End { without_agents: Some(nobody), ..End::cut_off(outcome) });
            }
            let purses = self.purses.clone();
            let over = team_log.until(move |state| !goes_on(state, nobody, &purses));
            // What else is looked at here can wait a second, and waits for ever while nothing happens.
            let news = async {
                tokio::time::sleep(LOOK).await;
                tokio::select! {
                    waited = team_log.until(move |state| state.records() != seen) => waited,
                    // The sender is this run's own.
                    _ = merges_blocked.changed() => Ok(()),
                }
            };
            let warned = team_log.until(move |state| state.ledger().warnings().len() != warnings);
            tokio::select! {
                () = self.team.stop.gently.cancelled() => {
                    return Ok(End::cut_off(RunOutcome::Interrupted));
                }
                () = &mut time_over => return Ok(End::cut_off(RunOutcome::TimedOut)),
                Some(ended) = agents.ended() => ended?,
                () = self.purses.changed.notified() => {}
                () = team_log.governor().changed.notified() => {}
                () = tokio::time::sleep(self.interval(&noted.limits)?) => {}
                // None ends by itself: what needs it would wait for ever.
                Some(ended) = stages.join_next() => broken_down(ended)?,
                waited = over => waited?,
                waited = warned => waited?,
                waited = news => waited?,
            }
        }
    }

    /// How long to wait at most before the agents are looked at again: that nothing happens wakes nobody, nor does the
    /// clock of a run.
    fn interval(&self, limits: &Limits) -> Result<Duration, Error> {
        let limit = self.team.options.stuck_after;
        let usual = limit.map_or(LOOK_AT_AGENTS, |limit| (limit / 4).max(Duration::from_millis(10)));
        let elapsed = self.purses.elapsed();
        let clock = self.team.queue.team_log().look(|state| {
            let most_ms = state.ledger().limit(&Account::Run).bounds.elapsed_ms?;
            [most_ms / 100 * 80, most_ms].into_iter().find_map(|at_ms| {
                Duration::from_millis(at_ms).checked_sub(elapsed).map(|left| left + Duration::from_millis(1))
            })
        })?;
        Ok([clock, limits.next_look()].into_iter().flatten().fold(usual, Duration::min))
    }

    /// Says when most of the time on the clock is used up. No record says so.
    fn warn_of_the_clock(&self, said: &mut BTreeSet<(u64, bool)>) -> Result<(), Error> {
        let elapsed = self.purses.elapsed();
        let look = |state: &State| warning_of_the_clock(state, elapsed, said);
        if let Some(warning) = self.team.queue.team_log().look(look)? {
            self.reporter.report(warning);
        }
        Ok(())
    }

    /// Says once what outsiders hold while the agents of this run hold nothing: the run can only wait for them.
    fn name_foreign_holders(&self, named: &mut BTreeSet<RecordId>) -> Result<(), Error> {
        let held: Vec<(RecordId, String)> = self.team.queue.team_log().look(|state| {
            let ours = |claim: &Claim| claim.holder.presence == self.holder.presence;
            if state.counts().ready > 0 || state.held().any(|(_, claim)| ours(claim)) {
                return Vec::new();
            }
            let words =
                |task: &Task, claim: &Claim| format!("waits for {}, held by {}", task.id(), claim.agent);
            state.held().map(|(task, claim)| (claim.id, words(task, claim))).collect()
        })?;
        for (claim, words) in held {
            if named.insert(claim) {
                self.reporter.report(Progress::Note(words));
            }
        }
        Ok(())
    }

    /// Lets agents finish their turns: as long as it takes if the user asked for it, for a while if time is over. Then
    /// they drop what they do.
    async fn finish(&self, agents: &mut Crew, outcome: Option<RunOutcome>) -> Result<(), Error> {
        let patience = async {
            match outcome {
                Some(RunOutcome::Interrupted) => self.team.stop.at_once.cancelled().await,
                _ => tokio::time::sleep(self.team.options.grace.unwrap_or(GRACE)).await,
            }
        };
        let out_of_patience = async {
            patience.await;
            self.abort.cancel();
            // Whoever cannot wait for their work to be kept either says so.
            let _ = tokio::time::timeout(KEEP_LIMIT, self.team.stop.at_once.cancelled()).await;
            tokio::time::sleep(LAST_GRACE).await;
        };
        tokio::pin!(out_of_patience);
        loop {
            tokio::select! {
                ended = agents.ended() => match ended {
                    Some(ended) => ended?,
                    None => return Ok(()),
                },
                () = &mut out_of_patience => break,
            }
        }
        agents.shutdown().await;
        Ok(())
    }

    /// Gives back what this run still holds. This process may live on, so nobody else would find out that nobody works
    /// on it any more.
    fn give_back_all(&self) -> Result<(), Error> {
        let team_log = self.team.queue.team_log();
        let held: Vec<_> = team_log.look(|state| {
            let ours = state.held().filter(|(_, claim)| claim.holder == self.holder);
            let intent = |task: &Task| task.intent.as_ref().map(|intent| intent.id);
            ours.map(|(task, claim)| (task.id().clone(), claim.clone(), intent(task))).collect()
        })?;
        for (task, claim, intent) in held {
            let fenced = match intent {
                Some(intent) => liveness::fence_off(team_log, &self.by, &task, intent)?,
                None => None,
            };
            let body = ClaimReleased { fenced, ..ClaimReleased::new(claim.id, "the run ended") };
            // If it ended meanwhile, that is what was wanted.
            let _ = refusal(team_log.submit(&claim.agent, &body.into()))?;
        }
        Ok(())
    }
}

/// An error of a part of the run is the run's.
fn broken_down(ended: Result<Result<(), Error>, tokio::task::JoinError>) -> Result<(), Error> {
    match ended {
        Ok(outcome) => outcome,
        Err(failed) if failed.is_cancelled() => Ok(()),
        Err(failed) => Err(Error::Input(format!("a part of this program broke down: {failed}"))),
    }
}

async fn verify(verifier: Verifier, over: CancellationToken) -> Result<(), Error> {
    let team_log = verifier.queue.team_log().clone();
    loop {
        tokio::select! {
            () = over.cancelled() => return Ok(()),
            waited = team_log.until(|state| state.waiting_for(Stage::Verify).next().is_some()) => waited?,
        }
        let seen = team_log.look(State::records)?;
        match verifier.verify(None, &over).await? {
            Verified::Reported(..) => {}
            Verified::NotOurs(_) | Verified::Stopped => wait(&team_log, seen, &over).await?,
        }
    }
}

async fn merge(merger: Merger, blocked: Arc<watch::Sender<bool>>, reporter: Reporter) -> Result<(), Error> {
    let team_log = merger.queue.team_log().clone();
    let is_wanted = |state: &State| state.waiting_for(Stage::Merge).any(|task| state.may_merge(task));
    loop {
        tokio::select! {
            () = merger.stop.cancelled() => return Ok(()),
            waited = team_log.until(is_wanted) => waited?,
        }
        let seen = team_log.look(State::records)?;
        let turn = merger.turn().await?;
        let is_blocked = matches!(turn, Turn::Blocked { .. });
        let was_blocked = blocked.send_replace(is_blocked);
        match turn {
            Turn::Merged { task, commit, branch } => {
                reporter.report(Progress::Merged { task, commit, branch });
            }
            Turn::AddsNothing { task, branch } => {
                reporter.report(Progress::Note(format!("{task} adds nothing to {branch}")));
            }
            Turn::Refused { task, reason, .. } => reporter.report(Progress::Refused { task, reason }),
            Turn::Again { task, reason } => {
                reporter.report(Progress::Note(format!("{task} is tried again: {reason}")));
            }
            Turn::Blocked { reason } => {
                if !was_blocked {
                    reporter.report(Progress::Note(format!("ERROR nothing can be merged: {reason}")));
                }
                wait(&team_log, seen, &merger.stop).await?;
            }
            Turn::Idle => wait(&team_log, seen, &merger.stop).await?,
        }
    }
}

/// Waits for any news, and not for ever: what is in the way may be outside of the log.
async fn wait(team_log: &TeamLog, seen: u64, over: &CancellationToken) -> Result<(), Error> {
    let news = team_log.until(move |state| state.records() != seen);
    tokio::select! {
        () = over.cancelled() => Ok(()),
        waited = tokio::time::timeout(Duration::from_secs(2), news) => waited.unwrap_or(Ok(())),
    }
}
