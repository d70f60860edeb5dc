//! First values of a lexical head, learned from documents alone: each foretells the terms of its own text.
//!
//! A model that was trained for vectors has no head over words, and its states do not lie near the vectors of the words they
//! stand for. Here the heads learn by logistic regression which terms a document has: every term's weight
//! under [`LexicalActivation::EluPlusOne`] is taken for the odds that it is there. With this activation every logit has a slope; under
//! [`LexicalActivation::Log`] the same values then weigh nothing where the logit is below 0, which is where the odds are below one to
//! [`BagOfTerms::emphasis`]. No query and no judgment takes part, so that all arms of a study can begin from one warm-up.
//!
//! Cost: a step is a forward pass of the heads over its documents and about as much back.

use ecphory_kernels::Level;
use ecphory_model::Role;
use rayon::prelude::*;
use rustc_hash::FxHashSet;

use crate::body::{States, rows};
use crate::error::{Error, Result};
use crate::head::{Chain, Head, LexicalActivation, Parameter};
use crate::matching::{ChainSpec, HeadSpec, Materials};
use crate::optimiser::{AdamW, AdamWSettings, Optimiser, Pace, Tensors, Update};
use crate::ragged::{NO_TERM, Ragged, check_length};
use crate::sampler::{Sampler, Shuffled};
use crate::schedule::{Rate, Schedule};

/// How heads learn to foretell terms, before they learn to rank.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct BagOfTerms {
    pub(crate) steps: u64,
    /// The documents of a step.
    pub(crate) documents: usize,
    /// The highest rate.
    pub(crate) rate: f32,
    /// How much more a term counts that a document has than one that it does not have.
    pub(crate) emphasis: f64,
    pub(crate) seed: u64,
}

/// Documents that one thread takes at a time.
const DOCUMENTS: usize = 8;

impl BagOfTerms {
    /// Learns the heads of documents over states, from the first `documents` documents, on the current pool; their parameters
    /// are named after `name`. The result does not depend on the threads.
    ///
    /// # Errors
    /// Where rows have no terms or there is no lexical head at the end; what reading says.
    pub(crate) fn run(
        &self,
        states: &dyn States,
        documents: u32,
        (spec, name): (&ChainSpec, &str),
        materials: &Materials<'_>,
    ) -> Result<Tensors> {
        let mut heads = spec.clone();
        match heads.0.last_mut() {
            Some(HeadSpec::Lexical(activation)) => *activation = LexicalActivation::EluPlusOne,
            _ => return Err(Error::Nothing { what: "lexical heads to warm up" }),
        }
        let mut chain = heads.build(materials, name)?;
        let slots = chain.parameters().into_iter().map(|parameter| parameter.slot(0.0));
        let mut optimiser = AdamW::new(AdamWSettings::default(), slots.collect())?;
        let all: Vec<u32> = (0..documents).collect();
        let mut sampler = Shuffled::new(all, self.documents, self.seed)?;
        let rate = Rate::new("linear(warmup=0.1)".parse::<Schedule>()?, self.steps)?;
        for step in 0..self.steps {
            let rate = self.rate * rate.factor(step) as f32;
            self.step(&mut chain, &mut optimiser, states, (&sampler.batch(step), rate))?;
        }
        let learned = chain.parameters().into_iter();
        Ok(learned.map(|one| (one.name.clone(), one.values.clone())).collect())
    }

    fn step(
        &self,
        chain: &mut Chain,
        optimiser: &mut AdamW,
        states: &dyn States,
        (documents, rate): (&[u32], f32),
    ) -> Result<()> {
        chain.parameters().into_iter().for_each(Parameter::clear);
        let parts: Vec<Chain> = documents
            .par_chunks(DOCUMENTS)
            .map(|part| {
                let mut chain = chain.clone();
                let states = rows(states, Role::Document, part)?;
                let (weights, kept) = chain.forward(Level::detect(), &states)?;
                let slopes = self.slopes(&states, &weights, documents.len())?;
                chain.backward(Level::detect(), &states, &kept, &slopes)?;
                Ok(chain)
            })
            .collect::<Result<_>>()?;
        for mut part in parts {
            for (to, from) in chain.parameters().into_iter().zip(part.parameters()) {
                to.gradient.iter_mut().zip(&from.gradient).for_each(|(to, from)| *to += from);
            }
        }
        let parameters = chain.parameters().into_iter();
        let mut updates: Vec<Update<'_>> = parameters.map(Parameter::update).collect();
        optimiser.step(Pace::of(rate), &mut updates)
    }

    /// The derivatives of the logistic loss by odds, of which the mean over `documents` documents is taken.
    fn slopes(&self, states: &Ragged, odds: &Ragged, documents: usize) -> Result<Vec<f32>> {
        check_length("terms of rows", states.terms.len(), states.rows())?;
        let mut slopes = Vec::with_capacity(odds.values.len());
        for item in 0..states.items() {
            let own = own_terms(states, item);
            for (term, &odds) in (0..).zip(odds.row(item)) {
                let odds = f64::from(odds.max(f32::MIN_POSITIVE));
                let of_absent = 1.0 / (1.0 + odds);
                let slope = if own.contains(&term) {
                    self.emphasis * (of_absent - 1.0 / odds)
                } else {
                    of_absent
                };
                slopes.push((slope / documents as f64) as f32);
            }
        }
        Ok(slopes)
    }
}

/// The terms of an item's rows.
pub(crate) fn own_terms(rows: &Ragged, item: usize) -> FxHashSet<u32> {
    let terms = rows.counted_rows(item).filter_map(|row| rows.terms.get(row).copied());
    terms.filter(|&term| term != NO_TERM).collect()
}
