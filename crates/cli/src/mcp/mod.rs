//! The Model Context Protocol: an agent that drives itself takes part in the team by calling tools.
//!
//! A session is a worker from a shell in one process: it holds its claims by its presence, renews them by itself, and gives
//! them back when it ends. What it may do is what a command may do in its agent's name; nothing is decided here.
//!
//! | file | what is in it |
//! |---|---|
//! | `session` | one agent in the team: its seat, its claims, its end |
//! | `tools` | the list of tools: every operation of the command that is a tool too, and those that wait |
//! | `waits` | the tools that wait: for work, a check, an answer, mail |
//! | `server` | the protocol's requests, handed to the above |
//! | `resources`, `prompts` | what can be read, and what teaches a role |
//! | `stdio`, `http` | how messages come and go |
//! | `clients` | the configurations of known clients |

pub mod clients;
#[cfg(feature = "conformance")]
pub mod fixture;
pub mod http;
mod prompts;
mod resources;
mod server;
mod session;
pub mod stdio;
mod tools;
mod waits;

pub use session::Wishes;
