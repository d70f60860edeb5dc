//! Accumulation of BM25 posting lists into score arrays, and the scan that finds the good ones.
//!
//! A segment's documents are cut into chunks of [`CHUNK`]; inside a chunk a posting is a 16-bit document
//! number and an 8-bit term frequency, three bytes in two arrays. One term after the other is added into
//! an array of `f32` scores (256 KiB, half of a core's second-level cache), so a document's score is the
//! sum of its terms in the order of the calls, whatever the layout. The formula is Lucene's:
//! `weight · tf / (tf + base + slope · length)`.
//!
//! Every level gives equal bits: multiplications, additions and divisions are IEEE, in one order, and are
//! never fused. Not for pruned traversal: every posting that is handed in is read.

use crate::Level;

/// How many documents a chunk has: as many as a 16-bit number can tell apart.
pub const CHUNK: usize = 1 << 16;

/// What BM25 needs besides the posting and the document's length.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct TermWeight {
    /// Inverse document frequency times the number of times the query has the term.
    pub weight: f32,
    /// `k1 · (1 − b)`.
    pub base: f32,
    /// `k1 · b / average length`.
    pub slope: f32,
}

impl TermWeight {
    /// Returns what one posting adds to its document's score; the naive form of [`accumulate`].
    #[inline]
    pub fn contribution(self, tf: u32, length: u32) -> f32 {
        let tf = tf as f32;
        // Lengths are read as signed, because only that conversion has a vector instruction.
        let norm = self.base + self.slope * (length.cast_signed() as f32);
        self.weight * (tf / (tf + norm))
    }
}

/// Adds one term's postings of one chunk to `scores`.
///
/// `docs` holds little-endian document numbers inside the chunk, `tfs` their term frequencies, and
/// `lengths` the little-endian lengths (below 2³¹) of the chunk's documents. A document number beyond
/// `lengths` counts with the last length: wrong, but in bounds.
///
/// # Panics
/// Where `docs` and `tfs` differ in length, or there are postings but no lengths.
pub fn accumulate(
    level: Level,
    term: TermWeight,
    (docs, tfs): (&[[u8; 2]], &[u8]),
    lengths: &[[u8; 4]],
    scores: &mut [f32; CHUNK],
) {
    assert_eq!(docs.len(), tfs.len(), "a posting has a document and a frequency");
    if docs.is_empty() {
        return;
    }
    assert!(!lengths.is_empty(), "postings without document lengths");
    match level {
        Level::Portable => add_blocks(term, docs, tfs, lengths, scores),
        #[cfg(target_arch = "x86_64")]
        // SAFETY: `Level::Avx2` exists only where the CPU was found to have AVX2 and FMA.
        Level::Avx2(_) => unsafe { avx2_add_blocks(term, docs, tfs, lengths, scores) },
        #[cfg(not(target_arch = "x86_64"))]
        Level::Avx2(_) => add_blocks(term, docs, tfs, lengths, scores),
    }
}

/// The same code, compiled for eight lanes: the division is what the wider registers speed up.
#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2")]
fn avx2_add_blocks(
    term: TermWeight,
    docs: &[[u8; 2]],
    tfs: &[u8],
    lengths: &[[u8; 4]],
    scores: &mut [f32; CHUNK],
) {
    add_blocks(term, docs, tfs, lengths, scores);
}

#[inline(always)]
fn add_blocks(
    term: TermWeight,
    docs: &[[u8; 2]],
    tfs: &[u8],
    lengths: &[[u8; 4]],
    scores: &mut [f32; CHUNK],
) {
    const LANES: usize = 16;
    let last = lengths.len() - 1;
    let length_of = |doc: [u8; 2]| -> u32 {
        u32::from_le_bytes(lengths[usize::from(u16::from_le_bytes(doc)).min(last)])
    };
    let (doc_blocks, doc_rest) = docs.as_chunks::<LANES>();
    let (tf_blocks, tf_rest) = tfs.as_chunks::<LANES>();
    for (docs, tfs) in doc_blocks.iter().zip(tf_blocks) {
        let mut norms = [0u32; LANES];
        for lane in 0..LANES {
            norms[lane] = length_of(docs[lane]);
        }
        let mut added = [0.0f32; LANES];
        for lane in 0..LANES {
            added[lane] = term.contribution(u32::from(tfs[lane]), norms[lane]);
        }
        for lane in 0..LANES {
            scores[usize::from(u16::from_le_bytes(docs[lane]))] += added[lane];
        }
    }
    for (&doc, &tf) in doc_rest.iter().zip(tf_rest) {
        let added = term.contribution(u32::from(tf), length_of(doc));
        scores[usize::from(u16::from_le_bytes(doc))] += added;
    }
}

/// Appends to `found` the positions in `scores` that are at least `threshold`, in increasing order.
///
/// # Panics
/// Where `scores` is longer than [`CHUNK`].
pub fn at_least<S: PartialOrd + Copy>(
    level: Level,
    scores: &[S],
    threshold: S,
    found: &mut Vec<u16>,
) {
    assert!(scores.len() <= CHUNK, "positions are 16-bit");
    match level {
        Level::Portable => scan_blocks(scores, threshold, found),
        #[cfg(target_arch = "x86_64")]
        // SAFETY: `Level::Avx2` exists only where the CPU was found to have AVX2 and FMA.
        Level::Avx2(_) => unsafe { avx2_scan_blocks(scores, threshold, found) },
        #[cfg(not(target_arch = "x86_64"))]
        Level::Avx2(_) => scan_blocks(scores, threshold, found),
    }
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2")]
fn avx2_scan_blocks<S: PartialOrd + Copy>(scores: &[S], threshold: S, found: &mut Vec<u16>) {
    scan_blocks(scores, threshold, found);
}

#[inline(always)]
fn scan_blocks<S: PartialOrd + Copy>(scores: &[S], threshold: S, found: &mut Vec<u16>) {
    const LANES: usize = 32;
    let (blocks, rest) = scores.as_chunks::<LANES>();
    for (i, block) in blocks.iter().enumerate() {
        // One comparison of the whole block passes over almost all of them.
        let mut any = false;
        for &score in block {
            any |= score >= threshold;
        }
        if any {
            push_at_least(block, i * LANES, threshold, found);
        }
    }
    push_at_least(rest, blocks.len() * LANES, threshold, found);
}

fn push_at_least<S: PartialOrd + Copy>(
    scores: &[S],
    first: usize,
    threshold: S,
    found: &mut Vec<u16>,
) {
    for (i, &score) in scores.iter().enumerate() {
        if score >= threshold {
            found.push((first + i) as u16);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn scores() -> Box<[f32; CHUNK]> {
        vec![0.0f32; CHUNK].into_boxed_slice().try_into().unwrap()
    }

    proptest! {
        #[test]
        fn every_level_equals_the_naive_sum_bit_for_bit(
            postings in proptest::collection::btree_map(0u16..200, 1u8.., 0..120),
            lengths in proptest::collection::vec(1u32..5000, 200),
            weight in 0.0f32..12.0,
            (k1, b) in (0.0f32..3.0, 0.0f32..1.0),
            offset in 0usize..3,
        ) {
            let term = TermWeight { weight, base: k1 * (1.0 - b), slope: k1 * b / 30.0 };
            let docs: Vec<[u8; 2]> = postings.keys().map(|doc| doc.to_le_bytes()).collect();
            let tfs: Vec<u8> = postings.values().copied().collect();
            let offset = offset.min(docs.len());
            let (docs, tfs) = (&docs[offset..], &tfs[offset..]);
            let bytes: Vec<[u8; 4]> = lengths.iter().map(|len| len.to_le_bytes()).collect();
            for level in Level::available() {
                let mut got = scores();
                got.fill(0.25);
                accumulate(level, term, (docs, tfs), &bytes, &mut got);
                let mut expected = scores();
                expected.fill(0.25);
                for (doc, &tf) in docs.iter().zip(tfs) {
                    let doc = usize::from(u16::from_le_bytes(*doc));
                    let norm = term.base + term.slope * lengths[doc] as f32;
                    expected[doc] += weight * (f32::from(tf) / (f32::from(tf) + norm));
                }
                prop_assert!(got.iter().zip(&*expected).all(|(a, b)| a.to_bits() == b.to_bits()));
            }
        }

        #[test]
        fn the_scan_finds_what_a_filter_finds(
            scores in proptest::collection::vec(prop_oneof![Just(0.0f32), -1.0f32..1.0, Just(f32::NAN)], 0..150),
            threshold in prop_oneof![Just(0.0f32), -1.0f32..1.0, Just(f32::NEG_INFINITY)],
        ) {
            let expected: Vec<u16> =
                (0..scores.len()).filter(|&i| scores[i] >= threshold).map(|i| i as u16).collect();
            for level in Level::available() {
                let mut found = Vec::new();
                at_least(level, &scores, threshold, &mut found);
                prop_assert_eq!(&found, &expected);
            }
        }
    }

    #[test]
    fn a_document_beyond_the_lengths_stays_in_bounds() {
        let term = TermWeight { weight: 1.0, base: 1.0, slope: 0.0 };
        for level in Level::available() {
            let mut got = scores();
            accumulate(level, term, (&[[255, 255]], &[1]), &[[1, 0, 0, 0]], &mut got);
            assert_eq!(got[CHUNK - 1], 0.5);
        }
    }
}
