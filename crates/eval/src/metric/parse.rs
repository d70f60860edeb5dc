//! The parser of metric names: `NAME`, `NAME(key=value,...)`, `NAME(...)@cutoff`.
//!
//! Values are numbers, `True` and `False`, quoted words, lists `[1,2]` and maps `{1:3,2:9}`. Names are
//! found whatever their case.

use std::str::FromStr;

use crate::error::{Error, Result};
use crate::metric::{Dcg, Gains, Measure, Metric, alias};

pub(super) const PERSISTENCE: f64 = 0.8;
pub(super) const ELEVEN_POINTS: [f64; 11] = [0.0, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1.0];
pub(super) const UTILITY: [f64; 3] = [1.0, -1.0, 0.0];

/// What may follow an `@`.
#[derive(Clone, Copy, PartialEq)]
enum At {
    Nothing,
    Cutoff,
    CutoffNeeded,
    RecallNeeded,
}

struct Entry {
    names: &'static [&'static str],
    at: At,
    /// The parameters it takes.
    takes: &'static [&'static str],
    measure: fn() -> Measure,
}

const REL: &[&str] = &["rel"];
const REL_JUDGED: &[&str] = &["rel", "judged_only"];
const GAINS: &[&str] = &["gains", "judged_only"];

macro_rules! entry {
    ([$($name:literal),+], $at:ident, $takes:expr, $measure:expr) => {
        Entry { names: &[$($name),+], at: At::$at, takes: $takes, measure: || $measure }
    };
}

/// Every measure with its canonical name first.
const ENTRIES: [Entry; 30] = [
    entry!(
        ["nDCG"],
        Cutoff,
        &["dcg", "gains", "judged_only"],
        Measure::Ndcg { dcg: Dcg::Log2, gains: Gains::default() }
    ),
    entry!(["AP", "MAP"], Cutoff, REL_JUDGED, Measure::AveragePrecision { geometric: false }),
    entry!(["GMAP"], Nothing, REL_JUDGED, Measure::AveragePrecision { geometric: true }),
    entry!(["RR", "MRR"], Cutoff, REL_JUDGED, Measure::ReciprocalRank),
    entry!(
        ["P", "Precision"],
        CutoffNeeded,
        &["rel", "relative", "judged_only"],
        Measure::Precision { relative: false }
    ),
    entry!(["R", "Recall"], CutoffNeeded, REL_JUDGED, Measure::Recall),
    entry!(["Success"], CutoffNeeded, REL_JUDGED, Measure::Success),
    entry!(["Rprec"], Nothing, &["rel", "mult", "judged_only"], Measure::Rprec { mult: 1.0 }),
    entry!(["Bpref"], Nothing, REL, Measure::Bpref { geometric: false }),
    entry!(["GMBpref"], Nothing, REL, Measure::Bpref { geometric: true }),
    entry!(["infAP"], Nothing, REL, Measure::InferredAp),
    entry!(["Judged"], Cutoff, &[], Measure::Judged),
    entry!(["Unjudged"], CutoffNeeded, &[], Measure::Unjudged),
    entry!(["NumQ"], Nothing, &[], Measure::NumQ),
    entry!(["NumRet"], Nothing, REL, Measure::NumRet { relevant: false }),
    entry!(["NumRel"], Nothing, REL, Measure::NumRel),
    entry!(["NumNonRelRet"], Nothing, REL, Measure::NumNonRelRet),
    entry!(["IPrec"], RecallNeeded, REL_JUDGED, Measure::InterpolatedPrecision { recall: 0.0 }),
    entry!(
        ["AvgIPrec"],
        Nothing,
        &["rel", "recall", "judged_only"],
        Measure::AverageInterpolated { recalls: ELEVEN_POINTS.to_vec() }
    ),
    entry!(
        ["SetP"],
        Nothing,
        &["rel", "relative", "judged_only"],
        Measure::SetPrecision { relative: false }
    ),
    entry!(["SetR"], Nothing, REL, Measure::SetRecall),
    entry!(["SetF"], Nothing, &["rel", "beta", "judged_only"], Measure::SetF { beta: 1.0 }),
    entry!(["SetAP"], Nothing, REL_JUDGED, Measure::SetAp),
    entry!(["RBP"], Cutoff, &["rel", "p"], Measure::RankBiased { p: PERSISTENCE, graded: true }),
    entry!(["RBPResid"], Nothing, &["p"], Measure::RankBiasedResidual { p: PERSISTENCE }),
    entry!(["nDCGRel"], Nothing, GAINS, Measure::NdcgRel { gains: Gains::default() }),
    entry!(["RnDCG"], Nothing, GAINS, Measure::Rndcg { gains: Gains::default() }),
    entry!(["G"], Nothing, GAINS, Measure::Gain { gains: Gains::default() }),
    entry!(["BinG"], Nothing, REL_JUDGED, Measure::BinaryGain),
    entry!(
        ["Utility"],
        Nothing,
        &["rel", "weights", "judged_only"],
        Measure::Utility { weights: UTILITY }
    ),
];

impl FromStr for Metric {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        let text = text.trim();
        match alias::translate(text) {
            Some(ours) => Parser { text: &ours, at: 0 }.metric(),
            None => Parser { text, at: 0 }.metric(),
        }
    }
}

/// Returns the canonical name of a measure.
pub(super) fn name_of(measure: &Measure) -> &'static str {
    match measure {
        Measure::AveragePrecision { geometric: true } => "GMAP",
        Measure::Bpref { geometric: true } => "GMBpref",
        other => {
            let kind = std::mem::discriminant(other);
            let entry = ENTRIES.iter().find(|e| std::mem::discriminant(&(e.measure)()) == kind);
            entry.expect("every measure stands in the table").names[0]
        }
    }
}

enum Value {
    Number(f64),
    Bool(bool),
    Word(String),
    List(Vec<f64>),
    Map(Vec<(i32, f64)>),
}

struct Parser<'a> {
    text: &'a str,
    at: usize,
}

impl<'a> Parser<'a> {
    fn metric(mut self) -> Result<Metric> {
        let name = self.taken_while(|c| c.is_ascii_alphanumeric() || c == '_');
        let Some(entry) = find(name) else {
            return Err(Error::UnknownMetric {
                name: self.text.to_owned(),
                nearest: nearest(if name.is_empty() { self.text } else { name }),
            });
        };
        let mut metric = Metric::new((entry.measure)());
        if self.eat('(') && !self.eat(')') {
            loop {
                let key = self.taken_while(|c| c.is_ascii_alphanumeric() || c == '_');
                self.expect('=', "`=` after a parameter's name")?;
                let start = self.at;
                let value = self.value()?;
                let got = self.text[start..self.at].trim();
                self.set(&mut metric, entry, (key, value, got))?;
                if self.eat(')') {
                    break;
                }
                self.expect(',', "`,` or `)`")?;
            }
        }
        self.cutoff(&mut metric, entry)?;
        if self.rest().is_empty() { Ok(metric) } else { Err(self.expected("the end")) }
    }

    /// Sets one parameter, after checking that the measure takes it.
    fn set(&self, metric: &mut Metric, entry: &Entry, given: (&str, Value, &str)) -> Result<()> {
        let (key, value, got) = given;
        let wrong = |expected: &str| self.parameter(key, expected, got);
        if !entry.takes.contains(&key) {
            let known = match entry.takes {
                [] => "no parameters".to_owned(),
                takes => format!("one of {}", takes.join(", ")),
            };
            return Err(self.parameter("parameter", &known, key));
        }
        match (key, value, &mut metric.measure) {
            ("rel", Value::Number(rel), measure) => {
                if rel.fract() != 0.0 || !(0.0..=f64::from(i32::MAX)).contains(&rel) {
                    return Err(wrong("an integer from 0 up"));
                }
                metric.rel = rel as i32;
                match measure {
                    Measure::NumRet { relevant } => *relevant = true,
                    Measure::RankBiased { graded, .. } => *graded = false,
                    _ => {}
                }
            }
            ("judged_only", Value::Bool(yes), _) => metric.judged_only = yes,
            (
                "relative",
                Value::Bool(yes),
                Measure::Precision { relative } | Measure::SetPrecision { relative },
            ) => *relative = yes,
            ("dcg", Value::Word(word), Measure::Ndcg { dcg, .. }) => {
                *dcg = match word.as_str() {
                    "log2" => Dcg::Log2,
                    "exp-log2" => Dcg::ExpLog2,
                    _ => return Err(wrong("'log2' or 'exp-log2'")),
                }
            }
            (
                "gains",
                Value::Map(pairs),
                Measure::Ndcg { gains, .. }
                | Measure::NdcgRel { gains }
                | Measure::Rndcg { gains }
                | Measure::Gain { gains },
            ) => *gains = Gains::new(pairs),
            ("mult", Value::Number(value), Measure::Rprec { mult }) if value > 0.0 => *mult = value,
            ("beta", Value::Number(value), Measure::SetF { beta }) if value >= 0.0 => *beta = value,
            (
                "p",
                Value::Number(value),
                Measure::RankBiased { p, .. } | Measure::RankBiasedResidual { p },
            ) if (0.0..1.0).contains(&value) => *p = value,
            ("recall", Value::List(list), Measure::AverageInterpolated { recalls })
                if !list.is_empty() && list.iter().all(|r| (0.0..=1.0).contains(r)) =>
            {
                *recalls = list;
            }
            ("weights", Value::List(list), Measure::Utility { weights }) => {
                *weights = utility(&list).ok_or_else(|| wrong("three numbers, as [1,-1,0]"))?;
            }
            _ => return Err(wrong(shape_of(key))),
        }
        Ok(())
    }

    fn cutoff(&mut self, metric: &mut Metric, entry: &Entry) -> Result<()> {
        if !self.eat('@') {
            return match entry.at {
                At::Nothing | At::Cutoff => Ok(()),
                At::CutoffNeeded => Err(self.parameter("cutoff", "`@` and a number of ranks", "")),
                At::RecallNeeded => {
                    Err(self.parameter("recall", "`@` and a number from 0 to 1", ""))
                }
            };
        }
        let got = self.rest().trim().to_owned();
        self.at = self.text.len();
        match (entry.at, &mut metric.measure) {
            (At::Nothing, _) => Err(self.parameter("cutoff", "none for this metric", &got)),
            (At::RecallNeeded, Measure::InterpolatedPrecision { recall }) => match got.parse() {
                Ok(value) if (0.0..=1.0).contains(&value) => {
                    *recall = value;
                    Ok(())
                }
                _ => Err(self.parameter("recall", "a number from 0 to 1", &got)),
            },
            _ => match got.parse() {
                Ok(cutoff) if cutoff > 0 => {
                    metric.cutoff = Some(cutoff);
                    Ok(())
                }
                _ => Err(self.parameter("cutoff", "an integer from 1 up", &got)),
            },
        }
    }

    fn value(&mut self) -> Result<Value> {
        if self.eat('[') {
            let mut list = Vec::new();
            while !self.eat(']') {
                if !list.is_empty() {
                    self.expect(',', "`,` or `]`")?;
                }
                list.push(self.number()?);
            }
            return Ok(Value::List(list));
        }
        if self.eat('{') {
            let mut map = Vec::new();
            while !self.eat('}') {
                if !map.is_empty() {
                    self.expect(',', "`,` or `}`")?;
                }
                let level = self.taken_while(|c| c.is_ascii_digit());
                let level = level.parse().map_err(|_| self.expected("a judgment"))?;
                self.expect(':', "`:` and a gain")?;
                map.push((level, self.number()?));
            }
            return Ok(Value::Map(map));
        }
        for quote in ['\'', '"'] {
            if self.eat(quote) {
                let word = self.taken_while(|c| c != quote).to_owned();
                self.expect(quote, "the closing quote")?;
                return Ok(Value::Word(word));
            }
        }
        if self.rest().starts_with(|c: char| c.is_ascii_alphabetic()) {
            let word = self.taken_while(|c| c.is_ascii_alphanumeric() || c == '-');
            return Ok(match word {
                "True" | "true" => Value::Bool(true),
                "False" | "false" => Value::Bool(false),
                word => Value::Word(word.to_owned()),
            });
        }
        self.number().map(Value::Number)
    }

    fn number(&mut self) -> Result<f64> {
        let start = self.at;
        let digits = self.taken_while(|c| c.is_ascii_digit() || "+-.eE".contains(c));
        match digits.parse::<f64>() {
            Ok(number) if number.is_finite() => Ok(number),
            _ => {
                self.at = start;
                Err(self.expected("a number"))
            }
        }
    }

    fn rest(&self) -> &'a str {
        &self.text[self.at..]
    }

    fn skip_blanks(&mut self) {
        self.at = self.text.len() - self.rest().trim_start().len();
    }

    fn taken_while(&mut self, keep: impl Fn(char) -> bool) -> &'a str {
        self.skip_blanks();
        let rest = self.rest();
        let end = rest.find(|c| !keep(c)).unwrap_or(rest.len());
        self.at += end;
        &rest[..end]
    }

    fn eat(&mut self, wanted: char) -> bool {
        self.skip_blanks();
        let there = self.rest().starts_with(wanted);
        self.at += if there { wanted.len_utf8() } else { 0 };
        there
    }

    fn expect(&mut self, wanted: char, expected: &'static str) -> Result<()> {
        if self.eat(wanted) { Ok(()) } else { Err(self.expected(expected)) }
    }

    fn expected(&self, expected: &'static str) -> Error {
        Error::MetricSyntax { metric: self.text.to_owned(), offset: self.at, expected }
    }

    fn parameter(&self, parameter: &str, expected: &str, got: &str) -> Error {
        Error::MetricParameter {
            metric: self.text.to_owned(),
            parameter: parameter.to_owned(),
            expected: expected.to_owned(),
            got: got.to_owned(),
        }
    }
}

fn shape_of(key: &str) -> &'static str {
    match key {
        "rel" => "an integer from 0 up",
        "judged_only" | "relative" => "True or False",
        "dcg" => "'log2' or 'exp-log2'",
        "gains" => "a map from judgment to gain, as {1:3,2:9}",
        "mult" => "a number above 0",
        "beta" => "a number from 0 up",
        "p" => "a number from 0 to below 1",
        "recall" => "a list of numbers from 0 to 1, as [.25,.5,.75]",
        _ => "three numbers, as [1,-1,0]",
    }
}

/// `trec_eval` has a fourth weight, for nonrelevant documents that were not retrieved; a run and
/// judgments do not say how many those are, so it has to be 0.
fn utility(list: &[f64]) -> Option<[f64; 3]> {
    match *list {
        [hit, noise, miss] | [hit, noise, miss, 0.0] => Some([hit, noise, miss]),
        _ => None,
    }
}

fn find(name: &str) -> Option<&'static Entry> {
    ENTRIES.iter().find(|entry| entry.names.iter().any(|known| known.eq_ignore_ascii_case(name)))
}

/// Returns the known name that is nearest in spelling.
fn nearest(name: &str) -> Option<String> {
    let ours = ENTRIES.iter().flat_map(|entry| entry.names).copied();
    ecphory_core::nearest::nearest(name, ours.chain(alias::names())).map(str::to_owned)
}
