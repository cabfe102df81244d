//! The commands of the scripts. Each line is one wish, or one look at the state.

use agent_team_core::id::{AgentId, RecordId, TaskId};
use agent_team_core::machine::{Command, decide};
use agent_team_core::record::{
    Account, AgentJoined, AgentLeft, Amount, Body, Bounds, CheckReported, ClaimReleased, ClaimRenewed,
    ExpiryCause, FilesReleased, FilesReserved, FormatRaised, Holder, LateResult, MergeIntended, MergeRefused,
    Merged, MessageSent, MessagesDelivered, MessagesRead, ModelLimited, NoteAdded, PlanSubmitted, Policy,
    RefusalCause, Replan, ReviewGiven, SpendingReserved, SpendingSettled, Stage, TaskChange, TaskDelegated,
    TaskSpec, TaskSubmitted, TurnJournalled, WorkCommit,
};
use agent_team_core::text::Text;
use agent_team_core::view;

use crate::parse::{Line, Problem, parse};
use crate::show;
use crate::world::{World, long};

/// Runs one line; what it prints is what stands beside it.
pub fn run(world: &mut World, text: &str) -> Result<String, Problem> {
    if let Some((command, name)) = text.strip_prefix("decide ").and_then(|rest| rest.rsplit_once(" as ")) {
        let command = wish(world, &Line::parse(command))?;
        return Ok(match decide(&world.state, &command, world.now_ms) {
            Ok(bodies) => {
                let kinds: Vec<&str> = bodies.iter().map(Body::kind).collect();
                let said = format!("{name}: {}", kinds.join(", "));
                world.decided.insert(name.to_owned(), bodies);
                said
            }
            Err(refusal) => format!("{name}: refused: {refusal}"),
        });
    }
    let line = Line::parse(text);
    match line.word(0)? {
        "tick" => {
            world.now_ms += parse::<u64>(line.word(1)?)?;
            Ok(String::new())
        }
        "unconfined" => {
            world.unconfined = line.word(1)? == "yes";
            Ok(String::new())
        }
        "apply" => {
            let bodies = world.decided.remove(line.word(1)?).ok_or("nothing was decided under this name")?;
            Ok(world.append(bodies))
        }
        "repeat" => {
            let record = world.line(world.id(line.word(1)?)?).ok_or("there is no such record")?;
            Ok(world.read(record))
        }
        "raw" => raw(world, &line),
        "line" => Ok(world.read(line.word(1)?.replace('\'', "\"").into_bytes())),
        "snapshot" => Ok(show::snapshot(&world.state)),
        "show" => show::task(&world.state, line.word(1)?),
        "status" => Ok(show::status(&world.state)),
        "board" => Ok(show::board(&world.state)),
        "stuck" => Ok(show::stuck(&world.state)),
        "idle" => Ok(view::why_idle(&world.state, &parse(line.word(1)?)?, world.now_ms)),
        "goes-on" => Ok(if world.state.can_go_on() { "yes\n" } else { "no\n" }.to_owned()),
        "inbox" => show::inbox(&world.state, line.word(1)?, line.option("since")?),
        "messages" => Ok(show::messages(&world.state)),
        "budgets" => Ok(show::budgets(&world.state, world.now_ms)),
        "warnings" => Ok(show::warnings(&world.state)),
        "ledger" => show::ledger(&world.state, line.rest(1)),
        "files" => Ok(show::files(&world.state)),
        "limits" => Ok(show::limits(&world.state)),
        _ => {
            let command = wish(world, &line)?;
            let said = world.submit(&command);
            if let (Some(name), Some(id)) = (line.text("name"), world.last()) {
                world.name(name, id);
            }
            Ok(said)
        }
    }
}

/// The command that a line wishes for.
fn wish(world: &mut World, line: &Line) -> Result<Command, Problem> {
    let command = match line.word(0)? {
        "add" => {
            let lists = line.rest(1);
            let tasks = lists
                .first()
                .map_or_else(|| Err("name a task".to_owned()), |_| Ok(vec![spec(world, line)?]))?;
            Command::AddTasks { tasks, batch: world.new_id(), limits: limits(lists, line)? }
        }
        "batch" => {
            let texts = line.rest(1).iter();
            let tasks = texts
                .map(|text| spec(world, &Line::parse(&format!("add {text}"))))
                .collect::<Result<_, _>>()?;
            let batch = line.text("id").map(|id| world.id(id)).transpose()?;
            Command::AddTasks { tasks, batch: batch.unwrap_or_else(|| world.new_id()), limits: Vec::new() }
        }
        "edit" => Command::EditTask {
            task: parse(line.word(1)?)?,
            change: TaskChange {
                title: line.option("title")?,
                description: line.text("description").map(Text::from),
                priority: line.option("priority")?,
                allow_protected: line.option("allowprotected")?,
                after: line.text("after").map(|_| line.list("after")).transpose()?,
            },
        },
        "retry" => Command::RetryTask { task: parse(line.word(1)?)? },
        "cancel" => Command::CancelTask {
            task: parse(line.word(1)?)?,
            dependents: line.has("dependents"),
            fenced: fenced(world, line)?,
        },
        "claim" => Command::Claim {
            agent: parse(line.word(1)?)?,
            task: line.option("task")?,
            stage: line.text("stage").map_or(Ok(Stage::Work), stage)?,
            holder: Holder {
                lease_ms: line.option("lease")?,
                orchestrated: line.has("orchestrated"),
                ..Holder::default()
            }
            .into(),
        },
        "expire" => Command::Expire {
            claim: world.id(line.word(1)?)?,
            seen: seen(world, line)?,
            cause: if line.has("gone") {
                ExpiryCause::ProcessGone
            } else if line.has("stuck") {
                ExpiryCause::Stuck
            } else {
                ExpiryCause::Lease
            },
            fenced: fenced(world, line)?,
        },
        "fail" => Command::Fail {
            claim: world.id(line.word(1)?)?,
            error: line.word(2)?.into(),
            for_good: line.has("for-good"),
        },
        "policy" => Command::SetPolicy {
            policy: Policy {
                gate: line.option("gate")?,
                max_agents: line.option("agents")?,
                max_depth: line.option("depth")?,
                replans: line.option("replans")?,
                ..Policy::default()
            },
        },
        "budget" => Command::SetBudget { account: account(line.word(1)?)?, bounds: bounds(line)? },
        "pause" | "resume" => Command::Pause {
            agent: line.rest(1).first().map(|agent| parse(agent)).transpose()?,
            paused: line.word(0)? == "pause",
            release: line.has("release"),
            reason: line.text("reason").unwrap_or_default().to_owned(),
        },
        "reassign" => Command::Reassign {
            task: parse(line.word(1)?)?,
            agent: line.rest(2).first().map(|agent| parse(agent)).transpose()?,
            fenced: fenced(world, line)?,
        },
        "give-up" => Command::GiveUp { task: parse(line.word(1)?)?, reason: line.word(2)?.into() },
        "judge-plan" => Command::JudgePlan {
            task: parse(line.word(1)?)?,
            plan: line.text("plan").map(|id| world.id(id)).transpose()?,
            by: parse(line.word(2)?)?,
            approved: line.word(3)? == "approved",
            feedback: line.rest(4).first().map_or_else(Text::default, |text| text.as_str().into()),
        },
        _ => Command::Record(body(world, line)?),
    };
    Ok(command)
}

/// The body of a line that names its claim, or only adds.
fn body(world: &World, line: &Line) -> Result<Body, Problem> {
    let id = |at: usize| world.id(line.word(at)?);
    let text = |at: usize| line.rest(at).first().map_or_else(Text::default, |text| text.as_str().into());
    Ok(match line.word(0)? {
        "join" => join(line)?,
        "leave" => AgentLeft::new(parse(line.word(1)?)?).into(),
        "renew" => ClaimRenewed { claim: id(1)? }.into(),
        "release" => {
            let needs = Some(amount(line)?).filter(|needs| *needs != Amount::default());
            ClaimReleased { fenced: fenced(world, line)?, needs, ..ClaimReleased::new(id(1)?, "") }.into()
        }
        "turn" => {
            let read = ids(world, line.text("read"))?;
            TurnJournalled { claim: id(1)?, turn: parse(line.word(2)?)?, read }.into()
        }
        "delegate" => TaskDelegated { claim: id(1)? }.into(),
        "plan" => PlanSubmitted { claim: id(1)?, text: text(2), changes: Text::default() }.into(),
        "note" => NoteAdded {
            agent: parse(line.word(1)?)?,
            text: text(2),
            labels: line.list("labels")?,
            task: line.option("task")?,
        }
        .into(),
        "complete" => TaskSubmitted {
            claim: id(1)?,
            result: text(2),
            commit: commit(line),
            protected: line.list("protected")?,
        }
        .into(),
        "late" => {
            let claim = id(1)?;
            let task =
                world.state.task_of_claim(claim).map(|task| task.id().clone()).ok_or("no such claim")?;
            LateResult {
                task,
                claim,
                agent: line.option("agent")?.ok_or("whose?")?,
                result: text(2),
                commit: None,
            }
            .into()
        }
        "check" => CheckReported { claim: id(1)?, passed: line.word(2)? == "passed", output: text(3) }.into(),
        "review" => review(world, line)?,
        "intend" => MergeIntended {
            claim: id(1)?,
            commit: line.word(2)?.to_owned(),
            old_tip: "tip".to_owned(),
            branch: "main".to_owned(),
        }
        .into(),
        "merged" => Merged { intent: id(1)? }.into(),
        "unmerged" => MergeRefused {
            claim: id(1)?,
            cause: cause(line.word(2)?)?,
            output: text(3),
            fenced: fenced(world, line)?,
        }
        .into(),
        "send" => {
            let (from, to) = (parse(line.word(1)?)?, parse(line.word(2)?)?);
            let (urgent, asks, waits) = (line.has("urgent"), line.has("asks"), line.has("waits"));
            let reply_to = line.text("reply-to").map(|id| world.id(id)).transpose()?;
            MessageSent { from, to, text: text(3), task: line.option("task")?, urgent, asks, reply_to, waits }
                .into()
        }
        "deliver" => {
            MessagesDelivered { agent: parse(line.word(1)?)?, messages: ids(world, Some(line.word(2)?))? }
                .into()
        }
        "read" => {
            MessagesRead { agent: parse(line.word(1)?)?, messages: ids(world, Some(line.word(2)?))? }.into()
        }
        "reserve" => SpendingReserved {
            agent: parse(line.word(1)?)?,
            task: line.option("task")?,
            upper: amount(line)?,
        }
        .into(),
        "settle" => SpendingSettled {
            reservation: line.text("of").map(|id| world.id(id)).transpose()?,
            agent: parse(line.word(1)?)?,
            task: line.option("task")?,
            model: line.text("model").unwrap_or_default().to_owned(),
            actual: amount(line)?,
        }
        .into(),
        "limit" => limit(line, false)?,
        "lift" => limit(line, true)?,
        "reserve-files" => FilesReserved { claim: id(1)?, paths: line.rest(2).to_vec() }.into(),
        "free-files" => FilesReleased { claim: id(1)?, paths: line.rest(2).to_vec() }.into(),
        "raise-format" => FormatRaised { version: parse(line.word(1)?)? }.into(),
        other => return Err(format!("`{other}` is no command")),
    })
}

/// What a task may use, where its line says so. Its attempts are its own.
fn limits(names: &[String], line: &Line) -> Result<Vec<(TaskId, Bounds)>, Problem> {
    let bounds = Bounds { attempts: None, ..bounds(line)? };
    let name = names.first().filter(|_| bounds != Bounds::default());
    name.map(|name| Ok((parse(name)?, bounds))).into_iter().collect()
}

fn bounds(line: &Line) -> Result<Bounds, Problem> {
    Ok(Bounds {
        micro_usd: line.option("usd")?,
        tokens: line.option("tokens")?,
        calls: line.option("calls")?,
        attempts: line.option("attempts")?,
        time_ms: line.option("time")?,
        elapsed_ms: line.option("elapsed")?,
    })
}

fn join(line: &Line) -> Result<Body, Problem> {
    let joined = AgentJoined {
        skills: line.list("skills")?,
        orchestrated: line.has("orchestrated"),
        plan: line.has("plan"),
        lead: line.option("lead")?,
        added: line.has("added"),
        ..AgentJoined::new(parse(line.word(1)?)?, parse(line.word(2)?)?)
    };
    Ok(joined.into())
}

fn spec(world: &World, line: &Line) -> Result<TaskSpec, Problem> {
    let id: TaskId = parse(line.word(1)?)?;
    let title = line.text("title").unwrap_or(id.as_str()).to_owned();
    let mut spec = TaskSpec::new(id, title);
    spec.after = line.list("after")?;
    spec.priority = line.option("priority")?.unwrap_or_default();
    spec.role = line.option("role")?;
    spec.skill = line.option("skill")?;
    spec.agent = line.option("agent")?;
    spec.attempts = line.option("attempts")?.unwrap_or(spec.attempts);
    spec.backoff_ms = line.option("backoff")?.unwrap_or(spec.backoff_ms);
    spec.check = line.option("check")?;
    spec.labels = line.list("labels")?;
    spec.parent = line.option("parent")?;
    spec.review = line.has("review");
    spec.reviews = line.option("reviews")?.unwrap_or(spec.reviews);
    spec.review_rounds = line.option("rounds")?;
    spec.plan = line.has("plan");
    spec.approver = line.option("approver")?;
    spec.delegate = line.has("delegate");
    spec.team = line.option("team")?;
    spec.replans = replans(world, line)?;
    Ok(spec)
}

/// The failure that a task plans anew: that of the task it names, as it is now, or as it was at a record.
fn replans(world: &World, line: &Line) -> Result<Option<Replan>, Problem> {
    let Some(task) = line.option::<TaskId>("replans")? else { return Ok(None) };
    let newest = || world.state.task(&task).map(|task| task.revision).ok_or("there is no such task");
    let failure = line.text("failure").map_or_else(|| newest().map_err(Problem::from), |id| world.id(id))?;
    Ok(Some(Replan { task, failure }))
}

fn review(world: &World, line: &Line) -> Result<Body, Problem> {
    let claim = world.id(line.word(1)?)?;
    let task = world.state.task_of_claim(claim).ok_or("no such claim")?;
    let current = task.submission.as_ref().map(|submission| submission.id);
    let submission =
        line.text("of").map(|id| world.id(id)).transpose()?.or(current).ok_or("no submission")?;
    let feedback = line.rest(3).first().map_or_else(Text::default, |text| text.as_str().into());
    Ok(ReviewGiven { claim, submission, approved: line.word(2)? == "approved", feedback }.into())
}

fn limit(line: &Line, lifted: bool) -> Result<Body, Problem> {
    let (model, until_ms) = (line.word(1)?.to_owned(), parse(line.word(2)?)?);
    let reason = line.rest(3).first().cloned().unwrap_or_default();
    Ok(ModelLimited { model, until_ms, reason, lifted }.into())
}

/// A line that some program wrote: of any kind, any format. In its body `#7` is the id of a record.
fn raw(world: &mut World, line: &Line) -> Result<String, Problem> {
    let id = world.new_id();
    let (format, kind) = (line.text("v").unwrap_or("1"), line.word(1)?);
    let body = long(&line.text("body").unwrap_or("{}").replace('\'', "\""));
    let line =
        format!(r#"{{"v":{format},"id":"{id}","at_ms":5,"by":"other","kind":"{kind}","body":{body}}}"#);
    Ok(world.read(line.into_bytes()))
}

/// The renewal that an observer saw: the newest, unless the line names another.
fn seen(world: &World, line: &Line) -> Result<RecordId, Problem> {
    let claim = world.id(line.word(1)?)?;
    let newest = || world.state.live_claim(claim).map_or(claim, |(_, claim)| claim.renewal);
    line.text("seen").map_or_else(|| Ok(newest()), |id| world.id(id))
}

fn fenced(world: &World, line: &Line) -> Result<Option<RecordId>, Problem> {
    line.text("fenced").map(|id| world.id(id)).transpose()
}

fn ids(world: &World, text: Option<&str>) -> Result<Vec<RecordId>, Problem> {
    text.map_or(Ok(Vec::new()), |text| text.split(',').map(|id| world.id(id)).collect())
}

fn commit(line: &Line) -> Option<WorkCommit> {
    let commit = line.text("commit")?.to_owned();
    Some(WorkCommit { commit, base: "base".to_owned(), files: 1 })
}

fn stage(text: &str) -> Result<Stage, Problem> {
    Stage::ALL.into_iter().find(|stage| stage.as_str() == text).ok_or_else(|| format!("`{text}` is no stage"))
}

fn cause(text: &str) -> Result<RefusalCause, Problem> {
    match text {
        "conflict" => Ok(RefusalCause::Conflict),
        "check" => Ok(RefusalCause::Check),
        "gate" => Ok(RefusalCause::Gate),
        "hook" => Ok(RefusalCause::Hook),
        _ => Err(format!("`{text}` is no cause")),
    }
}

fn amount(line: &Line) -> Result<Amount, Problem> {
    let of = |name| line.option(name).map(Option::unwrap_or_default);
    Ok(Amount {
        micro_usd: of("usd")?,
        input_tokens: of("input")?,
        output_tokens: of("output")?,
        calls: of("calls")?,
        time_ms: of("time")?,
    })
}

/// `team`, `agent:NAME` or `task:ID`.
pub fn account(text: &str) -> Result<Account, Problem> {
    match text.split_once(':') {
        Some(("agent", agent)) => Ok(Account::Agent(parse::<AgentId>(agent)?)),
        Some(("task", task)) => Ok(Account::Task(parse::<TaskId>(task)?)),
        _ if text == "team" => Ok(Account::Team),
        _ if text == "run" => Ok(Account::Run),
        _ => Err(format!("`{text}` is no account")),
    }
}
