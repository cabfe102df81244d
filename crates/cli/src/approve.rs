//! What the user says to plans that wait for the human, while a team runs: at the terminal, or beforehand by `--yes`.

use std::collections::BTreeSet;
use std::io::IsTerminal;
use std::time::Duration;

use agent_team::{AgentId, Error, RecordId, TaskId, TaskQueue, Verdict};
use futures::StreamExt;

use crate::live::Live;

/// The least time in which somebody can have read a plan. What is typed before its end was meant for something else.
const READING: Duration = Duration::from_millis(500);

/// Forgets what was typed at the terminal before a question was asked: it is no answer.
pub fn forget_what_was_typed() {
    // Where standard input is no terminal nothing was typed.
    let _ = rustix::termios::tcflush(std::io::stdin(), rustix::termios::QueueSelector::IFlush);
}

/// Whether there is somebody to ask.
pub fn somebody_is_there() -> bool {
    std::io::stdin().is_terminal() && std::io::stderr().is_terminal()
}

/// Shows each plan that waits, and takes the answer from standard input: `y` approves, any other text asks for a better
/// plan, an empty line leaves it to others. Ends after an error.
pub async fn approve_plans(queue: TaskQueue, live: Live) -> Result<(), Error> {
    let mut changes = std::pin::pin!(queue.status_stream());
    let mut asked: BTreeSet<RecordId> = BTreeSet::new();
    while let Some(status) = changes.next().await {
        for task in status?.plans {
            ask(&queue, &live, &task, &mut asked).await?;
        }
    }
    Ok(())
}

/// Agrees to the tasks into which a lead splits the goal, where an earlier run was to ask about them and this one is not.
/// Ends after an error.
pub async fn agree_to_the_leads_tasks(queue: TaskQueue) -> Result<(), Error> {
    let mut changes = std::pin::pin!(queue.status_stream());
    while let Some(status) = changes.next().await {
        for id in status?.plans {
            let task = queue.get_task(&id)?;
            // A plan that the user asks of another task is not agreed to unread.
            let is_leads = task.approver == Some(AgentId::human()) && queue.is_leads_plan(&id)?;
            let Some(plan) = task.plan.filter(|plan| plan.approved.is_none() && is_leads) else {
                continue;
            };
            let queue = queue.clone();
            let agrees = move || {
                queue.judge_plan(&AgentId::human(), &id, Some(plan.id), Verdict::Approved("--yes".to_owned()))
            };
            match tokio::task::spawn_blocking(agrees).await {
                // Somebody else has judged it meanwhile.
                Ok(Err(Error::Refused(_))) | Err(_) => {}
                Ok(judged) => judged?,
            }
        }
    }
    Ok(())
}

async fn ask(
    queue: &TaskQueue,
    live: &Live,
    task: &TaskId,
    asked: &mut BTreeSet<RecordId>,
) -> Result<(), Error> {
    let Some(plan) = queue.plan(task)?.filter(|plan| plan.approved.is_none()) else { return Ok(()) };
    if !asked.insert(plan.id) {
        return Ok(());
    }
    live.say(&format!("PLAN of {} for {task}:", plan.author));
    for line in queue.team_log().read_text(&plan.text)?.lines() {
        live.say(&format!("  {line}"));
    }
    live.say("Approve it? `y`, or say what is to be changed; empty leaves it to `agent-team plan`");
    // Nobody has read it sooner.
    tokio::time::sleep(READING).await;
    forget_what_was_typed();
    let read = tokio::task::spawn_blocking(|| {
        let mut answer = String::new();
        std::io::stdin().read_line(&mut answer).map(|_| answer)
    });
    // Nobody is there any more: the plan waits for `agent-team plan`.
    let Ok(Ok(answer)) = read.await else { return Ok(()) };
    let verdict = match answer.trim() {
        "" => return Ok(()),
        "y" | "Y" | "yes" => Verdict::Approved(String::new()),
        changes => Verdict::ChangesRequested(changes.to_owned()),
    };
    // Somebody else may have judged it meanwhile.
    let (queue, task) = (queue.clone(), task.clone());
    // A hook may be told.
    let judged = tokio::task::spawn_blocking(move || {
        queue.judge_plan(&AgentId::human(), &task, Some(plan.id), verdict)
    });
    let Ok(judged) = judged.await else { return Ok(()) };
    match judged {
        Err(Error::Refused(refused)) => live.say(&format!("  {refused}")),
        judged => judged?,
    }
    Ok(())
}
