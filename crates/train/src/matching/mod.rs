//! The matching function: which heads make vectors of states, and how the vectors of a query and a document are compared.
//!
//! A [`Matching`] stands between an encoder and a block of scores: states in, scores out, and all the way back. It has one branch, or
//! two whose scores are fused with a learned balance (ColBERTer). A branch has a head for documents, one for queries
//! unless both share it, and a comparison. [`MatchingSpec`] is its spec string.

mod build;
mod narrow;
mod save;
mod spec;
#[cfg(test)]
mod tests;

pub(crate) use build::EPSILON;
pub use build::Materials;
pub use save::DirectoryFacts;
pub use spec::{BranchSpec, ChainSpec, Comparison, HeadSpec, MatchingSpec};

use ecphory_kernels::Level;

use crate::head::{Chain, ChainKept, Gates, Head, Parameter, StageKept};
use crate::ragged::{Ragged, ShapeError, check_length};
use crate::score::{Cosine, CosineKept, Dot, Fusion, Layout, MaxSim, MaxSimKept, Pairs};

/// Heads and comparisons, with what they learn.
#[derive(Clone, Debug)]
pub struct Matching {
    /// One, or two that are fused.
    branches: Vec<Branch>,
    /// The balance of two branches, which is learned.
    balance: Parameter,
}

#[derive(Clone, Debug)]
struct Branch {
    /// `None` where queries go through the head of documents.
    query: Option<Chain>,
    document: Chain,
    comparison: Comparison,
}

/// What the heads made of some texts, branch by branch: what an index would hold of them.
#[derive(Clone, Debug, PartialEq)]
pub struct Represented {
    /// One set of rows for each branch.
    pub branches: Vec<Ragged>,
}

/// The scores of a batch, and what the way back needs.
#[derive(Clone, Debug)]
pub struct Matched {
    /// The scores, row-major.
    pub scores: Vec<f32>,
    /// The same of each branch alone; empty where there is only one.
    pub parts: Vec<Vec<f32>>,
    queries: Represented,
    documents: Represented,
    kept: Vec<BranchKept>,
    layout: Layout,
}

#[derive(Clone, Debug)]
struct BranchKept {
    query: ChainKept,
    document: ChainKept,
    compared: Compared,
}

#[derive(Clone, Debug)]
enum Compared {
    Dot,
    Cosine(Box<CosineKept>),
    MaxSim(MaxSimKept),
}

/// Derivatives by the states of both sides.
#[derive(Clone, Debug, PartialEq)]
pub struct StateSlopes {
    /// By those of the queries.
    pub queries: Vec<f32>,
    /// By those of the documents.
    pub documents: Vec<f32>,
}

/// What a regulariser adds on the way back.
#[derive(Clone, Debug, Default)]
pub struct Extra {
    /// Derivatives by the scores of each branch alone; empty where there are none.
    pub parts: Vec<Vec<f32>>,
    /// Derivatives by what the first branch made of the documents; empty where there are none.
    pub documents: Vec<f32>,
}

impl Matched {
    /// Returns what the first branch made of the documents, for regularisers.
    pub fn documents(&self) -> &Ragged {
        &self.documents.branches[0]
    }

    /// Returns the gates of the documents' rows, for regularisers; `None` where no head has any.
    pub fn gates(&mut self) -> Option<&mut Gates> {
        let mut stages = self.kept.iter_mut().flat_map(|kept| &mut kept.document.stages);
        stages.find_map(|stage| match stage {
            StageKept::Gate(gates) => Some(gates),
            _ => None,
        })
    }
}

impl Matching {
    /// Makes vectors of the states of queries.
    ///
    /// # Errors
    /// States that do not fit the heads.
    pub fn queries(&self, level: Level, states: &Ragged) -> Result<Represented, ShapeError> {
        let branches = self.branches.iter();
        let made = branches.map(|branch| Ok(branch.of_queries().forward(level, states)?.0));
        Ok(Represented { branches: made.collect::<Result<_, ShapeError>>()? })
    }

    /// Makes vectors of the states of documents.
    ///
    /// # Errors
    /// States that do not fit the heads.
    pub fn documents(&self, level: Level, states: &Ragged) -> Result<Represented, ShapeError> {
        let branches = self.branches.iter();
        let made = branches.map(|branch| Ok(branch.document.forward(level, states)?.0));
        Ok(Represented { branches: made.collect::<Result<_, ShapeError>>()? })
    }

    /// Scores documents for queries from what was made of them.
    ///
    /// # Errors
    /// Vectors that do not fit each other.
    pub fn compare(
        &self,
        level: Level,
        queries: &Represented,
        documents: &Represented,
        layout: Layout,
    ) -> Result<Vec<f32>, ShapeError> {
        let sides = queries.branches.iter().zip(&documents.branches);
        let mut parts = Vec::with_capacity(self.branches.len());
        for (branch, (queries, candidates)) in self.branches.iter().zip(sides) {
            let pairs = Pairs { queries, candidates, layout };
            parts.push(branch.comparison.forward(level, &pairs)?.0);
        }
        self.fused(&mut parts)
    }

    /// Scores a batch and keeps what the way back needs.
    ///
    /// # Errors
    /// States that do not fit the heads, or vectors that do not fit each other.
    pub fn forward(
        &self,
        level: Level,
        queries: &Ragged,
        documents: &Ragged,
        layout: Layout,
    ) -> Result<Matched, ShapeError> {
        let (mut made_queries, mut made_documents) = (Vec::new(), Vec::new());
        let (mut kept, mut parts) = (Vec::new(), Vec::new());
        for branch in &self.branches {
            let (of_queries, query) = branch.of_queries().forward(level, queries)?;
            let (of_documents, document) = branch.document.forward(level, documents)?;
            let pairs = Pairs { queries: &of_queries, candidates: &of_documents, layout };
            let (scores, compared) = branch.comparison.forward(level, &pairs)?;
            parts.push(scores);
            kept.push(BranchKept { query, document, compared });
            made_queries.push(of_queries);
            made_documents.push(of_documents);
        }
        let scores = self.fused(&mut parts)?;
        Ok(Matched {
            scores,
            parts,
            queries: Represented { branches: made_queries },
            documents: Represented { branches: made_documents },
            kept,
            layout,
        })
    }

    /// Adds the derivatives by what is learned to what it holds, and returns those by the states, given those by the scores.
    ///
    /// # Errors
    /// Another number of derivatives than of scores, or states of another batch.
    pub fn backward(
        &mut self,
        level: Level,
        (queries, documents): (&Ragged, &Ragged),
        matched: &Matched,
        slopes: &[f32],
        extra: &Extra,
    ) -> Result<StateSlopes, ShapeError> {
        let mut by_parts = self.unfused(matched, slopes)?;
        for (part, extra) in by_parts.iter_mut().zip(&extra.parts) {
            check_length("derivatives by scores of a branch", extra.len(), part.len())?;
            part.iter_mut().zip(extra).for_each(|(slope, extra)| *slope += extra);
        }
        let mut out = StateSlopes {
            queries: vec![0.0; queries.values.len()],
            documents: vec![0.0; documents.values.len()],
        };
        for (number, branch) in self.branches.iter_mut().enumerate() {
            let kept = &matched.kept[number];
            let pairs = Pairs {
                queries: &matched.queries.branches[number],
                candidates: &matched.documents.branches[number],
                layout: matched.layout,
            };
            let mut gradient =
                branch.comparison.backward(level, &pairs, &kept.compared, &by_parts[number])?;
            if number == 0 && !extra.documents.is_empty() {
                let (got, expected) = (extra.documents.len(), gradient.candidates.len());
                check_length("derivatives by documents", got, expected)?;
                add(&mut gradient.candidates, &extra.documents);
            }
            let of_queries = branch.query.as_mut().unwrap_or(&mut branch.document);
            let by = of_queries.backward(level, queries, &kept.query, &gradient.queries)?;
            add(&mut out.queries, &by);
            let by =
                branch.document.backward(level, documents, &kept.document, &gradient.candidates)?;
            add(&mut out.documents, &by);
        }
        Ok(out)
    }

    /// Returns what is learned, each under a name of its own.
    pub fn parameters(&mut self) -> Vec<&mut Parameter> {
        let is_fused = self.branches.len() > 1;
        let branches = self.branches.iter_mut().flat_map(|branch| {
            let query = branch.query.iter_mut().flat_map(Head::parameters);
            query.chain(branch.document.parameters())
        });
        branches.chain(is_fused.then_some(&mut self.balance)).collect()
    }

    fn fusion(&self) -> Fusion {
        Fusion { gamma: f64::from(self.balance.values[0]) }
    }

    /// Fuses the scores of branches; those of a single one are taken out.
    fn fused(&self, parts: &mut Vec<Vec<f32>>) -> Result<Vec<f32>, ShapeError> {
        match &mut parts[..] {
            [first, second] => self.fusion().forward(first, second),
            _ => Ok(std::mem::take(parts).pop().unwrap_or_default()),
        }
    }

    /// Deals derivatives by the fused scores to the branches and the balance.
    fn unfused(&mut self, matched: &Matched, slopes: &[f32]) -> Result<Vec<Vec<f32>>, ShapeError> {
        let [first, second] = &matched.parts[..] else { return Ok(vec![slopes.to_vec()]) };
        let gradient = self.fusion().backward(first, second, slopes)?;
        self.balance.gradient[0] += gradient.gamma as f32;
        Ok(vec![gradient.first, gradient.second])
    }
}

impl Branch {
    fn of_queries(&self) -> &Chain {
        self.query.as_ref().unwrap_or(&self.document)
    }
}

impl Comparison {
    fn forward(self, level: Level, pairs: &Pairs<'_>) -> Result<(Vec<f32>, Compared), ShapeError> {
        Ok(match self {
            Self::Dot => (Dot::default().forward(level, pairs)?, Compared::Dot),
            Self::Cosine => {
                let (scores, kept) = Cosine::default().forward(level, pairs)?;
                (scores, Compared::Cosine(Box::new(kept)))
            }
            Self::MaxSim | Self::WordMaxSim => {
                let (scores, kept) = self.max_sim().forward(level, pairs)?;
                (scores, Compared::MaxSim(kept))
            }
        })
    }

    fn backward(
        self,
        level: Level,
        pairs: &Pairs<'_>,
        kept: &Compared,
        slopes: &[f32],
    ) -> Result<crate::score::Gradient, ShapeError> {
        match kept {
            Compared::Dot => Dot::default().backward(level, pairs, slopes),
            Compared::Cosine(kept) => Cosine::default().backward(level, pairs, kept, slopes),
            Compared::MaxSim(kept) => self.max_sim().backward(pairs, kept, slopes),
        }
    }

    fn max_sim(self) -> MaxSim {
        MaxSim { same_word: self == Self::WordMaxSim, ..MaxSim::default() }
    }
}

fn add(to: &mut [f32], values: &[f32]) {
    to.iter_mut().zip(values).for_each(|(to, value)| *to += value);
}
