//! `join`: lets an agent join the team.

use agent_team::{AgentId, AgentJoined, Role, Skill};
use clap::Args;
use serde_json::json;

use crate::cli::Global;
use crate::exit::{Exit, Failure};
use crate::mcp::clients::{Client, Start, configure};
use crate::output::Output;

/// The arguments of `join`.
#[derive(Debug, Args)]
#[command(
    about = "Join the team, or say how an agent's program joins it",
    long_about = "Join the team, or come back with another role or other skills. `claim` lets a name that is no member \
                  join as a worker; this is for the other roles.\n\nWith the name of a program, print the configuration \
                  with which that joins over MCP (see `mcp`), or write it where the program reads it (--write). --as and \
                  --role are what it joins as.",
    after_help = "Examples:\n  agent-team join --as critic --role reviewer\n  \
                  agent-team join --as painter --role specialist --skill css --skill svg\n  \
                  agent-team join claude > .mcp.json\n  agent-team join codex --as ann --write"
)]
pub struct Join {
    /// A program whose configuration is wanted, instead of joining now
    client: Option<Client>,
    /// Put the configuration where the program reads it
    #[arg(long, requires = "client")]
    write: bool,
    /// Who joins
    #[arg(long = "as", value_name = "NAME", required_unless_present = "client")]
    agent: Option<AgentId>,
    /// lead, worker, reviewer or specialist [default: worker]
    #[arg(long)]
    role: Option<Role>,
    /// What it can do that others cannot (repeat it, or separate by commas)
    #[arg(long, value_delimiter = ',')]
    skill: Vec<Skill>,
    /// Each of its plans must be approved before it may deliver anything
    #[arg(long, conflicts_with = "client")]
    plan: bool,
    /// The lead to whose team it belongs: it takes that team's tasks and no others
    #[arg(long, value_name = "NAME", conflicts_with = "client")]
    lead: Option<AgentId>,
    /// What stands behind it, for people
    #[arg(long, value_name = "TEXT", default_value = "shell", conflicts_with = "client")]
    with: String,
}

impl Join {
    pub fn run(self, global: &Global, out: &mut Output) -> Result<Exit, Failure> {
        if let Some(client) = self.client {
            return configure(client, &self.start(global)?, self.write, out);
        }
        let agent = self.agent.ok_or_else(|| Failure::usage("--as NAME says who joins"))?;
        let queue = global.open()?;
        let role = self.role.unwrap_or(Role::Worker);
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

impl Join {
    /// What a program is to start, to join as this one.
    fn start(&self, global: &Global) -> Result<Start, Failure> {
        let broken = |error: std::io::Error| Failure::io("cannot find this program or the team", &error);
        let folder = global.folder()?;
        let workspace = folder.workspace().canonicalize().map_err(broken)?;
        let program = std::env::current_exe().map_err(broken)?;
        let mut arguments = vec!["-C".to_owned(), workspace.display().to_string(), "mcp".to_owned()];
        let said = [
            ("--as", self.agent.as_ref().map(ToString::to_string)),
            ("--role", self.role.map(|role| role.to_string())),
            ("--skill", (!self.skill.is_empty()).then(|| skills(&self.skill))),
        ];
        for (flag, value) in said {
            arguments.extend(value.into_iter().flat_map(|value| [flag.to_owned(), value]));
        }
        Ok(Start { program: program.display().to_string(), arguments, workspace })
    }
}

fn skills(skills: &[Skill]) -> String {
    skills.iter().map(Skill::as_str).collect::<Vec<_>>().join(",")
}

/// Says who is in the team as what.
pub fn tell(agent: &AgentId, role: Role, out: &mut Output) -> Result<Exit, Failure> {
    let words = format!("{agent} is in the team as a {role}");
    out.answer(&json!({ "agent": agent, "role": role }), |out| out.line(&words))?;
    Ok(Exit::Done)
}
