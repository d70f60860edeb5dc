//! The texts that every side encodes, as files with one text a line.

use std::path::PathBuf;

use anyhow::Result;
use serde_json::{Value, json};

use super::models::Model;
use crate::cache::Scratch;
use crate::corpus;

pub const PASSAGE_TOKENS: usize = 128;
pub const QUERY_TOKENS: usize = 12;

/// How a kind of texts is measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Measure {
    /// All at once: texts a second.
    Rate,
    /// One by one: the median time.
    Latency,
}

/// A kind of texts, as every side loads it.
pub struct Set {
    pub name: &'static str,
    pub metric: String,
    pub measure: Measure,
    pub path: PathBuf,
    pub count: usize,
    /// What peers have to put before each text; we do so ourselves.
    prompt: String,
}

impl Set {
    /// The request that loads it.
    pub fn request(&self) -> Value {
        let role = if self.measure == Measure::Latency { "query" } else { "document" };
        json!({ "name": self.name, "path": self.path, "prefix": self.prompt, "role": role })
    }
}

/// Writes the texts of a model, each kind cut down by `divisor`.
pub fn prepare(model: &Model, scratch: &Scratch, divisor: usize) -> Result<Vec<Set>> {
    let plan = model.plan;
    let few = |count: usize| count.div_ceil(divisor);
    let [document, query] = &model.prompts;
    let mut sets = Vec::new();
    let mut put = |name, metric: String, measure, prompt: &String, texts: &[String]| {
        let path = scratch.path(&format!("{}-{name}", plan.name));
        corpus::write(&path, texts)?;
        let (count, prompt) = (texts.len(), prompt.clone());
        sets.push(Set { name, metric, measure, path, count, prompt });
        anyhow::Ok(())
    };
    let passages = documents(model, PASSAGE_TOKENS, few(plan.passages))?;
    let metric = format!("passages of {PASSAGE_TOKENS} tokens per second");
    put("passages", metric, Measure::Rate, document, &passages)?;
    let abstracts = corpus::spread(&corpus::scifact::wanted()?.texts, few(plan.abstracts));
    let metric = format!("abstracts (up to {} tokens) per second", model.max_tokens);
    put("abstracts", metric, Measure::Rate, document, &abstracts)?;
    if plan.sentences > 0 {
        match corpus::xquad::sentences()? {
            Some(all) => {
                let metric = "sentences of 11 languages per second".to_owned();
                let chosen = corpus::spread(&all, few(plan.sentences));
                put("sentences", metric, Measure::Rate, document, &chosen)?;
            }
            None => eprintln!("no xquad-r in ECPHORY_DATA: sentences of other languages left out"),
        }
    }
    let queries = queries(model, QUERY_TOKENS, few(plan.queries))?;
    let metric = format!("median ms for a query of {QUERY_TOKENS} tokens");
    put("queries", metric, Measure::Latency, query, &queries)?;
    Ok(sets)
}

/// Abstracts cut to exactly so many tokens, with the prompt of a document.
pub fn documents(model: &Model, tokens: usize, count: usize) -> Result<Vec<String>> {
    corpus::scifact::wanted()?.cut(&model.directory, &model.prompts[0], tokens, count)
}

/// The same with the prompt of a query.
pub fn queries(model: &Model, tokens: usize, count: usize) -> Result<Vec<String>> {
    corpus::scifact::wanted()?.cut(&model.directory, &model.prompts[1], tokens, count)
}
