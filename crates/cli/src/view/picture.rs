//! A picture of a team: all that a view shows of it at one moment.
//!
//! It is taken when something has changed, and then drawn from as often as needed.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use agent_team::view::{
    AgentView, BudgetView, GateRunView, GoalView, LimitView, MessageView, PauseView, RowView, RunView,
    StatusView, Waiting, last_gate, message, rows, runs, status,
};
use agent_team::{
    AgentId, AgentState, Amount, Counts, Doing, Error, RecordId, TaskId, TaskQueue, TranscriptReader,
};
use serde::Serialize;

use super::transcript_words::{spoken, words};

/// How many messages are shown, the newest.
const MESSAGES: usize = 500;
/// How many lines of each agent's transcript.
const LAST_LINES: usize = 4;
/// How much of a long line that is being said, in characters.
const SPOKEN_CHARS: usize = 120;
/// How much of a transcript's end is looked at for them, in bytes.
const LAST_BYTES: u64 = 16 << 10;

/// All that a view shows of a team.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct Picture {
    /// How many records the log holds.
    pub records: u64,
    /// What the team is called: its folder's name.
    pub name: String,
    /// What it is for.
    pub goal: Option<GoalView>,
    /// How many tasks there are of each status, and in all.
    pub counts: Counts,
    /// What was spent.
    pub spent: Amount,
    /// What is set aside for calls under way.
    pub reserved: Amount,
    /// What may be spent.
    pub budgets: Vec<BudgetView>,
    /// The agents, by name.
    pub agents: Vec<AgentRow>,
    /// All tasks, in the order in which they were added.
    pub tasks: Vec<RowView>,
    /// The newest messages, oldest first.
    pub messages: Vec<MessageView>,
    /// The tasks whose plans wait to be judged.
    pub plans: Vec<TaskId>,
    /// The questions that nobody has answered.
    pub questions: Vec<RecordId>,
    /// Who is held up.
    pub pauses: Vec<PauseView>,
    /// Tasks that wait for something that will not happen by itself.
    pub stuck: Vec<Waiting>,
    /// Models that take no calls, or took none for a while.
    pub limited: Vec<LimitView>,
    /// What stands before the target branch.
    pub gate: GatePicture,
    /// The runs, oldest first.
    pub runs: Vec<RunView>,
    /// Whether one of them goes on, as far as the log knows.
    pub is_run: bool,
}

/// An agent as views show it.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct AgentRow {
    /// What the log knows of it.
    #[serde(flatten)]
    pub agent: AgentView,
    /// What it does at the moment.
    pub doing: Doing,
    /// The same in words.
    pub words: String,
    /// Since when, in milliseconds since 1970, where that is known.
    pub since_ms: Option<u64>,
    /// The transcript of what it works on, or worked on last.
    pub transcript: Option<RecordId>,
    /// The last lines of that transcript, oldest first.
    pub last: Vec<String>,
}

/// The gate, and what it said last.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct GatePicture {
    /// The command that must hold on the target branch.
    pub command: Option<String>,
    /// How the newest merge ended.
    pub last: Option<GateRunView>,
}

impl Picture {
    /// The team as it is in this queue. With the folder `.agent-team` in which transcripts lie, what agents said last is in it.
    ///
    /// # Errors
    /// When the log cannot be read.
    pub fn of(queue: &TaskQueue, name: &str, root: Option<&Path>) -> Result<Self, Error> {
        let states = queue.agent_states()?;
        let newest = queue.newest_transcripts()?;
        let is_run = queue.is_being_run()?;
        let budgets = queue.budgets()?;
        let (status, tasks, messages, gate, runs) = queue.team_log().look(|state| {
            let all = state.messages().all();
            let newest = all.iter().skip(all.len().saturating_sub(MESSAGES));
            let gate = GatePicture { command: state.policy().gate.clone(), last: last_gate(state) };
            (status(state), rows(state), newest.map(|one| message(state, one)).collect(), gate, runs(state))
        })?;
        let StatusView {
            counts,
            goal,
            stuck,
            pauses,
            questions,
            plans,
            limited,
            spent,
            reserved,
            records,
            ..
        } = status;
        let mut states: BTreeMap<AgentId, AgentState> =
            states.into_iter().map(|state| (state.agent.clone(), state)).collect();
        let row = |agent: AgentView| {
            let state = states.remove(&agent.id);
            let transcript = newest.get(&agent.id).map(|view| view.token);
            let last = root.zip(transcript).map(|(root, token)| last_lines(root, token)).unwrap_or_default();
            let (doing, words, since_ms) = match state {
                Some(AgentState { doing, words, since_ms, .. }) => (doing, words, since_ms),
                // It joined between the two looks.
                None => (Doing::Idle, String::new(), None),
            };
            AgentRow { agent, doing, words, since_ms, transcript, last }
        };
        Ok(Self {
            records,
            name: name.to_owned(),
            goal,
            counts,
            spent,
            reserved,
            budgets,
            agents: status.agents.into_iter().map(row).collect(),
            tasks,
            messages,
            plans,
            questions,
            pauses,
            stuck,
            limited,
            gate,
            runs,
            is_run,
        })
    }

    /// The transcripts of which it shows the last lines.
    pub fn transcripts(&self) -> BTreeSet<RecordId> {
        self.agents
            .iter()
            .filter(|agent| !agent.agent.holds.is_empty())
            .filter_map(|agent| agent.transcript)
            .collect()
    }
}

/// The last lines of a transcript, oldest first. What cannot be read has none.
pub fn last_lines(root: &Path, token: RecordId) -> Vec<String> {
    let mut reader = TranscriptReader::near_end(root, token, LAST_BYTES);
    let lines = reader.read(LAST_BYTES).unwrap_or_default();
    let now = reader.draft().map(|draft| spoken(&draft, SPOKEN_CHARS)).unwrap_or_default();
    let before = lines.iter().rev().flat_map(|line| words(line).into_iter().rev());
    let mut last: Vec<String> = now.into_iter().rev().chain(before).take(LAST_LINES).collect();
    last.reverse();
    last
}
