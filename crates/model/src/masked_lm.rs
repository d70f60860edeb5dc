//! Masked language models: for every token, a score of every word of the vocabulary.
//!
//! A head over token states: a linear map with its activation, a layer norm, and a decoder, which is the token
//! table (Devlin et al. 2019, Press and Wolf 2017). Learned sparse encoders take the maximum of these logits over
//! the tokens. Cost per token: `2 h² + 2 h v` floating-point operations (h hidden, v vocabulary), which for small
//! models is most of the work; the decoder is packed once more, `4 h v` bytes. Not for generating text.

use std::ops::Range;
use std::path::Path;

use ecphory_core::Progress;
use ecphory_kernels::nn::Activation;

use crate::backbone::BackboneConfig;
use crate::config::Family;
use crate::encoder::EncoderOptions;
use crate::error::Result;
use crate::eval::{Eval, Matrix};
use crate::executor::{Executor, NormKind, TokenBatch};
use crate::pre_norm::PredictionSettings;
use crate::runner::Runner;
use crate::tensor::Tensor;
use crate::trunk::Trunk;
use crate::weights::Weights;

/// From token states to logits.
pub(crate) struct MaskedLmHead<E: Executor> {
    dense: E::Linear,
    norm: E::Norm,
    decoder: E::Linear,
}

/// What a family calls the tensors of its head.
pub(crate) struct HeadNames {
    pub(crate) dense: &'static str,
    pub(crate) norm: &'static str,
    pub(crate) decoder: &'static str,
    /// Where the bias of the decoder may be.
    biases: [&'static str; 2],
}

const BERT: HeadNames = HeadNames {
    dense: "cls.predictions.transform.dense",
    norm: "cls.predictions.transform.LayerNorm",
    decoder: "cls.predictions.decoder.weight",
    biases: ["cls.predictions.bias", "cls.predictions.decoder.bias"],
};

const ROBERTA: HeadNames = HeadNames {
    dense: "lm_head.dense",
    norm: "lm_head.layer_norm",
    decoder: "lm_head.decoder.weight",
    biases: ["lm_head.bias", "lm_head.decoder.bias"],
};

const DISTILBERT: HeadNames = HeadNames {
    dense: "vocab_transform",
    norm: "vocab_layer_norm",
    decoder: "vocab_projector.weight",
    biases: ["vocab_projector.bias", "vocab_projector.bias"],
};

const MODERN: HeadNames = HeadNames {
    dense: "head.dense",
    norm: "head.norm",
    decoder: "decoder.weight",
    biases: ["decoder.bias", "decoder.bias"],
};

impl HeadNames {
    pub(crate) fn of(family: Option<Family>) -> &'static Self {
        match family {
            Some(Family::Bert) => &BERT,
            Some(Family::Roberta | Family::MpNet) => &ROBERTA,
            Some(Family::DistilBert) => &DISTILBERT,
            None => &MODERN,
        }
    }

    /// Whether the head of a family has GELU whatever the layers have.
    pub(crate) fn is_always_gelu(family: Option<Family>) -> bool {
        matches!(family, Some(Family::Roberta | Family::MpNet))
    }

    /// Where the bias of the decoder is written: versions of transformers look in one place or the other.
    pub(crate) fn distinct_biases(&self) -> impl Iterator<Item = &'static str> {
        let [first, second] = self.biases;
        [first].into_iter().chain((second != first).then_some(second))
    }
}

impl<E: Executor> MaskedLmHead<E> {
    /// Takes the parameters of the head out of weights from which the transformer has been loaded.
    pub(crate) fn load(
        directory: &Path,
        config: &BackboneConfig,
        weights: &mut Weights,
        parameters: &mut E::Parameters,
    ) -> Result<Self> {
        let names = HeadNames::of(config.family());
        // In families of BERT all maps and norms have a bias.
        let (mut activation, mut dense_bias, mut norm_bias) = (config.activation(), true, true);
        match config.family() {
            family @ Some(_) if HeadNames::is_always_gelu(family) => activation = Activation::Gelu,
            Some(_) => {}
            None => {
                let settings = PredictionSettings::open(directory)?;
                activation = settings.activation(directory)?;
                (dense_bias, norm_bias) = (settings.classifier_bias, settings.norm_bias);
            }
        }
        let words = config.words(weights)?;
        let (hidden, vocabulary) = (config.hidden(), config.vocabulary());
        // The head's names have no prefix.
        weights.choose_prefix(&[""], &format!("{}.weight", names.dense))?;
        let vector = |name: &str, part: &str| weights.tensor(&format!("{name}.{part}"), &[hidden]);
        let dense = (
            weights.tensor(&format!("{}.weight", names.dense), &[hidden, hidden])?,
            dense_bias.then(|| vector(names.dense, "bias")).transpose()?,
        );
        let norm = vector(names.norm, "weight")?;
        let bias = norm_bias.then(|| vector(names.norm, "bias")).transpose()?;
        // A decoder of its own is saved only where it is not the token table.
        let own = weights.find(names.decoder)?;
        let shape = [vocabulary, hidden];
        let decoder = own.map(|_| weights.tensor(names.decoder, &shape)).transpose()?;
        let decoder = (decoder.unwrap_or(words), decoder_bias(weights, names, vocabulary)?);
        Ok(Self {
            dense: E::linear(parameters, &[dense], activation)?,
            norm: E::norm(parameters, NormKind::Layer, &norm, bias.as_ref(), config.epsilon())?,
            decoder: E::linear(parameters, &[decoder], Activation::None)?,
        })
    }

    /// Returns one row of logits for each row of states.
    pub(crate) fn logits(&self, run: &mut E, states: &E::States) -> E::States {
        let normed = self.transformed(run, states);
        run.apply(&self.decoder, &normed)
    }

    /// Returns the states that the decoder reads.
    pub(crate) fn transformed(&self, run: &mut E, states: &E::States) -> E::States {
        let transformed = run.apply(&self.dense, states);
        run.normalize(transformed, &self.norm)
    }
}

impl MaskedLmHead<Eval> {
    /// Returns the logits of some words, of which the first has to begin a panel, given what [`Self::transformed`] returns.
    pub(crate) fn logits_of(&self, run: &mut Eval, states: &Matrix, words: Range<usize>) -> Matrix {
        run.apply_columns(&self.decoder, words, states)
    }
}

fn decoder_bias(weights: &Weights, names: &HeadNames, vocabulary: usize) -> Result<Option<Tensor>> {
    for name in names.biases {
        if weights.find(name)?.is_some() {
            return weights.tensor(name, &[vocabulary]).map(Some);
        }
    }
    Ok(None)
}

/// A masked language model.
///
/// The logits of a text are the same, bit for bit, in any batch and on any number of threads.
pub struct MaskedLm {
    trunk: Trunk,
    head: MaskedLmHead<Eval>,
}

/// The logits of a text.
#[derive(Clone, Debug, PartialEq)]
pub struct TokenLogits {
    /// The text's tokens, special ones included.
    pub tokens: Vec<u32>,
    /// For each token, a logit for every token of the vocabulary: `[tokens, vocabulary]`.
    pub values: Vec<f32>,
}

impl MaskedLm {
    /// Opens a model directory with the weights of a masked language model: `bert`, `distilbert`, `roberta`,
    /// `xlm-roberta`, `mpnet` or `modernbert`. Modules after the transformer are not looked at.
    ///
    /// # Errors
    /// `NotFound` for a missing file, `Input` for a model that is not supported, `Corrupt` for damaged
    /// files and weights without a head, `Usage` for a limit that the model does not have.
    pub fn open(directory: &Path, options: &EncoderOptions) -> Result<Self> {
        let (trunk, mut weights) = Trunk::open(directory, options)?;
        let mut precision = options.precision;
        let head = MaskedLmHead::load(&trunk.body, &trunk.config, &mut weights, &mut precision)?;
        Ok(Self { trunk, head })
    }

    /// Returns the name of the model's directory.
    pub fn name(&self) -> &str {
        &self.trunk.reading.texts.name
    }

    /// Returns how many tokens the vocabulary has.
    pub fn vocabulary(&self) -> usize {
        self.trunk.config.vocabulary()
    }

    /// Returns how many tokens are read of a text, special tokens included.
    pub fn max_tokens(&self) -> usize {
        self.trunk.reading.texts.max_tokens
    }

    /// Returns a token as it stands in the vocabulary.
    pub fn token(&self, id: u32) -> Option<String> {
        self.trunk.reading.texts.tokenizer.token(id)
    }

    /// Returns the logits of texts, in their order.
    ///
    /// Reports a task `predict` with one unit a text. Memory: all logits, 120 KB a token for a vocabulary of
    /// 30,000: hand in a few texts at a time.
    ///
    /// # Errors
    /// `Interrupted` soon after the caller asked to stop; what the tokenizer says about a text.
    pub fn logits(
        &self,
        texts: &[&str],
        pool: &rayon::ThreadPool,
        progress: &dyn Progress,
    ) -> Result<Vec<TokenLogits>> {
        progress.begin("predict", texts.len() as u64);
        let logits = pool.install(|| self.logits_here(texts, progress));
        progress.end();
        logits
    }

    fn logits_here(&self, texts: &[&str], progress: &dyn Progress) -> Result<Vec<TokenLogits>> {
        let trunk = &self.trunk;
        let tokens = Runner::prepare(texts, progress, |text| trunk.reading.texts.tokens(text))?;
        let lengths: Vec<usize> = tokens.iter().map(Vec::len).collect();
        let batches = trunk.runner.run(&lengths, progress, |run, indices| {
            let batch = TokenBatch::new(indices.iter().map(|&i| &tokens[i][..]));
            let states = trunk.backbone.forward(run, &batch);
            let logits = self.head.logits(run, &states);
            let row = self.vocabulary();
            let rows = batch.spans.iter().map(|s| &logits.values()[s.start * row..s.end * row]);
            Ok(rows.map(<[f32]>::to_vec).collect::<Vec<_>>())
        })?;
        let mut out: Vec<TokenLogits> =
            tokens.into_iter().map(|tokens| TokenLogits { tokens, values: Vec::new() }).collect();
        for (indices, rows) in batches {
            for (index, values) in indices.into_iter().zip(rows) {
                out[index].values = values;
            }
        }
        Ok(out)
    }
}

impl std::fmt::Debug for MaskedLm {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("MaskedLm")
            .field("name", &self.trunk.reading.texts.name)
            .finish_non_exhaustive()
    }
}
