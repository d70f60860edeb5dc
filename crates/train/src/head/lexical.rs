//! Weights of all terms of a vocabulary from the states of tokens: SPLADE's head, its doubly logarithmic form (Geng, Ru, Yang 2024),
//! and VDR's (Zhou et al. 2024).

use ecphory_kernels::Level;
use ecphory_kernels::nn::{Epilogue, Packed, Rows, RowsMut, multiply};
use rayon::prelude::*;

use super::{Head, Parameter};
use crate::ragged::{Ragged, ShapeError, add_scaled, check_length};
use crate::unit::positive;

/// Terms whose logits are in memory at a time.
const TERMS_AT_ONCE: usize = 256;

/// What becomes of a term's largest logit `x`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum LexicalActivation {
    /// `log(1 + max(x, 0))`.
    #[default]
    Log,
    /// The same, twice: `log(1 + log(1 + max(x, 0)))`.
    DoubleLog,
    /// `elu(x) + 1`, which is never 0: sparse only after a cut to the largest.
    EluPlusOne,
}

impl LexicalActivation {
    /// The value and the derivative.
    fn apply(self, x: f32) -> (f32, f32) {
        let positive = positive(x);
        let is_open = f32::from(u8::from(x > 0.0));
        match self {
            Self::Log => (positive.ln_1p(), is_open / (1.0 + positive)),
            Self::DoubleLog => {
                let once = positive.ln_1p();
                (once.ln_1p(), is_open / ((1.0 + positive) * (1.0 + once)))
            }
            Self::EluPlusOne if x > 0.0 => (x + 1.0, 1.0),
            Self::EluPlusOne => (x.exp(), x.exp()),
        }
    }
}

/// The activation of the largest logit `E·x + b` of each term over the rows that count; one row for each item.
///
/// All activations rise, so that the maximum is taken before them; of equal logits the first takes the derivative. The vocabulary is
/// that of the table: a table of the wordpieces that occur in a corpus makes the head as much cheaper.
/// Cost: a product of all rows with the table, 256 terms at a time on the threads of the current pool, which change no bit. In memory
/// are the logits of one item and 256 terms for each thread, and, for the way back, 8 bytes for each item and term.
#[derive(Clone, Debug, PartialEq)]
pub struct Lexical {
    /// `[terms, in]`; where it is tied to the embeddings of an encoder, these are moved in for a step and out again.
    pub table: Parameter,
    /// `[terms]`.
    pub bias: Parameter,
    /// Which terms weigh nothing whatever their logits, such as special tokens; empty where none does.
    pub barred: Vec<bool>,
    /// What becomes of a logit.
    pub activation: LexicalActivation,
    /// Whether the table moves; biases always do.
    pub learns_table: bool,
}

/// Which row had the largest logit of each item and term, and the derivative of the activation there.
#[derive(Clone, Debug)]
pub struct LexicalKept {
    winners: Vec<u32>,
    slopes: Vec<f32>,
}

impl Lexical {
    /// Makes a head over a table of so many terms, without bias and with no term barred.
    ///
    /// # Errors
    /// No term, or a table that is no whole number of rows.
    pub fn new(
        terms: usize,
        table: Vec<f32>,
        activation: LexicalActivation,
    ) -> Result<Self, ShapeError> {
        let columns = table.len().checked_div(terms).unwrap_or(0);
        if columns == 0 {
            return Err(ShapeError::Empty { items: terms, columns });
        }
        Ok(Self {
            table: Parameter::new("table", &[terms, columns], table)?,
            bias: Parameter::filled("bias", &[terms], 0.0),
            barred: Vec::new(),
            activation,
            learns_table: true,
        })
    }

    fn columns(&self) -> usize {
        self.table.shape[1]
    }

    fn terms(&self) -> usize {
        self.table.shape[0]
    }

    fn check(&self, input: &Ragged) -> Result<(), ShapeError> {
        input.check_columns(self.columns())?;
        check_length("biases of terms", self.bias.values.len(), self.terms())?;
        if !self.barred.is_empty() {
            check_length("marks of barred terms", self.barred.len(), self.terms())?;
        }
        let counted = |item: &usize| input.counted_rows(*item).next().is_none();
        match (0..input.items()).find(counted) {
            Some(item) => Err(ShapeError::NothingCounted { item }),
            None => Ok(()),
        }
    }

    /// Computes the largest logit of each item and term, barred or not, item by item, and the row that has it.
    ///
    /// # Errors
    /// As [`Head::forward`].
    pub(crate) fn largest(&self, level: Level, input: &Ragged) -> Result<Largest, ShapeError> {
        self.check(input)?;
        let terms = self.terms();
        let parts: Vec<(usize, usize)> = (0..terms)
            .step_by(TERMS_AT_ONCE)
            .map(|first| (first, TERMS_AT_ONCE.min(terms - first)))
            .collect();
        let found: Vec<Largest> =
            parts.par_iter().map(|&part| self.largest_of(level, input, part)).collect();
        let cells = input.items() * terms;
        let mut all = Largest { logits: vec![0.0; cells], rows: vec![0; cells] };
        for (&(first, width), found) in parts.iter().zip(&found) {
            for item in 0..input.items() {
                let from = item * width..(item + 1) * width;
                let to = item * terms + first..item * terms + first + width;
                all.logits[to.clone()].copy_from_slice(&found.logits[from.clone()]);
                all.rows[to].copy_from_slice(&found.rows[from]);
            }
        }
        Ok(all)
    }

    /// The same of `width` terms from `first` on.
    fn largest_of(&self, level: Level, input: &Ragged, (first, width): (usize, usize)) -> Largest {
        let columns = self.columns();
        let part = &self.table.values[first * columns..(first + width) * columns];
        let table: Packed = Packed::transposed(Rows::dense(part, columns));
        let bias = Some(&self.bias.values[first..first + width]);
        let cells = input.items() * width;
        let mut found = Largest { logits: vec![f32::NEG_INFINITY; cells], rows: vec![0; cells] };
        let mut logits = Vec::new();
        for item in 0..input.items() {
            let span = input.span(item);
            logits.resize(span.len() * width, 0.0);
            let rows = &input.values[span.start * columns..span.end * columns];
            multiply(
                level,
                Rows::dense(rows, columns),
                table.panels(),
                Epilogue { bias, ..Epilogue::default() },
                RowsMut::dense(&mut logits, width),
            );
            let most = &mut found.logits[item * width..][..width];
            let winners = &mut found.rows[item * width..][..width];
            for row in input.counted_rows(item) {
                let logits = &logits[(row - span.start) * width..][..width];
                keep_larger(logits, row as u32, most, winners);
            }
        }
        found
    }

    /// Makes a head over some of its terms, in the order in which they are given: for those who need no other weights.
    ///
    /// # Panics
    /// Where it does not have one of them.
    #[must_use]
    pub fn narrowed(&self, terms: &[u32]) -> Self {
        let columns = self.columns();
        let rows =
            terms.iter().flat_map(|&term| &self.table.values[term as usize * columns..][..columns]);
        let rows: Vec<f32> = rows.copied().collect();
        let bias = terms.iter().map(|&term| self.bias.values[term as usize]).collect();
        let barred = terms.iter().filter_map(|&term| self.barred.get(term as usize)).copied();
        let parameter = |of: &Parameter, shape: &[usize], values: Vec<f32>| Parameter {
            name: of.name.clone(),
            shape: shape.to_vec(),
            gradient: vec![0.0; values.len()],
            values,
        };
        Self {
            table: parameter(&self.table, &[terms.len(), columns], rows),
            bias: parameter(&self.bias, &[terms.len()], bias),
            barred: barred.collect(),
            ..*self
        }
    }
}

/// The largest logits of items and terms, item by item.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Largest {
    pub(crate) logits: Vec<f32>,
    /// The rows that have them.
    rows: Vec<u32>,
}

/// Takes the logits of a row where they are larger than those before it.
fn keep_larger(logits: &[f32], row: u32, most: &mut [f32], winners: &mut [u32]) {
    for ((&logit, most), winner) in logits.iter().zip(most).zip(winners) {
        // What is no number has to come through: the block of scores refuses it with its place.
        let is_larger = logit > *most || logit.is_nan();
        *most = if is_larger { logit } else { *most };
        *winner = if is_larger { row } else { *winner };
    }
}

impl Head for Lexical {
    type Kept = LexicalKept;

    fn forward(&self, level: Level, input: &Ragged) -> Result<(Ragged, LexicalKept), ShapeError> {
        let Largest { logits, rows } = self.largest(level, input)?;
        let terms = self.terms();
        let (mut weights, mut slopes) = (vec![0.0; logits.len()], vec![0.0; logits.len()]);
        for (cell, &logit) in logits.iter().enumerate() {
            if self.barred.get(cell % terms) != Some(&true) {
                (weights[cell], slopes[cell]) = self.activation.apply(logit);
            }
        }
        Ok((Ragged::vectors(weights, terms), LexicalKept { winners: rows, slopes }))
    }

    fn backward(
        &mut self,
        _level: Level,
        input: &Ragged,
        kept: &LexicalKept,
        slopes: &[f32],
    ) -> Result<Vec<f32>, ShapeError> {
        self.check(input)?;
        let (terms, columns) = (self.terms(), self.columns());
        check_length("derivatives", slopes.len(), input.items() * terms)?;
        let mut out = vec![0.0; input.values.len()];
        for (cell, (&slope, &by_logit)) in slopes.iter().zip(&kept.slopes).enumerate() {
            let slope = slope * by_logit;
            if slope == 0.0 {
                continue;
            }
            let (term, row) = (cell % terms, kept.winners[cell] as usize);
            let entry = term * columns..(term + 1) * columns;
            add_scaled(
                &mut out[row * columns..][..columns],
                slope,
                &self.table.values[entry.clone()],
            );
            if self.learns_table {
                add_scaled(&mut self.table.gradient[entry], slope, input.row(row));
            }
            self.bias.gradient[term] += slope;
        }
        Ok(out)
    }

    fn parameters(&mut self) -> Vec<&mut Parameter> {
        let table = self.learns_table.then_some(&mut self.table);
        table.into_iter().chain([&mut self.bias]).collect()
    }
}
