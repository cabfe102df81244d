//! The server of the page: who is let in, what it tells, and that it does what was asked. How the page looks and feels in a browser
//! is tried by `scripts/web`.

use std::io::{BufRead, BufReader};
use std::net::TcpStream;

use serde_json::{Value, json};

use crate::served::{Response, Served};
use crate::support::Team;

/// `agent-team web`, which ends with it.
struct Server(Served);

impl Server {
    fn start<const N: usize>(team: &Team, more: [&str; N]) -> Self {
        let mut command = team.command(["web", "--json"]);
        command.args(more);
        Self(Served::start(command, |said| {
            let url = said["url"].as_str().unwrap().strip_prefix("http://").unwrap();
            let (authority, token) = url.split_once("/?token=").unwrap();
            (authority.to_owned(), token.to_owned())
        }))
    }

    /// What whoever is let in is answered.
    fn ask(&self, path: &str) -> Response {
        let bearer = format!("Bearer {}", self.0.token);
        let headers = [("Host", self.0.authority.as_str()), ("Authorization", &bearer)];
        self.0.send(&format!("GET {path}"), &headers, "")
    }

    /// What whoever is let in is told.
    fn get(&self, path: &str) -> Value {
        let answer = self.ask(path);
        assert_eq!(answer.status, 200, "{path}: {answer:?}");
        serde_json::from_str(&answer.body).unwrap()
    }

    fn post(&self, told: &Value) -> (u16, Value) {
        let bearer = format!("Bearer {}", self.0.token);
        let headers = [
            ("Host", self.0.authority.as_str()),
            ("Authorization", &bearer),
            ("Content-Type", "application/json"),
        ];
        let answer = self.0.send("POST /api/do", &headers, &told.to_string());
        (answer.status, serde_json::from_str(&answer.body).unwrap())
    }

    /// The changes from now on, one at a time.
    fn events(&self, query: &str) -> Events {
        let bearer = format!("Bearer {}", self.0.token);
        let headers = [("Host", self.0.authority.as_str()), ("Authorization", &bearer)];
        Events(BufReader::new(self.0.ask(&format!("GET /api/events{query}"), &headers, "")))
    }
}

struct Events(BufReader<TcpStream>);

impl Events {
    /// The next one: its name, and what it says.
    fn next(&mut self) -> (String, Value) {
        let mut event = String::new();
        loop {
            let mut line = String::new();
            assert!(self.0.read_line(&mut line).unwrap() > 0, "the events ended");
            if let Some(named) = line.strip_prefix("event: ") {
                event = named.trim().to_owned();
            }
            if let Some(data) = line.strip_prefix("data: ") {
                return (event, serde_json::from_str(data).unwrap());
            }
        }
    }

    /// The next change that is as wanted.
    fn change(&mut self, is_wanted: impl Fn(&Value) -> bool) -> Value {
        loop {
            let (name, data) = self.next();
            if name == "change" && is_wanted(&data) {
                return data;
            }
        }
    }
}

fn worked() -> Team {
    let team = Team::new();
    team.ok(["add", "Write <script>alert(1)</script>", "--id", "write"]);
    team.ok(["add", "Read it", "--id", "read", "--after", "write"]);
    team.ok(["claim", "write", "--as", "worker-1"]);
    team.ok(["complete", "write", "--as", "worker-1", "--result", "written"]);
    team
}

#[test]
fn only_who_has_the_token_and_asks_from_here_is_let_in() {
    let team = worked();
    let server = Server::start(&team, []);
    let here = server.0.authority.as_str();
    let bearer = format!("Bearer {}", server.0.token);
    let ask = |host: &str, more: &[(&str, &str)]| {
        let headers: Vec<_> = [("Host", host)].iter().chain(more).copied().collect();
        server.0.send("GET /api/picture", &headers, "")
    };
    let token = ("Authorization", bearer.as_str());
    for refused in
        [ask(here, &[]), ask(here, &[("Authorization", "Bearer x")]), ask(here, &[("Cookie", "a=b")])]
    {
        assert_eq!(refused.status, 401, "{refused:?}");
        assert!(!refused.body.contains("write"), "{refused:?}");
    }
    assert_eq!(ask("evil.example", &[token]).status, 403);
    assert_eq!(ask(here, &[token, ("Origin", "http://evil.example")]).status, 403);
    assert_eq!(ask(here, &[token, ("Origin", "null")]).status, 403);
    assert_eq!(ask(here, &[token, ("Sec-Fetch-Site", "cross-site")]).status, 403);
    let let_in = ask(here, &[token, ("Origin", &format!("http://{here}"))]);
    assert_eq!(let_in.status, 200);
    for header in
        ["content-security-policy: default-src 'none'", "x-frame-options: DENY", "cache-control: no-store"]
    {
        assert!(let_in.head.contains(header), "{}", let_in.head);
    }
    // The first address sets a cookie for the page's files. Browsers send it to every server of this machine: it opens no more.
    let first = server.0.send(&format!("GET /?token={}", server.0.token), &[("Host", here)], "");
    assert_eq!(first.status, 200, "{first:?}");
    let cookie = first.header("set-cookie").unwrap();
    assert!(cookie.ends_with("HttpOnly; SameSite=Strict") && !cookie.contains(&server.0.token), "{cookie}");
    let pair = cookie.split(';').next().unwrap();
    let with_cookie = |request: &str| {
        server.0.send(request, &[("Host", here), ("Cookie", pair)], r#"{"do":"pause"}"#).status
    };
    assert_eq!(["GET /", "GET /assets/app.js"].map(with_cookie), [200, 200]);
    assert_eq!(["GET /api/picture", "GET /api/events", "POST /api/do"].map(with_cookie), [401, 401, 401]);
    assert_eq!(server.0.send("GET /?token=wrong", &[("Host", here)], "").status, 401);
    assert_eq!(
        server.0.send(&format!("GET /?token={}", server.0.token), &[("Host", "evil.example")], "").status,
        403
    );
    // A page elsewhere could send a form, and no JSON.
    let form = [("Host", here), token, ("Content-Type", "text/plain")];
    assert_eq!(server.0.send("POST /api/do", &form, r#"{"do":"pause"}"#).status, 400);
}

#[test]
fn a_question_that_cannot_be_answered_is_answered_with_the_reason_as_a_value() {
    let team = worked();
    let server = Server::start(&team, []);
    let newest = server.get("/api/picture")["newest"].as_u64().unwrap();
    for (path, status, words) in [
        ("/api/picture?at=soon", 400, "invalid digit"),
        (&format!("/api/picture?at={}", newest + 1), 400, &*format!("the log has {newest} records")),
        ("/api/timeline?at=999999", 400, "and the log has"),
        ("/api/task/a%20b", 400, "only the letters"),
        ("/api/task/nothing", 404, "there is no task `nothing`"),
        ("/api/message/0", 400, "not a record id"),
        ("/api/nothing", 404, "there is nothing at this address"),
        ("/api/do", 405, "not asked by this method"),
    ] {
        let answer = server.ask(path);
        let said: Value = serde_json::from_str(&answer.body).unwrap_or_else(|_| panic!("{path}: {answer:?}"));
        assert_eq!(answer.status, status, "{path}: {answer:?}");
        assert!(said["error"].as_str().unwrap().contains(words), "{path}: {said}");
    }
    assert!(server.ask("/api/do").head.to_lowercase().contains("allow: post"));
}

#[test]
fn the_team_is_shown_as_it_is_and_as_it_was() {
    let team = worked();
    let server = Server::start(&team, []);
    let now = server.get("/api/picture");
    assert_eq!((&now["live"], &now["counts"]["completed"]), (&json!(true), &json!(1)));
    let statuses = |picture: &Value| -> Vec<String> {
        let tasks = picture["tasks"].as_array().unwrap();
        tasks.iter().map(|task| task["status"].as_str().unwrap().to_owned()).collect()
    };
    assert_eq!(statuses(&now), ["completed", "ready"]);
    let records = now["records"].as_u64().unwrap();
    let mut seen = Vec::new();
    for at in 0..records {
        let then = server.get(&format!("/api/picture?at={at}"));
        assert_eq!(
            (&then["live"], &then["records"], &then["newest"]),
            (&json!(false), &json!(at), &json!(records))
        );
        seen.push(statuses(&then));
        seen.dedup();
    }
    let seen: Vec<_> = seen.iter().map(|row| row.join(" ")).collect();
    assert_eq!(seen, ["", "ready", "ready blocked", "running blocked"]);
    let task = server.get("/api/task/write");
    assert_eq!(task["task"]["result"], "written");
    assert_eq!(task["transcripts"][0]["agent"], "worker-1");
    assert_eq!(server.get("/api/task/write?at=2")["task"]["result"], Value::Null);
    assert_eq!(server.get("/api/timeline")["critical"], json!(["write"]));
    let log = server.get("/api/records?before=3");
    assert_eq!((&log[0]["seq"], &log[0]["kind"]), (&json!(2), &json!("task_added")));
    assert_eq!(server.get("/api/search?q=SCRIPT")["tasks"][0]["id"], "write");
    assert_eq!(server.get("/api/cost"), json!({ "points": [] }));
}

#[test]
fn a_change_by_anyone_reaches_the_page_and_a_transcript_that_grows_as_well() {
    let team = worked();
    let token = team.json(["claim", "read", "--as", "worker-1"])["token"].as_str().unwrap().to_owned();
    let attempt = team.path().join(".agent-team/attempts").join(&token);
    std::fs::create_dir_all(&attempt).unwrap();
    let server = Server::start(&team, []);
    let records = server.get("/api/picture")["records"].as_u64().unwrap();
    let mut events = server.events(&format!("?transcripts={token}&records={records}"));
    let first = events.change(|_| true);
    assert_eq!(first["tasks"], json!([]), "a page that has them is not told of tasks again");
    team.ok(["add", "Later", "--id", "later"]);
    let changed = events.change(|change| change["tasks"] != json!([]));
    assert_eq!(
        (&changed["tasks"][0]["id"], changed["tasks"].as_array().unwrap().len()),
        (&json!("later"), 1)
    );
    assert_eq!(changed["set"]["counts"]["total"], 3);
    assert!(changed["set"].get("messages").is_none(), "nobody said anything: {changed}");
    let line = r#"{"type":"ended","at_ms":1,"outcome":"it is done"}"#;
    std::fs::write(attempt.join("transcript.jsonl"), format!("{line}\n")).unwrap();
    // That it grew, and what it says now, are told in any order.
    let (mut has_grown, mut is_shown) = (false, false);
    while !(has_grown && is_shown) {
        let (name, data) = events.next();
        has_grown |= name == "transcript" && data["token"] == token.as_str();
        is_shown |= data["set"]["agents"][0]["last"] == json!(["ended: it is done"]);
    }
    let end = server.get(&format!("/api/transcript/{token}?end=10"));
    assert_eq!((&end["lines"], &end["next"]), (&json!([]), &json!(line.len() + 1)), "no line is that short");
    let read = server.get(&format!("/api/transcript/{token}"));
    assert_eq!((&read["lines"][0]["outcome"], &read["of"]["task"]), (&json!("it is done"), &json!("read")));
    assert_eq!(server.get(&format!("/api/transcript/{token}?from={}", read["next"]))["lines"], json!([]));
}

#[test]
fn what_is_done_on_the_page_is_done_as_on_the_command_line() {
    let team = worked();
    let server = Server::start(&team, []);
    let (status, said) = server.post(&json!({ "do": "say", "to": "task:read", "text": "--it's" }));
    assert_eq!(status, 200, "{said}");
    assert_eq!(said["command"], r"agent-team say task:read -- '--it'\''s'");
    let sent = &team.json(["inbox", "--as", "human", "--sent"])[0];
    assert_eq!(sent["text"], "--it's");
    let id = sent["id"].as_str().unwrap();
    assert_eq!(server.get(&format!("/api/message/{id}"))["to"], "task:read");
    let (status, said) = server.post(&json!({ "do": "retry", "task": "write" }));
    assert_eq!(status, 409, "{said}");
    assert!(said["error"].as_str().unwrap().contains("write"), "{said}");
    assert_eq!(server.post(&json!({ "do": "cancel", "task": "read" })).0, 200);
    assert_eq!(team.json(["show", "read"])["status"], "cancelled");
    assert_eq!(server.post(&json!({ "do": "init" })).0, 400);
    assert_eq!(server.post(&json!({ "do": "cancel", "task": "read", "dependents": "all" })).0, 400);
}

#[test]
fn a_log_is_looked_at_and_nothing_is_changed_in_it() {
    let team = worked();
    let before = std::fs::read(team.path().join(".agent-team/log.jsonl")).unwrap();
    let elsewhere = Team::without_init();
    std::fs::write(elsewhere.path().join("old.jsonl"), &before).unwrap();
    let server = Server::start(&elsewhere, ["--log", "old.jsonl"]);
    let shown = server.get("/api/picture");
    assert_eq!((&shown["read_only"], &shown["counts"]["completed"]), (&json!(true), &json!(1)));
    assert_eq!(server.get("/api/picture?at=1")["tasks"].as_array().unwrap().len(), 1);
    let (status, said) = server.post(&json!({ "do": "pause" }));
    assert_eq!((status, &said["command"]), (403, &json!("agent-team pause")));
    assert_eq!(std::fs::read(elsewhere.path().join("old.jsonl")).unwrap(), before);
    assert_eq!(std::fs::read_dir(elsewhere.path()).unwrap().count(), 1, "nothing is written beside it");
    elsewhere.run(["web", "--log", "none.jsonl"]).failed(1, "none.jsonl");
}
