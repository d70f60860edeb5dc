//! AR2 (Zhang et al. 2022): a retriever learns more from a ranker that learns from the retriever's own mistakes than from hard negatives alone.
//!
//! The retriever is a square map over cached vectors; the ranker a small network over features of pairs, where the paper has a
//! cross-encoder. Both are warmed up, then take turns. The retriever's loss is the sum of two parts: what the ranker confuses with the gold
//! candidate is raised, and the ranker's distribution is approached. Both are means over the queries of a batch: the paper's code adds the first up
//! over the batch, so that their balance depends on its size.
//!
//! All arms have the same warm-up, and as many steps of the retriever over as many candidates of its own.

mod game;
#[cfg(test)]
mod tests;

use ecphory_core::Silent;

use crate::claim::{Claim, Examination, Findings, Inputs, Outcomes, Plan, greater};
use crate::error::Result;
use crate::opponent::{Features, OpponentSettings};
use crate::recipe::Recipe;
use crate::study::{Arm, Mechanism, Subject, Trial};
use game::{Game, MARGINS, Rules};

pub(super) const CLAIM: Claim = Claim {
    name: "ar2",
    paper: "Zhang et al. 2022, Adversarial Retriever-Ranker for Dense Text Retrieval",
    says: "a retriever that learns from a ranker, which learns from what the retriever finds, beats one that learns from its hard negatives, mined again as often",
    metric: "R@5",
    tier: "T0",
    inputs: Inputs::States,
    rates: &[2e-4, 1e-3, 5e-3],
    examine,
};

const STATIC: &str = "hard negatives, static";
const REFRESHED: &str = "hard negatives, refreshed";
const AR2: &str = "AR2";
const DISTILLED: &str = "distillation alone";
const ADVERSARIAL: &str = "adversarial alone";
const UNREFRESHED: &str = "AR2, static candidates";

const TAUGHT: &str = "teachers=[\"ranker\"]";

/// The rankers whose scores the ranker sees.
const SEEN: [&str; 3] = ["dense", "bm25", "maxsim"];
/// The same for all arms.
const NETWORK: OpponentSettings = OpponentSettings { hidden: 32, rate: 1e-3, decay: 0.01 };

/// What the ranker sees of the pairs of a subject.
fn features<'a>(subject: &'a Subject<'_>) -> Result<Features<'a>> {
    let data = subject.data();
    let documents: Vec<u32> = (0..data.documents().len() as u32).collect();
    let sources = subject.sources();
    let seen = SEEN.map(|name| sources.teacher(name)).into_iter().collect::<Result<Vec<_>>>()?;
    Features::new(data, *subject.vectors(), &seen, &documents, &Silent)
}

fn rules() -> Result<Rules> {
    let warm_up = Recipe::named("dense")?.with([
        "tier=vectors",
        "matching=cosine(pooled > linear)",
        "batches.shared=false",
        "batches.negatives=15",
        "negatives.keep=50",
        "negatives.ratio=0",
    ])?;
    Ok(Rules {
        warm_up,
        warm_up_steps: 48,
        ranker_steps: 120,
        phases: "alternate(ranker=12, retriever=36)".parse()?,
        rounds: 4,
    })
}

fn examine(examination: &Examination<'_>) -> Result<Findings> {
    let rules = rules()?;
    let recipe = rules.warm_up.with(["negatives.from=retriever"])?;
    let arm = |name: &str, changes: &[&str]| Arm::of(name, &recipe, changes);
    let both = "loss=0.5*adversarial(temperature=0.05) + 0.5*kl(temperature=0.05)";
    let plan = Plan {
        arms: vec![
            Arm::untrained(),
            arm(STATIC, &[])?,
            arm(REFRESHED, &[])?,
            arm(AR2, &[TAUGHT, both])?,
            arm(DISTILLED, &[TAUGHT, "loss=kl(temperature=0.05)"])?,
            arm(ADVERSARIAL, &[TAUGHT, "loss=adversarial(temperature=0.05)"])?,
            arm(UNREFRESHED, &[TAUGHT, both])?,
        ],
        deciding: (AR2, REFRESHED),
        others: &[
            (AR2, STATIC),
            (REFRESHED, STATIC),
            (AR2, DISTILLED),
            (AR2, ADVERSARIAL),
            (AR2, UNREFRESHED),
            (DISTILLED, REFRESHED),
        ],
        mechanisms: &|subject: &Subject<'_>, outcomes: &Outcomes| Ok(mechanisms(subject, outcomes)),
    };
    let mut findings = Findings::default();
    for subject in examination.subjects {
        let features = features(subject)?;
        let runner = |trial: &Trial<'_>| {
            let Some(recipe) = &trial.arm.recipe else { return trial.run() };
            let refreshes = ![STATIC, UNREFRESHED].contains(&trial.arm.name.as_str());
            Game { rules: &rules, features: &features, trial, recipe, refreshes }.play()
        };
        plan.run_on(examination, subject, &runner, &mut findings)?;
    }
    Ok(findings)
}

/// The ranker's margin recovers in its own turn and falls in the retriever's.
fn mechanisms(subject: &Subject<'_>, outcomes: &Outcomes) -> Vec<Mechanism> {
    let [before, ranked, retrieved] =
        MARGINS.map(|name| (name, outcomes[AR2].notes.get(name).copied().unwrap_or(f64::NAN)));
    vec![
        greater(subject, "AR2's ranker", ranked, before),
        greater(subject, "AR2's ranker", ranked, retrieved).observed(),
    ]
}
