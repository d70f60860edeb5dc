//! Channels that are read by their impacts alone, against the same channels read exactly.

use ecphory::{Pipeline, SearchOptions};

use crate::support::{Bench, check_sums, documents};

#[test]
fn bounds_are_near_the_scores_and_explained_by_them() {
    let bench = Bench::new();
    let reader = bench.filled(&documents(60, 5));
    let options = SearchOptions { k: 60, explain: true, documents: false };
    let search = |pipeline: &str| {
        reader.search(&reader.pipeline(pipeline).unwrap(), "radium moon", &options).unwrap()
    };
    let (exact, bounds) = (search("bm25"), search("impacts(bm25)"));
    assert!(exact.hits.len() > 5);
    assert_eq!(exact.hits.len(), bounds.hits.len());
    for hit in &bounds.hits {
        let known = exact.hits.iter().find(|known| known.id == hit.id).unwrap();
        assert!(
            hit.score >= known.score && hit.score < 1.02 * known.score,
            "{} {}",
            hit.score,
            known.score
        );
        let explanation = hit.explanation.as_ref().unwrap();
        assert_eq!(explanation.value, f64::from(hit.score));
        assert!((explanation.inputs[0].value - f64::from(known.score)).abs() < 1e-5);
        check_sums(&explanation.inputs[0]);
    }
    let work = |response: &ecphory::Response| {
        response.timings.iter().find_map(|stage| stage.work).unwrap()
    };
    assert_eq!((work(&bounds).scored, work(&exact).scored > 0), (0, true));
    assert_eq!(work(&bounds).postings, work(&exact).postings);

    let dense: Pipeline = "impacts(dense)".parse().unwrap();
    let error = reader.search(&dense, "moon", &options).unwrap_err().to_string();
    assert!(error.contains("`dense` has no impacts"), "{error}");
}
