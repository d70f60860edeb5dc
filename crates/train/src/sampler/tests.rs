use super::*;
use proptest::prelude::*;
use std::collections::BTreeSet;

fn numbers(range: std::ops::Range<u32>) -> Vec<u32> {
    range.collect()
}

fn set(queries: &[u32]) -> BTreeSet<u32> {
    queries.iter().copied().collect()
}

/// Three clusters of 40, 5 and 20 queries and three queries alone.
fn clusters() -> Vec<Vec<u32>> {
    let alone = [vec![900], vec![], vec![901], vec![902]];
    [vec![numbers(0..40), numbers(100..105), numbers(200..220)], alone.to_vec()].concat()
}

/// Every sampler over about sixty queries, in batches of 8.
fn samplers(seed: u64) -> Vec<Box<dyn Sampler>> {
    let tasks = || vec![numbers(0..40), numbers(100..105), numbers(200..220)];
    vec![
        Box::new(Shuffled::new(numbers(0..61), 8, seed).unwrap()),
        Box::new(QueryClusters::new(clusters(), 8, seed).unwrap()),
        Box::new(SingleTask::new(tasks(), 8, seed).unwrap()),
        Box::new(TaskTemperature::new(tasks(), 2.0, 8, seed).unwrap()),
    ]
}

#[test]
fn batches_follow_from_seed_and_step_alone() {
    let others = samplers(1).into_iter().zip(samplers(2));
    for (mut sampler, (mut again, mut other)) in samplers(1).into_iter().zip(others) {
        let batches: Vec<_> = (0..40).map(|step| sampler.batch(step)).collect();
        // Backwards, and far away in between: nothing depends on what was asked before.
        for step in (0..40).rev() {
            again.batch(step * 1000);
            assert_eq!(again.batch(step), batches[step as usize]);
        }
        assert!((0..40).filter(|&step| other.batch(step) == batches[step as usize]).count() < 5);
        assert!(batches.windows(2).filter(|pair| pair[0] == pair[1]).count() < 5);
    }
}

#[test]
fn no_query_is_twice_in_a_batch() {
    for mut sampler in samplers(3) {
        for step in 0..300 {
            let batch = sampler.batch(step);
            assert!(!batch.is_empty() && batch.len() <= 8);
            assert_eq!(set(&batch).len(), batch.len());
        }
    }
}

#[test]
fn an_epoch_sees_every_query_once() {
    let mut shuffled = Shuffled::new(numbers(0..61), 8, 1).unwrap();
    assert_eq!(shuffled.steps_per_epoch(), 8);
    let mut orders = Vec::new();
    for epoch in 0..3u64 {
        let batches: Vec<_> = (epoch * 8..epoch * 8 + 8).map(|s| shuffled.batch(s)).collect();
        assert_eq!(batches.iter().map(Vec::len).collect::<Vec<_>>(), [8, 8, 8, 8, 8, 8, 8, 5]);
        let order = batches.concat();
        assert_eq!(set(&order), set(&numbers(0..61)));
        orders.push(order);
    }
    assert!(orders[0] != orders[1] && orders[1] != orders[2]);

    let tasks = vec![numbers(0..20), numbers(30..33), numbers(0..20)];
    let mut single = SingleTask::new(tasks.clone(), 8, 1).unwrap();
    assert_eq!(single.steps_per_epoch(), 3 + 1 + 3);
    let mut batches: Vec<Vec<u32>> = (7..14).map(|step| single.batch(step)).collect();
    assert!(batches.iter().all(|batch| tasks.iter().any(|t| set(batch).is_subset(&set(t)))));
    let mut seen = batches.concat();
    seen.sort_unstable();
    let mut expected = tasks.concat();
    expected.sort_unstable();
    // The task that is given twice counts twice.
    assert_eq!(seen, expected);
    batches.sort();
    let mut next: Vec<Vec<u32>> = (14..21).map(|step| single.batch(step)).collect();
    next.sort();
    assert_ne!(batches, next);
}

#[test]
fn a_batch_is_of_one_cluster_unless_it_was_too_small() {
    let mut sampler = QueryClusters::new(clusters(), 8, 7).unwrap();
    let sets: Vec<BTreeSet<u32>> = sampler.clusters().iter().map(|cluster| set(cluster)).collect();
    // The three queries that were alone are together.
    assert_eq!(sets.iter().map(BTreeSet::len).collect::<Vec<_>>(), [40, 5, 20, 3]);
    let mut first = [0u32; 4];
    for step in 0..4000 {
        let batch = sampler.batch(step);
        assert_eq!(batch.len(), 8);
        let mut rest = &batch[..];
        let mut used = Vec::new();
        while let Some(query) = rest.first() {
            let cluster = sets.iter().position(|set| set.contains(query)).unwrap();
            let count = rest.iter().take_while(|query| sets[cluster].contains(query)).count();
            rest = &rest[count..];
            // Another cluster comes only where this one is used up.
            assert!(rest.is_empty() || count == sets[cluster].len());
            used.push(cluster);
        }
        first[used[0]] += 1;
    }
    // Clusters come alike, whatever their size: three degrees of freedom, p = 0.001.
    let chi: f64 = first.iter().map(|&n| (f64::from(n) - 1e3).powi(2) / 1e3).sum();
    assert!(chi < 16.3, "{first:?}");
}

#[test]
fn queries_of_a_cluster_come_alike() {
    let mut sampler = QueryClusters::new(vec![numbers(0..10)], 4, 7).unwrap();
    let mut counts = [0u32; 10];
    for query in (0..2500).flat_map(|step| sampler.batch(step)) {
        counts[query as usize] += 1;
    }
    // Drawn without replacement, counts vary less than a chi-square of nine degrees.
    let chi: f64 = counts.iter().map(|&n| (f64::from(n) - 1e3).powi(2) / 1e3).sum();
    assert!(chi < 27.9, "{counts:?}");
}

#[test]
fn clusters_below_two_are_merged() {
    let sizes = |clusters| {
        let sampler = QueryClusters::new(clusters, 4, 0).unwrap();
        sampler.clusters().iter().map(Vec::len).collect::<Vec<_>>()
    };
    assert_eq!(sizes(vec![vec![1, 2, 3], vec![4], vec![5, 6]]), [3, 3]);
    assert_eq!(sizes(vec![vec![1], vec![4], vec![5, 6]]), [2, 2]);
    assert_eq!(sizes(vec![vec![1]]), [1]);
    // A batch larger than everything is everything.
    let mut small = QueryClusters::new(vec![vec![1, 2], vec![3, 4]], 9, 0).unwrap();
    assert_eq!(set(&small.batch(0)), set(&[1, 2, 3, 4]));
}

#[test]
fn temperature_draws_tasks_by_a_root_of_their_size() {
    let tasks = || vec![numbers(0..10_000), numbers(20_000..20_100), vec![]];
    let probability = |t: f64| TaskTemperature::new(tasks(), t, 1, 0).unwrap().probabilities()[1];
    assert!((probability(1.0) - 100.0 / 10_100.0).abs() < 1e-12);
    assert!((probability(2.0) - 10.0 / 110.0).abs() < 1e-12);
    assert!((probability(f64::INFINITY) - 0.5).abs() < 1e-12);
    assert!(probability(0.001) < 1e-12);
    let mut sampler = TaskTemperature::new(tasks(), 2.0, 10, 0).unwrap();
    let drawn: Vec<u32> = (0..2000).flat_map(|step| sampler.batch(step)).collect();
    let small = drawn.iter().filter(|&&query| query >= 20_000).count() as f64;
    // 20,000 draws with probability 1/11: one deviation is 41.
    assert!((small - 20_000.0 / 11.0).abs() < 4.0 * 41.0, "{small}");
    // A batch larger than everything is everything.
    let mut all = TaskTemperature::new(vec![vec![1, 2], vec![3]], 5.0, 9, 0).unwrap();
    assert_eq!(set(&all.batch(3)), set(&[1, 2, 3]));
}

fn pairs(margins: &[f32]) -> Vec<MarginPair> {
    let pair = |(number, &margin)| MarginPair { positive: 0, negative: number, margin };
    (0..).zip(margins).map(pair).collect()
}

#[test]
fn bins_have_equal_widths_and_come_alike() {
    // A hundred easy pairs at the top, three hard ones: equal contents would hide the hard ones.
    let mut margins: Vec<f32> = (0..100).map(|i| 9.5 + 0.005 * i as f32).collect();
    margins.extend([0.0, 0.9, 5.05, 10.0]);
    let bins = MarginBins::new([(7, pairs(&margins))], 3).unwrap();
    let mut counts = [0u32; 3];
    let mut top = BTreeSet::new();
    for step in 0..6000 {
        let pair = bins.pair(7, step).unwrap();
        // Bins of width 1 from 0 to 10: three of them hold something, one both 9.5 and 10.
        let bin = [0.0..1.0, 5.0..6.0, 9.0..10.1].iter().position(|b| b.contains(&pair.margin));
        counts[bin.unwrap()] += 1;
        if bin == Some(2) {
            top.insert(pair.negative);
        }
    }
    let chi: f64 = counts.iter().map(|&n| (f64::from(n) - 2e3).powi(2) / 2e3).sum();
    assert!(chi < 13.8, "{counts:?}");
    assert_eq!(top.len(), 101);
    assert_eq!(bins.pair(7, 5).unwrap(), bins.pair(7, 5).unwrap());
}

#[test]
fn queries_with_one_pair_are_dropped_and_flat_margins_are_one_bin() {
    let queries = [(4, pairs(&[1.0])), (2, pairs(&[3.0, 3.0])), (9, vec![])];
    let bins = MarginBins::new(queries.clone(), 0).unwrap();
    assert_eq!((bins.queries(), bins.dropped()), (&[2][..], &[4, 9][..]));
    let drawn: BTreeSet<u32> = (0..50).map(|s| bins.pair(2, s).unwrap().negative).collect();
    assert_eq!(drawn, BTreeSet::from([0, 1]));
    assert!(bins.pair(4, 0).is_err());
    assert!(MarginBins::new([queries[0].clone()], 0).is_err());
    assert!(MarginBins::new([queries[1].clone(), queries[1].clone()], 0).is_err());
    let error = MarginBins::new([(5, pairs(&[1.0, f32::NAN]))], 0).unwrap_err();
    assert_eq!(error.to_string(), "margins of query 5: value 1 is NaN");
}

proptest! {
    #[test]
    fn every_pair_is_in_the_bin_of_its_margin(
        margins in proptest::collection::vec(-100i16..100, 2..40),
    ) {
        let margins: Vec<f32> = margins.into_iter().map(|m| f32::from(m) / 8.0).collect();
        let least = margins.iter().copied().fold(f32::INFINITY, f32::min);
        let most = margins.iter().copied().fold(f32::NEG_INFINITY, f32::max);
        let bin = |margin: f32| {
            let bin = ((margin - least) * 10.0 / (most - least)) as usize;
            if most > least { bin.min(9) } else { 0 }
        };
        let bins = MarginBins::new([(0, pairs(&margins))], 1).unwrap();
        // As many distinct bins are drawn from as hold a pair.
        let held: BTreeSet<usize> = margins.iter().map(|&margin| bin(margin)).collect();
        let drawn: BTreeSet<usize> =
            (0..400).map(|step| bin(bins.pair(0, step).unwrap().margin)).collect();
        prop_assert_eq!(drawn, held);
    }
}

fn judged(positives: &[u32], negatives: &[u32]) -> Judged {
    Judged { positives: positives.to_vec(), negatives: negatives.to_vec() }
}

#[test]
fn positives_take_turns_and_negatives_are_drawn_anew() {
    let groups = Groups::new(vec![judged(&[50, 51, 52], &numbers(0..12))], 5, 1).unwrap();
    let mut drawn = BTreeSet::new();
    for visit in 0..60 {
        let group = groups.group(0, visit).unwrap();
        assert_eq!(group.documents[0], 50 + (visit % 3) as u32);
        assert_eq!(group.documents.len(), 5);
        assert_eq!(set(&group.documents).len(), 5);
        assert_eq!(group.valid, [true; 5]);
        drawn.extend(&group.documents[1..]);
        assert_eq!(groups.group(0, visit).unwrap(), group);
    }
    assert_eq!(drawn, set(&numbers(0..12)));
    assert_ne!(groups.group(0, 0).unwrap().documents, groups.group(0, 3).unwrap().documents);
}

#[test]
fn repeats_that_fill_a_group_are_masked() {
    let all = vec![judged(&[9], &[3, 4]), judged(&[9], &[]), judged(&[9], &[3, 3, 3, 3])];
    let groups = Groups::new(all, 5, 1).unwrap();
    for visit in 0..10 {
        let group = groups.group(0, visit).unwrap();
        assert_eq!(set(&group.documents), BTreeSet::from([3, 4, 9]));
        assert_eq!(group.documents[1..3], group.documents[3..]);
        assert_eq!(group.valid, [true, true, true, false, false]);
    }
    let alone = groups.group(1, 0).unwrap();
    assert_eq!((&alone.documents[..], &alone.valid[1..]), (&[9; 5][..], &[false; 4][..]));
    assert_eq!(groups.group(2, 0).unwrap().valid, [true, true, false, false, false]);
    assert_eq!(groups.group(3, 0).unwrap_err().to_string(), "query 3: there are 3");
    let wrong = |judged, size| Groups::new(vec![judged], size, 0).unwrap_err().to_string();
    assert_eq!(wrong(judged(&[], &[1]), 5), "query 0 has no positive document");
    assert!(wrong(judged(&[1], &[2, 1]), 5).starts_with("document 1 is a positive and a negative"));
    assert!(wrong(judged(&[1], &[2]), 1).contains("at least 2, got 1"));
}

#[test]
fn wrong_settings_are_refused() {
    let message = |result: Result<Box<dyn Sampler>>| result.err().unwrap().to_string();
    let shuffled = |queries, batch| -> Result<Box<dyn Sampler>> {
        Ok(Box::new(Shuffled::new(queries, batch, 0)?))
    };
    assert_eq!(message(shuffled(vec![], 8)), "there are no queries");
    assert_eq!(message(shuffled(vec![3, 1, 3], 8)), "query 3 is there twice");
    assert_eq!(message(shuffled(vec![3], 0)), "size of a batch: expected at least 1, got 0");
    assert!(QueryClusters::new(vec![vec![1, 2], vec![2]], 8, 0).is_err());
    assert!(QueryClusters::new(vec![vec![]], 8, 0).is_err());
    assert!(SingleTask::new(vec![], 8, 0).is_err());
    assert!(SingleTask::new(vec![vec![1], vec![]], 8, 0).is_err());
    for temperature in [0.0, -1.0, f64::NAN] {
        assert!(TaskTemperature::new(vec![vec![1]], temperature, 8, 0).is_err());
    }
}

#[test]
fn the_queue_gives_nothing_before_it_was_full_and_then_the_newest() {
    let mut queue = Queue::new(4, 2, 1).unwrap();
    let mut twin = queue.clone();
    for (step, expected) in
        [&[][..], &[0, 1, 2, 3], &[4, 5, 2, 3], &[4, 5, 6, 7], &[8, 9, 6, 7]].iter().enumerate()
    {
        let documents = [2 * step as u32, 2 * step as u32 + 1];
        queue.push(&documents.map(|d| d as f32), &documents).unwrap();
        assert_eq!(queue.documents(), *expected);
        let keys: Vec<f32> = expected.iter().map(|&d| d as f32).collect();
        assert_eq!(queue.keys(), keys);
        // It can be taken up at any step.
        twin.restore(queue.state().clone()).unwrap();
        assert_eq!(twin, queue);
    }
    // Crops of the batch's own documents are no negatives.
    let mask = queue.mask(&[9, 1]);
    assert_eq!(mask, [true, false, true, true, true, true, true, true]);
}

#[test]
fn queues_of_odd_shapes_are_refused() {
    assert!(
        Queue::new(5, 2, 1).unwrap_err().to_string().contains("a multiple of the batch, got 5")
    );
    assert!(Queue::new(0, 2, 1).is_err() && Queue::new(4, 0, 1).is_err());
    assert_eq!(Queue::capacity_max(1000, 16), 240);
    assert_eq!((Queue::capacity_max(1000, 0), Queue::capacity_max(3, 1)), (0, 0));
    let mut queue = Queue::new(4, 2, 2).unwrap();
    assert!(queue.push(&[0.0; 3], &[0, 1]).is_err());
    assert!(queue.push(&[0.0; 6], &[0, 1, 2]).is_err());
    let error = queue.push(&[0.0, 0.0, 0.0, f32::NAN], &[0, 1]).unwrap_err();
    assert_eq!(error.to_string(), "key 1: value 1 is NaN");
    let state = QueueState { keys: vec![0.0; 4], documents: vec![0, 1], pushed: 4 };
    assert!(queue.restore(state).is_err());
    let state = QueueState { keys: vec![0.0; 2], documents: vec![0], pushed: 1 };
    assert!(queue.restore(state).is_err());
}
