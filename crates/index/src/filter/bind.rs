//! A filter with the schema's types: every condition becomes a question about keys.

use std::ops::Bound::{Excluded, Included};

use ecphory_text::Analyzer;

use super::display::with_operands;
use super::words::Words;
use super::{Comparison, Filter, FilterProblem, ID_FIELD, Literal};
use crate::segment::columns::{
    KeyRange, KeyTest, Point, after_prefix, put_bool, put_date, put_float, put_integer, put_text,
};
use crate::{Error, FieldKind, Result, Schema, date};

/// A filter whose conditions fit the fields of a collection.
#[derive(Debug)]
pub(crate) struct Bound {
    pub(super) root: Node,
    pub(super) conditions: Vec<Condition>,
}

/// How conditions are joined.
#[derive(Debug)]
pub(super) enum Node {
    Condition(usize),
    All(Vec<Node>),
    Any(Vec<Node>),
    Not(Box<Node>),
}

/// What a filter asks.
#[derive(Debug)]
pub(super) enum Condition {
    /// Of one field.
    Field { field: String, test: KeyTest },
    /// Of the words of a channel.
    Words(Words),
}

impl Bound {
    /// Checks a filter against the declared fields and the channels, whose analysers are `analyzers`.
    ///
    /// # Errors
    /// [`Error::Filter`] with the place in the filter as it prints.
    pub fn new(filter: &Filter, schema: &Schema, analyzers: &[Option<Analyzer>]) -> Result<Self> {
        let mut binder = Binder { schema, analyzers, conditions: Vec::new(), operands: 0 };
        let root = binder.filter(filter).map_err(|problem| {
            let (text, operands) = with_operands(filter);
            let offset = operands[binder.operands - 1];
            Error::Filter { text, offset, problem }
        })?;
        Ok(Self { root, conditions: binder.conditions })
    }

    /// Yields the fields that the filter asks for.
    pub fn fields(&self) -> impl Iterator<Item = &str> {
        self.conditions.iter().filter_map(|condition| match condition {
            Condition::Field { field, .. } => Some(field.as_str()),
            Condition::Words(_) => None,
        })
    }
}

type Bind<T> = std::result::Result<T, FilterProblem>;

struct Binder<'a> {
    schema: &'a Schema,
    analyzers: &'a [Option<Analyzer>],
    conditions: Vec<Condition>,
    /// How many fields and literals were passed, the one at hand included.
    operands: usize,
}

impl<'a> Binder<'a> {
    /// The recursion is bounded by the parser's limit on depth.
    fn filter(&mut self, filter: &Filter) -> Bind<Node> {
        match filter {
            Filter::Compare { field, comparison: Comparison::NotEqual, literal } => {
                let kind = self.field(field);
                let equal = self.range(field, kind, Comparison::Equal, literal)?;
                Ok(Node::Not(Box::new(self.condition(field, KeyTest::In(vec![equal])))))
            }
            Filter::Compare { field, comparison, literal } => {
                let kind = self.field(field);
                let range = self.range(field, kind, *comparison, literal)?;
                Ok(self.condition(field, KeyTest::In(vec![range])))
            }
            Filter::In { field, literals } => {
                let kind = self.field(field);
                let ranges: Bind<_> = literals
                    .iter()
                    .map(|literal| self.range(field, kind, Comparison::Equal, literal))
                    .collect();
                Ok(self.condition(field, KeyTest::In(ranges?)))
            }
            Filter::StartsWith { field, prefix } => {
                let kind = self.field(field);
                if let Some(kind) = kind
                    && !matches!(kind, FieldKind::Text | FieldKind::Keyword)
                {
                    return Err(operator(field, kind, "`starts_with`", "text and keyword"));
                }
                self.operands += 1;
                let mut key = Vec::new();
                put_text(&mut key, prefix);
                let range = KeyRange { high: Excluded(after_prefix(&key)), low: Included(key) };
                Ok(self.condition(field, KeyTest::In(vec![range])))
            }
            Filter::Exists { field } => {
                self.field(field);
                Ok(self.condition(field, KeyTest::Present))
            }
            Filter::GeoWithin { field, latitude, longitude, metres } => {
                match self.field(field) {
                    Some(FieldKind::Geo) => {}
                    Some(kind) => return Err(operator(field, kind, "`geo_within`", "geo")),
                    None => return Err(FilterProblem::NoGeo { field: field.clone() }),
                }
                let point = Point { latitude: *latitude, longitude: *longitude };
                Ok(self.condition(field, KeyTest::Near(point, *metres)))
            }
            Filter::Matches { channel, words } => {
                self.operands += 1;
                let (number, analyzer) = self.analyzer(channel)?;
                self.operands += 1;
                let words = Words::new((number, analyzer), channel, words)?;
                self.conditions.push(Condition::Words(words));
                Ok(Node::Condition(self.conditions.len() - 1))
            }
            Filter::And(all) => self.all(all).map(Node::All),
            Filter::Or(all) => self.all(all).map(Node::Any),
            Filter::Not(inner) => Ok(Node::Not(Box::new(self.filter(inner)?))),
        }
    }

    fn all(&mut self, filters: &[Filter]) -> Bind<Vec<Node>> {
        filters.iter().map(|filter| self.filter(filter)).collect()
    }

    fn condition(&mut self, field: &str, test: KeyTest) -> Node {
        self.conditions.push(Condition::Field { field: field.to_owned(), test });
        Node::Condition(self.conditions.len() - 1)
    }

    /// Returns the number and the analyser of a BM25 channel.
    fn analyzer(&self, name: &str) -> Bind<(usize, &'a Analyzer)> {
        let channels = self.schema.channels.iter().zip(self.analyzers).enumerate();
        let mut lexical = channels.filter_map(|(number, (channel, analyzer))| {
            analyzer.as_ref().map(|analyzer| (channel.name.as_str(), (number, analyzer)))
        });
        let found = lexical.clone().find(|(known, _)| *known == name).map(|(_, found)| found);
        found.ok_or_else(|| FilterProblem::NoWords {
            channel: name.to_owned(),
            channels: lexical.by_ref().map(|(known, _)| known.to_owned()).collect(),
        })
    }

    /// Passes a field and returns its kind, where that is known.
    fn field(&mut self, field: &str) -> Option<FieldKind> {
        self.operands += 1;
        if field == ID_FIELD { Some(FieldKind::Keyword) } else { self.schema.field(field) }
    }

    /// Passes a literal and returns the keys that compare so with it.
    fn range(
        &mut self,
        field: &str,
        kind: Option<FieldKind>,
        comparison: Comparison,
        literal: &Literal,
    ) -> Bind<KeyRange> {
        self.operands += 1;
        let mut key = Vec::new();
        match (kind, literal) {
            (Some(FieldKind::Date), Literal::Text(text)) => {
                let span = date::parse(text).ok_or_else(|| FilterProblem::NoDate {
                    field: field.to_owned(),
                    text: text.clone(),
                })?;
                put_date(&mut key, span.start);
                if comparison == Comparison::Equal {
                    let mut end = Vec::new();
                    put_date(&mut end, span.end);
                    return Ok(KeyRange { low: Included(key), high: Excluded(end) });
                }
            }
            (None | Some(FieldKind::Text | FieldKind::Keyword), Literal::Text(text)) => {
                put_text(&mut key, text);
            }
            (None | Some(FieldKind::Integer | FieldKind::Float), Literal::Integer(number)) => {
                put_integer(&mut key, *number);
            }
            (None | Some(FieldKind::Integer | FieldKind::Float), Literal::Float(number)) => {
                put_float(&mut key, *number);
                if number.is_nan() {
                    // No parser makes it, and nothing compares with it.
                    return Ok(KeyRange { low: Excluded(key.clone()), high: Excluded(key) });
                }
            }
            (None | Some(FieldKind::Bool), Literal::Bool(flag)) => put_bool(&mut key, *flag),
            (Some(kind), literal) => {
                let (field, literal) = (field.to_owned(), described(literal));
                return Err(FilterProblem::Type { field, kind, literal });
            }
        }
        Ok(range(comparison, key))
    }
}

/// Returns the keys of the same type that compare so with `key`.
fn range(comparison: Comparison, key: Vec<u8>) -> KeyRange {
    let (first, after) = (Included(key[..1].to_vec()), Excluded(after_prefix(&key[..1])));
    match comparison {
        Comparison::Equal | Comparison::NotEqual => KeyRange::exactly(key),
        Comparison::Less => KeyRange { low: first, high: Excluded(key) },
        Comparison::LessOrEqual => KeyRange { low: first, high: Included(key) },
        Comparison::Greater => KeyRange { low: Excluded(key), high: after },
        Comparison::GreaterOrEqual => KeyRange { low: Included(key), high: after },
    }
}

fn operator(
    field: &str,
    kind: FieldKind,
    operator: &'static str,
    works_on: &'static str,
) -> FilterProblem {
    FilterProblem::Operator { field: field.to_owned(), kind, operator, works_on }
}

fn described(literal: &Literal) -> String {
    match literal {
        Literal::Text(text) => format!("the text {text:?}"),
        Literal::Integer(_) | Literal::Float(_) => format!("the number {literal}"),
        Literal::Bool(flag) => flag.to_string(),
    }
}
