//! Words of a document, alone, one after the other, or their beginnings.
//!
//! The postings say which documents have all of the words. Whether they stand one after the other is seen in
//! the stored text of those, which is analysed once more: no positions are stored. A word costs a walk over its postings, a phrase the
//! reading and analysing of each document with all of its words.

use ecphory_core::DocSet;
use ecphory_text::Analyzer;

use super::FilterProblem;
use crate::segment::Segment;
use crate::segment::bm25::{Bm25Part, TermPostings};
use crate::{Result, Schema};

/// What a document has to have in a row.
#[derive(Debug)]
pub(super) struct Words {
    channel: usize,
    analyzer: Analyzer,
    row: Vec<Word>,
}

/// One of the words.
#[derive(Debug)]
enum Word {
    /// A term as the analyser gives it.
    Term(String),
    /// Any term that begins so.
    Beginning(String),
}

impl Word {
    fn matches(&self, term: &str) -> bool {
        match self {
            Word::Term(word) => word == term,
            Word::Beginning(beginning) => term.starts_with(beginning.as_str()),
        }
    }

    /// Returns the documents of a segment that have it.
    fn select(&self, part: &Bm25Part, documents: usize) -> DocSet {
        let mut set = DocSet::new(documents);
        match self {
            Word::Term(term) => {
                let postings = part.postings(term);
                postings.iter().flat_map(TermPostings::docs).for_each(|doc| set.insert(doc));
            }
            Word::Beginning(beginning) => {
                for list in part.postings_beginning_with(beginning) {
                    list.docs().for_each(|doc| set.insert(doc));
                }
            }
        }
        set
    }
}

impl Words {
    /// Analyses a text for the channel of this number and name.
    pub fn new(
        (channel, analyzer): (usize, &Analyzer),
        name: &str,
        text: &str,
    ) -> std::result::Result<Self, FilterProblem> {
        let open = text.trim_end().strip_suffix('*');
        let (whole, beginning) = match open {
            Some(open) => open.split_at(open.trim_end_matches(|c: char| !c.is_whitespace()).len()),
            None => (text, ""),
        };
        let mut row: Vec<Word> = analyzer.terms(whole).into_iter().map(Word::Term).collect();
        if open.is_some() {
            let Ok([beginning]) = <[String; 1]>::try_from(analyzer.beginnings(beginning)) else {
                return Err(FilterProblem::Beginning { beginning: beginning.to_owned() });
            };
            row.push(Word::Beginning(beginning));
        }
        if row.is_empty() {
            let (channel, words) = (name.to_owned(), text.to_owned());
            return Err(FilterProblem::NoTerms { channel, words });
        }
        Ok(Self { channel, analyzer: analyzer.clone(), row })
    }

    /// Returns the documents of a segment that have the words in a row.
    pub fn select(&self, segment: &Segment, schema: &Schema) -> Result<DocSet> {
        let documents = segment.documents as usize;
        let part = segment.bm25[self.channel].as_ref();
        let part = part.expect("a decoded manifest has a part for every segment").get()?;
        let mut set = DocSet::full(documents);
        for word in &self.row {
            set.intersect(&word.select(part, documents));
        }
        if self.row.len() == 1 {
            return Ok(set);
        }
        segment.dead.subtract_from(&mut set);
        let (stored, fields) = (segment.stored.get()?, &schema.channels[self.channel].fields);
        let mut found = DocSet::new(documents);
        for doc in set.iter() {
            if self.stand_in(&stored.document(doc)?.joined_text(fields)) {
                found.insert(doc);
            }
        }
        Ok(found)
    }

    /// Returns whether a text has the words one after the other, apart from what the analyser leaves out.
    fn stand_in(&self, text: &str) -> bool {
        // By how many words of the row were passed: whether the terms before this one match so many.
        let mut passed = vec![false; self.row.len()];
        let mut whole = false;
        self.analyzer.for_each_term(text, &mut |term| {
            for place in (0..self.row.len()).rev() {
                let before = place == 0 || passed[place - 1];
                passed[place] = before && self.row[place].matches(term);
            }
            whole |= passed[self.row.len() - 1];
        });
        whole
    }
}
