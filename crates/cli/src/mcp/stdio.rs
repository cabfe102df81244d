//! A session over standard input and output, as clients start it: one process, one member of the team.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use agent_team::TaskQueue;
use rmcp::service::{ServerInitializeError, serve_server_with_ct};
use rmcp::transport::stdio_pipes;
use tokio::io::{AsyncRead, ReadBuf};
use tokio_util::sync::CancellationToken;

use super::server::Server;
use super::session::{Session, Wishes};
use crate::exit::{Exit, Failure};
use crate::interrupt::interrupted;

/// Serves until the client goes, or somebody ends this process.
pub async fn serve(queue: TaskQueue, wishes: Wishes) -> Result<Exit, Failure> {
    let session = Session::begin(&queue, wishes)?;
    let stop = CancellationToken::new();
    let served = tokio::select! {
        served = run(Arc::clone(&session), stop.clone()) => served,
        () = interrupted() => Ok(Exit::Interrupted),
    };
    stop.cancel();
    session.end().await;
    served
}

async fn run(session: Arc<Session>, stop: CancellationToken) -> Result<Exit, Failure> {
    let (input, output) = stdio_pipes();
    let input = UntilEnd { input, ended: session.over.clone() };
    let broken = |error: &dyn std::fmt::Display| Failure::new(Exit::Broken, format!("cannot serve: {error}"));
    match serve_server_with_ct(Server(session), (input, output), stop).await {
        Ok(running) => running.waiting().await.map(|_| Exit::Done).map_err(|error| broken(&error)),
        // A client that went before it said anything.
        Err(ServerInitializeError::ConnectionClosed(_) | ServerInitializeError::Cancelled) => Ok(Exit::Done),
        Err(error) => Err(broken(&error)),
    }
}

/// Standard input, whose end ends the session at once: what waits in it is not waited for.
struct UntilEnd<R> {
    input: R,
    ended: CancellationToken,
}

impl<R: AsyncRead + Unpin> AsyncRead for UntilEnd<R> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        let read = Pin::new(&mut self.input).poll_read(context, buffer);
        let is_over = match &read {
            Poll::Ready(Ok(())) => buffer.filled().len() == before && buffer.remaining() > 0,
            Poll::Ready(Err(_)) => true,
            Poll::Pending => false,
        };
        if is_over {
            self.ended.cancel();
        }
        read
    }
}
