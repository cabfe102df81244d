//! Landing: moving a branch to a commit that passed its judges, with the fence verified in the same
//! transaction, and the user's checkout moved along when that costs him nothing. When it would, merged work
//! gathers on a branch beside.
//!
//! Nothing is judged here, and nothing recorded: callers record the intent before and the outcome after.

use std::path::{Path, PathBuf};

use super::checkout::{CheckoutMove, CheckoutState};
use super::error::GitError;
use super::fence::fence_ref;
use super::name::check_object;
use super::project::{Project, branch_ref};

/// The branches on which merged work gathers are named `agent-team/<target>`.
const GATHER_PREFIX: &str = "agent-team/";

/// Where work for a target lands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Landing {
    /// On the target, which nobody has checked out.
    BranchOnly,
    /// On the target, whose clean checkout moves along.
    Checkout {
        /// The top folder of the checkout.
        path: PathBuf,
    },
    /// On a branch beside the target, until the user brings it in.
    Gather {
        /// The branch.
        branch: String,
        /// The checkout of that branch, if the user has one.
        checkout: Option<PathBuf>,
        /// Why not on the target.
        reason: String,
        /// The command that brings the work in, for the summary.
        command: String,
    },
    /// Nowhere, until the user has done something.
    Blocked {
        /// What is in the way.
        reason: String,
    },
}

/// Work on the gather branch that the target does not have.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Gathered {
    /// The gather branch.
    pub branch: String,
    /// Its tip.
    pub tip: String,
    /// Whether the target only lags behind: then it may be landed on the target as it is.
    pub is_fast_forward: bool,
}

/// One landing: everything that must hold when the branch moves.
#[derive(Debug, Clone, Copy)]
pub struct Intent<'a> {
    /// The target, whose fence is verified.
    pub target: &'a str,
    /// The text that the fence must hold.
    pub fence: &'a str,
    /// The branch to move: the target or its gather branch.
    pub branch: &'a str,
    /// Where the branch must be.
    pub old: &'a str,
    /// Where it goes: a descendant of `old` that passed.
    pub new: &'a str,
    /// The branch's checkout, if it shall move along.
    pub checkout: Option<&'a Path>,
}

/// What came of a landing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Landed {
    /// The branch is at the new commit.
    Landed {
        /// What happened to the checkout; none when none was named.
        checkout: Option<CheckoutMove>,
    },
    /// Nothing moved: the claim behind this landing is being ended.
    FenceMoved,
    /// Nothing moved: the branch is somewhere else, so what was tested is not what would be merged.
    TipMoved {
        /// Where it is; none when it is gone.
        now: Option<String>,
    },
    /// Nothing moved: the checkout became dirty, or an untracked file is in the way. [`Project::gather`] is
    /// the way out.
    CheckoutBusy {
        /// What is in the way.
        reason: String,
    },
}

impl Project {
    /// Decides where work for `target` lands, by the state of its checkout. Makes the gather branch if that
    /// is where.
    ///
    /// # Errors
    /// [`GitError`] when git breaks or there is no such branch.
    pub fn choose_landing(&self, target: &str) -> Result<Landing, GitError> {
        if self.gathered(target)?.is_some() {
            return self.gather(target, "earlier work waits there to be brought in");
        }
        match self.checkout_of(target)? {
            None => Ok(Landing::BranchOnly),
            Some(checkout) => match checkout.state {
                CheckoutState::Clean => Ok(Landing::Checkout { path: checkout.path }),
                CheckoutState::Dirty { reason } => self.gather(target, &reason),
            },
        }
    }

    /// The work that waits on the gather branch; none when the target has it all.
    ///
    /// # Errors
    /// [`GitError`] when git breaks.
    pub fn gathered(&self, target: &str) -> Result<Option<Gathered>, GitError> {
        let branch = format!("{GATHER_PREFIX}{target}");
        let (Some(tip), Some(target_tip)) = (self.tip(&branch)?, self.tip(target)?) else { return Ok(None) };
        if self.is_ancestor(&tip, &target_tip)? {
            return Ok(None);
        }
        let is_fast_forward = self.is_ancestor(&target_tip, &tip)?;
        Ok(Some(Gathered { branch, tip, is_fast_forward }))
    }

    /// Lets work for `target` land on its gather branch, which starts at the target's tip unless work waits
    /// on it.
    ///
    /// # Errors
    /// [`GitError`] when git breaks or the target is not there.
    pub fn gather(&self, target: &str, reason: &str) -> Result<Landing, GitError> {
        let branch = format!("{GATHER_PREFIX}{target}");
        let waiting = self.gathered(target)?;
        let checkout = match self.checkout_of(&branch)? {
            None => None,
            Some(checkout) if checkout.state == CheckoutState::Clean && waiting.is_some() => {
                Some(checkout.path)
            }
            Some(checkout) => {
                let place = checkout.path.display();
                let reason = format!(
                    "{reason}; and {branch} is checked out in {place}: check out another branch there"
                );
                return Ok(Landing::Blocked { reason });
            }
        };
        if waiting.is_none() {
            self.begin_to_gather(target, &branch)?;
        }
        let only = if waiting.is_none_or(|waiting| waiting.is_fast_forward) { "--ff-only " } else { "" };
        let command = format!("git merge {only}{}", quoted(&branch));
        Ok(Landing::Gather { branch, checkout, reason: reason.to_owned(), command })
    }

    /// Lets the gather branch start at the target's tip.
    fn begin_to_gather(&self, target: &str, branch: &str) -> Result<(), GitError> {
        let tip = self.git().args(["rev-parse", "--verify", &branch_ref(target)?]).succeed()?.text();
        let old = self.tip(branch)?;
        let expected = old.clone().unwrap_or_else(|| "0".repeat(tip.len()));
        let update =
            self.git().synced().args(["update-ref", &branch_ref(branch)?, &tip, &expected]).succeed();
        match update {
            // Another process began, too, and was faster: the branch is there, and may hold work already.
            Err(_) if self.tip(branch)? != old => Ok(()),
            update => update.map(drop),
        }
    }

    /// Moves a branch, if fence and branch are where the intent says, in one synced transaction. Then moves
    /// the checkout.
    ///
    /// When this fails or its end is not seen, the branch may have moved all the same: [`Project::contains`]
    /// tells. A checkout that was left behind, or that a crash left behind, is moved by
    /// [`Project::sync_checkout`].
    ///
    /// # Errors
    /// [`GitError`] when git breaks.
    pub fn land(&self, intent: &Intent<'_>) -> Result<Landed, GitError> {
        let (old, new) = (check_object(intent.old)?, check_object(intent.new)?);
        if let Some(path) = intent.checkout
            && let Some(reason) = self.hindrance(path, old, new)?
        {
            return self.lost_race(intent).map(|lost| lost.unwrap_or(Landed::CheckoutBusy { reason }));
        }
        let (reference, fence) = (branch_ref(intent.branch)?, fence_ref(intent.target)?);
        let expected = self.blob_id(intent.fence)?;
        let steps = [
            "start".to_owned(),
            format!("verify {fence} {expected}"),
            format!("update {reference} {new} {old}"),
            "prepare".to_owned(),
            "commit\n".to_owned(),
        ];
        let command = self.git().synced().args(["update-ref", "-m", "agent-team: merged", "--stdin"]);
        let output = command.input(steps.join("\n")).run()?;
        if output.code() != Some(0) {
            return self.lost_race(intent)?.ok_or_else(|| output.failure());
        }
        sync_folder_of(&self.common_dir().join(&reference));
        // The branch has moved, so whatever keeps the checkout behind must not read as a landing that failed.
        let left = |error: GitError| CheckoutMove::Left { reason: error.to_string() };
        let checkout = intent.checkout.map(|path| self.sync_checkout(path, old, new).unwrap_or_else(left));
        Ok(Landed::Landed { checkout })
    }

    /// What keeps a checkout from moving, if anything does.
    fn hindrance(&self, path: &Path, old: &str, new: &str) -> Result<Option<String>, GitError> {
        if let CheckoutState::Dirty { reason } = self.checkout_state(path)? {
            return Ok(Some(reason));
        }
        Ok(self.rehearse_move(path, old, new)?.err())
    }

    /// What moved under a landing that did not go through; none when nothing did.
    fn lost_race(&self, intent: &Intent<'_>) -> Result<Option<Landed>, GitError> {
        if self.fence(intent.target)?.as_deref() != Some(intent.fence) {
            return Ok(Some(Landed::FenceMoved));
        }
        let now = self.tip(intent.branch)?;
        Ok((now.as_deref() != Some(intent.old)).then_some(Landed::TipMoved { now }))
    }
}

/// Git syncs a ref's file, not the folder that names it. Where refs are kept otherwise there is nothing to
/// sync.
fn sync_folder_of(path: &Path) {
    if let Some(folder) = path.parent().and_then(|folder| std::fs::File::open(folder).ok()) {
        // A folder that cannot be synced is no reason to deny what has happened.
        drop(folder.sync_all());
    }
}

/// A word as a shell takes it.
fn quoted(word: &str) -> String {
    let is_plain = word.chars().all(|c| c.is_alphanumeric() || "/._-+@%".contains(c));
    if is_plain { word.to_owned() } else { format!("'{}'", word.replace('\'', r"'\''")) }
}

#[cfg(test)]
mod tests;
