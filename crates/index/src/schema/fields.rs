//! Declared fields: their types, and what they say about values.

use std::collections::BTreeSet;
use std::fmt;
use std::str::FromStr;

use ecphory_core::Value;
use ecphory_core::nearest::nearest;

use super::Schema;
use crate::date;
use crate::error::{DocumentFault, FieldFault};
use crate::filter::ID_FIELD;
use crate::segment::columns::{Coding, point_of};
use crate::segment::documents::FieldValue;
use crate::{Error, Result};

/// A declared field.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FieldSchema {
    /// Its name in documents.
    pub name: String,
    /// What its values are; a list of such values is always allowed.
    pub kind: FieldKind,
}

/// The type of a declared field.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FieldKind {
    /// Texts of any length, for channels. Filters find them, but slowly: they read the stored documents.
    Text,
    /// Short texts that stand for something: filters, facets and sorting are fast.
    Keyword,
    /// Whole numbers.
    Integer,
    /// Fractional numbers; whole ones are taken too.
    Float,
    /// Days and instants, written as in RFC 3339 or cut off after the year, the month or the day.
    Date,
    /// `true` or `false`.
    Bool,
    /// Points on the earth: a list of two numbers, latitude and longitude, or a text such as `"52.5,13.4"`.
    Geo,
}

/// Which fields have columns.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ColumnRule {
    /// The field has none.
    Never,
    /// The field has one where the texts in the segment are short.
    ShortTexts,
    /// The field has one.
    Always,
}

impl FieldKind {
    /// All kinds.
    pub const ALL: [FieldKind; 7] = [
        FieldKind::Text,
        FieldKind::Keyword,
        FieldKind::Integer,
        FieldKind::Float,
        FieldKind::Date,
        FieldKind::Bool,
        FieldKind::Geo,
    ];

    /// Returns the kind's name, such as `integer`.
    pub fn name(self) -> &'static str {
        match self {
            FieldKind::Text => "text",
            FieldKind::Keyword => "keyword",
            FieldKind::Integer => "integer",
            FieldKind::Float => "float",
            FieldKind::Date => "date",
            FieldKind::Bool => "bool",
            FieldKind::Geo => "geo",
        }
    }

    /// Returns what a value of the kind is, for messages.
    fn described(self) -> String {
        match self {
            FieldKind::Text | FieldKind::Keyword => "a text".to_owned(),
            FieldKind::Integer => "a whole number".to_owned(),
            FieldKind::Float => "a number".to_owned(),
            FieldKind::Date => format!("a date such as {}", date::EXAMPLES),
            FieldKind::Bool => "true or false".to_owned(),
            FieldKind::Geo => {
                "a latitude from -90 to 90 and a longitude from -180 to 180".to_owned()
            }
        }
    }

    /// Returns the first element of a value that is not of this kind. The depth of lists is bounded.
    fn misfit(self, value: &Value) -> Option<&Value> {
        if self == FieldKind::Geo && point_of(&FieldValue::of(value)).is_some() {
            return None;
        }
        let fits = match (self, value) {
            (FieldKind::Geo, Value::List(items)) if !items.iter().all(is_point_or_list) => false,
            (_, Value::List(items)) => return items.iter().find_map(|item| self.misfit(item)),
            (FieldKind::Date, Value::Text(text)) => date::parse(text).is_some(),
            (FieldKind::Text | FieldKind::Keyword, Value::Text(_))
            | (FieldKind::Integer | FieldKind::Float, Value::Integer(_))
            | (FieldKind::Float, Value::Float(_))
            | (FieldKind::Bool, Value::Bool(_)) => true,
            _ => false,
        };
        (!fits).then_some(value)
    }
}

/// Whether an element of a list can be a point at all: if not, the whole list was meant to be one.
fn is_point_or_list(value: &Value) -> bool {
    matches!(value, Value::Text(_) | Value::List(_))
}

impl fmt::Display for FieldKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for FieldKind {
    type Err = Error;

    fn from_str(name: &str) -> Result<Self> {
        FieldKind::ALL.into_iter().find(|kind| kind.name() == name).ok_or_else(|| {
            let nearest = nearest(name, FieldKind::ALL.map(FieldKind::name)).map(str::to_owned);
            Error::UnknownFieldKind { name: name.to_owned(), nearest }
        })
    }
}

impl Schema {
    /// Returns the kind of a declared field.
    pub fn field(&self, name: &str) -> Option<FieldKind> {
        self.fields.iter().find(|field| field.name == name).map(|field| field.kind)
    }

    pub(super) fn check_fields(&self) -> Result<()> {
        let mut names = BTreeSet::new();
        for FieldSchema { name, kind } in &self.fields {
            let fault = |fault| Err(Error::Field { field: name.clone(), fault });
            if name.is_empty() {
                return fault(FieldFault::EmptyName);
            }
            if name == ID_FIELD {
                return fault(FieldFault::IdName);
            }
            if !names.insert(name) {
                return fault(FieldFault::DuplicateName);
            }
            let covers = self.channels.iter().find(|channel| channel.fields.contains(name));
            if let Some(channel) = covers
                && !matches!(kind, FieldKind::Text | FieldKind::Keyword)
            {
                let (channel, kind) = (channel.name.clone(), *kind);
                return fault(FieldFault::Covered { channel, kind });
            }
        }
        Ok(())
    }

    /// Checks a document's value against the declared kind of its field.
    pub(crate) fn check_value(
        &self,
        name: &str,
        value: &Value,
    ) -> std::result::Result<(), DocumentFault> {
        let Some(kind) = self.field(name) else { return Ok(()) };
        kind.misfit(value).map_or(Ok(()), |found| {
            let (field, expected, found) = (name.to_owned(), kind.described(), described(found));
            Err(DocumentFault::Type { field, kind, expected, found })
        })
    }

    /// Returns how a field's values are compared.
    pub(crate) fn coding(&self, name: &str) -> Coding {
        match self.field(name) {
            Some(FieldKind::Float) => Coding::Float,
            Some(FieldKind::Date) => Coding::Date,
            Some(FieldKind::Geo) => Coding::Geo,
            _ => Coding::AsIs,
        }
    }

    /// Returns which segments have a column of a field.
    pub(crate) fn column_rule(&self, name: &str) -> ColumnRule {
        match self.field(name) {
            Some(FieldKind::Text) => ColumnRule::Never,
            Some(_) => ColumnRule::Always,
            None if self.covers(name) => ColumnRule::Never,
            None => ColumnRule::ShortTexts,
        }
    }

    /// Yields the fields that never have a column.
    pub(crate) fn fields_without_columns(&self) -> impl Iterator<Item = &str> {
        let declared = self.fields.iter().map(|field| &field.name);
        let covered = self.channels.iter().flat_map(|channel| &channel.fields);
        let all = declared.chain(covered).map(String::as_str);
        all.filter(|name| self.column_rule(name) == ColumnRule::Never)
    }

    /// Returns whether a channel covers a field.
    pub(crate) fn covers(&self, name: &str) -> bool {
        self.channels.iter().any(|channel| channel.fields.iter().any(|field| field == name))
    }
}

/// Returns what a value is, for messages; only the beginning of a long text.
fn described(value: &Value) -> String {
    const SHOWN: usize = 40;
    match value {
        Value::Text(text) if text.chars().count() > SHOWN => {
            format!("the text {:?}...", text.chars().take(SHOWN).collect::<String>())
        }
        Value::Text(text) => format!("the text {text:?}"),
        Value::Integer(number) => format!("the whole number {number}"),
        Value::Float(number) => format!("the number {number:?}"),
        Value::Bool(flag) => flag.to_string(),
        Value::List(items) => format!("the list ({})", Value::List(items.clone())),
    }
}
