//! The tables in `docs/` are made from the code: here they are compared, and with `UPDATE=1` written anew.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]
#![expect(
    clippy::disallowed_methods,
    reason = "the documents are files, and UPDATE is an environment variable"
)]

mod examples;

use std::fs;
use std::path::Path;

use agent_team_core::machine::table;
use agent_team_core::record::{Body, codec};

#[test]
fn the_page_of_a_tasks_life_has_the_transitions_of_the_code() {
    assert_section("task-life.md", &table());
}

#[test]
fn the_page_of_the_log_format_shows_every_kind_as_the_codec_writes_it() {
    let examples = examples::records();
    let kinds: Vec<&str> = examples.iter().map(|record| record.body.kind()).collect();
    assert_eq!(kinds, Body::KINDS, "one example of each kind, in their order");
    let sections = examples.iter().zip(Body::MEANINGS).map(|(record, meaning)| {
        let line = codec::encode(record).unwrap();
        assert_eq!(&codec::decode(&line).unwrap(), record, "it reads back");
        let line = String::from_utf8(line).unwrap();
        format!("**`{}`**:{meaning}\n\n```json\n{line}\n```\n", record.body.kind())
    });
    assert_section("log-format.md", &sections.collect::<Vec<_>>().join("\n"));
}

/// Compares what stands between the marks of a document.
fn assert_section(document: &str, expected: &str) {
    const BEGIN: &str = "<!-- made from the code: UPDATE=1 cargo test -p agent-team-core --test docs -->\n\n";
    const END: &str = "\n<!-- end of what is made from the code -->";
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs").join(document);
    let text = fs::read_to_string(&path).unwrap();
    let (before, rest) = text.split_once(BEGIN).unwrap();
    let (found, after) = rest.split_once(END).unwrap();
    if std::env::var("UPDATE").is_ok() {
        fs::write(&path, format!("{before}{BEGIN}{expected}{END}{after}")).unwrap();
    } else {
        assert_eq!(found, expected, "docs/{document} is out of date: UPDATE=1 writes it anew");
    }
}
