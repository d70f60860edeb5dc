//! The directory of a transformer with a head, as transformers and sentence-transformers read it.

use std::borrow::Cow;
use std::path::Path;

use serde_json::{Map, Value, json};

use crate::config::{self, CONFIG, Family, MODERN};
use crate::convert::{NewTensor, state_single_precision, write_tensors};
use crate::error::{Error, Result};
use crate::json;
use crate::layout::{TOKENIZER_SETTINGS, TRANSFORMER};
use crate::tensor::Tensor;
use crate::weights::WEIGHTS;

use super::TrainableTrunk;

/// The files that a tokenizer may consist of, but for its settings.
const TOKENIZER_FILES: [&str; 9] = [
    "added_tokens.json",
    "merges.txt",
    "sentencepiece.bpe.model",
    "special_tokens_map.json",
    "spiece.model",
    "tokenizer.json",
    "tokenizer.model",
    "vocab.json",
    "vocab.txt",
];

/// A transformer with a head that is to be written.
pub(super) struct Headed<'a> {
    /// Where the configuration and the tokenizer come from.
    pub(super) body: &'a Path,
    pub(super) head: HeadKind,
    pub(super) tensors: Vec<NewTensor<'a>>,
    pub(super) max_tokens: usize,
    pub(super) lower_case: bool,
}

/// What a transformer has a head for.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum HeadKind {
    /// A sequence classifier with one label.
    Classifier,
    /// A masked language model.
    MaskedLm,
}

impl HeadKind {
    /// What names of its classes end with in transformers.
    fn class(self) -> &'static str {
        match self {
            Self::Classifier => "ForSequenceClassification",
            Self::MaskedLm => "ForMaskedLM",
        }
    }
}

/// Returns the tensors of a transformer as they are now, under the names that they have beside a head.
pub(super) fn tensors<'a>(
    trunk: &'a TrainableTrunk,
    fixed: &'a [Tensor],
    prefix: &str,
) -> Vec<NewTensor<'a>> {
    let moving = trunk
        .parameters()
        .iter()
        .map(|parameter| (parameter.name(), parameter.shape(), Cow::Borrowed(parameter.values())));
    let fixed = fixed
        .iter()
        .map(|tensor| (&tensor.name[..], &tensor.shape[..], Cow::Owned(tensor.to_vec())));
    let named = |(name, shape, values)| {
        let name = full_name(name, prefix, trunk.config.family());
        NewTensor { name, shape, values }
    };
    moving.chain(fixed).map(named).collect()
}

/// Returns the name that a tensor has in a sequence classifier, given what the names of the transformer begin with where
/// it comes from.
pub(super) fn full_name(name: &str, prefix: &str, family: Option<Family>) -> String {
    const HEADS: [&str; 3] = ["classifier.", "head.", "pre_classifier."];
    // As layer norms converted from TensorFlow are called.
    let name = match name.rsplit_once('.') {
        Some((stem, "gamma")) => format!("{stem}.weight"),
        Some((stem, "beta")) => format!("{stem}.bias"),
        _ => name.to_owned(),
    };
    if HEADS.iter().any(|head| name.starts_with(head)) {
        return name;
    }
    let stem = family.map_or("model", Family::name);
    format!("{stem}.{}", name.strip_prefix(prefix).unwrap_or(&name))
}

impl Headed<'_> {
    /// Writes the files into a folder that nobody reads yet.
    pub(super) fn write(&self, folder: &Path) -> Result<()> {
        json::write(&folder.join(CONFIG), &self.config()?)?;
        write_tensors(&self.tensors, &folder.join(WEIGHTS))?;
        self.write_tokenizer(folder)?;
        if self.lower_case || self.head == HeadKind::MaskedLm {
            let settings =
                json!({"max_seq_length": self.max_tokens, "do_lower_case": self.lower_case});
            json::write(&folder.join(TRANSFORMER), &settings)?;
        }
        Ok(())
    }

    /// Writes the files of the tokenizer alone.
    pub(super) fn write_tokenizer(&self, folder: &Path) -> Result<()> {
        json::write(&folder.join(TOKENIZER_SETTINGS), &self.tokenizer_settings()?)?;
        for file in TOKENIZER_FILES {
            if self.body.join(file).try_exists()? {
                fs_err::copy(self.body.join(file), folder.join(file))?;
            }
        }
        Ok(())
    }

    fn config(&self) -> Result<Value> {
        let path = self.body.join(CONFIG);
        let kind = config::model_type(self.body)?.unwrap_or_default();
        let class = format!("{}{}", stem(&path, &kind)?, self.head.class());
        let mut settings: Map<String, Value> = json::read(&path)?;
        // Where versions of sentence-transformers before 4 looked for what scores go through.
        settings.remove("sbert_ce_default_activation_function");
        // Labels are counted by the map.
        settings.remove("num_labels");
        state_single_precision(&mut settings);
        settings.insert("architectures".to_owned(), json!([class]));
        if self.head == HeadKind::MaskedLm {
            // The decoder is not the token table.
            settings.insert("tie_word_embeddings".to_owned(), false.into());
            return Ok(settings.into());
        }
        settings.insert("id2label".to_owned(), json!({"0": "LABEL_0"}));
        settings.insert("label2id".to_owned(), json!({"LABEL_0": 0}));
        let identity = json!({"activation_fn": "torch.nn.modules.linear.Identity"});
        settings.insert("sentence_transformers".to_owned(), identity);
        Ok(settings.into())
    }

    fn tokenizer_settings(&self) -> Result<Value> {
        let path = self.body.join(TOKENIZER_SETTINGS);
        let settings: Option<Map<String, Value>> = json::read_optional(&path)?;
        let mut settings = settings.unwrap_or_default();
        settings.insert("model_max_length".to_owned(), self.max_tokens.into());
        Ok(settings.into())
    }
}

/// Returns what names of the classes of a kind of model begin with in transformers.
fn stem(path: &Path, kind: &str) -> Result<&'static str> {
    Ok(match kind {
        "bert" => "Bert",
        "distilbert" => "DistilBert",
        "roberta" => "Roberta",
        "xlm-roberta" => "XLMRoberta",
        "camembert" => "Camembert",
        "mpnet" => "MPNet",
        MODERN => "ModernBert",
        other => {
            let supported = "bert, distilbert, roberta, xlm-roberta, camembert, mpnet, modernbert";
            return Err(Error::unsupported(path, "model_type", other, supported));
        }
    })
}

#[cfg(test)]
mod tests {
    use super::{Family, full_name};

    #[test]
    fn tensors_get_the_names_of_a_classifier() {
        for (name, prefix, family, expected) in [
            ("encoder.layer.0.x.weight", "", Some(Family::Bert), "bert.encoder.layer.0.x.weight"),
            ("bert.pooler.dense.bias", "bert.", Some(Family::Bert), "bert.pooler.dense.bias"),
            (
                "embeddings.LayerNorm.gamma",
                "",
                Some(Family::MpNet),
                "mpnet.embeddings.LayerNorm.weight",
            ),
            (
                "roberta.a.LayerNorm.beta",
                "roberta.",
                Some(Family::Roberta),
                "roberta.a.LayerNorm.bias",
            ),
            (
                "encoder.encoder.layer.1",
                "encoder.",
                Some(Family::Roberta),
                "roberta.encoder.layer.1",
            ),
            ("pre_classifier.bias", "distilbert.", Some(Family::DistilBert), "pre_classifier.bias"),
            ("classifier.out_proj.weight", "", Some(Family::MpNet), "classifier.out_proj.weight"),
            ("layers.1.mlp.Wi.weight", "", None, "model.layers.1.mlp.Wi.weight"),
            ("head.norm.weight", "model.", None, "head.norm.weight"),
        ] {
            assert_eq!(full_name(name, prefix, family), expected);
        }
    }
}
