//! The gradients of a model's parameters.

use super::parameters::{Parameter, Parameters};

/// The gradient of a loss with respect to one parameter.
#[derive(Clone, Debug, PartialEq)]
pub enum Gradient {
    /// One value for each value of the parameter.
    Dense(Vec<f32>),
    /// Some rows of a table; the others are zero.
    Rows {
        /// The rows, in ascending order.
        rows: Vec<u32>,
        /// Their values, one row after the other.
        values: Vec<f32>,
    },
}

/// The gradients of a model's parameters, in the order of the parameters; those that are frozen have none.
///
/// [`TrainableEncoder::backward`](crate::TrainableEncoder::backward) adds to them. Memory: that of the trainable
/// parameters but tables, of which only rows that were used are there.
#[derive(Clone, Debug)]
pub struct Gradients {
    all: Vec<Option<Gradient>>,
    layouts: Vec<Layout>,
}

/// What the gradient of a parameter looks like.
#[derive(Clone, Copy, Debug)]
struct Layout {
    is_table: bool,
    values: usize,
    columns: usize,
}

impl Gradient {
    /// Returns the values that are there.
    pub fn values(&self) -> &[f32] {
        match self {
            Gradient::Dense(values) | Gradient::Rows { values, .. } => values,
        }
    }

    /// Returns the values that are there to be changed.
    pub fn values_mut(&mut self) -> &mut [f32] {
        match self {
            Gradient::Dense(values) | Gradient::Rows { values, .. } => values,
        }
    }
}

impl Layout {
    fn of(parameter: &Parameter) -> Self {
        let values = parameter.values().len();
        Self { is_table: parameter.is_table(), values, columns: parameter.columns() }
    }

    fn zero(self) -> Gradient {
        if self.is_table {
            return Gradient::Rows { rows: Vec::new(), values: Vec::new() };
        }
        Gradient::Dense(vec![0.0; self.values])
    }
}

impl Gradients {
    /// Makes gradients of zero.
    pub fn new(parameters: &Parameters) -> Self {
        let layouts: Vec<Layout> = parameters.iter().map(Layout::of).collect();
        let both = parameters.iter().zip(&layouts);
        let all = both.map(|(p, layout)| p.is_trainable().then(|| layout.zero())).collect();
        Self { all, layouts }
    }

    /// Sets all to zero and keeps the memory.
    pub fn zero(&mut self) {
        for gradient in self.all.iter_mut().flatten() {
            match gradient {
                Gradient::Dense(values) => values.fill(0.0),
                Gradient::Rows { rows, values } => {
                    rows.clear();
                    values.clear();
                }
            }
        }
    }

    /// Returns the Euclidean length of all gradients as one vector.
    ///
    /// Summed in double precision, in the order of the parameters.
    pub fn norm(&self) -> f64 {
        let values = self.iter().flat_map(|(_, gradient)| gradient.values());
        values.map(|&x| f64::from(x) * f64::from(x)).sum::<f64>().sqrt()
    }

    /// Multiplies all gradients.
    pub fn scale(&mut self, factor: f32) {
        for (_, gradient) in self.iter_mut() {
            gradient.values_mut().iter_mut().for_each(|x| *x *= factor);
        }
    }

    /// Returns the gradient of a parameter, or `None` where it is frozen.
    pub fn get(&self, parameter: usize) -> Option<&Gradient> {
        self.all[parameter].as_ref()
    }

    /// Returns how many parameters there are, those without gradient included.
    pub fn len(&self) -> usize {
        self.all.len()
    }

    /// Returns whether there are no parameters.
    pub fn is_empty(&self) -> bool {
        self.all.is_empty()
    }

    /// Goes through the gradients, each with the number of its parameter.
    pub fn iter(&self) -> impl Iterator<Item = (usize, &Gradient)> {
        self.all.iter().enumerate().filter_map(|(i, gradient)| gradient.as_ref().map(|g| (i, g)))
    }

    /// Goes through the gradients to change them, each with the number of its parameter.
    pub fn iter_mut(&mut self) -> impl Iterator<Item = (usize, &mut Gradient)> {
        self.all
            .iter_mut()
            .enumerate()
            .filter_map(|(i, gradient)| gradient.as_mut().map(|g| (i, g)))
    }

    /// Returns the gradient of a parameter that is not only a table.
    pub(super) fn dense(&mut self, parameter: usize) -> &mut [f32] {
        let layout = self.layouts[parameter];
        debug_assert!(!layout.is_table, "what a product uses has a dense gradient");
        self.all[parameter].get_or_insert_with(|| layout.zero()).values_mut()
    }

    /// Adds rows of a table, given by number, not in order, and some more than once.
    pub(super) fn add_rows(&mut self, parameter: usize, numbers: &[u32], added: &[f32]) {
        let layout = self.layouts[parameter];
        let columns = layout.columns;
        let token = |index: usize| &added[index * columns..][..columns];
        match self.all[parameter].get_or_insert_with(|| layout.zero()) {
            Gradient::Dense(values) => {
                for (index, &number) in numbers.iter().enumerate() {
                    let sums = &mut values[number as usize * columns..][..columns];
                    add(sums, token(index));
                }
            }
            Gradient::Rows { rows, values } => {
                // Rows are added in the order of the tokens: the sort is stable.
                let mut order: Vec<usize> = (0..numbers.len()).collect();
                order.sort_by_key(|&index| numbers[index]);
                let groups = order.chunk_by(|&a, &b| numbers[a] == numbers[b]);
                let groups = groups.map(|group| (numbers[group[0]], group));
                (*rows, *values) = merged((rows, values), columns, groups, token);
            }
        }
    }
}

/// Merges rows in ascending order with the sums of groups of others, whose numbers are in ascending order too.
fn merged<'a>(
    (rows, values): (&[u32], &[f32]),
    columns: usize,
    groups: impl Iterator<Item = (u32, &'a [usize])>,
    token: impl Fn(usize) -> &'a [f32],
) -> (Vec<u32>, Vec<f32>) {
    let (mut numbers, mut sums) = (Vec::with_capacity(rows.len()), Vec::new());
    let mut before = rows.iter().copied().zip(values.chunks_exact(columns)).peekable();
    for (number, group) in groups {
        while let Some((row, values)) = before.next_if(|(row, _)| *row < number) {
            numbers.push(row);
            sums.extend_from_slice(values);
        }
        numbers.push(number);
        let start = sums.len();
        match before.next_if(|(row, _)| *row == number) {
            Some((_, values)) => sums.extend_from_slice(values),
            None => sums.extend(std::iter::repeat_n(0.0, columns)),
        }
        for &index in group {
            add(&mut sums[start..], token(index));
        }
    }
    for (row, values) in before {
        numbers.push(row);
        sums.extend_from_slice(values);
    }
    (numbers, sums)
}

fn add(sums: &mut [f32], values: &[f32]) {
    sums.iter_mut().zip(values).for_each(|(sum, x)| *sum += x);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_are_sorted_and_added_up() {
        let layouts = vec![
            Layout { is_table: true, values: 20, columns: 2 },
            Layout { is_table: false, values: 4, columns: 2 },
        ];
        let mut gradients = Gradients { all: vec![Some(layouts[0].zero()), None], layouts };
        gradients.add_rows(0, &[7, 2, 7], &[1.0, 2.0, 3.0, 4.0, 5.0, 6.0]);
        let expected = Gradient::Rows { rows: vec![2, 7], values: vec![3.0, 4.0, 6.0, 8.0] };
        assert_eq!(gradients.get(0), Some(&expected));
        gradients.add_rows(0, &[9, 7, 1], &[1.0, 0.0, 1.0, 0.0, 2.0, 0.0]);
        let values = vec![2.0, 0.0, 3.0, 4.0, 7.0, 8.0, 1.0, 0.0];
        assert_eq!(gradients.get(0), Some(&Gradient::Rows { rows: vec![1, 2, 7, 9], values }));
        gradients.add_rows(0, &[], &[]);
        assert_eq!(gradients.iter().count(), 1);
        gradients.scale(2.0);
        let squares: f64 = 4.0 * (4.0 + 9.0 + 16.0 + 49.0 + 64.0 + 1.0);
        assert!((gradients.norm() - squares.sqrt()).abs() < 1e-9);
        gradients.zero();
        assert_eq!(gradients.norm(), 0.0);
        assert_eq!(gradients.dense(1), [0.0; 4]);
        gradients.add_rows(1, &[1, 1], &[1.0, 2.0, 3.0, 4.0]);
        assert_eq!(gradients.get(1), Some(&Gradient::Dense(vec![0.0, 0.0, 4.0, 6.0])));
    }
}
