//! A comparison: what both sides measured in each round, and the line that is printed of it.

use serde_json::json;

/// Which end of a metric is good.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Better {
    /// Rates.
    Higher,
    /// Bytes and times.
    Lower,
}

/// One metric of us and one peer, over the rounds in which both took a turn.
#[derive(Clone, Debug)]
pub struct Comparison {
    pub workload: &'static str,
    pub peer: String,
    pub metric: String,
    /// What was held equal, or how far the results differ.
    pub quality: String,
    pub better: Better,
    /// Ours and theirs of each round.
    pub rounds: Vec<(f64, f64)>,
}

impl Comparison {
    /// Prints the comparison as one line of JSON; nothing where no round was run.
    pub fn print(&self) {
        if self.rounds.is_empty() {
            return;
        }
        let ratios: Vec<f64> = self.rounds.iter().map(|&round| self.ratio(round)).collect();
        let ours: Vec<f64> = self.rounds.iter().map(|round| round.0).collect();
        let theirs: Vec<f64> = self.rounds.iter().map(|round| round.1).collect();
        let line = json!({
            "workload": self.workload,
            "peer": self.peer,
            "metric": self.metric,
            "quality": self.quality,
            "ours": median(&ours),
            "theirs": median(&theirs),
            "ratio": median(&ratios),
            "low": ratios.iter().copied().fold(f64::INFINITY, f64::min),
            "high": ratios.iter().copied().fold(0.0, f64::max),
            "runs": self.rounds.len(),
        });
        println!("{line}");
    }

    fn ratio(&self, (ours, theirs): (f64, f64)) -> f64 {
        match self.better {
            Better::Higher => ours / theirs,
            Better::Lower => theirs / ours,
        }
    }
}

/// The middle value, or the mean of the two in the middle.
pub fn median(values: &[f64]) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    match sorted.len() {
        0 => f64::NAN,
        n if n % 2 == 1 => sorted[n / 2],
        n => f64::midpoint(sorted[n / 2 - 1], sorted[n / 2]),
    }
}

/// `1 thread` or `2 threads`.
pub fn on(threads: usize) -> String {
    format!("{threads} thread{}", if threads == 1 { "" } else { "s" })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_ratio_above_one_is_better_for_us_whatever_the_metric() {
        let mut comparison = Comparison {
            workload: "w",
            peer: "p".into(),
            metric: "m".into(),
            quality: String::new(),
            better: Better::Higher,
            rounds: Vec::new(),
        };
        assert_eq!(comparison.ratio((4.0, 2.0)), 2.0);
        comparison.better = Better::Lower;
        assert_eq!(comparison.ratio((2.0, 4.0)), 2.0);
    }

    #[test]
    fn medians() {
        assert_eq!(median(&[3.0, 1.0, 2.0]), 2.0);
        assert_eq!(median(&[4.0, 1.0, 2.0, 3.0]), 2.5);
        assert!(median(&[]).is_nan());
    }
}
