//! Which documents of a segment live on in a merged one, and under which numbers.

use super::tombstones::Tombstones;

/// From a segment's document numbers to those of the merged segment. Four bytes a document where any is
/// dead, nothing where all live.
#[derive(Debug)]
pub(crate) struct Survivors {
    /// The merged segment's number of the first survivor.
    pub first: u32,
    /// How many survive.
    pub count: u32,
    documents: u32,
    /// New numbers by old ones, [`DEAD`] for the dead; `None` where all survive.
    numbers: Option<Vec<u32>>,
}

const DEAD: u32 = u32::MAX;

impl Survivors {
    /// Numbers the documents that are not dead from `first` on.
    pub fn new(documents: u32, dead: &Tombstones, first: u32) -> Self {
        if dead.count() == 0 {
            return Self { first, count: documents, documents, numbers: None };
        }
        let mut next = first;
        let mut numbers = vec![DEAD; documents as usize];
        for (number, old) in numbers.iter_mut().zip(0..) {
            if !dead.contains(old) {
                *number = next;
                next += 1;
            }
        }
        Self { first, count: next - first, documents, numbers: Some(numbers) }
    }

    /// Returns a document's new number; `None` for a dead one.
    #[inline]
    pub fn new_number(&self, old: u32) -> Option<u32> {
        match &self.numbers {
            None => Some(self.first + old),
            Some(numbers) => Some(numbers[old as usize]).filter(|&new| new != DEAD),
        }
    }

    /// Returns whether every document survives.
    pub fn all(&self) -> bool {
        self.numbers.is_none()
    }

    /// Yields the old numbers of the survivors, in order.
    pub fn iter(&self) -> impl Iterator<Item = u32> + '_ {
        (0..self.documents).filter(|&old| self.new_number(old).is_some())
    }
}
