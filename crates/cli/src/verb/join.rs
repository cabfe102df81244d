//! `join`: lets an agent join the team.

use agent_team::{AgentId, AgentJoined, Role, Skill};
use clap::Args;
use serde_json::json;

use crate::cli::Global;
use crate::exit::{Exit, Failure};
use crate::output::Output;

/// The arguments of `join`.
#[derive(Debug, Args)]
#[command(
    about = "Join the team, or come back with another role or other skills",
    long_about = "Join the team, or come back with another role or other skills. `claim` lets a name that is no member \
                  join as a worker; this is for the other roles.",
    after_help = "Examples:\n  agent-team join --as critic --role reviewer\n  \
                  agent-team join --as painter --role specialist --skill css --skill svg"
)]
pub struct Join {
    /// Who joins
    #[arg(long = "as", value_name = "NAME")]
    agent: AgentId,
    /// lead, worker, reviewer or specialist
    #[arg(long, default_value = "worker")]
    role: Role,
    /// What it can do that others cannot (repeat it, or separate by commas)
    #[arg(long, value_delimiter = ',')]
    skill: Vec<Skill>,
    /// Each of its plans must be approved before it may deliver anything
    #[arg(long)]
    plan: bool,
    /// The lead to whose team it belongs: it takes that team's tasks and no others
    #[arg(long, value_name = "NAME")]
    lead: Option<AgentId>,
    /// What stands behind it, for people
    #[arg(long, value_name = "TEXT", default_value = "shell")]
    with: String,
}

impl Join {
    pub fn run(self, global: &Global, out: &mut Output) -> Result<Exit, Failure> {
        let queue = global.open()?;
        let (agent, role) = (self.agent, self.role);
        let (skills, with) = (self.skill, Some(self.with));
        queue.join(AgentJoined {
            skills,
            with,
            plan: self.plan,
            lead: self.lead,
            ..AgentJoined::new(agent.clone(), role)
        })?;
        tell(&agent, role, out)
    }
}

/// Says who is in the team as what.
pub fn tell(agent: &AgentId, role: Role, out: &mut Output) -> Result<Exit, Failure> {
    let words = format!("{agent} is in the team as a {role}");
    out.answer(&json!({ "agent": agent, "role": role }), |out| out.line(&words))?;
    Ok(Exit::Done)
}
