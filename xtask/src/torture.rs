//! `cargo xtask torture`: the longer run of the tests that crash and kill, and its record.
//!
//! The crashes are injected into a storage that models a disk, by a test of `ecphory-index`; the kills are
//! SIGKILLs of the real program under load, by a test of `ecphory-cli`. Both run in the suite too, with a few
//! of each. This command builds them with optimisations, asks for many, adds up what they print, and ends
//! with one line of counts, which is also appended to benches-record/torture.csv. Cost: about a minute for
//! the defaults, besides the build.

use std::fmt;
use std::io::{BufRead, BufReader, Write};
use std::process::{Command, Stdio};
use std::time::{SystemTime, UNIX_EPOCH};

use anyhow::{Context, Result};
use fs_err::OpenOptions;

use crate::bench::{clock, csv, record};
use crate::tree;

const RECORD: &str = "benches-record/torture.csv";
const HEADER: &str = "date,commit,crashes,kills,lost,resurrected,different,seed";

const CRASHES: Trial = Trial {
    what: "crashes",
    package: "ecphory-index",
    test: "crashes::nothing_is_lost_by_crashes",
    variable: "ECPHORY_CRASHES",
};
const KILLS: Trial = Trial {
    what: "kills",
    package: "ecphory-cli",
    test: "kill::nothing_is_lost_by_kills",
    variable: "ECPHORY_KILLS",
};

/// The first of the random lives that are lived; another one makes another run.
const SEED: &str = "ECPHORY_SEED";

/// What was asked for.
#[derive(Debug, PartialEq, Eq)]
pub struct Options {
    crashes: u64,
    kills: u64,
    seed: u64,
    record: bool,
}

/// A test that does something terrible as often as a variable says, and prints what that did.
struct Trial {
    /// The first word of the line it prints.
    what: &'static str,
    package: &'static str,
    test: &'static str,
    variable: &'static str,
}

/// What one test, or both, found.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Counts {
    crashes: u64,
    kills: u64,
    /// Acknowledged documents that were gone.
    lost: u64,
    /// Deleted or replaced documents that were back.
    resurrected: u64,
    /// Other differences from the model, those of searches among them.
    different: u64,
}

impl Options {
    /// Reads the arguments; the error says what is wrong with them.
    pub fn parse(args: &[String]) -> Result<Self, String> {
        // Seeds below 2^32 leave room for what the tests add to them.
        let seconds = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |d| d.as_secs());
        let mut options =
            Self { crashes: 1000, kills: 200, seed: seconds % (1 << 32), record: true };
        let mut args = args.iter();
        while let Some(name) = args.next() {
            let place = match name.as_str() {
                "--crashes" => &mut options.crashes,
                "--kills" => &mut options.kills,
                "--seed" => &mut options.seed,
                "--no-record" => {
                    options.record = false;
                    continue;
                }
                other => return Err(format!("torture does not know `{other}`")),
            };
            let value = args.next().ok_or_else(|| format!("{name} needs a number"))?;
            let number = value.parse::<u32>().ok();
            *place = number.ok_or_else(|| format!("{name} needs a number, not `{value}`"))?.into();
        }
        if options.crashes == 0 && options.kills == 0 {
            return Err("torture without crashes and kills does nothing".to_owned());
        }
        Ok(options)
    }
}

/// Runs both tests, prints and records the counts; false where anything was lost.
pub fn run(options: &Options) -> Result<bool> {
    let mut counts = Counts::default();
    let mut passed = true;
    for (trial, wanted) in [(&CRASHES, options.crashes), (&KILLS, options.kills)] {
        if wanted > 0 {
            eprintln!("{}: {wanted}, seed {}", trial.what, options.seed);
            let (found, success) = trial.run(wanted, options.seed)?;
            counts = counts.plus(found);
            passed &= success;
        }
    }
    if options.record {
        append(counts, options.seed)?;
    }
    println!("torture: {counts}");
    Ok(passed && counts.satisfy(options))
}

impl Trial {
    /// Runs the test; what it prints goes to standard error, where only the counts are not lost in it.
    fn run(&self, wanted: u64, seed: u64) -> Result<(Counts, bool)> {
        let mut child = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()))
            .args(["test", "--quiet", "--release", "--package", self.package, "--test", "it"])
            .args(["--", "--exact", "--nocapture", self.test])
            .env(self.variable, wanted.to_string())
            .env(SEED, seed.to_string())
            .current_dir(tree::root())
            .stdout(Stdio::piped())
            .spawn()
            .context("could not run cargo test")?;
        let output = child.stdout.take().context("cargo test has no output")?;
        let mut counts = None;
        for line in BufReader::new(output).split(b'\n') {
            let line = String::from_utf8_lossy(&line?).into_owned();
            counts = counts.or(Counts::read(self.what, &line));
            eprintln!("{line}");
        }
        let success = child.wait()?.success();
        let counts = counts.with_context(|| {
            let (test, package) = (self.test, self.package);
            format!("the test {test} of {package} printed no line of counts")
        })?;
        Ok((counts, success))
    }
}

impl Counts {
    /// Reads `crashes: 1000, lost 0, resurrected 0, different 0` at the end of a line; the harness may have
    /// begun the line.
    fn read(what: &str, line: &str) -> Option<Self> {
        let (_, counts) = line.trim_end().rsplit_once(&format!("{what}: "))?;
        let mut values = counts.split(", ");
        let number = values.next()?.parse().ok()?;
        let mut next = |name: &str| -> Option<u64> {
            values.next()?.strip_prefix(name)?.strip_prefix(' ')?.parse().ok()
        };
        let mut found = Self {
            lost: next("lost")?,
            resurrected: next("resurrected")?,
            different: next("different")?,
            ..Self::default()
        };
        *(if what == KILLS.what { &mut found.kills } else { &mut found.crashes }) = number;
        values.next().is_none().then_some(found)
    }

    fn plus(self, other: Self) -> Self {
        Self {
            crashes: self.crashes + other.crashes,
            kills: self.kills + other.kills,
            lost: self.lost + other.lost,
            resurrected: self.resurrected + other.resurrected,
            different: self.different + other.different,
        }
    }

    /// Whether as much was tried as was asked for, and nothing came of it.
    fn satisfy(self, options: &Options) -> bool {
        self.crashes >= options.crashes
            && self.kills >= options.kills
            && (self.lost, self.resurrected, self.different) == (0, 0, 0)
    }
}

impl fmt::Display for Counts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { crashes, kills, lost, resurrected, different } = self;
        write!(f, "{crashes} crashes, {kills} kills: ")?;
        write!(f, "{lost} lost, {resurrected} resurrected, {different} different")
    }
}

/// Appends the counts to the record.
fn append(counts: Counts, seed: u64) -> Result<()> {
    let place = tree::root().join(RECORD);
    let header = if place.exists() { String::new() } else { format!("{HEADER}\n") };
    let line = to_csv(&clock::now(), &record::commit(), counts, seed);
    let mut file = OpenOptions::new().create(true).append(true).open(place)?;
    file.write_all(format!("{header}{line}\n").as_bytes()).context(RECORD)
}

fn to_csv(date: &str, commit: &str, counts: Counts, seed: u64) -> String {
    let Counts { crashes, kills, lost, resurrected, different } = counts;
    let numbers = [crashes, kills, lost, resurrected, different, seed].map(|n| n.to_string());
    csv::line(&[&[date.to_owned(), commit.to_owned()], &numbers[..]].concat())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(line: &str) -> Result<Options, String> {
        Options::parse(&line.split_whitespace().map(str::to_owned).collect::<Vec<_>>())
    }

    #[test]
    fn arguments() {
        let defaults = parse("").unwrap();
        assert_eq!((defaults.crashes, defaults.kills, defaults.record), (1000, 200, true));
        let expected = Options { crashes: 5, kills: 0, seed: 7, record: false };
        assert_eq!(parse("--crashes 5 --kills 0 --seed 7 --no-record"), Ok(expected));
        let wrong =
            ["--crash 5", "--crashes", "--kills many", "--kills -1", "--crashes 0 --kills 0", "5"];
        for line in wrong {
            assert!(parse(line).is_err(), "{line}");
        }
    }

    #[test]
    fn counts_are_read_wherever_the_harness_lets_them_begin() {
        let line = "crashes: 1034, lost 1, resurrected 2, different 3";
        let found = Counts { crashes: 1034, lost: 1, resurrected: 2, different: 3, kills: 0 };
        assert_eq!(Counts::read("crashes", line), Some(found));
        assert_eq!(Counts::read("crashes", &format!("test a::b ... {line}\r")), Some(found));
        let kills = Counts { kills: 9, ..Counts::default() };
        let line = "kills: 9, lost 0, resurrected 0, different 0";
        assert_eq!(Counts::read("kills", line), Some(kills));
        let wrong = [
            "kills: 9, lost 0, resurrected 0",
            "kills: 9, lost 0, resurrected 0, different 0, other 1",
            "kills: 9, lost 0, different 0, resurrected 0",
            "kills: many, lost 0, resurrected 0, different 0",
            "crashes: 9, lost 0, resurrected 0, different 0",
            "running 1 test",
        ];
        for line in wrong {
            assert_eq!(Counts::read("kills", line), None, "{line}");
        }
    }

    #[test]
    fn only_as_much_as_was_asked_for_without_any_loss_will_do() {
        let options = Options { crashes: 10, kills: 2, seed: 0, record: false };
        let good = Counts { crashes: 12, ..Counts::default() }
            .plus(Counts { kills: 2, ..Counts::default() });
        assert!(good.satisfy(&options));
        let bad = [
            Counts { crashes: 9, ..good },
            Counts { kills: 1, ..good },
            Counts { lost: 1, ..good },
            Counts { resurrected: 1, ..good },
            Counts { different: 1, ..good },
        ];
        for counts in bad {
            assert!(!counts.satisfy(&options), "{counts}");
        }
    }

    #[test]
    fn the_last_line_and_the_record() {
        let counts = Counts { crashes: 1000, kills: 200, ..Counts::default() };
        let line = "1000 crashes, 200 kills: 0 lost, 0 resurrected, 0 different";
        assert_eq!(counts.to_string(), line);
        let row = to_csv("2026-11-23T12:00:00Z", "abc", counts, 7);
        assert_eq!(row, "2026-11-23T12:00:00Z,abc,1000,200,0,0,0,7");
        assert_eq!(row.split(',').count(), HEADER.split(',').count());
    }
}
