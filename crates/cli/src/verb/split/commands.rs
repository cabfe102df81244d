//! The command lines that tasks and gates get: this verb with `--run`, for another folder and another process.
//!
//! Paths in them are seen from the team's folder, so that they mean the same when it is moved, or in another clone.

use std::collections::BTreeSet;
use std::env;
use std::fs;
use std::path::{Path, PathBuf};

use agent_team::split::{Share, Suite, TaskCommands, quote, write_list};
use agent_team::{Error, format_duration};
use agent_team::{READS, TeamFolder};

use super::Split;

/// As many inputs as can stand on a command line that people read.
const INPUTS_TYPED_MAX: usize = 8;

/// The longest check; a task takes 4096 bytes.
const CHECK_BYTES_MAX: usize = 4_000;

/// How a task's check is written down.
enum Check {
    /// As a command line.
    Typed(String),
    /// As the lines of a file for the shell.
    File(Vec<String>),
}

/// What the command lines of one suite have in common.
pub struct Commands<'a> {
    split: &'a Split,
    /// The way from the team's folder to where the suite is run, if it is another one.
    enter: Option<String>,
    /// The beginning of each, up to the choice of inputs.
    begin: String,
    /// Where relative inputs are found that a checkout does not have.
    base: Option<String>,
    /// That folder.
    inputs_in: PathBuf,
    folder: PathBuf,
    /// The team's folder.
    workspace: &'a Path,
    inputs: &'a [String],
}

impl<'a> Commands<'a> {
    pub fn new(split: &'a Split, suite: &Suite, team: &'a TeamFolder, inputs: &'a [String]) -> Self {
        let workspace = team.workspace();
        let within = suite.folder.strip_prefix(workspace).unwrap_or(&suite.folder);
        let is_there = within.as_os_str().is_empty();
        let enter = (!is_there).then(|| format!("cd {}", quote(&within.to_string_lossy())));
        let mut begin = format!("{} split --run --candidate {}", program(), quote(&suite.candidate));
        if let Some(oracle) = &suite.oracle {
            begin += &format!(" --oracle {}", quote(oracle));
        }
        if suite.together {
            begin += " --together";
        }
        begin += &format!(" --timeout {}", format_duration(suite.time_limit));
        let is_relative =
            |input: &String| Path::new(input).is_relative() && suite.folder.join(input).exists();
        let folder = split.inputs_base(&suite.folder, Some(team)).unwrap_or_else(|| suite.folder.clone());
        let base = inputs.iter().any(is_relative).then(|| path(&folder, workspace));
        let (inputs_in, folder) = (folder, team.split().join(suite.name()));
        Self { split, enter, begin, base, inputs_in, folder, workspace, inputs }
    }

    /// The file with the inputs that did not pass, which gate and samples leave out.
    pub fn except(&self) -> PathBuf {
        self.folder.join("except")
    }

    /// The file with all inputs, where a command line is too short for them.
    fn all(&self) -> PathBuf {
        self.folder.join("inputs")
    }

    /// Writes the lists that the gate and the samples read.
    pub fn write_lists(&self, except: &[String]) -> Result<(), Error> {
        write_list(&self.folder.join(READS), &self.reads())?;
        if !self.are_typed() {
            write_list(&self.all(), self.inputs)?;
        }
        // One of an earlier time must not go on excusing what passes now.
        if !except.is_empty() || self.except().exists() {
            write_list(&self.except(), except)?;
        }
        Ok(())
    }

    /// What checks and gates see besides their checkout, since git may not know it: the folders of the inputs, or inputs
    /// themselves where their folder holds the whole project.
    fn reads(&self) -> Vec<String> {
        let files = self.inputs.iter().map(|input| self.inputs_in.join(input)).filter(|file| file.exists());
        let seen = |file: PathBuf| match file.parent() {
            Some(folder) if !self.workspace.starts_with(folder) => folder.to_owned(),
            _ => file,
        };
        let seen: BTreeSet<PathBuf> = files.map(seen).collect();
        let within =
            |path: &PathBuf| path.strip_prefix(self.workspace).unwrap_or(path).to_string_lossy().into_owned();
        seen.iter().map(within).collect()
    }

    /// The command for the gate: all that pass now.
    pub fn gate(&self, except: &[String]) -> String {
        let enter = self.enter.as_ref().map_or_else(String::new, |enter| format!("{enter} && "));
        let mut text = format!("{enter}{}{}", self.begin, self.base());
        if !except.is_empty() {
            text += &format!(" --except {}", self.seen(&self.except()));
        }
        text + &self.choice()
    }

    /// The commands for a task whose lists are in `folder`.
    pub fn of_task(&self, folder: &Path, sets: usize, share: Share, except: &[String]) -> TaskCommands {
        let lists = self.lists(folder, sets);
        let check = match self.check(&lists) {
            Check::Typed(check) => check,
            Check::File(_) => {
                format!("{} split --check-file {}", program(), self.seen(&folder.join("check")))
            }
        };
        let sample = format!("{} --sample {share} --as YOUR-NAME", self.gate(except));
        let list = lists.iter().map(|list| list.display().to_string()).collect::<Vec<_>>().join(", ");
        TaskCommands { check, sample, list }
    }

    /// Writes the lists that a task's check reads, and the check itself if it is too long for a task.
    pub fn write_task(&self, folder: &Path, sets: &[Vec<String>]) -> Result<(), Error> {
        let lists = self.lists(folder, sets.len());
        for (list, inputs) in lists.iter().zip(sets) {
            write_list(list, inputs)?;
        }
        match self.check(&lists) {
            Check::Typed(_) => Ok(()),
            Check::File(lines) => write_list(&folder.join("check"), &lines),
        }
    }

    /// The check that runs some lists, one after the other.
    fn check(&self, lists: &[PathBuf]) -> Check {
        let one = |list: &PathBuf| format!("{}{} --inputs-from {}", self.begin, self.base(), self.seen(list));
        let steps: Vec<String> = self.enter.iter().cloned().chain(lists.iter().map(one)).collect();
        let typed = steps.join(" && ");
        if typed.len() <= CHECK_BYTES_MAX {
            return Check::Typed(typed);
        }
        Check::File(steps.iter().map(|step| format!("{step} || exit")).collect())
    }

    /// The files with the inputs of a task: one of all, or for inputs that fail together one of each set.
    fn lists(&self, folder: &Path, sets: usize) -> Vec<PathBuf> {
        if sets == 1 {
            return vec![folder.join("inputs")];
        }
        (1..=sets).map(|number| folder.join(format!("inputs-{number}"))).collect()
    }

    fn base(&self) -> String {
        self.base.as_ref().map_or_else(String::new, |base| format!(" --inputs-base {base}"))
    }

    /// A path in the team's folder, as a command line names it.
    fn seen(&self, file: &Path) -> String {
        path(file, self.workspace)
    }

    /// Whether the inputs can be named as the user named them.
    fn are_typed(&self) -> bool {
        self.split.inputs_from.is_none() && self.split.inputs.len() <= INPUTS_TYPED_MAX
    }

    /// The inputs, as the user named them or by a list.
    fn choice(&self) -> String {
        if !self.are_typed() {
            return format!(" --inputs-from {}", self.seen(&self.all()));
        }
        let names: Vec<String> = self.split.inputs.iter().map(|name| quote(name)).collect();
        let end_of_flags = if names.iter().any(|name| name.starts_with('-')) { " --" } else { "" };
        format!("{end_of_flags} {}", names.join(" "))
    }
}

/// A path as it is seen from the team's folder, quoted; whole if it is not in there.
fn path(path: &Path, from: &Path) -> String {
    match path.strip_prefix(from) {
        Ok(within) if within.as_os_str().is_empty() => ".".to_owned(),
        Ok(within) => quote(&within.to_string_lossy()),
        Err(_) => quote(&path.to_string_lossy()),
    }
}

/// How this program is called where only `PATH` and `HOME` are known: by its name, if that is what is found there.
fn program() -> String {
    const NAME: &str = "agent-team";
    let Ok(here) = env::current_exe() else { return NAME.to_owned() };
    let paths = env::var_os("PATH").unwrap_or_default();
    let found = env::split_paths(&paths).map(|folder| folder.join(NAME)).find(|file| file.is_file());
    match found.map(fs::canonicalize) {
        Some(Ok(found)) if fs::canonicalize(&here).is_ok_and(|here| here == found) => NAME.to_owned(),
        _ => quote(&here.to_string_lossy()),
    }
}
