//! Writes golden logs that are not there yet, one for each script of the core, and one with everything that dying
//! writers leave behind. Never touches what is there.

use std::fs::{self, OpenOptions};
use std::io::Write;
use std::path::{Path, PathBuf};

use agent_team_log::{FileLog, Log};

use super::{FORMAT, NEWEST_FORMAT, canonical, command, fold, folder, folders};
use crate::world::World;

/// Writes the logs that are missing, with what they come to.
pub fn missing() {
    folders().iter().for_each(|folder| fs::create_dir_all(folder).unwrap());
    let scripts = Path::new(env!("CARGO_MANIFEST_DIR")).join("../core/tests/scripts");
    let mut paths: Vec<PathBuf> = fs::read_dir(scripts).unwrap().map(|file| file.unwrap().path()).collect();
    paths.retain(|path| path.extension().is_some_and(|extension| extension == "txt"));
    paths.sort();
    for path in paths {
        let name = path.file_stem().unwrap().to_str().unwrap();
        let (lines, version) = lines(&fs::read_to_string(&path).unwrap());
        add(&folder(version), name, |log| append(log, &lines));
    }
    add(&folder(FORMAT), "damaged", damaged);
}

fn add(folder: &Path, name: &str, write: impl FnOnce(&Path)) {
    let path = folder.join(name).with_extension("jsonl");
    if path.exists() {
        return;
    }
    let temporary = tempfile::tempdir().unwrap();
    let log = temporary.path().join("log.jsonl");
    write(&log);
    fs::copy(&log, &path).unwrap();
    let state = fold(&path).state;
    fs::write(path.with_extension("state"), canonical(&state)).unwrap();
    let list = OpenOptions::new().create(true).append(true).open(folder.join("fingerprints"));
    writeln!(list.unwrap(), "{}  {name}", state.fingerprint()).unwrap();
}

/// The records that a script brings about, and the format that they raise the log to, if it is known. A log takes only
/// objects.
fn lines(script: &str) -> (Vec<Vec<u8>>, u32) {
    let mut world = World::new();
    let blocks = script.split("\n\n").filter_map(|block| block.split_once("\n----"));
    for line in blocks.flat_map(|(commands, _)| commands.lines()).filter(|line| !line.starts_with("# ")) {
        command::run(&mut world, line).unwrap();
    }
    let version = if world.state.format() == NEWEST_FORMAT { NEWEST_FORMAT } else { FORMAT };
    let lines = world.log.into_iter().map(|(line, _)| line).filter(|line| line.starts_with(b"{"));
    (lines.collect(), version)
}

fn append(path: &Path, lines: &[Vec<u8>]) {
    let log = FileLog::open_or_create(path).unwrap();
    lines.iter().for_each(|line| {
        log.append(&[line]).unwrap();
    });
}

/// Between its records: a torn one, one that lacks only its line break, runs of zeros, empty lines; and at the end one
/// that is not finished.
fn damaged(path: &Path) {
    let add = |id: u32| {
        format!(r#"{{"v":1,"id":"{id:032x}","at_ms":{id},"by":"human","kind":"task_added","body":{{"task":{{"id":"t{id}","title":"A task"}}}}}}"#)
            .into_bytes()
    };
    let raw = |bytes: &[u8]| OpenOptions::new().append(true).open(path).unwrap().write_all(bytes).unwrap();
    append(path, &[add(1), add(2)]);
    let framed = fs::read(path).unwrap();
    let line = framed.split(|byte| *byte == b'\n').rfind(|line| !line.is_empty()).unwrap().to_vec();
    let renamed = |id: u32| {
        let (path, add) = (path.with_extension(format!("{id}")), add(id));
        append(&path, &[add]);
        let framed = fs::read(path).unwrap();
        framed.split(|byte| *byte == b'\n').rfind(|line| !line.is_empty()).unwrap().to_vec()
    };
    raw(&line[..line.len() / 2]);
    append(path, &[add(3)]);
    raw(b"\n");
    raw(&renamed(4));
    append(path, &[add(5)]);
    raw(&[0; 600]);
    append(path, &[add(6)]);
    raw(b"\n\n\n");
    raw(&line[..20]);
    raw(&[0; 300]);
    append(path, &[add(7), add(2)]);
    raw(b"\n");
    raw(&renamed(8));
}
