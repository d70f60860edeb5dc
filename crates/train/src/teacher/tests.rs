use super::*;
use crate::ids::Ids;
use proptest::prelude::*;

fn ids() -> (Ids, Ids) {
    (Ids::of_queries(["q1", "q2"]).unwrap(), Ids::of_documents(["a", "b", "c"]).unwrap())
}

fn read(text: &str) -> Result<StoredScores> {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("scores.tsv");
    fs_err::write(&path, text).unwrap();
    let (queries, documents) = ids();
    StoredScores::read(&path, &queries, &documents)
}

#[test]
fn both_layouts_give_scores_by_id() {
    let tsv = "query\tdocument\tscore\nq2\tc\t1.5\nq1\ta\t-0.25\nq2\ta\t3e-1\n";
    let json = r#"{"score": 1.5, "query": "q2", "document": "c", "more": [1]}
        {"query": "q\u0031", "document": "a", "score": -0.25}
        {"query": "q2", "document": "a", "score": 0.3}"#;
    for text in [tsv, &tsv[21..], json] {
        let stored = read(text).unwrap();
        assert_eq!(stored.of_query(1), [(0, 0.3), (2, 1.5)]);
        assert_eq!(stored.scores(1, &[2, 0, 2]).unwrap(), [1.5, 0.3, 1.5]);
        assert_eq!(stored.scores(0, &[0]).unwrap(), [-0.25]);
        let error = stored.scores(0, &[0, 1]).unwrap_err().to_string();
        assert_eq!(error, "the teacher has no score for document 1 and query 0");
        assert!(stored.scores(7, &[0]).is_err());
    }
}

#[test]
fn a_file_of_another_collection_names_the_first_unknown_ids() {
    let message = |text: &str| {
        let error = read(text).unwrap_err();
        assert_eq!(error.kind(), ecphory_core::ErrorKind::Input);
        error.to_string()
    };
    let text = "q1\ta\t1\nq1\tx\t1\nq1\ty\t1\nq1\tx\t2\nq1\tz\t1\nq1\tw\t1\n";
    assert!(message(text).ends_with(
        "scores.tsv: 5 of its documents are not in this collection, the first in line 2: x, y, z"
    ));
    let text = "q1\ta\t1\nq9\tx\t1\n";
    assert!(
        message(text)
            .ends_with("1 of its queries are not in this collection, the first in line 2: q9")
    );
    assert!(
        message("q1\ta\t1\nq1\ta\t2\n").ends_with("query `q1` and document `a` are there twice")
    );
    assert!(
        message("q1\ta\t1\nq1\tb\tgood\n")
            .ends_with("line 2: the score `good` is not a finite number")
    );
    assert!(
        message("q1\ta\t1\nq1\tb\tNaN\n")
            .ends_with("line 2: the score `NaN` is not a finite number")
    );
    assert!(message("q1 a 1\n").ends_with("score, split by tabs, got 1 columns"));
    let text = "{\"query\": \"q1\", \"document\": \"a\"}\n";
    assert!(message(text).contains("line 1: expected an object with query, document and score"));
    let dir = tempfile::tempdir().unwrap();
    let (queries, documents) = ids();
    let error = StoredScores::read(&dir.path().join("none"), &queries, &documents).unwrap_err();
    assert_eq!(error.kind(), ecphory_core::ErrorKind::NotFound);
}

fn applied(shape: Shape, scores: &[f32]) -> (Vec<f32>, bool) {
    let mut scores = scores.to_vec();
    let flat = Normaliser::of(shape).apply(&mut scores);
    (scores, flat)
}

#[test]
fn scales_are_what_they_say() {
    let scores = [2.0, -2.0, 6.0, 2.0];
    assert_eq!(applied(Shape::None, &scores), (scores.to_vec(), false));
    assert_eq!(applied(Shape::MinMax, &scores), (vec![0.5, 0.0, 1.0, 0.5], false));
    assert_eq!(applied(Shape::Rank, &scores), (vec![0.5, 0.0, 1.0, 0.5], false));
    assert_eq!(
        applied(Shape::Rank, &[9.0, 8.0, 9.0, 9.0]).0,
        [2.0 / 3.0, 0.0, 2.0 / 3.0, 2.0 / 3.0]
    );
    let root = 8.0f32.sqrt();
    assert_eq!(applied(Shape::Z, &scores), (vec![0.0, -4.0 / root, 4.0 / root, 0.0], false));
    assert_eq!(applied(Shape::MinMax, &[f32::MAX, -f32::MAX, 0.0]).0, [1.0, 0.0, 0.5]);
}

#[test]
fn flat_lists_are_not_stretched() {
    for (shape, level) in [(Shape::MinMax, 0.5), (Shape::Z, 0.0), (Shape::Rank, 0.5)] {
        for scores in [&[3.0; 3][..], &[1.0, 1.000_000_1, 1.0], &[7.0], &[0.0, -0.0]] {
            assert_eq!(applied(shape, scores), (vec![level; scores.len()], true));
        }
        assert_eq!(applied(shape, &[]), (vec![], true));
        // What counts as flat is the caller's choice.
        let mut scores = [0.0, 0.05];
        assert!(Normaliser { shape, flat_below: 0.1 }.apply(&mut scores));
        assert!(!Normaliser { shape, flat_below: 0.0 }.apply(&mut [1.0, 1.000_000_1]));
        assert!(Normaliser { shape, flat_below: 0.0 }.apply(&mut [1.0, 1.0]));
    }
    assert_eq!(applied(Shape::None, &[3.0; 3]), (vec![3.0; 3], true));
}

proptest! {
    #[test]
    fn no_scale_changes_the_order(values in proptest::collection::vec(-50i8..50, 2..20)) {
        let scores: Vec<f32> = values.iter().map(|&v| f32::from(v) * 0.7).collect();
        for shape in [Shape::None, Shape::MinMax, Shape::Z, Shape::Rank] {
            let (scaled, flat) = applied(shape, &scores);
            prop_assert_eq!(flat, values.iter().all(|v| *v == values[0]));
            for i in 0..scores.len() {
                for j in 0..scores.len() {
                    let same = scores[i].total_cmp(&scores[j]) == scaled[i].total_cmp(&scaled[j]);
                    prop_assert!(same || flat, "{:?} {:?}", scores, scaled);
                }
            }
        }
    }
}

#[test]
fn normalisers_print_as_they_are_written() {
    for spec in ["none", "min-max", "z", "rank", "min-max(flat=0.1)", "z(flat=0)"] {
        assert_eq!(spec.parse::<Normaliser>().unwrap().to_string(), spec);
    }
    let message = |spec: &str| spec.parse::<Normaliser>().unwrap_err().to_string();
    assert!(message("minmax").ends_with("`none`, `min-max`, `z` or `rank` at byte 0"));
    assert!(message("z(eps=1)").ends_with("expected `flat` at byte 2"));
    assert!(message("z(flat=-1)").ends_with("expected a number from 0 on at byte 7"));
}

/// Scores a document by a function of its number.
struct By(fn(u32) -> f32);

impl Teacher for By {
    fn scores(&self, _query: u32, documents: &[u32]) -> Result<Vec<f32>> {
        Ok(documents.iter().map(|&document| (self.0)(document)).collect())
    }
}

#[test]
fn an_ensemble_is_the_weighted_mean_of_its_members_scales() {
    let large = By(|document| 1000.0 * document as f32);
    let small = By(|document| -0.5 * document as f32);
    let flat = By(|_| 17.0);
    let member =
        |teacher, weight| Member { teacher, weight, normaliser: Normaliser::of(Shape::MinMax) };
    let ensemble = Ensemble::new(vec![member(&large, 3.0), member(&small, 1.0)], 30.0).unwrap();
    // Min-max over 1, 2, 3 gives 0, 0.5, 1 and the reverse; weights 3/4 and 1/4; times 30.
    assert_eq!(ensemble.scores(0, &[1, 3, 2]).unwrap(), [7.5, 22.5, 15.0]);
    // A teacher that says nothing changes no differences but their size.
    let three = vec![member(&large, 3.0), member(&small, 1.0), member(&flat, 4.0)];
    let scores = Ensemble::new(three, 60.0).unwrap().scores(0, &[1, 3, 2]).unwrap();
    assert_eq!([scores[1] - scores[0], scores[2] - scores[0]], [15.0, 7.5]);
    assert_eq!(margins(&ensemble, 0, 3, &[1, 2]).unwrap(), [15.0, 7.5]);
}

struct Short;

impl Teacher for Short {
    fn scores(&self, _query: u32, _documents: &[u32]) -> Result<Vec<f32>> {
        Ok(vec![1.0])
    }
}

#[test]
fn teachers_that_say_nonsense_are_refused() {
    assert!(Ensemble::new(vec![], 1.0).is_err());
    let broken = By(|_| f32::NAN);
    let member =
        |weight| vec![Member { teacher: &broken, weight, normaliser: Normaliser::of(Shape::Z) }];
    assert!(Ensemble::new(member(0.0), 1.0).is_err());
    assert!(Ensemble::new(member(1.0), f32::INFINITY).is_err());
    let ensemble = Ensemble::new(member(1.0), 1.0).unwrap();
    let error = ensemble.scores(4, &[1, 2]).unwrap_err().to_string();
    assert_eq!(error, "scores of the teacher for query 4: value 0 is NaN");
    let error = margins(&Short, 0, 1, &[2]).unwrap_err().to_string();
    assert_eq!(error, "scores of the teacher: expected 2, got 1");
}

#[test]
fn a_scale_that_is_kept_is_that_of_the_list() {
    for list in [&[3.0, -1.0, 0.5, 7.25][..], &[2.0, 2.0, 2.0], &[]] {
        let moments = Moments::of(list);
        let mut scaled = list.to_vec();
        Normaliser::of(Shape::Z).apply(&mut scaled);
        assert_eq!(list.iter().map(|&x| moments.apply(x)).collect::<Vec<f32>>(), scaled);
    }
}
