//! What fields say about documents: counts of their values, and orders other than that of scores.

use std::fmt;
use std::str::FromStr;

use ecphory_core::{DocAddress, Value};
use ecphory_index::Filter;
use rustc_hash::FxHashMap;

use crate::{Error, Hit, Reader, Result};

/// An order of documents by a field's values; those without one come last.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Order {
    /// The field.
    pub field: String,
    /// Whether the largest value comes first.
    pub descending: bool,
}

impl FromStr for Order {
    type Err = Error;

    /// Reads `year`, `year:asc` or `year:desc`.
    fn from_str(text: &str) -> Result<Self> {
        let (field, descending) = match text.rsplit_once(':') {
            Some((field, "desc")) => (field, true),
            Some((field, "asc")) => (field, false),
            _ => (text, false),
        };
        if field.is_empty() {
            return Err(Error::Order { text: text.to_owned() });
        }
        Ok(Self { field: field.to_owned(), descending })
    }
}

impl fmt::Display for Order {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.field, if self.descending { "desc" } else { "asc" })
    }
}

impl Reader {
    /// Counts the documents with each value of a field: of all documents, or of those that match a filter.
    /// The most frequent values come first, at most `limit` of them.
    ///
    /// # Errors
    /// Where there is no such field, the filter does not fit the fields, or a file is damaged.
    pub fn facets(
        &self,
        field: &str,
        filter: Option<&Filter>,
        limit: usize,
    ) -> Result<Vec<(Value, u64)>> {
        let selection = filter.map(|filter| self.snapshot.select(filter)).transpose()?;
        Ok(self.snapshot.facets(field, selection.as_ref(), limit)?)
    }

    /// Returns the first `k` documents in the order of a field: of all, or of those that match a filter.
    /// Their scores are 0.
    ///
    /// # Errors
    /// As [`Reader::facets`].
    pub fn browse(&self, order: &Order, filter: Option<&Filter>, k: usize) -> Result<Vec<Hit>> {
        let selection = filter.map(|filter| self.snapshot.select(filter)).transpose()?;
        let snapshot = &self.snapshot;
        let first = snapshot.sort_by(&order.field, order.descending, selection.as_ref(), k)?;
        let hit = |at| {
            let (id, document) = (snapshot.id(at)?.to_owned(), Some(snapshot.document(at)?));
            Ok(Hit { id, score: 0.0, document, explanation: None })
        };
        first.into_iter().map(hit).collect()
    }

    /// Puts hits of this reader in the order of a field.
    ///
    /// # Errors
    /// As [`Reader::facets`].
    pub fn reorder(&self, hits: Vec<Hit>, order: &Order) -> Result<Vec<Hit>> {
        let mut found: FxHashMap<DocAddress, Hit> = FxHashMap::default();
        for hit in hits {
            if let Some(at) = self.snapshot.find(&hit.id)? {
                found.insert(at, hit);
            }
        }
        let selection = self.snapshot.select_addresses(found.keys().copied())?;
        let (field, k) = (order.field.as_str(), found.len());
        let sorted = self.snapshot.sort_by(field, order.descending, Some(&selection), k)?;
        Ok(sorted.into_iter().filter_map(|at| found.remove(&at)).collect())
    }
}
