//! What can be wrong with a filter.

use crate::FieldKind;
use crate::date::EXAMPLES;

/// What is wrong at a place of a filter.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum FilterProblem {
    /// Something else has to stand here.
    #[error("expected {expected}, found {found}")]
    Expected {
        /// What could stand here.
        expected: &'static str,
        /// What stands here.
        found: String,
    },
    /// Too many parentheses and `not` in each other.
    #[error("the filter nests deeper than {limit} levels; write it flatter")]
    TooDeep {
        /// How deep it may nest.
        limit: usize,
    },
    /// A declared field is compared with a literal of another type.
    #[error("the field `{field}` is declared {kind}, so it cannot be compared with {literal}")]
    Type {
        /// The field.
        field: String,
        /// Its declared kind.
        kind: FieldKind,
        /// The literal, with its type.
        literal: String,
    },
    /// A field of dates is compared with a text that is none.
    #[error("the field `{field}` is declared date, and {text:?} is none; write it as {EXAMPLES}")]
    NoDate {
        /// The field.
        field: String,
        /// The text.
        text: String,
    },
    /// An operator that the declared kind of the field does not have.
    #[error("the field `{field}` is declared {kind}, {operator} works on {works_on}")]
    Operator {
        /// The field.
        field: String,
        /// Its declared kind.
        kind: FieldKind,
        /// The operator.
        operator: &'static str,
        /// On what it works.
        works_on: &'static str,
    },
    /// `geo_within` on a field that is not declared.
    #[error("the field `{field}` is not declared; `geo_within` works on fields declared geo")]
    NoGeo {
        /// The field.
        field: String,
    },
}
