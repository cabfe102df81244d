//! One call to a model over loopback HTTP: the processor time of the caller. The server is a process of its own.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;

use agent_team::model::{Caller, Connection, Message, Request, RetryPolicy, TimeLimits, ToolSpec, connect};
use anyhow::{Context, Result, ensure};
use serde_json::json;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use crate::peer::{self, Peer};
use crate::setting::Setting;
use crate::statistics::{median, processor_time, spread};
use crate::table::Measured;

/// What the fake model says, word by word.
const WORDS: [&str; 12] = [
    "The ", "parser ", "is ", "done: ", "it ", "reads ", "lines, ", "and ", "says ", "what ", "is ", "wrong.",
];

/// Microseconds of processor time for a call, beside a raw client that sends and reads the same bytes.
pub fn call(setting: &Setting) -> Result<Vec<Measured>> {
    let mut server = Peer::start(["serve-model"])?;
    server.say("go")?;
    let port: u16 = server.hear_value()?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let calls = setting.choose(1_000, 200);
    let (mut ours, mut raw) = (Vec::new(), Vec::new());
    for _ in 0..setting.choose(7, 3) {
        ours.push(runtime.block_on(through_library(port, calls))?);
        server.say("what came")?;
        let request: String = server.hear_value()?;
        raw.push(runtime.block_on(through_socket(port, calls, request.as_bytes()))?);
    }
    let note = format!("{calls} calls a round, each of {} pieces", WORDS.len());
    Ok(vec![Measured { value: median(&ours), limit: Some(median(&raw)), spread: spread(&ours), note }])
}

async fn through_library(port: u16, calls: u32) -> Result<f64> {
    let environment = |name: &str| name.ends_with("_API_KEY").then(|| "none".to_owned());
    let url = format!("http://127.0.0.1:{port}/v1");
    let model = connect(
        &"openai-compatible:fake".parse()?,
        &Connection {
            base_url: Some(&url),
            environment: &environment,
            limits: TimeLimits::default(),
            retry: RetryPolicy::default(),
        },
    )?;
    let request = request();
    // The first call opens the connection.
    model.respond(&request, &mut |_| {}).await?;
    let before = processor_time();
    for _ in 0..calls {
        let response = model.respond(&request, &mut |_| {}).await?;
        ensure!(response.text() == WORDS.concat(), "the model said `{}`", response.text());
    }
    Ok((processor_time() - before).as_secs_f64() * 1e6 / f64::from(calls))
}

/// The least client: one connection, the same request, and as many bytes read as the answer says it has.
async fn through_socket(port: u16, calls: u32, request: &[u8]) -> Result<f64> {
    let mut stream = tokio::net::TcpStream::connect(("127.0.0.1", port)).await?;
    stream.set_nodelay(true)?;
    let mut buffer = vec![0; 1 << 16];
    let mut exchange = async || -> Result<()> {
        stream.write_all(request).await?;
        let mut filled = 0;
        loop {
            let free = buffer.get_mut(filled..).context("an answer longer than the buffer")?;
            let read = stream.read(free).await?;
            ensure!(read > 0, "the server closed the connection");
            filled += read;
            let bytes = buffer.get(..filled).unwrap_or_default();
            if let Some(body) = body_start(bytes)
                && filled >= body + content_length(bytes.get(..body).unwrap_or_default())?
            {
                return Ok(());
            }
        }
    };
    exchange().await?;
    let before = processor_time();
    for _ in 0..calls {
        exchange().await?;
    }
    Ok((processor_time() - before).as_secs_f64() * 1e6 / f64::from(calls))
}

fn body_start(bytes: &[u8]) -> Option<usize> {
    bytes.windows(4).position(|end| end == b"\r\n\r\n").map(|at| at + 4)
}

fn content_length(head: &[u8]) -> Result<usize> {
    let head = std::str::from_utf8(head)?;
    let mut fields = head.lines().filter_map(|line| line.split_once(':'));
    let found = fields.find(|(name, _)| name.eq_ignore_ascii_case("content-length"));
    Ok(found.map(|(_, value)| value.trim().parse()).transpose()?.unwrap_or(0))
}

/// A request as an agent makes it: a system prompt, a task, a few tools.
fn request() -> Request {
    let tool = |name: &str| ToolSpec {
        name: name.to_owned(),
        description: format!("What {name} does, in a sentence or two, as a model likes to be told."),
        input_schema: json!({"type": "object", "properties": {"path": {"type": "string"}}, "required": ["path"]}),
    };
    Request {
        system: "You work in a team of agents on one code base. ".repeat(20),
        messages: vec![Message::user("Write the parser, and say what it does. ".repeat(20))],
        tools: ["read", "write", "edit", "list", "search", "run", "finish"].map(tool).into(),
        max_output_tokens: Some(1_000),
        caller: Caller { agent: "worker-1".into(), role: "worker".into(), ..Caller::default() },
    }
}

/// The server: answers every request with the same words, streamed as OpenAI's chat completions are.
pub fn serve() -> Result<()> {
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let last = Arc::new(Mutex::new(Vec::new()));
    peer::ready()?;
    peer::tell_value(&listener.local_addr()?.port())?;
    let answer = Arc::new(answer());
    let heard = last.clone();
    thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let (answer, heard) = (answer.clone(), heard.clone());
            // A client that goes away ends its thread, which is what it should.
            thread::spawn(move || converse(stream, &answer, &heard));
        }
    });
    while peer::await_line()?.is_some() {
        let request = last.lock().unwrap_or_else(PoisonError::into_inner).clone();
        peer::tell_value(&String::from_utf8_lossy(&request))?;
    }
    Ok(())
}

fn converse(stream: TcpStream, answer: &[u8], heard: &Mutex<Vec<u8>>) -> Result<()> {
    stream.set_nodelay(true)?;
    let mut input = BufReader::new(stream.try_clone()?);
    let mut output = stream;
    loop {
        let mut request = Vec::new();
        while !request.ends_with(b"\r\n\r\n") {
            if input.read_until(b'\n', &mut request)? == 0 {
                return Ok(());
            }
        }
        let mut body = vec![0; content_length(&request)?];
        input.read_exact(&mut body)?;
        request.extend_from_slice(&body);
        *heard.lock().unwrap_or_else(PoisonError::into_inner) = request;
        output.write_all(answer)?;
    }
}

fn answer() -> Vec<u8> {
    let chunk = |delta: &serde_json::Value, finish: Option<&str>| {
        let value = json!({
            "id": "chatcmpl-1", "object": "chat.completion.chunk", "created": 1_764_000_000, "model": "fake",
            "choices": [{"index": 0, "delta": delta, "finish_reason": finish}],
        });
        format!("data: {value}\n\n")
    };
    let mut body: String = WORDS.iter().map(|word| chunk(&json!({"content": word}), None)).collect();
    body.push_str(&chunk(&json!({}), Some("stop")));
    let usage = json!({
        "id": "chatcmpl-1", "object": "chat.completion.chunk", "created": 1_764_000_000, "model": "fake",
        "choices": [], "usage": {"prompt_tokens": 100, "completion_tokens": 12, "total_tokens": 112},
    });
    body.push_str(&format!("data: {usage}\n\ndata: [DONE]\n\n"));
    let length = body.len();
    let head =
        format!("HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ncontent-length: {length}\r\n\r\n");
    [head, body].concat().into_bytes()
}
