use std::path::Path;

use super::*;
use crate::body::{PieceText, PieceTexts};
use crate::draws::Draws;
use crate::recipe::Recipe;

const DOCUMENTS: usize = 24;
const COLUMNS: usize = 8;

/// Documents of pieces of a topic each, whose rows know nothing of that.
fn texts(documents: usize) -> PieceTexts {
    let mut draws = Draws::new(3);
    let mut document = |number: usize| {
        let mut piece = || (4 * number + draws.below(4) + 40 * draws.below(2)) as u32;
        let pieces = (0..20).map(|_| piece()).collect();
        PieceText { pieces, sentences: vec![0, 6, 13] }
    };
    let documents = (0..documents).map(&mut document).collect();
    let row = |piece: u32, out: &mut [f32]| {
        out.copy_from_slice(&Draws::new(u64::from(piece)).numbers(COLUMNS));
    };
    PieceTexts::new(Vec::new(), documents, COLUMNS, row).unwrap()
}

fn recipe() -> Recipe {
    Recipe::named("dense").unwrap().with(["matching=dot(mean)", "batches.queries=6"]).unwrap()
}

fn plan(view: &str, keys: &str) -> Pretraining {
    Pretraining { view: view.parse().unwrap(), keys: keys.parse().unwrap(), steps: 0 }
}

fn course<'a>(
    texts: &'a PieceTexts,
    plan: &'a Pretraining,
    recipe: &'a Recipe,
) -> Result<ViewCourse<'a>> {
    let learning = Learning::of(recipe)?;
    ViewCourse::new(ViewParts { texts, init: Path::new("nowhere"), plan, learning, seed: 7 })
}

#[test]
fn views_of_a_text_come_near_each_other() {
    let (texts, recipe) = (texts(DOCUMENTS), recipe());
    for view in ["crop > delete(share=0.1)", "ict(keep=0)"] {
        for keys in ["in-batch", "queue(decay=0.9)"] {
            let plan = plan(view, keys);
            let table = || {
                let mut course = course(&texts, &plan, &recipe).unwrap();
                let before = course.told_apart(DOCUMENTS).unwrap();
                for step in 0..300 {
                    course.step(step, 0.02).unwrap();
                }
                let after = course.told_apart(DOCUMENTS).unwrap();
                assert!(after > before + 0.1, "{view}, {keys}: {before} to {after}");
                course.bag.table().to_vec()
            };
            assert_eq!(table(), table());
        }
    }
}

#[test]
fn nothing_moves_before_the_queue_is_full() {
    let (texts, recipe) = (texts(DOCUMENTS), recipe());
    // A queue of a quarter of the collection is a batch.
    let plan = plan("crop", "queue(decay=0.9)");
    let mut course = course(&texts, &plan, &recipe).unwrap();
    assert_eq!(course.step(0, 0.1).unwrap(), None);
    assert_eq!(course.bag.table(), texts.table());
    let seen = course.step(1, 0.1).unwrap().unwrap();
    assert!(seen.loss > 0.0 && course.bag.table() != texts.table());
}

#[test]
fn keys_of_a_rows_own_document_never_count_against_it() {
    let (texts, recipe) = (texts(8), recipe());
    let plan = plan("crop", "queue(decay=0.9)");
    let mut course = course(&texts, &plan, &recipe).unwrap();
    let (mut own, mut counted) = (0, 0);
    for step in 0..200 {
        if let Some(seen) = course.step(step, 0.01).unwrap() {
            own += seen.own;
            counted += seen.own_counted;
        }
    }
    // From one epoch to the next a document may come again at once.
    assert!(own > 0 && counted == 0, "{counted} of {own}");
}

#[test]
fn views_share_what_their_spans_do() {
    let (texts, recipe) = (texts(DOCUMENTS), recipe());
    let shared = |view: &str| {
        let plan = plan(view, "in-batch");
        course(&texts, &plan, &recipe).unwrap().shared(DOCUMENTS)
    };
    assert_eq!(shared("crop(least=1, most=1)"), 1.0);
    assert_eq!(shared("ict(keep=1)"), 1.0);
    assert!((0.01..0.99).contains(&shared("ict(keep=0)")));
}

#[test]
fn what_cannot_be_learned_from_is_refused() {
    let recipe = recipe();
    let plan = plan("crop", "in-batch");
    let said = |texts: &PieceTexts, recipe: &Recipe| {
        course(texts, &plan, recipe).err().unwrap().to_string()
    };
    assert!(said(&texts(7), &recipe).contains("at least 8, got 7"));
    let learned = recipe.with(["matching=dot(mean > linear)"]).unwrap();
    assert!(said(&texts(8), &learned).contains("matching of views"));
    let free = recipe.with(["optimiser.algorithm=schedule-free"]).unwrap();
    assert!(said(&texts(8), &free).contains("adamw"));
}

#[test]
fn keys_come_back() {
    for text in ["in-batch", "queue(decay=0.99)", "queue(size=12, decay=0.5)"] {
        assert_eq!(text.parse::<Keys>().unwrap().to_string(), text);
    }
    for wrong in [
        "",
        "queue",
        "queue(decay=1)",
        "queue(size=3)",
        "queue(size=0, decay=0.9)",
        "in-batch(decay=0.9)",
    ] {
        assert!(wrong.parse::<Keys>().is_err(), "{wrong}");
    }
}
