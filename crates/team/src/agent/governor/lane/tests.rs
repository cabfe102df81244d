use std::time::Duration;

use super::*;
use crate::model::ModelErrorKind;

/// A time in milliseconds since 1970.
const NOW: u64 = 1_763_892_000_000;
/// Waits of 1 s, 2 s, 4 s, … 60 s.
const PATIENCE: RetryPolicy = RetryPolicy {
    attempts: 1,
    first_wait: Duration::from_secs(1),
    longest_wait: Duration::from_secs(60),
    total_wait: Duration::ZERO,
    overloaded_for: Duration::from_secs(600),
};

fn limit(retry_after_ms: Option<u64>) -> ModelError {
    ModelError::new(ModelErrorKind::RateLimited, "m", "slow down")
        .with_retry_after(retry_after_ms.map(Duration::from_millis))
}

fn first(_: u64) -> f64 {
    0.0
}

/// A lane with so many calls under way, and the number of the limits before them.
fn busy(calls: u32) -> (Lane, u64) {
    let mut lane = Lane::default();
    for _ in 0..calls {
        assert_eq!(lane.enter(NOW, first), Place::Now(0), "nobody waits before there is a limit");
    }
    (lane, 0)
}

/// How many may begin now; nobody leaves.
fn admitted(lane: &mut Lane, now_ms: u64) -> u32 {
    (0..1_000).take_while(|_| matches!(lane.enter(now_ms, first), Place::Now(_))).map(|_| 1).sum()
}

fn epoch(place: &Place) -> u64 {
    match place {
        Place::Now(epoch) => *epoch,
        waits => panic!("{waits:?}"),
    }
}

#[test]
fn a_limit_that_is_lifted_is_tried_at_once_by_one_and_then_by_all() {
    let mut lane = Lane::default();
    lane.hear(0, 3_000_000, "slow down", &PATIENCE);
    assert!(matches!(lane.place(1_000, first), Place::At { .. }));
    lane.lift(1_000);
    assert!(matches!(lane.enter(1_000, first), Place::Now(_)));
    let Place::At { at_ms, .. } = lane.place(1_000, first) else {
        panic!("a second one waits for the first")
    };
    assert!(at_ms < 10_000, "and not for the limit: {at_ms}");
    let mut open = Lane::default();
    open.lift(1_000);
    assert_eq!(open.limit(1_000), None, "what is not limited stays so");
}

#[test]
fn a_burst_of_refusals_is_one_limit_and_one_piece_of_news() {
    let (mut lane, before) = busy(16);
    let told: Vec<_> = (0..16)
        .filter_map(|late_ms| lane.is_refused(NOW + late_ms, before, &limit(Some(10_000)), &PATIENCE))
        .collect();
    assert_eq!(told, [NOW + 10_000]);
    (0..16).for_each(|_| lane.leave());
    assert_eq!(admitted(&mut lane, NOW + 9_999), 0, "all wait");
    let opens_ms = NOW + 10_015;
    assert_eq!(admitted(&mut lane, opens_ms), 1, "one tries");
    assert_eq!(admitted(&mut lane, opens_ms + 999), 0);
    assert_eq!(admitted(&mut lane, opens_ms + 1_000), 1, "and another one, if the first gets no news at all");
    lane.is_answered(opens_ms + 1_500, 1);
    lane.is_answered(opens_ms + 1_500, 1);
    let moments_ms = opens_ms + 1_500 + SPREAD_MS_MAX;
    assert_eq!(admitted(&mut lane, moments_ms), 6, "half of what was too much, with the two that try");
}

#[test]
fn those_who_wait_for_the_same_moment_begin_one_after_the_other() {
    let (mut lane, before) = busy(1);
    lane.is_refused(NOW, before, &limit(Some(8_000)), &PATIENCE);
    lane.leave();
    let at = |fraction: f64| match lane.place(NOW, |_| fraction) {
        Place::At { at_ms, .. } => at_ms - NOW,
        place => panic!("{place:?}"),
    };
    assert_eq!([at(0.0), at(0.5), at(1.0)], [8_000, 9_000, 10_000]);
}

#[test]
fn without_a_word_from_the_provider_the_waits_double_until_one_is_answered() {
    let (mut lane, _) = busy(0);
    let mut now_ms = NOW;
    let mut waits = Vec::new();
    for _ in 0..8 {
        let epoch = epoch(&lane.enter(now_ms, first));
        let until_ms = lane.is_refused(now_ms, epoch, &limit(None), &PATIENCE).unwrap();
        lane.leave();
        waits.push((until_ms - now_ms) / 1_000);
        now_ms = until_ms;
    }
    assert_eq!(waits, [1, 2, 4, 8, 16, 32, 60, 60]);
    let epoch = epoch(&lane.enter(now_ms, first));
    lane.is_answered(now_ms, epoch);
    assert_eq!(lane.is_refused(now_ms, epoch, &limit(None), &PATIENCE), Some(now_ms + 1_000));
}

#[test]
fn a_word_that_is_too_short_again_and_again_is_not_all_that_is_waited() {
    let (mut lane, _) = busy(0);
    let mut now_ms = NOW;
    let mut waits = Vec::new();
    for asked_ms in [0, 0, 100, 9_000, 100] {
        let epoch = epoch(&lane.enter(now_ms, first));
        let until_ms = lane.is_refused(now_ms, epoch, &limit(Some(asked_ms)), &PATIENCE).unwrap_or(now_ms);
        lane.leave();
        waits.push(until_ms - now_ms);
        now_ms = until_ms;
    }
    assert_eq!(waits, [0, 1_000, 2_000, 9_000, 8_000]);
}

#[test]
fn calls_at_once_rise_by_one_with_each_round_that_is_answered() {
    let (mut lane, before) = busy(8);
    lane.is_refused(NOW, before, &limit(Some(1_000)), &PATIENCE);
    (0..8).for_each(|_| lane.leave());
    let mut now_ms = NOW + 2_000;
    let try_epoch = epoch(&lane.enter(now_ms, first));
    lane.is_answered(now_ms, try_epoch);
    lane.leave();
    let mut rounds = Vec::new();
    for _ in 0..4 {
        now_ms += 10_000;
        let calls = admitted(&mut lane, now_ms);
        rounds.push(calls);
        (0..calls).for_each(|_| {
            lane.is_answered(now_ms, try_epoch);
            lane.leave();
        });
    }
    assert_eq!(rounds, [4, 5, 6, 6], "about one more each time");
}

#[test]
fn what_others_tell_is_waited_for_and_what_one_told_oneself_is_no_news() {
    let (mut lane, before) = busy(4);
    let until_ms = lane.is_refused(NOW, before, &limit(Some(1_000)), &PATIENCE).unwrap();
    lane.hear(NOW, until_ms, "slow down", &PATIENCE);
    assert_eq!(lane.epoch, 1);
    lane.hear(NOW, NOW + 5_000, "told by others", &PATIENCE);
    assert_eq!(lane.place(NOW, first), Place::At { at_ms: NOW + 5_000, reason: "told by others".into() });
    lane.hear(NOW, NOW + 4_000, "a shorter one", &PATIENCE);
    assert_eq!(
        lane.place(NOW + 4_999, first),
        Place::At { at_ms: NOW + 5_000, reason: "told by others".into() }
    );
}

#[test]
fn a_clock_that_is_wrong_closes_nothing_and_a_day_is_tried_by_the_hour() {
    let (mut lane, before) = busy(1);
    for wrong_ms in [0, NOW, NOW + CLOSED_MS_MAX + 1, u64::MAX] {
        lane.hear(NOW, wrong_ms, "wrong", &PATIENCE);
        assert_eq!(lane.place(NOW, first), Place::Now(0), "{wrong_ms}");
    }
    let day = limit(Some(86_400_000));
    assert_eq!(lane.is_refused(NOW, before, &day, &PATIENCE), Some(NOW + CLOSED_MS_MAX));
}

#[test]
fn an_answer_to_a_call_that_began_before_the_limit_says_nothing() {
    let (mut lane, before) = busy(2);
    lane.is_refused(NOW, before, &limit(None), &PATIENCE);
    lane.leave();
    lane.is_answered(NOW, before);
    assert_eq!(lane.streak, 1);
}

fn overloaded() -> ModelError {
    ModelError::new(ModelErrorKind::Overloaded, "anthropic:m", "Overloaded")
}

#[test]
fn a_provider_that_is_overloaded_for_too_long_is_given_up_and_an_answer_in_between_begins_anew() {
    let mut lane = Lane::default();
    let mut after =
        |seconds: u64, error: &ModelError| lane.is_given_up(NOW + seconds * 1_000, error, &PATIENCE);
    assert_eq!(after(0, &overloaded()), None);
    assert_eq!(
        after(700, &overloaded()),
        None,
        "two calls say little, however long the machine slept between"
    );
    let why = after(701, &overloaded()).unwrap();
    assert_eq!(
        why,
        "anthropic:m is overloaded: Overloaded; it has answered nothing for 11m41s, 3 calls in a row \
         (`overloaded_for` in team.toml bounds that)"
    );
    assert!(after(702, &overloaded()).is_some(), "as long as nothing is answered");
    assert_eq!(after(703, &limit(None)), None, "what comes too fast is waited for");
    assert_eq!(lane.given_up().0, 2);
    lane.has_answered();
    for seconds in [800, 801, 802, 1_399] {
        assert_eq!(lane.is_given_up(NOW + seconds * 1_000, &overloaded(), &PATIENCE), None, "{seconds}");
    }
    assert!(lane.is_given_up(NOW + 1_400_000, &overloaded(), &PATIENCE).is_some());
}

#[test]
fn calls_that_come_too_fast_give_nobody_up() {
    let mut lane = Lane::default();
    for hours in 0..48 {
        assert_eq!(lane.is_given_up(NOW + hours * 3_600_000, &limit(Some(60_000)), &PATIENCE), None);
    }
}
