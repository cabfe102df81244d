//! What a language model is to agent-team: one request in, one answer out, streamed if one likes.
//!
//! Knows nothing of tasks, logs or workspaces, and reads no environment: keys and base URLs come in through
//! [`connect()`]. The parts: [`Model`] and its vocabulary, the providers (cargo feature `providers`), the
//! [`Script`] for rehearsals, [`Retrying`] around either, and the [`Prices`].

mod connect;
mod error;
mod message;
mod price;
#[cfg(feature = "providers")]
mod provider;
mod retry;
mod script;
mod spec;
mod window;

use std::sync::Arc;

use async_trait::async_trait;

pub use connect::{ConnectError, Connection, TimeLimits, connect};
pub use error::{ModelError, ModelErrorKind};
pub use message::{Caller, INTERRUPTED, Message, Part, Request, Response, StopReason, ToolSpec, Usage};
pub use price::{Price, Prices};
#[cfg(feature = "drivers")]
pub(crate) use provider::{Passage, RawCall, bound_answer};
pub use retry::{RetryPolicy, Retrying};
pub use script::{Script, ScriptError};
pub(crate) use spec::edit_distance;
pub use spec::{ModelSpec, Provider, SpecError};
pub(crate) use window::context_window;

/// Something that answers a request: a provider over the network, a script, or what a test puts in its place.
///
/// A model keeps nothing between requests, so one value serves any number of agents at once.
/// Dropping the future of [`respond`](Model::respond) cancels the call.
#[async_trait]
pub trait Model: Send + Sync {
    /// The name that prices and records know it by, without its provider: `claude-opus-4-5`, say.
    fn name(&self) -> &str;

    /// Answers `request`. What arrives on the way is also given to `stream`, for views; whoever wants only the
    /// answer passes `&mut |_| {}`.
    ///
    /// # Errors
    ///
    /// [`ModelError`], which says whether the same request may succeed later.
    async fn respond(
        &self,
        request: &Request,
        stream: &mut (dyn FnMut(Delta) + Send),
    ) -> Result<Response, ModelError>;

    /// Answers as [`respond`](Model::respond) does, but gives a [limit](ModelErrorKind::is_limit) back at once instead of
    /// calling again: for callers that wait for limits themselves, as a team does for all its agents.
    ///
    /// # Errors
    ///
    /// As [`respond`](Model::respond).
    async fn respond_unless_limited(
        &self,
        request: &Request,
        stream: &mut (dyn FnMut(Delta) + Send),
    ) -> Result<Response, ModelError> {
        self.respond(request, stream).await
    }

    /// The host and the port of the server that answers, where there is one.
    fn server(&self) -> Option<(&str, u16)> {
        None
    }

    /// How long to wait for a limit where the provider does not say it: from
    /// [`first_wait`](RetryPolicy::first_wait) on, doubling up to [`longest_wait`](RetryPolicy::longest_wait).
    fn patience(&self) -> RetryPolicy {
        RetryPolicy::default()
    }
}

/// A piece of an answer that is still being written. For live views only: the [`Response`] holds everything.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Delta {
    /// More of the text.
    Text(String),
    /// More of what the model thinks before it answers, where a provider shows that.
    Thinking(String),
    /// The model has begun to call a tool.
    ToolCall {
        /// The tool's name.
        name: String,
    },
    /// The call failed and will be made again: what was streamed of it before is void.
    Retry {
        /// The time until then, in milliseconds.
        wait_ms: u64,
        /// Why it failed.
        reason: String,
    },
    /// The provider says that nothing is left for further calls for a time. This one goes on.
    Limited {
        /// The time until then, in milliseconds.
        wait_ms: u64,
        /// What is used up.
        reason: String,
    },
    /// The call was not made yet, or was refused, and waits until the model may be called: what was streamed of it before
    /// is void. Comes from a team, not from a model.
    Waits {
        /// Why.
        reason: String,
    },
    /// A call that waited, for its turn or for its next try, is made now.
    Begins,
}

#[async_trait]
impl<M: Model + ?Sized> Model for Arc<M> {
    fn name(&self) -> &str {
        (**self).name()
    }

    async fn respond(
        &self,
        request: &Request,
        stream: &mut (dyn FnMut(Delta) + Send),
    ) -> Result<Response, ModelError> {
        (**self).respond(request, stream).await
    }

    async fn respond_unless_limited(
        &self,
        request: &Request,
        stream: &mut (dyn FnMut(Delta) + Send),
    ) -> Result<Response, ModelError> {
        (**self).respond_unless_limited(request, stream).await
    }

    fn server(&self) -> Option<(&str, u16)> {
        (**self).server()
    }

    fn patience(&self) -> RetryPolicy {
        (**self).patience()
    }
}
