//! How labels are taken, by a spec string: `coupled(temperature=0.05, warmup=40)`.

use std::fmt;
use std::str::FromStr;

use crate::error::{Error, Result};
use crate::spec::{Source, number};

/// Coupled estimation of relevance and selection.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct DebiasSpec {
    /// What the ranker's scores are divided by where they become probabilities: the temperature of its loss.
    pub temperature: f64,
    /// For how many steps both models take labels as they are.
    pub warmup: u64,
}

impl FromStr for DebiasSpec {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        let source = Source { what: "debias", text };
        let call = source.parse()?;
        if call.name != "coupled" {
            return Err(source.expected(call.offset, "`coupled`"));
        }
        let mut spec = Self { temperature: 1.0, warmup: 0 };
        for setting in &call.settings {
            match setting.key {
                "temperature" => {
                    let good = |x: &f64| x.is_finite() && *x > 0.0;
                    spec.temperature = number(source, setting, good, "a number above 0")?;
                }
                "warmup" => {
                    spec.warmup = number(source, setting, |_: &u64| true, "a number of steps")?;
                }
                _ => return Err(source.expected(setting.offset, "`temperature` or `warmup`")),
            }
        }
        Ok(spec)
    }
}

impl fmt::Display for DebiasSpec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "coupled(temperature={}, warmup={})", self.temperature, self.warmup)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn specs_come_back_and_errors_point_at_what_is_wrong() {
        let spec = "coupled(temperature=0.05, warmup=40)";
        assert_eq!(spec.parse::<DebiasSpec>().unwrap().to_string(), spec);
        for (wrong, offset) in [
            ("", 0),
            ("single", 0),
            ("coupled(heat=1)", 8),
            ("coupled(temperature=0)", 20),
            ("coupled(warmup=x)", 15),
        ] {
            let error = wrong.parse::<DebiasSpec>().unwrap_err().to_string();
            assert!(error.ends_with(&format!("at byte {offset}")), "{wrong}: {error}");
        }
    }
}
