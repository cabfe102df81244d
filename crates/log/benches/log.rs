//! How fast the parts of the file log are, with records of 300 bytes: `cargo bench -p agent-team-log`.
#![expect(clippy::unwrap_used, reason = "a measurement that fails panics")]

use std::time::Duration;

use agent_team_log::framing::{AtCorruption, Safeguards, scan, write_framed};
use agent_team_log::{FileLog, Log, Position, Snapshot};
use criterion::{BatchSize, Criterion, Throughput, criterion_group, criterion_main};
use tempfile::TempDir;

const RECORDS: usize = 10_000;

fn record() -> Vec<u8> {
    let text = "x".repeat(245);
    format!(r#"{{"id":"0198c9a0-7f3e-7cc1-a1b2-123456789abc","text":"{text}"}}"#).into_bytes()
}

/// A log of many records, and the position of its end.
fn log(folder: &TempDir) -> (FileLog, Position) {
    let log = FileLog::open_or_create(&folder.path().join("log.jsonl")).unwrap();
    let record = record();
    log.append(&vec![record.as_slice(); RECORDS]).unwrap();
    let end = end_of(&log);
    (log, end)
}

fn end_of(log: &FileLog) -> Position {
    let mut end = Position::START;
    loop {
        let batch = log.read(end, 1 << 20).unwrap();
        if batch.is_empty() {
            return end;
        }
        end = batch.next();
    }
}

fn append(criterion: &mut Criterion) {
    let folder = tempfile::tempdir().unwrap();
    let (log, mut end) = log(&folder);
    let record = record();
    let mut group = criterion.benchmark_group("append");
    group.throughput(Throughput::Elements(1));
    group.bench_function("one record", |bencher| bencher.iter(|| log.append(&[&record]).unwrap()));
    group.bench_function("one record, synced", |bencher| {
        bencher.iter(|| {
            log.append(&[&record]).unwrap();
            log.sync().unwrap();
        });
    });
    end = end.max(end_of(&log));
    group.bench_function("a turn, with the tail read and a record appended", |bencher| {
        bencher.iter(|| {
            let _turn = log.turn(Duration::from_secs(1)).unwrap();
            end = log.read(end, 1 << 16).unwrap().next();
            log.append(&[&record]).unwrap();
        });
    });
}

fn read(criterion: &mut Criterion) {
    let folder = tempfile::tempdir().unwrap();
    let (log, end) = log(&folder);
    let mut group = criterion.benchmark_group("read");
    group.throughput(Throughput::Elements(RECORDS as u64));
    group.bench_function("the whole log", |bencher| bencher.iter(|| assert_eq!(end_of(&log), end)));
    group.bench_function("the digest of the whole log", |bencher| {
        // A handle goes on where its last digest ended, so each time it is a new one.
        let open = || FileLog::open(log.path()).unwrap();
        bencher.iter_batched(open, |log| log.digest(end).unwrap(), BatchSize::SmallInput);
    });
    let (mut framed, record) = (Vec::new(), record());
    for _ in 0..RECORDS {
        write_framed(Safeguards::ALL, &mut framed, &record);
    }
    group.bench_function("scan frames in memory", |bencher| {
        let scan = |bytes| scan(Safeguards::ALL, bytes, 0, true, AtCorruption::Stop).unwrap().len();
        bencher.iter_batched(
            || framed.clone(),
            |bytes| assert_eq!(scan(bytes), RECORDS),
            BatchSize::LargeInput,
        );
    });
}

fn snapshot(criterion: &mut Criterion) {
    let folder = tempfile::tempdir().unwrap();
    let (log, position) = log(&folder);
    let snapshot = Snapshot { position, bytes: vec![b'x'; 4 << 20] };
    let mut group = criterion.benchmark_group("snapshot of 4 MiB");
    group.bench_function("save", |bencher| bencher.iter(|| snapshot.save(folder.path(), &log).unwrap()));
    group.bench_function("load", |bencher| {
        let open = || FileLog::open(log.path()).unwrap();
        bencher.iter_batched(open, |log| Snapshot::load(folder.path(), &log).unwrap(), BatchSize::SmallInput);
    });
}

criterion_group!(parts, append, read, snapshot);
criterion_main!(parts);
