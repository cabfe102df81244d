//! A log cut off at any byte is the log of what was whole before the cut, and takes more.

use std::fs;

use agent_team_core::machine::{Fingerprint, State};
use agent_team_core::record::codec;
use agent_team_log::framing::{AtCorruption, Safeguards, scan, write_framed};

use super::{FORMAT, folder};

/// A record of a program that only looks whether it can write.
const NEXT: &[u8] = br#"{"v":1,"id":"0000000000000000000000000000ffff","at_ms":1,"by":"next","kind":"agent_joined","body":{"agent":"next","role":"worker","skills":[],"with":null,"orchestrated":false}}"#;

/// The records of a log's bytes after the header, each with the place where it ends, its line break included.
fn records(bytes: &[u8]) -> Vec<(usize, Vec<u8>)> {
    let batch = scan(Safeguards::ALL, bytes.to_vec(), 0, true, AtCorruption::Stop).unwrap();
    batch.records().map(|record| (record.next.value() as usize, record.bytes.to_vec())).collect()
}

fn fold<'a>(records: impl Iterator<Item = &'a Vec<u8>>) -> State {
    let mut state = State::new();
    for record in records {
        match codec::decode(record) {
            Ok(record) => {
                state.apply(record.clone());
            }
            Err(_) => state.skip(),
        }
    }
    state
}

#[test]
fn a_log_cut_at_any_byte_folds_to_what_was_whole_before_the_cut() {
    for name in ["damaged", "formats", "adding"] {
        let file = fs::read(folder(FORMAT).join(name).with_extension("jsonl")).unwrap();
        let header = file.iter().position(|byte| *byte == b'\n').unwrap() + 1;
        let log = &file[header..];
        // The last one lacks its line break.
        let all = records(&[log, b"\n"].concat());
        let states: Vec<Fingerprint> = (0..=all.len())
            .map(|many| fold(all[..many].iter().map(|(_, record)| record)).fingerprint())
            .collect();
        for cut in 0..=log.len() {
            let whole = all.iter().take_while(|(end, _)| *end <= cut).count();
            let found = records(&log[..cut]);
            assert_eq!(found, all[..whole], "{name}, cut at {cut}");

            let mut continued = log[..cut].to_vec();
            write_framed(Safeguards::ALL, &mut continued, NEXT);
            let found: Vec<Vec<u8>> = records(&continued).into_iter().map(|(_, record)| record).collect();
            let (next, before) = found.split_last().unwrap();
            assert_eq!(next, NEXT, "{name}, cut at {cut}");
            // Only a line break was missing: the next writer brought it.
            let completed = all.get(whole).is_some_and(|(end, _)| end - 1 == cut);
            assert_eq!(before.len(), whole + usize::from(completed), "{name}, cut at {cut}");
            let mut state = fold(before.iter());
            assert_eq!(state.fingerprint(), states[before.len()], "{name}, cut at {cut}");
            state.apply(codec::decode(NEXT).unwrap());
            let other_format = state.newer_format().is_some();
            assert_eq!(
                state.agent(&"next".parse().unwrap()).is_some(),
                !other_format,
                "{name}, cut at {cut}"
            );
        }
    }
}
