//! Training from data sets: files in, a model directory out.

use std::path::{Path, PathBuf};

use ecphory_core::Progress;
use ecphory_eval::Dataset;
use ecphory_model::CrossEncoder;
use ecphory_train::teacher::{StoredScores, Teacher};
use ecphory_train::{
    ForeignKind, ForeignSource, Ids, Job, Judgment, Recipe, RoundRecipe, Source, Sources, Text,
    Trained, TrainingData, ViewRecipe, train_from_views, train_in_rounds,
};
use rustc_hash::FxHashSet;

use crate::mining::{ChannelTeacher, CrossTeacher, PipelineSearcher};
use crate::read::{self, Skipped, TextOptions};
use crate::{Engine, Pipeline, Reader, Result};

/// What to train, on a data set.
#[derive(Clone, Debug)]
pub struct TrainingRequest<R = Recipe> {
    /// How.
    pub recipe: R,
    /// The model to begin from: a name that was pulled, or a directory.
    pub init: String,
    /// The directory to be made.
    pub out: PathBuf,
    /// The seed of everything random.
    pub seed: u64,
    /// Whether to go on with a run that was left beside `out`.
    pub resume: bool,
    /// A collection of the same documents, whose channels and pipelines the recipe may mine and learn from by their names, such
    /// as `bm25` (and `dense`, where the model to begin from makes no vectors); only `dense`, `random`, files and cross-encoders without one.
    pub reader: Option<Reader>,
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
        let foreign = request.recipe.foreign_sources(!CrossEncoder::opens(&init)?)?;
        let train = |job: &Job<'_>| ecphory_train::train(job, progress);
        self.train_beside(dataset, (request, &init), foreign, progress, &train)
    }

    /// Trains a retriever in rounds against a ranker, as [`Engine::train`] does without one.
    ///
    /// # Errors
    /// As [`Engine::train`].
    pub fn train_in_rounds(
        &self,
        dataset: &Dataset,
        request: &TrainingRequest<RoundRecipe>,
        progress: &dyn Progress,
    ) -> Result<(Trained, Vec<Skipped>)> {
        let init = self.models().resolve(&request.init)?;
        let foreign = request.recipe.foreign_sources();
        let train = |job: &Job<'_, RoundRecipe>| train_in_rounds(job, progress);
        self.train_beside(dataset, (request, &init), foreign, progress, &train)
    }

    /// Trains with the sources that have to be handed in.
    fn train_beside<R>(
        &self,
        dataset: &Dataset,
        (request, init): (&TrainingRequest<R>, &Path),
        foreign: Vec<ForeignSource>,
        progress: &dyn Progress,
        train: &dyn Fn(&Job<'_, R>) -> ecphory_train::Result<Trained>,
    ) -> Result<(Trained, Vec<Skipped>)> {
        let (data, skipped) = training_data(dataset, request.skip_bad, progress)?;
        let ids = |texts: &[Text]| texts.iter().map(|text| text.id.clone()).collect::<Vec<_>>();
        let documents = Ids::of_documents(ids(data.documents()))?;
        let queries = Ids::of_queries(ids(data.queries()))?;
        let texts: Vec<&str> = data.queries().iter().map(|query| &*query.text).collect();
        let (mut scorers, mut rankers) = (Vec::new(), Vec::new());
        for ForeignSource { name, kind } in foreign {
            match (kind, &request.reader) {
                (ForeignKind::Scores(path), _) => {
                    let scores = StoredScores::read(&path, &queries, &documents)?;
                    scorers.push((name, Box::new(scores) as Box<dyn Teacher + '_>));
                }
                (ForeignKind::CrossEncoder(model), _) => {
                    scorers.push((name, Box::new(CrossTeacher::new(self, &model, &data)?)));
                }
                // What the collection does not have either is for the run to say, which knows all names.
                (ForeignKind::Ranker, Some(reader)) => {
                    rankers.extend(reader.pipeline(&name).ok().map(|found| (reader, name, found)));
                }
                (ForeignKind::Ranker, None) => {}
            }
        }
        let mut searchers = Vec::new();
        for (reader, name, pipeline) in &rankers {
            let searcher = PipelineSearcher::new(reader, pipeline, &texts, &documents, progress)?;
            // A fusion has no exact score of any document.
            let teacher = match pipeline {
                Pipeline::Channel(channel) => {
                    Some(ChannelTeacher::new((reader, channel), &texts, &documents, progress)?)
                }
                _ => None,
            };
            searchers.push((name, searcher, teacher));
        }
        let mut sources = Sources::default();
        for (name, scorer) in &scorers {
            sources = sources.with(name, Source { teacher: Some(&**scorer), searcher: None });
        }
        for (name, searcher, teacher) in &searchers {
            let teacher = teacher.as_ref().map(|teacher| teacher as &dyn Teacher);
            sources = sources.with(name, Source { teacher, searcher: Some(searcher) });
        }
        let job = Job {
            data: &data,
            recipe: &request.recipe,
            init,
            out: Path::new(&request.out),
            seed: request.seed,
            sources: &sources,
            cache: self.disk_cache(),
            pool: self.pool(),
            resume: request.resume,
        };
        Ok((train(&job)?, skipped))
    }

    /// Trains on the documents of a file alone, as [`Engine::train`] does on pairs; the request's `reader` is of no use here.
    ///
    /// # Errors
    /// As [`train_from_views`]; where the documents cannot be read or one has no text.
    pub fn train_from_views(
        &self,
        corpus: &Path,
        request: &TrainingRequest<ViewRecipe>,
        progress: &dyn Progress,
    ) -> Result<(Trained, Vec<Skipped>)> {
        let init = self.models().resolve(&request.init)?;
        let (documents, skipped) = documents(corpus, request.skip_bad, progress)?;
        let data = TrainingData::of_documents(documents)?;
        let job = Job {
            data: &data,
            recipe: &request.recipe,
            init: &init,
            out: Path::new(&request.out),
            seed: request.seed,
            sources: &Sources::default(),
            cache: None,
            pool: self.pool(),
            resume: request.resume,
        };
        Ok((train_from_views(&job, progress)?, skipped))
    }
}

/// Reads the texts of a file of documents, and lists what was left out.
fn documents(
    corpus: &Path,
    skip_bad: bool,
    progress: &dyn Progress,
) -> Result<(Vec<Text>, Vec<Skipped>)> {
    let mut documents = Vec::new();
    let options = TextOptions { skip_bad, ..TextOptions::default() };
    let read = read::texts(corpus, &options, progress, &mut |id, text, _| {
        documents.push(Text { id, text });
        Ok(())
    })?;
    Ok((documents, read.skipped))
}

/// Reads the documents of a data set and joins them with its queries and judgments.
fn training_data(
    dataset: &Dataset,
    skip_bad: bool,
    progress: &dyn Progress,
) -> Result<(TrainingData, Vec<Skipped>)> {
    let (documents, skipped) = documents(&dataset.corpus, skip_bad, progress)?;
    let text =
        |query: &ecphory_eval::Query| Text { id: query.id.clone(), text: query.text.clone() };
    let queries = dataset.queries.iter().map(text).collect();
    let kept: FxHashSet<String> = documents.iter().map(|document| document.id.clone()).collect();
    let judged = dataset.qrels.queries.iter();
    let judged = judged.flat_map(|(query, judged)| judged.iter().map(move |(d, g)| (query, d, g)));
    let judgments = judged
        // A judgment of something that was left out says nothing; any other has to find its document.
        .filter(|(_, document, _)| skipped.is_empty() || kept.contains(*document))
        .map(|(query, document, &grade)| Judgment { query, document, relevant: grade > 0 });
    let data = TrainingData::new(documents, queries, judgments)?;
    Ok((data, skipped))
}
