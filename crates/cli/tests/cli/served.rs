//! A verb that serves over HTTP, until this is dropped, and requests to it with nothing in them but what a test says.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::process::{Child, Command, Stdio};

use serde_json::Value;

/// A server of ours.
pub struct Served {
    child: Child,
    /// Where it listens: `127.0.0.1:PORT`.
    pub authority: String,
    pub token: String,
}

/// What was answered.
#[derive(Debug)]
pub struct Response {
    pub status: u16,
    pub head: String,
    pub body: String,
}

impl Response {
    /// A header, by its name in lower case.
    pub fn header(&self, name: &str) -> Option<String> {
        let mut lines = self.head.lines().filter_map(|line| line.split_once(": "));
        lines.find(|(known, _)| *known == name).map(|(_, value)| value.to_owned())
    }
}

impl Served {
    /// Starts it; the first line that it prints, as JSON, says where it listens and what lets one in.
    pub fn start(mut command: Command, says: impl FnOnce(&Value) -> (String, String)) -> Self {
        let mut child = command.stdout(Stdio::piped()).spawn().unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        let (authority, token) = says(&serde_json::from_str(&line).unwrap());
        Self { child, authority, token }
    }

    /// Sends a request whole, and gives the stream on which it is answered.
    pub fn ask(&self, request: &str, headers: &[(&str, &str)], body: &str) -> TcpStream {
        let mut stream = TcpStream::connect(&self.authority).unwrap();
        let mut text = format!("{request} HTTP/1.1\r\nConnection: close\r\n");
        for (name, value) in headers {
            text += &format!("{name}: {value}\r\n");
        }
        text += &format!("Content-Length: {}\r\n\r\n{body}", body.len());
        stream.write_all(text.as_bytes()).unwrap();
        stream
    }

    /// Sends a request, and waits for the answer.
    pub fn send(&self, request: &str, headers: &[(&str, &str)], body: &str) -> Response {
        let mut answer = String::new();
        self.ask(request, headers, body).read_to_string(&mut answer).unwrap();
        let (head, body) = answer.split_once("\r\n\r\n").unwrap();
        let status = head.split(' ').nth(1).unwrap().parse().unwrap();
        Response { status, head: head.to_owned(), body: body.to_owned() }
    }
}

impl Drop for Served {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
