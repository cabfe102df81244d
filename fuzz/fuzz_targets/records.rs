//! Any records of the known kinds, applied.
#![no_main]

#[path = "../../crates/core/tests/corpus/fold.rs"]
mod fold;
#[path = "../../crates/core/tests/invariants/mod.rs"]
mod invariants;
#[path = "../../crates/core/tests/corpus/records.rs"]
mod records;

libfuzzer_sys::fuzz_target!(|input: &[u8]| records::check(input));
