//! Notices an attempt that goes round in circles: turn after turn the same calls, and they fail in the same way.
//!
//! What a model repeats costs the whole conversation each time, so two hundred turns of it cost more than a good attempt
//! at the task. Calls that succeed are left alone: whoever waits for something may look as often as it likes.

use serde_json::Value;

/// Turns in a row that fail in the same way before the model is told.
const TOLD_AT: u32 = 4;
/// And before the attempt fails.
const FAILS_AT: u32 = 10;

/// What a turn called, and what came of it.
#[derive(Debug, Default, PartialEq)]
pub(super) struct Round {
    calls: Vec<(String, Value)>,
    outputs: Vec<String>,
    has_succeeded: bool,
}

/// How often the last turn came in a row.
#[derive(Debug, Default)]
pub(super) struct Circles {
    last: Round,
    times: u32,
}

/// What is to be done about it.
#[derive(Debug, PartialEq)]
pub(super) enum Circling {
    /// Nothing.
    No,
    /// The model is told so.
    Told(String),
    /// The attempt fails for this reason.
    Hopeless(String),
}

impl Round {
    /// Notes a call.
    pub fn calls(&mut self, name: &str, input: &Value) {
        self.calls.push((name.to_owned(), input.clone()));
    }

    /// Notes how the last call ended.
    pub fn ends(&mut self, output: &str, is_error: bool) {
        self.outputs.push(output.to_owned());
        self.has_succeeded |= !is_error;
    }

    /// Whether every call failed; one that was interrupted did not.
    fn has_failed(&self) -> bool {
        !self.calls.is_empty() && !self.has_succeeded && self.outputs.len() == self.calls.len()
    }
}

impl Circles {
    /// What the last calls were told, if all of them failed: why a model that goes no further goes no further.
    pub fn last_failure(&self) -> Option<String> {
        let last = Some(&self.last).filter(|last| last.has_failed())?;
        let (name, _) = last.calls.last()?;
        let said = last.outputs.last()?.lines().next()?;
        Some(format!("`{name}` was told before: {said}"))
    }

    /// Takes the next turn.
    pub fn take(&mut self, round: Round) -> Circling {
        let is_again = round.has_failed() && round == self.last;
        self.times = if is_again { self.times + 1 } else { 1 };
        self.last = round;
        let times = self.times;
        match times {
            TOLD_AT => Circling::Told(format!(
                "You have made the same call {times} times in a row, and it failed in the same way each time. Do something \
                 else, or call `give_up` and say what is missing."
            )),
            FAILS_AT => {
                let call = self.last.calls.first().map(|(name, _)| name.as_str()).unwrap_or_default();
                let output = self.last.outputs.first().and_then(|output| output.lines().next());
                let output = output.unwrap_or_default();
                Circling::Hopeless(format!(
                    "it went round in circles: {times} turns in a row called `{call}`, which failed in the same way each \
                     time: {output}"
                ))
            }
            _ => Circling::No,
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn round(input: i32, output: &str, is_error: bool) -> Round {
        let mut round = Round::default();
        round.calls("run", &json!({ "command": input }));
        round.ends(output, is_error);
        round
    }

    fn told(circles: &mut Circles, times: u32, round: impl Fn(u32) -> Round) -> Vec<Circling> {
        (0..times)
            .map(|time| circles.take(round(time)))
            .filter(|circling| *circling != Circling::No)
            .collect()
    }

    #[test]
    fn who_fails_in_the_same_way_again_and_again_is_told_and_then_ended() {
        let all = told(&mut Circles::default(), 10, |_| round(1, "no such file\nat all", true));
        let [Circling::Told(_), Circling::Hopeless(reason)] = &all[..] else { panic!("{all:?}") };
        assert!(
            reason.ends_with("called `run`, which failed in the same way each time: no such file"),
            "{reason}"
        );
    }

    #[test]
    fn who_tries_something_else_or_sees_something_else_begins_anew() {
        let mut circles = Circles::default();
        let as_number = |time: u32| i32::try_from(time).unwrap();
        assert_eq!(told(&mut circles, 40, |time| round(as_number(time), "no", true)), []);
        assert_eq!(told(&mut circles, 40, |time| round(1, &time.to_string(), true)), []);
        assert_eq!(told(&mut circles, 3, |_| round(1, "no", true)), []);
        assert_eq!(told(&mut circles, 1, |_| round(2, "no", true)), []);
        assert_eq!(told(&mut circles, 3, |_| round(1, "no", true)), []);
    }

    #[test]
    fn who_looks_and_waits_is_left_alone() {
        assert_eq!(told(&mut Circles::default(), 40, |_| round(1, "not yet", false)), []);
        let interrupted = |_| {
            let mut round = Round::default();
            round.calls("run", &json!({}));
            round
        };
        assert_eq!(told(&mut Circles::default(), 40, interrupted), []);
    }
}
