//! The sum of terms over a block.

use super::problem::LossError;
use super::row::{Lines, Outcome, RowLoss, Side};
use crate::block::Block;

/// What a loss makes of a block.
#[derive(Clone, Debug, PartialEq)]
pub struct Evaluation {
    /// The loss.
    pub value: f64,
    /// Its derivative by each score, row-major; exactly zero for cells that do not count.
    pub gradient: Vec<f32>,
    /// The terms, in their order.
    pub terms: Vec<TermReport>,
}

/// What one term contributed.
#[derive(Clone, Debug, PartialEq)]
pub struct TermReport {
    /// The name of its family.
    pub name: &'static str,
    /// What its value is multiplied with.
    pub weight: f64,
    /// Its value, before that; 0 where no row was counted.
    pub value: f64,
    /// How many rows it was computed for; with both sides, rows and columns.
    pub counted: usize,
    /// How many lacked what it takes, or have a weight of 0.
    pub skipped: usize,
    /// Of a hinge, the share of pairs that still have a gradient; it falls as training goes on.
    pub active: Option<f64>,
}

/// A sum of terms in the making.
pub(super) struct Sum<'a> {
    block: &'a Block,
    value: f64,
    gradient: Vec<f64>,
    terms: Vec<TermReport>,
}

impl<'a> Sum<'a> {
    pub fn of(block: &'a Block) -> Self {
        let gradient = vec![0.0; block.scores().len()];
        Self { block, value: 0.0, gradient, terms: Vec::new() }
    }

    /// Adds a term.
    pub fn add(
        &mut self,
        weight: f64,
        name: &'static str,
        loss: &dyn RowLoss,
    ) -> Result<(), LossError> {
        let (block, side) = (self.block, loss.side());
        let teachers = block.teachers();
        if let Some(teacher) = loss.teacher().filter(|&teacher| teacher >= teachers) {
            return Err(LossError::Teacher { loss: name, teacher, teachers });
        }
        let shared = matches!(block.columns(), crate::block::Columns::Shared(_));
        if (side != Side::A || loss.needs_shared()) && !shared {
            return Err(LossError::Unshared { loss: name });
        }
        loss.check(block)?;
        let mut report =
            TermReport { name, weight, value: 0.0, counted: 0, skipped: 0, active: None };
        let mut pairs = Outcome::default();
        let share = if side == Side::Both { 0.5 } else { 1.0 };
        if side != Side::B {
            self.pass(&Lines::rows(block), loss, share, &mut report, &mut pairs);
        }
        if side != Side::A {
            self.pass(&Lines::columns(block), loss, share, &mut report, &mut pairs);
        }
        report.active = (pairs.pairs > 0).then(|| pairs.active as f64 / pairs.pairs as f64);
        self.value += weight * report.value;
        if !self.value.is_finite() {
            return Err(LossError::Value { loss: name, value: self.value });
        }
        self.terms.push(report);
        Ok(())
    }

    /// Adds the mean over some lines, multiplied with `share` and the weight of the term.
    fn pass(
        &mut self,
        lines: &Lines<'_>,
        loss: &dyn RowLoss,
        share: f64,
        report: &mut TermReport,
        pairs: &mut Outcome,
    ) {
        let mut gathered = Vec::new();
        let (mut value, mut total) = (0.0, 0.0);
        for line in lines.numbers() {
            let line_weight = lines.weight(line);
            let row = lines.gather(line, loss);
            let mut slopes = vec![0.0; row.cells.len()];
            let Some(outcome) = (line_weight > 0.0).then(|| loss.row(&row, &mut slopes)).flatten()
            else {
                report.skipped += 1;
                continue;
            };
            report.counted += 1;
            value += line_weight * outcome.value;
            total += line_weight;
            pairs.active += outcome.active;
            pairs.pairs += outcome.pairs;
            gathered.push((row.cells, slopes, line_weight));
        }
        // Only now is known what the weights add up to.
        let scale = if total > 0.0 { share / total } else { 0.0 };
        report.value += scale * value;
        for (cells, slopes, line_weight) in gathered {
            for (cell, slope) in cells.into_iter().zip(slopes) {
                self.gradient[cell] += report.weight * scale * line_weight * slope;
            }
        }
    }

    /// Rounds the derivatives to single precision.
    pub fn finish(self) -> Result<Evaluation, LossError> {
        let candidates = self.block.candidates();
        let mut gradient = Vec::with_capacity(self.gradient.len());
        for (cell, &value) in self.gradient.iter().enumerate() {
            let rounded = value as f32;
            if !rounded.is_finite() {
                let (row, column) = (cell / candidates, cell % candidates);
                return Err(LossError::Derivative { row, column, value });
            }
            gradient.push(rounded);
        }
        Ok(Evaluation { value: self.value, gradient, terms: self.terms })
    }
}
