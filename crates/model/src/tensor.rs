//! One tensor, still in the map of its file.

use std::path::PathBuf;
use std::sync::Arc;

use ecphory_core::storage::Bytes;

use crate::stored::Stored;

/// One tensor: its bytes in the map of its file, and what they mean.
///
/// Its last dimension is a whole number of blocks of its stored, and its bytes are as many as its shape needs: the
/// reader of the file has checked both.
#[derive(Clone, Debug)]
pub(crate) struct Tensor {
    pub(crate) name: String,
    pub(crate) path: Arc<PathBuf>,
    pub(crate) shape: Vec<usize>,
    pub(crate) stored: Stored,
    pub(crate) bytes: Bytes,
    /// Rows of a head, where llama.cpp has brought the two halves of each head's rows together: it rotates
    /// neighbouring values, Hugging Face values half a head apart. Rows are given out in the order of the latter.
    pub(crate) interleaved: Option<usize>,
}

impl Tensor {
    /// Decodes all values.
    pub(crate) fn to_vec(&self) -> Vec<f32> {
        let mut values = vec![0.0; self.shape.iter().product()];
        let set = |to: &mut f32, value| *to = value;
        if self.interleaved.is_none() {
            self.stored.decode(&self.bytes, &mut values, set);
            return values;
        }
        let columns = self.columns();
        for (row, out) in values.chunks_exact_mut(columns).enumerate() {
            self.decode_row(row, out, set);
        }
        values
    }

    /// Adds row `index` of a matrix to `out`.
    pub(crate) fn add_row(&self, index: usize, out: &mut [f32]) {
        debug_assert_eq!(self.shape[1..], [out.len()]);
        self.decode_row(index, out, |to, value| *to += value);
    }

    /// Decodes row `index` of a matrix.
    pub(crate) fn copy_row(&self, index: usize, out: &mut [f32]) {
        debug_assert_eq!(self.shape[1..], [out.len()]);
        self.decode_row(index, out, |to, value| *to = value);
    }

    /// Says that the values will not be needed soon, so that the file's memory can be given back.
    pub(crate) fn unload(&self) {
        self.bytes.unload();
    }

    fn columns(&self) -> usize {
        self.shape[1..].iter().product()
    }

    fn decode_row(&self, row: usize, out: &mut [f32], put: impl Fn(&mut f32, f32)) {
        let place = self.interleaved.map_or(row, |rows| interleaved_row(row, rows));
        let bytes = &self.bytes[self.stored.bytes_of(place * out.len())..];
        self.stored.decode(bytes, out, put);
    }
}

/// Returns where the row of a head is, after its two halves were interleaved.
fn interleaved_row(row: usize, head_rows: usize) -> usize {
    let (head, row) = (row / head_rows * head_rows, row % head_rows);
    let half = head_rows / 2;
    if row < half { head + 2 * row } else { head + 2 * (row - half) + 1 }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn halves_of_a_head_come_apart_again() {
        // Two heads of six rows, stored as 0 3 1 4 2 5 and 6 9 7 10 8 11.
        let stored = [0u8, 3, 1, 4, 2, 5, 6, 9, 7, 10, 8, 11];
        let bytes = stored.iter().flat_map(|&v| f32::from(v).to_le_bytes()).collect();
        let mut tensor = Tensor {
            name: String::new(),
            path: Arc::default(),
            shape: vec![12],
            stored: Stored::F32,
            bytes: Bytes::from_vec(bytes),
            interleaved: Some(6),
        };
        let expected: Vec<f32> = (0u8..12).map(f32::from).collect();
        assert_eq!(tensor.to_vec(), expected);
        tensor.interleaved = None;
        assert_eq!(tensor.to_vec(), stored.map(f32::from));
    }
}
