//! One shell command of a suite, run to its end with its two outputs apart and in memory.
//!
//! [`crate::command`] keeps both outputs in one file, in their order, for people; here they are compared. Ends whatever
//! the command started, as there.

use std::ffi::OsStr;
use std::pin::pin;
use std::process::Stdio;
use std::time::Duration;

use futures::future::join;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWriteExt};
use tokio_util::sync::CancellationToken;

use super::suite::Suite;
use crate::command::{CommandEnding, CommandError, ProcessGroup};

/// The longest standard output that is compared: 16 MiB. A command that prints more is ended.
const OUTPUT_BYTES_MAX: usize = 16 << 20;

/// How much of standard error is kept: its beginning, where the first complaint is. The rest is thrown away.
const COMPLAINTS_BYTES_MAX: usize = 1 << 20;

/// How long a command that is ended may take to clean up.
const GRACE: Duration = Duration::from_millis(200);

/// How long is waited for what is still in the pipes when everything that could write has been ended.
const LAST_WORDS: Duration = Duration::from_secs(2);

/// How a command ended and what it printed.
#[derive(Debug, Clone)]
pub(super) struct Outcome {
    pub(super) ending: CommandEnding,
    pub(super) stdout: Vec<u8>,
    /// Its beginning.
    pub(super) stderr: Vec<u8>,
}

/// Runs a command in the suite's folder, with a text as its input and variables that tell what it is about.
pub(super) async fn run(
    suite: &Suite,
    text: &str,
    input: String,
    variables: &[(&str, &str)],
    stop: &CancellationToken,
) -> Result<Outcome, CommandError> {
    let broken =
        |source| CommandError::Start { command: text.to_owned(), folder: suite.folder.clone(), source };
    let arguments = [OsStr::new("-c"), OsStr::new(text)];
    let group = ProcessGroup::spawn("sh", &arguments, &suite.folder, &suite.environment, |command| {
        command.envs(variables.iter().copied());
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    });
    let mut group = group.map_err(|error| CommandError::of(error, text, &suite.folder))?;
    let (most, leader) = (group.most(), group.leader.id());
    let (stdin, stdout, stderr) =
        (group.leader.stdin.take(), group.leader.stdout.take(), group.leader.stderr.take());
    if let Some(mut stdin) = stdin {
        // One that does not read its input closes it, and that is no fault.
        tokio::spawn(async move { stdin.write_all(input.as_bytes()).await });
    }
    let mut kept = (Vec::new(), Vec::new());
    let ending = {
        let mut reading = pin!(join(read(stdout, &mut kept.0, true), read(stderr, &mut kept.1, false)));
        let mut is_read = false;
        let mut time = pin!(tokio::time::sleep(suite.time_limit));
        let mut exceeded = pin!(ProcessGroup::exceeded(most, leader));
        let ending = loop {
            tokio::select! {
                biased;
                () = stop.cancelled() => break CommandEnding::Stopped,
                exceeded = &mut exceeded => break exceeded.into(),
                ended = group.wait() => break CommandEnding::of(ended.map_err(broken)?),
                () = &mut time => break CommandEnding::TimedOut,
                read = &mut reading, if !is_read => match read {
                    (Ok(()), _) => is_read = true,
                    (Err(TooLong), _) => break CommandEnding::OutputLimit,
                },
            }
        };
        group.end(GRACE).await.map_err(broken)?;
        if !is_read && ending != CommandEnding::OutputLimit {
            match tokio::time::timeout(LAST_WORDS, reading).await {
                Ok((Err(TooLong), _))
                    if matches!(ending, CommandEnding::Exited(_) | CommandEnding::Killed(_)) =>
                {
                    CommandEnding::OutputLimit
                }
                _ => ending,
            }
        } else {
            ending
        }
    };
    Ok(Outcome { ending, stdout: kept.0, stderr: kept.1 })
}

/// More was printed than is compared.
struct TooLong;

/// Reads a pipe to its end. Of what is compared all must fit; of the other the beginning is kept.
async fn read(
    pipe: Option<impl AsyncRead + Unpin>,
    kept: &mut Vec<u8>,
    is_compared: bool,
) -> Result<(), TooLong> {
    let Some(mut pipe) = pipe else { return Ok(()) };
    let most = if is_compared { OUTPUT_BYTES_MAX } else { COMPLAINTS_BYTES_MAX };
    let mut chunk = vec![0; 16 << 10];
    loop {
        // A pipe that cannot be read has nothing more to say.
        let count = pipe.read(&mut chunk).await.unwrap_or(0);
        if count == 0 {
            return Ok(());
        }
        let room = most - kept.len();
        kept.extend_from_slice(chunk.get(..count.min(room)).unwrap_or_default());
        if is_compared && count > room {
            return Err(TooLong);
        }
    }
}
