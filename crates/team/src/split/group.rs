//! Failures by their reason: each group is one bug, as far as can be seen from outside. Pure.

use std::collections::HashMap;

use super::reason::Reason;
use super::suite::Failure;

/// Failures with the same first difference.
#[derive(Debug, Clone)]
pub struct Group {
    /// The first failure's.
    pub reason: Reason,
    /// At least one.
    pub failures: Vec<Failure>,
}

/// Groups failures by their reason: the largest group first, and of two equal ones the one that was seen first.
pub fn group(failures: Vec<Failure>) -> Vec<Group> {
    let mut groups: Vec<Group> = Vec::new();
    let mut places: HashMap<String, usize> = HashMap::new();
    for failure in failures {
        let place = *places.entry(failure.reason.key.clone()).or_insert(groups.len());
        match groups.get_mut(place) {
            Some(group) => group.failures.push(failure),
            None => groups.push(Group { reason: failure.reason.clone(), failures: vec![failure] }),
        }
    }
    groups.sort_by_key(|group| std::cmp::Reverse(group.failures.len()));
    groups
}

impl Group {
    /// All inputs of all failures.
    pub fn inputs(&self) -> Vec<String> {
        self.failures.iter().flat_map(|failure| failure.inputs.iter().cloned()).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_largest_group_comes_first_and_equal_ones_in_their_order() {
        let failure = |input: &str, key: &str| Failure {
            inputs: vec![input.into()],
            reason: Reason { text: format!("{key} in {input}"), key: key.into() },
            expected: None,
            actual: String::new(),
        };
        let failures = [("1", "b"), ("2", "a"), ("3", "c"), ("4", "c"), ("5", "b"), ("6", "c"), ("7", "d")];
        let groups = group(failures.iter().map(|(input, key)| failure(input, key)).collect());
        let seen: Vec<(&str, Vec<String>)> =
            groups.iter().map(|group| (group.reason.text.as_str(), group.inputs())).collect();
        let inputs = |names: &[&str]| names.iter().map(|&name| name.to_owned()).collect::<Vec<_>>();
        assert_eq!(
            seen,
            [
                ("c in 3", inputs(&["3", "4", "6"])),
                ("b in 1", inputs(&["1", "5"])),
                ("a in 2", inputs(&["2"])),
                ("d in 7", inputs(&["7"])),
            ]
        );
    }
}
