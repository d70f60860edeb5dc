//! Masks: which candidates must not be held against a query.

use std::collections::HashSet;

use super::BlockError;

/// Which cells of a block count; begins with all of them, and loses some with every rule.
///
/// ```
/// use ecphory_train::block::Mask;
///
/// // Two queries share four candidates; documents 7 and 7 are two crops of one document.
/// let gold = [1.0, 0.0, 0.0, 0.0, 0.0, 1.0, 0.0, 0.0];
/// let mask = Mask::full(2, 4).without_copies_of_gold(&[7, 8, 7, 9], &gold)?;
/// assert_eq!(mask.into_valid(), [true, true, false, true, true, true, true, true]);
/// # Ok::<(), ecphory_train::block::BlockError>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mask {
    queries: usize,
    candidates: usize,
    valid: Vec<bool>,
}

impl Mask {
    /// Makes a mask in which every cell counts.
    pub fn full(queries: usize, candidates: usize) -> Self {
        Self { queries, candidates, valid: vec![true; queries * candidates] }
    }

    /// Takes out the cells that a rule names by query and candidate.
    #[must_use]
    pub fn without(mut self, mut barred: impl FnMut(usize, usize) -> bool) -> Self {
        for (cell, valid) in self.valid.iter_mut().enumerate() {
            *valid = *valid && !barred(cell / self.candidates, cell % self.candidates);
        }
        self
    }

    /// Takes out, for each query, the candidates that are the same document as one with a grade, but have none: other copies,
    /// or other crops, of what is relevant. Of two graded cells with one id the first stays.
    ///
    /// `ids` has one document for each column, or one for each cell; `gold` has one grade for each cell.
    ///
    /// # Errors
    /// Another number of ids or grades.
    pub fn without_copies_of_gold(self, ids: &[u64], gold: &[f32]) -> Result<Self, BlockError> {
        self.without_copies(ids, gold, |_, _| false)
    }

    /// Takes out what [`Mask::without_copies_of_gold`] does, and of candidates without a grade that stand several times in a
    /// row all but the first: a group that is filled up by repeating negatives would count them several times.
    ///
    /// # Errors
    /// Another number of ids or grades.
    pub fn without_repeats(self, ids: &[u64], gold: &[f32]) -> Result<Self, BlockError> {
        let mut seen = HashSet::new();
        self.without_copies(ids, gold, move |row, id| !seen.insert((row, id)))
    }

    /// Returns the mask, row-major, as [`super::BlockParts::valid`] takes it.
    pub fn into_valid(self) -> Vec<bool> {
        self.valid
    }

    fn without_copies(
        self,
        ids: &[u64],
        gold: &[f32],
        mut is_repeat: impl FnMut(usize, u64) -> bool,
    ) -> Result<Self, BlockError> {
        let (queries, candidates) = (self.queries, self.candidates);
        let wrong = |what, got| BlockError::MaskInput { what, got, queries, candidates };
        if gold.len() != self.valid.len() {
            return Err(wrong("grades", gold.len()));
        }
        if ids.len() != candidates && ids.len() != self.valid.len() {
            return Err(wrong("ids", ids.len()));
        }
        let id = |cell: usize| ids[if ids.len() == candidates { cell % candidates } else { cell }];
        let mut relevant = HashSet::new();
        let mut kept = HashSet::new();
        let mut firsts = HashSet::new();
        for cell in (0..gold.len()).filter(|&cell| gold[cell] > 0.0) {
            let document = (cell / candidates, id(cell));
            relevant.insert(document);
            if self.valid[cell] && kept.insert(document) {
                firsts.insert(cell);
            }
        }
        Ok(self.without(|row, column| {
            let cell = row * candidates + column;
            if relevant.contains(&(row, id(cell))) {
                return !firsts.contains(&cell);
            }
            is_repeat(row, id(cell))
        }))
    }
}
