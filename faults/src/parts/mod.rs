//! The parts, one file each.

pub mod bits;
pub mod disk;
pub mod files;
pub mod long;
pub mod points;
pub mod points_run;
pub mod random;
pub mod rehearse;
pub mod stopped;
pub mod writes;
