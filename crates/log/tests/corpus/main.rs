//! What the fuzzers kept, and what real logs hold, goes through the checks of the fuzzers with each run of the tests.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod framing;

use std::fs;
use std::path::Path;

#[test]
fn the_framing_holds_for_every_input_that_was_kept() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fuzz/corpus/framing");
    let inputs = fs::read_dir(folder).unwrap().map(|file| fs::read(file.unwrap().path()).unwrap());
    let checked = inputs.map(|input| framing::check(&input)).count();
    assert!(checked > 10, "the corpus is there");
}
