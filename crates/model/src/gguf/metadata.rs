//! The metadata of a GGUF file: keys with typed values.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

use super::cursor::Cursor;
use super::problem::GgufProblem;
use crate::error::{Error, Result};

/// A value of the metadata. All integers fit an `i128`.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Value {
    Integer(i128),
    Float(f64),
    Bool(bool),
    Text(String),
    Array(Vec<Value>),
}

impl Value {
    pub(super) fn as_u64(&self) -> Option<u64> {
        match self {
            Value::Integer(value) => u64::try_from(*value).ok(),
            _ => None,
        }
    }
}

/// Types of values by their number in the format, and the least bytes of one.
const ARRAY: u32 = 9;
const LEAST_BYTES: [usize; 13] = [1, 1, 2, 2, 4, 4, 4, 1, 8, 12, 8, 8, 8];

/// The longest array that is read: a vocabulary has a few hundred thousand tokens and merges.
const MOST_ELEMENTS: usize = 1 << 22;

/// Reads the value of a key.
pub(super) fn read_value(cursor: &mut Cursor<'_>, key: &str) -> Result<Value, GgufProblem> {
    let kind = cursor.u32()?;
    if kind != ARRAY {
        return read_scalar(cursor, key, kind);
    }
    let kind = cursor.u32()?;
    if kind == ARRAY {
        return Err(GgufProblem::Nested { key: key.to_owned() });
    }
    let least = LEAST_BYTES.get(kind as usize).copied().unwrap_or(1);
    let count = cursor.count(least)?;
    if count > MOST_ELEMENTS {
        return Err(GgufProblem::Long { key: key.to_owned(), found: count });
    }
    let values = (0..count).map(|_| read_scalar(cursor, key, kind));
    values.collect::<Result<_, _>>().map(Value::Array)
}

fn read_scalar(cursor: &mut Cursor<'_>, key: &str, kind: u32) -> Result<Value, GgufProblem> {
    Ok(match kind {
        0 => Value::Integer(u8::from_le_bytes(cursor.take()?).into()),
        1 => Value::Integer(i8::from_le_bytes(cursor.take()?).into()),
        2 => Value::Integer(u16::from_le_bytes(cursor.take()?).into()),
        3 => Value::Integer(i16::from_le_bytes(cursor.take()?).into()),
        4 => Value::Integer(cursor.u32()?.into()),
        5 => Value::Integer(i32::from_le_bytes(cursor.take()?).into()),
        6 => Value::Float(f32::from_le_bytes(cursor.take()?).into()),
        7 => Value::Bool(cursor.take::<1>()? != [0]),
        8 => Value::Text(cursor.text()?.to_owned()),
        10 => Value::Integer(cursor.u64()?.into()),
        11 => Value::Integer(i64::from_le_bytes(cursor.take()?).into()),
        12 => Value::Float(f64::from_le_bytes(cursor.take()?)),
        found => return Err(GgufProblem::ValueType { key: key.to_owned(), found }),
    })
}

/// The metadata of a file, asked for by key; what is missing or has another type is an error with both.
pub(crate) struct Metadata {
    path: Arc<PathBuf>,
    values: BTreeMap<String, Value>,
}

impl Metadata {
    pub(super) fn new(path: Arc<PathBuf>, values: BTreeMap<String, Value>) -> Self {
        Self { path, values }
    }

    /// Returns a text, or `None` where the key is missing.
    pub(crate) fn text(&self, key: &str) -> Result<Option<&str>> {
        self.find(key, "a text", |value| match value {
            Value::Text(text) => Some(text.as_str()),
            _ => None,
        })
    }

    /// Returns a number that is not negative, or `None` where the key is missing.
    pub(crate) fn integer(&self, key: &str) -> Result<Option<usize>> {
        self.find(key, "a number that is not negative", |value| {
            value.as_u64().and_then(|n| usize::try_from(n).ok())
        })
    }

    /// Returns a floating-point number, or `None` where the key is missing.
    pub(crate) fn float(&self, key: &str) -> Result<Option<f64>> {
        self.find(key, "a floating-point number", |value| match value {
            Value::Float(value) => Some(*value),
            _ => None,
        })
    }

    /// Returns a truth value, or `None` where the key is missing.
    pub(crate) fn bool(&self, key: &str) -> Result<Option<bool>> {
        self.find(key, "a truth value", |value| match value {
            Value::Bool(value) => Some(*value),
            _ => None,
        })
    }

    /// Returns an array of texts, or `None` where the key is missing.
    pub(crate) fn texts(&self, key: &str) -> Result<Option<Vec<&str>>> {
        self.find(key, "an array of texts", |value| match value {
            Value::Array(values) => values
                .iter()
                .map(|value| if let Value::Text(text) = value { Some(text.as_str()) } else { None })
                .collect(),
            _ => None,
        })
    }

    /// Returns an array of numbers that are not negative, or `None` where the key is missing.
    pub(crate) fn integers(&self, key: &str) -> Result<Option<Vec<u64>>> {
        self.find(key, "an array of numbers that are not negative", |value| match value {
            Value::Array(values) => values.iter().map(Value::as_u64).collect(),
            _ => None,
        })
    }

    /// Turns the absence of a key into an error.
    pub(crate) fn required<T>(&self, key: &str, value: Option<T>) -> Result<T> {
        let missing = || Error::Metadata {
            path: self.path.to_path_buf(),
            key: key.to_owned(),
            found: "missing".to_owned(),
            supported: "to be there".to_owned(),
        };
        value.ok_or_else(missing)
    }

    /// Makes the error of a value that is not supported.
    pub(crate) fn unsupported(&self, key: &str, found: &str, supported: &str) -> Error {
        Error::Metadata {
            path: self.path.to_path_buf(),
            key: key.to_owned(),
            found: found.to_owned(),
            supported: supported.to_owned(),
        }
    }

    fn find<'a, T>(
        &'a self,
        key: &str,
        expected: &str,
        take: impl Fn(&'a Value) -> Option<T>,
    ) -> Result<Option<T>> {
        let Some(value) = self.values.get(key) else { return Ok(None) };
        match take(value) {
            Some(taken) => Ok(Some(taken)),
            None => Err(self.unsupported(key, value.kind(), expected)),
        }
    }
}

impl Value {
    fn kind(&self) -> &'static str {
        match self {
            Value::Integer(_) => "an integer",
            Value::Float(_) => "a floating-point number",
            Value::Bool(_) => "a truth value",
            Value::Text(_) => "a text",
            Value::Array(_) => "an array",
        }
    }
}
