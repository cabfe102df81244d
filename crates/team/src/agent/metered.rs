//! Model calls that are paid for: set aside before the call, settled after it.
//!
//! Where an account has a limit, nothing is called that might exceed it. Where none has, only what was used is noted.
//! Whoever meets a limit of the model's provider holds nothing while it waits (see `governor`).

use std::sync::{Arc, Mutex, PoisonError};

use agent_team_core::machine::{Command, State};
use agent_team_core::record::{Account, Amount, SpendingReserved, SpendingSettled};
use tokio_util::sync::CancellationToken;

use super::AgentError;
use super::governor::{self, Permit, Waiting};
use crate::model::{Delta, Model, ModelError, ModelErrorKind, Prices, Request, Response, Usage};
use crate::team_log::{TeamLog, refusal};
use crate::{AgentId, Error, RecordId, TaskId, telemetry};

/// The longest answer that is asked for while a budget is set, in tokens: it bounds what a call can cost.
const OUTPUT_TOKENS_MAX: u32 = 16_384;

/// The model whose words nobody is paid for, unless the user gives it a price.
const UNPAID: &str = "script";

/// Counts what calls use, against the team's budgets.
#[derive(Clone)]
pub struct Meter {
    team_log: TeamLog,
    prices: Arc<Prices>,
    agent: AgentId,
    task: Option<TaskId>,
    stop: CancellationToken,
}

#[derive(Debug, Clone, Copy, Default)]
struct Limits {
    money: bool,
    /// Tokens, or calls.
    others: bool,
}

/// What a call used.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Spent {
    /// Tokens and money; the money is 0 for a model whose price is not known.
    pub amount: Amount,
}

impl Meter {
    /// A meter for the calls of an agent, for a task or for none.
    pub fn new(team_log: &TeamLog, prices: Arc<Prices>, agent: &AgentId, task: Option<TaskId>) -> Self {
        let stop = CancellationToken::new();
        Self { team_log: team_log.clone(), prices, agent: agent.clone(), task, stop }
    }

    /// Sets what ends its waiting for a model that is limited. A call under way goes on.
    #[must_use]
    pub fn stopped_by(mut self, stop: CancellationToken) -> Self {
        self.stop = stop;
        self
    }

    /// Waits as long as the agent, or its team, is paused: a program that calls models by itself knows nothing of that.
    ///
    /// # Errors
    /// [`AgentError::Stopped`] if it was told to stop meanwhile.
    #[cfg(feature = "drivers")]
    pub(super) async fn let_go(&self, paused: impl FnOnce()) -> Result<(), AgentError> {
        let agent = self.agent.clone();
        let may_go_on = move |state: &State| state.held_up(&agent).is_none();
        if self.team_log.look_at_known(&may_go_on) {
            return Ok(());
        }
        paused();
        tokio::select! {
            waited = self.team_log.until_word(may_go_on) => Ok(waited?),
            () = self.stop.cancelled() => Err(AgentError::Stopped),
        }
    }

    /// Calls the model, within the budget. Where a limit of its provider is met, by this call or by anybody of the team,
    /// it waits until the model may be called, and calls again: a limit is no failure, unless the provider is overloaded
    /// for longer than [`overloaded_for`](crate::model::RetryPolicy::overloaded_for).
    ///
    /// # Errors
    /// [`AgentError::Stopped`] if it was told to stop while it waited for the model. Before a call [`AgentError::OverBudget`], or [`AgentError::Unable`] if a budget in money cannot bound it since
    /// the model's price is not known. After it what the model says went wrong.
    pub async fn call(
        &self,
        model: &dyn Model,
        mut request: Request,
        stream: &mut (dyn FnMut(Delta) + Send),
    ) -> Result<(Response, Spent), AgentError> {
        loop {
            let permit = governor::admitted(&self.team_log, &self.agent, model, &self.stop, stream).await?;
            match self.call_once(model, &mut request, &permit, stream).await? {
                Ok(answer) => return Ok(answer),
                Err(error) if error.kind().is_limit() => permit.is_refused(&error)?,
                Err(error) => return Err(failed(&error)),
            }
            request.caller.retry = request.caller.retry.saturating_add(1);
        }
    }

    /// One call: reserved before, settled after it.
    async fn call_once(
        &self,
        model: &dyn Model,
        request: &mut Request,
        permit: &Permit<'_>,
        stream: &mut (dyn FnMut(Delta) + Send),
    ) -> Result<Result<(Response, Spent), ModelError>, AgentError> {
        let limits = self.limits()?;
        self.has_price(limits, model.name())?;
        let most = request.max_output_tokens.unwrap_or(OUTPUT_TOKENS_MAX).min(OUTPUT_TOKENS_MAX);
        let is_limited = limits.money || limits.others;
        if is_limited {
            request.max_output_tokens = Some(most);
        }
        let upper = self.upper(model.name(), request, most);
        let reservation = if is_limited { Some(self.set_aside(upper, stream).await?) } else { None };
        let mut retries = 0;
        let cut_off = CutOff {
            meter: self,
            operation: telemetry::CHAT,
            reservation,
            used: Mutex::new(Some(upper)),
            model: model.name().to_owned(),
        };
        let failed = self.amount(model.name(), Usage::default());
        let mut watch = |delta| {
            match &delta {
                Delta::Limited { wait_ms, reason } => {
                    // That the log cannot be written is told when the call is settled.
                    let _ = permit.has_used_up(*wait_ms, reason);
                }
                Delta::Waits { .. } => {}
                Delta::Begins => cut_off.has_used(Some(upper)),
                // Between two tries nothing is under way.
                Delta::Retry { .. } => {
                    retries += 1;
                    cut_off.has_used(Some(failed));
                    permit.is_let_in();
                }
                Delta::Text(_) | Delta::Thinking(_) | Delta::ToolCall { .. } => permit.is_answered(),
            }
            stream(delta);
        };
        let call = model.respond_unless_limited(request, &mut watch);
        let answer = telemetry::chat(model, &self.agent, request.max_output_tokens, call).await;
        cut_off.has_used(None);
        request.caller.retry = request.caller.retry.saturating_add(retries);
        let amount = match &answer {
            // What was refused used nothing, not even a call.
            Err(error) if error.kind().is_limit() => Amount::default(),
            Err(_) => failed,
            Ok(response) => {
                permit.is_answered();
                self.amount(model.name(), response.usage)
            }
        };
        if reservation.is_some() || answer.is_ok() {
            self.settle(telemetry::CHAT, reservation, model.name(), amount)?;
        }
        Ok(answer.map(|response| (response, Spent { amount })))
    }

    /// Lets a program that calls models by itself take one turn, if the budget has anything left. What the turn will use nobody
    /// knows before; it counts at its end, or call by call where models are lent: then nothing is set aside for the turn, or
    /// its own last call would wait for that.
    ///
    /// # Errors
    /// [`AgentError::OverBudget`], or [`AgentError::Unable`] if a budget in money cannot bound it since no price is known.
    #[cfg(feature = "drivers")]
    pub(super) async fn begin_turn(&self, name: &str, is_lent: bool) -> Result<OpenTurn<'_>, AgentError> {
        let limits = self.limits()?;
        if !is_lent {
            self.has_price(limits, name)?;
        }
        let upper = Amount { input_tokens: 1, calls: 1, ..Amount::default() };
        let reservation = match limits.money || limits.others {
            true if is_lent => {
                let wish = SpendingReserved { agent: self.agent.clone(), task: self.task.clone(), upper };
                let fits = self.team_log.look(|state| state.may_fit_later(&wish))?;
                fits.map(|()| None).map_err(|refusal| AgentError::OverBudget { refusal, upper })?
            }
            true => Some(self.set_aside(upper, &mut |_| {}).await?),
            false => None,
        };
        let used = Mutex::new(Some(upper).filter(|_| !is_lent));
        let (operation, model) = (telemetry::INVOKE_AGENT, name.to_owned());
        Ok(OpenTurn(CutOff { meter: self, operation, reservation, used, model }))
    }

    /// Where money is limited nothing is called whose price nobody knows.
    fn has_price(&self, limits: Limits, model: &str) -> Result<(), AgentError> {
        if limits.money && self.prices.price(model).is_none() && model != UNPAID {
            return Err(AgentError::Unable(format!(
                "the price of {model} is not known, so a budget in dollars cannot bound what it costs: add `[prices.\"{model}\"]` \
                 with `input` and `output` to team.toml, or set the budget in tokens"
            )));
        }
        Ok(())
    }

    /// What is limited in any account that a call touches.
    fn limits(&self) -> Result<Limits, Error> {
        let agent = Account::Agent(self.agent.clone());
        self.team_log.look(|state| {
            let accounts = [Account::Team, Account::Run, agent].into_iter().chain(self.tasks(state));
            accounts.fold(Limits::default(), |limits, account| {
                let limit = state.ledger().limit(&account);
                Limits {
                    money: limits.money || limit.bounds.micro_usd.is_some(),
                    others: limits.others || limit.bounds.tokens.is_some() || limit.bounds.calls.is_some(),
                }
            })
        })
    }

    /// The accounts of the task, and of the delegated ones that it is a part of.
    fn tasks(&self, state: &State) -> impl Iterator<Item = Account> + use<> {
        let above = self.task.as_ref().and_then(|task| state.task(task)).map(|task| task.above.clone());
        self.task.clone().into_iter().chain(above.unwrap_or_default()).map(Account::Task)
    }

    /// The most that a call can use. A token is rarely less than two bytes, so half the bytes bound it.
    fn upper(&self, model: &str, request: &Request, output_tokens: u32) -> Amount {
        let bytes = serde_json::to_vec(request).map_or(0, |bytes| bytes.len());
        let input_tokens = u64::try_from(bytes / 2).unwrap_or(u64::MAX);
        let usage = Usage { input_tokens, output_tokens: output_tokens.into(), ..Usage::default() };
        self.amount(model, usage)
    }

    /// Sets that aside. What only the calls of others leave no room for waits until they have ended: they rarely use all
    /// that is set aside for them, so the budget is not used up yet.
    async fn set_aside(
        &self,
        upper: Amount,
        stream: &mut (dyn FnMut(Delta) + Send),
    ) -> Result<RecordId, AgentError> {
        let wish = SpendingReserved { agent: self.agent.clone(), task: self.task.clone(), upper };
        let mut news = self.team_log.follow();
        let mut waiting = None;
        loop {
            let refusal = match refusal(self.team_log.submit(&self.agent, &wish.clone().into()))? {
                Ok(written) => {
                    if waiting.is_some() {
                        stream(Delta::Begins);
                    }
                    return Ok(written.id());
                }
                Err(refusal) => refusal,
            };
            if let Err(refusal) = self.team_log.look(|state| state.may_fit_later(&wish))? {
                return Err(AgentError::OverBudget { refusal, upper });
            }
            if waiting.is_none() {
                waiting = Some(Waiting::begin(self.team_log.governor(), &self.agent));
                stream(Delta::Waits { reason: format!("calls of others end first ({refusal})") });
            }
            tokio::select! {
                // The log's sender lives as long as the log.
                _ = news.changed() => {}
                () = self.stop.cancelled() => return Err(AgentError::Stopped),
            }
        }
    }

    fn settle(
        &self,
        operation: &'static str,
        reservation: Option<RecordId>,
        name: &str,
        actual: Amount,
    ) -> Result<(), Error> {
        let (agent, task, model) = (self.agent.clone(), self.task.clone(), name.to_owned());
        let command: Command = SpendingSettled { reservation, agent, task, model, actual }.into();
        self.team_log.submit(&self.agent, &command)?;
        telemetry::spent(operation, name, &self.agent, actual);
        Ok(())
    }

    fn amount(&self, model: &str, usage: Usage) -> Amount {
        Amount {
            micro_usd: self.prices.cost(model, usage).unwrap_or(0),
            input_tokens: usage.input_tokens,
            output_tokens: usage.output_tokens,
            calls: 1,
            time_ms: 0,
        }
    }
}

/// A call under way. One that is cut off, since somebody interrupts the turn, counts as if it had used the most that it could:
/// nobody learns what it used, and a budget may be set later.
struct CutOff<'a> {
    meter: &'a Meter,
    /// What it is to those who measure.
    operation: &'static str,
    reservation: Option<RecordId>,
    /// The most that it can have used; `None` once it is known.
    used: Mutex<Option<Amount>>,
    model: String,
}

impl CutOff<'_> {
    fn has_used(&self, used: Option<Amount>) {
        *self.used.lock().unwrap_or_else(PoisonError::into_inner) = used;
    }
}

impl Drop for CutOff<'_> {
    fn drop(&mut self) {
        if let Some(used) = self.used.get_mut().unwrap_or_else(PoisonError::into_inner).take() {
            // What is not settled stays set aside, and counts as well.
            let _ = self.meter.settle(self.operation, self.reservation, &self.model, used);
        }
    }
}

/// A turn of a program that calls models by itself. One that is cut off counts as a call, unless each of its calls counts.
#[cfg(feature = "drivers")]
pub(super) struct OpenTurn<'a>(CutOff<'a>);

#[cfg(feature = "drivers")]
impl OpenTurn<'_> {
    /// Counts what it has used.
    pub fn end(self, usage: Usage) -> Result<(), Error> {
        let Self(turn) = self;
        turn.has_used(None);
        let amount = turn.meter.amount(&turn.model, usage);
        turn.meter.settle(turn.operation, turn.reservation, &turn.model, amount)
    }

    /// Counts nothing: each of its calls was counted.
    pub fn end_counted(self) -> Result<(), Error> {
        let Self(turn) = self;
        turn.has_used(None);
        match turn.reservation {
            Some(_) => turn.meter.settle(turn.operation, turn.reservation, &turn.model, Amount::default()),
            None => Ok(()),
        }
    }
}

/// What a failed call means for the task: nothing, if the agent cannot call its model at all.
fn failed(error: &ModelError) -> AgentError {
    match error.kind() {
        ModelErrorKind::Authentication | ModelErrorKind::OutOfCredit | ModelErrorKind::UnknownModel => {
            AgentError::Unable(error.to_string())
        }
        ModelErrorKind::TooLong => AgentError::TooLong(error.to_string()),
        _ if error.is_retryable() => AgentError::Failed(error.to_string()),
        _ => AgentError::GaveUp(error.to_string()),
    }
}
