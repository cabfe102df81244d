//! Every way in which a provider fails, over every protocol.

use std::time::Duration;

use agent_team::model::{Delta, Message, ModelErrorKind, ModelSpec, RetryPolicy, TimeLimits};
use serde_json::json;

use crate::fake::{Answer, Ending, FakeProvider, Protocol};
use crate::{KEY, ONCE, PROTOCOLS, ask, connected, model, request, spec, streamed};

/// The kind and the text of the error that `answer` means.
async fn failure(protocol: Protocol, answer: Answer) -> (ModelErrorKind, String) {
    let fake = FakeProvider::new(protocol, vec![answer]).await;
    let secret = request(vec![Message::user("a sentence that only the request holds")]);
    let error = ask(&model(protocol, &fake), &secret).await.0.unwrap_err();
    let text = format!("{error} {error:?}");
    assert!(!text.contains("only the request holds") && !text.contains(KEY), "{text}");
    (error.kind(), error.to_string())
}

#[tokio::test]
async fn a_status_means_the_same_everywhere() {
    for (status, kind) in [
        (400, ModelErrorKind::BadRequest),
        (401, ModelErrorKind::Authentication),
        (402, ModelErrorKind::OutOfCredit),
        (403, ModelErrorKind::Authentication),
        (404, ModelErrorKind::UnknownModel),
        (413, ModelErrorKind::BadRequest),
        (429, ModelErrorKind::RateLimited),
        (500, ModelErrorKind::ServerError),
        (503, ModelErrorKind::Overloaded),
        (529, ModelErrorKind::Overloaded),
    ] {
        for protocol in PROTOCOLS {
            let body = json!({"type": "error", "error": {"type": "its_name", "message": "its own reason"}});
            let (met, text) = failure(protocol, Answer::status(status, body.to_string())).await;
            assert_eq!(met, kind, "{protocol:?} {status}");
            assert!(text.contains(&format!("HTTP {status}: its own reason")), "{text}");
        }
    }
}

#[tokio::test]
async fn the_providers_words_say_more_than_the_status() {
    for (status, body, kind) in [
        (429, r#"{"error":{"message":"pay","code":"insufficient_quota"}}"#, ModelErrorKind::OutOfCredit),
        (400, r#"{"error":{"message":"Your credit balance is too low"}}"#, ModelErrorKind::OutOfCredit),
        (
            400,
            r#"[{"error":{"message":"m","details":[{"reason":"API_KEY_INVALID"}]}}]"#,
            ModelErrorKind::Authentication,
        ),
        (
            400,
            r#"{"error":{"message":"This model's maximum context length is 4096 tokens.","code":"context_length_exceeded"}}"#,
            ModelErrorKind::TooLong,
        ),
        (
            400,
            r#"{"type":"error","error":{"type":"invalid_request_error","message":"prompt is too long: 208310 tokens > 200000 maximum"}}"#,
            ModelErrorKind::TooLong,
        ),
        (
            400,
            r#"[{"error":{"code":400,"message":"The input token count (1200000) exceeds the maximum number of tokens allowed (1048576).","status":"INVALID_ARGUMENT"}}]"#,
            ModelErrorKind::TooLong,
        ),
        (
            400,
            r#"{"error":{"message":"the request exceeds the available context size","type":"exceed_context_size_error"}}"#,
            ModelErrorKind::TooLong,
        ),
        (
            413,
            r#"{"error":{"type":"request_too_large","message":"Request exceeds the maximum size"}}"#,
            ModelErrorKind::TooLong,
        ),
        (
            429,
            r#"{"error":{"message":"The input token count per minute is used up"}}"#,
            ModelErrorKind::RateLimited,
        ),
        (404, "<html>not here</html>", ModelErrorKind::Unreadable),
        (302, "", ModelErrorKind::Unreadable),
    ] {
        for protocol in [Protocol::OpenAi, Protocol::OpenAiCompatible] {
            assert_eq!(failure(protocol, Answer::status(status, body)).await.0, kind, "{protocol:?} {body}");
        }
    }
}

#[tokio::test]
async fn a_body_that_echoes_the_request_is_not_quoted() {
    for protocol in PROTOCOLS {
        let fake =
            FakeProvider::by(protocol, |received| Answer::status(500, received.body.to_string())).await;
        let asked = request(vec![Message::user("a sentence that only the request holds")]);
        let error = ask(&model(protocol, &fake), &asked).await.0.unwrap_err();
        assert!(error.to_string().ends_with("HTTP 500 Internal Server Error, without a reason"), "{error}");
    }
}

#[tokio::test]
async fn a_key_in_an_errors_body_is_not_shown() {
    let body = json!({"error": {"message": format!("key {KEY} at https://x/?key={KEY}, or sk-ant-0123456789abcdef")}});
    for protocol in [Protocol::Anthropic, Protocol::OpenAi, Protocol::OpenAiCompatible, Protocol::Gemini] {
        let (_, text) = failure(protocol, Answer::status(401, body.to_string())).await;
        assert!(text.contains("key [redacted] at https://x/?key=[redacted], or [redacted]"), "{text}");
    }
}

#[tokio::test]
async fn the_providers_wish_to_wait_is_heard() {
    let body = r#"{"error":{"message":"slow down","details":[{"@type":"RetryInfo","retryDelay":"13.5s"}]}}"#;
    for (answer, wait_ms) in [
        (Answer::status(429, body).header("retry-after", "7"), 7_000),
        (Answer::status(429, body).header("retry-after-ms", "250").header("retry-after", "1"), 250),
        (Answer::status(429, body), 13_500),
    ] {
        let fake = FakeProvider::new(Protocol::Anthropic, vec![answer]).await;
        let asked = request(vec![Message::user("Hello.")]);
        let error = ask(&model(Protocol::Anthropic, &fake), &asked).await.0.unwrap_err();
        assert_eq!(error.retry_after(), Some(Duration::from_millis(wait_ms)));
    }
}

#[tokio::test]
async fn an_error_within_the_stream_is_told_by_its_name() {
    for (protocol, name, kind) in [
        (Protocol::Anthropic, "overloaded_error", ModelErrorKind::Overloaded),
        (Protocol::Anthropic, "rate_limit_error", ModelErrorKind::RateLimited),
        (Protocol::Anthropic, "api_error", ModelErrorKind::ServerError),
        (Protocol::Anthropic, "invalid_request_error", ModelErrorKind::BadRequest),
        (Protocol::OpenAi, "server_error", ModelErrorKind::ServerError),
        (Protocol::OpenAi, "invalid_request_error", ModelErrorKind::BadRequest),
        (Protocol::OpenAiCompatible, "server_error", ModelErrorKind::ServerError),
        (Protocol::OpenAiCompatible, "invalid_request_error", ModelErrorKind::BadRequest),
        (Protocol::Gemini, "UNAVAILABLE", ModelErrorKind::Overloaded),
        (Protocol::Gemini, "RESOURCE_EXHAUSTED", ModelErrorKind::RateLimited),
    ] {
        let ending = Ending::ErrorAfter(3, name.into(), "its own reason".into());
        let (met, text) = failure(protocol, Answer::text("some words at first").ending(ending)).await;
        assert_eq!(met, kind, "{protocol:?} {name}");
        assert!(text.contains("its own reason"), "{text}");
    }
}

#[tokio::test]
async fn a_cut_stream_is_never_an_answer() {
    let whole = Answer { text: "one two".into(), ..Answer::call("read", json!({"path": "a"})) };
    for protocol in PROTOCOLS {
        for count in 0..protocol.messages(&whole, 1).len() {
            for ending in [Ending::ClosedAfter(count), Ending::BrokenAfter(count.max(1))] {
                let (kind, text) = failure(protocol, whole.clone().ending(ending.clone())).await;
                assert_eq!(kind, ModelErrorKind::Cut, "{protocol:?} {ending:?}: {text}");
            }
        }
    }
}

#[tokio::test]
async fn characters_may_be_split_anywhere() {
    let text = "größe 漢字 🦀 ende";
    for protocol in PROTOCOLS {
        for chunk_bytes in [1, 2, 3, 7] {
            let fake = FakeProvider::new(protocol, vec![Answer { chunk_bytes, ..Answer::text(text) }]).await;
            let (response, deltas) =
                ask(&model(protocol, &fake), &request(vec![Message::user("Hello.")])).await;
            assert_eq!(response.unwrap().text(), text, "{protocol:?} {chunk_bytes}");
            assert_eq!(streamed(&deltas), text);
        }
    }
}

#[tokio::test]
async fn a_stream_that_stalls_is_given_up() {
    let limits = TimeLimits { overall: Duration::from_secs(60), idle: Duration::from_millis(200) };
    for protocol in PROTOCOLS {
        for count in [0, 2] {
            let answer = Answer::text("one two three").ending(Ending::StalledAfter(count));
            let fake = FakeProvider::new(protocol, vec![answer]).await;
            let model = connected(&spec(protocol), fake.url(), ONCE, limits);
            let error = ask(&model, &request(vec![Message::user("Hello.")])).await.0.unwrap_err();
            assert_eq!(error.kind(), ModelErrorKind::TimedOut, "{protocol:?} {error}");
            assert!(error.to_string().contains("nothing came for 0.2 s"), "{error}");
        }
    }
}

#[tokio::test]
async fn a_call_has_an_overall_limit() {
    let limits = TimeLimits { overall: Duration::from_millis(200), idle: Duration::from_secs(60) };
    let answer = Answer::text("one two").ending(Ending::StalledAfter(1));
    let fake = FakeProvider::new(Protocol::Anthropic, vec![answer]).await;
    let model = connected(&spec(Protocol::Anthropic), fake.url(), ONCE, limits);
    let error = ask(&model, &request(vec![Message::user("Hello.")])).await.0.unwrap_err();
    assert!(error.to_string().contains("no whole answer after 0.2 s"), "{error}");
}

#[tokio::test]
async fn nobody_there_is_a_connection_error_that_says_where() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://user:{KEY}@{}", listener.local_addr().unwrap());
    drop(listener);
    let spec: ModelSpec = "openai-compatible:m".parse().unwrap();
    let model = connected(&spec, &url, ONCE, TimeLimits::default());
    let error = ask(&model, &request(vec![Message::user("Hello.")])).await.0.unwrap_err();
    assert_eq!(error.kind(), ModelErrorKind::Connection);
    let text = error.to_string();
    assert!(text.contains("http://127.0.0.1:") && text.contains("refused") && !text.contains(KEY), "{text}");
}

#[tokio::test]
async fn what_may_succeed_later_is_called_again_until_it_does() {
    let policy = RetryPolicy { first_wait: Duration::from_millis(1), ..RetryPolicy::default() };
    for protocol in PROTOCOLS {
        let answers = vec![
            Answer::status(429, "{}").header("retry-after-ms", "1"),
            Answer::status(529, "{}"),
            Answer::status(500, "{}"),
            Answer::text("half an answer").ending(Ending::BrokenAfter(2)),
            Answer::text("The answer."),
        ];
        let fake = FakeProvider::new(protocol, answers).await;
        let model = connected(&spec(protocol), fake.url(), policy, TimeLimits::default());
        let (response, deltas) = ask(&model, &request(vec![Message::user("Hello.")])).await;
        assert_eq!(response.unwrap().text(), "The answer.");
        let last = deltas.iter().rposition(|delta| matches!(delta, Delta::Retry { .. })).unwrap();
        assert_eq!(streamed(&deltas[last..]), "The answer.", "what came before the last try is void");
        let requests = fake.requests();
        assert_eq!(requests.len(), 5);
        assert!(requests.iter().all(|received| received.body == requests[0].body), "each try asks the same");
    }
}

#[tokio::test]
async fn what_cannot_succeed_is_called_once() {
    for (protocol, status) in
        PROTOCOLS.into_iter().flat_map(|protocol| [400, 401, 404].map(|status| (protocol, status)))
    {
        let refusal = Answer::status(status, r#"{"error":{"message":"no"}}"#);
        let fake = FakeProvider::new(protocol, vec![refusal]).await;
        let model = connected(&spec(protocol), fake.url(), RetryPolicy::default(), TimeLimits::default());
        ask(&model, &request(vec![Message::user("Hello.")])).await.0.unwrap_err();
        assert_eq!(fake.requests().len(), 1);
    }
}
