//! The decoder of Llama and its family: before each sublayer an RMS norm, rotary positions, grouped heads, a gated
//! feed-forward part.
//!
//! Touvron et al. 2023 (Llama), Ainslie et al. 2023 (grouped-query attention), Shazeer 2020 (gated units); described once, for any
//! executor. Cost per token: two floating-point operations a weight, and `4 h n` in the attention of a layer over n tokens
//! (h hidden). Not for mixtures of experts, sliding windows, or norms on queries and keys.

mod config;
#[cfg(test)]
mod tests;

use ecphory_kernels::nn::Activation;

pub(crate) use config::{DecoderConfig, DecoderFamily};

use crate::attention::{Attention, Reach};
use crate::error::Result;
use crate::executor::{Executor, LinearPart, NormKind, TokenBatch};
use crate::rotary::Rotary;
use crate::weights::Weights;

/// A decoder with its parameters as the executor wants them.
pub(crate) struct Decoder<E: Executor> {
    words: E::Table,
    layers: Vec<Layer<E>>,
    norm: E::Norm,
    head: E::Linear,
    attention: Attention,
}

struct Layer<E: Executor> {
    attention_norm: E::Norm,
    joint: E::Linear,
    attention_out: E::Linear,
    norm: E::Norm,
    /// The gate and what it gates, side by side.
    up: E::Linear,
    down: E::Linear,
}

impl<E: Executor> Decoder<E> {
    /// Takes the parameters out of the weight files, whose shapes have to be those of the configuration, for
    /// sequences of up to `positions` tokens.
    pub(crate) fn load(
        config: &DecoderConfig,
        positions: usize,
        weights: &Weights,
        parameters: &mut E::Parameters,
    ) -> Result<Self> {
        let source = Source { config, weights };
        let shape = [config.vocabulary, config.hidden];
        let words = weights.tensor("model.embed_tokens.weight", &shape)?;
        let head =
            if config.tied { words.clone() } else { weights.tensor("lm_head.weight", &shape)? };
        Ok(Self {
            words: E::table(parameters, &words)?,
            layers: (0..config.layers)
                .map(|i| source.layer(i, parameters))
                .collect::<Result<_>>()?,
            norm: source.norm::<E>("model.norm", parameters)?,
            head: E::linear(parameters, &[(head, None)], Activation::None)?,
            attention: Attention {
                heads: config.heads,
                kv_heads: config.kv_heads,
                width: config.head_width,
                rotary: Some(Rotary::new(config.rotary_theta, config.head_width, positions)),
                bias: None,
                reach: Reach::Causal,
            },
        })
    }

    /// Returns the map from a token's last states to the logits of the next token.
    pub(crate) fn head(&self) -> &E::Linear {
        &self.head
    }

    /// Returns how many layers there are.
    pub(crate) fn layers(&self) -> usize {
        self.layers.len()
    }

    /// Computes the normalised states of the last layer.
    ///
    /// With caches, one for each sequence, the tokens come after those that the caches have, and are added to them.
    pub(crate) fn forward(
        &self,
        run: &mut E,
        batch: &TokenBatch,
        mut caches: Option<&mut [E::Cache]>,
    ) -> E::States {
        let mut states = run.embed(&[(&self.words, &batch.tokens)]);
        for (index, layer) in self.layers.iter().enumerate() {
            let normed = run.normed(&states, &layer.attention_norm);
            let joint = run.apply(&layer.joint, &normed);
            let context = match &mut caches {
                None => run.attend(joint, &self.attention, batch),
                Some(caches) => run.attend_cached(joint, &self.attention, batch, caches, index),
            };
            states = run.apply_add(&layer.attention_out, &context, states);
            let normed = run.normed(&states, &layer.norm);
            let joint = run.apply(&layer.up, &normed);
            let inner = run.gate(joint, Activation::Silu);
            states = run.apply_add(&layer.down, &inner, states);
        }
        run.normalize(states, &self.norm)
    }
}

/// Where the parameters come from.
struct Source<'a> {
    config: &'a DecoderConfig,
    weights: &'a Weights,
}

impl Source<'_> {
    fn layer<E: Executor>(&self, index: usize, parameters: &mut E::Parameters) -> Result<Layer<E>> {
        let config = self.config;
        let full = |name: &str| format!("model.layers.{index}.{name}");
        let (hidden, inner) = (config.hidden, config.intermediate);
        let queries = config.heads * config.head_width;
        let keys = config.kv_heads * config.head_width;
        let joint = [("q_proj", queries), ("k_proj", keys), ("v_proj", keys)].map(|(name, out)| {
            self.part(&full(&format!("self_attn.{name}")), out, hidden, config.biases.joint)
        });
        let joint = joint.into_iter().collect::<Result<Vec<_>>>()?;
        let attention_out =
            [self.part(&full("self_attn.o_proj"), hidden, queries, config.biases.attention_out)?];
        let up = ["mlp.gate_proj", "mlp.up_proj"]
            .map(|name| self.part(&full(name), inner, hidden, config.biases.inner));
        let up = up.into_iter().collect::<Result<Vec<_>>>()?;
        let down = [self.part(&full("mlp.down_proj"), hidden, inner, config.biases.inner)?];
        Ok(Layer {
            attention_norm: self.norm::<E>(&full("input_layernorm"), parameters)?,
            joint: E::linear(parameters, &joint, Activation::None)?,
            attention_out: E::linear(parameters, &attention_out, Activation::None)?,
            norm: self.norm::<E>(&full("post_attention_layernorm"), parameters)?,
            up: E::linear(parameters, &up, Activation::None)?,
            down: E::linear(parameters, &down, Activation::None)?,
        })
    }

    fn part(&self, name: &str, out: usize, input: usize, has_bias: bool) -> Result<LinearPart> {
        let weight = self.weights.tensor(&format!("{name}.weight"), &[out, input])?;
        let bias = || self.weights.tensor(&format!("{name}.bias"), &[out]);
        Ok((weight, has_bias.then(bias).transpose()?))
    }

    fn norm<E: Executor>(&self, name: &str, parameters: &mut E::Parameters) -> Result<E::Norm> {
        let weight = self.weights.tensor(&format!("{name}.weight"), &[self.config.hidden])?;
        E::norm(parameters, NormKind::RootMeanSquare, &weight, None, self.config.epsilon)
    }
}
