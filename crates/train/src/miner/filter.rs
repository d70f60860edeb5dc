//! Filters: which candidates are no negatives.
//!
//! What a strong searcher ranks high and nobody judged is often relevant. [`TeacherMargin`] removes what a teacher likes about
//! as much as the positive; [`DuplicateText`] removes copies, of positives, of the query, and of one another.

use std::hash::Hasher;

use rustc_hash::FxHashSet;

use super::Candidate;
use crate::error::{Error, Result};
use crate::teacher::{Teacher, checked};

/// A query and the positive for which negatives are sought.
#[derive(Clone, Copy, Debug)]
pub struct Pair<'a> {
    /// The query.
    pub query: u32,
    /// The positive.
    pub positive: u32,
    /// All positives of the query, this one too.
    pub positives: &'a [u32],
}

/// Takes candidates away.
pub trait Filter: Sync {
    /// Returns what it looks for, as reports call it.
    fn name(&self) -> &'static str;

    /// Removes the candidates that are no negatives of the pair; keeps the order of the others.
    ///
    /// # Errors
    /// Where a query or document is unknown to the filter.
    fn apply(&self, pair: &Pair<'_>, candidates: &mut Vec<Candidate>) -> Result<()>;
}

/// Removes the document that is the query itself, where queries are documents of the collection too.
#[derive(Clone, Debug)]
pub struct SelfExclusion {
    own: Vec<Option<u32>>,
}

impl SelfExclusion {
    /// Takes for each query the number of its own document, where it has one.
    pub fn new(own: Vec<Option<u32>>) -> Self {
        Self { own }
    }
}

impl Filter for SelfExclusion {
    fn name(&self) -> &'static str {
        "self"
    }

    fn apply(&self, pair: &Pair<'_>, candidates: &mut Vec<Candidate>) -> Result<()> {
        if let Some(own) = *at("query", &self.own, pair.query)? {
            candidates.retain(|candidate| candidate.document != own);
        }
        Ok(())
    }
}

/// Removes documents whose text is that of a positive, of the query, or of a candidate before.
///
/// Texts are compared by [`text_key`]: 8 bytes a document, and one pair of a hundred thousand documents in some billions
/// of collections is taken for equal by mistake.
#[derive(Clone, Debug)]
pub struct DuplicateText {
    queries: Vec<u64>,
    documents: Vec<u64>,
}

impl DuplicateText {
    /// Takes the keys of all queries and documents.
    pub fn new(queries: Vec<u64>, documents: Vec<u64>) -> Self {
        Self { queries, documents }
    }
}

impl Filter for DuplicateText {
    fn name(&self) -> &'static str {
        "duplicate"
    }

    fn apply(&self, pair: &Pair<'_>, candidates: &mut Vec<Candidate>) -> Result<()> {
        let mut seen = FxHashSet::default();
        seen.insert(*at("query", &self.queries, pair.query)?);
        for &positive in pair.positives {
            seen.insert(*at("document", &self.documents, positive)?);
        }
        for candidate in candidates.iter() {
            at("document", &self.documents, candidate.document)?;
        }
        candidates.retain(|candidate| seen.insert(self.documents[candidate.document as usize]));
        Ok(())
    }
}

/// Hashes the letters and digits of a text, in lower case, with single blanks for everything between them.
pub fn text_key(text: &str) -> u64 {
    let mut hasher = std::hash::DefaultHasher::new();
    let mut buffer = [0; 4];
    let words = text.split(|c: char| !c.is_alphanumeric()).filter(|word| !word.is_empty());
    for word in words {
        for c in word.chars().flat_map(char::to_lowercase) {
            hasher.write(c.encode_utf8(&mut buffer).as_bytes());
        }
        hasher.write(b" ");
    }
    hasher.finish()
}

/// Removes what a teacher likes too much to be a negative: above `positive − margin`, or above
/// `ratio` times the positive's score.
#[derive(Clone, Copy)]
pub struct TeacherMargin<'a> {
    teacher: &'a dyn Teacher,
    margin: f32,
    ratio: f32,
}

impl<'a> TeacherMargin<'a> {
    /// Keeps candidates whose score is at most `positive − margin`.
    ///
    /// # Errors
    /// Where the margin is not a finite number.
    pub fn below(teacher: &'a dyn Teacher, margin: f32) -> Result<Self> {
        if !margin.is_finite() {
            let (setting, expected) = ("margin of the teacher", "a finite number");
            return Err(Error::Setting { setting, expected, got: margin.to_string() });
        }
        Ok(Self { teacher, margin, ratio: 1.0 })
    }

    /// Keeps candidates whose score is at most `ratio` times the positive's. Where that is negative, the same
    /// share of its size is taken off instead: a ratio of 0.95 always asks for a distance of 5%.
    ///
    /// # Errors
    /// Where the ratio is not in (0, 1].
    pub fn within(teacher: &'a dyn Teacher, ratio: f32) -> Result<Self> {
        if !(ratio > 0.0 && ratio <= 1.0) {
            let (setting, expected) =
                ("ratio to the positive's score", "a number above 0, at most 1");
            return Err(Error::Setting { setting, expected, got: ratio.to_string() });
        }
        Ok(Self { teacher, margin: 0.0, ratio })
    }
}

impl Filter for TeacherMargin<'_> {
    fn name(&self) -> &'static str {
        "teacher margin"
    }

    fn apply(&self, pair: &Pair<'_>, candidates: &mut Vec<Candidate>) -> Result<()> {
        self.sort_out(pair, candidates, &mut |_, _| {})
    }
}

impl TeacherMargin<'_> {
    /// Removes what is too near the positive; `each` is called with it and with the teacher's scores, that of the positive
    /// last.
    pub(super) fn sort_out(
        &self,
        pair: &Pair<'_>,
        candidates: &mut Vec<Candidate>,
        each: &mut dyn FnMut(u32, [f32; 2]),
    ) -> Result<()> {
        let mut documents = vec![pair.positive];
        documents.extend(candidates.iter().map(|candidate| candidate.document));
        let scores = checked(self.teacher, pair.query, &documents)?;
        let limit = scores[0] - (1.0 - self.ratio) * scores[0].abs() - self.margin;
        let mut of_candidates = scores[1..].iter();
        candidates.retain(|candidate| match of_candidates.next() {
            Some(&score) if score <= limit => true,
            Some(&score) => {
                each(candidate.document, [score, scores[0]]);
                false
            }
            None => false,
        });
        Ok(())
    }
}

/// Looks up a number in a table.
fn at<'t, T>(what: &'static str, table: &'t [T], number: u32) -> Result<&'t T> {
    let outside = || Error::Outside { what, number: number.into(), count: table.len() };
    table.get(number as usize).ok_or_else(outside)
}
