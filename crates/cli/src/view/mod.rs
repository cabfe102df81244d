//! What the terminal view and the web page have in common: a picture of the team, and the commands by which it is steered.
//!
//! Both show the one and send the other, and decide nothing.

mod picture;
mod steer;
mod transcript_words;

pub use picture::{AgentRow, Picture};
pub use steer::{Done, Steer};
pub use transcript_words::{call, spoken, words};
