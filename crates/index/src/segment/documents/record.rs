//! The bytes of one stored document.

use ecphory_core::{Document, Value};
use rustc_hash::{FxHashMap, FxHashSet};

/// How deep lists may nest; also bounds the recursion of reader and writer.
pub(crate) const MAX_LIST_DEPTH: usize = 8;

const TEXT: u8 = 0;
const INTEGER: u8 = 1;
const FLOAT: u8 = 2;
const FALSE: u8 = 3;
const TRUE: u8 = 4;
const LIST: u8 = 5;

/// The names of a segment's fields in order of first appearance; records hold their numbers.
#[derive(Debug, Default)]
pub(crate) struct FieldNames<'a> {
    names: Vec<&'a str>,
    numbers: FxHashMap<&'a str, u32>,
}

impl<'a> FieldNames<'a> {
    /// Adds a name where it is not there yet.
    pub fn add(&mut self, name: &'a str) {
        if !self.numbers.contains_key(name) {
            self.numbers.insert(name, self.names.len() as u32);
            self.names.push(name);
        }
    }

    /// Returns the names in order.
    pub fn names(&self) -> &[&'a str] {
        &self.names
    }

    /// Returns the bytes of the section: a count, then each name with its length before it.
    pub fn encode(&self) -> Vec<u8> {
        let mut out = Vec::new();
        put_u32(&mut out, self.names.len());
        for name in &self.names {
            put_bytes(&mut out, name.as_bytes());
        }
        out
    }
}

/// Appends a document's fields: their number, then name and value of each.
pub(crate) fn encode(document: &Document, names: &FieldNames<'_>, out: &mut Vec<u8>) {
    put_u32(out, document.fields.len());
    for (name, value) in &document.fields {
        out.extend_from_slice(&names.numbers[name.as_str()].to_le_bytes());
        encode_value(value, out);
    }
}

/// Appends the record `fields`, whose names are numbers of `old`, with the numbers of `names`.
pub(crate) fn renumber(
    fields: &[(u32, FieldValue<'_>)],
    old: &[String],
    names: &FieldNames<'_>,
    out: &mut Vec<u8>,
) -> Option<()> {
    put_u32(out, fields.len());
    for (name, value) in fields {
        let number = names.numbers.get(old.get(*name as usize)?.as_str())?;
        out.extend_from_slice(&number.to_le_bytes());
        encode_value(&value.to_value(), out);
    }
    Some(())
}

/// The recursion is bounded, as documents with deeper lists than [`MAX_LIST_DEPTH`] were refused.
fn encode_value(value: &Value, out: &mut Vec<u8>) {
    match value {
        Value::Text(text) => {
            out.push(TEXT);
            put_bytes(out, text.as_bytes());
        }
        Value::Integer(number) => {
            out.push(INTEGER);
            out.extend_from_slice(&number.to_le_bytes());
        }
        Value::Float(number) => {
            out.push(FLOAT);
            out.extend_from_slice(&number.to_le_bytes());
        }
        Value::Bool(flag) => out.push(if *flag { TRUE } else { FALSE }),
        Value::List(items) => {
            out.push(LIST);
            put_u32(out, items.len());
            for item in items {
                encode_value(item, out);
            }
        }
    }
}

fn put_u32(out: &mut Vec<u8>, number: usize) {
    let number = u32::try_from(number).expect("documents are smaller than MAX_DOCUMENT_BYTES");
    out.extend_from_slice(&number.to_le_bytes());
}

fn put_bytes(out: &mut Vec<u8>, bytes: &[u8]) {
    put_u32(out, bytes.len());
    out.extend_from_slice(bytes);
}

/// A field's value inside the bytes of a record.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum FieldValue<'a> {
    Text(&'a str),
    Integer(i64),
    Float(f64),
    Bool(bool),
    List(Vec<FieldValue<'a>>),
}

impl<'a> FieldValue<'a> {
    /// Sees a document's value as one of a record.
    pub fn of(value: &'a Value) -> Self {
        match value {
            Value::Text(text) => FieldValue::Text(text),
            Value::Integer(number) => FieldValue::Integer(*number),
            Value::Float(number) => FieldValue::Float(*number),
            Value::Bool(flag) => FieldValue::Bool(*flag),
            Value::List(items) => FieldValue::List(items.iter().map(Self::of).collect()),
        }
    }

    /// Copies the value out of the record.
    pub fn to_value(&self) -> Value {
        match self {
            FieldValue::Text(text) => Value::Text((*text).to_owned()),
            FieldValue::Integer(number) => Value::Integer(*number),
            FieldValue::Float(number) => Value::Float(*number),
            FieldValue::Bool(flag) => Value::Bool(*flag),
            FieldValue::List(items) => Value::List(items.iter().map(Self::to_value).collect()),
        }
    }
}

/// A reader of the bytes that [`encode`] wrote. Every method returns `None` where they are cut short or wrong.
#[derive(Clone, Debug)]
pub(crate) struct Fields<'a>(&'a [u8]);

impl<'a> Fields<'a> {
    /// Decodes the section of field names.
    pub fn names(bytes: &'a [u8]) -> Option<Vec<String>> {
        let mut reader = Fields(bytes);
        let count = reader.u32()?;
        let names: Option<Vec<&str>> = (0..count).map(|_| reader.text()).collect();
        let names = names.filter(|_| reader.0.is_empty())?;
        // Otherwise a name's number would depend on who looks it up.
        let different = names.iter().collect::<FxHashSet<_>>().len() == names.len();
        different.then(|| names.into_iter().map(str::to_owned).collect())
    }

    /// Reads the bytes of a record that [`encode`] wrote.
    pub fn new(record: &'a [u8]) -> Self {
        Fields(record)
    }

    /// Returns the bytes of the record.
    pub fn bytes(&self) -> &'a [u8] {
        self.0
    }

    /// Cuts the next record off a block: its length stands before it.
    pub fn next_record(block: &mut &'a [u8]) -> Option<Fields<'a>> {
        let mut reader = Fields(block);
        let length = reader.u32()? as usize;
        let (record, rest) = reader.0.split_at_checked(length)?;
        *block = rest;
        Some(Fields(record))
    }

    /// Decodes a whole record.
    pub fn decode(mut self) -> Option<Vec<(u32, FieldValue<'a>)>> {
        let count = self.u32()?;
        let fields: Option<Vec<_>> =
            (0..count).map(|_| Some((self.u32()?, self.value(MAX_LIST_DEPTH)?))).collect();
        fields.filter(|_| self.0.is_empty())
    }

    fn value(&mut self, depth: usize) -> Option<FieldValue<'a>> {
        Some(match self.take::<1>()?[0] {
            TEXT => FieldValue::Text(self.text()?),
            INTEGER => FieldValue::Integer(i64::from_le_bytes(self.take()?)),
            FLOAT => {
                let number = Some(f64::from_le_bytes(self.take()?));
                FieldValue::Float(number.filter(|number| number.is_finite())?)
            }
            FALSE => FieldValue::Bool(false),
            TRUE => FieldValue::Bool(true),
            LIST if depth > 0 => {
                let count = self.u32()?;
                let items: Option<Vec<_>> = (0..count).map(|_| self.value(depth - 1)).collect();
                FieldValue::List(items?)
            }
            _ => return None,
        })
    }

    fn text(&mut self) -> Option<&'a str> {
        let length = self.u32()? as usize;
        let (text, rest) = self.0.split_at_checked(length)?;
        self.0 = rest;
        std::str::from_utf8(text).ok()
    }

    fn u32(&mut self) -> Option<u32> {
        self.take().map(u32::from_le_bytes)
    }

    fn take<const N: usize>(&mut self) -> Option<[u8; N]> {
        let (head, rest) = self.0.split_first_chunk::<N>()?;
        self.0 = rest;
        Some(*head)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn value() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            ".{0,8}".prop_map(Value::Text),
            any::<i64>().prop_map(Value::Integer),
            (-1e300f64..1e300).prop_map(Value::Float),
            any::<bool>().prop_map(Value::Bool),
        ];
        leaf.prop_recursive(3, 8, 3, |inner| {
            proptest::collection::vec(inner, 0..3).prop_map(Value::List)
        })
    }

    proptest! {
        #[test]
        fn a_record_comes_back_and_a_cut_one_is_noticed(
            fields in proptest::collection::btree_map("[a-d]", value(), 0..4), cut in any::<prop::sample::Index>(),
        ) {
            let document = Document { id: "1".to_owned(), fields: fields.into_iter().collect() };
            let mut names = FieldNames::default();
            document.fields.iter().for_each(|(name, _)| names.add(name));
            let mut bytes = Vec::new();
            encode(&document, &names, &mut bytes);
            let table = names.encode();
            let table = Fields::names(&table).unwrap();
            let back: Vec<(String, Value)> = Fields(&bytes).decode().unwrap().iter()
                .map(|(name, value)| (table[*name as usize].clone(), value.to_value())).collect();
            prop_assert_eq!(&back, &document.fields);
            for (_, value) in &back {
                prop_assert_eq!(&FieldValue::of(value).to_value(), value);
            }
            prop_assert!(Fields(&bytes[..cut.index(bytes.len())]).decode().is_none());
            bytes.push(0);
            prop_assert!(Fields(&bytes).decode().is_none());
        }
    }
}
