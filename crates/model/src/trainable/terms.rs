//! A sparse encoder made of an encoder: a head over words, and queries that are looked up.

use std::borrow::Cow;
use std::path::Path;

use ecphory_kernels::nn::Activation;
use serde_json::{Map, Value, json};

use super::TrainableEncoder;
use super::directory::{self, HeadKind, Headed};
use crate::convert::{NewTensor, sync, whole_directory, write_tensors};
use crate::error::{Error, Result};
use crate::json;
use crate::layout::{MODULES, PROMPTS, ROUTER, TermActivation};
use crate::masked_lm::HeadNames;
use crate::weights::WEIGHTS;

/// The head over words of a masked language model, for the tokens that are terms: the logit of a term is the product of its row and
/// `norm(gelu(map · state + map_bias))`, plus its bias.
#[derive(Clone, Debug, PartialEq)]
pub struct TermHead<'a> {
    /// `[hidden, hidden]`, row by row.
    pub map: &'a [f32],
    /// `[hidden]`.
    pub map_bias: &'a [f32],
    /// The weight of the layer norm, `[hidden]`.
    pub scale: &'a [f32],
    /// The bias of the layer norm, `[hidden]`.
    pub shift: &'a [f32],
    /// The tokens that are terms; no other weighs anything.
    pub tokens: &'a [u32],
    /// `[tokens, hidden]`.
    pub rows: &'a [f32],
    /// `[tokens]`.
    pub biases: &'a [f32],
    /// What the largest logit of a term goes through.
    pub activation: TermActivation,
    /// The weights of the terms of queries, one for each of the tokens; `None` where queries are encoded as documents are.
    pub queries: Option<Vec<f32>>,
}

const MODELS: &str = "sentence_transformers.sparse_encoder.models";
const POOLING: &str = "1_SpladePooling";
/// Where a router has the table of queries, and the pooling of documents.
const QUERIES: &str = "query_0_SparseStaticEmbedding";
const ROUTED_POOLING: &str = "document_1_SpladePooling";

impl TrainableEncoder {
    /// Returns what norms add to a variance, which a head over words does too.
    pub fn epsilon(&self) -> f32 {
        self.trunk.config.epsilon()
    }

    /// Writes the model as it now is, with a head over words, to a new directory in the layout of sentence-transformers' `SparseEncoder`,
    /// in single precision. What came after the transformer (pooling, unit length) is left behind.
    /// [`SparseEncoder::open`](crate::SparseEncoder::open) and sentence-transformers open it.
    ///
    /// `directory` appears whole or not at all, and is on the disk when this returns.
    ///
    /// # Errors
    /// `Conflict` where `directory` exists; `Input` for a family whose heads are others; what reading the old directory or writing the
    /// new one says.
    ///
    /// # Panics
    /// Where there is no such token, or lengths do not fit.
    pub fn save_with_terms(&self, directory: &Path, head: &TermHead<'_>) -> Result<()> {
        let names = self.head_names()?;
        let (hidden, terms) = (self.hidden(), self.trunk.config.vocabulary());
        let square = [hidden, hidden];
        let (row, table, all) = ([hidden], [terms, hidden], [terms]);
        let rows = spread(head.tokens, head.rows, (terms, hidden));
        let biases = spread(head.tokens, head.biases, (terms, 1));
        let mut tensors = directory::tensors(&self.trunk, &self.fixed, self.prefix);
        let mut add = |name: String, shape, values: Cow<'_, [f32]>| {
            tensors.push(NewTensor { name, shape, values: values.into_owned().into() });
        };
        add(format!("{}.weight", names.dense), &square[..], head.map.into());
        add(format!("{}.bias", names.dense), &row, head.map_bias.into());
        add(format!("{}.weight", names.norm), &row, head.scale.into());
        add(format!("{}.bias", names.norm), &row, head.shift.into());
        add(names.decoder.to_owned(), &table, rows.into());
        for name in names.distinct_biases() {
            add(name.to_owned(), &all, biases.clone().into());
        }
        let model = Headed {
            body: &self.body,
            head: HeadKind::MaskedLm,
            tensors,
            max_tokens: self.max_tokens(),
            lower_case: self.reading.lower_case,
        };
        whole_directory(&self.directory, directory, |partial| {
            model.write(partial)?;
            let pooling = if head.queries.is_some() { ROUTED_POOLING } else { POOLING };
            fs_err::create_dir(partial.join(pooling))?;
            let settings = json!({
                "pooling_strategy": "max",
                "activation_function": head.activation.name(),
                "word_embedding_dimension": terms,
            });
            json::write(&partial.join(pooling).join("config.json"), &settings)?;
            sync(&partial.join(pooling))?;
            if let Some(weights) = &head.queries {
                let folder = partial.join(QUERIES);
                fs_err::create_dir(&folder)?;
                json::write(&folder.join("config.json"), &json!({"frozen": true}))?;
                let values = spread(head.tokens, weights, (terms, 1)).into();
                let weight = NewTensor { name: "weight".to_owned(), shape: &all, values };
                write_tensors(&[weight], &folder.join(WEIGHTS))?;
                model.write_tokenizer(&folder)?;
                sync(&folder)?;
            }
            self.write_modules(partial, head.queries.is_some())?;
            sync(partial)
        })
    }

    fn write_modules(&self, folder: &Path, is_routed: bool) -> Result<()> {
        let masked = format!("{MODELS}.MLMTransformer");
        let pooling = format!("{MODELS}.SpladePooling");
        let module = |index: usize, path: &str, kind: &str| json!({"idx": index, "name": index.to_string(), "path": path, "type": kind});
        let modules = if is_routed {
            let table = format!("{MODELS}.SparseStaticEmbedding");
            let router = json!({
                "types": {QUERIES: table, "": masked, ROUTED_POOLING: pooling},
                "structure": {"query": [QUERIES], "document": ["", ROUTED_POOLING]},
                "parameters": {"default_route": "document", "allow_empty_key": true},
            });
            json::write(&folder.join(ROUTER), &router)?;
            vec![module(0, "", "sentence_transformers.models.Router")]
        } else {
            vec![module(0, "", &masked), module(1, POOLING, &pooling)]
        };
        json::write(&folder.join(MODULES), &modules)?;
        let prompts: Option<Map<String, Value>> =
            json::read_optional(&self.directory.join(PROMPTS))?;
        let mut settings = prompts.unwrap_or_default();
        settings.insert("model_type".to_owned(), "SparseEncoder".into());
        settings.insert("similarity_fn_name".to_owned(), "dot".into());
        json::write(&folder.join(PROMPTS), &settings)
    }

    /// Returns what the tensors of a head over words are called.
    fn head_names(&self) -> Result<&'static HeadNames> {
        let config = &self.trunk.config;
        let family = config.family();
        let path = self.body.join(crate::config::CONFIG);
        if family.is_none() {
            let supported = "bert, distilbert, roberta, xlm-roberta, mpnet";
            return Err(Error::unsupported(&path, "model_type", config.architecture(), supported));
        }
        if !HeadNames::is_always_gelu(family) && config.activation() != Activation::Gelu {
            let found = format!("{:?}", config.activation());
            return Err(Error::unsupported(&path, "hidden_act", &found, "gelu"));
        }
        Ok(HeadNames::of(family))
    }
}

/// Puts rows at the places of their tokens, with zeros elsewhere.
fn spread(tokens: &[u32], rows: &[f32], (count, columns): (usize, usize)) -> Vec<f32> {
    assert_eq!(rows.len(), tokens.len() * columns, "a row for each token");
    let mut all = vec![0.0; count * columns];
    for (&token, row) in tokens.iter().zip(rows.chunks_exact(columns)) {
        all[token as usize * columns..][..columns].copy_from_slice(row);
    }
    all
}
