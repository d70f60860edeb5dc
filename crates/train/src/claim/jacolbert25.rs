//! JaColBERTv2.5 (Clavié 2024): late interaction learns more from a teacher's normalised scores over a query's own candidates than from hard
//! labels with in-batch negatives.
//!
//! The student is a linear map of cached token states to 96 values. Beside the metric it is seen that the mean which a schedule-free
//! optimiser saves moves less from step to step than the parameters at which gradients are taken.

use crate::claim::{Claim, Examination, Findings, Inputs, Outcomes, Plan};
use crate::error::Result;
use crate::optimiser::Tensors;
use crate::recipe::Recipe;
use crate::study::{Arm, Mechanism, Setup, Subject};

pub(super) const CLAIM: Claim = Claim {
    name: "jacolbert25",
    paper: "Clavié 2024, JaColBERTv2.5: Optimising Multi-Vector Retrievers to Create State-of-the-Art Japanese Retrievers with Constrained Resources",
    says: "distilling normalised scores over own candidates, without in-batch negatives, beats hard labels with them",
    metric: "nDCG@10",
    tier: "T1",
    inputs: Inputs::States,
    rates: &[3e-4, 2e-3],
    examine,
};

const DISTILLED: &str = "KL, both sides normalised";
const LABELS: &str = "hard labels, in-batch";

fn recipe() -> Result<Recipe> {
    Recipe::named("jacolbert25")?.with([
        "matching=maxsim(linear(96) > unit)",
        "teachers=[\"min-max(bm25 + dense + maxsim)\"]",
        "batches.negatives=7",
        "schedule.epochs=3",
    ])
}

fn examine(examination: &Examination<'_>) -> Result<Findings> {
    let recipe = recipe()?;
    let arm = |name: &str, changes: &[&str]| Arm::of(name, &recipe, changes);
    let plan = Plan {
        arms: vec![
            Arm::ranked_by("token states as they are", "maxsim"),
            arm(DISTILLED, &[])?,
            arm("KL, raw scores", &["loss=kl"])?,
            arm("KL, both sides normalised, in-batch", &["batches.shared=true"])?,
            arm(LABELS, &["loss=infonce", "batches.shared=true"])?,
            arm("KL, both sides normalised, AdamW", &["optimiser.algorithm=adamw"])?,
        ],
        deciding: (DISTILLED, LABELS),
        others: &[
            (DISTILLED, "KL, raw scores"),
            (DISTILLED, "KL, both sides normalised, in-batch"),
            (DISTILLED, "KL, both sides normalised, AdamW"),
        ],
        mechanisms: &|subject: &Subject<'_>, _: &Outcomes| Ok(vec![steadiness(&recipe, subject)?]),
    };
    plan.run(examination)
}

/// Compares how far the saved mean and the parameters of training move in each of the last steps of a short run.
fn steadiness(recipe: &Recipe, subject: &Subject<'_>) -> Result<Mechanism> {
    const STEPS: u64 = 20;
    const OBSERVED: u64 = 10;
    let train: Vec<u32> = (0..subject.data().queries().len() as u32).collect();
    let rate = CLAIM.rates[0];
    let setup = Setup { subject, train: &train, seed: 1 };
    let sources = subject.sources();
    let mined = setup.mined(recipe, &sources)?;
    let mut course = setup.course(recipe, &mined, &sources)?;
    let (mut of_mean, mut of_training) = (0.0, 0.0);
    let mut before: Option<(Tensors, Tensors)> = None;
    for step in 0..STEPS {
        course.step(step, rate)?;
        let now = (course.evaluated(|course| Ok(course.values()))?, course.values());
        if let Some((mean, training)) = &before
            && step >= STEPS - OBSERVED
        {
            of_mean += distance(mean, &now.0);
            of_training += distance(training, &now.1);
        }
        before = Some(now);
    }
    Ok(Mechanism {
        collection: subject.name().to_owned(),
        says: "the mean that is saved moves less in a step than the parameters of training".into(),
        seen: format!(
            "{:.5} against {:.5}",
            of_mean / OBSERVED as f64,
            of_training / OBSERVED as f64
        ),
        asserted: true,
        holds: of_mean < of_training,
    })
}

fn distance(before: &Tensors, after: &Tensors) -> f64 {
    let pairs = before.iter().zip(after).flat_map(|((_, a), (_, b))| a.iter().zip(b));
    pairs.map(|(a, b)| f64::from(a - b).powi(2)).sum::<f64>().sqrt()
}
