//! Which neighbouring segments are merged, and when: tiers by size, each eight times the one before.
//!
//! Merging joins neighbours only, so documents keep their order. With every copy the segment of a document
//! at least doubles; as a rule it grows eightfold, some eight copies on the way to a million.

use std::ops::Range;

/// How many neighbours of a tier are merged, and how much larger the next tier is.
const FANOUT: usize = 8;
/// Documents of the smallest tier.
const SMALLEST: u64 = 8;
/// A segment is rewritten when more than one in this many of its documents is dead.
const DEAD_SHARE: u64 = 5;
/// Segments do not grow beyond this by merging, other than by an explicit compaction.
const LARGEST: u64 = 2 << 20;

/// Picks a run of neighbours to merge, from the documents and dead documents of each segment.
///
/// A run of one is a segment that is rewritten because too many of its documents are dead.
pub(crate) fn pick_run(sizes: &[(u64, u64)]) -> Option<Range<usize>> {
    let dying = |&(documents, dead): &(u64, u64)| dead * DEAD_SHARE > documents;
    let levels: Vec<u32> = sizes.iter().map(|&(all, dead)| level(all - dead)).collect();
    let highest = levels.iter().copied().max()?;
    for top in 0..=highest {
        let mut start = 0;
        while start < levels.len() {
            let (mut end, mut living, mut largest) = (start, 0, 0);
            while end < levels.len() && levels[end] <= top && living <= LARGEST {
                let here = sizes[end].0 - sizes[end].1;
                (living, largest) = (living + here, here.max(largest));
                end += 1;
            }
            // Where one makes up most of the run, its documents would be copied for little.
            if end - start >= FANOUT && living >= 2 * largest {
                return Some(start..end);
            }
            start = end.max(start + 1);
        }
    }
    sizes.iter().position(dying).map(|dying| dying..dying + 1)
}

fn level(documents: u64) -> u32 {
    let mut level = 0;
    let mut limit = SMALLEST;
    while documents > limit {
        limit *= FANOUT as u64;
        level += 1;
    }
    level
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn eight_small_neighbours_are_merged_and_larger_ones_left_alone() {
        assert_eq!(pick_run(&[]), None);
        assert_eq!(pick_run(&[(1, 0); 7]), None);
        assert_eq!(pick_run(&[(1, 0); 8]), Some(0..8));
        let mut sizes = vec![(1000, 0)];
        sizes.extend([(3, 0); 9]);
        assert_eq!(pick_run(&sizes), Some(1..10));
        // Small ones between large ones are joined with them once there are enough of all.
        let mixed: Vec<(u64, u64)> =
            (0..8).map(|i| (if i % 2 == 0 { 500 } else { 1 }, 0)).collect();
        assert_eq!(pick_run(&mixed), Some(0..8));
        assert_eq!(pick_run(&[(LARGEST + 1, 0); 9]), None);
    }

    #[test]
    fn a_segment_with_many_dead_is_rewritten() {
        assert_eq!(pick_run(&[(100, 0), (100, 21)]), Some(1..2));
        assert_eq!(pick_run(&[(100, 0), (100, 20)]), None);
    }

    #[test]
    fn merging_comes_to_rest_with_few_segments() {
        let mut sizes: Vec<(u64, u64)> = Vec::new();
        let mut copied = 0;
        for _ in 0..100_000 {
            sizes.push((1, 0));
            while let Some(run) = pick_run(&sizes) {
                let sum = sizes[run.clone()].iter().map(|(all, _)| all).sum();
                copied += sum;
                sizes.splice(run, [(sum, 0)]);
            }
        }
        assert!(sizes.len() < FANOUT * 7, "{} segments", sizes.len());
        assert!(copied < 100_000 * 9, "{copied} copies");
    }
}
