//! The simulated repository: one branch, its fence, and who merged what. All of it survives a power cut, as git is told
//! to sync its refs.

use agent_team_core::id::RecordId;

/// A commit on the branch.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Commit {
    /// Its name.
    pub name: String,
    /// The work that it holds: the name of the commit that an agent delivered.
    pub work: String,
}

/// What came of a landing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Landed {
    /// The branch moved.
    Landed,
    /// It did not: the claim is being ended.
    FenceMoved,
    /// It did not: what was tested is not what would be merged.
    TipMoved,
}

/// A branch with its fence.
#[derive(Debug, Default)]
pub struct Git {
    branch: Vec<Commit>,
    fence: Option<RecordId>,
}

impl Git {
    /// The commits of the branch, oldest first.
    #[must_use]
    pub fn branch(&self) -> &[Commit] {
        &self.branch
    }

    /// The branch's newest commit.
    #[must_use]
    pub fn tip(&self) -> String {
        self.branch.last().map_or_else(|| "root".to_owned(), |commit| commit.name.clone())
    }

    /// What the fence holds.
    #[must_use]
    pub fn fence(&self) -> Option<RecordId> {
        self.fence
    }

    /// Sets the fence if it holds what was expected. Says whether.
    pub fn set_fence(&mut self, expected: Option<RecordId>, text: RecordId) -> bool {
        let stands = self.fence == expected;
        if stands {
            self.fence = Some(text);
        }
        stands
    }

    /// Moves the fence, whatever it holds.
    pub fn move_fence(&mut self, text: RecordId) {
        self.fence = Some(text);
    }

    /// Whether the branch holds a commit.
    #[must_use]
    pub fn contains(&self, name: &str) -> bool {
        self.branch.iter().any(|commit| commit.name == name)
    }

    /// Moves the branch in one transaction that verifies the fence and the tip, as far as it is asked to.
    pub fn land(&mut self, fence: Option<RecordId>, old: Option<&str>, new: Commit) -> Landed {
        if fence.is_some() && self.fence != fence {
            return Landed::FenceMoved;
        }
        if old.is_some_and(|old| self.tip() != old) {
            return Landed::TipMoved;
        }
        self.branch.push(new);
        Landed::Landed
    }
}

impl Git {
    /// Somebody outside of the team commits.
    pub fn commit_by_user(&mut self) {
        let work = format!("by the user {}", self.branch.len());
        self.branch.push(candidate(&work, &self.tip()));
    }
}

/// The commit that work makes on a tip: the same for everyone who makes it.
#[must_use]
pub fn candidate(work: &str, tip: &str) -> Commit {
    let name = tip.bytes().chain(*b"+").chain(work.bytes()).fold(0xcbf2_9ce4_8422_2325, |hash: u64, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
    });
    Commit { name: format!("{name:016x}"), work: work.to_owned() }
}
