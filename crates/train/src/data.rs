//! What a retriever is trained on: documents, queries, and which document answers which query.

mod problem;

use std::collections::HashMap;

use ecphory_core::checksum::hex;
pub use problem::DataError;
use sha2::{Digest, Sha256};

use crate::error::{Error, Result};

/// A text and the id by which judgments know it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Text {
    /// The id.
    pub id: String,
    /// The text.
    pub text: String,
}

/// Documents, queries and their positives. Made by [`TrainingData::new`] and [`TrainingData::of_documents`] only, so that every number below is the
/// index of something that is there.
#[derive(Clone, Debug, PartialEq)]
pub struct TrainingData {
    documents: Vec<Text>,
    queries: Vec<Text>,
    /// For each query, the documents that answer it, in order.
    positives: Vec<Vec<u32>>,
}

/// A judgment: a query, a document, and whether the one answers the other.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Judgment<'a> {
    /// The query's id.
    pub query: &'a str,
    /// The document's id.
    pub document: &'a str,
    /// Whether the document is relevant.
    pub relevant: bool,
}

impl TrainingData {
    /// Joins judgments with the texts that they name. Queries that no judgment names are left out.
    ///
    /// # Errors
    /// Where an id comes twice or names nothing, a judged text is empty, or a judged query has no relevant
    /// document.
    pub fn new<'a>(
        documents: Vec<Text>,
        queries: Vec<Text>,
        judgments: impl IntoIterator<Item = Judgment<'a>>,
    ) -> Result<Self> {
        let places = index("document", &documents)?;
        let query_places = index("query", &queries)?;
        let mut judged = vec![false; queries.len()];
        let mut positives = vec![Vec::new(); queries.len()];
        for judgment in judgments {
            let query = find("query", &query_places, judgment.query)?;
            let document = find("document", &places, judgment.document)?;
            judged[query] = true;
            if judgment.relevant {
                not_empty("document", &documents[document])?;
                positives[query].push(document as u32);
            }
        }
        let mut data = Self { documents, queries: Vec::new(), positives: Vec::new() };
        for ((text, mut found), judged) in queries.into_iter().zip(positives).zip(judged) {
            if !judged {
                continue;
            }
            not_empty("query", &text)?;
            found.sort_unstable();
            found.dedup();
            if found.is_empty() {
                return Err(Error::from(DataError::NoPositive { query: text.id }));
            }
            data.queries.push(text);
            data.positives.push(found);
        }
        if data.queries.is_empty() {
            return Err(Error::from(DataError::NothingToTrainOn));
        }
        Ok(data)
    }

    /// Takes documents alone, for training that reads no labels.
    ///
    /// # Errors
    /// Where an id comes twice.
    pub fn of_documents(documents: Vec<Text>) -> Result<Self> {
        index("document", &documents)?;
        Ok(Self { documents, queries: Vec::new(), positives: Vec::new() })
    }

    /// Returns the documents.
    pub fn documents(&self) -> &[Text] {
        &self.documents
    }

    /// Returns the queries that have judgments.
    pub fn queries(&self) -> &[Text] {
        &self.queries
    }

    /// Returns the documents that answer a query, in increasing order; at least one.
    pub fn positives(&self, query: usize) -> &[u32] {
        &self.positives[query]
    }

    /// Returns a SHA-256 digest, in hexadecimal, of everything in the data that training sees.
    pub fn digest(&self) -> String {
        let mut sha = Sha256::new();
        let mut put = |text: &str| {
            sha.update((text.len() as u64).to_le_bytes());
            sha.update(text);
        };
        for Text { id, text } in self.documents().iter().chain(self.queries()) {
            put(id);
            put(text);
        }
        for query in 0..self.queries().len() {
            put(&format!("{:?}", self.positives(query)));
        }
        hex(&sha.finalize())
    }

    /// Returns how many pairs of a query and a document that answers it there are.
    pub fn pairs(&self) -> usize {
        self.positives.iter().map(Vec::len).sum()
    }
}

fn index<'a>(what: &'static str, texts: &'a [Text]) -> Result<HashMap<&'a str, usize>> {
    let mut places = HashMap::with_capacity(texts.len());
    for (place, text) in texts.iter().enumerate() {
        if places.insert(&*text.id, place).is_some() {
            return Err(Error::from(DataError::Twice { what, id: text.id.clone() }));
        }
    }
    Ok(places)
}

fn find(what: &'static str, places: &HashMap<&str, usize>, id: &str) -> Result<usize> {
    places
        .get(id)
        .copied()
        .ok_or_else(|| Error::from(DataError::Unknown { what, id: id.to_owned() }))
}

fn not_empty(what: &'static str, text: &Text) -> Result<()> {
    if text.text.trim().is_empty() {
        return Err(Error::from(DataError::EmptyText { what, id: text.id.clone() }));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn texts(all: &[(&str, &str)]) -> Vec<Text> {
        all.iter().map(|(id, text)| Text { id: (*id).into(), text: (*text).into() }).collect()
    }

    fn judged<'a>(all: &'a [(&'a str, &'a str, bool)]) -> impl Iterator<Item = Judgment<'a>> {
        all.iter().map(|&(query, document, relevant)| Judgment { query, document, relevant })
    }

    #[test]
    fn the_digest_changes_with_whatever_changes_training() {
        let data = |document: &str, query: &str, second: bool| {
            let documents = texts(&[("a", document), ("b", "other")]);
            let mut all = vec![("q", "a", true)];
            all.extend(second.then_some(("q", "b", true)));
            TrainingData::new(documents, texts(&[("q", query)]), judged(&all)).unwrap().digest()
        };
        let first = data("one", "two", false);
        assert_eq!(first, data("one", "two", false));
        assert_eq!(first.len(), 64);
        for other in [data("on", "two", false), data("one", "tw", false), data("one", "two", true)]
        {
            assert_ne!(first, other);
        }
    }

    #[test]
    fn documents_alone_are_data_without_queries() {
        let data = TrainingData::of_documents(texts(&[("d1", "one"), ("d2", "")])).unwrap();
        assert_eq!((data.documents().len(), data.queries().len(), data.pairs()), (2, 0, 0));
        let other = TrainingData::of_documents(texts(&[("d1", "one"), ("d2", "two")])).unwrap();
        assert_ne!(data.digest(), other.digest());
        let twice = TrainingData::of_documents(texts(&[("d", "a"), ("d", "b")]));
        assert_eq!(twice.unwrap_err().to_string(), "the document `d` comes twice");
    }

    #[test]
    fn judgments_find_their_texts() {
        let documents = texts(&[("d1", "one"), ("d2", "two"), ("d3", "three")]);
        let queries = texts(&[("unjudged", "?"), ("q", "which")]);
        let judgments =
            [("q", "d3", true), ("q", "d1", true), ("q", "d2", false), ("q", "d3", true)];
        let data = TrainingData::new(documents, queries, judged(&judgments)).unwrap();
        assert_eq!(data.queries()[0].id, "q");
        assert_eq!((data.positives(0), data.pairs()), (&[0, 2][..], 2));
    }

    #[test]
    fn what_is_wrong_is_named() {
        let error = |documents: &[(&str, &str)], queries: &[(&str, &str)], judgments| {
            let made = TrainingData::new(texts(documents), texts(queries), judged(judgments));
            made.unwrap_err().to_string()
        };
        let (d, q) = ([("d", "text")], [("q", "text")]);
        assert_eq!(error(&d, &q, &[("q", "x", true)]), "no document has the id `x`");
        assert_eq!(error(&d, &q, &[("x", "d", true)]), "no query has the id `x`");
        assert_eq!(error(&[("d", "a"), ("d", "b")], &q, &[]), "the document `d` comes twice");
        assert_eq!(error(&d, &[("q", " \n")], &[("q", "d", true)]), "the query `q` has no text");
        assert_eq!(error(&[("d", "")], &q, &[("q", "d", true)]), "the document `d` has no text");
        let text = error(&d, &q, &[("q", "d", false)]);
        assert!(text.starts_with("the query `q` has no relevant document"), "{text}");
        assert!(error(&d, &q, &[]).starts_with("no query has a relevant document"));
    }
}
