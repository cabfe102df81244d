//! Names, files and records of somebody who means ill: what is typed or read is refused with its place, and what another
//! program wrote is shown without acting on the terminal.

use std::fs;
use std::path::Path;

use agent_team_log::{FileLog, Log, Position};
use serde_json::Value;

use crate::support::{Ran, Team};

/// Texts that would mislead files, refs, terminals or people if they were names.
fn names() -> Vec<String> {
    let plain = [
        "",
        ".",
        "..",
        "../x",
        "a..b",
        "/",
        "/etc/passwd",
        "a/b",
        "-x",
        "--",
        "@{u}",
        "HEAD^",
        "a:b",
        "a b",
        "x.lock",
    ];
    let marks = [
        "a\u{202e}b",
        "a\u{2066}b",
        "\u{200f}a",
        "a\u{200b}b",
        "a\u{2060}",
        "\u{feff}a",
        "a\u{1b}[2J",
        "a\nb",
        "\u{430}dmin",
        "a\u{e0041}",
    ];
    plain.into_iter().chain(marks).map(str::to_owned).chain(["x".repeat(65), "x".repeat(300)]).collect()
}

/// Control sequences, a carriage return, marks that turn the writing round, and marks that nobody sees.
const NASTY: &str =
    "x\u{1b}]0;owned\u{7}\u{1b}[31m\u{9b}2J\u{202e}y\rz\u{200b}\u{2028}\u{2060}\u{feff}\u{200f}\u{e0041}w";

/// Whether a terminal would do something else with it than to show it.
fn acts(c: char) -> bool {
    let unseen = matches!(c, '\u{200b}' | '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{2069}' | '\u{feff}' | '\u{e0000}'..='\u{e007f}');
    unseen || (c.is_control() && c != '\n' && c != '\t')
}

fn assert_harmless(ran: &Ran, what: &str) {
    for text in [&ran.stdout, &ran.stderr] {
        assert_eq!(text.chars().find(|c| acts(*c)), None, "{what}: {text:?}");
    }
    assert!(!ran.stderr.contains("panicked"), "{what}: {ran:?}");
}

fn log(team: &Team) -> Vec<u8> {
    fs::read(team.path().join(".agent-team/log.jsonl")).unwrap()
}

#[test]
fn a_hostile_name_is_refused_wherever_it_is_typed() {
    let team = Team::new();
    team.ok(["add", "A", "--id", "a"]);
    let before = log(&team);
    for name in names() {
        let option = |option: &str| format!("--{option}={name}");
        let typed: [Vec<String>; 14] = [
            vec!["add".into(), "T".into(), option("id")],
            vec!["add".into(), "T".into(), option("after")],
            vec!["add".into(), "T".into(), option("parent")],
            vec!["add".into(), "T".into(), option("agent")],
            vec!["add".into(), "T".into(), option("skill")],
            vec!["claim".into(), option("as")],
            vec!["claim".into(), "--as=w".into(), option("task")],
            vec!["join".into(), option("skill"), "--".into(), "w".into()],
            vec!["join".into(), "--".into(), name.clone()],
            vec!["show".into(), "--".into(), name.clone()],
            vec!["cancel".into(), "--".into(), name.clone()],
            vec!["retry".into(), "--".into(), name.clone()],
            vec!["send".into(), "--from=w".into(), "--".into(), name.clone(), "text".into()],
            vec!["inbox".into(), option("as")],
        ];
        for arguments in typed {
            let ran = team.run(&arguments);
            assert_eq!(ran.code, 2, "{arguments:?}: {ran:?}");
            assert_harmless(&ran, &format!("{arguments:?}"));
        }
    }
    assert_eq!(log(&team), before, "nothing was written");
}

#[test]
fn a_hostile_line_of_a_task_file_is_refused_with_its_place() {
    let team = Team::new();
    let good = r#"{"id":"good","title":"Good"}"#;
    let deep = |open: &str, close: &str| format!("{}{}", open.repeat(10_000), close.repeat(10_000));
    let mut lines: Vec<String> = Vec::new();
    for name in names() {
        let name = Value::String(name);
        lines.extend(
            ["id", "agent", "skill", "parent"].map(|field| format!(r#"{{"title":"T","{field}":{name}}}"#)),
        );
        lines.push(format!(r#"{{"title":"T","after":[{name}]}}"#));
    }
    let numbers = ["1e400", "-1", "18446744073709551616", "9007199254740993", "1.5", "NaN", "0x7"];
    lines.extend(numbers.map(|number| format!(r#"{{"title":"T","attempts":{number}}}"#)));
    lines.extend(
        ["2147483648", "-2147483649", "1e9"].map(|number| format!(r#"{{"title":"T","priority":{number}}}"#)),
    );
    lines.extend([deep("[", "]"), deep("{\"title\":", "}"), format!(r#"{{"title":{}}}"#, deep("[", "]"))]);
    lines.extend([
        r#"{"title":"T","title":"U"}"#.to_owned(),
        r#"{"title":"\ud800"}"#.to_owned(),
        format!(r#"{{"title":{}}}"#, Value::String(NASTY.into())),
        format!("{{\"{NASTY}\":1}}"),
        NASTY.to_owned(),
        "\u{0}".to_owned(),
        r#"["T"]"#.to_owned(),
        r#"{"title":"T"}{"title":"U"}"#.to_owned(),
    ]);
    for line in lines {
        fs::write(team.path().join("tasks.jsonl"), format!("{good}\n{line}\n")).unwrap();
        let ran = team.run(["add", "--file", "tasks.jsonl"]);
        let told = ran.code == 2 && ran.stderr.starts_with("ERROR tasks.jsonl:2:");
        // Some are tasks that the team does not take.
        assert!(told || ran.code == 3, "{line}: {ran:?}");
        assert_harmless(&ran, &line);
        assert!(ran.stderr.len() < 2_000, "it is said shortly: {}", ran.stderr.len());
    }
    fs::write(team.path().join("tasks.jsonl"), b"{\"title\":\"\xff\"}\n").unwrap();
    let ran = team.run(["add", "--file", "tasks.jsonl"]);
    assert_eq!(ran.code, 2, "{ran:?}");
    assert_eq!(team.count("total"), 0, "nothing of any file was added");
}

#[test]
fn a_task_file_from_another_system_is_read() {
    let team = Team::new();
    let file = "\u{feff}{\"id\":\"a\",\"title\":\"A\"}\r\n\r\n{\"id\":\"b\",\"title\":\"B\"}\r\n";
    fs::write(team.path().join("tasks.jsonl"), file).unwrap();
    assert_eq!(team.ok(["add", "--file", "tasks.jsonl"]), "a\nb\n");
    assert_eq!(team.json(["show", "a"])["title"], "A");
}

/// The golden log that uses every field, with every text in it made hostile, as another program could have written it.
fn hostile_log(path: &Path) -> usize {
    let golden = Path::new(env!("CARGO_MANIFEST_DIR")).join("../team/tests/golden/format-1/fields.jsonl");
    let golden = FileLog::open_read_only(&golden).unwrap().read(Position::START, usize::MAX >> 1).unwrap();
    let log = FileLog::open(path).unwrap();
    let mut texts = 0;
    for record in golden.records() {
        let mut record: Value = serde_json::from_slice(record.bytes).unwrap();
        if record["kind"] == "agent_smiled" {
            record["kind"] = Value::String(NASTY.into());
        }
        if record["kind"] == "agent_left" {
            record["body"]["agent"] = Value::String(NASTY.into());
        }
        texts += spoil(&mut record["body"]);
        log.append(&[record.to_string().as_bytes()]).unwrap();
    }
    log.append(&[format!(r#"{{"{NASTY}":1}}"#).replace(|c: char| c < ' ', "").as_bytes()]).unwrap();
    texts
}

/// Makes every text hostile for which the format sets no form. Says how many there were.
fn spoil(value: &mut Value) -> usize {
    const FREE: [&str; 23] = [
        "machine",
        "boot",
        "namespace",
        "goal",
        "outcome",
        "with",
        "gate",
        "target",
        "description",
        "head",
        "blob",
        "presence",
        "text",
        "model",
        "result",
        "commit",
        "base",
        "output",
        "feedback",
        "old_tip",
        "branch",
        "reason",
        "error",
    ];
    match value {
        Value::Object(members) => members
            .iter_mut()
            .map(|(name, value)| match value {
                Value::String(text) if FREE.contains(&name.as_str()) => {
                    *text = NASTY.to_owned();
                    1
                }
                Value::Array(texts) if name == "protect" || name == "protected" => {
                    texts.iter_mut().map(|text| *text = Value::String(NASTY.into())).count()
                }
                value => spoil(value),
            })
            .sum(),
        Value::Array(values) => values.iter_mut().map(spoil).sum(),
        _ => 0,
    }
}

#[test]
fn whatever_another_program_wrote_cannot_act_on_the_terminal() {
    let team = Team::new();
    let texts = hostile_log(&team.path().join(".agent-team/log.jsonl"));
    assert!(texts > 30, "{texts} texts are hostile");
    let verbs: [&[&str]; 13] = [
        &["list"],
        &["list", "--all"],
        &["show", "all"],
        &["show", "part"],
        &["status"],
        &["log"],
        &["inbox", "--as", "ann", "--peek"],
        &["inbox", "--as", "rita", "--peek"],
        &["inbox", "--as", "rita", "--sent"],
        &["claim", "--as", "zoe"],
        &["doctor"],
        &["add", "all", "--id", "all"],
        &["complete", "part", "--as", "zoe"],
    ];
    for verb in verbs {
        for json in [false, true] {
            let arguments = verb.iter().copied().chain(json.then_some("--json"));
            let ran = team.run(arguments);
            assert_ne!(ran.code, 101, "{verb:?}: {ran:?}");
            assert_harmless(&ran, &format!("{verb:?}"));
            for line in ran.stdout.lines().filter(|_| json && ran.code == 0) {
                assert!(serde_json::from_str::<Value>(line).is_ok() || ran.stdout.starts_with('{'), "{line}");
            }
        }
    }
    assert_eq!(team.json(["show", "all"])["result"], NASTY, "a program gets it as it is");
}
