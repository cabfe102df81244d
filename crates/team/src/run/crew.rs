//! The agents of a run: started, let go when they are dropped, and joined by those who are added meanwhile.

use std::collections::BTreeMap;

use agent_team_core::machine::{Agent as Known, State};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;
use tracing::Instrument;

use super::Run;
use crate::agent_team::Member;
use crate::progress::Progress;
use crate::teammate::Teammate;
use crate::{AgentId, Error};

/// The agents that are at work, each with what ends it alone.
#[derive(Default)]
pub(super) struct Crew {
    at_work: JoinSet<(AgentId, Result<(), Error>)>,
    tokens: BTreeMap<AgentId, CancellationToken>,
}

impl Crew {
    pub fn is_empty(&self) -> bool {
        self.at_work.is_empty()
    }

    /// Waits until one of them has ended; `None` when none is left.
    pub async fn ended(&mut self) -> Option<Result<(), Error>> {
        match self.at_work.join_next().await? {
            Ok((id, outcome)) => {
                self.tokens.remove(&id);
                Some(outcome)
            }
            Err(failed) if failed.is_cancelled() => Some(Ok(())),
            Err(failed) => Some(Err(Error::Input(format!("a part of this program broke down: {failed}")))),
        }
    }

    /// Ends all of them, whatever they do.
    pub async fn shutdown(&mut self) {
        self.at_work.shutdown().await;
    }
}

impl Run<'_> {
    /// Starts the members of the team who have not left meanwhile.
    pub(super) fn start_crew(&self) -> Result<Crew, Error> {
        let mut crew = Crew::default();
        let here: Vec<&Member> = self.team.queue.team_log().look(|state| {
            let is_here = |member: &&Member| state.agent(&member.id).is_some_and(|known| !known.left);
            self.team.members.iter().filter(is_here).collect()
        })?;
        here.into_iter().for_each(|member| self.start(&mut crew, member));
        Ok(crew)
    }

    fn start(&self, crew: &mut Crew, member: &Member) {
        let (queue, bus) = (self.team.queue.clone(), self.team.bus.clone());
        let mut mate = Teammate::new(member.id.clone(), member.role, queue, bus, member.agent.clone());
        let dropped = self.abort.child_token();
        mate.stop = self.stop.child_token();
        mate.abort = dropped.clone();
        mate.at_once = self.team.stop.at_once.clone();
        mate.desk = self.desk.clone();
        mate.environment = self.environment.clone();
        mate.reporter = self.reporter.clone();
        mate.holder = Some(self.holder.clone());
        mate.stays = true;
        if mate.agent.is_metered() {
            self.purses.note_paying(&mate.id);
        }
        mate.purses = Some(self.purses.clone());
        mate.unfinished = Some(self.unfinished.clone());
        mate.telling = self.telling.clone();
        crew.tokens.insert(member.id.clone(), dropped.clone());
        let id = member.id.clone();
        let work = async move {
            let stop = mate.stop.clone();
            // Whoever is dropped takes nothing more, whatever it does at the moment.
            let gone = async {
                dropped.cancelled().await;
                stop.cancel();
            };
            let work = mate.run_loop(None);
            tokio::pin!(work, gone);
            let mut is_gone = false;
            loop {
                tokio::select! {
                    outcome = &mut work => return (id, outcome.map(|_| ())),
                    () = &mut gone, if !is_gone => is_gone = true,
                }
            }
        };
        crew.at_work.spawn(work.in_current_span());
    }

    /// Lets go whoever was dropped, and starts whoever was added.
    pub(super) fn follow_members(&self, crew: &mut Crew) -> Result<(), Error> {
        let is_new =
            |known: &Known| known.orchestrated && !known.left && !crew.tokens.contains_key(&known.id);
        let (left, added) = self.team.queue.team_log().look(|state: &State| {
            let left = crew.tokens.keys().filter(|id| state.agent(id).is_some_and(|known| known.left));
            let added = state.agents().filter(|known| is_new(known));
            (left.cloned().collect::<Vec<_>>(), added.cloned().collect::<Vec<_>>())
        })?;
        for id in left {
            if let Some(token) = crew.tokens.get(&id).filter(|token| !token.is_cancelled()) {
                token.cancel();
                self.reporter.report(Progress::Note(format!("{id} was dropped from the team")));
            }
        }
        for known in added.into_iter().filter(|_| !self.stop.is_cancelled()) {
            self.recruit(crew, &known)?;
        }
        Ok(())
    }

    /// Starts an agent that was added to the team. One that cannot be started leaves again, with the reason.
    fn recruit(&self, crew: &mut Crew, known: &Known) -> Result<(), Error> {
        let id = known.id.clone();
        let made = match &self.team.options.recruiter {
            Some(recruiter) => recruiter.recruit(known.with.as_deref()),
            None => Err(Error::Input("this program cannot start agents that are added".into())),
        };
        match made {
            Ok(agent) => {
                let (role, skills, plan) = (known.role, known.skills.clone(), known.plan);
                let lead = known.lead.clone();
                self.start(crew, &Member { id: id.clone(), role, skills, plan, lead, agent });
                self.reporter.report(Progress::Note(format!("{id} was added to the team")));
            }
            Err(error) => {
                let left = agent_team_core::record::AgentLeft::new(id.clone());
                let _ = crate::team_log::refusal(self.team.queue.team_log().submit(&self.by, &left.into()))?;
                let note = format!("ERROR {id} was added, and cannot be started: {error}");
                self.reporter.report(Progress::Note(note));
            }
        }
        Ok(())
    }
}
