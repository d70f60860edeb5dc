use ecphory_core::Scored;
use proptest::prelude::*;

use super::*;

/// A list of a chunk: its weight in the query, what an impact of 1 stands for, and the weights of documents.
#[derive(Clone, Debug)]
struct Plain {
    weight: f32,
    unit: f32,
    postings: Vec<(u16, u8)>,
}

fn sums() -> SumArray {
    vec![0; CHUNK].into_boxed_slice().try_into().unwrap()
}

/// The weight that an impact stands for: no more than its bound, and for every other document less.
fn weight(list: &Plain, doc: u16, impact: u8) -> f32 {
    let most = (f64::from(list.unit) * f64::from(impact)) as f32;
    let most = if f64::from(most) > f64::from(list.unit) * f64::from(impact) {
        most.next_down()
    } else {
        most
    };
    if doc.is_multiple_of(2) { most } else { most * 0.997 }
}

/// The score of a document, added up in the order of the lists.
fn score(lists: &[Plain], doc: u16) -> Option<f32> {
    let mut score = None;
    for list in lists {
        if let Ok(place) = list.postings.binary_search_by_key(&doc, |posting| posting.0) {
            let own = list.weight * weight(list, doc, list.postings[place].1);
            score = Some(score.unwrap_or(0.0) + own);
        }
    }
    score
}

/// Lists of very different lengths: the longest have most documents of the chunk.
fn lists() -> impl Strategy<Value = Vec<Plain>> {
    let unit = prop_oneof![0.001f32..0.1, (1u32..0x5000_0000).prop_map(f32::from_bits)];
    let weight = prop_oneof![0.001f32..30.0, (1u32..0x5863_5fa9).prop_map(f32::from_bits)];
    let list = (weight, unit.clone(), 1u16..400, any::<u64>(), 1u8..).prop_map(
        |(weight, unit, stride, seed, largest)| {
            let mut state = seed | 1;
            let mut next = move || {
                state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
                (state >> 33) as u32
            };
            let mut postings = Vec::new();
            let mut doc = next() % u32::from(stride);
            while doc < 20_000 {
                postings.push((doc as u16, (1 + next() % u32::from(largest)) as u8));
                doc += 1 + next() % u32::from(stride);
            }
            Plain { weight, unit, postings }
        },
    );
    // Units and weights of one size, as those of a query are, or of any.
    let alike =
        (proptest::collection::vec(list.clone(), 1..12), unit).prop_map(|(mut lists, unit)| {
            for list in &mut lists {
                (list.unit, list.weight) = (unit, list.weight.clamp(0.5, 3.0));
            }
            lists
        });
    prop_oneof![3 => alike, 1 => proptest::collection::vec(list, 1..40)]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]
    #[test]
    fn finds_what_scoring_every_document_finds(
        lists in lists(),
        k in prop_oneof![1usize..20, Just(1000), Just(0)],
        chunks in 1usize..4,
        dead in proptest::collection::btree_set(0u32..60_000, 0..30),
        only in prop_oneof![2 => Just(None), 1 => (2u32..50).prop_map(Some)],
    ) {
        let mut tombstones = Tombstones::new(0);
        for &doc in &dead {
            tombstones.insert(doc, &|_| 0);
        }
        let documents = 20_000;
        let total = (chunks * CHUNK) as u32;
        let mut set = DocSet::new(total as usize);
        for doc in (0..total).filter(|doc| only.is_none_or(|step| doc % step == 1)) {
            set.insert(DocNo(doc));
        }
        let selected = only.map(|_| &set);
        let bytes: Vec<(Vec<[u8; 2]>, Vec<u8>)> = lists
            .iter()
            .map(|list| list.postings.iter().map(|&(doc, impact)| (doc.to_le_bytes(), impact)).unzip())
            .collect();
        let (mut steering, mut bounds) = (Steering::new(sums(), k), Steering::new(sums(), k));
        let mut expected = Vec::new();
        // Every chunk has the same documents again, and so many equal scores.
        for chunk in 0..chunks {
            let first = DocAddress::new(3, (chunk * CHUNK) as u32);
            let scope = Scope { first, documents, dead: &tombstones, selected };
            let mut own: Vec<List<'_>> = lists
                .iter()
                .zip(&bytes)
                .map(|(list, (docs, impacts))| {
                    let largest = impacts.iter().copied().max().unwrap_or(0);
                    List::new(list.weight, ImpactPostings { docs, impacts, largest, unit: list.unit })
                })
                .collect();
            let mut score_all = |docs: &[u16], scores: &mut Vec<f32>| {
                assert!(docs.is_sorted());
                scores.extend(docs.iter().map(|&doc| score(&lists, doc).unwrap()));
                Ok(())
            };
            let mut exact: Exact<'_> = Some(&mut score_all);
            steering.search(&mut own, &scope, &mut exact).unwrap();
            // The same lists once more, with bounds for scores.
            bounds.search(&mut own, &scope, &mut None).unwrap();
            for doc in (0..documents as u16).filter(|&doc| scope.wants(doc)) {
                let score = score(&lists, doc);
                expected.extend(score.map(|score| Scored { score, item: scope.address(doc) }));
            }
        }
        expected.sort_by(Scored::best_first);
        expected.truncate(k);
        let (found, sums) = steering.finish();
        prop_assert_eq!(&found.hits, &expected);
        prop_assert!(sums.iter().all(|&sum| sum == 0));
        let postings = lists.iter().map(|list| list.postings.len() as u64).sum::<u64>() * chunks as u64;
        // Bounds are above the scores place by place, and of documents that are wanted.
        let (bounds, _) = bounds.finish();
        prop_assert_eq!(bounds.hits.len(), found.hits.len());
        prop_assert_eq!(bounds.work.scored, 0);
        for (bound, hit) in bounds.hits.iter().zip(&found.hits) {
            prop_assert!(bound.score >= hit.score * (1.0 - 1e-6));
        }
        prop_assert!(k == 0 || found.work.postings + found.work.skipped == postings);
    }
}

proptest! {
    #[test]
        fn no_sum_is_below_what_its_score_asks_for(
            lists in proptest::collection::vec((
                prop_oneof![0.001f32..30.0, (1u32..0x5863_5fa9).prop_map(f32::from_bits)],
                prop_oneof![0.001f32..0.1, (1u32..0x5000_0000).prop_map(f32::from_bits)],
                1u8..,
            ), 1..60),
        ) {
            let (docs, impacts): (Vec<[u8; 2]>, Vec<[u8; 1]>) =
                lists.iter().map(|list| ([7, 0], [list.2])).unzip();
            let mut query = Vec::new();
            let mut score = 0.0f32;
            for (i, &(weight, unit, impact)) in lists.iter().enumerate() {
                let (docs, impacts) = (&docs[i..=i], &impacts[i][..]);
                let postings = ImpactPostings { docs, impacts, largest: impact, unit };
                query.push(List::new(weight, postings));
                // The largest weight that the impact can stand for.
                let mut bound = (f64::from(unit) * f64::from(impact)) as f32;
                if f64::from(bound) > f64::from(unit) * f64::from(impact) {
                    bound = bound.next_down();
                }
                score += weight * bound;
            }
            let mut sums = sums();
            let scale = Scale::new(query.iter().map(|list| list.factor));
            divide(&mut query, scale, 1);
            for list in &query {
                add(Level::detect(), list.weight, (list.postings.docs, list.postings.impacts), &mut sums);
            }
            prop_assert!(sums[7] >= scale.least(score));
            // And the bound is close where numbers are ordinary.
            let loose = f64::from(sums[7]) / scale.steps;
            let exact: f64 = lists
                .iter()
                .map(|&(weight, unit, impact)| f64::from(weight) * f64::from(unit) * f64::from(impact))
                .sum();
            prop_assert!(loose <= exact + 2.0 * lists.len() as f64 / scale.steps);
            // No posting adds more than its list allows.
            let bound: u32 = query.iter().map(|list| u32::from(list.bound)).sum();
            prop_assert!(u32::from(sums[7]) <= bound);
        }
}

#[test]
fn long_lists_that_decide_nothing_are_not_added_up() {
    // A rare term that weighs much, and a frequent one that weighs little.
    let rare: Vec<(u16, u8)> = (0..200).map(|i| (i * 100, 255)).collect();
    let frequent: Vec<(u16, u8)> = (0..20_000).map(|doc| (doc, 200)).collect();
    let lists = [
        Plain { weight: 8.0, unit: 1.0 / 255.0, postings: rare },
        Plain { weight: 0.5, unit: 1.0 / 255.0, postings: frequent },
    ];
    let bytes = lists.each_ref().map(|list| -> (Vec<[u8; 2]>, Vec<u8>) {
        list.postings.iter().map(|&(doc, impact)| (doc.to_le_bytes(), impact)).unzip()
    });
    let tombstones = Tombstones::new(0);
    let mut steering = Steering::new(sums(), 10);
    for chunk in 0..2 {
        let first = DocAddress::new(0, chunk << 16);
        let scope = Scope { first, documents: 20_000, dead: &tombstones, selected: None };
        let mut own: Vec<List<'_>> = Vec::new();
        for (list, (docs, impacts)) in lists.iter().zip(&bytes) {
            let largest = impacts[0];
            own.push(List::new(
                list.weight,
                ImpactPostings { docs, impacts, largest, unit: list.unit },
            ));
        }
        let mut score_all = |docs: &[u16], scores: &mut Vec<f32>| {
            scores.extend(docs.iter().map(|&doc| score(&lists, doc).unwrap()));
            Ok(())
        };
        steering.search(&mut own, &scope, &mut Some(&mut score_all)).unwrap();
    }
    let work = steering.finish().0.work;
    assert_eq!((work.postings, work.skipped), (20_200 + 200, 20_000));
}
