//! From a spec to heads with their first values.

use super::{Branch, BranchSpec, ChainSpec, HeadSpec, Matching, MatchingSpec};
use crate::error::{Error, Result};
use crate::head::{
    Chain, Gate, Head, Lexical, Linear, Normalise, Parameter, Pooling, StaticTable, Transform,
    WordMean,
};
use crate::random::{Purpose, Random};
use crate::vocabulary::Vocabulary;

/// What BERT's norms add to a variance.
pub(crate) const EPSILON: f32 = 1e-12;

/// What heads begin with.
#[derive(Clone, Copy, Debug)]
pub struct Materials<'a> {
    /// How many values a state has.
    pub columns: usize,
    /// How the model makes one vector of the states of a text; `None` where what comes is one already.
    pub pooling: Option<Pooling>,
    /// The vectors of the vocabulary's terms, of as many values as a state, end to end; empty where there is no vocabulary.
    pub terms: &'a [f32],
    /// The weight of each term in a static table, such as its IDF.
    pub idf: &'a [f32],
    /// The seed of maps that begin at random.
    pub seed: u64,
    /// What norms add to a variance, as the model's own do.
    pub epsilon: f32,
}

impl MatchingSpec {
    /// Makes the heads.
    ///
    /// # Errors
    /// A head that needs a vocabulary where there is none, or whose vectors do not have the length that the head before it returns.
    pub fn build(&self, materials: &Materials<'_>) -> Result<Matching> {
        let mut branches = Vec::new();
        for (number, spec) in self.branches.iter().enumerate() {
            let BranchSpec { comparison, query, document } = spec;
            let side =
                |name: &str, chain: &ChainSpec| chain.build(materials, &format!("{number}.{name}"));
            let query = query.as_ref().map(|chain| side("query", chain)).transpose()?;
            let document = side("document", document)?;
            branches.push(Branch { query, document, comparison: *comparison });
        }
        let balance = Parameter::new("balance", &[1], vec![0.0])?;
        Ok(Matching { branches, balance })
    }
}

impl ChainSpec {
    /// Makes the heads; what they learn is named after `name`.
    ///
    /// # Errors
    /// As [`MatchingSpec::build`].
    pub(crate) fn build(&self, materials: &Materials<'_>, name: &str) -> Result<Chain> {
        let mut chain = Chain::default();
        let mut columns = materials.columns;
        for (place, head) in self.0.iter().enumerate() {
            chain = match head {
                HeadSpec::States => chain,
                HeadSpec::Pooled => match materials.pooling {
                    Some(pooling) => chain.then(pooling),
                    None => chain,
                },
                HeadSpec::Pooling(pooling) => chain.then(*pooling),
                HeadSpec::Transform => chain.then(Transform::new(columns, materials.epsilon)?),
                HeadSpec::Words => chain.then(WordMean),
                HeadSpec::Unit => chain.then(Normalise),
                HeadSpec::Gate => chain.then(Gate::new(columns)),
                HeadSpec::Linear(out) => {
                    let linear = linear(columns, *out, materials.seed, place)?;
                    columns = linear.out();
                    chain.then(linear)
                }
                HeadSpec::Lexical(activation) => {
                    let terms = materials.vocabulary()?;
                    let mut head = Lexical::new(terms, materials.terms.to_vec(), *activation)?;
                    // The table stays: what a small head can learn is where states lie in it.
                    head.learns_table = false;
                    columns = terms;
                    chain.then(head)
                }
                HeadSpec::Table(kind) => {
                    columns = materials.vocabulary()?;
                    chain.then(StaticTable::new(materials.idf.to_vec(), *kind))
                }
            };
        }
        for (place, stage) in chain.stages.iter_mut().enumerate() {
            for parameter in stage.parameters() {
                parameter.name = format!("{name}.{place}.{}", parameter.name);
            }
        }
        Ok(chain)
    }
}

impl<'a> Materials<'a> {
    /// Those of heads that need no vocabulary.
    pub fn without_terms(columns: usize, pooling: Option<Pooling>, seed: u64) -> Self {
        Self { columns, pooling, terms: &[], idf: &[], seed, epsilon: EPSILON }
    }

    /// Adds the terms of a vocabulary, where there is one.
    #[must_use]
    pub fn with_terms(self, vocabulary: Option<&'a Vocabulary>) -> Self {
        let Some(vocabulary) = vocabulary else { return self };
        Self { terms: vocabulary.vectors(), idf: vocabulary.idf(), ..self }
    }

    /// How many terms there are.
    fn vocabulary(&self) -> Result<usize> {
        if self.idf.is_empty() {
            return Err(Error::Nothing { what: "terms of a vocabulary" });
        }
        Ok(self.idf.len())
    }
}

/// A square map that is the identity, or one of normal values by whose rows lengths are kept on the average.
fn linear(columns: usize, out: Option<usize>, seed: u64, place: usize) -> Result<Linear> {
    let Some(out) = out else {
        let mut weights = vec![0.0; columns * columns];
        weights.iter_mut().step_by(columns + 1).for_each(|weight| *weight = 1.0);
        return Ok(Linear::new(columns, weights, None)?);
    };
    let mut random = Random::new(seed, Purpose::Head, [place as u64, out as u64]);
    let scale = 1.0 / (out as f64).sqrt();
    let weights = (0..out * columns).map(|_| (scale * random.normal()) as f32).collect();
    Ok(Linear::new(out, weights, None)?)
}
