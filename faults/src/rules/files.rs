//! File reservations: one claim at a time has a file, or the folder above it.

use super::book::{Guard, NoEffect, Rule};
use super::{Entry, Team};
use crate::log_file::text;

/// What is reserved: claim and path.
#[derive(Debug, Default)]
pub(super) struct Files(Vec<(String, String)>);

/// Whether one is the other, or a folder above it.
fn overlap(one: &str, other: &str) -> bool {
    let parts = |path: &str| path.trim_end_matches('/').split('/').map(str::to_owned).collect::<Vec<_>>();
    let (one, other) = (parts(one), parts(other));
    one.starts_with(&other) || other.starts_with(&one)
}

impl Team {
    pub(super) fn files(&mut self, entry: Entry<'_>, guard: &mut Guard) -> Result<(), NoEffect> {
        let name = self.holds(entry, None, guard)?;
        let claim = text(&entry.body["claim"]);
        let paths: Vec<&str> = entry.body["paths"].as_array().into_iter().flatten().map(text).collect();
        if entry.kind == "files_released" {
            let is_released = |path: &String| paths.is_empty() || paths.contains(&path.as_str());
            self.files.0.retain(|(held, path)| held != claim || !is_released(path));
            return Ok(());
        }
        // A claim that has ended has nothing reserved.
        let tasks = self.tasks.values();
        let in_force: Vec<&str> =
            tasks.filter_map(|task| task.claim.as_ref()).map(|claim| claim.id.as_str()).collect();
        self.files.0.retain(|(held, _)| in_force.contains(&held.as_str()));
        let taken =
            |path: &&&str| self.files.0.iter().any(|(held, known)| held != claim && overlap(known, path));
        let taken = paths.iter().find(taken);
        guard.must(Rule::Files, taken.is_none(), || {
            format!("{name} reserves {}, which is reserved", taken.unwrap_or(&""))
        })?;
        self.files.0.extend(paths.into_iter().map(|path| (claim.to_owned(), path.to_owned())));
        Ok(())
    }
}
