//! What comes to an agent at work from outside: it is held up, interrupted, or must have its plan approved first.

use std::collections::BTreeSet;

use agent_team_core::machine::State;

use super::Context;
use super::prompt::{self, Results};
use crate::{AgentId, AgentMessage, Error, RecordId, Role, Stage};

impl Context {
    /// Waits as long as the agent, or its team, is paused. Says no if it was told to stop meanwhile.
    pub(crate) async fn let_go(&self) -> Result<bool, Error> {
        let team_log = self.queue.team_log();
        let agent = self.agent.clone();
        if team_log.look_at_known(|state| state.held_up(&agent).is_none()) {
            return Ok(true);
        }
        self.activity.is("paused");
        self.until_word(move |state| state.held_up(&agent).is_none()).await
    }

    /// Waits for somebody's word. Says no if the agent was told to stop before it came: who waits is in no turn that could
    /// be finished.
    pub(super) async fn until_word<C>(&self, is_so: C) -> Result<bool, Error>
    where
        C: Fn(&State) -> bool + Send + Sync + 'static,
    {
        let _waits = self.activity.waits();
        tokio::select! {
            biased;
            waited = self.queue.team_log().until_word(is_so) => waited.map(|()| true),
            () = self.stop.cancelled() => Ok(false),
        }
    }

    /// Waits until somebody says something urgent that the agent has not been shown.
    pub(crate) async fn interrupted(&self) -> Result<(), Error> {
        let agent = self.agent.clone();
        self.queue.team_log().until_word(move |state| is_interrupted(state, &agent)).await
    }

    /// Waits until somebody says something to the agent that is not urgent, and is not among what is known.
    #[cfg(feature = "drivers")]
    pub(super) async fn mail_besides(&self, known: &BTreeSet<RecordId>) -> Result<(), Error> {
        let (agent, known) = (self.agent.clone(), known.clone());
        let has_mail = move |state: &State| {
            let mut unread = state.messages().unread(&agent, role(state, &agent));
            unread.any(|message| !message.urgent && !known.contains(&message.id))
        };
        self.queue.team_log().until(has_mail).await
    }

    /// Waits until the agent's plan is approved, which is not yet; for ever where none is wanted.
    #[cfg(feature = "drivers")]
    pub(super) async fn plan_is_approved(&self) -> Result<(), Error> {
        if !self.lacks_plan() {
            return std::future::pending().await;
        }
        let token = self.token;
        self.queue.team_log().until_word(move |state| !lacks_plan(state, token)).await
    }

    /// What the agent is asked outside of its work, after what others said to it.
    pub(crate) fn told(asked: &str, heard: &[AgentMessage]) -> String {
        if heard.is_empty() {
            return asked.to_owned();
        }
        format!("# What was said to you\n\n{}\n{asked}", prompt::messages(heard, Results::Whole))
    }

    /// Whether the agent's plan for the task that it works on must be approved, and is not.
    pub(crate) fn lacks_plan(&self) -> bool {
        self.queue.team_log().look_at_known(|state| lacks_plan(state, self.token))
    }
}

fn lacks_plan(state: &State, token: RecordId) -> bool {
    let held = state.live_claim(token).ok();
    held.is_some_and(|(task, claim)| claim.stage == Stage::Work && state.lacks_plan(task, &claim.agent))
}

fn is_interrupted(state: &State, agent: &AgentId) -> bool {
    let mut unread = state.messages().unread(agent, role(state, agent));
    unread.any(|message| message.urgent && !message.receipts.contains_key(agent))
}

fn role(state: &State, agent: &AgentId) -> Option<Role> {
    state.agent(agent).map(|known| known.role)
}
