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
    /// `matches` of something that is no BM25 channel.
    #[error("`{channel}` is no bm25 channel, whose words `matches` looks for{}", among(channels))]
    NoWords {
        /// As written.
        channel: String,
        /// The channels that are.
        channels: Vec<String>,
    },
    /// `matches` of a text of which nothing is left to look for.
    #[error("the analyser of `{channel}` leaves no word of {words:?} to look for")]
    NoTerms {
        /// The channel.
        channel: String,
        /// The text.
        words: String,
    },
    /// `*` behind something other than one word.
    #[error("before `*` stands the beginning of one word, not {beginning:?}")]
    Beginning {
        /// What stands there.
        beginning: String,
    },
    /// `geo_within` on a field that is not declared.
    #[error("the field `{field}` is not declared; `geo_within` works on fields declared geo")]
    NoGeo {
        /// The field.
        field: String,
    },
}

/// Names what there is to choose from.
fn among(channels: &[String]) -> String {
    match channels {
        [] => "; the collection has none".to_owned(),
        some => format!("; there is {}", some.join(", ")),
    }
}
