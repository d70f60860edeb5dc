//! A cross-encoder whose parameters can move.

use std::path::{Path, PathBuf};

use super::directory::{self, HeadKind, Headed};
use super::{TrainableOptions, TrainableTrunk};
use crate::backbone::{Backbone, BackboneConfig};
use crate::classifier::Classifier;
use crate::config;
use crate::convert::{sync, whole_directory};
use crate::error::Result;
use crate::executor::TokenBatch;
use crate::fresh::{Fresh, HeadTensors};
use crate::layout;
use crate::load;
use crate::tape::{Gradients, Parameters, Recording, Tape};
use crate::tensor::Tensor;
use crate::trunk::TrunkReading;
use crate::weights::Weights;

/// Two texts as one input of a transformer.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TokenPair {
    /// The tokens of both, special ones included.
    pub tokens: Vec<u32>,
    /// For each token, the text that it belongs to as the model tells them apart.
    pub types: Vec<u32>,
}

/// A cross-encoder whose parameters can move: pairs of texts to logits, and the gradient of a loss over these to that
/// of the parameters.
///
/// Logits and gradients are the same, bit for bit, on any number of threads, and the logit of a pair in any batch. Dropout
/// there is none. Work is put on rayon's current pool, and memory is that of a
/// [`TrainableEncoder`](crate::TrainableEncoder).
pub struct TrainableCrossEncoder {
    directory: PathBuf,
    /// Where configuration, weights and tokenizer lie.
    body: PathBuf,
    trunk: TrainableTrunk,
    head: Classifier<Tape>,
    reading: TrunkReading,
    /// What names of the transformer's tensors begin with.
    prefix: &'static str,
    /// Tensors that are no parameters.
    fixed: Vec<Tensor>,
    drawn: Vec<String>,
}

impl TrainableCrossEncoder {
    /// Opens a cross-encoder as [`CrossEncoder::open`](crate::CrossEncoder::open) does, with weights in any precision; or
    /// an encoder, whose pooling and later modules are left behind, and which gets a new head.
    ///
    /// What the head has in the weights it keeps, such as BERT's pooler. Other weights of it are drawn, with the seed, from a normal
    /// distribution with the deviation that the configuration calls `initializer_range`, 0.02 where it says nothing;
    /// biases begin with 0, norms with 1.
    ///
    /// # Errors
    /// As [`CrossEncoder::open`](crate::CrossEncoder::open), but for weights without a head; `Usage` where more layers are to
    /// be frozen than there are.
    pub fn open(directory: &Path, options: &TrainableOptions, seed: u64) -> Result<Self> {
        load::check_directory(directory)?;
        let body = layout::first_module(directory)?;
        let config = BackboneConfig::open(&body)?;
        let reading = TrunkReading::open(directory, &body, &config, options.max_tokens)?;
        let mut weights = Weights::open(&body)?;
        let mut parameters = Parameters::default();
        let backbone = Backbone::load(&config, &mut weights, &mut parameters)?;
        let (prefix, fixed) = (weights.prefix(), config.fixed(&weights)?);
        let mut fresh = Fresh::new(seed, config::initializer_range(&body)?);
        let mut tensors = HeadTensors { weights: &mut weights, fresh: Some(&mut fresh) };
        let head = Classifier::load(&body, &config, &mut tensors, &mut parameters)?;
        let trunk = TrainableTrunk::new(directory, config, backbone, parameters, options)?;
        Ok(Self {
            directory: directory.to_owned(),
            body,
            trunk,
            head,
            reading,
            prefix,
            fixed,
            drawn: fresh.drawn,
        })
    }

    /// Returns the name of the directory that was opened.
    pub fn name(&self) -> &str {
        &self.reading.texts.name
    }

    /// Returns how many values a token's state has.
    pub fn hidden(&self) -> usize {
        self.trunk.config.hidden()
    }

    /// Returns how many layers there are.
    pub fn layers(&self) -> usize {
        self.trunk.config.layers()
    }

    /// Returns how many tokens are read of query and document together, special tokens included.
    pub fn max_tokens(&self) -> usize {
        self.reading.texts.max_tokens
    }

    /// Returns the names of the parameters that the directory does not have: those of a new head.
    pub fn drawn(&self) -> &[String] {
        &self.drawn
    }

    /// Returns the tokens of a query and a document as one input, at most [`Self::max_tokens`]: where they are too many, the
    /// longer text loses its end first.
    ///
    /// # Errors
    /// What the tokenizer says about the texts, and a token that the model does not have.
    pub fn pair(&self, query: &str, document: &str) -> Result<TokenPair> {
        let pair = self.reading.pair(query, document)?;
        Ok(TokenPair { tokens: pair.ids, types: pair.type_ids })
    }

    /// Returns the parameters.
    pub fn parameters(&self) -> &Parameters {
        self.trunk.parameters()
    }

    /// Returns the parameters to be moved. Recordings made before are then of no use any more but for their logits.
    pub fn parameters_mut(&mut self) -> &mut Parameters {
        self.trunk.parameters_mut()
    }

    /// Computes the logits of pairs, each of them alone, and keeps what their gradient needs: the states of the recording
    /// are the logits.
    ///
    /// Cost: that of scoring, and the packing of the weights where they have moved.
    ///
    /// # Panics
    /// Where a pair is not one of [`Self::pair`]: with a token or a type that the model does not have, or too long for it.
    pub fn forward(&self, pairs: &[&TokenPair]) -> Recording {
        let types = self.trunk.config.types().max(1);
        for TokenPair { tokens, types: own } in pairs {
            assert_eq!(tokens.len(), own.len(), "one type for each token");
            assert!(own.iter().all(|&one| (one as usize) < types), "types of {types}");
        }
        let batch = TokenBatch::of_pairs(pairs.iter().map(|p| (&p.tokens[..], &p.types[..])));
        let mut tape = self.trunk.tape();
        let states = self.trunk.states(&mut tape, &batch);
        let logits = self.head.logits(&mut tape, &states, &batch);
        drop(states);
        Recording::new(tape, logits, (0..pairs.len()).map(|pair| pair..pair + 1).collect())
    }

    /// Adds the gradients of the parameters to `gradients`, given the gradient of a loss with respect to the logits of a
    /// recording, one for each.
    ///
    /// Cost: twice that of [`Self::forward`]. What the recording holds is given back on the way.
    ///
    /// # Panics
    /// Where the parameters may have moved since the recording, or the lengths do not fit.
    pub fn backward(&self, recording: Recording, d_logits: &[f32], gradients: &mut Gradients) {
        recording.backward(self.trunk.tape(), d_logits, gradients);
    }

    /// Writes the model as it now is to a new directory, as a sequence classifier with one label in single precision whose
    /// scores are its logits, with the tokenizer of the directory that it was opened from (which has to be there
    /// still) and the limit of tokens that it was opened with. [`CrossEncoder::open`](crate::CrossEncoder::open) and
    /// sentence-transformers open it.
    ///
    /// `directory` appears whole or not at all, and is on the disk when this returns.
    ///
    /// # Errors
    /// `Conflict` where `directory` exists; what reading the old directory or writing the new one says.
    pub fn save(&self, directory: &Path) -> Result<()> {
        let texts = &self.reading.texts;
        let model = Headed {
            body: &self.body,
            head: HeadKind::Classifier,
            tensors: directory::tensors(&self.trunk, &self.fixed, self.prefix),
            max_tokens: texts.max_tokens,
            lower_case: texts.lower_case,
        };
        whole_directory(&self.directory, directory, |partial| {
            model.write(partial)?;
            sync(partial)
        })
    }
}

impl std::fmt::Debug for TrainableCrossEncoder {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("TrainableCrossEncoder")
            .field("directory", &self.directory)
            .field("parameters", &self.parameters().len())
            .finish_non_exhaustive()
    }
}
