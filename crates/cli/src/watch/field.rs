//! A field that text is typed into. It knows keys and characters, and neither what the text is for nor where it is drawn.

use crossterm::event::{KeyCode, KeyEvent, KeyModifiers};
use unicode_segmentation::UnicodeSegmentation;
use unicode_width::UnicodeWidthStr;

/// The longest text that can be typed or pasted, in bytes.
const BYTES_MAX: usize = 64 << 10;

/// A text that is being typed.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Field {
    text: String,
    /// Where the next character goes, in bytes; always between two characters as people see them.
    at: usize,
}

impl Field {
    /// A field with a text in it, and the cursor behind that.
    pub fn with(text: &str) -> Self {
        Self { text: text.to_owned(), at: text.len() }
    }

    /// What was typed.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// Puts a text in where the cursor is. What would be too long is left out.
    pub fn insert(&mut self, text: &str) {
        let text = text.replace("\r\n", "\n").replace('\r', "\n");
        if self.text.len() + text.len() <= BYTES_MAX {
            self.text.insert_str(self.at, &text);
            self.at += text.len();
        }
    }

    /// Takes a key, if it is one of a text field's.
    pub fn press(&mut self, key: KeyEvent) -> bool {
        let control = key.modifiers.contains(KeyModifiers::CONTROL);
        let alt = key.modifiers.contains(KeyModifiers::ALT);
        match key.code {
            KeyCode::Enter if alt => self.insert("\n"),
            KeyCode::Char('j') if control => self.insert("\n"),
            KeyCode::Char('a') if control => self.at = 0,
            KeyCode::Char('e') if control => self.at = self.text.len(),
            KeyCode::Char('u') if control => self.cut(0),
            KeyCode::Char('w') if control => self.cut(self.word_before()),
            KeyCode::Left if control || alt => self.at = self.word_before(),
            KeyCode::Right if control || alt => self.at = self.word_behind(),
            KeyCode::Char(c) if !control && !alt => self.insert(c.encode_utf8(&mut [0; 4])),
            KeyCode::Left => self.at = self.before(),
            KeyCode::Right => self.at = self.behind(),
            KeyCode::Home => self.at = 0,
            KeyCode::End => self.at = self.text.len(),
            KeyCode::Backspace if alt => self.cut(self.word_before()),
            KeyCode::Backspace => self.cut(self.before()),
            KeyCode::Delete => {
                let end = self.behind();
                self.text.replace_range(self.at..end, "");
            }
            _ => return false,
        }
        true
    }

    /// The lines of a width, and in which of them and at which column the cursor is.
    pub fn lines(&self, width: usize) -> (Vec<String>, usize, usize) {
        let width = width.max(2);
        let (mut lines, mut line, mut column) = (Vec::new(), String::new(), 0);
        let mut cursor = (0, 0);
        for (place, grapheme) in self.text.grapheme_indices(true) {
            let cells = if grapheme == "\n" { 0 } else { shown(grapheme).width() };
            if column + cells > width {
                lines.push(std::mem::take(&mut line));
                column = 0;
            }
            if place == self.at {
                cursor = (lines.len(), column);
            }
            if grapheme == "\n" {
                lines.push(std::mem::take(&mut line));
                column = 0;
            } else {
                line += &shown(grapheme);
                column += cells;
            }
        }
        if self.at == self.text.len() {
            if column >= width {
                lines.push(std::mem::take(&mut line));
                column = 0;
            }
            cursor = (lines.len(), column);
        }
        lines.push(line);
        (lines, cursor.0, cursor.1)
    }

    fn cut(&mut self, from: usize) {
        self.text.replace_range(from..self.at, "");
        self.at = from;
    }

    fn before(&self) -> usize {
        let (left, _) = self.text.split_at(self.at);
        left.grapheme_indices(true).next_back().map_or(0, |(place, _)| place)
    }

    fn behind(&self) -> usize {
        let (_, right) = self.text.split_at(self.at);
        self.at + right.graphemes(true).next().map_or(0, str::len)
    }

    fn word_before(&self) -> usize {
        let (left, _) = self.text.split_at(self.at);
        left.unicode_word_indices().next_back().map_or(0, |(place, _)| place)
    }

    fn word_behind(&self) -> usize {
        let (_, right) = self.text.split_at(self.at);
        let next = right.unicode_word_indices().find(|(place, _)| *place > 0);
        self.at + next.map_or(right.len(), |(place, _)| place)
    }
}

/// A character as it is shown: one that acts on the terminal, or takes no room, as its escape.
fn shown(grapheme: &str) -> std::borrow::Cow<'_, str> {
    crate::safe_text::line(grapheme)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn typed(keys: &[(KeyCode, KeyModifiers)]) -> Field {
        let mut field = Field::default();
        for (code, modifiers) in keys {
            assert!(field.press(KeyEvent::new(*code, *modifiers)), "{code:?}");
        }
        field
    }

    #[test]
    fn text_is_edited_as_in_a_shell() {
        let none = KeyModifiers::NONE;
        let mut keys: Vec<_> = "grüße an alle".chars().map(|c| (KeyCode::Char(c), none)).collect();
        keys.extend([(KeyCode::Char('w'), KeyModifiers::CONTROL), (KeyCode::Char('x'), none)]);
        keys.extend([
            (KeyCode::Home, none),
            (KeyCode::Delete, none),
            (KeyCode::Right, none),
            (KeyCode::Backspace, none),
        ]);
        assert_eq!(typed(&keys).text(), "üße an x");
        let mut field = typed(&keys);
        field.insert("a\r\nb");
        assert_eq!(field.text(), "a\nbüße an x");
        assert!(!field.press(KeyEvent::new(KeyCode::Esc, none)));
    }

    #[test]
    fn long_text_is_broken_and_the_cursor_is_found() {
        let field = Field::with("abcdef\ngh");
        assert_eq!(field.lines(4), (vec!["abcd".into(), "ef".into(), "gh".into()], 2, 2));
        let full = Field::with("abcd");
        assert_eq!(full.lines(4), (vec!["abcd".into(), String::new()], 1, 0));
        assert_eq!(Field::with("日本").lines(3).0, ["日", "本"]);
    }
}
