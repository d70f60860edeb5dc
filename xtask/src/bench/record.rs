//! The record of comparisons: `benches-record/CPU/DATE.csv`, appended to and never rewritten.
//!
//! One line is one comparison; benches-record/README.md says what each column means. The folder is named
//! after the processor, because a ratio means something only on one kind of machine.

use std::fmt;
use std::io::Write;
use std::process::Command;

use anyhow::{Context, Result};
use fs_err::{self as fs, OpenOptions};
use serde_json::Value;

use super::{clock, csv};
use crate::tree;

pub const FOLDER: &str = "benches-record";
pub const HEADER: &str =
    "date,commit,load,workload,peer,metric,quality,ours,theirs,ratio,low,high,runs";

/// One comparison as a workload prints it.
#[derive(Clone, Debug, PartialEq)]
pub struct Row {
    pub workload: String,
    pub peer: String,
    pub metric: String,
    /// What was held equal, or how far the two are from equal.
    pub quality: String,
    pub ours: f64,
    pub theirs: f64,
    /// Above 1 is better for us, whatever the metric.
    pub ratio: f64,
    pub low: f64,
    pub high: f64,
    pub runs: u64,
}

impl Row {
    /// Reads the JSON object that a workload prints.
    pub fn from_json(object: &Value) -> Result<Self> {
        let text = |key: &str| -> Result<String> {
            let found = object[key].as_str().map(str::to_owned);
            found.with_context(|| format!("the workload printed no text `{key}`: {object}"))
        };
        let number = |key: &str| -> Result<f64> {
            let found = object[key].as_f64();
            found.with_context(|| format!("the workload printed no number `{key}`: {object}"))
        };
        Ok(Self {
            workload: text("workload")?,
            peer: text("peer")?,
            metric: text("metric")?,
            quality: text("quality")?,
            ours: number("ours")?,
            theirs: number("theirs")?,
            ratio: number("ratio")?,
            low: number("low")?,
            high: number("high")?,
            runs: object["runs"].as_u64().context("the workload printed no `runs`")?,
        })
    }

    /// Reads one line of a record, without its date, commit and load.
    pub fn from_csv(line: &str) -> Option<Self> {
        let values = csv::values(line)?;
        let [_, _, _, workload, peer, metric, quality, ours, theirs, ratio, low, high, runs] =
            <[String; 13]>::try_from(values).ok()?;
        Some(Self {
            workload,
            peer,
            metric,
            quality,
            ours: ours.parse().ok()?,
            theirs: theirs.parse().ok()?,
            ratio: ratio.parse().ok()?,
            low: low.parse().ok()?,
            high: high.parse().ok()?,
            runs: runs.parse().ok()?,
        })
    }

    fn to_csv(&self, date: &str, commit: &str, load: f64) -> String {
        csv::line(&[
            date.to_owned(),
            commit.to_owned(),
            format!("{load:.2}"),
            self.workload.clone(),
            self.peer.clone(),
            self.metric.clone(),
            self.quality.clone(),
            figure(self.ours),
            figure(self.theirs),
            figure(self.ratio),
            figure(self.low),
            figure(self.high),
            self.runs.to_string(),
        ])
    }
}

impl fmt::Display for Row {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { workload, peer, metric, quality, ours, theirs, ratio, low, high, runs } = self;
        let (ours, theirs) = (figure(*ours), figure(*theirs));
        write!(f, "{workload} | {metric} | ours {ours} | {peer} {theirs} | ")?;
        write!(f, "ratio {ratio:.2} ({low:.2} to {high:.2}, {runs} runs) | {quality}")
    }
}

/// Four significant digits, without an exponent.
pub fn figure(value: f64) -> String {
    if value == 0.0 || !value.is_finite() {
        return value.to_string();
    }
    let digits = value.abs().log10().floor() as i32;
    let decimals = (3 - digits).clamp(0, 12) as usize;
    let text = format!("{value:.decimals$}");
    if decimals == 0 { text } else { text.trim_end_matches('0').trim_end_matches('.').to_owned() }
}

/// Appends the rows to today's file and returns its path.
pub fn append(rows: &[Row], load: f64) -> Result<String> {
    let date = clock::now();
    let folder = format!("{FOLDER}/{}", processor());
    let path = format!("{folder}/{}.csv", &date[..10]);
    let place = tree::root().join(&path);
    fs::create_dir_all(tree::root().join(&folder)).context(folder)?;
    let fresh = !place.exists();
    let mut text = if fresh { format!("{HEADER}\n") } else { String::new() };
    let commit = commit();
    for row in rows {
        text += &row.to_csv(&date, &commit, load);
        text.push('\n');
    }
    let mut file =
        OpenOptions::new().create(true).append(true).open(&place).context(path.clone())?;
    file.write_all(text.as_bytes()).context(path.clone())?;
    Ok(path)
}

/// The load average of the last minute: well above 0 before a run means that others were at work.
pub fn load() -> f64 {
    let text = fs::read_to_string("/proc/loadavg").unwrap_or_default();
    text.split(' ').next().and_then(|first| first.parse().ok()).unwrap_or(0.0)
}

/// The short hash, with `+` where the work tree differs from it.
pub fn commit() -> String {
    let git = |args: &[&str]| -> Option<String> {
        let output = Command::new("git").args(args).current_dir(tree::root()).output().ok()?;
        output.status.success().then(|| String::from_utf8_lossy(&output.stdout).trim().to_owned())
    };
    let Some(hash) = git(&["rev-parse", "--short=12", "HEAD"]) else { return "unknown".into() };
    // The record itself changes with every run and says nothing about the code.
    let others = [":(exclude)benches-record", ":(exclude)docs/benchmarks.md"];
    let changed = git(&["status", "--porcelain", "--", ".", others[0], others[1]]);
    if changed.is_none_or(|changed| changed.is_empty()) { hash } else { hash + "+" }
}

/// A folder name for the processor: its name, family, model and how many of it.
fn processor() -> String {
    let text = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let value = |key: &str| {
        let mut lines = text.lines().filter_map(|line| line.split_once(':'));
        lines.find(|(name, _)| name.trim() == key).map(|(_, value)| value.trim().to_owned())
    };
    let count = std::thread::available_parallelism().map_or(1, usize::from);
    let name = value("model name").unwrap_or_else(|| std::env::consts::ARCH.to_owned());
    let parts = [Some(name), value("cpu family"), value("model"), Some(format!("{count} cpus"))];
    let joined: Vec<String> = parts.into_iter().flatten().collect();
    slug(&joined.join(" "))
}

fn slug(name: &str) -> String {
    let lower = name.to_ascii_lowercase();
    let words = lower.split(|c: char| !c.is_ascii_alphanumeric()).filter(|word| !word.is_empty());
    words.collect::<Vec<&str>>().join("-")
}

#[cfg(test)]
pub mod tests {
    use super::*;

    pub fn sample(metric: &str, ratio: f64) -> Row {
        Row {
            workload: "bm25".into(),
            peer: "tantivy 0.27".into(),
            metric: metric.into(),
            quality: "same terms, top 10 equal".into(),
            ours: 1234.5,
            theirs: 1000.0,
            ratio,
            low: 1.1,
            high: 1.3,
            runs: 3,
        }
    }

    #[test]
    fn a_row_survives_json_and_csv() {
        let row = sample("documents per second", 1.25);
        let json = serde_json::json!({
            "workload": "bm25", "peer": "tantivy 0.27", "metric": "documents per second",
            "quality": "same terms, top 10 equal", "ours": 1234.5, "theirs": 1000, "ratio": 1.25,
            "low": 1.1, "high": 1.3, "runs": 3
        });
        assert_eq!(Row::from_json(&json).unwrap(), row);
        let line = row.to_csv("2026-11-23T12:00:00Z", "abc", 0.5);
        assert_eq!(csv::values(&line).unwrap().len(), HEADER.split(',').count());
        let back = Row::from_csv(&line).unwrap();
        assert_eq!((back.ours, back.runs, back.quality), (1234.0, 3, row.quality));
        assert!(Row::from_json(&serde_json::json!({"workload": "bm25"})).is_err());
        assert_eq!(Row::from_csv("a,b"), None);
    }

    #[test]
    fn figures_have_four_digits() {
        let cases = [
            (0.0, "0"),
            (12_345.6, "12346"),
            (1.0, "1"),
            (0.000_012_345, "0.00001234"),
            (57.3, "57.3"),
        ];
        for (value, text) in cases {
            assert_eq!(figure(value), text);
        }
    }

    #[test]
    fn slugs_are_folder_names() {
        assert_eq!(slug("AMD Ryzen(TM) 9 @ 3.20GHz"), "amd-ryzen-tm-9-3-20ghz");
    }
}
