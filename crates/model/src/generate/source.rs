//! Opening a generator from the files of a model.

use std::path::{Path, PathBuf};

use ecphory_kernels::Level;
use ecphory_text::subword::Tokenizer;

use super::chat::Template;
use super::{Generator, GeneratorOptions};
use crate::config::{CONFIG, model_type};
use crate::decoder::{Decoder, DecoderConfig, DecoderFamily};
use crate::error::{Error, Result};
use crate::gguf::{Gguf, hugging_face, tokenizer_json};
use crate::load::TOKENIZER;
use crate::precision::Precision;
use crate::weights::Weights;

/// What GGUF files are called.
const GGUF: &str = "gguf";
/// A prompt of one token and a token of the answer.
const LEAST_TOKENS: usize = 2;

/// The most tokens unless more are asked for: the angles of a position take 256 bytes for heads of 64 values, its
/// keys and values far more.
const USUAL_TOKENS: usize = 1 << 15;

/// What is read of a model.
struct Parts {
    config: DecoderConfig,
    weights: Weights,
    tokenizer: Tokenizer,
}

/// Returns whether a path has a GGUF file or the configuration of a supported decoder.
pub(super) fn opens(path: &Path) -> Result<bool> {
    if path.join(CONFIG).try_exists()? {
        return Ok(model_type(path)?.is_some_and(|name| DecoderFamily::of(&name).is_some()));
    }
    match find_gguf(path) {
        Ok(file) => Ok(file.is_some()),
        Err(Error::MissingFile { .. }) => Ok(false),
        Err(error) => Err(error),
    }
}

pub(super) fn open(path: &Path, options: &GeneratorOptions) -> Result<Generator> {
    let Parts { config, weights, tokenizer } = match find_gguf(path)? {
        Some(file) => of_gguf(&file)?,
        None => of_directory(path)?,
    };
    let name = path.file_name().unwrap_or(path.as_os_str()).to_string_lossy().into_owned();
    let max_tokens = options.max_tokens.unwrap_or(config.positions.min(USUAL_TOKENS));
    if !(LEAST_TOKENS..=config.positions).contains(&max_tokens) {
        let (asked, least, most) = (max_tokens, LEAST_TOKENS, config.positions);
        return Err(Error::MaxTokens { model: name, asked, least, most });
    }
    let template = Template::of(&tokenizer);
    let mut ends = config.ends.clone();
    // What ends a message ends an answer, also in models whose configuration names only the end of a text.
    ends.extend(template.map(|template| template.end));
    ends.sort_unstable();
    ends.dedup();
    let decoder = Decoder::load(&config, max_tokens, &weights, &mut Precision::Stored)?;
    Ok(Generator {
        name,
        family: config.family,
        level: Level::detect(),
        literal: tokenizer.clone().with_literal_specials(),
        tokenizer,
        decoder,
        template,
        vocabulary: config.vocabulary,
        max_tokens,
        ends,
    })
}

/// Returns the GGUF file that a path is, or the one that a directory without `config.json` has.
fn find_gguf(path: &Path) -> Result<Option<PathBuf>> {
    let is_gguf = |path: &Path| path.extension().is_some_and(|e| e.eq_ignore_ascii_case(GGUF));
    if !path.try_exists()? {
        let (directory, file) = (path.to_owned(), format!("{CONFIG} or *.{GGUF}"));
        return Err(Error::MissingFile { directory, file, hint: "there is no such directory" });
    }
    if path.is_file() {
        return Ok(Some(path.to_owned()));
    }
    if path.join(CONFIG).try_exists()? {
        return Ok(None);
    }
    let mut found = Vec::new();
    for entry in fs_err::read_dir(path)? {
        let file = entry?.path();
        if is_gguf(&file) {
            found.push(file);
        }
    }
    match found.as_slice() {
        [file] => Ok(Some(file.clone())),
        [] => Err(Error::MissingFile {
            directory: path.to_owned(),
            file: format!("{CONFIG} or *.{GGUF}"),
            hint: "a model is a directory in the Hugging Face layout, or a GGUF file",
        }),
        files => Err(Error::SeveralModels { directory: path.to_owned(), count: files.len() }),
    }
}

fn of_gguf(path: &Path) -> Result<Parts> {
    let file = Gguf::open(path)?;
    let config = DecoderConfig::of_gguf(&file)?;
    let rename = |name: &str| {
        let unknown = || Error::UnknownTensor { path: path.to_owned(), tensor: name.to_owned() };
        let theirs = hugging_face(name).ok_or_else(unknown)?;
        let is_turned = theirs.contains(".q_proj.") || theirs.contains(".k_proj.");
        let is_interleaved = is_turned && config.family == DecoderFamily::Llama;
        Ok((theirs, is_interleaved.then_some(config.head_width)))
    };
    let weights = Weights::of_gguf(&file, rename)?;
    let tokenizer = Tokenizer::from_bytes(&tokenizer_json(&file.metadata)?, path)?;
    Ok(Parts { config, weights, tokenizer })
}

fn of_directory(directory: &Path) -> Result<Parts> {
    let config = DecoderConfig::of_directory(directory)?;
    let weights = Weights::open(directory)?;
    let path = directory.join(TOKENIZER);
    if !path.try_exists()? {
        return Err(Error::MissingFile {
            directory: directory.to_owned(),
            file: TOKENIZER.to_owned(),
            hint: "save the tokenizer in the format of the tokenizers library",
        });
    }
    Ok(Parts { config, weights, tokenizer: Tokenizer::open(&path)? })
}
