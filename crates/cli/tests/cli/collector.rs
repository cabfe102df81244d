//! A collector of OpenTelemetry on loopback: it keeps what it is sent, or is one of those that a run must not mind.

use std::io::{BufRead, BufReader, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::process::Command;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;

use serde_json::{Value, json};

/// How a collector answers.
#[derive(Clone, Copy)]
pub enum Answers {
    /// It takes all.
    Takes,
    /// With this status, whatever comes.
    Status(&'static str),
    /// Never.
    Never,
}

/// One request.
pub struct Sent {
    pub path: String,
    /// Its headers, with names in lower case.
    pub headers: Vec<(String, String)>,
    pub body: Vec<u8>,
}

/// A collector until this is dropped.
pub struct Collector {
    pub port: u16,
    kept: Arc<Kept>,
    accepts: Option<JoinHandle<()>>,
}

#[derive(Default)]
struct Kept {
    sent: Mutex<Vec<Sent>>,
    connections: Mutex<Vec<TcpStream>>,
    is_over: AtomicBool,
}

impl Collector {
    pub fn start(answers: Answers) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
        let port = listener.local_addr().unwrap().port();
        let kept = Arc::<Kept>::default();
        let keeps = kept.clone();
        let accepts = std::thread::spawn(move || {
            let mut serving = Vec::new();
            while let Ok((connection, _)) = listener.accept() {
                if keeps.is_over.load(Ordering::SeqCst) {
                    break;
                }
                keeps.connections.lock().unwrap().push(connection.try_clone().unwrap());
                let keeps = keeps.clone();
                serving.push(std::thread::spawn(move || serve(connection, answers, &keeps)));
            }
            serving.into_iter().for_each(|serving| serving.join().unwrap());
        });
        Self { port, kept, accepts: Some(accepts) }
    }

    /// Has a command export to it.
    pub fn gets(&self, command: &mut Command, protocol: &str) {
        command.env("OTEL_EXPORTER_OTLP_ENDPOINT", format!("http://127.0.0.1:{}", self.port));
        command.env("OTEL_EXPORTER_OTLP_PROTOCOL", protocol);
    }

    /// How often somebody connected.
    pub fn connections(&self) -> usize {
        self.kept.connections.lock().unwrap().len()
    }

    /// What it was sent so far.
    pub fn sent<T>(&self, look: impl FnOnce(&[Sent]) -> T) -> T {
        look(&self.kept.sent.lock().unwrap())
    }

    /// The bodies of what was sent to a path, as JSON.
    fn json(&self, path: &str) -> Vec<Value> {
        self.sent(|sent| {
            let bodies = sent.iter().filter(|sent| sent.path == path);
            bodies.map(|sent| serde_json::from_slice(&sent.body).unwrap()).collect()
        })
    }

    /// All spans that were sent as JSON.
    pub fn spans(&self) -> Vec<Span> {
        let bodies = self.json("/v1/traces");
        let resources = bodies.iter().flat_map(|body| list(&body["resourceSpans"]));
        let scopes = resources.flat_map(|resource| list(&resource["scopeSpans"]));
        scopes.flat_map(|scope| list(&scope["spans"])).cloned().map(Span).collect()
    }

    /// The points of a metric as they were sent last, as JSON.
    pub fn points(&self, metric: &str) -> Vec<Value> {
        let Some(last) = self.json("/v1/metrics").pop() else { return Vec::new() };
        let scopes =
            list(&last["resourceMetrics"]).iter().flat_map(|resource| list(&resource["scopeMetrics"]));
        let metrics = scopes.flat_map(|scope| list(&scope["metrics"]));
        let named = metrics.filter(|named| named["name"] == metric);
        let kinds =
            named.flat_map(|named| ["histogram", "sum", "gauge"].map(|kind| &named[kind]["dataPoints"]));
        kinds.flat_map(list).cloned().collect()
    }

    /// What the resource of the first spans says of a name.
    pub fn resource(&self, name: &str) -> Value {
        let bodies = self.json("/v1/traces");
        attribute(&bodies.first().unwrap()["resourceSpans"][0]["resource"], name)
    }
}

impl Drop for Collector {
    fn drop(&mut self) {
        self.kept.is_over.store(true, Ordering::SeqCst);
        for connection in self.kept.connections.lock().unwrap().iter() {
            let _ = connection.shutdown(Shutdown::Both);
        }
        let _ = TcpStream::connect(("127.0.0.1", self.port));
        self.accepts.take().unwrap().join().unwrap();
    }
}

/// One span, as JSON.
#[derive(Debug)]
pub struct Span(pub Value);

impl Span {
    pub fn name(&self) -> &str {
        self.0["name"].as_str().unwrap()
    }

    pub fn id(&self) -> &Value {
        &self.0["spanId"]
    }

    pub fn parent(&self) -> &Value {
        &self.0["parentSpanId"]
    }

    /// What an attribute holds; null if there is none.
    pub fn attribute(&self, name: &str) -> Value {
        attribute(&self.0, name)
    }
}

/// What an attribute of anything holds; null if there is none.
pub fn attribute(of: &Value, name: &str) -> Value {
    let found = list(&of["attributes"]).iter().find(|attribute| attribute["key"] == name);
    let value = found.and_then(|attribute| attribute["value"].as_object()?.iter().next());
    match value {
        // Large numbers would not survive in every reader of JSON, so whole ones are written as texts.
        Some((kind, value)) if kind == "intValue" => json!(value.as_str().unwrap().parse::<i64>().unwrap()),
        Some((_, value)) => value.clone(),
        None => Value::Null,
    }
}

fn list(value: &Value) -> &[Value] {
    value.as_array().map(Vec::as_slice).unwrap_or_default()
}

/// Reads requests until the other side has had enough.
fn serve(connection: TcpStream, answers: Answers, kept: &Kept) {
    let mut writes = connection.try_clone().unwrap();
    let mut reads = BufReader::new(connection);
    while let Some(sent) = read(&mut reads) {
        kept.sent.lock().unwrap().push(sent);
        let status = match answers {
            Answers::Takes => "200 OK",
            Answers::Status(status) => status,
            Answers::Never => continue,
        };
        let answer = format!("HTTP/1.1 {status}\r\ncontent-length: 0\r\n\r\n");
        if writes.write_all(answer.as_bytes()).is_err() {
            return;
        }
    }
}

fn read(reads: &mut impl BufRead) -> Option<Sent> {
    let line = |reads: &mut dyn BufRead| {
        let mut line = String::new();
        reads.read_line(&mut line).ok().filter(|bytes| *bytes > 0)?;
        Some(line.trim_end().to_owned())
    };
    let first = line(reads)?;
    let path = first.split(' ').nth(1)?.to_owned();
    let mut headers = Vec::new();
    loop {
        let line = line(reads)?;
        let Some((name, value)) = line.split_once(':') else { break };
        headers.push((name.to_lowercase(), value.trim().to_owned()));
    }
    let (_, length) = headers.iter().find(|(name, _)| name == "content-length")?;
    let mut body = vec![0; length.parse().ok()?];
    reads.read_exact(&mut body).ok()?;
    Some(Sent { path, headers, body })
}
