//! Ramps: how the weight of a regulariser comes up, so that it does not silence a model that knows nothing yet.

use std::fmt;
use std::str::FromStr;

use crate::error::{Error, Result};
use crate::spec::{Source, number};

/// A weight over steps. As a spec string `none`, or `quadratic(steps=200)`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ramp {
    /// The full weight at once.
    None,
    /// The square of the share of `steps` that is over; the full weight from then on.
    Quadratic {
        /// The steps, at least 1.
        steps: u64,
    },
}

impl Ramp {
    /// Returns the factor of the weight at a step, counted from 0.
    pub fn factor(self, step: u64) -> f64 {
        match self {
            Ramp::None => 1.0,
            Ramp::Quadratic { steps } => (step as f64 / steps.max(1) as f64).min(1.0).powi(2),
        }
    }
}

impl FromStr for Ramp {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        let source = Source { what: "ramp", text };
        let call = source.parse()?;
        match (call.name, &call.settings[..]) {
            ("none", []) => Ok(Ramp::None),
            ("none", [setting, ..]) => Err(source.expected(setting.offset, "no settings")),
            ("quadratic", [setting]) if setting.key == "steps" => {
                let steps = number(source, setting, |steps: &u64| *steps > 0, "a number of steps")?;
                Ok(Ramp::Quadratic { steps })
            }
            ("quadratic", _) => Err(source.expected(call.offset, "`quadratic(steps=…)`")),
            _ => Err(source.expected(call.offset, "`none` or `quadratic`")),
        }
    }
}

impl fmt::Display for Ramp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Ramp::None => f.write_str("none"),
            Ramp::Quadratic { steps } => write!(f, "quadratic(steps={steps})"),
        }
    }
}
