//! Heads: from the states of tokens to what is indexed, and back.
//!
//! A head takes rows in spans ([`Ragged`]) and returns such rows: one for each text, or for each token, or for each word. So heads
//! follow one another: a [`Linear`] map of tokens, the mean of a word's pieces ([`WordMean`]), a [`Gate`], unit length
//! ([`Normalise`]). Rows that do not count change no output and get no derivative.

mod chain;
mod gate;
mod lexical;
mod linear;
mod mlp;
mod normalise;
mod parameter;
mod pooling;
mod table;
mod transform;
mod words;

pub use chain::{Chain, ChainKept, Stage, StageKept};
pub use gate::{Gate, Gates};
pub use lexical::{Lexical, LexicalActivation, LexicalKept};
pub use linear::Linear;
pub use mlp::{Mlp, MlpActivation, MlpKept};
pub use normalise::Normalise;
pub use parameter::Parameter;
pub use pooling::Pooling;
pub use table::{StaticTable, TableWeights};
pub use transform::{Transform, TransformKept};
pub use words::{WordMean, WordsKept};

use ecphory_kernels::Level;

use crate::ragged::{Ragged, ShapeError};

/// A head with its way back.
pub trait Head {
    /// What the way back needs, beside the input.
    type Kept;

    /// Computes the output.
    ///
    /// # Errors
    /// Shapes that do not fit, or an item without what the head needs.
    fn forward(&self, level: Level, input: &Ragged) -> Result<(Ragged, Self::Kept), ShapeError>;

    /// Adds the derivatives by the parameters to what they hold, and returns those by the values of the input; `slopes` are the
    /// derivatives by the values of the output.
    ///
    /// # Errors
    /// As [`Head::forward`], and another number of derivatives than the output has values.
    fn backward(
        &mut self,
        level: Level,
        input: &Ragged,
        kept: &Self::Kept,
        slopes: &[f32],
    ) -> Result<Vec<f32>, ShapeError>;

    /// Returns what is learned; nothing for most heads.
    fn parameters(&mut self) -> Vec<&mut Parameter> {
        Vec::new()
    }
}

#[cfg(test)]
mod tests;
