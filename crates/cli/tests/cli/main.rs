//! The command as its users meet it: the real binary, in folders of its own, with a cleared environment.
#![expect(
    clippy::unwrap_used,
    clippy::panic,
    reason = "the allowance for tests does not reach what they share"
)]

mod adapters_needs_clients;
mod authority;
mod budgets;
mod checks;
mod claims;
mod clients;
mod collector;
mod driven;
mod escapes;
mod files;
mod headless_needs_clients;
mod health;
mod help;
mod hooks;
mod hostile;
mod killed;
mod leads;
mod limits;
mod loops;
mod mcp;
mod mcp_client;
mod mcp_http;
mod messages;
mod mixed_needs_clients;
mod reports;
mod sandbox;
mod secrets;
mod served;

mod split;
mod steered_needs_clients;
mod steering;

mod support;
mod tasks;
mod telemetry;
mod templates;
mod terminal;
mod trust;
mod watch;
mod web;
