//! genai's errors by kind, with the provider's own reason and without the request, the URL's secrets or the key.

use std::error::Error as _;
use std::string::FromUtf8Error;
use std::time::Duration;

use genai::Error;
use reqwest::StatusCode;
use reqwest::header::HeaderMap;
use serde_json::Value;

use super::target::{Key, Target, without_user};
use super::{limits, response};
use crate::model::error::without_key;
use crate::model::{ModelError, ModelErrorKind as Kind};

/// What a failed call means.
struct Failure {
    kind: Kind,
    reason: String,
    retry_after: Option<Duration>,
}

/// The error of a call to `model`.
pub(super) fn model_error(model: &str, target: &Target, error: &Error) -> ModelError {
    told(model, target, failure(target, error))
}

/// The error that an answer with this status is.
pub(super) fn of_status(
    model: &str,
    target: &Target,
    status: StatusCode,
    headers: &HeaderMap,
    body: &str,
) -> ModelError {
    told(model, target, answered(target, status, headers, body))
}

/// The error of a call that got no answer, or lost it on the way.
pub(super) fn of_network(model: &str, target: &Target, error: &reqwest::Error) -> ModelError {
    told(model, target, network(target, error))
}

/// The error that a provider reported within a stream.
pub(super) fn of_stream(model: &str, target: &Target, error: &Value) -> ModelError {
    told(model, target, in_stream(error))
}

/// The error of a message in a stream that is no JSON.
pub(super) fn of_message(model: &str, target: &Target, error: &serde_json::Error) -> ModelError {
    told(model, target, no_json(error))
}

fn told(model: &str, target: &Target, failure: Failure) -> ModelError {
    let Failure { kind, reason, retry_after } = failure;
    let reason = without_key(&reason, target.key.as_ref().map(Key::reveal));
    ModelError::new(kind, model, reason).with_retry_after(retry_after)
}

fn failure(target: &Target, error: &Error) -> Failure {
    if let (Some(status), Some(headers)) = (error.status(), error.headers()) {
        return answered(target, status, headers, body(error));
    }
    match error {
        Error::WebModelCall { webc_error, .. } | Error::WebAdapterCall { webc_error, .. } => match webc_error
        {
            genai::webc::Error::Reqwest(error) => network(target, error),
            other => plain(Kind::Unreadable, other.to_string()),
        },
        Error::WebStream { error, cause, .. } => {
            if let Some(error) = error.downcast_ref::<Error>() {
                failure(target, error)
            } else if let Some(error) = error.downcast_ref::<reqwest::Error>() {
                network(target, error)
            } else if error
                .downcast_ref::<FromUtf8Error>()
                .is_some_and(|error| error.utf8_error().error_len().is_some())
            {
                plain(Kind::Unreadable, cause.clone())
            } else {
                // What is left is text that ends within a character.
                plain(Kind::Cut, cause.clone())
            }
        }
        Error::ChatResponse { body, .. } => in_stream(body),
        Error::StreamParse { serde_error, .. } => no_json(serde_error),
        Error::JsonValueExt(_) | Error::SerdeJson(_) | Error::InvalidJsonResponseElement { .. } => {
            plain(Kind::Unreadable, "a message of its stream lacks what the protocol wants there".into())
        }
        // This one's own text quotes the request.
        Error::ChatResponseGeneration { cause, .. } => plain(Kind::Unreadable, cause.clone()),
        other => plain(Kind::BadRequest, other.to_string()),
    }
}

/// A message of a stream that is no JSON. What ends within is the half that came before the connection ended.
fn no_json(error: &serde_json::Error) -> Failure {
    match error.is_eof() {
        true => plain(Kind::Cut, response::CUT.into()),
        false => plain(Kind::Unreadable, error.to_string()),
    }
}

/// Whether a message of the stream could not be parsed.
pub(super) fn is_no_json(error: &Error) -> bool {
    match error {
        Error::StreamParse { .. } => true,
        Error::WebStream { error, .. } => error.downcast_ref::<Error>().is_some_and(is_no_json),
        _ => false,
    }
}

fn plain(kind: Kind, reason: String) -> Failure {
    Failure { kind, reason, retry_after: None }
}

fn body(error: &Error) -> &str {
    match error {
        Error::HttpError { body, .. } => body,
        Error::WebModelCall { webc_error, .. } | Error::WebAdapterCall { webc_error, .. } => match webc_error
        {
            genai::webc::Error::ResponseFailedStatus { body, .. } => body,
            _ => "",
        },
        _ => "",
    }
}

/// An answer with an HTTP status that is no success.
fn answered(target: &Target, status: StatusCode, headers: &HeaderMap, body: &str) -> Failure {
    let parsed = serde_json::from_str::<Value>(body).ok();
    let is_text = parsed.is_none();
    let json = parsed.unwrap_or_default();
    let kind = match status.as_u16() {
        // Without an error of the protocol's own, there is another server at this place.
        300..=399 | 404 | 405 if message(&json).is_none() => Kind::Unreadable,
        status => by_status(status),
    };
    let kind = refined(kind, &json);
    let reason = match (message(&json), kind) {
        (Some(message), _) => format!("HTTP {}: {message}", status.as_u16()),
        (None, Kind::Unreadable) => {
            format!("HTTP {} from {}", status.as_u16(), without_user(&target.base_url))
        }
        (None, _) if is_text => format!("HTTP {status}: {body}"),
        // It may be anything, the request included.
        (None, _) => format!("HTTP {status}, without a reason"),
    };
    Failure { kind, reason, retry_after: limits::retry_after(status, headers, &json) }
}

fn by_status(status: u16) -> Kind {
    match status {
        401 | 403 => Kind::Authentication,
        402 => Kind::OutOfCredit,
        404 => Kind::UnknownModel,
        408 => Kind::TimedOut,
        429 => Kind::RateLimited,
        503 | 529 => Kind::Overloaded,
        500.. => Kind::ServerError,
        _ => Kind::BadRequest,
    }
}

/// What a provider's own words say more exactly than its status.
fn refined(kind: Kind, json: &Value) -> Kind {
    let text = json.to_string();
    match kind {
        Kind::BadRequest | Kind::ServerError if says_too_long(json) => Kind::TooLong,
        Kind::RateLimited if text.contains("insufficient_quota") => Kind::OutOfCredit,
        Kind::BadRequest if text.contains("credit balance is too low") => Kind::OutOfCredit,
        Kind::BadRequest if text.contains("API_KEY_INVALID") => Kind::Authentication,
        kind => kind,
    }
}

/// How providers and servers say that a conversation is longer than the model can read, in lower case.
const TOO_LONG: [&str; 8] = [
    // Anthropic.
    "prompt is too long",
    "exceed context limit",
    "request_too_large",
    // OpenAI, servers that speak its protocol, Ollama.
    "context_length_exceeded",
    "context length",
    // llama.cpp.
    "exceed_context_size",
    "available context size",
    // Gemini.
    "input token count",
];

/// Whether an error says that the conversation is too long. Only its own words count: a body may quote the request.
fn says_too_long(json: &Value) -> bool {
    let first = json.get(0).unwrap_or(json);
    let names = ["/error/code", "/error/type", "/code", "/type"].into_iter();
    let names = names.filter_map(|path| first.pointer(path)?.as_str());
    names.chain(message(json)).any(|words| {
        let words = words.to_lowercase();
        TOO_LONG.iter().any(|known| words.contains(known))
    })
}

/// An error within a stream that had begun well: there is no status, only the provider's name for it.
fn in_stream(body: &Value) -> Failure {
    let error = body.get("error").unwrap_or(body);
    if error.get("message").is_none() && body.get("finishReason").is_some() {
        return plain(Kind::Refused, "no candidate was given for this request".into());
    }
    let code = error.get("code").and_then(Value::as_u64).and_then(|code| u16::try_from(code).ok());
    let name = ["type", "code", "status"].into_iter().find_map(|key| error.get(key)?.as_str());
    let kind = match (code, name.unwrap_or_default()) {
        (Some(code @ 400..), _) => by_status(code),
        (_, "overloaded_error" | "UNAVAILABLE") => Kind::Overloaded,
        (_, "rate_limit_error" | "rate_limit_exceeded" | "RESOURCE_EXHAUSTED") => Kind::RateLimited,
        (_, "insufficient_quota" | "billing_error") => Kind::OutOfCredit,
        (_, "authentication_error" | "permission_error" | "invalid_api_key") => Kind::Authentication,
        (_, "not_found_error" | "model_not_found") => Kind::UnknownModel,
        (_, "invalid_request_error" | "request_too_large" | "INVALID_ARGUMENT") => Kind::BadRequest,
        (_, "timeout_error") => Kind::TimedOut,
        _ => Kind::ServerError,
    };
    let kind = refined(kind, body);
    let reason = message(body).or_else(|| message(error)).or(name).unwrap_or("an error without a reason");
    Failure { kind, reason: reason.to_owned(), retry_after: limits::delay_in(body) }
}

/// A call that got no answer, or lost it on the way.
fn network(target: &Target, error: &reqwest::Error) -> Failure {
    let causes = || std::iter::successors(error.source(), |cause| (*cause).source());
    let kind = if error.is_timeout() {
        Kind::TimedOut
    } else if error.is_body() || error.is_decode() {
        Kind::Cut
    } else if causes().any(is_tls) {
        // A certificate that is not trusted, or no TLS at all, will be the same the next time.
        Kind::Unreadable
    } else {
        Kind::Connection
    };
    // reqwest's own text holds the whole URL; the cause at the bottom says what happened.
    let cause = causes().last().map_or_else(|| "no answer".to_owned(), ToString::to_string);
    plain(kind, format!("{}: {cause}", without_user(&target.base_url)))
}

/// Whether a cause is TLS's own. It comes wrapped in IO errors, which do not name what they wrap as their source.
fn is_tls(cause: &(dyn std::error::Error + 'static)) -> bool {
    match cause.downcast_ref::<std::io::Error>().and_then(std::io::Error::get_ref) {
        Some(wrapped) => is_tls(wrapped),
        None => cause.is::<rustls::Error>(),
    }
}

/// The reason in a provider's error: `{"error": {"message": …}}`, `{"error": …}` or `{"message": …}`, in an array
/// or not.
fn message(json: &Value) -> Option<&str> {
    let json = json.get(0).unwrap_or(json);
    ["/error/message", "/error", "/message"].into_iter().find_map(|path| json.pointer(path)?.as_str())
}
