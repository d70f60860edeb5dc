//! The heads with which transformers classify a text: here, how well two texts fit, as one number.
//!
//! One state of the text, a linear map with its activation, another to the labels. A head is a sentence
//! encoder's [`Head`] with the dimensions of the labels.

use std::path::Path;

use ecphory_kernels::nn::Activation;

use crate::backbone::BackboneConfig;
use crate::config::{CONFIG, Family};
use crate::error::{Error, Result};
use crate::eval::Eval;
use crate::executor::{Executor, LinearPart, NormKind};
use crate::head::{Head, Pooling, Step};
use crate::pre_norm::PredictionSettings;
use crate::precision::Precision;
use crate::weights::Weights;

/// Takes the head out of weights from which the transformer has been loaded.
pub(crate) fn load(
    directory: &Path,
    config: &BackboneConfig,
    weights: &mut Weights,
) -> Result<Head> {
    let hidden = config.hidden();
    let mut pooling = Pooling::Cls;
    let mut steps = Vec::new();
    let out = match config.family() {
        Some(Family::Bert) => {
            // The pooler is a part of the transformer and has its prefix.
            steps.push(dense(square(weights, "pooler.dense", hidden, true)?, Activation::Tanh)?);
            "classifier"
        }
        Some(Family::Roberta | Family::MpNet) => {
            weights.choose_prefix(&[""], "classifier.dense.weight")?;
            let part = square(weights, "classifier.dense", hidden, true)?;
            steps.push(dense(part, Activation::Tanh)?);
            "classifier.out_proj"
        }
        Some(Family::DistilBert) => {
            weights.choose_prefix(&[""], "pre_classifier.weight")?;
            let part = square(weights, "pre_classifier", hidden, true)?;
            steps.push(dense(part, Activation::Relu)?);
            "classifier"
        }
        None => {
            let settings = PredictionSettings::open(directory)?;
            pooling = modern_pooling(directory, &settings)?;
            weights.choose_prefix(&[""], "head.dense.weight")?;
            let part = square(weights, "head.dense", hidden, settings.classifier_bias)?;
            steps.push(dense(part, settings.activation(directory)?)?);
            let weight = weights.tensor("head.norm.weight", &[hidden])?;
            let bias = || weights.tensor("head.norm.bias", &[hidden]);
            let bias = settings.norm_bias.then(bias).transpose()?;
            let epsilon = config.epsilon();
            let kind = NormKind::Layer;
            steps.push(Step::Norm(Eval::norm(
                &mut Precision::Stored,
                kind,
                &weight,
                bias.as_ref(),
                epsilon,
            )?));
            "classifier"
        }
    };
    weights.choose_prefix(&[""], &format!("{out}.weight"))?;
    let labels = weights.find(&format!("{out}.weight"))?.map_or(0, |tensor| tensor.shape[0]);
    if labels != 1 {
        return Err(Error::Unsupported {
            path: directory.join(CONFIG),
            setting: "the number of labels",
            found: labels.to_string(),
            supported: "1".to_owned(),
        });
    }
    let weight = weights.tensor(&format!("{out}.weight"), &[1, hidden])?;
    let bias = weights.tensor(&format!("{out}.bias"), &[1])?;
    steps.push(dense((weight, Some(bias)), Activation::None)?);
    Ok(Head { pooling: vec![pooling], steps, dimensions: 1 })
}

fn square(weights: &Weights, name: &str, hidden: usize, has_bias: bool) -> Result<LinearPart> {
    let weight = weights.tensor(&format!("{name}.weight"), &[hidden, hidden])?;
    let bias = || weights.tensor(&format!("{name}.bias"), &[hidden]);
    Ok((weight, has_bias.then(bias).transpose()?))
}

fn dense(part: LinearPart, activation: Activation) -> Result<Step> {
    Ok(Step::Dense(Box::new(Eval::linear(&mut Precision::Stored, &[part], activation)?)))
}

fn modern_pooling(directory: &Path, settings: &PredictionSettings) -> Result<Pooling> {
    match settings.classifier_pooling.as_str() {
        "cls" => Ok(Pooling::Cls),
        "mean" => Ok(Pooling::Mean),
        other => Err(Error::Unsupported {
            path: directory.join(CONFIG),
            setting: "classifier_pooling",
            found: other.to_owned(),
            supported: "cls, mean".to_owned(),
        }),
    }
}
