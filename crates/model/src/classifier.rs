//! The heads with which transformers classify a text: here, how well two texts fit, as one number.
//!
//! One state of the text, a linear map with its activation, for some a norm, and a linear map to the label (Devlin et al.
//! 2019). Described once, for any executor. Cost a text: `2 h²` floating-point operations (h hidden).

use std::path::Path;

use ecphory_kernels::nn::Activation;

use crate::backbone::BackboneConfig;
use crate::config::{CONFIG, Family};
use crate::error::{Error, Result};
use crate::executor::{Executor, LinearPart, NormKind, Summary, TokenBatch};
use crate::fresh::HeadTensors;
use crate::pre_norm::PredictionSettings;

/// A head with its parameters as the executor wants them.
pub(crate) struct Classifier<E: Executor> {
    pub(crate) summary: Summary,
    dense: E::Linear,
    norm: Option<E::Norm>,
    out: E::Linear,
}

/// What a family's head consists of.
struct Shape {
    summary: Summary,
    dense: &'static str,
    /// Whether `dense` is a part of the transformer and has its prefix.
    is_pooler: bool,
    has_bias: bool,
    activation: Activation,
    norm: Option<Norm>,
    out: &'static str,
}

struct Norm {
    name: &'static str,
    has_bias: bool,
}

impl Shape {
    fn of(directory: &Path, family: Option<Family>) -> Result<Self> {
        let tanh = |dense, is_pooler, out| Self {
            summary: Summary::First,
            dense,
            is_pooler,
            has_bias: true,
            activation: Activation::Tanh,
            norm: None,
            out,
        };
        Ok(match family {
            Some(Family::Bert) => tanh("pooler.dense", true, "classifier"),
            Some(Family::Roberta | Family::MpNet) => {
                tanh("classifier.dense", false, "classifier.out_proj")
            }
            Some(Family::DistilBert) => {
                Self { activation: Activation::Relu, ..tanh("pre_classifier", false, "classifier") }
            }
            None => {
                let settings = PredictionSettings::open(directory)?;
                Self {
                    summary: modern_summary(directory, &settings)?,
                    has_bias: settings.classifier_bias,
                    activation: settings.activation(directory)?,
                    norm: Some(Norm { name: "head.norm", has_bias: settings.norm_bias }),
                    ..tanh("head.dense", false, "classifier")
                }
            }
        })
    }
}

impl<E: Executor> Classifier<E> {
    /// Takes the head out of weights from which the transformer has been loaded.
    pub(crate) fn load(
        directory: &Path,
        config: &BackboneConfig,
        tensors: &mut HeadTensors<'_>,
        parameters: &mut E::Parameters,
    ) -> Result<Self> {
        let hidden = config.hidden();
        let shape = Shape::of(directory, config.family())?;
        if !shape.is_pooler {
            tensors.weights.without_prefix();
        }
        let dense = part(tensors, shape.dense, hidden, hidden, shape.has_bias)?;
        tensors.weights.without_prefix();
        let norm = match &shape.norm {
            None => None,
            Some(Norm { name, has_bias }) => {
                let weight = tensors.vector(&format!("{name}.weight"), hidden, 1.0)?;
                let mut bias = || tensors.vector(&format!("{name}.bias"), hidden, 0.0);
                let bias = has_bias.then(&mut bias).transpose()?;
                let (kind, epsilon) = (NormKind::Layer, config.epsilon());
                Some(E::norm(parameters, kind, &weight, bias.as_ref(), epsilon)?)
            }
        };
        let found = tensors.weights.find(&format!("{}.weight", shape.out))?;
        let labels = found.map_or(1, |tensor| tensor.shape.first().copied().unwrap_or(0));
        if labels != 1 {
            let (path, found) = (directory.join(CONFIG), labels.to_string());
            return Err(Error::unsupported(&path, "the number of labels", &found, "1"));
        }
        let out = part(tensors, shape.out, 1, hidden, true)?;
        Ok(Self {
            summary: shape.summary,
            dense: E::linear(parameters, &[dense], shape.activation)?,
            norm,
            out: E::linear(parameters, &[out], Activation::None)?,
        })
    }

    /// Returns a logit for each sequence of a batch, given the states of its tokens.
    pub(crate) fn logits(&self, run: &mut E, states: &E::States, batch: &TokenBatch) -> E::States {
        let pooled = run.summarize(states, self.summary, batch);
        let mut inner = run.apply(&self.dense, &pooled);
        if let Some(norm) = &self.norm {
            inner = run.normalize(inner, norm);
        }
        run.apply(&self.out, &inner)
    }
}

fn part(
    tensors: &mut HeadTensors<'_>,
    name: &str,
    out: usize,
    input: usize,
    has_bias: bool,
) -> Result<LinearPart> {
    let weight = tensors.weight(&format!("{name}.weight"), &[out, input])?;
    let mut bias = || tensors.vector(&format!("{name}.bias"), out, 0.0);
    Ok((weight, has_bias.then(&mut bias).transpose()?))
}

fn modern_summary(directory: &Path, settings: &PredictionSettings) -> Result<Summary> {
    match settings.classifier_pooling.as_str() {
        "cls" => Ok(Summary::First),
        "mean" => Ok(Summary::Mean),
        other => {
            let path = directory.join(CONFIG);
            Err(Error::unsupported(&path, "classifier_pooling", other, "cls, mean"))
        }
    }
}
