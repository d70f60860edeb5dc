//! Texts of any number into a file of vectors, in constant memory, to be gone on with after an interruption.
//!
//! [`VectorExport`] takes texts one by one, encodes them batch by batch, and appends the vectors to a partial file.
//! After each batch a journal says how far it is; [`Existing::Resume`] takes up there, and the file that results is byte
//! for byte that of a run which nothing interrupted. The file gets its name, by renaming, when it is whole.
//!
//! Memory: one batch. Disk: the file itself, and for Parquet once more until it is finished.
//!
//! Resuming reads the input again from its start, without encoding it, and compares a digest of the texts.

mod format;
mod ids;
mod journal;
mod output;
mod parquet;
mod problem;
mod stream;
mod thrift;

use std::fmt;
use std::io::Write;
use std::path::Path;
use std::sync::Arc;

use ecphory_core::checksum::hex;
use ecphory_core::{ErrorKind, Progress, Silent, Unshown};
use ecphory_model::{Encoder, Role};
use sha2::{Digest, Sha256};

pub use format::{ValueType, VectorFormat};
pub use problem::ExportError;

use crate::read::Place;
use crate::{Engine, Result};
use journal::Checkpoint;
use output::{Begun, Output};

/// A batch has no more bytes of text than this, however few texts it has; a longer text is alone in its batch.
const BATCH_BYTES: usize = 8 << 20;

/// How to export.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ExportOptions {
    /// What the texts are to the encoder.
    pub role: Role,
    /// The type of the values in the file.
    pub values: ValueType,
    /// How many texts are encoded, and in memory, at once; an interruption loses no more.
    pub batch_texts: usize,
    /// What to do where there is a file, or one that was begun.
    pub existing: Existing,
    /// What else the texts depend on, such as the fields they are taken from: a run can only be gone on with where
    /// this is the same.
    pub source: String,
    /// The size of the input, where it is known: a run can only be gone on with where this is the same.
    pub input_bytes: Option<u64>,
}

impl Default for ExportOptions {
    fn default() -> Self {
        Self {
            role: Role::Document,
            values: ValueType::default(),
            batch_texts: 256,
            existing: Existing::default(),
            source: String::new(),
            input_bytes: None,
        }
    }
}

/// What to do where there is a file, or one that was begun.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Existing {
    /// Leave it alone and fail.
    #[default]
    Refuse,
    /// Go on with one that was begun; begin where there is none.
    Resume,
    /// Begin anew; an old file stays until the new one is whole.
    Replace,
}

/// What an export did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Exported {
    /// How many texts are in the file.
    pub texts: u64,
    /// How many of them an earlier run had encoded.
    pub resumed: u64,
    /// How many batches were encoded.
    pub batches: u64,
    /// The most texts that were in memory at once.
    pub held_texts_max: usize,
}

/// What has to be the same for a run to be gone on with.
#[derive(Clone, Debug)]
struct Settings {
    format: VectorFormat,
    values: ValueType,
    dimensions: usize,
    /// The encoder's fingerprint.
    model: String,
    role: Role,
    source: String,
    input_bytes: Option<u64>,
}

impl Settings {
    fn role_name(&self) -> &'static str {
        match self.role {
            Role::Query => "query",
            Role::Document => "document",
        }
    }

    /// Returns the settings by the names that errors call them by.
    fn list(&self) -> Vec<(String, String)> {
        let bytes = self.input_bytes.map_or("unknown".to_owned(), |bytes| format!("{bytes} bytes"));
        [
            ("the format", self.format.name().to_owned()),
            ("the type of values", self.values.name().to_owned()),
            ("the number of dimensions", self.dimensions.to_string()),
            ("the fingerprint of the model", self.model.clone()),
            ("the role", self.role_name().to_owned()),
            ("the source of texts", self.source.clone()),
            ("the size of the input", bytes),
        ]
        .map(|(name, value)| (name.to_owned(), value))
        .into()
    }

    fn header_bytes(&self) -> u64 {
        self.format.header(self, 0).len() as u64
    }
}

/// A text on its way.
struct Item {
    id: String,
    text: String,
    place: Place,
}

enum Target<'a> {
    File(Box<Output>),
    Lines(&'a mut dyn Write),
    /// The file is there already.
    Whole,
}

/// Encodes texts into a file or a stream of lines. Dropped before [`VectorExport::finish`], it leaves partial files
/// that can be gone on with.
pub struct VectorExport<'a> {
    engine: &'a Engine,
    encoder: Arc<Encoder>,
    role: Role,
    batch_texts: usize,
    progress: &'a dyn Progress,
    target: Target<'a>,
    batch: Vec<Item>,
    batch_bytes: usize,
    digest: Sha256,
    /// How many texts came.
    seen: u64,
    /// What an earlier run had done; its texts are passed over.
    before: Option<Checkpoint>,
    done: Exported,
}

impl fmt::Debug for VectorExport<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("VectorExport").field("done", &self.done).finish_non_exhaustive()
    }
}

impl<'a> VectorExport<'a> {
    /// Begins a file, or goes on with one; the format follows the extension.
    ///
    /// # Errors
    /// Where the extension is unknown or has no values of the type, there is a file or one that was begun and
    /// the options do not say what to do, another process writes it, what was begun differs in a setting
    /// or is damaged, or the disk is full.
    pub fn to_file(
        engine: &'a Engine,
        encoder: Arc<Encoder>,
        path: &Path,
        options: &ExportOptions,
        progress: &'a dyn Progress,
    ) -> Result<Self> {
        let format = VectorFormat::of(path)?;
        if options.values == ValueType::F16 && !format.has_ids_file() {
            return Err(ExportError::NoHalf { path: path.to_owned() }.into());
        }
        let settings = Settings {
            format,
            values: options.values,
            dimensions: encoder.dimensions(),
            model: encoder.fingerprint().to_owned(),
            role: options.role,
            source: options.source.clone(),
            input_bytes: options.input_bytes,
        };
        let (target, before, texts) = match Output::begin(path, &settings, options.existing)? {
            Begun::Whole(texts) => (Target::Whole, None, texts),
            Begun::Open(output, before) => {
                let texts = before.as_ref().map_or(0, |checkpoint| checkpoint.texts);
                (Target::File(output), before, texts)
            }
        };
        let mut export = Self::begin(engine, encoder, target, options, progress);
        export.before = before;
        export.done = Exported { texts, resumed: texts, ..Exported::default() };
        Ok(export)
    }

    /// Begins lines of JSON as in [`VectorFormat::Jsonl`] into a stream, which cannot be gone on with.
    pub fn to_lines(
        engine: &'a Engine,
        encoder: Arc<Encoder>,
        out: &'a mut dyn Write,
        options: &ExportOptions,
        progress: &'a dyn Progress,
    ) -> Self {
        Self::begin(engine, encoder, Target::Lines(out), options, progress)
    }

    fn begin(
        engine: &'a Engine,
        encoder: Arc<Encoder>,
        target: Target<'a>,
        options: &ExportOptions,
        progress: &'a dyn Progress,
    ) -> Self {
        Self {
            engine,
            encoder,
            role: options.role,
            batch_texts: options.batch_texts.max(1),
            progress,
            target,
            batch: Vec::new(),
            batch_bytes: 0,
            digest: Sha256::new(),
            seen: 0,
            before: None,
            done: Exported::default(),
        }
    }

    /// Returns what was done so far.
    pub fn done(&self) -> Exported {
        self.done
    }

    /// Whether an earlier run had encoded everything, so that no text has to be read.
    pub fn is_whole(&self) -> bool {
        matches!(self.target, Target::Whole)
    }

    /// Takes a text. Where it fills a batch, the batch is encoded now.
    ///
    /// # Errors
    /// Where the input is not the one that was begun with, the encoder refuses a text, a value does not fit, the
    /// disk is full, or with kind `Interrupted` where the caller asked to stop.
    pub fn push(&mut self, id: String, text: String, place: &Place) -> Result<()> {
        if self.is_whole() {
            return Ok(());
        }
        let before = self.before.as_ref().map_or(0, |checkpoint| checkpoint.texts);
        if self.seen >= before {
            let full = self.batch.len() >= self.batch_texts
                || (!self.batch.is_empty() && self.batch_bytes + text.len() > BATCH_BYTES);
            if full {
                self.flush()?;
            }
        }
        for part in [&id, &text] {
            // With lengths, so that bytes cannot move from one to the next unseen.
            self.digest.update((part.len() as u64).to_le_bytes());
            self.digest.update(part.as_bytes());
        }
        self.seen += 1;
        if self.seen <= before {
            return if self.seen == before { self.check_before() } else { Ok(()) };
        }
        self.batch_bytes += text.len();
        self.batch.push(Item { id, text, place: place.clone() });
        self.done.held_texts_max = self.done.held_texts_max.max(self.batch.len());
        Ok(())
    }

    /// Encodes what is left, and makes the file whole.
    ///
    /// # Errors
    /// As [`VectorExport::push`].
    pub fn finish(mut self) -> Result<Exported> {
        let before = self.before.as_ref().map_or(0, |checkpoint| checkpoint.texts);
        if self.seen < before {
            return Err(self.input_changed(before));
        }
        self.flush()?;
        match self.target {
            Target::File(output) => output.finish(self.seen)?,
            Target::Lines(out) => out.flush()?,
            Target::Whole => {}
        }
        Ok(self.done)
    }

    /// Compares the texts that an earlier run had encoded with those that came now.
    fn check_before(&self) -> Result<()> {
        match &self.before {
            Some(before) if before.digest != self.digest_text() => {
                Err(self.input_changed(before.texts))
            }
            _ => Ok(()),
        }
    }

    fn input_changed(&self, texts: u64) -> crate::Error {
        let path = match &self.target {
            Target::File(output) => output.path().to_owned(),
            Target::Lines(_) | Target::Whole => std::path::PathBuf::new(),
        };
        ExportError::InputChanged { path, texts }.into()
    }

    fn digest_text(&self) -> String {
        hex(&self.digest.clone().finalize())
    }

    fn flush(&mut self) -> Result<()> {
        if self.batch.is_empty() {
            return Ok(());
        }
        let texts: Vec<&str> = self.batch.iter().map(|item| item.text.as_str()).collect();
        let progress = Unshown(self.progress);
        let encoded = self.engine.encode(&self.encoder, &texts, self.role, &progress);
        let vectors = encoded.map_err(|error| self.blame(error))?;
        let digest = self.digest_text();
        match &mut self.target {
            Target::File(output) => {
                output.append(&self.batch, &vectors)?;
                output.checkpoint(self.seen, digest, self.engine.clock())?;
            }
            Target::Lines(out) => {
                let mut lines = Vec::new();
                for (item, vector) in
                    self.batch.iter().zip(vectors.chunks(self.encoder.dimensions()))
                {
                    output::put_json_line(&item.id, vector, &mut lines)?;
                }
                out.write_all(&lines)?;
            }
            Target::Whole => {}
        }
        self.done.texts += self.batch.len() as u64;
        self.done.batches += 1;
        self.batch.clear();
        self.batch_bytes = 0;
        Ok(())
    }

    /// Says which text of the batch the encoder refuses, by encoding one after the other.
    fn blame(&self, error: crate::Error) -> crate::Error {
        if error.kind() == ErrorKind::Interrupted {
            return error;
        }
        let refused = |item: &&Item| {
            self.engine.encode(&self.encoder, &[&item.text], self.role, &Silent).is_err()
        };
        match self.batch.iter().find(refused) {
            Some(item) => {
                ExportError::Text { place: item.place.clone(), source: Box::new(error) }.into()
            }
            None => error,
        }
    }
}

#[cfg(test)]
mod tests;
