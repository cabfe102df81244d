//! Lines that no version of this program wrote: each is read as what it is, malformed or no record, and changes nothing.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod examples;

use std::thread;

use agent_team_core::id::RecordId;
use agent_team_core::machine::{Outcome, State};
use agent_team_core::record::{Body, codec};
use serde_json::Value;

/// Texts that would mislead files, refs, terminals or people if they were names.
fn hostile_names() -> Vec<String> {
    let named = [
        "",
        ".",
        "..",
        "../x",
        "a..b",
        "/",
        "/etc/passwd",
        "a/b",
        "a\\b",
        "-x",
        "--help",
        "x-",
        "@{u}",
        "HEAD^",
        "a:b",
    ];
    let marks = [
        "a\u{202e}b",
        "a\u{2066}b",
        "a\u{200b}b",
        "a\u{200d}",
        "\u{feff}a",
        "a\u{0}",
        "a\u{1b}[2J",
        "a\nb",
        "a b",
        "\u{430}dmin",
        "x.lock",
    ];
    let long = ["x".repeat(65), "x".repeat(300)];
    named.into_iter().chain(marks).map(str::to_owned).chain(long).collect()
}

fn line(body: &str, kind: &str) -> String {
    let id = RecordId(1);
    format!(r#"{{"v":1,"id":"{id}","at_ms":5,"by":"w","kind":"{kind}","body":{body}}}"#)
}

/// What is read from a line, if it is a record, and that it changes nothing if it is not what it says.
fn read(line: &str) -> Option<Body> {
    let record = codec::decode(line.as_bytes()).ok()?;
    let again = codec::encode(&record).map(|bytes| codec::decode(&bytes).unwrap());
    assert!(again.is_err() || again.is_ok_and(|again| again == record), "{line}");
    if matches!(record.body, Body::Malformed { .. } | Body::Unknown { .. }) {
        let mut state = State::new();
        assert_eq!(state.apply(record.clone()), Outcome::Unknown);
        assert_eq!((state.records(), state.tasks().count(), state.void().count()), (1, 0, 0));
    }
    Some(record.body)
}

fn is_malformed(line: &str) -> bool {
    matches!(read(line), Some(Body::Malformed { .. }))
}

/// Every place in the examples of all kinds, as a JSON pointer, with what stands there.
fn places() -> Vec<(Value, String, Value)> {
    fn walk(at: &str, value: &Value, found: &mut Vec<(String, Value)>) {
        match value {
            Value::Object(members) => {
                members.iter().for_each(|(name, value)| walk(&format!("{at}/{name}"), value, found));
            }
            Value::Array(values) => {
                values
                    .iter()
                    .enumerate()
                    .for_each(|(place, value)| walk(&format!("{at}/{place}"), value, found));
            }
            leaf => found.push((at.to_owned(), leaf.clone())),
        }
    }
    let records = examples::records().into_iter().map(|record| {
        let record: Value = serde_json::from_slice(&codec::encode(&record).unwrap()).unwrap();
        let mut found = Vec::new();
        walk("", &record, &mut found);
        found.into_iter().map(move |(at, leaf)| (record.clone(), at, leaf)).collect::<Vec<_>>()
    });
    records.flatten().collect()
}

fn with(record: &Value, at: &str, text: &str) -> String {
    let mut record = record.clone();
    *record.pointer_mut(at).unwrap() = Value::String("#here#".into());
    record.to_string().replace("\"#here#\"", text)
}

/// Whether the text at a place of an example names a task, an agent or a skill.
fn is_name(at: &str, leaf: &Value) -> bool {
    let field = at.rsplit('/').find(|part| part.parse::<usize>().is_err()).unwrap();
    leaf.is_string()
        && matches!(field, "by" | "task" | "agent" | "from" | "after" | "parent" | "skill" | "skills")
        || at == "/body/task/id"
}

#[test]
fn a_hostile_name_is_read_as_none_wherever_it_stands() {
    let mut tried = 0;
    for (record, at, _) in places().iter().filter(|(_, at, leaf)| is_name(at, leaf)) {
        for name in hostile_names() {
            let line = with(record, at, &Value::String(name).to_string());
            let read = read(&line);
            let by_whom = at == "/by";
            assert!(
                if by_whom { read.is_none() } else { matches!(read, Some(Body::Malformed { .. })) },
                "{line}"
            );
            tried += 1;
        }
    }
    assert!(tried > 1000, "{tried}: every kind names somebody or something");
}

#[test]
fn an_id_of_another_form_names_no_record() {
    let id = |leaf: &Value| leaf.as_str().is_some_and(|text| text.parse::<RecordId>().is_ok());
    for (record, at, _) in places().iter().filter(|(_, _, leaf)| id(leaf)) {
        for text in ["\"\"", "\"..\"", "\"019AB05D9C0070008000000000000001\"", "7", "{}", "[1]", "true"] {
            let line = with(record, at, text);
            assert!(read(&line).is_none() || is_malformed(&line), "{line}");
        }
        let long = with(record, at, &format!("\"{}\"", "0".repeat(33)));
        assert!(read(&long).is_none() || is_malformed(&long), "{long}");
    }
}

#[test]
fn numbers_are_read_exactly_or_not_at_all() {
    let exact = ["0", "9007199254740992", "9007199254740993", "18446744073709551615"];
    let none = [
        "-1",
        "-9223372036854775808",
        "18446744073709551616",
        "1e400",
        "-1e400",
        "1.5",
        "1e0",
        "\"7\"",
        "null",
        "[]",
        "NaN",
        "0x7",
        "01",
    ];
    let mut kept = 0;
    for (record, at, _) in places().iter().filter(|(_, at, leaf)| leaf.is_number() && *at != "/v") {
        for text in exact {
            let line = with(record, at, text);
            // A number of 32 bits holds less.
            let Some(body) = read(&line).filter(|body| !matches!(body, Body::Malformed { .. })) else {
                continue;
            };
            let written = String::from_utf8(codec::encode(&codec::decode(line.as_bytes()).unwrap()).unwrap());
            assert!(text == "0" || written.unwrap().contains(text), "{body:?}");
            kept += 1;
        }
        let allowed = [
            "micro_usd",
            "tokens",
            "calls",
            "lease_ms",
            "priority",
            "attempts",
            "time_ms",
            "elapsed_ms",
            "max_agents",
        ]
        .iter()
        .any(|field| at.ends_with(field));
        for text in none.into_iter().filter(|text| !(*text == "null" && allowed)) {
            let line = with(record, at, text);
            let negative_priority = at.ends_with("priority") && text == "-1";
            assert!(read(&line).is_none() || is_malformed(&line) || negative_priority, "{line}");
        }
    }
    assert!(kept > 100, "{kept}");
}

#[test]
fn another_version_is_void_and_what_is_no_version_is_no_record() {
    let of = |version: &str| {
        line(r#"{"agent":"w","role":"worker"}"#, "agent_joined").replacen("\"v\":1", version, 1)
    };
    for version in [0_u32, 2, 255, u32::MAX] {
        let record = codec::decode(of(&format!("\"v\":{version}")).as_bytes()).unwrap();
        let mut state = State::new();
        let Outcome::Void(refusal) = state.apply(record.clone()) else { panic!("version {version} counts") };
        assert_eq!(refusal.name(), "wrong_format");
        assert!(state.agents().next().is_none());
    }
    let none = [
        "\"v\":4294967296",
        "\"v\":9007199254740992",
        "\"v\":18446744073709551616",
        "\"v\":-1",
        "\"v\":1.0",
        "\"v\":1e400",
    ];
    for version in
        none.into_iter().chain(["\"v\":\"1\"", "\"v\":null", "\"v\":[1]", "\"w\":1", "\"v\":1,\"v\":1"])
    {
        assert_eq!(read(&of(version)), None, "{version}");
    }
}

#[test]
fn deep_nesting_needs_no_deep_stack() {
    let deep = format!("{}{}", "[".repeat(10_000), "]".repeat(10_000));
    let objects = format!("{}1{}", "{\"a\":".repeat(10_000), "}".repeat(10_000));
    let judge = move || {
        for deep in [&deep, &objects] {
            // Where a value is known, it is malformed; where it is not, it changes nothing.
            for field in ["text", "to", "task"] {
                let message = [("from", "\"a\""), ("to", "\"b\""), ("text", "\"c\""), ("task", "\"d\"")];
                let body = message
                    .map(|(name, value)| format!("\"{name}\":{}", if name == field { deep } else { value }));
                assert!(is_malformed(&line(&format!("{{{}}}", body.join(",")), "message_sent")), "{field}");
            }
            let ignored = format!(r#"{{"agent":"w","mood":{deep}}}"#);
            assert!(matches!(read(&line(&ignored, "agent_left")), Some(Body::AgentLeft(_))));
            assert!(matches!(read(&line(deep, "agent_smiled")), Some(Body::Unknown { .. })));
            assert!(is_malformed(&line(deep, "agent_left")));
            let beside = line("{\"agent\":\"w\"}", "agent_left").replacen(
                "{\"v\"",
                &format!("{{\"mood\":{deep},\"v\""),
                1,
            );
            assert!(matches!(read(&beside), Some(Body::AgentLeft(_))));
            assert_eq!(read(deep), None);
            // Cut off in the depth.
            assert!(codec::decode(&beside.as_bytes()[..9_000]).is_err());
        }
    };
    // As the threads of the program have.
    let small = thread::Builder::new().stack_size(2 << 20);
    small.spawn(judge).unwrap().join().unwrap();
}

#[test]
fn what_stands_twice_is_malformed_where_it_is_known() {
    assert!(is_malformed(&line(r#"{"agent":"w","agent":"w"}"#, "agent_left")));
    assert!(is_malformed(&line(r#"{"agent":"w","role":"worker","role":"lead"}"#, "agent_joined")));
    assert!(is_malformed(&line(r#"{"task":{"id":"a","title":"A","id":"b"}}"#, "task_added")));
    assert!(matches!(read(&line(r#"{"agent":"w","x":1,"x":2}"#, "agent_left")), Some(Body::AgentLeft(_))));
    let line = line(r#"{"agent":"w"}"#, "agent_left");
    for field in [
        "\"id\":\"00000000000000000000000000000002\"",
        "\"by\":\"human\"",
        "\"kind\":\"agent_joined\"",
        "\"body\":{}",
        "\"at_ms\":1",
    ] {
        assert_eq!(read(&format!("{},{field}}}", line.strip_suffix('}').unwrap())), None, "{field}");
    }
}

#[test]
fn a_body_is_an_object_with_names_and_no_list() {
    let named = r#"{"batch":"00000000000000000000000000000009","tasks":1}"#;
    assert!(matches!(read(&line(named, "batch_closed")), Some(Body::BatchClosed(_))));
    let places = r#"["00000000000000000000000000000009",1]"#;
    assert!(is_malformed(&line(places, "batch_closed")), "a later version may have another order of fields");
}

#[test]
fn texts_that_are_no_unicode_are_malformed() {
    let message = |text: &str| line(&format!(r#"{{"from":"a","to":"b","text":"{text}"}}"#), "message_sent");
    for lone in [r"\ud800", r"\udc00", r"\ud800x", r"\udc00\ud800", r"\u12", r"\x", "\\"] {
        assert!(read(&message(lone)).is_none() || is_malformed(&message(lone)), "{lone}");
    }
    assert!(
        matches!(read(&message(r"\ud83d\ude00\u0000\u202e")), Some(Body::MessageSent(_))),
        "a text may hold these"
    );
    let good = message("#here#").into_bytes();
    let at = good.windows(6).position(|window| window == b"#here#").unwrap();
    for bytes in [&b"\xff"[..], b"\xc0\x80", b"\xed\xa0\x80", b"\xf4\x90\x80\x80", b"\xe2\x82"] {
        let bad = [&good[..at], bytes, &good[at + 6..]].concat();
        assert!(codec::decode(&bad).is_err(), "{bytes:x?}");
    }
}

#[test]
fn what_stands_around_a_record_is_space_or_makes_it_none() {
    let good = line(r#"{"agent":"w"}"#, "agent_left");
    let record = codec::decode(good.as_bytes()).unwrap();
    for (before, after) in [("", "\r"), (" ", ""), ("", " \t"), ("\r\n", "\r\n")] {
        assert_eq!(codec::decode(format!("{before}{good}{after}").as_bytes()).unwrap(), record);
    }
    for (before, after) in
        [("\u{feff}", ""), ("", "\u{feff}"), ("", "\0"), ("\0", ""), ("", "x"), ("[", "]"), ("", &good)]
    {
        assert!(codec::decode(format!("{before}{good}{after}").as_bytes()).is_err(), "{before:?} {after:?}");
    }
    for line in ["", " ", "\r", "\u{feff}", "null", "1e400", "\"\"", "[]", "{}"] {
        assert!(codec::decode(line.as_bytes()).is_err(), "{line:?}");
    }
}

#[test]
fn a_record_cut_at_any_byte_is_none() {
    for record in examples::records() {
        let line = codec::encode(&record).unwrap();
        for cut in 0..line.len() {
            assert!(codec::decode(&line[..cut]).is_err(), "{} cut at {cut}", record.body.kind());
            assert!(codec::decode(&line[cut + 1..]).is_err(), "{} begun after {cut}", record.body.kind());
        }
    }
}
