//! Encoders and cross-encoders whose parameters can move.

mod cross_encoder;
mod directory;
mod terms;
mod trunk;

use std::path::{Path, PathBuf};

use ecphory_core::Silent;

use crate::backbone::{Backbone, BackboneConfig};
use crate::convert::{Rewrite, rewrite};
use crate::encoder::Role;
use crate::error::{Error, Result};
use crate::executor::TokenBatch;
use crate::head::Pooling;
use crate::layout::{BodyKind, Layout, MODULES, StepLayout};
use crate::load;
use crate::reading::Reading;
use crate::stored::Stored;
use crate::tape::{Gradients, Parameters, Recording};
use crate::tensor::Tensor;
use crate::weights::Weights;
pub use cross_encoder::{TokenPair, TrainableCrossEncoder};
pub use terms::TermHead;
use trunk::TrainableTrunk;

/// How to open an encoder for training.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct TrainableOptions {
    /// Tokens read of a text, special tokens included; the model's own limit where there is none here.
    pub max_tokens: Option<usize>,
    /// Layers that stay as they are, counted from the embeddings, which then do so too. With 0 everything moves.
    pub freeze_below: usize,
}

/// An encoder whose parameters can move: tokens to token states, and the gradient of a loss over these to that of
/// the parameters.
///
/// The states and the gradients are the same, bit for bit, on any number of threads, and the states of a sequence in any
/// batch. Dropout there is none. What comes after the token states (pooling, unit length) is the caller's, who is
/// told what the directory says of it.
///
/// Work is put on rayon's current pool: call [`Self::forward`] and [`Self::backward`] inside `pool.install`. Memory: the
/// parameters in single precision, packed once for each direction that was used since they last moved; a
/// [`Recording`] takes `24 h + 4 f` bytes a token and layer (h hidden, f intermediate; `8 f` where the layer is gated), 15 KB
/// for MiniLM.
pub struct TrainableEncoder {
    directory: PathBuf,
    /// Where configuration, weights and tokenizer lie.
    body: PathBuf,
    trunk: TrainableTrunk,
    reading: Reading,
    /// What names of the transformer's tensors begin with.
    prefix: &'static str,
    /// Tensors that are no parameters.
    fixed: Vec<Tensor>,
    pooling: Vec<Pooling>,
    normalizes: bool,
}

impl TrainableEncoder {
    /// Opens a model directory as [`Encoder::open`](crate::Encoder::open) does, with weights in any precision.
    ///
    /// # Errors
    /// As [`Encoder::open`](crate::Encoder::open); `Input` for a static table and for modules after pooling that have
    /// parameters of their own; `Usage` where more layers are to be frozen than there are.
    pub fn open(directory: &Path, options: &TrainableOptions) -> Result<Self> {
        let layout = load::layout(directory)?;
        layout.refuse_late(directory)?;
        check(directory, &layout)?;
        let config = BackboneConfig::open(&layout.body)?;
        let limits = load::transformer_limits(&config, &layout);
        let reading = Reading::open(directory, &layout, limits, options.max_tokens)?;
        let mut weights = Weights::open(&layout.body)?;
        let mut parameters = Parameters::default();
        let backbone = Backbone::load(&config, &mut weights, &mut parameters)?;
        let (prefix, fixed) = (weights.prefix(), config.fixed(&weights)?);
        let trunk = TrainableTrunk::new(directory, config, backbone, parameters, options)?;
        Ok(Self {
            directory: directory.to_owned(),
            body: layout.body,
            trunk,
            reading,
            prefix,
            fixed,
            normalizes: matches!(layout.steps.last(), Some(StepLayout::Normalize)),
            pooling: layout.pooling,
        })
    }

    /// Returns the name of the directory that was opened.
    pub fn name(&self) -> &str {
        &self.reading.name
    }

    /// Returns how many values a token's state has.
    pub fn hidden(&self) -> usize {
        self.trunk.config.hidden()
    }

    /// Returns how many layers there are.
    pub fn layers(&self) -> usize {
        self.trunk.config.layers()
    }

    /// Returns how many tokens are read of a text, special tokens included.
    pub fn max_tokens(&self) -> usize {
        self.reading.max_tokens
    }

    /// Returns how the directory makes a vector of the states of a text: the results of several stand side by side.
    pub fn pooling(&self) -> &[Pooling] {
        &self.pooling
    }

    /// Returns whether the directory scales vectors to unit length.
    pub fn normalizes(&self) -> bool {
        self.normalizes
    }

    /// Returns what the directory puts before a text, nothing for most models.
    pub fn prompt(&self, role: Role) -> &str {
        self.reading.prompt(role)
    }

    /// Returns the tokens of a text as it stands, at most [`Self::max_tokens`].
    ///
    /// # Errors
    /// What the tokenizer says about the text, and a token that the model does not have.
    pub fn tokens(&self, text: &str) -> Result<Vec<u32>> {
        self.reading.tokens(text)
    }

    /// Returns the tokens of a text after the prompt of its role: those that [`Encoder::encode`](crate::Encoder::encode)
    /// reads.
    ///
    /// # Errors
    /// As [`Self::tokens`].
    pub fn tokens_as(&self, text: &str, role: Role) -> Result<Vec<u32>> {
        self.reading.tokens_as(text, role)
    }

    /// Returns the tokens as [`Self::tokens_as`] does, and for each the number of its whole word, which is 0 for special tokens and
    /// those of a prompt.
    ///
    /// # Errors
    /// As [`Self::tokens`].
    pub fn numbered_as(&self, text: &str, role: Role) -> Result<(Vec<u32>, Vec<u32>)> {
        let found = self.reading.numbered_as(text, role)?;
        Ok((found.ids, found.words))
    }

    /// Returns the parameters.
    pub fn parameters(&self) -> &Parameters {
        self.trunk.parameters()
    }

    /// Returns the parameters to be moved. Recordings made before are then of no use any more but for their states.
    pub fn parameters_mut(&mut self) -> &mut Parameters {
        self.trunk.parameters_mut()
    }

    /// Computes the token states of sequences, each of them alone, and keeps what their gradient needs.
    ///
    /// Cost: that of encoding, and the packing of the weights where they have moved.
    ///
    /// # Panics
    /// Where a token is outside the model's table, or a sequence longer than the model has positions: neither happens
    /// with sequences of [`Self::tokens`].
    pub fn forward(&self, sequences: &[&[u32]]) -> Recording {
        let batch = TokenBatch::new(sequences.iter().copied());
        let mut tape = self.trunk.tape();
        let states = self.trunk.states(&mut tape, &batch);
        Recording::new(tape, states, batch.spans)
    }

    /// Adds the gradients of the parameters to `gradients`, given the gradient of a loss with respect to the states of a
    /// recording, one value for each.
    ///
    /// Cost: twice that of [`Self::forward`]. What the recording holds is given back on the way.
    ///
    /// # Panics
    /// Where the parameters may have moved since the recording, or the lengths do not fit.
    pub fn backward(&self, recording: Recording, d_states: &[f32], gradients: &mut Gradients) {
        recording.backward(self.trunk.tape(), d_states, gradients);
    }

    /// Writes the model as it now is to a new directory: its weights in single precision under the names that they had,
    /// and everything else that was in the directory it was opened from (which has to be there still), but for
    /// hidden files and weights for other engines. [`Encoder::open`](crate::Encoder::open) and sentence-transformers
    /// open it.
    ///
    /// `directory` appears whole or not at all, and is on the disk when this returns.
    ///
    /// # Errors
    /// `Conflict` where `directory` exists; what reading the old directory or writing the new one says.
    pub fn save(&self, directory: &Path) -> Result<()> {
        let parameters = self.parameters();
        let values = |path: &Path, name: &str| parameters.of_file(path, name);
        let how = Rewrite { stored: Stored::F32, values: Some(&values), progress: &Silent };
        rewrite(&self.directory, directory, &how)?;
        Ok(())
    }
}

impl std::fmt::Debug for TrainableEncoder {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("TrainableEncoder")
            .field("directory", &self.directory)
            .field("parameters", &self.parameters().len())
            .finish_non_exhaustive()
    }
}

/// Refuses what has parameters outside the transformer.
fn check(directory: &Path, layout: &Layout) -> Result<()> {
    let refuse = |found: &str| {
        let path = directory.join(MODULES);
        Err(Error::unsupported(
            &path,
            "type",
            found,
            "Transformer, Pooling, Normalize for training",
        ))
    };
    if layout.kind == BodyKind::Static {
        return refuse("StaticEmbedding");
    }
    if layout.steps.iter().any(|step| matches!(step, StepLayout::Dense { .. })) {
        return refuse("Dense");
    }
    Ok(())
}
