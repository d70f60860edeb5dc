use super::*;

const CROP: &str = "crop(least=0.1, most=0.5)";
const DRAWS: u64 = 400;

fn spec(text: &str) -> ViewSpec {
    text.parse().unwrap()
}

/// A text of pieces that are all different, so that a view says where it was cut.
fn text(length: u32, sentences: &[usize]) -> PieceText {
    PieceText { pieces: (0..length).collect(), sentences: sentences.to_vec() }
}

fn draws(view: &str, text: &PieceText) -> Vec<ViewPair> {
    let view = spec(view);
    (0..DRAWS).map(|step| view.pair(text, 3, 7, step)).collect()
}

fn is_span(view: &[u32]) -> bool {
    !view.is_empty() && view.windows(2).all(|pair| pair[1] == pair[0] + 1)
}

#[test]
fn a_view_is_that_of_its_seed_step_and_text() {
    let text = text(200, &[0, 50]);
    for view in [CROP, "ict(keep=0.1)", "crop > delete(share=0.1)"] {
        let view = spec(view);
        let one = view.pair(&text, 3, 7, 5);
        assert_eq!(one, view.pair(&text, 3, 7, 5));
        let differs = |document, seed| {
            (5..15)
                .any(|step| view.pair(&text, document, seed, step) != view.pair(&text, 3, 7, step))
        };
        assert!(differs(4, 7) && differs(3, 8));
        assert!((6..16).any(|step| view.pair(&text, 3, 7, step) != one));
    }
}

#[test]
fn crops_are_independent_spans_of_the_lengths_that_were_asked_for() {
    let found = draws(CROP, &text(200, &[]));
    let mut lengths = Vec::new();
    let mut overlaps = 0;
    for pair in &found {
        for view in [&pair.query, &pair.document] {
            assert!(is_span(view) && (20..=100).contains(&view.len()), "{}", view.len());
            lengths.push(view.len());
        }
        overlaps += u32::from(pair.query.iter().any(|piece| pair.document.contains(piece)));
    }
    // The share is uniform, so its mean is the middle; and the ends of the text come up as well.
    let mean = lengths.iter().sum::<usize>() as f64 / lengths.len() as f64;
    assert!((mean - 60.0).abs() < 4.0, "{mean}");
    assert!(found.iter().any(|pair| pair.query[0] < 5));
    assert!(found.iter().any(|pair| *pair.query.last().unwrap() > 194));
    // Neither apart by rule nor together.
    assert!((40..360).contains(&overlaps), "{overlaps}");
    let tiny = draws(CROP, &text(1, &[]));
    assert!(tiny.iter().all(|pair| pair.query == [0] && pair.document == [0]));
}

#[test]
fn a_sentence_is_taken_out_of_the_rest() {
    let text = text(30, &[0, 4, 15]);
    let spans = [0..4u32, 4..15, 15..30];
    let mut counts = [0; 3];
    for pair in draws("ict(keep=0)", &text) {
        let number = spans.iter().position(|span| span.clone().eq(pair.query.iter().copied()));
        counts[number.unwrap()] += 1;
        let mut both = [pair.query, pair.document].concat();
        both.sort_unstable();
        assert_eq!(both, text.pieces);
    }
    assert!(counts.iter().all(|&count| count > 90), "{counts:?}");
    let kept = draws("ict(keep=0.25)", &text);
    let kept = kept.iter().filter(|pair| pair.document == text.pieces).count();
    assert!((65..135).contains(&kept), "{kept}");
    assert!(draws("ict(keep=1)", &text).iter().all(|pair| pair.document == text.pieces));
}

#[test]
fn a_text_of_one_sentence_stays_whole() {
    for sentences in [&[0][..], &[]] {
        let text = text(9, sentences);
        for pair in draws("ict(keep=0)", &text) {
            assert_eq!((&pair.query, &pair.document), (&text.pieces, &text.pieces));
        }
    }
}

#[test]
fn deletion_takes_its_share_and_leaves_something() {
    let whole = text(100, &[]);
    let all = draws("crop(least=1, most=1) > delete(share=0.1)", &whole);
    let kept: usize = all.iter().map(|pair| pair.query.len() + pair.document.len()).sum();
    let share = kept as f64 / (2.0 * 100.0 * DRAWS as f64);
    assert!((share - 0.9).abs() < 0.01, "{share}");
    assert!(all.iter().all(|pair| pair.query.windows(2).all(|two| two[0] < two[1])));
    // What both lose is drawn for each.
    assert!(all.iter().any(|pair| pair.query != pair.document));
    let most = draws("crop(least=1, most=1) > delete(share=0.99)", &text(2, &[]));
    assert!(most.iter().all(|pair| !pair.query.is_empty() && !pair.document.is_empty()));
    let none = draws("crop(least=1, most=1) > delete(share=0)", &whole);
    assert!(none.iter().all(|pair| pair.query == whole.pieces));
}

#[test]
fn a_text_without_pieces_has_views_without_any() {
    for view in [CROP, "ict", "crop > delete(share=0.5)"] {
        assert_eq!(spec(view).pair(&PieceText::default(), 0, 1, 1), ViewPair::default());
    }
}

#[test]
fn specs_come_back() {
    for text in [CROP, "crop(least=0.05, most=0.5) > delete(share=0.1)", "ict(keep=0.1)"] {
        assert_eq!(spec(text).to_string(), text);
    }
    assert_eq!(spec("crop>delete(share=0.2)").to_string(), format!("{CROP} > delete(share=0.2)"));
    for wrong in [
        "",
        "crop >",
        "ict(most=1)",
        "crop(least=0.6, most=0.5)",
        "crop(least=-1)",
        "crop > delete",
        "crop > delete(share=1)",
        "crop > crop",
        "delete(share=0.1)",
    ] {
        assert!(wrong.parse::<ViewSpec>().is_err(), "{wrong}");
    }
}
