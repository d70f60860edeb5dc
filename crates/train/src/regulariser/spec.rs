//! A penalty by its formula: `0.002*flops(free=150, ramp=200)` on the terms of documents, `0.1*gates` on the gates of their rows.

use std::fmt;
use std::str::FromStr;

use super::{Flops, L1, Penalty};
use crate::error::{Error, Result};
use crate::schedule::Ramp;
use crate::spec::{Source, number};

/// What vectors cost, how much, and from when on.
#[derive(Clone, Debug, PartialEq)]
pub struct PenaltySpec {
    /// What the penalty is multiplied with.
    pub weight: f64,
    /// What is penalised.
    pub kind: PenaltyKind,
    /// How the weight comes up.
    pub ramp: Ramp,
}

/// What is penalised.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PenaltyKind {
    /// [`Flops`] of the documents' vectors, but for those with at most so many terms.
    Flops {
        /// How many terms cost nothing.
        free_terms: usize,
    },
    /// [`L1`] of the gates of the documents' rows.
    Gates,
}

impl PenaltySpec {
    /// Computes the penalty at a step, with its weight in value and derivatives.
    ///
    /// # Errors
    /// As the regulariser.
    pub fn evaluate(&self, values: &[f32], columns: usize, step: u64) -> Result<Penalty> {
        let mut penalty = match self.kind {
            PenaltyKind::Flops { free_terms } => {
                Flops { free_terms, ..Flops::default() }.evaluate(values, columns)?
            }
            PenaltyKind::Gates => L1.evaluate(values, columns)?,
        };
        let weight = self.weight * self.ramp.factor(step);
        penalty.value *= weight;
        let scaled = |slope: &mut f32| *slope = (f64::from(*slope) * weight) as f32;
        penalty.gradient.iter_mut().for_each(scaled);
        Ok(penalty)
    }
}

impl FromStr for PenaltySpec {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        let (weight, source) = Source { what: "penalty", text }.factor()?;
        let call = source.parse()?;
        let (mut free_terms, mut ramp) = (0, Ramp::None);
        for setting in &call.settings {
            match setting.key {
                "free" if call.name == "flops" => {
                    free_terms = number(source, setting, |_: &usize| true, "a number of terms")?;
                }
                "ramp" => {
                    let good = |steps: &u64| *steps > 0;
                    let steps = number(source, setting, good, "a number of steps")?;
                    ramp = Ramp::Quadratic { steps };
                }
                _ => return Err(source.expected(setting.offset, "`ramp`, or `free` of flops")),
            }
        }
        let kind = match call.name {
            "flops" => PenaltyKind::Flops { free_terms },
            "gates" => PenaltyKind::Gates,
            _ => return Err(source.expected(call.offset, "`flops` or `gates`")),
        };
        Ok(Self { weight, kind, ramp })
    }
}

impl fmt::Display for PenaltySpec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}*", self.weight)?;
        let mut settings = Vec::new();
        let name = match self.kind {
            PenaltyKind::Flops { free_terms } => {
                if free_terms > 0 {
                    settings.push(format!("free={free_terms}"));
                }
                "flops"
            }
            PenaltyKind::Gates => "gates",
        };
        if let Ramp::Quadratic { steps } = self.ramp {
            settings.push(format!("ramp={steps}"));
        }
        f.write_str(name)?;
        if settings.is_empty() { Ok(()) } else { write!(f, "({})", settings.join(", ")) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn specs_come_back_as_they_were_written() {
        for spec in ["0.002*flops(free=150, ramp=200)", "0.1*gates", "2*flops", "1*gates(ramp=9)"] {
            assert_eq!(spec.parse::<PenaltySpec>().unwrap().to_string(), spec);
        }
        for wrong in ["", "0*gates", "flop", "1*gates(free=1)", "1*flops(ramp=0)", "x*flops"] {
            assert!(wrong.parse::<PenaltySpec>().is_err(), "{wrong}");
        }
    }

    #[test]
    fn the_weight_comes_up_along_its_ramp() {
        let spec: PenaltySpec = "3*gates(ramp=4)".parse().unwrap();
        let at = |step| spec.evaluate(&[1.0, 2.0], 1, step).unwrap();
        assert_eq!((at(0).value, at(2).value, at(4).value), (0.0, 3.0 * 1.5 / 4.0, 4.5));
        assert_eq!(at(9).gradient, [1.5, 1.5]);
    }
}
