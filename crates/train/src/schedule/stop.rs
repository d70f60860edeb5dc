//! When to stop: a metric has not got better for a while.

use std::fmt;
use std::str::FromStr;

use crate::error::{Error, Result};
use crate::spec::{Source, number};

/// Stops after `patience` measurements in a row that are not better than the best before by more than `gain`.
///
/// As a spec string `early(patience=3)` or `early(patience=3, gain=0.001)`.
#[derive(Clone, Debug, PartialEq)]
pub struct EarlyStop {
    patience: u32,
    gain: f64,
    pub(super) progression: Progression,
}

/// What measurements said so far.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Progression {
    /// The best measurement, from which gains are counted.
    pub best: Option<f64>,
    /// How many measurements came since.
    pub stale: u32,
}

/// What a measurement means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It is the best so far: keep this model.
    Improved,
    /// It is not, and so many more may follow.
    Waiting(u32),
    /// It is not, and that was the last.
    Stop,
}

impl EarlyStop {
    /// Waits for `patience` measurements and takes a rise of at most `gain` for none.
    ///
    /// # Errors
    /// Where the patience is 0, or the gain is negative or no number.
    pub fn new(patience: u32, gain: f64) -> Result<Self> {
        let (setting, expected) = ("patience", "at least 1");
        if patience == 0 {
            return Err(Error::Setting { setting, expected, got: "0".to_owned() });
        }
        let (setting, expected) = ("gain", "a finite number from 0 on");
        if !(gain.is_finite() && gain >= 0.0) {
            return Err(Error::Setting { setting, expected, got: gain.to_string() });
        }
        Ok(Self { patience, gain, progression: Progression::default() })
    }

    /// Takes a measurement into account; higher is better, and NaN is never better.
    pub fn measure(&mut self, metric: f64) -> Verdict {
        let best = self.progression.best;
        if !metric.is_nan() && best.is_none_or(|best| metric > best + self.gain) {
            self.progression = Progression { best: Some(metric), stale: 0 };
            return Verdict::Improved;
        }
        self.progression.stale = self.progression.stale.saturating_add(1);
        match self.patience.saturating_sub(self.progression.stale) {
            0 => Verdict::Stop,
            left => Verdict::Waiting(left),
        }
    }

    /// Returns what it remembers.
    pub fn progression(&self) -> Progression {
        self.progression
    }

    /// Takes up what another run remembered.
    pub fn restore(&mut self, progression: Progression) {
        self.progression = progression;
    }
}

impl FromStr for EarlyStop {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        let source = Source { what: "stop", text };
        let call = source.parse()?;
        if call.name != "early" {
            return Err(source.expected(call.offset, "`early`"));
        }
        let (mut patience, mut gain) = (None, 0.0);
        for setting in &call.settings {
            match setting.key {
                "patience" => {
                    let good = |value: &u32| *value > 0;
                    patience = Some(number(source, setting, good, "a number of measurements")?);
                }
                "gain" => {
                    let good = |value: &f64| value.is_finite() && *value >= 0.0;
                    gain = number(source, setting, good, "a number from 0 on")?;
                }
                _ => return Err(source.expected(setting.offset, "`patience` or `gain`")),
            }
        }
        let missing = || source.expected(text.len(), "`patience` with it");
        Self::new(patience.ok_or_else(missing)?, gain)
    }
}

impl fmt::Display for EarlyStop {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "early(patience={}", self.patience)?;
        if self.gain > 0.0 {
            write!(f, ", gain={}", self.gain)?;
        }
        f.write_str(")")
    }
}
