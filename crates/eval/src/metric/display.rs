//! The canonical text of a metric: what `ir_measures` prints, with `rel` first among the parameters.

use std::fmt;

use crate::metric::{Dcg, Gains, Measure, Metric, parse};

impl fmt::Display for Metric {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(parse::name_of(&self.measure))?;
        let mut parameters = Vec::new();
        self.relevance(&mut parameters);
        of_measure(&self.measure, &mut parameters);
        if self.judged_only {
            parameters.push("judged_only=True".to_owned());
        }
        if !parameters.is_empty() {
            write!(f, "({})", parameters.join(","))?;
        }
        match (&self.measure, self.cutoff) {
            (Measure::InterpolatedPrecision { recall }, _) => write!(f, "@{recall:?}"),
            (_, Some(cutoff)) => write!(f, "@{cutoff}"),
            _ => Ok(()),
        }
    }
}

impl Metric {
    /// These measures count relevant documents only where `rel` is given, so 1 has to be said.
    fn relevance(&self, parameters: &mut Vec<String>) {
        let said = match self.measure {
            Measure::NumRet { relevant } => relevant,
            Measure::RankBiased { graded, .. } => !graded,
            _ => self.rel != 1,
        };
        if said {
            parameters.push(format!("rel={}", self.rel));
        }
    }
}

fn of_measure(measure: &Measure, parameters: &mut Vec<String>) {
    match measure {
        Measure::Ndcg { dcg, gains } => {
            if *dcg == Dcg::ExpLog2 {
                parameters.push("dcg='exp-log2'".to_owned());
            }
            of_gains(gains, parameters);
        }
        Measure::NdcgRel { gains } | Measure::Rndcg { gains } | Measure::Gain { gains } => {
            of_gains(gains, parameters);
        }
        Measure::Precision { relative: true } | Measure::SetPrecision { relative: true } => {
            parameters.push("relative=True".to_owned());
        }
        Measure::Rprec { mult } if *mult != 1.0 => parameters.push(format!("mult={mult:?}")),
        Measure::SetF { beta } if *beta != 1.0 => parameters.push(format!("beta={beta:?}")),
        Measure::RankBiased { p, .. } | Measure::RankBiasedResidual { p }
            if *p != parse::PERSISTENCE =>
        {
            parameters.push(format!("p={p:?}"));
        }
        Measure::AverageInterpolated { recalls } if *recalls != parse::ELEVEN_POINTS => {
            parameters.push(format!("recall=[{}]", joined(recalls)));
        }
        Measure::Utility { weights } if *weights != parse::UTILITY => {
            parameters.push(format!("weights=[{}]", joined(weights)));
        }
        _ => {}
    }
}

fn of_gains(gains: &Gains, parameters: &mut Vec<String>) {
    if !gains.pairs().is_empty() {
        let pairs: Vec<String> = gains.pairs().iter().map(|(l, g)| format!("{l}:{g}")).collect();
        parameters.push(format!("gains={{{}}}", pairs.join(",")));
    }
}

fn joined(values: &[f64]) -> String {
    values.iter().map(f64::to_string).collect::<Vec<_>>().join(",")
}
