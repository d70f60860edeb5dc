//! Workload `tatoeba`: multilingual-e5-small finds translations, language by language, as well as is published.
//!
//! The Tatoeba test of Artetxe and Schwenk (2019): up to 1,000 sentences of a language and their translations
//! into English; for each sentence, the nearest of the other language's by cosine has to be its translation.
//! Accuracy at 1 is taken in both directions; the published one is from the language to English.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};
use clap::Args;
use ecphory_core::Silent;
use ecphory_model::{Encoder, EncoderOptions, Role};

use crate::cache;
use crate::compare::{Better, Comparison};

/// Accuracy of the model in full precision, from a language to English, as the results of MTEB 1.12.75 have it
/// (revision e4ce9877 of `intfloat/multilingual-e5-small`).
const PUBLISHED: &[(&str, f64)] = &[
    ("afr", 0.883),
    ("amh", 0.7917),
    ("ara", 0.799),
    ("ben", 0.855),
    ("cmn", 0.921),
    ("deu", 0.979),
    ("ell", 0.896),
    ("fin", 0.749),
    ("fra", 0.924),
    ("hin", 0.941),
    ("ind", 0.904),
    ("jpn", 0.809),
    ("kor", 0.779),
    ("rus", 0.921),
    ("spa", 0.945),
    ("swh", 0.7154),
    ("tel", 0.8974),
    ("tha", 0.9307),
    ("tur", 0.909),
    ("vie", 0.913),
];

/// What to run.
#[derive(Args)]
pub struct Options {
    /// The model's directory [default: me5 of the model cache]
    #[arg(long)]
    model: Option<PathBuf>,
    /// Only these languages, by their codes such as deu
    #[arg(long = "language")]
    languages: Vec<String>,
    /// The first hundred sentences of each language; not recorded
    #[arg(long)]
    quick: bool,
}

/// How often the nearest sentence is the translation.
struct Accuracy {
    to_english: f64,
    from_english: f64,
}

/// Runs the workload.
pub fn run(options: &Options) -> Result<()> {
    let model = match &options.model {
        Some(model) => model.clone(),
        None => cache::model("me5")?,
    };
    let folder = data()?;
    let encoder = Encoder::open(&model, &EncoderOptions::default())?;
    let threads = std::thread::available_parallelism()?.get();
    let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build()?;
    eprintln!("| language | pairs | to English | published | from English |");
    eprintln!("|---|---:|---:|---:|---:|");
    let wanted =
        |code: &str| options.languages.is_empty() || options.languages.iter().any(|l| l == code);
    let (mut ours, mut theirs, mut back, mut count) = (0.0, 0.0, 0.0, 0.0);
    for &(code, published) in PUBLISHED.iter().filter(|row| wanted(row.0)) {
        let mut pairs = pairs(&folder.join(format!("{code}-eng.tsv")))?;
        pairs.truncate(if options.quick { 100 } else { usize::MAX });
        let accuracy = accuracy(&encoder, &pairs, &pool)?;
        let Accuracy { to_english, from_english } = accuracy;
        let pairs = pairs.len();
        eprintln!("| {code} | {pairs} | {to_english:.3} | {published:.3} | {from_english:.3} |");
        (ours, theirs, back) = (ours + to_english, theirs + published, back + from_english);
        count += 1.0;
        Comparison {
            workload: "tatoeba",
            peer: "multilingual-e5-small, published".to_owned(),
            metric: format!("accuracy at 1, {code} to English"),
            quality: format!("{pairs} pairs, weights from 4 bits; from English {from_english:.3}"),
            better: Better::Higher,
            rounds: vec![(to_english, published)],
        }
        .print();
    }
    ensure!(count > 0.0, "no such language: there are {}", codes());
    let mean = |sum: f64| sum / count;
    eprintln!("| mean | | {:.3} | {:.3} | {:.3} |", mean(ours), mean(theirs), mean(back));
    Ok(())
}

fn codes() -> String {
    PUBLISHED.iter().map(|row| row.0).collect::<Vec<_>>().join(", ")
}

/// The folder of sentences in a directory of `ECPHORY_DATA`.
fn data() -> Result<PathBuf> {
    let list = std::env::var_os("ECPHORY_DATA").context("ECPHORY_DATA names no directory")?;
    let found = std::env::split_paths(&list).map(|path| path.join("tatoeba"));
    found.into_iter().find(|path| path.is_dir()).context("ECPHORY_DATA has no tatoeba")
}

/// Reads lines of a sentence, a tab and its translation into English.
fn pairs(path: &Path) -> Result<Vec<(String, String)>> {
    let text = fs_err::read_to_string(path)?;
    let pair = |line: &str| {
        let (foreign, english) = line.split_once('\t').context("a line has no tab")?;
        Ok((foreign.to_owned(), english.to_owned()))
    };
    text.lines().map(pair).collect()
}

fn accuracy(
    encoder: &Encoder,
    pairs: &[(String, String)],
    pool: &rayon::ThreadPool,
) -> Result<Accuracy> {
    // Both sides as queries: what the model's authors advise where neither side answers the other.
    let encode = |texts: Vec<&str>| encoder.encode(&texts, Role::Query, pool, &Silent);
    let foreign = encode(pairs.iter().map(|pair| pair.0.as_str()).collect())?;
    let english = encode(pairs.iter().map(|pair| pair.1.as_str()).collect())?;
    let width = encoder.dimensions();
    Ok(Accuracy {
        to_english: hits(&foreign, &english, width),
        from_english: hits(&english, &foreign, width),
    })
}

/// The share of rows whose nearest row on the other side has the same number; of equally near ones the first.
fn hits(from: &[f32], to: &[f32], width: usize) -> f64 {
    let (from, to) = (from.chunks_exact(width), to.chunks_exact(width));
    let count = from.len();
    let dot = |a: &[f32], b: &[f32]| -> f32 { a.iter().zip(b).map(|(x, y)| x * y).sum() };
    let is_hit = |(index, row): &(usize, &[f32])| {
        let own = dot(row, to.clone().nth(*index).unwrap_or_default());
        to.clone().enumerate().all(|(other, candidate)| {
            let score = dot(row, candidate);
            score < own || (score <= own && other >= *index)
        })
    };
    let found = from.enumerate().filter(is_hit).count();
    found as f64 / count.max(1) as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hit_is_nearer_than_every_other_and_ties_go_to_the_first() {
        let from = [1.0, 0.0, 0.0, 1.0];
        assert_eq!(hits(&from, &from, 2), 1.0);
        assert_eq!(hits(&from, &[0.0, 1.0, 1.0, 0.0], 2), 0.0);
        // Both candidates are equally near to the second row.
        assert_eq!(hits(&from, &[1.0, 0.5, 0.0, 0.5], 2), 0.5);
    }

    #[test]
    fn languages_are_sorted_and_accuracies_are_shares() {
        assert!(PUBLISHED.is_sorted_by(|a, b| a.0 < b.0));
        assert!(PUBLISHED.iter().all(|row| (0.0..=1.0).contains(&row.1)));
    }
}
