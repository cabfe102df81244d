//! Calls again what may succeed later: exponential backoff with full jitter, and the provider's own Retry-After.
//!
//! Full jitter (a wait between nothing and the bound, evenly) spreads a crowd of agents best; see Marc Brooker,
//! "Exponential Backoff And Jitter", AWS Architecture Blog, 2015. Holds no state between calls.

use std::hash::{BuildHasher, Hasher, RandomState};
use std::time::Duration;

use async_trait::async_trait;

use super::{Delta, Model, ModelError, Request, Response};

/// How often and how patiently a call is made again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RetryPolicy {
    /// The most calls that are made, the first included.
    pub attempts: u32,
    /// The bound of the first wait; each further one doubles it.
    pub first_wait: Duration,
    /// The greatest bound of one wait. A longer Retry-After is honoured all the same.
    pub longest_wait: Duration,
    /// The most time that is spent waiting in all; a wait beyond it is not begun.
    pub total_wait: Duration,
    /// How long a provider may say that it is overloaded, and answer nothing, until a call fails. That calls come too
    /// fast is said for as long as it takes.
    pub overloaded_for: Duration,
}

impl Default for RetryPolicy {
    fn default() -> Self {
        Self {
            attempts: 8,
            first_wait: Duration::from_secs(1),
            longest_wait: Duration::from_secs(60),
            total_wait: Duration::from_secs(300),
            overloaded_for: Duration::from_secs(1_800),
        }
    }
}

impl RetryPolicy {
    /// How long to wait after the `failures`-th failure in a row, or `None` if it is time to give up.
    /// `fraction` is a random number from 0 to 1.
    fn wait(&self, error: &ModelError, failures: u32, waited: Duration, fraction: f64) -> Option<Duration> {
        if !error.is_retryable() || failures >= self.attempts {
            return None;
        }
        // Those who were told the same moment shall not all come back at that moment.
        let wait = match error.retry_after() {
            Some(asked) => asked.saturating_add(self.first_wait.mul_f64(fraction)),
            None => self.bound(failures).mul_f64(fraction),
        };
        (waited.saturating_add(wait) <= self.total_wait).then_some(wait)
    }

    /// The bound of the wait after the `failures`-th failure in a row.
    pub(crate) fn bound(&self, failures: u32) -> Duration {
        let doubled = 2_u32.saturating_pow(failures.saturating_sub(1));
        self.first_wait.saturating_mul(doubled).min(self.longest_wait)
    }
}

/// A model whose calls are made again while that may help.
///
/// Each further call says in its [`Caller`](super::Caller) how many came before it, and tells the stream
/// [`Delta::Retry`], so that views can drop what they showed, and [`Delta::Begins`] when its wait is over.
pub struct Retrying<M> {
    model: M,
    policy: RetryPolicy,
    random: fn() -> f64,
}

impl<M: Model> Retrying<M> {
    /// `model`, called again as `policy` says.
    pub fn new(model: M, policy: RetryPolicy) -> Self {
        Self { model, policy, random: random_fraction }
    }

    /// The same with another source of random numbers from 0 to 1, for tests that must repeat.
    #[must_use]
    pub fn with_random(mut self, random: fn() -> f64) -> Self {
        self.random = random;
        self
    }

    /// Calls until there is an answer, a failure that `gives_back` wants, or no patience any more.
    async fn call(
        &self,
        request: &Request,
        stream: &mut (dyn FnMut(Delta) + Send),
        gives_back: fn(&ModelError) -> bool,
    ) -> Result<Response, ModelError> {
        let (mut waited, mut failures) = (Duration::ZERO, 0);
        let mut error = match self.model.respond(request, stream).await {
            Ok(response) => return Ok(response),
            Err(error) => error,
        };
        let mut again = request.clone();
        loop {
            failures += 1;
            again.caller.retry += 1;
            let wait = self.policy.wait(&error, failures, waited, (self.random)());
            let Some(wait) = wait.filter(|_| !gives_back(&error)) else { return Err(error) };
            let wait_ms = u64::try_from(wait.as_millis()).unwrap_or(u64::MAX);
            stream(Delta::Retry { wait_ms, reason: error.to_string() });
            tokio::time::sleep(wait).await;
            waited += wait;
            stream(Delta::Begins);
            error = match self.model.respond(&again, stream).await {
                Ok(response) => return Ok(response),
                Err(error) => error,
            };
        }
    }
}

#[async_trait]
impl<M: Model> Model for Retrying<M> {
    fn name(&self) -> &str {
        self.model.name()
    }

    async fn respond(
        &self,
        request: &Request,
        stream: &mut (dyn FnMut(Delta) + Send),
    ) -> Result<Response, ModelError> {
        self.call(request, stream, |_| false).await
    }

    async fn respond_unless_limited(
        &self,
        request: &Request,
        stream: &mut (dyn FnMut(Delta) + Send),
    ) -> Result<Response, ModelError> {
        self.call(request, stream, |error| error.kind().is_limit()).await
    }

    fn server(&self) -> Option<(&str, u16)> {
        self.model.server()
    }

    fn patience(&self) -> RetryPolicy {
        self.policy
    }
}

/// A random number from 0 to 1. The standard library seeds its hash maps from the operating system's randomness,
/// which is all that spreading calls needs.
fn random_fraction() -> f64 {
    let bits = RandomState::new().build_hasher().finish();
    f64::from(u32::try_from(bits >> 32).unwrap_or(u32::MAX)) / f64::from(u32::MAX)
}

#[cfg(test)]
mod tests;
