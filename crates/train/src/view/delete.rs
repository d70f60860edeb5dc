//! Pieces that a view loses.

use crate::random::Random;

/// Takes pieces out of a view, each with the same probability.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Delete {
    /// That probability, below 1.
    pub share: f64,
}

impl Delete {
    /// Takes them out; of a view that would lose all one piece stays, any of them.
    pub(super) fn apply(self, view: &mut Vec<u32>, random: &mut Random) {
        if view.is_empty() {
            return;
        }
        let kept = view[random.below(view.len())];
        view.retain(|_| random.unit() >= self.share);
        if view.is_empty() {
            view.push(kept);
        }
    }
}
