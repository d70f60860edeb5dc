//! What a collection's channels and fields are. Plain types; their on-disk twins live in
//! [`format`](crate::format).

mod fields;

use std::collections::BTreeSet;

use ecphory_core::nearest::nearest;
use ecphory_text::Analyzer;

pub(crate) use fields::ColumnRule;
pub use fields::{FieldKind, FieldSchema};

use crate::error::SchemaFault;
use crate::{Error, Result};

/// The channels and the declared fields of a collection, in the order in which they were asked for.
#[derive(Clone, Debug, PartialEq)]
pub struct Schema {
    /// At least one, with different names.
    pub channels: Vec<ChannelSchema>,
    /// The fields whose type is declared. Documents may have others, whose values are taken as they come.
    pub fields: Vec<FieldSchema>,
}

/// One indexed representation of one or more text fields.
#[derive(Clone, Debug, PartialEq)]
pub struct ChannelSchema {
    /// What pipelines call it.
    pub name: String,
    /// The fields whose texts, joined by a space, the channel sees.
    pub fields: Vec<String>,
    /// How they are represented.
    pub kind: ChannelKind,
}

/// The kind of a channel and its settings.
#[derive(Clone, Debug, PartialEq)]
pub enum ChannelKind {
    /// Words, weighted by BM25.
    Bm25(Bm25Settings),
    /// One or more vectors for each document, compared by dot product.
    Dense(DenseSettings),
    /// Weighted terms of a vocabulary for each document, compared by dot product.
    Sparse(SparseSettings),
}

/// Settings of a BM25 channel.
#[derive(Clone, Debug, PartialEq)]
pub struct Bm25Settings {
    /// How slowly repetitions of a term saturate; 0 or more.
    pub k1: f32,
    /// How much long documents are held back; 0 to 1.
    pub b: f32,
    /// The spec of the analyser that turns text into terms.
    pub analyzer: String,
}

impl Default for Bm25Settings {
    /// Anserini's defaults with the English analyser.
    fn default() -> Self {
        Self { k1: 0.9, b: 0.4, analyzer: "english".to_owned() }
    }
}

/// Settings of a dense channel. The index keeps all but `dimensions` for whoever makes the vectors.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DenseSettings {
    /// The encoder's name as the user gave it.
    pub encoder: String,
    /// What the encoder said it is when the channel was made.
    pub fingerprint: String,
    /// The length of every vector.
    pub dimensions: u32,
    /// Where the encoder cuts long texts; `None` is its own limit.
    pub max_tokens: Option<u32>,
    /// The spec by which long texts are cut into passages, one vector each.
    pub passages: Option<String>,
    /// The name of the precision in which the encoder holds its weights; `None` is that of the files.
    pub precision: Option<String>,
}

/// Settings of a sparse channel. The index keeps all but `terms` for whoever makes the weights.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SparseSettings {
    /// The encoder's name as the user gave it.
    pub encoder: String,
    /// What the encoder said it is when the channel was made.
    pub fingerprint: String,
    /// How many terms the vocabulary has; terms are numbers below it.
    pub terms: u32,
    /// Where the encoder cuts long texts; `None` is its own limit.
    pub max_tokens: Option<u32>,
    /// The name of the precision in which the encoder holds its weights; `None` is that of the files.
    pub precision: Option<String>,
}

/// The largest number of dimensions; above it a row would not fit the blocks of a scan.
pub const MAX_DIMENSIONS: u32 = 1 << 16;
/// The largest vocabulary; a search has an array of it.
pub const MAX_TERMS: u32 = 1 << 24;

impl ChannelKind {
    /// Returns the kind's name with its article, for messages.
    pub(crate) fn described(&self) -> &'static str {
        match self {
            ChannelKind::Bm25(_) => "a bm25 channel",
            ChannelKind::Dense(_) => "a dense channel",
            ChannelKind::Sparse(_) => "a sparse channel",
        }
    }
}

impl Schema {
    /// Checks names, fields and settings.
    ///
    /// # Errors
    /// [`Error::Schema`] for the first channel that cannot be used, [`Error::Field`] for the first such field.
    pub fn validate(&self) -> Result<()> {
        if self.channels.is_empty() {
            return Err(fault("", SchemaFault::NoChannels));
        }
        let mut names = BTreeSet::new();
        for channel in &self.channels {
            if !is_name(&channel.name) {
                return Err(fault(&channel.name, SchemaFault::Name));
            }
            if !names.insert(channel.name.as_str()) {
                return Err(fault(&channel.name, SchemaFault::DuplicateName));
            }
            let fields: BTreeSet<&str> = channel.fields.iter().map(String::as_str).collect();
            if fields.is_empty() || fields.len() != channel.fields.len() || fields.contains("") {
                return Err(fault(&channel.name, SchemaFault::Fields));
            }
            check_settings(channel)?;
        }
        self.check_fields()
    }

    /// Returns the position of a channel.
    ///
    /// # Errors
    /// [`Error::UnknownChannel`] with the most similar name.
    pub(crate) fn position(&self, name: &str) -> Result<usize> {
        self.channels.iter().position(|channel| channel.name == name).ok_or_else(|| {
            let channels: Vec<String> = self.channels.iter().map(|c| c.name.clone()).collect();
            Error::UnknownChannel {
                name: name.to_owned(),
                nearest: nearest(name, channels.iter().map(String::as_str)).map(str::to_owned),
                channels,
            }
        })
    }
}

fn check_settings(channel: &ChannelSchema) -> Result<()> {
    let range = |setting, range| Err(fault(&channel.name, SchemaFault::Range { setting, range }));
    match &channel.kind {
        ChannelKind::Bm25(settings) => {
            if !(0.0..=1000.0).contains(&settings.k1) {
                return range("k1", "between 0 and 1000");
            }
            if !(0.0..=1.0).contains(&settings.b) {
                return range("b", "between 0 and 1");
            }
            parse_analyzer(&channel.name, settings).map(|_| ())
        }
        ChannelKind::Dense(settings) => {
            if !(1..=MAX_DIMENSIONS).contains(&settings.dimensions) {
                return range("dimensions", "between 1 and 65536");
            }
            if settings.max_tokens == Some(0) {
                return range("max_tokens", "at least 1");
            }
            Ok(())
        }
        ChannelKind::Sparse(settings) => {
            if !(1..=MAX_TERMS).contains(&settings.terms) {
                return range("terms", "between 1 and 16777216");
            }
            if settings.max_tokens == Some(0) {
                return range("max_tokens", "at least 1");
            }
            Ok(())
        }
    }
}

/// Parses a channel's analyser.
pub(crate) fn parse_analyzer(channel: &str, settings: &Bm25Settings) -> Result<Analyzer> {
    settings.analyzer.parse().map_err(|source| {
        fault(
            channel,
            SchemaFault::Analyzer { spec: settings.analyzer.clone(), source: Box::new(source) },
        )
    })
}

fn fault(channel: &str, fault: SchemaFault) -> Error {
    Error::Schema { channel: channel.to_owned(), fault }
}

fn is_name(name: &str) -> bool {
    let mut bytes = name.bytes();
    name.len() <= 64
        && bytes.next().is_some_and(|first| first.is_ascii_alphabetic())
        && bytes.all(|byte| byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'-')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn schema(edit: impl FnOnce(&mut ChannelSchema)) -> Schema {
        let mut channel = ChannelSchema {
            name: "bm25".to_owned(),
            fields: vec!["title".to_owned(), "text".to_owned()],
            kind: ChannelKind::Bm25(Bm25Settings::default()),
        };
        edit(&mut channel);
        Schema { channels: vec![channel], fields: Vec::new() }
    }

    #[test]
    fn a_bad_schema_is_refused() {
        schema(|_| ()).validate().unwrap();
        let settings = |k1, b| ChannelKind::Bm25(Bm25Settings { k1, b, ..Bm25Settings::default() });
        for bad in [
            schema(|c| c.name = "2x".to_owned()),
            schema(|c| c.name = String::new()),
            schema(|c| c.name = "a(b)".to_owned()),
            schema(|c| c.fields.clear()),
            schema(|c| c.fields[1] = "title".to_owned()),
            schema(|c| c.kind = settings(f32::NAN, 0.4)),
            schema(|c| c.kind = settings(-0.1, 0.4)),
            schema(|c| c.kind = settings(0.9, 1.1)),
            schema(|c| {
                c.kind = ChannelKind::Bm25(Bm25Settings {
                    analyzer: "no-such-analyser".to_owned(),
                    ..Bm25Settings::default()
                });
            }),
            Schema { channels: Vec::new(), fields: Vec::new() },
        ] {
            let error = bad.validate().unwrap_err();
            assert_eq!(error.kind(), ecphory_core::ErrorKind::Usage, "{error}");
        }
        let mut twice = schema(|_| ());
        twice.channels.extend(schema(|_| ()).channels);
        assert!(twice.validate().unwrap_err().to_string().contains("two channels"));
    }

    #[test]
    fn bad_fields_are_refused() {
        use FieldKind as K;
        let check = |fields: &[(&str, FieldKind)], expected: &str| {
            let field =
                |&(name, kind): &(&str, FieldKind)| FieldSchema { name: name.to_owned(), kind };
            let fields = fields.iter().map(field).collect();
            let outcome = Schema { fields, ..schema(|_| ()) }.validate();
            assert_eq!(
                outcome.map_err(|error| error.to_string()).err().unwrap_or_default(),
                expected
            );
        };
        check(&[("title", K::Text), ("text", K::Keyword), ("year", K::Integer)], "");
        check(&[("", K::Date)], "the schema's field \"\": the name is empty");
        check(&[("_id", K::Keyword)], "the schema's field \"_id\": the name is that of the id");
        check(
            &[("a", K::Bool), ("a", K::Geo)],
            "the schema's field \"a\": two fields have this name",
        );
        check(
            &[("title", K::Date)],
            "the schema's field \"title\": channel \"bm25\" covers it, so it has to be text or keyword, not date",
        );
        for kind in K::ALL {
            assert_eq!(kind.name().parse::<FieldKind>().unwrap(), kind);
        }
        let message = "integre".parse::<FieldKind>().unwrap_err().to_string();
        assert_eq!(
            message,
            "there is no kind of field `integre`, only text, keyword, integer, float, date, bool, geo; did you mean `integer`?"
        );
    }

    #[test]
    fn an_unknown_channel_gets_the_nearest_name() {
        let message = schema(|_| ()).position("bm52").unwrap_err().to_string();
        assert_eq!(
            message,
            "there is no channel `bm52`, the collection has bm25; did you mean `bm25`?"
        );
        let message = schema(|_| ()).position("embedding").unwrap_err().to_string();
        assert_eq!(message, "there is no channel `embedding`, the collection has bm25");
    }
}
