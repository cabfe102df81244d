//! A share of a suite's inputs: another one for each agent, and for one agent always the same. Pure.
//!
//! So every agent has a test that takes seconds, a regression that one sample misses shows in another's, and a failure
//! is the same when it is run again.

use std::fmt;
use std::str::FromStr;

/// How much of a suite is run, as in `10%`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Share {
    per_million: u32,
}

/// A text that is no share.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{}` is no share: write a percentage above 0 and up to 100, such as 1%, 10% or 0.5%", .0.escape_debug())]
pub struct NotAShare(String);

impl Share {
    /// A tenth: what is recommended to agents if nothing else is said.
    pub const TENTH: Self = Self { per_million: 100_000 };

    /// The agent's sample of the inputs, in their order: as many as the share says, rounded up.
    ///
    /// The inputs with the lowest hashes of name and input are chosen, so one input more in the suite changes at most
    /// one of the sample.
    ///
    /// ```
    /// use agent_team::split::Share;
    ///
    /// let inputs: Vec<String> = (0..30).map(|number| format!("{number}.c")).collect();
    /// let share: Share = "10%".parse()?;
    /// assert_eq!(share.sample("worker-1", &inputs).len(), 3);
    /// assert_ne!(share.sample("worker-1", &inputs), share.sample("worker-2", &inputs));
    /// # Ok::<(), agent_team::split::NotAShare>(())
    /// ```
    pub fn sample(self, agent: &str, inputs: &[String]) -> Vec<String> {
        let count = (inputs.len() as u64 * u64::from(self.per_million)).div_ceil(1_000_000);
        let mut order: Vec<usize> = (0..inputs.len()).collect();
        order.sort_by_cached_key(|index| inputs.get(*index).map(|input| hash(&[agent, input])));
        order.truncate(usize::try_from(count).unwrap_or(usize::MAX));
        order.sort_unstable();
        order.into_iter().filter_map(|index| inputs.get(index).cloned()).collect()
    }
}

impl FromStr for Share {
    type Err = NotAShare;

    fn from_str(text: &str) -> Result<Self, NotAShare> {
        let wrong = || NotAShare(text.to_owned());
        let number = text.strip_suffix('%').ok_or_else(wrong)?;
        let (whole, fraction) = number.split_once('.').unwrap_or((number, "0"));
        let digits = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
        if !digits(whole) || !digits(fraction) || fraction.len() > 4 {
            return Err(wrong());
        }
        let whole: u32 = whole.parse().map_err(|_| wrong())?;
        let fraction: u32 = format!("{fraction:0<4}").parse().map_err(|_| wrong())?;
        let per_million = whole.checked_mul(10_000).and_then(|whole| whole.checked_add(fraction));
        match per_million {
            Some(per_million @ 1..=1_000_000) => Ok(Self { per_million }),
            _ => Err(wrong()),
        }
    }
}

impl fmt::Display for Share {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (whole, fraction) = (self.per_million / 10_000, self.per_million % 10_000);
        if fraction == 0 {
            return write!(f, "{whole}%");
        }
        write!(f, "{whole}.{}%", format!("{fraction:04}").trim_end_matches('0'))
    }
}

/// A hash that is the same for ever and everywhere: FNV-1a (<http://www.isthe.com/chongo/tech/comp/fnv/>), finished by
/// MurmurHash3's mixer (Appleby, public domain), since FNV alone hardly spreads what differs in its last byte.
pub(super) fn hash(texts: &[&str]) -> u64 {
    let mut hash: u64 = 0xcbf2_9ce4_8422_2325;
    for text in texts {
        // The zero keeps `ab`, `c` and `a`, `bc` apart.
        for byte in text.bytes().chain([0]) {
            hash = (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
        }
    }
    hash = (hash ^ (hash >> 33)).wrapping_mul(0xff51_afd7_ed55_8ccd);
    hash = (hash ^ (hash >> 33)).wrapping_mul(0xc4ce_b9fe_1a85_ec53);
    hash ^ (hash >> 33)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn inputs(count: usize) -> Vec<String> {
        (0..count).map(|number| format!("tests/{number}.c")).collect()
    }

    #[test]
    fn a_sample_is_the_same_on_every_machine_and_in_every_version() {
        let share: Share = "5%".parse().unwrap();
        assert_eq!(share.sample("worker-1", &inputs(60)), share.sample("worker-1", &inputs(60)));
        // Fixed here, so that nobody changes the hash without seeing what it costs: agents' samples would change.
        assert_eq!(hash(&["worker-1", "tests/0.c"]), 15_816_455_403_728_409_513);
    }

    #[test]
    fn a_sample_is_never_empty_and_keeps_the_order() {
        let small: Share = "1%".parse().unwrap();
        assert_eq!(small.sample("w", &inputs(3)).len(), 1);
        assert_eq!(small.sample("w", &[]), Vec::<String>::new());
        let half: Share = "50%".parse().unwrap();
        let sample = half.sample("w", &inputs(101));
        assert_eq!(sample.len(), 51);
        let place = |input: &String| inputs(101).iter().position(|other| other == input).unwrap();
        assert!(sample.is_sorted_by_key(place));
        assert_eq!("100%".parse::<Share>().unwrap().sample("w", &inputs(7)), inputs(7));
    }

    #[test]
    fn sixteen_agents_with_a_tenth_each_see_most_of_the_suite() {
        let share = Share::TENTH;
        let seen: std::collections::BTreeSet<String> =
            (1..=16).flat_map(|agent| share.sample(&format!("worker-{agent}"), &inputs(1_000))).collect();
        // By chance it would be 1 - 0.9^16 = 81 %.
        assert!((760..870).contains(&seen.len()), "{}", seen.len());
    }

    #[test]
    fn one_input_more_changes_at_most_one_of_the_sample() {
        let (before, after) =
            (Share::TENTH.sample("w", &inputs(100)), Share::TENTH.sample("w", &inputs(101)));
        assert_eq!((before.len(), after.len()), (10, 11));
        assert!(before.iter().filter(|input| !after.contains(input)).count() <= 1);
    }

    #[test]
    fn shares_are_percentages() {
        for text in ["1%", "10%", "0.5%", "100%", "0.0001%", "12.25%"] {
            assert_eq!(text.parse::<Share>().unwrap().to_string(), text);
        }
        for text in ["", "%", "10", "0%", "101%", "-1%", "1,5%", ".5%", "1.%", "0.00001%", "99999999999%"] {
            assert!(text.parse::<Share>().is_err(), "{text}");
        }
    }
}
