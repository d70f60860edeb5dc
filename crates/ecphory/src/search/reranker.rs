//! Models that score documents for a query by reading their texts.

use std::sync::Arc;

use ecphory_core::Progress;
use ecphory_model::{CrossEncoder, EncoderOptions, LateEncoder, ScoreFunction};

use crate::pipeline::Reranking;
use crate::{Engine, Explanation, Result};

/// A model of one of the kinds that a pipeline reranks with.
pub(crate) enum Reranker {
    Cross(Arc<CrossEncoder>),
    MaxSim(Arc<LateEncoder>),
}

impl Reranker {
    /// Opens a model.
    pub(crate) fn open(engine: &Engine, kind: Reranking, model: &str) -> Result<Self> {
        let options = EncoderOptions::default();
        Ok(match kind {
            Reranking::Cross => Self::Cross(engine.cross_encoder(model, &options)?),
            Reranking::MaxSim => Self::MaxSim(engine.late_encoder(model, &options)?),
        })
    }

    pub(crate) fn kind(&self) -> Reranking {
        match self {
            Self::Cross(_) => Reranking::Cross,
            Self::MaxSim(_) => Reranking::MaxSim,
        }
    }

    pub(crate) fn name(&self) -> &str {
        match self {
            Self::Cross(model) => model.name(),
            Self::MaxSim(model) => model.name(),
        }
    }

    /// Returns the least score that it can give, where there is one for all queries.
    pub(crate) fn least(&self) -> Option<f64> {
        match self {
            Self::Cross(model) => (model.function() == ScoreFunction::Sigmoid).then_some(0.0),
            Self::MaxSim(_) => None,
        }
    }

    /// Scores the texts of documents on all threads of the engine.
    pub(crate) fn score(
        &self,
        engine: &Engine,
        query: &str,
        texts: &[&str],
        progress: &dyn Progress,
    ) -> Result<Vec<f32>> {
        Ok(match self {
            Self::Cross(model) => model.score(query, texts, engine.pool(), progress)?,
            Self::MaxSim(model) => {
                model.score(query, texts, engine.disk_cache(), engine.pool(), progress)?
            }
        })
    }

    /// Explains the score of a document, whose text is fetched where it says more than the score.
    pub(crate) fn explain(
        &self,
        query: &str,
        text: impl FnOnce() -> Result<String>,
        score: f64,
    ) -> Result<Explanation> {
        match self {
            Self::Cross(model) => {
                Ok(Explanation::new(format!("cross-encoder {}", model.name()), score))
            }
            Self::MaxSim(model) => {
                let mut whole =
                    Explanation::new(format!("late interaction {}", model.name()), score);
                for found in model.matches(query, &text()?)? {
                    let what = format!("token {} nearest {}", found.query, found.document);
                    whole.parts.push(Explanation::new(what, f64::from(found.score)));
                }
                Ok(whole)
            }
        }
    }
}
