//! The dictionary of a BM25 part: an `fst` map from each term to its rank in the order of bytes.
//!
//! The crate `fst` trusts the bytes it is given: on others it panics, or walks in circles. So all nodes are
//! checked before it sees them, in one pass from the last to the first, about 20 ns for each; that also bounds
//! what a walk over the terms can cost.

use ecphory_core::storage::Bytes;

/// A checked dictionary.
pub(super) struct Dictionary {
    map: fst::Map<Bytes>,
    terms: u64,
}

/// The terms in order.
pub(super) struct Terms<'a> {
    stream: fst::map::Stream<'a>,
    next: u64,
    end: u64,
}

impl Dictionary {
    /// Takes the bytes of a map with so many terms; `None` where they are none.
    pub fn new(bytes: Bytes, terms: u64) -> Option<Self> {
        check(&bytes, terms)?;
        fst::Map::new(bytes).ok().map(|map| Self { map, terms })
    }

    /// Looks a term's rank up.
    pub fn rank(&self, term: &str) -> Option<u64> {
        self.map.get(term)
    }

    /// Returns the ranks of the terms that begin so.
    pub fn beginning_with(&self, prefix: &str) -> std::ops::Range<u64> {
        use fst::{IntoStreamer, Streamer};
        let mut stream = self.map.range().ge(prefix).into_stream();
        let mut ranks = 0..0;
        while let Some((term, rank)) = stream.next()
            && term.starts_with(prefix.as_bytes())
        {
            let first = if ranks.is_empty() { rank } else { ranks.start };
            // Whatever a damaged dictionary holds, the ranks stay those of terms.
            ranks = first..(rank + 1).min(self.terms);
        }
        ranks
    }

    /// Returns all terms.
    pub fn terms(&self) -> Terms<'_> {
        Terms { stream: self.map.stream(), next: 0, end: self.terms }
    }
}

impl Terms<'_> {
    /// Returns the next term with its rank; `Err` where there are more or fewer than there should be, or one
    /// has another rank.
    pub fn next(&mut self) -> Result<Option<(&[u8], u64)>, ()> {
        use fst::Streamer;
        match self.stream.next() {
            Some((term, rank)) if rank == self.next && rank < self.end => {
                self.next += 1;
                Ok(Some((term, rank)))
            }
            None if self.next == self.end => Ok(None),
            _ => Err(()),
        }
    }
}

/// Version and type stand before the nodes.
const HEADER: usize = 16;
/// The number of terms, the root's address and a checksum stand behind them.
const FOOTER: usize = 20;
const VERSION: u64 = 3;
/// The address of the node that is final and leads nowhere; it takes no bytes.
const EMPTY: usize = 0;
/// Nodes with more transitions have an index of them.
const INDEXED: usize = 32;

/// Checks that the nodes lie one after the other; that each is led to, leads only to nodes before it and, unless
/// it ends a term, to at least one; that its bytes are in order; and that no value exceeds the number of terms.
fn check(bytes: &[u8], terms: u64) -> Option<()> {
    let root_end = bytes.len().checked_sub(FOOTER)?;
    if number(bytes, 0, 8)? != VERSION || number(bytes, root_end, 8)? != terms {
        return None;
    }
    let root = usize::try_from(number(bytes, root_end + 8, 8)?).ok()?;
    if root == EMPTY {
        return (root_end == HEADER).then_some(());
    }
    if root_end <= HEADER || root != root_end - 1 {
        return None;
    }
    let mut led_to = LedTo(vec![0; root_end.div_ceil(64)]);
    led_to.add(root);
    let mut end = root_end;
    while end > HEADER {
        let node = Node::read(bytes, end - 1)?;
        let ends_term = node.is_final || (end == root_end && terms == 0);
        if !led_to.remove(end - 1) || !(ends_term || node.transitions > 0) {
            return None;
        }
        if node.is_final && number(bytes, node.start, node.value_width)? > terms {
            return None;
        }
        for place in 0..node.transitions {
            let in_order = place == 0 || node.input(bytes, place - 1) < node.input(bytes, place);
            let target = node.target(bytes, place)?;
            if !in_order || node.value(bytes, place)? > terms {
                return None;
            }
            if target != EMPTY {
                if !(HEADER..node.start).contains(&target) {
                    return None;
                }
                led_to.add(target);
            }
        }
        end = node.start;
    }
    (end == HEADER && led_to.is_empty()).then_some(())
}

/// A bit for each byte: where nodes have to end, since others lead to them.
struct LedTo(Vec<u64>);

impl LedTo {
    fn add(&mut self, address: usize) {
        self.0[address / 64] |= 1 << (address % 64);
    }

    /// Returns whether the address was there.
    fn remove(&mut self, address: usize) -> bool {
        let (word, bit) = (&mut self.0[address / 64], 1 << (address % 64));
        let there = *word & bit != 0;
        *word &= !bit;
        there
    }

    fn is_empty(&self) -> bool {
        self.0.iter().all(|&word| word == 0)
    }
}

/// Where the pieces of a node stand. Its address is that of its last byte, and all else lies before that:
/// from the end, inputs, targets and values, each of them from the first transition to the last.
struct Node {
    start: usize,
    is_final: bool,
    transitions: usize,
    inputs_end: usize,
    targets_end: usize,
    values_end: usize,
    /// 0 where the one target is the node before.
    target_width: usize,
    value_width: usize,
}

impl Node {
    fn read(bytes: &[u8], address: usize) -> Option<Self> {
        let state = bytes[address];
        let is_single = state & 0x80 != 0;
        let is_final = !is_single && state & 0x40 != 0;
        // Zero says that what usually fits these bits, the one input or a count, stands in the byte before.
        let packed = state & 0x3f;
        let before = address.checked_sub(usize::from(packed == 0))?;
        let transitions = match (is_single, packed) {
            (true, _) => 1,
            (false, 0) if bytes[before] == 1 => 256,
            (false, 0) => usize::from(bytes[before]),
            (false, count) => usize::from(count),
        };
        if is_single && state & 0x40 != 0 {
            let (start, inputs_end) = (before, address);
            let (targets_end, values_end, target_width, value_width) = (start, start, 0, 0);
            return Some(Self {
                start,
                is_final,
                transitions,
                inputs_end,
                targets_end,
                values_end,
                target_width,
                value_width,
            });
        }
        let sizes_at = before.checked_sub(1)?;
        let (target_width, value_width) =
            (usize::from(bytes[sizes_at] >> 4), usize::from(bytes[sizes_at] & 15));
        if value_width > 8 || (transitions > 0 && !(1..=8).contains(&target_width)) {
            return None;
        }
        // The inputs of a node with many transitions are indexed; a single one stands elsewhere.
        let index = if transitions > INDEXED { 256 } else { 0 };
        let inputs = if is_single { 0 } else { transitions };
        let inputs_end = sizes_at.checked_sub(index)?;
        let targets_end = inputs_end.checked_sub(inputs)?;
        let values_end = targets_end.checked_sub(transitions * target_width)?;
        let values = transitions + usize::from(is_final);
        let start = values_end.checked_sub(values * value_width)?;
        Some(Self {
            start,
            is_final,
            transitions,
            inputs_end,
            targets_end,
            values_end,
            target_width,
            value_width,
        })
    }

    /// Returns the byte of a transition of a node with several.
    fn input(&self, bytes: &[u8], place: usize) -> u8 {
        bytes[self.inputs_end - 1 - place]
    }

    fn target(&self, bytes: &[u8], place: usize) -> Option<usize> {
        if self.target_width == 0 {
            return self.start.checked_sub(1);
        }
        let at = self.targets_end - (place + 1) * self.target_width;
        match number(bytes, at, self.target_width)? {
            0 => Some(EMPTY),
            distance => self.start.checked_sub(usize::try_from(distance).ok()?),
        }
    }

    fn value(&self, bytes: &[u8], place: usize) -> Option<u64> {
        number(bytes, self.values_end - (place + 1) * self.value_width, self.value_width)
    }
}

/// Reads a little-endian number of at most eight bytes. More bytes than that follow every number of a map.
#[inline]
fn number(bytes: &[u8], at: usize, width: usize) -> Option<u64> {
    let all = bytes.get(at..)?.first_chunk().copied().map(u64::from_le_bytes)?;
    Some(all & u64::MAX.checked_shr(64 - 8 * width as u32).unwrap_or(0))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::BTreeSet;

    fn built(terms: &BTreeSet<Vec<u8>>) -> Vec<u8> {
        let map = fst::Map::from_iter(terms.iter().zip(0u64..)).unwrap();
        map.into_fst().into_inner()
    }

    /// Walks all terms and looks each of them up; `Err` where they are not in order or their ranks are wrong.
    fn walk(dictionary: &Dictionary) -> Result<Vec<Vec<u8>>, ()> {
        let (mut all, mut terms) = (Vec::new(), dictionary.terms());
        while let Some((term, _)) = terms.next()? {
            all.push(term.to_vec());
        }
        for term in &all {
            dictionary.map.get(term);
        }
        Ok(all)
    }

    fn terms() -> impl Strategy<Value = BTreeSet<Vec<u8>>> {
        let bytes = prop_oneof![b'a'..b'd', any::<u8>()];
        proptest::collection::btree_set(proptest::collection::vec(bytes, 1..5), 0..400)
    }

    proptest! {
        #[test]
        fn what_the_builder_makes_is_sound(terms in terms()) {
            let dictionary = Dictionary::new(Bytes::from_vec(built(&terms)), terms.len() as u64);
            let walked = walk(&dictionary.unwrap()).unwrap();
            prop_assert_eq!(walked, terms.iter().cloned().collect::<Vec<_>>());
        }

        #[test]
        fn other_bytes_are_refused_or_harmless(
            terms in terms(), changes in proptest::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..4),
        ) {
            let mut bytes = built(&terms);
            for (place, value) in changes {
                let place = place.index(bytes.len());
                bytes[place] = value;
            }
            if let Some(dictionary) = Dictionary::new(Bytes::from_vec(bytes), terms.len() as u64) {
                let sorted = walk(&dictionary).map_or(true, |walked| walked.is_sorted());
                prop_assert!(sorted);
            }
        }
    }

    #[test]
    fn nodes_with_all_bytes_and_long_chains_are_read() {
        let fan: BTreeSet<Vec<u8>> = (0..=255).map(|byte| vec![byte, b'x']).collect();
        let chain = BTreeSet::from([vec![b'a'; 70_000], vec![b'a'; 70_001]]);
        let mixed = (0..60_000u32).map(|n| format!("{n:x}").into_bytes()).collect();
        for terms in [fan, chain, mixed, BTreeSet::from([Vec::new()]), BTreeSet::new()] {
            let dictionary = Dictionary::new(Bytes::from_vec(built(&terms)), terms.len() as u64);
            assert_eq!(walk(&dictionary.unwrap()).unwrap().len(), terms.len());
        }
    }
}
