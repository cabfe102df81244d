//! The framing without files: for the simulator and for fuzzing, which keep a log's bytes in memory.
//!
//! Nothing here is promised to other programs.

pub use crate::file::append::write_once;
pub use crate::file::digest::{TAIL_BYTES, tail_digest};
pub use crate::file::frame::write_framed;
pub use crate::file::scan::{AtCorruption, scan};
pub use crate::safeguard::{Safeguard, Safeguards};
