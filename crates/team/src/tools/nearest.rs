//! Where a text nearly is, for a model that quoted it wrongly.

use std::collections::HashSet;

use super::read::numbered;

/// How many lines are shown around the nearest one.
const CONTEXT_LINES: usize = 2;
/// How many lines are shown at most.
const SHOWN_LINES: usize = 12;
/// Lines that share less than this of their words are no candidates.
const LEAST_LIKENESS: f64 = 0.4;

/// The numbered lines of `content` that `wanted` most likely means; `None` if nothing is like it.
///
/// The longest wanted line finds the place, as it is the one that says most; the wanted lines before it tell where to
/// begin.
pub(super) fn nearest(content: &str, wanted: &str) -> Option<String> {
    let (anchor_index, anchor) =
        wanted.lines().map(str::trim).enumerate().max_by_key(|(_, line)| line.len())?;
    let anchor_words = words(anchor);
    let (best, likeness) = content
        .lines()
        .map(|line| likeness(line.trim(), anchor, &anchor_words))
        .enumerate()
        .max_by(|(_, one), (_, other)| one.total_cmp(other))?;
    if likeness < LEAST_LIKENESS {
        return None;
    }
    let first = best.saturating_sub(anchor_index + CONTEXT_LINES);
    let count = (wanted.lines().count() + 2 * CONTEXT_LINES).min(SHOWN_LINES).max(best - first + 1);
    let lines = content.lines().enumerate().skip(first).take(count);
    Some(lines.map(|(index, line)| numbered(index + 1, line)).collect())
}

/// How much two lines have in common, from 0 to 1: the Dice coefficient of their words.
fn likeness(line: &str, anchor: &str, anchor_words: &HashSet<&str>) -> f64 {
    if line == anchor {
        return 1.0;
    }
    let line_words = words(line);
    let total = line_words.len() + anchor_words.len();
    if total == 0 {
        return 0.0;
    }
    let shared = line_words.intersection(anchor_words).count();
    2.0 * shared as f64 / total as f64
}

fn words(line: &str) -> HashSet<&str> {
    line.split(|character: char| !character.is_alphanumeric() && character != '_')
        .filter(|word| !word.is_empty())
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const CONTENT: &str = "use std::io;\n\nfn main() {\n\tlet answer = compute(6, 7);\n\tprint(answer);\n}\n";

    #[test]
    fn a_line_that_differs_in_white_space_or_a_word_is_found() {
        for wanted in [
            "    let answer = compute(6, 7);",
            "let answer = compute(6, 8);",
            "fn main() {\n    let answer = compute(1);",
        ] {
            let lines = nearest(CONTENT, wanted).unwrap();
            assert!(lines.contains("     4\t\tlet answer = compute(6, 7);\n"), "{wanted}: {lines}");
        }
    }

    #[test]
    fn nothing_is_offered_when_nothing_is_like_it() {
        assert_eq!(nearest(CONTENT, "class Unrelated(Base):"), None);
        assert_eq!(nearest("", "x"), None);
    }
}
