//! The canonical form of each thing that a state knows: which lines it has, in which order.

use super::Fnv;
use super::lines::{Leaf, Lines};
use crate::id::RecordId;
use crate::machine::files::Reservation;
use crate::machine::ledger::Limit;
use crate::machine::messages::Message;
use crate::machine::state::{Agent, Late, ModelLimit, Note, Pause, Run, State};
use crate::machine::task::{Claim, Feedback, Intent, PastClaim, Plan, PlanVerdict, Submission, Task};
use crate::record::{
    ATTEMPTS_DEFAULT, Account, Amount, BACKOFF_MS_DEFAULT, Bounds, GoalPlan, Holder, Policy, ProcessId,
    Replan, TaskSpec, WorkCommit,
};

/// Which records there were: their number, and a sum that does not depend on the order in which a set gives them out.
pub(super) fn ids(lines: &mut Lines<'_>, state: &State) {
    let (count, sum) = state.seen.iter().fold((0_u64, 0_u128), |(count, sum), (id, _)| {
        let mut hash = Fnv::default();
        hash.bytes(&id.0.to_be_bytes());
        (count + 1, sum.wrapping_add(hash.0))
    });
    lines.put("ids", &count);
    lines.put("ids_sum", &Some(RecordId(sum)).filter(|sum| sum.0 != 0));
}

pub(super) fn policy(lines: &mut Lines<'_>, policy: &Policy) {
    let Policy { gate, gate_limit_ms, protect, no_gate, target, max_agents, max_depth, replans } = policy;
    lines.put("gate", gate);
    lines.put("gate_limit_ms", gate_limit_ms);
    lines.put("protect", protect);
    lines.put("no_gate", no_gate);
    lines.put("target", target);
    lines.put("max_agents", max_agents);
    lines.put("max_depth", max_depth);
    lines.put("replans", replans);
}

pub(super) fn run(lines: &mut Lines<'_>, run: &Run) {
    let Run { id, process: holder, goal, rehearsal, budget, budgets, check, from_ms, ended } = run;
    lines.always("id", id);
    process(lines, holder);
    lines.put("goal", goal);
    lines.put("rehearsal", rehearsal);
    lines.some("budget", budget.as_ref(), bounds);
    lines.put("budgets", budgets);
    lines.put("check", check);
    lines.put("from_ms", from_ms);
    lines.some("ended", ended.as_ref(), |lines, (outcome, at_ms)| {
        lines.always("outcome", outcome);
        lines.put("at_ms", at_ms);
    });
}

fn bounds(lines: &mut Lines<'_>, bounds: &Bounds) {
    let Bounds { micro_usd, tokens, calls, attempts, time_ms, elapsed_ms } = bounds;
    lines.put("limit_micro_usd", micro_usd);
    lines.put("limit_tokens", tokens);
    lines.put("limit_calls", calls);
    lines.put("limit_attempts", attempts);
    lines.put("limit_time_ms", time_ms);
    lines.put("limit_elapsed_ms", elapsed_ms);
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

pub(super) fn agent(lines: &mut Lines<'_>, agent: &Agent) {
    let Agent { id: _, role, skills, with, orchestrated, left, left_because: _, plan, lead, added } = agent;
    lines.always("role", role);
    lines.put("skills", skills);
    lines.put("with", with);
    lines.put("orchestrated", orchestrated);
    lines.put("left", left);
    lines.put("plan", plan);
    lines.put("lead", lead);
    lines.put("added", added);
}

pub(super) fn spec(lines: &mut Lines<'_>, spec: &TaskSpec) {
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
        delegate,
        team,
        replans,
        asked_by,
        goal,
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
    lines.put("delegate", delegate);
    lines.put("team", team);
    lines.some("replans", replans.as_ref(), |lines, Replan { task, failure }| {
        lines.always("task", task);
        lines.always("failure", failure);
    });
    lines.put("asked_by", asked_by);
    lines.some("goal", goal.as_ref(), |lines, GoalPlan { run, anew }| {
        lines.always("run", run);
        lines.put("anew", anew);
    });
}

pub(super) fn task(lines: &mut Lines<'_>, task: &Task) {
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
        needs,
        submission: delivered,
        intent: intended,
        merged,
        feedback: said,
        failure,
        review,
        approvals,
        review_rounds,
        plan: planned,
        // These three follow from whose parts all tasks are, and from their status.
        above: _,
        parts: _,
        open_parts: _,
        handed_out,
        replan,
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
    amount(lines, "needs", needs.unwrap_or_default());
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
    lines.put("handed_out", handed_out);
    lines.put("replan", replan);
}

/// Whether it counts who approved a task, and how often it was sent back.
fn spec_counts(spec: &TaskSpec) -> bool {
    spec.reviews != 1 || spec.review_rounds.is_some()
}

fn plan(lines: &mut Lines<'_>, plan: &Plan) {
    let Plan { id, author, text, changes, at_ms, rounds, verdict } = plan;
    lines.always("id", id);
    lines.always("author", author);
    lines.put("text", text);
    lines.put("changes", changes);
    lines.put("at_ms", at_ms);
    lines.put("rounds", rounds);
    lines.some("verdict", verdict.as_ref(), |lines, PlanVerdict { id, by, approved, feedback }| {
        lines.always("id", id);
        lines.always("by", by);
        lines.put("approved", approved);
        lines.put("feedback", feedback);
    });
}

pub(super) fn note(lines: &mut Lines<'_>, note: &Note) {
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
    let Submission {
        id,
        author,
        claim,
        result,
        commit: made,
        protected,
        orchestrated,
        // No rule reads it, and logs whose fingerprints are written down have it.
        check_output: _,
    } = submission;
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
    // No rule reads who reviewed it, and logs whose fingerprints are written down have it.
    let Feedback { attempt, agent, cause, text, commit: refused, reviewer: _ } = feedback;
    lines.put("attempt", attempt);
    lines.always("agent", agent);
    lines.always("cause", cause);
    lines.put("text", text);
    lines.some("commit", refused.as_ref(), commit);
}

pub(super) fn late(lines: &mut Lines<'_>, late: &Late) {
    let Late { id, task, claim, agent, result, commit: made, at_ms } = late;
    lines.always("id", id);
    lines.always("task", task);
    lines.always("claim", claim);
    lines.always("agent", agent);
    lines.put("result", result);
    lines.some("commit", made.as_ref(), commit);
    lines.put("at_ms", at_ms);
}

pub(super) fn message(lines: &mut Lines<'_>, message: &Message) {
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
        // No rule reads it, and logs whose fingerprints are written down have it.
        missed_by: _,
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

pub(super) fn ledger(lines: &mut Lines<'_>, state: &State) {
    let ledger = state.ledger();
    for account in ledger.accounts() {
        let Limit { bounds: limit, revision } = ledger.limit(&account);
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
            bounds(lines, &limit);
            // Where they have no limit, their number follows from the claims.
            if limit.attempts.is_some() {
                lines.put("attempts", &ledger.attempts(&account));
            }
            lines.put("revision", &revision);
        });
    }
    for (model, used) in ledger.models() {
        lines.within("model", |lines| amount(lines, &quoted(model), used));
    }
    for (id, agent, task, upper) in ledger.reservations() {
        lines.under("reservation", id, |lines| {
            lines.always("agent", agent);
            lines.put("task", &task.cloned());
            amount(lines, "upper", upper);
        });
    }
}

/// The name of a model, which may hold anything, as a part of the way to a value.
fn quoted(model: &str) -> String {
    let mut name = String::new();
    model.write(&mut name);
    name
}

fn amount(lines: &mut Lines<'_>, name: &str, amount: Amount) {
    let Amount { micro_usd, input_tokens, output_tokens, calls, time_ms } = amount;
    lines.within(name, |lines| {
        lines.put("micro_usd", &micro_usd);
        lines.put("input_tokens", &input_tokens);
        lines.put("output_tokens", &output_tokens);
        lines.put("calls", &calls);
        lines.put("time_ms", &time_ms);
    });
}

pub(super) fn file(lines: &mut Lines<'_>, file: &Reservation) {
    let Reservation { claim, agent, path } = file;
    lines.always("claim", claim);
    lines.always("agent", agent);
    lines.put("path", path);
}

pub(super) fn pauses(lines: &mut Lines<'_>, state: &State) {
    // That it is stopped changes nothing but words, and logs are older that say so.
    for (agent, Pause { paused, stopped: _, revision, reason, at_ms }) in &state.pauses {
        let whom = agent.as_ref().map_or("team".to_owned(), |agent| format!("agent/{agent}"));
        lines.under("pause", whom, |lines| {
            lines.always("revision", revision);
            lines.put("paused", paused);
            lines.put("reason", reason);
            lines.put("at_ms", at_ms);
        });
    }
}

pub(super) fn limits(lines: &mut Lines<'_>, state: &State) {
    for (model, ModelLimit { until_ms, reason, at_ms }) in &state.limits {
        lines.under("limit", quoted(model), |lines| {
            lines.always("until_ms", until_ms);
            lines.put("reason", reason);
            lines.put("at_ms", at_ms);
        });
    }
}
