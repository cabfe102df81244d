//! All rows of the table, with what each is held against.

use anyhow::{Result, bail};

use crate::table::Target::{Least, Most, PartOfLimit, TimesLimit};
use crate::table::{Group, Row, Target};
use crate::{claims, commands, hops, idle, merge, model, open, run, view};

const fn row(
    name: &'static str,
    what: &'static str,
    unit: &'static str,
    at_least: Option<Target>,
    aim: Option<Target>,
) -> Row {
    Row { name, what, unit, at_least, aim }
}

/// What counts as no processor time, in hundredths of a core: asking how much it was costs that.
const NOTHING: f64 = 0.005;

/// Everything that is measured, in the order in which it is.
pub const GROUPS: &[Group] = &[
    Group {
        what: "one process, a thousand tasks",
        rows: &[row(
            "claim-1k",
            "claim + complete, one process, unsynced, 1,000 tasks queued",
            "tasks/s",
            Some(Least(100_000.0)),
            Some(PartOfLimit(0.9)),
        )],
        measure: claims::one_process,
    },
    Group {
        what: "one process, a million tasks",
        rows: &[row(
            "claim-1m",
            "claim + complete, one process, unsynced, 1,000,000 tasks queued",
            "tasks/s",
            Some(Least(100_000.0)),
            Some(PartOfLimit(0.9)),
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
            Some(Least(35_000.0)),
            Some(Least(60_000.0)),
        )],
        measure: claims::sixteen,
    },
    Group {
        what: "sixteen processes, every result synced",
        rows: &[row(
            "claim-16-power",
            "16 writers, every result synced before it is acknowledged; the limit is raw group commit",
            "tasks/s",
            Some(PartOfLimit(0.5)),
            Some(PartOfLimit(0.85)),
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
                Some(Most(100.0)),
                Some(TimesLimit(2.0)),
            ),
            row("hop-task-p99", "the same, 99 of 100", "us", Some(Most(1_000.0)), Some(TimesLimit(2.0))),
            row(
                "hop-message-median",
                "a message sent in one process is received by another that waits",
                "us",
                Some(Most(100.0)),
                Some(TimesLimit(2.0)),
            ),
            row("hop-message-p99", "the same, 99 of 100", "us", Some(Most(1_000.0)), Some(TimesLimit(2.0))),
        ],
        measure: hops::measure,
    },
    Group {
        what: "a thousand waiting agents",
        rows: &[
            row(
                "waiting-queue",
                "processor use of 1,000 agents that each wait in `claim_when_ready`",
                "% of a core",
                Some(Most(0.1)),
                Some(Most(NOTHING)),
            ),
            row(
                "waiting-run",
                "processor use of 1,000 idle agents of a run",
                "% of a core",
                Some(Most(0.1)),
                Some(Most(NOTHING)),
            ),
        ],
        measure: idle::processor,
    },
    Group {
        what: "a run with a model that takes 50 ms",
        rows: &[row(
            "makespan",
            "1,000 tasks, 16 agents, 50 ms model: tasks x delay / agents / real; the limit has no log",
            "of the ideal",
            Some(Least(0.98)),
            Some(PartOfLimit(0.995)),
        )],
        measure: run::makespan,
    },
    Group {
        what: "a run with an instant model",
        rows: &[
            row(
                "overhead-wall",
                "1,000 tasks, 16 agents, instant model, logged: wall clock; the limit is append + read",
                "us/task",
                Some(Most(30.0)),
                Some(Most(20.0)),
            ),
            row(
                "overhead-processor",
                "the same: processor time, all threads",
                "us/task",
                Some(Most(30.0)),
                Some(Most(20.0)),
            ),
        ],
        measure: run::overhead,
    },
    Group {
        what: "a run with an instant model, every result synced",
        rows: &[
            row(
                "overhead-power-wall",
                "the same with every result synced: wall clock; the limit is raw group commit",
                "us/task",
                None,
                None,
            ),
            row(
                "overhead-power-processor",
                "the same with every result synced: processor time, all threads",
                "us/task",
                None,
                None,
            ),
        ],
        measure: run::overhead_synced,
    },
    Group {
        what: "the memory of idle agents",
        rows: &[
            row(
                "memory-16",
                "resident memory, 16 idle agents of a run",
                "MB",
                Some(Most(16.0)),
                Some(Most(8.0)),
            ),
            row(
                "memory-1k",
                "resident memory, 1,000 idle agents of a run",
                "MB",
                Some(Most(24.0)),
                Some(Most(16.0)),
            ),
            row(
                "memory-10k",
                "resident memory, 10,000 idle agents of a run",
                "MB",
                Some(Most(100.0)),
                Some(Most(60.0)),
            ),
        ],
        measure: idle::memory,
    },
    Group {
        what: "the start of the program",
        rows: &[row(
            "version",
            "`agent-team --version`, start to exit",
            "ms",
            Some(Most(3.0)),
            Some(TimesLimit(1.0)),
        )],
        measure: commands::version,
    },
    Group {
        what: "short commands on a long log",
        rows: &[
            row("status-100k", "`status`, 100,000 tasks, snapshot", "ms", Some(Most(20.0)), Some(Most(10.0))),
            row("list-100k", "`list`, 100,000 tasks, snapshot", "ms", Some(Most(20.0)), Some(Most(10.0))),
            row("claim-100k", "`claim`, 100,000 tasks, snapshot", "ms", Some(Most(20.0)), Some(Most(10.0))),
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
            Some(Least(1_000_000.0)),
            Some(Least(2_000_000.0)),
        )],
        measure: open::cold,
    },
    Group {
        what: "calls to a model",
        rows: &[row(
            "model-call",
            "one call to a model over loopback HTTP: processor time of the caller; the limit is a raw client",
            "us",
            Some(Most(100.0)),
            Some(TimesLimit(2.0)),
        )],
        measure: model::call,
    },
    Group {
        what: "the merge queue",
        rows: &[
            row(
                "merge-16",
                "merge queue, 16 finished branches, instant gate; the limit is the time of the same git commands alone",
                "ms/merge",
                Some(TimesLimit(1.1)),
                None,
            ),
            row(
                "merge-16-confined",
                "the same with the gate in a sandbox, as it is by default",
                "ms/merge",
                None,
                None,
            ),
        ],
        measure: merge::sixteen,
    },
    Group {
        what: "the terminal view",
        rows: &[
            row(
                "view-frame",
                "terminal view: a key and its frame, 200x60, 100 agents, 10,000 tasks; the limit is ratatui alone, all cells",
                "ms",
                Some(Most(16.0)),
                Some(Most(4.0)),
            ),
            row(
                "view-frame-80x24",
                "the same on a terminal of 80x24",
                "ms",
                Some(Most(16.0)),
                Some(Most(4.0)),
            ),
            row(
                "view-look",
                "the same team looked at after a change, beside the thread that draws",
                "ms",
                None,
                None,
            ),
        ],
        measure: view::frame,
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

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    /// What is required and aimed at, as it was agreed: a row that goes, or a target that is softened, is seen here.
    const AGREED: &[(&str, &str, &str)] = &[
        ("claim-1k", ">= 100000", ">= 0.9 x limit"),
        ("claim-1m", ">= 100000", ">= 0.9 x limit"),
        ("claim-16", ">= 35000", ">= 60000"),
        ("claim-16-power", ">= 0.5 x limit", ">= 0.85 x limit"),
        ("hop-task-median", "<= 100", "<= 2 x limit"),
        ("hop-task-p99", "<= 1000", "<= 2 x limit"),
        ("hop-message-median", "<= 100", "<= 2 x limit"),
        ("hop-message-p99", "<= 1000", "<= 2 x limit"),
        ("waiting-queue", "<= 0.1", "<= 0.005"),
        ("waiting-run", "<= 0.1", "<= 0.005"),
        ("makespan", ">= 0.98", ">= 0.995 x limit"),
        ("overhead-wall", "<= 30", "<= 20"),
        ("overhead-processor", "<= 30", "<= 20"),
        ("memory-16", "<= 16", "<= 8"),
        ("memory-1k", "<= 24", "<= 16"),
        ("memory-10k", "<= 100", "<= 60"),
        ("version", "<= 3", "<= 1 x limit"),
        ("status-100k", "<= 20", "<= 10"),
        ("list-100k", "<= 20", "<= 10"),
        ("claim-100k", "<= 20", "<= 10"),
        ("cold-open", ">= 1000000", ">= 2000000"),
        ("model-call", "<= 100", "<= 2 x limit"),
        ("merge-16", "<= 1.1 x limit", ""),
        ("view-frame", "<= 16", "<= 4"),
        ("view-frame-80x24", "<= 16", "<= 4"),
    ];

    fn rows() -> impl Iterator<Item = &'static Row> {
        GROUPS.iter().flat_map(|group| group.rows)
    }

    #[test]
    fn every_agreed_row_is_there_with_its_target() {
        for (name, at_least, aim) in AGREED {
            let row =
                rows().find(|row| row.name == *name).unwrap_or_else(|| panic!("there is no row {name}"));
            let text = |target: Option<Target>| target.map(Target::text).unwrap_or_default();
            assert_eq!((text(row.at_least).as_str(), text(row.aim).as_str()), (*at_least, *aim), "{name}");
        }
        for name in ["claim-1k-power", "overhead-power-wall", "overhead-power-processor"] {
            assert!(
                rows().any(|row| row.name == name),
                "{name}: with every result synced, beside raw group commit"
            );
        }
    }

    #[test]
    fn rows_are_chosen_by_names_that_differ() {
        let names: BTreeSet<&str> = rows().map(|row| row.name).collect();
        assert_eq!(names.len(), rows().count());
        assert!(check_names(&["claim-1k".to_owned(), "merge-16".to_owned()]).is_ok());
        assert!(check_names(&["claim-1k".to_owned(), "claim-2k".to_owned()]).is_err());
        assert!(rows().all(|row| is_wanted(row, &[])));
        assert_eq!(rows().filter(|row| is_wanted(row, &["version".to_owned()])).count(), 1);
    }
}
