//! Texts as word pieces that are numbered anew: those that a collection has, and no others.

use std::collections::BTreeSet;

use ecphory_core::Progress;
use ecphory_model::{Role, WordPieces};
use ecphory_text::sentences;
use rayon::prelude::*;

use crate::data::Text;
use crate::error::{Error, Result};

/// Texts that are cut into pieces between two looks at whether the work was cancelled.
const BLOCK: usize = 1024;

/// A text as pieces of a vocabulary.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PieceText {
    /// Its pieces, in their order; a text may have none.
    pub pieces: Vec<u32>,
    /// Where each sentence begins, in ascending order; nothing is known of sentences where it is empty.
    pub sentences: Vec<usize>,
}

/// The texts of a data set as pieces, with a row of a table for each piece that occurs.
#[derive(Clone, Debug, PartialEq)]
pub struct PieceTexts {
    queries: Vec<PieceText>,
    documents: Vec<PieceText>,
    /// The number of each piece in the vocabulary that it is of.
    vocabulary: Vec<u32>,
    table: Vec<f32>,
    columns: usize,
}

impl PieceText {
    /// Cuts a text to so many pieces.
    #[must_use]
    pub fn cut(mut self, most: usize) -> Self {
        self.pieces.truncate(most);
        self.sentences.retain(|&first| first < self.pieces.len());
        self
    }
}

impl PieceTexts {
    /// Reads queries and documents as pieces of a model, documents sentence by sentence, either cut to as many as are given; a unit of
    /// progress is a text.
    ///
    /// # Errors
    /// What the tokenizer says; `Interrupted`; as [`PieceTexts::new`].
    pub fn read(
        (queries, most_of_query): (&[Text], usize),
        (documents, most_of_document): (&[Text], usize),
        pieces: &WordPieces,
        progress: &dyn Progress,
    ) -> Result<Self> {
        let query = |query: &Text| -> Result<PieceText> {
            let text = PieceText { pieces: pieces.of(&query.text)?, sentences: vec![0] };
            Ok(text.cut(most_of_query))
        };
        let document = |document: &Text| -> Result<PieceText> {
            let mut text = PieceText::default();
            for sentence in sentences(&document.text) {
                let found = pieces.of(&document.text[sentence])?;
                if !found.is_empty() {
                    text.sentences.push(text.pieces.len());
                    text.pieces.extend(found);
                }
            }
            Ok(text.cut(most_of_document))
        };
        progress.begin("reading word pieces", (queries.len() + documents.len()) as u64);
        let queries = all(queries, &query, progress);
        let both = queries.and_then(|queries| Ok((queries, all(documents, &document, progress)?)));
        progress.end();
        let (queries, documents) = both?;
        let row = |piece: u32, out: &mut [f32]| pieces.copy_row(piece, out);
        Self::new(queries, documents, pieces.columns(), row)
    }

    /// Numbers the pieces that occur, in the order of their vocabulary; `row` copies a piece's row of `columns` values.
    ///
    /// # Errors
    /// Where no text has a piece, rows have no values, sentences do not ascend from 0, or a value is not finite.
    pub fn new(
        mut queries: Vec<PieceText>,
        mut documents: Vec<PieceText>,
        columns: usize,
        row: impl Fn(u32, &mut [f32]),
    ) -> Result<Self> {
        let all = || queries.iter().chain(&documents);
        let occurring: BTreeSet<u32> = all().flat_map(|text| &text.pieces).copied().collect();
        let vocabulary: Vec<u32> = occurring.into_iter().collect();
        if vocabulary.is_empty() || columns == 0 {
            return Err(Error::Nothing { what: "word pieces" });
        }
        if let Some(text) = all().find(|text| !text.has_sentences_in_order()) {
            let (setting, expected) = ("sentences of a text", "places that ascend from 0");
            return Err(Error::Setting { setting, expected, got: format!("{:?}", text.sentences) });
        }
        for text in queries.iter_mut().chain(&mut documents) {
            for piece in &mut text.pieces {
                *piece = vocabulary.binary_search(piece).expect("every piece is there") as u32;
            }
        }
        let mut table = vec![0.0; vocabulary.len() * columns];
        for (&piece, out) in vocabulary.iter().zip(table.chunks_exact_mut(columns)) {
            row(piece, out);
        }
        if let Some(at) = table.iter().position(|value| !value.is_finite()) {
            let (what, row, column) = ("row of a piece", at / columns, at % columns);
            return Err(Error::NotFinite { what, row, column, value: table[at] });
        }
        Ok(Self { queries, documents, vocabulary, table, columns })
    }

    /// Returns a text.
    ///
    /// # Panics
    /// Where there is no such text.
    pub fn text(&self, role: Role, number: u32) -> &PieceText {
        match role {
            Role::Query => &self.queries[number as usize],
            Role::Document => &self.documents[number as usize],
        }
    }

    /// Returns how many queries there are.
    pub fn queries(&self) -> usize {
        self.queries.len()
    }

    /// Returns how many documents there are.
    pub fn documents(&self) -> usize {
        self.documents.len()
    }

    /// Returns, for each row of the table, which piece of the vocabulary it is of.
    pub fn vocabulary(&self) -> &[u32] {
        &self.vocabulary
    }

    /// Returns the rows of all pieces that occur, end to end.
    pub fn table(&self) -> &[f32] {
        &self.table
    }

    /// Returns how long a row is.
    pub fn columns(&self) -> usize {
        self.columns
    }
}

/// Reads texts on the current pool, in their order.
fn all(
    texts: &[Text],
    read: &(impl Fn(&Text) -> Result<PieceText> + Sync),
    progress: &dyn Progress,
) -> Result<Vec<PieceText>> {
    let mut found = Vec::with_capacity(texts.len());
    for block in texts.chunks(BLOCK) {
        if progress.cancelled() {
            return Err(Error::Interrupted);
        }
        found.extend(block.par_iter().map(read).collect::<Result<Vec<PieceText>>>()?);
        progress.advance(block.len() as u64);
    }
    Ok(found)
}

impl PieceText {
    fn has_sentences_in_order(&self) -> bool {
        let ascend = self.sentences.windows(2).all(|pair| pair[0] < pair[1]);
        let is_within = self.sentences.last().is_none_or(|&last| last < self.pieces.len());
        ascend && is_within && self.sentences.first().is_none_or(|&first| first == 0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(pieces: &[u32], sentences: &[usize]) -> PieceText {
        PieceText { pieces: pieces.to_vec(), sentences: sentences.to_vec() }
    }

    #[test]
    fn pieces_that_occur_get_rows() {
        let row = |piece: u32, out: &mut [f32]| out.fill(piece as f32);
        let documents = vec![text(&[900, 7, 900], &[0, 2]), text(&[], &[])];
        let texts = PieceTexts::new(vec![text(&[7, 30], &[])], documents, 2, row).unwrap();
        assert_eq!(texts.vocabulary(), [7, 30, 900]);
        assert_eq!(texts.table(), [7.0, 7.0, 30.0, 30.0, 900.0, 900.0]);
        assert_eq!(texts.text(Role::Query, 0).pieces, [0, 1]);
        assert_eq!(texts.text(Role::Document, 0).pieces, [2, 0, 2]);
        assert_eq!(text(&[1, 2, 3], &[0, 2]).cut(2), text(&[1, 2], &[0]));
    }

    #[test]
    fn what_is_wrong_is_named() {
        let row = |_: u32, out: &mut [f32]| out.fill(1.0);
        let made = |documents: &[PieceText], columns: usize| {
            PieceTexts::new(Vec::new(), documents.to_vec(), columns, row)
        };
        assert!(made(&[text(&[1], &[0])], 1).is_ok());
        assert!(made(&[text(&[], &[])], 1).is_err() && made(&[text(&[1], &[])], 0).is_err());
        for sentences in [&[1][..], &[0, 0], &[0, 2]] {
            let said = made(&[text(&[1, 2], sentences)], 1).unwrap_err().to_string();
            assert!(said.contains("sentences"), "{said}");
        }
        let said =
            PieceTexts::new(Vec::new(), vec![text(&[3], &[])], 1, |_, out| out[0] = f32::NAN);
        assert!(said.unwrap_err().to_string().contains("NaN"));
    }
}
