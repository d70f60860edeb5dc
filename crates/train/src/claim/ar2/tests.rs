use ecphory_core::Silent;
use ecphory_eval::Metric;

use super::*;
use crate::claim::toy::{QUERIES, examined};
use crate::opponent::Opponent;
use crate::run::batch::Batch;
use crate::sampler::Group;
use crate::study::{Budget, Fold, Verdict};
use crate::teacher::Teacher;

/// Rules of a short game.
fn short(rounds: u64, phases: &str) -> Rules {
    let rules = rules().unwrap();
    Rules { warm_up_steps: 4, ranker_steps: 6, rounds, phases: phases.parse().unwrap(), ..rules }
}

/// Plays on the first three quarters of the queries and returns the retriever's parameters and what was noted.
fn played(rules: &Rules, changes: &[&str], refreshes: bool) -> (Vec<f32>, game::Notes) {
    examined(|subject| {
        let features = features(subject).unwrap();
        let shallow = ["negatives.from=retriever", "negatives.depth=20", "negatives.keep=20"];
        let recipe = rules.warm_up.with(shallow).unwrap();
        let arm = Arm::of("arm", &recipe, changes).unwrap();
        let numbers: Vec<u32> = (0..QUERIES as u32).collect();
        let (train, test) = numbers.split_at(45);
        let fold = Fold { train: train.to_vec(), test: test.to_vec() };
        let metric: Metric = "R@5".parse().unwrap();
        let trial = Trial { subject, arm: &arm, metric: &metric, fold: &fold, rate: 0.02, seed: 1 };
        let recipe = arm.recipe.as_ref().unwrap();
        let game = Game { rules, features: &features, trial: &trial, recipe, refreshes };
        let (retriever, _, notes) = game.rounds().unwrap();
        (retriever.parameters.into_values().flatten().collect(), notes)
    })
}

#[test]
fn rounds_only_interrupt_the_retriever() {
    let (once, thrice) = (
        short(1, "alternate(ranker=2, retriever=6)"),
        short(3, "alternate(ranker=2, retriever=2)"),
    );
    assert_eq!(once.steps(), thrice.steps());
    let (in_one_turn, notes) = played(&once, &[], false);
    assert_eq!(played(&thrice, &[], false).0, in_one_turn);
    assert!(notes.is_empty(), "{notes:?}");
    // Other negatives, or a ranker, make another retriever.
    assert_ne!(played(&thrice, &[], true).0, in_one_turn);
    let taught = [TAUGHT, "loss=kl(temperature=0.05)"];
    let (distilled, notes) = played(&thrice, &taught, false);
    assert_ne!(distilled, in_one_turn);
    assert!(MARGINS.iter().all(|name| notes[name].is_finite()), "{notes:?}");
}

#[test]
fn the_ranker_learns_what_the_batches_say() {
    examined(|subject| {
        let features = features(subject).unwrap();
        let mut ranker = Opponent::new(&features, NETWORK, 1).unwrap();
        let queries: Vec<u32> = (0..16).collect();
        // Each query's own document among others.
        let group = |&query: &u32| {
            let documents: Vec<u32> = (0..8).map(|i| (query + 11 * i) % QUERIES as u32).collect();
            Group { documents, valid: vec![true; 8] }
        };
        let groups: Vec<Group> = queries.iter().map(group).collect();
        let batch = Batch::own(queries, &groups);
        let first = ranker.step(&batch).unwrap();
        let before = ranker.scores(3, &[3, 14]).unwrap();
        let last = (0..60).map(|_| ranker.step(&batch).unwrap()).last().unwrap();
        assert!(last < 0.5 * first, "{first} to {last}");
        assert_eq!(ranker.steps(), 61);
        let after = ranker.scores(3, &[3, 14]).unwrap();
        assert!(after[0] - after[1] > before[0] - before[1], "{before:?} to {after:?}");
        // The candidates of a query do not change each other's scores.
        assert_eq!(ranker.scores(3, &[14]).unwrap(), after[1..]);
        let error = ranker.scores(3, &[QUERIES as u32]).unwrap_err().to_string();
        assert_eq!(error, "document 60: there are 60");
    });
}

#[test]
fn a_game_ends_with_a_verdict_on_equal_steps() {
    let report = examined(|subject| {
        let budget = Budget { seeds: vec![1], rates: vec![1e-3], folds_run: 2, ..Budget::full() };
        CLAIM.examine(std::slice::from_ref(subject), &budget, &Silent).unwrap()
    });
    assert_eq!(report.arms.len(), 7);
    assert_eq!(report.contrasts[0].queries, 2 * QUERIES / 5);
    assert_eq!(report.mechanisms.len(), 2);
    assert_eq!(report.verdict, Verdict::of(&report.contrasts, &report.mechanisms));
    let ar2 = &report.arms[3];
    assert!(ar2.notes["toy"].contains_key(game::RERANKED), "{:?}", ar2.notes);
}
