//! Random numbers that a seed gives again (SplitMix64, Steele and others 2014).

/// A generator.
#[derive(Debug, Clone)]
pub struct Seeded(u64);

impl Seeded {
    /// The generator of a seed.
    #[must_use]
    pub fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// A generator of its own for the part with this number.
    #[must_use]
    pub fn branch(&self, number: u64) -> Self {
        let mut branch = Self(self.0 ^ number.wrapping_mul(0xA24B_AED4_963E_E407));
        branch.number();
        branch
    }

    /// Any number.
    pub fn number(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        mixed ^ (mixed >> 31)
    }

    /// A number below `bound`, which is not 0.
    pub fn below(&mut self, bound: u64) -> u64 {
        self.number() % bound.max(1)
    }

    /// A number below `bound`, as an index.
    pub fn index(&mut self, bound: usize) -> usize {
        usize::try_from(self.below(bound as u64)).unwrap_or_default()
    }

    /// A length from `from` to `to`, each doubling as likely as the others.
    pub fn length(&mut self, from: u64, to: u64) -> usize {
        let doublings = u64::from((to / from.max(1)).max(1).ilog2()) + 1;
        let low = from << self.below(doublings);
        usize::try_from((low + self.below(low)).min(to)).unwrap_or_default()
    }

    /// A text of so many bytes, with characters of several bytes and quotes in it.
    pub fn text(&mut self, length: usize) -> String {
        const PIECES: [&str; 8] =
            ["work ", "\"quoted\" ", "ü", "line\n", "\\ ", "{\"a\":1}", "0123456789", "日本 "];
        let mut text = String::with_capacity(length + 16);
        while text.len() < length {
            text.push_str(PIECES[self.index(PIECES.len())]);
        }
        while text.len() > length {
            text.pop();
        }
        while text.len() < length {
            text.push('.');
        }
        text
    }
}
