//! The encoder of BERT and its family: each sublayer is followed by its residual and a layer norm.
//!
//! Vaswani et al. 2017 and Devlin et al. 2019; described once, for any executor. Cost per token and layer:
//! `8 h² + 4 h f` floating-point operations in products (h hidden, f intermediate) and `4 h n` in attention
//! over a sequence of n tokens. Not for pre-norm or rotary models (`ModernBERT`, Llama).

use ecphory_kernels::nn::Activation;

use crate::attention::Attention;
use crate::config::TransformerConfig;
use crate::error::Result;
use crate::executor::{Executor, LinearPart, NormKind, TokenBatch};
use crate::names::{EMBEDDING_NORM, POSITIONS, RELATIVE, TYPES, TensorNames, WORDS};
use crate::relative::RelativeBias;
use crate::weights::Weights;

/// An encoder with its parameters as the executor wants them.
pub(crate) struct PostNorm<E: Executor> {
    words: E::Table,
    positions: E::Table,
    types: Option<E::Table>,
    norm: E::Norm,
    layers: Vec<Layer<E>>,
    attention: Attention,
    first_position: usize,
}

struct Layer<E: Executor> {
    joint: E::Linear,
    attention_out: E::Linear,
    attention_norm: E::Norm,
    up: E::Linear,
    down: E::Linear,
    norm: E::Norm,
}

impl<E: Executor> PostNorm<E> {
    /// Takes the parameters out of the weight files, whose shapes have to be those of the configuration.
    pub(crate) fn load(
        config: &TransformerConfig,
        weights: &mut Weights,
        parameters: &mut E::Parameters,
    ) -> Result<Self> {
        let names = TensorNames::of(config.family);
        weights.choose_prefix(names.prefixes, WORDS)?;
        let source = Source { config, names, weights };
        let mut table =
            |name, rows| E::table(&mut *parameters, &weights.tensor(name, &[rows, config.hidden])?);
        let words = table(WORDS, config.vocabulary)?;
        let positions = table(POSITIONS, config.positions)?;
        let types = if config.types == 0 { None } else { Some(table(TYPES, config.types)?) };
        let mut attention = Attention::full(config.heads, config.hidden / config.heads);
        if config.buckets > 0 {
            let table = weights.tensor(RELATIVE, &[config.buckets, config.heads])?;
            attention.bias = Some(RelativeBias::new(&table, config.max_tokens()));
        }
        Ok(Self {
            words,
            positions,
            types,
            norm: source.norm::<E>(EMBEDDING_NORM, parameters)?,
            layers: (0..config.layers)
                .map(|i| source.layer(i, parameters))
                .collect::<Result<_>>()?,
            attention,
            first_position: config.first_position,
        })
    }

    /// Computes the states of the last layer.
    pub(crate) fn forward(&self, run: &mut E, batch: &TokenBatch) -> E::States {
        let positions = batch.positions(self.first_position);
        let mut lookups = vec![(&self.words, &batch.tokens[..]), (&self.positions, &positions[..])];
        lookups.extend(self.types.as_ref().map(|table| (table, &batch.types[..])));
        let embedded = run.embed(&lookups);
        let mut states = run.normalize(embedded, &self.norm);
        for layer in &self.layers {
            let joint = run.apply(&layer.joint, &states);
            let context = run.attend(joint, &self.attention, batch);
            let attended = run.apply_add(&layer.attention_out, &context, states);
            states = run.normalize(attended, &layer.attention_norm);
            let inner = run.apply(&layer.up, &states);
            let outer = run.apply_add(&layer.down, &inner, states);
            states = run.normalize(outer, &layer.norm);
        }
        states
    }
}

/// Where the parameters come from.
struct Source<'a> {
    config: &'a TransformerConfig,
    names: &'a TensorNames,
    weights: &'a Weights,
}

impl Source<'_> {
    fn layer<E: Executor>(&self, index: usize, parameters: &mut E::Parameters) -> Result<Layer<E>> {
        let names = self.names;
        let full = |name: &str| format!("{}.{index}.{name}", names.layer);
        let (hidden, inner) = (self.config.hidden, self.config.intermediate);
        let square = |name: &str| self.part(&full(name), hidden, hidden);
        let joint = [square(names.query)?, square(names.key)?, square(names.value)?];
        let attention_out = [square(names.attention_out)?];
        let up = self.part(&full(names.up), inner, hidden)?;
        let down = self.part(&full(names.down), hidden, inner)?;
        Ok(Layer {
            joint: E::linear(parameters, &joint, Activation::None)?,
            attention_out: E::linear(parameters, &attention_out, Activation::None)?,
            attention_norm: self.norm::<E>(&full(names.attention_norm), parameters)?,
            up: E::linear(parameters, &[up], self.config.activation)?,
            down: E::linear(parameters, &[down], Activation::None)?,
            norm: self.norm::<E>(&full(names.norm), parameters)?,
        })
    }

    fn part(&self, name: &str, out: usize, input: usize) -> Result<LinearPart> {
        let weight = self.weights.tensor(&format!("{name}.weight"), &[out, input])?;
        let bias = self.weights.tensor(&format!("{name}.bias"), &[out])?;
        Ok((weight, Some(bias)))
    }

    fn norm<E: Executor>(&self, name: &str, parameters: &mut E::Parameters) -> Result<E::Norm> {
        let shape = [self.config.hidden];
        let weight = self.weights.tensor(&format!("{name}.weight"), &shape)?;
        let bias = self.weights.tensor(&format!("{name}.bias"), &shape)?;
        E::norm(parameters, NormKind::Layer, &weight, Some(&bias), self.config.epsilon)
    }
}
