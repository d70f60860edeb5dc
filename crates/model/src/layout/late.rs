//! What a directory says about late interaction: the settings of `PyLate`, beside the prompts.

use std::path::Path;

use serde::{Deserialize, Serialize};

use super::{Layout, MODULES, PROMPTS};
use crate::error::{Error, Result};
use crate::json;

/// The settings; what is missing has `PyLate`'s own value, which is not what is read here.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(default)]
pub(crate) struct LateSettings {
    /// What is put before the tokens of a query.
    pub(crate) query_prefix: Option<String>,
    /// What is put before the tokens of a document.
    pub(crate) document_prefix: Option<String>,
    /// How many tokens of a query are read.
    pub(crate) query_length: Option<usize>,
    /// How many tokens of a document are read.
    pub(crate) document_length: Option<usize>,
    /// Whether queries are filled up with masks.
    pub(crate) do_query_expansion: Option<bool>,
    /// Whether tokens see these masks.
    pub(crate) attend_to_expansion_tokens: Option<bool>,
    /// The tokens of documents that do not count.
    pub(crate) skiplist_words: Option<Vec<String>>,
}

impl LateSettings {
    /// Those of a model whose tokens all count, and that reads nothing but the text.
    pub(crate) fn plain(query_length: usize, document_length: usize) -> Self {
        Self {
            query_prefix: Some(String::new()),
            document_prefix: Some(String::new()),
            query_length: Some(query_length),
            document_length: Some(document_length),
            do_query_expansion: Some(false),
            attend_to_expansion_tokens: Some(false),
            skiplist_words: Some(Vec::new()),
        }
    }

    /// Refuses what would change vectors and is not done.
    fn check(&self, path: &Path) -> Result<()> {
        let refuse = |setting, found: String, supported: &str| {
            Err(Error::unsupported(path, setting, &found, supported))
        };
        for (setting, prefix, default) in [
            ("query_prefix", &self.query_prefix, "[Q] "),
            ("document_prefix", &self.document_prefix, "[D] "),
        ] {
            let prefix = prefix.as_deref().unwrap_or(default);
            if !prefix.is_empty() {
                return refuse(setting, format!("{prefix:?}"), "an empty one");
            }
        }
        if self.do_query_expansion.unwrap_or(true) {
            return refuse("do_query_expansion", "true".to_owned(), "false");
        }
        match &self.skiplist_words {
            Some(words) if words.is_empty() => Ok(()),
            Some(words) => refuse("skiplist_words", format!("{} words", words.len()), "none"),
            None => refuse("skiplist_words", "missing, which means punctuation".into(), "none"),
        }
    }
}

impl Layout {
    /// Reads the settings of late interaction.
    pub(super) fn read_late(&mut self, directory: &Path) -> Result<()> {
        let path = directory.join(PROMPTS);
        let settings: LateSettings = json::read_optional(&path)?.unwrap_or_default();
        settings.check(&path)?;
        self.max_tokens = settings.document_length.or(self.max_tokens);
        self.query_tokens = settings.query_length;
        Ok(())
    }

    /// Refuses a model that makes a vector of each token.
    pub(crate) fn refuse_late(&self, directory: &Path) -> Result<()> {
        if !self.is_late() {
            return Ok(());
        }
        Err(Error::unsupported(
            &directory.join(MODULES),
            "modules",
            "a list without Pooling",
            "one vector a text; late interaction reranks, as `dense >> maxsim(\"DIRECTORY\")`",
        ))
    }
}
