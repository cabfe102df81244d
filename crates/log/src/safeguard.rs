//! The rules of framing and of snapshots as switches, so that the simulator can show that each of them is needed.
//!
//! In every normal build all of them are on, and asking costs nothing. Only with the feature `mutants`, which nothing but
//! the simulator enables, can one be switched off.

/// A rule without which records could be lost, or bytes believed that nobody appended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Safeguard {
    /// A record begins with a line break, which ends what a dead writer left.
    LeadingNewline,
    /// A record matches its checksum.
    Checksum,
    /// A terminated line that is only the beginning of a record is stepped over.
    TornRecords,
    /// A run of NUL bytes is stepped over.
    NulRuns,
    /// What is not ended by a line break is waited for.
    UnfinishedTail,
    /// A snapshot matches its seal.
    SnapshotSeal,
    /// A snapshot was made of these very bytes.
    SnapshotDigest,
}

/// Which safeguards are on.
#[derive(Debug, Clone, Copy, Default)]
pub struct Safeguards {
    #[cfg(feature = "mutants")]
    off: u32,
}

impl Safeguards {
    /// All of them, as in every program but the simulator.
    pub const ALL: Self = Self {
        #[cfg(feature = "mutants")]
        off: 0,
    };

    /// Whether one is on.
    #[cfg(not(feature = "mutants"))]
    #[inline(always)]
    pub(crate) const fn on(self, _: Safeguard) -> bool {
        true
    }
}

#[cfg(feature = "mutants")]
impl Safeguards {
    /// All but these.
    #[must_use]
    pub fn without(safeguards: &[Safeguard]) -> Self {
        Self { off: safeguards.iter().fold(0, |off, safeguard| off | 1 << *safeguard as u32) }
    }

    pub(crate) const fn on(self, safeguard: Safeguard) -> bool {
        self.off & (1 << safeguard as u32) == 0
    }
}

#[cfg(feature = "mutants")]
impl Safeguard {
    /// All of them.
    pub const ALL: [Self; 7] = [
        Self::LeadingNewline,
        Self::Checksum,
        Self::TornRecords,
        Self::NulRuns,
        Self::UnfinishedTail,
        Self::SnapshotSeal,
        Self::SnapshotDigest,
    ];
}
