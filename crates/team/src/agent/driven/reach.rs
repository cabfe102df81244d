//! What a driven program reaches from behind its walls: the tools of its team, the hosts that the user named, and models that
//! are lent to it.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;

use super::lending::Lending;
use super::server::{Serving, TeamServer};
use super::{Access, DrivenAgent};
use crate::agent::metered::{Meter, OpenTurn};
use crate::agent::{AgentError, Context};
use crate::command::Environment;
use crate::gateway::{Gateway, Open};
use crate::model::{Caller, Usage};
use crate::sandbox::{Sandbox, SandboxKind};
use crate::trust::{self, Wish};
use crate::{Error, TaskId, TeamFolder};

/// The home of a program in the folder of its attempt: what it keeps of a conversation it finds again there.
const HOME: &str = "home";

/// What a program reaches, as long as this lives.
pub(super) struct Reach {
    pub environment: Environment,
    /// The tools of its team, if it is served any.
    pub serving: Option<Serving>,
    /// How it reaches them.
    pub team: Option<TeamServer>,
    /// The models that are lent to it, if there are any.
    pub lending: Option<Arc<Lending>>,
    home: Option<PathBuf>,
    _open: Option<Open>,
}

impl Reach {
    /// Opens the way for a program that works on a task, or on none.
    pub async fn begin(
        agent: &DrivenAgent,
        context: &Context,
        task: Option<&TaskId>,
        serving: Option<Serving>,
    ) -> Result<Self, AgentError> {
        let (environment, home) = at_home(context)?;
        let environment = without_untrusted(agent, context, environment)?;
        // Any program may do without a model, and where nothing can be lent to it there is none.
        let is_any = !agent.driver.takes_tools();
        let cannot_borrow = is_any && matches!(environment.sandbox().kind(), Ok(SandboxKind::Landlock));
        let wants =
            serving.is_some() || !agent.hosts.is_empty() || (agent.passages.is_some() && !cannot_borrow);
        let Some(keeper) = agent.relay.as_ref().filter(|_| wants) else {
            return Ok(Self { environment, serving: None, team: None, lending: None, home, _open: None });
        };
        let lending = agent.passages.clone().map(|passages| {
            let caller = Caller {
                agent: context.agent.to_string(),
                role: context.role.to_string(),
                task: task.map(ToString::to_string),
                ..Caller::default()
            };
            let meter = agent.meter(context, task.cloned());
            Arc::new(Lending::new(passages, meter, caller, context.activity.clone()))
        });
        let gateway = Gateway::to(&agent.hosts)
            .lending(lending.clone().map(|lending| lending as _))
            .serving(serving.as_ref().map(Serving::tools));
        let open = gateway.open(&environment, keeper).await?;
        let address: SocketAddr = open.address;
        let variables = lending.iter().flat_map(|lending| lending.variables(address));
        let environment = variables
            .fold(open.environment.clone(), |environment, (name, value)| environment.with_own(name, &value));
        let team = serving.as_ref().map(|serving| serving.server(keeper, address));
        Ok(Self { environment, serving, team, lending, home, _open: Some(open) })
    }

    /// The environment of a program that may do so much.
    pub fn environment(&self, access: Access) -> Environment {
        match access {
            Access::Work => self.environment.clone(),
            Access::Look => {
                let sandbox = self.environment.sandbox().clone().looking();
                self.environment.clone().confined(sandbox)
            }
        }
    }

    /// Lets the program take a turn.
    ///
    /// # Errors
    /// As [`Meter::begin_turn`].
    pub async fn begin_turn<'a>(&self, meter: &'a Meter, name: &str) -> Result<Turn<'a>, AgentError> {
        let turn = meter.begin_turn(name, self.lending.is_some()).await?;
        // Of an earlier one nothing is said any more.
        let _ = self.failed();
        Ok(Turn { turn, lending: self.lending.clone(), calls_before: self.calls() })
    }

    fn calls(&self) -> u64 {
        self.lending.as_ref().map_or(0, |lending| lending.calls())
    }

    /// Waits until all calls of a program that has ended are counted.
    pub async fn settled(&self) {
        if let Some(lending) = &self.lending {
            lending.settled().await;
        }
    }

    /// What kept the program from calling a model, if anything did.
    pub fn refused(&self) -> Option<AgentError> {
        self.lending.as_ref()?.refused()
    }

    /// Why the program's model does not answer, if it has not answered its last call.
    pub fn failed(&self) -> Option<String> {
        self.lending.as_ref()?.failed()
    }

    /// Forgets what the program has kept: nobody will go on with that.
    pub fn forget(&self) {
        if let Some(home) = &self.home {
            // What cannot be deleted is in the way of nobody.
            let _ = std::fs::remove_dir_all(home);
        }
    }
}

/// A turn of a program.
pub(super) struct Turn<'a> {
    turn: OpenTurn<'a>,
    lending: Option<Arc<Lending>>,
    calls_before: u64,
}

impl Turn<'_> {
    /// Counts what the program says that it has used, unless its calls were counted one by one.
    pub fn end(self, said: Usage) -> Result<(), Error> {
        match self.lending.is_some_and(|lending| lending.calls() > self.calls_before) {
            true => self.turn.end_counted(),
            false => self.turn.end(said),
        }
    }
}

/// Hides the settings that the repository holds for coding agents, unless the user trusts them as they are.
fn without_untrusted(
    agent: &DrivenAgent,
    context: &Context,
    environment: Environment,
) -> Result<Environment, AgentError> {
    let team = context.queue.team_log().folder().map(TeamFolder::workspace);
    let Some((team, place)) = team.zip(context.workspace.as_deref()) else { return Ok(environment) };
    let is_trusted = |wish: &Wish| agent.trust.as_ref().is_some_and(|trust| trust.has(wish));
    let mut untrusted = trust::settings(team, place)?;
    untrusted.retain(|(_, wish)| !is_trusted(wish));
    if untrusted.is_empty() {
        return Ok(environment);
    }
    let names: Vec<&str> = untrusted.iter().map(|(_, wish)| wish.what.as_str()).collect();
    let names = names.join(", ");
    if environment.sandbox().is_none() {
        return Err(AgentError::Unable(format!(
            "the repository has settings for coding agents that you have not said that you trust ({names}), and without a sandbox \
             they cannot be hidden: read them, then say so by `agent-team trust`"
        )));
    }
    agent.told.call_once(|| {
        context.activity.note(format!(
            "NOTE coding agents do not see {names}: you have not said that you trust what this repository wants of them \
             (agent-team trust)"
        ));
    });
    let hide = |sandbox: Sandbox, (path, _): &(PathBuf, Wish)| sandbox.hiding(path);
    let sandbox = untrusted.iter().fold(environment.sandbox().clone(), hide);
    Ok(environment.confined(sandbox))
}

/// The environment of a program that finds its home again, if it is confined and has a folder for that.
fn at_home(context: &Context) -> Result<(Environment, Option<PathBuf>), AgentError> {
    let environment = context.environment.clone();
    let Some(folder) = context.attempt_folder.as_ref().filter(|_| !environment.sandbox().is_none()) else {
        return Ok((environment, None));
    };
    let home = folder.join(HOME);
    let broken = |source| Error::Io { verb: "make", path: home.clone(), source };
    std::fs::create_dir_all(&home).map_err(broken)?;
    let sandbox = environment.sandbox().clone().at_home(&home);
    Ok((environment.confined(sandbox), Some(home)))
}
