//! Each candidate against those that are ranked below it: what ListMLE and the rank-masked cross-entropy share.

use super::softmax::log_add;

/// A list with the order in which it should stand.
pub(super) struct Ranked<'a> {
    pub scores: &'a [f64],
    /// The candidates' merits; a candidate competes with those of strictly lower merit, hence not with ties.
    pub merits: &'a [f64],
    /// What the term of each candidate weighs; 0 for one that only competes.
    pub shares: &'a [f64],
    /// How often each candidate competes.
    pub weights: &'a [f64],
}

impl Ranked<'_> {
    /// Returns `Σᵢ shareᵢ · (log(exp(sᵢ) + Σₖ wₖ·exp(sₖ)) - sᵢ)`, with `k` over the candidates of lower merit than `i`, and adds
    /// its derivatives. Cost: a sort and two passes.
    pub fn loss(&self, slopes: &mut [f64]) -> f64 {
        let groups = self.groups();
        let mut logs = vec![0.0; self.scores.len()];
        let mut value = 0.0;
        // From the lowest merit up: what competes with a group is what was seen before it.
        let mut below = f64::NEG_INFINITY;
        for group in groups.iter().rev() {
            for &i in group {
                logs[i] = log_add(self.scores[i], below);
                value += self.shares[i] * (logs[i] - self.scores[i]);
                slopes[i] += self.shares[i] * ((self.scores[i] - logs[i]).exp() - 1.0);
            }
            for &i in group {
                below = log_add(below, self.weights[i].ln() + self.scores[i]);
            }
        }
        // From the highest down: a candidate appears in the denominators of all above it.
        let mut above = f64::NEG_INFINITY;
        for group in &groups {
            for &k in group {
                slopes[k] += (self.weights[k].ln() + self.scores[k] + above).exp();
            }
            for &i in group {
                above = log_add(above, self.shares[i].ln() - logs[i]);
            }
        }
        value
    }

    /// Ties together, the highest merit first.
    fn groups(&self) -> Vec<Vec<usize>> {
        let mut order: Vec<usize> = (0..self.scores.len()).collect();
        order.sort_by(|&a, &b| self.merits[b].total_cmp(&self.merits[a]));
        order.chunk_by(|&a, &b| self.merits[a] == self.merits[b]).map(<[usize]>::to_vec).collect()
    }
}
