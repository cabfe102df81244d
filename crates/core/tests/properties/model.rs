//! The queue in a few lines: which records take effect, and where each task stands then. It knows nothing of how the
//! machine does it, and is told of every record in the order of the log.

use std::collections::BTreeMap;

use agent_team_core::id::{AgentId, RecordId, TaskId};
use agent_team_core::machine::{State, Status};
use agent_team_core::record::{Body, ExpiryCause, Record, RefusalCause, Stage, TaskSpec};

#[derive(Default)]
pub struct Model {
    items: BTreeMap<TaskId, Item>,
}

struct Item {
    spec: TaskSpec,
    status: Status,
    version: RecordId,
    holder: Option<Hold>,
    failures: u32,
    conflicts: u32,
    takeovers: u32,
    /// Whether whoever held it last was stuck.
    was_stuck: bool,
    author: Option<AgentId>,
    submission: Option<RecordId>,
    has_commit: bool,
    intent: Option<RecordId>,
}

struct Hold {
    token: RecordId,
    agent: AgentId,
    seen: RecordId,
    orchestrated: bool,
    /// Whether it took the task after somebody who was stuck.
    after_stuck: bool,
}

impl Model {
    /// Whether a record takes effect; `None` where the model has no opinion. It has happened then.
    pub fn write(&mut self, record: &Record) -> Option<bool> {
        let id = record.id;
        let effective = self
            .wished(id, &record.body)
            .or_else(|| self.claimed(id, &record.body))
            .or_else(|| self.judged(id, &record.body));
        self.unblock();
        effective
    }

    /// What those who want tasks done write.
    fn wished(&mut self, id: RecordId, body: &Body) -> Option<bool> {
        Some(match body {
            Body::TaskAdded(body) if body.batch.is_none() => self.add(&body.task, id),
            Body::TaskEdited(body) => self.with(&body.task, |item| {
                let open = !matches!(item.status, Status::Completed | Status::Cancelled);
                open && body.on == Some(item.version) && item.touch(id)
            }),
            Body::TaskRetried(body) => self.with(&body.task, |item| {
                let ended = matches!(item.status, Status::Failed | Status::Cancelled);
                ended && body.on == Some(item.version) && {
                    (item.failures, item.conflicts, item.takeovers) = (0, 0, 0);
                    item.status = Status::Blocked;
                    item.touch(id)
                }
            }),
            Body::TaskCancelled(body) => {
                let cancelled = self.with(&body.task, |item| {
                    body.on == Some(item.version) && item.fenced(body.fenced) && item.cancel(id)
                });
                if cancelled && body.dependents {
                    self.cancel_dependents(&body.task, id);
                }
                cancelled
            }
            _ => return None,
        })
    }

    /// Who holds what.
    fn claimed(&mut self, id: RecordId, body: &Body) -> Option<bool> {
        Some(match body {
            Body::TaskClaimed(body) => self.with(&body.task, |item| {
                let stage = match item.status {
                    Status::Ready => Stage::Work,
                    Status::Verifying => Stage::Verify,
                    Status::Reviewing => Stage::Review,
                    Status::Merging => Stage::Merge,
                    _ => return false,
                };
                let reviewer = body.agent.as_str() == "rita";
                let fits = match stage {
                    Stage::Work => !reviewer,
                    Stage::Review => reviewer && item.author.as_ref() != Some(&body.agent),
                    Stage::Verify | Stage::Merge => true,
                };
                if item.holder.is_some() || stage != body.stage || body.on != Some(item.version) || !fits {
                    return false;
                }
                item.version = id;
                if stage == Stage::Work {
                    item.status = Status::Running;
                    (item.submission, item.author, item.has_commit) = (None, None, false);
                }
                let (agent, orchestrated) = (body.agent.clone(), body.holder.orchestrated);
                let after_stuck = std::mem::take(&mut item.was_stuck);
                item.holder = Some(Hold { token: id, agent, seen: id, orchestrated, after_stuck });
                true
            }),
            Body::ClaimRenewed(body) => self.held(body.claim, |item| item.see(id)),
            Body::TurnJournalled(body) => self.held(body.claim, |item| {
                if !item.holder.as_ref().is_some_and(|hold| hold.after_stuck) {
                    item.takeovers = 0;
                }
                item.see(id)
            }),
            Body::ClaimReleased(body) => {
                self.held(body.claim, |item| item.fenced(body.fenced) && item.leave(id) && item.back())
            }
            Body::ClaimExpired(body) => self.held(body.claim, |item| {
                let Some(hold) = &item.holder else { return false };
                let died = hold.orchestrated && body.cause == ExpiryCause::ProcessGone;
                if hold.seen != body.seen || !item.fenced(body.fenced) {
                    return false;
                }
                if !died && item.status != Status::Reviewing {
                    item.takeovers += 1;
                    if item.takeovers == 3 {
                        item.status = Status::Failed;
                    }
                }
                item.was_stuck = body.cause == ExpiryCause::Stuck;
                item.leave(id) && item.back()
            }),
            _ => return None,
        })
    }

    /// What came of it.
    fn judged(&mut self, id: RecordId, body: &Body) -> Option<bool> {
        Some(match body {
            Body::TaskSubmitted(body) => self.held(body.claim, |item| {
                item.status == Status::Running && {
                    item.author = item.holder.as_ref().map(|hold| hold.agent.clone());
                    (item.submission, item.has_commit) = (Some(id), body.commit.is_some());
                    item.pass(id)
                }
            }),
            Body::TaskFailed(body) => self.held(body.claim, |item| {
                item.status == Status::Running && {
                    item.failures += if body.for_good { u32::MAX / 2 } else { 1 };
                    item.leave(id) && item.again_or_fail()
                }
            }),
            Body::CheckReported(body) => self.held(body.claim, |item| {
                item.status == Status::Verifying
                    && if body.passed { item.pass(id) } else { item.sent_back(id, false) }
            }),
            Body::ReviewGiven(body) => self.held(body.claim, |item| {
                item.status == Status::Reviewing
                    && item.submission == Some(body.submission)
                    && if body.approved { item.pass(id) } else { item.sent_back(id, false) }
            }),
            Body::MergeIntended(body) => self.held(body.claim, |item| {
                item.status == Status::Merging && item.intent.is_none() && {
                    item.intent = Some(id);
                    true
                }
            }),
            Body::Merged(body) => {
                let found = self.items.values_mut().find(|item| item.intent == Some(body.intent));
                found.is_some_and(|item| item.pass(id))
            }
            Body::MergeRefused(body) => self.held(body.claim, |item| {
                item.status == Status::Merging
                    && item.fenced(body.fenced)
                    && item.sent_back(id, body.cause == RefusalCause::Conflict)
            }),
            _ => return None,
        })
    }

    /// Panics unless every task stands where the model says.
    pub fn compare(&self, state: &State) {
        let mut tasks: Vec<_> = state.tasks().collect();
        tasks.sort_by_key(|task| task.id());
        let found: Vec<_> = tasks
            .into_iter()
            .map(|t| (t.id(), t.status, t.revision, t.claim.as_ref().map(|c| (c.id, &c.agent)), t.takeovers))
            .collect();
        let expected: Vec<_> = self
            .items
            .iter()
            .map(|(id, i)| {
                (id, i.status, i.version, i.holder.as_ref().map(|h| (h.token, &h.agent)), i.takeovers)
            })
            .collect();
        assert_eq!(found, expected, "the state and the model");
    }

    fn add(&mut self, spec: &TaskSpec, id: RecordId) -> bool {
        let there = |task| self.items.contains_key(task);
        if there(&spec.id) || !spec.after.iter().all(there) {
            return false;
        }
        let item = Item {
            spec: spec.clone(),
            status: Status::Blocked,
            version: id,
            holder: None,
            failures: 0,
            conflicts: 0,
            takeovers: 0,
            was_stuck: false,
            author: None,
            submission: None,
            has_commit: false,
            intent: None,
        };
        self.items.insert(spec.id.clone(), item);
        true
    }

    fn with(&mut self, task: &TaskId, change: impl FnOnce(&mut Item) -> bool) -> bool {
        self.items.get_mut(task).is_some_and(change)
    }

    fn held(&mut self, token: RecordId, change: impl FnOnce(&mut Item) -> bool) -> bool {
        let holds = |item: &&mut Item| item.holder.as_ref().is_some_and(|hold| hold.token == token);
        self.items.values_mut().find(holds).is_some_and(change)
    }

    fn unblock(&mut self) {
        let done = |item: &Item| item.status == Status::Completed;
        let completed: Vec<TaskId> =
            self.items.values().filter(|item| done(item)).map(|item| item.spec.id.clone()).collect();
        for item in self.items.values_mut().filter(|item| item.status == Status::Blocked) {
            if item.spec.after.iter().all(|needed| completed.contains(needed)) {
                item.status = Status::Ready;
            }
        }
    }

    fn cancel_dependents(&mut self, task: &TaskId, id: RecordId) {
        let waiting = self.items.values().filter(|item| item.spec.after.contains(task));
        let waiting: Vec<TaskId> = waiting.map(|item| item.spec.id.clone()).collect();
        for task in waiting {
            self.with(&task, |item| item.cancel(id));
            self.cancel_dependents(&task, id);
        }
    }
}

impl Item {
    fn touch(&mut self, id: RecordId) -> bool {
        self.version = id;
        true
    }

    fn see(&mut self, id: RecordId) -> bool {
        self.holder.as_mut().is_some_and(|hold| {
            hold.seen = id;
            true
        })
    }

    fn fenced(&self, fenced: Option<RecordId>) -> bool {
        self.intent.is_none() || self.intent == fenced
    }

    fn leave(&mut self, id: RecordId) -> bool {
        (self.holder, self.intent) = (None, None);
        self.touch(id)
    }

    fn back(&mut self) -> bool {
        if self.status == Status::Running {
            self.status = Status::Ready;
        }
        true
    }

    fn again_or_fail(&mut self) -> bool {
        let spent = self.failures >= self.spec.attempts || self.conflicts >= 10;
        self.status = if spent { Status::Failed } else { Status::Ready };
        true
    }

    fn sent_back(&mut self, id: RecordId, conflict: bool) -> bool {
        self.takeovers = 0;
        if conflict {
            self.conflicts += 1;
        } else {
            self.failures += 1;
        }
        self.leave(id) && self.again_or_fail()
    }

    fn pass(&mut self, id: RecordId) -> bool {
        self.takeovers = 0;
        let wishes = [
            (Status::Verifying, self.spec.check.is_some()),
            (Status::Reviewing, self.spec.review),
            (Status::Merging, self.has_commit),
            (Status::Completed, true),
        ];
        let next = wishes.into_iter().find(|(status, wished)| *status > self.status && *wished);
        self.status = next.map_or(self.status, |(status, _)| status);
        self.leave(id)
    }

    fn cancel(&mut self, id: RecordId) -> bool {
        if matches!(self.status, Status::Completed | Status::Cancelled) {
            return false;
        }
        self.status = Status::Cancelled;
        self.leave(id)
    }
}
