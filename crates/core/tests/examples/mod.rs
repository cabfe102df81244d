//! One record of each kind, from the life of one task.

use agent_team_core::id::{AgentId, RecordId, TaskId};
use agent_team_core::record::{
    Account, AgentJoined, AgentLeft, Amount, BatchClosed, Body, Bounds, BudgetSet, CheckReported,
    ClaimExpired, ClaimReleased, ClaimRenewed, ExpiryCause, FilesReleased, FilesReserved, FormatRaised,
    Holder, LateResult, MergeIntended, MergeRefused, Merged, MessageSent, MessagesDelivered, MessagesRead,
    ModelLimited, NoteAdded, PauseSet, PlanJudged, PlanSubmitted, Policy, PolicySet, ProcessId, Recipient,
    Record, RefusalCause, ReviewGiven, Role, RunEnded, RunStarted, SpendingReserved, SpendingSettled, Stage,
    TaskAdded, TaskCancelled, TaskChange, TaskClaimed, TaskDelegated, TaskEdited, TaskFailed, TaskGivenUp,
    TaskReassigned, TaskRetried, TaskSpec, TaskSubmitted, TurnJournalled, WorkCommit,
};
use agent_team_core::text::Text;

/// Ids as their writers make them, UUID version 7, of which only the last digits differ here.
fn id(number: u128) -> RecordId {
    RecordId(0x019a_b05d_9c00_7000_8000_0000_0000_0000 + number)
}

pub fn records() -> Vec<Record> {
    let numbered = (1..).zip(bodies());
    let record = |(number, body): (u64, Body)| Record {
        id: id(number.into()),
        format: body.format(),
        at_ms: 1_763_892_000_000 + number,
        by: "human".parse().unwrap(),
        unconfined: false,
        body,
    };
    numbered.map(record).collect()
}

fn bodies() -> Vec<Body> {
    let mut bodies = team();
    bodies.extend(tasks());
    bodies.extend(claims());
    bodies.extend(judgements());
    bodies.extend(messages());
    bodies.extend(resources());
    bodies
}

fn task() -> TaskId {
    "parse".parse().unwrap()
}

fn agent() -> AgentId {
    "worker-1".parse().unwrap()
}

fn commit() -> Option<WorkCommit> {
    Some(WorkCommit { commit: "4fd1".into(), base: "91b0".into(), files: 2 })
}

fn process() -> ProcessId {
    ProcessId { machine: "m".into(), boot: "b".into(), namespace: "4026531836".into(), pid: 4711, start: 99 }
}

fn team() -> Vec<Body> {
    let policy = Policy {
        gate: Some("make test".into()),
        target: Some("main".into()),
        max_agents: Some(20),
        ..Policy::default()
    };
    vec![
        FormatRaised { version: 2 }.into(),
        PolicySet { on: None, policy }.into(),
        RunStarted {
            process: process(),
            goal: Some("Write a parser".into()),
            rehearsal: true,
            budget: Some(Bounds { micro_usd: Some(5_000_000), attempts: Some(50), ..Bounds::default() }),
            budgets: Some(r#"{"agent:worker-1":{"calls":100}}"#.into()),
            check: Some("make acceptance".into()),
        }
        .into(),
        RunEnded { run: id(3), outcome: "completed".into() }.into(),
        AgentJoined {
            skills: vec!["rust".parse().unwrap()],
            with: Some("shell".into()),
            added: true,
            ..AgentJoined::new(agent(), Role::Specialist)
        }
        .into(),
        AgentLeft::new(agent()).into(),
        PauseSet {
            agent: Some(agent()),
            on: None,
            paused: true,
            release: false,
            reason: "I look at its plan".into(),
        }
        .into(),
    ]
}

fn tasks() -> Vec<Body> {
    let mut spec = TaskSpec::new(task(), "Parse the input");
    spec.after = vec!["read".parse().unwrap()];
    spec.check = Some("cargo test parse".into());
    let change = TaskChange { priority: Some(5), ..TaskChange::default() };
    vec![
        TaskAdded { task: Box::new(spec), batch: Some(id(7)) }.into(),
        BatchClosed { batch: id(7), tasks: 1 }.into(),
        TaskEdited { task: task(), on: Some(id(8)), change }.into(),
        TaskRetried { task: task(), on: Some(id(18)) }.into(),
        TaskCancelled { task: task(), on: Some(id(9)), dependents: true, fenced: None }.into(),
        TaskReassigned { task: task(), on: Some(id(9)), agent: Some(agent()), fenced: None }.into(),
        TaskDelegated { claim: id(12) }.into(),
        TaskGivenUp { task: task(), on: Some(id(9)), reason: "its part `lex` failed".into() }.into(),
    ]
}

fn claims() -> Vec<Body> {
    let claim = id(12);
    let holder = Holder { process: Some(process()), lease_ms: Some(900_000), ..Holder::default() }.into();
    vec![
        TaskClaimed { task: task(), on: Some(id(9)), stage: Stage::Work, agent: agent(), holder }.into(),
        ClaimRenewed { claim }.into(),
        ClaimReleased {
            needs: Some(Amount { input_tokens: 9_000, output_tokens: 1_000, calls: 1, ..Amount::default() }),
            ..ClaimReleased::new(claim, "this would exceed the budget of task parse: turns")
        }
        .into(),
        ClaimExpired { claim, seen: id(13), cause: ExpiryCause::Lease, fenced: None }.into(),
        TurnJournalled { claim, turn: 1, read: vec![id(24)] }.into(),
    ]
}

fn judgements() -> Vec<Body> {
    let claim = id(12);
    let plan: Text = "First the lexer, then the rest.".into();
    vec![
        PlanSubmitted { claim, text: plan.clone(), changes: Text::default() }.into(),
        PlanJudged {
            task: task(),
            plan: id(19),
            text_hash: plan.hash(),
            by: "lead-1".parse().unwrap(),
            approved: true,
            feedback: Text::default(),
        }
        .into(),
        TaskSubmitted { claim, result: "A parser".into(), commit: commit(), protected: Vec::new() }.into(),
        TaskFailed { claim, error: "no disk".into(), for_good: false, not_before_ms: 1_763_892_001_000 }
            .into(),
        LateResult { task: task(), claim, agent: agent(), result: "A parser".into(), commit: commit() }
            .into(),
        CheckReported { claim, passed: false, output: "line 3: expected 7".into() }.into(),
        ReviewGiven { claim, submission: id(17), approved: true, feedback: "Good.".into() }.into(),
        MergeIntended { claim, commit: "77aa".into(), old_tip: "91b0".into(), branch: "main".into() }.into(),
        Merged { intent: id(22) }.into(),
        MergeRefused { claim, cause: RefusalCause::Conflict, output: "in a.txt".into(), fenced: None }.into(),
    ]
}

fn messages() -> Vec<Body> {
    let messages = vec![id(25)];
    let to = Recipient::Role(Role::Reviewer);
    vec![
        MessageSent {
            from: agent(),
            to,
            text: "Please look.".into(),
            task: Some(task()),
            urgent: false,
            asks: true,
            reply_to: None,
            waits: false,
        }
        .into(),
        MessagesDelivered { agent: agent(), messages: messages.clone() }.into(),
        MessagesRead { agent: agent(), messages }.into(),
    ]
}

fn resources() -> Vec<Body> {
    let upper = Amount { micro_usd: 30_000, input_tokens: 9_000, output_tokens: 1_000, calls: 1, time_ms: 0 };
    let actual =
        Amount { micro_usd: 11_000, input_tokens: 3_000, output_tokens: 300, calls: 1, time_ms: 20_000 };
    let paths = vec!["src/".to_owned(), "README.md".to_owned()];
    let claim = id(12);
    vec![
        NoteAdded {
            agent: agent(),
            text: "The tests need a UTF-8 locale.".into(),
            labels: vec!["tests".to_owned()],
            task: Some(task()),
        }
        .into(),
        BudgetSet {
            account: Account::Agent(agent()),
            on: None,
            bounds: Bounds {
                micro_usd: Some(5_000_000),
                tokens: None,
                calls: Some(100),
                attempts: Some(50),
                time_ms: Some(7_200_000),
                elapsed_ms: Some(3_600_000),
            },
        }
        .into(),
        SpendingReserved { agent: agent(), task: Some(task()), upper }.into(),
        SpendingSettled {
            reservation: Some(id(29)),
            agent: agent(),
            task: Some(task()),
            model: "small".into(),
            actual,
        }
        .into(),
        ModelLimited {
            model: "anthropic:claude-opus-4-5".into(),
            until_ms: 1_763_892_030_000,
            reason: "HTTP 429: too many tokens in this minute".into(),
            lifted: false,
        }
        .into(),
        FilesReserved { claim, paths: paths.clone() }.into(),
        FilesReleased { claim, paths }.into(),
    ]
}
