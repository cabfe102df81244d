//! How a run is called again: what its command line said and no log or file holds.
//!
//! The library knows which command goes on, and nothing of the command line that a person typed.

use std::path::Path;
use std::time::Duration;

use agent_team::format_duration;
use agent_team::split::quote;

/// The arguments of a run that the next one needs, too, each quoted for a shell.
#[derive(Debug, Default)]
pub struct Again {
    /// Where the team is, for every command.
    place: String,
    arguments: String,
}

impl Again {
    /// That of a team that is found from this folder; from the current one if none is said.
    pub fn from(folder: Option<&Path>) -> Self {
        let place = folder.map(|folder| format!(" -C {}", quote(&folder.to_string_lossy())));
        Self { place: place.unwrap_or_default(), arguments: String::new() }
    }

    /// With an argument that has no name, if it was said and fits into a line.
    #[must_use]
    pub fn argument(mut self, said: Option<&str>) -> Self {
        if let Some(said) = said.filter(|said| !said.contains(char::is_control)) {
            self.arguments += &format!(" {}", quote(said));
        }
        self
    }

    /// With an option, if it was said.
    #[must_use]
    pub fn option(mut self, name: &str, said: Option<impl ToString>) -> Self {
        if let Some(said) = said {
            self.arguments += &format!(" --{name} {}", quote(&said.to_string()));
        }
        self
    }

    /// With a duration, if it was said.
    #[must_use]
    pub fn duration(self, name: &str, said: Option<Duration>) -> Self {
        self.option(name, said.map(format_duration))
    }

    /// With an option that has no value, if it was said.
    #[must_use]
    pub fn flag(mut self, name: &str, said: bool) -> Self {
        if said {
            self.arguments += &format!(" --{name}");
        }
        self
    }

    /// The commands that go on, joined by `&&`, the run the last of them: each where the team is, and the run as it was
    /// called.
    pub fn complete(&self, go_on: &str) -> String {
        let commands = go_on.split(" && ").map(|command| format!("{command}{}", self.place));
        commands.collect::<Vec<_>>().join(" && ") + &self.arguments
    }
}
