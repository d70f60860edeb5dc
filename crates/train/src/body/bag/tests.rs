use ecphory_kernels::Level;
use ecphory_model::{Encoder, EncoderOptions};

use super::*;
use crate::body::PieceText;
use crate::draws::Draws;
use crate::matching::{Extra, Matching, MatchingSpec, Materials};
use crate::optimiser::{AdamW, AdamWSettings, Optimiser, Pace};
use crate::score::Layout;

const COLUMNS: usize = 4;

/// Texts of which the second document has no pieces; piece 9 is in a query alone, piece 5 nowhere.
fn texts() -> PieceTexts {
    let texts = |all: &[&[u32]]| -> Vec<PieceText> {
        let text = |pieces: &&[u32]| PieceText { pieces: pieces.to_vec(), sentences: Vec::new() };
        all.iter().map(text).collect()
    };
    let row = |piece: u32, out: &mut [f32]| {
        out.copy_from_slice(&Draws::new(u64::from(piece)).numbers(COLUMNS));
    };
    let queries = texts(&[&[3, 9], &[4, 3, 3]]);
    PieceTexts::new(queries, texts(&[&[3, 4, 4, 8], &[], &[8, 6]]), COLUMNS, row).unwrap()
}

fn matching(spec: &str) -> Matching {
    let materials = Materials::without_terms(COLUMNS, None, 1);
    spec.parse::<MatchingSpec>().unwrap().build(&materials).unwrap()
}

/// A sum of scores, each with a weight of its own, and the derivatives by the table where they are asked for.
fn weighted(bag: &mut Bag<'_>, matching: &mut Matching, learn: bool) -> f64 {
    let level = Level::detect();
    let Sides { queries, documents } = bag.forward(&[0, 1], &[0, 1, 2]).unwrap();
    let matched = matching.forward(level, &queries, &documents, Layout::Shared).unwrap();
    let weights: Vec<f32> = (1..7).map(|i| 0.5 * i as f32).collect();
    if learn {
        let (sides, extra) = ((&queries, &documents), Extra::default());
        let slopes = matching.backward(level, sides, &matched, &weights, &extra).unwrap();
        bag.backward(slopes).unwrap();
    }
    matched.scores.iter().zip(&weights).map(|(&s, &w)| f64::from(s) * f64::from(w)).sum()
}

#[test]
fn derivatives_are_those_of_differences() {
    const STEP: f32 = 1.0 / 64.0;
    let texts = texts();
    for spec in ["dot(mean)", "cosine(mean)", "maxsim(unit)"] {
        let mut matching = matching(spec);
        let mut bag = Bag::new(&texts, Path::new("nowhere"));
        weighted(&mut bag, &mut matching, true);
        let update = bag.updates().pop().unwrap();
        let Gradient::Rows { rows, columns, values } = update.gradient else { panic!("dense") };
        // All pieces but those of the batch rest; here the batch has all of them: 3, 4, 6, 8, 9.
        assert_eq!((rows, columns), (&[0, 1, 2, 3, 4][..], COLUMNS));
        let by_table = values.to_vec();
        for (place, &slope) in by_table.iter().enumerate() {
            let mut moved = |by: f32| {
                bag.table[place] += by;
                let value = weighted(&mut bag, &mut matching, false);
                bag.table[place] -= by;
                value
            };
            let difference = (moved(STEP) - moved(-STEP)) / f64::from(2.0 * STEP);
            let error = (difference - f64::from(slope)).abs();
            assert!(
                error < 5e-3 * (1.0 + difference.abs()),
                "{spec} {place}: {difference} {slope}"
            );
        }
    }
}

#[test]
fn only_rows_of_the_batch_move() {
    let texts = texts();
    let mut bag = Bag::new(&texts, Path::new("nowhere"));
    let mut optimiser = AdamW::new(AdamWSettings::default(), bag.slots(0.1)).unwrap();
    let sides = bag.forward_pieces(&[vec![4, 4]], &[vec![1], vec![]]);
    assert_eq!((sides.queries.rows(), sides.documents.rows()), (2, 2));
    assert_eq!(sides.documents.row(1), [0.0; COLUMNS]);
    let slopes = StateSlopes { queries: vec![1.0; 8], documents: vec![1.0; 8] };
    bag.backward(slopes).unwrap();
    assert!(bag.backward(StateSlopes { queries: vec![], documents: vec![] }).is_err());
    optimiser.step(Pace::of(0.1), &mut bag.updates()).unwrap();
    let moved: Vec<bool> = (bag.table().chunks_exact(COLUMNS))
        .zip(texts.table().chunks_exact(COLUMNS))
        .map(|(now, before)| now != before)
        .collect();
    assert_eq!(moved, [false, true, false, false, true]);
    let values = bag.values();
    let mut other = Bag::new(&texts, Path::new("nowhere"));
    other.set(&values).unwrap();
    assert_eq!(other.table(), bag.table());
    assert!(other.set(&Tensors::new()).is_err() && other.with_table(vec![0.0]).is_err());
}

#[test]
fn a_text_is_the_same_in_any_batch() {
    let texts = texts();
    let bag = Bag::new(&texts, Path::new("nowhere"));
    let all = bag.read(Role::Document, &[0, 1, 2]).unwrap();
    for document in 0..3 {
        let alone = bag.read(Role::Document, &[document]).unwrap();
        assert_eq!(all.slice(document as usize..document as usize + 1), alone);
    }
}

#[test]
fn what_was_learned_is_saved_as_a_static_encoder() {
    let tiny = Path::new(env!("CARGO_MANIFEST_DIR")).join("../model/tests/golden/tiny/bert-mean");
    let pieces = WordPieces::open(&tiny).unwrap();
    let text = |text: &str| PieceText { pieces: pieces.of(text).unwrap(), sentences: vec![0] };
    let (queries, documents) = (vec![text("a cat")], vec![text("the cat and a dog")]);
    let row = |piece: u32, out: &mut [f32]| pieces.copy_row(piece, out);
    let texts = PieceTexts::new(queries, documents, pieces.columns(), row).unwrap();
    let mut bag = Bag::new(&texts, &tiny);
    bag.table.iter_mut().for_each(|value| *value = 2.0 * *value + 0.25);
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("saved");
    bag.save(&out).unwrap();
    let encoder = Encoder::open(&out, &EncoderOptions::default()).unwrap();
    let pool = rayon::ThreadPoolBuilder::new().num_threads(1).build().unwrap();
    let silent = ecphory_core::Silent;
    let vector = encoder.encode(&["the cat and a dog"], Role::Document, &pool, &silent).unwrap();
    let level = Level::detect();
    let states = bag.read(Role::Document, &[0]).unwrap();
    let made = matching("dot(mean)").documents(level, &states).unwrap();
    let differences = vector.iter().zip(&made.branches[0].values).map(|(a, b)| (a - b).abs());
    assert!(differences.fold(0.0, f32::max) < 1e-6);
}
