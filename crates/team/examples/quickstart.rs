//! A lead and two workers, each an async function from prompt to text. No model, no repository: the results are texts.
//!
//! Run it with `cargo run -p agent-team --example quickstart`.

use std::convert::Infallible;
use std::error::Error;
use std::sync::Arc;
use std::time::Duration;

use agent_team::agent::{Agent, llm_fn};
use agent_team::{AgentTeam, NewTask, Role};

/// Stands for a call to a model of your choice.
async fn my_llm(prompt: String) -> Result<String, Infallible> {
    let task = prompt.lines().find(|line| line.starts_with("# Task"));
    Ok(format!("My answer to \"{}\".", task.unwrap_or("the whole")))
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let agent = || -> Arc<dyn Agent> { llm_fn(my_llm) };
    // `AgentTeam::new("some/folder")` keeps the team in a folder instead: then a run that was killed can go on.
    let mut team = AgentTeam::in_memory()?;
    team.add_agent("lead-1", Role::Lead, agent())?;
    team.add_agent("worker-1", Role::Worker, agent())?;
    team.add_agent("worker-2", Role::Worker, agent())?;

    let a = team.add_task("Implement solution A")?;
    let b = team.add_task("Implement solution B")?;
    let compare =
        team.add_task(NewTask::new("Compare and synthesize").after(a.as_str()).after(b.as_str()))?;

    let report = team.run(Some(Duration::from_secs(60))).await?;
    println!("{} of {} tasks completed", report.status.counts.completed, report.status.counts.total);
    if let Some(result) = team.queue().get_task(&compare)?.result {
        println!("result: {}", result.preview());
    }
    if let Some(summary) = report.summary {
        println!("summary: {summary}");
    }
    Ok(())
}
