//! The sizes of a decoder, from `config.json` or the metadata of a GGUF file.

use std::path::Path;

use serde::Deserialize;

use crate::config::{CONFIG, model_type};
use crate::error::{Error, Result};
use crate::gguf::Gguf;
use crate::json;

/// The decoder families, which differ in biases and in how GGUF files order rows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum DecoderFamily {
    /// Llama, and the many models of its architecture (`SmolLM`, `TinyLlama`).
    Llama,
    /// Qwen 2 and 2.5: queries, keys and values have biases.
    Qwen2,
}

/// What is supported, for messages.
const SUPPORTED: &str = "llama, qwen2";
/// More of anything than any model has: what is beyond is a damaged file.
const MOST: usize = 1 << 24;
/// More layers than any model has.
const MOST_LAYERS: usize = 1 << 12;
const MOST_POSITIONS: usize = 1 << 20;

impl DecoderFamily {
    /// Returns the family's `model_type`.
    pub(crate) fn name(self) -> &'static str {
        match self {
            DecoderFamily::Llama => "llama",
            DecoderFamily::Qwen2 => "qwen2",
        }
    }

    /// Returns the family of a `model_type`.
    pub(crate) fn of(name: &str) -> Option<Self> {
        match name {
            "llama" => Some(DecoderFamily::Llama),
            "qwen2" => Some(DecoderFamily::Qwen2),
            _ => None,
        }
    }
}

/// Which linear maps have a bias.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Biases {
    pub(crate) joint: bool,
    pub(crate) attention_out: bool,
    pub(crate) inner: bool,
}

/// The sizes of a decoder.
#[derive(Clone, Debug)]
pub(crate) struct DecoderConfig {
    pub(crate) family: DecoderFamily,
    pub(crate) hidden: usize,
    pub(crate) layers: usize,
    pub(crate) heads: usize,
    pub(crate) kv_heads: usize,
    pub(crate) head_width: usize,
    pub(crate) intermediate: usize,
    pub(crate) epsilon: f32,
    pub(crate) rotary_theta: f64,
    pub(crate) vocabulary: usize,
    /// The most tokens of a sequence.
    pub(crate) positions: usize,
    /// Whether the table of tokens is also the map to logits.
    pub(crate) tied: bool,
    pub(crate) biases: Biases,
    /// The tokens that end a text.
    pub(crate) ends: Vec<u32>,
}

#[derive(Deserialize)]
struct Raw {
    hidden_size: usize,
    num_hidden_layers: usize,
    num_attention_heads: usize,
    num_key_value_heads: Option<usize>,
    head_dim: Option<usize>,
    intermediate_size: usize,
    hidden_act: String,
    rms_norm_eps: Option<f32>,
    vocab_size: usize,
    max_position_embeddings: usize,
    #[serde(default)]
    tie_word_embeddings: bool,
    attention_bias: Option<bool>,
    mlp_bias: Option<bool>,
    use_sliding_window: Option<bool>,
    rope_theta: Option<f64>,
    rope_scaling: Option<RawRotary>,
    rope_parameters: Option<RawRotary>,
    eos_token_id: Option<Ids>,
}

#[derive(Deserialize)]
struct RawRotary {
    rope_theta: Option<f64>,
    #[serde(alias = "type")]
    rope_type: Option<String>,
}

/// One id or several.
#[derive(Clone, Deserialize)]
#[serde(untagged)]
enum Ids {
    One(u32),
    Many(Vec<u32>),
}

#[derive(Deserialize)]
struct GenerationConfig {
    eos_token_id: Option<Ids>,
}

impl DecoderConfig {
    /// Reads `config.json`, and the ends of a text from `generation_config.json` where there is one.
    pub(crate) fn of_directory(directory: &Path) -> Result<Self> {
        let path = directory.join(CONFIG);
        let unsupported = |setting, found: &str, supported: &str| {
            Error::unsupported(&path, setting, found, supported)
        };
        let found = model_type(directory)?.unwrap_or_else(|| "missing".to_owned());
        let family = DecoderFamily::of(&found)
            .ok_or_else(|| unsupported("model_type", &found, SUPPORTED))?;
        let raw: Raw = json::read(&path)?;
        if raw.hidden_act != "silu" {
            return Err(unsupported("hidden_act", &raw.hidden_act, "silu"));
        }
        if raw.use_sliding_window.unwrap_or(false) {
            return Err(unsupported("use_sliding_window", "true", "false"));
        }
        for rotary in [&raw.rope_scaling, &raw.rope_parameters].into_iter().flatten() {
            if let Some(kind) = rotary.rope_type.as_deref().filter(|kind| *kind != "default") {
                return Err(unsupported("rope_type", kind, "default"));
            }
        }
        let name = directory.join("generation_config.json");
        let generation = json::read_optional::<GenerationConfig>(&name)?;
        let ends = generation.and_then(|g| g.eos_token_id).or_else(|| raw.eos_token_id.clone());
        let config = Self::assemble(family, &raw, ends);
        config.check(|setting, found, supported| {
            unsupported(setting, &found.to_string(), &supported)
        })?;
        Ok(config)
    }

    fn assemble(family: DecoderFamily, raw: &Raw, ends: Option<Ids>) -> Self {
        let nested = raw.rope_parameters.as_ref().and_then(|rotary| rotary.rope_theta);
        let biases = match family {
            DecoderFamily::Qwen2 => Biases { joint: true, ..Biases::default() },
            DecoderFamily::Llama => Biases {
                joint: raw.attention_bias.unwrap_or(false),
                attention_out: raw.attention_bias.unwrap_or(false),
                inner: raw.mlp_bias.unwrap_or(false),
            },
        };
        Self {
            family,
            hidden: raw.hidden_size,
            layers: raw.num_hidden_layers,
            heads: raw.num_attention_heads,
            kv_heads: raw.num_key_value_heads.unwrap_or(raw.num_attention_heads),
            head_width: raw.head_dim.unwrap_or(raw.hidden_size / raw.num_attention_heads.max(1)),
            intermediate: raw.intermediate_size,
            epsilon: raw.rms_norm_eps.unwrap_or(1e-6),
            rotary_theta: nested.or(raw.rope_theta).unwrap_or(10_000.0),
            vocabulary: raw.vocab_size,
            positions: raw.max_position_embeddings,
            tied: raw.tie_word_embeddings,
            biases,
            ends: match ends {
                None => Vec::new(),
                Some(Ids::One(id)) => vec![id],
                Some(Ids::Many(ids)) => ids,
            },
        }
    }

    /// Reads the metadata of a GGUF file.
    pub(crate) fn of_gguf(file: &Gguf) -> Result<Self> {
        let metadata = &file.metadata;
        let key = "general.architecture";
        let name = metadata.required(key, metadata.text(key)?)?;
        let family =
            DecoderFamily::of(name).ok_or_else(|| metadata.unsupported(key, name, SUPPORTED))?;
        let key = |rest: &str| format!("{name}.{rest}");
        let size = |rest: &str| {
            metadata.integer(&key(rest)).and_then(|n| metadata.required(&key(rest), n))
        };
        let (hidden, heads) = (size("embedding_length")?, size("attention.head_count")?);
        let head_width = metadata.integer(&key("attention.key_length"))?;
        let head_width = head_width.unwrap_or(hidden / heads.max(1));
        let epsilon = key("attention.layer_norm_rms_epsilon");
        let rotated = metadata.integer(&key("rope.dimension_count"))?.unwrap_or(head_width);
        if rotated != head_width {
            let supported = format!("{head_width}, the width of a head");
            let key = key("rope.dimension_count");
            return Err(metadata.unsupported(&key, &rotated.to_string(), &supported));
        }
        let scaling = key("rope.scaling.type");
        if let Some(kind) = metadata.text(&scaling)?.filter(|kind| *kind != "none") {
            return Err(metadata.unsupported(&scaling, kind, "none"));
        }
        let end = metadata.integer("tokenizer.ggml.eos_token_id")?;
        let words = file.tensors.get("token_embd.weight").map(|tensor| tensor.shape[0]);
        let has = |tensor: &str| file.tensors.contains_key(tensor);
        let config = Self {
            family,
            hidden,
            layers: size("block_count")?,
            heads,
            kv_heads: metadata.integer(&key("attention.head_count_kv"))?.unwrap_or(heads),
            head_width,
            intermediate: size("feed_forward_length")?,
            epsilon: metadata.required(&epsilon, metadata.float(&epsilon)?)? as f32,
            rotary_theta: metadata.float(&key("rope.freq_base"))?.unwrap_or(10_000.0),
            vocabulary: metadata.required("token_embd.weight", words)?,
            positions: size("context_length")?,
            tied: !has("output.weight"),
            biases: Biases {
                joint: family == DecoderFamily::Qwen2 || has("blk.0.attn_q.bias"),
                attention_out: has("blk.0.attn_output.bias"),
                inner: has("blk.0.ffn_up.bias"),
            },
            ends: end.and_then(|id| u32::try_from(id).ok()).into_iter().collect(),
        };
        config.check(|setting, found, supported| {
            metadata.unsupported(setting, &found.to_string(), &supported)
        })?;
        Ok(config)
    }

    /// Checks that the sizes make a decoder; the weights then have to have these shapes.
    fn check(&self, wrong: impl Fn(&'static str, usize, String) -> Error) -> Result<()> {
        for (setting, size, most) in [
            ("hidden_size", self.hidden, MOST),
            ("num_hidden_layers", self.layers, MOST_LAYERS),
            ("num_attention_heads", self.heads, MOST),
            ("num_key_value_heads", self.kv_heads, MOST),
            ("head_dim", self.head_width, MOST),
            ("intermediate_size", self.intermediate, MOST),
            ("vocab_size", self.vocabulary, MOST),
            ("max_position_embeddings", self.positions, MOST_POSITIONS),
        ] {
            if size == 0 || size > most {
                return Err(wrong(setting, size, format!("1 to {most}")));
            }
        }
        if !self.heads.is_multiple_of(self.kv_heads) {
            let supported = format!("a divisor of the {} heads", self.heads);
            return Err(wrong("num_key_value_heads", self.kv_heads, supported));
        }
        if !self.head_width.is_multiple_of(2) {
            return Err(wrong("head_dim", self.head_width, "an even number".to_owned()));
        }
        Ok(())
    }
}
