//! Search by weights of terms, with what it would cost an inverted index; and what queries and special tokens are to it.

use ecphory_kernels::Level;
use ecphory_model::Role;

use crate::bag_of_terms::own_terms;
use crate::body::rows;
use crate::error::{Error, Result};
use crate::matching::Materials;
use crate::ragged::{NO_TERM, Ragged};
use crate::recipe::Recipe;
use crate::run::course::Course;
use crate::score::Layout;
use crate::study::{Mechanism, Subject};

/// The mean number of terms that a query and a document both weigh: the postings that a query meets, by document.
pub(super) const FLOPS: &str = "FLOPS";
/// The mean number of terms that a document weighs.
pub(super) const TERMS: &str = "terms of a document";
/// How many of them are not in its text.
pub(super) const EXPANSIONS: &str = "terms that are not in its text";

/// Documents whose weights are in memory at a time.
const DOCUMENTS: usize = 16;

/// The scores of all documents, and counts of terms.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Found {
    /// Query by query.
    pub(super) scores: Vec<f32>,
    flops: f64,
    terms: f64,
    expansions: f64,
}

impl Found {
    /// The counts by their names.
    pub(super) fn notes(&self) -> [(&'static str, f64); 3] {
        [(FLOPS, self.flops), (TERMS, self.terms), (EXPANSIONS, self.expansions)]
    }
}

/// Weighs all documents and compares them with queries.
pub(super) fn search(course: &Course<'_>, queries: &[u32], documents: u32) -> Result<Found> {
    let level = Level::detect();
    let dual = course.ranker.dual().ok_or(Error::Nothing { what: "weights of terms" })?;
    let states = dual.body.read(Role::Query, queries)?;
    let of_queries = dual.matching.queries(level, &states)?;
    let weighs = counts(&of_queries.branches[0]);
    let (width, pairs) = (documents as usize, queries.len() as f64 * f64::from(documents));
    let mut found = Found { scores: vec![0.0; queries.len() * width], ..Found::default() };
    let numbers: Vec<u32> = (0..documents).collect();
    for (chunk, numbers) in numbers.chunks(DOCUMENTS).enumerate() {
        let states = dual.body.read(Role::Document, numbers)?;
        let made = dual.matching.documents(level, &states)?;
        let part = dual.matching.compare(level, &of_queries, &made, Layout::Shared)?;
        for (row, part) in part.chunks_exact(numbers.len()).enumerate() {
            found.scores[row * width + chunk * DOCUMENTS..][..part.len()].copy_from_slice(part);
        }
        let weights = &made.branches[0];
        for item in 0..weights.items() {
            let own = own_terms(&states, item);
            for term in weighed(weights.row(item)) {
                found.flops += f64::from(weighs[term as usize]) / pairs;
                found.terms += 1.0 / f64::from(documents);
                if !own.contains(&term) {
                    found.expansions += 1.0 / f64::from(documents);
                }
            }
        }
    }
    Ok(found)
}

/// The terms of a row that weigh something.
fn weighed(row: &[f32]) -> impl Iterator<Item = u32> {
    (0..).zip(row).filter(|(_, weight)| **weight != 0.0).map(|(term, _)| term)
}

/// How many items weigh each term.
fn counts(weights: &Ragged) -> Vec<u32> {
    let mut counts = vec![0; weights.columns];
    for item in 0..weights.items() {
        weighed(weights.row(item)).for_each(|term| counts[term as usize] += 1);
    }
    counts
}

/// What is so whatever was learned: no state of a query is looked at, and special tokens are no terms.
pub(super) fn mechanisms(recipe: &Recipe, subject: &Subject<'_>) -> Result<[Mechanism; 2]> {
    let states = subject.parts().states.ok_or(Error::Nothing { what: "states of tokens" })?;
    let materials = Materials::without_terms(states.columns(), None, 0);
    let materials = materials.with_terms(states.vocabulary());
    let matching = recipe.ranker()?.heads()?.build(&materials)?;
    let level = Level::detect();
    let (mut equal, mut special, mut terms) = (0, 0, 0);
    let queries = subject.data().queries().len() as u32;
    for query in 0..queries {
        let with_states = rows(states, Role::Query, &[query])?;
        // What is computed from no number is no number: equal weights have not met any state.
        let without =
            with_states.with_values(vec![f32::NAN; with_states.values.len()], states.columns());
        let [read, looked_up] = [&with_states, &without].map(|rows| matching.queries(level, rows));
        equal += u32::from(read? == looked_up?);
        let is_special = |row: &usize| with_states.words[*row] == 0;
        for row in (0..with_states.rows()).filter(is_special) {
            special += 1;
            terms += u32::from(with_states.terms[row] != NO_TERM);
        }
    }
    let collection = subject.name().to_owned();
    Ok([
        Mechanism {
            collection: collection.clone(),
            says: "queries need no encoder: their weights are looked up by tokens alone".to_owned(),
            seen: format!("{equal} of {queries} queries weigh the same where all states are NaN"),
            asserted: true,
            holds: equal == queries,
        },
        Mechanism {
            collection,
            says: "special tokens weigh nothing".to_owned(),
            seen: format!("{terms} of {special} in queries have a term"),
            asserted: true,
            holds: special > 0 && terms == 0,
        },
    ])
}
