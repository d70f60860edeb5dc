//! The learning rate of a step, as a factor of the rate that was set.

use std::fmt;
use std::str::FromStr;

use super::{EarlyStop, Progression, Verdict};
use crate::error::{Error, Result};
use crate::spec::{Setting, Source, number};

/// How long the rate rises at the start: linearly, from the first step on, reaching the full rate with its last step.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum WarmUp {
    /// So many steps.
    Steps(u64),
    /// A share of all steps, above 0 and below 1.
    Share(f64),
}

impl WarmUp {
    /// No warm-up.
    pub const NONE: WarmUp = WarmUp::Steps(0);

    /// Returns the steps of it, of so many in all.
    pub fn steps(self, total: u64) -> u64 {
        match self {
            WarmUp::Steps(steps) => steps,
            WarmUp::Share(share) => (share * total as f64).round() as u64,
        }
    }
}

/// How the rate goes over a run.
///
/// As a spec string `constant`, `linear`, `cosine` or `plateau(factor=0.25, patience=2)`, each with an optional
/// `warmup`, which is a number of steps (`warmup=500`) or, with a decimal point, a share of all (`warmup=0.05`).
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Schedule {
    /// The full rate after the warm-up.
    Constant {
        /// The warm-up.
        warmup: WarmUp,
    },
    /// Falls linearly after the warm-up; one step more would be 0.
    Linear {
        /// The warm-up.
        warmup: WarmUp,
    },
    /// Falls along half a cosine after the warm-up.
    Cosine {
        /// The warm-up.
        warmup: WarmUp,
    },
    /// Is multiplied by `factor` whenever `patience` measurements in a row were no better than the best.
    Plateau {
        /// The warm-up.
        warmup: WarmUp,
        /// The factor.
        factor: f64,
        /// How many measurements it waits.
        patience: u32,
    },
}

impl Schedule {
    /// Returns the factor of a step, counted from 0, of a run of `total` steps. [`Rate`] knows what else a
    /// plateau's rate depends on.
    pub fn factor(&self, step: u64, total: u64) -> f64 {
        let warmup = self.warmup().steps(total);
        if step < warmup {
            return (step + 1) as f64 / warmup as f64;
        }
        let left = total.saturating_sub(step) as f64 / total.saturating_sub(warmup).max(1) as f64;
        match self {
            Schedule::Constant { .. } | Schedule::Plateau { .. } => 1.0,
            Schedule::Linear { .. } => left,
            Schedule::Cosine { .. } => 0.5 - 0.5 * (std::f64::consts::PI * left).cos(),
        }
    }

    fn warmup(&self) -> WarmUp {
        match *self {
            Schedule::Constant { warmup }
            | Schedule::Linear { warmup }
            | Schedule::Cosine { warmup }
            | Schedule::Plateau { warmup, .. } => warmup,
        }
    }
}

/// A schedule with what it learnt from measurements: the rate of a run.
#[derive(Clone, Debug, PartialEq)]
pub struct Rate {
    schedule: Schedule,
    total: u64,
    waiting: Option<EarlyStop>,
    /// What the factors of all plateaus so far multiply to.
    pub reduced: f64,
}

impl Rate {
    /// Begins a run of `total` steps. Other schedules than plateaus do not care for measurements.
    ///
    /// # Errors
    /// Where a plateau's patience is 0.
    pub fn new(schedule: Schedule, total: u64) -> Result<Self> {
        let waiting = match schedule {
            Schedule::Plateau { patience, .. } => Some(EarlyStop::new(patience, 0.0)?),
            _ => None,
        };
        Ok(Self { schedule, total, waiting, reduced: 1.0 })
    }

    /// Returns the factor of a step, counted from 0.
    pub fn factor(&self, step: u64) -> f64 {
        self.reduced * self.schedule.factor(step, self.total)
    }

    /// Takes a measurement into account; higher is better.
    pub fn measure(&mut self, metric: f64) {
        if let (Schedule::Plateau { factor, .. }, Some(waiting)) =
            (self.schedule, &mut self.waiting)
            && waiting.measure(metric) == Verdict::Stop
        {
            self.reduced *= factor;
            // The best stays what it was; the waiting begins anew.
            waiting.progression.stale = 0;
        }
    }

    /// Returns what it remembers beside [`Rate::reduced`].
    pub fn progression(&self) -> Progression {
        self.waiting.as_ref().map(|waiting| waiting.progression).unwrap_or_default()
    }

    /// Takes up what another run remembered.
    pub fn restore(&mut self, reduced: f64, progression: Progression) {
        self.reduced = reduced;
        if let Some(waiting) = &mut self.waiting {
            waiting.progression = progression;
        }
    }
}

impl FromStr for Schedule {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        let source = Source { what: "schedule", text };
        let call = source.parse()?;
        let is_plateau = call.name == "plateau";
        let (mut warmup, mut factor, mut patience) = (WarmUp::NONE, None, None);
        for setting in &call.settings {
            match setting.key {
                "warmup" => warmup = parse_warmup(source, setting)?,
                "factor" if is_plateau => {
                    let good = |value: &f64| *value > 0.0 && *value < 1.0;
                    factor = Some(number(source, setting, good, "a number between 0 and 1")?);
                }
                "patience" if is_plateau => {
                    let good = |value: &u32| *value > 0;
                    patience = Some(number(source, setting, good, "a number of measurements")?);
                }
                _ if is_plateau => {
                    let expected = "`warmup`, `factor` or `patience`";
                    return Err(source.expected(setting.offset, expected));
                }
                _ => return Err(source.expected(setting.offset, "`warmup`")),
            }
        }
        match (call.name, factor, patience) {
            ("constant", ..) => Ok(Schedule::Constant { warmup }),
            ("linear", ..) => Ok(Schedule::Linear { warmup }),
            ("cosine", ..) => Ok(Schedule::Cosine { warmup }),
            ("plateau", Some(factor), Some(patience)) => {
                Ok(Schedule::Plateau { warmup, factor, patience })
            }
            ("plateau", ..) => Err(source.expected(call.offset, "`factor` and `patience` with it")),
            _ => {
                let expected = "`constant`, `linear`, `cosine` or `plateau`";
                Err(source.expected(call.offset, expected))
            }
        }
    }
}

fn parse_warmup(source: Source<'_>, setting: &Setting<'_>) -> Result<WarmUp> {
    if setting.value.bytes().all(|byte| byte.is_ascii_digit()) {
        let steps = number(source, setting, |_: &u64| true, "a number of steps")?;
        return Ok(WarmUp::Steps(steps));
    }
    let good = |share: &f64| *share > 0.0 && *share < 1.0;
    let expected = "a number of steps, or a share between 0 and 1";
    Ok(WarmUp::Share(number(source, setting, good, expected)?))
}

impl fmt::Display for Schedule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut settings = Vec::new();
        match self.warmup() {
            WarmUp::NONE => {}
            WarmUp::Steps(steps) => settings.push(format!("warmup={steps}")),
            WarmUp::Share(share) => settings.push(format!("warmup={share}")),
        }
        let name = match self {
            Schedule::Constant { .. } => "constant",
            Schedule::Linear { .. } => "linear",
            Schedule::Cosine { .. } => "cosine",
            Schedule::Plateau { factor, patience, .. } => {
                settings.push(format!("factor={factor}"));
                settings.push(format!("patience={patience}"));
                "plateau"
            }
        };
        f.write_str(name)?;
        if settings.is_empty() { Ok(()) } else { write!(f, "({})", settings.join(", ")) }
    }
}
