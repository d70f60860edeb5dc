//! What a model directory says about its model beyond the transformer: the layout of sentence-transformers.
//!
//! `modules.json` lists the modules in order with their folders; `sentence_bert_config.json` beside the
//! transformer gives the length limit, `config_sentence_transformers.json` the prompts. A directory without
//! `modules.json` is read as a bare transformer: masked mean, unit length, with a note saying so.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use ecphory_kernels::nn::Activation;
use serde::Deserialize;

use crate::error::{Error, Result};
use crate::head::Pooling;
use crate::json;

mod late;
mod sparse;

pub(crate) use late::LateSettings;
pub use sparse::TermActivation;
pub(crate) use sparse::{ROUTER, SparseLayout, TermPooling};

/// The list of modules.
pub(crate) const MODULES: &str = "modules.json";
/// How texts are read.
pub(crate) const TRANSFORMER: &str = "sentence_bert_config.json";
/// Prompts, and what a cross-encoder's scores go through.
pub(crate) const PROMPTS: &str = "config_sentence_transformers.json";
/// The settings of the tokenizer.
pub(crate) const TOKENIZER_SETTINGS: &str = "tokenizer_config.json";
/// The input of a transformer that says which text a token belongs to.
const TYPES: &str = "token_type_ids";

/// A model directory, read but for weights and tokenizer.
#[derive(Debug)]
pub(crate) struct Layout {
    /// Where weights, configuration and tokenizer of the first module lie.
    pub(crate) body: PathBuf,
    pub(crate) kind: BodyKind,
    /// Empty for a table, and for a model of late interaction, whose steps are for each token.
    pub(crate) pooling: Vec<Pooling>,
    pub(crate) steps: Vec<StepLayout>,
    /// How many tokens the authors intended, where they say.
    pub(crate) max_tokens: Option<usize>,
    /// How many of a query, where that is another number.
    pub(crate) query_tokens: Option<usize>,
    pub(crate) lower_case: bool,
    pub(crate) prompts: Prompts,
    /// What was assumed because the directory does not say.
    pub(crate) notes: Vec<String>,
}

/// What the first module is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum BodyKind {
    Transformer,
    /// A table of token vectors.
    Static,
}

/// A module after pooling.
#[derive(Debug)]
pub(crate) enum StepLayout {
    Dense { folder: PathBuf, input: usize, out: usize, bias: bool, activation: Activation },
    Normalize,
}

/// What is put before a text.
#[derive(Clone, Debug, Default)]
pub(crate) struct Prompts {
    pub(crate) query: String,
    pub(crate) document: String,
}

#[derive(Deserialize)]
struct Module {
    #[serde(rename = "type")]
    kind: String,
    #[serde(default)]
    path: String,
}

#[derive(Default, Deserialize)]
struct TransformerSettings {
    max_seq_length: Option<usize>,
    #[serde(default)]
    do_lower_case: bool,
}

#[derive(Default, Deserialize)]
struct TokenizerSettings {
    model_max_length: Option<f64>,
    #[serde(default)]
    max_length: Option<usize>,
    model_input_names: Option<Vec<String>>,
}

#[derive(Default, Deserialize)]
struct PromptSettings {
    #[serde(default)]
    prompts: BTreeMap<String, String>,
    default_prompt_name: Option<String>,
}

#[derive(Deserialize)]
#[allow(clippy::struct_excessive_bools, reason = "the file has one flag a mode")]
struct PoolingSettings {
    pooling_mode: Option<Modes>,
    #[serde(default)]
    pooling_mode_cls_token: bool,
    #[serde(default)]
    pooling_mode_max_tokens: bool,
    #[serde(default)]
    pooling_mode_mean_tokens: bool,
    #[serde(default)]
    pooling_mode_mean_sqrt_len_tokens: bool,
    #[serde(default)]
    pooling_mode_weightedmean_tokens: bool,
    #[serde(default)]
    pooling_mode_lasttoken: bool,
    include_prompt: Option<bool>,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Modes {
    One(String),
    Several(Vec<String>),
}

#[derive(Deserialize)]
struct DenseSettings {
    in_features: usize,
    out_features: usize,
    bias: Option<bool>,
    activation_function: Option<String>,
    module_input_name: Option<String>,
    #[serde(default)]
    use_residual: bool,
}

impl Layout {
    /// Reads a directory.
    pub(crate) fn open(directory: &Path) -> Result<Self> {
        let prompts = read_prompts(directory)?;
        let modules = json::read_optional::<Vec<Module>>(&directory.join(MODULES))?;
        let mut layout = Self {
            body: directory.to_owned(),
            kind: BodyKind::Transformer,
            pooling: Vec::new(),
            steps: Vec::new(),
            max_tokens: None,
            query_tokens: None,
            lower_case: false,
            prompts,
            notes: Vec::new(),
        };
        match modules {
            Some(modules) => layout.read_modules(directory, &modules)?,
            None => layout.pooling = vec![Pooling::Mean],
        }
        if layout.kind == BodyKind::Transformer {
            let settings = TextSettings::open(&layout.body)?;
            (layout.lower_case, layout.max_tokens) = (settings.lower_case, settings.max_tokens);
        }
        if layout.is_late() {
            layout.read_late(directory)?;
        }
        Ok(layout)
    }

    /// Takes the directory for a bare transformer.
    pub(crate) fn assume_mean_and_unit_length(&mut self) {
        self.steps.push(StepLayout::Normalize);
        self.notes.push(format!(
            "the model has no {MODULES}: mean over the tokens and unit length are assumed"
        ));
    }

    fn read_modules(&mut self, directory: &Path, modules: &[Module]) -> Result<()> {
        let path = directory.join(MODULES);
        for (index, module) in modules.iter().enumerate() {
            let folder = directory.join(&module.path);
            let name = module.kind.rsplit('.').next().unwrap_or_default();
            match (name, index) {
                ("Transformer", 0) => self.body = folder,
                ("StaticEmbedding", 0) => (self.body, self.kind) = (folder, BodyKind::Static),
                ("Pooling", 1) if self.kind == BodyKind::Transformer => {
                    self.pooling = read_pooling(&folder.join("config.json"), &self.prompts)?;
                }
                ("Dense", 1..) => self.steps.push(read_dense(folder)?),
                ("Normalize", 1..) => self.steps.push(StepLayout::Normalize),
                // Does nothing when a model is used.
                ("Dropout", 1..) => {}
                _ => {
                    return Err(Error::Unsupported {
                        path,
                        setting: "type",
                        found: format!("{} as module {index}", module.kind),
                        supported: "Transformer and Pooling, or StaticEmbedding, then Dense, Normalize, Dropout"
                            .to_owned(),
                    });
                }
            }
        }
        if modules.is_empty() {
            let supported = "Transformer, Pooling, ...".to_owned();
            let found = "an empty list".to_owned();
            return Err(Error::Unsupported { path, setting: "modules", found, supported });
        }
        Ok(())
    }

    /// Returns whether there is a vector for each token: a transformer without pooling.
    pub(crate) fn is_late(&self) -> bool {
        self.kind == BodyKind::Transformer && self.pooling.is_empty()
    }
}

/// How a transformer's texts are read.
#[derive(Debug)]
pub(crate) struct TextSettings {
    /// How many tokens the authors intended, where they say.
    pub(crate) max_tokens: Option<usize>,
    pub(crate) lower_case: bool,
    /// Whether the transformer is told which tokens belong to a second text.
    pub(crate) has_types: bool,
}

impl TextSettings {
    /// Reads what lies beside a transformer. A huge limit of the tokenizer means none.
    pub(crate) fn open(body: &Path) -> Result<Self> {
        let transformer: TransformerSettings =
            json::read_optional(&body.join(TRANSFORMER))?.unwrap_or_default();
        let tokenizer: TokenizerSettings =
            json::read_optional(&body.join(TOKENIZER_SETTINGS))?.unwrap_or_default();
        let stated = tokenizer.model_max_length.filter(|&n| n < 1e9).map(|n| n as usize);
        let inputs = tokenizer.model_input_names;
        Ok(Self {
            max_tokens: transformer.max_seq_length.or(stated).or(tokenizer.max_length),
            lower_case: transformer.do_lower_case,
            has_types: inputs.is_none_or(|names| names.iter().any(|name| name == TYPES)),
        })
    }
}

/// Returns the folder of the first module: the directory itself where it does not list any.
pub(crate) fn first_module(directory: &Path) -> Result<PathBuf> {
    let modules = json::read_optional::<Vec<Module>>(&directory.join(MODULES))?;
    let first = modules.unwrap_or_default().into_iter().next();
    Ok(first.map_or_else(|| directory.to_owned(), |module| directory.join(module.path)))
}

/// Reads what is put before texts.
pub(crate) fn read_prompts(directory: &Path) -> Result<Prompts> {
    let settings: PromptSettings =
        json::read_optional(&directory.join(PROMPTS))?.unwrap_or_default();
    let by_default = match &settings.default_prompt_name {
        None => String::new(),
        Some(name) => settings.prompts.get(name).cloned().ok_or_else(|| Error::Unsupported {
            path: directory.join(PROMPTS),
            setting: "default_prompt_name",
            found: name.clone(),
            supported: settings.prompts.keys().cloned().collect::<Vec<_>>().join(", "),
        })?,
    };
    let first = |names: &[&str]| {
        let found = names.iter().find_map(|name| settings.prompts.get(*name));
        found.cloned().unwrap_or_else(|| by_default.clone())
    };
    Ok(Prompts { query: first(&["query"]), document: first(&["document", "passage", "corpus"]) })
}

fn read_pooling(path: &Path, prompts: &Prompts) -> Result<Vec<Pooling>> {
    let settings: PoolingSettings = json::read(path)?;
    let has_prompt = !prompts.query.is_empty() || !prompts.document.is_empty();
    if settings.include_prompt == Some(false) && has_prompt {
        return Err(Error::Unsupported {
            path: path.to_owned(),
            setting: "include_prompt",
            found: "false".to_owned(),
            supported: "true".to_owned(),
        });
    }
    let named = match &settings.pooling_mode {
        Some(Modes::One(mode)) => vec![mode.as_str()],
        Some(Modes::Several(modes)) => modes.iter().map(String::as_str).collect(),
        None => flagged(&settings),
    };
    named
        .into_iter()
        .map(|mode| match mode {
            "cls" => Ok(Pooling::Cls),
            "max" => Ok(Pooling::Max),
            "mean" => Ok(Pooling::Mean),
            "mean_sqrt_len_tokens" => Ok(Pooling::MeanSqrtLength),
            "weightedmean" => Ok(Pooling::WeightedMean),
            "lasttoken" => Ok(Pooling::LastToken),
            other => Err(Error::Unsupported {
                path: path.to_owned(),
                setting: "pooling_mode",
                found: other.to_owned(),
                supported: "cls, max, mean, mean_sqrt_len_tokens, weightedmean, lasttoken"
                    .to_owned(),
            }),
        })
        .collect()
}

/// Returns the modes whose flags are set, in the order in which sentence-transformers puts them side by side.
fn flagged(settings: &PoolingSettings) -> Vec<&'static str> {
    let flags = [
        (settings.pooling_mode_cls_token, "cls"),
        (settings.pooling_mode_max_tokens, "max"),
        (settings.pooling_mode_mean_tokens, "mean"),
        (settings.pooling_mode_mean_sqrt_len_tokens, "mean_sqrt_len_tokens"),
        (settings.pooling_mode_weightedmean_tokens, "weightedmean"),
        (settings.pooling_mode_lasttoken, "lasttoken"),
    ];
    let modes: Vec<&str> = flags.into_iter().filter(|f| f.0).map(|f| f.1).collect();
    if modes.is_empty() { vec!["mean"] } else { modes }
}

fn read_dense(folder: PathBuf) -> Result<StepLayout> {
    let path = folder.join("config.json");
    let settings: DenseSettings = json::read(&path)?;
    let unsupported = |setting, found: &str, supported: &str| {
        Err(Error::unsupported(&path, setting, found, supported))
    };
    if settings.use_residual {
        return unsupported("use_residual", "true", "false");
    }
    if let Some(name) = settings.module_input_name.filter(|n| n != "sentence_embedding") {
        return unsupported("module_input_name", &name, "sentence_embedding");
    }
    let function = settings.activation_function.as_deref().unwrap_or("Tanh");
    let activation = match function.rsplit('.').next().unwrap_or_default() {
        "Identity" => Activation::None,
        "Tanh" => Activation::Tanh,
        "ReLU" => Activation::Relu,
        "GELU" => Activation::Gelu,
        _ => return unsupported("activation_function", function, "Identity, Tanh, ReLU, GELU"),
    };
    let (input, out) = (settings.in_features, settings.out_features);
    Ok(StepLayout::Dense { folder, input, out, bias: settings.bias.unwrap_or(true), activation })
}
