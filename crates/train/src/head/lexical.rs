//! Weights of all terms of a vocabulary from the states of tokens: SPLADE's head, its doubly logarithmic form (Geng, Ru, Yang 2024),
//! and VDR's (Zhou et al. 2024).

use ecphory_kernels::Level;
use ecphory_kernels::nn::{Epilogue, Packed, Rows, RowsMut, multiply};

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
/// Cost: a product of all rows with the table; in memory are the logits of one item and 256 terms at a time, and, for the way
/// back, 8 bytes for each item and term.
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

    /// Writes the weights of some terms for one item, from the logits of its rows.
    fn reduce(
        &self,
        rows: &[usize],
        logits: impl Fn(usize, usize) -> f32,
        first_term: usize,
        out: (&mut [f32], &mut [u32], &mut [f32]),
    ) {
        let (weights, winners, slopes) = out;
        for lane in 0..weights.len() {
            let term = first_term + lane;
            if self.barred.get(term) == Some(&true) {
                continue;
            }
            let mut most = f32::NEG_INFINITY;
            for &row in rows {
                let logit = logits(row, lane);
                // What is no number has to come through: the block of scores refuses it with its place.
                if logit > most || logit.is_nan() {
                    most = logit;
                    winners[lane] = row as u32;
                }
            }
            (weights[lane], slopes[lane]) = self.activation.apply(most);
        }
    }
}

impl Head for Lexical {
    type Kept = LexicalKept;

    fn forward(&self, level: Level, input: &Ragged) -> Result<(Ragged, LexicalKept), ShapeError> {
        self.check(input)?;
        let (terms, columns) = (self.terms(), self.columns());
        let cells = input.items() * terms;
        let mut weights = vec![0.0; cells];
        let mut kept = LexicalKept { winners: vec![0; cells], slopes: vec![0.0; cells] };
        let mut packed: Packed = Packed::default();
        let mut logits = Vec::new();
        for first in (0..terms).step_by(TERMS_AT_ONCE) {
            let width = TERMS_AT_ONCE.min(terms - first);
            let part = &self.table.values[first * columns..(first + width) * columns];
            packed.set_transposed(Rows::dense(part, columns));
            let bias = Some(&self.bias.values[first..first + width]);
            for item in 0..input.items() {
                let span = input.span(item);
                logits.resize(span.len() * width, 0.0);
                let rows = &input.values[span.start * columns..span.end * columns];
                multiply(
                    level,
                    Rows::dense(rows, columns),
                    packed.panels(),
                    Epilogue { bias, ..Epilogue::default() },
                    RowsMut::dense(&mut logits, width),
                );
                let cells = item * terms + first..item * terms + first + width;
                let counted: Vec<usize> = input.counted_rows(item).collect();
                self.reduce(
                    &counted,
                    |row, lane| logits[(row - span.start) * width + lane],
                    first,
                    (
                        &mut weights[cells.clone()],
                        &mut kept.winners[cells.clone()],
                        &mut kept.slopes[cells],
                    ),
                );
            }
        }
        Ok((Ragged::vectors(weights, terms), kept))
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
