//! A seat: the place of an agent in the team for one session alone, for as long as its process lives.
//!
//! Two sessions under one name would read each other's mail and answer for each other. The lock behind a seat dies with its
//! process, however that dies, so a name is free again at once. Workers in shells have none: they come and go with each
//! command.
//!
//! What an agent says of itself gives it nothing: the names of others, and the roles that judge, are the user's to give.

use agent_team_core::machine::Agent;
use agent_team_core::record::{AgentJoined, Role};
use agent_team_log::{AnnounceError, Liveness, Presence, probe};

use crate::folder::TeamFolder;
use crate::members::free_to_take;
use crate::team_log::refusal;
use crate::{AgentId, Error, Skill, TaskQueue};

/// What the presence of a session is named before its agent's name.
const PREFIX: &str = "agent-";
/// What stands behind an agent that has a seat.
const WITH: &str = "mcp";

/// A seat that somebody wants.
#[derive(Debug, Clone)]
pub struct SeatWish {
    /// The name.
    pub agent: AgentId,
    /// Whether the user gave the name. Otherwise the agent chose it, and it is not one that somebody else has.
    pub is_users_name: bool,
    /// What it is to be; what it was, or a worker, if nothing is said.
    pub role: Option<Role>,
    /// Whether the user gave the role. Otherwise it is none that judges others.
    pub is_users_role: bool,
    /// What it can do that others cannot.
    pub skills: Vec<Skill>,
}

/// The place of an agent in the team, for one session alone until this is dropped. Who came with it leaves with it, and
/// gives back what it holds.
///
/// ```
/// use agent_team::{Seat, SeatWish, TaskQueue};
///
/// let folder = tempfile::tempdir()?;
/// let queue = TaskQueue::new(folder.path())?;
/// let wish = SeatWish {
///     agent: "worker-1".parse()?,
///     is_users_name: false,
///     role: None,
///     is_users_role: false,
///     skills: Vec::new(),
/// };
/// let seat = Seat::take(&queue, &wish)?;
/// assert!(Seat::take(&queue, &wish).is_err(), "another session has it");
/// seat.leave()?;
/// assert!(queue.get_status()?.agents[0].left);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct Seat {
    queue: TaskQueue,
    agent: AgentId,
    role: Role,
    /// Whether the user had it join before, so that it stays.
    stays: bool,
    has_left: bool,
    /// `None` in a team in memory, which only this process sees.
    _presence: Option<Presence>,
}

impl Seat {
    /// Takes the seat of an agent, which joins the team if it is no member.
    ///
    /// # Errors
    /// [`Error::SeatTaken`] when another session has it; an input error when the name or the role is not the agent's to
    /// choose; a refusal when the team has as many members as it may.
    pub fn take(queue: &TaskQueue, wish: &SeatWish) -> Result<Self, Error> {
        free_to_take(&wish.agent)?;
        let presence = announce(queue, &wish.agent)?;
        let known = queue.team_log().look(|state| state.agent(&wish.agent).cloned())?;
        let there = known.as_ref().filter(|known| !known.left);
        may_have_name(there, wish)?;
        let role = role(known.as_ref(), wish)?;
        let skills = match (&known, wish.skills.is_empty()) {
            (Some(known), true) => known.skills.clone(),
            _ => wish.skills.clone(),
        };
        if !there.is_some_and(|known| known.role == role && known.skills == skills) {
            // What the user wants of it holds on.
            let (plan, lead) = known.as_ref().map_or((false, None), |known| (known.plan, known.lead.clone()));
            let with = there.map_or(Some(WITH.to_owned()), |known| known.with.clone());
            queue.join(AgentJoined {
                skills,
                with,
                plan,
                lead,
                ..AgentJoined::new(wish.agent.clone(), role)
            })?;
        }
        Ok(Self {
            queue: queue.clone(),
            agent: wish.agent.clone(),
            role,
            stays: there.is_some_and(|known| !is_seated(known)),
            has_left: false,
            _presence: presence,
        })
    }

    /// Whose it is.
    pub fn agent(&self) -> &AgentId {
        &self.agent
    }

    /// What the agent is.
    pub fn role(&self) -> Role {
        self.role
    }

    /// Gives the seat up, and leaves the team unless the user had the agent join.
    ///
    /// # Errors
    /// When the log cannot be read or written.
    pub fn leave(mut self) -> Result<(), Error> {
        self.get_up()
    }

    fn get_up(&mut self) -> Result<(), Error> {
        if self.stays || std::mem::replace(&mut self.has_left, true) {
            return Ok(());
        }
        // It may have been taken out.
        refusal(self.queue.leave(&self.agent)).map(|_| ())
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        // A log that cannot be written is told by whoever writes next; what was held goes back with the process.
        let _ = self.get_up();
    }
}

fn announce(queue: &TaskQueue, agent: &AgentId) -> Result<Option<Presence>, Error> {
    let Some(folder) = queue.team_log().folder() else { return Ok(None) };
    match Presence::announce(&folder.presence(), &format!("{PREFIX}{agent}")) {
        Ok(presence) => Ok(Some(presence)),
        Err(AnnounceError::Taken { .. }) => Err(Error::SeatTaken { agent: agent.clone() }),
        Err(error) => Err(error.into()),
    }
}

/// Whether it came with a seat, and nobody has that now.
fn is_seated(known: &Agent) -> bool {
    known.with.as_deref() == Some(WITH)
}

/// Whether an agent that works in sessions alone has none: its last one ended without a word.
pub(crate) fn is_left_empty(folder: &TeamFolder, agent: &Agent) -> bool {
    let name = format!("{PREFIX}{}", agent.id);
    is_seated(agent) && probe(&folder.presence(), &name) == Liveness::Dead
}

fn may_have_name(there: Option<&Agent>, wish: &SeatWish) -> Result<(), Error> {
    let agent = &wish.agent;
    match there {
        Some(known) if known.orchestrated => {
            Err(Error::Input(format!("{agent} works for runs of this team: choose another name")))
        }
        Some(known) if !is_seated(known) && !wish.is_users_name => Err(Error::Input(format!(
            "{agent} is in the team already: choose another name, or have the user start `agent-team mcp --as {agent}`"
        ))),
        _ => Ok(()),
    }
}

fn role(known: Option<&Agent>, wish: &SeatWish) -> Result<Role, Error> {
    let had = known.filter(|_| wish.is_users_name).map(|known| known.role);
    let role = wish.role.or(had).unwrap_or(Role::Worker);
    match role {
        Role::Lead | Role::Reviewer if !wish.is_users_role && had != Some(role) => {
            Err(Error::Input(format!(
                "only the user makes somebody a {role}: have the user start `agent-team mcp --role {role}`"
            )))
        }
        role => Ok(role),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wish(name: &str) -> SeatWish {
        let agent = name.parse().unwrap();
        SeatWish { agent, is_users_name: false, role: None, is_users_role: false, skills: Vec::new() }
    }

    fn queue() -> (TaskQueue, tempfile::TempDir) {
        let folder = tempfile::tempdir().unwrap();
        (TaskQueue::new(folder.path()).unwrap(), folder)
    }

    #[test]
    fn an_agent_gives_itself_neither_a_role_that_judges_nor_the_name_of_another() {
        let (queue, _folder) = queue();
        queue.join(AgentJoined::new("critic".parse().unwrap(), Role::Reviewer)).unwrap();
        let run = AgentJoined { orchestrated: true, ..AgentJoined::new("w1".parse().unwrap(), Role::Worker) };
        queue.join(run).unwrap();
        let refused = |wish: &SeatWish| Seat::take(&queue, wish).err().map(|error| error.to_string());
        for role in [Role::Lead, Role::Reviewer] {
            let words = refused(&SeatWish { role: Some(role), ..wish("me") }).unwrap();
            assert!(words.contains("only the user makes somebody a"), "{words}");
        }
        for (name, words) in [
            ("critic", "is in the team already"),
            ("w1", "works for runs"),
            ("human", "is your word"),
            ("orchestrator", "every run"),
        ] {
            assert!(refused(&wish(name)).unwrap().contains(words), "{name}");
        }
        assert!(refused(&SeatWish { is_users_name: true, ..wish("w1") }).is_some(), "not even for the user");
        let critic = Seat::take(&queue, &SeatWish { is_users_name: true, ..wish("critic") }).unwrap();
        assert_eq!(critic.role(), Role::Reviewer);
        let given = SeatWish { role: Some(Role::Reviewer), is_users_role: true, ..wish("me") };
        assert_eq!(Seat::take(&queue, &given).unwrap().role(), Role::Reviewer);
    }

    #[test]
    fn who_came_with_a_seat_leaves_with_it_and_who_was_there_stays() {
        let (queue, _folder) = queue();
        queue.join(AgentJoined::new("there".parse().unwrap(), Role::Worker)).unwrap();
        queue.add_task("Say hello").unwrap();
        let came = Seat::take(&queue, &wish("came")).unwrap();
        let there = Seat::take(&queue, &SeatWish { is_users_name: true, ..wish("there") }).unwrap();
        let claimed = queue.claim_task(came.agent()).unwrap().unwrap();
        drop((came, there));
        let left: Vec<bool> = queue.get_status().unwrap().agents.iter().map(|agent| agent.left).collect();
        assert_eq!(left, [true, false], "came, there");
        assert_eq!(queue.get_task(&claimed.task.id).unwrap().agent, None);
    }
}
