//! Any bytes as a log file.
#![no_main]

#[path = "../../crates/log/tests/corpus/framing.rs"]
mod framing;

libfuzzer_sys::fuzz_target!(|input: &[u8]| framing::check(input));
