//! The files that both sides read, and how far what they wrote agrees.

use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};
use ecphory_core::Silent;
use ecphory_model::{Encoder, EncoderOptions, Role};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use crate::cache;
use crate::corpus::{self, judged};

/// Texts are cut here: searching does not care what the vectors say, and encoding takes minutes.
const TOKENS_MAX: usize = 64;

/// Texts, one a line, with their vectors, as rows of little-endian numbers.
pub struct Set {
    pub title: String,
    folder: PathBuf,
    columns: usize,
}

impl Set {
    /// Writes the texts and encodes them, unless an earlier run did.
    pub fn prepare(model: &Path, queries: usize) -> Result<Self> {
        let judged = judged::read(queries)?;
        let mut hash = Sha256::new();
        for text in judged.queries.iter().chain(&judged.documents) {
            hash.update(text.as_bytes());
            hash.update([0]);
        }
        let digest = hash.finalize();
        let digest = u32::from_be_bytes([digest[0], digest[1], digest[2], digest[3]]);
        let folder = cache::folder(&format!("mine-{digest:08x}"))?;
        let options = EncoderOptions { max_tokens: Some(TOKENS_MAX), ..EncoderOptions::default() };
        let encoder = Encoder::open(model, &options)?;
        let set = Self {
            title: format!("{queries} queries, {} documents", judged.documents.len()),
            folder,
            columns: encoder.dimensions(),
        };
        if set.folder.join("done").exists() {
            return Ok(set);
        }
        corpus::write(&set.folder.join("queries.txt"), &judged.queries)?;
        corpus::write(&set.folder.join("documents.txt"), &judged.documents)?;
        let answers = judged.answers.iter().map(usize::to_string);
        corpus::write(&set.folder.join("answers.txt"), answers)?;
        let pool = rayon::ThreadPoolBuilder::new().build()?;
        for (name, role, texts) in [
            ("queries.f32", Role::Query, &judged.queries),
            ("documents.f32", Role::Document, &judged.documents),
        ] {
            eprintln!("encoding {} texts for {name} (minutes, once)", texts.len());
            let mut file = BufWriter::new(fs_err::File::create(set.folder.join(name))?);
            for block in texts.chunks(2048) {
                let block: Vec<&str> = block.iter().map(String::as_str).collect();
                for value in encoder.encode(&block, role, &pool, &Silent)? {
                    file.write_all(&value.to_le_bytes())?;
                }
            }
            file.flush()?;
        }
        fs_err::write(set.folder.join("done"), "")?;
        Ok(set)
    }

    /// The request that mines so many negatives a query and writes them to `output`.
    pub fn request(&self, negatives: usize, output: &Path) -> Value {
        json!({
            "folder": self.folder, "columns": self.columns, "negatives": negatives,
            "output": output,
        })
    }
}

/// A line of an output: documents and their scores, in turns.
fn parsed(line: &str) -> Result<Vec<(u32, f64)>> {
    let fields: Vec<&str> = line.split(' ').collect();
    ensure!(fields.len().is_multiple_of(2), "a document without a score: {line:?}");
    fields.chunks_exact(2).map(|pair| Ok((pair[0].parse()?, pair[1].parse()?))).collect()
}

/// Says which share of the lists is equal, and how far scores of equal ranks differ; lists of other lengths are an error.
pub fn agreement(ours: &Path, theirs: &Path) -> Result<String> {
    let (ours, theirs) = (corpus::read(ours)?, corpus::read(theirs)?);
    ensure!(ours.len() == theirs.len(), "{} and {} queries", ours.len(), theirs.len());
    let (mut equal, mut sets, mut most) = (0, 0, 0.0f64);
    for (left, right) in ours.iter().zip(&theirs) {
        let (left, right) = (parsed(left)?, parsed(right)?);
        ensure!(left.len() == right.len(), "{} and {} negatives", left.len(), right.len());
        let ids = |list: &[(u32, f64)]| list.iter().map(|&(id, _)| id).collect::<Vec<u32>>();
        let (mut a, mut b) = (ids(&left), ids(&right));
        equal += usize::from(a == b);
        a.sort_unstable();
        b.sort_unstable();
        sets += usize::from(a == b);
        let differences = left.iter().zip(&right).map(|(x, y)| (x.1 - y.1).abs());
        most = differences.fold(most, f64::max);
    }
    ensure!(most < 1e-4, "scores differ by {most:.1e}");
    let share = |count: usize| 100.0 * count as f64 / ours.len().max(1) as f64;
    let count = parsed(ours.first().context("no query")?)?.len();
    Ok(format!(
        "same vectors, in files; {count} negatives each: the same in {:.1}% of the lists, in the same order in {:.1}%; scores of \
         equal ranks differ by {most:.0e} at most",
        share(sets),
        share(equal)
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_are_compared_by_documents_and_by_scores() {
        let folder = tempfile::tempdir().unwrap();
        let write = |name: &str, lines: &[&str]| {
            let path = folder.path().join(name);
            corpus::write(&path, lines).unwrap();
            path
        };
        let ours = write("a", &["1 0.5 2 0.4", "7 0.3 8 0.3", "5 0.2 6 0.1"]);
        let theirs = write("b", &["1 0.5 2 0.4", "8 0.3 7 0.3", "5 0.2 9 0.10001"]);
        let said = agreement(&ours, &theirs).unwrap();
        assert!(
            said.contains("the same in 66.7% of the lists, in the same order in 33.3%"),
            "{said}"
        );
        assert!(said.contains("differ by 1e-5"), "{said}");
        assert!(agreement(&ours, &write("c", &["1 0.5 2 0.4"])).is_err());
        assert!(agreement(&ours, &write("d", &["1 0.5", "7 0.3 8 0.3", "5 0.2 6 0.1"])).is_err());
        let far = write("e", &["1 0.5 2 0.4", "7 0.3 8 0.3", "5 0.2 6 0.2"]);
        assert!(agreement(&ours, &far).is_err());
    }
}
