//! Vectors by what they were made of, in bounded memory: the one that was used longest ago goes first.
//!
//! A hash table over a ring of entries that are linked in the order of their last use; every operation takes
//! constant time. For vectors that can be made again, not for the only copy of anything.

use ecphory_model::Role;
use rustc_hash::FxHashMap;
use sha2::{Digest, Sha256};

/// What one vector was made of: the encoder, the view of the text (which prompt it had), and the text.
///
/// A SHA-256, so that texts of strangers cannot be made to meet.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct ContentKey([u8; 32]);

impl ContentKey {
    /// Digests one text; the fingerprint has a fixed length, so that bytes cannot move between the parts.
    pub fn new(fingerprint: &str, role: Role, text: &str) -> Self {
        let mut digest = Sha256::new();
        digest.update(fingerprint.as_bytes());
        digest.update(match role {
            Role::Query => b"\0query\0".as_slice(),
            Role::Document => b"\0document\0",
        });
        digest.update(text.as_bytes());
        Self(digest.finalize().into())
    }
}

/// What an entry takes besides its values at worst, just after the list and the table have doubled: twice 64 bytes
/// of key, links and pointer, two and a quarter times 41 of key, place and mark, and what the allocator adds.
pub(super) const ENTRY_BYTES: usize = 240;

/// No entry.
const NONE: usize = usize::MAX;

struct Entry {
    key: ContentKey,
    vector: Box<[f32]>,
    older: usize,
    newer: usize,
}

/// Vectors, the least recently used of which make room for others.
pub(super) struct VectorCache {
    bytes_max: usize,
    bytes: usize,
    places: FxHashMap<ContentKey, usize>,
    entries: Vec<Entry>,
    oldest: usize,
    newest: usize,
    evicted: u64,
}

impl VectorCache {
    /// Makes an empty cache that takes so many bytes at most.
    pub fn new(bytes_max: usize) -> Self {
        Self {
            bytes_max,
            bytes: 0,
            places: FxHashMap::default(),
            entries: Vec::new(),
            oldest: NONE,
            newest: NONE,
            evicted: 0,
        }
    }

    /// Returns how many bytes the entries take.
    pub fn bytes(&self) -> usize {
        self.bytes
    }

    /// Returns how many entries had to go.
    pub fn evicted(&self) -> u64 {
        self.evicted
    }

    /// Returns a vector, which counts as used now.
    pub fn get(&mut self, key: &ContentKey) -> Option<&[f32]> {
        let place = *self.places.get(key)?;
        self.unlink(place);
        self.link_newest(place);
        Some(&self.entries[place].vector)
    }

    /// Keeps a vector, unless it is there or is larger than everything may be.
    pub fn insert(&mut self, key: ContentKey, vector: &[f32]) {
        let bytes = entry_bytes(vector);
        if bytes > self.bytes_max || self.get(&key).is_some() {
            return;
        }
        while self.bytes + bytes > self.bytes_max {
            self.evict_oldest();
        }
        let place = self.entries.len();
        self.entries.push(Entry { key, vector: vector.into(), older: NONE, newer: NONE });
        self.places.insert(key, place);
        self.link_newest(place);
        self.bytes += bytes;
    }

    fn evict_oldest(&mut self) {
        let place = self.oldest;
        self.unlink(place);
        let entry = self.entries.swap_remove(place);
        self.places.remove(&entry.key);
        self.bytes -= entry_bytes(&entry.vector);
        self.evicted += 1;
        // The entry that was last has moved into the gap.
        if let Some(moved) = self.entries.get(place) {
            let (key, older, newer) = (moved.key, moved.older, moved.newer);
            self.places.insert(key, place);
            self.set_newer(older, place);
            self.set_older(newer, place);
        }
    }

    fn unlink(&mut self, place: usize) {
        let (older, newer) = (self.entries[place].older, self.entries[place].newer);
        self.set_newer(older, newer);
        self.set_older(newer, older);
    }

    fn link_newest(&mut self, place: usize) {
        let before = self.newest;
        self.entries[place].older = before;
        self.entries[place].newer = NONE;
        self.set_newer(before, place);
        self.newest = place;
    }

    /// Says which entry comes after `place`; before the first comes `oldest`.
    fn set_newer(&mut self, place: usize, newer: usize) {
        match self.entries.get_mut(place) {
            Some(entry) => entry.newer = newer,
            None => self.oldest = newer,
        }
    }

    /// Says which entry comes before `place`; after the last comes `newest`.
    fn set_older(&mut self, place: usize, older: usize) {
        match self.entries.get_mut(place) {
            Some(entry) => entry.older = older,
            None => self.newest = older,
        }
    }
}

/// Returns what a vector takes in the cache.
fn entry_bytes(vector: &[f32]) -> usize {
    size_of_val(vector) + ENTRY_BYTES
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn key(number: u32) -> ContentKey {
        ContentKey::new("model", Role::Document, &number.to_string())
    }

    #[test]
    fn keys_differ_by_model_view_and_text() {
        let one = ContentKey::new("m", Role::Query, "text");
        assert_eq!(one, ContentKey::new("m", Role::Query, "text"));
        assert_ne!(one, ContentKey::new("m", Role::Document, "text"));
        assert_ne!(one, ContentKey::new("n", Role::Query, "text"));
        assert_ne!(one, ContentKey::new("m", Role::Query, "texts"));
    }

    #[test]
    fn what_is_larger_than_the_cache_is_not_kept() {
        let mut cache = VectorCache::new(ENTRY_BYTES + 8);
        cache.insert(key(1), &[1.0, 2.0]);
        cache.insert(key(2), &[1.0, 2.0, 3.0]);
        assert_eq!(cache.get(&key(1)), Some(&[1.0, 2.0][..]));
        assert_eq!(cache.get(&key(2)), None);
        let mut none = VectorCache::new(0);
        none.insert(key(1), &[]);
        assert_eq!(none.get(&key(1)), None);
        assert_eq!(none.bytes(), 0);
    }

    proptest! {
        /// Against a list in the order of use, from which the first is taken until there is room.
        #[test]
        fn equals_a_list_in_the_order_of_use(
            steps in proptest::collection::vec((any::<bool>(), 0u32..12, 0usize..40), 0..200),
        ) {
            let bytes_max = 5 * (ENTRY_BYTES + 80);
            let mut cache = VectorCache::new(bytes_max);
            let mut list: Vec<(u32, Vec<f32>)> = Vec::new();
            for (insert, number, length) in steps {
                let known = list.iter().position(|(other, _)| *other == number);
                if let Some(known) = known {
                    let used = list.remove(known);
                    list.push(used);
                }
                if insert {
                    let vector = vec![number as f32; length];
                    cache.insert(key(number), &vector);
                    if known.is_none() {
                        list.push((number, vector));
                    }
                    let bytes = |list: &[(u32, Vec<f32>)]| {
                        list.iter().map(|(_, vector)| entry_bytes(vector)).sum::<usize>()
                    };
                    while bytes(&list) > bytes_max {
                        list.remove(0);
                    }
                    prop_assert_eq!(cache.bytes(), bytes(&list));
                } else {
                    let expected = list.iter().find(|(other, _)| *other == number);
                    prop_assert_eq!(cache.get(&key(number)), expected.map(|(_, v)| &v[..]));
                }
                prop_assert!(cache.bytes() <= bytes_max);
            }
        }
    }
}
