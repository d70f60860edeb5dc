//! The documents a filter selected, one bit set for each segment of a snapshot.

use ecphory_core::{DocAddress, DocSet};

use crate::{Result, Snapshot};

/// A set of documents of one snapshot; good for that snapshot only.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Selection {
    sets: Vec<DocSet>,
}

impl Snapshot {
    /// Selects documents by their addresses.
    ///
    /// # Errors
    /// [`Error::Address`](crate::Error::Address) for an address of another snapshot.
    pub fn select_addresses(
        &self,
        addresses: impl IntoIterator<Item = DocAddress>,
    ) -> Result<Selection> {
        let segments = self.open_segments().iter();
        let mut sets: Vec<DocSet> =
            segments.map(|segment| DocSet::new(segment.documents as usize)).collect();
        for at in addresses {
            self.check_address(at)?;
            sets[at.segment as usize].insert(at.doc);
        }
        Ok(Selection::from_sets(sets))
    }
}

impl Selection {
    pub(crate) fn from_sets(sets: Vec<DocSet>) -> Self {
        Self { sets }
    }

    /// Returns how many documents are selected.
    pub fn count(&self) -> usize {
        self.sets.iter().map(DocSet::count).sum()
    }

    /// Returns whether a document is selected.
    pub fn contains(&self, at: DocAddress) -> bool {
        self.sets.get(at.segment as usize).is_some_and(|set| set.contains(at.doc))
    }

    /// Yields the selected documents in order.
    pub fn iter(&self) -> impl Iterator<Item = DocAddress> + '_ {
        self.sets
            .iter()
            .zip(0..)
            .flat_map(|(set, segment)| set.iter().map(move |doc| DocAddress { segment, doc }))
    }

    /// Keeps the documents that `other` selects too.
    ///
    /// # Panics
    /// Where the two come from different snapshots.
    pub fn intersect(&mut self, other: &Selection) {
        assert_eq!(self.sets.len(), other.sets.len(), "selections of different snapshots");
        for (set, other) in self.sets.iter_mut().zip(&other.sets) {
            set.intersect(other);
        }
    }

    /// Returns the set of one segment.
    pub fn segment(&self, segment: usize) -> Option<&DocSet> {
        self.sets.get(segment)
    }

    /// Returns whether the sets range over segments of these sizes.
    pub(crate) fn fits(&self, documents: impl ExactSizeIterator<Item = u32>) -> bool {
        self.sets.len() == documents.len()
            && self.sets.iter().zip(documents).all(|(set, n)| set.universe() == n as usize)
    }
}
