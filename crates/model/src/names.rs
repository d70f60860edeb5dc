//! What the families call their tensors.

use crate::config::Family;

/// The names of one family. Those of a layer follow `layer` and the layer's number.
pub(crate) struct TensorNames {
    /// What all names may begin with, depending on which class saved the weights.
    pub(crate) prefixes: &'static [&'static str],
    /// The stem of the layers.
    pub(crate) layer: &'static str,
    pub(crate) query: &'static str,
    pub(crate) key: &'static str,
    pub(crate) value: &'static str,
    pub(crate) attention_out: &'static str,
    pub(crate) attention_norm: &'static str,
    pub(crate) up: &'static str,
    pub(crate) down: &'static str,
    pub(crate) norm: &'static str,
}

/// The table of token embeddings has one name in all families.
pub(crate) const WORDS: &str = "embeddings.word_embeddings.weight";
/// So has the table of positions.
pub(crate) const POSITIONS: &str = "embeddings.position_embeddings.weight";
/// The table of token types, in families that have one.
pub(crate) const TYPES: &str = "embeddings.token_type_embeddings.weight";
/// The layer norm over the sum of these.
pub(crate) const EMBEDDING_NORM: &str = "embeddings.LayerNorm";
/// The bias by distance, one column a head.
pub(crate) const RELATIVE: &str = "encoder.relative_attention_bias.weight";

const BERT: TensorNames = TensorNames {
    prefixes: &["", "bert.", "model.", "roberta.", "encoder."],
    layer: "encoder.layer",
    query: "attention.self.query",
    key: "attention.self.key",
    value: "attention.self.value",
    attention_out: "attention.output.dense",
    attention_norm: "attention.output.LayerNorm",
    up: "intermediate.dense",
    down: "output.dense",
    norm: "output.LayerNorm",
};

const DISTILBERT: TensorNames = TensorNames {
    prefixes: &["", "distilbert.", "model."],
    layer: "transformer.layer",
    query: "attention.q_lin",
    key: "attention.k_lin",
    value: "attention.v_lin",
    attention_out: "attention.out_lin",
    attention_norm: "sa_layer_norm",
    up: "ffn.lin1",
    down: "ffn.lin2",
    norm: "output_layer_norm",
};

const MPNET: TensorNames = TensorNames {
    prefixes: &["", "mpnet.", "model."],
    layer: "encoder.layer",
    query: "attention.attn.q",
    key: "attention.attn.k",
    value: "attention.attn.v",
    attention_out: "attention.attn.o",
    attention_norm: "attention.LayerNorm",
    up: "intermediate.dense",
    down: "output.dense",
    norm: "output.LayerNorm",
};

impl TensorNames {
    /// Returns the names of a family.
    pub(crate) fn of(family: Family) -> &'static Self {
        match family {
            Family::Bert | Family::Roberta => &BERT,
            Family::DistilBert => &DISTILBERT,
            Family::MpNet => &MPNET,
        }
    }
}
