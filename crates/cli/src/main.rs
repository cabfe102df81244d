//! The `agent-team` command.
fn main() {}
