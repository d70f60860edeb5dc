//! The `config.json` of `ModernBERT`, as transformers 4 and 5 write it.

use std::path::Path;

use ecphory_kernels::nn::Activation;
use serde::Deserialize;

use crate::config::{ACTIVATIONS, CONFIG, activation};
use crate::error::{Error, Result};
use crate::json;

/// The sizes of the transformer, and which of its layers see everything.
#[derive(Clone, Debug)]
pub(crate) struct PreNormConfig {
    pub(crate) hidden: usize,
    pub(crate) heads: usize,
    pub(crate) intermediate: usize,
    pub(crate) activation: Activation,
    pub(crate) epsilon: f32,
    pub(crate) vocabulary: usize,
    /// Tokens that a text may have.
    pub(crate) positions: usize,
    /// For each layer, whether its tokens see only their neighbours.
    pub(crate) is_local: Vec<bool>,
    /// How far a token sees in such a layer, on each side.
    pub(crate) window: usize,
    pub(crate) global_theta: f64,
    pub(crate) local_theta: f64,
    pub(crate) norm_bias: bool,
    pub(crate) attention_bias: bool,
    pub(crate) inner_bias: bool,
}

/// What the same file says about the head that predicts words or labels.
#[derive(Debug, Deserialize)]
pub(crate) struct PredictionSettings {
    /// How a text's states become one for its label.
    #[serde(default = "cls")]
    pub(crate) classifier_pooling: String,
    #[serde(default = "gelu")]
    classifier_activation: String,
    #[serde(default)]
    pub(crate) classifier_bias: bool,
    #[serde(default)]
    pub(crate) norm_bias: bool,
}

impl PredictionSettings {
    /// Reads the configuration of a directory.
    pub(crate) fn open(directory: &Path) -> Result<Self> {
        json::read(&directory.join(CONFIG))
    }

    /// Returns the activation of the head.
    pub(crate) fn activation(&self, directory: &Path) -> Result<Activation> {
        activation(&self.classifier_activation).ok_or_else(|| {
            let (path, found) = (directory.join(CONFIG), &self.classifier_activation);
            Error::unsupported(&path, "classifier_activation", found, ACTIVATIONS)
        })
    }
}

#[derive(Deserialize)]
#[allow(clippy::struct_excessive_bools, reason = "the file has one flag a kind of bias")]
struct Raw {
    hidden_size: usize,
    num_hidden_layers: usize,
    num_attention_heads: usize,
    intermediate_size: usize,
    vocab_size: usize,
    max_position_embeddings: usize,
    #[serde(default = "gelu")]
    hidden_activation: String,
    #[serde(default = "epsilon")]
    norm_eps: f32,
    #[serde(default)]
    norm_bias: bool,
    #[serde(default)]
    attention_bias: bool,
    #[serde(default)]
    mlp_bias: bool,
    #[serde(default = "window")]
    local_attention: usize,
    layer_types: Option<Vec<String>>,
    #[serde(default = "period")]
    global_attn_every_n_layers: usize,
    #[serde(default = "global_theta")]
    global_rope_theta: f64,
    // Missing it has a default, null it is the global one.
    #[serde(default = "local_theta")]
    local_rope_theta: Option<f64>,
    rope_parameters: Option<RopeByKind>,
    rope_scaling: Option<serde_json::Value>,
}

#[derive(Default, Deserialize)]
struct RopeByKind {
    full_attention: Option<Rope>,
    sliding_attention: Option<Rope>,
}

#[derive(Default, Deserialize)]
struct Rope {
    rope_type: Option<String>,
    rope_theta: Option<f64>,
}

fn cls() -> String {
    "cls".to_owned()
}
fn gelu() -> String {
    "gelu".to_owned()
}
fn epsilon() -> f32 {
    1e-5
}
fn window() -> usize {
    128
}
fn period() -> usize {
    3
}
fn global_theta() -> f64 {
    160_000.0
}
#[allow(clippy::unnecessary_wraps, reason = "the default of an optional value")]
fn local_theta() -> Option<f64> {
    Some(10_000.0)
}

impl PreNormConfig {
    /// Reads the configuration of a directory.
    pub(crate) fn open(directory: &Path) -> Result<Self> {
        let path = directory.join(CONFIG);
        let raw: Raw = json::read(&path)?;
        let unsupported = |setting, found: &str, supported: &str| {
            Error::unsupported(&path, setting, found, supported)
        };
        if let Some(scaling) = &raw.rope_scaling {
            return Err(unsupported("rope_scaling", &scaling.to_string(), "none"));
        }
        let activation = activation(&raw.hidden_activation)
            .ok_or_else(|| unsupported("hidden_activation", &raw.hidden_activation, ACTIVATIONS))?;
        let ropes = raw.rope_parameters.unwrap_or_default();
        let theta = |rope: Option<Rope>, otherwise: f64| {
            let rope = rope.unwrap_or_default();
            match rope.rope_type.as_deref() {
                None | Some("default") => Ok(rope.rope_theta.unwrap_or(otherwise)),
                Some(other) => Err(unsupported("rope_type", other, "default")),
            }
        };
        let is_local = match &raw.layer_types {
            None => {
                let period = raw.global_attn_every_n_layers.max(1);
                (0..raw.num_hidden_layers).map(|i| i % period != 0).collect()
            }
            Some(kinds) => kinds
                .iter()
                .map(|kind| match kind.as_str() {
                    "full_attention" => Ok(false),
                    "sliding_attention" => Ok(true),
                    other => {
                        let supported = "full_attention, sliding_attention";
                        Err(unsupported("layer_types", other, supported))
                    }
                })
                .collect::<Result<Vec<bool>>>()?,
        };
        let config = Self {
            hidden: raw.hidden_size,
            heads: raw.num_attention_heads,
            intermediate: raw.intermediate_size,
            activation,
            epsilon: raw.norm_eps,
            vocabulary: raw.vocab_size,
            positions: raw.max_position_embeddings,
            is_local,
            window: raw.local_attention / 2,
            global_theta: theta(ropes.full_attention, raw.global_rope_theta)?,
            local_theta: theta(
                ropes.sliding_attention,
                raw.local_rope_theta.unwrap_or(raw.global_rope_theta),
            )?,
            norm_bias: raw.norm_bias,
            attention_bias: raw.attention_bias,
            inner_bias: raw.mlp_bias,
        };
        config.check(&path, raw.num_hidden_layers)?;
        Ok(config)
    }

    /// Checks that the sizes make a transformer; the weights then have to have these shapes.
    fn check(&self, path: &Path, layers: usize) -> Result<()> {
        let wrong = |setting, found: String, supported: String| {
            Err(Error::Unsupported { path: path.to_owned(), setting, found, supported })
        };
        // Angles are tabulated, so that a position costs memory.
        let most = 1 << 24;
        for (setting, size, least, most) in [
            ("hidden_size", self.hidden, 1, most),
            ("num_attention_heads", self.heads, 1, most),
            ("intermediate_size", self.intermediate, 1, most),
            ("vocab_size", self.vocabulary, 1, most),
            ("max_position_embeddings", self.positions, 3, 1 << 20),
        ] {
            if !(least..=most).contains(&size) {
                return wrong(setting, size.to_string(), format!("{least} to {most}"));
            }
        }
        if !self.hidden.is_multiple_of(2 * self.heads) {
            let expected = format!("half of a divisor of hidden_size, {}", self.hidden);
            return wrong("num_attention_heads", self.heads.to_string(), expected);
        }
        if self.is_local.len() != layers {
            let found = format!("a list of {}", self.is_local.len());
            return wrong("layer_types", found, format!("{layers}, one a layer"));
        }
        for (setting, theta) in
            [("global rope_theta", self.global_theta), ("local rope_theta", self.local_theta)]
        {
            if !(theta.is_finite() && theta > 0.0) {
                return wrong(setting, theta.to_string(), "a positive number".to_owned());
            }
        }
        Ok(())
    }
}
