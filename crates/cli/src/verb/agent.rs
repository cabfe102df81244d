//! `agent`: adds agents to the team and takes them out, while it runs.

use agent_team::view::AgentView;
use agent_team::{AgentBudget, AgentId, AgentJoined, Role, Skill, With};
use clap::{Args, Subcommand};
use serde_json::json;

use crate::cli::Global;
use crate::exit::{Exit, Failure};
use crate::output::{self, Output};
use crate::verb::budget::WorkBudget;

/// The arguments of `agent`.
#[derive(Debug, Args)]
#[command(
    about = "Add an agent to the team, or drop one, while it runs",
    long_about = "Add an agent to the team, or drop one. A run that is under way starts the new agent with the model that \
                  is named, or the team's, and so does each run after it until the agent is dropped. A dropped agent ends at once; \
                  what it holds goes back to the queue, and mail that it has not read to its senders.",
    after_help = "Examples:\n  agent-team agent add worker-5\n  \
                  agent-team agent add critic --role reviewer --with anthropic:claude-sonnet-5-5\n  \
                  agent-team agent add helper --budget-usd 2 --budget-turns 100\n  \
                  agent-team agent drop worker-5"
)]
pub struct Agent {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, Subcommand)]
enum What {
    /// Add an agent, which the run under way and later ones start
    Add {
        /// Its name
        name: AgentId,
        /// lead, worker, reviewer or specialist
        #[arg(long, default_value = "worker")]
        role: Role,
        /// What it can do that others cannot (repeat it, or separate by commas)
        #[arg(long, value_delimiter = ',')]
        skill: Vec<Skill>,
        /// The model behind it, or the agent that is driven, as in `run --with`; the team's if nothing is said
        #[arg(long, value_name = "MODEL")]
        with: Option<With>,
        /// Each of its plans must be approved before it may change anything
        #[arg(long)]
        plan: bool,
        /// The lead to whose team it belongs: it takes that team's tasks and no others
        #[arg(long, value_name = "NAME")]
        lead: Option<AgentId>,
        #[command(flatten)]
        budget: Budget,
    },
    /// Take an agent out of the team
    Drop {
        /// Its name
        name: AgentId,
    },
}

/// What an agent may use in all.
#[derive(Debug, Args)]
struct Budget {
    #[command(flatten)]
    work: WorkBudget,
    /// The most attempts at tasks that it may begin
    #[arg(long, help_heading = "Budget", value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    budget_attempts: Option<u64>,
}

impl Budget {
    fn said(self) -> AgentBudget {
        AgentBudget {
            micro_usd: self.work.budget_usd,
            tokens: self.work.budget_tokens,
            turns: self.work.budget_turns,
            attempts: self.budget_attempts,
            time: self.work.budget_time,
        }
    }
}

impl Agent {
    pub fn run(self, global: &Global, out: &mut Output) -> Result<Exit, Failure> {
        let queue = global.open()?;
        match self.what {
            What::Add { name, role, skill: skills, with, plan, lead, budget } => {
                let known = queue.get_status()?.agents;
                if known.iter().any(|agent| agent.id == name && !agent.left) {
                    return Err(Failure::refused(format!("there is an agent `{name}` in the team already"))
                        .hint("choose another name, or drop that one first"));
                }
                if let Some(lead) = &lead {
                    check_lead(&known, lead)?;
                }
                let with = with.map(|with| with.to_string());
                let joined = AgentJoined {
                    skills,
                    with,
                    orchestrated: true,
                    plan,
                    lead,
                    added: true,
                    ..AgentJoined::new(name.clone(), role)
                };
                queue.join_within(&AgentId::human(), joined, budget.said().bounds())?;
                if out.is_json() {
                    out.json(&json!({ "agent": name, "role": role, "plan": plan }))?;
                } else {
                    out.line(&format!("{name} is in the team as a {role}"))?;
                }
                if !queue.is_being_run()? {
                    output::note("nobody runs the team now: the next run starts it", out.is_json());
                }
            }
            What::Drop { name } => {
                super::check_member(&queue, &name)?;
                queue.drop_agent(&AgentId::human(), &name)?;
                let left_behind = members_of(&queue.get_status()?.agents, &name);
                if !left_behind.is_empty() {
                    let words = "in its team, whose tasks alone they take: {}. Drop them too, or add another lead of that name";
                    output::note(&words.replace("{}", &left_behind.join(", ")), out.is_json());
                }
                if out.is_json() {
                    out.json(&json!({ "agent": name, "left": true }))?;
                } else {
                    out.line(&format!("{name} is not in the team any more"))?;
                }
            }
        }
        Ok(Exit::Done)
    }
}

/// The members of a lead's team.
fn members_of(known: &[AgentView], lead: &AgentId) -> Vec<String> {
    let members = known.iter().filter(|agent| !agent.left && agent.lead.as_ref() == Some(lead));
    members.map(|agent| agent.id.to_string()).collect()
}

/// Refuses a lead that none is: whoever is added would wait for ever for its tasks.
fn check_lead(known: &[AgentView], lead: &AgentId) -> Result<(), Failure> {
    let leads: Vec<&str> = known
        .iter()
        .filter(|agent| agent.role == Role::Lead && !agent.left)
        .map(|agent| agent.id.as_str())
        .collect();
    if leads.contains(&lead.as_str()) {
        return Ok(());
    }
    let hint = match leads.is_empty() {
        true => format!("there is no lead: `agent-team agent add {lead} --role lead` adds one"),
        false => format!("leads are {}", leads.join(", ")),
    };
    Err(Failure::refused(format!("`{lead}` is no lead of the team")).hint(hint))
}
