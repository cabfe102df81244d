//! Which rules are switched off: of the core, of the log, and of the simulated processes themselves.

use agent_team_core::machine::Safeguard as Core;
use agent_team_log::framing::Safeguard as Log;

macro_rules! habits {
    ($($(#[doc = $doc:literal])* $name:ident),* $(,)?) => {
        /// A rule that a process keeps by what it does, in which order.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
        pub enum Habit { $($(#[doc = $doc])* $name,)* }

        impl Habit {
            /// All of them.
            pub const ALL: &'static [Self] = &[$(Self::$name),*];
        }
    };
}

habits! {
    /// What was appended is read back before it is acted on.
    ReadBack,
    /// What is promised outside is synced before it is acknowledged.
    SyncFirst,
    /// An append that failed is made again under the same id.
    SameId,
    /// A branch moves only under the fence that was set.
    LandUnderFence,
    /// Who ends a merge moves the fence before looking at the branch.
    FenceFirst,
    /// A branch moves only from the tip that was tested.
    LandOnTip,
    /// A merge is intended in the log before the branch moves.
    IntendFirst,
    /// A lease is counted from the last renewal that was seen.
    LeaseFromRenewal,
    /// What failed is not appended again once the log has a format that this program does not know.
    StopAtNewFormat,
    /// The log is synced before a snapshot of it is saved.
    SyncFirstForSnapshot,
    /// A snapshot is believed only if this version of the program made it.
    OwnSnapshot,
}

/// One rule that can be switched off.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Rule {
    /// One of the core.
    Core(Core),
    /// One of the log.
    Log(Log),
    /// One of the processes.
    Habit(Habit),
}

impl Rule {
    /// All of them.
    #[must_use]
    pub fn all() -> Vec<Self> {
        // A program that knows the next version is no mutant: see `Program`.
        let core = Core::ALL.into_iter().filter(|rule| *rule != Core::NewerFormat).map(Self::Core);
        core.chain(Log::ALL.into_iter().map(Self::Log))
            .chain(Habit::ALL.iter().copied().map(Self::Habit))
            .collect()
    }

    /// The name, as in reports and for `--off`.
    #[must_use]
    pub fn name(self) -> String {
        match self {
            Self::Core(rule) => format!("core.{rule:?}"),
            Self::Log(rule) => format!("log.{rule:?}"),
            Self::Habit(rule) => format!("process.{rule:?}"),
        }
    }

    /// The rule of a name.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        Self::all().into_iter().find(|rule| rule.name() == name)
    }
}

/// The rules that are switched off in a simulation.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Off {
    /// All of them.
    pub rules: Vec<Rule>,
}

impl Off {
    /// Those of the core.
    #[must_use]
    pub fn core(&self) -> Vec<Core> {
        self.rules
            .iter()
            .filter_map(|rule| if let Rule::Core(rule) = rule { Some(*rule) } else { None })
            .collect()
    }

    /// Those of the log.
    #[must_use]
    pub fn log(&self) -> Vec<Log> {
        self.rules
            .iter()
            .filter_map(|rule| if let Rule::Log(rule) = rule { Some(*rule) } else { None })
            .collect()
    }

    /// Whether processes keep a habit.
    #[must_use]
    pub fn keeps(&self, habit: Habit) -> bool {
        !self.rules.contains(&Rule::Habit(habit))
    }
}
