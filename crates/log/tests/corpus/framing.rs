//! What holds of the framing, whatever bytes a log holds. `fuzz/fuzz_targets/framing.rs` calls it with bytes that it
//! makes up, and the test beside this with those that it kept.

use agent_team_log::framing::{AtCorruption, Safeguards, scan, write_framed};
use agent_team_log::{Batch, Damage, DamageKind};

/// Judges bytes as a log, and as a story of writers.
pub fn check(input: &[u8]) {
    if let Some((first, bytes)) = input.split_first() {
        every_byte_is_accounted_for(bytes);
        a_reader_stops_where_corruption_begins(bytes);
        it_does_not_matter_where_a_read_ends(bytes, usize::from(*first) * bytes.len() / 255);
        what_is_appended_is_found(bytes);
        writers_lose_nothing(bytes);
    }
}

fn framed(record: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::new();
    write_framed(Safeguards::ALL, &mut bytes, record);
    bytes
}

fn examine(bytes: &[u8]) -> Batch {
    scan(Safeguards::ALL, bytes.to_vec(), 0, true, AtCorruption::Continue).unwrap()
}

fn records(batch: &Batch) -> Vec<&[u8]> {
    batch.records().map(|record| record.bytes).collect()
}

/// A record that is given out is one that was framed so, and what is neither record nor damage is a line break.
fn every_byte_is_accounted_for(bytes: &[u8]) {
    let batch = examine(bytes);
    let next = batch.next().value() as usize;
    assert!(next <= bytes.len());
    let mut rest = bytes[..next].to_vec();
    let mut take = |begin: usize, end: usize| {
        let taken = rest[begin..end].iter_mut().map(|byte| std::mem::replace(byte, b'\n'));
        let taken: Vec<u8> = taken.collect();
        assert!(!taken.is_empty() && taken[0] != b'\n', "nothing is given out twice");
        taken
    };
    for record in batch.records() {
        let line = take(record.position.value() as usize, record.next.value() as usize);
        assert_eq!(line, framed(record.bytes)[1..], "a record is given out as it was framed");
    }
    for Damage { position, length_bytes, .. } in batch.damage() {
        take(position.value() as usize, (position.value() + length_bytes) as usize);
    }
    assert!(rest.iter().all(|byte| *byte == b'\n'), "bytes that nobody mentions");
}

fn a_reader_stops_where_corruption_begins(bytes: &[u8]) {
    let examined = examine(bytes);
    let is_corrupt = |damage: &&Damage| matches!(damage.kind, DamageKind::Corrupt(_));
    let corrupt = examined.damage().iter().find(is_corrupt).map(|damage| damage.position);
    let before = examined.records().filter(|record| corrupt.is_none_or(|at| record.position < at));
    let believed: Vec<&[u8]> = before.map(|record| record.bytes).collect();
    match scan(Safeguards::ALL, bytes.to_vec(), 0, true, AtCorruption::Stop) {
        Ok(batch) => {
            assert_eq!(records(&batch), believed);
            assert!(corrupt.is_none() || !batch.is_empty(), "corruption is told");
        }
        Err(_) => assert!(corrupt.is_some() && believed.is_empty()),
    }
}

fn it_does_not_matter_where_a_read_ends(bytes: &[u8], cut: usize) {
    let first = scan(Safeguards::ALL, bytes[..cut].to_vec(), 0, false, AtCorruption::Continue).unwrap();
    let from = first.next().value();
    let rest = bytes[from as usize..].to_vec();
    let second = scan(Safeguards::ALL, rest, from, true, AtCorruption::Continue).unwrap();
    let whole = examine(bytes);
    let both: Vec<_> = first.records().chain(second.records()).collect();
    assert_eq!(both, whole.records().collect::<Vec<_>>());
    let stretches = |batch: &Batch| batch.damage().iter().map(|damage| damage.length_bytes).sum::<u64>();
    assert_eq!(stretches(&first) + stretches(&second), stretches(&whole));
    assert_eq!(second.next(), whole.next());
}

fn what_is_appended_is_found(bytes: &[u8]) {
    const RECORD: &[u8] = br#"{"id":"next"}"#;
    let before = examine(bytes);
    let with = [bytes, &framed(RECORD)].concat();
    let after = examine(&with);
    let (before, after) = (records(&before), records(&after));
    assert_eq!(after.last(), Some(&RECORD));
    assert_eq!(after[..before.len()], before, "what was there is there still");
    // A record that lacked only its line break has one now.
    assert!(after.len() - before.len() <= 2);
}

/// Bytes as a story: writers append, die in the middle, and the machine loses power.
fn writers_lose_nothing(story: &[u8]) {
    let mut log = Vec::new();
    let (mut acknowledged, mut unheard) = (Vec::new(), Vec::new());
    for (number, step) in story.chunks_exact(2).take(60).enumerate() {
        let (what, how) = (step[0], usize::from(step[1]));
        let record = match what % 4 {
            0 => b"{}".to_vec(),
            1 => format!(r#"{{"id":{number},"text":"{}"}}"#, "x".repeat(how * 4)).into_bytes(),
            _ => format!(r#"{{"id":{number}}}"#).into_bytes(),
        };
        let frame = framed(&record);
        match what / 4 % 8 {
            0 => {
                let torn = how * frame.len() / 256;
                log.extend_from_slice(&frame[..torn]);
                if torn == frame.len() - 1 {
                    unheard.push(record);
                }
            }
            1 => log.extend_from_slice(&vec![0; how + 1]),
            2 => log.extend_from_slice(&vec![0; 4080 + how]),
            3 => log.extend_from_slice(&b"\n".repeat(how % 4)),
            // Everything but the line break, which the next one brings.
            4 => {
                log.extend_from_slice(&frame[..frame.len() - 1]);
                unheard.push(record);
            }
            _ => {
                log.extend_from_slice(&frame);
                acknowledged.push(record);
            }
        }
    }
    let batch = scan(Safeguards::ALL, log, 0, true, AtCorruption::Stop).unwrap();
    assert!(!batch.damage().iter().any(|damage| matches!(damage.kind, DamageKind::Corrupt(_))));
    let mut expected = acknowledged.iter().map(Vec::as_slice).peekable();
    for record in records(&batch) {
        if expected.next_if_eq(&record).is_none() {
            assert!(unheard.iter().any(|known| known == record), "a record that nobody wrote");
        }
    }
    assert_eq!(expected.next(), None, "an acknowledged record is lost");
}
