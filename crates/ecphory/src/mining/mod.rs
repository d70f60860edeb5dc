//! Mining negatives of a data set with any pipeline over a collection.
//!
//! The collection gives the numbers of documents: the order in which they were added, so that the ties of a
//! pipeline fall as the miner wants them. Memory: 24 bytes and the id for each document, the texts of the queries, the
//! rankings of 512 queries, and what is kept.

mod cross;
mod numbers;
mod searcher;
mod teacher;
#[cfg(test)]
mod tests;

use std::ops::Range;

use ecphory_core::Progress;
use ecphory_eval::Dataset;
use ecphory_train::miner::{
    DuplicateText, Filter, MarginAudit, MinedSet, Mining, MiningReport, NearMiss, Positives,
    SelfExclusion, TeacherMargin, text_key,
};
use ecphory_train::{Error as TrainError, Ids};

use crate::channel::default_fields;
use crate::{Error, Pipeline, Reader, Result};
pub(crate) use cross::CrossTeacher;
pub use searcher::PipelineSearcher;
pub(crate) use teacher::ChannelTeacher;

/// What to mine, and how.
#[derive(Clone)]
pub struct MiningRequest<'a> {
    /// Ranks the candidates.
    pub pipeline: Pipeline,
    /// Which ranks are candidates, counted from 0: `10..100` skips the first ten.
    pub ranks: Range<usize>,
    /// How many negatives are drawn for each pair, where there are so many.
    pub keep: usize,
    /// Removes what is likely an answer that nobody judged.
    pub teacher: Option<TeacherRequest<'a>>,
    /// Whether queries are documents too, under the same ids: no query is a negative of its own.
    pub queries_are_documents: bool,
    /// How many of the likeliest answers are listed that the teacher removed.
    pub audit: usize,
    /// The seed of the draw.
    pub seed: u64,
}

/// Whose scores say what is too near an answer.
#[derive(Clone)]
pub struct TeacherRequest<'a> {
    /// The collection: the one that is mined, or another one of the same documents.
    pub reader: &'a Reader,
    /// Its channel.
    pub channel: String,
    /// What is too near.
    pub near: Nearness,
}

/// What is too near an answer to be a negative.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Nearness {
    /// What scores more than this share of the answer's score.
    Ratio(f32),
    /// What scores more than the answer's score less this.
    Margin(f32),
}

/// What was mined.
#[derive(Debug)]
pub struct Mined {
    /// The ids of the queries, by their numbers.
    pub queries: Ids,
    /// The ids of the documents, by their numbers.
    pub documents: Ids,
    /// The pairs with their negatives, in the order of the queries.
    pub sets: Vec<MinedSet>,
    /// What was found and taken away.
    pub report: MiningReport,
    /// The likeliest answers that the teacher removed, the likeliest first.
    pub near: Vec<NearMiss>,
    /// Judged pairs whose document is not in the collection.
    pub left_out: u64,
    /// What the user should know, such as a channel that is not complete.
    pub notes: Vec<String>,
}

impl Reader {
    /// Mines negatives for every judged pair of a data set, whose documents this collection holds. The queries of a
    /// block are searched on all threads; the result does not depend on how many there are.
    ///
    /// Positives are never negatives, nor is what has the text of a positive, of the query, or of a candidate before.
    /// Reports the tasks `read documents` and `mine`.
    ///
    /// # Errors
    /// As [`Reader::search_batch`]; where no judged document is in the collection, a setting is out of its range, or a
    /// teacher's collection lacks documents; with kind `Interrupted` where the caller asked to stop.
    pub fn mine(
        &self,
        dataset: &Dataset,
        request: &MiningRequest<'_>,
        progress: &dyn Progress,
    ) -> Result<Mined> {
        let documents = self.documents_read(progress)?;
        let queries = Ids::of_queries(dataset.queries.iter().map(|query| &query.id))?;
        let texts: Vec<&str> = dataset.queries.iter().map(|query| query.text.as_str()).collect();
        let (positives, left_out) = positives(dataset, &queries, &documents.ids)?;
        let searcher =
            PipelineSearcher::new(self, &request.pipeline, &texts, &documents.ids, progress)?;
        let keys = texts.iter().map(|text| text_key(text)).collect();
        let copies = DuplicateText::new(keys, documents.keys);
        let own = own_documents(request.queries_are_documents, &queries, &documents.ids)?;
        let teacher = request
            .teacher
            .as_ref()
            .map(|teacher| {
                let from = (teacher.reader, &*teacher.channel);
                ChannelTeacher::new(from, &texts, &documents.ids, progress)
            })
            .transpose()?;
        let audit = match (&teacher, &request.teacher) {
            (Some(teacher), Some(TeacherRequest { near, .. })) => {
                let margin = match *near {
                    Nearness::Ratio(ratio) => TeacherMargin::within(teacher, ratio)?,
                    Nearness::Margin(margin) => TeacherMargin::below(teacher, margin)?,
                };
                Some(MarginAudit::new(margin, request.audit))
            }
            _ => None,
        };
        let mut filters: Vec<&dyn Filter> = Vec::new();
        filters.extend(own.as_ref().map(|own| own as &dyn Filter));
        filters.push(&copies);
        filters.extend(audit.as_ref().map(|audit| audit as &dyn Filter));
        let mining = Mining {
            searcher: &searcher,
            filters: &filters,
            ranks: request.ranks.clone(),
            keep: request.keep,
            seed: request.seed,
        };
        let (sets, report) = mining.run(&positives, progress).map_err(stopped)?;
        let near = audit.map(MarginAudit::into_kept).unwrap_or_default();
        let notes = searcher.into_notes();
        Ok(Mined { queries, documents: documents.ids, sets, report, near, left_out, notes })
    }

    /// Reads ids and texts of all documents, and keeps of the texts what tells copies.
    fn documents_read(&self, progress: &dyn Progress) -> Result<Documents> {
        let fields = default_fields();
        let (mut ids, mut keys) = (Vec::new(), Vec::new());
        progress.begin("read documents", self.documents());
        let mut read = || {
            for at in self.snapshot.addresses() {
                if progress.cancelled() {
                    return Err(Error::Interrupted { doing: "reading documents" });
                }
                let document = self.snapshot.document(at)?;
                keys.push(text_key(&document.joined_text(&fields)));
                ids.push(document.id);
                progress.advance(1);
            }
            Ok(())
        };
        let read = read();
        progress.end();
        read?;
        Ok(Documents { ids: Ids::of_documents(ids)?, keys })
    }
}

struct Documents {
    ids: Ids,
    keys: Vec<u64>,
}

/// Joins judgments with numbers; also returns how many name a document that is not in the collection.
fn positives(dataset: &Dataset, queries: &Ids, documents: &Ids) -> Result<(Positives, u64)> {
    let mut left_out = 0;
    let mut all = Vec::new();
    for (number, query) in (0..).zip(dataset.queries.iter()) {
        debug_assert_eq!(queries.number(&query.id), Some(number));
        let judged = dataset.qrels.queries.get(&query.id).into_iter().flatten();
        let mut found = Vec::new();
        for (document, _) in judged.filter(|(_, grade)| **grade > 0) {
            match documents.number(document) {
                Some(document) => found.push(document),
                None => left_out += 1,
            }
        }
        if !found.is_empty() {
            found.sort_unstable();
            all.push((number, found));
        }
    }
    if all.is_empty() {
        let what = "judged pairs whose document is in the collection";
        return Err(TrainError::Nothing { what }.into());
    }
    Ok((Positives::new(all)?, left_out))
}

fn own_documents(wanted: bool, queries: &Ids, documents: &Ids) -> Result<Option<SelfExclusion>> {
    if !wanted {
        return Ok(None);
    }
    let mut own = Vec::with_capacity(queries.count());
    for query in 0..queries.count() as u32 {
        own.push(documents.number(queries.id(query)?));
    }
    Ok(Some(SelfExclusion::new(own)))
}

/// Gives errors of this crate, which went through the miner, back as what they are.
fn stopped(error: TrainError) -> Error {
    match error {
        TrainError::Interrupted => Error::Interrupted { doing: "mining" },
        TrainError::Search { kind, source } => match source.downcast::<Error>() {
            Ok(own) => *own,
            Err(source) => TrainError::Search { kind, source }.into(),
        },
        other => other.into(),
    }
}
