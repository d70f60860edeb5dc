use ecphory_core::Silent;

use super::*;
use crate::claim::toy::{QUERIES, TOPICS, examined};
use crate::study::{Budget, Verdict};

#[test]
fn neighbours_are_of_the_topics_of_test_queries_and_others_are_not() {
    examined(|subject| {
        let likeness = Likeness::of(subject).unwrap();
        // Of topics 0 to 4 one query is tested: all neighbours are other queries of these.
        let test: Vec<u32> = (0..5).collect();
        let train: Vec<u32> = (5..QUERIES as u32).collect();
        let fold = Fold { train, test };
        let pair = likeness.pair(&fold, 3).unwrap();
        let topics =
            |fold: &Fold| fold.train.iter().map(|&q| q as usize % TOPICS).collect::<Vec<_>>();
        assert_eq!(pair.interpolation.train.len(), 10);
        assert!(topics(&pair.interpolation).iter().all(|&topic| topic < 5), "{pair:?}");
        assert_eq!(pair.extrapolation.train.len(), 10);
        for regime in [&pair.interpolation, &pair.extrapolation] {
            assert_eq!(regime.test, fold.test);
            assert!(regime.train.iter().all(|query| fold.train.contains(query)));
        }
        assert!(pair.extrapolation.train.iter().all(|q| !pair.interpolation.train.contains(q)));
        assert!(nearness(subject, &pair.interpolation) > nearness(subject, &pair.extrapolation));
        assert_ne!(likeness.pair(&fold, 4).unwrap().extrapolation, pair.extrapolation);
        assert_eq!(likeness.pair(&fold, 3).unwrap(), pair);
    });
}

#[test]
fn sets_with_other_numbers_of_answers_are_not_equal() {
    examined(|subject| {
        let fold = |train: &[u32]| Fold { train: train.to_vec(), test: vec![0] };
        let pair = |near: &[u32], far: &[u32]| Pair {
            interpolation: fold(near),
            extrapolation: fold(far),
            unmatched: 0,
        };
        assert!(equal_sets(subject, &[pair(&[1, 2], &[3, 4])]).holds);
        assert!(!equal_sets(subject, &[pair(&[1, 2], &[3])]).holds);
    });
}

#[test]
fn the_gaps_decide_and_nothing_has_one_before_training() {
    let report = examined(|subject| {
        let budget = Budget { seeds: vec![1], rates: vec![1e-3], ..Budget::full() };
        CLAIM.examine(std::slice::from_ref(subject), &budget, &Silent).unwrap()
    });
    assert!(report.mechanisms.iter().all(|one| one.holds), "{:?}", report.mechanisms);
    assert_ne!(report.verdict, Verdict::NotReproduced);
    let decides = &report.contrasts[0];
    assert_eq!((report.contrasts.len(), decides.queries), (1, QUERIES));
    let [vector, late] = [&report.others[0], &report.others[1]];
    assert!((decides.difference - (vector.difference - late.difference)).abs() < 1e-12);
    // Training did something: the regimes differ.
    assert!(vector.difference != 0.0 && late.difference != 0.0, "{:?}", report.others);
    assert_eq!(report.arms.len(), 7);
}
