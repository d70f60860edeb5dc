//! Search by weights of terms, with what it would cost an inverted index; and what queries and special tokens are to it.

use ecphory_kernels::Level;
use ecphory_model::Role;
use rayon::prelude::*;
use rustc_hash::FxHashSet;

use crate::body::{States, rows};
use crate::error::{Error, Result};
use crate::matching::{Matching, Materials};
use crate::ragged::{NO_TERM, Ragged};
use crate::recipe::Recipe;
use crate::score::{Layout, put_columns};
use crate::study::{Mechanism, Subject};

/// The mean number of terms that a query and a document both weigh: the postings that a query meets, by document.
pub(super) const FLOPS: &str = "FLOPS";
/// The mean number of terms that a document weighs.
pub(super) const TERMS: &str = "terms of a document";
/// How many of them are not in its text.
pub(super) const EXPANSIONS: &str = "terms that are not in its text";

/// Documents that one thread weighs at a time.
const DOCUMENTS: usize = 16;
/// All terms are counted of one document in so many: ranking needs only those of queries, which cost a tenth.
const SAMPLED: usize = 16;

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

/// Compares all documents with queries, on the current pool; documents are weighed at the terms of the queries.
pub(super) fn search(
    matching: &Matching,
    states: &dyn States,
    (queries, documents): (&[u32], u32),
) -> Result<Found> {
    let level = Level::detect();
    let of_queries = matching.queries(level, &rows(states, Role::Query, queries)?)?;
    let weighs = counts(&of_queries.branches[0]);
    let asked: Vec<u32> =
        (0..).zip(&weighs).filter(|(_, count)| **count > 0).map(|(term, _)| term).collect();
    let narrowed = matching.narrowed(&asked).ok_or(Error::Nothing { what: "weights of terms" })?;
    let of_queries = of_queries.narrowed(&asked);
    let numbers: Vec<u32> = (0..documents).collect();
    let part = |numbers: &[u32]| {
        let made = narrowed.documents(level, &rows(states, Role::Document, numbers)?)?;
        let scores = narrowed.compare(level, &of_queries, &made, Layout::Shared)?;
        let weights = &made.branches[0];
        let met = (0..weights.items()).flat_map(|item| weighed(weights.row(item)));
        let met = met.map(|place| u64::from(weighs[asked[place as usize] as usize])).sum::<u64>();
        Ok((scores, met))
    };
    let parts: Vec<(Vec<f32>, u64)> =
        numbers.par_chunks(DOCUMENTS).map(part).collect::<Result<_>>()?;
    let width = documents as usize;
    let pairs = queries.len() as f64 * f64::from(documents);
    let mut found = Found { scores: vec![0.0; queries.len() * width], ..Found::default() };
    for (chunk, (scores, met)) in parts.iter().enumerate() {
        let columns = scores.len() / queries.len();
        put_columns(scores, (chunk * DOCUMENTS, columns), &mut found.scores, width);
        found.flops += *met as f64 / pairs;
    }
    (found.terms, found.expansions) = terms_and_expansions(matching, states, documents)?;
    Ok(found)
}

/// How many terms a document weighs, and how many that are not in its text: the mean over a part of the documents.
fn terms_and_expansions(
    matching: &Matching,
    states: &dyn States,
    documents: u32,
) -> Result<(f64, f64)> {
    let sample: Vec<u32> = (0..documents).step_by(SAMPLED).collect();
    let of_document = |&document: &u32| {
        let states = rows(states, Role::Document, &[document])?;
        let made = matching.documents(Level::detect(), &states)?;
        let own: FxHashSet<u32> = states.terms.iter().copied().collect();
        let weighed = || weighed(made.branches[0].row(0));
        Ok((weighed().count(), weighed().filter(|term| !own.contains(term)).count()))
    };
    let counted: Vec<(usize, usize)> = sample.par_iter().map(of_document).collect::<Result<_>>()?;
    let mean = |of: fn(&(usize, usize)) -> usize| {
        counted.iter().map(of).sum::<usize>() as f64 / sample.len().max(1) as f64
    };
    Ok((mean(|counts| counts.0), mean(|counts| counts.1)))
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
