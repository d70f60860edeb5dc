//! Linear equations with a positive definite matrix.

/// A lower triangular matrix `L` with `L·Lᵀ = A`.
#[derive(Clone, Debug)]
pub(super) struct Cholesky {
    /// Row by row; what is above the diagonal is not read.
    lower: Vec<f64>,
    size: usize,
}

impl Cholesky {
    /// Factorises a square matrix of `size` rows, of which the lower half is read; `None` where it is not positive definite.
    /// Cost: `size³ / 3` multiplications.
    pub(super) fn new(mut matrix: Vec<f64>, size: usize) -> Option<Self> {
        for row in 0..size {
            let (above, rest) = matrix.split_at_mut(row * size);
            let current = &mut rest[..size];
            for column in 0..row {
                let other = &above[column * size..][..size];
                let known = dot(&current[..column], &other[..column]);
                current[column] = (current[column] - known) / other[column];
            }
            let left = current[row] - dot(&current[..row], &current[..row]);
            // A matrix with what is no number fails here too.
            if left.is_nan() || left <= 0.0 {
                return None;
            }
            current[row] = left.sqrt();
        }
        Some(Self { lower: matrix, size })
    }

    /// Puts the solution of `A·x = b` in the place of `b`.
    pub(super) fn solve(&self, b: &mut [f64]) {
        let row = |at: usize| &self.lower[at * self.size..][..=at];
        for at in 0..self.size {
            b[at] = (b[at] - dot(&row(at)[..at], &b[..at])) / row(at)[at];
        }
        for at in (0..self.size).rev() {
            b[at] /= row(at)[at];
            let (before, value) = (&row(at)[..at], b[at]);
            b.iter_mut().zip(before).for_each(|(to, factor)| *to -= factor * value);
        }
    }
}

/// Sums eight lanes, which compilers put side by side.
fn dot(a: &[f64], b: &[f64]) -> f64 {
    let (a, b) = (a.chunks_exact(8), b.chunks_exact(8));
    let rest: f64 = a.remainder().iter().zip(b.remainder()).map(|(x, y)| x * y).sum();
    let mut lanes = [0.0; 8];
    for (a, b) in a.zip(b) {
        for ((lane, x), y) in lanes.iter_mut().zip(a).zip(b) {
            *lane += x * y;
        }
    }
    lanes.iter().sum::<f64>() + rest
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::draws::Draws;

    #[test]
    fn solutions_solve() {
        for size in [1, 2, 9, 33] {
            let mut draws = Draws::new(size as u64);
            let mut numbers =
                |count: usize| draws.numbers(count).into_iter().map(f64::from).collect::<Vec<_>>();
            let (half, right) = (numbers(size * size), numbers(size));
            let row = |at: usize| &half[at * size..][..size];
            let cell = |at: usize| {
                let identity = f64::from(u8::from(at / size == at % size));
                let (a, b) = (row(at / size), row(at % size));
                0.1 * identity + a.iter().zip(b).map(|(x, y)| x * y).sum::<f64>()
            };
            let matrix: Vec<f64> = (0..size * size).map(cell).collect();
            let mut solution = right.clone();
            Cholesky::new(matrix.clone(), size).unwrap().solve(&mut solution);
            for (row, expected) in matrix.chunks_exact(size).zip(&right) {
                let found: f64 = row.iter().zip(&solution).map(|(a, x)| a * x).sum();
                assert!((found - expected).abs() < 1e-9, "{size}: {found} for {expected}");
            }
        }
    }

    #[test]
    fn what_is_not_positive_definite_is_refused() {
        for matrix in [[0.0; 4], [1.0, 2.0, 2.0, 1.0], [f64::NAN, 0.0, 0.0, 1.0]] {
            assert!(Cholesky::new(matrix.to_vec(), 2).is_none(), "{matrix:?}");
        }
    }
}
