//! Logs in which files are reserved twice.

use serde_json::json;

use super::forged::takes_no_effect;
use crate::rules::Rule;

#[test]
fn a_file_is_reserved_once() {
    takes_no_effect(Rule::Files, |log| {
        let (one, other) = (log.work("w1", "a", json!({})), log.work("w2", "b", json!({})));
        log.says("files_reserved", json!({"claim": one, "paths": ["src/"]}));
        log.says("files_reserved", json!({"claim": other, "paths": ["src/main.rs"]}))
    });
}
