//! Any lines as a log, applied.
#![no_main]

#[path = "../../crates/core/tests/corpus/apply.rs"]
mod apply;
#[expect(dead_code, reason = "only the comparison of the two ways to read is wanted here")]
#[path = "../../crates/core/tests/corpus/codec.rs"]
mod codec;
#[path = "../../crates/core/tests/corpus/fold.rs"]
mod fold;
#[path = "../../crates/core/tests/invariants/mod.rs"]
mod invariants;

libfuzzer_sys::fuzz_target!(|input: &[u8]| apply::check(input));
