//! Training in rounds: a retriever and a ranker take turns (Zhang et al. 2022, AR2).
//!
//! The retriever is warmed up on what the model to begin from finds. Then each round begins with what the retriever finds as it is: the ranker
//! learns to tell answers from that, and the retriever learns from the ranker. Held-out queries judge the retriever after each round.
//!
//! A run can be left anywhere: what was mined, the ranker and the retriever are written down.

use std::collections::BTreeMap;
use std::path::Path;

use ecphory_core::Progress;
use ecphory_model::{Encoder, EncoderOptions, Role};

use super::course::{Course, CourseParts};
use super::dev::Dev;
use super::learner::{Judgement, Learner, Snapshot};
use super::mined::Mined;
use super::pairs::{self, Read, facts, mined};
use super::session::{Beginning, Session, Timetable};
use super::start::{Start, encoders_within};
use super::{Job, RunError, Trained};
use crate::error::{Error, Result};
use crate::miner::{Candidate, Searcher};
use crate::opponent::{Candidates, Features, Opponent, Shared};
use crate::optimiser::{State, Tensors};
use crate::random::{Purpose, Random};
use crate::recipe::{RANKER, RETRIEVER, Recipe, RoundRecipe};
use crate::source::{Source, Sources, ranked};
use crate::teacher::Teacher;

/// From how many documents at most the scale of a ranker's sources is taken.
const SCALE_DOCUMENTS: usize = 16_384;
/// How many scores are held at once while the retriever searches: 64 MiB.
const SCORES_MAX: usize = 1 << 24;
/// What belongs to the ranker in a checkpoint.
const OF_RANKER: &str = "ranker/";
/// The optimiser of the ranker.
const OPTIMISER: &str = "ranker's optimiser/";
/// How many steps the ranker has made.
const STEPS: &str = "steps of the ranker";
/// For how many rounds there was mined.
const ROUNDS: &str = "rounds begun";

/// Trains a retriever that plays against a ranker. The output is the retriever.
///
/// # Errors
/// As [`train`](super::train).
pub fn train_in_rounds(job: &Job<'_, RoundRecipe>, progress: &dyn Progress) -> Result<Trained> {
    job.begins()?;
    job.pool.install(|| run(job, progress))
}

fn run(job: &Job<'_, RoundRecipe>, progress: &dyn Progress) -> Result<Trained> {
    let encoder = Encoder::open(job.init, &EncoderOptions::default())?;
    let limit = encoder.max_tokens();
    let origin = job.origin(encoder.fingerprint().to_owned());
    let left = job.left(&origin)?;
    let (warming, taught) = (job.recipe.warming(), job.recipe.taught());
    let tokens = [Role::Query, Role::Document].map(|role| taught.encoding.tokens(role));
    let start = Start::new(job, &encoders_within(job.init, limit, tokens)?, progress)?;
    let start = start.vectors()?;
    let sources = start.among(job.sources);
    let as_pairs = job.with(&warming);
    let mined = mined(&as_pairs, left.as_ref(), &sources, progress)?;
    let mut seen = Vec::new();
    for name in &job.recipe.ranker.sees {
        seen.push(sources.teacher(name)?);
    }
    let features = features(job, start.sides, &seen, progress)?;
    let opponent = Shared::new(Opponent::new(&features, job.recipe.opponent(), job.seed)?);
    let source = Source { searcher: None, teacher: Some(&opponent) };
    let sources = sources.clone().with(RANKER, source);
    let dev = pairs::dev(job.data, &mined, true)?;
    let facts = facts(job.data, &mined);
    let course = Course::new(CourseParts {
        data: job.data,
        recipe: &warming,
        seed: job.seed,
        judged: &mined.judged,
        trained: mined.trained(),
        sources: &sources,
        vectors: None,
        ranker: pairs::ranker(
            &as_pairs,
            Read { limit, start: Some(&start), states: None, first: None },
        )?,
    })?;
    let rounds = Rounds {
        job,
        taught: &taught,
        sources: &sources,
        opponent: &opponent,
        dev,
        course,
        mined,
        begun: 0,
    };
    let beginning = Beginning {
        out: job.out,
        origin,
        timetable: timetable(job.recipe)?,
        facts,
        learner: Box::new(rounds),
    };
    let mut session = Session::new(beginning, left)?;
    session.run(progress)?;
    session.finish()
}

/// What the ranker sees of pairs.
fn features<'a>(
    job: &Job<'a, RoundRecipe>,
    vectors: (crate::vectors::Vectors<'a>, crate::vectors::Vectors<'a>),
    seen: &[&'a dyn Teacher],
    progress: &dyn Progress,
) -> Result<Features<'a>> {
    let mut documents: Vec<u32> = (0..job.data.documents().len() as u32).collect();
    if documents.len() > SCALE_DOCUMENTS {
        let mut random = Random::new(job.seed, Purpose::Document, [u64::MAX, 0]);
        random.shuffle_first(&mut documents, SCALE_DOCUMENTS);
        documents.truncate(SCALE_DOCUMENTS);
        documents.sort_unstable();
    }
    let units = seen.len() * job.data.queries().len();
    progress.begin("what the ranker sees", units as u64);
    let found = Features::new(job.data, vectors, seen, &documents, progress);
    progress.end();
    found
}

/// The retriever is judged after the warm-up and each of its turns.
fn timetable(recipe: &RoundRecipe) -> Result<Timetable> {
    let (first, turn) = (recipe.warm_up.retriever, recipe.rounds.retriever);
    Ok(Timetable {
        stops: (0..=recipe.rounds.count).map(|round| first + round * turn).collect(),
        learning_rate: recipe.optimiser.learning_rate,
        schedule: recipe.optimiser.schedule.parse()?,
        patience: 0,
    })
}

/// Both players.
struct Rounds<'a, 'o> {
    job: &'a Job<'a, RoundRecipe>,
    /// How the retriever learns from the ranker.
    taught: &'a Recipe,
    /// With the ranker among them.
    sources: &'a Sources<'a>,
    opponent: &'a Shared<'o>,
    dev: Option<Dev>,
    course: Course<'a>,
    /// What batches are made of now.
    mined: Mined,
    /// For how many rounds there was mined.
    begun: u64,
}

impl Rounds<'_, '_> {
    /// Returns how many rounds have begun where this step is the next one.
    fn rounds_at(&self, step: u64) -> u64 {
        let recipe = self.job.recipe;
        match step.checked_sub(recipe.warm_up.retriever) {
            Some(later) => (later / recipe.rounds.retriever + 1).min(recipe.rounds.count),
            None => 0,
        }
    }

    /// Mines with the retriever as it is.
    fn mine(&mut self, progress: &dyn Progress) -> Result<Mined> {
        let rankings = self.rankings(progress)?;
        let source = Source { searcher: Some(&rankings), teacher: None };
        let sources = self.sources.clone().with(RETRIEVER, source);
        let mut mined = self.mined.clone();
        mined.judged.iter_mut().for_each(|judged| judged.negatives.clear());
        mined.mine(self.job.data, self.taught, &sources, self.job.seed, progress)?;
        Ok(mined)
    }

    /// Searches with the queries that are trained on.
    fn rankings(&self, progress: &dyn Progress) -> Result<Rankings> {
        let documents: Vec<u32> = (0..self.job.data.documents().len() as u32).collect();
        let train = self.mined.trained();
        let block = (SCORES_MAX / documents.len().max(1)).max(1);
        let ranker = &*self.course.ranker;
        let units = train.chunks(block).map(|queries| ranker.units(queries.len(), documents.len()));
        progress.begin("searching with the retriever", units.sum());
        let found = ranked_by(ranker, (&train, block), &documents, (self.taught, progress));
        progress.end();
        found
    }
}

/// The best documents of each query.
struct Rankings(BTreeMap<u32, Vec<Candidate>>);

fn ranked_by(
    ranker: &dyn crate::ranker::Ranker,
    (queries, block): (&[u32], usize),
    documents: &[u32],
    (recipe, progress): (&Recipe, &dyn Progress),
) -> Result<Rankings> {
    let mut found = BTreeMap::new();
    for queries in queries.chunks(block) {
        let scores = ranker.scores(queries, documents, progress)?;
        let rows = scores.chunks_exact(documents.len());
        let best = rows.map(|row| ranked(row, recipe.negatives.depth));
        found.extend(queries.iter().copied().zip(best));
    }
    Ok(Rankings(found))
}

impl Searcher for Rankings {
    fn search(&self, queries: &[u32], depth: usize) -> Result<Vec<Vec<Candidate>>> {
        let best = |query: &u32| {
            let (number, count) = ((*query).into(), self.0.len());
            let found = self.0.get(query);
            let found = found.ok_or(Error::Outside { what: "query", number, count })?;
            Ok(found[..depth.min(found.len())].to_vec())
        };
        queries.iter().map(best).collect()
    }
}

impl Learner for Rounds<'_, '_> {
    fn prepare(&mut self, step: u64, progress: &dyn Progress) -> Result<()> {
        let begun = self.rounds_at(step);
        if begun == 0 {
            return Ok(());
        }
        if self.begun < begun {
            let mined = self.mine(progress)?;
            self.course.turn_to(self.taught, &mined.judged, self.sources)?;
            (self.mined, self.begun) = (mined, begun);
        }
        let RoundRecipe { batches, warm_up, rounds, .. } = self.job.recipe;
        let candidates = Candidates {
            judged: &self.mined.judged,
            train: &self.mined.trained(),
            queries: batches.queries,
            negatives: batches.negatives,
            seed: self.job.seed,
        };
        let mut opponent = self.opponent.lock();
        let until = warm_up.ranker + begun * rounds.ranker;
        progress.begin("the ranker's turn", until.saturating_sub(opponent.steps()));
        let taught = candidates.teach(&mut opponent, until, progress);
        progress.end();
        taught
    }

    fn step(&mut self, step: u64, rate: f32) -> Result<Option<f64>> {
        self.course.step(step, rate).map(Some)
    }

    fn placed(&self, error: Error, step: u64, checkpoint: &Path) -> Error {
        self.course.placed(error, step, checkpoint)
    }

    fn judge(&mut self, progress: &dyn Progress) -> Result<Judgement> {
        pairs::judge(self.dev.as_ref(), self.job.data, &mut self.course, progress)
    }

    fn snapshot(&mut self) -> Snapshot {
        let (ranker, moments, steps) = self.opponent.lock().snapshot();
        let mut others = prefixed(OF_RANKER, ranker);
        others.extend(prefixed(OPTIMISER, moments.tensors));
        let mut lists = self.mined.lists();
        lists.extend(prefixed(OPTIMISER, moments.counters));
        lists.insert(STEPS.to_owned(), vec![steps]);
        lists.insert(ROUNDS.to_owned(), vec![self.begun]);
        let (parameters, optimiser) = (self.course.values(), self.course.optimiser());
        Snapshot { parameters, optimiser, others, lists }
    }

    fn restore(&mut self, snapshot: Snapshot) -> Result<()> {
        let Snapshot { parameters, optimiser, others, lists } = snapshot;
        let number = |name: &str| match lists.get(name).map(Vec::as_slice) {
            Some(&[number]) => Ok(number),
            _ => Err(Error::from(RunError::CheckpointLacks { what: name.to_owned() })),
        };
        let (steps, begun) = (number(STEPS)?, number(ROUNDS)?);
        let moments =
            State { tensors: under(OPTIMISER, &others), counters: under(OPTIMISER, &lists) };
        self.opponent.lock().restore((under(OF_RANKER, &others), moments, steps))?;
        // What was mined was taken up when the course was made.
        if begun > 0 {
            self.course.turn_to(self.taught, &self.mined.judged, self.sources)?;
        }
        self.begun = begun;
        self.course.restore(&parameters, optimiser)
    }

    fn save(&mut self, best: Option<&Tensors>, directory: &Path) -> Result<()> {
        pairs::save(&mut self.course, best, directory)
    }
}

fn prefixed<T>(prefix: &str, all: BTreeMap<String, T>) -> BTreeMap<String, T> {
    all.into_iter().map(|(name, one)| (format!("{prefix}{name}"), one)).collect()
}

fn under<T: Clone>(prefix: &str, all: &BTreeMap<String, T>) -> BTreeMap<String, T> {
    let within =
        |(name, one): (&String, &T)| Some((name.strip_prefix(prefix)?.to_owned(), one.clone()));
    all.iter().filter_map(within).collect()
}

#[cfg(test)]
mod tests;
