//! The rules by name, and what a log had of each: how often it held, how often it kept a record from taking effect, and
//! what breaks it. This knows no records.

use std::collections::BTreeMap;

/// The rules that a log can show, in the order in which they are told: each with its name and what it says.
macro_rules! rules {
    ($($rule:ident $name:literal: $says:literal,)*) => {
        /// A rule that a log can show.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
        pub enum Rule {
            $(#[doc = $says] $rule,)*
        }

        impl Rule {
            /// All of them.
            pub const ALL: &[Self] = &[$(Self::$rule,)*];

            /// Its name, and what it says.
            #[must_use]
            pub fn words(self) -> (&'static str, &'static str) {
                match self {
                    $(Self::$rule => ($name, $says),)*
                }
            }
        }
    };
}

rules! {
    Records "records": "what a record names stands in the log before it",
    Format "format": "records have the log's version, which only rises",
    Texts "texts": "a text beside the log is the one that its hash names",
    Settings "settings": "who sets a policy, a budget or a pause names what it replaces",
    Batch "batch": "a batch of tasks takes effect whole",
    Edits "edits": "who edits, retries, cancels or reassigns names the task's newest revision",
    Members "members": "only a member leaves or is paused",
    AgentCap "agent-cap": "a team has so many members, and no more",
    Depth "depth": "tasks are delegated so deep, and no deeper",
    OneClaim "one-claim": "a task has one claim in force",
    Newest "newest": "a claim names the task's newest revision",
    Dependencies "dependencies": "a task is claimed when all it waits for is completed",
    Fit "fit": "a task is claimed by whom it is for",
    Pause "pause": "nobody claims who is paused",
    PausedTurns "paused-turns": "who is paused ends the turn under way and begins no other",
    Fencing "fencing": "what a holder does counts while its claim is in force",
    Stage "stage": "a claim is for one stage, and the task stands there",
    Renewal "renewal": "a claim is taken back on its last sign of life",
    EndsOnce "ends-once": "a task ends once, unless somebody wants it again",
    Attempts "attempts": "no task is worked on after its last attempt failed",
    Takeovers "takeovers": "no task is worked on after its third takeover without progress",
    Conflicts "conflicts": "no task is worked on after its tenth conflict",
    Delegates "delegates": "a lead delivers no commit",
    Parts "parts": "a delegated task goes on when its parts are done",
    HandedOut "handed-out": "who hands a task out waits for a part, and gives up when one failed",
    Replans "re-plans": "a failure is planned anew once, and only so many are",
    PlanFirst "plan-first": "nothing is delivered before its plan is approved",
    PlanText "plan-text": "an approval names the hash of the plan's text",
    PlanNewest "plan-newest": "an approval is of the plan that waits",
    PlanAuthor "plan-author": "nobody approves their own plan",
    Approver "approver": "plans are approved by the human, whom the task names, or a lead",
    OwnWork "own-work": "nobody reviews their own work",
    Reviewer "reviewer": "reviews are for reviewers, leads and the human",
    HumanOnly "human-only": "changes of protected files are for the human",
    Quorum "quorum": "so many different reviewers approve as the task asks for",
    Rounds "rounds": "after the last round of reviews the human judges",
    Submission "submission": "a review is of what was delivered last",
    Fence "fence": "a claim with a merge intent ends when the fence was moved",
    Intent "intent": "a merge is the one that was intended",
    MergedOnce "merged-once": "a commit is merged once",
    Delivery "delivery": "messages go from queued to delivered to read, and to their readers",
    Returned "returned": "what was unread when its reader left was not read by it",
    Budget "budget": "what is spent and set aside fits every limit when a call is set aside for",
    AttemptBudget "attempt-budget": "an attempt begins when every limit of attempts allows it",
    UsedUp "used-up": "a budget that is used up fails no attempt",
    UpperBound "upper-bound": "a call uses at most what was set aside for it",
    SettledOnce "settled-once": "a call is settled once",
    Limits "limits": "a provider's limit fails no attempt",
    Files "files": "a file is reserved under one claim",
}

/// What a log had of one rule.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Tally {
    /// How often it was kept.
    pub held: u64,
    /// How many records took no effect since it was not. That is lawful, as long as nothing is built on them.
    pub without_effect: u64,
}

/// Something that must not be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Breach {
    /// The rule.
    pub rule: Rule,
    /// The records that show it.
    pub records: Vec<String>,
    /// What they show.
    pub reason: String,
}

/// Why a record took no effect.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NoEffect {
    pub rule: Rule,
    pub reason: String,
}

/// What one record is asked, rule by rule.
#[derive(Debug, Default)]
pub struct Guard(Vec<Rule>);

impl Guard {
    /// The rule must hold, or the record takes no effect.
    pub fn must(&mut self, rule: Rule, holds: bool, why: impl FnOnce() -> String) -> Result<(), NoEffect> {
        if holds {
            self.0.push(rule);
            Ok(())
        } else {
            Err(NoEffect { rule, reason: why() })
        }
    }
}

impl Guard {
    /// The same for a rule that is about few cases: of all others it is not said that it holds.
    pub fn must_where(
        &mut self,
        rule: Rule,
        is_about: bool,
        holds: bool,
        why: impl FnOnce() -> String,
    ) -> Result<(), NoEffect> {
        if is_about || !holds { self.must(rule, holds, why) } else { Ok(()) }
    }
}

/// What a log had of all rules.
#[derive(Debug, Default)]
pub struct Book {
    tallies: BTreeMap<Rule, Tally>,
    without_effect: BTreeMap<String, NoEffect>,
    breaches: Vec<Breach>,
}

impl Book {
    /// What came of a record.
    pub fn judged(&mut self, record: &str, guard: Guard, verdict: Result<(), NoEffect>) {
        match verdict {
            Ok(()) => guard.0.into_iter().for_each(|rule| self.held(rule)),
            Err(no_effect) => {
                self.tallies.entry(no_effect.rule).or_default().without_effect += 1;
                self.without_effect.insert(record.to_owned(), no_effect);
            }
        }
    }

    /// A rule was kept.
    pub fn held(&mut self, rule: Rule) {
        self.tallies.entry(rule).or_default().held += 1;
    }

    /// A rule must be kept, whatever the record does.
    pub fn must(&mut self, rule: Rule, holds: bool, records: &[&str], why: impl FnOnce() -> String) {
        if holds {
            return self.held(rule);
        }
        let records = records.iter().map(|id| (*id).to_owned()).collect();
        self.breaches.push(Breach { rule, records, reason: why() });
    }

    /// A record names another. Whoever wrote it believed that the other took effect: if that broke a rule, somebody acted
    /// against the rule.
    pub fn built_on(&mut self, record: &str, named: &str) {
        let Some(NoEffect { rule, reason }) = self.without_effect.get(named) else { return };
        let reason = format!("{reason}; and the latter builds on it");
        self.breaches.push(Breach {
            rule: *rule,
            records: vec![named.to_owned(), record.to_owned()],
            reason,
        });
    }

    /// What there was of a rule.
    #[must_use]
    pub fn tally(&self, rule: Rule) -> Tally {
        self.tallies.get(&rule).copied().unwrap_or_default()
    }

    /// The records that took no effect.
    pub fn without_effect(&self) -> impl Iterator<Item = &String> {
        self.without_effect.keys()
    }

    /// What must not be.
    #[must_use]
    pub fn breaches(&self) -> &[Breach] {
        &self.breaches
    }
}
