//! Makes a failure small: of an input its fewest lines, of inputs that fail together the fewest, with the same reason.

use std::fs;
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::time::{Duration, Instant};

use tokio_util::sync::CancellationToken;

use super::ddmin::Ddmin;
use super::inputs::write;
use super::suite::{Failure, Suite, Verdict};
use crate::{Error, parse_duration};

/// The largest file whose lines are reduced: 16 MiB.
const FILE_BYTES_MAX: u64 = 16 << 20;

/// How long the smallest failure is looked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ShrinkLimit {
    /// So many judgements.
    Tries(u32),
    /// So long.
    Time(Duration),
}

/// A text that is no limit.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{}` is no limit: write a number of tries such as 500 (0 for none), or a duration such as 90s or 10m", .0.escape_debug())]
pub struct NotALimit(String);

impl FromStr for ShrinkLimit {
    type Err = NotALimit;

    fn from_str(text: &str) -> Result<Self, NotALimit> {
        if let Ok(tries) = text.parse() {
            return Ok(Self::Tries(tries));
        }
        parse_duration(text).map(Self::Time).map_err(|_| NotALimit(text.to_owned()))
    }
}

/// The smallest input that was found.
#[derive(Debug, Clone)]
pub struct Shrunk {
    /// The file with it.
    pub path: PathBuf,
    /// The input that it was made of.
    pub of: String,
    /// How many lines that one has.
    pub of_lines: usize,
    /// How many lines it has.
    pub lines: usize,
    /// Whether each of its lines is needed; if not, the limit was reached before.
    pub is_smallest: bool,
    /// Its failure.
    pub failure: Failure,
}

impl Suite {
    /// Reduces the shortest input of `failures` that is a file to the fewest lines that fail for the same reason, and
    /// keeps it in `folder` under its own name. `None` when no input is a file, or when a copy elsewhere does not fail
    /// so: the file's place matters.
    ///
    /// # Errors
    /// When a file cannot be read or written, or a command cannot be started.
    pub async fn shrink_lines(
        &self,
        failures: &[Failure],
        folder: &Path,
        limit: ShrinkLimit,
        stop: &CancellationToken,
    ) -> Result<Option<Shrunk>, Error> {
        if self.together || limit == ShrinkLimit::Tries(0) {
            return Ok(None);
        }
        let Some((failure, input)) = self.shortest(failures) else { return Ok(None) };
        let original = self.folder.join(input);
        let Some(name) = original.file_name() else { return Ok(None) };
        let content = fs::read(&original).map_err(|source| Error::io("read", &original, source))?;
        let path = folder.join(name);
        let given = vec![path.to_str().map(str::to_owned).ok_or_else(|| no_utf8(&path))?];
        let mut seen = None;
        let mut fails = async |lines: &[&[u8]]| {
            write(&path, &lines.concat())?;
            let found = self.judge(&given, stop).await?;
            Ok(match found {
                Verdict::Failed(found) if found.reason.key == failure.reason.key => {
                    seen = Some(found);
                    true
                }
                _ => false,
            })
        };
        let lines: Vec<&[u8]> = content.split_inclusive(|byte| *byte == b'\n').collect();
        let of_lines = lines.len();
        if !fails(&lines).await? {
            let _ = fs::remove_file(&path);
            return Ok(None);
        }
        let (lines, is_smallest) = drive(lines, limit, stop, fails).await?;
        // The last one that was tried may have passed.
        write(&path, &lines.concat())?;
        let Some(failure) = seen else { return Ok(None) };
        let of = input.to_owned();
        Ok(Some(Shrunk { path, of, of_lines, lines: lines.len(), is_smallest, failure }))
    }

    /// Inputs that fail together, as the smallest sets of them that still do, each for the reason that was seen first.
    /// No input is in two sets. At most `most` sets are looked for.
    ///
    /// # Errors
    /// When a command cannot be started.
    pub async fn shrink_sets(
        &self,
        whole: Failure,
        most: usize,
        limit: ShrinkLimit,
        stop: &CancellationToken,
        mut tell: impl FnMut(usize),
    ) -> Result<Vec<Failure>, Error> {
        let mut sets = Vec::new();
        let mut rest = whole;
        while sets.len() < most && !stop.is_cancelled() {
            let inputs = rest.inputs.clone();
            let key = rest.reason.key.clone();
            let mut smallest = rest;
            drive(inputs.clone(), limit, stop, async |part: &[String]| {
                let Verdict::Failed(found) = self.judge(part, stop).await? else { return Ok(false) };
                if found.reason.key != key {
                    return Ok(false);
                }
                smallest = found;
                Ok(true)
            })
            .await?;
            let others: Vec<String> =
                inputs.into_iter().filter(|input| !smallest.inputs.contains(input)).collect();
            sets.push(smallest);
            tell(sets.len());
            if others.is_empty() {
                break;
            }
            let Verdict::Failed(found) = self.judge(&others, stop).await? else { break };
            rest = found;
        }
        Ok(sets)
    }

    /// The failure whose only input is the shortest file.
    fn shortest<'a>(&self, failures: &'a [Failure]) -> Option<(&'a Failure, &'a str)> {
        let files = failures.iter().filter_map(|failure| {
            let input = failure.inputs.first()?;
            let known = fs::metadata(self.folder.join(input)).ok()?;
            let fits = known.is_file() && (1..=FILE_BYTES_MAX).contains(&known.len());
            fits.then_some((known.len(), failure, input.as_str()))
        });
        files.min_by_key(|(size_bytes, ..)| *size_bytes).map(|(_, failure, input)| (failure, input))
    }
}

/// Drives delta debugging until nothing smaller is found, or the limit is reached; says which of both.
async fn drive<T: Clone>(
    items: Vec<T>,
    limit: ShrinkLimit,
    stop: &CancellationToken,
    mut fails: impl AsyncFnMut(&[T]) -> Result<bool, Error>,
) -> Result<(Vec<T>, bool), Error> {
    let (started, mut tries) = (Instant::now(), 0);
    let mut ddmin = Ddmin::new(items);
    while let Some(part) = ddmin.question() {
        let is_over = match limit {
            ShrinkLimit::Tries(most) => tries >= most,
            ShrinkLimit::Time(most) => started.elapsed() >= most,
        };
        if is_over || stop.is_cancelled() {
            return Ok((ddmin.smallest().to_vec(), false));
        }
        tries += 1;
        ddmin.answer(fails(&part).await?);
    }
    Ok((ddmin.smallest().to_vec(), true))
}

fn no_utf8(path: &Path) -> Error {
    Error::Input(format!("the name of {} is no UTF-8; rename it", path.display()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::command::Environment;

    fn suite(folder: &Path, candidate: &str, together: bool) -> Suite {
        Suite {
            candidate: candidate.into(),
            oracle: None,
            together,
            time_limit: Duration::from_secs(60),
            folder: folder.to_owned(),
            environment: Environment::of_this_process(),
        }
    }

    async fn failure(suite: &Suite, inputs: &[&str]) -> Failure {
        let inputs: Vec<String> = inputs.iter().map(|&input| input.to_owned()).collect();
        match suite.judge(&inputs, &CancellationToken::new()).await.unwrap() {
            Verdict::Failed(failure) => failure,
            other => panic!("{other:?}"),
        }
    }

    const NO_LIMIT: ShrinkLimit = ShrinkLimit::Tries(1_000);

    #[tokio::test]
    async fn of_the_shortest_file_only_the_lines_stay_that_are_needed_for_the_same_failure() {
        let folder = tempfile::tempdir().unwrap();
        let lines: String = (1..=60).map(|line| format!("{line}\n")).collect();
        fs::write(folder.path().join("long.c"), format!("{lines}open\n{lines}close\n{lines}{lines}"))
            .unwrap();
        fs::write(folder.path().join("short.c"), format!("{lines}open\n{lines}close\n")).unwrap();
        // An empty file fails, too, but for another reason.
        let candidate = "test -s {} || exit 9; ! { grep -q open {} && grep -q close {}; }";
        let suite = suite(folder.path(), candidate, false);
        let failures = [failure(&suite, &["long.c"]).await, failure(&suite, &["short.c"]).await];
        let out = folder.path().join("out");
        let stop = CancellationToken::new();
        let shrunk = suite.shrink_lines(&failures, &out, NO_LIMIT, &stop).await.unwrap().unwrap();
        assert_eq!(fs::read_to_string(out.join("short.c")).unwrap(), "open\nclose\n");
        assert_eq!(
            (shrunk.of.as_str(), shrunk.of_lines, shrunk.lines, shrunk.is_smallest),
            ("short.c", 122, 2, true)
        );
        let limited =
            suite.shrink_lines(&failures, &out, ShrinkLimit::Tries(3), &stop).await.unwrap().unwrap();
        assert!(!limited.is_smallest && limited.lines > 2, "{limited:?}");
        let kept = fs::read_to_string(out.join("short.c")).unwrap();
        assert!(kept.contains("open\n") && kept.contains("close\n"), "what is kept fails: {kept}");
    }

    #[tokio::test]
    async fn a_file_whose_place_matters_and_a_name_are_left_as_they_are() {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("a"), "1\n2\n").unwrap();
        let suite = suite(folder.path(), "test {} != a && test {} != name", false);
        let failures = [failure(&suite, &["a"]).await, failure(&suite, &["name"]).await];
        let (out, stop) = (folder.path().join("out"), CancellationToken::new());
        assert!(suite.shrink_lines(&failures, &out, NO_LIMIT, &stop).await.unwrap().is_none());
        assert!(!out.join("a").exists());
    }

    #[tokio::test]
    async fn every_smallest_set_that_fails_is_found() {
        let folder = tempfile::tempdir().unwrap();
        // Two bugs: 3 with 14, and 7 alone.
        let candidate = "all=\" $(tr '\\n' ' ')\"; has() { case $all in *\" $1 \"*) true;; *) false;; esac; }; \
                         if has 7; then echo error: seven; exit 1; fi; \
                         if has 3 && has 14; then echo error: a pair; exit 1; fi";
        let suite = suite(folder.path(), candidate, true);
        let all: Vec<String> = (1..=20).map(|number| number.to_string()).collect();
        let names: Vec<&str> = all.iter().map(String::as_str).collect();
        let whole = failure(&suite, &names).await;
        let stop = CancellationToken::new();
        let sets = suite.shrink_sets(whole.clone(), 10, NO_LIMIT, &stop, |_| {}).await.unwrap();
        let seen: Vec<(&str, &[String])> =
            sets.iter().map(|set| (set.reason.text.as_str(), set.inputs.as_slice())).collect();
        assert_eq!(
            seen,
            [
                ("exit code 1: error: seven", &["7".to_owned()][..]),
                ("exit code 1: error: a pair", &["3".to_owned(), "14".to_owned()][..]),
            ]
        );
        assert_eq!(suite.shrink_sets(whole, 1, NO_LIMIT, &stop, |_| {}).await.unwrap().len(), 1);
    }

    #[test]
    fn limits_are_tries_or_times() {
        assert_eq!("500".parse(), Ok(ShrinkLimit::Tries(500)));
        assert_eq!("2m".parse(), Ok(ShrinkLimit::Time(Duration::from_secs(120))));
        assert!("much".parse::<ShrinkLimit>().is_err());
    }
}
