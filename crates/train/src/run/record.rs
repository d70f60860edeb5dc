//! What a training was made from: enough to make it again, and to refuse to go on with another one.

use ecphory_core::checksum::hex;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::data::{Text, TrainingData};

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
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Evaluation {
    /// How many steps were done.
    pub step: u64,
    /// The mean loss of the steps since the evaluation before; `None` before the first step.
    pub loss: Option<f64>,
    /// nDCG@10 of the queries that were held out, over their pool; `None` where none were.
    pub dev: Option<f64>,
}

/// Returns a digest of everything in the data that training sees.
pub(super) fn digest(data: &TrainingData) -> String {
    let mut sha = Sha256::new();
    let mut put = |text: &str| {
        sha.update((text.len() as u64).to_le_bytes());
        sha.update(text);
    };
    for Text { id, text } in data.documents().iter().chain(data.queries()) {
        put(id);
        put(text);
    }
    for query in 0..data.queries().len() {
        put(&format!("{:?}", data.positives(query)));
    }
    hex(&sha.finalize())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::Judgment;

    #[test]
    fn the_digest_changes_with_whatever_changes_training() {
        let data = |document: &str, query: &str, second: bool| {
            let text = |id: &str, text: &str| Text { id: id.into(), text: text.into() };
            let documents = vec![text("a", document), text("b", "other")];
            let mut judged = vec![("q", "a")];
            judged.extend(second.then_some(("q", "b")));
            let judged = judged.into_iter().map(|(query, document)| Judgment {
                query,
                document,
                relevant: true,
            });
            digest(&TrainingData::new(documents, vec![text("q", query)], judged).unwrap())
        };
        let first = data("one", "two", false);
        assert_eq!(first, data("one", "two", false));
        assert_eq!(first.len(), 64);
        for other in [data("on", "two", false), data("one", "tw", false), data("one", "two", true)]
        {
            assert_ne!(first, other);
        }
    }
}
