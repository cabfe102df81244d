//! Text in a page or a picture, where it must be text and nothing else.

/// A text with whatever HTML and XML take for markup written out, in content as in attributes. Characters that no XML may hold are
/// replaced, and so are those that turn the direction of writing.
///
/// ```
/// assert_eq!(agent_team::escaped("<b>\u{1b}\"&\""), "&lt;b&gt;\u{fffd}&quot;&amp;&quot;");
/// ```
pub fn escaped(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\n' | '\t' => escaped.push(character),
            '\u{fffe}' | '\u{ffff}' => escaped.push('\u{fffd}'),
            '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' => {
                escaped.push('\u{fffd}');
            }
            _ if character.is_control() => escaped.push('\u{fffd}'),
            _ => escaped.push(character),
        }
    }
    escaped
}
