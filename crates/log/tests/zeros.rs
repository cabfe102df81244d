//! Runs of NUL bytes of every length near the sizes at which disks and readers work: what a power cut leaves.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::fs::{self, OpenOptions};
use std::io::Write;
use std::path::Path;

use agent_team_log::{DamageKind, FileLog, Log, MAX_FRAMED_BYTES, Position, examine};

fn record(id: u32, length: usize) -> Vec<u8> {
    format!(r#"{{"id":{id},"text":"{}"}}"#, "x".repeat(length)).into_bytes()
}

fn append(path: &Path, record: &[u8]) {
    FileLog::open_or_create(path).unwrap().append(&[record]).unwrap();
}

fn read(path: &Path) -> (Vec<Vec<u8>>, Vec<DamageKind>) {
    let log = FileLog::open(path).unwrap();
    let (mut from, mut records, mut damage) = (Position::START, Vec::new(), Vec::new());
    loop {
        let batch = log.read(from, 1).unwrap();
        records.extend(batch.records().map(|record| record.bytes.to_vec()));
        damage.extend(batch.damage().iter().map(|damage| damage.kind.clone()));
        if batch.is_empty() {
            return (records, damage);
        }
        from = batch.next();
    }
}

fn lengths() -> Vec<usize> {
    let near = |size: usize| [size - 2, size - 1, size, size + 1, size + 2];
    let sizes = [4096, MAX_FRAMED_BYTES, 2 * MAX_FRAMED_BYTES];
    [1, 2, 3, 511, 512].into_iter().chain(sizes.into_iter().flat_map(near)).collect()
}

#[test]
fn zeros_of_any_length_cost_no_whole_record() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("log.jsonl");
    // Small and large records, so that the zeros begin at many places of a page.
    let records: Vec<Vec<u8>> =
        [0, 5000, 100, 60_000, 0].iter().zip(1..).map(|(length, id)| record(id, *length)).collect();
    records.iter().for_each(|record| append(&path, record));
    let whole = fs::read(&path).unwrap();
    // After a whole record; after one that lacks its line break; within its text; within its frame; after a line break.
    let last = whole.len() - 1 - records[4].len();
    let cuts = [
        (whole.len(), 5),
        (whole.len() - 1, 4),
        (whole.len() - 3, 4),
        (last, 4),
        (last - 20, 4),
        (last - 60_030, 3),
    ];
    for zeros in lengths() {
        for (cut, left) in cuts {
            fs::write(&path, &whole[..cut]).unwrap();
            OpenOptions::new().append(true).open(&path).unwrap().write_all(&vec![0; zeros]).unwrap();
            assert_eq!(read(&path).0, records[..left], "{zeros} zeros after {cut} bytes");

            let next = record(9, 10);
            append(&path, &next);
            let (found, damage) = read(&path);
            assert_eq!(found.last(), Some(&next), "{zeros} zeros after {cut} bytes");
            assert_eq!(found[..found.len() - 1], records[..left], "{zeros} zeros after {cut} bytes");
            assert!(!damage.is_empty());
            let mut examined = Vec::new();
            let examination = examine(&path, |record| examined.push(record.bytes.to_vec())).unwrap();
            assert_eq!(examined, found, "an examination sees the same");
            assert!(!examination.damage.iter().any(|damage| matches!(damage.kind, DamageKind::Corrupt(_))));
            let (begin, end) =
                (examination.damage[0].position.value() as usize, examination.damage.last().unwrap());
            assert!(
                begin <= cut && end.position.value() + end.length_bytes == (cut + zeros) as u64,
                "all of them"
            );
        }
    }
}
