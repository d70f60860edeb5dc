//! The states of tokens in the cache of encodings.

use std::path::Path;

use ecphory_core::Progress;
use ecphory_model::{CachedStates, Encoder, EncodingCache, Role, StateBuffer, WordPieces};

use super::States;
use crate::data::{Text, TrainingData};
use crate::error::Result;
use crate::ragged::Ragged;
use crate::vocabulary::{DocumentCounts, Vocabulary};

/// The states of the texts of a data set, read from the disk one by one, in half precision.
pub struct CachedTexts<'a> {
    queries: CachedStates<'a>,
    documents: CachedStates<'a>,
    vocabulary: Option<Vocabulary>,
}

impl<'a> CachedTexts<'a> {
    /// Looks all texts up, and encodes and stores what is not there; the encoders are those of queries and of documents.
    ///
    /// # Errors
    /// What encoding and reading say.
    pub fn new(
        data: &'a TrainingData,
        encoders: &'a [Encoder; 2],
        cache: &EncodingCache,
        pool: &rayon::ThreadPool,
        progress: &dyn Progress,
    ) -> Result<Self> {
        let [queries, documents] = [data.queries(), data.documents()]
            .map(|all: &'a [Text]| all.iter().map(|text| &*text.text).collect::<Vec<_>>());
        let queries = cache.states(&encoders[0], &queries, Role::Query, pool, progress)?;
        let documents = cache.states(&encoders[1], &documents, Role::Document, pool, progress)?;
        Ok(Self { queries, documents, vocabulary: None })
    }

    /// Gives rows their terms: those of the documents, at most so many, with the vectors that the model in a directory has for
    /// their tokens. Cost: one pass over the states of all documents.
    ///
    /// # Errors
    /// As [`Vocabulary::new`] and [`WordPieces::open`]; what reading says.
    pub fn with_terms(mut self, init: &Path, terms_max: usize) -> Result<Self> {
        let mut counts = DocumentCounts::default();
        let mut buffer = StateBuffer::default();
        for document in 0..self.documents.len() {
            self.documents.read(document, &mut buffer)?;
            counts.add(&buffer.tokens, &buffer.words);
        }
        let pieces = WordPieces::open(init)?;
        let (special, shape) = (pieces.special(), (pieces.len(), pieces.columns()));
        let row = |piece: u32, out: &mut [f32]| pieces.copy_row(piece, out);
        self.vocabulary = Some(Vocabulary::new(&counts, &special, terms_max, shape, row)?);
        Ok(self)
    }
}

impl States for CachedTexts<'_> {
    fn columns(&self) -> usize {
        self.documents.columns()
    }

    fn append(&self, role: Role, number: u32, to: &mut Ragged) -> Result<()> {
        let states = match role {
            Role::Query => &self.queries,
            Role::Document => &self.documents,
        };
        let mut buffer = StateBuffer::default();
        states.read(number as usize, &mut buffer)?;
        to.values.extend_from_slice(&buffer.rows);
        to.words.extend_from_slice(&buffer.words);
        if let Some(vocabulary) = &self.vocabulary {
            to.terms.extend(vocabulary.terms(&buffer.tokens, &buffer.words));
        }
        to.offsets.push(to.rows() + buffer.tokens.len());
        Ok(())
    }

    fn vocabulary(&self) -> Option<&Vocabulary> {
        self.vocabulary.as_ref()
    }
}
