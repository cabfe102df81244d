//! A client of `agent-team mcp`, as agents are: JSON-RPC, one message a line.

use std::io::{BufRead, BufReader, Write};
use std::process::{Child, ChildStdin, ChildStdout, Stdio};

use serde_json::{Value, json};

use crate::support::Team;

/// A session with a server process of its own, which ends with it.
pub struct Client {
    child: Child,
    input: Option<ChildStdin>,
    output: BufReader<ChildStdout>,
    next: u64,
    /// The progress that was told, message by message.
    pub progress: Vec<String>,
}

/// What a tool answered.
#[derive(Debug)]
pub struct Answer {
    pub is_error: bool,
    pub text: String,
    pub value: Value,
}

impl Client {
    /// Starts `agent-team mcp` with more arguments, and shakes hands.
    pub fn start(team: &Team, arguments: &[&str]) -> Self {
        let mut client = Self::connect(team, arguments);
        let hello = json!({
            "protocolVersion": "2025-11-25",
            "capabilities": {},
            "clientInfo": {"name": "test", "version": "1"},
        });
        let welcome = client.request("initialize", hello);
        assert_eq!(welcome["serverInfo"]["name"], "agent-team", "{welcome}");
        client.say(&json!({"jsonrpc": "2.0", "method": "notifications/initialized"}));
        client
    }

    /// The same without the handshake.
    pub fn connect(team: &Team, arguments: &[&str]) -> Self {
        let mut command = team.command([&["mcp"], arguments].concat());
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        let output = BufReader::new(child.stdout.take().unwrap());
        Self { input: child.stdin.take(), child, output, next: 0, progress: Vec::new() }
    }

    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Sends one line, whatever it is.
    pub fn say_line(&mut self, line: &str) {
        let input = self.input.as_mut().unwrap();
        writeln!(input, "{line}").unwrap();
        input.flush().unwrap();
    }

    pub fn say(&mut self, message: &Value) {
        self.say_line(&message.to_string());
    }

    /// Sends a request, and gives its id.
    pub fn begin(&mut self, method: &str, params: Value) -> u64 {
        self.next += 1;
        let mut message = json!({"jsonrpc": "2.0", "id": self.next, "method": method});
        message["params"] = params;
        self.say(&message);
        self.next
    }

    /// Calls a tool without waiting for its answer; progress is wanted.
    pub fn begin_call(&mut self, tool: &str, arguments: Value) -> u64 {
        let mut params = json!({"name": tool, "_meta": {"progressToken": "p"}});
        params["arguments"] = arguments;
        self.begin("tools/call", params)
    }

    pub fn cancel(&mut self, id: u64) {
        let params = json!({"requestId": id, "reason": "enough"});
        self.say(&json!({"jsonrpc": "2.0", "method": "notifications/cancelled", "params": params}));
    }

    /// The next message. Everything on standard output is one.
    pub fn read(&mut self) -> Value {
        let mut line = String::new();
        self.output.read_line(&mut line).unwrap();
        let message: Value = serde_json::from_str(&line).unwrap_or_else(|error| panic!("{error}: {line:?}"));
        assert_eq!(message["jsonrpc"], "2.0", "{message}");
        message
    }

    /// Reads until the server says that a request goes on.
    pub fn until_progress(&mut self) {
        let message = self.read();
        assert_eq!(message["method"], "notifications/progress", "{message}");
    }

    /// The response to a request: its result, or its error.
    pub fn response(&mut self, id: u64) -> Value {
        loop {
            let message = self.read();
            if message["method"] == "notifications/progress" {
                self.progress.push(message["params"]["message"].as_str().unwrap_or_default().to_owned());
                continue;
            }
            assert_eq!(message["id"], id, "{message}");
            return message;
        }
    }

    pub fn request(&mut self, method: &str, params: Value) -> Value {
        let id = self.begin(method, params);
        let response = self.response(id);
        assert!(response.get("error").is_none(), "{response}");
        response["result"].clone()
    }

    /// Calls a tool, and gives its answer.
    pub fn call(&mut self, tool: &str, arguments: Value) -> Answer {
        let id = self.begin_call(tool, arguments);
        self.answer(id)
    }

    /// The answer to a call.
    pub fn answer(&mut self, id: u64) -> Answer {
        let response = self.response(id);
        let result = &response["result"];
        assert!(result.is_object(), "{response}");
        Answer {
            is_error: result["isError"] == json!(true),
            text: result["content"][0]["text"].as_str().unwrap_or_default().to_owned(),
            value: result["structuredContent"].clone(),
        }
    }

    /// Calls a tool that must do what it is asked for, and gives its value.
    pub fn ok(&mut self, tool: &str, arguments: Value) -> Value {
        let answer = self.call(tool, arguments);
        assert!(!answer.is_error, "{tool}: {answer:?}");
        answer.value
    }

    /// Calls a tool that must refuse, with these words.
    pub fn refused(&mut self, tool: &str, arguments: Value, words: &str) {
        let answer = self.call(tool, arguments);
        assert!(answer.is_error && answer.text.contains(words), "`{words}` is not in {tool}: {answer:?}");
    }

    /// Closes the connection, and waits for the end of the server. Gives its exit code.
    pub fn end(mut self) -> i32 {
        drop(self.input.take());
        self.child.wait().unwrap().code().unwrap_or(-1)
    }

    /// Sends the server a signal, and waits for its end.
    pub fn signal(mut self, team: &Team, name: &str) {
        let pid = self.pid().to_string();
        assert!(team.program("kill").args([name, &pid]).status().unwrap().success());
        self.child.wait().unwrap();
    }
}

impl Drop for Client {
    fn drop(&mut self) {
        drop(self.input.take());
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
