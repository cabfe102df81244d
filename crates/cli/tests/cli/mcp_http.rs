//! Sessions over HTTP, as a client speaks it: who may connect, and what ends a session. And what is written for clients.

use std::os::unix::fs::PermissionsExt;
use std::process::Stdio;

use serde_json::{Value, json};

use crate::served::{Response, Served};
use crate::support::Team;

/// `agent-team mcp --http`, which ends with it.
struct Server(Served);

impl Server {
    fn start(team: &Team) -> Self {
        let command = team.command(["mcp", "--http", "127.0.0.1:0", "--json"]);
        Self(Served::start(command, |said| {
            let url = said["url"].as_str().unwrap();
            let authority = url.strip_prefix("http://").unwrap().strip_suffix("/mcp").unwrap();
            let file = said["token_file"].as_str().unwrap();
            assert_eq!(std::fs::metadata(file).unwrap().permissions().mode() & 0o777, 0o600);
            (authority.to_owned(), std::fs::read_to_string(file).unwrap())
        }))
    }

    fn send(&self, method: &str, headers: &[(&str, &str)], body: &str) -> Response {
        self.0.send(&format!("{method} /mcp"), headers, body)
    }

    /// A message of a session, with all that is wanted.
    fn post(&self, session: Option<&str>, message: &Value) -> Response {
        let bearer = format!("Bearer {}", self.0.token);
        let mut headers = vec![
            ("Host", self.0.authority.as_str()),
            ("Authorization", &bearer),
            ("Content-Type", "application/json"),
            ("Accept", "application/json, text/event-stream"),
        ];
        headers.extend(session.map(|session| ("mcp-session-id", session)));
        self.send("POST", &headers, &message.to_string())
    }

    /// Begins a session, which joins under a name.
    fn session(&self, name: &str) -> String {
        let session = self.post(None, &hello()).header("mcp-session-id").unwrap();
        let ready = json!({"jsonrpc": "2.0", "method": "notifications/initialized"});
        assert_eq!(self.post(Some(&session), &ready).status, 202);
        let joined = self.call(&session, "join", &json!({"name": name}));
        assert!(joined.contains(&format!("{name} is in the team as a worker")), "{joined}");
        session
    }

    fn call(&self, session: &str, tool: &str, arguments: &Value) -> String {
        let params = json!({"name": tool, "arguments": arguments});
        let message = json!({"jsonrpc": "2.0", "id": 7, "method": "tools/call", "params": params});
        self.post(Some(session), &message).body
    }

    fn end(&self, session: &str) -> u16 {
        let bearer = format!("Bearer {}", self.0.token);
        let headers =
            [("Host", self.0.authority.as_str()), ("Authorization", &bearer), ("mcp-session-id", session)];
        self.send("DELETE", &headers, "").status
    }
}

fn hello() -> Value {
    let client = json!({"name": "test", "version": "1"});
    let params = json!({"protocolVersion": "2025-11-25", "capabilities": {}, "clientInfo": client});
    json!({"jsonrpc": "2.0", "id": 1, "method": "initialize", "params": params})
}

#[test]
fn each_session_is_a_member_and_one_that_is_closed_gives_back_what_it_holds() {
    let team = Team::new();
    team.ok(["add", "Write it", "--id", "a"]);
    let server = Server::start(&team);
    let (ann, ben) = (server.session("ann"), server.session("ben"));
    assert!(server.call(&ann, "claim_task", &json!({})).contains("Write it"));
    assert!(server.call(&ben, "join", &json!({"name": "ann"})).contains("you are ben"));
    assert!(server.call(&ben, "complete_task", &json!({"id": "a", "result": "x"})).contains("do not hold"));
    let waits = team.command(["claim", "--as", "cleo", "--wait"]).stdout(Stdio::piped()).spawn().unwrap();
    assert!((200..300).contains(&server.end(&ann)));
    let waited = waits.wait_with_output().unwrap();
    assert!(String::from_utf8(waited.stdout).unwrap().starts_with("a\t"));
    assert_eq!(server.post(Some(&ann), &hello()).status, 404, "there is no such session any more");
}

#[test]
fn only_who_has_the_token_and_is_no_page_of_a_browser_may_connect() {
    let team = Team::new();
    let server = Server::start(&team);
    let bearer = format!("Bearer {}", server.0.token);
    let hello = hello().to_string();
    let try_with = |host: &str, more: &[(&str, &str)]| {
        let common = [
            ("Host", host),
            ("Content-Type", "application/json"),
            ("Accept", "application/json, text/event-stream"),
        ];
        server.send("POST", &[&common[..], more].concat(), &hello).status
    };
    let (here, token) = (server.0.authority.clone(), ("Authorization", bearer.as_str()));
    assert_eq!(try_with(&here, &[token]), 200);
    assert_eq!(try_with(&here, &[]), 401);
    assert_eq!(try_with(&here, &[("Authorization", "Bearer wrong")]), 401);
    assert_eq!(try_with("evil.example", &[token]), 403);
    assert_eq!(try_with(&here, &[token, ("Origin", "http://evil.example")]), 403);
    assert_eq!(try_with(&here, &[token, ("Origin", &format!("http://{here}"))]), 200);
    for address in ["0.0.0.0:0", "[::]:0"] {
        team.run(["mcp", "--http", address]).failed(2, "is no address of this machine alone");
    }
    let file = team.path().join(".agent-team/mcp-token");
    std::fs::set_permissions(file, std::fs::Permissions::from_mode(0o644)).unwrap();
    team.run(["mcp", "--http", "127.0.0.1:0"]).failed(1, "others may read it");
}

#[test]
fn the_configuration_of_a_client_is_printed_or_written() {
    let team = Team::new();
    let printed: Value = serde_json::from_str(&team.ok(["join", "claude", "--as", "ann"])).unwrap();
    let server = &printed["mcpServers"]["team"];
    assert!(server["command"].as_str().unwrap().ends_with("agent-team"), "{printed}");
    let arguments: Vec<&str> = server["args"].as_array().unwrap().iter().filter_map(Value::as_str).collect();
    assert_eq!(&arguments[2..], ["mcp", "--as", "ann"]);
    assert!(team.json(["list"]).as_array().unwrap().is_empty(), "nobody has joined");
    for (client, file) in [
        ("claude", ".mcp.json"),
        ("gemini", ".gemini/settings.json"),
        ("qwen", ".qwen/settings.json"),
        ("opencode", "opencode.json"),
        ("codex", ".codex/config.toml"),
    ] {
        assert!(team.ok(["join", client, "--write"]).ends_with(": written\n"), "{client}");
        assert!(team.ok(["join", client, "--write"]).ends_with(": was there already\n"), "{client}");
        let text = std::fs::read_to_string(team.path().join(file)).unwrap();
        assert!(text.contains("agent-team") && text.contains("\"mcp\""), "{client}: {text}");
    }
    team.run(["join", "claude", "--as", "ann", "--write"]).failed(3, "there is another server `team`");
    team.run(["join"]).failed(2, "--as <NAME>");
    team.ok(["join", "--as", "ann"]);
}
