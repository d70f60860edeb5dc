//! What tells one kind of attention from another: heads, positions, and who sees whom.

use std::ops::Range;

use crate::relative::RelativeBias;
use crate::rotary::Rotary;

/// The attention of a layer. A row of its input has the queries of all heads, then the keys, then the values.
#[derive(Clone)]
pub(crate) struct Attention {
    /// Heads of queries.
    pub(crate) heads: usize,
    /// Heads of keys and of values; each is shared by `heads / kv_heads` heads of queries (Ainslie et al. 2023).
    pub(crate) kv_heads: usize,
    /// The values of one head.
    pub(crate) width: usize,
    /// Turns queries and keys by their position.
    pub(crate) rotary: Option<Rotary>,
    /// Is added to the scores.
    pub(crate) bias: Option<RelativeBias>,
    /// Which tokens a token sees.
    pub(crate) reach: Reach,
}

/// Which tokens of its sequence a token sees.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Reach {
    /// All.
    All,
    /// Those at most so many places away, on both sides.
    Window(usize),
    /// Itself and those before it.
    Causal,
}

impl Reach {
    /// Returns the tokens that token `index` of a sequence of `length` sees.
    pub(crate) fn of(self, index: usize, length: usize) -> Range<usize> {
        match self {
            Reach::All => 0..length,
            Reach::Window(side) => index.saturating_sub(side)..length.min(index + side + 1),
            Reach::Causal => 0..index + 1,
        }
    }
}

impl Attention {
    /// Attention of every token to all, with as many heads of keys and values as of queries.
    pub(crate) fn full(heads: usize, width: usize) -> Self {
        Self { heads, kv_heads: heads, width, rotary: None, bias: None, reach: Reach::All }
    }

    /// Returns the head of keys and values that a head of queries uses.
    pub(crate) fn shared(&self, head: usize) -> usize {
        head * self.kv_heads / self.heads
    }

    /// Returns what scores are multiplied by.
    pub(crate) fn scale(&self) -> f32 {
        1.0 / (self.width as f32).sqrt()
    }

    /// Returns how many values a row of the input has.
    pub(crate) fn columns(&self) -> usize {
        (self.heads + 2 * self.kv_heads) * self.width
    }
}

#[cfg(test)]
mod tests {
    use super::Reach;

    #[test]
    fn reaches() {
        assert_eq!(Reach::All.of(3, 5), 0..5);
        assert_eq!(Reach::Causal.of(3, 5), 0..4);
        assert_eq!(Reach::Window(1).of(0, 5), 0..2);
        assert_eq!(Reach::Window(1).of(3, 5), 2..5);
        assert_eq!(Reach::Window(9).of(4, 5), 0..5);
    }
}
