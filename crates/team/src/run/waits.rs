//! Who waits for whose word, said to the user: for the human at once, for an agent when it takes too long.

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use agent_team_core::machine::{State, Task};
use agent_team_core::record::Recipient;

use super::Run;
use super::stuck::STUCK_AFTER;
use crate::progress::Progress;
use crate::{AgentId, Error, RecordId, Stage, format_duration};

/// The plans and questions with which agents wait for agents: since when this run has known, and whether it was said.
#[derive(Default)]
pub(super) struct Waits(BTreeMap<RecordId, (Instant, bool)>);

/// An agent that waits for others.
struct Waiting {
    /// The plan or the question.
    id: RecordId,
    from: AgentId,
    /// Those whose word would do.
    others: Vec<AgentId>,
    /// What they are to do.
    what: &'static str,
    /// How a human may do it.
    remedy: String,
}

impl Run<'_> {
    /// Says once of each plan and each question that somebody waits with for the human.
    pub(super) fn name_what_waits_for_the_human(&self, named: &mut BTreeSet<RecordId>) -> Result<(), Error> {
        let human = AgentId::human();
        let waiting: Vec<(RecordId, String)> = self.team.queue.team_log().look(|state| {
            let others_may = |task: &Task| {
                let mut members = state.agents().filter(|agent| !agent.left);
                members.any(|agent| {
                    let may = agent.id != human && state.may_approve(task, &agent.id);
                    may && state.held_up(&agent.id).is_none() && self.purses.allow(state, &agent.id)
                })
            };
            let plans = state.open_plans().filter(|(task, _)| !others_may(task)).map(|(task, plan)| {
                let id = task.id();
                let missing = task.spec.approver.as_ref().filter(|named| {
                    **named != human && !state.is_member(named) && state.may_approve(task, &human)
                });
                let missing = missing
                    .map(|named| format!(" ({named}, who was to, is not in the team)"))
                    .unwrap_or_default();
                let who = &plan.author;
                (
                    plan.id,
                    format!("WAITS {who} for you to judge its plan{missing}: agent-team plan show {id}"),
                )
            });
            let asked = state.open_questions().filter(|asked| asked.is_for(&human, None));
            let questions = asked.map(|asked| {
                let text = asked.text.preview();
                let first = text.lines().next().unwrap_or_default().to_owned();
                (asked.id, format!("WAITS {} for your answer (agent-team answer): {first}", asked.from))
            });
            let reviews = state.waiting_for(Stage::Review).filter_map(|task| {
                let members = state.agents().filter(|agent| !agent.left && agent.id != human);
                let may = members.filter(|agent| state.may_review(task, &agent.id));
                let mut reviewers = may.filter(|agent| state.held_up(&agent.id).is_none()).peekable();
                let outsider = *reviewers.peek()?;
                // Those of this run take it themselves.
                if reviewers.any(|agent| agent.orchestrated) {
                    return None;
                }
                let (id, who) = (task.id(), &outsider.id);
                let submission = task.submission.as_ref()?.id;
                Some((submission, format!("WAITS {id} for a review by {who}: agent-team review {id} --as {who}")))
            });
            let held_up = state.pauses().filter_map(|(agent, pause)| Some((agent?, pause.revision)));
            let stopped = held_up.filter_map(|(agent, revision)| {
                let left = state.waiting_for_return_of(agent).find(|task| !state.is_free_of_its_author(task))?;
                let words =
                    format!("WAITS {} for {agent} to be resumed: agent-team resume {agent}", left.id());
                Some((revision, words))
            });
            let is_paused = |agent: &AgentId| state.pauses().any(|(paused, _)| paused == Some(agent));
            let of_paused = state.open_questions().filter_map(|asked| match &asked.to {
                Recipient::Agent(to) if is_paused(to) => Some((
                    asked.id,
                    format!(
                        "WAITS {} for an answer of {to}, which is paused: agent-team resume {to}; you may answer, too: \
                         agent-team answer {}",
                        asked.from, asked.id
                    ),
                )),
                _ => None,
            });
            plans.chain(questions).chain(reviews).chain(stopped).chain(of_paused).collect()
        })?;
        for (id, words) in waiting {
            if named.insert(id) {
                self.reporter.report(Progress::Note(words));
            }
        }
        Ok(())
    }

    /// Says once of each plan and each question with which an agent has waited for another one for so long that an agent
    /// would be stuck that does nothing. Whoever waits for somebody who is held up, or whose provider is limited, waits for
    /// people or for the provider.
    pub(super) fn name_who_waits_for_agents(&self, known: &mut Waits) -> Result<(), Error> {
        let mut waiting = self.team.queue.team_log().look(|state| self.waiting_for_agents(state))?;
        let governor = self.team.queue.team_log().governor();
        waiting.retain(|wait| !wait.others.iter().all(|other| governor.holds_up(other)));
        known.0.retain(|id, _| waiting.iter().any(|wait| wait.id == *id));
        let limit = self.team.options.stuck_after.unwrap_or(STUCK_AFTER);
        for Waiting { id, from, others, what, remedy } in waiting {
            let (since, said) = known.0.entry(id).or_insert_with(|| (Instant::now(), false));
            let waited = since.elapsed();
            if waited < limit || std::mem::replace(said, true) {
                continue;
            }
            let others: Vec<&str> = others.iter().map(AgentId::as_str).collect();
            let (others, waited) =
                (others.join(" or "), format_duration(Duration::from_secs(waited.as_secs())));
            let note = format!("WAITS {from} for {others} {what}, for {waited} now; you may, too: {remedy}");
            self.reporter.report(Progress::Note(note));
        }
        Ok(())
    }

    fn waiting_for_agents(&self, state: &State) -> Vec<Waiting> {
        let human = AgentId::human();
        let is_free = |agent: &AgentId| state.held_up(agent).is_none() && self.purses.allow(state, agent);
        let approvers = |task: &Task| {
            let members = state.agents().filter(|agent| !agent.left && agent.id != human);
            let members = members.filter(|agent| state.may_approve(task, &agent.id) && is_free(&agent.id));
            members.map(|agent| agent.id.clone()).collect()
        };
        let plans = state.open_plans().map(|(task, plan)| Waiting {
            id: plan.id,
            from: plan.author.clone(),
            others: approvers(task),
            what: "to judge its plan",
            remedy: format!("agent-team plan show {}", task.id()),
        });
        let holds = |agent: &AgentId| state.held().any(|(_, claim)| claim.agent == *agent);
        let questions = state.open_questions().filter_map(|asked| match &asked.to {
            Recipient::Agent(to) if *to != human && is_free(to) && holds(&asked.from) => Some(Waiting {
                id: asked.id,
                from: asked.from.clone(),
                others: vec![to.clone()],
                what: "to answer it",
                remedy: format!("agent-team answer {}", asked.id),
            }),
            _ => None,
        });
        plans.chain(questions).filter(|wait| !wait.others.is_empty()).collect()
    }
}
