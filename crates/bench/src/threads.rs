//! Queries on several threads.

use anyhow::Result;

/// Runs every query, each thread its share of them, and adds up what they return.
pub fn sum<Q: Sync>(
    threads: usize,
    queries: &[Q],
    run: impl Fn(&Q) -> Result<usize> + Sync,
) -> Result<usize> {
    let share = |thread: usize| -> Result<usize> {
        let mut sum = 0;
        // Neighbours go to different threads, so that slow queries in a row do.
        for query in queries.iter().skip(thread).step_by(threads) {
            sum += run(query)?;
        }
        Ok(sum)
    };
    if threads == 1 {
        return share(0);
    }
    std::thread::scope(|scope| {
        let share = &share;
        let running: Vec<_> =
            (0..threads).map(|thread| scope.spawn(move || share(thread))).collect();
        running.into_iter().map(|thread| thread.join().expect("a search does not panic")).sum()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_query_runs_once_on_any_number_of_threads() {
        let queries: Vec<usize> = (0..10).collect();
        for threads in [1, 2, 3, 20] {
            assert_eq!(sum(threads, &queries, |query| Ok(*query)).unwrap(), 45);
            assert!(sum(threads, &queries, |_| anyhow::bail!("no")).is_err());
        }
    }
}
