//! One line as a terminal would show it: without escape sequences and control characters.
//!
//! Knows the shapes of ECMA-48 (control sequences, operating-system commands), not their meanings.

use std::iter::Peekable;
use std::str::Chars;

/// The line as text: invalid UTF-8 replaced, escape sequences and control characters other than tabs removed.
pub(crate) fn clean_line(line: &[u8]) -> String {
    let text = String::from_utf8_lossy(line);
    if !may_hold_control(text.as_bytes()) {
        return text.into_owned();
    }
    let mut clean = String::with_capacity(text.len());
    let mut characters = text.chars().peekable();
    while let Some(character) = characters.next() {
        match character {
            '\u{1b}' => skip_escape(&mut characters),
            '\u{9b}' => skip_control_sequence(&mut characters),
            '\t' => clean.push('\t'),
            _ if character.is_control() => {}
            _ => clean.push(character),
        }
    }
    clean
}

/// Whether a text may hold control characters. Most lines hold none, and need not be looked at by character.
fn may_hold_control(text: &[u8]) -> bool {
    for byte in text {
        // Those from U+0080 to U+009F begin with 0xc2 in UTF-8.
        if matches!(byte, 0..=8 | 10..=31 | 0x7f | 0xc2) {
            return true;
        }
    }
    false
}

/// Skips what follows an ESC.
fn skip_escape(characters: &mut Peekable<Chars<'_>>) {
    match characters.next() {
        Some('[') => skip_control_sequence(characters),
        // The strings: OSC, DCS, SOS, PM and APC.
        Some(']' | 'P' | 'X' | '^' | '_') => skip_string(characters),
        // Intermediate bytes, then one final byte, as in `ESC ( B`.
        Some(' '..='/') => {
            while characters.next_if(|next| (' '..='/').contains(next)).is_some() {}
            characters.next();
        }
        _ => {}
    }
}

/// Skips parameters, intermediates and the final byte of a control sequence.
fn skip_control_sequence(characters: &mut Peekable<Chars<'_>>) {
    while characters.next_if(|next| (' '..='?').contains(next)).is_some() {}
    characters.next_if(|next| ('@'..='~').contains(next));
}

/// Skips a string up to its terminator: BEL or `ESC \`.
fn skip_string(characters: &mut Peekable<Chars<'_>>) {
    while let Some(character) = characters.next() {
        match character {
            '\u{7}' => return,
            '\u{1b}' => {
                characters.next_if_eq(&'\\');
                return;
            }
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::clean_line;

    #[test]
    fn a_terminals_sequences_are_removed_and_the_text_stays() {
        let cases: [(&[u8], &str); 8] = [
            (b"\x1b[1;31merror\x1b[0m: bad", "error: bad"),
            (b"\x1b]8;;http://x\x1b\\link\x1b]8;;\x07!", "link!"),
            (b"\x1b(Bplain\x1b=", "plain"),
            (b"a\tb\x08\x00c", "a\tbc"),
            ("caf\u{e9} \u{9b}2Jok \u{1f980}".as_bytes(), "caf\u{e9} ok \u{1f980}"),
            (b"bad \xff byte", "bad \u{fffd} byte"),
            (b"unfinished \x1b[12", "unfinished "),
            (b"unfinished \x1b]0;title", "unfinished "),
        ];
        for (line, clean) in cases {
            assert_eq!(clean_line(line), clean);
        }
    }
}
