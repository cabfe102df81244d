//! The `agent-team` command. It renders and transports, and decides nothing: every rule is the library's.
//!
//! | file | what is in it |
//! |---|---|
//! | `cli` | the arguments that all verbs share, and the list of verbs |
//! | `verb/` | one file per verb: its arguments, its help, what it does |
//! | `output` | the only way to standard output; text of agents cannot reach the terminal unescaped |
//! | `loopback` | what its servers have in common: this machine alone, and a token |
//! | `mcp/` | what `agent-team mcp` serves: the same operations as tools |
//! | `operation` | what a verb and a tool of `agent-team mcp` have in common |
//! | `live`, `report` | what is shown while a team runs, and at the end |
//! | `telemetry/` | traces and metrics of a run, where somebody wants them |
//! | `run_shown` | by what a run is shown at a terminal |
//! | `again` | how a run that ended is called again |
//! | `hooks` | the hooks of team.toml, for the verbs that bring something about |
//! | `template` | the files of `init --template` |
//! | `view/` | what the terminal view and the web page have in common |
//! | `web/` | the page that `agent-team web` serves |
//! | `watch/` | the terminal view |
//! | `exit` | the exit codes, and what is said when a verb did not do what was asked |

mod again;
mod approve;
mod cli;
mod confinement;
mod exit;
mod hooks;
mod interrupt;
mod live;
mod loopback;
mod mcp;
mod operation;
mod output;
mod report;
mod run_shown;
mod safe_text;
mod task_text;
mod team_report;
mod telemetry;
mod template;
mod time;
mod verb;
mod view;
mod watch;
mod web;

use std::process::ExitCode;

fn main() -> ExitCode {
    cli::run()
}
