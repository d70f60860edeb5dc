//! A sustained load: threads that insert, replace and delete, at a rate or as fast as they can.
//!
//! Half of the changes replace a document, a quarter insert one with a new id, a quarter delete one, so that
//! the collection keeps its size. Each thread has ids of its own.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use anyhow::Result;
use ecphory_index::Batch;

use super::live::{self, Live};
use crate::corpus::SplitMix;

/// A thread's share of the ids, kept from phase to phase.
pub struct Hand {
    /// The ids of documents that are there.
    living: Vec<usize>,
    next: usize,
    step: usize,
    random: SplitMix,
}

/// How hard the load is.
#[derive(Clone, Copy, Debug)]
pub struct Load {
    /// Changes a second of all threads together; as many as they can where this is `None`.
    pub rate: Option<u32>,
    pub batch: usize,
}

impl Hand {
    /// Deals the ids of the first `documents` to `count` threads.
    pub fn deal(documents: usize, count: usize) -> Vec<Self> {
        let hand = |first: usize| {
            let living: Vec<usize> = (first..documents).step_by(count).collect();
            let next = first + living.len() * count;
            Self { living, next, step: count, random: SplitMix(first as u64) }
        };
        (0..count).map(hand).collect()
    }

    /// Makes the next batch of `size` changes, four at least.
    fn batch(&mut self, size: usize, texts: &[String]) -> Batch {
        let mut batch = Batch::new();
        let quarter = size / 4;
        let mut free = Vec::with_capacity(size);
        // A batch has an id only once: what is drawn goes back when the batch is made.
        for _ in 0..(size - 2 * quarter).min(self.living.len()) {
            let id = self.draw();
            batch.upsert(live::document(id, self.text(texts)));
            free.push(id);
        }
        for _ in 0..quarter.min(self.living.len()) {
            batch.delete(self.draw().to_string());
        }
        for _ in 0..quarter {
            batch.add(live::document(self.next, self.text(texts)));
            free.push(self.next);
            self.next += self.step;
        }
        self.living.append(&mut free);
        batch
    }

    fn draw(&mut self) -> usize {
        let at = self.random.below(self.living.len());
        self.living.swap_remove(at)
    }

    fn text<'t>(&mut self, texts: &'t [String]) -> &'t str {
        &texts[self.random.below(texts.len())]
    }
}

/// Writes until `done`, one thread for each hand, and counts the changes that are acknowledged.
pub fn write(
    live: &Live<'_>,
    hands: &mut [Hand],
    load: Load,
    texts: &[String],
    (done, acknowledged): (&AtomicBool, &AtomicU64),
) -> Result<()> {
    let interval = load
        .rate
        .map(|rate| Duration::from_secs_f64((load.batch * hands.len()) as f64 / f64::from(rate)));
    std::thread::scope(|scope| {
        let threads: Vec<_> = hands
            .iter_mut()
            .map(|hand| {
                let live = live.clone();
                scope.spawn(move || -> Result<()> {
                    let mut due = Instant::now();
                    while !done.load(Ordering::Relaxed) {
                        live.put(hand.batch(load.batch, texts))?;
                        acknowledged.fetch_add(load.batch as u64, Ordering::Relaxed);
                        if let Some(interval) = interval {
                            due += interval;
                            std::thread::sleep(due.saturating_duration_since(Instant::now()));
                        }
                    }
                    Ok(())
                })
            })
            .collect();
        // All have to end before the first failure is told.
        let outcomes: Vec<Result<()>> =
            threads.into_iter().map(|it| it.join().expect("writers do not panic")).collect();
        outcomes.into_iter().collect()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hands_share_the_ids_and_keep_their_number() {
        let mut hands = Hand::deal(101, 2);
        assert_eq!((hands[0].living.len(), hands[1].living.len()), (51, 50));
        assert_eq!((hands[0].next, hands[1].next), (102, 101));
        for hand in &mut hands {
            for _ in 0..100 {
                assert_eq!(hand.batch(10, &["text".to_owned()]).len(), 10);
            }
        }
        let parity = |hand: &Hand| hand.living.iter().map(|id| id % 2).max();
        assert_eq!((parity(&hands[0]), hands[0].living.len()), (Some(0), 51));
        let mut all: Vec<usize> = hands.iter().flat_map(|hand| hand.living.clone()).collect();
        all.sort_unstable();
        all.dedup();
        assert_eq!(all.len(), 101);
    }
}
