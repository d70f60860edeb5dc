use ecphory_kernels::Level;

use super::*;
use crate::draws::Draws;
use crate::head::Pooling;
use crate::ragged::samples::{check_slopes, ragged, weighed};

const COLUMNS: usize = 3;
const TERMS: usize = 5;

const SPECS: [&str; 9] = [
    "cosine(mean)",
    "cosine(pooled > linear)",
    "dot(cls > linear(4))",
    "dot(table | linear > lexical)",
    "dot(ones | lexical-twice)",
    "dot(table | transform > lexical)",
    "maxsim(linear(4) > unit)",
    "word-maxsim(linear(2) > words > gate)",
    "fusion(dot(cls > linear(4)), maxsim(linear(2) > words > gate))",
];

fn matching(spec: &str, seed: u64) -> Matching {
    let mut draws = Draws::new(seed);
    let terms = draws.numbers(TERMS * COLUMNS);
    let idf = [0.5, 1.0, 1.5, 2.0, 2.5];
    let materials = Materials {
        columns: COLUMNS,
        pooling: Some(Pooling::Mean),
        terms: &terms,
        idf: &idf,
        seed,
        epsilon: 0.5,
    };
    let mut made = spec.parse::<MatchingSpec>().unwrap().build(&materials).unwrap();
    for parameter in made.parameters() {
        let moved = draws.numbers(parameter.values.len());
        parameter.values.iter_mut().zip(moved).for_each(|(value, by)| *value += 0.25 * by);
    }
    made
}

fn side(items: usize, seed: u64) -> Ragged {
    let mut made = ragged(items, COLUMNS, seed);
    let mut draws = Draws::new(seed + 1);
    made.terms = (0..made.rows()).map(|_| draws.below(TERMS) as u32).collect();
    made
}

#[test]
fn specs_print_as_they_were_and_errors_point_at_what_is_wrong() {
    for spec in SPECS {
        assert_eq!(spec.parse::<MatchingSpec>().unwrap().to_string(), spec);
    }
    for (text, offset) in [
        ("", 0),
        ("cos(mean)", 0),
        ("dot(mien)", 4),
        ("dot(linear(0))", 11),
        ("dot(mean", 8),
        ("dot(mean) x", 10),
        ("fusion(dot(mean))", 16),
        ("dot(mean | )", 11),
    ] {
        let error = text.parse::<MatchingSpec>().unwrap_err().to_string();
        assert!(error.ends_with(&format!("at byte {offset}")), "{text}: {error}");
    }
}

#[test]
fn derivatives_are_those_of_differences() {
    let level = Level::detect();
    for (seed, spec) in (0..).zip(SPECS) {
        let mut made = matching(spec, seed);
        let (queries, documents) = (side(2, seed + 20), side(3, seed + 30));
        let matched = made.forward(level, &queries, &documents, Layout::Shared).unwrap();
        let weights = Draws::new(seed + 40).numbers(matched.scores.len());
        made.parameters().into_iter().for_each(Parameter::clear);
        let sides = (&queries, &documents);
        let extra = Extra::default();
        let found = made.backward(level, sides, &matched, &weights, &extra).unwrap();
        let scores = |made: &Matching, queries: &Ragged, documents: &Ragged| {
            let queries = made.queries(level, queries).unwrap();
            let documents = made.documents(level, documents).unwrap();
            made.compare(level, &queries, &documents, Layout::Shared).unwrap()
        };
        assert_eq!(scores(&made, &queries, &documents), matched.scores, "{spec}");
        check_slopes(spec, &queries.values, &found.queries, |values| {
            let moved = queries.with_values(values.to_vec(), COLUMNS);
            weighed(&weights, &scores(&made, &moved, &documents))
        });
        check_slopes(spec, &documents.values, &found.documents, |values| {
            let moved = documents.with_values(values.to_vec(), COLUMNS);
            weighed(&weights, &scores(&made, &queries, &moved))
        });
        for index in 0..made.parameters().len() {
            let mut copy = made.clone();
            let (values, gradient, name) = {
                let all = made.parameters();
                (all[index].values.clone(), all[index].gradient.clone(), all[index].name.clone())
            };
            check_slopes(&format!("{spec}: {name}"), &values, &gradient, |values| {
                let mut moved = copy.clone();
                moved.parameters()[index].values = values.to_vec();
                weighed(&weights, &scores(&moved, &queries, &documents))
            });
            copy.parameters()[index].clear();
        }
    }
}

#[test]
fn names_of_parameters_are_unique() {
    for spec in SPECS {
        let mut made = matching(spec, 0);
        let mut names: Vec<String> =
            made.parameters().iter().map(|parameter| parameter.name.clone()).collect();
        let count = names.len();
        names.sort();
        names.dedup();
        assert_eq!(names.len(), count, "{spec}");
    }
}

#[test]
fn an_adapter_begins_as_the_identity() {
    let level = Level::detect();
    let materials = Materials {
        columns: COLUMNS,
        pooling: Some(Pooling::Mean),
        terms: &[],
        idf: &[],
        seed: 0,
        epsilon: 1e-12,
    };
    let build = |spec: &str| spec.parse::<MatchingSpec>().unwrap().build(&materials);
    let (queries, documents) = (side(2, 1), side(3, 2));
    let scores =
        |made: &Matching| made.forward(level, &queries, &documents, Layout::Shared).unwrap().scores;
    let (plain, adapted) =
        (build("cosine(mean)").unwrap(), build("cosine(mean > linear)").unwrap());
    assert_eq!(scores(&plain), scores(&adapted));
    let error = build("dot(table | lexical)").unwrap_err().to_string();
    assert!(error.contains("vocabulary"), "{error}");
}
