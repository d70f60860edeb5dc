//! The texts that workloads run on, as files with one text a line.
//!
//! Line breaks inside a text become spaces, so that every side, in whatever language, reads the same texts
//! with the plainest of readers, and a text's line number is its name.

pub mod judged;
pub mod linux_doc;
pub mod scifact;
pub mod xquad;

use std::io::{BufRead, BufReader, BufWriter, Write};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use ecphory_text::Analyzer;

/// The folder of a data set in one of the directories that `ECPHORY_DATA` names.
pub fn dataset(name: &str) -> Option<PathBuf> {
    let list = std::env::var_os("ECPHORY_DATA")?;
    std::env::split_paths(&list).map(|path| path.join(name)).find(|path| path.is_dir())
}

/// Writes one text a line.
pub fn write<S: AsRef<str>>(path: &Path, texts: impl IntoIterator<Item = S>) -> Result<()> {
    let mut file = BufWriter::new(fs_err::File::create(path)?);
    for text in texts {
        writeln!(file, "{}", one_line(text.as_ref()))?;
    }
    file.flush()?;
    Ok(())
}

/// Reads one text a line.
pub fn read(path: &Path) -> Result<Vec<String>> {
    Ok(lines(path)?.collect::<std::io::Result<_>>()?)
}

/// Reads one text a line, one at a time.
pub fn lines(path: &Path) -> Result<impl Iterator<Item = std::io::Result<String>> + use<>> {
    Ok(BufReader::with_capacity(1 << 20, fs_err::File::open(path)?).lines())
}

/// Writes the terms of each text, joined by spaces, as our English analyser gives them.
pub fn write_terms(texts: &Path, terms: &Path) -> Result<()> {
    let analyzer: Analyzer = "english".parse()?;
    let mut file = BufWriter::new(fs_err::File::create(terms)?);
    for text in read(texts)? {
        writeln!(file, "{}", analyzer.terms(&text).join(" "))?;
    }
    file.flush()?;
    Ok(())
}

/// Takes `count` phrases of 2 to 6 words out of the texts, the same ones for the same seed.
///
/// Each phrase has at least two different terms, so that no query is empty after stop words are gone.
pub fn phrases(texts: &[String], count: usize, seed: u64) -> Result<Vec<String>> {
    let analyzer: Analyzer = "english".parse()?;
    let mut random = SplitMix(seed);
    let mut phrases = Vec::with_capacity(count);
    for _ in 0..count * 100 {
        if phrases.len() == count {
            return Ok(phrases);
        }
        let words: Vec<&str> = texts[random.below(texts.len())].split(' ').collect();
        let length = 2 + random.below(5);
        if words.len() <= length {
            continue;
        }
        let start = random.below(words.len() - length);
        let phrase = words[start..start + length].join(" ");
        let mut terms = analyzer.terms(&phrase);
        terms.sort_unstable();
        terms.dedup();
        if terms.len() >= 2 {
            phrases.push(phrase);
        }
    }
    None.context("the texts have too few phrases of two terms")
}

/// Some of a collection from all over it, so that their lengths are those of the collection.
pub fn spread<T: Clone>(all: &[T], count: usize) -> Vec<T> {
    (0..count).map(|i| all[i * all.len() / count].clone()).collect()
}

/// So many texts: from all over the collection, or, where it has fewer, all of them again and again.
pub fn sized<T: Clone>(all: &[T], count: usize) -> Vec<T> {
    if count < all.len() {
        spread(all, count)
    } else {
        all.iter().cycle().take(count).cloned().collect()
    }
}

fn one_line(text: &str) -> String {
    let mut line = String::with_capacity(text.len());
    for word in text.split_whitespace() {
        if !line.is_empty() {
            line.push(' ');
        }
        line.push_str(word);
    }
    line
}

/// Steele, Lea and Flood's generator: enough to pick phrases and documents, the same everywhere.
pub struct SplitMix(pub u64);

impl SplitMix {
    pub fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// A number below `limit`, which is far below 2^32, so that the remainder's bias does not matter.
    pub fn below(&mut self, limit: usize) -> usize {
        (self.next() % limit as u64) as usize
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_survive_a_file_as_single_lines() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("texts");
        write(&path, ["a\n b\t c ", "", "d"]).unwrap();
        assert_eq!(read(&path).unwrap(), ["a b c", "", "d"]);
    }

    #[test]
    fn texts_are_taken_from_all_over_the_collection() {
        let texts: Vec<String> = (0..10).map(|i| i.to_string()).collect();
        assert_eq!(spread(&texts, 3), ["0", "3", "6"]);
        assert_eq!(sized(&texts, 3), ["0", "3", "6"]);
        assert_eq!(sized(&texts[..2], 5), ["0", "1", "0", "1", "0"]);
        assert!(spread(&texts, 0).is_empty());
    }

    #[test]
    fn phrases_are_the_same_for_a_seed_and_come_from_the_texts() {
        let texts: Vec<String> = (0..20)
            .map(|i| {
                format!("kernel module {i} loads firmware before the device of class {i} appears")
            })
            .collect();
        let phrases_of = |seed| phrases(&texts, 30, seed).unwrap();
        let first = phrases_of(7);
        assert_eq!(first, phrases_of(7));
        assert_ne!(first, phrases_of(8));
        assert_eq!(first.len(), 30);
        for phrase in &first {
            assert!(texts.iter().any(|text| text.contains(phrase.as_str())));
            assert!((2..=6).contains(&phrase.split(' ').count()));
        }
        assert!(phrases(&["the of".to_owned()], 1, 7).is_err());
    }

    #[test]
    fn the_generator_gives_its_published_first_value() {
        assert_eq!(SplitMix(0).next(), 0xe220_a839_7b1d_cdaf);
    }
}
