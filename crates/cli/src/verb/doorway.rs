//! `doorway`: what stands between the sandbox and a program that has a way out of it. Not for people.

use std::ffi::OsString;
use std::os::fd::RawFd;

use clap::Args;

use crate::cli::Global;
use crate::exit::{Exit, Failure};
use crate::output::Output;

/// The arguments of `doorway`.
#[derive(Debug, Args)]
#[command(about = "Open the way out of the sandbox for a program, and become it", hide = true)]
pub struct Doorway {
    /// The descriptor by which the socket is handed out
    descriptor: RawFd,
    /// The program, with its arguments
    #[arg(last = true, required = true)]
    program: Vec<OsString>,
}

impl Doorway {
    pub fn run(self, _: &Global, _: &mut Output) -> Result<Exit, Failure> {
        let Some((program, arguments)) = self.program.split_first() else { return Ok(Exit::Usage) };
        let error = agent_team::sandbox::keep(self.descriptor, program, arguments);
        Err(Failure::io(&format!("cannot start {}", program.display()), &error))
    }
}
