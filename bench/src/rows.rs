//! All rows of the table, with what each is held against.

use anyhow::{Result, bail};

use crate::table::Target::{AtLeast, AtLeastOfLimit, AtMost, AtMostOfLimit};
use crate::table::{Group, Row, Target};
use crate::{claims, commands, hops, open};

const fn row(
    name: &'static str,
    what: &'static str,
    unit: &'static str,
    at_least: Option<Target>,
    aim: Option<Target>,
) -> Row {
    Row { name, what, unit, at_least, aim }
}

/// Everything that is measured, in the order in which it is.
pub const GROUPS: &[Group] = &[
    Group {
        what: "one process, a thousand tasks",
        rows: &[row(
            "claim-1k",
            "claim + complete, one process, unsynced, 1,000 tasks queued",
            "tasks/s",
            Some(AtLeast(100_000.0)),
            Some(AtLeastOfLimit(0.9)),
        )],
        measure: claims::one_process,
    },
    Group {
        what: "one process, a million tasks",
        rows: &[row(
            "claim-1m",
            "claim + complete, one process, unsynced, 1,000,000 tasks queued",
            "tasks/s",
            Some(AtLeast(100_000.0)),
            Some(AtLeastOfLimit(0.9)),
        )],
        measure: claims::one_process_of_many,
    },
    Group {
        what: "one process, every result synced",
        rows: &[row(
            "claim-1k-power",
            "claim + complete, one process, every result synced; the limit is append + fdatasync",
            "tasks/s",
            None,
            None,
        )],
        measure: claims::one_process_synced,
    },
    Group {
        what: "sixteen processes",
        rows: &[row(
            "claim-16",
            "claim + complete, 16 processes that all fold everything, unsynced; the limit is without a lock",
            "tasks/s",
            Some(AtLeast(35_000.0)),
            Some(AtLeast(60_000.0)),
        )],
        measure: claims::sixteen,
    },
    Group {
        what: "sixteen processes, every result synced",
        rows: &[row(
            "claim-16-power",
            "16 writers, every result synced before it is acknowledged; the limit is raw group commit",
            "tasks/s",
            Some(AtLeastOfLimit(0.5)),
            Some(AtLeastOfLimit(0.85)),
        )],
        measure: claims::sixteen_synced,
    },
    Group {
        what: "hops from process to process",
        rows: &[
            row(
                "hop-task-median",
                "a task made ready in one process is claimed by another that waits",
                "us",
                Some(AtMost(100.0)),
                Some(AtMostOfLimit(2.0)),
            ),
            row("hop-task-p99", "the same, 99 of 100", "us", Some(AtMost(1_000.0)), Some(AtMostOfLimit(2.0))),
            row(
                "hop-message-median",
                "a message sent in one process is received by another that waits",
                "us",
                Some(AtMost(100.0)),
                Some(AtMostOfLimit(2.0)),
            ),
            row(
                "hop-message-p99",
                "the same, 99 of 100",
                "us",
                Some(AtMost(1_000.0)),
                Some(AtMostOfLimit(2.0)),
            ),
        ],
        measure: hops::measure,
    },
    Group {
        what: "the start of the program",
        rows: &[row(
            "version",
            "`agent-team --version`, start to exit",
            "ms",
            Some(AtMost(3.0)),
            Some(AtMostOfLimit(1.0)),
        )],
        measure: commands::version,
    },
    Group {
        what: "short commands on a long log",
        rows: &[
            row(
                "status-100k",
                "`status`, 100,000 tasks, snapshot",
                "ms",
                Some(AtMost(20.0)),
                Some(AtMost(10.0)),
            ),
            row("list-100k", "`list`, 100,000 tasks, snapshot", "ms", Some(AtMost(20.0)), Some(AtMost(10.0))),
            row(
                "claim-100k",
                "`claim`, 100,000 tasks, snapshot",
                "ms",
                Some(AtMost(20.0)),
                Some(AtMost(10.0)),
            ),
            row("show-100k", "`show`, 100,000 tasks, snapshot", "ms", None, None),
            row("add-100k", "`add`, 100,000 tasks, snapshot", "ms", None, None),
        ],
        measure: commands::on_a_long_log,
    },
    Group {
        what: "opening without a snapshot",
        rows: &[row(
            "cold-open",
            "opening a long log without a snapshot; the limit is reading, finding lines, one checksum",
            "records/s",
            Some(AtLeast(1_000_000.0)),
            Some(AtLeast(2_000_000.0)),
        )],
        measure: open::cold,
    },
];

/// Whether a row is asked for; no names mean all.
pub fn is_wanted(row: &Row, names: &[String]) -> bool {
    names.is_empty() || names.iter().any(|name| name == row.name)
}

/// Refuses names that no row has.
pub fn check_names(names: &[String]) -> Result<()> {
    for name in names {
        if !GROUPS.iter().flat_map(|group| group.rows).any(|row| row.name == name) {
            bail!("no row is called `{name}`: --list prints them all");
        }
    }
    Ok(())
}
