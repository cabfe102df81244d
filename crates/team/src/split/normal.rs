//! Takes out of a line what differs from input to input, so that one bug gives one line. Pure.

use std::sync::LazyLock;

use regex::Regex;

/// The longest normal form, in characters. What comes later hardly tells bugs apart.
const CHARS_MAX: usize = 200;

/// What an input's own name becomes.
const INPUT: &str = "INPUT";

/// What is taken out, in this order, and what takes its place.
static RULES: LazyLock<Vec<(Regex, &str)>> = LazyLock::new(|| {
    [
        // Names in quotes. A quote after a letter is an apostrophe.
        (r"(^|[^\w])'[^']*'", "$1'…'"),
        (r#""[^"]*"|`[^`]*`|‘[^’]*’|“[^”]*”"#, "'…'"),
        // Temporary files have names by chance; of others, the folder is what differs between machines.
        (r"(^|[^\w.])(?:/var)?/tmp/[\w./+-]+", "${1}TMP"),
        (r"(?:[\w.+-]*/)+([\w.+-]+)", "$1"),
        // Signs, addresses, hashes and numbers.
        (r"(^|[\s(\[=,:])[-+]([0-9])", "$1$2"),
        (r"\b0[xX][0-9a-fA-F]+\b", "N"),
        (r"\b[0-9]+(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?\b", "N"),
        (r"\b(?:[0-9a-f]*[0-9][0-9a-f]*[a-f][0-9a-f]*|[0-9a-f]*[a-f][0-9a-f]*[0-9][0-9a-f]*)\b", "N"),
        (r"[0-9]+", "N"),
        (r"\s+", " "),
    ]
    .into_iter()
    .filter_map(|(pattern, place)| Some((Regex::new(pattern).ok()?, place)))
    .collect()
});

/// The line without what differs from input to input: the inputs' names, numbers, addresses, quoted names, folders.
///
/// ```
/// use agent_team::split::normalise;
///
/// let line = "/home/ada/t/9.c:12:5: error: use of undeclared identifier 'foo' at 0x7ffe";
/// assert_eq!(normalise(line, &["t/9.c".into()]), "INPUT:N:N: error: use of undeclared identifier '…' at N");
/// ```
pub fn normalise(line: &str, inputs: &[String]) -> String {
    let mut text = line.to_owned();
    for input in inputs {
        text = without_path(&text, input);
        if let Some((_, name)) = input.rsplit_once('/') {
            text = without_word(&text, name);
        }
    }
    for (pattern, place) in RULES.iter() {
        text = pattern.replace_all(&text, *place).into_owned();
    }
    text.trim().chars().take(CHARS_MAX).collect()
}

/// Replaces an input's path, together with the folders that a program put before it.
fn without_path(text: &str, input: &str) -> String {
    let replaced = without_word(text, input);
    let Some(at) = replaced.find(&format!("/{INPUT}")) else { return replaced };
    let before = replaced.get(..at).unwrap_or_default();
    let is_of_path = |character: char| character.is_alphanumeric() || "/._+-".contains(character);
    let kept = before.trim_end_matches(is_of_path);
    format!("{kept}{}", replaced.get(at + 1..).unwrap_or_default())
}

/// Replaces a word wherever it does not stand within a longer one.
fn without_word(text: &str, word: &str) -> String {
    // So short a name is found where it is not meant.
    if word.chars().count() < 3 {
        return text.to_owned();
    }
    let is_of_word = |character: char| character.is_alphanumeric() || character == '_';
    let mut replaced = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find(word) {
        let (before, found) = rest.split_at(at);
        let behind = found.get(word.len()..).unwrap_or_default();
        let last = before.chars().next_back().or_else(|| replaced.chars().next_back());
        let stands_alone = !last.is_some_and(is_of_word) && !behind.chars().next().is_some_and(is_of_word);
        replaced.push_str(before);
        replaced.push_str(if stands_alone { INPUT } else { word });
        rest = behind;
    }
    replaced + rest
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_rule_is_a_pattern() {
        assert_eq!(RULES.len(), 10);
    }

    #[test]
    fn one_bug_in_many_inputs_is_one_line() {
        let same = [
            ("tests/a.c:3:1: error: expected ';' before '}' token", "tests/a.c"),
            ("tests/long-name.c:120:44: error: expected ')' before 'x' token", "tests/long-name.c"),
            ("/home/ada/tests/b.c:7:9: error: expected '\"' before '' token", "tests/b.c"),
            ("b.c:7:9: error:  expected 'a' before 'b' token", "/somewhere/else/b.c"),
        ];
        for (line, input) in same {
            let normal = normalise(line, &[input.to_owned()]);
            assert_eq!(normal, "INPUT:N:N: error: expected '…' before '…' token", "{line}");
        }
    }

    #[test]
    fn what_tells_bugs_apart_stays() {
        let cases = [
            ("thread 'main' panicked at /build/src/parse.rs:40:5:", "thread '…' panicked at parse.rs:N:N:"),
            ("Segmentation fault at 0xDEADbeef in deadbeef12", "Segmentation fault at N in N"),
            ("I don't know; you can't", "I don't know; you can't"),
            ("took 1.5e-3 s, -12 left", "took N s, N left"),
            ("cannot open /tmp/ccA7f9.o: no such file", "cannot open TMP: no such file"),
            ("feedback added", "feedback added"),
            ("x12 at 12ab34 of v1.2", "xN at N of vN.N"),
            ("bad `x` and ‘y’ and “z”", "bad '…' and '…' and '…'"),
        ];
        for (line, normal) in cases {
            assert_eq!(normalise(line, &[]), normal);
        }
    }

    #[test]
    fn an_inputs_name_is_found_only_as_a_word_of_its_own() {
        assert_eq!(
            normalise("add failed in address of add", &["add".into()]),
            "INPUT failed in address of INPUT"
        );
        assert_eq!(normalise("it is a", &["a".into()]), "it is a");
    }

    #[test]
    fn a_long_line_is_cut_between_characters() {
        assert_eq!(normalise(&"ü".repeat(1_000), &[]).chars().count(), CHARS_MAX);
    }
}
