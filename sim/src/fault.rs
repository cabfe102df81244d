//! What can go wrong, by name: so that it can be counted, switched off, and named in a report.

macro_rules! faults {
    ($($(#[doc = $doc:literal])* $name:ident $text:literal),* $(,)?) => {
        /// Something that goes wrong.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
        pub enum Fault { $($(#[doc = $doc])* $name,)* }

        impl Fault {
            /// All of them.
            pub const ALL: &'static [Self] = &[$(Self::$name),*];

            /// The name, as in reports and for `--without`.
            #[must_use]
            pub fn name(self) -> &'static str {
                match self { $(Self::$name => $text,)* }
            }

            /// What happens.
            #[must_use]
            pub fn meaning(self) -> &'static str {
                match self { $(Self::$name => concat!($($doc),*),)* }
            }

            /// The fault of a name.
            #[must_use]
            pub fn named(name: &str) -> Option<Self> {
                Self::ALL.iter().copied().find(|fault| fault.name() == name)
            }
        }
    };
}

faults! {
    /// A process is killed between two of its steps.
    Kill "kill",
    /// A process is killed within an append: the record is torn at a 4 KiB offset of the file.
    Tear "tear",
    /// Readers see the first part of an append before the rest.
    Partial "partial",
    /// The system takes only a part of an append; the writer appends the whole again.
    Short "short",
    /// The system takes only a part of an append, and the writer is killed before it does anything about it.
    ShortKilled "short-killed",
    /// The disk is full for a while.
    FullDisk "full-disk",
    /// An append fails, and nothing of it is there.
    Failed "failed-append",
    /// An append fails, and all of it is there.
    Landed "landed-append",
    /// A sync fails.
    SyncFailed "failed-sync",
    /// A task kills whoever works on it.
    Poison "poison",
    /// Somebody outside of the team commits to the branch.
    UserCommit "user-commit",
    /// A process is stopped for longer than a lease, and goes on.
    Pause "pause",
    /// A process is stopped in the middle of a merge, or of ending one.
    MergePause "pause-in-merge",
    /// A process waits too long for its turn, and goes on without it.
    NoTurn "no-turn",
    /// A process's clock is far from the others'.
    Skew "skewed-clock",
    /// A process's clock is set anew while it runs.
    ClockSet "clock-set",
    /// The power is cut: what was not synced is gone.
    PowerCut "power-cut",
    /// The power is cut, and pages that never reached the disk are full of NUL bytes.
    NulPages "nul-pages",
    /// A process opens an older snapshot than the newest.
    SnapshotStale "stale-snapshot",
    /// A process opens a snapshot that is cut off.
    SnapshotCut "cut-snapshot",
    /// A process opens a snapshot with a changed bit.
    SnapshotDamaged "damaged-snapshot",
    /// A process opens a snapshot of another team's log.
    SnapshotForeign "foreign-snapshot",
    /// A snapshot is saved of what was not synced: a power cut may lose its tail, which others then overwrite.
    SnapshotOverwritten "overwritten-snapshot",
    /// A program of this version meets a format that only the next one knows.
    Raised "raised-format",
    /// A record of a kind that this version does not know.
    UnknownKind "unknown-kind",
    /// A record with fields that this version does not know.
    UnknownField "unknown-field",
    /// A line that is no record at all.
    NotARecord "not-a-record",
    /// Somebody writes a record without asking whether it may be.
    Careless "careless-writer",
    /// A bit of the log changes.
    BitFlip "bit-flip",
}
