//! The templates of `init --template`: files of this repository, written as they are.
//!
//! Each is a team for a purpose that teaches by its comments, and rehearses as it stands.

use std::fs::OpenOptions;
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use clap::ValueEnum;
use clap::builder::PossibleValue;

use crate::exit::Failure;

/// A team for a purpose.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Template {
    pub name: &'static str,
    /// What it is for, in one line.
    pub about: &'static str,
    files: &'static [File],
}

/// A file of a template.
#[derive(Debug, PartialEq, Eq)]
struct File {
    path: &'static str,
    text: &'static str,
    mode: u32,
}

/// A file to be read, and one to be run.
const TEXT: u32 = 0o666;
const PROGRAM: u32 = 0o777;

macro_rules! file {
    ($template:literal, $path:literal, $mode:expr) => {
        File { path: $path, text: include_str!(concat!("../templates/", $template, "/", $path)), mode: $mode }
    };
}

/// All templates, in the order in which they are listed.
pub const ALL: [Template; 5] = [
    Template {
        name: "feature",
        about: "a feature: a lead splits the goal, workers build it, a reviewer reads it, a hook asks before each merge",
        files: &[file!("feature", "team.toml", TEXT), file!("feature", "hooks/before-merge", PROGRAM)],
    },
    Template {
        name: "bug-hunt",
        about: "competing hypotheses: investigators refute each other, and the fix must make the bug go away",
        files: &[file!("bug-hunt", "team.toml", TEXT), file!("bug-hunt", "reproduce", PROGRAM)],
    },
    Template {
        name: "review-panel",
        about: "a panel of reviewers: security, performance, correctness and interface, and one who sums up",
        files: &[file!("review-panel", "team.toml", TEXT)],
    },
    Template {
        name: "port",
        about: "a port with an oracle: the outputs of the old and the new program are compared, part by part",
        files: &[
            file!("port", "team.toml", TEXT),
            file!("port", "oracle/compare", PROGRAM),
            file!("port", "oracle/cases/text-1", TEXT),
        ],
    },
    Template {
        name: "docs",
        about: "documentation: writers, and a fact checker who runs every example",
        files: &[file!("docs", "team.toml", TEXT), file!("docs", "check-links", PROGRAM)],
    },
];

/// What `--template` may name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Choice {
    /// The list of them.
    List,
    /// One of them.
    One(Template),
}

impl ValueEnum for Choice {
    fn value_variants<'a>() -> &'a [Self] {
        const CHOICES: [Choice; 6] = [
            Choice::List,
            Choice::One(ALL[0]),
            Choice::One(ALL[1]),
            Choice::One(ALL[2]),
            Choice::One(ALL[3]),
            Choice::One(ALL[4]),
        ];
        &CHOICES
    }

    fn to_possible_value(&self) -> Option<PossibleValue> {
        Some(match self {
            Self::List => PossibleValue::new("list").help("names them all, and writes nothing"),
            Self::One(template) => PossibleValue::new(template.name).help(template.about),
        })
    }
}

impl Template {
    /// The paths of its files, from the team's folder.
    pub fn paths(&self) -> impl Iterator<Item = &'static str> {
        self.files.iter().map(|file| file.path)
    }

    /// Says no if a file of this template is there already: none is ever overwritten.
    pub fn must_be_new(&self, dir: &Path) -> Result<(), Failure> {
        match self.paths().find(|path| dir.join(path).symlink_metadata().is_ok()) {
            None => Ok(()),
            Some(path) => Err(Failure::refused(format!("there is {path} in {} already", dir.display()))
                .hint("a template overwrites nothing: move that file away, or begin in another folder")),
        }
    }

    /// Writes its files into a folder.
    pub fn write(&self, dir: &Path) -> Result<(), Failure> {
        for file in self.files {
            let path = dir.join(file.path);
            let failed = |error| Failure::io(&format!("cannot write {}", path.display()), &error);
            if let Some(folder) = path.parent() {
                std::fs::create_dir_all(folder).map_err(failed)?;
            }
            let made = OpenOptions::new().write(true).create_new(true).mode(file.mode).open(&path);
            made.and_then(|mut made| made.write_all(file.text.as_bytes())).map_err(failed)?;
        }
        Ok(())
    }
}
