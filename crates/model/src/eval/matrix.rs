//! The states of a batch, in memory that goes from one operation to the next.

use std::sync::{Arc, Mutex, PoisonError};

use ecphory_kernels::nn::{Rows, RowsMut};

/// Memory of states that are not in use. Clones share it.
#[derive(Clone, Default)]
pub(super) struct Buffers(Arc<Mutex<Vec<Vec<f32>>>>);

/// One row for each token. Its memory goes back to where it is from when it is dropped.
pub(crate) struct Matrix {
    /// Longer than what is used of it where it was longer before: growing again would fill it with zeros.
    buffer: Vec<f32>,
    length: usize,
    pub(crate) columns: usize,
    home: Buffers,
}

impl Buffers {
    /// Returns a matrix whose values are arbitrary.
    pub(super) fn take(&self, rows: usize, columns: usize) -> Matrix {
        let length = rows * columns;
        let mut buffer = self.best(length).unwrap_or_default();
        if buffer.len() < length {
            buffer.resize(length, 0.0);
        }
        Matrix { buffer, length, columns, home: self.clone() }
    }

    /// Takes out the smallest buffer that is long enough, or else the longest.
    fn best(&self, length: usize) -> Option<Vec<f32>> {
        let mut free = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let fits = |buffer: &Vec<f32>| buffer.len() >= length;
        let by_length = |&index: &usize| free[index].len();
        let indices = || 0..free.len();
        let best = indices().filter(|&i| fits(&free[i])).min_by_key(by_length);
        let best = best.or_else(|| indices().max_by_key(by_length))?;
        Some(free.swap_remove(best))
    }
}

impl Matrix {
    /// Returns all values, row after row.
    pub(crate) fn values(&self) -> &[f32] {
        &self.buffer[..self.length]
    }

    /// Returns all values to be changed.
    pub(crate) fn values_mut(&mut self) -> &mut [f32] {
        &mut self.buffer[..self.length]
    }

    /// Returns how many rows there are.
    pub(super) fn count(&self) -> usize {
        self.length / self.columns
    }

    /// Returns the rows for a kernel.
    pub(super) fn rows(&self) -> Rows<'_> {
        Rows::dense(self.values(), self.columns)
    }

    /// Returns the rows for a kernel to write to.
    pub(super) fn rows_mut(&mut self) -> RowsMut<'_> {
        let columns = self.columns;
        RowsMut::dense(self.values_mut(), columns)
    }
}

impl Drop for Matrix {
    fn drop(&mut self) {
        let buffer = std::mem::take(&mut self.buffer);
        self.home.0.lock().unwrap_or_else(PoisonError::into_inner).push(buffer);
    }
}

#[cfg(test)]
mod tests {
    use super::Buffers;

    #[test]
    fn memory_is_used_again() {
        let buffers = Buffers::default();
        let (small, large) = (buffers.take(2, 3), buffers.take(4, 5));
        let places = [small.values().as_ptr(), large.values().as_ptr()];
        drop((small, large));
        let (first, second) = (buffers.take(1, 6), buffers.take(1, 7));
        assert_eq!([first.values().as_ptr(), second.values().as_ptr()], places);
        assert_eq!((first.values().len(), second.values().len()), (6, 7));
    }
}
