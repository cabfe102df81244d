//! What dying writers, flipped bits and people do to a log file, and that a reader always notices.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::fs::{self, OpenOptions};
use std::io::Write;
use std::path::{Path, PathBuf};

use agent_team_log::{DamageKind, Examination, FileLog, Log, OpenError, Position, ReadError, examine};
use tempfile::TempDir;

const RECORDS: [&str; 4] =
    [r#"{"id":"a","text":"J*J* @ "}"#, "{}", r#"{"id":"b"}"#, r#"{"id":"c","n":[1,2]}"#];

/// A log of `RECORDS`: its folder, path, and bytes.
fn log() -> (TempDir, PathBuf, Vec<u8>) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("log.jsonl");
    append(&path, &RECORDS);
    let bytes = fs::read(&path).unwrap();
    (folder, path, bytes)
}

fn append(path: &Path, records: &[&str]) {
    let log = FileLog::open_or_create(path).unwrap();
    log.append(&records.iter().map(|record| record.as_bytes()).collect::<Vec<_>>()).unwrap();
}

fn append_raw(path: &Path, bytes: &[u8]) {
    OpenOptions::new().append(true).open(path).unwrap().write_all(bytes).unwrap();
}

/// Everything that a reader is given: the records, what was stepped over, and the corruption that stopped it.
fn read(path: &Path) -> (Vec<String>, Vec<DamageKind>, Option<ReadError>) {
    let log = FileLog::open(path).unwrap();
    let (mut from, mut records, mut damage) = (Position::START, Vec::new(), Vec::new());
    loop {
        match log.read(from, 1) {
            Err(error) => return (records, damage, Some(error)),
            Ok(batch) => {
                let is_end = batch.is_empty();
                records
                    .extend(batch.records().map(|record| String::from_utf8(record.bytes.to_vec()).unwrap()));
                damage.extend(batch.damage().iter().map(|damage| damage.kind.clone()));
                from = batch.next();
                if is_end {
                    return (records, damage, None);
                }
            }
        }
    }
}

fn examined(path: &Path) -> (Vec<String>, Examination) {
    let mut records = Vec::new();
    let examination =
        examine(path, |record| records.push(String::from_utf8(record.bytes.to_vec()).unwrap())).unwrap();
    (records, examination)
}

fn header_length(bytes: &[u8]) -> usize {
    bytes.iter().position(|&byte| byte == b'\n').unwrap() + 1
}

#[test]
fn the_file_is_lines_of_json_with_a_header() {
    let (_folder, _, bytes) = log();
    let lines: Vec<serde_json::Value> = bytes
        .split(|&byte| byte == b'\n')
        .filter(|line| !line.is_empty())
        .map(|line| serde_json::from_slice(line).unwrap())
        .collect();
    assert_eq!(lines.len(), 1 + RECORDS.len());
    assert_eq!((&lines[0]["version"], &lines[0]["start"]), (&1.into(), &0.into()));
    assert_eq!(lines[0]["log"].as_str().unwrap().len(), 36);
    assert_eq!(lines[4]["n"][1], 2);
}

#[test]
fn a_writer_reads_when_a_dead_one_left_a_part_of_a_record_where_its_own_would_begin() {
    let (_folder, path, _) = log();
    let log = FileLog::open(&path).unwrap();
    let mut told = 0;
    for torn in [&b""[..], b"\n", b"\n{\"le", b"\n{\"len\":9,\"crc\":\"01234567\",\"id\""] {
        let from = log.read(Position::START, 1 << 20).unwrap().next();
        append_raw(&path, torn);
        let end = log.append_behind(from, &[br#"{"id":"d"}"#]).unwrap();
        let batch = log.read(from, 1 << 20).unwrap();
        assert_eq!(batch.len(), 1, "after {torn:?}");
        assert!(end.is_none_or(|end| torn.is_empty() && end == batch.next()), "after {torn:?}");
        told += usize::from(end.is_some());
    }
    // How long ago the file was looked at decides whether it is told at all.
    assert!(told <= 1);
}

#[test]
fn a_log_cut_anywhere_keeps_what_was_whole_and_takes_more() {
    let (_folder, path, bytes) = log();
    // Where the closing brace of each record has just been written.
    let ends: Vec<_> =
        (0..bytes.len()).filter(|&end| bytes[..end].ends_with(b"}") && bytes[end] == b'\n').collect();
    for cut in header_length(&bytes)..=bytes.len() {
        fs::write(&path, &bytes[..cut]).unwrap();
        let ended = RECORDS.iter().zip(&ends[1..]).filter(|&(_, &end)| end < cut).count();
        let unfinished = bytes[..cut].last() != Some(&b'\n');
        assert_eq!(read(&path).0, RECORDS[..ended], "the tail is left alone, cut at {cut}");
        assert_eq!(examined(&path).1.unfinished_bytes > 0, unfinished, "cut at {cut}");

        append(&path, &[r#"{"id":"next"}"#]);
        let lacks_only_the_line_break = ends.contains(&cut);
        let whole = ended + usize::from(lacks_only_the_line_break);
        let expected: Vec<_> = RECORDS[..whole].iter().copied().chain([r#"{"id":"next"}"#]).collect();
        let torn = unfinished && !lacks_only_the_line_break;
        let (records, damage, error) = read(&path);
        assert_eq!(records, expected, "cut at {cut}");
        assert_eq!(damage, vec![DamageKind::Torn; usize::from(torn)], "cut at {cut}");
        assert!(error.is_none(), "cut at {cut}: {error:?}");
        assert_eq!(examined(&path).0, expected);
    }
}

#[test]
fn every_flipped_bit_is_noticed_and_none_is_believed() {
    let (_folder, path, bytes) = log();
    for bit in 0..bytes.len() * 8 {
        let mut flipped = bytes.clone();
        flipped[bit / 8] ^= 1 << (bit % 8);
        fs::write(&path, &flipped).unwrap();
        let (found, examination) = examined(&path);
        assert!(!examination.damage.is_empty(), "bit {bit} flipped unnoticed");
        assert!(found.iter().all(|record| RECORDS.contains(&record.as_str())), "bit {bit} was believed");
        if bit / 8 < header_length(&bytes) {
            assert!(matches!(FileLog::open(&path), Err(OpenError::NotALog { .. })), "bit {bit}");
            continue;
        }
        let (records, _, error) = read(&path);
        assert_eq!(records, RECORDS[..records.len()], "bit {bit}: what comes before the damage is as it was");
        assert!(
            records.len() < RECORDS.len() && matches!(error, Some(ReadError::Corrupt { .. })),
            "bit {bit}"
        );
        // A flipped line break joins two lines; anything else spoils one record.
        assert!(found.len() >= RECORDS.len() - 2 && found.len() < RECORDS.len(), "bit {bit}: {found:?}");
    }
}

#[test]
fn a_run_of_zeros_is_stepped_over_wherever_it_begins() {
    let (_folder, path, bytes) = log();
    for cut in header_length(&bytes)..=bytes.len() {
        // The longest fill more than one read.
        for zeros in if cut % 16 == 0 { [2, 400_000] } else { [3, 5000] } {
            fs::write(&path, &bytes[..cut]).unwrap();
            append_raw(&path, &vec![0; zeros]);
            assert!(read(&path).2.is_none(), "a tail of zeros may yet be ended, cut at {cut}");
            append(&path, &[r#"{"id":"next"}"#]);
            let (records, damage, error) = read(&path);
            assert!(error.is_none(), "cut at {cut}: {error:?}");
            assert_eq!(records.last().unwrap(), r#"{"id":"next"}"#);
            assert_eq!(records[..records.len() - 1], RECORDS[..records.len() - 1]);
            let found = examined(&path).1.damage;
            assert_eq!(
                found.iter().filter(|damage| damage.kind == DamageKind::Zeros).count(),
                1,
                "one run, cut at {cut}"
            );
            assert_eq!(found.last().unwrap().length_bytes, zeros as u64, "cut at {cut}");
            assert!(damage.contains(&DamageKind::Zeros));
        }
    }
}

#[test]
fn zeros_over_the_end_of_a_record_take_the_rest_of_its_line_with_them() {
    let (_folder, path, mut bytes) = log();
    let from = header_length(&bytes) + 10;
    bytes[from..from + 30].fill(0);
    fs::write(&path, &bytes).unwrap();
    let (records, damage, error) = read(&path);
    assert_eq!(records, RECORDS[1..]);
    assert_eq!(damage, [DamageKind::Torn, DamageKind::Zeros]);
    assert!(error.is_none());
}

#[test]
fn corruption_stops_a_reader_at_its_position_and_an_examination_goes_on() {
    let (_folder, path, bytes) = log();
    append_raw(&path, b"this is no record\n");
    append(&path, &[r#"{"id":"after"}"#]);
    let (records, _, error) = read(&path);
    assert_eq!(records, RECORDS);
    let Some(ReadError::Corrupt { position, .. }) = error else { panic!("{error:?}") };
    assert_eq!(position.value(), bytes.len() as u64);
    let (records, examination) = examined(&path);
    assert_eq!(records.last().unwrap(), r#"{"id":"after"}"#);
    assert_eq!(examination.records, 5);
    assert_eq!(examination.damage.len(), 1);
    assert_eq!((examination.damage[0].position, examination.damage[0].length_bytes), (position, 17));
}

#[test]
fn lines_longer_than_any_record_are_corrupt_and_do_not_hold_up_an_examination() {
    let (_folder, path, _) = log();
    append_raw(&path, &vec![b'x'; 3 << 20]);
    append(&path, &[r#"{"id":"after"}"#]);
    assert!(matches!(read(&path).2, Some(ReadError::Corrupt { .. })));
    let (records, examination) = examined(&path);
    assert_eq!(records.last().unwrap(), r#"{"id":"after"}"#);
    assert_eq!(examination.damage.iter().map(|damage| damage.length_bytes).sum::<u64>(), 3 << 20);
}

#[test]
fn a_log_cut_off_in_use_is_noticed() {
    let (_folder, path, bytes) = log();
    let log = FileLog::open(&path).unwrap();
    let end = log.read(Position::START, 1).unwrap().next();
    OpenOptions::new().write(true).open(&path).unwrap().set_len(bytes.len() as u64 - 1).unwrap();
    for error in [
        log.read(Position::START, 1).unwrap_err(),
        log.wait(end, std::time::Duration::ZERO).unwrap_err(),
        log.digest(end).unwrap_err(),
    ] {
        assert!(matches!(error, ReadError::Truncated { .. }), "{error}");
    }
    let opened_later = FileLog::open(&path).unwrap();
    assert!(matches!(opened_later.read(end, 1), Err(ReadError::OutOfRange { .. })));
}

#[test]
fn a_log_replaced_or_deleted_in_use_is_noticed() {
    let (folder, path, bytes) = log();
    let log = FileLog::open(&path).unwrap();
    let copy = folder.path().join("copy");
    fs::write(&copy, bytes).unwrap();
    fs::rename(&copy, &path).unwrap();
    assert!(matches!(log.read(Position::START, 1), Err(ReadError::Replaced { .. })));
    let log = FileLog::open(&path).unwrap();
    fs::remove_file(&path).unwrap();
    assert!(matches!(log.read(Position::START, 1), Err(ReadError::Deleted { .. })));
    assert!(matches!(log.wait(Position::START, std::time::Duration::ZERO), Err(ReadError::Deleted { .. })));
    assert!(matches!(FileLog::open(&path), Err(OpenError::Missing { .. })));
}

/// The place of the file stays, so that only what it holds can tell.
#[test]
fn another_log_written_over_one_in_use_is_noticed() {
    let (_folder, path, _) = log();
    let (_other_folder, _, other) = log();
    let in_use = FileLog::open(&path).unwrap();
    let end = in_use.read(Position::START, 1 << 20).unwrap().next();
    for longer in [0, 1] {
        let mut bytes = other.clone();
        bytes.extend_from_slice(&b"\n".repeat(longer));
        // A clock that ticks slowly must not hide it.
        let changed = std::time::SystemTime::now() + std::time::Duration::from_secs(longer as u64 + 1);
        let file = OpenOptions::new().write(true).open(&path).unwrap();
        std::os::unix::fs::FileExt::write_all_at(&file, &bytes, 0).unwrap();
        file.set_modified(changed).unwrap();
        for error in [
            in_use.read(end, 1).unwrap_err(),
            in_use.wait(end, std::time::Duration::ZERO).unwrap_err(),
            in_use.digest(end).unwrap_err(),
        ] {
            assert!(matches!(error, ReadError::Replaced { .. }), "{error}");
        }
    }
}

#[test]
fn other_files_and_newer_versions_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("log.jsonl");
    for other in ["", "\n", "{}\n", "hello\n", "{\"len\":2,\"crc\":\"a3a6bf43\"}\n"] {
        fs::write(&path, other).unwrap();
        assert!(matches!(FileLog::open_or_create(&path), Err(OpenError::NotALog { .. })), "{other:?}");
        assert_eq!(fs::read_to_string(&path).unwrap(), other, "it is left as it was");
    }
    let newer = br#"{"log":"x","version":2,"start":0}"#;
    let crc = crc32fast::hash(newer);
    let rest = std::str::from_utf8(&newer[1..]).unwrap();
    fs::write(&path, format!("{{\"len\":{},\"crc\":\"{crc:08x}\",{rest}\n", newer.len())).unwrap();
    assert!(matches!(FileLog::open(&path), Err(OpenError::Version { found: 2, .. })));
}
