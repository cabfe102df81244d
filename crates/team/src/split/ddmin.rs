//! Delta debugging: the smallest part of something failing that still fails. Pure: whoever drives it runs the tests.

/// The algorithm `ddmin` of Zeller and Hildebrandt, "Simplifying and Isolating Failure-Inducing Input" (IEEE
/// Transactions on Software Engineering 28(2), 2002, figure 3), as questions and answers.
///
/// What is left at the end is 1-minimal: it fails, and without any one of its items it does not, as far as the answers
/// are those of a function. It takes at most about `n² + 3n` questions for `n` items, and about `2 log n` if one item
/// alone makes it fail.
///
/// ```
/// use agent_team::split::Ddmin;
///
/// let mut ddmin = Ddmin::new((1..=100).collect());
/// while let Some(part) = ddmin.question() {
///     let fails = part.contains(&17) && part.contains(&42);
///     ddmin.answer(fails);
/// }
/// assert_eq!(ddmin.smallest(), [17, 42]);
/// ```
#[derive(Debug, Clone)]
pub struct Ddmin<T> {
    /// The smallest that is known to fail.
    smallest: Vec<T>,
    /// Into how many parts it is cut.
    parts: usize,
    /// The next question: first the parts, then what is left without each of them.
    next: usize,
}

impl<T: Clone> Ddmin<T> {
    /// Begins with something that is known to fail.
    pub fn new(failing: Vec<T>) -> Self {
        Self { smallest: failing, parts: 2, next: 0 }
    }

    /// The part that must be tested next; `None` when nothing smaller is to be found.
    pub fn question(&mut self) -> Option<Vec<T>> {
        let count = self.smallest.len();
        if count < 2 {
            return None;
        }
        // With two parts, what is left without one is the other.
        let questions = if self.parts == 2 { 2 } else { 2 * self.parts };
        if self.next >= questions {
            if self.parts >= count {
                return None;
            }
            self.parts = (2 * self.parts).min(count);
            self.next = 0;
        }
        Some(self.part())
    }

    /// Says whether the part that was asked for fails in the same way as the whole.
    pub fn answer(&mut self, fails: bool) {
        if !fails {
            self.next += 1;
            return;
        }
        self.smallest = self.part();
        self.parts = if self.next < self.parts { 2 } else { (self.parts - 1).max(2) };
        self.next = 0;
    }

    /// The smallest that is known to fail.
    pub fn smallest(&self) -> &[T] {
        &self.smallest
    }

    fn part(&self) -> Vec<T> {
        let number = self.next % self.parts;
        let count = self.smallest.len();
        let within = number * count / self.parts..(number + 1) * count / self.parts;
        let is_complement = self.next >= self.parts;
        let items = self.smallest.iter().enumerate();
        let wanted = items.filter(|(index, _)| within.contains(index) != is_complement);
        wanted.map(|(_, item)| item.clone()).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The smallest failing part of 0..count, and how many questions it took.
    fn minimise(count: u32, fails: impl Fn(&[u32]) -> bool) -> (Vec<u32>, usize) {
        let mut ddmin = Ddmin::new((0..count).collect());
        let mut questions = 0;
        while let Some(part) = ddmin.question() {
            questions += 1;
            assert!(!part.is_empty() && part.len() < ddmin.smallest().len());
            ddmin.answer(fails(&part));
        }
        (ddmin.smallest().to_vec(), questions)
    }

    #[test]
    fn one_culprit_is_found_by_halving() {
        for culprit in [0, 1, 511, 700, 1_023] {
            let (smallest, questions) = minimise(1_024, |part| part.contains(&culprit));
            assert_eq!(smallest, [culprit]);
            assert!(questions <= 20, "{questions}");
        }
    }

    #[test]
    fn culprits_that_fail_only_together_are_found_together() {
        let all = |wanted: &[u32]| {
            let wanted = wanted.to_vec();
            move |part: &[u32]| wanted.iter().all(|item| part.contains(item))
        };
        for wanted in [vec![0, 99], vec![3, 4, 5], vec![10, 40, 70, 90], (0..20).collect()] {
            assert_eq!(minimise(100, all(&wanted)).0, wanted);
        }
    }

    #[test]
    fn the_worst_case_stays_within_the_papers_bound() {
        let (smallest, questions) = minimise(64, |part| part.len() == 64);
        assert_eq!(smallest.len(), 64);
        assert!(questions <= 64 * 64 + 3 * 64, "{questions}");
    }

    #[test]
    fn what_cannot_be_cut_is_not_asked_about() {
        assert_eq!(minimise(1, |_| true), (vec![0], 0));
        assert_eq!(minimise(0, |_| true), (vec![], 0));
    }

    #[test]
    fn no_item_can_be_left_out_of_what_any_steady_judge_calls_failing() {
        // Judges by a seed: three items that must be there, and one that must not without another.
        for seed in 0..200_u32 {
            let item = |factor: u32| (seed.wrapping_mul(2_654_435_761).wrapping_mul(factor) >> 7) % 50;
            let (a, b, c, d) = (item(3), item(5), item(7), item(11));
            let fails = move |part: &[u32]| {
                part.contains(&a) && part.contains(&b) && (part.contains(&c) || !part.contains(&d))
            };
            if !fails(&(0..50).collect::<Vec<_>>()) {
                continue;
            }
            let (smallest, _) = minimise(50, fails);
            assert!(fails(&smallest), "seed {seed}");
            for left_out in &smallest {
                let without: Vec<u32> = smallest.iter().copied().filter(|item| item != left_out).collect();
                assert!(
                    without.is_empty() || !fails(&without),
                    "seed {seed}: {smallest:?} without {left_out}"
                );
            }
        }
    }
}
