//! What stands in for the walls of Linux on another system: nothing can be confined there, so nothing is run unless the user says
//! that it need not be.

pub(super) mod child {
    use std::os::fd::OwnedFd;
    use std::process::Command;

    use super::seccomp::BpfProgram;

    /// What a child does before it becomes its program: nothing, as none is ever confined.
    #[derive(Debug, Default)]
    #[expect(dead_code, reason = "what it would do is said, and not done")]
    pub(in crate::sandbox) struct Child {
        pub(in crate::sandbox) keep: Vec<OwnedFd>,
        pub(in crate::sandbox) processes: Option<u64>,
        pub(in crate::sandbox) walls: Option<Walls>,
    }

    /// What would confine it.
    #[derive(Debug)]
    #[expect(dead_code, reason = "there are none")]
    pub(in crate::sandbox) struct Walls {
        pub(in crate::sandbox) rules: OwnedFd,
        pub(in crate::sandbox) filters: Vec<BpfProgram>,
        pub(in crate::sandbox) mark: u64,
    }

    impl Child {
        pub(in crate::sandbox) fn prepare(self, _: &mut Command) {}
    }
}

pub(super) mod landlock {
    use std::os::fd::OwnedFd;

    use crate::sandbox::policy::Policy;

    const WHY_NOT: &str = "Landlock is a part of Linux";

    pub(in crate::sandbox) fn is_there() -> Result<(), String> {
        Err(WHY_NOT.to_owned())
    }

    pub(in crate::sandbox) fn rules(_: &Policy) -> Result<OwnedFd, String> {
        Err(WHY_NOT.to_owned())
    }
}

pub(super) mod seccomp {
    const WHY_NOT: &str = "seccomp is a part of Linux";

    /// A filter, of which there is none.
    #[derive(Debug)]
    pub(in crate::sandbox) enum BpfProgram {}

    pub(in crate::sandbox) fn beside_namespaces() -> Result<BpfProgram, String> {
        Err(WHY_NOT.to_owned())
    }

    pub(in crate::sandbox) fn instead_of_namespaces() -> Result<Vec<BpfProgram>, String> {
        Err(WHY_NOT.to_owned())
    }

    pub(in crate::sandbox) fn bytes(filter: &BpfProgram) -> Vec<u8> {
        match *filter {}
    }
}
