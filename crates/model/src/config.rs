//! The `config.json` of a transformer.

use std::path::Path;

use ecphory_kernels::nn::Activation;
use serde::Deserialize;

use crate::error::{Error, Result};
use crate::json;

/// The file's name.
pub(crate) const CONFIG: &str = "config.json";

/// The encoder families: they share one architecture (embeddings, then layers of attention and a
/// feed-forward part, each followed by a residual and a layer norm) and differ in names and positions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Family {
    /// BERT: absolute positions from 0, token types.
    Bert,
    /// `DistilBERT`: no token types, other names.
    DistilBert,
    /// `RoBERTa` and XLM-RoBERTa: positions start after the padding id.
    Roberta,
    /// `MPNet`: as `RoBERTa` without token types, and a bias by distance on the attention scores.
    MpNet,
}

impl Family {
    /// Returns the family's `model_type`.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Family::Bert => "bert",
            Family::DistilBert => "distilbert",
            Family::Roberta => "roberta",
            Family::MpNet => "mpnet",
        }
    }
}

/// The `model_type` of `ModernBERT`, whose configuration is [`crate::pre_norm::PreNormConfig`].
pub(crate) const MODERN: &str = "modernbert";

/// What is supported, for messages.
const SUPPORTED: &str = "bert, distilbert, roberta, xlm-roberta, mpnet, modernbert, model2vec";
/// The activations, likewise.
pub(crate) const ACTIVATIONS: &str = "gelu, gelu_new, gelu_pytorch_tanh, relu";

/// The sizes of a transformer.
#[derive(Clone, Debug)]
pub(crate) struct TransformerConfig {
    pub(crate) family: Family,
    pub(crate) hidden: usize,
    pub(crate) layers: usize,
    pub(crate) heads: usize,
    pub(crate) intermediate: usize,
    pub(crate) activation: Activation,
    pub(crate) epsilon: f32,
    pub(crate) vocabulary: usize,
    /// Rows of the position table.
    pub(crate) positions: usize,
    /// The position of the first token.
    pub(crate) first_position: usize,
    /// Rows of the token-type table; 0 where the family has none.
    pub(crate) types: usize,
    /// Rows of the table of relative distances; 0 where the family has none.
    pub(crate) buckets: usize,
}

#[derive(Deserialize)]
struct ModelType {
    model_type: Option<String>,
}

#[derive(Deserialize)]
struct Architectures {
    architectures: Option<Vec<String>>,
}

#[derive(Deserialize)]
struct Initializer {
    initializer_range: Option<f64>,
}

#[derive(Deserialize)]
struct Raw {
    #[serde(alias = "dim")]
    hidden_size: usize,
    #[serde(alias = "n_layers")]
    num_hidden_layers: usize,
    #[serde(alias = "n_heads")]
    num_attention_heads: usize,
    #[serde(alias = "hidden_dim")]
    intermediate_size: usize,
    #[serde(alias = "activation")]
    hidden_act: String,
    layer_norm_eps: Option<f32>,
    vocab_size: usize,
    max_position_embeddings: usize,
    #[serde(default)]
    type_vocab_size: usize,
    pad_token_id: Option<usize>,
    position_embedding_type: Option<String>,
    relative_attention_num_buckets: Option<usize>,
    #[serde(default)]
    is_decoder: bool,
}

/// Returns the activation of a name in a configuration.
pub(crate) fn activation(name: &str) -> Option<Activation> {
    match name {
        "gelu" => Some(Activation::Gelu),
        "gelu_new" | "gelu_pytorch_tanh" => Some(Activation::GeluTanh),
        "relu" => Some(Activation::Relu),
        _ => None,
    }
}

/// Returns the `model_type` of a directory's configuration.
pub(crate) fn model_type(directory: &Path) -> Result<Option<String>> {
    Ok(json::read::<ModelType>(&directory.join(CONFIG))?.model_type)
}

/// Returns the class that a directory's configuration names for a classifier of texts; `None` for what is none.
pub(crate) fn classifier(directory: &Path) -> Result<Option<String>> {
    let path = directory.join(CONFIG);
    let found = json::read_optional::<Architectures>(&path)?.and_then(|one| one.architectures);
    Ok(found.into_iter().flatten().find(|name| name.ends_with("ForSequenceClassification")))
}

/// Refuses a classifier where an encoder is wanted: it has the same transformer, and vectors of it would mean nothing.
pub(crate) fn refuse_cross_encoder(directory: &Path) -> Result<()> {
    match classifier(directory)? {
        None => Ok(()),
        Some(name) => Err(Error::unsupported(
            &directory.join(CONFIG),
            "architectures",
            &name,
            "those of encoders; a cross-encoder reranks, as `dense >> cross(\"DIRECTORY\")`",
        )),
    }
}

/// Returns the standard deviation of the weights that a model of a directory's configuration begins with.
pub(crate) fn initializer_range(directory: &Path) -> Result<f64> {
    let path = directory.join(CONFIG);
    let range = json::read::<Initializer>(&path)?.initializer_range.unwrap_or(0.02);
    if range.is_finite() && range >= 0.0 {
        return Ok(range);
    }
    Err(Error::unsupported(&path, "initializer_range", &range.to_string(), "a number from 0 on"))
}

impl TransformerConfig {
    /// Reads the configuration of a directory.
    pub(crate) fn open(directory: &Path) -> Result<Self> {
        let path = directory.join(CONFIG);
        let unsupported = |setting, found: &str, supported: &str| {
            Error::unsupported(&path, setting, found, supported)
        };
        let found = model_type(directory)?.unwrap_or_else(|| "missing".to_owned());
        let family = match found.as_str() {
            "bert" => Family::Bert,
            "distilbert" => Family::DistilBert,
            "roberta" | "xlm-roberta" | "camembert" => Family::Roberta,
            "mpnet" => Family::MpNet,
            other => return Err(unsupported("model_type", other, SUPPORTED)),
        };
        let raw: Raw = json::read(&path)?;
        if let Some(kind) = raw.position_embedding_type.as_deref().filter(|k| *k != "absolute") {
            return Err(unsupported("position_embedding_type", kind, "absolute"));
        }
        if raw.is_decoder {
            return Err(unsupported("is_decoder", "true", "false"));
        }
        let activation = activation(&raw.hidden_act)
            .ok_or_else(|| unsupported("hidden_act", &raw.hidden_act, ACTIVATIONS))?;
        let config = Self::assemble(family, activation, &raw);
        config.check(&path)?;
        Ok(config)
    }

    fn assemble(family: Family, activation: Activation, raw: &Raw) -> Self {
        let shifted = matches!(family, Family::Roberta | Family::MpNet);
        Self {
            family,
            hidden: raw.hidden_size,
            layers: raw.num_hidden_layers,
            heads: raw.num_attention_heads,
            intermediate: raw.intermediate_size,
            activation,
            epsilon: raw.layer_norm_eps.unwrap_or(1e-12),
            vocabulary: raw.vocab_size,
            positions: raw.max_position_embeddings,
            first_position: if shifted { raw.pad_token_id.unwrap_or(1) + 1 } else { 0 },
            types: match family {
                Family::Bert | Family::Roberta => raw.type_vocab_size,
                Family::DistilBert | Family::MpNet => 0,
            },
            buckets: match family {
                Family::MpNet => raw.relative_attention_num_buckets.unwrap_or(32),
                _ => 0,
            },
        }
    }

    /// Checks that the sizes make a transformer; the weights then have to have these shapes.
    fn check(&self, path: &Path) -> Result<()> {
        let wrong = |setting, found: usize, supported: String| {
            let path = path.to_owned();
            Err(Error::Unsupported { path, setting, found: found.to_string(), supported })
        };
        let most = 1 << 24;
        for (setting, size) in [
            ("hidden_size", self.hidden),
            ("num_attention_heads", self.heads),
            ("intermediate_size", self.intermediate),
            ("vocab_size", self.vocabulary),
            ("max_position_embeddings", self.positions),
        ] {
            if size == 0 || size > most {
                return wrong(setting, size, format!("1 to {most}"));
            }
        }
        if !self.hidden.is_multiple_of(self.heads) {
            let expected = format!("a divisor of hidden_size, {}", self.hidden);
            return wrong("num_attention_heads", self.heads, expected);
        }
        if self.max_tokens() < 3 {
            let expected = format!("at least {}", self.first_position + 3);
            return wrong("max_position_embeddings", self.positions, expected);
        }
        if !self.buckets.is_multiple_of(4) {
            let expected = "a multiple of 4".to_owned();
            return wrong("relative_attention_num_buckets", self.buckets, expected);
        }
        Ok(())
    }

    /// Returns how many tokens have a position.
    pub(crate) fn max_tokens(&self) -> usize {
        self.positions.saturating_sub(self.first_position)
    }
}
