//! Who is gone: observes the holders of claims, and takes tasks back from those that are.
//!
//! A process is judged by the lock on its presence file, or by its id and start time; a lease by this machine's own
//! monotonic clock, since when this machine's processes first saw the last renewal. No timestamp expires anything.

use std::collections::BTreeSet;
use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use agent_team_core::id::{AgentId, RecordId, TaskId};
use agent_team_core::machine::{Claim, Command, Intent, Refusal};
use agent_team_core::record::{ExpiryCause, Holder, Merged, ProcessId};
use agent_team_log::{AppendError, Liveness, Observed, ProcessIdentity, probe};

use crate::Error;
use crate::at_duty;
use crate::folder::TeamFolder;
use crate::hooks;
use crate::left_behind;
use crate::run::ALONE;
use crate::task_queue::process_id;
use crate::team_log::{TeamLog, blocking, refusal};

/// How often those who wait look for holders that are gone: the death of a process wakes nobody.
pub(crate) const INTERVAL: Duration = Duration::from_millis(250);

/// How the presence of a process is named, before an id of its own.
pub(crate) const PRESENCE_PREFIX: &str = "process-";

/// A claim that was taken back.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct TakenBack {
    /// The task.
    pub task: TaskId,
    /// Who held it.
    pub agent: AgentId,
    /// The claim.
    pub claim: RecordId,
    /// Why it was taken back.
    pub cause: ExpiryCause,
}

/// Looks at the holders of a team's claims.
pub struct Observer<'a> {
    team_log: &'a TeamLog,
}

impl<'a> Observer<'a> {
    /// An observer of a team.
    pub fn new(team_log: &'a TeamLog) -> Self {
        Self { team_log }
    }

    /// Takes back what holders hold that are gone.
    ///
    /// # Errors
    /// When the log cannot be read or written.
    pub fn expire_dead(&self) -> Result<Vec<TakenBack>, Error> {
        let Some(folder) = self.team_log.folder() else { return Ok(Vec::new()) };
        let here = self.team_log.announced();
        let held: Vec<(TaskId, Claim, Option<Intent>)> = self.team_log.look(|state| {
            let held = state.held().filter(|(_, claim)| may_be_gone(&claim.holder, here.as_deref()));
            held.map(|(task, claim)| (task.id().clone(), claim.clone(), task.intent.as_deref().cloned()))
                .collect()
        })?;
        if held.is_empty() {
            return Ok(Vec::new());
        }
        let gone = gone(folder, &held);
        // Before anybody else can begin with what they hold. A run alone has commands that outlive it.
        let had_commands =
            |claim: &Claim, cause| claim.holder.orchestrated && cause == ExpiryCause::ProcessGone;
        if gone.iter().any(|(_, claim, cause)| had_commands(claim, *cause)) && !self.team_log.is_within() {
            let is_alone = probe(&folder.presence(), ALONE) == Liveness::Dead;
            left_behind::end(folder, is_alone);
        }
        let mut taken = Vec::new();
        for (task, claim, cause) in gone {
            let by = claim.agent.clone();
            let fenced =
                match held.iter().find(|(id, ..)| *id == task).and_then(|(.., intent)| intent.as_ref()) {
                    Some(intent) => fence_off(self.team_log, &by, &task, intent.id)?,
                    None => None,
                };
            let command = Command::Expire { claim: claim.id, seen: claim.renewal, cause, fenced };
            // Whoever else saw it first has taken it back already, and a renewal keeps the claim: both are fine.
            match refusal(self.team_log.submit(&by, &command)) {
                Ok(Ok(_)) => {
                    hooks::quarantined(self.team_log, &claim.agent, &task)?;
                    taken.push(TakenBack { task, agent: claim.agent, claim: claim.id, cause });
                }
                Ok(Err(_)) => {}
                // Whoever may only look leaves it to those who may write.
                Err(Error::Append(AppendError::ReadOnly) | Error::WithinCommand | Error::Past { .. }) => {
                    return Ok(taken);
                }
                Err(error) => return Err(error),
            }
        }
        Ok(taken)
    }
}

/// Looks for holders that are gone, for all who wait in this process: one of them does it at a time. Tells `found` what
/// it took back. Never ends but by an error.
///
/// The death of a process wakes nobody, so this looks at intervals while anybody holds something who may die; otherwise
/// it sleeps until something changes.
pub(crate) async fn look_out(
    team_log: &TeamLog,
    found: impl Fn(TakenBack) + Send,
) -> Result<Infallible, Error> {
    let _duty = team_log.lookout().lock().await;
    loop {
        let seen = match anyone_to_look_at(team_log)? {
            None => {
                let observed = team_log.clone();
                let taken = blocking(move || Observer::new(&observed).expire_dead()).await?;
                taken.into_iter().for_each(&found);
                None
            }
            seen => seen,
        };
        tokio::time::sleep(INTERVAL).await;
        if let Some(seen) = seen {
            team_log.until(move |state| state.records() != seen).await?;
        }
    }
}

/// The number of records if nobody holds anything who may die unseen; `None` if somebody does.
fn anyone_to_look_at(team_log: &TeamLog) -> Result<Option<u64>, Error> {
    if team_log.folder().is_none() {
        return team_log.look(|state| Some(state.records()));
    }
    let here = team_log.announced();
    team_log.look(|state| {
        let anyone = state.held().any(|(_, claim)| may_be_gone(&claim.holder, here.as_deref()));
        (!anyone).then(|| state.records())
    })
}

/// Whether a holder may be gone as far as can be told without a look at its process: this one, `here`, is not.
fn may_be_gone(holder: &Holder, here: Option<&str>) -> bool {
    let is_elsewhere = holder.process.is_some() && (here.is_none() || holder.presence.as_deref() != here);
    is_elsewhere || holder.lease_ms.is_some()
}

/// A holder that lives as long as another process of this machine: the shell that a short command was started from.
///
/// # Errors
/// [`Error::Process`] when there is no such process, or the system does not tell.
pub fn holder_of_process(pid: u32) -> Result<Holder, Error> {
    let failed = |reason: String| Error::Process { pid, reason };
    let known = ProcessIdentity::of(pid).map_err(|error| failed(error.to_string()))?;
    let known = known.ok_or_else(|| failed("there is no such process".into()))?;
    Ok(Holder { process: Some(process_id(known)), ..Holder::default() })
}

/// Makes sure that a claim is not made for a process that has ended: nobody would work on the task, and whoever takes it back
/// counts that against it.
///
/// # Errors
/// [`Error::Process`] when it has ended.
pub(crate) fn must_live(team_log: &TeamLog, holder: &Holder) -> Result<(), Error> {
    let (Some(folder), Some(process)) = (team_log.folder(), &holder.process) else { return Ok(()) };
    if may_be_gone(holder, team_log.announced().as_deref()) && is_dead(folder, holder) {
        let reason = "it has ended, and nothing is claimed for it".to_owned();
        return Err(Error::Process { pid: process.pid, reason });
    }
    Ok(())
}

/// Waits until the process that waits for work has ended, if it is another one than this: its end wakes nobody. Ends with an
/// error only.
pub(crate) async fn watch(team_log: &TeamLog, holder: Option<&Holder>) -> Result<Infallible, Error> {
    let here = team_log.announced();
    let Some(holder) = holder.filter(|holder| may_be_gone(holder, here.as_deref())) else {
        return std::future::pending().await;
    };
    loop {
        must_live(team_log, holder)?;
        tokio::time::sleep(INTERVAL).await;
    }
}

/// Removes what dead processes left of their presence. Its names are never used again, so nothing can be mistaken.
pub(crate) fn sweep_presence(folder: &TeamFolder) {
    at_duty::sweep(folder);
    let Ok(files) = std::fs::read_dir(folder.presence()) else { return };
    for file in files.flatten() {
        let name = file.file_name();
        let name = name.to_str().and_then(|name| name.strip_suffix(".json"));
        let Some(name) = name.filter(|name| name.starts_with(PRESENCE_PREFIX)) else { continue };
        if probe(&folder.presence(), name) == Liveness::Dead {
            // If it cannot be removed it only stays, as before.
            let _ = std::fs::remove_file(file.path());
        }
    }
}

/// Resolves when a claim is not in force any more: what is done under it is not wanted then.
pub(crate) async fn claim_lost(team_log: &TeamLog, claim: RecordId) {
    loop {
        let waited = team_log.end_of_claim(claim).await;
        if waited.is_ok() && team_log.look(|state| state.live_claim(claim).is_err()).unwrap_or(false) {
            return;
        }
        if waited.is_err() {
            // A log that cannot be read is told by whoever writes next.
            tokio::time::sleep(Duration::from_secs(5)).await;
        }
    }
}

/// The claims whose holders are gone, and why that is known.
fn gone(folder: &TeamFolder, held: &[(TaskId, Claim, Option<Intent>)]) -> Vec<(TaskId, Claim, ExpiryCause)> {
    let leased = held.iter().any(|(_, claim, _)| claim.holder.lease_ms.is_some());
    let mut observed = leased.then(|| Observed::open(&folder.cache()));
    let mut gone = Vec::new();
    // Many claims have few holders.
    let mut judged: Vec<(&Arc<Holder>, bool)> = Vec::new();
    for (task, claim, _) in held {
        let known = judged.iter().find(|(holder, _)| **holder == claim.holder).map(|(_, dead)| *dead);
        let dead = known.unwrap_or_else(|| is_dead(folder, &claim.holder));
        if known.is_none() {
            judged.push((&claim.holder, dead));
        }
        if dead {
            gone.push((task.clone(), claim.clone(), ExpiryCause::ProcessGone));
        } else if let (Some(lease_ms), Some(observed)) = (claim.holder.lease_ms, observed.as_mut()) {
            let unseen = observed.first_seen(&claim.id.to_string(), &claim.renewal.to_string());
            if unseen >= Duration::from_millis(lease_ms) {
                gone.push((task.clone(), claim.clone(), ExpiryCause::Lease));
            }
        }
    }
    if let Some(mut observed) = observed {
        let claims: BTreeSet<String> = held.iter().map(|(_, claim, _)| claim.id.to_string()).collect();
        observed.retain(|claim| claims.contains(claim));
        // A lost observation only makes a lease last longer.
        let _ = observed.save();
    }
    gone
}

/// Whether a holder lives, as far as this process can know at one look.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Health {
    /// Its process lives.
    Alive,
    /// Its process is gone: what it holds goes back into the queue.
    Dead,
    /// Its process is on another machine or in another container.
    Elsewhere,
    /// It has no process: its lease alone decides.
    Leased,
    /// It has neither process nor lease: it holds until it is ended.
    Unbound,
}

/// Looks at a holder once. Leases take time to be seen, so they are left out here.
pub(crate) fn health(folder: &TeamFolder, holder: &Holder) -> Health {
    match &holder.process {
        None if holder.lease_ms.is_some() => Health::Leased,
        None => Health::Unbound,
        Some(_) if is_dead(folder, holder) => Health::Dead,
        Some(process) if identity(process).judge() == Liveness::Unknown => Health::Elsewhere,
        Some(_) => Health::Alive,
    }
}

/// Whether the process behind a holder is certainly gone.
fn is_dead(folder: &TeamFolder, holder: &Holder) -> bool {
    let Some(process) = &holder.process else { return false };
    let judged = identity(process).judge();
    match (&holder.presence, judged) {
        (_, Liveness::Dead) => true,
        (Some(presence), Liveness::Alive) => probe(&folder.presence(), presence) == Liveness::Dead,
        (None, Liveness::Alive) | (_, Liveness::Unknown) => false,
    }
}

/// Makes sure that a merge that was intended cannot happen any more, or finds that it did and records that.
///
/// Returns the intent if it is fenced off, so that the claim under it may end.
pub(crate) fn fence_off(
    team_log: &TeamLog,
    by: &AgentId,
    task: &TaskId,
    intent: RecordId,
) -> Result<Option<RecordId>, Error> {
    let known = team_log.look(|state| state.task(task).and_then(|task| task.intent.clone()))?;
    let Some(known) = known.filter(|known| known.id == intent) else { return Ok(None) };
    if !crate::merge_queue::fence_off(team_log, &known)? {
        return Ok(Some(intent));
    }
    match refusal(team_log.submit(by, &Merged { intent }.into()))? {
        Ok(_) | Err(Refusal::NoSuchIntent { .. }) => Ok(None),
        Err(refused) => Err(refused.into()),
    }
}

pub(crate) fn identity(process: &ProcessId) -> ProcessIdentity {
    ProcessIdentity {
        machine: process.machine.clone(),
        boot: process.boot.clone(),
        pid_namespace: process.namespace.clone(),
        pid: process.pid,
        start: process.start,
    }
}

#[cfg(test)]
mod tests {
    use std::process::{Command, Stdio};

    use super::*;
    use crate::{ClaimOptions, NewTask, Status, TaskQueue};

    #[tokio::test]
    async fn nothing_is_claimed_for_a_process_that_has_ended() {
        let place = tempfile::tempdir().unwrap();
        let queue = TaskQueue::new(place.path()).unwrap();
        let worker: AgentId = "worker-1".parse().unwrap();
        queue.join_as_worker(&worker, "shell").unwrap();
        let task = queue.add_task(NewTask::new("a")).unwrap();
        let mut shell = Command::new("cat").stdin(Stdio::piped()).spawn().unwrap();
        let holder = Some(Arc::new(holder_of_process(shell.id()).unwrap()));
        drop(shell.stdin.take());
        shell.wait().unwrap();

        let options = ClaimOptions { holder, task: None };
        assert!(matches!(queue.claim(&worker, &options), Err(Error::Process { .. })));
        let waited = queue.claim_when_ready(&worker, &options, None).await;
        assert!(matches!(waited, Err(Error::Process { .. })));
        let task = queue.get_task(&task).unwrap();
        assert_eq!((task.status, task.claims), (Status::Ready, Vec::new()));
    }
}
