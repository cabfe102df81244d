//! `completions`: prints what a shell needs to complete our arguments.

use clap::{Args, CommandFactory};
use clap_complete::Shell;

use crate::cli::{Cli, Global};
use crate::exit::{Exit, Failure};
use crate::output::Output;

/// The arguments of `completions`.
#[derive(Debug, Args)]
#[command(
    about = "Print completions for a shell",
    after_help = "Examples:\n  agent-team completions bash > ~/.local/share/bash-completion/completions/agent-team\n  \
                  agent-team completions zsh > ~/.zfunc/_agent-team\n  \
                  agent-team completions fish > ~/.config/fish/completions/agent-team.fish"
)]
pub struct Completions {
    /// The shell
    shell: Shell,
}

impl Completions {
    pub fn run(self, _: &Global, out: &mut Output) -> Result<Exit, Failure> {
        let mut script = Vec::new();
        clap_complete::generate(self.shell, &mut Cli::command(), "agent-team", &mut script);
        out.block("", &String::from_utf8_lossy(&script))?;
        Ok(Exit::Done)
    }
}
