//! Our side: the miner over vectors in memory, and its file.

use std::fmt::Write as _;
use std::io::{BufReader, BufWriter, Read, Write};
use std::path::Path;
use std::time::Instant;

use anyhow::{Result, bail, ensure};
use ecphory_core::Silent;
use ecphory_kernels::Level;
use ecphory_train::Vectors;
use ecphory_train::miner::{ExactSearcher, Mining, Positives};
use serde_json::{Value, json};

use crate::corpus;
use crate::side::{Side, count, text};

/// What the requests work on.
pub struct Ours {
    pool: rayon::ThreadPool,
}

impl Ours {
    pub fn new(threads: usize) -> Result<Self> {
        Ok(Self { pool: rayon::ThreadPoolBuilder::new().num_threads(threads).build()? })
    }
}

impl Side for Ours {
    fn ask(&mut self, op: &str, request: &Value) -> Result<Value> {
        if op != "mine" {
            bail!("there is no operation `{op}`");
        }
        let folder = Path::new(text(request, "folder")?);
        let columns = count(request, "columns")?;
        let negatives = count(request, "negatives")?;
        let output = Path::new(text(request, "output")?);
        let start = Instant::now();
        self.pool.install(|| mine(folder, columns, negatives, output))?;
        Ok(json!({ "seconds": start.elapsed().as_secs_f64() }))
    }
}

fn mine(folder: &Path, columns: usize, negatives: usize, output: &Path) -> Result<()> {
    let queries = vectors(&folder.join("queries.f32"))?;
    let documents = vectors(&folder.join("documents.f32"))?;
    let queries = Vectors::new("vector of query", &queries, columns)?;
    let documents = Vectors::new("vector of document", &documents, columns)?;
    let searcher = ExactSearcher::new(Level::detect(), queries, documents)?;
    let answers = corpus::read(&folder.join("answers.txt"))?;
    ensure!(answers.len() == queries.count(), "{} answers", answers.len());
    let mut positives = Vec::with_capacity(answers.len());
    for (query, answer) in (0..).zip(&answers) {
        positives.push((query, vec![answer.parse()?]));
    }
    // One more than asked for makes up for the answer; where that is not found, the last one is too much.
    let depth = negatives + 1;
    let mining =
        Mining { searcher: &searcher, filters: &[], ranks: 0..depth, keep: depth, seed: 7 };
    let (sets, _) = mining.run(&Positives::new(positives)?, &Silent)?;
    let mut file = BufWriter::new(fs_err::File::create(output)?);
    let mut line = String::new();
    for set in sets {
        line.clear();
        for candidate in set.negatives.iter().take(negatives) {
            let gap = if line.is_empty() { "" } else { " " };
            write!(line, "{gap}{} {}", candidate.document, candidate.score)?;
        }
        writeln!(file, "{line}")?;
    }
    file.flush()?;
    Ok(())
}

/// Reads little-endian numbers, without holding their bytes too.
fn vectors(path: &Path) -> Result<Vec<f32>> {
    let file = fs_err::File::open(path)?;
    let mut values = Vec::with_capacity((file.metadata()?.len() / 4) as usize);
    let mut file = BufReader::with_capacity(1 << 16, file);
    let mut bytes = [0; 4096];
    loop {
        let mut filled = 0;
        while filled < bytes.len() {
            match file.read(&mut bytes[filled..])? {
                0 => break,
                read => filled += read,
            }
        }
        let (numbers, rest) = bytes[..filled].as_chunks::<4>();
        ensure!(rest.is_empty(), "{} ends in the middle of a number", path.display());
        values.extend(numbers.iter().map(|number| f32::from_le_bytes(*number)));
        if filled < bytes.len() {
            return Ok(values);
        }
    }
}
