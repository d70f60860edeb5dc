//! Views of matrices whose rows may lie apart, such as one head's part of a token's queries.

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

    /// Returns row `index`.
    #[inline]
    pub fn row(&self, index: usize) -> &'a [f32] {
        &self.values[index * self.stride..][..self.columns]
    }
}

/// Rows to write to; see [`Rows`].
#[derive(Debug)]
pub struct RowsMut<'a> {
    values: &'a mut [f32],
    count: usize,
    columns: usize,
    stride: usize,
}

impl<'a> RowsMut<'a> {
    /// Views rows as [`Rows::new`] does.
    ///
    /// # Panics
    /// Where `values` is too short, or rows would overlap.
    pub fn new(values: &'a mut [f32], count: usize, columns: usize, stride: usize) -> Self {
        check(values.len(), count, columns, stride);
        Self { values, count, columns, stride }
    }

    /// Views rows that lie end to end.
    ///
    /// # Panics
    /// Where `values` is not a whole number of rows.
    pub fn dense(values: &'a mut [f32], columns: usize) -> Self {
        assert!(columns > 0 && values.len().is_multiple_of(columns), "not a whole number of rows");
        let count = values.len() / columns;
        Self { values, count, columns, stride: columns }
    }

    /// Returns how many rows there are.
    pub fn count(&self) -> usize {
        self.count
    }

    /// Returns how long a row is.
    pub fn columns(&self) -> usize {
        self.columns
    }

    /// Returns row `index`.
    #[inline]
    pub fn row_mut(&mut self, index: usize) -> &mut [f32] {
        &mut self.values[index * self.stride..][..self.columns]
    }
}

fn check(length: usize, count: usize, columns: usize, stride: usize) {
    assert!(columns > 0 && columns <= stride, "rows of {columns} values, {stride} apart");
    let needed = if count == 0 { 0 } else { (count - 1) * stride + columns };
    assert!(length >= needed, "{length} values where {count} rows need {needed}");
}
