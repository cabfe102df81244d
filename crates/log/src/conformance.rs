//! The one suite that every log must pass, so that what stands on the trait can stand on any of them.
//!
//! It uses nothing but the trait. It panics at the first broken promise, as a test does.
//!
//! # Examples
//!
//! ```
//! use std::sync::Arc;
//! use agent_team_log::{Log, MemoryLog, conformance};
//!
//! conformance::all(|| {
//!     let log = Arc::new(MemoryLog::new());
//!     Box::new(move || Arc::clone(&log) as Arc<dyn Log>)
//! });
//! ```

#![expect(clippy::expect_used, reason = "a suite of tests fails by panicking")]

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use crate::{AppendError, Log, MAX_FRAMED_BYTES, Position, Unfit};

/// Opens one and the same log each time it is called, as another process would.
pub type Opener = Box<dyn Fn() -> Arc<dyn Log> + Send + Sync>;

/// Longer than anything here should take; a wait that lasts so long is a failure.
const LONG: Duration = Duration::from_secs(30);
const BATCH_BYTES: usize = 1 << 16;

/// Runs every check, each on a new log: `new_log` makes an empty one and returns what opens it.
///
/// # Panics
///
/// When the log breaks a promise of [`Log`].
pub fn all(new_log: impl Fn() -> Opener) {
    records_come_back_as_they_were_in_order(&new_log());
    reading_goes_on_where_it_ended(&new_log());
    small_reads_make_progress(&new_log());
    a_writer_is_told_where_its_records_end_only_if_nothing_stands_between(&new_log());
    unfit_records_are_refused_before_any_is_written(&new_log());
    every_handle_sees_the_same_log(&new_log());
    positions_out_of_range_are_refused(&new_log());
    a_digest_depends_on_what_stands_before_it_and_nothing_after(&new_log());
    many_writers_lose_nothing_and_readers_agree(&new_log());
    waiting_ends_at_the_time_limit(&new_log());
    an_append_wakes_a_waiter(&new_log());
    one_at_a_time_has_the_turn(&new_log());
    an_append_needs_no_turn(&new_log());
}

fn records_come_back_as_they_were_in_order(open: &Opener) {
    let log = open();
    let largest = format!(r#"{{"text":"{}"}}"#, "x".repeat(MAX_FRAMED_BYTES - 64));
    let records = [
        "{}",
        r#"{"id":"1"}"#,
        r#"{"id":"1"}"#,
        r#"{"len":9,"crc":"no"}"#,
        r#"{"text":" ü\n "}"#,
        &largest,
        r#"{"a":{}}"#,
    ];
    append(&*log, &records);
    log.sync().expect("sync");
    assert_eq!(read_all(&*log), records);
}

fn reading_goes_on_where_it_ended(open: &Opener) {
    let log = open();
    let mut from = Position::START;
    for number in 0..100 {
        append(&*log, &[&numbered(0, number)]);
        let batch = log.read(from, BATCH_BYTES).expect("read");
        let records: Vec<_> = batch.records().collect();
        assert_eq!(texts(records.iter().map(|record| record.bytes)), [numbered(0, number)]);
        assert!(records.iter().all(|record| from <= record.position && record.position < record.next));
        assert!(batch.next() > from, "reading makes progress");
        from = batch.next();
        assert!(log.read(from, BATCH_BYTES).expect("read").is_empty());
    }
}

fn small_reads_make_progress(open: &Opener) {
    let log = open();
    let records: Vec<_> = (0..1000).map(|number| numbered(number, number)).collect();
    append(&*log, &records);
    let (mut from, mut seen, mut last) = (Position::START, Vec::new(), None);
    loop {
        let batch = log.read(from, 1).expect("read");
        if batch.is_empty() {
            break;
        }
        for record in batch.records() {
            assert!(last < Some(record.position), "positions rise");
            last = Some(record.position);
            seen.extend(texts([record.bytes]));
        }
        from = batch.next();
    }
    assert_eq!(seen, records);
}

fn a_writer_is_told_where_its_records_end_only_if_nothing_stands_between(open: &Opener) {
    let (log, other) = (open(), open());
    let mut from = log.read(Position::START, BATCH_BYTES).expect("read").next();
    for number in 0..100 {
        let foreign = number % 3 == 1;
        if foreign {
            append(&*other, &[numbered(1, number)]);
        }
        let own = [numbered(0, number), numbered(0, number + 1)];
        let lines = own.each_ref().map(String::as_bytes);
        let end = log.append_behind(from, &lines).expect("append");
        assert!(end.is_none() || !foreign, "another's record stands between");
        let batch = log.read(from, BATCH_BYTES).expect("read");
        assert!(end.is_none_or(|end| end == batch.next()), "they end where a read of them ends");
        assert_eq!(batch.len(), own.len() + usize::from(foreign));
        assert!(texts(batch.records().map(|record| record.bytes)).ends_with(&own));
        from = batch.next();
        assert!(log.append_behind(Position::START, &[]).is_ok(), "nothing can always be appended");
    }
}

fn unfit_records_are_refused_before_any_is_written(open: &Opener) {
    let log = open();
    let huge = format!(r#"{{"text":"{}"}}"#, "x".repeat(MAX_FRAMED_BYTES));
    for unfit in ["", "[]", "null", "{\"a\":\n1}", "{} {}", r#"{"a":1"#, &huge] {
        let refused = log.append(&[b"{}", unfit.as_bytes()]);
        assert!(matches!(&refused, Err(AppendError::Unfit { index: 1, .. })), "{refused:?}");
        let is_huge = matches!(refused, Err(AppendError::Unfit { fault: Unfit::TooLarge { .. }, .. }));
        assert_eq!(is_huge, unfit.len() > MAX_FRAMED_BYTES);
    }
    log.append(&[]).expect("nothing can always be appended");
    assert_eq!(read_all(&*log), Vec::<String>::new());
}

fn every_handle_sees_the_same_log(open: &Opener) {
    let (one, other) = (open(), open());
    assert_eq!(one.id(), other.id());
    append(&*one, &["{\"from\":\"one\"}"]);
    append(&*other, &["{\"from\":\"other\"}"]);
    assert_eq!(read_all(&*one), ["{\"from\":\"one\"}", "{\"from\":\"other\"}"]);
    assert_eq!(read_all(&*one), read_all(&*other));
    let end = one.read(Position::START, BATCH_BYTES).expect("read").next();
    assert_eq!(one.digest(end).expect("digest"), other.digest(end).expect("digest"));
}

fn positions_out_of_range_are_refused(open: &Opener) {
    let log = open();
    append(&*log, &["{}"]);
    let beyond = Position::new(u64::MAX);
    assert!(log.read(beyond, BATCH_BYTES).is_err());
    assert!(log.wait(beyond, Duration::ZERO).is_err());
    assert!(log.digest(beyond).is_err());
}

fn a_digest_depends_on_what_stands_before_it_and_nothing_after(open: &Opener) {
    let log = open();
    let mut digests = BTreeMap::new();
    for number in 0..10 {
        append(&*log, &[numbered(0, number)]);
        let end = end(&*log);
        digests.insert(end, log.digest(end).expect("digest"));
    }
    let mut distinct: Vec<_> = digests.values().map(ToString::to_string).collect();
    distinct.sort_unstable();
    distinct.dedup();
    assert_eq!(distinct.len(), 10);
    for (&position, digest) in digests.iter().rev() {
        assert_eq!(&log.digest(position).expect("digest"), digest);
        assert_eq!(&open().digest(position).expect("digest"), digest);
    }
}

fn many_writers_lose_nothing_and_readers_agree(open: &Opener) {
    const WRITERS: usize = 8;
    const RECORDS: usize = 250;
    let seen = thread::scope(|scope| {
        for writer in 0..WRITERS {
            scope.spawn(move || {
                let log = open();
                for number in (0..RECORDS).step_by(2) {
                    append(&*log, &[numbered(writer, number), numbered(writer, number + 1)]);
                }
            });
        }
        let readers: Vec<_> = (0..2)
            .map(|_| {
                scope.spawn(|| {
                    let (log, mut from, mut seen) = (open(), Position::START, Vec::new());
                    while seen.len() < WRITERS * RECORDS {
                        assert!(log.wait(from, LONG).expect("wait"), "only {} records came", seen.len());
                        let batch = log.read(from, BATCH_BYTES).expect("read");
                        assert!(batch.damage().is_empty());
                        seen.extend(texts(batch.records().map(|record| record.bytes)));
                        from = batch.next();
                    }
                    seen
                })
            })
            .collect();
        readers.into_iter().map(|reader| reader.join().expect("a reader")).collect::<Vec<_>>()
    });
    let log = open();
    for seen in seen {
        assert_eq!(seen, read_all(&*log), "a reader who follows sees what one sees who comes later");
        for writer in 0..WRITERS {
            let mine = format!("{{\"writer\":{writer},");
            let order: Vec<_> = seen.iter().filter(|record| record.starts_with(&mine)).cloned().collect();
            let appended: Vec<_> = (0..RECORDS).map(|number| numbered(writer, number)).collect();
            assert_eq!(order, appended, "each writer's records are there once and in its order");
        }
    }
}

fn waiting_ends_at_the_time_limit(open: &Opener) {
    let log = open();
    assert!(!log.wait(Position::START, Duration::ZERO).expect("wait"));
    append(&*log, &["{}"]);
    assert!(log.wait(Position::START, Duration::ZERO).expect("wait"));
    assert!(!log.wait(end(&*log), Duration::from_millis(5)).expect("wait"));
}

fn an_append_wakes_a_waiter(open: &Opener) {
    thread::scope(|scope| {
        let (tell, told) = mpsc::channel();
        let waiter = scope.spawn(move || {
            let (log, mut from) = (open(), Position::START);
            for _ in 0..20 {
                tell.send(()).expect("the writer listens");
                assert!(log.wait(from, LONG).expect("wait"), "nobody woke the waiter");
                from = log.read(from, BATCH_BYTES).expect("read").next();
            }
        });
        let log = open();
        for () in told {
            append(&*log, &["{}"]);
        }
        waiter.join().expect("the waiter");
    });
}

fn one_at_a_time_has_the_turn(open: &Opener) {
    let inside = AtomicU64::new(0);
    thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                let log = open();
                for _ in 0..25 {
                    let turn = log.turn(LONG).expect("turn").expect("a turn within the time limit");
                    assert_eq!(inside.fetch_add(1, Ordering::SeqCst), 0, "two had the turn at once");
                    thread::yield_now();
                    inside.fetch_sub(1, Ordering::SeqCst);
                    drop(turn);
                }
            });
        }
    });
    let (log, other) = (open(), open());
    let turn = log.turn(LONG).expect("turn").expect("a free turn");
    assert!(other.turn(Duration::from_millis(1)).expect("turn").is_none(), "the turn is taken");
    assert!(log.turn(Duration::ZERO).expect("turn").is_none(), "one's own handle is excluded too");
    drop(turn);
    assert!(other.turn(Duration::ZERO).expect("turn").is_some(), "the turn is free again");
}

fn an_append_needs_no_turn(open: &Opener) {
    let (stopped, log) = (open(), open());
    let _turn = stopped.turn(LONG).expect("turn").expect("a free turn");
    append(&*log, &["{}"]);
    log.sync().expect("sync");
    assert_eq!(read_all(&*log), ["{}"]);
}

fn append(log: &dyn Log, records: &[impl AsRef<str>]) {
    let records: Vec<_> = records.iter().map(|record| record.as_ref().as_bytes()).collect();
    log.append(&records).expect("append");
}

fn numbered(writer: usize, number: usize) -> String {
    format!(r#"{{"writer":{writer},"number":{number},"text":"{}"}}"#, "x".repeat(number % 300))
}

fn read_all(log: &dyn Log) -> Vec<String> {
    let (mut from, mut seen) = (Position::START, Vec::new());
    loop {
        let batch = log.read(from, BATCH_BYTES).expect("read");
        if batch.is_empty() {
            return seen;
        }
        seen.extend(texts(batch.records().map(|record| record.bytes)));
        from = batch.next();
    }
}

fn end(log: &dyn Log) -> Position {
    log.read(Position::START, BATCH_BYTES).expect("read").next()
}

fn texts<'a>(records: impl IntoIterator<Item = &'a [u8]>) -> Vec<String> {
    records.into_iter().map(|record| String::from_utf8_lossy(record).into_owned()).collect()
}
