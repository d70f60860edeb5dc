//! Columns: the values of a segment's fields, field by field, for filters, facets and sorting.
//!
//! Every column is the sorted list of the different values, as [keys](key), and for each document the
//! ranks of its values in that list, its ordinals: 1, 2 or 4 bytes for each document, by the number of
//! values. A condition is evaluated on the values once; what is left is one pass over the ordinals, less
//! than a millisecond for a million documents. Not for long texts: each different one is stored whole.
//!
//! Which fields have a column is decided by `Schema::column_rule`; where a field has none, the part says so,
//! and whoever needs its values reads the stored documents, and finds the same.

mod build;
mod key;
mod merge;
mod read;
mod select;
mod write;

#[cfg(test)]
mod tests;

pub(crate) use build::build_columns;
pub(crate) use key::{
    Coding, Key, Point, after_prefix, point_of, put_bool, put_date, put_float, put_integer,
    put_text,
};
pub(crate) use merge::{MergeInput, merge_columns};
pub(crate) use read::{Column, ColumnsPart, Found};
pub(crate) use select::{KeyRange, KeyTest};

/// The longest text of an undeclared field that goes into a column.
pub(crate) const MAX_KEYWORD_BYTES: usize = 256;
