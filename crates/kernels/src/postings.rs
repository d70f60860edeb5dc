//! What BM25 makes of a posting: lists of them added up into scores, or as impacts.
//!
//! A segment's documents are cut into chunks of [`CHUNK`]; inside a chunk a posting is a 16-bit document
//! number and an 8-bit term frequency, three bytes in two arrays. The formula is Lucene's:
//! `weight · tf / (tf + base + slope · length)`, where the fraction is the [`Saturation`].
//!
//! To have exact scores, one term after the other is added into an array of `f32` (256 KiB, half of a core's second-level cache), so a
//! document's score is the sum of its terms in the order of the calls, whatever the layout; every posting that is handed in is read.
//! To have bounds, the fractions become bytes, rounded up.
//!
//! Every level gives equal bits: multiplications, additions and divisions are IEEE, in one order, and are
//! never fused.

use crate::Level;

/// How many documents a chunk has: as many as a 16-bit number can tell apart.
pub const CHUNK: usize = 1 << 16;

/// How a document's share of a term's weight grows with the frequency of the term in it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Saturation {
    /// `k1 · (1 − b)`.
    pub base: f32,
    /// `k1 · b / average length`.
    pub slope: f32,
}

impl Saturation {
    /// Returns the share of a document of this length that has the term so often: from 0 to 1.
    #[inline]
    pub fn of(self, tf: u32, length: u32) -> f32 {
        let tf = tf as f32;
        // Lengths are read as signed, because only that conversion has a vector instruction.
        let norm = self.base + self.slope * (length.cast_signed() as f32);
        tf / (tf + norm)
    }

    /// Returns the share in 255ths, rounded up; the naive form of [`impacts`]. What the roundings of the share itself
    /// lose is less than a millionth of it.
    #[inline]
    pub fn impact(self, tf: u32, length: u32) -> u8 {
        // A conversion from a float stops at the largest number.
        (255.0 * self.of(tf, length)).ceil() as u8
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
    (weight, saturation): (f32, Saturation),
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
        Level::Portable => add_blocks((weight, saturation), docs, tfs, lengths, scores),
        #[cfg(target_arch = "x86_64")]
        // SAFETY: `Level::Avx2` exists only where the CPU was found to have AVX2 and FMA.
        Level::Avx2(_) => unsafe {
            avx2_add_blocks((weight, saturation), docs, tfs, lengths, scores);
        },
        #[cfg(not(target_arch = "x86_64"))]
        Level::Avx2(_) => add_blocks((weight, saturation), docs, tfs, lengths, scores),
    }
}

/// The same code, compiled for eight lanes: the division is what the wider registers speed up.
#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2")]
fn avx2_add_blocks(
    (weight, saturation): (f32, Saturation),
    docs: &[[u8; 2]],
    tfs: &[u8],
    lengths: &[[u8; 4]],
    scores: &mut [f32; CHUNK],
) {
    add_blocks((weight, saturation), docs, tfs, lengths, scores);
}

#[inline(always)]
fn add_blocks(
    (weight, saturation): (f32, Saturation),
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
            added[lane] = weight * saturation.of(u32::from(tfs[lane]), norms[lane]);
        }
        for lane in 0..LANES {
            scores[usize::from(u16::from_le_bytes(docs[lane]))] += added[lane];
        }
    }
    for (&doc, &tf) in doc_rest.iter().zip(tf_rest) {
        let added = weight * saturation.of(u32::from(tf), length_of(doc));
        scores[usize::from(u16::from_le_bytes(doc))] += added;
    }
}

/// Writes the impacts of one term's postings of one chunk.
///
/// `docs` holds little-endian document numbers inside the chunk, `tfs` their term frequencies, and
/// `lengths` the little-endian lengths (below 2³¹) of the chunk's documents. A document number beyond
/// `lengths` counts with the last length: wrong, but in bounds.
///
/// # Panics
/// Where `docs`, `tfs` and `impacts` differ in length, or there are postings but no lengths.
pub fn impacts(
    level: Level,
    saturation: Saturation,
    (docs, tfs): (&[[u8; 2]], &[u8]),
    lengths: &[[u8; 4]],
    impacts: &mut [u8],
) {
    assert_eq!(docs.len(), tfs.len(), "a posting has a document and a frequency");
    assert_eq!(docs.len(), impacts.len(), "a posting has an impact");
    if docs.is_empty() {
        return;
    }
    assert!(!lengths.is_empty(), "postings without document lengths");
    match level {
        Level::Portable => write_blocks(saturation, docs, tfs, lengths, impacts),
        #[cfg(target_arch = "x86_64")]
        // SAFETY: `Level::Avx2` exists only where the CPU was found to have AVX2 and FMA.
        Level::Avx2(_) => unsafe { avx2_write_blocks(saturation, docs, tfs, lengths, impacts) },
        #[cfg(not(target_arch = "x86_64"))]
        Level::Avx2(_) => write_blocks(saturation, docs, tfs, lengths, impacts),
    }
}

/// The same code, compiled for eight lanes: the division is what the wider registers speed up.
#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2")]
fn avx2_write_blocks(
    saturation: Saturation,
    docs: &[[u8; 2]],
    tfs: &[u8],
    lengths: &[[u8; 4]],
    impacts: &mut [u8],
) {
    write_blocks(saturation, docs, tfs, lengths, impacts);
}

#[inline(always)]
fn write_blocks(
    saturation: Saturation,
    docs: &[[u8; 2]],
    tfs: &[u8],
    lengths: &[[u8; 4]],
    impacts: &mut [u8],
) {
    const LANES: usize = 16;
    let last = lengths.len() - 1;
    let length_of = |doc: [u8; 2]| -> u32 {
        u32::from_le_bytes(lengths[usize::from(u16::from_le_bytes(doc)).min(last)])
    };
    let (doc_blocks, doc_rest) = docs.as_chunks::<LANES>();
    let (tf_blocks, tf_rest) = tfs.as_chunks::<LANES>();
    let (impact_blocks, impact_rest) = impacts.as_chunks_mut::<LANES>();
    for ((docs, tfs), impacts) in doc_blocks.iter().zip(tf_blocks).zip(impact_blocks) {
        let mut own = [0u32; LANES];
        for lane in 0..LANES {
            own[lane] = length_of(docs[lane]);
        }
        for lane in 0..LANES {
            impacts[lane] = saturation.impact(u32::from(tfs[lane]), own[lane]);
        }
    }
    for ((&doc, &tf), impact) in doc_rest.iter().zip(tf_rest).zip(impact_rest) {
        *impact = saturation.impact(u32::from(tf), length_of(doc));
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
            let saturation = Saturation { base: k1 * (1.0 - b), slope: k1 * b / 30.0 };
            let docs: Vec<[u8; 2]> = postings.keys().map(|doc| doc.to_le_bytes()).collect();
            let tfs: Vec<u8> = postings.values().copied().collect();
            let offset = offset.min(docs.len());
            let (docs, tfs) = (&docs[offset..], &tfs[offset..]);
            let bytes: Vec<[u8; 4]> = lengths.iter().map(|len| len.to_le_bytes()).collect();
            for level in Level::available() {
                let mut got = scores();
                got.fill(0.25);
                accumulate(level, (weight, saturation), (docs, tfs), &bytes, &mut got);
                let mut expected = scores();
                expected.fill(0.25);
                for (doc, &tf) in docs.iter().zip(tfs) {
                    let doc = usize::from(u16::from_le_bytes(*doc));
                    let norm = saturation.base + saturation.slope * lengths[doc] as f32;
                    expected[doc] += weight * (f32::from(tf) / (f32::from(tf) + norm));
                }
                prop_assert!(got.iter().zip(&*expected).all(|(a, b)| a.to_bits() == b.to_bits()));
            }
        }

        #[test]
        fn every_level_rounds_the_share_up(
            postings in proptest::collection::btree_map(0u16..200, 1u8.., 0..120),
            lengths in proptest::collection::vec(1u32..5000, 200),
            (k1, b) in (prop_oneof![Just(0.0f32), 0.0f32..3.0], 0.0f32..1.0),
            offset in 0usize..3,
        ) {
            let saturation = Saturation { base: k1 * (1.0 - b), slope: k1 * b / 30.0 };
            let docs: Vec<[u8; 2]> = postings.keys().map(|doc| doc.to_le_bytes()).collect();
            let tfs: Vec<u8> = postings.values().copied().collect();
            let offset = offset.min(docs.len());
            let (docs, tfs) = (&docs[offset..], &tfs[offset..]);
            let bytes: Vec<[u8; 4]> = lengths.iter().map(|len| len.to_le_bytes()).collect();
            let mut expected = Vec::new();
            for (doc, &tf) in docs.iter().zip(tfs) {
                let length = lengths[usize::from(u16::from_le_bytes(*doc))];
                let norm = f64::from(saturation.base) + f64::from(saturation.slope) * f64::from(length);
                let share = f64::from(tf) / (f64::from(tf) + norm);
                let impact = saturation.impact(u32::from(tf), length);
                let bound = f64::from(impact) / 255.0;
                prop_assert!(bound * (1.0 + 1e-6) >= share && bound <= share + 1.0 / 255.0 + 1e-6);
                expected.push(impact);
            }
            for level in Level::available() {
                let mut got = vec![7; docs.len()];
                impacts(level, saturation, (docs, tfs), &bytes, &mut got);
                prop_assert_eq!(&got, &expected);
            }
        }
    }

    #[test]
    fn a_document_beyond_the_lengths_stays_in_bounds() {
        let saturation = Saturation { base: 1.0, slope: 0.0 };
        for level in Level::available() {
            let mut got = [0];
            impacts(level, saturation, (&[[255, 255]], &[1]), &[[1, 0, 0, 0]], &mut got);
            assert_eq!(got, [128]);
            let mut got = scores();
            accumulate(level, (1.0, saturation), (&[[255, 255]], &[1]), &[[1, 0, 0, 0]], &mut got);
            assert_eq!(got[CHUNK - 1], 0.5);
        }
    }
}
