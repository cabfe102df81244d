//! What a repository asks for beyond the sandbox, and whether the user trusts it with that.
//!
//! Whoever clones a repository gets its `team.toml` as well: hooks that run as the user, a wider sandbox, another address for the
//! user's keys; and settings of coding agents, which may name commands and servers. Nothing of it is obeyed before the user has
//! said that it may be, as it is then. A [`Wish`] is known by a hash of the folder, of where it stands and of what it says, as
//! [direnv](https://direnv.net/man/direnv.1.html) knows its files: what changes is another wish.
//!
//! ```
//! use agent_team::config::Config;
//! use agent_team::trust::{self, Trust};
//! use std::path::Path;
//!
//! let folder = tempfile::tempdir()?;
//! let config = Config::parse("[hooks]\nbefore_merge = 'make audit'\n", Path::new("team.toml"))?;
//! let wishes = trust::wishes(folder.path(), &config)?;
//! assert_eq!(wishes[0].what, "hooks.before_merge = \"make audit\"");
//!
//! let trust = Trust::in_folder(folder.path().join("trusted"));
//! assert!(trust.require(&wishes).is_err());
//! trust.give(&wishes)?;
//! trust.require(&wishes)?;
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

use std::collections::BTreeSet;
use std::ffi::OsString;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use serde::Serialize;

use crate::config::Config;
use crate::hooks::Hook;
use crate::making::variable;
use crate::model::{Price, Prices};
use crate::purse::dollars;
use crate::sandbox::SandboxChoice;
use crate::{AgentId, Error};

/// The files and folders at the top of a repository from which coding agents take settings, commands, servers and variables.
pub const SETTINGS: [&str; 11] = [
    ".claude",
    ".codex",
    ".env",
    ".env.local",
    ".gemini",
    ".goose",
    ".mcp.json",
    ".opencode",
    ".qwen",
    "opencode.json",
    "opencode.jsonc",
];

/// What a model of this machine costs.
const FREE: Price = Price {
    input_microdollars: 0,
    cached_microdollars: 0,
    cache_write_microdollars: 0,
    output_microdollars: 0,
};

/// Something that a repository asks for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Wish {
    /// What it is: a line of `team.toml`, or a file.
    pub what: String,
    /// What comes of it, in a few words.
    pub why: &'static str,
    #[serde(skip)]
    hash: String,
}

impl Wish {
    fn new(folder: &Path, what: String, why: &'static str, content: &[u8]) -> Self {
        let mut hasher = blake3::Hasher::new();
        for part in [folder.as_os_str().as_encoded_bytes(), what.as_bytes(), content] {
            hasher.update(&(part.len() as u64).to_le_bytes());
            hasher.update(part);
        }
        Self { what, why, hash: hasher.finalize().to_hex().to_string() }
    }
}

/// What the user trusts, kept in a folder of the user's: nothing that an agent or a command of a team can write.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Trust(PathBuf);

impl Trust {
    /// That of a user: below `XDG_STATE_HOME`, or `.local/state` of `HOME`. `None` without either.
    pub fn of(variables: &[(OsString, OsString)]) -> Option<Self> {
        let state =
            variable(variables, "XDG_STATE_HOME").map(PathBuf::from).filter(|path| path.is_absolute());
        let home = || variable(variables, "HOME").map(|home| Path::new(&home).join(".local/state"));
        Some(Self(state.or_else(home)?.join("agent-team/trusted")))
    }

    /// The same in a certain folder.
    pub fn in_folder(folder: impl Into<PathBuf>) -> Self {
        Self(folder.into())
    }

    /// Whether a wish is trusted as it is.
    pub fn has(&self, wish: &Wish) -> bool {
        self.0.join(&wish.hash).is_file()
    }

    /// Trusts wishes as they are.
    ///
    /// # Errors
    /// When that cannot be written down.
    pub fn give(&self, wishes: &[Wish]) -> Result<(), Error> {
        fs::create_dir_all(&self.0).map_err(|error| Error::io("make", &self.0, error))?;
        wishes.iter().try_for_each(|wish| {
            let file = self.0.join(&wish.hash);
            // For whoever wonders what is trusted; that the file is there is what counts.
            fs::write(&file, format!("{}\n", wish.what)).map_err(|error| Error::io("write", &file, error))
        })
    }

    /// Trusts wishes no more.
    ///
    /// # Errors
    /// When they cannot be forgotten.
    pub fn take_back(&self, wishes: &[Wish]) -> Result<(), Error> {
        wishes.iter().try_for_each(|wish| {
            let file = self.0.join(&wish.hash);
            match fs::remove_file(&file) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => {
                    Err(Error::io("remove", &file, error))
                }
                _ => Ok(()),
            }
        })
    }

    /// Refuses what is not trusted.
    ///
    /// # Errors
    /// [`Error::Untrusted`], with the wishes that are not.
    pub fn require(&self, wishes: &[Wish]) -> Result<(), Error> {
        let wishes: Vec<Wish> = wishes.iter().filter(|wish| !self.has(wish)).cloned().collect();
        if wishes.is_empty() { Ok(()) } else { Err(Error::Untrusted { wishes }) }
    }
}

/// What a configuration asks for that comes from the repository in `folder`: what lets commands, or programs of agents, do more
/// than the sandbox does by itself, or sends keys elsewhere.
///
/// # Errors
/// When the folder, or a file that a hook runs, cannot be read.
pub fn wishes(folder: &Path, config: &Config) -> Result<Vec<Wish>, Error> {
    let folder = real(folder)?;
    let mut wishes = Vec::new();
    let mut asks = |what: String, why| wishes.push(Wish::new(&folder, what, why, &[]));
    for hook in Hook::ALL {
        if let Some(command) = config.hooks.command(hook) {
            asks(format!("hooks.{hook} = {command:?}"), "runs as you, outside of the sandbox");
        }
    }
    let sandbox = &config.sandbox;
    if sandbox.kind == SandboxChoice::None {
        asks("sandbox.kind = \"none\"".to_owned(), "commands may do whatever you may");
    }
    for path in &sandbox.read {
        asks(format!("sandbox.read = {path:?}"), "commands see it");
    }
    for path in &sandbox.write {
        asks(format!("sandbox.write = {path:?}"), "commands change it");
    }
    for host in &sandbox.hosts {
        asks(format!("sandbox.hosts = \"{host}\""), "commands reach it");
    }
    for agent in config.agents.iter().filter(|agent| !agent.hosts.is_empty()) {
        let names: Vec<&str> = agent.names.iter().map(AgentId::as_str).collect();
        for host in &agent.hosts {
            asks(format!("agent.hosts = \"{host}\" ({})", names.join(", ")), "commands of it reach it");
        }
    }
    for name in &config.environment.pass {
        asks(format!("environment.pass = {name:?}"), "commands get it from your environment");
    }
    if !config.hooks.is_empty() {
        for (name, value) in &config.environment.set {
            asks(format!("environment.set.{name} = {value:?}"), "your hooks get it");
        }
    }
    if let Some(url) = &config.base_url {
        asks(format!("base_url = {url:?}"), "your key is sent there");
    }
    for (model, price) in config.prices.set() {
        // What costs nothing can only become dearer.
        let known = Prices::default().price(model).is_some_and(|known| known == FREE);
        if !known {
            let price = format!(
                "{{ input = {}, output = {} }}",
                dollars(price.input_microdollars),
                dollars(price.output_microdollars)
            );
            asks(format!("prices.{model:?} = {price}"), "your money is counted by it");
        }
    }
    for name in run_by_hooks(config) {
        let path = folder.join(&name);
        // What lies elsewhere is the user's already.
        if path.is_file() && path.canonicalize().is_ok_and(|real| real.starts_with(&folder)) {
            let content = fs::read(&path).map_err(|error| Error::io("read", &path, error))?;
            wishes.push(Wish::new(&folder, name, "is run by a hook, as you", &content));
        }
    }
    Ok(wishes)
}

/// How much a repository lets a team spend: without a limit a run asks before it calls a model that costs money, and with one
/// that its user does not trust, too.
///
/// ```
/// use agent_team::{config::Config, trust};
/// use std::path::Path;
///
/// let config = Config::parse("[budget]\nusd = 50.0\n", Path::new("team.toml"))?;
/// assert_eq!(trust::limits(Path::new("/"), &config)?[0].what, "budget.usd = 50.00");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # Errors
/// When the folder cannot be read.
pub fn limits(folder: &Path, config: &Config) -> Result<Vec<Wish>, Error> {
    let folder = real(folder)?;
    let budget = &config.budget;
    let limits = [
        budget.micro_usd.map(|most| format!("budget.usd = {}", dollars(most))),
        budget.tokens.map(|most| format!("budget.tokens = {most}")),
        budget.turns.map(|most| format!("budget.turns = {most}")),
    ];
    let why = "is spent on models without a question";
    Ok(limits.into_iter().flatten().map(|what| Wish::new(&folder, what, why, &[])).collect())
}

/// Programs that run a file whose name follows.
const INTERPRETERS: [&str; 12] =
    [".", "bash", "bun", "dash", "node", "perl", "python", "python3", "ruby", "sh", "source", "zsh"];

/// The files that hooks run, as far as their commands say it: the first path in each, and what an interpreter is given. Others may
/// be what a hook writes, and change each time.
fn run_by_hooks(config: &Config) -> BTreeSet<String> {
    let paths = config.hooks.files().into_iter().map(|file| file.trim_start_matches('/').to_owned());
    let mut names: BTreeSet<String> = paths.collect();
    for command in Hook::ALL.iter().filter_map(|hook| config.hooks.command(*hook)) {
        let words = command.split(|letter: char| letter.is_whitespace() || "'\"`;&|()".contains(letter));
        let words: Vec<&str> = words.filter(|word| !word.is_empty() && !word.starts_with('-')).collect();
        let given = words.windows(2).filter(|pair| {
            let program = pair[0].rsplit_once('/').map_or(pair[0], |(_, name)| name);
            INTERPRETERS.contains(&program)
        });
        names.extend(given.map(|pair| pair[1].trim_start_matches("./").to_owned()));
    }
    names
}

/// The settings of coding agents at the top of `place`, which holds the files of the repository in `folder`: that itself, or a
/// workspace. Each with its path.
///
/// # Errors
/// When they cannot be read.
pub fn settings(folder: &Path, place: &Path) -> Result<Vec<(PathBuf, Wish)>, Error> {
    let folder = real(folder)?;
    let there = SETTINGS.iter().map(|name| (*name, place.join(name)));
    let there = there.filter(|(_, path)| path.symlink_metadata().is_ok());
    let found = there.map(|(name, path)| {
        let mut content = Vec::new();
        read_all(&path, &path, &mut content)?;
        Ok((path, Wish::new(&folder, name.to_owned(), "coding agents that are driven obey it", &content)))
    });
    found.collect()
}

/// Adds all that lies at a path: names, kinds and contents. A link stands for where it leads.
fn read_all(path: &Path, top: &Path, into: &mut Vec<u8>) -> Result<(), Error> {
    let broken = |error| Error::io("read", path, error);
    let kind = path.symlink_metadata().map_err(broken)?.file_type();
    let (mark, content) = if kind.is_symlink() {
        (b'l', fs::read_link(path).map_err(broken)?.into_os_string().into_encoded_bytes())
    } else if kind.is_file() {
        (b'f', fs::read(path).map_err(broken)?)
    } else {
        (b'd', Vec::new())
    };
    let name = path.strip_prefix(top).unwrap_or(path).as_os_str().as_encoded_bytes();
    for part in [name, &[mark], &content] {
        into.extend((part.len() as u64).to_le_bytes());
        into.extend(part);
    }
    if kind.is_dir() {
        let entries = fs::read_dir(path).map_err(broken)?;
        let mut below = entries.map(|entry| entry.map(|entry| entry.path())).collect::<Result<Vec<_>, _>>();
        if let Ok(below) = &mut below {
            below.sort();
        }
        below.map_err(broken)?.iter().try_for_each(|below| read_all(below, top, into))?;
    }
    Ok(())
}

fn real(folder: &Path) -> Result<PathBuf, Error> {
    fs::canonicalize(folder).map_err(|error| Error::io("read", folder, error))
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Repository(tempfile::TempDir);

    impl Repository {
        fn new(files: &[(&str, &str)]) -> Self {
            let repository = Self(tempfile::tempdir().unwrap());
            files.iter().for_each(|(path, text)| repository.write(path, text));
            repository
        }

        fn write(&self, path: &str, text: &str) {
            let path = self.0.path().join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        }

        fn wishes(&self, config: &str) -> Vec<Wish> {
            wishes(self.0.path(), &Config::parse(config, Path::new("team.toml")).unwrap()).unwrap()
        }

        fn settings(&self) -> Vec<Wish> {
            settings(self.0.path(), self.0.path()).unwrap().into_iter().map(|(_, wish)| wish).collect()
        }
    }

    fn words(wishes: &[Wish]) -> Vec<&str> {
        wishes.iter().map(|wish| wish.what.as_str()).collect()
    }

    #[test]
    fn what_stays_within_the_sandbox_needs_no_trust() {
        let repository = Repository::new(&[("hooks/check", "true")]);
        let config = "goal = 'x'\ngate = 'make test'\ncheck = 'sh hooks/check'\nwith = 'exec:sh work.sh'\n\
                      [budget]\nusd = 5.0\n[prices.script]\ninput = 1.0\noutput = 1.0\n[sandbox]\nkind = 'bubblewrap'\nmax_processes = 9\n\
                      [environment]\nset = {LANG = 'C'}\n[hooks]\ntime_limit = '5s'";
        assert_eq!(repository.wishes(config), []);
    }

    #[test]
    fn what_leads_beyond_it_is_named_line_by_line_and_so_are_the_files_that_hooks_run() {
        let repository = Repository::new(&[("hooks/check", "true")]);
        let config = "base_url = 'http://example.com/v1'\n[sandbox]\nkind = 'none'\nread = ['~/data']\nwrite = ['/srv']\n\
                      hosts = ['*.example.com']\n[environment]\npass = ['CI']\nset = {PATH = '/x'}\n\
                      [hooks]\ntask_added = 'sh hooks/check'\nbefore_merge = '/usr/bin/true'\n\
                      [[agent]]\nname = 'w'\ncount = 2\nhosts = ['pypi.org']\n\
                      [prices.\"claude-*\"]\ninput = 0.0\noutput = 0.5";
        let expected = [
            "hooks.task_added = \"sh hooks/check\"",
            "hooks.before_merge = \"/usr/bin/true\"",
            "sandbox.kind = \"none\"",
            "sandbox.read = \"~/data\"",
            "sandbox.write = \"/srv\"",
            "sandbox.hosts = \"*.example.com\"",
            "agent.hosts = \"pypi.org\" (w-1, w-2)",
            "environment.pass = \"CI\"",
            "environment.set.PATH = \"/x\"",
            "base_url = \"http://example.com/v1\"",
            "prices.\"claude-*\" = { input = 0.00, output = 0.50 }",
            "hooks/check",
        ];
        assert_eq!(words(&repository.wishes(config)), expected);
    }

    #[test]
    fn what_hooks_run_is_known_and_not_what_they_write() {
        let files =
            [("audit.sh", "true"), ("lib/more.sh", "true"), ("log", "x"), ("logs/all", "x"), ("run", "x")];
        let repository = Repository::new(&files);
        let config = "[hooks]\ntask_added = 'sh -eu audit.sh >> log'\nbefore_merge = './lib/more.sh >> logs/all'\n\
                      task_failed = '/bin/bash ../other; cat /etc/passwd; python3 ./run'";
        let wishes = repository.wishes(config);
        assert_eq!(words(&wishes)[3..], ["audit.sh", "lib/more.sh", "run"]);
    }

    #[test]
    fn trust_is_in_a_content_in_a_folder_and_can_be_taken_back() {
        let config = "[hooks]\ntask_added = 'hooks/check'";
        let (repository, other) =
            (Repository::new(&[("hooks/check", "true")]), Repository::new(&[("hooks/check", "true")]));
        let kept = tempfile::tempdir().unwrap();
        let trust = Trust::in_folder(kept.path().join("trusted"));
        let trusts = |wishes: &[Wish]| trust.require(wishes).is_ok();
        trust.give(&repository.wishes(config)).unwrap();
        assert!(trusts(&repository.wishes(config)));
        assert!(!trusts(&other.wishes(config)), "another clone");
        assert!(!trusts(&repository.wishes("[hooks]\ntask_added = 'hooks/check now'")), "another command");
        repository.write("hooks/check", "rm -rf ~");
        match trust.require(&repository.wishes(config)) {
            Err(Error::Untrusted { wishes }) => {
                assert_eq!(words(&wishes), ["hooks/check"], "the rest is as it was");
            }
            other => panic!("{other:?}"),
        }
        repository.write("hooks/check", "true");
        assert!(trusts(&repository.wishes(config)), "as it was");
        trust.take_back(&repository.wishes(config)).unwrap();
        trust.take_back(&repository.wishes(config)).unwrap();
        assert!(!trusts(&repository.wishes(config)));
    }

    #[test]
    fn settings_are_known_by_all_that_lies_in_them() {
        let repository = Repository::new(&[
            (".claude/settings.json", "{}"),
            (".claude/commands/go.md", "Go."),
            (".mcp.json", "{}"),
            ("sub/.mcp.json", "{}"),
            ("CLAUDE.md", "Be kind."),
        ]);
        let before = repository.settings();
        assert_eq!(words(&before), [".claude", ".mcp.json"]);
        repository.write(".claude/commands/go.md", "Stop.");
        let after = repository.settings();
        assert_ne!(after[0], before[0]);
        assert_eq!(after[1], before[1]);
        std::os::unix::fs::symlink("sub/.mcp.json", repository.0.path().join(".codex")).unwrap();
        let link = repository.settings().remove(1);
        assert_eq!(link.what, ".codex");
        fs::remove_file(repository.0.path().join(".codex")).unwrap();
        repository.write(".codex", "sub/.mcp.json");
        assert_ne!(repository.settings().remove(1), link, "a file is no link");
    }

    #[test]
    fn it_is_kept_where_users_keep_what_lasts() {
        let variables = |list: &[(&str, &str)]| -> Vec<(OsString, OsString)> {
            list.iter().map(|(name, value)| (name.into(), value.into())).collect()
        };
        let of = |list: &[(&str, &str)]| Trust::of(&variables(list)).map(|trust| trust.0);
        let home = Some(PathBuf::from("/home/u/.local/state/agent-team/trusted"));
        assert_eq!(of(&[("HOME", "/home/u")]), home);
        assert_eq!(of(&[("HOME", "/home/u"), ("XDG_STATE_HOME", "relative")]), home);
        assert_eq!(of(&[("XDG_STATE_HOME", "/s")]), Some("/s/agent-team/trusted".into()));
        assert_eq!(of(&[]), None);
    }
}
