//! States that were computed before.

use std::path::{Path, PathBuf};

use ecphory_core::Silent;
use ecphory_model::{Precision, Role, TermHead, TrainableEncoder, TrainableOptions, convert};

use super::{Body, Sides};
use crate::error::Result;
use crate::matching::StateSlopes;
use crate::ragged::Ragged;
use crate::vectors::Vectors;
use crate::vocabulary::Vocabulary;

/// Where states are kept.
pub trait States: Sync {
    /// Returns how many values a state has.
    fn columns(&self) -> usize;

    /// Adds the states of a text as an item, which [`States::columns`] fits.
    ///
    /// # Errors
    /// Where there is no such text, or reading failed.
    fn append(&self, role: Role, number: u32, to: &mut Ragged) -> Result<()>;

    /// Returns the vocabulary whose terms the rows have; `None` where they have none.
    fn vocabulary(&self) -> Option<&Vocabulary> {
        None
    }
}

/// States with another vocabulary of the same terms, such as one whose vectors were made for them.
pub(crate) struct Revised<'a> {
    pub(crate) states: &'a dyn States,
    pub(crate) vocabulary: &'a Vocabulary,
}

impl States for Revised<'_> {
    fn columns(&self) -> usize {
        self.states.columns()
    }

    fn append(&self, role: Role, number: u32, to: &mut Ragged) -> Result<()> {
        self.states.append(role, number, to)
    }

    fn vocabulary(&self) -> Option<&Vocabulary> {
        Some(self.vocabulary)
    }
}

/// Reads the states of texts, an item for each.
pub(crate) fn rows(states: &dyn States, role: Role, numbers: &[u32]) -> Result<Ragged> {
    let columns = states.columns();
    let mut made = Ragged { columns, offsets: vec![0], ..Ragged::default() };
    for &number in numbers {
        states.append(role, number, &mut made)?;
    }
    Ok(made)
}

/// A body that only reads.
pub struct Held<'a> {
    states: &'a dyn States,
    directory: PathBuf,
}

impl<'a> Held<'a> {
    /// Reads states of the model in a directory.
    pub fn new(states: &'a dyn States, directory: &Path) -> Self {
        Self { states, directory: directory.to_owned() }
    }
}

impl Body for Held<'_> {
    fn columns(&self) -> usize {
        self.states.columns()
    }

    fn vocabulary(&self) -> Option<&Vocabulary> {
        self.states.vocabulary()
    }

    fn read(&self, role: Role, numbers: &[u32]) -> Result<Ragged> {
        rows(self.states, role, numbers)
    }

    fn forward(&mut self, queries: &[u32], documents: &[u32]) -> Result<Sides> {
        Ok(Sides {
            queries: self.read(Role::Query, queries)?,
            documents: self.read(Role::Document, documents)?,
        })
    }

    fn backward(&mut self, _slopes: StateSlopes) -> Result<()> {
        Ok(())
    }

    fn save(&self, directory: &Path) -> Result<()> {
        convert(&self.directory, directory, Precision::F32, &Silent)?;
        Ok(())
    }

    fn save_with_terms(&self, directory: &Path, head: &TermHead<'_>) -> Result<()> {
        let encoder = TrainableEncoder::open(&self.directory, &TrainableOptions::default())?;
        Ok(encoder.save_with_terms(directory, head)?)
    }
}

/// Single vectors of queries and of documents.
impl States for (Vectors<'_>, Vectors<'_>) {
    fn columns(&self) -> usize {
        self.0.columns()
    }

    fn append(&self, role: Role, number: u32, to: &mut Ragged) -> Result<()> {
        let side = match role {
            Role::Query => self.0,
            Role::Document => self.1,
        };
        to.values.extend_from_slice(side.row(number as usize));
        to.offsets.push(to.rows() + 1);
        Ok(())
    }
}
