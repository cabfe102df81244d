//! The fingerprint of a state: what two programs compare to know that a log means the same to both.
//!
//! It is taken over a canonical form, one line for each thing that is known, in a defined order. What is still at its
//! default (0, false, empty, none) has no line: a later version that adds a field gives a log of today the fingerprint
//! of today. What follows from the rest (dependents, the queue, indexes) has none either, so it may be kept in any way.
//! Of a void record the reason's name counts, its words do not.
//!
//! Every field is taken by name from its struct, so that the compiler asks whoever adds one whether it belongs here.

use std::collections::BTreeMap;
use std::fmt::{self, Display, Write as _};

use super::files::Reservation;
use super::ledger::Limit;
use super::messages::{Message, Receipt};
use super::state::{Agent, Late, ModelLimit, Note, Pause, Run, State};
use super::task::{
    Claim, Ending, Failure, Feedback, FeedbackCause, Intent, PastClaim, Plan, PlanVerdict, Submission, Task,
};
use super::transition::Status;
use crate::id::{AgentId, RecordId, Skill, TaskId};
use crate::record::{
    ATTEMPTS_DEFAULT, Account, Amount, BACKOFF_MS_DEFAULT, Holder, Policy, ProcessId, Recipient, Role, Stage,
    TaskSpec, WorkCommit,
};
use crate::text::Text;

/// What a state comes to in 128 bits. Equal states have equal ones; that different states have different ones is
/// likely as chance goes, but nothing that somebody could not forge.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Fingerprint(pub u128);

impl Fingerprint {
    /// The fingerprint of a canonical form: FNV-1a with 128 bits (draft-eastlake-fnv) over its lines, each with its
    /// line break.
    pub fn of<'a>(lines: impl IntoIterator<Item = &'a str>) -> Self {
        let mut hash = Fnv::default();
        for line in lines {
            hash.line(line);
        }
        Self(hash.0)
    }
}

impl Display for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:032x}", self.0)
    }
}

impl State {
    /// What the state comes to, to be compared with that of another process, or of another version.
    pub fn fingerprint(&self) -> Fingerprint {
        let mut hash = Fnv::default();
        self.canonical(&mut |line| hash.line(line));
        Fingerprint(hash.0)
    }

    /// The form over which the fingerprint is taken, line by line: for finding out in what two states differ.
    pub fn canonical(&self, line: &mut dyn FnMut(&str)) {
        let mut lines = Lines { path: String::new(), line: String::new(), to: line };
        lines.always("format", &self.format());
        lines.put("newer_format", &self.newer_format());
        lines.put("records", &self.records());
        ids(&mut lines, self);
        let void: BTreeMap<RecordId, &str> = self.void().map(|(id, why)| (id, why.name())).collect();
        void.iter().for_each(|(id, why)| lines.within("void", |lines| lines.always(id, *why)));
        lines.within("policy", |lines| {
            lines.put("revision", &self.policy_revision);
            policy(lines, self.policy());
        });
        lines.each("run", self.runs(), run);
        self.agents().for_each(|known| lines.under("agent", &known.id, |lines| agent(lines, known)));
        let tasks: BTreeMap<&TaskId, &Task> = self.tasks().map(|task| (task.id(), task)).collect();
        tasks.iter().for_each(|(id, known)| lines.under("task", id, |lines| task(lines, known)));
        for (id, specs) in &self.batches {
            lines.under("batch", id, |lines| {
                lines.each("task", specs, |lines, (seq, wanted)| {
                    lines.always("added", seq);
                    spec(lines, wanted);
                });
            });
        }
        lines.each("late", self.late(), late);
        lines.each("message", self.messages().all(), message);
        ledger(&mut lines, self);
        lines.each("file", self.files(), file);
        for (agent, Pause { paused, revision, reason, at_ms }) in &self.pauses {
            let whom = agent.as_ref().map_or("team".to_owned(), |agent| format!("agent/{agent}"));
            lines.under("pause", whom, |lines| {
                lines.always("revision", revision);
                lines.put("paused", paused);
                lines.put("reason", reason);
                lines.put("at_ms", at_ms);
            });
        }
        lines.each("note", self.notes(), note);
        for (model, ModelLimit { until_ms, reason, at_ms }) in &self.limits {
            // The name of a model may hold anything.
            let mut name = String::new();
            model.write(&mut name);
            lines.under("limit", name, |lines| {
                lines.always("until_ms", until_ms);
                lines.put("reason", reason);
                lines.put("at_ms", at_ms);
            });
        }
    }
}

/// FNV-1a with 128 bits.
struct Fnv(u128);

impl Default for Fnv {
    fn default() -> Self {
        Self(0x6c62_272e_07bb_0142_62b8_2175_6295_c58d)
    }
}

impl Fnv {
    fn line(&mut self, line: &str) {
        self.bytes(line.as_bytes());
        self.bytes(b"\n");
    }

    fn bytes(&mut self, bytes: &[u8]) {
        const PRIME: u128 = 0x0100_0000_0000_0000_0000_013b;
        self.0 = bytes.iter().fold(self.0, |hash, byte| (hash ^ u128::from(*byte)).wrapping_mul(PRIME));
    }
}

/// Writes lines of the form `task/parse/claim/stage work`.
struct Lines<'a> {
    /// Where we are, with a slash at the end.
    path: String,
    line: String,
    to: &'a mut dyn FnMut(&str),
}

impl Lines<'_> {
    /// A line for a value that is not the default.
    fn put(&mut self, name: &str, value: &impl Leaf) {
        if !value.is_default() {
            self.always(name, value);
        }
    }

    /// A line for a value, whatever it is. Each thing has at least one such, so that it is seen to be there.
    fn always(&mut self, name: impl Display, value: &(impl Leaf + ?Sized)) {
        self.line.clone_from(&self.path);
        // Writing into a string cannot fail.
        let _ = write!(self.line, "{name} ");
        value.write(&mut self.line);
        (self.to)(&self.line);
    }

    fn within(&mut self, name: impl Display, content: impl FnOnce(&mut Self)) {
        let length = self.path.len();
        let _ = write!(self.path, "{name}/");
        content(self);
        self.path.truncate(length);
    }

    fn under(&mut self, kind: &str, id: impl Display, content: impl FnOnce(&mut Self)) {
        self.within(kind, |lines| lines.within(id, content));
    }

    fn each<T>(&mut self, kind: &str, all: &[T], mut content: impl FnMut(&mut Self, &T)) {
        for (number, one) in (1..).zip(all) {
            self.under(kind, number as u64, |lines| content(lines, one));
        }
    }

    fn some<T>(&mut self, kind: &str, value: Option<&T>, content: impl FnOnce(&mut Self, &T)) {
        if let Some(value) = value {
            self.within(kind, |lines| content(lines, value));
        }
    }
}

/// Which records there were: their number, and a sum that does not depend on the order in which a set gives them out.
fn ids(lines: &mut Lines<'_>, state: &State) {
    let (count, sum) = state.seen.iter().fold((0_u64, 0_u128), |(count, sum), (id, _)| {
        let mut hash = Fnv::default();
        hash.bytes(&id.0.to_be_bytes());
        (count + 1, sum.wrapping_add(hash.0))
    });
    lines.put("ids", &count);
    lines.put("ids_sum", &Some(RecordId(sum)).filter(|sum| sum.0 != 0));
}

fn policy(lines: &mut Lines<'_>, policy: &Policy) {
    let Policy { gate, gate_limit_ms, protect, no_gate, target } = policy;
    lines.put("gate", gate);
    lines.put("gate_limit_ms", gate_limit_ms);
    lines.put("protect", protect);
    lines.put("no_gate", no_gate);
    lines.put("target", target);
}

fn run(lines: &mut Lines<'_>, run: &Run) {
    let Run { id, process: holder, goal, rehearsal, from_ms, ended } = run;
    lines.always("id", id);
    process(lines, holder);
    lines.put("goal", goal);
    lines.put("rehearsal", rehearsal);
    lines.put("from_ms", from_ms);
    lines.some("ended", ended.as_ref(), |lines, (outcome, at_ms)| {
        lines.always("outcome", outcome);
        lines.put("at_ms", at_ms);
    });
}

fn process(lines: &mut Lines<'_>, process: &ProcessId) {
    let ProcessId { machine, boot, namespace, pid, start } = process;
    lines.within("process", |lines| {
        lines.always("machine", machine);
        lines.put("boot", boot);
        lines.put("namespace", namespace);
        lines.put("pid", pid);
        lines.put("start", start);
    });
}

fn agent(lines: &mut Lines<'_>, agent: &Agent) {
    let Agent { id: _, role, skills, with, orchestrated, left, plan } = agent;
    lines.always("role", role);
    lines.put("skills", skills);
    lines.put("with", with);
    lines.put("orchestrated", orchestrated);
    lines.put("left", left);
    lines.put("plan", plan);
}

fn spec(lines: &mut Lines<'_>, spec: &TaskSpec) {
    let TaskSpec {
        id,
        title,
        description,
        after,
        priority,
        role,
        skill,
        agent,
        attempts,
        backoff_ms,
        check,
        time_limit_ms,
        labels,
        parent,
        review,
        reviews,
        review_rounds,
        refute,
        plan,
        approver,
        allow_protected,
    } = spec;
    lines.always("id", id);
    lines.put("title", title);
    lines.put("description", description);
    lines.put("after", after);
    lines.put("priority", priority);
    lines.put("role", role);
    lines.put("skill", skill);
    lines.put("agent", agent);
    lines.put("attempts", &Some(*attempts).filter(|attempts| *attempts != ATTEMPTS_DEFAULT));
    lines.put("backoff_ms", &Some(*backoff_ms).filter(|backoff_ms| *backoff_ms != BACKOFF_MS_DEFAULT));
    lines.put("check", check);
    lines.put("time_limit_ms", time_limit_ms);
    lines.put("labels", labels);
    lines.put("parent", parent);
    lines.put("review", review);
    lines.put("reviews", &Some(*reviews).filter(|reviews| *reviews != 1));
    lines.put("review_rounds", review_rounds);
    lines.put("refute", refute);
    lines.put("plan", plan);
    lines.put("approver", approver);
    lines.put("allow_protected", allow_protected);
}

fn task(lines: &mut Lines<'_>, task: &Task) {
    let Task {
        spec: wanted,
        status,
        revision,
        added,
        added_at_ms,
        since_ms,
        // These two follow from what all tasks come after, and from their status.
        open_dependencies: _,
        dependents: _,
        attempt,
        failures,
        conflicts,
        takeovers,
        not_before_ms,
        claim: held,
        past_claims,
        resume,
        back_to,
        submission: delivered,
        intent: intended,
        merged,
        feedback: said,
        failure,
        review,
        approvals,
        review_rounds,
        plan: planned,
    } = task;
    lines.always("status", status);
    lines.always("revision", revision);
    lines.within("spec", |lines| spec(lines, wanted));
    lines.put("added", added);
    lines.put("added_at_ms", added_at_ms);
    lines.put("since_ms", since_ms);
    lines.put("attempt", attempt);
    lines.put("failures", failures);
    lines.put("conflicts", conflicts);
    lines.put("takeovers", takeovers);
    lines.put("not_before_ms", not_before_ms);
    lines.some("claim", held.as_ref(), claim);
    lines.each("past_claim", past_claims, past_claim);
    lines.put("resume", resume);
    lines.put("back_to", back_to);
    lines.some("submission", delivered.as_deref(), submission);
    lines.some("intent", intended.as_deref(), intent);
    lines.put("merged", merged);
    lines.each("feedback", said, feedback);
    lines.put("failure", failure);
    lines.put("review", review);
    // Without a quorum and an end of the rounds they follow from the rest.
    if spec_counts(wanted) {
        lines.put("approvals", approvals);
        lines.put("review_rounds", review_rounds);
    }
    lines.some("plan", planned.as_deref(), plan);
}

/// Whether it counts who approved a task, and how often it was sent back.
fn spec_counts(spec: &TaskSpec) -> bool {
    spec.reviews != 1 || spec.review_rounds.is_some()
}

fn plan(lines: &mut Lines<'_>, plan: &Plan) {
    let Plan { id, author, text, at_ms, rounds, verdict } = plan;
    lines.always("id", id);
    lines.always("author", author);
    lines.put("text", text);
    lines.put("at_ms", at_ms);
    lines.put("rounds", rounds);
    lines.some("verdict", verdict.as_ref(), |lines, PlanVerdict { id, by, approved, feedback }| {
        lines.always("id", id);
        lines.always("by", by);
        lines.put("approved", approved);
        lines.put("feedback", feedback);
    });
}

fn note(lines: &mut Lines<'_>, note: &Note) {
    let Note { id, agent, text, labels, task, at_ms } = note;
    lines.always("id", id);
    lines.always("agent", agent);
    lines.put("text", text);
    lines.put("labels", labels);
    lines.put("task", task);
    lines.put("at_ms", at_ms);
}

fn claim(lines: &mut Lines<'_>, claim: &Claim) {
    let Claim { id, stage, agent, holder, renewal, at_ms, turns, resumes } = claim;
    let Holder { process: lives_with, presence, lease_ms, orchestrated } = holder.as_ref();
    lines.always("id", id);
    lines.always("stage", stage);
    lines.always("agent", agent);
    if let Some(lives_with) = lives_with {
        process(lines, lives_with);
    }
    lines.put("presence", presence);
    lines.put("lease_ms", lease_ms);
    lines.put("orchestrated", orchestrated);
    lines.always("renewal", renewal);
    lines.put("at_ms", at_ms);
    lines.put("turns", turns);
    lines.put("resumes", resumes);
}

fn past_claim(lines: &mut Lines<'_>, claim: &PastClaim) {
    let PastClaim { id, stage, agent, attempt, resumes, ending, from_ms, to_ms } = claim;
    lines.always("id", id);
    lines.always("stage", stage);
    lines.always("agent", agent);
    lines.put("attempt", attempt);
    lines.put("resumes", resumes);
    lines.always("ending", ending);
    lines.put("from_ms", from_ms);
    lines.put("to_ms", to_ms);
}

fn submission(lines: &mut Lines<'_>, submission: &Submission) {
    let Submission { id, author, claim, result, commit: made, protected, orchestrated } = submission;
    lines.always("id", id);
    lines.always("author", author);
    lines.always("claim", claim);
    lines.put("result", result);
    lines.some("commit", made.as_ref(), commit);
    lines.put("protected", protected);
    lines.put("orchestrated", orchestrated);
}

fn commit(lines: &mut Lines<'_>, commit: &WorkCommit) {
    let WorkCommit { commit, base, files } = commit;
    lines.always("commit", commit);
    lines.put("base", base);
    lines.put("files", files);
}

fn intent(lines: &mut Lines<'_>, intent: &Intent) {
    let Intent { id, claim, commit, old_tip, branch } = intent;
    lines.always("id", id);
    lines.always("claim", claim);
    lines.put("commit", commit);
    lines.put("old_tip", old_tip);
    lines.put("branch", branch);
}

fn feedback(lines: &mut Lines<'_>, feedback: &Feedback) {
    let Feedback { attempt, agent, cause, text, commit: refused } = feedback;
    lines.put("attempt", attempt);
    lines.always("agent", agent);
    lines.always("cause", cause);
    lines.put("text", text);
    lines.some("commit", refused.as_ref(), commit);
}

fn late(lines: &mut Lines<'_>, late: &Late) {
    let Late { id, task, claim, agent, result, commit: made, at_ms } = late;
    lines.always("id", id);
    lines.always("task", task);
    lines.always("claim", claim);
    lines.always("agent", agent);
    lines.put("result", result);
    lines.some("commit", made.as_ref(), commit);
    lines.put("at_ms", at_ms);
}

fn message(lines: &mut Lines<'_>, message: &Message) {
    let Message {
        id,
        seq,
        from,
        to,
        text,
        task,
        at_ms,
        receipts,
        returned,
        urgent,
        asks,
        reply_to,
        in_thread_of,
    } = message;
    lines.always("id", id);
    lines.always("seq", seq);
    lines.always("from", from);
    lines.always("to", to);
    lines.put("text", text);
    lines.put("task", task);
    lines.put("at_ms", at_ms);
    receipts.iter().for_each(|(agent, receipt)| {
        lines.within("receipt", |lines| lines.always(agent, receipt));
    });
    lines.put("returned", returned);
    lines.put("urgent", urgent);
    lines.put("asks", asks);
    lines.put("reply_to", reply_to);
    in_thread_of.iter().for_each(|agent| lines.always("in_thread_of", agent));
}

fn ledger(lines: &mut Lines<'_>, state: &State) {
    let ledger = state.ledger();
    for account in ledger.accounts() {
        let Limit { micro_usd, tokens, calls, revision } = ledger.limit(&account);
        // Where it has no limit, what a run spent follows from the rest.
        if account == Account::Run && revision.is_none() {
            continue;
        }
        let name = match &account {
            Account::Team => "team".to_owned(),
            Account::Agent(agent) => format!("agent/{agent}"),
            Account::Task(task) => format!("task/{task}"),
            Account::Run => "run".to_owned(),
        };
        lines.under("account", name, |lines| {
            amount(lines, "spent", ledger.spent(&account));
            amount(lines, "reserved", ledger.reserved(&account));
            lines.put("limit_micro_usd", &micro_usd);
            lines.put("limit_tokens", &tokens);
            lines.put("limit_calls", &calls);
            lines.put("revision", &revision);
        });
    }
    for (model, used) in ledger.models() {
        // The name of a model may hold anything.
        let mut name = String::new();
        model.write(&mut name);
        lines.within("model", |lines| amount(lines, &name, used));
    }
    for (id, agent, task, upper) in ledger.reservations() {
        lines.under("reservation", id, |lines| {
            lines.always("agent", agent);
            lines.put("task", &task.cloned());
            amount(lines, "upper", upper);
        });
    }
}

fn amount(lines: &mut Lines<'_>, name: &str, amount: Amount) {
    let Amount { micro_usd, input_tokens, output_tokens, calls } = amount;
    lines.within(name, |lines| {
        lines.put("micro_usd", &micro_usd);
        lines.put("input_tokens", &input_tokens);
        lines.put("output_tokens", &output_tokens);
        lines.put("calls", &calls);
    });
}

fn file(lines: &mut Lines<'_>, file: &Reservation) {
    let Reservation { claim, agent, path } = file;
    lines.always("claim", claim);
    lines.always("agent", agent);
    lines.put("path", path);
}

/// A value that stands on one line.
trait Leaf {
    /// Whether it is what a record that does not name it would mean.
    fn is_default(&self) -> bool {
        false
    }

    fn write(&self, line: &mut String);
}

/// Values that are written as they are shown, and their default.
macro_rules! shown {
    ($($type:ty $(, default $default:expr)?;)*) => {
        $(impl Leaf for $type {
            $(fn is_default(&self) -> bool {
                *self == $default
            })?

            fn write(&self, line: &mut String) {
                let _ = write!(line, "{self}");
            }
        })*
    };
}

shown! {
    u32, default 0;
    u64, default 0;
    i32, default 0;
    bool, default false;
    RecordId;
    TaskId;
    AgentId;
    Skill;
    Status;
    Stage;
    Role;
    Recipient;
}

/// Values that have a word.
macro_rules! words {
    ($($type:ty: $($variant:ident $word:literal),*;)*) => {
        $(impl Leaf for $type {
            fn write(&self, line: &mut String) {
                line.push_str(match self {
                    $(Self::$variant => $word,)*
                });
            }
        })*
    };
}

words! {
    Ending:
        Done "done", Failed "failed", Released "released", LeaseOver "lease_over",
        ProcessGone "process_gone", Cancelled "cancelled", Stuck "stuck", Reassigned "reassigned";
    FeedbackCause: Error "error", Check "check", Gate "gate", Conflict "conflict", Review "review";
    Failure:
        Attempts "attempts", Quarantined "quarantined", GivenUp "given_up", Conflicts "conflicts";
    Receipt: Delivered "delivered", Read "read";
}

impl Leaf for str {
    fn is_default(&self) -> bool {
        self.is_empty()
    }

    /// In quotes, with a backslash before quotes and backslashes, and line breaks as `\n`: one line, and never two
    /// texts alike.
    fn write(&self, line: &mut String) {
        line.push('"');
        for c in self.chars() {
            match c {
                '\n' => line.push_str("\\n"),
                '"' | '\\' => line.extend(['\\', c]),
                c => line.push(c),
            }
        }
        line.push('"');
    }
}

impl Leaf for String {
    fn is_default(&self) -> bool {
        self.is_empty()
    }

    fn write(&self, line: &mut String) {
        self.as_str().write(line);
    }
}

impl Leaf for Text {
    fn is_default(&self) -> bool {
        self.is_empty()
    }

    fn write(&self, line: &mut String) {
        match self {
            Self::Inline(text) => text.write(line),
            Self::Blob { blob, size_bytes, head } => {
                line.push_str("blob ");
                blob.write(line);
                let _ = write!(line, " {size_bytes} ");
                head.write(line);
            }
        }
    }
}

/// Something is not nothing: a limit of 0 is another thing than no limit.
impl<T: Leaf> Leaf for Option<T> {
    fn is_default(&self) -> bool {
        self.is_none()
    }

    fn write(&self, line: &mut String) {
        match self {
            Some(value) => value.write(line),
            None => line.push_str("none"),
        }
    }
}

impl<T: Leaf> Leaf for Vec<T> {
    fn is_default(&self) -> bool {
        self.is_empty()
    }

    fn write(&self, line: &mut String) {
        for (number, value) in self.iter().enumerate() {
            line.push_str(if number == 0 { "" } else { ", " });
            value.write(line);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::{Body, FORMAT, Record, codec};

    fn state(lines: &[&str]) -> State {
        let mut state = State::new();
        for (number, line) in (1..).zip(lines) {
            let (kind, content) = line.split_once(' ').unwrap();
            let body = Body::from_content(kind, content);
            let by = "human".parse().unwrap();
            let record = Record { id: RecordId(number), format: FORMAT, at_ms: 0, by, body };
            let read = codec::decode(&codec::encode(&record).unwrap()).unwrap();
            state.apply(read);
        }
        state
    }

    fn canonical(state: &State) -> Vec<String> {
        let mut lines = Vec::new();
        state.canonical(&mut |line| lines.push(line.to_owned()));
        lines
    }

    #[test]
    fn the_hash_is_the_published_one() {
        let of = |text: &str| {
            let mut hash = Fnv::default();
            hash.bytes(text.as_bytes());
            format!("{:032x}", hash.0)
        };
        assert_eq!(of(""), "6c62272e07bb014262b821756295c58d");
        assert_eq!(of("a"), "d228cb696f1a8caf78912b704e4a8964");
        assert_eq!(of("foobar"), "343e1662793c64bf6f0d3597ba446f18");
    }

    #[test]
    fn what_is_at_its_default_has_no_line() {
        assert_eq!(canonical(&State::new()), ["format 1"]);
        let added = state(&[r#"task_added {"task":{"id":"a","title":"A"}}"#]);
        let lines = canonical(&added);
        assert_eq!(
            lines.iter().filter(|line| line.starts_with("task/a/")).collect::<Vec<_>>(),
            [
                "task/a/status ready",
                "task/a/revision 00000000000000000000000000000001",
                "task/a/spec/id a",
                "task/a/spec/title \"A\"",
                "task/a/added 1",
            ]
        );
        assert_eq!(Fingerprint::of(lines.iter().map(String::as_str)), added.fingerprint());
    }

    #[test]
    fn what_differs_has_different_lines() {
        let alike = [
            [
                r#"budget_set {"account":"team","on":null,"micro_usd":null,"tokens":0}"#,
                r#"budget_set {"account":"team","on":null,"micro_usd":0,"tokens":null}"#,
            ],
            [
                r#"task_added {"task":{"id":"a","title":"A"}}"#,
                r#"task_added {"task":{"id":"a","title":"A","backoff_ms":0}}"#,
            ],
            [
                r#"message_sent {"from":"a","to":"b","text":"x\\n"}"#,
                r#"message_sent {"from":"a","to":"b","text":"x\n"}"#,
            ],
            [
                r#"message_sent {"from":"a","to":"b","text":"blob \"f\" 1 \"\""}"#,
                r#"message_sent {"from":"a","to":"b","text":{"blob":"f","size_bytes":1,"head":""}}"#,
            ],
        ];
        for [one, other] in alike {
            assert_ne!(state(&[one]).fingerprint(), state(&[other]).fingerprint(), "{one} {other}");
        }
    }

    #[test]
    fn a_refusal_is_counted_by_the_name_that_is_written() {
        let refusal = super::super::Refusal::BatchIncomplete { expected: 1, found: 0 };
        let written = serde_json::to_value(&refusal).unwrap();
        assert_eq!(written["refusal"], refusal.name());
    }
}
