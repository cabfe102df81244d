//! Tests the real programs and the real library of agent-team under real faults on a real file system.
//!
//! Each part makes teams in temporary folders, lets processes work there, and does something to them: kills them at a
//! named point or at any moment, stops them for longer than their leases, lets their system calls fail, fills their
//! disk, flips bits, takes the log away. What is checked comes from outside: what processes said before they died, the
//! log's lines as this crate reads them itself, and git. Nothing here is part of what is shipped.
//!
//! | what | where |
//! |---|---|
//! | the parts, one file each | `parts/` |
//! | a rehearsal of each behaviour, and a long one of a whole team | `parts/rehearse`, `parts/long` |
//! | what was promised, by those to whom it was said | `ledger` |
//! | the log read anew, without the code of the other crates | `log_file`, `story` |
//! | a checker of all rules, which reads only a log | `rules` |
//! | faults at single system calls, through the library in `shim/` | `fault` |
//! | a program over the public library that is killed and stopped | `worker` |
//! | processes, folders and mounts that must not be left behind | `cleanup`, `child`, `place` |

pub mod child;
pub mod cleanup;
pub mod fault;
pub mod ledger;
pub mod log_file;
pub mod parts;
pub mod place;
pub mod rules;
pub mod seeded;
pub mod setup;
pub mod story;
pub mod worker;
