use ecphory_core::Silent;

use super::*;
use crate::data::{Judgment, Text, TrainingData};
use crate::draws::Draws;
use crate::source::ScoreMatrix;

const TOPICS: usize = 12;
const COLUMNS: usize = 16;

/// Queries whose vectors are those of their documents, turned by one place: a square map can learn it, and nothing is right before.
fn vectors() -> (TrainingData, Vec<f32>, Vec<f32>) {
    let mut draws = Draws::new(5);
    let documents: Vec<f32> = draws.numbers(5 * TOPICS * COLUMNS);
    let mut queries = Vec::new();
    for row in documents.chunks_exact(COLUMNS) {
        queries.extend((0..COLUMNS).map(|place| row[(place + 1) % COLUMNS]));
    }
    let text = |name: &str| {
        (0..5 * TOPICS)
            .map(|i| Text { id: format!("{name}{i}"), text: format!("{name} text {i}") })
            .collect::<Vec<_>>()
    };
    let ids: Vec<(String, String)> =
        (0..5 * TOPICS).map(|i| (format!("q{i}"), format!("d{i}"))).collect();
    let judged = ids.iter().map(|(query, document)| Judgment { query, document, relevant: true });
    (TrainingData::new(text("d"), text("q"), judged).unwrap(), queries, documents)
}

fn recipe() -> Recipe {
    Recipe::named("dense")
        .unwrap()
        .with([
            "tier=vectors",
            "matching=cosine(linear | states)",
            "batches.queries=8",
            "negatives.ratio=1",
            "negatives.depth=10",
            "negatives.keep=4",
            "optimiser.learning_rate=0.05",
            "optimiser.weight_decay=0",
            "schedule.epochs=30",
        ])
        .unwrap()
}

#[test]
fn training_beats_the_model_as_it_is_and_a_study_says_so() {
    let (data, queries, documents) = vectors();
    let bm25 = ScoreMatrix::new(5 * TOPICS, vec![0.0; 25 * TOPICS * TOPICS]).unwrap();
    let parts = SubjectParts {
        name: "turned",
        data: &data,
        init: std::path::Path::new("nowhere"),
        queries: &queries,
        documents: &documents,
        columns: COLUMNS,
        bm25: &bm25,
        states: None,
        pieces: None,
    };
    let subject = Subject::new(parts).unwrap();
    let metric: Metric = "nDCG@10".parse().unwrap();
    let budget = Budget { seeds: vec![1, 2], rates: vec![1e-6, 0.05], ..Budget::full() };
    let arms = [Arm::untrained(), Arm::of("trained", &recipe(), &[]).unwrap()];
    let outcome = |threads: usize, arm: &Arm| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        let (subject, metric, runner) = (&subject, &metric, &|trial: &Trial<'_>| trial.run());
        let task = Task { subject, arm, metric, runner, progress: &Silent };
        pool.install(|| task.run(&budget)).unwrap()
    };
    let [untrained, trained] = arms.each_ref().map(|arm| outcome(2, arm));
    assert_eq!(untrained.values.len(), 5 * TOPICS);
    // The rate that teaches is chosen on every fold.
    assert_eq!(trained.rates, [0.05; 5]);
    let found = contrast(&subject, ("trained", &trained), ("untrained", &untrained)).unwrap();
    assert!(found.difference > 0.1 && found.p_value < 0.01, "{found:?}");
    assert_eq!(Verdict::of(&[found], &[]), Verdict::Reproduced);
    let again = outcome(1, &arms[1]);
    assert_eq!((again.values, again.notes), (trained.values, trained.notes));
}
