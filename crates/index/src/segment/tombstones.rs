//! The dead documents of a segment: a bit each, copied when written to.
//!
//! Bits come in chunks of 65,536 documents that copies share, so that one more dead document costs 8 KiB
//! of copying whatever the segment's size. On disk a set is a part of its own, replaced as a whole: the
//! number of that part in the manifest is the set's version.

use std::sync::{Arc, OnceLock};

use ecphory_core::storage::Storage;
use ecphory_core::{DocNo, DocSet, ones};
use ecphory_kernels::postings::CHUNK;
use zerocopy::byteorder::little_endian::U32;
use zerocopy::{FromBytes, IntoBytes};

use super::bm25::Bm25Part;
use super::publish_part;
use crate::Result;
use crate::format::manifest::PartEntry;
use crate::format::part::{PartFile, PartIdentity, SectionKind};

type Words = [u64; CHUNK / 64];

/// A set of dead documents.
#[derive(Clone, Debug, Default)]
pub(crate) struct Tombstones {
    chunks: Vec<Option<Arc<Words>>>,
    count: u32,
    /// By bm25 channel: what the dead take away from its statistics. Computed when first asked for.
    lost: Vec<OnceLock<Lost>>,
}

/// What dead documents take away from the statistics of a BM25 channel.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Lost {
    /// Dead documents with at least one term.
    pub documents: u64,
    /// The sum of their lengths.
    pub length: u64,
}

impl Lost {
    fn with(self, length: u32) -> Self {
        Self {
            documents: self.documents + u64::from(length > 0),
            length: self.length + u64::from(length),
        }
    }
}

impl Tombstones {
    /// Makes an empty set for a segment of a collection with this many channels.
    pub fn new(channels: usize) -> Self {
        Self { chunks: Vec::new(), count: 0, lost: vec![OnceLock::new(); channels] }
    }

    /// Returns the same set for a collection with another number of channels.
    pub fn for_channels(&self, channels: usize) -> Self {
        let mut set = self.clone();
        set.lost.resize_with(channels, OnceLock::new);
        set
    }

    /// Returns how many documents are dead.
    pub fn count(&self) -> u32 {
        self.count
    }

    /// Returns the bytes in memory.
    pub fn bytes(&self) -> u64 {
        (self.chunks.iter().flatten().count() * size_of::<Words>()) as u64
    }

    /// Returns whether a document is dead.
    #[inline]
    pub fn contains(&self, doc: u32) -> bool {
        self.chunk(doc as usize / CHUNK).is_some_and(|words| holds(words, doc as usize % CHUNK))
    }

    /// Returns the bits of a chunk; `None` where all of its documents live.
    #[inline]
    pub fn chunk(&self, chunk: usize) -> Option<&Words> {
        self.chunks.get(chunk)?.as_deref()
    }

    /// Adds a document, whose length in each BM25 channel is `length(channel)`; false where it was dead.
    pub fn insert(&mut self, doc: u32, length: &dyn Fn(usize) -> u32) -> bool {
        let (chunk, place) = (doc as usize / CHUNK, doc as usize % CHUNK);
        if self.chunks.len() <= chunk {
            self.chunks.resize(chunk + 1, None);
        }
        let words = self.chunks[chunk].get_or_insert_with(|| Arc::new([0; CHUNK / 64]));
        if holds(words, place) {
            return false;
        }
        Arc::make_mut(words)[place / 64] |= 1 << (place % 64);
        self.count += 1;
        for (channel, lost) in self.lost.iter_mut().enumerate() {
            if let Some(known) = lost.take() {
                *lost = OnceLock::from(known.with(length(channel)));
            }
        }
        true
    }

    /// Yields the dead in order; words without any are passed at the speed of the memory.
    pub fn iter(&self) -> impl Iterator<Item = u32> + '_ {
        self.chunks.iter().zip((0u32..).step_by(CHUNK)).flat_map(|(chunk, first)| {
            let words = chunk.iter().flat_map(|words| words.iter());
            let words = words.zip((first..).step_by(64));
            words.flat_map(|(&word, first)| ones(word).map(move |bit| first + bit))
        })
    }

    /// Removes the dead from a set of the segment's documents.
    pub fn subtract_from(&self, set: &mut DocSet) {
        for (chunk, place) in self.chunks.iter().zip((0..).step_by(CHUNK / 64)) {
            if let Some(words) = chunk {
                set.remove_words(place, &words[..]);
            }
        }
    }

    /// Returns what the dead take away from the statistics of a BM25 channel.
    pub fn lost(&self, channel: usize, part: &Bm25Part) -> Lost {
        let sum = || {
            self.iter().fold(Lost::default(), |sum, doc| sum.with(part.document_length(DocNo(doc))))
        };
        *self.lost[channel].get_or_init(sum)
    }

    /// Writes the set as a part.
    pub fn write(&self, storage: &dyn Storage, identity: PartIdentity) -> Result<PartEntry> {
        let docs: Vec<U32> = self.iter().map(U32::new).collect();
        publish_part(storage, identity, None, &[(SectionKind::Dead, vec![docs.as_bytes()])])
    }

    /// Reads a part.
    pub fn read(file: &PartFile, channels: usize) -> Result<Self> {
        let bytes = file.checked(SectionKind::Dead)?;
        let docs = <[U32]>::ref_from_bytes(&bytes);
        let sorted = |docs: &[U32]| docs.windows(2).all(|pair| pair[0].get() < pair[1].get());
        let sound = |docs: &&[U32]| {
            sorted(docs) && docs.last().is_none_or(|last| last.get() < file.documents)
        };
        let Some(docs) = docs.ok().filter(sound) else {
            return Err(file.corrupt(SectionKind::Dead, 0, "the dead documents are out of order"));
        };
        let mut set = Self::new(channels);
        for doc in docs {
            set.insert(doc.get(), &|_| 0);
        }
        Ok(set)
    }
}

#[inline]
fn holds(words: &Words, place: usize) -> bool {
    words[place / 64] >> (place % 64) & 1 == 1
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::BTreeSet;

    proptest! {
        #[test]
        fn behaves_as_a_set_and_copies_do_not_see_later_deaths(
            first in proptest::collection::btree_set(0u32..200_000, 0..40),
            second in proptest::collection::btree_set(0u32..200_000, 0..40),
        ) {
            let mut set = Tombstones::new(0);
            for &doc in &first {
                prop_assert!(set.insert(doc, &|_| 0));
            }
            let before = set.clone();
            for &doc in &second {
                prop_assert_eq!(set.insert(doc, &|_| 0), !first.contains(&doc));
            }
            let all: BTreeSet<u32> = first.union(&second).copied().collect();
            prop_assert_eq!(set.iter().collect::<BTreeSet<_>>(), all.clone());
            prop_assert_eq!(set.count() as usize, all.len());
            prop_assert_eq!(before.iter().collect::<BTreeSet<_>>(), first.clone());
            for doc in (0..200_000).step_by(97).chain(all.clone()) {
                let dead = first.contains(&doc) || second.contains(&doc);
                prop_assert_eq!(set.contains(doc), dead);
            }
            // A segment may end within a word, and tombstones have words for whole chunks.
            let documents = 150_001;
            let mut living = DocSet::full(documents);
            set.subtract_from(&mut living);
            let expected = (0..documents as u32).filter(|doc| !all.contains(doc));
            prop_assert!(living.iter().map(|doc| doc.0).eq(expected));
        }
    }
}
