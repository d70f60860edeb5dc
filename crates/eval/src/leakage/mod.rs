//! Leakage: what of a test set somebody who trains has seen before.
//!
//! Training queries, mined or synthetic ones as well, should neither have the id of a test query nor be nearly the same text;
//! and a test query whose answers answer training queries too measures less than it seems to. Near duplicates are found
//! by shared word n-grams: the share of the text with fewer of them. Texts with fewer words than an n-gram are only compared
//! as a whole.
//!
//! Cost: linear in the words of all queries, and in the pairs that share an n-gram. Memory: the n-grams of the test queries.
//! Not for paraphrases: two questions for the same thing in other words share no n-gram.

mod grams;

use rustc_hash::FxHashSet;

use crate::error::{Error, Result};
use crate::qrels::Qrels;
use crate::queries::Queries;
use grams::Grams;

/// Of equal texts, above any overlap: a text inside another shares all of its n-grams, too.
const SAME: f64 = 2.0;

/// What counts as leakage.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct LeakageOptions {
    /// Words of an n-gram.
    pub words: usize,
    /// The share of common n-grams from which on two queries are near duplicates.
    pub overlap: f64,
    /// How many relevant documents a test query has to share with training queries to count as sharing.
    pub shared: usize,
}

impl Default for LeakageOptions {
    /// Four of five 5-grams; any shared document.
    fn default() -> Self {
        Self { words: 5, overlap: 0.8, shared: 1 }
    }
}

/// A test query with a training query that is too much like it.
#[derive(Clone, Debug, PartialEq)]
pub struct Likeness {
    /// The id of the test query.
    pub test: String,
    /// The id of the training query: of several, the one most like it, then the first.
    pub train: String,
    /// The share of common n-grams; 1 for equal texts.
    pub overlap: f64,
}

/// Test queries that share relevant documents with training queries.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sharing {
    /// Test queries with a relevant document.
    pub of: usize,
    /// Those of them that share as many as asked for.
    pub count: usize,
}

/// What was found. Each test query is in one of the first three lists at most.
#[derive(Clone, Debug, PartialEq)]
pub struct Leakage {
    /// How many training queries there are.
    pub train: usize,
    /// How many test queries there are.
    pub test: usize,
    /// Ids that name a training and a test query.
    pub same_id: Vec<String>,
    /// Test queries whose text is that of a training query, but for case and punctuation.
    pub same_text: Vec<Likeness>,
    /// Test queries that are near duplicates, the nearest first.
    pub near: Vec<Likeness>,
    /// Shared relevant documents; `None` where there are no training judgments.
    pub sharing: Option<Sharing>,
}

/// Queries with what answers them.
#[derive(Clone, Copy, Debug)]
pub struct Judged<'a> {
    /// The queries.
    pub queries: &'a Queries,
    /// Their judgments, where there are any.
    pub qrels: Option<&'a Qrels>,
}

impl LeakageOptions {
    /// Compares training queries with test queries.
    ///
    /// # Errors
    /// Where an option is out of its range.
    pub fn compare(&self, train: Judged<'_>, test: Judged<'_>) -> Result<Leakage> {
        self.check()?;
        let mut same_id = Vec::new();
        let mut rest = Vec::new();
        for query in test.queries {
            match train.queries.text(&query.id) {
                Some(_) => same_id.push(query.id.clone()),
                None => rest.push(query),
            }
        }
        let mut grams = Grams::new(self.words, rest.iter().map(|query| &*query.text));
        // Of each test query the best training query so far: what it has in common, and its id.
        let mut best: Vec<Option<(f64, &str)>> = vec![None; rest.len()];
        for query in train.queries {
            grams.for_each_like(&query.text, &mut |test, overlap| {
                let same =
                    overlap >= 1.0 && grams::words(&query.text) == grams::words(&rest[test].text);
                let likeness = if same { SAME } else { overlap };
                if overlap >= self.overlap && best[test].is_none_or(|(most, _)| likeness > most) {
                    best[test] = Some((likeness, &query.id));
                }
            });
        }
        let (mut same_text, mut near) = (Vec::new(), Vec::new());
        for (query, best) in rest.iter().zip(best) {
            let Some((likeness, train)) = best else { continue };
            let list = if likeness >= SAME { &mut same_text } else { &mut near };
            let overlap = likeness.min(1.0);
            list.push(Likeness { test: query.id.clone(), train: train.to_owned(), overlap });
        }
        near.sort_by(|a: &Likeness, b| b.overlap.total_cmp(&a.overlap));
        let sharing = train.qrels.zip(test.qrels).map(|(train, test)| self.sharing(train, test));
        let (train, test) = (train.queries.len(), test.queries.len());
        Ok(Leakage { train, test, same_id, same_text, near, sharing })
    }

    fn check(&self) -> Result<()> {
        let wrong = |setting, expected, got: String| Err(Error::Setting { setting, expected, got });
        if self.words == 0 {
            return wrong("words of an n-gram", "at least 1", self.words.to_string());
        }
        if !(self.overlap > 0.0 && self.overlap <= 1.0) {
            let expected = "a number above 0, at most 1";
            return wrong("overlap of near duplicates", expected, self.overlap.to_string());
        }
        if self.shared == 0 {
            return wrong("shared relevant documents", "at least 1", self.shared.to_string());
        }
        Ok(())
    }

    fn sharing(&self, train: &Qrels, test: &Qrels) -> Sharing {
        let relevant = |qrels: &'_ Qrels| -> FxHashSet<String> {
            let judged = qrels.queries.values().flatten();
            judged.filter(|(_, grade)| **grade > 0).map(|(id, _)| id.clone()).collect()
        };
        let trained = relevant(train);
        let mut sharing = Sharing { of: 0, count: 0 };
        for judged in test.queries.values() {
            let answers: Vec<&String> =
                judged.iter().filter(|(_, grade)| **grade > 0).map(|(id, _)| id).collect();
            let shared = answers.iter().filter(|id| trained.contains(id.as_str())).count();
            sharing.of += usize::from(!answers.is_empty());
            sharing.count += usize::from(shared >= self.shared);
        }
        sharing
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::queries::Query;

    fn queries(all: &[(&str, &str)]) -> Queries {
        let mut queries = Queries::default();
        for (id, text) in all {
            queries.push(Query { id: (*id).into(), text: (*text).into() }).unwrap();
        }
        queries
    }

    fn qrels(all: &[(&str, &str, i32)]) -> Qrels {
        let mut qrels = Qrels::default();
        for (query, document, grade) in all {
            qrels.insert(query, document, *grade).unwrap();
        }
        qrels
    }

    fn compare(options: LeakageOptions, train: &Queries, test: &Queries) -> Leakage {
        let judged = |queries| Judged { queries, qrels: None };
        options.compare(judged(train), judged(test)).unwrap()
    }

    #[test]
    fn ids_texts_and_near_duplicates_are_told_apart() {
        let train = queries(&[
            ("1", "something else entirely that nobody asks for"),
            ("t0", "how deep is the mariana trench in metres or in feet"),
            ("t1", "How deep is the Mariana trench, in metres?"),
            ("t2", "what is the largest lake of the whole wide world by area today"),
            ("t3", "radium"),
            ("t4", "How deep is the Mariana trench? In metres"),
        ]);
        let test = queries(&[
            ("1", "who discovered radium"),
            ("2", "how deep is the mariana trench in metres"),
            ("3", "What is the largest lake of the whole wide world by area"),
            ("4", "who discovered radium and polonium in the year 1898"),
            ("5", "???"),
        ]);
        let found = compare(LeakageOptions::default(), &train, &test);
        assert_eq!((found.train, found.test, found.sharing), (6, 5, None));
        assert_eq!(found.same_id, ["1"]);
        let like = |test: &str, train: &str| Likeness {
            test: test.into(),
            train: train.into(),
            overlap: 1.0,
        };
        assert_eq!(found.same_text, [like("2", "t1")]);
        assert_eq!(found.near, [like("3", "t2")]);
    }

    #[test]
    fn overlap_is_a_share_of_the_shorter_text() {
        let train = queries(&[("t", "a b c d e f g h"), ("u", "a b c d x y z w q r s")]);
        let test = queries(&[("q", "a b c d e y z")]);
        let options = LeakageOptions { words: 2, overlap: 0.6, shared: 1 };
        // Of the six bigrams, `t` has ab bc cd de, and `u` has ab bc cd yz: the first of the two is named.
        let found = compare(options, &train, &test);
        assert_eq!(found.near.len(), 1);
        assert_eq!((&*found.near[0].train, found.near[0].overlap), ("t", 4.0 / 6.0));
        let found = compare(LeakageOptions { overlap: 0.7, ..options }, &train, &test);
        assert_eq!((found.near.len(), found.same_text.len()), (0, 0));
    }

    #[test]
    fn japanese_has_words_too() {
        let train = queries(&[("t", "日本で一番高い山は富士山ですか")]);
        let test = queries(&[
            ("q", "日本で一番高い山は富士山ですか?"),
            ("r", "日本で一番高い山は何ですか"),
        ]);
        let found = compare(LeakageOptions { overlap: 0.5, ..Default::default() }, &train, &test);
        assert_eq!(found.same_text.len(), 1);
        assert_eq!(found.near.len(), 1);
    }

    #[test]
    fn any_shared_document_counts_or_more_of_them() {
        let (train, test) = (queries(&[("t", "x")]), queries(&[("q", "y")]));
        let trained = qrels(&[("t", "a", 1), ("t", "b", 1), ("t", "c", 0)]);
        let tested = qrels(&[
            ("q", "a", 1),
            ("q", "b", 2),
            ("r", "a", 1),
            ("s", "c", 1),
            ("u", "a", 0),
            ("v", "z", 1),
        ]);
        let sharing = |shared| {
            let options = LeakageOptions { shared, ..LeakageOptions::default() };
            let train = Judged { queries: &train, qrels: Some(&trained) };
            let test = Judged { queries: &test, qrels: Some(&tested) };
            options.compare(train, test).unwrap().sharing.unwrap()
        };
        assert_eq!(sharing(1), Sharing { of: 4, count: 2 });
        assert_eq!(sharing(2), Sharing { of: 4, count: 1 });
        assert_eq!(sharing(3), Sharing { of: 4, count: 0 });
    }

    #[test]
    fn options_out_of_range_are_refused() {
        let good = LeakageOptions::default();
        for bad in [
            LeakageOptions { words: 0, ..good },
            LeakageOptions { overlap: 0.0, ..good },
            LeakageOptions { overlap: f64::NAN, ..good },
            LeakageOptions { overlap: 1.1, ..good },
            LeakageOptions { shared: 0, ..good },
        ] {
            let queries = queries(&[("q", "x")]);
            let judged = Judged { queries: &queries, qrels: None };
            assert!(bad.compare(judged, judged).is_err(), "{bad:?}");
        }
    }
}
