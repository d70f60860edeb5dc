//! A range of a sparse channel: the weighted terms of each document, and the same by term.
//!
//! Twice the data, for two ways of reading it. By document, terms and f32 weights are what the encoder gave, without loss (8
//! bytes each): they decide scores. By term they are impacts (3 bytes each), which say where to look.

use super::impacts::{ImpactIndex, build_impacts};
use super::rows::{RowRun, RowTable, Shape};
use crate::Result;
use crate::format::part::{PartFile, SectionKind};
use crate::format::spool::SpoolRoom;
use ecphory_core::storage::Memory;

/// A verified sparse part.
#[derive(Debug)]
pub(crate) struct SparsePart {
    pub table: RowTable,
    pub impacts: ImpactIndex,
}

impl SparsePart {
    /// Compares the checksums of all sections and checks that no list and no row leads outside.
    pub fn verify(file: &PartFile) -> Result<Self> {
        let table = RowTable::verify(file, |terms| Shape::Sparse { terms })?;
        let rows = table.rows_of(0..table.documents());
        let terms = table.shape().size();
        // Searches look weights up by term.
        if table.terms(rows.clone()).iter().any(|&term| term >= terms) {
            return Err(file.corrupt(SectionKind::RowTerms, 0, "a term is not in the vocabulary"));
        }
        let impacts = ImpactIndex::verify(file, rows.len())?;
        Ok(Self { table, impacts })
    }

    /// Checks that the impacts are those of the rows.
    pub fn check_impacts(&self, file: &PartFile) -> Result<()> {
        let storage = Memory::new();
        let room = SpoolRoom { storage: &storage, limit: usize::MAX, part: 0 };
        let mut run = RowRun::default();
        run.push(&self.table, 0..self.table.documents());
        let expected = build_impacts(&run, self.table.shape().size(), room)?;
        for (section, pieces) in expected.sections() {
            let bytes = file.unchecked(section)?;
            let mut rest: &[u8] = &bytes;
            let same = pieces.iter().all(|piece| match rest.split_at_checked(piece.len()) {
                Some((own, after)) => {
                    rest = after;
                    own == *piece
                }
                None => false,
            });
            if !same || !rest.is_empty() {
                return Err(file.corrupt(section, 0, "the impacts are not those of the rows"));
            }
        }
        Ok(())
    }
}
