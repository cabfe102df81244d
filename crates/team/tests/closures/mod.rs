//! Closures as agents, and how tests hear of what a run does.

use std::convert::Infallible;
use std::sync::{Arc, Mutex};

use agent_team::agent::{Agent, llm_fn};
use agent_team::{AgentTeam, Progress, Reporter, RunOptions};

/// An agent that answers at once.
pub fn quick(answer: impl Fn(&str) -> String + Send + Sync + 'static) -> Arc<dyn Agent> {
    let answer = Arc::new(answer);
    llm_fn(move |prompt: String| {
        let answer = answer.clone();
        async move { Ok::<_, Infallible>(answer(&prompt)) }
    })
}

/// An agent that fails as the function says.
pub fn fallible(answer: impl Fn(&str) -> Result<String, String> + Send + Sync + 'static) -> Arc<dyn Agent> {
    let answer = Arc::new(answer);
    llm_fn(move |prompt: String| {
        let answer = answer.clone();
        async move { answer(&prompt) }
    })
}

/// Resolves as soon as the team's state is as the question says.
pub async fn until(team: &AgentTeam, is_so: impl Fn(&agent_team::view::StatusView) -> bool) {
    let mut news = team.queue().team_log().follow();
    while !is_so(&team.get_status().unwrap()) {
        news.changed().await.unwrap();
    }
}

/// What was reported during a run.
pub fn listening(team: &mut AgentTeam, options: RunOptions) -> Arc<Mutex<Vec<Progress>>> {
    let heard = Arc::new(Mutex::new(Vec::new()));
    let ears = heard.clone();
    let reporter = Reporter::to(move |progress| ears.lock().unwrap().push(progress));
    team.options(RunOptions { reporter, ..options });
    heard
}
