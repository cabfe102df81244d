//! Text in the cells of a screen: cut to its room, with an ellipsis, and harmless.

use std::borrow::Cow;

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::Style;
use unicode_segmentation::UnicodeSegmentation;
use unicode_width::UnicodeWidthStr;

use crate::safe_text;

/// A text on one line, cut to a width in cells; what is cut ends in an ellipsis.
pub fn fit(text: &str, width: usize) -> Cow<'_, str> {
    // A text has at least a cell for every four bytes: no more of a long one is looked at than there is room for.
    let near = text.char_indices().nth(width + 1).and_then(|(end, _)| text.get(..end));
    let safe = safe_text::line(near.unwrap_or(text));
    if near.is_none() && safe.width() <= width {
        return safe;
    }
    let (mut fits, mut column) = (String::new(), 0);
    for grapheme in safe.graphemes(true) {
        let cells = grapheme.width();
        if column + cells >= width {
            break;
        }
        fits += grapheme;
        column += cells;
    }
    if width > 0 {
        fits.push('…');
    }
    Cow::Owned(fits)
}

/// A line that is written from left to right into one row of an area.
pub struct Pen<'a> {
    buffer: &'a mut Buffer,
    x: u16,
    right: u16,
    y: u16,
    /// What is put over every style.
    over: Style,
}

impl<'a> Pen<'a> {
    /// At the beginning of the row that stands so many below the top of an area; one outside of it writes nothing.
    pub fn at(buffer: &'a mut Buffer, area: Rect, row: u16) -> Self {
        let right = if row < area.height { area.right() } else { area.x };
        Self { buffer, x: area.x, right, y: area.y.saturating_add(row), over: Style::new() }
    }

    /// The same, and the whole row in a style.
    pub fn over(mut self, over: Style) -> Self {
        if self.right > self.x {
            let row = Rect { x: self.x, y: self.y, width: self.right - self.x, height: 1 };
            self.buffer.set_style(row, over);
        }
        self.over = over;
        self
    }

    /// A style that keeps nothing of what was drawn there before, such as a border.
    fn style(&self, style: Style) -> Style {
        Style::reset().patch(style).patch(self.over)
    }

    /// How many cells are left.
    pub fn left(&self) -> usize {
        usize::from(self.right.saturating_sub(self.x))
    }

    /// Where the next text goes.
    pub fn x(&self) -> u16 {
        self.x
    }

    /// Writes a text, as much as there is room for.
    pub fn text(&mut self, text: &str, style: Style) -> &mut Self {
        let most = self.left();
        self.at_most(text, most, style)
    }

    /// Writes at most so many cells of a text.
    pub fn at_most(&mut self, text: &str, most: usize, style: Style) -> &mut Self {
        let most = most.min(self.left());
        if most > 0 {
            let (x, _) = self.buffer.set_stringn(self.x, self.y, fit(text, most), most, self.style(style));
            self.x = x;
        }
        self
    }

    /// Writes a text into a column: cut to its width, and blanks up to that.
    pub fn column(&mut self, text: &str, width: usize, style: Style) -> &mut Self {
        let end = self.x.saturating_add(u16::try_from(width).unwrap_or(u16::MAX)).min(self.right);
        self.at_most(text, width, style);
        self.x = end.max(self.x);
        self
    }

    /// Leaves cells free.
    pub fn skip(&mut self, cells: u16) -> &mut Self {
        self.x = self.x.saturating_add(cells).min(self.right);
        self
    }

    /// Writes a text at the right end, if what is left has room for it; what follows goes before it.
    pub fn right(&mut self, text: &str, style: Style) -> &mut Self {
        let safe = safe_text::line(text);
        let width = safe.width();
        if width > 0 && width < self.left() {
            let x = self.right - u16::try_from(width).unwrap_or(0);
            self.buffer.set_stringn(x, self.y, &safe, width, self.style(style));
            self.right = x.saturating_sub(1);
        }
        self
    }
}

/// How many cells a text takes.
pub fn cells(text: &str) -> u16 {
    u16::try_from(safe_text::line(text).width()).unwrap_or(u16::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_is_cut_to_its_room_and_harmless() {
        assert_eq!(fit("merge queue", 20), "merge queue");
        assert_eq!(fit("merge queue", 7), "merge …");
        assert_eq!(fit("日本語", 4), "日…");
        assert_eq!(fit("a\u{1b}[2Jb", 20), "a\\u{1b}[2Jb");
        assert_eq!(fit("abc", 0), "");
        let area = Rect::new(0, 0, 12, 1);
        let mut buffer = Buffer::empty(area);
        Pen::at(&mut buffer, area, 0)
            .right("end", Style::new())
            .column("id", 4, Style::new())
            .text("words", Style::new());
        let text: String = buffer.content().iter().map(ratatui::buffer::Cell::symbol).collect();
        assert_eq!(text, "id  wor… end");
        Pen::at(&mut buffer, area, 3).text("outside", Style::new());
    }
}
