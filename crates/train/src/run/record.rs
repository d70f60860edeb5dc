//! What a training was made from: enough to make it again, and to refuse to go on with another one.

use serde::{Deserialize, Serialize};

/// What decides every bit of a trained model.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Origin {
    /// The version of this crate.
    pub version: String,
    /// The recipe, as it prints.
    pub recipe: String,
    /// The seed.
    pub seed: u64,
    /// The fingerprint of the model that training began from.
    pub init: String,
    /// A SHA-256 digest of the documents, queries and positives.
    pub data: String,
}

/// One evaluation.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Evaluation {
    /// How many steps were done.
    pub step: u64,
    /// The mean loss of the steps since the evaluation before; `None` before the first step.
    pub loss: Option<f64>,
    /// nDCG@10 of the queries that were held out, over their pool; `None` where none were.
    pub dev: Option<f64>,
    /// In which share of pairs of views that no step saw the first is nearest to the second, among those of 256 documents; `None` where
    /// training is not from views.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub told_apart: Option<f64>,
}
