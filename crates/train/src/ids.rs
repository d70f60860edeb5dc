//! The numbers of queries and documents: training counts them from 0, files name them by their ids.

use rustc_hash::FxHashMap;

use crate::error::{Error, Result};

/// Ids in the order of their numbers, and back.
#[derive(Clone, Debug)]
pub struct Ids {
    what: &'static str,
    names: Vec<Box<str>>,
    numbers: FxHashMap<Box<str>, u32>,
}

impl Ids {
    /// Numbers these queries in their order.
    ///
    /// # Errors
    /// Where an id is there twice.
    pub fn of_queries<S: AsRef<str>>(ids: impl IntoIterator<Item = S>) -> Result<Self> {
        Self::new("query", ids)
    }

    /// Numbers these documents in their order.
    ///
    /// # Errors
    /// Where an id is there twice.
    pub fn of_documents<S: AsRef<str>>(ids: impl IntoIterator<Item = S>) -> Result<Self> {
        Self::new("document", ids)
    }

    fn new<S: AsRef<str>>(what: &'static str, all: impl IntoIterator<Item = S>) -> Result<Self> {
        let mut made = Self { what, names: Vec::new(), numbers: FxHashMap::default() };
        for id in all {
            let id: Box<str> = id.as_ref().into();
            let second = made.names.len();
            if let Some(first) = made.numbers.insert(id.clone(), second as u32) {
                let first = first as usize;
                return Err(Error::DuplicateId { what, id: id.into(), first, second });
            }
            made.names.push(id);
        }
        Ok(made)
    }

    /// Returns how many there are.
    pub fn count(&self) -> usize {
        self.names.len()
    }

    /// Returns the number of an id.
    pub fn number(&self, id: &str) -> Option<u32> {
        self.numbers.get(id).copied()
    }

    /// Returns the id of a number.
    ///
    /// # Errors
    /// Where there are not so many.
    pub fn id(&self, number: u32) -> Result<&str> {
        let outside =
            || Error::Outside { what: self.what, number: number.into(), count: self.names.len() };
        self.names.get(number as usize).map(AsRef::as_ref).ok_or_else(outside)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_and_ids_lead_to_each_other() {
        let ids = Ids::of_queries(["q7", "q1", ""]).unwrap();
        assert_eq!((ids.count(), ids.number("q1"), ids.number("q2")), (3, Some(1), None));
        assert_eq!(ids.id(0).unwrap(), "q7");
        assert_eq!(ids.id(3).unwrap_err().to_string(), "query 3: there are 3");
        let error = Ids::of_documents(["a", "b", "a"]).unwrap_err();
        assert_eq!(error.to_string(), "document 0 and 2 have the same id `a`");
    }
}
