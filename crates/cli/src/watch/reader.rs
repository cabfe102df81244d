//! A text that is read: lines of blocks, which may be folded, scrolled in a window whose size the screen tells it.
//!
//! It knows nothing of what the text is. Lines are broken when the width is known, and only the new ones when text comes.

use unicode_segmentation::UnicodeSegmentation;
use unicode_width::UnicodeWidthStr;

use super::theme::Tone;
use crate::safe_text;

/// A piece of text with one head, and a body that may be folded.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Block {
    /// What is seen of it always, line by line.
    pub head: Vec<(Tone, String)>,
    /// What is seen when it is opened.
    pub body: Vec<(Tone, String)>,
    /// Whether the body is seen.
    pub open: bool,
}

impl Block {
    /// A block of one line.
    pub fn line(tone: Tone, text: impl Into<String>) -> Self {
        Self { head: vec![(tone, text.into())], ..Self::default() }
    }

    /// A text of several lines.
    pub fn text(tone: Tone, text: &str) -> impl Iterator<Item = Self> {
        text.lines().map(move |line| Self::line(tone, line))
    }
}

/// A line as it is drawn.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Laid {
    /// How it looks.
    pub tone: Tone,
    /// What it says, harmless and no wider than the window.
    pub text: String,
    /// The block that it is of.
    block: usize,
}

/// A text and where somebody is in it.
#[derive(Debug, Clone, Default)]
pub struct Reader {
    blocks: Vec<Block>,
    /// Whether the last block is one that will be another.
    has_draft: bool,
    laid: Vec<Laid>,
    /// How many blocks are laid.
    done: usize,
    width: usize,
    height: usize,
    top: usize,
    cursor: usize,
    /// Whether it stays at its end when more comes.
    follows: bool,
    /// The end of what was on the screen, in lines: whoever approves something shall have seen all of it.
    seen: usize,
    /// Whether all of its text is there.
    whole: bool,
}

impl Reader {
    /// A whole text, from its beginning.
    pub fn new(blocks: Vec<Block>) -> Self {
        Self { blocks, whole: true, ..Self::default() }
    }

    /// A text that grows, at its end.
    pub fn at_end() -> Self {
        Self { follows: true, ..Self::default() }
    }

    /// Adds text at the end.
    pub fn push(&mut self, blocks: impl IntoIterator<Item = Block>) {
        self.blocks.extend(blocks);
        self.lay();
    }

    /// Adds text at the end that will be another one: [`cut_off_draft`](Self::cut_off_draft) takes it away.
    pub fn push_draft(&mut self, block: Option<Block>) {
        self.has_draft = block.is_some();
        self.push(block);
    }

    /// Takes the draft away, if there is one.
    pub fn cut_off_draft(&mut self) {
        if std::mem::take(&mut self.has_draft) && self.blocks.pop().is_some() {
            self.unlay(self.blocks.len());
        }
    }

    /// Another text in the same place, for something that has changed while it is looked at.
    pub fn replace(&mut self, blocks: Vec<Block>) {
        if self.blocks != blocks {
            (self.blocks, self.has_draft) = (blocks, false);
            self.unlay(0);
            self.lay();
        }
        self.whole = true;
    }

    /// The blocks alone.
    pub fn into_blocks(self) -> Vec<Block> {
        self.blocks
    }

    /// Tells it how large its window is.
    pub fn window(&mut self, width: u16, height: u16) {
        let width = usize::from(width).max(4);
        self.height = usize::from(height).max(1);
        if width != self.width {
            self.width = width;
            let block = self.laid.get(self.cursor).map(|line| line.block);
            self.unlay(0);
            self.lay();
            let found = block.and_then(|block| self.laid.iter().position(|line| line.block == block));
            self.cursor = found.unwrap_or(0);
        }
        self.lay();
        if self.follows {
            self.cursor = self.laid.len().saturating_sub(1);
        }
        self.settle();
        let end = self.top + self.height;
        // Only what follows on what was seen is seen: whoever jumps to the end has not read what is between.
        if self.top <= self.seen {
            self.seen = self.seen.max(end.min(self.laid.len()));
        }
    }

    /// The lines in the window, with whether each is the one of the cursor.
    pub fn lines(&self) -> impl Iterator<Item = (&Laid, bool)> {
        let lines = self.laid.iter().enumerate().skip(self.top).take(self.height);
        lines.map(|(place, line)| (line, place == self.cursor))
    }

    /// Whether all of it was on the screen.
    pub fn was_read(&self) -> bool {
        self.whole && self.seen >= self.laid.len() && self.width > 0
    }

    /// To where it was not seen yet.
    pub fn go_to_unseen(&mut self) {
        self.cursor = self.seen.min(self.laid.len().saturating_sub(1));
        self.top = self.cursor;
        self.settle();
    }

    /// Whether it stays at its end.
    pub fn follows(&self) -> bool {
        self.follows
    }

    /// Where the window is: the first line of it, and how many lines there are.
    pub fn place(&self) -> (usize, usize) {
        (self.top, self.laid.len())
    }

    /// How much of it is on or above the screen, in percent.
    pub fn percent(&self) -> usize {
        let end = (self.top + self.height).min(self.laid.len());
        (end * 100).checked_div(self.laid.len()).unwrap_or(100)
    }

    /// Moves by lines: the cursor, and the window with it where it would leave that.
    pub fn move_by(&mut self, lines: isize) {
        let last = self.laid.len().saturating_sub(1);
        self.cursor = self.cursor.saturating_add_signed(lines).min(last);
        self.follows = self.follows && lines >= 0;
        self.settle();
    }

    /// Scrolls by lines; the cursor stays in the window.
    pub fn scroll_by(&mut self, lines: isize) {
        let most = self.laid.len().saturating_sub(self.height);
        self.top = self.top.saturating_add_signed(lines).min(most);
        self.follows = self.follows && lines >= 0;
        self.cursor = self.cursor.clamp(self.top, (self.top + self.height).saturating_sub(1));
        self.cursor = self.cursor.min(self.laid.len().saturating_sub(1));
    }

    /// Scrolls by windows, and leaves one line of what was seen.
    pub fn page_by(&mut self, pages: isize) {
        let lines = isize::try_from(self.height.saturating_sub(1).max(1)).unwrap_or(1);
        self.scroll_by(pages.saturating_mul(lines));
        self.cursor = if pages < 0 {
            self.top
        } else {
            (self.top + self.height).saturating_sub(1).min(self.laid.len().saturating_sub(1))
        };
    }

    /// To the beginning.
    pub fn go_to_start(&mut self) {
        (self.top, self.cursor, self.follows) = (0, 0, false);
    }

    /// To the end, where it stays if it grows.
    pub fn go_to_end(&mut self, stays: bool) {
        self.cursor = self.laid.len().saturating_sub(1);
        self.follows = stays;
        self.settle();
    }

    /// Opens or folds the block of the cursor; `false` if it has nothing to open.
    pub fn toggle(&mut self) -> bool {
        let Some(place) = self.laid.get(self.cursor).map(|line| line.block) else { return false };
        let Some(block) = self.blocks.get_mut(place).filter(|block| !block.body.is_empty()) else {
            return false;
        };
        block.open = !block.open;
        self.follows = false;
        self.unlay(place);
        self.lay();
        self.cursor = self.laid.iter().position(|line| line.block == place).unwrap_or(0);
        self.settle();
        true
    }

    /// Opens all blocks, or folds them if all are open.
    pub fn toggle_all(&mut self) {
        let open = self.blocks.iter().any(|block| !block.open && !block.body.is_empty());
        self.blocks.iter_mut().for_each(|block| block.open = open);
        let block = self.laid.get(self.cursor).map(|line| line.block);
        self.unlay(0);
        self.lay();
        let found = block.and_then(|block| self.laid.iter().position(|line| line.block == block));
        self.cursor = found.unwrap_or(0);
        self.settle();
    }

    /// To the next line that holds a text, or the one before; `false` if there is none.
    pub fn find(&mut self, text: &str, forwards: bool) -> bool {
        let wanted = text.to_lowercase();
        let count = self.laid.len();
        if wanted.is_empty() || count == 0 {
            return false;
        }
        let place = |step: usize| match forwards {
            true => (self.cursor + step) % count,
            false => (self.cursor + count - step) % count,
        };
        let holds = |place: &usize| {
            self.laid.get(*place).is_some_and(|line| line.text.to_lowercase().contains(&wanted))
        };
        let Some(found) = (1..=count).map(place).find(holds) else { return false };
        self.cursor = found;
        self.follows = false;
        self.settle();
        true
    }

    /// Keeps the cursor in the text, and the window around the cursor.
    fn settle(&mut self) {
        self.cursor = self.cursor.min(self.laid.len().saturating_sub(1));
        let least = (self.cursor + 1).saturating_sub(self.height);
        self.top = self.top.clamp(least, self.cursor.max(least));
        self.top = self.top.min(self.laid.len().saturating_sub(self.height));
    }

    fn unlay(&mut self, from: usize) {
        let end = self.laid.iter().position(|line| line.block >= from).unwrap_or(self.laid.len());
        self.laid.truncate(end);
        self.done = self.done.min(from);
        self.seen = self.seen.min(end);
    }

    fn lay(&mut self) {
        if self.width == 0 {
            return;
        }
        for (place, block) in self.blocks.iter().enumerate().skip(self.done) {
            let body = block.body.iter().filter(|_| block.open);
            for (tone, text) in block.head.iter().chain(body) {
                let texts = broken(text, self.width);
                self.laid.extend(texts.into_iter().map(|text| Laid { tone: *tone, text, block: place }));
            }
        }
        self.done = self.blocks.len();
    }
}

/// A line in pieces of a width, broken between words where it can be.
pub fn broken(text: &str, width: usize) -> Vec<String> {
    let safe = safe_text::block(text).replace('\t', "    ");
    if safe.len() <= width {
        return vec![safe];
    }
    let (mut pieces, mut piece, mut column) = (Vec::new(), String::new(), 0);
    for word in safe.split_word_bounds() {
        let cells = word.width();
        if column + cells <= width {
            piece += word;
            column += cells;
            continue;
        }
        if cells <= width {
            pieces.push(std::mem::take(&mut piece));
            // A blank at which the line was broken is not seen.
            (piece, column) = if word == " " { (String::new(), 0) } else { (word.to_owned(), cells) };
            continue;
        }
        for grapheme in word.graphemes(true) {
            let cells = grapheme.width();
            if column + cells > width {
                pieces.push(std::mem::take(&mut piece));
                column = 0;
            }
            piece += grapheme;
            column += cells;
        }
    }
    if !piece.is_empty() || pieces.is_empty() {
        pieces.push(piece);
    }
    pieces
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(reader: &Reader) -> Vec<String> {
        reader.lines().map(|(line, _)| line.text.clone()).collect()
    }

    #[test]
    fn a_text_counts_as_read_when_all_of_it_was_on_the_screen() {
        let blocks =
            |count: usize| (0..count).map(|n| Block::line(Tone::Plain, format!("line {n}"))).collect();
        let mut reader = Reader::new(blocks(10));
        reader.window(20, 4);
        assert!(!reader.was_read());
        reader.go_to_end(false);
        reader.window(20, 4);
        assert!(!reader.was_read(), "what is between was not seen");
        reader.go_to_start();
        for _ in 0..3 {
            reader.page_by(1);
            reader.window(20, 4);
        }
        assert!(reader.was_read());
        reader.replace(blocks(12));
        reader.window(20, 4);
        assert!(!reader.was_read(), "it is another text now");
        let mut short = Reader::new(blocks(2));
        short.window(20, 4);
        assert!(short.was_read());
    }

    #[test]
    fn blocks_are_folded_and_the_end_is_followed() {
        let call = || Block {
            body: vec![(Tone::Plain, "output".to_owned())],
            ..Block::line(Tone::Active, "> call")
        };
        let mut reader = Reader::at_end();
        reader.push([call(), call()]);
        reader.window(20, 2);
        assert_eq!(shown(&reader), ["> call", "> call"]);
        reader.push([Block::line(Tone::Plain, "end")]);
        reader.window(20, 2);
        assert_eq!(shown(&reader), ["> call", "end"]);
        reader.move_by(-1);
        assert!(reader.toggle());
        reader.window(20, 3);
        reader.push([Block::line(Tone::Plain, "more")]);
        assert_eq!(shown(&reader), ["> call", "output", "end"]);
        assert!(reader.find("MORE", true) && !reader.find("nothing", true));
        reader.toggle_all();
        reader.window(20, 9);
        assert_eq!(shown(&reader), ["> call", "output", "> call", "output", "end", "more"]);
    }

    #[test]
    fn what_is_being_said_is_at_the_end_until_it_is_another_text() {
        let mut reader = Reader::at_end();
        reader.push([Block::line(Tone::Plain, "before")]);
        reader.push_draft(Some(Block::line(Tone::Plain, "I lo")));
        reader.window(20, 5);
        assert_eq!(shown(&reader), ["before", "I lo"]);
        reader.cut_off_draft();
        reader.push_draft(Some(Block::line(Tone::Plain, "I look")));
        reader.cut_off_draft();
        reader.push([Block::line(Tone::Plain, "I look."), Block::line(Tone::Active, "> read")]);
        reader.push_draft(None);
        reader.cut_off_draft();
        reader.window(20, 5);
        assert_eq!(shown(&reader), ["before", "I look.", "> read"]);
    }

    #[test]
    fn long_lines_are_broken_between_words() {
        assert_eq!(broken("one two three", 8), ["one two ", "three"]);
        assert_eq!(broken("abcdefgh", 3), ["abc", "def", "gh"]);
        assert_eq!(broken("", 3), [""]);
        assert_eq!(broken("a\u{1b}[2J", 20), ["a\\u{1b}[2J"]);
    }
}
