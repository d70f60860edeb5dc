//! Bringing the scores of one query's candidates onto a scale that teachers share.
//!
//! A list whose scores are all about the same says nothing, and stretching it makes noise look like judgment. Such a
//! list is *flat*: its scores all become the same number, and [`Normaliser::apply`] says so, for those who skip it.
//!
//! After min-max a softmax is nearly flat too (the best is at most e times as likely as the worst): multiply.

use std::fmt;
use std::str::FromStr;

use crate::error::{Error, Result};
use crate::spec::{Source, number};

/// The shape of a scale.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shape {
    /// The scores as they are.
    None,
    /// From 0 for the worst to 1 for the best; 0.5 where flat.
    MinMax,
    /// Mean 0 and standard deviation 1 (over the list, not estimated beyond it); 0 where flat.
    Z,
    /// By place: 1 for the best to 0 for the worst in equal steps; equals share the mean of their places; 0.5 where flat.
    Rank,
}

/// The range below which a list is flat unless it is said otherwise.
pub const FLAT_BELOW: f32 = 1e-6;

/// Puts the scores of a list on a scale.
///
/// Its spec string is `none`, `min-max`, `z` or `rank`, each with an optional `(flat=0.1)`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Normaliser {
    /// The scale.
    pub shape: Shape,
    /// A list whose greatest and least score differ by less is flat; so is one whose scores are all equal.
    pub flat_below: f32,
}

impl Normaliser {
    /// Makes one that takes lists for flat below [`FLAT_BELOW`].
    pub fn of(shape: Shape) -> Self {
        Self { shape, flat_below: FLAT_BELOW }
    }

    /// Rescales the scores of one query; returns whether they are flat. An empty list is flat.
    ///
    /// [`Shape::None`] leaves the scores of a flat list too as they are.
    pub fn apply(&self, scores: &mut [f32]) -> bool {
        let (least, range) = extent(scores);
        let flat = is_flat(scores, self.flat_below);
        match self.shape {
            Shape::None => {}
            Shape::MinMax | Shape::Rank if flat => scores.fill(0.5),
            Shape::Z if flat => scores.fill(0.0),
            Shape::MinMax => {
                for score in scores {
                    *score = ((f64::from(*score) - least) / range) as f32;
                }
            }
            Shape::Z => standardise(scores),
            Shape::Rank => rank(scores),
        }
        flat
    }
}

/// The least score, and how far the greatest is above it.
fn extent(scores: &[f32]) -> (f64, f64) {
    let least = scores.iter().copied().fold(f32::INFINITY, f32::min);
    let most = scores.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    // In double precision, where the difference of two floats does not overflow.
    (f64::from(least), f64::from(most) - f64::from(least))
}

fn is_flat(scores: &[f32], below: f32) -> bool {
    let (_, range) = extent(scores);
    scores.is_empty() || range <= 0.0 || range < f64::from(below)
}

fn standardise(scores: &mut [f32]) {
    let moments = Moments::between(scores);
    for score in scores {
        *score = moments.apply(*score);
    }
}

/// The scale of [`Shape::Z`] of one list, for scores that are asked for later.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Moments {
    mean: f64,
    /// 0 where the list is flat.
    deviation: f64,
}

impl Moments {
    /// Takes the scale of a list.
    pub(crate) fn of(scores: &[f32]) -> Self {
        if is_flat(scores, FLAT_BELOW) {
            return Self { mean: 0.0, deviation: 0.0 };
        }
        Self::between(scores)
    }

    fn between(scores: &[f32]) -> Self {
        let count = scores.len() as f64;
        let mean = scores.iter().map(|&score| f64::from(score)).sum::<f64>() / count;
        let squares: f64 = scores.iter().map(|&score| (f64::from(score) - mean).powi(2)).sum();
        Self { mean, deviation: (squares / count).sqrt() }
    }

    /// Puts a score on it; 0 where the list was flat.
    pub(crate) fn apply(self, score: f32) -> f32 {
        if self.deviation > 0.0 {
            ((f64::from(score) - self.mean) / self.deviation) as f32
        } else {
            0.0
        }
    }
}

fn rank(scores: &mut [f32]) {
    let mut order: Vec<usize> = (0..scores.len()).collect();
    // −0 and 0 are the same score.
    order.sort_unstable_by(|&a, &b| (scores[a] + 0.0).total_cmp(&(scores[b] + 0.0)));
    let last = (scores.len() - 1) as f64;
    let mut first = 0;
    while first < order.len() {
        let score = scores[order[first]];
        let equal = order[first..].iter().take_while(|&&at| scores[at] == score).count();
        let place = first as f64 + (equal - 1) as f64 / 2.0;
        for &at in &order[first..first + equal] {
            scores[at] = (place / last) as f32;
        }
        first += equal;
    }
}

const SHAPES: [(&str, Shape); 4] =
    [("none", Shape::None), ("min-max", Shape::MinMax), ("z", Shape::Z), ("rank", Shape::Rank)];

impl FromStr for Normaliser {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        let source = Source { what: "normaliser", text };
        let call = source.parse()?;
        let found = SHAPES.iter().find(|(name, _)| *name == call.name);
        let Some(&(_, shape)) = found else {
            return Err(source.expected(call.offset, "`none`, `min-max`, `z` or `rank`"));
        };
        let mut flat_below = FLAT_BELOW;
        for setting in &call.settings {
            match setting.key {
                "flat" => {
                    let good = |value: &f32| value.is_finite() && *value >= 0.0;
                    flat_below = number(source, setting, good, "a number from 0 on")?;
                }
                _ => return Err(source.expected(setting.offset, "`flat`")),
            }
        }
        Ok(Self { shape, flat_below })
    }
}

impl fmt::Display for Normaliser {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name =
            SHAPES.iter().find(|(_, shape)| *shape == self.shape).map_or("", |found| found.0);
        f.write_str(name)?;
        if self.flat_below != FLAT_BELOW {
            write!(f, "(flat={})", self.flat_below)?;
        }
        Ok(())
    }
}
