//! How texts become the tokens that a model reads.

use std::borrow::Cow;
use std::path::Path;

use ecphory_text::subword::{Pair, Tokenizer, WordTokens};

use crate::encoder::{Role, name_of};
use crate::error::{Error, Result};
use crate::layout::{Layout, Prompts};
use crate::load;
use crate::words::{self, NO_WORD};

/// What a model can read.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Limits {
    /// The least and the most tokens of a text.
    pub(crate) tokens: (usize, usize),
    pub(crate) default_tokens: usize,
    /// Rows of the token table.
    pub(crate) vocabulary: usize,
    /// Whether the tokens that begin and end a text are read.
    pub(crate) has_special_tokens: bool,
}

/// The tokens of a text, and for each the number of its whole word.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct NumberedTokens {
    pub(crate) ids: Vec<u32>,
    pub(crate) words: Vec<u32>,
}

/// The tokenizer of a model with its settings.
pub(crate) struct Reading {
    pub(crate) name: String,
    pub(crate) max_tokens: usize,
    /// How many tokens are read of a query.
    query_tokens: usize,
    pub(crate) tokenizer: Tokenizer,
    prompts: Prompts,
    pub(crate) lower_case: bool,
    limits: Limits,
}

impl Reading {
    /// Opens the tokenizer of a directory that was laid out; `asked` is another limit of tokens than the model's own.
    pub(crate) fn open(
        directory: &Path,
        layout: &Layout,
        limits: Limits,
        asked: Option<usize>,
    ) -> Result<Self> {
        let plain = Self::without_prompts(directory, &layout.body, limits, asked)?;
        let most = plain.max_tokens;
        let query_tokens = layout.query_tokens.map_or(most, |n| n.clamp(limits.tokens.0, most));
        let (prompts, lower_case) = (layout.prompts.clone(), layout.lower_case);
        Ok(Self { query_tokens, prompts, lower_case, ..plain })
    }

    /// Opens the tokenizer that lies with a model's weights, for texts as they stand.
    pub(crate) fn without_prompts(
        directory: &Path,
        body: &Path,
        limits: Limits,
        asked: Option<usize>,
    ) -> Result<Self> {
        let (least, most) = limits.tokens;
        let max_tokens = asked.unwrap_or(limits.default_tokens);
        if !(least..=most).contains(&max_tokens) {
            let model = directory.display().to_string();
            return Err(Error::MaxTokens { model, asked: max_tokens, least, most });
        }
        Ok(Self {
            name: name_of(directory),
            max_tokens,
            query_tokens: max_tokens,
            tokenizer: Tokenizer::open(&load::tokenizer(body)?)?,
            prompts: Prompts::default(),
            lower_case: false,
            limits,
        })
    }

    /// Puts something before texts from now on.
    pub(crate) fn set_prompts(&mut self, prompts: Prompts) {
        self.prompts = prompts;
    }

    /// Returns what is put before a text.
    pub(crate) fn prompt(&self, role: Role) -> &str {
        match role {
            Role::Query => &self.prompts.query,
            Role::Document => &self.prompts.document,
        }
    }

    /// Returns the tokens of a text after the prompt of its role.
    pub(crate) fn tokens_as(&self, text: &str, role: Role) -> Result<Vec<u32>> {
        let (prompt, most) = (self.prompt(role), self.tokens_of(role));
        if prompt.is_empty() {
            return self.tokens_within(text, most);
        }
        self.tokens_within(&format!("{prompt}{text}"), most)
    }

    /// Returns how many tokens are read of a text of a role.
    pub(crate) fn tokens_of(&self, role: Role) -> usize {
        match role {
            Role::Query => self.query_tokens,
            Role::Document => self.max_tokens,
        }
    }

    /// Returns the tokens of a text.
    pub(crate) fn tokens(&self, text: &str) -> Result<Vec<u32>> {
        self.tokens_within(text, self.max_tokens)
    }

    fn tokens_within(&self, text: &str, most: usize) -> Result<Vec<u32>> {
        let text = self.folded(text);
        let tokens = if self.limits.has_special_tokens {
            self.tokenizer.encode(&text, most)?
        } else {
            self.tokenizer.encode_bare(&text, most)?
        };
        self.check(&tokens)?;
        Ok(tokens)
    }

    /// Returns what [`Self::tokens_as`] returns, and the number of each token's word. The words of a prompt are not those
    /// of the text.
    pub(crate) fn numbered_as(&self, text: &str, role: Role) -> Result<NumberedTokens> {
        let (prompt, most) = (self.prompt(role), self.tokens_of(role));
        let whole = format!("{prompt}{text}");
        let (whole, prompt) = (self.folded(&whole), self.folded(prompt));
        let WordTokens { ids, words } = if self.limits.has_special_tokens {
            self.tokenizer.encode_words(&whole, most)?
        } else {
            self.tokenizer.encode_bare_words(&whole, most)?
        };
        self.check(&ids)?;
        let mut numbers = Vec::with_capacity(ids.len());
        for same in words.chunk_by(|a, b| a == b) {
            let word = &whole[same[0].start.max(prompt.len()).min(same[0].end)..same[0].end];
            let number = if word.is_empty() { NO_WORD } else { words::number(word) };
            numbers.resize(numbers.len() + same.len(), number);
        }
        Ok(NumberedTokens { ids, words: numbers })
    }

    /// Returns the tokens of two texts as one input, and the types that the tokenizer gives them.
    pub(crate) fn pair(&self, first: &str, second: &str) -> Result<Pair> {
        let (first, second) = (self.folded(first), self.folded(second));
        let pair = self.tokenizer.encode_pair(&first, &second, self.max_tokens)?;
        self.check(&pair.ids)?;
        Ok(pair)
    }

    fn folded<'a>(&self, text: &'a str) -> Cow<'a, str> {
        if self.lower_case { text.to_lowercase().into() } else { text.into() }
    }

    fn check(&self, tokens: &[u32]) -> Result<()> {
        let rows = self.limits.vocabulary;
        match tokens.iter().find(|&&token| token as usize >= rows) {
            Some(&token) => Err(Error::TokenOutside { model: self.name.clone(), token, rows }),
            None => Ok(()),
        }
    }
}
