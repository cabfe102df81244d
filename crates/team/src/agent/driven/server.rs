//! The tools of the team, for a program that brings tools of its own.
//!
//! The program starts a server of the Model Context Protocol as it starts any other: a relay, which asks the proxy of the
//! [gateway](crate::gateway) for the tools. What answers there is the same toolbox that a model of ours has, so what an agent may do for its team
//! depends on its role and on its task, and not on the program.

use std::io;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use http_body_util::Empty;
use hyper::Request;
use hyper::client::conn::http1;
use hyper::upgrade::Upgraded;
use hyper_util::rt::TokioIo;
use rmcp::model::{
    CallToolRequestParams, CallToolResponse, CallToolResult, ContentBlock, Implementation, ListToolsResult,
    PaginatedRequestParams, ServerCapabilities, ServerConfig, Tool as McpTool,
};
use rmcp::service::{RequestContext, ServiceExt};
use rmcp::{ErrorData, RoleServer, ServerHandler};
use serde_json::Value;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, BufReader};
use tokio::net::TcpStream;
use tokio::sync::{Notify, watch};
use tracing::{Instrument, Span};
use uuid::Uuid;

use crate::gateway::{TOOLS, Tools};
use crate::tools::{Ending, ToolContext, Toolbox};
use crate::{Error, telemetry};

/// The variable in which a relay finds the word that lets it in.
const WORD: &str = "AGENT_TEAM_RELAY";
/// How long whoever connects may take to say it.
const WORD_LIMIT: Duration = Duration::from_secs(10);

/// How a program reaches the tools of its team: by a command that it starts.
#[derive(Debug, Clone)]
pub struct TeamServer {
    /// The program.
    pub command: PathBuf,
    /// Its arguments.
    pub arguments: Vec<String>,
    /// Variables that it needs besides its own.
    pub environment: Vec<(String, String)>,
}

impl TeamServer {
    /// What programs know it by.
    pub const NAME: &str = "team";

    /// Whether a program that says it calls a tool of this name calls one of the team's: each writes it in its own way.
    pub(super) fn is_called(name: &str) -> bool {
        let heads = ["mcp__team__", "mcp_team_", "team_", "mcp.team.", "team/", "team__"];
        // Gemini CLI and Qwen Code.
        let before = name.split_once(" (team MCP Server)").map(|(before, _)| before);
        // Goose, for people.
        let spaced = name.strip_prefix("team: ").map(|name| name.replace(' ', "_"));
        heads
            .iter()
            .filter_map(|head| name.strip_prefix(head))
            .chain(before)
            .chain(spaced.as_deref())
            .any(is_word)
    }
}

fn is_word(name: &str) -> bool {
    !name.is_empty() && name.chars().all(|letter| letter.is_ascii_lowercase() || letter == '_')
}

/// The team's tools while an attempt goes on.
pub(super) struct Serving(Arc<Served>);

/// What answers.
struct Served {
    /// Who does not say it is not answered: others of this machine might connect, too.
    word: String,
    /// What an agent may do is in its tools: they change when its plan is approved, for example.
    toolbox: Box<dyn Fn() -> Toolbox + Send + Sync>,
    context: ToolContext,
    /// The span of the attempt: whoever asks comes by a connection, and not from there.
    attempt: Span,
    /// Whether somebody has asked which there are.
    is_asked_for: AtomicBool,
    /// How many calls are under way.
    calls: watch::Sender<usize>,
    ending: Mutex<Option<Ending>>,
    ended: Notify,
}

impl Serving {
    /// Serves the tools to whoever asks for them.
    pub fn new(toolbox: impl Fn() -> Toolbox + Send + Sync + 'static, context: ToolContext) -> Self {
        Self(Arc::new(Served {
            word: Uuid::new_v4().simple().to_string(),
            toolbox: Box::new(toolbox),
            context,
            attempt: Span::current(),
            is_asked_for: AtomicBool::new(false),
            calls: watch::Sender::new(0),
            ending: Mutex::default(),
            ended: Notify::new(),
        }))
    }

    /// What answers.
    pub fn tools(&self) -> Arc<dyn Tools> {
        self.0.clone()
    }

    /// How a program reaches it by way of a proxy. `relay` is the program of the command `agent-team`.
    pub fn server(&self, relay: &Path, proxy: SocketAddr) -> TeamServer {
        TeamServer {
            command: relay.to_owned(),
            arguments: vec!["relay".into(), proxy.to_string()],
            environment: vec![(WORD.into(), self.0.word.clone())],
        }
    }

    /// Whether the program has ever asked which tools there are.
    pub fn is_asked_for(&self) -> bool {
        self.0.is_asked_for.load(Ordering::Relaxed)
    }

    /// Waits until no call is under way.
    pub async fn idle(&self) {
        // It is told as long as this is there.
        let _ = self.0.calls.subscribe().wait_for(|calls| *calls == 0).await;
    }

    /// Waits until the agent has ended its attempt by a tool.
    pub async fn ended(&self) {
        self.0.ended.notified().await;
    }

    /// How the agent has ended its attempt, if it has.
    pub fn ending(&self) -> Option<Ending> {
        self.0.ending.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

#[async_trait]
impl Tools for Served {
    async fn serve(self: Arc<Self>, stream: TokioIo<Upgraded>) {
        let (read, write) = tokio::io::split(stream);
        let mut read = BufReader::new(read);
        let mut said = String::new();
        let mut first = (&mut read).take(u64::try_from(self.word.len() + 1).unwrap_or_default());
        let is_said = tokio::time::timeout(WORD_LIMIT, first.read_line(&mut said)).await;
        if !matches!(is_said, Ok(Ok(_))) || said.trim_end() != self.word {
            return;
        }
        // Whoever goes away in the middle is served no more, and nobody needs to know.
        if let Ok(server) = Handler(self).serve((read, write)).await {
            let _ = server.waiting().await;
        }
    }
}

/// A call, until this is dropped.
struct UnderWay<'a>(&'a watch::Sender<usize>);

impl<'a> UnderWay<'a> {
    fn of(calls: &'a watch::Sender<usize>) -> Self {
        calls.send_modify(|calls| *calls += 1);
        Self(calls)
    }
}

impl Drop for UnderWay<'_> {
    fn drop(&mut self) {
        self.0.send_modify(|calls| *calls -= 1);
    }
}

#[derive(Clone)]
struct Handler(Arc<Served>);

impl ServerHandler for Handler {
    fn get_info(&self) -> ServerConfig {
        ServerConfig::new(ServerCapabilities::builder().enable_tools().build())
            .with_server_info(Implementation::new("agent-team", env!("CARGO_PKG_VERSION")))
    }

    async fn list_tools(
        &self,
        _: Option<PaginatedRequestParams>,
        _: RequestContext<RoleServer>,
    ) -> Result<ListToolsResult, ErrorData> {
        self.0.is_asked_for.store(true, Ordering::Relaxed);
        let specs = (self.0.toolbox)().specs().into_iter();
        let described = specs.map(|spec| {
            let schema = match spec.input_schema {
                Value::Object(schema) => schema,
                _ => serde_json::Map::new(),
            };
            McpTool::new(spec.name, spec.description, schema)
        });
        Ok(ListToolsResult::with_all_items(described.collect()))
    }

    async fn call_tool(
        &self,
        request: CallToolRequestParams,
        _: RequestContext<RoleServer>,
    ) -> Result<CallToolResponse, ErrorData> {
        let input = Value::Object(request.arguments.unwrap_or_default());
        let under_way = UnderWay::of(&self.0.calls);
        let toolbox = (self.0.toolbox)();
        let call = telemetry::tool(&request.name, None, toolbox.call(&request.name, input, &self.0.context));
        let output = call.instrument(self.0.attempt.clone()).await;
        drop(under_way);
        if let Some(ending) = output.ends_turns {
            *self.0.ending.lock().unwrap_or_else(PoisonError::into_inner) = Some(ending);
            self.0.ended.notify_one();
        }
        let said = vec![ContentBlock::text(output.text)];
        let result =
            if output.is_error { CallToolResult::error(said) } else { CallToolResult::success(said) };
        Ok(result.into())
    }
}

/// Lets a program on standard input and output talk with the team's tools at an address: what a program starts as its server.
///
/// # Errors
/// When nobody is there, or the variable with the word is missing: then this was not started by a run.
pub async fn relay(address: &str) -> Result<(), Error> {
    let failed = |source| Error::Io { verb: "connect to the run at", path: address.into(), source };
    let word = std::env::var(WORD).map_err(|_| {
        Error::Input(format!(
            "{WORD} is not set: `relay` is started by the agents that a run drives, not by hand"
        ))
    })?;
    let stream = asked_for_tools(address).await.map_err(failed)?;
    let (mut read, mut write) = tokio::io::split(stream);
    let (mut input, mut output) = (tokio::io::stdin(), tokio::io::stdout());
    let talk = async {
        tokio::io::AsyncWriteExt::write_all(&mut write, format!("{word}\n").as_bytes()).await?;
        tokio::io::copy(&mut input, &mut write).await
    };
    // Whichever end is closed first, the other one has nobody to talk to.
    tokio::select! {
        done = talk => done.map(|_| ()).map_err(failed),
        done = tokio::io::copy(&mut read, &mut output) => done.map(|_| ()).map_err(failed),
    }
}

/// A stream to the tools, by way of a proxy (RFC 9110, 9.3.6).
async fn asked_for_tools(proxy: &str) -> io::Result<TokioIo<Upgraded>> {
    let stream = TokioIo::new(TcpStream::connect(proxy).await?);
    let (mut sender, connection) = http1::handshake(stream).await.map_err(io::Error::other)?;
    tokio::spawn(connection.with_upgrades());
    let asking = Request::connect(TOOLS).body(Empty::<Bytes>::new()).map_err(io::Error::other)?;
    let answer = sender.send_request(asking).await.map_err(io::Error::other)?;
    match answer.status().is_success() {
        true => hyper::upgrade::on(answer).await.map(TokioIo::new).map_err(io::Error::other),
        false => Err(io::Error::other(format!("it has no tools for this program ({})", answer.status()))),
    }
}
