//! A transformer with its tokenizer, on which a head is put that is not a sentence encoder's.

use std::path::{Path, PathBuf};

use ecphory_core::storage::{Bytes, Directory};
use ecphory_text::subword::Pair;

use crate::backbone::{Backbone, BackboneConfig};
use crate::encoder::EncoderOptions;
use crate::error::Result;
use crate::eval::Eval;
use crate::layout::{self, TextSettings};
use crate::load;
use crate::precision::Precision;
use crate::reading::{Limits, Reading};
use crate::runner::Runner;
use crate::weights::Weights;

/// How texts and pairs of texts become the tokens of a transformer under a head.
pub(crate) struct TrunkReading {
    pub(crate) texts: Reading,
    has_types: bool,
    /// The largest type that a token may have.
    last_type: u32,
}

/// What a head's model has besides the head.
pub(crate) struct Trunk {
    pub(crate) reading: TrunkReading,
    /// Where configuration, weights and tokenizer lie.
    pub(crate) body: PathBuf,
    pub(crate) config: BackboneConfig,
    pub(crate) backbone: Backbone<Eval>,
    pub(crate) runner: Runner,
    precision: Precision,
    /// Weights and tokenizer.
    pub(crate) files: Vec<Bytes>,
}

impl TrunkReading {
    /// Opens the tokenizer that lies with a transformer; `asked` is another limit of tokens than the model's own.
    pub(crate) fn open(
        directory: &Path,
        body: &Path,
        config: &BackboneConfig,
        asked: Option<usize>,
    ) -> Result<Self> {
        let settings = TextSettings::open(body)?;
        // Two special tokens and one of the text.
        let (least, most) = (3, config.max_tokens());
        let limits = Limits {
            tokens: (least, most),
            default_tokens: settings.max_tokens.map_or(most, |n| n.clamp(least, most)),
            vocabulary: config.vocabulary(),
            has_special_tokens: true,
        };
        let mut texts = Reading::without_prompts(directory, body, limits, asked)?;
        texts.lower_case = settings.lower_case;
        // A tokenizer may mark the second text for a transformer that knows one type only.
        let last = config.types().saturating_sub(1) as u32;
        let last_type = if settings.has_types { last } else { 0 };
        Ok(Self { texts, has_types: settings.has_types, last_type })
    }

    /// Returns the tokens of two texts as one input, and their types.
    pub(crate) fn pair(&self, first: &str, second: &str) -> Result<Pair> {
        let mut pair = self.texts.pair(first, second)?;
        pair.type_ids.iter_mut().for_each(|id| *id = self.last_type.min(*id));
        Ok(pair)
    }
}

impl Trunk {
    /// Opens a directory; the weights come along for the head, with the prefix of the transformer chosen.
    pub(crate) fn open(directory: &Path, options: &EncoderOptions) -> Result<(Self, Weights)> {
        load::check_directory(directory)?;
        Self::of_body(directory, layout::first_module(directory)?, options)
    }

    /// Opens the transformer of a directory that lies in `body`.
    pub(crate) fn of_body(
        directory: &Path,
        body: PathBuf,
        options: &EncoderOptions,
    ) -> Result<(Self, Weights)> {
        #[cfg(feature = "onnx")]
        options.runtime.check_own(directory)?;
        let config = BackboneConfig::open(&body)?;
        let reading = TrunkReading::open(directory, &body, &config, options.max_tokens)?;
        let mut weights = Weights::open(&body)?;
        let mut files = weights.contents();
        files.push(Directory::map_file(&load::tokenizer(&body)?)?);
        let mut precision = options.precision;
        let trunk = Self {
            reading,
            backbone: Backbone::load(&config, &mut weights, &mut precision)?,
            runner: Runner::new(),
            precision,
            body,
            config,
            files,
        };
        Ok((trunk, weights))
    }

    /// Describes what changes results besides weights and tokenizer.
    pub(crate) fn describe(&self) -> String {
        let TrunkReading { has_types, .. } = self.reading;
        let Reading { max_tokens, lower_case, .. } = self.reading.texts;
        let (config, precision) = (self.config.describe(), self.precision.describe());
        format!(
            "{config}\nmax_tokens {max_tokens}\nlower_case {lower_case}\ntypes {has_types}{precision}\n"
        )
    }
}
