//! What the view asks for and does outside of itself: texts that are read, and commands that are done. All of it may block, so
//! nothing here is called by the thread that draws.

use std::path::Path;

use agent_team::agent::{Draft, Line};
use agent_team::view::{StretchView, TaskView};
use agent_team::{AgentId, Change, RecordId, Status, TaskId, TaskQueue, TranscriptReader};

use crate::exit::Failure;
use crate::task_text::{self, full};
use crate::view::{Done, Steer};

/// How much of a transcript is read at once, in bytes.
const READ_BYTES: u64 = 1 << 20;
/// How much of a transcript's end is shown, in bytes.
const TRANSCRIPT_BYTES: u64 = 8 << 20;

/// Something that is asked for.
#[derive(Debug, Clone, PartialEq)]
pub enum Ask {
    /// The view ends.
    Quit,
    /// What Ctrl-C does.
    Interrupt,
    /// The whole screen is drawn anew.
    Redraw,
    /// The shell has the terminal until it brings the view back.
    Suspend,
    /// All that is known of a task.
    Task(TaskId),
    /// What was delivered for it.
    Diff(TaskId),
    /// Its newest plan.
    Plan(TaskId),
    /// Its result, to be judged.
    Review(TaskId),
    /// The whole text of a message.
    Message(RecordId),
    /// What the gate said last.
    Gate,
    /// The newest transcript of a task.
    NewestOf(TaskId),
    /// The newest transcript of an agent.
    NewestBy(AgentId),
    /// The transcript of the attempt before or after one.
    Beside {
        /// The transcript.
        token: RecordId,
        /// Whether the newer one.
        newer: bool,
    },
    /// What came in a transcript since an offset; `None` for its end.
    Read {
        /// The transcript.
        token: RecordId,
        /// The offset.
        offset: Option<u64>,
    },
    /// What happened last.
    Events,
    /// A command is done.
    Do(Steer),
}

/// What came of it.
#[derive(Debug)]
pub enum Answer {
    /// All that is known of a task, in lines, and the task.
    Task(Box<TaskView>, String),
    /// A change.
    Diff(TaskId, Change),
    /// A plan.
    Plan(Box<PlanText>),
    /// A result to be judged.
    Review(Box<ReviewText>),
    /// A text under a title.
    Text(String, String),
    /// The whole text of a message.
    Message(RecordId, String),
    /// A transcript there is.
    Transcript(StretchView),
    /// Lines of a transcript, and where the next ones begin.
    Lines {
        /// The transcript.
        token: RecordId,
        /// The lines.
        lines: Vec<Line>,
        /// What is being said after them.
        draft: Option<Draft>,
        /// Where they begin.
        from: u64,
        /// Where the next ones begin.
        offset: u64,
        /// Whether more may be there.
        more: bool,
    },
    /// What came of a command.
    Done(Done),
    /// It could not be had.
    Failed(String),
}

/// A plan that is read.
#[derive(Debug)]
pub struct PlanText {
    /// The task.
    pub task: TaskId,
    /// The title of the task.
    pub title: String,
    /// Which of its plans.
    pub round: u32,
    /// Who made it.
    pub author: AgentId,
    /// What was said to it, if it was judged.
    pub verdict: Option<(bool, String)>,
    /// Who may judge it.
    pub approvers: String,
    /// The plan.
    pub text: String,
}

/// A result that is read.
#[derive(Debug)]
pub struct ReviewText {
    /// The task.
    pub task: TaskId,
    /// The title of the task.
    pub title: String,
    /// The attempt that it is of.
    pub attempt: u32,
    /// Whether it waits to be judged.
    pub waits: bool,
    /// How far its review is.
    pub review: Option<String>,
    /// The result, in its author's words.
    pub result: String,
    /// What its check said.
    pub check: Option<String>,
    /// Why it was sent back before, each with its head, oldest first.
    pub setbacks: Vec<(String, String)>,
    /// The change.
    pub diff: Option<String>,
}

impl Ask {
    /// Reads or does it. Blocks.
    pub fn answer(self, queue: &TaskQueue, workspace: &Path) -> Answer {
        self.answered(queue, workspace).unwrap_or_else(|failure| Answer::Failed(failure.words()))
    }

    fn answered(self, queue: &TaskQueue, workspace: &Path) -> Result<Answer, Failure> {
        let whole = |task: &TaskId| Ok::<_, Failure>(task_text::in_full(queue, queue.get_task(task)?));
        Ok(match self {
            Self::Task(task) => {
                let view = whole(&task)?;
                let text = crate::verb::show::as_text(&view).map_err(Failure::from)?;
                Answer::Task(Box::new(view), text)
            }
            Self::Diff(task) => {
                let change = queue.change_of(&task)?;
                let change = change.ok_or_else(|| Failure::refused(crate::verb::diff::none(&task)))?;
                Answer::Diff(task, change)
            }
            Self::Plan(task) => Answer::Plan(Box::new(plan(queue, &queue.get_task(&task)?)?)),
            Self::Review(task) => {
                let view = whole(&task)?;
                if view.result.is_none() {
                    let why = view
                        .feedback
                        .last()
                        .map(|last| format!(", {} was sent back: {}", last.agent, last.cause.as_str()));
                    let words = format!("there is no result of {task} now{}", why.unwrap_or_default());
                    return Err(Failure::refused(words).hint("Enter shows what was said, d what was changed"));
                }
                let change = queue.change_of(&task).map(|change| change.map(|change| change.patch));
                let diff = change.unwrap_or_else(|error| Some(format!("[{error}]")));
                Answer::Review(Box::new(review(&view, diff)))
            }
            Self::Message(id) => {
                let found = queue.team_log().look(|state| {
                    let mut all = state.messages().all().iter().rev();
                    all.find(|message| message.id == id).map(|message| message.text.clone())
                })?;
                let missing = || Failure::refused("there is no such message");
                Answer::Message(id, task_text::whole(queue, &found.ok_or_else(missing)?))
            }
            Self::Gate => gate(queue)?,
            Self::NewestOf(task) => {
                let newest = queue.transcripts_of(&task)?.pop();
                let none = || Failure::refused(format!("nobody has worked on `{task}`"));
                Answer::Transcript(newest.ok_or_else(none)?)
            }
            Self::NewestBy(agent) => {
                let newest = queue.newest_transcripts()?.remove(&agent);
                let none = || Failure::refused(format!("{agent} has worked on nothing"));
                Answer::Transcript(newest.ok_or_else(none)?)
            }
            Self::Beside { token, newer } => Answer::Transcript(beside(queue, token, newer)?),
            Self::Read { token, offset } => read(queue, token, offset)?,
            Self::Do(steer) => Answer::Done(steer.perform(workspace)),
            Self::Events => Answer::Text("What happened last".to_owned(), crate::verb::log::last(queue)?),
            Self::Quit | Self::Interrupt | Self::Redraw | Self::Suspend => Answer::Failed(String::new()),
        })
    }
}

fn plan(queue: &TaskQueue, task: &TaskView) -> Result<PlanText, Failure> {
    let none = || Failure::refused(format!("there is no plan for task `{}`", task.id));
    let plan = task.plan.as_ref().ok_or_else(none)?;
    let feedback = plan.feedback.as_ref().map(|text| task_text::whole(queue, text)).unwrap_or_default();
    Ok(PlanText {
        task: task.id.clone(),
        title: task.title.clone(),
        round: plan.round,
        author: plan.author.clone(),
        verdict: plan.approved.map(|approved| (approved, feedback)),
        approvers: task_text::approvers(task),
        text: task_text::whole(queue, &plan.text),
    })
}

fn review(task: &TaskView, diff: Option<String>) -> ReviewText {
    ReviewText {
        task: task.id.clone(),
        title: task.title.clone(),
        attempt: task.attempt,
        waits: task.status == Status::Reviewing,
        review: task_text::review(task),
        result: task.result.as_ref().map(|text| full(text).into_owned()).unwrap_or_default(),
        setbacks: {
            let said = task.feedback.iter().map(|feedback| {
                let head = format!(
                    "attempt {} was sent back by {}: {}",
                    feedback.attempt,
                    feedback.reviewer.as_ref().map_or("what tries it", AgentId::as_str),
                    feedback.cause.as_str()
                );
                (head, full(&feedback.text).into_owned())
            });
            said.collect()
        },
        check: task.check_output.as_ref().map(|text| full(text).into_owned()),
        diff,
    }
}

fn gate(queue: &TaskQueue) -> Result<Answer, Failure> {
    let (command, last) =
        queue.team_log().look(|state| (state.policy().gate.clone(), agent_team::view::last_gate(state)))?;
    let title =
        command.map_or_else(|| "There is no gate".to_owned(), |command| format!("The gate: {command}"));
    let text = match last {
        None => "Nothing was merged or refused yet.".to_owned(),
        Some(last) if last.passed => format!("It held when {} was merged.", last.task),
        Some(last) => {
            let said = last.output.map(|text| task_text::whole(queue, &text)).unwrap_or_default();
            format!("It refused {}:\n\n{said}", last.task)
        }
    };
    Ok(Answer::Text(title, text))
}

fn beside(queue: &TaskQueue, token: RecordId, newer: bool) -> Result<StretchView, Failure> {
    let none =
        || Failure::refused(if newer { "this is the newest attempt" } else { "this is the first attempt" });
    let known = queue.transcript(token)?.ok_or_else(none)?;
    let mut all = queue.transcripts_of(&known.task)?;
    let place = all.iter().position(|view| view.token == token).ok_or_else(none)?;
    let wanted = if newer { place.checked_add(1) } else { place.checked_sub(1) };
    let wanted = wanted.filter(|wanted| *wanted < all.len()).ok_or_else(none)?;
    Ok(all.swap_remove(wanted))
}

fn read(queue: &TaskQueue, token: RecordId, offset: Option<u64>) -> Result<Answer, Failure> {
    let Some(folder) = queue.team_log().folder() else {
        return Err(Failure::refused("a team in memory keeps no transcripts"));
    };
    let mut reader = match offset {
        Some(offset) => TranscriptReader::new(&folder.root(), token, offset),
        None => TranscriptReader::near_end(&folder.root(), token, TRANSCRIPT_BYTES),
    };
    let from = reader.offset();
    let lines = reader.read(READ_BYTES).map_err(|error| Failure::io("the transcript", &error))?;
    let offset = reader.offset();
    Ok(Answer::Lines { token, lines, draft: reader.draft(), from, offset, more: offset > from })
}
