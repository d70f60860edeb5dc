//! The transformer of a model directory, whichever architecture it is: from tokens to states.

use std::path::Path;

use ecphory_kernels::nn::Activation;

use crate::config::{self, Family, TransformerConfig};
use crate::error::Result;
use crate::executor::{Executor, TokenBatch};
use crate::names::{self, TensorNames};
use crate::post_norm::PostNorm;
use crate::pre_norm::{self, PreNorm, PreNormConfig};
use crate::tensor::Tensor;
use crate::weights::Weights;

/// The configuration of a transformer.
#[derive(Clone, Debug)]
pub(crate) enum BackboneConfig {
    PostNorm(TransformerConfig),
    PreNorm(PreNormConfig),
}

/// A transformer with its parameters as the executor wants them.
pub(crate) enum Backbone<E: Executor> {
    PostNorm(Box<PostNorm<E>>),
    PreNorm(Box<PreNorm<E>>),
}

impl BackboneConfig {
    /// Reads the configuration of a directory.
    pub(crate) fn open(directory: &Path) -> Result<Self> {
        if config::model_type(directory)?.as_deref() == Some(config::MODERN) {
            return PreNormConfig::open(directory).map(Self::PreNorm);
        }
        TransformerConfig::open(directory).map(Self::PostNorm)
    }

    /// Returns the kind of model.
    pub(crate) fn architecture(&self) -> &'static str {
        match self {
            Self::PostNorm(config) => config.family.name(),
            Self::PreNorm(_) => config::MODERN,
        }
    }

    /// Returns the family whose names the tensors have, where several share an architecture.
    pub(crate) fn family(&self) -> Option<Family> {
        match self {
            Self::PostNorm(config) => Some(config.family),
            Self::PreNorm(_) => None,
        }
    }

    /// Returns how many values a token's state has.
    pub(crate) fn hidden(&self) -> usize {
        match self {
            Self::PostNorm(config) => config.hidden,
            Self::PreNorm(config) => config.hidden,
        }
    }

    /// Returns how many layers there are.
    pub(crate) fn layers(&self) -> usize {
        match self {
            Self::PostNorm(config) => config.layers,
            Self::PreNorm(config) => config.is_local.len(),
        }
    }

    /// Returns how many rows the token table has.
    pub(crate) fn vocabulary(&self) -> usize {
        match self {
            Self::PostNorm(config) => config.vocabulary,
            Self::PreNorm(config) => config.vocabulary,
        }
    }

    /// Returns how many tokens have a position.
    pub(crate) fn max_tokens(&self) -> usize {
        match self {
            Self::PostNorm(config) => config.max_tokens(),
            Self::PreNorm(config) => config.positions,
        }
    }

    /// Returns the epsilon of layer norms.
    pub(crate) fn epsilon(&self) -> f32 {
        match self {
            Self::PostNorm(config) => config.epsilon,
            Self::PreNorm(config) => config.epsilon,
        }
    }

    /// Returns the activation of the feed-forward parts.
    pub(crate) fn activation(&self) -> Activation {
        match self {
            Self::PostNorm(config) => config.activation,
            Self::PreNorm(config) => config.activation,
        }
    }

    /// Returns how many types of token the model tells apart.
    pub(crate) fn types(&self) -> usize {
        match self {
            Self::PostNorm(config) => config.types,
            Self::PreNorm(_) => 0,
        }
    }

    /// Describes everything that changes states, for a fingerprint.
    pub(crate) fn describe(&self) -> String {
        match self {
            Self::PostNorm(config) => format!("{config:?}"),
            Self::PreNorm(config) => format!("{config:?}"),
        }
    }

    /// Finds the token table in weights of which nothing was loaded yet.
    pub(crate) fn find_words(&self, weights: &mut Weights) -> Result<Tensor> {
        match self {
            Self::PostNorm(config) => {
                weights.choose_prefix(TensorNames::of(config.family).prefixes, names::WORDS)?;
            }
            Self::PreNorm(_) => weights.choose_prefix(pre_norm::PREFIXES, pre_norm::WORDS)?,
        }
        self.words(weights)
    }

    /// Returns the token table, once the transformer has been loaded from these weights.
    pub(crate) fn words(&self, weights: &Weights) -> Result<Tensor> {
        let name = match self {
            Self::PostNorm(_) => names::WORDS,
            Self::PreNorm(_) => pre_norm::WORDS,
        };
        weights.tensor(name, &[self.vocabulary(), self.hidden()])
    }

    /// Returns the tensors that a transformer reads and an executor has no parameters of, once it has been loaded from
    /// these weights.
    pub(crate) fn fixed(&self, weights: &Weights) -> Result<Vec<Tensor>> {
        match self {
            Self::PostNorm(config) if config.buckets > 0 => {
                Ok(vec![weights.tensor(names::RELATIVE, &[config.buckets, config.heads])?])
            }
            _ => Ok(Vec::new()),
        }
    }
}

impl<E: Executor> Backbone<E> {
    /// Takes the parameters out of the weight files.
    pub(crate) fn load(
        config: &BackboneConfig,
        weights: &mut Weights,
        parameters: &mut E::Parameters,
    ) -> Result<Self> {
        Ok(match config {
            BackboneConfig::PostNorm(config) => {
                Self::PostNorm(Box::new(PostNorm::load(config, weights, parameters)?))
            }
            BackboneConfig::PreNorm(config) => {
                Self::PreNorm(Box::new(PreNorm::load(config, weights, parameters)?))
            }
        })
    }

    /// Computes the states of the last layer.
    pub(crate) fn forward(&self, run: &mut E, batch: &TokenBatch) -> E::States {
        match self {
            Self::PostNorm(transformer) => transformer.forward(run, batch),
            Self::PreNorm(transformer) => transformer.forward(run, batch),
        }
    }
}
