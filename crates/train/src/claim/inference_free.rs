//! Inference-free sparse retrieval (Geng, Ru, Yang 2024): documents get learned weights of terms, queries are looked up in a table. With the
//! IDF of terms in the matching function such a model ranks better than with flat weights, at equal FLOPS, and learns more from a
//! dense and a lexical teacher together than from either.
//!
//! The head is a square map of cached token states and a table of the collection's own word pieces, of which the map and the terms'
//! biases learn; it reads the mean state of each whole word instead of every token, which halves its cost. `MiniLM` has no head over words
//! to begin from: [`TermRegression`] makes one from the documents, once for all arms, and two arms rank by it before any step. Every way to
//! train is run with several weights of the penalty, and compared where its documents are as sparse.

mod search;
#[cfg(test)]
mod tests;

use ecphory_core::Silent;

use crate::body::{Held, Revised, States};
use crate::claim::{Claim, Examination, Findings, Inputs, Outcomes, add_arms};
use crate::error::{Error, Result};
use crate::matching::MatchingSpec;
use crate::recipe::Recipe;
use crate::study::{Arm, Curve, Mechanism, Run, Setup, Subject, Trial, common_cost, contrast};
use crate::term_regression::{BEGINNING, FirstValues};
use search::{EXPANSIONS, FLOPS, TERMS, search};

pub(super) const CLAIM: Claim = Claim {
    name: "inference-free",
    paper: "Geng, Ru, Yang 2024, Towards Competitive Search Relevance For Inference-Free Learned Sparse Retrievers",
    says: "at equal FLOPS, queries that are looked up as IDF rank better than queries of flat weights",
    metric: "nDCG@10",
    tier: "T1",
    inputs: Inputs::Terms,
    rates: &[1e-3, 4e-3],
    examine,
};

const IDF: &str = "IDF, both teachers";
const FLAT: &str = "flat, both teachers";
const DENSE: &str = "IDF, dense teacher";
const LEXICAL: &str = "IDF, lexical teacher";

/// The weights of the penalty that every way to train is run with, in ascending order.
const PENALTIES: [&str; 3] = ["0.002", "0.02", "0.2"];
/// Over how many steps a penalty comes up: half of them.
const RAMP: u64 = 12;

/// What stands on both sides of a contrast.
const CONTRASTS: [(&str, &str); 3] = [(IDF, FLAT), (IDF, DENSE), (IDF, LEXICAL)];

/// The arms that rank by the beginning, with how queries weigh terms.
const UNTRAINED: [(&str, &str); 2] = [("IDF, not trained", "table"), ("flat, not trained", "ones")];

fn recipe() -> Result<Recipe> {
    Recipe::named("inference-free")?.with([
        "matching=dot(table | words > linear > lexical)",
        "schedule.epochs=2",
        "schedule.patience=0",
        "schedule.dev=0",
    ])
}

/// The ways to train, with what they change in the recipe.
fn ways() -> [(&'static str, &'static str); 4] {
    [
        (IDF, "loss=kl"),
        (FLAT, "matching=dot(ones | words > linear > lexical)"),
        (DENSE, "teachers=[\"30*min-max(dense)\"]"),
        (LEXICAL, "teachers=[\"30*min-max(bm25)\"]"),
    ]
}

fn name(way: &str, penalty: &str) -> String {
    format!("{way}, penalty {penalty}")
}

fn examine(examination: &Examination<'_>) -> Result<Findings> {
    let recipe = recipe()?;
    let mut arms = vec![Arm::ranked_by("BM25", "bm25"), Arm::untrained()];
    arms.extend(UNTRAINED.map(|(name, _)| Arm { name: name.to_owned(), ..Arm::untrained() }));
    for (way, change) in ways() {
        for penalty in PENALTIES {
            let penalised = format!("penalty={penalty}*flops(ramp={RAMP})");
            arms.push(Arm::of(&name(way, penalty), &recipe, &[change, &penalised])?);
        }
    }
    let names: Vec<&str> = arms.iter().map(|arm| arm.name.as_str()).collect();
    let mut findings = Findings::default();
    for subject in examination.subjects {
        let beginning = Beginning::of(&recipe, subject)?;
        let outcomes = examination.run(subject, &arms, &|trial| beginning.run(trial))?;
        add_arms(subject, &names, &outcomes, &mut findings.arms)?;
        compare(subject, &outcomes, &mut findings)?;
        findings.mechanisms.extend(of_outcomes(subject, &outcomes));
        findings.mechanisms.extend(search::mechanisms(&recipe, subject)?);
    }
    Ok(findings)
}

/// What all arms begin with.
struct Beginning<'s> {
    states: &'s dyn States,
    first: FirstValues,
}

impl<'s> Beginning<'s> {
    fn of(recipe: &Recipe, subject: &Subject<'s>) -> Result<Self> {
        let states = subject.parts().states.ok_or(Error::Nothing { what: "states of tokens" })?;
        let matching: MatchingSpec = recipe.matching.parse()?;
        let documents = subject.data().documents().len() as u32;
        let heads = (&matching.branches[0].document, "0.document");
        Ok(Self { states, first: BEGINNING.run(states, documents, heads, &Silent)? })
    }

    fn run(&self, trial: &Trial<'_>) -> Result<Run> {
        if let Some((_, queries)) = UNTRAINED.iter().find(|(name, _)| *name == trial.arm.name) {
            let matching = format!("matching=dot({queries} | words > linear > lexical)");
            return self.searched(trial, &recipe()?.with([&*matching])?, false);
        }
        match &trial.arm.recipe {
            Some(recipe) => self.searched(trial, recipe, true),
            None => trial.run(),
        }
    }

    /// Searches after training, or with the heads as they begin.
    fn searched(&self, trial: &Trial<'_>, recipe: &Recipe, is_trained: bool) -> Result<Run> {
        let (subject, seed) = (trial.subject, trial.seed);
        let sources = subject.sources();
        let states = Revised { states: self.states, vocabulary: &self.first.vocabulary };
        let body = Box::new(Held::new(&states, subject.parts().init));
        let setup = Setup { subject, train: &trial.fold.train, seed };
        let mined = setup.mined(recipe, &sources)?;
        let mut course = setup.course_of(recipe, (&mined, &sources), body, None)?;
        course.set(&self.first.learned)?;
        let mut run = if is_trained { trial.trained(&mut course, recipe)? } else { Run::default() };
        let dual = course.ranker.dual().ok_or(Error::Nothing { what: "weights of terms" })?;
        let documents = subject.data().documents().len() as u32;
        let found = search(&dual.matching, &states, (&trial.fold.test, documents))?;
        run.values = trial.judge(&found.scores)?;
        run.notes.extend(found.notes());
        Ok(run)
    }
}

fn note(outcomes: &Outcomes, arm: &str, note: &str) -> f64 {
    outcomes.get(arm).and_then(|outcome| outcome.notes.get(note)).copied().unwrap_or(f64::NAN)
}

/// Compares ways to train where they cost the same.
fn compare(subject: &Subject<'_>, outcomes: &Outcomes, findings: &mut Findings) -> Result<()> {
    let curve = |way: &str| {
        let arms = PENALTIES.map(|penalty| name(way, penalty));
        let points = arms.iter().map(|arm| (note(outcomes, arm, FLOPS), &outcomes[arm]));
        Curve::new(points.collect()).ok_or(Error::Nothing { what: "points of a curve" })
    };
    for (better, worse) in CONTRASTS {
        let (of_better, of_worse) = (curve(better)?, curve(worse)?);
        let (cost, is_common) = common_cost(&of_better, &of_worse);
        let (of_better, of_worse) = (of_better.at(cost), of_worse.at(cost));
        let found = contrast(
            subject,
            (&format!("{better}, at {cost:.2} FLOPS"), &of_better),
            (&format!("{worse}, at {cost:.2} FLOPS"), &of_worse),
        )?;
        if (better, worse) == CONTRASTS[0] {
            findings.contrasts.push(found);
            findings.mechanisms.push(Mechanism {
                collection: subject.name().to_owned(),
                says: "documents of both get as sparse as those of the other".to_owned(),
                seen: format!("compared at {cost:.2} terms a query and document have in common"),
                asserted: true,
                holds: is_common,
            });
        } else {
            findings.others.push(found);
        }
    }
    Ok(())
}

/// What the runs with different penalties should show.
fn of_outcomes(subject: &Subject<'_>, outcomes: &Outcomes) -> [Mechanism; 2] {
    let flops = PENALTIES.map(|penalty| note(outcomes, &name(IDF, penalty), FLOPS));
    let written = flops.map(|flops| format!("{flops:.3}")).join(", ");
    let lightest = name(IDF, PENALTIES[0]);
    let [terms, expansions] = [TERMS, EXPANSIONS].map(|what| note(outcomes, &lightest, what));
    let collection = subject.name().to_owned();
    [
        Mechanism {
            collection: collection.clone(),
            says: "FLOPS fall as the penalty rises".to_owned(),
            seen: format!("{written} with {}", PENALTIES.join(", ")),
            asserted: true,
            holds: flops.is_sorted_by(|a, b| a > b),
        },
        Mechanism {
            collection,
            says: "documents weigh terms that are not in their text".to_owned(),
            seen: format!("{expansions:.1} of {terms:.1} a document, with {}", PENALTIES[0]),
            asserted: true,
            holds: expansions > 0.0,
        },
    ]
}
