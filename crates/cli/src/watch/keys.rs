//! What keys do, in each place of the view. Defined once: what is pressed, the footer and the help are read from the same lists.

use crossterm::event::{KeyCode, KeyEvent, KeyModifiers};

/// Where somebody is: what the keys of a place are about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Place {
    /// The panes of the agents.
    Agents,
    /// The board of tasks.
    Board,
    /// The tree of tasks.
    Graph,
    /// The messages.
    Messages,
    /// The merge queue.
    Merges,
    /// All that is known of a task.
    Task,
    /// A transcript.
    Transcript,
    /// A plan that waits to be judged.
    Plan,
    /// A result that waits to be judged.
    Review,
    /// A message.
    Message,
    /// Another text.
    Text,
}

/// What can be done by a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Action {
    Up,
    Down,
    Left,
    Right,
    PageUp,
    PageDown,
    Start,
    End,
    Open,
    Back,
    Quit,
    Interrupt,
    Tab(usize),
    NextTab,
    PreviousTab,
    Search,
    NextFound,
    PreviousFound,
    Help,
    Redraw,
    Suspend,
    Answer,
    Say,
    SayUrgently,
    SayEveryone,
    InterruptAgent,
    Pause,
    PauseTeam,
    Stop,
    Retry,
    Reassign,
    Cancel,
    Add,
    Plan,
    Diff,
    Transcript,
    Task,
    Agent,
    Events,
    Gate,
    FoldAll,
    Older,
    Newer,
    Approve,
    Reject,
}

/// A key, and what it does.
#[derive(Debug)]
pub struct Binding {
    /// The keys as they are pressed.
    codes: &'static [(KeyCode, KeyModifiers)],
    /// The keys as they are shown.
    pub keys: &'static str,
    /// What it does, in a word or two for the footer; empty where that has no room for it.
    pub short: &'static str,
    /// What it does, in words for the help.
    pub does: &'static str,
    /// What it does.
    pub action: Action,
}

const NONE: KeyModifiers = KeyModifiers::NONE;
const CONTROL: KeyModifiers = KeyModifiers::CONTROL;

/// A key that is a letter or another sign.
macro_rules! key {
    ($key:literal, $action:expr, $short:literal, $does:literal) => {
        Binding {
            codes: &[(KeyCode::Char($key.as_bytes()[0] as char), NONE)],
            keys: $key,
            short: $short,
            does: $does,
            action: $action,
        }
    };
}

/// The keys by which one moves, everywhere.
pub const MOVES: &[Binding] = &[
    Binding {
        codes: &[(KeyCode::Up, NONE), (KeyCode::Char('k'), NONE)],
        keys: "↑ k",
        short: "",
        does: "up",
        action: Action::Up,
    },
    Binding {
        codes: &[(KeyCode::Down, NONE), (KeyCode::Char('j'), NONE)],
        keys: "↓ j",
        short: "",
        does: "down",
        action: Action::Down,
    },
    Binding {
        codes: &[(KeyCode::Left, NONE), (KeyCode::Char('h'), NONE)],
        keys: "← h",
        short: "",
        does: "left; in the graph: fold",
        action: Action::Left,
    },
    Binding {
        codes: &[(KeyCode::Right, NONE), (KeyCode::Char('l'), NONE)],
        keys: "→ l",
        short: "",
        does: "right; in the graph: open",
        action: Action::Right,
    },
    Binding {
        codes: &[(KeyCode::PageUp, NONE), (KeyCode::Char('b'), CONTROL), (KeyCode::Char('u'), CONTROL)],
        keys: "PgUp ^B",
        short: "",
        does: "a page up",
        action: Action::PageUp,
    },
    Binding {
        codes: &[
            (KeyCode::PageDown, NONE),
            (KeyCode::Char('f'), CONTROL),
            (KeyCode::Char('d'), CONTROL),
            (KeyCode::Char(' '), NONE),
        ],
        keys: "PgDn ^F Space",
        short: "",
        does: "a page down",
        action: Action::PageDown,
    },
    Binding {
        codes: &[(KeyCode::Home, NONE), (KeyCode::Char('g'), NONE)],
        keys: "Home g",
        short: "",
        does: "to the beginning",
        action: Action::Start,
    },
    Binding {
        codes: &[(KeyCode::End, NONE), (KeyCode::Char('G'), NONE)],
        keys: "End G",
        short: "",
        does: "to the end; what grows is followed there",
        action: Action::End,
    },
    Binding {
        codes: &[(KeyCode::Enter, NONE)],
        keys: "Enter",
        short: "open",
        does: "open what is selected",
        action: Action::Open,
    },
    Binding {
        codes: &[(KeyCode::Esc, NONE), (KeyCode::Backspace, NONE)],
        keys: "Esc",
        short: "",
        does: "back; clears the filter",
        action: Action::Back,
    },
    Binding {
        codes: &[(KeyCode::Tab, NONE)],
        keys: "Tab",
        short: "",
        does: "the next view",
        action: Action::NextTab,
    },
    Binding {
        codes: &[(KeyCode::BackTab, NONE)],
        keys: "Shift-Tab",
        short: "",
        does: "the view before",
        action: Action::PreviousTab,
    },
];

/// The keys that work everywhere.
pub const EVERYWHERE: &[Binding] = &[
    key!("?", Action::Help, "help", "all keys of this place"),
    key!("a", Action::Answer, "", "to the first plan, question or result that waits for you"),
    key!("/", Action::Search, "find", "filter a list, or search a text"),
    key!("n", Action::NextFound, "", "the next one found"),
    key!("N", Action::PreviousFound, "", "the one found before"),
    key!("P", Action::PauseTeam, "", "pause the whole team, or let it go on"),
    key!("S", Action::SayEveryone, "", "say something to everyone"),
    key!("A", Action::Add, "", "add a task"),
    key!("e", Action::Events, "", "what happened last"),
    Binding {
        codes: &[(KeyCode::Char('1'), NONE)],
        keys: "1 … 5",
        short: "",
        does: "agents, board, graph, messages, merges",
        action: Action::Tab(0),
    },
    Binding { codes: &[(KeyCode::Char('2'), NONE)], keys: "", short: "", does: "", action: Action::Tab(1) },
    Binding { codes: &[(KeyCode::Char('3'), NONE)], keys: "", short: "", does: "", action: Action::Tab(2) },
    Binding { codes: &[(KeyCode::Char('4'), NONE)], keys: "", short: "", does: "", action: Action::Tab(3) },
    Binding { codes: &[(KeyCode::Char('5'), NONE)], keys: "", short: "", does: "", action: Action::Tab(4) },
    Binding {
        codes: &[(KeyCode::Char('l'), CONTROL)],
        keys: "^L",
        short: "",
        does: "draw the screen anew",
        action: Action::Redraw,
    },
    Binding {
        codes: &[(KeyCode::Char('z'), CONTROL)],
        keys: "^Z",
        short: "",
        does: "leave it for the shell, until `fg`; not in a run, which would stand still",
        action: Action::Suspend,
    },
    Binding {
        codes: &[(KeyCode::Char('c'), CONTROL)],
        keys: "^C",
        short: "",
        does: "end the view; in a run: let agents finish their turns, and once more: end at once",
        action: Action::Interrupt,
    },
    Binding {
        codes: &[(KeyCode::Char('q'), NONE)],
        keys: "q",
        short: "quit",
        does: "back, and from here: end the view; the team goes on",
        action: Action::Quit,
    },
];

const AGENT: &[Binding] = &[
    key!("s", Action::Say, "say", "say something to the agent"),
    key!("r", Action::Reject, "", "answer what it waits for from you"),
    key!(
        "z",
        Action::FoldAll,
        "",
        "of more than twelve agents show those that have nothing to do, or fold them"
    ),
    key!("u", Action::SayUrgently, "", "say it at once: it interrupts the turn in progress"),
    key!("i", Action::InterruptAgent, "interrupt", "break off what it does, and tell it why"),
    key!("p", Action::Pause, "pause", "pause the agent, or let it go on"),
    key!("x", Action::Stop, "stop", "stop it, and take from it what it works on"),
    key!("o", Action::Task, "task", "the task that it works on"),
    key!("d", Action::Diff, "", "what was changed for its task"),
    key!("t", Action::Retry, "", "give its task new attempts"),
    key!("m", Action::Reassign, "", "give its task to another agent"),
    key!("c", Action::Cancel, "", "cancel its task"),
];

const TASK: &[Binding] = &[
    key!("d", Action::Diff, "diff", "what was changed"),
    key!("p", Action::Plan, "plan", "its plan; one that waits is judged there"),
    key!("r", Action::Reject, "review", "its result, if that waits to be judged"),
    key!("w", Action::Transcript, "words", "the transcript of its newest attempt"),
    key!("o", Action::Agent, "", "the agent that holds it"),
    key!("s", Action::Say, "say", "say something to whoever works on it, now or later"),
    key!("u", Action::SayUrgently, "", "say it at once: it interrupts the turn in progress"),
    key!("i", Action::InterruptAgent, "", "break off what its agent does"),
    key!("x", Action::Stop, "", "stop its agent"),
    key!("t", Action::Retry, "retry", "give it new attempts"),
    key!("m", Action::Reassign, "reassign", "give it to an agent"),
    key!("c", Action::Cancel, "cancel", "cancel it"),
];

const FOLDS: &[Binding] = &[key!("z", Action::FoldAll, "fold", "fold or open everything")];

const MERGES: &[Binding] = &[key!("v", Action::Gate, "gate", "what the gate said last")];

const MESSAGES: &[Binding] = &[
    key!("r", Action::Reject, "answer", "answer it"),
    key!("s", Action::Say, "say", "say something"),
    key!("o", Action::Task, "", "the task that it is about"),
];

const TRANSCRIPT: &[Binding] = &[
    key!("z", Action::FoldAll, "fold", "open all output, or fold it"),
    key!("[", Action::Older, "", "the attempt before"),
    key!("]", Action::Newer, "", "the attempt after"),
    key!("o", Action::Task, "task", "the task"),
    key!("r", Action::Reject, "", "answer what its agent waits for from you"),
    key!("s", Action::Say, "say", "say something to the agent"),
    key!("u", Action::SayUrgently, "", "say it at once: it interrupts the turn in progress"),
    key!("i", Action::InterruptAgent, "interrupt", "break off what it does, and tell it why"),
    key!("p", Action::Pause, "pause", "pause the agent, or let it go on"),
    key!("x", Action::Stop, "stop", "stop it, and take from it what it works on"),
];

const PLAN: &[Binding] = &[
    key!("y", Action::Approve, "approve", "approve it, once it was read to its end"),
    key!("r", Action::Reject, "reject", "ask for another plan, and say what is to be changed"),
    key!("o", Action::Task, "task", "the task"),
    key!("w", Action::Transcript, "words", "the transcript of its newest attempt"),
];

const REVIEW: &[Binding] = &[
    key!("y", Action::Approve, "approve", "approve it, once it was read to its end"),
    key!("r", Action::Reject, "send back", "send it back, and say what is to be changed"),
    key!("o", Action::Task, "task", "the task"),
    key!("w", Action::Transcript, "words", "the transcript of its newest attempt"),
];

/// The keys of a place, the most wanted first.
pub fn of_place(place: Place) -> &'static [&'static [Binding]] {
    match place {
        Place::Agents => &[AGENT],
        Place::Board | Place::Task => &[TASK],
        Place::Merges => &[MERGES, TASK],
        Place::Graph => &[FOLDS, TASK],
        Place::Messages | Place::Message => &[MESSAGES],
        Place::Transcript => &[TRANSCRIPT],
        Place::Plan => &[PLAN],
        Place::Review => &[REVIEW],
        Place::Text => &[],
    }
}

/// What a key does in a place; the place's own meaning goes before the one that it has everywhere.
pub fn action(place: Place, key: KeyEvent) -> Option<Action> {
    let is_it = |binding: &&Binding| {
        binding.codes.iter().any(|(code, modifiers)| {
            // A capital letter is one, whether the terminal tells of the shift or not.
            let shift = KeyModifiers::SHIFT;
            *code == key.code && key.modifiers.difference(shift) == modifiers.difference(shift)
        })
    };
    let own = of_place(place).iter().flat_map(|bindings| bindings.iter());
    own.chain(MOVES).chain(EVERYWHERE).find(is_it).map(|binding| binding.action)
}

#[cfg(test)]
mod tests {
    use super::*;

    const PLACES: [Place; 11] = [
        Place::Agents,
        Place::Board,
        Place::Graph,
        Place::Messages,
        Place::Merges,
        Place::Task,
        Place::Transcript,
        Place::Plan,
        Place::Review,
        Place::Message,
        Place::Text,
    ];

    #[test]
    fn no_key_means_two_things_in_one_place_and_none_hides_another() {
        for place in PLACES {
            let own = of_place(place).iter().flat_map(|bindings| bindings.iter());
            let mut codes: Vec<_> =
                own.chain(MOVES).chain(EVERYWHERE).flat_map(|binding| binding.codes).collect();
            let count = codes.len();
            codes.sort_by_key(|code| format!("{code:?}"));
            codes.dedup();
            assert_eq!(codes.len(), count, "{place:?}");
        }
    }

    #[test]
    fn keys_are_found_with_the_name_that_is_shown() {
        let key = |c: char| KeyEvent::new(KeyCode::Char(c), NONE);
        assert_eq!(action(Place::Agents, key('p')), Some(Action::Pause));
        assert_eq!(action(Place::Board, key('p')), Some(Action::Plan));
        assert_eq!(action(Place::Text, key('p')), None);
        assert_eq!(
            action(Place::Text, KeyEvent::new(KeyCode::Char('P'), KeyModifiers::SHIFT)),
            Some(Action::PauseTeam)
        );
        for binding in PLACES.iter().flat_map(|place| of_place(*place)).flat_map(|bindings| bindings.iter()) {
            assert!(!binding.keys.is_empty(), "{binding:?}");
        }
    }
}
