//! Teachers: whose scores a model learns from.
//!
//! A [`Teacher`] scores documents for a query. [`StoredScores`] were written by somebody else before; a model that runs
//! now implements the trait where it lives; an [`Ensemble`] brings several onto one scale and adds them up.

mod ensemble;
mod normaliser;
mod spec;
mod stored;
#[cfg(test)]
mod tests;

pub use ensemble::{Ensemble, Member};
pub(crate) use normaliser::Moments;
pub use normaliser::{FLAT_BELOW, Normaliser, Shape};
pub use spec::TeacherSpec;
pub use stored::StoredScores;

use crate::error::{Error, Result};

/// Scores documents for a query; a higher score is more relevant.
pub trait Teacher: Sync {
    /// Returns one finite score for each document, in their order.
    ///
    /// # Errors
    /// Where it cannot score one of them.
    fn scores(&self, query: u32, documents: &[u32]) -> Result<Vec<f32>>;
}

/// Returns by how much the teacher prefers the positive to each of the negatives.
///
/// # Errors
/// Where the teacher cannot score one of them.
pub fn margins(
    teacher: &dyn Teacher,
    query: u32,
    positive: u32,
    negatives: &[u32],
) -> Result<Vec<f32>> {
    let mut documents = vec![positive];
    documents.extend_from_slice(negatives);
    let scores = checked(teacher, query, &documents)?;
    Ok(scores[1..].iter().map(|score| scores[0] - score).collect())
}

/// Asks a teacher that may be anybody's, and checks what it says.
pub(crate) fn checked(teacher: &dyn Teacher, query: u32, documents: &[u32]) -> Result<Vec<f32>> {
    let scores = teacher.scores(query, documents)?;
    let (expected, got) = (documents.len(), scores.len());
    if expected != got {
        return Err(Error::Shape { what: "scores of the teacher", expected, got });
    }
    match scores.iter().position(|score| !score.is_finite()) {
        None => Ok(scores),
        Some(column) => {
            let (what, row, value) =
                ("scores of the teacher for query", query as usize, scores[column]);
            Err(Error::NotFinite { what, row, column, value })
        }
    }
}
