//! Heads that follow one another.

use ecphory_kernels::Level;

use super::{
    Gate, Gates, Head, Lexical, LexicalKept, Linear, Mlp, MlpKept, Normalise, Parameter, Pooling,
    StaticTable, Transform, TransformKept, WordMean, WordsKept,
};
use crate::ragged::{Ragged, ShapeError};
use crate::score::SparseRows;
use crate::unit::Units;

/// Heads, of which each takes what the one before returns.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Chain {
    /// The heads, in order.
    pub stages: Vec<Stage>,
}

/// What the way back through a chain needs.
#[derive(Clone, Debug, Default)]
pub struct ChainKept {
    /// What each head returned but the last.
    between: Vec<Ragged>,
    /// What each head kept; gates take the derivatives of penalties here.
    pub stages: Vec<StageKept>,
}

/// Defines [`Stage`] and [`StageKept`] with a variant for each head.
macro_rules! stages {
    ($($(#[$meta:meta])* $head:ident($kept:ty),)*) => {
        /// A head of a chain.
        #[derive(Clone, Debug, PartialEq)]
        #[non_exhaustive]
        pub enum Stage {
            $($(#[$meta])* $head($head),)*
        }

        /// What a head of a chain kept.
        #[derive(Clone, Debug)]
        #[non_exhaustive]
        pub enum StageKept {
            $($(#[$meta])* $head($kept),)*
        }

        $(impl From<$head> for Stage {
            fn from(head: $head) -> Self {
                Self::$head(head)
            }
        })*

        impl Head for Stage {
            type Kept = StageKept;

            fn forward(
                &self,
                level: Level,
                input: &Ragged,
            ) -> Result<(Ragged, StageKept), ShapeError> {
                match self {
                    $(Self::$head(head) => {
                        let (output, kept) = head.forward(level, input)?;
                        Ok((output, StageKept::$head(kept)))
                    })*
                }
            }

            fn backward(
                &mut self,
                level: Level,
                input: &Ragged,
                kept: &StageKept,
                slopes: &[f32],
            ) -> Result<Vec<f32>, ShapeError> {
                match (self, kept) {
                    $((Self::$head(head), StageKept::$head(kept)) => {
                        head.backward(level, input, kept, slopes)
                    })*
                    _ => Err(ShapeError::OtherHead),
                }
            }

            fn parameters(&mut self) -> Vec<&mut Parameter> {
                match self { $(Self::$head(head) => head.parameters(),)* }
            }
        }
    };
}

stages! {
    /// One vector for each text.
    Pooling(()),
    /// A linear map.
    Linear(()),
    /// One vector for each word.
    WordMean(WordsKept),
    /// A gate for each row.
    Gate(Gates),
    /// Weights of the terms of a vocabulary.
    Lexical(LexicalKept),
    /// A tower.
    Mlp(MlpKept),
    /// Unit length.
    Normalise(Units),
    /// Weights of the terms of a text, looked up.
    StaticTable(SparseRows),
    /// A map, GELU and layer norm.
    Transform(TransformKept),
}

impl Chain {
    /// Adds a head.
    #[must_use]
    pub fn then(mut self, head: impl Into<Stage>) -> Self {
        self.stages.push(head.into());
        self
    }
}

impl Head for Chain {
    type Kept = ChainKept;

    fn forward(&self, level: Level, input: &Ragged) -> Result<(Ragged, ChainKept), ShapeError> {
        let mut kept = ChainKept::default();
        let mut last: Option<Ragged> = None;
        for stage in &self.stages {
            let (output, of_stage) = stage.forward(level, last.as_ref().unwrap_or(input))?;
            kept.between.extend(last.replace(output));
            kept.stages.push(of_stage);
        }
        Ok((last.unwrap_or_else(|| input.clone()), kept))
    }

    fn backward(
        &mut self,
        level: Level,
        input: &Ragged,
        kept: &ChainKept,
        slopes: &[f32],
    ) -> Result<Vec<f32>, ShapeError> {
        if kept.stages.len() != self.stages.len() {
            return Err(ShapeError::OtherHead);
        }
        let mut slopes = slopes.to_vec();
        for (index, stage) in self.stages.iter_mut().enumerate().rev() {
            let before = if index == 0 { input } else { &kept.between[index - 1] };
            slopes = stage.backward(level, before, &kept.stages[index], &slopes)?;
        }
        Ok(slopes)
    }

    fn parameters(&mut self) -> Vec<&mut Parameter> {
        self.stages.iter_mut().flat_map(Stage::parameters).collect()
    }
}
