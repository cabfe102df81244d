//! What a program prints, as far as it may be a message. The rest is not passed on: what it printed without end would be held in the
//! memory of its team, which no sandbox bounds.

use std::sync::{Arc, OnceLock};

use futures::StreamExt;
use serde::de::IgnoredAny;
use tokio::io::{AsyncRead, AsyncWriteExt, DuplexStream};
use tokio_util::codec::{FramedRead, LinesCodec, LinesCodecError};

use crate::agent::driven::lines::LINE_BYTES_MAX;

/// Lines that are no messages, such as a word of welcome, before it is taken for broken.
const NONSENSE_MAX: usize = 1_000;
/// How much may wait to be read, in bytes.
const WAITING_BYTES: usize = 64 << 10;

/// The messages of a program. They end with its output, or with a fault of it, which stands in `fault` then.
pub(super) fn messages(
    output: impl AsyncRead + Send + Unpin + 'static,
    fault: Arc<OnceLock<String>>,
) -> DuplexStream {
    let (mut sender, receiver) = tokio::io::duplex(WAITING_BYTES);
    tokio::spawn(async move {
        if let Err(words) = pass_on(output, &mut sender).await {
            // It is the first one, and stands there before the messages end.
            let _ = fault.set(words);
        }
        drop(sender);
    });
    receiver
}

async fn pass_on(output: impl AsyncRead + Unpin, sender: &mut DuplexStream) -> Result<(), String> {
    let mut lines = FramedRead::new(output, LinesCodec::new_with_max_length(LINE_BYTES_MAX));
    let mut nonsense = 0;
    while let Some(line) = lines.next().await {
        let line = line.map_err(|error| match error {
            LinesCodecError::MaxLineLengthExceeded => {
                format!("it printed a line of more than {} MiB", LINE_BYTES_MAX >> 20)
            }
            LinesCodecError::Io(error) => format!("what it prints is no text: {error}"),
        })?;
        if serde_json::from_str::<IgnoredAny>(&line).is_err() || !line.trim_start().starts_with('{') {
            nonsense += usize::from(!line.trim().is_empty());
            if nonsense == NONSENSE_MAX {
                return Err(format!("it printed {NONSENSE_MAX} lines that are no messages of the protocol"));
            }
            continue;
        }
        if sender.write_all(format!("{line}\n").as_bytes()).await.is_err() {
            // Nobody listens any more.
            return Ok(());
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use tokio::io::AsyncReadExt;

    use super::*;

    async fn passed_on(printed: &str) -> (String, Option<String>) {
        let fault = Arc::new(OnceLock::new());
        let mut text = String::new();
        let output = std::io::Cursor::new(printed.to_owned());
        messages(output, fault.clone()).read_to_string(&mut text).await.unwrap();
        (text, fault.get().cloned())
    }

    #[tokio::test]
    async fn messages_are_passed_on_and_a_welcome_is_not() {
        let (text, fault) = passed_on("Welcome!\n\n{\"id\": 1}\n[1]\n{\"id\"\n{\"id\": 2}\n").await;
        assert_eq!((text.as_str(), fault), ("{\"id\": 1}\n{\"id\": 2}\n", None));
    }

    #[tokio::test]
    async fn who_prints_nonsense_without_end_is_not_heard_to_its_end() {
        let (text, fault) = passed_on(&("nonsense\n".repeat(NONSENSE_MAX) + "{}\n")).await;
        assert_eq!(text, "");
        assert!(fault.unwrap().contains("no messages of the protocol"));
    }
}
