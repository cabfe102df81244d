//! What is on the screen: which view, what is selected, which pages and which dialog are open. Keys and news change it, and
//! what they want from outside is handed back; nothing is read or done here, and the time comes in.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;

use agent_team::agent::{Draft, Line};
use agent_team::{AgentId, RecordId, TaskId};
use crossterm::event::{KeyCode, KeyEvent, KeyModifiers};
use ratatui::layout::Rect;

use super::ask::{Answer, Ask};
use super::dialog::{Dialog, Pressed, Words};
use super::field::Field;
use super::keys::{self, Action, Place};
use super::lists::Lists;
use super::pages::{Kind, Page};
use super::team::Team;
use super::theme::{Theme, Tone};
use super::transcript;

/// Who types on has less time between two keys, in milliseconds.
const TYPING_MS: u64 = 350;
/// Who has not pressed a key for so long, in milliseconds, is not about to press another one.
const RESTING_MS: u64 = 5_000;
/// The same for who has a text open, and may be reading it.
const READING_MS: u64 = 300_000;
/// How long the last line says what came of a command, in milliseconds.
const SAID_MS: u64 = 12_000;
/// How many lines of a run are kept.
const LINES: usize = 500;

/// The views, by their names.
pub const TABS: [(&str, Place); 5] = [
    ("Agents", Place::Agents),
    ("Board", Place::Board),
    ("Graph", Place::Graph),
    ("Messages", Place::Messages),
    ("Merges", Place::Merges),
];

/// Of what the view is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Host {
    /// It is `watch`: it ends by itself.
    Watch,
    /// It is shown by a run, which goes on without it.
    Run,
}

/// How far a run was asked to end.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Ending {
    /// It was not.
    #[default]
    No,
    /// Agents finish their turns.
    Gently,
    /// At once.
    AtOnce,
}

/// The state of the view.
pub struct Screen {
    /// The team.
    pub team: Arc<Team>,
    /// What the views list, and what is selected.
    pub lists: Lists,
    /// The last lines of transcripts.
    pub tails: BTreeMap<RecordId, Vec<String>>,
    /// What agents of this run do at the moment, as they told it last.
    pub activity: BTreeMap<AgentId, String>,
    /// The last lines that the run told, oldest first.
    pub told: VecDeque<String>,
    /// How things look.
    pub theme: Theme,
    /// Of what the view is.
    pub host: Host,
    /// How far the run was asked to end.
    pub ending: Ending,
    /// Which view is shown.
    pub tab: usize,
    /// What is filtered.
    pub filter: String,
    /// What is being typed to search for.
    pub typing: Option<Field>,
    /// The tasks that are folded in the tree.
    pub folded: BTreeSet<TaskId>,
    /// The pages over the view, the topmost last.
    pub pages: Vec<Page>,
    /// The dialog over all of it.
    pub dialog: Option<Dialog>,
    /// What came of the last command, or what else there is to say.
    pub said: Option<(Tone, String)>,
    /// Words that were typed and not sent, or refused, by what they were for.
    kept: BTreeMap<String, String>,
    /// Whether those of many agents are shown that have nothing to do.
    pub shows_idle: bool,
    /// For what those were that are on their way.
    sent: Option<String>,
    /// When a key was pressed last, in milliseconds since 1970, and whether it was typed for nothing.
    key_ms: u64,
    typed_in_vain: bool,
    /// Whether the run is over, and the view closes as soon as nobody is in the middle of something.
    pub is_over: bool,
    /// What that was when the clock was looked at, and since when it stands there.
    said_since: (Option<(Tone, String)>, u64),
    /// How many answers are awaited from outside.
    pub awaited: usize,
    /// The time, in milliseconds since 1970.
    pub now_ms: u64,
    /// What can be clicked on the screen as it was drawn last.
    pub hits: Vec<(Rect, Hit)>,
    /// How the views were drawn last.
    pub drawn: Drawn,
}

/// How the views were drawn last: keys move by it.
#[derive(Debug, Clone, Copy, Default)]
pub struct Drawn {
    /// How many panes stand beside each other, and how many rows of them are seen.
    pub panes: (usize, usize),
    /// How many rows a list has.
    pub rows: usize,
    /// Whether the columns of the board stand beside each other.
    pub is_wide: bool,
    /// The first row that is seen in each view, and in each column of the board.
    pub tops: [usize; TABS.len()],
    /// The same for each column of the board.
    pub columns: [usize; super::team::COLUMNS.len()],
}

/// What can be clicked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Hit {
    /// A view.
    Tab(usize),
    /// What waits for the human.
    Calls,
    /// An agent, by its place in the list.
    Agent(usize),
    /// A task on the board.
    Board(usize, usize),
    /// A row of the tree.
    Row(usize),
    /// A message.
    Message(usize),
    /// A merge.
    Merge(usize),
    /// What the gate said.
    Gate,
}

impl Screen {
    /// The view of a team.
    pub fn new(team: Arc<Team>, theme: Theme, host: Host, now_ms: u64) -> Self {
        let folded = BTreeSet::new();
        let mut lists = Lists::of(&team, "", &folded, false);
        lists.at.board.0 = 2;
        lists.at.message = usize::MAX;
        lists.settle();
        lists.find_something();
        Self {
            team,
            lists,
            tails: BTreeMap::new(),
            activity: BTreeMap::new(),
            told: VecDeque::new(),
            theme,
            host,
            ending: Ending::No,
            tab: 0,
            filter: String::new(),
            typing: None,
            folded,
            pages: Vec::new(),
            dialog: None,
            said: None,
            kept: BTreeMap::new(),
            shows_idle: false,
            sent: None,
            said_since: (None, now_ms),
            key_ms: 0,
            typed_in_vain: false,
            is_over: false,
            awaited: 0,
            now_ms,
            hits: Vec::new(),
            drawn: Drawn::default(),
        }
    }

    /// It is later. What was said a while ago makes room for what happens.
    pub fn clock(&mut self, now_ms: u64) {
        self.now_ms = now_ms;
        if self.said != self.said_since.0 {
            self.said_since = (self.said.clone(), now_ms);
        } else if now_ms.saturating_sub(self.said_since.1) > SAID_MS {
            self.said = None;
        }
    }

    /// The team has changed. Asks for what is open, since that may have changed, too.
    pub fn news(&mut self, team: Arc<Team>) -> Vec<Ask> {
        let before = std::mem::replace(&mut self.team, team);
        self.relist(&before);
        let open = self.pages.last().map(|page| &page.kind);
        match open {
            Some(Kind::Task(task)) => vec![Ask::Task(task.clone())],
            Some(Kind::Plan(task, ..)) => vec![Ask::Plan(task.clone())],
            Some(Kind::Review(task, _, true)) => vec![Ask::Review(task.clone())],
            Some(Kind::Message(message)) => vec![Ask::Message(*message)],
            Some(Kind::Transcript(..)) => self.transcript_grew(),
            _ => Vec::new(),
        }
    }

    /// Transcripts have grown. Asks for the lines that came in the one that is open.
    pub fn transcript_grew(&self) -> Vec<Ask> {
        match self.pages.last().map(|page| &page.kind) {
            Some(Kind::Transcript(view, Some(offset))) => {
                vec![Ask::Read { token: view.token, offset: Some(*offset) }]
            }
            _ => Vec::new(),
        }
    }

    /// The transcript that is open.
    pub fn open_transcript(&self) -> Option<RecordId> {
        match self.pages.last().map(|page| &page.kind) {
            Some(Kind::Transcript(view, _)) => Some(view.token),
            _ => None,
        }
    }

    /// Makes the lists anew after the filter, or what is folded, has changed.
    pub fn relist_here(&mut self) {
        let team = self.team.clone();
        self.relist(&team);
    }

    fn relist(&mut self, before: &Team) {
        let lists = Lists::of(&self.team, &self.filter, &self.folded, self.shows_idle);
        self.lists = lists.after(&self.team, &self.lists, before);
        self.lists.find_something();
    }

    /// A line that the run told.
    pub fn tell(&mut self, line: String) {
        if self.told.len() == LINES {
            self.told.pop_front();
        }
        self.told.push_back(line);
    }

    /// What was asked for has come.
    pub fn answer(&mut self, answer: Answer) -> Vec<Ask> {
        match answer {
            Answer::Task(view, text) => self.open(Page::of_task(&view, &text)),
            Answer::Diff(task, diff) => self.open(Page::of_diff(&task, &diff)),
            Answer::Plan(plan) => self.open(Page::of_plan(&plan)),
            Answer::Review(review) => self.open(Page::of_review(&review)),
            Answer::Text(title, text) => {
                self.open(Page::of_text(title, &text));
                if let Some(page) = self.pages.last_mut() {
                    page.reader.go_to_end(true);
                }
            }
            Answer::Message(id, text) => {
                let team = self.team.clone();
                if let Some(message) = team.message(id) {
                    self.open(Page::of_message(message, &text));
                }
            }
            Answer::Transcript(view) => {
                let token = view.token;
                self.pages.retain(|page| !matches!(page.kind, Kind::Transcript(..)));
                self.open(Page::of_transcript(view));
                return vec![Ask::Read { token, offset: None }];
            }
            Answer::Lines { token, lines, draft, from, offset, more } => {
                return self.lines(token, &lines, draft.as_ref(), (from, offset), more);
            }
            Answer::Done(done) => self.done(&done),
            Answer::Failed(words) => self.said = Some((Tone::Bad, words.replace("\nhint: ", "; "))),
        }
        Vec::new()
    }

    /// Opens a page; one about the same thing, if it is on top, becomes the new one where it is.
    fn open(&mut self, page: Page) {
        let is_same = |known: &Page| match (&known.kind, &page.kind) {
            (Kind::Task(one), Kind::Task(other)) | (Kind::Diff(one), Kind::Diff(other)) => one == other,
            (Kind::Message(one), Kind::Message(other)) => one == other,
            // Another plan is another text: it is read from its beginning.
            (Kind::Plan(one, round, _), Kind::Plan(other, newer, _)) => one == other && round == newer,
            (Kind::Review(one, attempt, _), Kind::Review(other, newer, _)) => {
                one == other && attempt == newer
            }
            _ => false,
        };
        let is_successor = |known: &Page| match (&known.kind, &page.kind) {
            (Kind::Plan(one, ..), Kind::Plan(other, ..))
            | (Kind::Review(one, ..), Kind::Review(other, ..)) => one == other,
            _ => false,
        };
        match self.pages.last_mut() {
            Some(known) if is_same(known) => {
                known.reader.replace(page.reader.into_blocks());
                known.kind = page.kind;
            }
            Some(known) if is_successor(known) => {
                *known = page;
                // What came of a command that was given a moment ago is not swallowed.
                let done = self.said.take().filter(|(tone, _)| *tone == Tone::Good);
                let done = done.map(|(_, words)| format!("{words}; ")).unwrap_or_default();
                self.said =
                    Some((Tone::Warning, format!("{done}this is a newer one: read it from its beginning")));
            }
            _ => self.pages.push(page),
        }
    }

    fn lines(
        &mut self,
        token: RecordId,
        lines: &[Line],
        draft: Option<&Draft>,
        (from, to): (u64, u64),
        more: bool,
    ) -> Vec<Ask> {
        let Some(page) = self.pages.last_mut() else { return Vec::new() };
        let Kind::Transcript(view, offset) = &mut page.kind else { return Vec::new() };
        // The same lines may have been asked for twice.
        if view.token != token || offset.is_some_and(|known| known != from) {
            return Vec::new();
        }
        *offset = Some(to);
        transcript::add(&mut page.reader, lines, draft);
        if more { vec![Ask::Read { token, offset: Some(to) }] } else { Vec::new() }
    }

    fn done(&mut self, done: &crate::view::Done) {
        let last = |text: &str| text.lines().next_back().unwrap_or_default().to_owned();
        self.said = Some(match &done.outcome {
            Ok(printed) if printed.contains("WARNING") => {
                (Tone::Warning, format!("{}  →  {}", done.command, last(printed)))
            }
            Ok(_) => (Tone::Good, format!("✓ {}", done.command)),
            Err(failure) => {
                let words = failure.words();
                (Tone::Bad, format!("✗ {}  →  {}", done.command, words.lines().next().unwrap_or_default()))
            }
        });
        if let (Ok(_), Some(sent)) = (&done.outcome, self.sent.take()) {
            self.kept.remove(&sent);
        }
        // What was judged is no longer asked about.
        let is_judged = matches!(
            self.pages.last().map(|page| &page.kind),
            Some(Kind::Plan(_, _, true) | Kind::Review(_, _, true))
        );
        let judges =
            ["agent-team plan ", "agent-team review "].iter().any(|verb| done.command.starts_with(verb));
        if done.outcome.is_ok() && is_judged && judges {
            self.pages.pop();
        }
    }

    /// What the keys are about.
    pub fn place(&self) -> Place {
        let tab = TABS.get(self.tab).map_or(Place::Agents, |(_, place)| *place);
        self.pages.last().map_or(tab, Page::place)
    }

    /// A key was pressed.
    pub fn press(&mut self, key: KeyEvent) -> Vec<Ask> {
        let goes_on = self.now_ms.saturating_sub(self.key_ms) < TYPING_MS;
        self.key_ms = self.now_ms;
        // What an answer is about can be read on while it is written.
        let reads = match key.code {
            KeyCode::PageUp => Some(Action::PageUp),
            KeyCode::PageDown => Some(Action::PageDown),
            _ => None,
        };
        if let (Some(action), Some(_), false) = (reads, &self.dialog, self.pages.is_empty()) {
            self.moves(action);
            return Vec::new();
        }
        if let Some(dialog) = &mut self.dialog {
            return match dialog.press(key) {
                Pressed::Stays => Vec::new(),
                Pressed::Closed => {
                    self.keep_words();
                    self.dialog = None;
                    Vec::new()
                }
                Pressed::Does(steer) => {
                    // They are let go of once they have arrived.
                    self.sent = self.keep_words();
                    self.dialog = None;
                    self.does(steer)
                }
            };
        }
        if self.typing.is_some() {
            self.search_key(key);
            return Vec::new();
        }
        // Whoever types on after a key that did nothing meant words: they are no keys.
        let is_typed =
            matches!(key.code, KeyCode::Char(_)) && (key.modifiers - KeyModifiers::SHIFT).is_empty();
        if self.typed_in_vain && is_typed && goes_on {
            return Vec::new();
        }
        let before = self.said.clone();
        let action = keys::action(self.place(), key);
        let asks = match action {
            Some(action) => self.act(action),
            None if is_typed => {
                let words = format!("{} does nothing here; ? shows what does", key.code);
                self.said = Some((Tone::Warning, words));
                Vec::new()
            }
            None => Vec::new(),
        };
        let is_refused = matches!(self.said, Some((Tone::Warning, _))) && self.said != before;
        // Who may not approve yet reads on, by keys.
        let reads_on = action == Some(Action::Approve);
        self.typed_in_vain = is_typed && is_refused && asks.is_empty() && !reads_on;
        asks
    }

    /// Asks for words, and gives back what was typed for the same before.
    pub fn asks(&mut self, mut words: Words) {
        if let Some(kept) = self.kept.remove(&words.key()) {
            words.text = Field::with(&kept);
        }
        self.dialog = Some(Dialog::Words(words));
    }

    /// Keeps what is typed, and says for what it is.
    fn keep_words(&mut self) -> Option<String> {
        let Some(Dialog::Words(words)) = &self.dialog else { return None };
        let text = words.text.text();
        if !text.trim().is_empty() {
            self.kept.insert(words.key(), text.to_owned());
        }
        Some(words.key())
    }

    /// Whether somebody is in the middle of something, so that the view does not close under their hands.
    pub fn is_busy(&self) -> bool {
        let has_just_typed = self.key_ms > 0 && self.now_ms.saturating_sub(self.key_ms) < RESTING_MS;
        let reads = !self.pages.is_empty()
            && self.ending == Ending::No
            && self.now_ms.saturating_sub(self.key_ms) < READING_MS;
        self.dialog.is_some() || self.typing.is_some() || self.awaited > 0 || has_just_typed || reads
    }

    /// A text was pasted.
    pub fn paste(&mut self, text: &str) {
        if let Some(dialog) = &mut self.dialog {
            dialog.paste(text);
        } else if let Some(field) = &mut self.typing {
            field.insert(text.lines().next().unwrap_or_default());
            self.searched_for();
        }
    }

    /// Does a command, and says so.
    pub fn does(&mut self, steer: crate::view::Steer) -> Vec<Ask> {
        self.said = Some((Tone::Faint, format!("… {}", steer.command())));
        vec![Ask::Do(steer)]
    }
}
