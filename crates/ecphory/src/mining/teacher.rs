//! A channel as the teacher of a miner: its scores of any document, exact.

use std::sync::{Mutex, PoisonError};

use ecphory_core::{DocAddress, Progress, Unshown};
use ecphory_train::teacher::Teacher;
use ecphory_train::{Error as TrainError, Ids};

use super::numbers::Numbers;
use super::searcher::{foreign, texts};
use crate::reader::cues;
use crate::search::{Cue, Execution, Plan, Stopwatch};
use crate::{Pipeline, Reader, Result};

/// Queries that are encoded at once; miners ask for one after the other.
const QUERY_BLOCK: usize = 512;

/// Scores by a channel. It holds the vectors of one block of queries: 0.75 MiB at 384 dimensions.
pub(crate) struct ChannelTeacher<'a> {
    reader: &'a Reader,
    plan: Plan<'a>,
    queries: &'a [&'a str],
    numbers: Numbers,
    progress: &'a dyn Progress,
    block: Mutex<Option<Block>>,
}

/// The queries from `number · QUERY_BLOCK` on, as the channel sees them.
struct Block {
    number: usize,
    cues: Vec<Vec<Cue>>,
}

impl<'a> ChannelTeacher<'a> {
    pub(crate) fn new(
        (reader, channel): (&'a Reader, &str),
        queries: &'a [&'a str],
        documents: &Ids,
        progress: &'a dyn Progress,
    ) -> Result<Self> {
        // Names an unknown channel; a pipeline such as `hybrid` has no exact score of any document.
        reader.coverage(channel)?;
        let plan = Plan::new(reader, &Pipeline::Channel(channel.to_owned()))?;
        let numbers = Numbers::new(&reader.snapshot, documents)?;
        Ok(Self { reader, plan, queries, numbers, progress, block: Mutex::default() })
    }

    fn block(&self, number: usize) -> ecphory_train::Result<Block> {
        let first = number * QUERY_BLOCK;
        let last = self.queries.len().min(first + QUERY_BLOCK);
        let texts = texts(self.queries, &(first as u32..last as u32).collect::<Vec<_>>())?;
        let mut watch = Stopwatch::new(self.reader.engine.clock());
        let progress = Unshown(self.progress);
        let vectors = self
            .reader
            .encode_queries(&self.plan, &texts, &mut watch, &progress)
            .map_err(foreign)?;
        let of_query = |(at, text): (usize, &&str)| cues(&self.plan, text, at, &vectors);
        Ok(Block { number, cues: texts.iter().enumerate().map(of_query).collect() })
    }
}

impl Teacher for ChannelTeacher<'_> {
    fn scores(&self, query: u32, documents: &[u32]) -> ecphory_train::Result<Vec<f32>> {
        let missing = |document| TrainError::NoScore { query, document };
        let address = |&document: &u32| self.numbers.address(document).ok_or(missing(document));
        let at: Vec<DocAddress> =
            documents.iter().map(address).collect::<ecphory_train::Result<_>>()?;
        let mut block = self.block.lock().unwrap_or_else(PoisonError::into_inner);
        let (number, place) = (query as usize / QUERY_BLOCK, query as usize % QUERY_BLOCK);
        if block.as_ref().is_none_or(|block| block.number != number) {
            *block = Some(self.block(number)?);
        }
        let cues = block.as_ref().and_then(|block| block.cues.get(place));
        let (what, count) = ("query", self.queries.len());
        let cues = cues.ok_or(TrainError::Outside { what, number: query.into(), count })?;
        let execution = Execution { plan: &self.plan, cues, notes: Vec::new() };
        let scores = execution.channel_scores(0, &execution.cues[0], &at).map_err(foreign)?;
        let known = scores.into_iter().zip(documents);
        known.map(|(score, &document)| score.ok_or(missing(document))).collect()
    }
}
