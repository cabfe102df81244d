//! What the fuzzers kept, and what real logs hold, goes through the checks of the fuzzers with each run of the tests.
//!
//! `CORPUS=new cargo test -p agent-team-core --test corpus` makes anew the inputs that come from golden logs.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]
#![expect(clippy::disallowed_methods, reason = "the inputs are files, and CORPUS is an environment variable")]

mod apply;
mod codec;
mod fold;
#[path = "../invariants/mod.rs"]
mod invariants;
mod records;
mod seed;

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Once;

fn corpus() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fuzz/corpus")
}

fn each_of(target: &str, check: fn(&[u8])) {
    made_anew();
    let inputs =
        fs::read_dir(corpus().join(target)).unwrap().map(|file| fs::read(file.unwrap().path()).unwrap());
    let checked = inputs.map(|input| check(&input)).count();
    assert!(checked > 10, "the corpus is there");
}

/// Not a test of its own: it writes what the others read.
fn made_anew() {
    static ONCE: Once = Once::new();
    if std::env::var("CORPUS").is_ok_and(|wish| wish == "new") {
        ONCE.call_once(|| seed::write(&corpus()));
    }
}

#[test]
fn the_codec_holds_for_every_input_that_was_kept() {
    each_of("codec", codec::check);
}

#[test]
fn every_log_that_was_kept_folds() {
    each_of("apply", apply::check);
}

#[test]
fn all_records_that_were_kept_fold() {
    each_of("records", records::check);
}
