//! A bag of word pieces: the rows of a table that learns.

use std::path::{Path, PathBuf};

use ecphory_model::{Role, WordPieces};

use super::{Body, PieceTexts, Sides};
use crate::error::{Error, Result};
use crate::matching::StateSlopes;
use crate::optimiser::{Gradient, Group, Slot, Tensors, Update, copied};
use crate::ragged::{Ragged, add_scaled, check_length};

/// What the table is called among parameters.
pub(crate) const TABLE: &str = "pieces";

/// A body in which no piece sees another: the states of a text are the rows of its pieces. A text without pieces is one row of zeros,
/// which learns nothing.
///
/// A step moves the rows of the pieces that it saw. Memory: the table, and a copy of the rows of a batch.
pub struct Bag<'a> {
    texts: &'a PieceTexts,
    directory: PathBuf,
    table: Vec<f32>,
    /// The pieces of the states of the last batch, queries first.
    read: Option<[Vec<Option<u32>>; 2]>,
    /// The pieces that the last batch had, ascending.
    rows: Vec<u32>,
    /// The derivatives by their rows.
    gradient: Vec<f32>,
}

impl<'a> Bag<'a> {
    /// Begins with the table of some texts; `directory` is that of the model that it comes from.
    pub fn new(texts: &'a PieceTexts, directory: &Path) -> Self {
        Self {
            texts,
            directory: directory.to_owned(),
            table: texts.table().to_vec(),
            read: None,
            rows: Vec::new(),
            gradient: Vec::new(),
        }
    }

    /// Returns the table.
    pub fn table(&self) -> &[f32] {
        &self.table
    }

    /// Begins with another table.
    ///
    /// # Errors
    /// One of another size.
    pub fn with_table(mut self, table: Vec<f32>) -> Result<Self> {
        check_length("values of the table", table.len(), self.table.len())?;
        self.table = table;
        Ok(self)
    }

    /// Computes the states of sequences of pieces that are no texts of the data, such as views of them; derivatives may follow by
    /// [`Body::backward`].
    ///
    /// # Panics
    /// Where there is no such piece.
    pub fn forward_pieces(&mut self, queries: &[Vec<u32>], documents: &[Vec<u32>]) -> Sides {
        let slices = |all: &[Vec<u32>]| self.states(all.iter().map(Vec::as_slice), &self.table);
        let (queries, documents) = (slices(queries), slices(documents));
        self.read = Some([queries.1, documents.1]);
        Sides { queries: queries.0, documents: documents.0 }
    }

    /// Computes the states of sequences from another table of the same pieces, from which nothing will be learned.
    ///
    /// # Panics
    /// Where there is no such piece, in the table neither.
    pub fn read_pieces(&self, sequences: &[Vec<u32>], table: &[f32]) -> Ragged {
        self.states(sequences.iter().map(Vec::as_slice), table).0
    }

    fn sequences(&self, role: Role, numbers: &[u32]) -> impl Iterator<Item = &'a [u32]> {
        let texts = self.texts;
        numbers.iter().map(move |&number| &texts.text(role, number).pieces[..])
    }

    /// The states, and the piece of each; `None` for that of a text without pieces.
    fn states<'s>(
        &self,
        sequences: impl Iterator<Item = &'s [u32]>,
        table: &[f32],
    ) -> (Ragged, Vec<Option<u32>>) {
        let columns = self.texts.columns();
        let mut states = Ragged { columns, offsets: vec![0], ..Ragged::default() };
        let mut pieces = Vec::new();
        for sequence in sequences {
            for &piece in sequence {
                let row = &table[piece as usize * columns..][..columns];
                states.values.extend_from_slice(row);
                pieces.push(Some(piece));
            }
            if sequence.is_empty() {
                states.values.resize(states.values.len() + columns, 0.0);
                pieces.push(None);
            }
            states.offsets.push(pieces.len());
        }
        (states, pieces)
    }
}

impl Body for Bag<'_> {
    fn columns(&self) -> usize {
        self.texts.columns()
    }

    fn read(&self, role: Role, numbers: &[u32]) -> Result<Ragged> {
        Ok(self.states(self.sequences(role, numbers), &self.table).0)
    }

    fn forward(&mut self, queries: &[u32], documents: &[u32]) -> Result<Sides> {
        let queries = self.states(self.sequences(Role::Query, queries), &self.table);
        let documents = self.states(self.sequences(Role::Document, documents), &self.table);
        self.read = Some([queries.1, documents.1]);
        Ok(Sides { queries: queries.0, documents: documents.0 })
    }

    fn backward(&mut self, slopes: StateSlopes) -> Result<()> {
        let read = self.read.take().ok_or(Error::Nothing { what: "states of a batch" })?;
        let columns = self.texts.columns();
        self.rows = read.iter().flatten().filter_map(|&piece| piece).collect();
        self.rows.sort_unstable();
        self.rows.dedup();
        let mut places = vec![0u32; self.texts.vocabulary().len()];
        for (place, &row) in (0..).zip(&self.rows) {
            places[row as usize] = place;
        }
        self.gradient.clear();
        self.gradient.resize(self.rows.len() * columns, 0.0);
        for (pieces, slopes) in read.iter().zip([slopes.queries, slopes.documents]) {
            check_length("derivatives by states", slopes.len(), pieces.len() * columns)?;
            for (piece, slopes) in pieces.iter().zip(slopes.chunks_exact(columns)) {
                let Some(piece) = piece else { continue };
                let first = places[*piece as usize] as usize * columns;
                add_scaled(&mut self.gradient[first..first + columns], 1.0, slopes);
            }
        }
        Ok(())
    }

    fn slots(&self, decay: f32) -> Vec<Slot> {
        let group = Group { rate_factor: 1.0, decay };
        vec![Slot { name: TABLE.to_owned(), length: self.table.len(), group }]
    }

    fn updates(&mut self) -> Vec<Update<'_>> {
        let (rows, values) = (&self.rows[..], &self.gradient[..]);
        let gradient = Gradient::Rows { rows, columns: self.texts.columns(), values };
        vec![Update { name: TABLE, values: &mut self.table, gradient }]
    }

    fn values(&self) -> Tensors {
        Tensors::from([(TABLE.to_owned(), self.table.clone())])
    }

    fn set(&mut self, values: &Tensors) -> Result<()> {
        let found = copied(values, TABLE, self.table.len())?;
        self.table.copy_from_slice(found);
        Ok(())
    }

    /// Writes a static encoder: pieces that occur nowhere keep the rows of the model.
    fn save(&self, directory: &Path) -> Result<()> {
        let pieces = WordPieces::open(&self.directory)?;
        Ok(pieces.save(directory, self.texts.vocabulary(), &self.table)?)
    }
}

#[cfg(test)]
mod tests;
