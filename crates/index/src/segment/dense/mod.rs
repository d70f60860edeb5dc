//! A range of a dense channel: f32 rows, one or more for each document.
//!
//! Four bytes per dimension, scanned exactly; a scan runs at the speed of the memory. Not for millions
//! of documents: there the codes of a quantised index read a thirtieth of the bytes.

mod merge;
mod read;
mod write;

pub(crate) use merge::merge_ranges;
pub(crate) use read::DensePart;
pub(crate) use write::{PendingRows, check_row, row_bytes, write_rows};
