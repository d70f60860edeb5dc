//! Accumulation of impacts: postings whose weight is a byte, added up as whole numbers.
//!
//! A posting is a 16-bit document number inside a chunk of [`CHUNK`] and an 8-bit impact, three bytes in two
//! arrays. What a query gives a term is a 16-bit weight; a posting adds `weight · impact / 256`, rounded up or to
//! one more than that, to a 16-bit sum that stays at the largest number once it is there. So a sum is never below
//! the exact one and at most one a posting above it, whatever the order, and the sums of a chunk take 128 KiB, a quarter of
//! a core's second-level cache. [`at_least`] finds the large ones, [`block_maxima`] tells how large they are.
//!
//! Every level gives equal numbers. Not for scores that have to be exact: sums are bounds, which steer.

use crate::Level;
use crate::postings::CHUNK;

/// Returns what one posting adds to its document's sum; the naive form of [`add`].
#[inline]
pub fn contribution(weight: u16, impact: u8) -> u16 {
    let product = u32::from(weight) * (u32::from(impact) << 8);
    // At most 65,535 · 255 / 256, so that one more still fits.
    (product >> 16) as u16 + 1
}

/// Adds one term's postings of one chunk to `sums`. `docs` holds little-endian document numbers.
///
/// # Panics
/// Where `docs` and `impacts` differ in length.
pub fn add(
    level: Level,
    weight: u16,
    (docs, impacts): (&[[u8; 2]], &[u8]),
    sums: &mut [u16; CHUNK],
) {
    assert_eq!(docs.len(), impacts.len(), "a posting has a document and an impact");
    match level {
        Level::Portable => add_blocks(weight, docs, impacts, sums),
        #[cfg(target_arch = "x86_64")]
        // SAFETY: `Level::Avx2` exists only where the CPU was found to have AVX2 and FMA.
        Level::Avx2(_) => unsafe { avx2_add_blocks(weight, docs, impacts, sums) },
        #[cfg(not(target_arch = "x86_64"))]
        Level::Avx2(_) => add_blocks(weight, docs, impacts, sums),
    }
}

/// The same code, compiled for sixteen lanes: one instruction multiplies them and keeps the upper halves.
#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2")]
fn avx2_add_blocks(weight: u16, docs: &[[u8; 2]], impacts: &[u8], sums: &mut [u16; CHUNK]) {
    add_blocks(weight, docs, impacts, sums);
}

#[inline(always)]
fn add_blocks(weight: u16, docs: &[[u8; 2]], impacts: &[u8], sums: &mut [u16; CHUNK]) {
    const LANES: usize = 16;
    let (doc_blocks, doc_rest) = docs.as_chunks::<LANES>();
    let (impact_blocks, impact_rest) = impacts.as_chunks::<LANES>();
    for (docs, impacts) in doc_blocks.iter().zip(impact_blocks) {
        let mut added = [0u16; LANES];
        for lane in 0..LANES {
            added[lane] = contribution(weight, impacts[lane]);
        }
        for lane in 0..LANES {
            let sum = &mut sums[usize::from(u16::from_le_bytes(docs[lane]))];
            *sum = sum.saturating_add(added[lane]);
        }
    }
    for (&doc, &impact) in doc_rest.iter().zip(impact_rest) {
        let sum = &mut sums[usize::from(u16::from_le_bytes(doc))];
        *sum = sum.saturating_add(contribution(weight, impact));
    }
}

/// Appends to `found` the positions in `sums`, or in scores, that are at least `least`, in increasing order.
///
/// # Panics
/// Where `sums` is longer than [`CHUNK`].
pub fn at_least<S: PartialOrd + Copy>(level: Level, sums: &[S], least: S, found: &mut Vec<u16>) {
    assert!(sums.len() <= CHUNK, "positions are 16-bit");
    match level {
        Level::Portable => scan_blocks(sums, least, found),
        #[cfg(target_arch = "x86_64")]
        // SAFETY: `Level::Avx2` exists only where the CPU was found to have AVX2 and FMA.
        Level::Avx2(_) => unsafe { avx2_scan_blocks(sums, least, found) },
        #[cfg(not(target_arch = "x86_64"))]
        Level::Avx2(_) => scan_blocks(sums, least, found),
    }
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2")]
fn avx2_scan_blocks<S: PartialOrd + Copy>(sums: &[S], least: S, found: &mut Vec<u16>) {
    scan_blocks(sums, least, found);
}

#[inline(always)]
fn scan_blocks<S: PartialOrd + Copy>(sums: &[S], least: S, found: &mut Vec<u16>) {
    const LANES: usize = 32;
    let (blocks, rest) = sums.as_chunks::<LANES>();
    for (i, block) in blocks.iter().enumerate() {
        // One comparison of the whole block passes over almost all of them.
        let mut any = false;
        for &sum in block {
            any |= sum >= least;
        }
        if any {
            push_at_least(block, i * LANES, least, found);
        }
    }
    push_at_least(rest, blocks.len() * LANES, least, found);
}

fn push_at_least<S: PartialOrd + Copy>(sums: &[S], first: usize, least: S, found: &mut Vec<u16>) {
    for (i, &sum) in sums.iter().enumerate() {
        if sum >= least {
            found.push((first + i) as u16);
        }
    }
}

/// Returns how many sums are at least `least`.
pub fn count_at_least(level: Level, sums: &[u16], least: u16) -> usize {
    match level {
        Level::Portable => count(sums, least),
        #[cfg(target_arch = "x86_64")]
        // SAFETY: `Level::Avx2` exists only where the CPU was found to have AVX2 and FMA.
        Level::Avx2(_) => unsafe { avx2_count(sums, least) },
        #[cfg(not(target_arch = "x86_64"))]
        Level::Avx2(_) => count(sums, least),
    }
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2")]
fn avx2_count(sums: &[u16], least: u16) -> usize {
    count(sums, least)
}

#[allow(clippy::inline_always, reason = "it has to be compiled once for each level")]
#[inline(always)]
fn count(sums: &[u16], least: u16) -> usize {
    // Counted in the width of the sums, as many as cannot exceed it.
    let parts = sums.chunks(usize::from(u16::MAX));
    let counts = parts.map(|part| part.iter().map(|&sum| u16::from(sum >= least)).sum::<u16>());
    counts.map(usize::from).sum()
}

/// How many neighbours have a maximum in [`block_maxima`].
pub const BLOCK: usize = 16;

/// Returns the largest sum of each [`BLOCK`] of neighbours, the last of which may be shorter.
pub fn block_maxima(level: Level, sums: &[u16]) -> Vec<u16> {
    match level {
        Level::Portable => maxima_of(sums),
        #[cfg(target_arch = "x86_64")]
        // SAFETY: `Level::Avx2` exists only where the CPU was found to have AVX2 and FMA.
        Level::Avx2(_) => unsafe { avx2_maxima_of(sums) },
        #[cfg(not(target_arch = "x86_64"))]
        Level::Avx2(_) => maxima_of(sums),
    }
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2")]
fn avx2_maxima_of(sums: &[u16]) -> Vec<u16> {
    maxima_of(sums)
}

#[allow(clippy::inline_always, reason = "it has to be compiled once for each level")]
#[inline(always)]
fn maxima_of(sums: &[u16]) -> Vec<u16> {
    let (blocks, rest) = sums.as_chunks::<BLOCK>();
    let mut maxima = Vec::with_capacity(blocks.len() + 1);
    maxima.extend(blocks.iter().map(|block| block.iter().fold(0, |most: u16, &sum| most.max(sum))));
    maxima.extend(rest.iter().copied().max());
    maxima
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn every_level_equals_the_naive_sum(
            postings in proptest::collection::btree_map(0u16..200, 0u8.., 0..120),
            weight in prop_oneof![Just(0), Just(u16::MAX), 0u16..],
            before in prop_oneof![Just(0), Just(u16::MAX - 3), 0u16..],
            offset in 0usize..3,
        ) {
            let docs: Vec<[u8; 2]> = postings.keys().map(|doc| doc.to_le_bytes()).collect();
            let impacts: Vec<u8> = postings.values().copied().collect();
            let offset = offset.min(docs.len());
            let (docs, impacts) = (&docs[offset..], &impacts[offset..]);
            let mut expected = vec![u64::from(before); CHUNK];
            for (doc, &impact) in docs.iter().zip(impacts) {
                let added = u64::from(weight) * u64::from(impact) / 256 + 1;
                let sum = &mut expected[usize::from(u16::from_le_bytes(*doc))];
                *sum = (*sum + added).min(u64::from(u16::MAX));
            }
            for level in Level::available() {
                let mut sums: Box<[u16; CHUNK]> =
                    vec![before; CHUNK].into_boxed_slice().try_into().unwrap();
                add(level, weight, (docs, impacts), &mut sums);
                prop_assert!(sums.iter().map(|&sum| u64::from(sum)).eq(expected.iter().copied()));
            }
        }

        #[test]
        fn the_scan_of_scores_finds_what_a_filter_finds(
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

        #[test]
        fn scans_find_what_a_filter_and_a_maximum_find(
            sums in proptest::collection::vec(prop_oneof![Just(0u16), Just(u16::MAX), 0u16..], 0..150),
            threshold in 0u16..,
        ) {
            let expected: Vec<u16> =
                (0..sums.len()).filter(|&i| sums[i] >= threshold).map(|i| i as u16).collect();
            for level in Level::available() {
                let mut found = Vec::new();
                at_least(level, &sums, threshold, &mut found);
                prop_assert_eq!(&found, &expected);
                prop_assert_eq!(count_at_least(level, &sums, threshold), expected.len());
                let maxima: Vec<u16> =
                    sums.chunks(BLOCK).map(|block| *block.iter().max().unwrap()).collect();
                prop_assert_eq!(block_maxima(level, &sums), maxima);
            }
        }
    }
}
