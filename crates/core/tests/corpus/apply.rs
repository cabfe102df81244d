//! Bytes as the lines of a log: each is read and applied. `fuzz/fuzz_targets/apply.rs` calls it with lines that it makes
//! up from real ones, whose ids are small, so that a changed digit names another record.

use agent_team_core::record::codec;

use crate::fold::Fold;

pub fn check(input: &[u8]) {
    let Some((cut, log)) = input.split_first() else { return };
    let mut fold = Fold::new(*cut);
    for line in log.split(|byte| *byte == b'\n').filter(|line| !line.is_empty()) {
        match codec::decode(line) {
            Ok(record) => {
                fold.apply(&record);
            }
            Err(_) => fold.skip(),
        }
    }
    fold.end();
}
