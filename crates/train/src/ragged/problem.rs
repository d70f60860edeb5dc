//! What does not fit between rows, heads and scorers.

/// Shapes that do not fit to each other.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum ShapeError {
    /// Nothing to work on.
    #[error("{items} items of {columns} columns: there has to be one of each")]
    Empty {
        /// How many items there are.
        items: usize,
        /// How long their rows are.
        columns: usize,
    },
    /// A span that ends before it begins, or a first one that does not begin at row 0.
    #[error("the span of item {item} ends before it begins, or spans do not begin at row 0")]
    Span {
        /// The item.
        item: usize,
    },
    /// A part of another length.
    #[error("{part}: {expected} are needed, found {got}")]
    Length {
        /// Which part.
        part: &'static str,
        /// How many there are.
        got: usize,
        /// How many there should be.
        expected: usize,
    },
    /// Rows of another length.
    #[error("rows of {expected} columns are needed, found {found}")]
    Columns {
        /// How long they are.
        found: usize,
        /// How long they should be.
        expected: usize,
    },
    /// An item of which no row counts, where at least one is needed.
    #[error("item {item} has no row that counts")]
    NothingCounted {
        /// The item.
        item: usize,
    },
    /// An item that should be one vector.
    #[error("item {item} has {rows} rows, where one vector is needed")]
    NotOneRow {
        /// The item.
        item: usize,
        /// How many rows it has.
        rows: usize,
    },
    /// Rows whose words are not known.
    #[error("the words of the rows are needed, and not known")]
    NoWords,
    /// Rows whose terms are not known.
    #[error("the terms of the rows are needed, and not known")]
    NoTerms,
    /// Candidates that cannot be dealt to the queries.
    #[error("{candidates} candidates cannot be dealt to {queries} queries")]
    Deal {
        /// How many candidates there are.
        candidates: usize,
        /// How many queries there are.
        queries: usize,
    },
    /// What a head kept is handed to another one.
    #[error("what was kept on the way forward is of another head")]
    OtherHead,
    /// A term outside the vocabulary.
    #[error("term {term} of item {item}: the vocabulary has {terms} terms")]
    Term {
        /// The item.
        item: usize,
        /// The term.
        term: u32,
        /// How many there are.
        terms: usize,
    },
}
