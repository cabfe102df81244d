//! File reservations: which holder is about to change which files. They end with the claim.

use serde::{Deserialize, Serialize};

use super::refusal::Refusal;
use crate::id::{AgentId, RecordId};
use crate::text::misleads;

/// One reserved path.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reservation {
    /// The claim under which it was reserved.
    pub claim: RecordId,
    /// Who holds that claim.
    pub agent: AgentId,
    /// A file, or a folder with a `/` at the end.
    pub path: String,
}

/// All reservations in force.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Files(Vec<Reservation>);

impl Files {
    pub fn all(&self) -> &[Reservation] {
        &self.0
    }

    /// Whether paths can be reserved under a claim.
    pub fn check(&self, claim: RecordId, paths: &[String]) -> Result<(), Refusal> {
        for path in paths {
            if name(path).split('/').any(|part| matches!(part, "" | "." | "..")) || misleads(path) {
                return Err(Refusal::BadPath { path: path.clone() });
            }
            let taken = self.0.iter().find(|other| other.claim != claim && overlap(&other.path, path));
            if let Some(other) = taken {
                return Err(Refusal::FileReserved { path: path.clone(), holder: other.agent.clone() });
            }
        }
        Ok(())
    }

    pub fn reserve(&mut self, claim: RecordId, agent: &AgentId, paths: &[String]) {
        for path in paths {
            let reservation = Reservation { claim, agent: agent.clone(), path: path.clone() };
            if !self.0.contains(&reservation) {
                self.0.push(reservation);
            }
        }
    }

    /// Frees paths of a claim; all of them if none is named.
    pub fn release(&mut self, claim: RecordId, paths: &[String]) {
        self.0.retain(|held| held.claim != claim || !(paths.is_empty() || paths.contains(&held.path)));
    }
}

/// Whether two paths name the same file, or one a folder that holds the other.
fn overlap(a: &str, b: &str) -> bool {
    let inside =
        |folder: &str, path: &str| path.strip_prefix(folder).is_some_and(|rest| rest.starts_with('/'));
    let (a, b) = (name(a), name(b));
    a == b || inside(a, b) || inside(b, a)
}

/// A path without the slash that marks it as a folder: only the disk knows whether it is one.
fn name(path: &str) -> &str {
    path.strip_suffix('/').unwrap_or(path)
}
