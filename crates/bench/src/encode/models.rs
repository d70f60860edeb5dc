//! The models that are compared, and how much of them a run can afford.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};
use ecphory_model::{Encoder, EncoderOptions};
use serde_json::Value;

use crate::cache;

/// A model of the catalogue and how many texts of each kind a round encodes: about as long for each model.
#[derive(Debug)]
pub struct Plan {
    pub name: &'static str,
    pub passages: usize,
    pub abstracts: usize,
    /// Sentences of eleven languages; none for a model of one language.
    pub sentences: usize,
    pub queries: usize,
}

const PLANS: [Plan; 3] = [
    Plan { name: "minilm", passages: 64, abstracts: 48, sentences: 0, queries: 100 },
    Plan { name: "mpnet", passages: 16, abstracts: 12, sentences: 0, queries: 30 },
    Plan { name: "me5", passages: 32, abstracts: 24, sentences: 110, queries: 100 },
];

/// Sizes of a transformer, from its configuration.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Shape {
    pub layers: usize,
    pub hidden: usize,
    pub inner: usize,
    pub heads: usize,
}

impl Shape {
    /// The linear maps of a layer: name, depth, width.
    pub fn maps(self) -> [(&'static str, usize, usize); 4] {
        let Self { hidden, inner, .. } = self;
        [
            ("query, key, value", hidden, 3 * hidden),
            ("out", hidden, hidden),
            ("up", hidden, inner),
            ("down", inner, hidden),
        ]
    }

    /// Multiplications and additions of the linear maps and of attention over a sequence of `tokens`, each counted as
    /// one. Norms, softmax and activations are not counted.
    pub fn operations(self, tokens: usize) -> f64 {
        let maps: usize = self.maps().iter().map(|(_, depth, width)| depth * width).sum();
        // Scores and weighted sums: each of `tokens` by `tokens` by `hidden` over all heads.
        let attention = 2 * tokens * self.hidden;
        2.0 * (self.layers * tokens * (maps + attention)) as f64
    }
}

/// A model that is there.
pub struct Model {
    pub plan: &'static Plan,
    pub directory: PathBuf,
    pub shape: Shape,
    /// As the sentence-transformers directory states it; all sides cut texts there.
    pub max_tokens: usize,
    pub architecture: &'static str,
    /// What is put before a document and before a query.
    pub prompts: [String; 2],
    /// The id of the token that peers fill batches up with.
    pub pad: u64,
}

/// The models that were named, or all that are in the model cache.
pub fn wanted(names: &[String]) -> Result<Vec<Model>> {
    let known: Vec<&str> = PLANS.iter().map(|plan| plan.name).collect();
    for name in names {
        ensure!(
            known.contains(&name.as_str()),
            "there is no model {name}: there are {}",
            known.join(", ")
        );
    }
    let mut models = Vec::new();
    for plan in &PLANS {
        if !names.is_empty() && !names.iter().any(|name| name == plan.name) {
            continue;
        }
        match cache::model(plan.name) {
            Ok(directory) => models.push(Model::open(plan, directory)?),
            Err(error) if names.is_empty() => eprintln!("{} is left out: {error}", plan.name),
            Err(error) => return Err(error),
        }
    }
    ensure!(!models.is_empty(), "no model is in the model cache");
    Ok(models)
}

impl Model {
    fn open(plan: &'static Plan, directory: PathBuf) -> Result<Self> {
        let encoder = Encoder::open(&directory, &EncoderOptions::default())?;
        let config = read(&directory.join("config.json"))?;
        let size = |key: &str| -> Result<usize> {
            let found = config[key].as_u64();
            Ok(found.with_context(|| format!("{}: no `{key}`", directory.display()))? as usize)
        };
        let shape = Shape {
            layers: size("num_hidden_layers")?,
            hidden: size("hidden_size")?,
            inner: size("intermediate_size")?,
            heads: size("num_attention_heads")?,
        };
        let prompts = read(&directory.join("config_sentence_transformers.json"));
        let prompts = prompts.unwrap_or_default();
        let prompt = |name: &str| prompts["prompts"][name].as_str().unwrap_or_default().to_owned();
        Ok(Self {
            plan,
            shape,
            max_tokens: encoder.max_tokens(),
            architecture: encoder.architecture(),
            prompts: [prompt("passage"), prompt("query")],
            pad: config["pad_token_id"].as_u64().unwrap_or(0),
            directory,
        })
    }
}

fn read(path: &Path) -> Result<Value> {
    Ok(serde_json::from_str(&fs_err::read_to_string(path)?)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn operations_of_a_passage_are_those_of_the_books() {
        let minilm = Shape { layers: 6, hidden: 384, inner: 1536, heads: 12 };
        // 10.6 million weights, two operations each, and attention.
        let maps = 2.0 * 128.0 * 6.0 * (4.0 * 384.0 * 384.0 + 2.0 * 384.0 * 1536.0);
        let attention = 6.0 * 2.0 * 2.0 * 128.0 * 128.0 * 384.0;
        assert_eq!(minilm.operations(128), maps + attention);
    }
}
