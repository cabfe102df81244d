//! How fast agent-team is, beside what the machine can do: one program, one table.
//!
//! Each row is measured on the public library or on the real binary, and its raw limit is measured in the same run by
//! the least code that could do it (`floors`). Nothing is asserted: a figure that does not hold is printed as such. What
//! is not a matter of speed (a task claimed twice, a task lost) is an error.

mod claims;
mod commands;
mod floors;
mod git_recorder;
mod hops;
mod idle;
mod merge;
mod model;
mod open;
mod peer;
mod prepare;
mod rows;
mod run;
mod setting;
mod statistics;
mod table;
mod view;

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Instant;

use anyhow::{Context, Result};
use clap::Parser;

use crate::peer::Part;
use crate::setting::Setting;
use crate::table::Table;

/// Measures agent-team and prints each figure beside its raw limit.
#[derive(Debug, Parser)]
#[command(name = "agent-team-bench")]
struct Arguments {
    /// Print a list of objects: name, value, unit, limit, ratio, target, aim, holds
    #[arg(long)]
    json: bool,
    /// Only this row (repeat it); rows that come from one measurement are made together
    #[arg(long, value_name = "NAME")]
    row: Vec<String>,
    /// Print the names of the rows, and what each measures
    #[arg(long)]
    list: bool,
    /// Fewer rounds and smaller logs: for a first look, not for the record
    #[arg(long)]
    quick: bool,
    /// Where the logs lie while they are measured; it should be on a disk
    #[arg(long, value_name = "FOLDER", default_value_os_t = std::env::temp_dir())]
    folder: PathBuf,
    #[command(subcommand)]
    part: Option<Part>,
}

fn main() -> ExitCode {
    if let Some(code) = git_recorder::play_if_called_git() {
        return code;
    }
    match run(Arguments::parse()) {
        Ok(code) => code,
        Err(error) => {
            eprintln!("agent-team-bench: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run(arguments: Arguments) -> Result<ExitCode> {
    if let Some(part) = arguments.part {
        part.play()?;
        return Ok(ExitCode::SUCCESS);
    }
    if arguments.list {
        table::print_list(rows::GROUPS);
        return Ok(ExitCode::SUCCESS);
    }
    rows::check_names(&arguments.row)?;
    let setting = Setting::new(&arguments.folder, arguments.quick).context("no place for the logs")?;
    let mut table = Table::new(arguments.json);
    for group in rows::GROUPS {
        if group.rows.iter().all(|row| !rows::is_wanted(row, &arguments.row)) {
            continue;
        }
        let begun = Instant::now();
        let measured = (group.measure)(&setting);
        eprintln!("# {} took {:.1} s", group.what, begun.elapsed().as_secs_f64());
        match measured {
            Ok(measured) => table.add(group, &measured, &arguments.row),
            Err(error) => table.add_failed(group, &error, &arguments.row),
        }
    }
    table.end()?;
    Ok(if table.is_whole() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}
