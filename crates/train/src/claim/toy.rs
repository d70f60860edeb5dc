//! A small collection with topics, for tests of claims.

use crate::body::{PieceText, PieceTexts};
use crate::data::{Judgment, Text, TrainingData};
use crate::draws::Draws;
use crate::source::ScoreMatrix;
use crate::study::{Subject, SubjectParts};
use crate::vectors::Vectors;

pub(super) const TOPICS: usize = 12;
pub(super) const QUERIES: usize = 5 * TOPICS;
const COLUMNS: usize = 8;

/// Queries `i`, each answered by document `i`, of topic `i % TOPICS`: the lexical search finds all documents of a query's topic.
struct Toy {
    data: TrainingData,
    queries: Vec<f32>,
    documents: Vec<f32>,
    bm25: ScoreMatrix,
}

fn toy() -> Toy {
    let text = |name: &str| {
        let one = |i: usize| Text { id: format!("{name}{i}"), text: format!("{name} text {i}") };
        (0..QUERIES).map(one).collect::<Vec<_>>()
    };
    let ids: Vec<[String; 2]> = (0..QUERIES).map(|i| [format!("q{i}"), format!("d{i}")]).collect();
    let judged = ids.iter().map(|[query, document]| Judgment { query, document, relevant: true });
    let data = TrainingData::new(text("d"), text("q"), judged).unwrap();
    let mut draws = Draws::new(7);
    let topics: Vec<f32> = draws.numbers(TOPICS * COLUMNS);
    let mut near_topics = || {
        let noise = draws.numbers(QUERIES * COLUMNS);
        let place = |at: usize| topics[(at / COLUMNS) % TOPICS * COLUMNS + at % COLUMNS];
        (0..QUERIES * COLUMNS).map(|at| place(at) + 0.3 * noise[at]).collect::<Vec<f32>>()
    };
    let (queries, documents) = (near_topics(), near_topics());
    let score = |at: usize| {
        let (query, document) = (at / QUERIES, at % QUERIES);
        if query % TOPICS == document % TOPICS { 3.0 } else { 0.1 * (at % 7) as f32 }
    };
    let bm25 = ScoreMatrix::new(QUERIES, (0..QUERIES * QUERIES).map(score).collect()).unwrap();
    Toy { data, queries, documents, bm25 }
}

/// Calls with the collection as a subject, with vectors as states of one token, and texts of one piece.
pub(super) fn examined<T>(call: impl FnOnce(&Subject<'_>) -> T) -> T {
    let Toy { data, queries, documents, bm25 } = toy();
    let states = (
        Vectors::new("query", &queries, COLUMNS).unwrap(),
        Vectors::new("document", &documents, COLUMNS).unwrap(),
    );
    let one = |piece: usize| PieceText { pieces: vec![piece as u32], sentences: vec![0] };
    let texts = || (0..QUERIES).map(one).collect::<Vec<_>>();
    let pieces = PieceTexts::new(texts(), texts(), COLUMNS, |_, row| row.fill(1.0)).unwrap();
    let parts = SubjectParts {
        name: "toy",
        data: &data,
        init: std::path::Path::new("nowhere"),
        queries: &queries,
        documents: &documents,
        columns: COLUMNS,
        bm25: &bm25,
        states: Some(&states),
        pieces: Some(&pieces),
    };
    call(&Subject::new(parts).unwrap())
}
