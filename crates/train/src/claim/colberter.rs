//! `ColBERTer` (Hofstätter et al. 2022): a single vector and a bag of whole words, fused, beat either alone, with fewer vectors than tokens.
//!
//! Both heads are learned over cached token states, from the margins of a teacher. The single vector is the mean of the states, which is
//! what the model to begin from was trained for, where the paper takes the state of the first token.

use ecphory_model::Role;

use crate::body::{Body, Held};
use crate::claim::{Claim, Examination, Findings, Inputs, Outcomes, Plan};
use crate::error::{Error, Result};
use crate::head::{Head, WordMean};
use crate::recipe::Recipe;
use crate::study::{Arm, Mechanism, Subject};

pub(super) const CLAIM: Claim = Claim {
    name: "colberter",
    paper: "Hofstätter et al. 2022, Introducing Neural Bag of Whole-Words with ColBERTer: Contextualized Late Interactions using Enhanced Reduction",
    says: "the fusion of a single vector and of whole-word vectors beats the single vector",
    metric: "nDCG@10",
    tier: "T1",
    inputs: Inputs::States,
    rates: &[3e-4, 2e-3],
    examine,
};

const FUSED: &str = "vector and whole words";
const VECTOR: &str = "vector";
const WORDS: &str = "whole words";
const PIECES: &str = "word pieces";

/// How much fewer vectors whole words should need than tokens.
const REDUCTION: f64 = 1.5;

fn examine(examination: &Examination<'_>) -> Result<Findings> {
    let recipe = Recipe::named("colberter")?;
    let arm = |name: &str, changes: &[&str]| Arm::of(name, &recipe, changes);
    let alone = ["part_loss=", "penalty="];
    let of = |matching: &'static str| [matching, alone[0], alone[1]];
    let plan = Plan {
        arms: vec![
            arm(VECTOR, &of("matching=dot(mean > linear(128))"))?,
            arm(FUSED, &[])?,
            arm(WORDS, &of("matching=maxsim(unit > linear(32) > words)"))?,
            arm(PIECES, &of("matching=maxsim(unit > linear(32))"))?,
        ],
        deciding: (FUSED, VECTOR),
        others: &[(FUSED, WORDS), (WORDS, PIECES)],
        mechanisms: &|subject: &Subject<'_>, _: &Outcomes| Ok(vec![reduction(subject)?]),
    };
    plan.run(examination)
}

/// Counts tokens and distinct words of all documents.
fn reduction(subject: &Subject<'_>) -> Result<Mechanism> {
    let parts = subject.parts();
    let states = parts.states.ok_or(Error::Nothing { what: "states of tokens" })?;
    let body = Held::new(states, parts.init);
    let (mut tokens, mut words) = (0usize, 0usize);
    for document in 0..subject.data().documents().len() as u32 {
        let states = body.read(Role::Document, &[document])?;
        let (of_words, _) = WordMean.forward(ecphory_kernels::Level::detect(), &states)?;
        tokens += states.rows();
        words += of_words.rows();
    }
    let documents = subject.data().documents().len() as f64;
    Ok(Mechanism {
        collection: subject.name().to_owned(),
        says: format!("whole words need at least {REDUCTION} times fewer vectors than tokens"),
        seen: format!(
            "{:.1} against {:.1} a document, {:.2} times fewer",
            words as f64 / documents,
            tokens as f64 / documents,
            tokens as f64 / words as f64
        ),
        asserted: true,
        holds: tokens as f64 >= REDUCTION * words as f64,
    })
}
