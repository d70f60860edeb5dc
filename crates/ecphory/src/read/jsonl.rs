//! JSON lines in BEIR layout, one object a line.
//!
//! `null` means that a field is missing. A nested object becomes fields with dots in their names, so that
//! BEIR's empty `metadata` vanishes and `{"metadata": {"year": 1898}}` gives `metadata.year`.

use std::fmt;
use std::path::Path;

use ecphory_core::{Document, Value};
use serde::de::{Deserialize, Deserializer, MapAccess, Visitor};
use serde_json::Value as Json;

use super::{BadDocument, Reading, lines};
use crate::Error;

pub(super) fn read(path: &Path, bytes: u64, reading: &mut Reading<'_>) -> Result<(), Error> {
    lines::for_each(path, bytes, reading, &mut |reading, place, line| {
        let document = parse(line);
        reading.take(place, document)
    })
}

fn parse(line: &str) -> Result<Document, BadDocument> {
    let Pairs(pairs) = match serde_json::from_str(line) {
        Ok(pairs) => pairs,
        Err(error) => return Err(not_pairs(line, &error)),
    };
    let mut document = Document::default();
    let mut id = None;
    for (i, (key, value)) in pairs.iter().enumerate() {
        if pairs[..i].iter().any(|(other, _)| other == key) {
            return Err(BadDocument::KeyTwice(key.clone()));
        }
        if key == "_id" {
            id = Some(parse_id(value)?);
        } else {
            add(&mut document, key, value)?;
        }
    }
    document.id = id.ok_or(BadDocument::MissingId)?;
    Ok(document)
}

fn not_pairs(line: &str, error: &serde_json::Error) -> BadDocument {
    match serde_json::from_str::<Json>(line) {
        Ok(value) if !value.is_object() => BadDocument::NotAnObject { found: kind(&value) },
        _ => {
            let message = error.to_string();
            // The place is given as the column; the JSON reader's own says `line 1` of every line.
            let message = message.split(" at line ").next().unwrap_or_default().to_owned();
            BadDocument::Json { column: error.column(), message }
        }
    }
}

fn parse_id(value: &Json) -> Result<String, BadDocument> {
    match value {
        Json::String(id) => Ok(id.clone()),
        Json::Number(number) if !number.is_f64() => Ok(number.to_string()),
        Json::Null => Err(BadDocument::MissingId),
        other => Err(BadDocument::BadId { found: kind(other) }),
    }
}

/// Adds a field; the JSON reader has limited how deep objects nest, so the recursion is limited too.
fn add(document: &mut Document, name: &str, value: &Json) -> Result<(), BadDocument> {
    if let Json::Object(inside) = value {
        for (key, value) in inside {
            add(document, &format!("{name}.{key}"), value)?;
        }
        return Ok(());
    }
    if value.is_null() {
        return Ok(());
    }
    let bad = |value: &Json| BadDocument::BadField { name: name.to_owned(), found: kind(value) };
    let value = match value {
        Json::Array(items) => Value::List(
            items
                .iter()
                .filter(|item| !item.is_null())
                .map(|item| scalar(item).ok_or_else(|| bad(item)))
                .collect::<Result<_, _>>()?,
        ),
        other => scalar(other).ok_or_else(|| bad(other))?,
    };
    if document.get(name).is_some() {
        return Err(BadDocument::KeyTwice(name.to_owned()));
    }
    document.fields.push((name.to_owned(), value));
    Ok(())
}

fn scalar(value: &Json) -> Option<Value> {
    match value {
        Json::String(text) => Some(Value::Text(text.clone())),
        Json::Bool(flag) => Some(Value::Bool(*flag)),
        Json::Number(number) if number.is_f64() => number.as_f64().map(Value::Float),
        // A whole number beyond 64 bits with sign would lose digits as a float.
        Json::Number(number) => number.as_i64().map(Value::Integer),
        _ => None,
    }
}

fn kind(value: &Json) -> &'static str {
    match value {
        Json::Null => "null",
        Json::Bool(_) => "a boolean",
        Json::Number(number) if number.is_f64() => "a fraction",
        Json::Number(_) => "a whole number beyond 64 bits",
        Json::String(_) => "a string",
        Json::Array(_) => "a list",
        Json::Object(_) => "an object",
    }
}

/// An object with its keys as they come, so that a repeated one is seen.
struct Pairs(Vec<(String, Json)>);

impl<'de> Deserialize<'de> for Pairs {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Collect;
        impl<'de> Visitor<'de> for Collect {
            type Value = Pairs;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Pairs, A::Error> {
                let mut pairs = Vec::new();
                while let Some(pair) = map.next_entry()? {
                    pairs.push(pair);
                }
                Ok(Pairs(pairs))
            }
        }
        deserializer.deserialize_map(Collect)
    }
}
