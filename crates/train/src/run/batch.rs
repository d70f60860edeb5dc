//! The batch of a step: queries, candidates, and which of them answers which.

use std::collections::HashMap;

use crate::block::{Block, BlockParts, Columns, Mask};
use crate::data::TrainingData;
use crate::error::Result;

/// Queries and the candidates that all of them share.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Batch {
    /// The queries.
    pub(super) queries: Vec<u32>,
    /// The candidates, each once.
    pub(super) documents: Vec<u32>,
    /// The query that brought each candidate first.
    owners: Vec<Option<usize>>,
    /// For each query, the column of the positive that is its turn.
    positives: Vec<usize>,
}

impl Batch {
    /// Puts the groups of some queries side by side; the first document of a group is its positive.
    pub(super) fn new(queries: Vec<u32>, groups: &[Vec<u32>]) -> Self {
        let mut batch =
            Self { queries, documents: Vec::new(), owners: Vec::new(), positives: Vec::new() };
        let mut columns = HashMap::new();
        for (row, group) in groups.iter().enumerate() {
            for (place, &document) in group.iter().enumerate() {
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

    /// Makes the block of their scores. What else answers a query is no negative of it.
    pub(super) fn block(&self, data: &TrainingData, scores: Vec<f32>) -> Result<Block> {
        let (rows, columns) = (self.queries.len(), self.documents.len());
        let mut gold = vec![0.0; rows * columns];
        for (row, &column) in self.positives.iter().enumerate() {
            gold[row * columns + column] = 1.0;
        }
        let mask = Mask::full(rows, columns).without(|row, column| {
            let answers = data.positives(self.queries[row] as usize);
            column != self.positives[row] && answers.contains(&self.documents[column])
        });
        Ok(Block::new(BlockParts {
            queries: rows,
            candidates: columns,
            scores,
            valid: mask.into_valid(),
            gold,
            columns: Columns::Shared(self.owners.clone()),
            ..BlockParts::default()
        })?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::{Judgment, Text};

    #[test]
    fn candidates_stand_once_and_answers_are_no_negatives() {
        let text = |id: String| Text { text: format!("text of {id}"), id };
        let documents = (0..5).map(|i| text(format!("d{i}"))).collect();
        let queries = (0..2).map(|i| text(format!("q{i}"))).collect();
        let judged = [("q0", "d0"), ("q0", "d1"), ("q1", "d1")];
        let judged = judged.map(|(query, document)| Judgment { query, document, relevant: true });
        let data = TrainingData::new(documents, queries, judged).unwrap();
        // Query 0 with its first answer, query 1 with what answers query 0 too, and a negative that both have.
        let batch = Batch::new(vec![0, 1], &[vec![0, 4], vec![1, 4]]);
        assert_eq!(batch.documents, [0, 4, 1]);
        let block = batch.block(&data, vec![0.1, 0.2, 0.3, 0.4, 0.5, 0.6]).unwrap();
        let cells = |of: &dyn Fn(usize, usize) -> bool| {
            (0..6).map(|cell| of(cell / 3, cell % 3)).collect::<Vec<_>>()
        };
        let gold = cells(&|row, column| block.gold(row, column) == 1.0);
        assert_eq!(gold, [true, false, false, false, false, true]);
        let counts = cells(&|row, column| block.counts(row, column));
        assert_eq!(counts, [true, true, false, true, true, true]);
    }
}
