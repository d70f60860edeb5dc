//! TAS-Balanced (Hofstätter et al. 2021): batches of one topic, with pairs of all difficulties, teach more, given teachers for pairs and batch.
//!
//! The student is a square map over cached vectors. The teacher of pairs is the mean of lexical, dense and late-interaction scores; that of
//! the batch is late interaction alone. Without a teacher of the batch its neighbours are false negatives: those arms say
//! what that costs.

use crate::claim::{Claim, Examination, Findings, Inputs, Outcomes, Plan, greater};
use crate::error::{Error, Result};
use crate::recipe::Recipe;
use crate::sampler::{BINS, MarginBins, MarginPair};
use crate::study::{Arm, Mechanism, Setup, Subject};
use crate::teacher::margins;

pub(super) const CLAIM: Claim = Claim {
    name: "tas-b",
    paper: "Hofstätter et al. 2021, Efficiently Teaching an Effective Dense Retriever with Balanced Topic Aware Sampling",
    says: "batches from clusters of queries with balanced margins beat random batches, under the same teachers of pairs and of the batch",
    metric: "nDCG@10",
    tier: "T0",
    inputs: Inputs::States,
    rates: &[2e-4, 1e-3, 5e-3],
    examine,
};

const PAIR: &str = "loss=margin-mse";
const RANDOM: &str = "batches.sampler=shuffled";
const UNIFORM: &str = "batches.pairs=uniform";

fn examine(examination: &Examination<'_>) -> Result<Findings> {
    let recipe = Recipe::named("tas-b")?.with([
        "tier=vectors",
        "matching=dot(pooled > linear)",
        "teachers=[\"min-max(bm25 + dense + maxsim)\", \"min-max(maxsim)\"]",
        "batches.sampler=clusters(count=12)",
        "schedule.epochs=12",
    ])?;
    let arm = |name: &str, changes: &[&str]| Arm::of(name, &recipe, changes);
    let mechanisms =
        |subject: &Subject<'_>, outcomes: &Outcomes| mechanisms(&recipe, subject, outcomes);
    let plan = Plan {
        arms: vec![
            Arm::untrained(),
            arm("random, both teachers", &[RANDOM, UNIFORM])?,
            arm("TAS, both teachers", &[UNIFORM])?,
            arm("TAS-balanced, both teachers", &[])?,
            arm("random, pair teacher", &[RANDOM, UNIFORM, PAIR])?,
            arm("TAS, pair teacher", &[UNIFORM, PAIR])?,
            arm("random, no teacher", &[RANDOM, UNIFORM, "loss=infonce(temperature=0.05)"])?,
            arm("TAS, no teacher", &[UNIFORM, "loss=infonce(temperature=0.05)"])?,
        ],
        deciding: ("TAS-balanced, both teachers", "random, both teachers"),
        others: &[
            ("TAS, both teachers", "random, both teachers"),
            ("random, both teachers", "random, pair teacher"),
            ("TAS, pair teacher", "random, pair teacher"),
            ("TAS, no teacher", "random, no teacher"),
        ],
        mechanisms: &mechanisms,
    };
    plan.run(examination)
}

fn mechanisms(
    recipe: &Recipe,
    subject: &Subject<'_>,
    outcomes: &Outcomes,
) -> Result<Vec<Mechanism>> {
    let (tas, random) = ("TAS, both teachers", "random, both teachers");
    let mut seen = Vec::new();
    let rises = |note: &str| {
        let of = |arm: &str| outcomes[arm].notes.get(note).copied().unwrap_or(f64::NAN);
        greater(subject, note, (tas, of(tas)), (random, of(random)))
    };
    seen.push(rises("teacher's score of in-batch negatives"));
    seen.push(rises("gradient norm").observed());
    let (uniform, balanced) = evenness(recipe, subject)?;
    let what = "evenness of the margins of sampled pairs";
    seen.push(greater(subject, what, ("balanced", balanced), ("uniform", uniform)));
    Ok(seen)
}

/// The mean entropy of a query's margins over ten bins of equal width, as a share of the most there can be: of all its pairs, and
/// of pairs drawn from bins.
fn evenness(recipe: &Recipe, subject: &Subject<'_>) -> Result<(f64, f64)> {
    const DRAWS: u64 = 200;
    let queries: Vec<u32> = (0..subject.data().queries().len() as u32).collect();
    let sources = subject.sources();
    let mined = Setup { subject, train: &queries, seed: 1 }.mined(recipe, &sources)?;
    let teacher = recipe.teachers()?.first().ok_or(Error::Nothing { what: "teachers" })?.clone();
    let teacher = teacher.build(&|name| sources.teacher(name))?;
    let (mut uniform, mut balanced, mut count) = (0.0, 0.0, 0.0);
    for &query in &queries {
        let judged = &mined.judged[query as usize];
        let positive = judged.positives[0];
        let found = margins(&teacher, query, positive, &judged.negatives)?;
        let pairs: Vec<MarginPair> = judged
            .negatives
            .iter()
            .zip(&found)
            .map(|(&negative, &margin)| MarginPair { positive, negative, margin })
            .collect();
        if pairs.len() < 2 {
            continue;
        }
        let bins = MarginBins::new([(query, pairs)], 1)?;
        let drawn = (0..DRAWS).map(|step| Ok(bins.pair(query, step)?.margin));
        uniform += entropy(&found, &found);
        balanced += entropy(&drawn.collect::<Result<Vec<f32>>>()?, &found);
        count += 1.0;
    }
    Ok((uniform / count, balanced / count))
}

/// The entropy of values over ten bins of the range of others, as a share of that of equal bins.
fn entropy(values: &[f32], range: &[f32]) -> f64 {
    let least = range.iter().copied().fold(f32::INFINITY, f32::min);
    let most = range.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    let mut counts = [0.0f64; BINS];
    for &value in values {
        let place = (value - least) / (most - least).max(f32::MIN_POSITIVE) * BINS as f32;
        counts[(place as usize).min(BINS - 1)] += 1.0;
    }
    let total: f64 = counts.iter().sum();
    let parts = counts.iter().filter(|count| **count > 0.0).map(|count| count / total);
    -parts.map(|part| part * part.ln()).sum::<f64>() / (BINS as f64).ln()
}
