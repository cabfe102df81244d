//! How fast the file log is on this machine, with records of 300 bytes: `cargo run --release --example speed`.

use std::error::Error;
use std::path::Path;
use std::time::{Duration, Instant};

use agent_team_log::{FileLog, Log, Position};

const RECORDS: usize = 200_000;

fn main() -> Result<(), Box<dyn Error>> {
    let folder = std::env::temp_dir().join(format!("agent-team-log-speed-{}", std::process::id()));
    std::fs::create_dir(&folder)?;
    let measured = measure(&folder.join("log.jsonl"));
    std::fs::remove_dir_all(&folder)?;
    measured
}

fn measure(path: &Path) -> Result<(), Box<dyn Error>> {
    let log = FileLog::open_or_create(path)?;
    let record = format!(r#"{{"id":"0198c9a0-7f3e-7cc1-a1b2-123456789abc","text":"{}"}}"#, "x".repeat(245));
    let record = record.as_bytes();

    rate("appended", || {
        for _ in 0..RECORDS {
            log.append(&[record])?;
        }
        Ok(RECORDS)
    })?;
    rate("read", || {
        let (mut from, mut read) = (Position::START, 0);
        loop {
            let batch = log.read(from, 1 << 20)?;
            if batch.is_empty() {
                return Ok(read);
            }
            read += batch.records().filter(|found| found.bytes.len() == record.len()).count();
            from = batch.next();
        }
    })?;
    rate("digested", || {
        log.digest(Position::new(std::fs::metadata(path)?.len()))?;
        Ok(RECORDS)
    })?;
    rate("turns, each with its tail read and a record appended", || {
        let mut from = Position::new(std::fs::metadata(path)?.len());
        for _ in 0..RECORDS / 10 {
            let _turn = log.turn(Duration::from_secs(1))?;
            from = log.read(from, 1 << 16)?.next();
            log.append(&[record])?;
        }
        Ok(RECORDS / 10)
    })?;
    rate("synced appends", || {
        for _ in 0..200 {
            log.append(&[record])?;
            log.sync()?;
        }
        Ok(200)
    })
}

fn rate(what: &str, work: impl FnOnce() -> Result<usize, Box<dyn Error>>) -> Result<(), Box<dyn Error>> {
    let begun = Instant::now();
    let count = work()?;
    println!("{:>9.0}/s {what}", count as f64 / begun.elapsed().as_secs_f64());
    Ok(())
}
