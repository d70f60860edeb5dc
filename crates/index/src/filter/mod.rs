//! Filters: which documents a search may return.
//!
#![doc = include_str!("../../../../docs/guide/filters.md")]

mod bind;
mod display;
mod evaluate;
mod parse;
mod problem;
mod words;

pub(crate) use bind::Bound;
pub use problem::FilterProblem;

/// A condition on documents; parse one with [`str::parse`].
#[derive(Clone, Debug, PartialEq)]
pub enum Filter {
    /// `field op literal`.
    Compare {
        /// The field.
        field: String,
        /// How to compare.
        comparison: Comparison,
        /// With what.
        literal: Literal,
    },
    /// `field in (a, b)`: equal to any of the literals, of which there is at least one.
    In {
        /// The field.
        field: String,
        /// The literals.
        literals: Vec<Literal>,
    },
    /// `field starts_with "prefix"`, or `prefix(field, "prefix")`.
    StartsWith {
        /// The field.
        field: String,
        /// What a text has to begin with.
        prefix: String,
    },
    /// `exists(field)`.
    Exists {
        /// The field.
        field: String,
    },
    /// `geo_within(field, latitude, longitude, distance)`.
    GeoWithin {
        /// The field.
        field: String,
        /// In degrees, from -90 to 90.
        latitude: f64,
        /// In degrees, from -180 to 180.
        longitude: f64,
        /// The largest distance, 0 or more.
        metres: f64,
    },
    /// `matches(channel, "words")`: the document has the words, as a BM25 channel analyses both, one after the other. The last
    /// one may end in `*`, which stands for any end.
    Matches {
        /// The channel.
        channel: String,
        /// The words.
        words: String,
    },
    /// All of at least two conditions.
    And(Vec<Filter>),
    /// Any of at least two conditions.
    Or(Vec<Filter>),
    /// The condition does not hold.
    Not(Box<Filter>),
}

/// How a value is compared with a literal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Comparison {
    /// `=`
    Equal,
    /// `!=`
    NotEqual,
    /// `<`
    Less,
    /// `<=`
    LessOrEqual,
    /// `>`
    Greater,
    /// `>=`
    GreaterOrEqual,
}

/// A value written in a filter.
#[derive(Clone, Debug, PartialEq)]
pub enum Literal {
    /// A text.
    Text(String),
    /// A whole number.
    Integer(i64),
    /// A finite fractional number.
    Float(f64),
    /// `true` or `false`.
    Bool(bool),
}

/// The name by which filters know a document's id.
pub const ID_FIELD: &str = "_id";

/// The words that are no field names.
const KEYWORDS: [&str; 11] = [
    "and",
    "or",
    "not",
    "in",
    "exists",
    "matches",
    "prefix",
    "starts_with",
    "geo_within",
    "true",
    "false",
];

fn is_keyword(name: &str) -> bool {
    KEYWORDS.iter().any(|keyword| name.eq_ignore_ascii_case(keyword))
}

fn is_name_start(c: char) -> bool {
    c.is_alphabetic() || c == '_'
}

fn is_name_part(c: char) -> bool {
    c.is_alphanumeric() || matches!(c, '_' | '.' | '-')
}

impl Filter {
    /// Yields the names of the fields that the filter looks at, `_id` included, in order, with repetitions.
    pub fn fields(&self) -> Vec<&str> {
        match self {
            Filter::Compare { field, .. }
            | Filter::In { field, .. }
            | Filter::StartsWith { field, .. }
            | Filter::GeoWithin { field, .. }
            | Filter::Exists { field } => vec![field],
            Filter::Matches { .. } => Vec::new(),
            Filter::And(all) | Filter::Or(all) => all.iter().flat_map(Filter::fields).collect(),
            Filter::Not(inner) => inner.fields(),
        }
    }
}

#[cfg(test)]
mod tests;
