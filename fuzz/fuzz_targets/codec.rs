//! Any bytes as a line of the log.
#![no_main]

#[path = "../../crates/core/tests/corpus/codec.rs"]
mod codec;

libfuzzer_sys::fuzz_target!(|input: &[u8]| codec::check(input));
