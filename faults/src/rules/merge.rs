//! The merge queue: what is intended, and what came of it.

use super::book::{Guard, NoEffect, Rule};
use super::task::Task;
use super::{Entry, Team};
use crate::log_file::text;

impl Team {
    /// A claim with an intent ends only when whoever ends it has moved the fence, and says so.
    pub(super) fn fence_was_moved(
        task: &Task,
        name: &str,
        entry: Entry<'_>,
        guard: &mut Guard,
    ) -> Result<(), NoEffect> {
        let Some((intent, _)) = &task.intent else { return Ok(()) };
        guard.must(Rule::Fence, text(&entry.body["fenced"]) == intent, || {
            format!("a {} on {name}, whose merge was under way", entry.kind)
        })
    }

    pub(super) fn intended(&mut self, entry: Entry<'_>, guard: &mut Guard) -> Result<(), NoEffect> {
        let name = self.holds(entry, Some("merge"), guard)?;
        let Some(task) = self.tasks.get_mut(&name) else { return Ok(()) };
        Self::fence_was_moved(task, &name, entry, guard)?;
        let commit = text(&entry.body["commit"]);
        // What adds nothing to the branch leaves it where it is.
        let is_new = commit != text(&entry.body["old_tip"]);
        task.intent = Some((entry.id.to_owned(), Some(commit.to_owned()).filter(|_| is_new)));
        Ok(())
    }

    pub(super) fn merged(&mut self, entry: Entry<'_>, guard: &mut Guard) -> Result<(), NoEffect> {
        let intent = text(&entry.body["intent"]);
        let is_it = |task: &Task| task.intent.as_ref().is_some_and(|(id, _)| id == intent);
        let found = self.tasks.iter().find(|(_, task)| is_it(task)).map(|(name, _)| name.clone());
        guard.must(Rule::Intent, found.is_some(), || "a merge that nobody intends now".into())?;
        let Some(name) = found else { return Ok(()) };
        let Some(task) = self.tasks.get_mut(&name) else { return Ok(()) };
        if let Some(commit) = task.intent.take().and_then(|(_, commit)| commit) {
            let before = self.merged.insert(commit.clone(), entry.id.to_owned());
            let other = before.clone().unwrap_or_default();
            self.book.must(Rule::MergedOnce, before.is_none(), &[entry.id, &other], || {
                format!("{commit} is merged for {name}, and was merged before")
            });
        }
        self.passed(&name, entry.id);
        Ok(())
    }

    pub(super) fn merge_refused(&mut self, entry: Entry<'_>, guard: &mut Guard) -> Result<(), NoEffect> {
        let name = self.holds(entry, Some("merge"), guard)?;
        let Some(task) = self.tasks.get_mut(&name) else { return Ok(()) };
        Self::fence_was_moved(task, &name, entry, guard)?;
        task.send_back(entry.id, text(&entry.body["cause"]));
        Ok(())
    }
}
