//! Runs the scripts of this folder: plain text, commands and beside them what they bring about, in the manner of the
//! `testdata` of etcd/raft.
//!
//! ```text
//! add parse after=read priority=2
//! claim w1
//! ----
//! #3 task_added
//! #4 task_claimed parse
//! ```
//!
//! `UPDATE=1 cargo test -p agent-team-core --test scripts` writes what comes out as what is expected; the difference is
//! then read in the version control. The commands are listed in `command.rs`.
#![expect(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]
#![expect(
    clippy::disallowed_methods,
    reason = "the scripts are files, and UPDATE is an environment variable"
)]

mod command;
#[path = "../invariants/mod.rs"]
mod invariants;
mod parse;
mod show;
mod world;

use std::fs;
use std::path::{Path, PathBuf};

use agent_team_core::id::RecordId;

use world::World;

#[test]
fn scripts_bring_about_what_stands_beside_them() {
    let mut different = Vec::new();
    let scripts = scripts();
    assert!(!scripts.is_empty(), "no scripts found");
    for path in scripts {
        let expected = fs::read_to_string(&path).unwrap();
        let found = run(&path, &expected);
        if found == expected {
            continue;
        }
        if std::env::var("UPDATE").is_ok() {
            fs::write(&path, found).unwrap();
        } else {
            different.push(format!("{}:\n{}", path.display(), first_difference(&expected, &found)));
        }
    }
    assert!(different.is_empty(), "UPDATE=1 rewrites these scripts:\n{}", different.join("\n"));
}

fn scripts() -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/scripts");
    let files = fs::read_dir(folder).unwrap().map(|file| file.unwrap().path());
    let mut scripts: Vec<PathBuf> =
        files.filter(|path| path.extension().is_some_and(|e| e == "txt")).collect();
    scripts.sort();
    scripts
}

/// Runs a script, and gives it back with what came out beside the commands.
///
/// A block is some commands, a line of dashes, and the output up to an empty line. Text without dashes is a comment.
fn run(path: &Path, script: &str) -> String {
    let mut world = World::new();
    let blocks = script.trim_end().split("\n\n").map(|block| {
        let Some((commands, _)) = block.split_once("\n----") else { return block.to_owned() };
        let mut output = String::new();
        for line in commands.lines().filter(|line| !line.starts_with("# ")) {
            let found = command::run(&mut world, line)
                .unwrap_or_else(|problem| panic!("{}: `{line}`: {problem}", path.display()));
            invariants::check(&world.state);
            for line in found.lines() {
                output += &format!("\n{}", short(line));
            }
        }
        format!("{commands}\n----{output}")
    });
    blocks.collect::<Vec<_>>().join("\n\n") + "\n"
}

fn first_difference(expected: &str, found: &str) -> String {
    let mut lines = expected.lines().zip(found.lines()).enumerate();
    match lines.find(|(_, (expected, found))| expected != found) {
        Some((at, (expected, found))) => format!("  line {}\n  - {expected}\n  + {found}", at + 1),
        None => "  one is longer than the other".to_owned(),
    }
}

/// A line with every record id in its short form, `#7`.
fn short(line: &str) -> String {
    let mut output = String::new();
    let mut rest = line;
    while let Some(c) = rest.chars().next() {
        match rest.get(..32).and_then(|digits| digits.parse::<RecordId>().ok()) {
            Some(id) => {
                output += &format!("#{}", id.0);
                rest = &rest[32..];
            }
            None => {
                output.push(c);
                rest = &rest[c.len_utf8()..];
            }
        }
    }
    output
}
