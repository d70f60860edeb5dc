//! The word pieces of a transformer: its tokenizer without special tokens, and the rows of its table of words.
//!
//! The table of a pretrained transformer is a static embedding already, and one to begin from where a bag of pieces learns.
//! Cost: the rest of the weights is not read.

use std::borrow::Cow;
use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use crate::backbone::BackboneConfig;
use crate::convert::{NewTensor, sync, whole_directory, write_tensors};
use crate::error::{Error, Result};
use crate::json;
use crate::layout::{BodyKind, MODULES, TRANSFORMER};
use crate::load::{self, TOKENIZER};
use crate::reading::{Limits, Reading};
use crate::static_table::UNLIMITED;
use crate::tensor::Tensor;
use crate::weights::{WEIGHTS, Weights};

/// The pieces of a model directory, each with its row of the table.
pub struct WordPieces {
    directory: PathBuf,
    tokenizer: PathBuf,
    reading: Reading,
    rows: Tensor,
}

impl WordPieces {
    /// Opens the tokenizer and the table of a transformer.
    ///
    /// # Errors
    /// As [`Encoder::open`](crate::Encoder::open), of what is read; `Input` for a directory that is a static table.
    pub fn open(directory: &Path) -> Result<Self> {
        let layout = load::layout(directory)?;
        if layout.kind == BodyKind::Static {
            return Err(Error::unsupported(directory, "modules", "a static table", "transformers"));
        }
        let config = BackboneConfig::open(&layout.body)?;
        let rows = config.find_words(&mut Weights::open(&layout.body)?)?;
        let limits = Limits {
            tokens: (1, UNLIMITED),
            default_tokens: UNLIMITED,
            vocabulary: config.vocabulary(),
            has_special_tokens: false,
        };
        let reading = Reading::open(directory, &layout, limits, None)?;
        let tokenizer = load::tokenizer(&layout.body)?;
        Ok(Self { directory: directory.to_owned(), tokenizer, reading, rows })
    }

    /// Returns how many pieces there are.
    pub fn len(&self) -> usize {
        self.rows.shape[0]
    }

    /// Returns whether there are none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Returns how long a row is.
    pub fn columns(&self) -> usize {
        self.rows.shape[1]
    }

    /// Returns the pieces of a text as it stands, without special tokens or a prompt.
    ///
    /// # Errors
    /// What the tokenizer says about the text, and a piece that the table does not have.
    pub fn of(&self, text: &str) -> Result<Vec<u32>> {
        self.reading.tokens(text)
    }

    /// Returns the special pieces, in ascending order: those that begin, end, pad or mask a text, and the one of unknown words.
    pub fn special(&self) -> Vec<u32> {
        self.reading.tokenizer.special_ids()
    }

    /// Copies the row of a piece.
    ///
    /// # Panics
    /// Where there is no such piece, or `out` has another length than a row.
    pub fn copy_row(&self, piece: u32, out: &mut [f32]) {
        assert!((piece as usize) < self.len() && out.len() == self.columns(), "no such row");
        self.rows.copy_row(piece as usize, out);
    }

    /// Returns whether [`WordPieces::save`] has a layout for them.
    ///
    /// # Errors
    /// `Input` for a model whose texts are folded before its tokenizer sees them, which a static encoder cannot say.
    pub fn fit_a_static_encoder(&self) -> Result<()> {
        if self.reading.lower_case {
            let path = self.directory.join(TRANSFORMER);
            let supported = "tokenizers that fold by themselves";
            return Err(Error::unsupported(&path, "do_lower_case", "true", supported));
        }
        Ok(())
    }

    /// Writes a static encoder to a new directory: this table, with other rows for some pieces. A text's vector is the mean of its
    /// pieces' rows. [`Encoder::open`](crate::Encoder::open) and sentence-transformers (`StaticEmbedding`) open it.
    ///
    /// `directory` appears whole or not at all, and is on the disk when this returns. `rows` are those of `pieces`, end to end.
    ///
    /// # Errors
    /// `Conflict` where `directory` exists; as [`WordPieces::fit_a_static_encoder`]; what writing says.
    ///
    /// # Panics
    /// Where there is no such piece, or another number of values than of rows.
    pub fn save(&self, directory: &Path, pieces: &[u32], rows: &[f32]) -> Result<()> {
        self.fit_a_static_encoder()?;
        let columns = self.columns();
        assert_eq!(rows.len(), pieces.len() * columns, "a row for each piece");
        let mut values = self.rows.to_vec();
        for (&piece, row) in pieces.iter().zip(rows.chunks_exact(columns)) {
            values[piece as usize * columns..][..columns].copy_from_slice(row);
        }
        let (name, shape) = ("embedding.weight".to_owned(), &self.rows.shape[..]);
        let table = NewTensor { name, shape, values: Cow::Owned(values) };
        whole_directory(&self.directory, directory, |partial| {
            let kind = "sentence_transformers.models.StaticEmbedding";
            let module = json!([{"idx": 0, "name": "0", "path": "", "type": kind}]);
            json::write(&partial.join(MODULES), &module)?;
            // Where a transformer stops reading, or fills up, is nothing to a table.
            let mut tokenizer: Value = json::read(&self.tokenizer)?;
            for setting in ["truncation", "padding"] {
                tokenizer[setting] = Value::Null;
            }
            json::write(&partial.join(TOKENIZER), &tokenizer)?;
            write_tensors(&[table], &partial.join(WEIGHTS))?;
            sync(partial)
        })
    }
}

impl std::fmt::Debug for WordPieces {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let directory = &self.directory;
        f.debug_struct("WordPieces").field("directory", directory).finish_non_exhaustive()
    }
}
