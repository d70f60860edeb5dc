//! Contriever (Izacard et al. 2022): retrieval without labels, from two random crops of a document that find each other.
//!
//! What learns is a bag of word pieces, from the rows of the model's table on. The paper's ablation decides: independent crops against
//! the inverse cloze task, in the same queue with the same steps, both without deletion. No label is learned from; on each fold
//! the rate is chosen by the other folds' queries, as everywhere. Beside it a few labels are learned from, with a table that was
//! pretrained and with one that was not.

mod run;

use run::{Pretrained, few_shot};

use crate::claim::{Claim, Examination, Findings, Inputs, Outcomes, Plan, greater};
use crate::error::{Error, Result};
use crate::pretraining::Pretraining;
use crate::recipe::Recipe;
use crate::study::{Arm, Mechanism, Subject, Trial};

pub(super) const CLAIM: Claim = Claim {
    name: "contriever",
    paper: "Izacard et al. 2022, Unsupervised Dense Information Retrieval with Contrastive Learning",
    says: "learning without labels from two independent crops of a document beats learning from a sentence and the rest of it",
    metric: "R@100",
    tier: "S",
    inputs: Inputs::Pieces,
    rates: &[1e-3, 5e-3],
    examine,
};

const BM25: &str = "BM25";
const UNTRAINED: &str = "untrained";
const CROP: &str = "crop";
const DELETED: &str = "crop, deletion";
const IN_BATCH: &str = "crop, deletion, in-batch";
const ICT: &str = "ICT";
const FEW: &str = "50 labels";
const PRETRAINED_FEW: &str = "crop, deletion, then 50 labels";

/// Arms that learn without labels: how views are made, and from what they are told.
const VIEWS: [(&str, &str, &str); 4] = [
    (CROP, "crop(least=0.1, most=0.5)", QUEUE),
    (DELETED, "crop(least=0.1, most=0.5) > delete(share=0.1)", QUEUE),
    (IN_BATCH, "crop(least=0.1, most=0.5) > delete(share=0.1)", "in-batch"),
    (ICT, "ict(keep=0.1)", QUEUE),
];
/// The paper's decay has a half-life of 1,400 steps, as long as all of this.
const QUEUE: &str = "queue(decay=0.99)";
const STEPS: u64 = 1500;

/// How tables learn, from views as from labels.
fn recipe() -> Result<Recipe> {
    Recipe::named("dense")?.with([
        "matching=dot(mean)",
        "batches.queries=64",
        "negatives.from=bm25",
        "negatives.ratio=0",
        "schedule.epochs=10",
    ])
}

fn examine(examination: &Examination<'_>) -> Result<Findings> {
    let recipe = recipe()?;
    let with_labels = recipe.with(["batches.queries=16"])?;
    let arm = |name: &str, recipe: &Recipe| Arm::of(name, recipe, &[]);
    let mut arms = vec![Arm::ranked_by(UNTRAINED, "dense"), Arm::ranked_by(BM25, "bm25")];
    for (name, ..) in VIEWS {
        arms.push(arm(name, &recipe)?);
    }
    arms.extend([arm(FEW, &with_labels)?, arm(PRETRAINED_FEW, &with_labels)?]);
    let plan = Plan {
        arms,
        deciding: (CROP, ICT),
        others: &[
            (CROP, UNTRAINED),
            (ICT, UNTRAINED),
            (DELETED, CROP),
            (DELETED, IN_BATCH),
            (DELETED, BM25),
            (PRETRAINED_FEW, FEW),
        ],
        mechanisms: &mechanisms,
    };
    let mut findings = Findings::default();
    for subject in examination.subjects {
        let trained = pretrained(examination, subject, &recipe)?;
        plan.run_on(examination, subject, &|trial| of_arm(trial, &trained), &mut findings)?;
    }
    Ok(findings)
}

/// Trains all arms without labels, each with every rate and seed.
fn pretrained(
    examination: &Examination<'_>,
    subject: &Subject<'_>,
    recipe: &Recipe,
) -> Result<Pretrained> {
    let mut plans = Vec::new();
    for (name, view, keys) in VIEWS {
        let (view, keys) = (view.parse()?, keys.parse()?);
        plans.push((name, Pretraining { view, keys, steps: STEPS }));
    }
    Pretrained::new(examination, subject, recipe, &plans, DELETED)
}

/// Looks up what an arm without labels found, and trains one with labels.
fn of_arm(trial: &Trial<'_>, trained: &Pretrained) -> Result<crate::study::Run> {
    match &*trial.arm.name {
        BM25 => trial.run(),
        FEW => few_shot(trial, None),
        PRETRAINED_FEW => few_shot(trial, Some(trained.table(DELETED, trial)?)),
        UNTRAINED => Ok(trained.untrained(trial)),
        name => trained.run(name, trial),
    }
}

fn mechanisms(subject: &Subject<'_>, outcomes: &Outcomes) -> Result<Vec<Mechanism>> {
    let note = |arm: &str, note: &'static str| {
        outcomes[arm].notes.get(note).copied().ok_or(Error::Nothing { what: "notes of an arm" })
    };
    let apart = "share of unseen pairs of crops that are told from those of other documents";
    let before = note(CROP, run::APART_BEFORE)?;
    let told = greater(
        subject,
        apart,
        ("after training", note(CROP, run::APART_AFTER)?),
        ("before", before),
    );
    let [crops, sentences] = [CROP, ICT].map(|arm| note(arm, run::SHARED));
    let what = "share of a view's distinct pieces that the other view has";
    let shared = greater(subject, what, ("crops", crops?), ("a sentence and the rest", sentences?))
        .observed();
    let (own, counted) = (note(CROP, run::OWN)?, note(CROP, run::OWN_COUNTED)?);
    let queue = Mechanism {
        collection: subject.name().to_owned(),
        says: "keys in the queue that are of a row's own document are never negatives".to_owned(),
        seen: format!("{counted:.0} of {own:.0} a run"),
        asserted: true,
        holds: counted == 0.0,
    };
    Ok(vec![told, shared, queue])
}
