//! The tools of the team, for a program that brings tools of its own.
//!
//! The program starts a server of the Model Context Protocol as it starts any other: a relay, which connects to the run on a port
//! of this machine. What answers there is the same toolbox that a model of ours has, so what an agent may do for its team
//! depends on its role and on its task, and not on the program.

use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use rmcp::model::{
    CallToolRequestParams, CallToolResponse, CallToolResult, ContentBlock, Implementation, ListToolsResult,
    PaginatedRequestParams, ServerCapabilities, ServerConfig, Tool as McpTool,
};
use rmcp::service::{RequestContext, ServiceExt};
use rmcp::{ErrorData, RoleServer, ServerHandler};
use serde_json::Value;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Notify;
use tokio_util::task::AbortOnDropHandle;
use uuid::Uuid;

use crate::Error;
use crate::tools::{Ending, ToolContext, Toolbox};

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
        let heads = ["mcp__team__", "mcp_team_", "team_", "mcp.team.", "team/"];
        heads.iter().any(|head| name.strip_prefix(head).is_some_and(is_word))
    }
}

fn is_word(name: &str) -> bool {
    !name.is_empty() && name.chars().all(|letter| letter.is_ascii_lowercase() || letter == '_')
}

/// The team's tools while an attempt goes on. Nobody is served any more when this is dropped.
pub(super) struct Serving {
    tools: Arc<Tools>,
    server: TeamServer,
    _listening: AbortOnDropHandle<()>,
}

/// What answers.
struct Tools {
    /// What an agent may do is in its tools: they change when its plan is approved, for example.
    toolbox: Box<dyn Fn() -> Toolbox + Send + Sync>,
    context: ToolContext,
    ending: Mutex<Option<Ending>>,
    ended: Notify,
}

impl Serving {
    /// Serves the tools, to whom `relay` connects: the program of the command `agent-team`.
    pub async fn begin(
        relay: PathBuf,
        toolbox: impl Fn() -> Toolbox + Send + Sync + 'static,
        context: ToolContext,
    ) -> Result<Self, Error> {
        let broken = |source| Error::Io { verb: "listen on", path: "127.0.0.1".into(), source };
        let listener = TcpListener::bind("127.0.0.1:0").await.map_err(broken)?;
        let address = listener.local_addr().map_err(broken)?.to_string();
        let word = Uuid::new_v4().simple().to_string();
        let server = TeamServer {
            command: relay,
            arguments: vec!["relay".into(), address],
            environment: vec![(WORD.into(), word.clone())],
        };
        let tools =
            Tools { toolbox: Box::new(toolbox), context, ending: Mutex::default(), ended: Notify::new() };
        let tools = Arc::new(tools);
        let listening = AbortOnDropHandle::new(tokio::spawn(listen(listener, word, tools.clone())));
        Ok(Self { tools, server, _listening: listening })
    }

    /// How a program reaches it.
    pub fn server(&self) -> &TeamServer {
        &self.server
    }

    /// Waits until the agent has ended its attempt by a tool.
    pub async fn ended(&self) {
        self.tools.ended.notified().await;
    }

    /// How the agent has ended its attempt, if it has.
    pub fn ending(&self) -> Option<Ending> {
        self.tools.ending.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

async fn listen(listener: TcpListener, word: String, tools: Arc<Tools>) {
    // They end with this task.
    let mut served = tokio::task::JoinSet::new();
    while let Ok((stream, _)) = listener.accept().await {
        served.spawn(serve(stream, word.clone(), tools.clone()));
        while served.try_join_next().is_some() {}
    }
}

/// Serves one who knows the word; others of this machine might connect, too.
async fn serve(stream: TcpStream, word: String, tools: Arc<Tools>) {
    let (read, write) = stream.into_split();
    let mut read = BufReader::new(read);
    let mut said = String::new();
    let mut first = (&mut read).take(u64::try_from(word.len() + 1).unwrap_or_default());
    let is_said = tokio::time::timeout(WORD_LIMIT, first.read_line(&mut said)).await;
    if !matches!(is_said, Ok(Ok(_))) || said.trim_end() != word {
        return;
    }
    // Whoever goes away in the middle is served no more, and nobody needs to know.
    if let Ok(server) = Handler(tools).serve((read, write)).await {
        let _ = server.waiting().await;
    }
}

#[derive(Clone)]
struct Handler(Arc<Tools>);

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
        let output = (self.0.toolbox)().call(&request.name, input, &self.0.context).await;
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
    let stream = TcpStream::connect(address).await.map_err(failed)?;
    let (mut read, mut write) = stream.into_split();
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
