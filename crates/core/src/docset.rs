//! A set of the documents of one segment: what a filter selects, what lives.

use crate::DocNo;

/// A set of document numbers below a fixed length, one bit each.
///
/// Membership is one shift and mask, so a scan can ask for every document; memory is `len / 8` bytes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DocSet {
    words: Vec<u64>,
    len: usize,
}

impl DocSet {
    /// Makes an empty set over documents `0..len`.
    pub fn new(len: usize) -> Self {
        Self { words: vec![0; len.div_ceil(64)], len }
    }

    /// Makes the set of all documents `0..len`.
    pub fn full(len: usize) -> Self {
        let mut set = Self { words: vec![u64::MAX; len.div_ceil(64)], len };
        set.clear_tail();
        set
    }

    /// Makes a set over documents `0..len` from its bits, 64 documents a word; bits past `len` are dropped.
    ///
    /// # Panics
    /// Where there are not exactly as many words as `len` documents take.
    pub fn from_words(words: Vec<u64>, len: usize) -> Self {
        assert_eq!(words.len(), len.div_ceil(64), "a set of {len} documents");
        let mut set = Self { words, len };
        set.clear_tail();
        set
    }

    /// Returns the number of documents the set ranges over (not how many it holds).
    pub fn universe(&self) -> usize {
        self.len
    }

    /// Adds a document.
    ///
    /// # Panics
    /// Where `doc` is outside `0..len`.
    pub fn insert(&mut self, doc: DocNo) {
        assert!(doc.index() < self.len, "document {doc} is outside 0..{}", self.len);
        self.words[doc.index() / 64] |= 1 << (doc.index() % 64);
    }

    /// Removes a document; nothing happens where it is not there.
    pub fn remove(&mut self, doc: DocNo) {
        if let Some(word) = self.words.get_mut(doc.index() / 64) {
            *word &= !(1 << (doc.index() % 64));
        }
    }

    /// Removes documents given by their bits, 64 a word, of which the first word is the set's word `first`. Those
    /// outside of the set are passed over.
    pub fn remove_words(&mut self, first: usize, words: &[u64]) {
        for (word, removed) in self.words.iter_mut().skip(first).zip(words) {
            *word &= !removed;
        }
    }

    /// Returns whether the set holds a document; false outside `0..len`.
    #[inline]
    pub fn contains(&self, doc: DocNo) -> bool {
        self.words.get(doc.index() / 64).is_some_and(|word| word >> (doc.index() % 64) & 1 == 1)
    }

    /// Returns how many documents the set holds.
    pub fn count(&self) -> usize {
        self.words.iter().map(|word| word.count_ones() as usize).sum()
    }

    /// Keeps the documents that `other` holds too.
    ///
    /// # Panics
    /// Where the two range over different lengths; the same for [`DocSet::union`].
    pub fn intersect(&mut self, other: &DocSet) {
        self.combine(other, |a, b| a & b);
    }

    /// Adds the documents of `other`.
    pub fn union(&mut self, other: &DocSet) {
        self.combine(other, |a, b| a | b);
    }

    /// Replaces the set by the documents it does not hold.
    pub fn complement(&mut self) {
        for word in &mut self.words {
            *word = !*word;
        }
        self.clear_tail();
    }

    /// Yields the documents in increasing order.
    pub fn iter(&self) -> impl Iterator<Item = DocNo> + '_ {
        self.words
            .iter()
            .enumerate()
            .flat_map(|(i, &word)| ones(word).map(move |bit| DocNo(i as u32 * 64 + bit)))
    }

    fn combine(&mut self, other: &DocSet, op: impl Fn(u64, u64) -> u64) {
        assert_eq!(self.len, other.len, "sets over different segments");
        for (a, &b) in self.words.iter_mut().zip(&other.words) {
            *a = op(*a, b);
        }
    }

    fn clear_tail(&mut self) {
        if !self.len.is_multiple_of(64)
            && let Some(last) = self.words.last_mut()
        {
            *last &= (1 << (self.len % 64)) - 1;
        }
    }
}

/// Yields the places of the ones in a word, in increasing order, at a cost for each of them only.
pub fn ones(word: u64) -> impl Iterator<Item = u32> {
    let words = std::iter::successors((word != 0).then_some(word), |word| {
        let rest = word & (word - 1);
        (rest != 0).then_some(rest)
    });
    words.map(u64::trailing_zeros)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::BTreeSet;

    fn build(len: usize, docs: &BTreeSet<u32>) -> DocSet {
        let mut set = DocSet::new(len);
        for &doc in docs {
            set.insert(DocNo(doc));
        }
        set
    }

    fn docs(set: &DocSet) -> BTreeSet<u32> {
        set.iter().map(|doc| doc.0).collect()
    }

    proptest! {
        #[test]
        fn behaves_as_a_set(
            len in 1usize..200,
            a in proptest::collection::btree_set(0u32..200, 0..40),
            b in proptest::collection::btree_set(0u32..200, 0..40),
        ) {
            let fits = |s: &BTreeSet<u32>| -> BTreeSet<u32> {
                s.iter().copied().filter(|&d| (d as usize) < len).collect()
            };
            let (a, b) = (fits(&a), fits(&b));
            let (sa, sb) = (build(len, &a), build(len, &b));
            prop_assert_eq!(docs(&sa), a.clone());
            prop_assert_eq!(sa.count(), a.len());
            let mut both = sa.clone();
            both.intersect(&sb);
            prop_assert_eq!(docs(&both), a.intersection(&b).copied().collect::<BTreeSet<_>>());
            let mut either = sa.clone();
            either.union(&sb);
            prop_assert_eq!(docs(&either), a.union(&b).copied().collect::<BTreeSet<_>>());
            let mut rest = sa.clone();
            for &doc in &b {
                rest.remove(DocNo(doc));
            }
            prop_assert_eq!(docs(&rest), a.difference(&b).copied().collect::<BTreeSet<_>>());
            let mut rest = sa.clone();
            let (first, removed) = (b.len() % 4, build(200, &b).words);
            rest.remove_words(first, &removed);
            let moved: BTreeSet<u32> = b.iter().map(|doc| doc + 64 * first as u32).collect();
            prop_assert_eq!(docs(&rest), a.difference(&moved).copied().collect::<BTreeSet<_>>());
            let mut not = sa.clone();
            not.complement();
            prop_assert_eq!(docs(&not), (0..len as u32).filter(|d| !a.contains(d)).collect::<BTreeSet<_>>());
            prop_assert_eq!(DocSet::full(len).count(), len);
            prop_assert_eq!(DocSet::from_words(vec![u64::MAX; len.div_ceil(64)], len), DocSet::full(len));
            prop_assert!(!sa.contains(DocNo(len as u32)));
        }
    }
}
