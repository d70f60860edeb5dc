//! What rows have to be before they are kept.

use super::{Rows, Shape};
use crate::error::VectorFault;
use crate::{Error, Result};

/// The square of the largest norm: products of two such vectors stay far below the largest f32.
const MAX_SQUARED_NORM: f64 = 1e36;
/// The largest weight of a term, in documents and in queries: sums of products of two such stay below the largest f32.
pub(crate) const MAX_WEIGHT: f32 = 1e15;

/// Checks that rows fit a channel; documents are called by number, from `first`.
pub(crate) fn check_rows(channel: &str, shape: Shape, first: u32, rows: Rows<'_>) -> Result<()> {
    let wrong = |subject, fault| Error::Vector { channel: channel.to_owned(), subject, fault };
    let count: u64 = rows.counts.iter().map(|&count| u64::from(count)).sum();
    let check = |each: usize, got: usize, fault: fn(u64, u64) -> VectorFault| {
        let (expected, got) = (count.saturating_mul(each as u64), got as u64);
        let same = expected == got;
        if same { Ok(()) } else { Err(wrong(format!("{count} rows"), fault(expected, got))) }
    };
    let length = |expected, got| VectorFault::Length { expected, got };
    check(shape.values(), rows.values.len(), length)?;
    check(shape.terms(), rows.terms.len(), |expected, got| VectorFault::Terms { expected, got })?;
    match shape {
        Shape::Dense { dimensions } => {
            let mut values = rows.values.chunks_exact(dimensions as usize);
            for (&count, doc) in rows.counts.iter().zip(first..) {
                for (row, number) in values.by_ref().take(count as usize).zip(0..) {
                    let subject = || format!("row {number} of document {doc}");
                    check_row(row).map_err(|fault| wrong(subject(), fault))?;
                }
            }
        }
        Shape::Sparse { terms: vocabulary } => {
            let mut start = 0;
            for (&count, doc) in rows.counts.iter().zip(first..) {
                let own = start..start + count as usize;
                start = own.end;
                check_weighted_terms(vocabulary, &rows.terms[own.clone()], &rows.values[own])
                    .map_err(|fault| wrong(format!("document {doc}"), fault))?;
            }
        }
    }
    Ok(())
}

/// Says what is wrong with a vector, if anything.
pub(crate) fn check_row(row: &[f32]) -> std::result::Result<(), VectorFault> {
    let squared: f64 = row.iter().map(|&x| f64::from(x) * f64::from(x)).sum();
    if squared <= MAX_SQUARED_NORM {
        return Ok(());
    }
    match row.iter().position(|x| !x.is_finite()) {
        Some(coordinate) => Err(VectorFault::NotFinite { coordinate }),
        None => Err(VectorFault::TooLong),
    }
}

/// Says what is wrong with the terms of a document or a query and their weights, if anything.
pub(crate) fn check_weighted_terms(
    vocabulary: u32,
    terms: &[u32],
    weights: &[f32],
) -> std::result::Result<(), VectorFault> {
    let mut before = None;
    for (&term, &weight) in terms.iter().zip(weights) {
        if term >= vocabulary {
            return Err(VectorFault::UnknownTerm { term, terms: vocabulary });
        }
        if before.is_some_and(|before| term <= before) {
            return Err(VectorFault::TermOrder { term });
        }
        if !(weight > 0.0 && weight <= MAX_WEIGHT) {
            return Err(VectorFault::Weight { term });
        }
        before = Some(term);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bad_vector_is_named() {
        assert_eq!(check_row(&[0.5, -0.5]), Ok(()));
        assert_eq!(check_row(&[]), Ok(()));
        let not_finite = |coordinate| Err(VectorFault::NotFinite { coordinate });
        assert_eq!(check_row(&[0.0, f32::NAN]), not_finite(1));
        assert_eq!(check_row(&[f32::NEG_INFINITY, f32::INFINITY]), not_finite(0));
        assert_eq!(check_row(&[1e18, 1e18]), Err(VectorFault::TooLong));
    }

    #[test]
    fn bad_terms_and_weights_are_named() {
        let check = |terms: &[u32], weights: &[f32]| check_weighted_terms(9, terms, weights);
        assert_eq!(check(&[], &[]), Ok(()));
        assert_eq!(check(&[0, 3, 8], &[1e15, f32::from_bits(1), 0.5]), Ok(()));
        assert_eq!(check(&[9], &[1.0]), Err(VectorFault::UnknownTerm { term: 9, terms: 9 }));
        assert_eq!(check(&[3, 3], &[1.0, 1.0]), Err(VectorFault::TermOrder { term: 3 }));
        assert_eq!(check(&[3, 2], &[1.0, 1.0]), Err(VectorFault::TermOrder { term: 2 }));
        for weight in [0.0, -0.0, -1.0, f32::NAN, f32::INFINITY, 2e15] {
            assert_eq!(check(&[4], &[weight]), Err(VectorFault::Weight { term: 4 }));
        }
    }
}
