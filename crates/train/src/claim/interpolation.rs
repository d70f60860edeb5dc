//! Interpolation and extrapolation (Zhan et al. 2022): single vectors lose more than interaction where test queries resemble none of
//! those that were trained on.
//!
//! Each fold keeps its test queries and trains twice (`ReSTrain`): on the training queries nearest to them, and on as many others with
//! as many answers each. A contestant's *gap* is how much better it does after the first. Both contestants begin as the
//! model is, with a square map to learn and the same batches, so that before the first step every gap is exactly 0.
//!
//! Two queries resemble each other as far as a lexical search scores the same documents for both. No contestant takes part in
//! that: a split by the vectors, or by the states that they are made of, would favour one of them. How well the sets are told apart is then
//! seen by the vectors.

mod likeness;
#[cfg(test)]
mod tests;

use rayon::prelude::*;

use crate::claim::{Claim, Examination, Findings, Inputs, Outcomes, add_arms, greater};
use crate::error::{Error, Result};
use crate::recipe::Recipe;
use crate::study::{Arm, Fold, Mechanism, Outcome, Setup, Subject, Trial, contrast};
use likeness::{Likeness, Pair, Regime};

pub(super) const CLAIM: Claim = Claim {
    name: "interpolation",
    paper: "Zhan et al. 2022, Evaluating Interpolation and Extrapolation Performance of Neural Retrieval Models",
    says: "where test queries resemble none of those that were trained on, a vector loses more than late interaction",
    metric: "nDCG@10",
    tier: "T1",
    inputs: Inputs::States,
    rates: &[2e-4, 1e-3, 5e-3],
    examine,
};

/// A model that is trained in both regimes.
struct Contestant {
    name: &'static str,
    recipe: Recipe,
    arms: [(Regime, Arm); 2],
}

impl Contestant {
    fn new(name: &'static str, settings: [&str; 3]) -> Result<Self> {
        let recipe = Recipe::named("dense")?.with(settings)?.with(["schedule.epochs=20"])?;
        let arm = |regime: &str| Arm::of(&format!("{name}, {regime}"), &recipe, &[]);
        let arms = [
            (Regime::Interpolation, arm("interpolation")?),
            (Regime::Extrapolation, arm("extrapolation")?),
        ];
        Ok(Self { name, recipe, arms })
    }

    fn names(&self) -> [&str; 2] {
        self.arms.each_ref().map(|(_, arm)| arm.name.as_str())
    }

    /// By how much each query does better after training on queries that resemble it.
    fn gap(&self, outcomes: &Outcomes) -> Outcome {
        let [near, far] = self.names().map(|name| &outcomes[name].values);
        let pairs = near.iter().zip(far.values());
        let values = pairs.map(|((&query, near), far)| (query, near - far)).collect();
        Outcome { values, ..Outcome::default() }
    }
}

fn contestants() -> Result<[Contestant; 2]> {
    // A sum over the words of a query spreads about as widely as a cosine over 0.05.
    let vector =
        ["tier=vectors", "matching=cosine(pooled > linear)", "loss=infonce(temperature=0.05)"];
    let late = ["tier=states", "matching=maxsim(linear > unit)", "loss=infonce"];
    Ok([Contestant::new("vector", vector)?, Contestant::new("late interaction", late)?])
}

fn examine(examination: &Examination<'_>) -> Result<Findings> {
    let contestants = contestants()?;
    let untrained = [
        Arm::untrained(),
        Arm::ranked_by("late interaction, untrained", "maxsim"),
        Arm::ranked_by("BM25", "bm25"),
    ];
    let mut findings = Findings::default();
    for subject in examination.subjects {
        let likeness = Likeness::of(subject)?;
        let mut outcomes = examination.run(subject, &untrained, &|trial| trial.run())?;
        for (regime, arm) in contestants.iter().flat_map(|one| &one.arms) {
            let runner = |trial: &Trial<'_>| {
                let pair = likeness.pair(trial.fold, trial.seed)?;
                Trial { fold: pair.of(*regime), ..*trial }.run()
            };
            outcomes.extend(examination.run(subject, [arm], &runner)?);
        }
        let names = untrained.iter().map(|arm| arm.name.as_str());
        let names: Vec<&str> =
            names.chain(contestants.iter().flat_map(Contestant::names)).collect();
        add_arms(subject, &names, &outcomes, &mut findings.arms)?;
        compare(subject, &contestants, &outcomes, &mut findings)?;
        findings.mechanisms.extend(mechanisms(examination, &likeness, &contestants)?);
    }
    Ok(findings)
}

/// Compares the gaps, which decides, and the regimes and the contestants.
fn compare(
    subject: &Subject<'_>,
    contestants: &[Contestant; 2],
    outcomes: &Outcomes,
    findings: &mut Findings,
) -> Result<()> {
    let [vector, late] = contestants;
    let gap = |one: &Contestant| (format!("gap of {}", one.name), one.gap(outcomes));
    let (of_vector, of_late) = (gap(vector), gap(late));
    let gaps = ((&*of_vector.0, &of_vector.1), (&*of_late.0, &of_late.1));
    findings.contrasts.push(contrast(subject, gaps.0, gaps.1)?);
    let ([near, far], [late_near, late_far]) = (vector.names(), late.names());
    for (better, worse) in [(near, far), (late_near, late_far), (near, late_near), (far, late_far)]
    {
        let (better, worse) = ((better, &outcomes[better]), (worse, &outcomes[worse]));
        findings.others.push(contrast(subject, better, worse)?);
    }
    Ok(())
}

/// What holds whatever training does: equal sets, told apart by likeness, and no gap before the first step.
fn mechanisms(
    examination: &Examination<'_>,
    likeness: &Likeness<'_>,
    contestants: &[Contestant; 2],
) -> Result<Vec<Mechanism>> {
    let subject = likeness.subject();
    let folds = examination.budget.folds(subject.data().queries().len());
    let seed = *examination.budget.seeds.first().ok_or(Error::Nothing { what: "seeds" })?;
    let pairs =
        folds.iter().map(|fold| likeness.pair(fold, seed)).collect::<Result<Vec<Pair>>>()?;
    let [near, far] = [Regime::Interpolation, Regime::Extrapolation].map(|regime| {
        let nearness = pairs.iter().map(|pair| nearness(subject, pair.of(regime)));
        nearness.sum::<f64>() / pairs.len() as f64
    });
    let says = "cosine of a test query and the nearest that was trained on";
    Ok(vec![
        equal_sets(subject, &pairs),
        greater(subject, says, ("interpolation", near), ("extrapolation", far)),
        no_gap_before_training(examination, subject, &pairs[0], contestants)?,
    ])
}

fn equal_sets(subject: &Subject<'_>, pairs: &[Pair]) -> Mechanism {
    let answers = |fold: &Fold| {
        let of = |&query: &u32| subject.data().positives(query as usize).len();
        let mut counts: Vec<usize> = fold.train.iter().map(of).collect();
        counts.sort_unstable();
        counts
    };
    let per_fold = |count: &dyn Fn(&Pair) -> usize| {
        pairs.iter().map(count).sum::<usize>() as f64 / pairs.len() as f64
    };
    Mechanism {
        collection: subject.name().to_owned(),
        says: "both sets have as many queries, with as many answers each".into(),
        seen: format!(
            "a fold has {:.1} and {:.1}, with {:.1} and {:.1} answers; {:.1} neighbours are without counterpart",
            per_fold(&|pair| pair.interpolation.train.len()),
            per_fold(&|pair| pair.extrapolation.train.len()),
            per_fold(&|pair| answers(&pair.interpolation).iter().sum()),
            per_fold(&|pair| answers(&pair.extrapolation).iter().sum()),
            per_fold(&|pair| pair.unmatched),
        ),
        asserted: true,
        holds: pairs
            .iter()
            .all(|pair| answers(&pair.interpolation) == answers(&pair.extrapolation)),
    }
}

/// The mean over the test queries of the highest cosine with a training query, by the vectors.
fn nearness(subject: &Subject<'_>, fold: &Fold) -> f64 {
    let queries = subject.vectors().0;
    let product = |a: u32, b: u32| -> f64 {
        let rows = queries.row(a as usize).iter().zip(queries.row(b as usize));
        rows.map(|(x, y)| f64::from(x * y)).sum()
    };
    let cosine = |a: u32, b: u32| product(a, b) / (product(a, a) * product(b, b)).sqrt();
    let nearest = |&test: &u32| {
        fold.train.iter().map(|&train| cosine(test, train)).fold(f64::NEG_INFINITY, f64::max)
    };
    fold.test.iter().map(nearest).sum::<f64>() / fold.test.len() as f64
}

/// Judges both contestants in both regimes before their first step, on the first fold.
fn no_gap_before_training(
    examination: &Examination<'_>,
    subject: &Subject<'_>,
    pair: &Pair,
    contestants: &[Contestant; 2],
) -> Result<Mechanism> {
    let sources = subject.sources();
    let runs: Vec<(&Contestant, Regime)> = contestants
        .iter()
        .flat_map(|one| one.arms.iter().map(move |(regime, _)| (one, *regime)))
        .collect();
    let judge = |&(one, regime): &(&Contestant, Regime)| {
        let fold = pair.of(regime);
        let setup = Setup { subject, train: &fold.train, seed: 0 };
        let mined = setup.mined(&one.recipe, &sources)?;
        let mut course = setup.course(&one.recipe, &mined, &sources)?;
        let (arm, metric) = (&one.arms[0].1, examination.metric);
        Trial { subject, arm, metric, fold, rate: 0.0, seed: 0 }.judged(&mut course)
    };
    let values = runs.par_iter().map(judge).collect::<Result<Vec<_>>>()?;
    let gaps = values.chunks_exact(2).map(|regimes| {
        let pairs = regimes[0].iter().zip(&regimes[1]);
        pairs.map(|(near, far)| (near.1 - far.1).abs()).fold(0.0, f64::max)
    });
    let gaps: Vec<f64> = gaps.collect();
    Ok(Mechanism {
        collection: subject.name().to_owned(),
        says: "before the first step no query has a gap".into(),
        seen: format!(
            "at most {} of {} and {} of {}",
            gaps[0], contestants[0].name, gaps[1], contestants[1].name
        ),
        asserted: true,
        holds: gaps.iter().all(|&gap| gap == 0.0),
    })
}
