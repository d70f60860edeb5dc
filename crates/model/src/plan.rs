//! Which texts are encoded together.
//!
//! Sorting by length makes batches of similar length, so that no thread is left with the one long batch at
//! the end: the longest go first. The result of a text does not depend on its batch.

/// Tokens of a batch. Products reach their full speed from about 100 rows on; 512 tokens keep a batch's
/// largest buffer at 3 MiB for a hidden size of 384, and read the weights once per 512 tokens.
const BATCH_TOKENS: usize = 512;

/// Groups texts, given the length of each, into batches of indices, longest first.
pub(crate) fn batches(lengths: &[usize], threads: usize) -> Vec<Vec<usize>> {
    let mut order: Vec<usize> = (0..lengths.len()).collect();
    order.sort_by_key(|&index| std::cmp::Reverse(lengths[index]));
    let total: usize = lengths.iter().sum();
    // Few texts are shared out evenly, rather than one thread taking all of them.
    let budget = BATCH_TOKENS.min(total.div_ceil(threads.max(1)));
    let mut batches: Vec<Vec<usize>> = Vec::new();
    let mut room = 0;
    for index in order {
        match batches.last_mut() {
            Some(batch) if room >= lengths[index] => batch.push(index),
            _ => {
                batches.push(vec![index]);
                room = budget.max(lengths[index]);
            }
        }
        room -= lengths[index];
    }
    batches
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn every_text_is_in_one_batch_within_the_budget(
            lengths in proptest::collection::vec(0usize..700, 0..80), threads in 1usize..5,
        ) {
            let batches = batches(&lengths, threads);
            let mut seen: Vec<usize> = batches.concat();
            let longest_first = seen.windows(2).all(|pair| lengths[pair[0]] >= lengths[pair[1]]);
            prop_assert!(longest_first);
            seen.sort_unstable();
            prop_assert_eq!(seen, (0..lengths.len()).collect::<Vec<_>>());
            for batch in &batches {
                let tokens: usize = batch.iter().map(|&i| lengths[i]).sum();
                let longest = lengths[batch[0]];
                prop_assert!(tokens <= BATCH_TOKENS.max(longest));
            }
        }
    }

    #[test]
    fn few_texts_are_shared_out() {
        assert_eq!(batches(&[10, 10], 2), [[0], [1]]);
        assert_eq!(batches(&[10, 10], 1), [[0, 1]]);
    }
}
