//! Refusals in the one shape that programs read: whatever a question is answered with is JSON, as `docs/web.md` says.

use axum::Json;
use axum::body::to_bytes;
use axum::http::header::CONTENT_TYPE;
use axum::http::{HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use serde_json::json;

use crate::exit::{Exit, Failure};

/// More of what a refusal says is not read, in bytes.
const BYTES_MAX: usize = 64 << 10;

/// A refusal that is text (a number that is none, an address that is none) as a value; anything else as it is.
pub async fn as_json(response: Response) -> Response {
    let status = response.status();
    let is_error = status.is_client_error() || status.is_server_error();
    let json = HeaderValue::from_static("application/json");
    if !is_error || response.headers().get(CONTENT_TYPE) == Some(&json) {
        return response;
    }
    let (head, body) = response.into_parts();
    let said = to_bytes(body, BYTES_MAX).await.unwrap_or_default();
    let said = String::from_utf8_lossy(&said);
    let words = match said.trim() {
        "" if status == StatusCode::NOT_FOUND => "there is nothing at this address",
        "" if status == StatusCode::METHOD_NOT_ALLOWED => "this address is not asked by this method",
        "" => status.canonical_reason().unwrap_or("refused"),
        said => said,
    };
    let mut told = (status, Json(json!({ "error": words }))).into_response();
    // What else it says (which methods there are) stays.
    for (name, value) in head.headers.iter().filter(|(name, _)| !name.as_str().starts_with("content-")) {
        told.headers_mut().append(name, value.clone());
    }
    told
}

/// Why a question has no answer.
pub fn of(failure: &Failure) -> Response {
    let status = match failure.exit() {
        Exit::Usage => StatusCode::BAD_REQUEST,
        Exit::Broken => StatusCode::INTERNAL_SERVER_ERROR,
        _ => StatusCode::NOT_FOUND,
    };
    (status, Json(failure.value())).into_response()
}
