//! Views of matrices whose rows may lie apart, such as one head's part of a token's queries.

use std::marker::PhantomData;
use std::ops::Range;

use super::pack::PANEL;

/// Rows of equal length; row `i` starts at `i * stride`.
#[derive(Clone, Copy, Debug)]
pub struct Rows<'a> {
    values: &'a [f32],
    count: usize,
    columns: usize,
    stride: usize,
}

impl<'a> Rows<'a> {
    /// Views `count` rows of `columns` values that start `stride` apart, the first at the start of `values`.
    ///
    /// # Panics
    /// Where `values` is too short, or rows would overlap.
    pub fn new(values: &'a [f32], count: usize, columns: usize, stride: usize) -> Self {
        check(values.len(), count, columns, stride);
        Self { values, count, columns, stride }
    }

    /// Views rows that lie end to end.
    ///
    /// # Panics
    /// Where `values` is not a whole number of rows.
    pub fn dense(values: &'a [f32], columns: usize) -> Self {
        assert!(columns > 0 && values.len().is_multiple_of(columns), "not a whole number of rows");
        Self { values, count: values.len() / columns, columns, stride: columns }
    }

    /// Returns how many rows there are.
    pub fn count(&self) -> usize {
        self.count
    }

    /// Returns how long a row is.
    pub fn columns(&self) -> usize {
        self.columns
    }

    /// Keeps some rows.
    ///
    /// # Panics
    /// Where there are no such rows.
    #[must_use]
    pub fn rows(self, rows: Range<usize>) -> Self {
        assert!(rows.start <= rows.end && rows.end <= self.count, "rows outside");
        let first = (rows.start * self.stride).min(self.values.len());
        Self { values: &self.values[first..], count: rows.len(), ..self }
    }

    /// Keeps some columns.
    ///
    /// # Panics
    /// Where there are no such columns, or none at all.
    #[must_use]
    pub fn at_columns(self, columns: Range<usize>) -> Self {
        assert!(columns.start < columns.end && columns.end <= self.columns, "columns outside");
        let first = columns.start.min(self.values.len());
        Self { values: &self.values[first..], columns: columns.len(), ..self }
    }

    /// Returns row `index`.
    #[inline]
    pub fn row(&self, index: usize) -> &'a [f32] {
        &self.values[index * self.stride..][..self.columns]
    }
}

/// Rows to write to; see [`Rows`].
///
/// Columns can be given to different threads, whose parts of a row then lie side by side in memory: hence a
/// pointer inside, and no slice of the whole.
#[derive(Debug)]
pub struct RowsMut<'a> {
    first: *mut f32,
    count: usize,
    columns: usize,
    stride: usize,
    values: PhantomData<&'a mut [f32]>,
}

// SAFETY: the values of the rows belong to this view alone, as those of a `&mut [f32]` would.
unsafe impl Send for RowsMut<'_> {}

impl<'a> RowsMut<'a> {
    /// Views rows as [`Rows::new`] does.
    ///
    /// # Panics
    /// Where `values` is too short, or rows would overlap.
    pub fn new(values: &'a mut [f32], count: usize, columns: usize, stride: usize) -> Self {
        check(values.len(), count, columns, stride);
        Self { first: values.as_mut_ptr(), count, columns, stride, values: PhantomData }
    }

    /// Views rows that lie end to end.
    ///
    /// # Panics
    /// Where `values` is not a whole number of rows.
    pub fn dense(values: &'a mut [f32], columns: usize) -> Self {
        assert!(columns > 0 && values.len().is_multiple_of(columns), "not a whole number of rows");
        let count = values.len() / columns;
        Self { first: values.as_mut_ptr(), count, columns, stride: columns, values: PhantomData }
    }

    /// Returns how many rows there are.
    pub fn count(&self) -> usize {
        self.count
    }

    /// Returns how long a row is.
    pub fn columns(&self) -> usize {
        self.columns
    }

    /// Returns some of the rows.
    ///
    /// # Panics
    /// Where there are no such rows.
    pub fn rows_mut(&mut self, rows: Range<usize>) -> RowsMut<'_> {
        assert!(rows.start <= rows.end && rows.end <= self.count, "rows outside");
        let first = self.first.wrapping_add(rows.start * self.stride);
        RowsMut { first, count: rows.len(), values: PhantomData, ..*self }
    }

    /// Returns row `index`.
    ///
    /// # Panics
    /// Where there is no such row.
    #[inline]
    pub fn row_mut(&mut self, index: usize) -> &mut [f32] {
        assert!(index < self.count, "row {index} of {}", self.count);
        let first = self.first.wrapping_add(index * self.stride);
        // SAFETY: the constructors checked that `count` rows lie in the slice that is borrowed for `'a`, and no
        // other view has their columns.
        unsafe { std::slice::from_raw_parts_mut(first, self.columns) }
    }

    /// Returns the 16 values from `column` on of `R` rows from `row` on.
    #[inline]
    pub(super) fn tile_mut<const R: usize>(
        &mut self,
        row: usize,
        column: usize,
    ) -> [&mut [f32; PANEL]; R] {
        assert!(row + R <= self.count && column + PANEL <= self.columns, "a tile outside");
        std::array::from_fn(|i| {
            let first = self.first.wrapping_add((row + i) * self.stride + column);
            // SAFETY: the tile is inside, see above; rows do not overlap, so neither do its parts.
            unsafe { &mut *first.cast::<[f32; PANEL]>() }
        })
    }

    /// Splits every row before `column`.
    ///
    /// # Panics
    /// Where the rows have no such column to begin the second part with.
    pub fn split_at_column(self, column: usize) -> (Self, Self) {
        assert!(0 < column && column < self.columns, "column {column} of {}", self.columns);
        let (count, stride, values) = (self.count, self.stride, PhantomData);
        let left = Self { first: self.first, count, columns: column, stride, values };
        let first = self.first.wrapping_add(column);
        let right = Self { first, count, columns: self.columns - column, stride, values };
        (left, right)
    }

    /// Splits the rows before row `row`.
    ///
    /// # Panics
    /// Where there are fewer rows.
    pub fn split_at_row(self, row: usize) -> (Self, Self) {
        assert!(row <= self.count, "row {row} of {}", self.count);
        let (columns, stride, values) = (self.columns, self.stride, PhantomData);
        let upper = Self { first: self.first, count: row, columns, stride, values };
        let first = self.first.wrapping_add(row * stride);
        let lower = Self { first, count: self.count - row, columns, stride, values };
        (upper, lower)
    }
}

fn check(length: usize, count: usize, columns: usize, stride: usize) {
    assert!(columns > 0 && columns <= stride, "rows of {columns} values, {stride} apart");
    let needed = if count == 0 { 0 } else { (count - 1) * stride + columns };
    assert!(length >= needed, "{length} values where {count} rows need {needed}");
}

#[cfg(test)]
mod tests {
    use super::{Rows, RowsMut};

    #[test]
    fn parts_of_rows_do_not_meet() {
        let mut values = [0.0; 11];
        let (mut left, mut right) = RowsMut::new(&mut values, 3, 3, 4).split_at_column(1);
        std::thread::scope(|scope| {
            scope.spawn(|| (0..3).for_each(|i| left.row_mut(i).fill(1.0)));
            scope.spawn(|| (0..3).for_each(|i| right.row_mut(i).fill(2.0)));
        });
        assert_eq!(values, [1.0, 2.0, 2.0, 0.0, 1.0, 2.0, 2.0, 0.0, 1.0, 2.0, 2.0]);
    }

    #[test]
    fn some_columns_of_some_rows() {
        let values: Vec<f32> = (0u8..11).map(f32::from).collect();
        let part = Rows::new(&values, 3, 3, 4).at_columns(1..3).rows(1..3);
        assert_eq!((part.count(), part.columns()), (2, 2));
        assert_eq!((part.row(0), part.row(1)), (&[5.0, 6.0][..], &[9.0, 10.0][..]));
        assert_eq!(Rows::dense(&[], 3).at_columns(1..2).count(), 0);
    }

    #[test]
    fn rows_come_apart() {
        let mut values = [0.0; 11];
        let (mut upper, mut lower) = RowsMut::new(&mut values, 3, 3, 4).split_at_row(1);
        assert_eq!((upper.count(), lower.count()), (1, 2));
        upper.row_mut(0).fill(1.0);
        (0..2).for_each(|i| lower.row_mut(i).fill(2.0));
        assert_eq!(lower.split_at_row(2).1.count(), 0);
        assert_eq!(values, [1.0, 1.0, 1.0, 0.0, 2.0, 2.0, 2.0, 0.0, 2.0, 2.0, 2.0]);
    }

    #[test]
    #[should_panic(expected = "column 3 of 3")]
    fn a_part_is_never_empty() {
        let _ = RowsMut::dense(&mut [0.0; 6], 3).split_at_column(3);
    }
}
