//! Independent crops: Izacard et al. 2022.

use super::ViewPair;
use crate::random::Random;

/// Two spans of a text, each of a length of its own and anywhere: they may overlap, which teaches that equal words count.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Crop {
    /// The least share of the text that a span has.
    pub least: f64,
    /// The most.
    pub most: f64,
}

impl Default for Crop {
    fn default() -> Self {
        Self { least: 0.1, most: 0.5 }
    }
}

impl Crop {
    /// Cuts both spans.
    pub(super) fn pair(self, pieces: &[u32], random: &mut Random) -> ViewPair {
        let query = self.span(pieces, random).to_vec();
        ViewPair { query, document: self.span(pieces, random).to_vec() }
    }

    /// A span whose share of the text is uniform between the two, rounded down, and one piece at least; every place is as likely.
    fn span<'p>(self, pieces: &'p [u32], random: &mut Random) -> &'p [u32] {
        let share = self.least + (self.most - self.least) * random.unit();
        let length = ((share * pieces.len() as f64) as usize).clamp(1, pieces.len());
        let first = random.below(pieces.len() - length + 1);
        &pieces[first..first + length]
    }
}
