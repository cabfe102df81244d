//! Notices an attempt that goes round in circles: turn after turn the same calls, and the same comes of them.
//!
//! What a model repeats costs the whole conversation each time, so two hundred turns of it cost more than a good attempt
//! at the task. Calls that succeed are borne longer than those that fail: whoever waits for something may look again. Who is
//! told by a call when it comes (`receive`, `ask`) may wait as often as it likes.

use serde_json::Value;

/// Turns in a row that fail in the same way before the model is told, and before the attempt fails.
const FAILING: (u32, u32) = (4, 10);
/// The same for turns that succeed, and show nothing new.
const IDLE: (u32, u32) = (10, 40);
/// Tools that wait.
const WAITING: [&str; 2] = ["receive", "ask"];

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

    /// Whether every call failed.
    fn has_failed(&self) -> bool {
        self.has_ended() && !self.has_succeeded
    }

    /// Whether there were calls, and none was interrupted.
    fn has_ended(&self) -> bool {
        !self.calls.is_empty() && self.outputs.len() == self.calls.len()
    }

    fn waits(&self) -> bool {
        self.calls.iter().any(|(name, _)| WAITING.contains(&name.as_str()))
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
        let is_again = round.has_ended() && !round.waits() && round == self.last;
        self.times = if is_again { self.times + 1 } else { 1 };
        self.last = round;
        let times = self.times;
        let failed = self.last.has_failed();
        let (told_at, fails_at) = if failed { FAILING } else { IDLE };
        if times == told_at {
            return Circling::Told(match failed {
                true => format!(
                    "You have made the same call {times} times in a row, and it failed in the same way each time. Do something \
                     else, or call `give_up` and say what is missing."
                ),
                false => format!(
                    "You have made the same call {times} times in a row, and it gave the same each time. Do the next step of your \
                     task. If it is done, call `finish`; if you wait for somebody, `receive`; if it cannot be done, `give_up`."
                ),
            });
        }
        if times < fails_at {
            return Circling::No;
        }
        let call = self.last.calls.first().map(|(name, _)| name.as_str()).unwrap_or_default();
        let output = self.last.outputs.first().and_then(|output| output.lines().next()).unwrap_or_default();
        let how = if failed { "failed in the same way" } else { "gave the same" };
        Circling::Hopeless(format!(
            "it went round in circles: {times} turns in a row called `{call}`, which {how} each time: {output}"
        ))
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
    fn who_looks_at_the_same_again_and_again_is_borne_longer() {
        let all = told(&mut Circles::default(), 40, |_| round(1, "not yet", false));
        let [Circling::Told(words), Circling::Hopeless(reason)] = &all[..] else { panic!("{all:?}") };
        assert!(
            words.starts_with("You have made the same call 10 times in a row, and it gave the same"),
            "{words}"
        );
        assert!(
            reason.ends_with("40 turns in a row called `run`, which gave the same each time: not yet"),
            "{reason}"
        );
        let other = |time: u32| round(1, &format!("{time} lines"), false);
        assert_eq!(told(&mut Circles::default(), 40, other), []);
    }

    #[test]
    fn who_waits_by_a_call_that_waits_or_is_interrupted_is_left_alone() {
        let waits = |_| {
            let mut round = Round::default();
            round.calls("receive", &json!({}));
            round.ends("Nothing came.", false);
            round
        };
        assert_eq!(told(&mut Circles::default(), 40, waits), []);
        let interrupted = |_| {
            let mut round = Round::default();
            round.calls("run", &json!({}));
            round
        };
        assert_eq!(told(&mut Circles::default(), 40, interrupted), []);
    }
}
