//! The simulator: many processes over the real core and the real framing, one thread, everything from a seed.
//!
//! A [`simulation`] plays processes on a simulated disk and repository ([`disk`], [`git`], [`world`]) while faults happen
//! ([`fault`]). The [`check`]ers hear what agents did and were told. [`mutant`]s show that they bite: with any rule
//! switched off, some simulation fails. What fails is shrunk ([`shrink`]).
//!
//! Nothing here goes to disk, reads a clock, or uses a thread within a simulation: equal options give equal simulations.

pub mod check;
pub mod coverage;
pub mod disk;
pub mod fault;
pub mod git;
pub mod mutant;
pub mod mutants;
pub mod options;
pub mod process;
pub mod random;
pub mod shrink;
pub mod simulation;
pub mod trace;
pub mod world;
