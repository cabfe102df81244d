//! Memory and file keep the same promises.

use std::sync::Arc;

use agent_team_log::{FileLog, Log, MemoryLog, conformance};

#[test]
fn the_memory_log_conforms() {
    conformance::all(|| {
        let log = Arc::new(MemoryLog::new());
        Box::new(move || Arc::clone(&log) as Arc<dyn Log>)
    });
}

#[test]
fn the_file_log_conforms_with_a_handle_for_each_user() {
    conformance::all(|| {
        let folder = tempfile::tempdir().unwrap();
        Box::new(move || Arc::new(FileLog::open_or_create(&folder.path().join("log.jsonl")).unwrap()))
    });
}

#[test]
fn the_file_log_conforms_with_one_handle_for_all() {
    conformance::all(|| {
        let folder = tempfile::tempdir().unwrap();
        let log = Arc::new(FileLog::open_or_create(&folder.path().join("log.jsonl")).unwrap());
        Box::new(move || {
            let _kept = &folder;
            Arc::clone(&log) as Arc<dyn Log>
        })
    });
}
