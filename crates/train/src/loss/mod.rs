//! Losses: how each score of a block should move.
//!
//! A loss is a weighted sum of terms, `infonce(temperature=0.05) + 0.75*margin-mse(in-batch)`, each of a family with its
//! options. It sees a [`Block`] and nothing else, and returns its value in double precision with the derivative by each
//! score. Every family reads one row at a time, of the cells that count only: a masked cell cannot change a value, is never
//! ranked, and its derivative is exactly zero.
//!
//! A term is the mean over the rows that it can be computed for, weighted with the weights of the queries. Rows that lack
//! what a family needs (a relevant candidate, an irrelevant one, a teacher's score, a range) are skipped and counted
//! in the [`TermReport`], never an error: a batch may hold such a row by chance.
//! Where a row has weights of cells, a candidate of weight 2 counts like two candidates with the same score.
//!
//! Cost: one or two passes over the block; pairwise families take the square of a row's length.
#![doc = include_str!("../../../../docs/guide/losses.md")]

mod adversarial;
mod evaluation;
mod hinge;
mod infonce;
mod kl;
mod listmle;
mod listnet;
mod margin_mse;
mod marginal;
mod options;
mod parser;
mod pointwise;
mod problem;
mod rank_ce;
mod ranked;
mod ranknet;
mod row;
mod softmax;

pub use adversarial::Adversarial;
pub use evaluation::{Evaluation, TermReport};
pub use hinge::Hinge;
pub use infonce::InfoNce;
pub use kl::{Kl, Normalise, RANGE_MIN};
pub use listmle::ListMle;
pub use listnet::ListNet;
pub use margin_mse::MarginMse;
pub use marginal::Marginal;
pub use pointwise::{Bce, Mse};
pub use problem::{LossError, SpecError, SpecProblem};
pub use rank_ce::RankCe;
pub use ranknet::{PairWeights, RankNet};
pub use row::Side;

use std::fmt;
use std::str::FromStr;

use crate::block::Block;
use options::{Located, Options};
use row::RowLoss;

/// A weighted sum of terms.
///
/// ```
/// use ecphory_train::block::{Block, BlockParts};
/// use ecphory_train::loss::{InfoNce, Loss};
///
/// let block = Block::new(BlockParts {
///     queries: 1,
///     candidates: 2,
///     scores: vec![1.0, 1.0],
///     gold: vec![1.0, 0.0],
///     ..Default::default()
/// })?;
/// let loss: Loss = "infonce(temperature=0.5)".parse()?;
/// assert_eq!(loss, Loss::from(InfoNce { temperature: 0.5, ..Default::default() }));
/// let evaluation = loss.evaluate(&block)?;
/// assert!((evaluation.value - 2f64.ln()).abs() < 1e-12);
/// assert_eq!(evaluation.gradient, [-1.0, 1.0]);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct Loss {
    /// The terms, at least one.
    pub terms: Vec<Term>,
}

/// A family of losses with its options and its weight in a sum.
#[derive(Clone, Debug, PartialEq)]
pub struct Term {
    /// What its value and its derivatives are multiplied with; a positive number.
    pub weight: f64,
    /// The loss.
    pub family: Family,
}

/// Defines [`Family`] with what has to be said for each family once.
macro_rules! families {
    ($($(#[$meta:meta])* $family:ident = $name:literal,)*) => {
        /// One loss with its options.
        #[derive(Clone, Debug, PartialEq)]
        #[non_exhaustive]
        pub enum Family {
            $($(#[$meta])* $family($family),)*
        }

        $(impl From<$family> for Family {
            fn from(loss: $family) -> Self {
                Self::$family(loss)
            }
        })*

        impl Family {
            /// The names of all families, as they stand in a specification.
            pub const NAMES: &[&str] = &[$($name),*];

            /// Returns the name of this family.
            pub fn name(&self) -> &'static str {
                match self { $(Self::$family(_) => $name,)* }
            }

            /// Returns a family with its default options.
            fn by_name(name: &str) -> Option<Self> {
                match name { $($name => Some($family::default().into()),)* _ => None }
            }

            /// Reads, writes or checks the options.
            fn options(&mut self, options: &mut Options<'_>) -> Result<(), Located> {
                match self { $(Self::$family(loss) => loss.options(options),)* }
            }

            fn rows(&self) -> &dyn RowLoss {
                match self { $(Self::$family(loss) => loss,)* }
            }
        }
    };
}

families! {
    /// Softmax cross-entropy of the relevant candidates.
    InfoNce = "infonce",
    /// Divergence from a teacher's distribution.
    Kl = "kl",
    /// Squared difference of margins from a teacher's.
    MarginMse = "margin-mse",
    /// Margin between relevant and irrelevant candidates.
    Hinge = "hinge",
    /// Logistic loss of pairs.
    RankNet = "ranknet",
    /// Cross-entropy of top-one probabilities.
    ListNet = "listnet",
    /// Likelihood of an order.
    ListMle = "listmle",
    /// Logistic loss of single cells.
    Bce = "bce",
    /// Squared error of single cells.
    Mse = "mse",
    /// Cross-entropy of each candidate against what a teacher ranks below it.
    RankCe = "rank-ce",
    /// What a ranker confuses with the relevant candidate is raised.
    Adversarial = "adversarial",
    /// Likelihood of an answer over retrieved candidates.
    Marginal = "marginal",
}

impl<F: Into<Family>> From<F> for Loss {
    fn from(family: F) -> Self {
        Self { terms: vec![Term { weight: 1.0, family: family.into() }] }
    }
}

impl Loss {
    /// Adds a term.
    #[must_use]
    pub fn plus(mut self, weight: f64, family: impl Into<Family>) -> Self {
        self.terms.push(Term { weight, family: family.into() });
        self
    }

    /// Checks the terms and their options.
    ///
    /// # Errors
    /// No term, a weight that is not positive, or an option outside what it can be.
    pub fn check(&self) -> Result<(), SpecError> {
        if self.terms.is_empty() {
            return Err(SpecError::at(String::new(), 0, SpecProblem::NoTerm));
        }
        for term in &self.terms {
            let mut family = term.family.clone();
            let weight = if term.weight.is_finite() && term.weight > 0.0 {
                Ok(())
            } else {
                Err((0, SpecProblem::Weight(term.weight.to_string())))
            };
            weight
                .and_then(|()| family.options(&mut Options::check()))
                .map_err(|(_, problem)| SpecError::at(self.to_string(), 0, problem))?;
        }
        Ok(())
    }

    /// Computes the loss of a block and its derivative by each score.
    ///
    /// # Errors
    /// Bad options; a block that lacks what a term needs (a teacher, shared columns, targets that are probabilities);
    /// a value or derivative that overflows.
    pub fn evaluate(&self, block: &Block) -> Result<Evaluation, LossError> {
        self.check()?;
        let mut sum = evaluation::Sum::of(block);
        for Term { weight, family } in &self.terms {
            sum.add(*weight, family.name(), family.rows())?;
        }
        sum.finish()
    }
}

impl FromStr for Loss {
    type Err = SpecError;

    fn from_str(text: &str) -> Result<Self, SpecError> {
        parser::parse(text)
    }
}

impl fmt::Display for Loss {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, Term { weight, family }) in self.terms.iter().enumerate() {
            if index > 0 {
                f.write_str(" + ")?;
            }
            if *weight != 1.0 {
                write!(f, "{weight}*")?;
            }
            write!(f, "{family}")?;
        }
        Ok(())
    }
}

impl fmt::Display for Family {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())?;
        let given = options::changed(self);
        if given.is_empty() { Ok(()) } else { write!(f, "({})", given.join(",")) }
    }
}

#[cfg(test)]
mod tests;
