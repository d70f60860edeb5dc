//! Texts as weights of terms, in files that an earlier run may have made.
//!
//! Three files beside each other have the number of terms of each text, all terms, and all weights, as little-endian
//! numbers of four bytes. Encoding appends to them block by block, the numbers of terms last, so that an
//! interrupted run is taken up where it was.

use std::io::{BufReader, BufWriter, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use ecphory_core::Silent;
use ecphory_model::{Role, SparseEncoder, SparseVector};

use crate::corpus::SplitMix;

/// Texts that are encoded at a time.
const BLOCK: usize = 1024;

const COUNTS: &str = "counts.u32";
const TERMS: &str = "terms.u32";
const WEIGHTS: &str = "weights.f32";

/// Encodes the texts that are not in the files yet.
pub fn encode(
    encoder: &SparseEncoder,
    texts: &[String],
    role: Role,
    folder: &Path,
    pool: &rayon::ThreadPool,
) -> Result<()> {
    fs_err::create_dir_all(folder)?;
    let file = |name: &str| {
        let mut options = fs_err::OpenOptions::new();
        options.read(true).write(true).create(true).truncate(false).open(folder.join(name))
    };
    let (mut counts, mut terms, mut weights) = (file(COUNTS)?, file(TERMS)?, file(WEIGHTS)?);
    let mut bytes = Vec::new();
    counts.read_to_end(&mut bytes)?;
    let mut done = bytes.len() / 4;
    let rows: u64 = numbers(&bytes[..4 * done]).map(u64::from).sum();
    // What a stopped run has begun to write is written again.
    counts.set_len(4 * done as u64)?;
    counts.seek(SeekFrom::End(0))?;
    for file in [&mut terms, &mut weights] {
        file.set_len(4 * rows)?;
        file.seek(SeekFrom::End(0))?;
    }
    while done < texts.len() {
        if done.is_multiple_of(16 * BLOCK) {
            eprintln!("encoded {done} of {} texts (once)", texts.len());
        }
        let block: Vec<&str> = texts[done..].iter().take(BLOCK).map(String::as_str).collect();
        let made = encoder.encode(&block, role, pool, &Silent)?;
        terms
            .write_all(&flat(&made, |vector| vector.terms.iter().map(|term| term.to_le_bytes())))?;
        weights.write_all(&flat(&made, |vector| vector.weights.iter().map(|w| w.to_le_bytes())))?;
        counts.write_all(&flat(&made, |vector| Some((vector.terms.len() as u32).to_le_bytes())))?;
        done += block.len();
    }
    Ok(())
}

fn flat<'v, I: IntoIterator<Item = [u8; 4]>>(
    vectors: &'v [SparseVector],
    of: impl Fn(&'v SparseVector) -> I,
) -> Vec<u8> {
    vectors.iter().flat_map(of).flatten().collect()
}

fn numbers(bytes: &[u8]) -> impl Iterator<Item = u32> {
    bytes.as_chunks::<4>().0.iter().map(|&bytes| u32::from_le_bytes(bytes))
}

/// Makes the vectors of a collection of so many documents out of those of another folder, unless they are there: of fewer,
/// some from all over them; of more, all again and again, where the weights of each further copy are scaled
/// by up to a quarter up or down, each by itself, so that copies do not score the same.
pub fn resize(source: &Path, documents: usize, folder: &Path) -> Result<()> {
    let mut reader = Reader::open(source)?;
    let vectors = reader.documents();
    if Reader::open(folder).is_ok_and(|made| made.documents() == documents) {
        return Ok(());
    }
    fs_err::create_dir_all(folder)?;
    let create = |name: &str| -> Result<BufWriter<fs_err::File>> {
        Ok(BufWriter::with_capacity(1 << 18, fs_err::File::create(folder.join(name))?))
    };
    let (mut terms, mut weights, mut counts) = (create(TERMS)?, create(WEIGHTS)?, Vec::new());
    let mut random = SplitMix(0);
    for document in 0..documents {
        let copy = document / vectors;
        reader.go_to(if documents < vectors {
            document * vectors / documents
        } else {
            document % vectors
        })?;
        let block = reader.read(1)?;
        for (term, weight) in block.terms.iter().zip(&block.weights) {
            let scale =
                if copy == 0 { 1.0 } else { 0.75 + random.below(1 << 16) as f32 / 131_072.0 };
            terms.write_all(&term.to_le_bytes())?;
            weights.write_all(&(weight * scale).to_le_bytes())?;
        }
        counts.extend_from_slice(&block.counts[0].to_le_bytes());
    }
    terms.flush()?;
    weights.flush()?;
    fs_err::write(folder.join(COUNTS), counts)?;
    Ok(())
}

/// Consecutive vectors: how many terms each has, and those of all with their weights.
#[derive(Default)]
pub struct Block {
    pub counts: Vec<u32>,
    pub terms: Vec<u32>,
    pub weights: Vec<f32>,
}

impl Block {
    /// Each vector's terms and weights.
    pub fn iter(&self) -> impl Iterator<Item = (&[u32], &[f32])> {
        let mut start = 0;
        self.counts.iter().map(move |&count| {
            let range = start..start + count as usize;
            start = range.end;
            (&self.terms[range.clone()], &self.weights[range])
        })
    }
}

/// Reads the vectors of a folder, some at a time.
pub struct Reader {
    folder: PathBuf,
    counts: Vec<u32>,
    terms: BufReader<fs_err::File>,
    weights: BufReader<fs_err::File>,
    /// The document whose vector comes next.
    next: usize,
}

impl Reader {
    pub fn open(folder: &Path) -> Result<Self> {
        let counts = numbers(&fs_err::read(folder.join(COUNTS))?).collect();
        let open = |name: &str| -> Result<BufReader<fs_err::File>> {
            Ok(BufReader::with_capacity(1 << 18, fs_err::File::open(folder.join(name))?))
        };
        let (terms, weights) = (open(TERMS)?, open(WEIGHTS)?);
        Ok(Self { folder: folder.to_owned(), counts, terms, weights, next: 0 })
    }

    /// How many documents there are.
    pub fn documents(&self) -> usize {
        self.counts.len()
    }

    /// Reads the vectors of up to `count` further documents.
    pub fn read(&mut self, count: usize) -> Result<Block> {
        let end = self.counts.len().min(self.next + count);
        let counts = self.counts[self.next..end].to_vec();
        self.next = end;
        let bytes = 4 * counts.iter().map(|&count| count as usize).sum::<usize>();
        let cut = || format!("the vectors of {} end too early", self.folder.display());
        let terms = take(&mut self.terms, bytes).with_context(cut)?;
        let weights = take(&mut self.weights, bytes).with_context(cut)?;
        Ok(Block {
            counts,
            terms: numbers(&terms).collect(),
            weights: numbers(&weights).map(f32::from_bits).collect(),
        })
    }

    /// Goes to the vector of a document.
    fn go_to(&mut self, document: usize) -> Result<()> {
        if document < self.next {
            self.terms.rewind()?;
            self.weights.rewind()?;
            self.next = 0;
        }
        let skipped = &self.counts[self.next..document];
        let skipped: i64 = skipped.iter().map(|&count| i64::from(count)).sum();
        self.terms.seek_relative(4 * skipped)?;
        self.weights.seek_relative(4 * skipped)?;
        self.next = document;
        Ok(())
    }
}

fn take(file: &mut impl Read, bytes: usize) -> std::io::Result<Vec<u8>> {
    let mut taken = vec![0; bytes];
    file.read_exact(&mut taken)?;
    Ok(taken)
}

#[cfg(test)]
pub mod tests {
    use super::*;

    /// Writes vectors as an encoder's run would.
    pub fn write(folder: &Path, vectors: &[&[(u32, f32)]]) {
        fs_err::create_dir_all(folder).unwrap();
        let vectors: Vec<SparseVector> = (vectors.iter())
            .map(|pairs| {
                let (terms, weights) = pairs.iter().copied().unzip();
                SparseVector { terms, weights }
            })
            .collect();
        let put = |name: &str, bytes: Vec<u8>| fs_err::write(folder.join(name), bytes).unwrap();
        put(TERMS, flat(&vectors, |vector| vector.terms.iter().map(|term| term.to_le_bytes())));
        put(WEIGHTS, flat(&vectors, |vector| vector.weights.iter().map(|w| w.to_le_bytes())));
        put(COUNTS, flat(&vectors, |vector| Some((vector.terms.len() as u32).to_le_bytes())));
    }

    #[test]
    fn collections_of_all_sizes_are_made_of_the_same_vectors() {
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str| folder.path().join(name);
        write(&path("all"), &[&[(0, 0.5)], &[], &[(1, 1.0), (7, 2.0)], &[(3, 3.0)]]);
        let read = |name: &str, block: usize| {
            let mut reader = Reader::open(&path(name)).unwrap();
            let mut vectors = Vec::new();
            while vectors.len() < reader.documents() {
                for (terms, weights) in reader.read(block).unwrap().iter() {
                    vectors.push((terms.to_vec(), weights.to_vec()));
                }
            }
            vectors
        };
        let four = read("all", 3);
        assert_eq!(four[2], (vec![1, 7], vec![1.0, 2.0]));
        for (documents, name) in [(2, "two"), (10, "ten"), (10, "ten")] {
            resize(&path("all"), documents, &path(name)).unwrap();
        }
        assert_eq!(read("two", 5), [four[0].clone(), four[2].clone()]);
        let ten = read("ten", 4);
        assert_eq!(ten[..4], four);
        for (number, (terms, weights)) in ten.iter().enumerate() {
            let (own, whole) = &four[number % 4];
            assert_eq!(terms, own);
            let near = |(a, b): (&f32, &f32)| (0.75..=1.25).contains(&(a / b));
            assert!(weights.iter().zip(whole).all(near), "{number}");
        }
        assert_ne!(ten[6], four[2]);
    }

    #[test]
    fn files_that_are_cut_are_named() {
        let folder = tempfile::tempdir().unwrap();
        write(folder.path(), &[&[(0, 0.5)], &[(1, 1.0)]]);
        fs_err::write(folder.path().join(WEIGHTS), [0; 6]).unwrap();
        let error = Reader::open(folder.path()).unwrap().read(2).err().unwrap();
        assert!(error.to_string().contains("end too early"), "{error}");
    }
}
