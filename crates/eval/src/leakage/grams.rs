//! Word n-grams of some texts, and which of the texts share how many of them with another.

use std::hash::{DefaultHasher, Hash, Hasher};

use rustc_hash::FxHashMap;

/// The n-grams of texts, by their hashes.
pub(super) struct Grams {
    words: usize,
    /// For each n-gram the texts that have it, ascending.
    texts: FxHashMap<u64, Vec<u32>>,
    /// How many n-grams each text has.
    counts: Vec<u32>,
    /// How many of another text's n-grams each text has; all zero between two calls.
    shared: Vec<u32>,
}

impl Grams {
    /// Takes all texts apart.
    pub(super) fn new<'a>(words: usize, texts: impl Iterator<Item = &'a str>) -> Self {
        let mut made =
            Self { words, texts: FxHashMap::default(), counts: Vec::new(), shared: Vec::new() };
        for (text, number) in texts.zip(0..) {
            let grams = grams(text, words);
            made.counts.push(grams.len() as u32);
            for gram in grams {
                made.texts.entry(gram).or_default().push(number);
            }
        }
        made.shared = vec![0; made.counts.len()];
        made
    }

    /// Calls `each` with every text that shares an n-gram with this one, in their order, and the share that the text with
    /// fewer n-grams has in common with the other.
    pub(super) fn for_each_like(&mut self, text: &str, each: &mut dyn FnMut(usize, f64)) {
        let grams = grams(text, self.words);
        let mut touched = Vec::new();
        for gram in &grams {
            for &other in self.texts.get(gram).into_iter().flatten() {
                let shared = &mut self.shared[other as usize];
                if *shared == 0 {
                    touched.push(other);
                }
                *shared += 1;
            }
        }
        touched.sort_unstable();
        for other in touched {
            let other = other as usize;
            let shared = std::mem::take(&mut self.shared[other]);
            let fewer = self.counts[other].min(grams.len() as u32);
            each(other, f64::from(shared) / f64::from(fewer));
        }
    }
}

/// The different n-grams of a text; of a text that has fewer words, the one of all of them.
fn grams(text: &str, count: usize) -> Vec<u64> {
    let words = words(text);
    let hash = |window: &[String]| {
        let mut hasher = DefaultHasher::new();
        window.hash(&mut hasher);
        hasher.finish()
    };
    let mut grams: Vec<u64> = match words.len() {
        0 => Vec::new(),
        few if few < count => vec![hash(&words)],
        _ => words.windows(count).map(hash).collect(),
    };
    grams.sort_unstable();
    grams.dedup();
    grams
}

/// Letters and digits in lower case; every character of a script that leaves no blanks between words is a word.
pub(super) fn words(text: &str) -> Vec<String> {
    let mut words = Vec::new();
    for run in text.split(|c: char| !c.is_alphanumeric()) {
        let mut word = String::new();
        for c in run.chars() {
            if is_unspaced(c) {
                words.extend((!word.is_empty()).then(|| std::mem::take(&mut word)));
                words.push(c.to_string());
            } else {
                word.extend(c.to_lowercase());
            }
        }
        words.extend((!word.is_empty()).then_some(word));
    }
    words
}

/// Thai to Myanmar, Khmer, kana, and Chinese characters.
fn is_unspaced(c: char) -> bool {
    matches!(u32::from(c),
        0x0e00..=0x0eff | 0x1000..=0x109f | 0x1780..=0x17ff | 0x3040..=0x30ff | 0x3400..=0x9fff
        | 0xf900..=0xfaff | 0x2_0000..=0x3_ffff)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::BTreeSet;

    #[test]
    fn words_of_all_scripts() {
        assert_eq!(words("Who's  ÄRGER—3?"), ["who", "s", "ärger", "3"]);
        assert_eq!(words("富士山はMount Fuji"), ["富", "士", "山", "は", "mount", "fuji"]);
        assert!(words("?!").is_empty());
    }

    fn naive(a: &str, b: &str, count: usize) -> f64 {
        let set = |text: &str| -> BTreeSet<Vec<String>> {
            let words = words(text);
            match words.len() {
                0 => BTreeSet::new(),
                few if few < count => BTreeSet::from([words]),
                _ => words.windows(count).map(<[String]>::to_vec).collect(),
            }
        };
        let (a, b) = (set(a), set(b));
        let shared = a.intersection(&b).count();
        if shared == 0 { 0.0 } else { shared as f64 / a.len().min(b.len()) as f64 }
    }

    proptest! {
        #[test]
        fn shares_are_those_of_sets(
            texts in proptest::collection::vec("[abc]( [abc]){0,12}", 1..6),
            text in "[abc]( [abc]){0,12}",
            count in 1usize..4,
        ) {
            let mut all = Grams::new(count, texts.iter().map(String::as_str));
            // Twice, as the counters have to be clean again.
            for _ in 0..2 {
                let mut found = vec![0.0; texts.len()];
                all.for_each_like(&text, &mut |other, overlap| found[other] = overlap);
                let expected: Vec<f64> = texts.iter().map(|other| naive(&text, other, count)).collect();
                prop_assert_eq!(found, expected);
            }
        }
    }
}
