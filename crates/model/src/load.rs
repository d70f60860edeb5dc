//! Putting an encoder together from the files of a directory.

use std::path::{Path, PathBuf};

use ecphory_core::storage::Bytes;

use crate::backbone::{Backbone, BackboneConfig};
use crate::config;
use crate::encoder::EncoderOptions;
use crate::error::{Error, Result};
use crate::eval::Eval;
use crate::executor::Executor;
use crate::head::{Head, Step};
use crate::layout::{BodyKind, Layout, MODULES, SparseLayout, StepLayout};
#[cfg(feature = "onnx")]
use crate::onnx::{Graph, Runtime};
use crate::precision::Precision;
use crate::reading::Limits;
use crate::static_table::{self, StaticTable, UNLIMITED};
use crate::weights::Weights;

/// What makes states of tokens.
pub(crate) enum Body {
    Transformer {
        config: Box<BackboneConfig>,
        backbone: Backbone<Eval>,
    },
    /// A transformer that another runtime computes.
    #[cfg(feature = "onnx")]
    Graph {
        config: Box<BackboneConfig>,
        graph: Graph,
    },
    Static(Box<StaticTable>),
}

impl Body {
    /// Returns the kind of model.
    pub(crate) fn architecture(&self) -> &'static str {
        match self {
            Body::Transformer { config, .. } => config.architecture(),
            #[cfg(feature = "onnx")]
            Body::Graph { config, .. } => config.architecture(),
            Body::Static(_) => "static",
        }
    }
}

/// Everything about a model but its tokenizer.
pub(crate) struct Loaded {
    pub(crate) layout: Layout,
    pub(crate) body: Body,
    pub(crate) head: Head,
    pub(crate) limits: Limits,
    /// The settings that change vectors, one a line.
    pub(crate) settings: String,
    /// The contents of the weight files.
    pub(crate) files: Vec<Bytes>,
}

/// The tokenizer of a model directory.
pub(crate) const TOKENIZER: &str = "tokenizer.json";

/// Returns the path of the tokenizer, which has to be there.
pub(crate) fn tokenizer(body: &Path) -> Result<PathBuf> {
    let path = body.join(TOKENIZER);
    if path.try_exists()? {
        return Ok(path);
    }
    Err(Error::MissingFile {
        directory: body.to_owned(),
        file: TOKENIZER.to_owned(),
        hint: "save the tokenizer in the format of the tokenizers library",
    })
}

/// Checks that a directory is there.
pub(crate) fn check_directory(directory: &Path) -> Result<()> {
    if directory.try_exists()? {
        return Ok(());
    }
    let (directory, file) = (directory.to_owned(), config::CONFIG.to_owned());
    Err(Error::MissingFile { directory, file, hint: "there is no such directory" })
}

/// Reads what a directory says about its modules, or what its configuration implies.
pub(crate) fn layout(directory: &Path) -> Result<Layout> {
    check_directory(directory)?;
    if SparseLayout::open(directory)?.is_some() {
        return Err(Error::unsupported(
            &directory.join(MODULES),
            "modules",
            "a sparse encoder",
            "one vector a text; weights of terms are for a sparse channel, as `--channel sparse=DIRECTORY`",
        ));
    }
    let mut layout = Layout::open(directory)?;
    if directory.join(MODULES).try_exists()? {
        return Ok(layout);
    }
    if !directory.join(config::CONFIG).try_exists()? {
        return Err(Error::MissingFile {
            directory: directory.to_owned(),
            file: format!("{} or {MODULES}", config::CONFIG),
            hint: "a model is a directory in the Hugging Face layout",
        });
    }
    let may_be_static =
        matches!(config::model_type(directory)?.as_deref(), None | Some("model2vec"));
    if may_be_static && static_table::is_model2vec(directory, &Weights::open(directory)?)? {
        layout.kind = BodyKind::Static;
        layout.pooling.clear();
    } else {
        config::refuse_cross_encoder(directory)?;
        layout.assume_mean_and_unit_length();
    }
    Ok(layout)
}

/// Loads the weights of a model.
pub(crate) fn load(layout: Layout, directory: &Path, options: &EncoderOptions) -> Result<Loaded> {
    match layout.kind {
        BodyKind::Transformer => load_transformer(layout, options),
        BodyKind::Static => {
            #[cfg(feature = "onnx")]
            options.runtime.check_own(directory)?;
            load_static(directory, layout)
        }
    }
}

fn load_transformer(layout: Layout, options: &EncoderOptions) -> Result<Loaded> {
    let config = Box::new(BackboneConfig::open(&layout.body)?);
    let (hidden, sizes) = (config.hidden(), config.describe());
    let limits = transformer_limits(&config, &layout);
    let Runnable { body, mut files, described } = runnable(&layout.body, config, options)?;
    // Without pooling, what comes after the states is for each token.
    let width = hidden * layout.pooling.len().max(1);
    let head = load_head(&layout, width, &mut files)?;
    let steps = describe(&layout.steps);
    Ok(Loaded {
        settings: format!("{sizes}\n{:?}\n{steps}{described}", layout.pooling),
        body,
        limits,
        head,
        files,
        layout,
    })
}

/// Returns what a transformer can read.
pub(crate) fn transformer_limits(config: &BackboneConfig, layout: &Layout) -> Limits {
    // `[CLS]`, one token, `[SEP]`.
    let (least, most) = (3, config.max_tokens());
    Limits {
        tokens: (least, most),
        default_tokens: layout.max_tokens.map_or(most, |n| n.clamp(least, most)),
        vocabulary: config.vocabulary(),
        has_special_tokens: true,
    }
}

/// A transformer with what a fingerprint says of it.
struct Runnable {
    body: Body,
    files: Vec<Bytes>,
    /// What changes vectors besides the files and the sizes.
    described: String,
}

fn runnable(
    directory: &Path,
    config: Box<BackboneConfig>,
    options: &EncoderOptions,
) -> Result<Runnable> {
    #[cfg(feature = "onnx")]
    if let Runtime::Onnx { library } = &options.runtime {
        Runtime::check_precision(directory, options.precision)?;
        let (graph, files) = Graph::open(directory, library, config.hidden())?;
        let described = "\nruntime onnxruntime".to_owned();
        return Ok(Runnable { body: Body::Graph { config, graph }, files, described });
    }
    let mut precision = options.precision;
    let mut weights = Weights::open(directory)?;
    let backbone = Backbone::load(&config, &mut weights, &mut precision)?;
    let (files, described) = (weights.contents(), precision.describe());
    Ok(Runnable { body: Body::Transformer { config, backbone }, files, described })
}

fn load_static(directory: &Path, mut layout: Layout) -> Result<Loaded> {
    let weights = Weights::open(&layout.body)?;
    let table = StaticTable::open(&layout.body, &weights)?;
    let has_modules = directory.join(MODULES).try_exists()?;
    if !has_modules && table.normalize.unwrap_or(false) {
        layout.steps.push(StepLayout::Normalize);
    }
    let mut files = weights.contents();
    let head = load_head(&layout, table.dimensions(), &mut files)?;
    Ok(Loaded {
        settings: format!("static {:?}\n{}", table.unknown(), describe(&layout.steps)),
        limits: Limits {
            tokens: (1, UNLIMITED),
            default_tokens: table.default_tokens,
            vocabulary: table.tokens(),
            has_special_tokens: false,
        },
        body: Body::Static(Box::new(table)),
        head,
        files,
        layout,
    })
}

fn load_head(layout: &Layout, pooled: usize, files: &mut Vec<Bytes>) -> Result<Head> {
    let mut dimensions = pooled;
    let mut steps = Vec::new();
    for step in &layout.steps {
        steps.push(match step {
            StepLayout::Normalize => Step::Normalize,
            StepLayout::Dense { folder, input, out, bias, activation } => {
                if *input != dimensions {
                    return Err(Error::Unsupported {
                        path: folder.join(config::CONFIG),
                        setting: "in_features",
                        found: input.to_string(),
                        supported: format!("{dimensions}, the dimensions that come in"),
                    });
                }
                let weights = Weights::open(folder)?;
                let weight = weights.tensor("linear.weight", &[*out, *input])?;
                let bias = bias.then(|| weights.tensor("linear.bias", &[*out])).transpose()?;
                dimensions = *out;
                files.extend(weights.contents());
                // Few and last, they are not worth rounding.
                Step::Dense(Box::new(Eval::linear(
                    &mut Precision::default(),
                    &[(weight, bias)],
                    *activation,
                )?))
            }
        });
    }
    Ok(Head { per_token: layout.is_late(), pooling: layout.pooling.clone(), steps, dimensions })
}

/// Describes steps for the fingerprint, without the folders they lie in.
fn describe(steps: &[StepLayout]) -> String {
    let one = |step: &StepLayout| match step {
        StepLayout::Normalize => "normalize".to_owned(),
        StepLayout::Dense { input, out, bias, activation, .. } => {
            format!("dense {input} {out} {bias} {activation:?}")
        }
    };
    steps.iter().map(one).collect::<Vec<_>>().join("\n")
}
