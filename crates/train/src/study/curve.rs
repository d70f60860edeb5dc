//! Arms at equal cost: some trade quality for cost, such as sparse models do, and are compared where they cost the same.
//!
//! An arm that is run with several weights of a penalty gives points of quality over cost. Between two of them
//! each query's value is interpolated linearly, so that the interpolated outcome can be tested like any other.

use super::Outcome;

/// Outcomes of one way to train, over what they cost.
#[derive(Clone, Debug)]
pub(crate) struct Curve<'o> {
    /// By ascending cost, at least one.
    points: Vec<(f64, &'o Outcome)>,
}

impl<'o> Curve<'o> {
    /// Puts points in order; `None` where there is none.
    pub(crate) fn new(mut points: Vec<(f64, &'o Outcome)>) -> Option<Self> {
        points.sort_by(|a, b| a.0.total_cmp(&b.0));
        (!points.is_empty()).then_some(Self { points })
    }

    /// The least cost and the most.
    fn range(&self) -> (f64, f64) {
        (self.points[0].0, self.points[self.points.len() - 1].0)
    }

    /// Interpolates the values of queries; outside of the range they are those of its nearer end.
    pub(crate) fn at(&self, cost: f64) -> Outcome {
        let above = self.points.iter().position(|point| point.0 >= cost);
        let above = above.unwrap_or(self.points.len() - 1);
        let (low, high) = (self.points[above.saturating_sub(1)], self.points[above]);
        let width = high.0 - low.0;
        let share = if width > 0.0 { ((cost - low.0) / width).clamp(0.0, 1.0) } else { 1.0 };
        let values = high.1.values.iter().map(|(&query, &value)| {
            let before = low.1.values.get(&query).copied().unwrap_or(value);
            (query, before + share * (value - before))
        });
        Outcome { values: values.collect(), ..Outcome::default() }
    }
}

/// The middle of the costs that two curves have in common, and whether there are any: where there are none, it is the middle
/// between them.
pub(crate) fn common_cost(one: &Curve<'_>, other: &Curve<'_>) -> (f64, bool) {
    let ((least, most), (other_least, other_most)) = (one.range(), other.range());
    let (least, most) = (least.max(other_least), most.min(other_most));
    (f64::midpoint(least, most), least <= most)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn outcome(values: [f64; 2]) -> Outcome {
        Outcome { values: [(3, values[0]), (8, values[1])].into(), ..Outcome::default() }
    }

    fn values(outcome: &Outcome) -> Vec<f64> {
        outcome.values.values().copied().collect()
    }

    #[test]
    fn values_of_queries_are_interpolated_over_cost() {
        let [dear, cheap, middle] = [[0.8, 0.4], [0.2, 0.2], [0.6, 0.1]].map(outcome);
        let curve = Curve::new(vec![(9.0, &dear), (1.0, &cheap), (5.0, &middle)]).unwrap();
        for (cost, expected) in [
            (0.5, [0.2, 0.2]),
            (1.0, [0.2, 0.2]),
            (2.0, [0.3, 0.175]),
            (5.0, [0.6, 0.1]),
            (8.0, [0.75, 0.325]),
            (99.0, [0.8, 0.4]),
        ] {
            let found = values(&curve.at(cost));
            let near = found.iter().zip(expected).all(|(a, b)| (a - b).abs() < 1e-12);
            assert!(near, "{cost}: {found:?}");
        }
        let alone = Curve::new(vec![(2.0, &dear)]).unwrap();
        assert_eq!(values(&alone.at(1.0)), [0.8, 0.4]);
        assert!(Curve::new(Vec::new()).is_none());
    }

    #[test]
    fn curves_are_compared_where_both_were_seen() {
        let any = outcome([0.0, 1.0]);
        let curve = |costs: [f64; 2]| Curve::new(costs.map(|cost| (cost, &any)).to_vec()).unwrap();
        assert_eq!(common_cost(&curve([1.0, 6.0]), &curve([8.0, 2.0])), (4.0, true));
        assert_eq!(common_cost(&curve([1.0, 2.0]), &curve([4.0, 9.0])), (3.0, false));
    }
}
