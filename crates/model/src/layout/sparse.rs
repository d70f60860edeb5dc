//! What a directory says of a sparse encoder: the layout of sentence-transformers' `SparseEncoder`.
//!
//! Either a masked language model and its pooling, for queries and documents alike, or a router that sends documents there and
//! looks queries up in a table of term weights. The model is an `MLMTransformer`, in newer versions a `Transformer` like any other; its
//! pooling tells it from a dense encoder's.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde::Deserialize;

use super::{MODULES, Module};
use crate::error::{Error, Result};
use crate::json;

/// What a router sends where.
pub(crate) const ROUTER: &str = "router_config.json";

/// A directory of a sparse encoder, read but for weights and tokenizers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct SparseLayout {
    /// Where the masked language model lies.
    pub(crate) body: PathBuf,
    pub(crate) pooling: TermPooling,
    /// Where the table of queries lies with its tokenizer; `None` where queries are encoded as documents are.
    pub(crate) queries: Option<PathBuf>,
}

/// How the logits of a text's tokens become the weight of a term.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct TermPooling {
    pub(crate) sums: bool,
    pub(crate) activation: TermActivation,
}

/// What a logit goes through.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum TermActivation {
    /// `log(1 + max(x, 0))`, SPLADE's.
    #[default]
    Log,
    /// The same, twice: `log(1 + log(1 + max(x, 0)))`.
    DoubleLog,
}

impl TermActivation {
    /// What sentence-transformers calls it.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Log => "relu",
            Self::DoubleLog => "log1p_relu",
        }
    }
}

#[derive(Default, Deserialize)]
struct PoolingSettings {
    pooling_strategy: Option<String>,
    activation_function: Option<String>,
}

#[derive(Deserialize)]
struct RouterSettings {
    /// The classes of modules by their folders.
    types: BTreeMap<String, String>,
    /// The folders of modules by their routes.
    structure: BTreeMap<String, Vec<String>>,
}

/// The name of a class without those of the modules it is in.
fn class(path: &str) -> &str {
    path.rsplit('.').next().unwrap_or_default()
}

impl SparseLayout {
    /// Reads a directory; `None` where it does not say that it is a sparse encoder.
    pub(crate) fn open(directory: &Path) -> Result<Option<Self>> {
        let path = directory.join(MODULES);
        let Some(modules) = json::read_optional::<Vec<Module>>(&path)? else { return Ok(None) };
        let listed: Vec<(&str, PathBuf)> = modules
            .iter()
            .map(|module| (class(&module.kind), directory.join(&module.path)))
            .collect();
        match &listed[..] {
            [("Router", folder)] => Self::of_router(folder).map(Some),
            [("MLMTransformer" | "Transformer", body), ("SpladePooling", pooling)] => {
                let (body, pooling) = (body.clone(), read_pooling(pooling)?);
                Ok(Some(Self { body, pooling, queries: None }))
            }
            [("MLMTransformer", _), ..] => {
                let names: Vec<&str> = listed.iter().map(|(name, _)| *name).collect();
                let supported = "MLMTransformer, SpladePooling";
                Err(Error::unsupported(&path, "modules", &names.join(", "), supported))
            }
            _ => Ok(None),
        }
    }

    fn of_router(folder: &Path) -> Result<Self> {
        let path = folder.join(ROUTER);
        let settings: RouterSettings = json::read(&path)?;
        let route = |name: &str| -> Vec<(&str, &str)> {
            let folders = settings.structure.get(name).into_iter().flatten();
            let kind = |folder: &String| settings.types.get(folder).map_or("", |kind| class(kind));
            folders.map(|folder| (kind(folder), folder.as_str())).collect()
        };
        let (query, document) = (route("query"), route("document"));
        let refuse = |setting, found: &[(&str, &str)], supported| {
            let names: Vec<&str> = found.iter().map(|(kind, _)| *kind).collect();
            Err(Error::unsupported(&path, setting, &names.join(", "), supported))
        };
        let [("MLMTransformer" | "Transformer", body), ("SpladePooling", pooling)] = document[..]
        else {
            return refuse("document", &document, "MLMTransformer, SpladePooling");
        };
        let queries = match query[..] {
            // As the class was called at first.
            [("SparseStaticEmbedding" | "IDF", table)] => Some(folder.join(table)),
            [("MLMTransformer" | "Transformer", of_query), ("SpladePooling", _)]
                if of_query == body =>
            {
                None
            }
            _ => return refuse("query", &query, "SparseStaticEmbedding"),
        };
        let pooling = read_pooling(&folder.join(pooling))?;
        Ok(Self { body: folder.join(body), pooling, queries })
    }
}

/// Reads how logits become weights; a folder without settings has those of SPLADE.
fn read_pooling(folder: &Path) -> Result<TermPooling> {
    let path = folder.join("config.json");
    let settings: PoolingSettings = json::read_optional(&path)?.unwrap_or_default();
    let unsupported =
        |setting, found: &str, supported| Err(Error::unsupported(&path, setting, found, supported));
    let sums = match settings.pooling_strategy.as_deref() {
        None | Some("max") => false,
        Some("sum") => true,
        Some(other) => return unsupported("pooling_strategy", other, "max, sum"),
    };
    let activation = match settings.activation_function.as_deref() {
        None | Some("relu") => TermActivation::Log,
        Some("log1p_relu") => TermActivation::DoubleLog,
        Some(other) => return unsupported("activation_function", other, "relu, log1p_relu"),
    };
    Ok(TermPooling { sums, activation })
}
