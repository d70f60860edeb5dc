//! CET (Cai et al. 2022): negatives from a strong ranking hide answers that nobody judged, and coupled estimation takes the harm out.
//!
//! The pool is simulated, so that the truth is known: of the judgments only those among the first documents of a lexical ranking stay
//! visible, arms are trained on these, and judged by all of them. The student is a square map over cached vectors.

use std::collections::BTreeMap;

use ecphory_core::Silent;

use crate::claim::{Claim, Examination, Findings, Inputs, Outcomes, Plan, greater};
use crate::data::{Judgment, TrainingData};
use crate::error::Result;
use crate::miner::{Pool, Positives, simulate_pool};
use crate::recipe::Recipe;
use crate::source::ScoreMatrix;
use crate::study::{Arm, Mechanism, Run, Setup, Subject, SubjectParts, Trial};

pub(super) const CLAIM: Claim = Claim {
    name: "cet",
    paper: "Cai et al. 2022, Hard Negatives or False Negatives: Correcting Pooling Bias in Training Neural Ranking Models",
    says: "with negatives from a dense ranking, coupled estimation of relevance and selection beats taking the unlabelled for irrelevant",
    metric: "nDCG@10",
    tier: "T0",
    inputs: Inputs::Vectors,
    rates: &[2e-4, 1e-3],
    examine,
};

/// How deep the lexical ranking is judged.
const DEPTH: usize = 20;
const COUPLED: &str = "dense negatives, coupled";
const NAIVE: &str = "dense negatives";
const LEXICAL: &str = "lexical negatives";
const RANDOM: &str = "random negatives";
const ORACLE: &str = "dense negatives without hidden answers";
const PLAIN: &str = "negatives.debias=";

fn examine(examination: &Examination<'_>) -> Result<Findings> {
    let recipe = Recipe::named("cet")?.with([
        "tier=vectors",
        "matching=cosine(pooled > linear)",
        "schedule.epochs=12",
    ])?;
    let arm = |name: &str, changes: &[&str]| Arm::of(name, &recipe, changes);
    let arms = vec![
        Arm::untrained(),
        arm(NAIVE, &[PLAIN])?,
        arm(COUPLED, &[])?,
        arm(ORACLE, &[PLAIN])?,
        arm(LEXICAL, &[PLAIN, "negatives.from=bm25"])?,
        arm(RANDOM, &[PLAIN, "negatives.from=random"])?,
    ];
    let mut findings = Findings::default();
    for subject in examination.subjects {
        let judged = Judged::new(subject)?;
        let [all, visible] = [&judged.all, &judged.visible]
            .map(|data| Subject::new(judged.parts(subject.parts(), data)));
        let study = Study { all: &all?, visible: &visible?, pool: &judged.pool };
        let mechanisms = |subject: &Subject<'_>, _: &Outcomes| study.mechanisms(subject, &arms);
        let plan = Plan {
            arms: arms.clone(),
            deciding: (COUPLED, NAIVE),
            others: &[(NAIVE, RANDOM), (NAIVE, LEXICAL), (COUPLED, ORACLE), (ORACLE, NAIVE)],
            mechanisms: &mechanisms,
        };
        plan.run_on(examination, study.visible, &|trial| study.run(trial), &mut findings)?;
    }
    Ok(findings)
}

/// The queries of a subject of which a pool shows an answer.
struct Judged {
    /// With all answers.
    all: TrainingData,
    /// With those that the pool shows.
    visible: TrainingData,
    /// The pool, by the numbers of these queries.
    pool: Pool,
    /// The vectors of these queries, and their lexical scores.
    queries: Vec<f32>,
    bm25: ScoreMatrix,
}

impl Judged {
    fn new(subject: &Subject<'_>) -> Result<Self> {
        let parts = subject.parts();
        let positives = |data: &TrainingData| {
            let all = (0..data.queries().len()).map(|q| (q as u32, data.positives(q).to_vec()));
            Positives::new(all.collect::<Vec<_>>())
        };
        let pool = simulate_pool(parts.bm25, &positives(parts.data)?, DEPTH, &Silent)?;
        let shown: BTreeMap<u32, &[u32]> = pool.visible.iter().collect();
        let data = |answers: &dyn Fn(u32) -> Vec<u32>| {
            let id = |document: u32| &*parts.data.documents()[document as usize].id;
            let judged: Vec<(&str, u32)> = shown
                .keys()
                .flat_map(|&query| {
                    let name = &*parts.data.queries()[query as usize].id;
                    answers(query).into_iter().map(move |document| (name, document))
                })
                .collect();
            let judgment = |&(query, document): &(_, u32)| Judgment {
                query,
                document: id(document),
                relevant: true,
            };
            let (documents, queries) = (parts.data.documents(), parts.data.queries());
            TrainingData::new(documents.to_vec(), queries.to_vec(), judged.iter().map(judgment))
        };
        let all = data(&|query| parts.data.positives(query as usize).to_vec())?;
        let visible = data(&|query| shown[&query].to_vec())?;
        let (mut queries, mut scores) = (Vec::new(), Vec::new());
        for &query in shown.keys() {
            let first = query as usize * parts.columns;
            queries.extend_from_slice(&parts.queries[first..first + parts.columns]);
            scores.extend_from_slice(parts.bm25.row(query)?);
        }
        let bm25 = ScoreMatrix::new(parts.data.documents().len(), scores)?;
        let pool = simulate_pool(&bm25, &positives(&all)?, DEPTH, &Silent)?;
        Ok(Self { all, visible, pool, queries, bm25 })
    }

    fn parts<'a>(&'a self, parts: &SubjectParts<'a>, data: &'a TrainingData) -> SubjectParts<'a> {
        // What other claims of the same examination need goes by the numbers of all queries.
        let (queries, bm25) = (&*self.queries, &self.bm25);
        SubjectParts { data, queries, bm25, states: None, pieces: None, ..*parts }
    }
}

/// The same queries with all answers and with those that a pool shows.
struct Study<'s> {
    all: &'s Subject<'s>,
    visible: &'s Subject<'s>,
    pool: &'s Pool,
}

impl Study<'_> {
    /// Trains on what is visible and judges by everything.
    fn run(&self, trial: &Trial<'_>) -> Result<Run> {
        let judge = Trial { subject: self.all, ..*trial };
        let Some(recipe) = &trial.arm.recipe else { return judge.run() };
        let sources = self.visible.sources();
        let setup = Setup { subject: self.visible, train: &trial.fold.train, seed: trial.seed };
        let mut mined = setup.mined(recipe, &sources)?;
        if trial.arm.name == ORACLE {
            for &(query, document) in &self.pool.hidden {
                mined.judged[query as usize].negatives.retain(|&one| one != document);
            }
        }
        let mut course = setup.course(recipe, &mined, &sources)?;
        let mut run = trial.trained(&mut course, recipe)?;
        run.values = judge.judged(&mut course)?;
        Ok(run)
    }

    /// The share of hidden answers among the negatives that arms would mine.
    fn mechanisms(&self, subject: &Subject<'_>, arms: &[Arm]) -> Result<Vec<Mechanism>> {
        let queries: Vec<u32> = (0..subject.data().queries().len() as u32).collect();
        let sources = subject.sources();
        let setup = Setup { subject, train: &queries, seed: 1 };
        let share = |name: &str| -> Result<f64> {
            let recipe =
                arms.iter().find(|arm| arm.name == name).and_then(|arm| arm.recipe.as_ref());
            let recipe = recipe.ok_or(crate::Error::Nothing { what: "recipes of this name" })?;
            let mined = setup.mined(recipe, &sources)?;
            let count: usize = mined.judged.iter().map(|judged| judged.negatives.len()).sum();
            let is_mined = |(query, document): &&(u32, u32)| {
                mined.judged[*query as usize].negatives.contains(document)
            };
            Ok(self.pool.hidden.iter().filter(is_mined).count() as f64 / count.max(1) as f64)
        };
        let [naive, lexical, random] = [NAIVE, LEXICAL, RANDOM].map(share);
        let (naive, lexical, random) = (naive?, lexical?, random?);
        let what = "share of hidden answers among negatives";
        Ok(vec![
            greater(subject, what, (NAIVE, naive), (LEXICAL, lexical)),
            greater(subject, what, (LEXICAL, lexical), (RANDOM, random)),
        ])
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::claim::toy::examined;

    #[test]
    fn a_pool_takes_nothing_that_goes_by_all_queries() {
        examined(|subject| {
            assert!(subject.parts().states.is_some() && subject.parts().pieces.is_some());
            let judged = Judged::new(subject).unwrap();
            let parts = judged.parts(subject.parts(), &judged.visible);
            assert!(parts.states.is_none() && parts.pieces.is_none());
        });
    }
}
