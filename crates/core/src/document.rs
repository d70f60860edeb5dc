//! What the user stores: a key and named values.

use std::fmt;

/// One document: the user's key and its fields in the order in which they came.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Document {
    /// The user's key, unique in a collection.
    pub id: String,
    /// Field name and value; names are unique.
    pub fields: Vec<(String, Value)>,
}

impl Document {
    /// Makes a document without fields.
    pub fn new(id: impl Into<String>) -> Self {
        Self { id: id.into(), fields: Vec::new() }
    }

    /// Adds a field, or replaces the value it had.
    #[must_use]
    pub fn with(mut self, name: &str, value: impl Into<Value>) -> Self {
        self.set(name, value);
        self
    }

    /// Adds a field, or replaces the value it had.
    pub fn set(&mut self, name: &str, value: impl Into<Value>) {
        let value = value.into();
        match self.fields.iter_mut().find(|(n, _)| n == name) {
            Some(field) => field.1 = value,
            None => self.fields.push((name.to_owned(), value)),
        }
    }

    /// Returns a field's value.
    pub fn get(&self, name: &str) -> Option<&Value> {
        self.fields.iter().find(|(n, _)| n == name).map(|(_, v)| v)
    }

    /// Returns a field's text; `None` where the field is missing or not text.
    pub fn text(&self, name: &str) -> Option<&str> {
        match self.get(name) {
            Some(Value::Text(text)) => Some(text),
            _ => None,
        }
    }

    /// Joins the texts of `fields` with one space, leaving out missing and blank ones.
    ///
    /// This is the text that a channel covering several fields sees; lists of text count as their
    /// texts in order, other types are left out.
    pub fn joined_text(&self, fields: &[String]) -> String {
        let mut joined = String::new();
        let mut push = |text: &str| {
            let text = text.trim();
            if !text.is_empty() {
                if !joined.is_empty() {
                    joined.push(' ');
                }
                joined.push_str(text);
            }
        };
        for name in fields {
            match self.get(name) {
                Some(Value::Text(text)) => push(text),
                Some(Value::List(items)) => {
                    for item in items {
                        if let Value::Text(text) = item {
                            push(text);
                        }
                    }
                }
                _ => {}
            }
        }
        joined
    }
}

/// The value of a field.
#[derive(Clone, Debug, PartialEq)]
pub enum Value {
    /// Text or a keyword.
    Text(String),
    /// A whole number.
    Integer(i64),
    /// A finite floating-point number.
    Float(f64),
    /// True or false.
    Bool(bool),
    /// Several values, in order.
    List(Vec<Value>),
}

impl fmt::Display for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Value::Text(text) => f.write_str(text),
            Value::Integer(number) => write!(f, "{number}"),
            Value::Float(number) => write!(f, "{number}"),
            Value::Bool(flag) => write!(f, "{flag}"),
            Value::List(items) => {
                for (i, item) in items.iter().enumerate() {
                    write!(f, "{}{item}", if i == 0 { "" } else { ", " })?;
                }
                Ok(())
            }
        }
    }
}

impl From<&str> for Value {
    fn from(text: &str) -> Self {
        Value::Text(text.to_owned())
    }
}

impl From<String> for Value {
    fn from(text: String) -> Self {
        Value::Text(text)
    }
}

impl From<i64> for Value {
    fn from(number: i64) -> Self {
        Value::Integer(number)
    }
}

impl From<f64> for Value {
    fn from(number: f64) -> Self {
        Value::Float(number)
    }
}

impl From<bool> for Value {
    fn from(flag: bool) -> Self {
        Value::Bool(flag)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn joined_text_skips_what_is_missing_blank_or_no_text() {
        let doc = Document::new("1")
            .with("title", " Radium ")
            .with("year", 1898)
            .with("empty", "  ")
            .with("tags", Value::List(vec!["physics".into(), Value::Integer(3), "nobel".into()]));
        let fields = ["title", "year", "absent", "empty", "tags"].map(str::to_owned);
        assert_eq!(doc.joined_text(&fields), "Radium physics nobel");
    }

    #[test]
    fn set_replaces() {
        let doc = Document::new("1").with("a", 1).with("a", 2);
        assert_eq!(doc.fields, vec![("a".to_owned(), Value::Integer(2))]);
    }
}
