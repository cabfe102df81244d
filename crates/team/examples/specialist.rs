//! An agent of one's own: a type that implements `Agent`, joins as a specialist, and takes the tasks that want its skill.
//!
//! Run it with `cargo run -p agent-team --example specialist`.

use std::error::Error;
use std::sync::Arc;

use agent_team::agent::{Agent, AgentError, Answer, Assignment, Context};
use agent_team::{AgentTeam, NewTask, Progress, Recipient, Reporter, Role, RunOptions};
use async_trait::async_trait;

/// Counts the words of a task's description. Nothing about it needs a model.
struct Counter;

#[async_trait]
impl Agent for Counter {
    async fn execute_task(&self, task: &Assignment, context: &Context) -> Result<Answer, AgentError> {
        context.activity.is("counts");
        let words = task.description.split_whitespace().count();
        if words < 3 {
            // The next attempt is given this reason. `AgentError::GaveUp` would say that none can succeed.
            return Err(AgentError::Failed(format!("{words} words are too few to count")));
        }
        let news = format!("`{}` has {words} words", task.title);
        context.bus.send(&context.agent, Recipient::Everyone, news)?;
        Ok(Answer::text(words.to_string()))
    }

    fn with(&self) -> String {
        "counter".to_owned()
    }
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let mut team = AgentTeam::in_memory()?;
    team.add_specialist("counter-1", Role::Specialist, &["counting"], Arc::new(Counter))?;
    let reporter = Reporter::to(|progress| {
        if let Progress::Failed { task, reason, .. } = progress {
            eprintln!("{task} failed: {reason}");
        }
    });
    team.options(RunOptions { reporter, ..RunOptions::default() });

    let counting = |title: &str| NewTask::new(title).skill("counting").attempts(1);
    team.add_task(counting("Long").id("long").description("Four words, to be counted"))?;
    team.add_task(counting("Short").id("short"))?;

    let report = team.run(None).await?;
    for task in team.queue().list_tasks()? {
        println!("{}: {}", task.id, task.status);
    }
    println!("outcome: {}", report.outcome.as_str());
    Ok(())
}
