//! Agents that speak the Agent Client Protocol, version 1: one JSON-RPC message a line on standard input and output.
//!
//! Each conversation has a program of its own. It is offered no files and no terminal of ours: what it does it does with its
//! own tools, in its folder. <https://agentclientprotocol.com>

mod model;
mod permission;
mod printed;
mod updates;
mod within;

use std::collections::VecDeque;

use agent_client_protocol::schema::ProtocolVersion;
use agent_client_protocol::v1::ConnectionTo;
use agent_client_protocol::v1::schema::{
    CancelNotification, ContentBlock, EnvVariable, ErrorCode, Implementation, InitializeRequest,
    LoadSessionRequest, McpServer, McpServerStdio, NewSessionRequest, PromptRequest, PromptResponse,
    RequestPermissionRequest, ResumeSessionRequest, SessionId, SessionModeId, SessionModeState,
    SessionNotification, SessionUpdate, SetSessionModeRequest, StopReason, TextContent,
};
use agent_client_protocol::{Agent, ByteStreams, Client, Error as AcpError};
use async_trait::async_trait;
use futures::future::BoxFuture;
use futures::stream::FuturesUnordered;
use futures::{FutureExt, StreamExt};
use tokio::sync::{mpsc, oneshot};
use tokio::time::{Instant, sleep_until};
use tokio_util::compat::{TokioAsyncReadCompatExt, TokioAsyncWriteCompatExt};
use tokio_util::sync::{CancellationToken, DropGuard};

use self::updates::Calls;
use self::within::{Goose, Within};
use super::driver::{Access, Conversation, Done, Driver, DriverError, Heard, Place};
use super::program::{BEGIN_LIMIT, BREAK_OFF_LIMIT, Program};
use super::server::TeamServer;
use super::steering::Steering;

/// An agent that speaks the protocol.
#[derive(Debug, Clone)]
pub struct Acp {
    name: String,
    command: Vec<String>,
    tells_model: bool,
}

impl Acp {
    /// The agent behind a command, under the name by which the user knows it.
    pub fn new(name: impl Into<String>, command: Vec<String>) -> Self {
        Self { name: name.into(), command, tells_model: false }
    }

    /// Tells it over the protocol which model to call; without this its command or its environment does, if anything.
    #[must_use]
    pub fn telling_model(mut self) -> Self {
        self.tells_model = true;
        self
    }
}

#[async_trait]
impl Driver for Acp {
    fn name(&self) -> String {
        self.name.clone()
    }

    async fn begin(
        &self,
        place: &Place,
        earlier: Option<&str>,
    ) -> Result<Box<dyn Conversation>, DriverError> {
        let mut program = Program::start(&self.name, &self.command, place)?;
        let model = place.model.as_deref().filter(|_| self.tells_model);
        let begin = Talk::begin(&mut program, place, earlier, model);
        let began = tokio::time::timeout(BEGIN_LIMIT, begin).await;
        let reason = match began {
            Ok(Ok(talk)) => return Ok(Box::new(AcpConversation { talk, program })),
            Ok(Err(NotBegun::Said(error))) if error.code == ErrorCode::AuthRequired => {
                program.end().await;
                return Err(DriverError::NotLoggedIn { program: self.name(), reason: words(&error) });
            }
            Ok(Err(NotBegun::Model(why))) => {
                program.end().await;
                let source = std::io::Error::new(std::io::ErrorKind::InvalidInput, why);
                return Err(DriverError::Start { command: self.name(), source });
            }
            Ok(Err(NotBegun::Said(error))) => words(&error),
            Err(_) => return Err(program.silent().await),
        };
        Err(program.broken(reason).await)
    }
}

/// A conversation, and the program that it is held with.
struct AcpConversation {
    talk: Talk,
    program: Program,
}

#[async_trait]
impl Conversation for AcpConversation {
    fn id(&self) -> Option<&str> {
        self.talk.can_go_on.then(|| &*self.talk.session.0)
    }

    fn goes_on(&self) -> bool {
        self.talk.goes_on
    }

    fn takes_more(&self) -> bool {
        self.talk.within != Within::Not
    }

    async fn say(
        &mut self,
        words_said: &str,
        hear: &mut (dyn FnMut(Heard) + Send),
        steering: &mut Steering,
    ) -> Result<Done, DriverError> {
        match self.talk.say(words_said, hear, steering).await {
            Ok(done) => Ok(done),
            Err(error) => Err(self.program.broken(words(&error)).await),
        }
    }

    async fn end(mut self: Box<Self>) {
        drop(self.talk);
        self.program.end().await;
    }
}

/// Why no conversation began.
enum NotBegun {
    /// What the program said.
    Said(AcpError),
    /// It does not call the model that it is to call.
    Model(String),
}

impl From<AcpError> for NotBegun {
    fn from(error: AcpError) -> Self {
        Self::Said(error)
    }
}

/// What is said and heard.
struct Talk {
    connection: ConnectionTo<Agent>,
    session: SessionId,
    /// Whether the program says that conversations can be gone on with.
    can_go_on: bool,
    goes_on: bool,
    /// How it takes words while it works.
    within: Within,
    goose: Goose,
    told: mpsc::UnboundedReceiver<Told>,
    calls: Calls,
    _open: DropGuard,
}

/// What comes from the program besides answers.
enum Told {
    Update(Box<SessionUpdate>),
    Asked { what: String, allowed: bool },
}

impl Talk {
    async fn begin(
        program: &mut Program,
        place: &Place,
        earlier: Option<&str>,
        model: Option<&str>,
    ) -> Result<Self, NotBegun> {
        let (tell, mut told) = mpsc::unbounded_channel();
        let (connection, open) = connect(program, place.access, tell).await?;
        let hello = InitializeRequest::new(ProtocolVersion::V1)
            .client_info(Implementation::new("agent-team", env!("CARGO_PKG_VERSION")));
        let able = connection.send_request(hello).block_task().await?.agent_capabilities;
        let within = Within::of(&able);
        // Goose does not start the servers of a session that it loads: it would go on without the team's tools.
        let keeps_servers = within != Within::Goose;
        let can_resume = able.session_capabilities.resume.is_some() && keeps_servers;
        let can_load = able.load_session && keeps_servers;
        let servers: Vec<McpServer> = place.team.iter().map(mcp_server).collect();
        let earlier = earlier.map(|id| SessionId::new(id.to_owned()));
        // What cannot be gone on with is begun anew, and told what was done so far.
        let gone_on = match earlier {
            Some(id) if can_resume => {
                let request =
                    ResumeSessionRequest::new(id.clone(), &place.folder).mcp_servers(servers.clone());
                let resumed = connection.send_request(request).block_task().await;
                resumed.map(|resumed| (id, resumed.modes, resumed.config_options)).ok()
            }
            Some(id) if can_load => {
                let request = LoadSessionRequest::new(id.clone(), &place.folder).mcp_servers(servers.clone());
                let loaded = connection.send_request(request).block_task().await;
                loaded.map(|loaded| (id, loaded.modes, loaded.config_options)).ok()
            }
            _ => None,
        };
        let goes_on = gone_on.is_some();
        let (session, modes, options) = match gone_on {
            Some(gone_on) => gone_on,
            None => {
                let request = NewSessionRequest::new(&place.folder).mcp_servers(servers);
                let begun = connection.send_request(request).block_task().await?;
                (begun.session_id, begun.modes, begun.config_options)
            }
        };
        if let Some(model) = model {
            let options = options.unwrap_or_default();
            model::choose(&connection, &session, &options, model).await.map_err(NotBegun::Model)?;
        }
        if let Some(mode) = modes.filter(|_| place.access == Access::Look).as_ref().and_then(read_only) {
            connection.send_request(SetSessionModeRequest::new(session.clone(), mode)).block_task().await?;
        }
        // What was said before is told once more by some.
        while told.try_recv().is_ok() {}
        let can_go_on = can_resume || can_load;
        Ok(Self {
            connection,
            session,
            can_go_on,
            goes_on,
            within,
            goose: Goose::default(),
            told,
            calls: Calls::default(),
            _open: open,
        })
    }

    async fn say(
        &mut self,
        words_said: &str,
        hear: &mut (dyn FnMut(Heard) + Send),
        steering: &mut Steering,
    ) -> Result<Done, AcpError> {
        // One after the other, each with the words that it has if these came while another was under way.
        let mut answers = VecDeque::from([(None, self.prompt(words_said))]);
        let mut goose_answers = FuturesUnordered::new();
        self.goose.forget();
        let mut break_off_until: Option<Instant> = None;
        let answer = loop {
            let takes_more = match self.within {
                Within::Not => false,
                Within::Prompts => answers.len() == 1,
                Within::Goose => self.goose.works(),
            };
            let Some((_, answer)) = answers.front_mut() else { return Err(AcpError::internal_error()) };
            tokio::select! {
                biased;
                () = steering.stop.cancelled(), if break_off_until.is_none() => {
                    break_off_until = Some(Instant::now() + BREAK_OFF_LIMIT);
                    self.connection.send_notification(CancelNotification::new(self.session.clone()))?;
                }
                () = sleep_until(break_off_until.unwrap_or_else(Instant::now)), if break_off_until.is_some() => {
                    let reason = format!("it did not leave off within {BREAK_OFF_LIMIT:?}");
                    return Err(AcpError::internal_error().data(reason));
                }
                Some((answered, more)) = goose_answers.next() => {
                    // One that it does not take is said once more with the next words.
                    if let Ok(answered) = answered {
                        self.goose.answered(&answered, more);
                    }
                }
                Some(told) = self.told.recv() => self.hear(told, hear),
                more = steering.more.next(), if takes_more && break_off_until.is_none() => match self.within {
                    Within::Goose => {
                        if let Some(request) = self.goose.tell(&self.session, &more.words)? {
                            let answered = self.connection.send_request(request).block_task();
                            goose_answers.push(answered.map(|answered| (answered, more)));
                        }
                    }
                    _ => {
                        let answer = self.prompt(&more.words);
                        answers.push_back((Some(more), answer));
                    }
                },
                answered = answer => {
                    let answered = match answered {
                        // Some take it for an error of their model's.
                        Err(_) if break_off_until.is_some() => PromptResponse::new(StopReason::Cancelled),
                        answered => answered?,
                    };
                    answers.pop_front();
                    match answers.front_mut() {
                        Some((more, _)) => {
                            // What is broken off has not taken it.
                            let more = more.take().filter(|_| break_off_until.is_none());
                            more.into_iter().for_each(|more| hear(Heard::Took(more)));
                        }
                        None => break answered,
                    }
                }
            }
        };
        // What was told before the answer stands before it.
        while let Ok(told) = self.told.try_recv() {
            self.hear(told, hear);
        }
        if let Some(usage) = answer.usage {
            hear(Heard::Used(updates::usage(&usage)));
        }
        Ok(match answer.stop_reason {
            _ if break_off_until.is_some() => Done::BrokenOff,
            StopReason::Cancelled => Done::BrokenOff,
            StopReason::MaxTokens | StopReason::MaxTurnRequests => Done::Limit,
            StopReason::Refusal => Done::Refused,
            _ => Done::Said,
        })
    }

    /// Says something. The answer comes when the program has done with it.
    fn prompt(&self, words: &str) -> BoxFuture<'static, Result<PromptResponse, AcpError>> {
        let prompt = vec![ContentBlock::Text(TextContent::new(words))];
        let request = PromptRequest::new(self.session.clone(), prompt);
        Box::pin(self.connection.send_request(request).block_task())
    }

    fn hear(&mut self, told: Told, hear: &mut (dyn FnMut(Heard) + Send)) {
        if let Told::Update(update) = &told
            && let Some(more) = self.goose.hear(update)
        {
            hear(Heard::Took(more));
        }
        self.calls.hear(told, hear);
    }
}

/// Connects with a program that was started. The connection is there until the guard is dropped.
async fn connect(
    program: &mut Program,
    access: Access,
    tell: mpsc::UnboundedSender<Told>,
) -> Result<(ConnectionTo<Agent>, DropGuard), AcpError> {
    let (input, output) = program.streams().ok_or_else(AcpError::internal_error)?;
    let output = printed::messages(output, program.fault());
    let transport = ByteStreams::new(input.compat_write(), output.compat());
    let (connected, connection) = oneshot::channel();
    let over = CancellationToken::new();
    let open = over.clone().drop_guard();
    let tell_update = tell.clone();
    let conversation = Client
        .v1()
        .name("agent-team")
        .on_receive_notification(
            async move |update: SessionNotification, _| {
                // Nobody hears it any more when the conversation is over.
                let _ = tell_update.send(Told::Update(Box::new(update.update)));
                Ok(())
            },
            agent_client_protocol::on_receive_notification!(),
        )
        .on_receive_request(
            async move |request: RequestPermissionRequest, responder, _| {
                let (what, allowed, outcome) = permission::judge(access, &request);
                // Some announce a call by asking for it alone.
                let asked_for = SessionUpdate::ToolCallUpdate(request.tool_call);
                let _ = tell.send(Told::Update(Box::new(asked_for)));
                let _ = tell.send(Told::Asked { what, allowed });
                responder.respond(outcome)
            },
            agent_client_protocol::on_receive_request!(),
        )
        .connect_with(transport, async move |connection: ConnectionTo<Agent>| {
            let _ = connected.send(connection);
            over.cancelled().await;
            Ok(())
        });
    tokio::spawn(conversation);
    let connection = connection.await.map_err(|_| AcpError::internal_error().data("it closed its output"))?;
    Ok((connection, open))
}

/// The team's tools, as a server that the program starts.
fn mcp_server(team: &TeamServer) -> McpServer {
    let variables = team.environment.iter().map(|(name, value)| EnvVariable::new(name, value));
    let server = McpServerStdio::new(TeamServer::NAME, &team.command);
    McpServer::Stdio(server.args(team.arguments.clone()).env(variables.collect()))
}

/// The mode of a program in which it changes nothing, if it has one.
fn read_only(modes: &SessionModeState) -> Option<SessionModeId> {
    let known = modes.available_modes.iter().map(|mode| &mode.id);
    known.into_iter().find(|id| &*id.0 == "read-only").cloned()
}

/// An error on one line, for people.
fn words(error: &AcpError) -> String {
    match &error.data {
        Some(data) if data["reason"] == "connection_terminated" => "it closed its output".to_owned(),
        Some(data) => format!("{} ({data})", error.message),
        None => error.message.clone(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::agent::driven::fake::Fake;

    #[tokio::test(start_paused = true)]
    async fn that_a_program_never_answers_is_said_and_not_that_it_ended_when_nobody_listened_any_more() {
        let fake = Fake::of("silent", "cat > /dev/null");
        let begun = Acp::new("silent", vec!["silent".into()]).begin(&fake.place(Access::Work), None).await;
        let error = begun.err().unwrap().to_string();
        assert!(error.starts_with("silent: it did not answer within 1m30s"), "{error}");
    }
}
