//! Providers that break off, dawdle, and talk nonsense: each call ends in time, with an answer that is whole or an error
//! that says what was wrong, and that is final only where another try is useless.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use agent_team::model::{Message, ModelErrorKind, Part, Response, StopReason, TimeLimits};
use serde_json::json;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

use crate::fake::{Answer, Ending, FakeProvider, Protocol};
use crate::{ONCE, PROTOCOLS, ask, calls, connected, model, request, spec};

fn hello() -> agent_team::model::Request {
    request(vec![Message::user("Hello.")])
}

/// What is said in an answer: a call's id may be made up anew each time.
fn content(response: &Response) -> (String, Vec<(String, serde_json::Value)>, u64, StopReason) {
    (response.text(), calls(response), response.usage.output_tokens, response.stop)
}

#[tokio::test]
async fn a_stream_cut_at_any_byte_is_the_whole_answer_or_an_error_that_is_tried_again() {
    let whole = Answer { text: "größe".into(), ..Answer::call("read", json!({"path": "ä"})) };
    for protocol in PROTOCOLS {
        let length = protocol.messages(&whole, 1).concat().len();
        let ending = Arc::new(Mutex::new(Ending::Whole));
        let (answer, wanted) = (whole.clone(), ending.clone());
        let fake =
            FakeProvider::by(protocol, move |_| answer.clone().ending(wanted.lock().unwrap().clone())).await;
        let all = FakeProvider::new(protocol, vec![whole.clone()]).await;
        let expected = content(&ask(&model(protocol, &all), &hello()).await.0.unwrap());
        let model = model(protocol, &fake);
        let mut answers = 0;
        let closed = (0..=length).map(|place| (place, true));
        // A broken connection is told from a closed one before the bytes are looked at, so fewer places do.
        for (place, is_closed) in closed.chain((0..length).step_by(11).map(|place| (place, false))) {
            *ending.lock().unwrap() =
                if is_closed { Ending::ClosedAtByte(place) } else { Ending::BrokenAtByte(place) };
            match ask(&model, &hello()).await.0 {
                Ok(response) => {
                    answers += 1;
                    assert_eq!(content(&response), expected, "{protocol:?} at {place} of {length}");
                }
                Err(error) => {
                    assert!(error.is_retryable(), "{protocol:?} at {place} of {length}: {error}");
                    assert!(place < length, "{protocol:?}: the whole stream is no error: {error}");
                }
            }
        }
        assert!((1..40).contains(&answers), "{protocol:?}: {answers} cuts passed for the whole");
    }
}

/// A server that does with each connection what the closure says, and keeps it open until it is done. Where it listens.
async fn server<F>(handle: impl Fn(TcpStream) -> F + Send + 'static) -> String
where
    F: Future<Output = ()> + Send + 'static,
{
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(async move {
        while let Ok((connection, _)) = listener.accept().await {
            tokio::spawn(handle(connection));
        }
    });
    url
}

/// Reads a request, as far as one read does.
async fn receive(connection: &mut TcpStream) {
    let mut buffer = vec![0; 64 << 10];
    assert!(connection.read(&mut buffer).await.unwrap() > 0);
}

/// The error of a call to a server that does this, with short limits.
async fn failure_of(protocol: Protocol, url: &str) -> agent_team::model::ModelError {
    let limits = TimeLimits { overall: Duration::from_secs(60), idle: Duration::from_millis(300) };
    ask(&connected(&spec(protocol), url, ONCE, limits), &hello()).await.0.unwrap_err()
}

#[tokio::test]
async fn a_server_that_takes_the_request_and_never_answers_is_given_up() {
    for protocol in PROTOCOLS {
        let url = server(|mut connection| async move {
            receive(&mut connection).await;
            std::future::pending::<()>().await;
        })
        .await;
        let error = failure_of(protocol, &url).await;
        assert_eq!(error.kind(), ModelErrorKind::TimedOut, "{protocol:?} {error}");
    }
}

#[tokio::test]
async fn a_server_that_closes_at_once_may_be_asked_again() {
    for protocol in PROTOCOLS {
        for reads_first in [false, true] {
            let url = server(move |mut connection| async move {
                if reads_first {
                    receive(&mut connection).await;
                }
            })
            .await;
            let error = failure_of(protocol, &url).await;
            assert_eq!(error.kind(), ModelErrorKind::Connection, "{protocol:?} {error}");
        }
    }
}

#[tokio::test]
async fn a_server_that_sends_a_byte_now_and_then_is_given_up() {
    for protocol in PROTOCOLS {
        let url = server(|mut connection| async move {
            receive(&mut connection).await;
            let head = "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\n\r\n";
            let _ = connection.write_all(head.as_bytes()).await;
            while connection.write_all(b"d").await.is_ok() {
                // The pace of this server: the test waits for nothing here.
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        })
        .await;
        let error = failure_of(protocol, &url).await;
        assert_eq!(error.kind(), ModelErrorKind::TimedOut, "{protocol:?} {error}");
    }
}

#[tokio::test]
async fn what_is_no_answer_of_the_protocol_is_told() {
    let bodies: [(&str, &[u8]); 6] = [
        ("text/html", b"<html><body>Please log in to the network</body></html>"),
        ("application/json", b"{\"ok\":true}"),
        ("text/event-stream", b"data: not json\n\ndata: nor this\n\n"),
        ("surprise/surprise; surprise", b"\x00\xff\xfe\x80surprise\n\n\n\n"),
        ("text/event-stream", b""),
        ("application/x-ndjson", b"null\n[]\n\"text\"\n17\n"),
    ];
    for protocol in PROTOCOLS {
        for (kind, body) in bodies {
            let url = server(move |mut connection| async move {
                receive(&mut connection).await;
                let length = body.len();
                let head =
                    format!("HTTP/1.1 200 OK\r\ncontent-length: {length}\r\ncontent-type: {kind}\r\n\r\n");
                let _ = connection.write_all(&[head.as_bytes(), body].concat()).await;
            })
            .await;
            let error = failure_of(protocol, &url).await;
            let text = error.to_string();
            assert!(
                text.contains("the connection ended before the answer") || text.contains("could not be read"),
                "{protocol:?} {text}"
            );
        }
    }
}

#[tokio::test]
async fn what_is_no_http_is_told() {
    for greeting in ["220 mail.example.org ESMTP\r\n", "HTTP/1.1 200 OK\r\nno header\r\n\r\n", "\0\0\0\0"] {
        let url = server(move |mut connection| async move {
            receive(&mut connection).await;
            let _ = connection.write_all(greeting.as_bytes()).await;
        })
        .await;
        for protocol in [Protocol::OpenAi, Protocol::OpenAiCompatible] {
            let error = failure_of(protocol, &url).await;
            assert_eq!(error.kind(), ModelErrorKind::Connection, "{protocol:?} {error}");
        }
    }
}

#[tokio::test]
async fn an_answer_of_nothing_has_no_parts_and_is_no_error() {
    for protocol in PROTOCOLS {
        for text in ["", " \n\t "] {
            let fake = FakeProvider::new(protocol, vec![Answer::text(text)]).await;
            let response = ask(&model(protocol, &fake), &hello()).await.0.unwrap();
            assert_eq!((response.parts, response.usage.output_tokens), (Vec::new(), 10), "{protocol:?}");
        }
    }
}

#[tokio::test]
async fn an_empty_text_before_a_call_is_not_sent_back() {
    for protocol in PROTOCOLS {
        let blank = Answer { text: "\n\n".into(), ..Answer::call("read", json!({"path": "a"})) };
        let fake = FakeProvider::new(protocol, vec![blank, Answer::text("Done.")]).await;
        let model = model(protocol, &fake);
        let mut asked = hello();
        let mut parts = ask(&model, &asked).await.0.unwrap().parts;
        // A journal of an earlier version may hold one.
        parts.insert(0, Part::text("\n\n"));
        asked.messages.push(Message::Assistant(parts));
        ask(&model, &asked).await.0.unwrap();
        let sent = fake.requests()[1].body.to_string();
        assert!(!sent.contains(r#"\n\n"#), "{protocol:?} {sent}");
    }
}

#[tokio::test]
async fn two_calls_of_one_id_are_two_calls() {
    let anthropic = |index: u32, path: &str| {
        let start = json!({"type": "content_block_start", "index": index,
            "content_block": {"type": "tool_use", "id": "same", "name": "read", "input": {}}});
        let delta = json!({"type": "content_block_delta", "index": index,
            "delta": {"type": "input_json_delta", "partial_json": json!({"path": path}).to_string()}});
        let stop = json!({"type": "content_block_stop", "index": index});
        [start, delta, stop]
    };
    let begin =
        json!({"type": "message_start", "message": {"usage": {"input_tokens": 1, "output_tokens": 1}}});
    let end =
        json!({"type": "message_delta", "delta": {"stop_reason": "tool_use"}, "usage": {"output_tokens": 2}});
    let messages = [
        vec![begin],
        anthropic(0, "a").into(),
        anthropic(1, "b").into(),
        vec![end, json!({"type": "message_stop"})],
    ];
    let of_anthropic: String = messages
        .concat()
        .iter()
        .map(|message| format!("event: {}\ndata: {message}\n\n", message["type"].as_str().unwrap()))
        .collect();
    let openai = |index: u32, path: &str| {
        json!({"choices": [{"index": 0, "finish_reason": null, "delta": {"tool_calls": [{"index": index, "id": "same",
            "type": "function", "function": {"name": "read", "arguments": json!({"path": path}).to_string()}}]}}]})
    };
    let end = json!({"choices": [{"index": 0, "delta": {}, "finish_reason": "tool_calls"}]});
    let of_openai: String =
        [openai(0, "a"), openai(1, "b"), end].iter().map(|chunk| format!("data: {chunk}\n\n")).collect();
    let of_openai = of_openai + "data: [DONE]\n\n";
    for (protocol, body) in [
        (Protocol::Anthropic, of_anthropic),
        (Protocol::OpenAi, of_openai.clone()),
        (Protocol::OpenAiCompatible, of_openai),
    ] {
        let fake = FakeProvider::new(protocol, vec![Answer::status(200, body)]).await;
        let response = ask(&model(protocol, &fake), &hello()).await.0.unwrap();
        let read = |path: &str| ("read".to_owned(), json!({ "path": path }));
        assert_eq!(calls(&response), [read("a"), read("b")], "{protocol:?}");
        let ids = response.parts.iter().filter_map(|part| match part {
            Part::ToolCall { id, .. } => Some(id.as_str()),
            _ => None,
        });
        let ids: BTreeSet<&str> = ids.collect();
        assert_eq!(ids.len(), 2, "{protocol:?} {ids:?}");
    }
}

#[tokio::test]
async fn ten_megabytes_of_answer_are_an_answer() {
    for protocol in PROTOCOLS {
        let long = "x".repeat(10_000_000);
        let fake = FakeProvider::new(protocol, vec![Answer::text(long.clone())]).await;
        let answer = ask(&model(protocol, &fake), &hello()).await.0.unwrap();
        assert!(answer.text() == long, "{protocol:?}: {} bytes", answer.text().len());
    }
}

#[tokio::test]
async fn a_date_until_which_to_wait_is_heard_by_the_servers_own_clock() {
    let date = "Sun, 06 Nov 1994 08:49:37 GMT";
    for (now, wait) in [
        ("Sun, 06 Nov 1994 08:49:30 GMT", Duration::from_secs(7)),
        ("Sun, 06 Nov 1994 07:49:37 GMT", Duration::from_secs(3_600)),
        ("Mon, 07 Nov 1994 00:00:00 GMT", Duration::ZERO),
        // Without a clock of the server's it is over by ours.
        ("no date", Duration::ZERO),
    ] {
        let answer = Answer::status(429, "{}").header("retry-after", date).header("date", now);
        let fake = FakeProvider::new(Protocol::OpenAi, vec![answer]).await;
        let error = ask(&model(Protocol::OpenAi, &fake), &hello()).await.0.unwrap_err();
        assert_eq!((error.kind(), error.retry_after()), (ModelErrorKind::RateLimited, Some(wait)), "{now}");
    }
    for nonsense in ["soon", "", "-5", "NaN", "inf", "1e300", "Sun, 99 Nov 1994 08:49:37 GMT"] {
        let answer = Answer::status(429, "{}").header("retry-after", nonsense);
        let fake = FakeProvider::new(Protocol::OpenAi, vec![answer]).await;
        let error = ask(&model(Protocol::OpenAi, &fake), &hello()).await.0.unwrap_err();
        assert_eq!((error.kind(), error.retry_after()), (ModelErrorKind::RateLimited, None), "{nonsense:?}");
    }
}
