//! The pure core of agent-team: what may be written, and what it means.
//!
//! A team is an ordered log of [records](record); [`State`](machine::State) folds them, one by one and in that
//! order, so that every process that reads the same log holds the same state.
//!
//! ```text
//!   command ──decide(&state, now)──▶ body ──(a log puts it in order)──▶ record ──apply(&mut state)──▶ outcome
//! ```
//!
//! **Absent by design:** input and output, threads, async, clocks, randomness, the environment. Time and ids come in
//! as arguments. `crates/core/clippy.toml` names the calls that would break this.
//!
//! **The one rule:** a record names what it was decided on, and takes effect if and only if that still stands at the
//! record's place in the order. Otherwise it is void, and its writer sees a [`Refusal`](machine::Refusal).

pub mod id;
pub mod machine;
pub mod record;
pub mod text;
pub mod view;
