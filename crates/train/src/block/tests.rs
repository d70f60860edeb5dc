use super::*;

fn parts() -> BlockParts {
    BlockParts { queries: 2, candidates: 3, scores: vec![0.5; 6], ..Default::default() }
}

fn refusal(change: impl FnOnce(&mut BlockParts)) -> String {
    let mut parts = parts();
    change(&mut parts);
    Block::new(parts).unwrap_err().to_string()
}

#[test]
fn what_is_left_out_has_its_default() {
    let block = Block::new(parts()).unwrap();
    assert!(block.counts(1, 2));
    assert_eq!((block.gold(1, 2), block.weight(1), block.cell_weight(1, 2)), (0.0, 1.0, 1.0));
    assert_eq!((block.teachers(), block.columns()), (0, &Columns::Own));
}

#[test]
fn sizes_are_checked() {
    assert_eq!(
        refusal(|parts| parts.queries = 0),
        "a block needs a query and a candidate, found 0 queries and 3 candidates"
    );
    assert_eq!(
        refusal(|parts| parts.gold = vec![0.0; 5]),
        "gold target: a block of 2 queries and 3 candidates needs 6 values, found 5"
    );
    assert_eq!(
        refusal(|parts| parts.teachers = vec![Teacher::default()]),
        "score of teacher 0: a block of 2 queries and 3 candidates needs 6 values, found 0"
    );
    assert_eq!(
        refusal(|parts| parts.columns = Columns::Shared(vec![Some(0), None, Some(2)])),
        "column 2 is said to come from query 2, but there are 2 queries"
    );
}

#[test]
fn a_bad_number_is_named_by_its_place() {
    assert_eq!(
        refusal(|parts| parts.scores[4] = f32::NAN),
        "score in row 1, column 1: NaN is no finite number"
    );
    assert_eq!(
        refusal(|parts| parts.gold = vec![0.0, 0.0, -1.0, 0.0, 0.0, 0.0]),
        "gold target in row 0, column 2: -1 is no non-negative finite number"
    );
    let teacher = Teacher::of_all(vec![0.0, 0.0, 0.0, f32::INFINITY, 0.0, 0.0]);
    assert_eq!(
        refusal(|parts| parts.teachers = vec![teacher]),
        "score of teacher 0 in row 1, column 0: inf is no finite number"
    );
    assert_eq!(
        refusal(|parts| parts.weights = vec![1.0, -0.5]),
        "weight of row 1: -0.5 is no non-negative finite number"
    );
}

#[test]
fn cells_that_do_not_count_may_hold_anything() {
    let mut parts = parts();
    parts.scores[1] = f32::NAN;
    parts.valid = vec![true, false, true, true, true, true];
    parts.teachers = vec![Teacher {
        scores: vec![f32::NAN; 6],
        known: vec![false, true, false, false, false, false],
    }];
    parts.cell_weights = vec![1.0, 1.0, 0.0, 1.0, 1.0, 1.0];
    let block = Block::new(parts).unwrap();
    let counts: Vec<bool> = (0..3).map(|column| block.counts(0, column)).collect();
    assert_eq!(counts, [true, false, false]);
    assert_eq!(block.teacher(0, 0, 0), None);
}

#[test]
fn copies_of_what_is_relevant_are_masked_for_that_query_alone() {
    // Two queries; the columns are documents 1, 2, 1, 3.
    let gold = [1.0, 0.0, 0.0, 0.0, 0.0, 1.0, 0.0, 0.0];
    let mask = Mask::full(2, 4).without_copies_of_gold(&[1, 2, 1, 3], &gold).unwrap();
    assert_eq!(mask.into_valid(), [true, true, false, true, true, true, true, true]);
}

#[test]
fn of_two_graded_copies_the_first_stays() {
    let mask = Mask::full(1, 3).without_copies_of_gold(&[5, 5, 5], &[0.0, 2.0, 1.0]).unwrap();
    assert_eq!(mask.into_valid(), [false, true, false]);
}

#[test]
fn repeats_are_masked_within_a_row() {
    // Each query has candidates of its own here: one id a cell.
    let ids = [1, 2, 2, 4, 4, 1];
    let gold = [1.0, 0.0, 0.0, 0.0, 1.0, 0.0];
    let mask = Mask::full(2, 3).without_repeats(&ids, &gold).unwrap();
    assert_eq!(mask.into_valid(), [true, true, false, false, true, true]);
    let barred = Mask::full(2, 3).without(|query, candidate| query == candidate);
    let mask = barred.without_repeats(&ids, &gold).unwrap();
    assert_eq!(mask.into_valid(), [false, true, false, false, false, true]);
}

#[test]
fn a_mask_of_another_shape_is_refused() {
    let error = Mask::full(2, 3).without_repeats(&[1, 2], &[0.0; 6]).unwrap_err();
    assert_eq!(error.to_string(), "a mask of 2 queries and 3 candidates got 2 ids");
    let error = Mask::full(2, 3).without_repeats(&[1, 2, 3], &[0.0; 5]).unwrap_err();
    assert_eq!(error.to_string(), "a mask of 2 queries and 3 candidates got 5 grades");
}
