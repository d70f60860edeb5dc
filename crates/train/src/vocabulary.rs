//! The vocabulary of a collection: the word pieces that its documents have, as the terms of lexical heads and static tables.
//!
//! A model's own vocabulary has some 30,000 pieces, of which a collection uses a part. A head over that part alone costs as
//! much less, and weighs the same: no document could get its other terms from its text. Special tokens are no terms, nor are
//! tokens that are part of no word (a prompt's, or those of a word that was cut).

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};

use rustc_hash::FxHashMap;

use crate::error::{Error, Result};
use crate::ragged::{NO_TERM, check_length};

/// Terms with their documents counted, and the vectors of their tokens.
#[derive(Clone, Debug, PartialEq)]
pub struct Vocabulary {
    /// The token of each term, in ascending order.
    tokens: Vec<u32>,
    terms: FxHashMap<u32, u32>,
    idf: Vec<f32>,
    vectors: Vec<f32>,
}

/// In how many documents tokens are.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DocumentCounts {
    documents: u64,
    of_tokens: BTreeMap<u32, u64>,
}

impl DocumentCounts {
    /// Adds a document: its tokens, and the words that they are parts of, 0 for none; each token counts once.
    pub fn add(&mut self, tokens: &[u32], words: &[u32]) {
        self.documents += 1;
        let of_words = tokens.iter().zip(words).filter(|(_, word)| **word != 0);
        let distinct: BTreeSet<u32> = of_words.map(|(&token, _)| token).collect();
        for token in distinct {
            *self.of_tokens.entry(token).or_default() += 1;
        }
    }

    /// The weight of a term of `count` documents that BM25 gives it: `ln(1 + (N - n + ½) / (n + ½))`, never below 0.
    fn idf(&self, count: u64) -> f32 {
        let (documents, count) = (self.documents as f64, count as f64);
        ((documents - count + 0.5) / (count + 0.5)).ln_1p() as f32
    }
}

impl Vocabulary {
    /// Takes the tokens that are in some document and are not `special`, at most `terms_max`: those of most documents, and of
    /// as many the lower token. A table of `rows` tokens has a vector of `columns` values for each, which `row` copies.
    ///
    /// # Errors
    /// No token, or one that the table does not have.
    pub fn new(
        counts: &DocumentCounts,
        special: &[u32],
        terms_max: usize,
        (rows, columns): (usize, usize),
        row: impl Fn(u32, &mut [f32]),
    ) -> Result<Self> {
        let mut kept: Vec<(u32, u64)> =
            counts.of_tokens.iter().map(|(&token, &count)| (token, count)).collect();
        kept.retain(|(token, _)| !special.contains(token));
        kept.sort_by_key(|&(token, count)| (Reverse(count), token));
        kept.truncate(terms_max);
        kept.sort_unstable();
        if kept.is_empty() || columns == 0 {
            return Err(Error::Nothing { what: "terms of a vocabulary" });
        }
        if let Some(&(token, _)) = kept.iter().find(|(token, _)| *token as usize >= rows) {
            return Err(Error::Outside { what: "token", number: token.into(), count: rows });
        }
        let mut vectors = vec![0.0; kept.len() * columns];
        for (&(token, _), out) in kept.iter().zip(vectors.chunks_exact_mut(columns)) {
            row(token, out);
        }
        let tokens: Vec<u32> = kept.iter().map(|&(token, _)| token).collect();
        let terms = tokens.iter().zip(0..).map(|(&token, term)| (token, term)).collect();
        let idf = kept.iter().map(|&(_, count)| counts.idf(count)).collect();
        Ok(Self { tokens, terms, idf, vectors })
    }

    /// Returns the tokens of its terms, in ascending order.
    pub fn tokens(&self) -> &[u32] {
        &self.tokens
    }

    /// Returns the IDF of each term over the documents.
    pub fn idf(&self) -> &[f32] {
        &self.idf
    }

    /// Returns the vectors of its terms, end to end.
    pub fn vectors(&self) -> &[f32] {
        &self.vectors
    }

    /// Makes a vocabulary of the same terms with other vectors.
    ///
    /// # Errors
    /// Another number of values.
    pub(crate) fn with_vectors(&self, vectors: Vec<f32>) -> Result<Self> {
        check_length("vectors of terms", vectors.len(), self.vectors.len())?;
        Ok(Self { vectors, ..self.clone() })
    }

    /// Returns the terms of tokens, [`NO_TERM`] for those that are none and those that are part of no word.
    pub fn terms<'v>(
        &'v self,
        tokens: &'v [u32],
        words: &'v [u32],
    ) -> impl Iterator<Item = u32> + 'v {
        let term = |token: &u32| self.terms.get(token).copied().unwrap_or(NO_TERM);
        let of_word = move |(token, &word)| if word == 0 { NO_TERM } else { term(token) };
        tokens.iter().zip(words).map(of_word)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::draws::Draws;

    /// A vocabulary over a table of so many tokens, whose vectors count up by halves.
    fn vocabulary(
        counts: &DocumentCounts,
        special: &[u32],
        terms_max: usize,
        rows: usize,
    ) -> Result<Vocabulary> {
        let row = |token: u32, out: &mut [f32]| {
            out.copy_from_slice(&[token as f32, token as f32 + 0.5]);
        };
        Vocabulary::new(counts, special, terms_max, (rows, 2), row)
    }

    fn counts(documents: &[&[u32]]) -> DocumentCounts {
        let mut counts = DocumentCounts::default();
        for document in documents {
            counts.add(document, &vec![7; document.len()]);
        }
        counts
    }

    #[test]
    fn weights_are_those_of_a_plain_count() {
        let mut draws = Draws::new(3);
        let texts: Vec<Vec<u32>> =
            (0..30).map(|_| (0..6).map(|_| draws.below(8) as u32).collect()).collect();
        let documents: Vec<&[u32]> = texts.iter().map(Vec::as_slice).collect();
        let made = vocabulary(&counts(&documents), &[0, 9], 99, 10).unwrap();
        assert_eq!(made.tokens(), [1, 2, 3, 4, 5, 6, 7]);
        for (&token, &idf) in made.tokens().iter().zip(made.idf()) {
            let with = texts.iter().filter(|text| text.contains(&token)).count() as f64;
            let expected = (1.0 + (30.0 - with + 0.5) / (with + 0.5)).ln();
            assert!((f64::from(idf) - expected).abs() < 1e-6 && idf > 0.0, "{token}: {idf}");
        }
        assert_eq!(made.vectors()[..4], [1.0, 1.5, 2.0, 2.5]);
    }

    #[test]
    fn special_tokens_and_those_of_no_word_are_no_terms() {
        let mut counts = counts(&[&[1, 3, 5, 2], &[1, 5, 2]]);
        counts.add(&[8, 4], &[0, 1]);
        let made = vocabulary(&counts, &[1, 2], 99, 10).unwrap();
        assert_eq!(made.tokens(), [3, 4, 5]);
        let terms: Vec<u32> = made.terms(&[1, 5, 3, 3, 8, 7], &[5, 5, 5, 0, 5, 5]).collect();
        assert_eq!(terms, [NO_TERM, 2, 0, NO_TERM, NO_TERM, NO_TERM]);
    }

    #[test]
    fn a_limit_keeps_what_most_documents_have() {
        let counts = counts(&[&[5, 6], &[5, 6, 4], &[5, 3]]);
        let of = |most| vocabulary(&counts, &[], most, 10).unwrap();
        assert_eq!(of(2).tokens(), [5, 6]);
        assert_eq!(of(3).tokens(), [3, 5, 6]);
        assert!(vocabulary(&counts, &[3, 4, 5, 6], 9, 10).is_err());
        let outside = vocabulary(&counts, &[], 9, 6).unwrap_err();
        assert!(outside.to_string().contains("token"), "{outside}");
    }
}
