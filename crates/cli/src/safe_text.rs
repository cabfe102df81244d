//! Makes text harmless for a terminal: what an agent wrote may hold control sequences, or marks that change the
//! direction of writing or that nobody sees, and none may act on the terminal, or mislead the eyes, of whoever looks at it.

use std::borrow::Cow;
use std::fmt::Write;

/// One line: whatever would act on a terminal is shown as an escape, line breaks included.
pub fn line(text: &str) -> Cow<'_, str> {
    escape(text, |c| acts(c) || c == '\n' || c == '\t', |out, c| out.extend(c.escape_debug()))
}

/// Several lines: as [`line()`], but line breaks and tabs stay.
pub fn block(text: &str) -> Cow<'_, str> {
    escape(text, acts, |out, c| out.extend(c.escape_unicode()))
}

/// JSON text: what JSON leaves as it is and a terminal would obey or not show (DEL, C1, marks) becomes `\uXXXX`.
pub fn json(text: &str) -> Cow<'_, str> {
    // Outside of strings JSON has no such characters.
    escape(text, acts, |out, c| {
        for unit in c.encode_utf16(&mut [0; 2]) {
            let _ = write!(out, "\\u{unit:04x}");
        }
    })
}

fn escape(text: &str, is_bad: impl Fn(char) -> bool, replace: impl Fn(&mut String, char)) -> Cow<'_, str> {
    if !text.chars().any(&is_bad) {
        return Cow::Borrowed(text);
    }
    let mut out = String::with_capacity(text.len() + 16);
    for c in text.chars() {
        if is_bad(c) { replace(&mut out, c) } else { out.push(c) }
    }
    Cow::Owned(out)
}

/// Whether a terminal does something else with it than to show it. Line breaks and tabs are left to the caller.
fn acts(c: char) -> bool {
    let directs =
        matches!(c, '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{061c}');
    directs || is_unseen(c) || (c.is_control() && c != '\n' && c != '\t')
}

/// Whether it takes no room, so that two texts look the same and are not: spaces of no width, invisible operators,
/// separators of lines, tags. Joiners stay: scripts and emoji are written with them.
fn is_unseen(c: char) -> bool {
    matches!(c, '\u{200b}' | '\u{2028}' | '\u{2029}' | '\u{2060}'..='\u{2064}' | '\u{feff}' | '\u{e0000}'..='\u{e007f}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_that_acts_on_a_terminal_is_left() {
        let nasty = "a\u{1b}]0;title\u{7}\u{9b}31m\u{202e}\r\nb\t\u{7f}ü\u{200b}\u{2028}\u{feff}\u{e0041}";
        let shown = r"a\u{1b}]0;title\u{7}\u{9b}31m\u{202e}\r\nb\t\u{7f}ü\u{200b}\u{2028}\u{feff}\u{e0041}";
        assert_eq!(line(nasty), shown);
        assert_eq!(block("a\tb\nc\u{1b}\r"), "a\tb\nc\\u{1b}\\u{d}");
        let json_text = serde_json::to_string(nasty).unwrap();
        let safe = json(&json_text);
        assert!(!safe.chars().any(|c| acts(c) || c == '\n'), "{safe}");
        assert_eq!(serde_json::from_str::<String>(&safe).unwrap(), nasty);
    }

    #[test]
    fn harmless_text_is_not_copied() {
        assert!(matches!(line("a `b` – ü – 👩\u{200d}🔬"), Cow::Borrowed(_)));
    }
}
