//! Training from data sets: files in, a model directory out.

use std::path::{Path, PathBuf};

use ecphory_core::Progress;
use ecphory_eval::Dataset;
use ecphory_train::teacher::StoredScores;
use ecphory_train::{Ids, Job, Judgment, Recipe, Source, Sources, Text, Trained, TrainingData};
use rustc_hash::FxHashSet;

use crate::read::{self, Skipped, TextOptions};
use crate::{Engine, Result};

/// What to train, on a data set.
#[derive(Clone, Debug)]
pub struct TrainingRequest {
    /// How.
    pub recipe: Recipe,
    /// The model to begin from: a name that was pulled, or a directory.
    pub init: String,
    /// The directory to be made.
    pub out: PathBuf,
    /// The seed of everything random.
    pub seed: u64,
    /// Whether to go on with a run that was left beside `out`.
    pub resume: bool,
    /// Leave out and list malformed documents and those without text, with the judgments that name them.
    pub skip_bad: bool,
}

impl Engine {
    /// Trains on the split with which a data set was opened, on the engine's threads; also returns the documents that were left
    /// out.
    ///
    /// A document's text is its title and its text, as channels and `encode` read them. Reports tasks for reading, encoding, mining
    /// and training.
    ///
    /// # Errors
    /// As [`ecphory_train::train`]; where the data set cannot be read, a query or a judged document has no text, or a
    /// judgment names a document that is not there.
    pub fn train(
        &self,
        dataset: &Dataset,
        request: &TrainingRequest,
        progress: &dyn Progress,
    ) -> Result<(Trained, Vec<Skipped>)> {
        let init = self.models().resolve(&request.init)?;
        let (data, skipped) = training_data(dataset, request.skip_bad, progress)?;
        let files = teacher_files(&request.recipe, &data)?;
        let mut sources = Sources::default();
        for (name, scores) in &files {
            sources = sources.with(name, Source { teacher: Some(scores), searcher: None });
        }
        let job = Job {
            data: &data,
            recipe: &request.recipe,
            init: &init,
            out: Path::new(&request.out),
            seed: request.seed,
            sources: &sources,
            states: None,
            pool: self.pool(),
            resume: request.resume,
        };
        let trained = ecphory_train::train(&job, progress)?;
        Ok((trained, skipped))
    }
}

/// Reads the scores that a recipe names as `file(PATH)`.
fn teacher_files(recipe: &Recipe, data: &TrainingData) -> Result<Vec<(String, StoredScores)>> {
    let ids = |texts: &'_ [Text]| texts.iter().map(|text| text.id.clone()).collect::<Vec<_>>();
    let mut files = Vec::new();
    for name in recipe.sources()? {
        let path = name.strip_prefix("file(").and_then(|rest| rest.strip_suffix(')'));
        let Some(path) = path else { continue };
        let queries = Ids::of_queries(ids(data.queries()))?;
        let documents = Ids::of_documents(ids(data.documents()))?;
        let scores = StoredScores::read(Path::new(path), &queries, &documents)?;
        files.push((name.clone(), scores));
    }
    Ok(files)
}

/// Reads the documents of a data set and joins them with its queries and judgments.
fn training_data(
    dataset: &Dataset,
    skip_bad: bool,
    progress: &dyn Progress,
) -> Result<(TrainingData, Vec<Skipped>)> {
    let mut documents = Vec::new();
    let options = TextOptions { skip_bad, ..TextOptions::default() };
    let read = read::texts(&dataset.corpus, &options, progress, &mut |id, text, _| {
        documents.push(Text { id, text });
        Ok(())
    })?;
    let text =
        |query: &ecphory_eval::Query| Text { id: query.id.clone(), text: query.text.clone() };
    let queries = dataset.queries.iter().map(text).collect();
    let kept: FxHashSet<String> = documents.iter().map(|document| document.id.clone()).collect();
    let judged = dataset.qrels.queries.iter();
    let judged = judged.flat_map(|(query, judged)| judged.iter().map(move |(d, g)| (query, d, g)));
    let judgments = judged
        // A judgment of something that was left out says nothing; any other has to find its document.
        .filter(|(_, document, _)| read.skipped.is_empty() || kept.contains(*document))
        .map(|(query, document, &grade)| Judgment { query, document, relevant: grade > 0 });
    let data = TrainingData::new(documents, queries, judgments)?;
    Ok((data, read.skipped))
}
