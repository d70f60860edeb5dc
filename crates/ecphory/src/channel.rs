//! What a user asks for when a collection is made: `--channel NAME:KIND(options)`.
//!
//! ```text
//! bm25
//! bm25(k1=1.2, b=0.75, analyzer=german)
//! titles:bm25(fields=title)
//! dense=minilm
//! long:dense=minilm(max_tokens=128, passages=sentences(words=120, overlap=30))
//! fast:dense=minilm(precision=int8)
//! sparse=splade(max_tokens=256)
//! ```
//! The name before the colon is that of the kind where it is missing. `fields` are joined by `+` and are
//! `title+text` where missing. A value with a comma or a parenthesis that is not closed is quoted, as is a
//! model's path that holds a parenthesis.

use std::fmt;
use std::str::FromStr;

use ecphory_index::{ChannelKind, ChannelSchema};
use ecphory_model::Precision;

use crate::pipeline::HYBRID;
use ecphory_core::nearest::{hint, nearest};

#[cfg(test)]
mod tests;

/// A channel to make: its name, its fields and its kind.
#[derive(Clone, Debug, PartialEq)]
pub struct ChannelRequest {
    /// The name by which pipelines call it.
    pub name: String,
    /// The fields whose texts it covers, joined as one text.
    pub fields: Vec<String>,
    /// The kind with its settings.
    pub kind: RequestKind,
}

/// The kind of a requested channel.
#[derive(Clone, Debug, PartialEq)]
pub enum RequestKind {
    /// Words, scored by BM25.
    Bm25 {
        /// How fast repeated words stop counting.
        k1: f32,
        /// How much long texts are held back, from 0 to 1.
        b: f32,
        /// The spec of an [`ecphory_text::Analyzer`].
        analyzer: String,
    },
    /// Vectors of an encoder.
    Dense {
        /// The name of a model that was pulled, or the path of a model directory.
        model: String,
        /// How many tokens the encoder reads at most; the model's own limit where missing.
        max_tokens: Option<u32>,
        /// The spec of [`ecphory_text::Passages`] by which texts are split; whole where missing.
        passages: Option<String>,
        /// The name of the [`ecphory_model::Precision`] in which the encoder holds its weights; that of the files
        /// where missing.
        precision: Option<String>,
    },
    /// Weighted terms of a sparse encoder.
    Sparse {
        /// The name of a model that was pulled, or the path of a model directory.
        model: String,
        /// How many tokens the encoder reads at most; the model's own limit where missing.
        max_tokens: Option<u32>,
        /// The name of the [`ecphory_model::Precision`] in which the encoder holds its weights; that of the files
        /// where missing.
        precision: Option<String>,
    },
}

const K1: f32 = 0.9;
const B: f32 = 0.4;
const ANALYZER: &str = "english";
const KINDS: [&str; 3] = ["bm25", "dense", "sparse"];
/// The fields that are read of a document where nothing else is asked for.
const FIELDS: [&str; 2] = ["title", "text"];

impl ChannelRequest {
    /// The channel `bm25` with the usual settings: k1 0.9, b 0.4, the English analyser, title and text.
    pub fn bm25() -> Self {
        let kind = RequestKind::Bm25 { k1: K1, b: B, analyzer: ANALYZER.to_owned() };
        Self { name: "bm25".to_owned(), fields: default_fields(), kind }
    }

    /// The channel `dense` with a model: title and text, whole, at the model's own limit.
    pub fn dense(model: impl Into<String>) -> Self {
        let kind = RequestKind::Dense {
            model: model.into(),
            max_tokens: None,
            passages: None,
            precision: None,
        };
        Self { name: "dense".to_owned(), fields: default_fields(), kind }
    }

    /// The channel `sparse` with a model: title and text, at the model's own limit.
    pub fn sparse(model: impl Into<String>) -> Self {
        let kind = RequestKind::Sparse { model: model.into(), max_tokens: None, precision: None };
        Self { name: "sparse".to_owned(), fields: default_fields(), kind }
    }

    /// Returns the name by which pipelines call it.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Checks what a request that was made in Rust could get wrong.
    pub(crate) fn check(&self) -> Result<(), ChannelError> {
        check(self).map_err(|problem| ChannelError { request: self.to_string(), problem })
    }

    fn kind_name(&self) -> &'static str {
        match self.kind {
            RequestKind::Bm25 { .. } => "bm25",
            RequestKind::Dense { .. } => "dense",
            RequestKind::Sparse { .. } => "sparse",
        }
    }
}

pub(crate) fn default_fields() -> Vec<String> {
    FIELDS.map(str::to_owned).to_vec()
}

impl From<&ChannelSchema> for ChannelRequest {
    /// Returns the request that a channel was made by.
    fn from(channel: &ChannelSchema) -> Self {
        let kind = match &channel.kind {
            ChannelKind::Bm25(settings) => RequestKind::Bm25 {
                k1: settings.k1,
                b: settings.b,
                analyzer: settings.analyzer.clone(),
            },
            ChannelKind::Dense(settings) => RequestKind::Dense {
                model: settings.encoder.clone(),
                max_tokens: settings.max_tokens,
                passages: settings.passages.clone(),
                precision: settings.precision.clone(),
            },
            ChannelKind::Sparse(settings) => RequestKind::Sparse {
                model: settings.encoder.clone(),
                max_tokens: settings.max_tokens,
                precision: settings.precision.clone(),
            },
        };
        Self { name: channel.name.clone(), fields: channel.fields.clone(), kind }
    }
}

/// What is wrong with a requested channel.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[error("channel `{request}`: {problem}")]
pub struct ChannelError {
    /// The request as written.
    pub request: String,
    /// What is wrong with it.
    pub problem: ChannelProblem,
}

/// What can be wrong with a requested channel.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum ChannelProblem {
    /// A kind that does not exist.
    #[error("no channel kind is called `{kind}`{}; the kinds are bm25, dense=MODEL and sparse=MODEL", hint(nearest.as_deref()))]
    UnknownKind {
        /// As written.
        kind: String,
        /// The nearest that exists.
        nearest: Option<String>,
    },
    /// `dense` or `sparse` without a model, or `bm25` with one.
    #[error("{0}")]
    Model(&'static str),
    /// A name that is empty, or reserved.
    #[error(
        "the name `{0}` cannot be used: a name is not empty, and `hybrid` stands for the fusion of all channels"
    )]
    Name(String),
    /// A parenthesis or quote without its partner.
    #[error("a parenthesis or a quote is not closed, or something follows the options")]
    Unclosed,
    /// An option that is not `name=value`.
    #[error("`{0}` is no option: write name=value")]
    NoOption(String),
    /// An option that the kind does not have.
    #[error("{kind} has no option `{name}`{}", hint(nearest.as_deref()))]
    UnknownOption {
        /// The kind.
        kind: &'static str,
        /// As written.
        name: String,
        /// The nearest that exists.
        nearest: Option<String>,
    },
    /// An option twice.
    #[error("the option `{0}` is given twice")]
    Twice(String),
    /// A value that the option cannot have.
    #[error("{option}={value} is not possible: {reason}")]
    Value {
        /// The option.
        option: String,
        /// Its value.
        value: String,
        /// Why not.
        reason: String,
    },
}

impl FromStr for ChannelRequest {
    type Err = ChannelError;

    fn from_str(text: &str) -> Result<Self, ChannelError> {
        parse(text.trim()).map_err(|problem| ChannelError { request: text.to_owned(), problem })
    }
}

fn parse(text: &str) -> Result<ChannelRequest, ChannelProblem> {
    let (name, rest) = split_name(text);
    let (head, options) = split_options(rest)?;
    let (kind, model) = match head.split_once('=') {
        Some((kind, model)) => (kind.trim(), Some(unquote(model))),
        None => (head.trim(), None),
    };
    let mut request = match (kind, model) {
        ("bm25", None) => ChannelRequest::bm25(),
        ("dense", Some(model)) if !model.is_empty() => ChannelRequest::dense(model),
        ("sparse", Some(model)) if !model.is_empty() => ChannelRequest::sparse(model),
        ("dense", _) => {
            return Err(ChannelProblem::Model("a dense channel needs a model: write dense=MODEL"));
        }
        ("sparse", _) => {
            return Err(ChannelProblem::Model(
                "a sparse channel needs a model: write sparse=MODEL",
            ));
        }
        ("bm25", Some(_)) => {
            return Err(ChannelProblem::Model("bm25 takes no model: write bm25 or bm25(k1=...)"));
        }
        _ => {
            let nearest = nearest(kind, KINDS).map(str::to_owned);
            return Err(ChannelProblem::UnknownKind { kind: kind.to_owned(), nearest });
        }
    };
    if let Some(name) = name {
        name.clone_into(&mut request.name);
    }
    let mut seen: Vec<String> = Vec::new();
    for option in options {
        let (name, value) =
            option.split_once('=').ok_or_else(|| ChannelProblem::NoOption(option.clone()))?;
        let name = name.trim();
        if seen.iter().any(|other| other == name) {
            return Err(ChannelProblem::Twice(name.to_owned()));
        }
        seen.push(name.to_owned());
        set(&mut request, name, &unquote(value))?;
    }
    check(&request)?;
    Ok(request)
}

/// Checks what holds for a request however it was made; numbers are checked with the schema.
fn check(request: &ChannelRequest) -> Result<(), ChannelProblem> {
    if request.name.is_empty() || request.name == HYBRID {
        return Err(ChannelProblem::Name(request.name.clone()));
    }
    let wrong = |option: &str, value: &str, reason: String| ChannelProblem::Value {
        option: option.to_owned(),
        value: value.to_owned(),
        reason,
    };
    let check_precision = |name: Option<&str>| {
        let Some(name) = name else { return Ok(()) };
        let parsed = name.parse::<Precision>();
        parsed.map(drop).map_err(|error| wrong("precision", name, error.to_string()))
    };
    match &request.kind {
        RequestKind::Bm25 { analyzer, .. } => {
            let parsed = analyzer.parse::<ecphory_text::Analyzer>();
            parsed.map(drop).map_err(|error| wrong("analyzer", analyzer, error.to_string()))
        }
        RequestKind::Dense { passages, precision, .. } => {
            if let Some(passages) = passages {
                let parsed = passages.parse::<ecphory_text::Passages>();
                parsed.map_err(|error| wrong("passages", passages, error.to_string()))?;
            }
            check_precision(precision.as_deref())
        }
        RequestKind::Sparse { precision, .. } => check_precision(precision.as_deref()),
    }
}

/// Splits `NAME:KIND...`; the colon has to come before anything that a kind is written with.
fn split_name(text: &str) -> (Option<&str>, &str) {
    match text.find([':', '=', '(', '"']) {
        Some(at) if text[at..].starts_with(':') => (Some(text[..at].trim()), &text[at + 1..]),
        _ => (None, text),
    }
}

/// Splits `HEAD(option, option)` into the head and its options.
fn split_options(text: &str) -> Result<(&str, Vec<String>), ChannelProblem> {
    let mut parts: Vec<(usize, usize)> = Vec::new();
    let (mut depth, mut quote, mut start, mut open, mut close) = (0, false, 0, None, None);
    for (at, c) in text.char_indices() {
        match c {
            '"' => quote = !quote,
            _ if quote => {}
            '(' => {
                depth += 1;
                if depth == 1 {
                    if open.is_some() {
                        return Err(ChannelProblem::Unclosed);
                    }
                    open = Some(at);
                    start = at + 1;
                }
            }
            ')' if depth == 0 => return Err(ChannelProblem::Unclosed),
            ')' => {
                depth -= 1;
                if depth == 0 {
                    parts.push((start, at));
                    close = Some(at);
                }
            }
            ',' if depth == 1 => {
                parts.push((start, at));
                start = at + 1;
            }
            _ => {}
        }
    }
    let ends = close.is_none_or(|at| text[at + 1..].trim().is_empty());
    if depth != 0 || quote || !ends {
        return Err(ChannelProblem::Unclosed);
    }
    let Some(open) = open else { return Ok((text, Vec::new())) };
    let options: Vec<String> =
        parts.iter().map(|&(from, to)| text[from..to].trim().to_owned()).collect();
    // `bm25()` has no options; an empty one among others is a mistake and is refused by the caller.
    let options = if options == [""] { Vec::new() } else { options };
    Ok((&text[..open], options))
}

fn unquote(value: &str) -> String {
    let value = value.trim();
    match value.strip_prefix('"').and_then(|rest| rest.strip_suffix('"')) {
        Some(inside) => inside.to_owned(),
        None => value.to_owned(),
    }
}

fn set(request: &mut ChannelRequest, name: &str, value: &str) -> Result<(), ChannelProblem> {
    let wrong = |reason: String| ChannelProblem::Value {
        option: name.to_owned(),
        value: value.to_owned(),
        reason,
    };
    if name == "fields" {
        request.fields = value.split('+').map(|field| field.trim().to_owned()).collect();
        let blank = request.fields.iter().any(String::is_empty);
        let mut distinct = request.fields.clone();
        distinct.sort();
        distinct.dedup();
        if blank || distinct.len() < request.fields.len() {
            return Err(wrong(
                "write different field names joined by +, such as title+text".into(),
            ));
        }
        return Ok(());
    }
    let kind = request.kind_name();
    match (&mut request.kind, name) {
        (RequestKind::Bm25 { k1, .. }, "k1") => {
            *k1 =
                number(value, f32::MAX).ok_or_else(|| wrong("write a number from 0 on".into()))?;
        }
        (RequestKind::Bm25 { b, .. }, "b") => {
            *b = number(value, 1.0).ok_or_else(|| wrong("write a number from 0 to 1".into()))?;
        }
        (RequestKind::Bm25 { analyzer, .. }, "analyzer") => {
            value.clone_into(analyzer);
        }
        (
            RequestKind::Dense { max_tokens, .. } | RequestKind::Sparse { max_tokens, .. },
            "max_tokens",
        ) => {
            let count = value.parse().ok().filter(|&count: &u32| count > 2);
            *max_tokens =
                Some(count.ok_or_else(|| wrong("write a whole number from 3 on".into()))?);
        }
        (RequestKind::Dense { passages, .. }, "passages") => {
            *passages = Some(value.to_owned());
        }
        (
            RequestKind::Dense { precision, .. } | RequestKind::Sparse { precision, .. },
            "precision",
        ) => {
            *precision = Some(value.to_owned());
        }
        (RequestKind::Bm25 { .. }, _) => {
            return Err(unknown(kind, name, &["fields", "k1", "b", "analyzer"]));
        }
        (RequestKind::Dense { .. }, _) => {
            return Err(unknown(kind, name, &["fields", "max_tokens", "passages", "precision"]));
        }
        (RequestKind::Sparse { .. }, _) => {
            return Err(unknown(kind, name, &["fields", "max_tokens", "precision"]));
        }
    }
    Ok(())
}

fn unknown(kind: &'static str, name: &str, options: &[&str]) -> ChannelProblem {
    let nearest = nearest(name, options.iter().copied()).map(str::to_owned);
    ChannelProblem::UnknownOption { kind, name: name.to_owned(), nearest }
}

fn number(value: &str, max: f32) -> Option<f32> {
    value.parse().ok().filter(|number: &f32| number.is_finite() && (0.0..=max).contains(number))
}

impl fmt::Display for ChannelRequest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.name != self.kind_name() {
            write!(f, "{}:", self.name)?;
        }
        let mut options: Vec<String> = Vec::new();
        if self.fields != FIELDS {
            options.push(format!("fields={}", quoted(&self.fields.join("+"))));
        }
        match &self.kind {
            RequestKind::Bm25 { k1, b, analyzer } => {
                f.write_str("bm25")?;
                if *k1 != K1 {
                    options.push(format!("k1={k1}"));
                }
                if *b != B {
                    options.push(format!("b={b}"));
                }
                if analyzer != ANALYZER {
                    options.push(format!("analyzer={}", quoted(analyzer)));
                }
            }
            RequestKind::Dense { model, max_tokens, passages, precision } => {
                write_model(f, "dense", model)?;
                options.extend(max_tokens.map(|count| format!("max_tokens={count}")));
                if let Some(passages) = passages {
                    options.push(format!("passages={}", quoted(passages)));
                }
                options.extend(precision.as_ref().map(|name| format!("precision={name}")));
            }
            RequestKind::Sparse { model, max_tokens, precision } => {
                write_model(f, "sparse", model)?;
                options.extend(max_tokens.map(|count| format!("max_tokens={count}")));
                options.extend(precision.as_ref().map(|name| format!("precision={name}")));
            }
        }
        if options.is_empty() { Ok(()) } else { write!(f, "({})", options.join(", ")) }
    }
}

fn write_model(f: &mut fmt::Formatter<'_>, kind: &str, model: &str) -> fmt::Result {
    let quotes = if model.contains(['(', ')']) { "\"" } else { "" };
    write!(f, "{kind}={quotes}{model}{quotes}")
}

/// Quotes a value that would be split or cut otherwise.
fn quoted(value: &str) -> String {
    let mut depth = 0_i32;
    let mut plain = true;
    for c in value.chars() {
        match c {
            '(' => depth += 1,
            ')' => depth -= 1,
            ',' if depth == 0 => plain = false,
            _ => {}
        }
        plain &= depth >= 0;
    }
    if plain && depth == 0 { value.to_owned() } else { format!("\"{value}\"") }
}
