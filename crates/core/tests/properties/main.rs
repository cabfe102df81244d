//! Random commands, and random stale, doubled and unjudged records, against what must hold whatever happens: the
//! invariants of every state, and a small model of the queue that shares no code with the machine.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

#[path = "../invariants/mod.rs"]
mod invariants;
mod model;
mod play;

use agent_team_core::machine::{Outcome, State};
use agent_team_core::record::{Account, Amount, Record, codec};
use play::{Move, Play};
use proptest::collection::vec;
use proptest::prelude::*;

fn games() -> impl Strategy<Value = Vec<Move>> {
    vec(any::<Move>(), 1..200)
}

fn play(moves: &[Move]) -> Play {
    let mut play = Play::new();
    for one in moves {
        play.make(*one);
    }
    play
}

/// Folds records that were read from bytes.
fn fold<'a>(records: impl IntoIterator<Item = &'a Record>) -> State {
    let mut state = State::new();
    for record in records {
        let bytes = codec::encode(record).unwrap();
        state.apply(codec::decode(&bytes).unwrap());
    }
    state
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(100))]

    #[test]
    fn whatever_is_written_the_queue_is_what_the_model_says(moves in games()) {
        let mut play = Play::new();
        for one in moves {
            play.make(one);
            invariants::check(&play.state);
            play.model.compare(&play.state);
        }
    }

    #[test]
    fn equal_logs_give_equal_states_whoever_reads_them(moves in games()) {
        let played = play(&moves);
        prop_assert_eq!(&fold(&played.log), &played.state);
    }

    #[test]
    fn a_state_reads_back_from_a_snapshot_as_it_was_written(moves in games(), cut in any::<prop::sample::Index>()) {
        let played = play(&moves);
        let cut = cut.index(played.log.len() + 1);
        let written = fold(&played.log[..cut]).to_snapshot().unwrap();
        let mut read = State::from_snapshot(written.into()).unwrap();
        for record in &played.log[cut..] {
            read.apply(record.clone());
        }
        prop_assert_eq!(read.fingerprint(), played.state.fingerprint());
        prop_assert_eq!(read.to_snapshot().unwrap(), played.state.to_snapshot().unwrap());
        prop_assert_eq!(read, played.state);
    }

    #[test]
    fn a_record_that_comes_again_changes_nothing(moves in games(), again in vec(any::<prop::sample::Index>(), 20)) {
        let played = play(&moves);
        let mut state = fold(&played.log);
        for index in again.iter().filter(|_| !played.log.is_empty()) {
            prop_assert_eq!(state.apply(index.get(&played.log).clone()), Outcome::Repeated);
        }
        let doubled = fold(played.log.iter().flat_map(|record| [record, record]));
        prop_assert!(state.tasks().eq(played.state.tasks()), "repeated at the end");
        let statuses = |state: &State| -> Vec<_> {
            state.tasks().map(|t| (t.id().clone(), t.status, t.revision, t.attempt, t.failures)).collect()
        };
        prop_assert_eq!(statuses(&doubled), statuses(&played.state), "each at once");
        prop_assert_eq!(doubled.ledger(), played.state.ledger());
    }

    #[test]
    fn what_is_set_aside_is_the_sum_of_what_is_open(moves in games()) {
        let played = play(&moves);
        let open = played.open_reservations.values().fold(Amount::default(), |sum, one| sum.plus(*one));
        prop_assert_eq!(played.state.ledger().reserved(&Account::Team), open);
    }

    #[test]
    fn unread_is_what_came_and_was_not_read(moves in games()) {
        let state = play(&moves).state;
        for agent in play::agents() {
            let role = state.agent(&agent).map(|known| known.role);
            let plainly = state.messages().all().iter().filter(|m| m.is_for(&agent, role) && !m.is_read_by(&agent));
            prop_assert!(state.messages().unread(&agent, role).eq(plainly), "{agent}");
        }
    }

    #[test]
    fn no_line_makes_the_reader_panic(line in "\\PC*", cut in any::<prop::sample::Index>(), moves in vec(any::<Move>(), 1..20)) {
        let _ = codec::decode(line.as_bytes());
        for record in &play(&moves).log {
            let bytes = codec::encode(record).unwrap();
            prop_assert!(codec::decode(&bytes[..cut.index(bytes.len())]).is_err(), "a torn record is none");
        }
    }
}
