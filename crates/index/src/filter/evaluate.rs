//! Which documents of a segment match a filter.
//!
//! Reads the stored fields of every document (about a second for a gigabyte of text), or only the ids
//! where the filter asks for nothing else.

use std::cmp::Ordering;

use ecphory_core::{DocNo, DocSet};

use super::{Comparison, Filter, ID_FIELD, Literal};
use crate::Result;
use crate::segment::documents::{DocumentsPart, FieldValue};

/// Returns the documents of a segment that match.
pub(crate) fn select(filter: &Filter, part: &DocumentsPart, documents: usize) -> Result<DocSet> {
    let mut set = DocSet::new(documents);
    let fields = filter.fields();
    if fields.iter().all(|field| *field == ID_FIELD) {
        for doc in (0..documents as u32).map(DocNo) {
            if matches(filter, &Row { id: part.id(doc)?, fields: &[], numbers: &[] }) {
                set.insert(doc);
            }
        }
        return Ok(set);
    }
    let numbers: Vec<(&str, u32)> = fields
        .iter()
        .filter_map(|&field| part.name_number(field).map(|number| (field, number)))
        .collect();
    part.for_each(&mut |doc, fields| {
        if matches(filter, &Row { id: part.id(doc)?, fields, numbers: &numbers }) {
            set.insert(doc);
        }
        Ok(())
    })?;
    Ok(set)
}

/// One document as a filter sees it.
struct Row<'a> {
    id: &'a str,
    fields: &'a [(u32, FieldValue<'a>)],
    /// The names that the filter uses and their numbers in the segment.
    numbers: &'a [(&'a str, u32)],
}

impl Row<'_> {
    /// Whether the field is there and `holds` for its value, or for any element of a list.
    fn any(&self, field: &str, holds: &dyn Fn(&FieldValue<'_>) -> bool) -> bool {
        if field == ID_FIELD {
            return holds(&FieldValue::Text(self.id));
        }
        let number =
            self.numbers.iter().find(|(name, _)| *name == field).map(|(_, number)| *number);
        let value = self.fields.iter().find(|(name, _)| Some(*name) == number);
        value.is_some_and(|(_, value)| any_element(value, holds))
    }
}

/// The depth of lists is bounded where they are decoded.
fn any_element(value: &FieldValue<'_>, holds: &dyn Fn(&FieldValue<'_>) -> bool) -> bool {
    match value {
        FieldValue::List(items) => items.iter().any(|item| any_element(item, holds)),
        single => holds(single),
    }
}

/// The recursion is bounded by the parser's limit on depth.
fn matches(filter: &Filter, row: &Row<'_>) -> bool {
    match filter {
        Filter::Compare { field, comparison: Comparison::NotEqual, literal } => {
            !row.any(field, &|value| compare(value, literal) == Some(Ordering::Equal))
        }
        Filter::Compare { field, comparison, literal } => row.any(field, &|value| {
            compare(value, literal).is_some_and(|order| comparison.accepts(order))
        }),
        Filter::In { field, literals } => row.any(field, &|value| {
            literals.iter().any(|literal| compare(value, literal) == Some(Ordering::Equal))
        }),
        Filter::StartsWith { field, prefix } => row.any(
            field,
            &|value| matches!(value, FieldValue::Text(text) if text.starts_with(prefix.as_str())),
        ),
        Filter::Exists { field } => {
            field == ID_FIELD
                || row.numbers.iter().any(|(name, number)| {
                    name == field && row.fields.iter().any(|(known, _)| known == number)
                })
        }
        Filter::And(all) => all.iter().all(|filter| matches(filter, row)),
        Filter::Or(all) => all.iter().any(|filter| matches(filter, row)),
        Filter::Not(inner) => !matches(inner, row),
    }
}

impl Comparison {
    fn accepts(self, order: Ordering) -> bool {
        match self {
            Comparison::Equal => order.is_eq(),
            Comparison::NotEqual => order.is_ne(),
            Comparison::Less => order.is_lt(),
            Comparison::LessOrEqual => order.is_le(),
            Comparison::Greater => order.is_gt(),
            Comparison::GreaterOrEqual => order.is_ge(),
        }
    }
}

/// Compares a value with a literal; `None` where their types differ.
fn compare(value: &FieldValue<'_>, literal: &Literal) -> Option<Ordering> {
    match (value, literal) {
        (FieldValue::Text(a), Literal::Text(b)) => Some((*a).cmp(b.as_str())),
        (FieldValue::Bool(a), Literal::Bool(b)) => Some(a.cmp(b)),
        (FieldValue::Integer(a), Literal::Integer(b)) => Some(a.cmp(b)),
        (FieldValue::Float(a), Literal::Float(b)) => a.partial_cmp(b),
        (FieldValue::Integer(a), Literal::Float(b)) => compare_mixed(*a, *b),
        (FieldValue::Float(a), Literal::Integer(b)) => compare_mixed(*b, *a).map(Ordering::reverse),
        _ => None,
    }
}

/// Compares a whole with a fractional number exactly: a conversion to `f64` would make 2⁵³ + 1 equal to 2⁵³.
fn compare_mixed(whole: i64, fractional: f64) -> Option<Ordering> {
    const TWO_TO_63: f64 = 9_223_372_036_854_775_808.0;
    if fractional.is_nan() {
        return None;
    }
    if fractional >= TWO_TO_63 {
        return Some(Ordering::Less);
    }
    if fractional < -TWO_TO_63 {
        return Some(Ordering::Greater);
    }
    let floor = fractional.floor();
    Some(whole.cmp(&(floor as i64)).then(if fractional > floor {
        Ordering::Less
    } else {
        Ordering::Equal
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whole_and_fractional_numbers_compare_exactly() {
        let two_53 = 9_007_199_254_740_992i64;
        let order = |a, b| compare_mixed(a, b).unwrap();
        assert_eq!(order(two_53 + 1, two_53 as f64), Ordering::Greater);
        assert_eq!(order(3, 3.5), Ordering::Less);
        assert_eq!(order(-3, -3.5), Ordering::Greater);
        assert_eq!(order(4, 3.5), Ordering::Greater);
        assert_eq!(order(0, -0.0), Ordering::Equal);
        assert_eq!(order(i64::MAX, 9.3e18), Ordering::Less);
        assert_eq!(order(i64::MIN, -9_223_372_036_854_775_808.0), Ordering::Equal);
        assert_eq!(order(i64::MIN, -9.3e18), Ordering::Greater);
        assert_eq!(compare_mixed(1, f64::NAN), None);
    }
}
