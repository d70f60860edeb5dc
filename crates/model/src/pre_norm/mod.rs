//! The encoder of `ModernBERT` (Warner et al. 2024): each sublayer reads its input normalised and adds to it.
//!
//! Positions are rotary; most layers attend within a window, every few to the whole text, each kind with an
//! angle of its own; the feed-forward part is gated. The first layer's attention has no norm of its own: the
//! embeddings have just been normalised. Cost per token and layer: `8 h² + 6 h f` floating-point operations
//! in products (h hidden, f intermediate) and `4 h n` in attention over n tokens, in local layers too: they
//! leave the far scores out of the softmax and not out of the product. Not for decoders.

mod config;

use ecphory_kernels::nn::Activation;

use crate::attention::{Attention, Reach};
use crate::error::Result;
use crate::executor::{Executor, LinearPart, NormKind, TokenBatch};
use crate::rotary::Rotary;
use crate::weights::Weights;

pub(crate) use config::{PreNormConfig, PredictionSettings};

/// The table of token embeddings.
pub(crate) const WORDS: &str = "embeddings.tok_embeddings.weight";
/// What all names may begin with.
pub(crate) const PREFIXES: &[&str] = &["", "model."];

/// An encoder with its parameters as the executor wants them.
pub(crate) struct PreNorm<E: Executor> {
    words: E::Table,
    norm: E::Norm,
    layers: Vec<Layer<E>>,
    final_norm: E::Norm,
    global: Attention,
    local: Attention,
    activation: Activation,
}

struct Layer<E: Executor> {
    attention_norm: Option<E::Norm>,
    joint: E::Linear,
    attention_out: E::Linear,
    norm: E::Norm,
    up: E::Linear,
    down: E::Linear,
    is_local: bool,
}

impl<E: Executor> PreNorm<E> {
    /// Takes the parameters out of the weight files, whose shapes have to be those of the configuration.
    pub(crate) fn load(
        config: &PreNormConfig,
        weights: &mut Weights,
        parameters: &mut E::Parameters,
    ) -> Result<Self> {
        weights.choose_prefix(PREFIXES, WORDS)?;
        let words = weights.tensor(WORDS, &[config.vocabulary, config.hidden])?;
        let source = Source { config, weights };
        let layers = (0..config.is_local.len())
            .map(|i| source.layer(i, parameters))
            .collect::<Result<_>>()?;
        let attention = |theta, reach| {
            let width = config.hidden / config.heads;
            let rotary = Some(Rotary::new(theta, width, config.positions));
            Attention { rotary, reach, ..Attention::full(config.heads, width) }
        };
        Ok(Self {
            words: E::table(parameters, &words)?,
            norm: source.norm::<E>("embeddings.norm", parameters)?,
            final_norm: source.norm::<E>("final_norm", parameters)?,
            layers,
            global: attention(config.global_theta, Reach::All),
            local: attention(config.local_theta, Reach::Window(config.window)),
            activation: config.activation,
        })
    }

    /// Computes the states of the last layer.
    pub(crate) fn forward(&self, run: &mut E, batch: &TokenBatch) -> E::States {
        let embedded = run.embed(&[(&self.words, &batch.tokens[..])]);
        let mut states = run.normalize(embedded, &self.norm);
        for layer in &self.layers {
            let joint = match &layer.attention_norm {
                None => run.apply(&layer.joint, &states),
                Some(norm) => {
                    let normed = run.normed(&states, norm);
                    run.apply(&layer.joint, &normed)
                }
            };
            let attention = if layer.is_local { &self.local } else { &self.global };
            let context = run.attend(joint, attention, batch);
            states = run.apply_add(&layer.attention_out, &context, states);
            let normed = run.normed(&states, &layer.norm);
            let joint = run.apply(&layer.up, &normed);
            let inner = run.gate(joint, self.activation);
            states = run.apply_add(&layer.down, &inner, states);
        }
        run.normalize(states, &self.final_norm)
    }
}

/// Where the parameters come from.
struct Source<'a> {
    config: &'a PreNormConfig,
    weights: &'a Weights,
}

impl Source<'_> {
    fn layer<E: Executor>(&self, index: usize, parameters: &mut E::Parameters) -> Result<Layer<E>> {
        let config = self.config;
        let full = |name: &str| format!("layers.{index}.{name}");
        let (hidden, inner) = (config.hidden, config.intermediate);
        let joint = self.part(&full("attn.Wqkv"), [3 * hidden, hidden], config.attention_bias)?;
        let out = self.part(&full("attn.Wo"), [hidden, hidden], config.attention_bias)?;
        let up = self.part(&full("mlp.Wi"), [2 * inner, hidden], config.inner_bias)?;
        let down = self.part(&full("mlp.Wo"), [hidden, inner], config.inner_bias)?;
        let attention_norm = match index {
            0 => None,
            _ => Some(self.norm::<E>(&full("attn_norm"), parameters)?),
        };
        let mut linear = |part| E::linear(&mut *parameters, &[part], Activation::None);
        Ok(Layer {
            attention_norm,
            joint: linear(joint)?,
            attention_out: linear(out)?,
            up: linear(up)?,
            down: linear(down)?,
            norm: self.norm::<E>(&full("mlp_norm"), parameters)?,
            is_local: config.is_local[index],
        })
    }

    fn part(&self, name: &str, shape: [usize; 2], has_bias: bool) -> Result<LinearPart> {
        let weight = self.weights.tensor(&format!("{name}.weight"), &shape)?;
        let bias = || self.weights.tensor(&format!("{name}.bias"), &shape[..1]);
        Ok((weight, has_bias.then(bias).transpose()?))
    }

    fn norm<E: Executor>(&self, name: &str, parameters: &mut E::Parameters) -> Result<E::Norm> {
        let shape = [self.config.hidden];
        let weight = self.weights.tensor(&format!("{name}.weight"), &shape)?;
        let bias = || self.weights.tensor(&format!("{name}.bias"), &shape);
        let bias = self.config.norm_bias.then(bias).transpose()?;
        E::norm(parameters, NormKind::Layer, &weight, bias.as_ref(), self.config.epsilon)
    }
}
