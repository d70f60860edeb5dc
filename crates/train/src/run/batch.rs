//! The batch of a step: queries, candidates, and which of them answers which.

use std::collections::HashMap;

use crate::block::{Block, BlockParts, Columns, Mask, Teacher as BlockTeacher};
use crate::data::TrainingData;
use crate::error::Result;
use crate::sampler::Group;
use crate::score::Layout;
use crate::teacher::Teacher;

/// Queries and their candidates.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Batch {
    /// The queries.
    pub(crate) queries: Vec<u32>,
    /// The candidates: each once where all queries share them, else those of the first query first.
    pub(crate) documents: Vec<u32>,
    /// How candidates are dealt to the queries.
    pub(crate) layout: Layout,
    /// The query that brought each candidate first.
    owners: Vec<Option<usize>>,
    /// For each query, the column of the positive that is its turn.
    positives: Vec<usize>,
    /// Which of the documents of own candidates are no repeats.
    firsts: Vec<bool>,
}

/// What a block says about a batch beside its scores.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Weights {
    /// One weight a query; empty where all are 1.
    pub(crate) queries: Vec<f32>,
    /// One weight a cell; empty where all are 1.
    pub(crate) cells: Vec<f32>,
}

impl Batch {
    /// Puts the groups of some queries side by side; the first document of a group is its positive.
    pub(crate) fn shared(queries: Vec<u32>, groups: &[Group]) -> Self {
        let mut batch = Self::empty(queries, Layout::Shared);
        let mut columns = HashMap::new();
        for (row, group) in groups.iter().enumerate() {
            let kept = group.documents.iter().zip(&group.valid).filter(|(_, valid)| **valid);
            for (place, (&document, _)) in kept.enumerate() {
                let column = *columns.entry(document).or_insert_with(|| {
                    batch.documents.push(document);
                    batch.owners.push(Some(row));
                    batch.documents.len() - 1
                });
                if place == 0 {
                    batch.positives.push(column);
                }
            }
        }
        batch
    }

    /// Gives every query the documents of its own group only.
    pub(crate) fn own(queries: Vec<u32>, groups: &[Group]) -> Self {
        let mut batch = Self::empty(queries, Layout::Own);
        batch.positives = vec![0; groups.len()];
        for group in groups {
            batch.documents.extend(&group.documents);
            batch.firsts.extend(&group.valid);
        }
        batch
    }

    fn empty(queries: Vec<u32>, layout: Layout) -> Self {
        let (documents, owners) = (Vec::new(), Vec::new());
        Self { queries, documents, layout, owners, positives: Vec::new(), firsts: Vec::new() }
    }

    /// How many columns the block has.
    fn width(&self) -> usize {
        match self.layout {
            Layout::Shared => self.documents.len(),
            Layout::Own => self.documents.len() / self.queries.len().max(1),
        }
    }

    /// How many scores the block has.
    pub(crate) fn cells(&self) -> usize {
        self.queries.len() * self.width()
    }

    /// The candidates of a query.
    pub(crate) fn candidates(&self, row: usize) -> &[u32] {
        match self.layout {
            Layout::Shared => &self.documents,
            Layout::Own => &self.documents[row * self.width()..][..self.width()],
        }
    }

    /// The column of the positive whose turn it is.
    pub(crate) fn positive(&self, row: usize) -> usize {
        self.positives[row]
    }

    /// Grades 1 for the positive of each query, 0 for everything else.
    pub(crate) fn gold(&self) -> Vec<f32> {
        let mut gold = vec![0.0; self.cells()];
        for (row, &column) in self.positives.iter().enumerate() {
            gold[row * self.width() + column] = 1.0;
        }
        gold
    }

    /// Which cells count: no repeats, and nothing else that answers a query.
    pub(crate) fn valid(&self, data: &TrainingData) -> Vec<bool> {
        let (rows, columns) = (self.queries.len(), self.width());
        let mask = Mask::full(rows, columns).without(|row, column| {
            let answers = data.positives(self.queries[row] as usize);
            let is_repeat = self.firsts.get(row * columns + column) == Some(&false);
            let answers =
                column != self.positives[row] && answers.contains(&self.candidates(row)[column]);
            is_repeat || answers
        });
        mask.into_valid()
    }

    /// Makes the block of their scores. What else answers a query is no negative of it.
    pub(crate) fn block(
        &self,
        data: &TrainingData,
        scores: Vec<f32>,
        teachers: &[&dyn Teacher],
        weights: Weights,
    ) -> Result<Block> {
        let (rows, columns) = (self.queries.len(), self.width());
        let mut of_teachers = Vec::with_capacity(teachers.len());
        for teacher in teachers {
            let mut scores = Vec::with_capacity(rows * columns);
            for (row, &query) in self.queries.iter().enumerate() {
                scores.extend(teacher.scores(query, self.candidates(row))?);
            }
            of_teachers.push(BlockTeacher::of_all(scores));
        }
        let columns_of = match self.layout {
            Layout::Shared => Columns::Shared(self.owners.clone()),
            Layout::Own => Columns::Own,
        };
        Ok(Block::new(BlockParts {
            queries: rows,
            candidates: columns,
            scores,
            valid: self.valid(data),
            gold: self.gold(),
            teachers: of_teachers,
            columns: columns_of,
            weights: weights.queries,
            cell_weights: weights.cells,
        })?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::{Judgment, Text};
    use crate::source::ScoreMatrix;

    fn data() -> TrainingData {
        let text = |id: String| Text { text: format!("text of {id}"), id };
        let documents = (0..5).map(|i| text(format!("d{i}"))).collect();
        let queries = (0..2).map(|i| text(format!("q{i}"))).collect();
        let judged = [("q0", "d0"), ("q0", "d1"), ("q1", "d1")];
        let judged = judged.map(|(query, document)| Judgment { query, document, relevant: true });
        TrainingData::new(documents, queries, judged).unwrap()
    }

    fn group(documents: &[u32], valid: &[bool]) -> Group {
        Group { documents: documents.to_vec(), valid: valid.to_vec() }
    }

    fn cells(block: &Block, of: impl Fn(usize, usize) -> bool) -> Vec<bool> {
        let columns = block.candidates();
        (0..block.queries() * columns).map(|cell| of(cell / columns, cell % columns)).collect()
    }

    #[test]
    fn candidates_stand_once_and_answers_are_no_negatives() {
        let data = data();
        // Query 0 with its first answer, query 1 with what answers query 0 too, and a negative that both have.
        let groups = [group(&[0, 4], &[true; 2]), group(&[1, 4], &[true; 2])];
        let batch = Batch::shared(vec![0, 1], &groups);
        assert_eq!(batch.documents, [0, 4, 1]);
        let scores = vec![0.1, 0.2, 0.3, 0.4, 0.5, 0.6];
        let teacher = ScoreMatrix::new(5, (0..10u8).map(f32::from).collect()).unwrap();
        let block = batch.block(&data, scores, &[&teacher], Weights::default()).unwrap();
        let gold = cells(&block, |row, column| block.gold(row, column) == 1.0);
        assert_eq!(gold, [true, false, false, false, false, true]);
        let counts = cells(&block, |row, column| block.counts(row, column));
        assert_eq!(counts, [true, true, false, true, true, true]);
        assert_eq!(block.teacher(0, 0, 1), Some(4.0));
        assert_eq!(block.teacher(0, 1, 2), Some(6.0));
    }

    #[test]
    fn own_candidates_are_masked_where_they_are_repeats() {
        let data = data();
        let groups = [group(&[0, 4, 4], &[true, true, false]), group(&[1, 3, 2], &[true; 3])];
        let batch = Batch::own(vec![0, 1], &groups);
        assert_eq!(batch.candidates(1), [1, 3, 2]);
        let block = batch.block(&data, vec![0.5; 6], &[], Weights::default()).unwrap();
        let counts = cells(&block, |row, column| block.counts(row, column));
        assert_eq!(counts, [true, true, false, true, true, true]);
        assert_eq!(block.columns(), &Columns::Own);
    }
}
