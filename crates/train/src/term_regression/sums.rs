//! What a regression needs of all rows: their sum, the sum of their products, and the sums of those that have a term.

use ecphory_core::Progress;
use ecphory_kernels::Level;
use ecphory_kernels::nn::{Epilogue, Packed, Rows, RowsMut, multiply};
use ecphory_model::Role;
use rayon::prelude::*;
use rustc_hash::{FxHashMap, FxHashSet};

use super::DOCUMENTS;
use crate::body::{States, rows};
use crate::error::{Error, Result};
use crate::head::{Chain, Head};
use crate::ragged::{NO_TERM, Ragged, ShapeError, check_length};

/// Chunks of documents whose rows are in memory at a time.
const CHUNKS: usize = 16;

/// Sums in double precision.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Sums {
    count: u64,
    of_all: Vec<f64>,
    /// Of each pair of columns.
    products: Vec<f64>,
    /// `[terms, columns]`, with how many rows each is of.
    of_terms: Vec<f64>,
    counts: Vec<u64>,
    /// How many documents have each term.
    documents: Vec<u64>,
}

/// What one thread finds in some documents.
struct Part {
    products: Vec<f32>,
    rows: Ragged,
    /// The terms of each row.
    terms: Vec<Vec<u32>>,
}

impl Sums {
    /// Goes through what heads make of documents.
    pub(super) fn of(
        (states, documents): (&dyn States, &[u32]),
        heads: &Chain,
        terms: usize,
        progress: &dyn Progress,
    ) -> Result<Self> {
        let columns = states.columns();
        let mut sums = Self {
            count: 0,
            of_all: vec![0.0; columns],
            products: vec![0.0; columns * columns],
            of_terms: vec![0.0; terms * columns],
            counts: vec![0; terms],
            documents: vec![0; terms],
        };
        for documents in documents.chunks(CHUNKS * DOCUMENTS) {
            if progress.cancelled() {
                return Err(Error::Interrupted);
            }
            progress.advance(documents.len() as u64);
            let part = |documents: &[u32]| {
                let states = rows(states, Role::Document, documents)?;
                let (rows, _) = heads.forward(Level::detect(), &states)?;
                let terms = terms_of_rows(&states, &rows)?;
                Ok(Part { products: products(&rows), rows, terms })
            };
            let parts: Vec<Part> =
                documents.par_chunks(DOCUMENTS).map(part).collect::<Result<_>>()?;
            for part in &parts {
                sums.add(part);
            }
        }
        Ok(sums)
    }

    fn add(&mut self, part: &Part) {
        let columns = self.columns();
        add(&mut self.products, &part.products);
        for item in 0..part.rows.items() {
            let mut own = FxHashSet::default();
            for row in part.rows.counted_rows(item) {
                self.count += 1;
                add(&mut self.of_all, part.rows.row(row));
                for &term in &part.terms[row] {
                    let place = term as usize;
                    add(&mut self.of_terms[place * columns..][..columns], part.rows.row(row));
                    self.counts[place] += 1;
                    self.documents[place] += u64::from(own.insert(term));
                }
            }
        }
    }

    pub(super) fn columns(&self) -> usize {
        self.of_all.len()
    }

    pub(super) fn terms(&self) -> usize {
        self.counts.len()
    }

    pub(super) fn documents_with(&self, term: usize) -> u64 {
        self.documents[term]
    }

    /// The mean row.
    pub(super) fn mean(&self) -> Vec<f64> {
        self.of_all.iter().map(|sum| sum / self.count as f64).collect()
    }

    /// The mean of the rows that have a term; `None` where none has it.
    pub(super) fn mean_of(&self, term: usize) -> Option<impl Iterator<Item = f64>> {
        let (count, columns) = (self.counts[term] as f64, self.columns());
        let sums = &self.of_terms[term * columns..][..columns];
        (count > 0.0).then(|| sums.iter().map(move |sum| sum / count))
    }

    /// The covariance of columns.
    pub(super) fn covariance(&self) -> Vec<f64> {
        let (mean, columns) = (self.mean(), self.columns());
        let cells = self.products.iter().enumerate();
        let centred = |(at, sum): (usize, &f64)| {
            sum / self.count as f64 - mean[at / columns] * mean[at % columns]
        };
        cells.map(centred).collect()
    }
}

fn add(to: &mut [f64], values: &[f32]) {
    to.iter_mut().zip(values).for_each(|(to, &value)| *to += f64::from(value));
}

/// The sum over rows that count of the products of each pair of columns.
fn products(rows: &Ragged) -> Vec<f32> {
    let columns = rows.columns;
    let counted = (0..rows.rows()).filter(|&row| rows.counts(row));
    let values: Vec<f32> = counted.flat_map(|row| rows.row(row)).copied().collect();
    let count = values.len() / columns;
    let column = |at: usize| values.iter().skip(at).step_by(columns).copied();
    let turned: Vec<f32> = (0..columns).flat_map(column).collect();
    let mut products = vec![0.0; columns * columns];
    let mut packed: Packed = Packed::default();
    packed.set(Rows::dense(&values, columns));
    let out = RowsMut::dense(&mut products, columns);
    multiply(
        Level::detect(),
        Rows::dense(&turned, count),
        packed.panels(),
        Epilogue::default(),
        out,
    );
    products
}

/// The distinct terms of each row that was made of states: the row's own, or those of its word's pieces.
fn terms_of_rows(states: &Ragged, made: &Ragged) -> Result<Vec<Vec<u32>>, ShapeError> {
    if states.terms.is_empty() {
        return Err(ShapeError::NoTerms);
    }
    if !made.terms.is_empty() {
        let own = made.terms.iter().map(|&term| Vec::from_iter((term != NO_TERM).then_some(term)));
        return Ok(own.collect());
    }
    check_length("words of rows", made.words.len(), made.rows())?;
    check_length("words of states", states.words.len(), states.rows())?;
    let mut terms = vec![Vec::new(); made.rows()];
    for item in 0..made.items() {
        let mut of_words: FxHashMap<u32, Vec<u32>> = FxHashMap::default();
        for row in states.counted_rows(item).filter(|&row| states.terms[row] != NO_TERM) {
            let known = of_words.entry(states.words[row]).or_default();
            if !known.contains(&states.terms[row]) {
                known.push(states.terms[row]);
            }
        }
        for row in made.span(item) {
            terms[row] = of_words.get(&made.words[row]).cloned().unwrap_or_default();
        }
    }
    Ok(terms)
}
