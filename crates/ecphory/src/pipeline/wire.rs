//! The tree as TOML and JSON: one shape, so one conversion to and from a JSON value.
//!
//! ```toml
//! k = 60
//! [[rrf]]
//! channel = "bm25"
//! [[rrf]]
//! to = 100
//! cut = { channel = "dense" }
//! ```
//! Every node is a table that names what it is by its own key: `channel`, `impacts`, `cut` with `to`, `rrf` with
//! `k` and `weights`, `cc` with `alpha`, `sum` with `weights`, `rescore` with `by`,
//! `cross` and `maxsim` with `model`, `expand` with `channel`, `documents`, `terms` and `original`, `where` with `of`.
//! A key that the node does not have is an error. A node nests at most two levels of the document, so
//! every tree of [`DEPTH_MAX`] fits what JSON readers allow (128 levels).

use serde_json::{Map, Value, json};

use super::{CC_ALPHA, DEPTH_MAX, Pipeline, PipelineError, PipelineProblem, RRF_K, Reranking, Rm3};
use ecphory_core::nearest::{hint, nearest};

impl Pipeline {
    /// Writes the tree as TOML.
    pub fn to_toml(&self) -> String {
        toml::to_string(&to_value(self)).expect("a map of strings, numbers and lists is TOML")
    }

    /// Reads what [`Pipeline::to_toml`] writes.
    ///
    /// # Errors
    /// Where the text is no TOML, or a part of it is no pipeline; the path of the part is named.
    pub fn from_toml(text: &str) -> Result<Self, PipelineError> {
        let value: Value = toml::from_str(text).map_err(|error| {
            PipelineError::in_document("", PipelineProblem::Document { message: error.to_string() })
        })?;
        from_document(&value)
    }

    /// Writes the tree as JSON on one line.
    pub fn to_json(&self) -> String {
        to_value(self).to_string()
    }

    /// Reads what [`Pipeline::to_json`] writes.
    ///
    /// # Errors
    /// Where the text is no JSON, or a part of it is no pipeline; the path of the part is named.
    pub fn from_json(text: &str) -> Result<Self, PipelineError> {
        let value: Value = serde_json::from_str(text).map_err(|error| {
            PipelineError::in_document("", PipelineProblem::Document { message: error.to_string() })
        })?;
        from_document(&value)
    }
}

fn to_value(pipeline: &Pipeline) -> Value {
    match pipeline {
        Pipeline::Channel(name) => json!({ "channel": name }),
        Pipeline::Impacts(name) => json!({ "impacts": name }),
        Pipeline::Cut { of, to } => json!({ "to": to, "cut": to_value(of) }),
        Pipeline::Rrf { of, k, weights: None } => json!({ "k": k, "rrf": to_values(of) }),
        Pipeline::Rrf { of, k, weights: Some(weights) } => {
            json!({ "k": k, "weights": weights, "rrf": to_values(of) })
        }
        Pipeline::Cc { of, alpha } => json!({ "alpha": alpha, "cc": to_values(of.as_slice()) }),
        Pipeline::Sum(parts) => {
            let weights: Vec<f64> = parts.iter().map(|&(weight, _)| weight).collect();
            let of: Vec<Value> = parts.iter().map(|(_, part)| to_value(part)).collect();
            json!({ "weights": weights, "sum": of })
        }
        Pipeline::Rescore { of, by } => json!({ "by": by, "rescore": to_value(of) }),
        Pipeline::Rerank { of, by, model } => json!({ "model": model, by.name(): to_value(of) }),
        Pipeline::Expand { of, channel, by: Rm3 { documents, terms, original } } => {
            let mut node = json!({
                "documents": documents,
                "terms": terms,
                "original": original,
                "expand": to_value(of),
            });
            if let Some(channel) = channel {
                node["channel"] = json!(channel);
            }
            node
        }
        Pipeline::Where { of, filter } => {
            json!({ "where": filter.to_string(), "of": to_value(of) })
        }
    }
}

fn to_values(of: &[Pipeline]) -> Vec<Value> {
    of.iter().map(to_value).collect()
}

fn from_document(value: &Value) -> Result<Pipeline, PipelineError> {
    let pipeline = from_value(value, "pipeline", 1)?;
    pipeline.check().map_err(|problem| PipelineError::in_document("pipeline", problem))?;
    Ok(pipeline)
}

/// The keys that say what a node is, with the other keys such a node may have.
const NODES: [(&str, &[&str]); 11] = [
    // Before `channel`, which it may have, too.
    ("expand", &["channel", "documents", "terms", "original"]),
    ("channel", &[]),
    ("impacts", &[]),
    ("cut", &["to"]),
    ("rrf", &["k", "weights"]),
    ("cc", &["alpha"]),
    ("sum", &["weights"]),
    ("rescore", &["by"]),
    ("cross", &["model"]),
    ("maxsim", &["model"]),
    ("where", &["of"]),
];

fn from_value(value: &Value, path: &str, depth: usize) -> Result<Pipeline, PipelineError> {
    if depth > DEPTH_MAX {
        return Err(PipelineError::in_document(path, PipelineProblem::TooDeep));
    }
    let Value::Object(map) = value else {
        return Err(wrong(
            path,
            "a table with one of channel, impacts, cut, rrf, cc, sum, rescore, cross, maxsim, expand, where",
            value,
        ));
    };
    let Some((kind, options)) = NODES.into_iter().find(|(kind, _)| map.contains_key(*kind)) else {
        return Err(wrong(
            path,
            "one of the keys channel, impacts, cut, rrf, cc, sum, rescore, cross, maxsim, expand, where",
            value,
        ));
    };
    if let Some(key) = map.keys().find(|key| *key != kind && !options.contains(&key.as_str())) {
        let near = nearest(key, options.iter().copied()).map(str::to_owned);
        let message = format!("`{kind}` has no key `{key}`{}", hint(near.as_deref()));
        return Err(PipelineError::in_document(path, PipelineProblem::Document { message }));
    }
    let node = Node { map, path, depth };
    let pipeline = match kind {
        "channel" => Pipeline::Channel(node.text("channel")?),
        "impacts" => Pipeline::Impacts(node.text("impacts")?),
        "cut" => Pipeline::Cut { of: Box::new(node.child("cut")?), to: node.count("to")? },
        "rrf" => Pipeline::Rrf {
            of: node.children("rrf")?,
            k: node.number("k")?.unwrap_or(RRF_K),
            weights: node.numbers("weights")?,
        },
        "cc" => {
            let of = node.children("cc")?;
            let found = of.len();
            let of: Box<[Pipeline; 2]> = of.try_into().map_err(|_| {
                let problem = PipelineProblem::Operands { of: "cc", expected: "two", found };
                PipelineError::in_document(path, problem)
            })?;
            Pipeline::Cc { of, alpha: node.number("alpha")?.unwrap_or(CC_ALPHA) }
        }
        "sum" => {
            let of = node.children("sum")?;
            let weights = node.numbers("weights")?.unwrap_or_else(|| vec![1.0; of.len()]);
            if weights.len() != of.len() {
                let problem =
                    PipelineProblem::WeightCount { operands: of.len(), weights: weights.len() };
                return Err(PipelineError::in_document(path, problem));
            }
            Pipeline::Sum(weights.into_iter().zip(of).collect())
        }
        "rescore" => node.child("rescore")?.rescore(node.text("by")?),
        "expand" => node.expand()?,
        "where" => {
            let filter = node.text("where")?.parse().map_err(|error: ecphory_index::Error| {
                let (_, problem) = super::parser::filter_problem(&error);
                PipelineError::in_document(format!("{path}.where"), problem)
            })?;
            node.child("of")?.filter(filter)
        }
        // The nodes that are left are those of models.
        name => {
            let by = Reranking::named(name).ok_or_else(|| wrong(path, "a node", value))?;
            node.child(name)?.rerank(by, node.text("model")?)
        }
    };
    pipeline.check_node().map_err(|problem| PipelineError::in_document(path, problem))?;
    Ok(pipeline)
}

/// A table of the document with its path and depth.
struct Node<'a> {
    map: &'a Map<String, Value>,
    path: &'a str,
    depth: usize,
}

impl Node<'_> {
    fn path(&self, key: &str) -> String {
        format!("{}.{key}", self.path)
    }

    fn wrong(&self, key: &str, expected: &str) -> PipelineError {
        wrong(&self.path(key), expected, self.map.get(key).unwrap_or(&Value::Null))
    }

    fn text(&self, key: &str) -> Result<String, PipelineError> {
        match self.map.get(key) {
            Some(Value::String(text)) => Ok(text.clone()),
            _ => Err(self.wrong(key, "a string")),
        }
    }

    fn count(&self, key: &str) -> Result<u32, PipelineError> {
        self.map
            .get(key)
            .and_then(Value::as_u64)
            .and_then(|count| u32::try_from(count).ok())
            .ok_or_else(|| self.wrong(key, "a whole number from 1 to 4294967295"))
    }

    fn number(&self, key: &str) -> Result<Option<f64>, PipelineError> {
        match self.map.get(key) {
            None => Ok(None),
            Some(value) => value.as_f64().map(Some).ok_or_else(|| self.wrong(key, "a number")),
        }
    }

    fn numbers(&self, key: &str) -> Result<Option<Vec<f64>>, PipelineError> {
        let Some(value) = self.map.get(key) else { return Ok(None) };
        value
            .as_array()
            .and_then(|items| items.iter().map(Value::as_f64).collect())
            .map(Some)
            .ok_or_else(|| self.wrong(key, "a list of numbers"))
    }

    fn expand(&self) -> Result<Pipeline, PipelineError> {
        let usual = Rm3::default();
        let count = |key: &str, usual: u32| {
            if self.map.contains_key(key) { self.count(key) } else { Ok(usual) }
        };
        let by = Rm3 {
            documents: count("documents", usual.documents)?,
            terms: count("terms", usual.terms)?,
            original: self.number("original")?.unwrap_or(usual.original),
        };
        let named = self.map.contains_key("channel");
        let channel = named.then(|| self.text("channel")).transpose()?;
        Ok(Pipeline::Expand { of: Box::new(self.child("expand")?), channel, by })
    }

    fn child(&self, key: &str) -> Result<Pipeline, PipelineError> {
        match self.map.get(key) {
            Some(value) => from_value(value, &self.path(key), self.depth + 1),
            None => Err(self.wrong(key, "a table")),
        }
    }

    fn children(&self, key: &str) -> Result<Vec<Pipeline>, PipelineError> {
        let Some(Value::Array(items)) = self.map.get(key) else {
            return Err(self.wrong(key, "a list of tables"));
        };
        let mut children = Vec::with_capacity(items.len());
        for (i, item) in items.iter().enumerate() {
            children.push(from_value(item, &format!("{}[{i}]", self.path(key)), self.depth + 1)?);
        }
        Ok(children)
    }
}

fn wrong(path: &str, expected: &str, found: &Value) -> PipelineError {
    let found = match found {
        Value::Null => "nothing".to_owned(),
        Value::Object(_) => "another table".to_owned(),
        Value::Array(_) => "a list".to_owned(),
        other => format!("`{other}`"),
    };
    PipelineError::in_document(
        path,
        PipelineProblem::Expected { expected: expected.to_owned(), found },
    )
}
