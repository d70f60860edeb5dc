//! The game of one run: a retriever is warmed up, then ranker and retriever take turns, round after round.
//!
//! A round begins with what the retriever finds now. The ranker learns to tell answers from that; then the retriever learns, from the
//! ranker or without one. Arms that have no ranker, or keep the first negatives, have as many steps of the retriever.

use std::collections::BTreeMap;

use ecphory_core::Silent;

use super::NETWORK;
use crate::error::Result;
use crate::miner::Searcher;
use crate::opponent::{Candidates, Features, Opponent};
use crate::optimiser::{State, Tensors};
use crate::recipe::{RANKER, RETRIEVER, Recipe};
use crate::run::mined::Mined;
use crate::schedule::{Phases, Rate};
use crate::source::{ScoreMatrix, Source};
use crate::study::{Run, Setup, Trial};
use crate::teacher::Teacher;

/// Notes: how far the ranker puts answers above what else the retriever likes best, at the beginning of a round and after each turn.
pub(super) const MARGINS: [&str; 3] =
    ["margin of the round", "margin after the ranker's turn", "margin after the retriever's turn"];
/// A note: the metric of the ranker over the retriever's best documents for the queries of the fold.
pub(super) const RERANKED: &str = "reranked by the ranker";

/// How many of the retriever's best documents a margin is above: as many as the retriever has negatives in a batch.
const OPPONENTS: usize = 15;
/// How many of them the ranker orders in the end, to see whether it has anything to teach.
const DEPTH: usize = 50;

/// How long players learn.
pub(super) struct Rules {
    /// How the retriever is warmed up, in all arms.
    pub(super) warm_up: Recipe,
    /// For how many steps.
    pub(super) warm_up_steps: u64,
    /// For how many steps the ranker is, after the retriever.
    pub(super) ranker_steps: u64,
    /// The turns of a round.
    pub(super) phases: Phases,
    /// How many rounds there are.
    pub(super) rounds: u64,
}

/// One run of an arm.
pub(super) struct Game<'g> {
    pub(super) rules: &'g Rules,
    pub(super) features: &'g Features<'g>,
    pub(super) trial: &'g Trial<'g>,
    /// How the retriever learns in the rounds; from the ranker, where it has teachers.
    pub(super) recipe: &'g Recipe,
    /// Whether negatives are mined again after each of the retriever's turns.
    pub(super) refreshes: bool,
}

/// The first player between its turns.
pub(super) struct Retriever {
    pub(super) parameters: Tensors,
    optimiser: State,
    /// Its scores of all pairs.
    scores: ScoreMatrix,
    steps: u64,
}

/// A turn of the retriever.
#[derive(Clone, Copy)]
struct Turn<'t> {
    recipe: &'t Recipe,
    mined: &'t Mined,
    steps: u64,
}

impl Rules {
    /// How many steps the retriever makes in all.
    pub(super) fn steps(&self) -> u64 {
        let turns = self.phases.players().iter().filter(|(name, _)| name == RETRIEVER);
        self.warm_up_steps + self.rounds * turns.map(|(_, steps)| steps).sum::<u64>()
    }
}

impl Game<'_> {
    /// Plays all rounds and judges the retriever.
    ///
    /// # Errors
    /// What training and judging say.
    pub(super) fn play(&self) -> Result<Run> {
        let (retriever, ranker, notes) = self.rounds()?;
        self.judged(&retriever, ranker.as_ref(), notes)
    }

    /// Plays all rounds.
    pub(super) fn rounds(&self) -> Result<(Retriever, Option<Opponent<'_>>, Notes)> {
        let rules = self.rules;
        let from_start = self.mined(&rules.warm_up, None)?;
        let turn = Turn { recipe: &rules.warm_up, mined: &from_start, steps: rules.warm_up_steps };
        let mut retriever = self.retrieve(turn, None, None)?;
        let mut mined = self.mined(self.recipe, Some(&retriever))?;
        let mut ranker = None;
        if !self.recipe.teachers.is_empty() {
            let mut new = Opponent::new(self.features, NETWORK, self.trial.seed)?;
            self.rank(&mut new, &mined, rules.ranker_steps)?;
            ranker = Some(new);
        }
        let mut margins = [0.0; 3];
        for _ in 0..rules.rounds {
            margins[0] += self.margin(ranker.as_ref(), &retriever)?;
            for (player, steps) in rules.phases.players() {
                if player == RANKER {
                    if let Some(ranker) = &mut ranker {
                        self.rank(ranker, &mined, *steps)?;
                    }
                    margins[1] += self.margin(ranker.as_ref(), &retriever)?;
                } else {
                    let turn = Turn { recipe: self.recipe, mined: &mined, steps: *steps };
                    retriever = self.retrieve(turn, Some(&retriever), ranker.as_ref())?;
                    margins[2] += self.margin(ranker.as_ref(), &retriever)?;
                }
            }
            if self.refreshes {
                mined = self.mined(self.recipe, Some(&retriever))?;
            }
        }
        let mut notes = Notes::new();
        if ranker.is_some() {
            let means = margins.map(|sum| sum / rules.rounds as f64);
            notes.extend(MARGINS.into_iter().zip(means));
        }
        Ok((retriever, ranker, notes))
    }

    fn setup(&self) -> Setup<'_> {
        let Trial { subject, fold, seed, .. } = *self.trial;
        Setup { subject, train: &fold.train, seed }
    }

    /// Mines with the retriever as it is.
    fn mined(&self, recipe: &Recipe, retriever: Option<&Retriever>) -> Result<Mined> {
        let mut sources = self.trial.subject.sources();
        if let Some(retriever) = retriever {
            sources = sources.with(RETRIEVER, retriever.scores.source());
        }
        self.setup().mined(recipe, &sources)
    }

    /// Lets the retriever learn from where it was left.
    fn retrieve(
        &self,
        turn: Turn<'_>,
        before: Option<&Retriever>,
        ranker: Option<&Opponent<'_>>,
    ) -> Result<Retriever> {
        let mut sources = self.trial.subject.sources();
        if let Some(ranker) = ranker {
            sources = sources.with(RANKER, Source { searcher: None, teacher: Some(ranker) });
        }
        let mut course = self.setup().course(turn.recipe, turn.mined, &sources)?;
        let first = before.map_or(0, |before| before.steps);
        if let Some(before) = before {
            course.restore(&before.parameters, before.optimiser.clone())?;
        }
        let rate = Rate::new(turn.recipe.optimiser.schedule.parse()?, self.rules.steps())?;
        for step in first..first + turn.steps {
            course.step(step, self.trial.rate * rate.factor(step) as f32)?;
        }
        let data = self.trial.subject.data();
        let numbers = |count: usize| (0..count as u32).collect::<Vec<u32>>();
        let (queries, documents) = (numbers(data.queries().len()), numbers(data.documents().len()));
        let scores =
            course.evaluated(|course| course.ranker.scores(&queries, &documents, &Silent))?;
        Ok(Retriever {
            scores: ScoreMatrix::new(documents.len(), scores)?,
            parameters: course.values(),
            optimiser: course.optimiser(),
            steps: first + turn.steps,
        })
    }

    /// Lets the ranker learn from candidates of the retriever.
    fn rank(&self, ranker: &mut Opponent<'_>, mined: &Mined, steps: u64) -> Result<()> {
        let batches = &self.recipe.batches;
        let candidates = Candidates {
            judged: &mined.judged,
            train: &self.trial.fold.train,
            queries: batches.queries,
            negatives: batches.negatives,
            seed: self.trial.seed,
        };
        candidates.teach(ranker, ranker.steps() + steps, &Silent)
    }

    /// How far the ranker puts answers above what else the retriever likes best, in the mean over the queries that are
    /// trained on; 0 where there is no ranker.
    fn margin(&self, ranker: Option<&Opponent<'_>>, retriever: &Retriever) -> Result<f64> {
        let Some(ranker) = ranker else { return Ok(0.0) };
        let (data, train) = (self.trial.subject.data(), &self.trial.fold.train);
        let mut sum = 0.0;
        for &query in train {
            let answers = data.positives(query as usize);
            let found = retriever.scores.search(&[query], OPPONENTS + answers.len())?.concat();
            let others = found.iter().map(|one| one.document);
            let others = others.filter(|document| !answers.contains(document)).take(OPPONENTS);
            let others = ranker.scores(query, &others.collect::<Vec<u32>>())?;
            sum += mean(&ranker.scores(query, answers)?) - mean(&others);
        }
        Ok(sum / train.len() as f64)
    }

    /// Judges the retriever, and notes what the ranker makes of its best documents.
    fn judged(
        &self,
        retriever: &Retriever,
        ranker: Option<&Opponent<'_>>,
        mut notes: Notes,
    ) -> Result<Run> {
        let test = &self.trial.fold.test;
        let mut rows = Vec::new();
        for &query in test {
            rows.extend_from_slice(retriever.scores.row(query)?);
        }
        let values = self.trial.judge(&rows)?;
        if let Some(ranker) = ranker {
            let width = rows.len() / test.len();
            rows.fill(f32::MIN);
            let rankings = retriever.scores.search(test, DEPTH)?;
            for ((&query, ranking), row) in test.iter().zip(rankings).zip(rows.chunks_mut(width)) {
                let documents: Vec<u32> = ranking.iter().map(|one| one.document).collect();
                for (&document, score) in documents.iter().zip(ranker.scores(query, &documents)?) {
                    row[document as usize] = score;
                }
            }
            let reranked = self.trial.judge(&rows)?;
            let sum: f64 = reranked.iter().map(|(_, value)| value).sum();
            notes.insert(RERANKED, sum / reranked.len() as f64);
        }
        Ok(Run { values, notes })
    }
}

/// What a run saw.
pub(super) type Notes = BTreeMap<&'static str, f64>;

fn mean(values: &[f32]) -> f64 {
    values.iter().copied().map(f64::from).sum::<f64>() / values.len().max(1) as f64
}
