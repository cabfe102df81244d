//! The view of a team in the terminal: `agent-team watch`, and what `run` shows at a terminal.
//!
//! It shows the picture of the team and sends the commands that the command line has; it decides nothing, and the team does not
//! know of it. Three parts stand apart, so that each can be put to the test alone:
//!
//! | part | what it does | what it does not |
//! |---|---|---|
//! | `screen` with `lists`, `pages`, `dialog`, `acts`, `calls`, `moves`, `search` | what is shown, and what keys make of it | no terminal, no clock, no log |
//! | `draw/` | the cells of the screen | changes nothing but where windows begin |
//! | `event_loop` with `look`, `ask`, `terminal` | waits, reads, does | knows no key and no cell |

mod acts;
mod ask;
mod calls;
mod dialog;
mod draw;
mod event_loop;
mod feed;
mod field;
mod keys;
mod lists;
mod look;
mod measure;
mod moves;
mod pages;
mod reader;
mod screen;
mod search;
mod team;
mod terminal;
mod theme;
mod transcript;
mod tree;

#[cfg(test)]
mod tests;

pub use event_loop::{Over, View, show};
pub use feed::Feed;
pub use measure::measure;

use std::io::IsTerminal;

/// Whether this process has a terminal that a view can be drawn on, and whoever sits there can press keys.
pub fn has_terminal() -> bool {
    let is_dumb = std::env::var_os("TERM").is_none_or(|term| term == "dumb" || term.is_empty());
    std::io::stdin().is_terminal() && std::io::stdout().is_terminal() && !is_dumb
}
