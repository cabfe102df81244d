//! `doctor`: examines a team, and says what is wrong with it.

use std::collections::BTreeMap;

use agent_team::git::{DiscoverError, GitProgram, Project};
use agent_team::{Diagnosis, Health, Observer, OddRecord, SnapshotHealth, TakenBack, TeamFolder};
use clap::Args;
use serde::Serialize;

use crate::cli::Global;
use crate::confinement::Commands;
use crate::exit::{Exit, Failure};
use crate::output::{Cell, Output, Paint};
use crate::time;

/// The arguments of `doctor`.
#[derive(Debug, Args)]
#[command(
    about = "Examine the team, and say what is wrong",
    long_about = "Examine the log, the texts beside it, and the holders of claims. Every stretch of the log that is no \
                  record is named with its position, and every record that took no effect is counted by its reason \
                  (--all lists them). Void and torn records are normal: they come from races and from processes that \
                  died.\n\nExit codes: 0 when nothing is lost; 1 when the log is corrupt or a text cannot be had.",
    after_help = "Examples:\n  agent-team doctor\n  agent-team doctor --all\n  agent-team doctor --json | jq .damage"
)]
pub struct Doctor {
    /// List every void, repeated and unknown record instead of counting them
    #[arg(long)]
    all: bool,
}

#[derive(Serialize)]
struct Json<'a> {
    sound: bool,
    #[serde(flatten)]
    diagnosis: &'a Diagnosis,
    git: &'a str,
    sandbox: &'a str,
    taken_back: &'a [TakenBack],
}

impl Doctor {
    pub fn run(self, global: &Global, out: &mut Output) -> Result<Exit, Failure> {
        let folder = global.folder()?;
        let diagnosis = Diagnosis::of(&folder)?;
        // A log that cannot be opened is a finding already; then there is nobody to take anything back from.
        let queue = if diagnosis.is_sound() { Some(global.open()?) } else { None };
        let taken_back = match &queue {
            Some(queue) => Observer::new(queue.team_log()).expire_dead()?,
            None => Vec::new(),
        };
        let git = git(&folder);
        let sandbox = sandbox(&folder);
        let sound = diagnosis.is_sound();
        if out.is_json() {
            out.json(&Json {
                sound,
                diagnosis: &diagnosis,
                git: &git,
                sandbox: &sandbox,
                taken_back: &taken_back,
            })?;
        } else {
            self.print(&diagnosis, [&git, &sandbox], &taken_back, out)?;
        }
        out.flush()?;
        if sound {
            return Ok(Exit::Done);
        }
        Err(Failure::new(Exit::Broken, "something is lost: see the lines that say so")
            .hint("copy `.agent-team` before you do anything else"))
    }

    fn print(
        &self,
        found: &Diagnosis,
        around: [&str; 2],
        taken_back: &[TakenBack],
        out: &mut Output,
    ) -> std::io::Result<()> {
        out.table(&facts(found, around))?;
        out.table(&losses(found))?;
        for (what, records) in [
            ("void", &found.void),
            ("repeated", &found.repeated),
            ("unknown", &found.unknown),
            ("unreadable", &found.unreadable),
        ] {
            let rows = if self.all { listed(what, records) } else { counted(what, records) };
            out.table(&rows)?;
        }
        let holders = found.holders.iter().map(|holder| {
            let paint = (holder.health == Health::Dead).then_some(Paint::Warning);
            let who = match (holder.pid, holder.lease_ms) {
                (Some(pid), _) => format!("process {pid}"),
                (None, Some(lease_ms)) => format!("lease of {}", time::short(lease_ms)),
                (None, None) => "until it is ended".to_owned(),
            };
            let health = Cell::painted(health(holder.health), paint);
            vec![
                "holder".into(),
                holder.agent.as_str().into(),
                holder.task.as_str().into(),
                holder.stage.into(),
                who.into(),
                health,
            ]
        });
        out.table(&holders.collect::<Vec<_>>())?;
        for taken in taken_back {
            out.painted(&format!("taken back  {}  from {}", taken.task, taken.agent), Some(Paint::Warning))?;
        }
        out.painted(if found.is_sound() { "nothing is lost" } else { "something is lost" }, None)
    }
}

fn facts(found: &Diagnosis, [git, sandbox]: [&str; 2]) -> Vec<Vec<Cell>> {
    let snapshot = match found.snapshot {
        SnapshotHealth::None => "none yet",
        SnapshotHealth::Valid => "valid",
        SnapshotHealth::Ignored => "does not belong to this log, and is ignored",
    };
    let file_system = found.file_system_warning.as_deref().unwrap_or("local");
    let mut rows: Vec<Vec<Cell>> = vec![
        vec!["log".into(), found.log.display().into()],
        vec!["id".into(), found.log_id.as_deref().unwrap_or("unknown").into()],
        vec!["size".into(), format!("{} bytes", found.size_bytes).into()],
        vec!["records".into(), found.records.into()],
        vec!["file system".into(), file_system.into()],
        vec!["snapshot".into(), snapshot.into()],
        vec!["git".into(), git.into()],
        vec!["sandbox".into(), sandbox.into()],
    ];
    if found.unfinished_bytes > 0 {
        let text = format!(
            "{} bytes at the end: somebody writes now, or died while writing",
            found.unfinished_bytes
        );
        rows.push(vec!["unfinished".into(), text.into()]);
    }
    if let Some(format) = found.newer_format {
        let text = format!("{format}: a newer agent-team is needed to write");
        rows.push(vec!["format".into(), Cell::painted(text, Some(Paint::Warning))]);
    }
    rows
}

/// What lies in the log and is no record, and what cannot be had.
fn losses(found: &Diagnosis) -> Vec<Vec<Cell>> {
    let damage = found.damage.iter().map(|damage| {
        let paint = if damage.kind == "corrupt" { Paint::Bad } else { Paint::Faint };
        let place = format!("at byte {}, {} bytes", damage.position, damage.length_bytes);
        vec![Cell::painted(damage.kind, Some(paint)), place.into(), damage.reason.into()]
    });
    let texts = found.lost_texts.iter().map(|text| {
        let place = format!("named by record {}", text.seq);
        vec![Cell::painted("lost text", Some(Paint::Bad)), place.into(), text.reason.as_str().into()]
    });
    damage.chain(texts).collect()
}

fn counted(what: &str, records: &[OddRecord]) -> Vec<Vec<Cell>> {
    let mut counts: BTreeMap<(&str, &str), u64> = BTreeMap::new();
    for record in records {
        *counts.entry((&record.kind, &record.cause)).or_default() += 1;
    }
    let row = |((kind, cause), count): ((&str, &str), u64)| {
        vec![what.into(), count.into(), kind.into(), cause.into()]
    };
    counts.into_iter().map(row).collect()
}

fn listed(what: &str, records: &[OddRecord]) -> Vec<Vec<Cell>> {
    let row = |record: &OddRecord| {
        vec![
            what.into(),
            record.seq.into(),
            format!("at byte {}", record.position).into(),
            record.id.map(|id| id.to_string()).unwrap_or_default().into(),
            record.by.as_ref().map(ToString::to_string).unwrap_or_default().into(),
            record.kind.as_str().into(),
            record.reason.as_str().into(),
        ]
    };
    records.iter().map(row).collect()
}

fn health(health: Health) -> &'static str {
    match health {
        Health::Alive => "alive",
        Health::Dead => "dead",
        Health::Elsewhere => "elsewhere: nobody here can tell",
        Health::Leased => "by its lease",
        Health::Unbound => "unbound",
    }
}

/// What confines commands here, tried out; or why nothing does.
fn sandbox(folder: &TeamFolder) -> String {
    let kind = match Commands::default().sandbox(Some(folder)) {
        Ok(sandbox) => sandbox.kind().map_err(|error| error.to_string()),
        Err(failure) => Err(failure.words()),
    };
    kind.map_or_else(
        |why| format!("none can be used, so commands are refused: {why}"),
        |kind| kind.to_string(),
    )
}

/// What git says of the folder. A team needs none as long as its results are text.
fn git(folder: &TeamFolder) -> String {
    match Project::discover(&GitProgram::from_process_environment(), folder.workspace()) {
        Ok(project) => format!("repository {}", project.root().display()),
        Err(DiscoverError::NotARepository { .. }) => "no repository (results are text then)".to_owned(),
        Err(error) => error.to_string(),
    }
}
