//! A transformer with its tokenizer, on which a head is put that is not a sentence encoder's.

use std::borrow::Cow;
use std::path::{Path, PathBuf};

use ecphory_core::storage::{Bytes, Directory};
use ecphory_text::subword::Tokenizer;

use crate::backbone::{Backbone, BackboneConfig};
use crate::encoder::{EncoderOptions, name_of};
use crate::error::{Error, Result};
use crate::eval::Eval;
use crate::layout::{self, TextSettings};
use crate::load;
use crate::precision::Precision;
use crate::runner::Runner;
use crate::weights::Weights;

/// What a head's model has besides the head.
pub(crate) struct Trunk {
    pub(crate) name: String,
    /// Where configuration, weights and tokenizer lie.
    pub(crate) body: PathBuf,
    pub(crate) config: BackboneConfig,
    pub(crate) backbone: Backbone<Eval>,
    pub(crate) tokenizer: Tokenizer,
    pub(crate) runner: Runner,
    pub(crate) max_tokens: usize,
    precision: Precision,
    lower_case: bool,
    has_types: bool,
    /// Weights and tokenizer.
    pub(crate) files: Vec<Bytes>,
}

impl Trunk {
    /// Opens a directory; the weights come along for the head, with the prefix of the transformer chosen.
    pub(crate) fn open(directory: &Path, options: &EncoderOptions) -> Result<(Self, Weights)> {
        #[cfg(feature = "onnx")]
        options.runtime.check_own(directory)?;
        load::check_directory(directory)?;
        let body = layout::first_module(directory)?;
        let config = BackboneConfig::open(&body)?;
        let settings = TextSettings::open(&body)?;
        let name = name_of(directory);
        // Two special tokens and one of the text.
        let (least, most) = (3, config.max_tokens());
        let by_default = settings.max_tokens.map_or(most, |n| n.clamp(least, most));
        let max_tokens = options.max_tokens.unwrap_or(by_default);
        if !(least..=most).contains(&max_tokens) {
            let model = directory.display().to_string();
            return Err(Error::MaxTokens { model, asked: max_tokens, least, most });
        }
        let tokenizer = load::tokenizer(&body)?;
        let mut weights = Weights::open(&body)?;
        let mut files = weights.contents();
        files.push(Directory::map_file(&tokenizer)?);
        let mut precision = options.precision;
        let trunk = Self {
            name,
            backbone: Backbone::load(&config, &mut weights, &mut precision)?,
            tokenizer: Tokenizer::open(&tokenizer)?,
            runner: Runner::new(),
            max_tokens,
            precision,
            lower_case: settings.lower_case,
            has_types: settings.has_types,
            body,
            config,
            files,
        };
        Ok((trunk, weights))
    }

    /// Describes what changes results besides weights and tokenizer.
    pub(crate) fn describe(&self) -> String {
        let Self { max_tokens, lower_case, has_types, .. } = self;
        let (config, precision) = (self.config.describe(), self.precision.describe());
        format!(
            "{config}\nmax_tokens {max_tokens}\nlower_case {lower_case}\ntypes {has_types}{precision}\n"
        )
    }

    /// Returns the tokens of a text.
    pub(crate) fn tokens(&self, text: &str) -> Result<Vec<u32>> {
        let tokens = self.tokenizer.encode(&self.folded(text), self.max_tokens)?;
        self.check(&tokens)?;
        Ok(tokens)
    }

    /// Returns the tokens of two texts as one input, and their types.
    pub(crate) fn pair(&self, first: &str, second: &str) -> Result<(Vec<u32>, Vec<u32>)> {
        let (first, second) = (self.folded(first), self.folded(second));
        let mut pair = self.tokenizer.encode_pair(&first, &second, self.max_tokens)?;
        self.check(&pair.ids)?;
        // A tokenizer may mark the second text for a transformer that knows one type only.
        let last = self.config.types().saturating_sub(1) as u32;
        let last = if self.has_types { last } else { 0 };
        pair.type_ids.iter_mut().for_each(|id| *id = last.min(*id));
        Ok((pair.ids, pair.type_ids))
    }

    fn folded<'a>(&self, text: &'a str) -> Cow<'a, str> {
        if self.lower_case { text.to_lowercase().into() } else { text.into() }
    }

    fn check(&self, tokens: &[u32]) -> Result<()> {
        let rows = self.config.vocabulary();
        match tokens.iter().find(|&&token| token as usize >= rows) {
            Some(&token) => Err(Error::TokenOutside { model: self.name.clone(), token, rows }),
            None => Ok(()),
        }
    }
}
