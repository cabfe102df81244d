//! A suite, and one judgement of it: the candidate beside the oracle on an input, or on several at once.

use std::path::PathBuf;
use std::time::Duration;

use tokio_util::sync::CancellationToken;

use super::reason::{Compared, Reason, compare};
use super::sample::hash;
use super::shell::{self, Outcome};
use crate::Error;
use crate::command::{CommandEnding, Environment};

/// The longest command: Linux takes no longer argument (`MAX_ARG_STRLEN`, execve(2)).
const COMMAND_BYTES_MAX: usize = (128 << 10) - 1;

/// The place of the inputs in a command.
const PLACE: &str = "{}";

/// What is judged, and how.
///
/// Commands are run by `sh -c`. `{}` in them stands for the input, quoted for the shell. Without it, the input is
/// appended, unless the command names `$INPUT`, which always holds it. With [`Suite::together`], `{}` stands for all inputs,
/// nothing is appended, and standard input has them one per line.
#[derive(Debug, Clone)]
pub struct Suite {
    /// What is to become right.
    pub candidate: String,
    /// What is known to be right. Without one, the candidate fails when it does not exit with 0.
    pub oracle: Option<String>,
    /// Whether a command is given all inputs at once instead of each by itself.
    pub together: bool,
    /// How long a command may take.
    pub time_limit: Duration,
    /// Where commands start.
    pub folder: PathBuf,
    /// All that commands see of the environment.
    pub environment: Environment,
}

/// What a judgement came to.
#[derive(Debug, Clone)]
pub enum Verdict {
    /// The candidate does what it should.
    Passed,
    /// It does not.
    Failed(Failure),
    /// The oracle gave no answer, for this reason.
    Unjudged(String),
    /// It was stopped before it had judged.
    Stopped,
}

/// A failure of the candidate.
#[derive(Debug, Clone)]
pub struct Failure {
    /// The inputs that were given to the command: one, or a set that fails together.
    pub inputs: Vec<String>,
    /// The first difference.
    pub reason: Reason,
    /// How the oracle ended, and its lines around the first difference.
    pub expected: Option<String>,
    /// How the candidate ended, its lines around the first difference, and what it complained about.
    pub actual: String,
}

impl Suite {
    /// A command with its inputs in place, as it can be typed into a shell.
    ///
    /// ```
    /// # use agent_team::split::Suite;
    /// # use agent_team::command::Environment;
    /// # use std::time::Duration;
    /// # let suite = Suite { candidate: String::new(), oracle: None, together: false, time_limit: Duration::from_secs(1),
    /// #     folder: "/".into(), environment: Environment::default() };
    /// assert_eq!(suite.command("./cc -o x {} && ./x", &["a b.c".into()]), "./cc -o x 'a b.c' && ./x");
    /// assert_eq!(suite.command("./cc", &["a.c".into()]), "./cc a.c");
    /// ```
    pub fn command(&self, command: &str, inputs: &[String]) -> String {
        let quoted = || inputs.iter().map(|input| quote(input)).collect::<Vec<_>>().join(" ");
        if command.contains(PLACE) {
            command.replace(PLACE, &quoted())
        } else if self.together || command.contains("$INPUT") || command.contains("${INPUT") {
            command.to_owned()
        } else {
            format!("{command} {}", quoted())
        }
    }

    /// A short name of the suite, the same for ever: `suite-` and a hash of its commands.
    pub fn name(&self) -> String {
        let oracle = self.oracle.as_deref().unwrap_or_default();
        let together = if self.together { "together" } else { "" };
        format!("suite-{:06x}", hash(&[&self.candidate, oracle, together]) >> 40)
    }

    /// The inputs of each command: every input by itself, or all of them.
    pub(super) fn sets(&self, inputs: &[String]) -> Vec<Vec<String>> {
        if self.together && !inputs.is_empty() {
            return vec![inputs.to_vec()];
        }
        inputs.iter().map(|input| vec![input.clone()]).collect()
    }

    /// Runs the oracle and the candidate on these inputs, and compares them.
    ///
    /// # Errors
    /// When a command cannot be started, or is too long.
    pub async fn judge(&self, inputs: &[String], stop: &CancellationToken) -> Result<Verdict, Error> {
        let oracle = match &self.oracle {
            Some(oracle) => Some(self.run(oracle, inputs, stop).await?),
            None => None,
        };
        let candidate = self.run(&self.candidate, inputs, stop).await?;
        if stop.is_cancelled() || candidate.ending == CommandEnding::Stopped {
            return Ok(Verdict::Stopped);
        }
        Ok(match compare(&candidate, oracle.as_ref(), inputs) {
            Compared::Same => Verdict::Passed,
            Compared::NoAnswer(why) => Verdict::Unjudged(why),
            Compared::Differs { reason, expected, actual } => {
                Verdict::Failed(Failure { inputs: inputs.to_vec(), reason, expected, actual })
            }
        })
    }

    async fn run(
        &self,
        command: &str,
        inputs: &[String],
        stop: &CancellationToken,
    ) -> Result<Outcome, Error> {
        let text = self.command(command, inputs);
        if text.len() > COMMAND_BYTES_MAX {
            return Err(Error::Input(format!(
                "`{command}` with {} inputs in place is longer than the system allows; leave {PLACE} out and read them \
                 from standard input, one per line",
                inputs.len()
            )));
        }
        let (list, one) = match inputs {
            [one] if !self.together => (String::new(), one.as_str()),
            _ => (inputs.iter().map(|input| format!("{input}\n")).collect(), ""),
        };
        Ok(shell::run(self, &text, list, &[("INPUT", one)], stop).await?)
    }
}

/// A text as one word of a shell's command line; left as it is where that does no harm.
///
/// ```
/// use agent_team::split::quote;
///
/// assert_eq!(quote("tests/a.c"), "tests/a.c");
/// assert_eq!(quote("it's"), r"'it'\''s'");
/// ```
pub fn quote(text: &str) -> String {
    let is_plain = |character: char| character.is_ascii_alphanumeric() || "_-./:=+,@%".contains(character);
    if !text.is_empty() && text.chars().all(is_plain) {
        return text.to_owned();
    }
    format!("'{}'", text.replace('\'', r"'\''"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn suite(candidate: &str, oracle: Option<&str>) -> Suite {
        Suite {
            candidate: candidate.into(),
            oracle: oracle.map(Into::into),
            together: false,
            time_limit: Duration::from_secs(60),
            folder: std::env::temp_dir(),
            environment: Environment::of_this_process(),
        }
    }

    async fn judge(suite: &Suite, inputs: &[&str]) -> Verdict {
        let inputs: Vec<String> = inputs.iter().map(|&input| input.to_owned()).collect();
        suite.judge(&inputs, &CancellationToken::new()).await.unwrap()
    }

    async fn why(suite: &Suite, inputs: &[&str]) -> String {
        match judge(suite, inputs).await {
            Verdict::Failed(failure) => failure.reason.text,
            other => panic!("{other:?}"),
        }
    }

    #[tokio::test]
    async fn an_input_is_put_in_place_appended_or_read_from_the_environment() {
        let nasty = "a 'b' $(c);\"d\"";
        for candidate in ["printf '<%s>' {}", "printf '<%s>'", "printf '<%s>' \"$INPUT\""] {
            let oracle = "printf '<a %s $(c);%s>' \"'b'\" '\"d\"' #";
            assert!(
                matches!(judge(&suite(candidate, Some(oracle)), &[nasty]).await, Verdict::Passed),
                "{candidate}"
            );
        }
    }

    #[tokio::test]
    async fn commands_together_get_all_inputs_in_place_and_on_standard_input() {
        let together = Suite { together: true, ..suite("printf '%s\\n' {}", Some("cat")) };
        assert!(matches!(judge(&together, &["a", "b c", "d"]).await, Verdict::Passed));
        let many: Vec<String> = (0..20_000).map(|number| format!("file-{number}.c")).collect();
        let error = together.judge(&many, &CancellationToken::new()).await.unwrap_err().to_string();
        assert!(error.contains("20000 inputs") && error.contains("standard input"), "{error}");
        let counted = Suite { candidate: "grep -c file; exit 1".into(), oracle: None, ..together };
        let Verdict::Failed(failure) = counted.judge(&many, &CancellationToken::new()).await.unwrap() else {
            panic!("passed")
        };
        assert!(failure.actual.contains("20000"), "{}", failure.actual);
    }

    #[tokio::test]
    async fn a_command_that_hangs_crashes_or_floods_is_ended_and_named() {
        let hanging =
            Suite { time_limit: Duration::from_millis(100), ..suite("sleep 1000 & sleep 1000 #", None) };
        assert_eq!(why(&hanging, &["x"]).await, "timed out");
        assert_eq!(why(&suite("kill -SEGV $$ #", None), &["x"]).await, "killed by signal 11");
        assert_eq!(why(&suite("yes #", None), &["x"]).await, "printed too much");
        assert_eq!(why(&suite("yes | head -c 3000000 >&2; exit 3 #", None), &["x"]).await, "exit code 3: y");
    }

    #[tokio::test]
    async fn a_daemon_that_holds_the_output_open_keeps_nobody_waiting() {
        let suite = suite("sleep 1000 & echo done; exit 7 #", None);
        assert_eq!(why(&suite, &["x"]).await, "exit code 7: done");
    }

    #[tokio::test]
    async fn what_is_stopped_is_not_judged() {
        let stop = CancellationToken::new();
        stop.cancel();
        let verdict = suite("exit 1", None).judge(&["x".into()], &stop).await.unwrap();
        assert!(matches!(verdict, Verdict::Stopped));
    }
}
