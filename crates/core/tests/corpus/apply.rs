//! Bytes as the lines of a log: each is read and applied. `fuzz/fuzz_targets/apply.rs` calls it with lines that it makes
//! up from real ones, whose ids are small, so that a changed digit names another record.

use agent_team_core::record::codec::Decoder;

use crate::codec::both_ways_are_one;
use crate::fold::Fold;

pub fn check(input: &[u8]) {
    let Some((cut, log)) = input.split_first() else { return };
    let (mut fold, mut decoder) = (Fold::new(*cut), Decoder::default());
    for line in log.split(|byte| *byte == b'\n').filter(|line| !line.is_empty()) {
        let record = decoder.decode(line);
        both_ways_are_one(line, record.as_ref().ok());
        match record {
            Ok(record) => {
                fold.apply(&record);
            }
            Err(_) => fold.skip(),
        }
    }
    fold.end();
}
