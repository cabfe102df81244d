//! Opening a team whose snapshot is gone: the whole log is read, checked, parsed and applied.

use std::io::Read;
use std::time::Instant;

use agent_team::{Durability, TeamFolder};
use anyhow::Result;

use crate::prepare::{self, History};
use crate::setting::Setting;
use crate::statistics::{median, per_second, spread};
use crate::table::Measured;

/// How many records a second are taken in, beside reading the file, finding its lines and checking its bytes.
pub fn cold(setting: &Setting) -> Result<Vec<Measured>> {
    let tasks = setting.choose(400_000, 40_000);
    let history = History { tasks, completed: tasks * 3 / 4 };
    let folder = setting.folder()?;
    history.write(&folder)?;
    let team = TeamFolder::of(&folder);
    let (mut rates, mut limits) = (Vec::new(), Vec::new());
    for round in 0..setting.choose(3, 2) {
        if team.cache().exists() {
            std::fs::remove_dir_all(team.cache())?;
        }
        let begun = Instant::now();
        let queue = prepare::open(&folder, Durability::Process)?;
        rates.push(per_second(history.records(), begun.elapsed()));
        if round == 0 {
            history.check(&queue)?;
        }
        drop(queue);
        let begun = Instant::now();
        let lines = scan(&team.log())?;
        limits.push(per_second(history.records(), begun.elapsed()));
        anyhow::ensure!(lines > history.records(), "the log has {lines} lines");
    }
    let size_bytes = std::fs::metadata(team.log())?.len();
    std::fs::remove_dir_all(&folder)?;
    Ok(vec![Measured {
        value: median(&rates),
        limit: Some(median(&limits)),
        spread: spread(&rates),
        note: format!("{} records of {} bytes", history.records(), size_bytes / history.records() as u64),
    }])
}

/// Reads a file once, counts its lines, and takes the checksum of all.
fn scan(path: &std::path::Path) -> Result<usize> {
    let mut file = std::fs::File::open(path)?;
    let (mut buffer, mut checksum, mut lines) = (vec![0; 4 << 20], crc32fast::Hasher::new(), 0);
    loop {
        let read = file.read(&mut buffer)?;
        let Some(bytes) = buffer.get(..read).filter(|bytes| !bytes.is_empty()) else { break };
        checksum.update(bytes);
        lines += bytes.iter().filter(|&&byte| byte == b'\n').count();
    }
    std::hint::black_box(checksum.finalize());
    Ok(lines)
}
