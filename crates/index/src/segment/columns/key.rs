//! Keys: values as bytes that sort as the values do, and are equal where the values are.
//!
//! ```text
//! bool    1, 0 or 1
//! number  2, the greatest f64 that is not above it (8 bytes, see below), what is missing up to it (u16)
//! date    3, milliseconds since 1970 with the upper bit turned (8 bytes)
//! text    4, its UTF-8
//! point   5, latitude and longitude (8 bytes each, see below)
//! ```
//!
//! Numbers are big-endian. An f64 has its sign bit turned where it is positive, and all bits where it is
//! negative. So one comparison of bytes orders whole and fractional numbers together, exactly: between
//! neighbouring f64 beyond 2⁵³ the last two bytes tell whole numbers apart. A whole number and the equal
//! fractional one have the same key.

use ecphory_core::Value;

use crate::date;
use crate::segment::documents::FieldValue;

const BOOL: u8 = 1;
const NUMBER: u8 = 2;
const DATE: u8 = 3;
const TEXT: u8 = 4;
const POINT: u8 = 5;

const SIGN: u64 = 1 << 63;
const TWO_TO_63: f64 = 9_223_372_036_854_775_808.0;

/// How a field's values become keys.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum Coding {
    /// By their own types.
    AsIs = 0,
    /// Whole numbers as the nearest f64.
    Float = 1,
    /// Texts that are dates as dates.
    Date = 2,
    /// Points as points.
    Geo = 3,
}

impl Coding {
    /// Returns the coding with this number.
    pub fn from_number(number: u8) -> Option<Self> {
        [Coding::AsIs, Coding::Float, Coding::Date, Coding::Geo]
            .into_iter()
            .find(|coding| *coding as u8 == number)
    }

    /// Calls `visit` with the key of a value, or of each element of a list. What does not fit the coding
    /// (possible only in fields that were declared after documents were added) is taken as it is.
    /// The depth of lists is bounded.
    pub fn for_each_key(
        self,
        value: &FieldValue<'_>,
        key: &mut Vec<u8>,
        visit: &mut dyn FnMut(&[u8]),
    ) {
        if self == Coding::Geo
            && let Some(point) = point_of(value)
        {
            put_point(key, point);
            return visit(key);
        }
        match value {
            FieldValue::List(items) => {
                for item in items {
                    self.for_each_key(item, key, visit);
                }
                return;
            }
            FieldValue::Text(text) => match self {
                Coding::Date if let Some(span) = date::parse(text) => put_date(key, span.start),
                _ => put_text(key, text),
            },
            FieldValue::Integer(number) if self == Coding::Float => put_float(key, *number as f64),
            FieldValue::Integer(number) => put_integer(key, *number),
            FieldValue::Float(number) => put_float(key, *number),
            FieldValue::Bool(flag) => put_bool(key, *flag),
        }
        visit(key);
    }

    /// Returns the value of a key: a date as its text, a point as a list of two numbers, a number as a
    /// whole one where it is whole and the field is not one of fractional numbers.
    pub fn value(self, key: &[u8]) -> Option<Value> {
        Some(match self.decode(key)? {
            Key::Bool(flag) => Value::Bool(flag),
            Key::Integer(number) => Value::Integer(number),
            Key::Float(number) => Value::Float(number),
            Key::Date(instant) => Value::Text(date::format(instant)),
            Key::Text(text) => Value::Text(text.to_owned()),
            Key::Point(Point { latitude, longitude }) => {
                Value::List(vec![Value::Float(latitude), Value::Float(longitude)])
            }
        })
    }

    /// Takes a key apart; `None` where the bytes are none.
    pub fn decode(self, key: &[u8]) -> Option<Key<'_>> {
        let (&tag, rest) = key.split_first()?;
        match (tag, rest) {
            (BOOL, [flag @ 0..=1]) => Some(Key::Bool(*flag == 1)),
            (NUMBER, rest) => {
                let (float, missing) = rest.split_first_chunk::<8>()?;
                let float = float_of(*float);
                let missing = u16::from_be_bytes(missing.try_into().ok()?);
                let whole = float.trunc() == float && (-TWO_TO_63..TWO_TO_63).contains(&float);
                if whole && self != Coding::Float {
                    return (float as i64).checked_add(i64::from(missing)).map(Key::Integer);
                }
                (missing == 0 && float.is_finite()).then_some(Key::Float(float))
            }
            (DATE, rest) => {
                let bits = u64::from_be_bytes(rest.try_into().ok()?);
                Some(Key::Date((bits ^ SIGN) as i64))
            }
            (TEXT, rest) => str::from_utf8(rest).ok().map(Key::Text),
            (POINT, rest) => {
                let (latitude, longitude) = rest.split_first_chunk::<8>()?;
                let longitude = float_of(longitude.try_into().ok()?);
                Point::new(float_of(*latitude), longitude).map(Key::Point)
            }
            _ => None,
        }
    }
}

/// What a key stands for.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Key<'a> {
    Bool(bool),
    Integer(i64),
    Float(f64),
    Date(i64),
    Text(&'a str),
    Point(Point),
}

/// A place on the earth, in degrees.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Point {
    pub latitude: f64,
    pub longitude: f64,
}

/// Returns the point that a value stands for: a list of two numbers, or a text with a comma.
pub(crate) fn point_of(value: &FieldValue<'_>) -> Option<Point> {
    let number = |value: &FieldValue<'_>| match value {
        FieldValue::Integer(number) => Some(*number as f64),
        FieldValue::Float(number) => Some(*number),
        _ => None,
    };
    let (latitude, longitude) = match value {
        FieldValue::List(items) => match &items[..] {
            [latitude, longitude] => (number(latitude)?, number(longitude)?),
            _ => return None,
        },
        FieldValue::Text(text) => {
            let (latitude, longitude) = text.split_once(',')?;
            (latitude.trim().parse().ok()?, longitude.trim().parse().ok()?)
        }
        _ => return None,
    };
    Point::new(latitude, longitude)
}

impl Point {
    /// Makes a point of coordinates within their ranges.
    pub fn new(latitude: f64, longitude: f64) -> Option<Self> {
        let valid = (-90.0..=90.0).contains(&latitude) && (-180.0..=180.0).contains(&longitude);
        valid.then_some(Self { latitude, longitude })
    }
}

/// Replaces `key` by that of a truth value; so do the other functions with their types.
pub(crate) fn put_bool(key: &mut Vec<u8>, flag: bool) {
    begin(key, BOOL);
    key.push(u8::from(flag));
}

pub(crate) fn put_integer(key: &mut Vec<u8>, number: i64) {
    let nearest = number as f64;
    let below = if nearest as i128 > i128::from(number) { nearest.next_down() } else { nearest };
    let missing = i128::from(number) - below as i128;
    put_number(key, below, u16::try_from(missing).expect("neighbours are at most 1,024 apart"));
}

/// The number is finite: others are refused where documents come in, and have no literals.
pub(crate) fn put_float(key: &mut Vec<u8>, number: f64) {
    put_number(key, number, 0);
}

fn put_number(key: &mut Vec<u8>, below: f64, missing: u16) {
    begin(key, NUMBER);
    put_sortable(key, below);
    key.extend_from_slice(&missing.to_be_bytes());
}

pub(crate) fn put_date(key: &mut Vec<u8>, instant: i64) {
    begin(key, DATE);
    key.extend_from_slice(&(instant as u64 ^ SIGN).to_be_bytes());
}

pub(crate) fn put_text(key: &mut Vec<u8>, text: &str) {
    begin(key, TEXT);
    key.extend_from_slice(text.as_bytes());
}

fn put_point(key: &mut Vec<u8>, point: Point) {
    begin(key, POINT);
    put_sortable(key, point.latitude);
    put_sortable(key, point.longitude);
}

/// Returns the shortest bytes that sort behind everything that begins with `prefix`. A key begins with a
/// tag and goes on with UTF-8 or a fixed number of bytes; what is asked for is a tag or a text's prefix.
pub(crate) fn after_prefix(prefix: &[u8]) -> Vec<u8> {
    let mut after = prefix.to_vec();
    if let Some(last) = after.last_mut() {
        *last = last.checked_add(1).expect("neither a tag nor a byte of UTF-8 is 255");
    }
    after
}

fn begin(key: &mut Vec<u8>, tag: u8) {
    key.clear();
    key.push(tag);
}

fn put_sortable(key: &mut Vec<u8>, number: f64) {
    // Adding zero turns −0 into +0, which is equal to it.
    let bits = (number + 0.0).to_bits();
    let sortable = if bits & SIGN == 0 { bits | SIGN } else { !bits };
    key.extend_from_slice(&sortable.to_be_bytes());
}

fn float_of(bytes: [u8; 8]) -> f64 {
    let sortable = u64::from_be_bytes(bytes);
    f64::from_bits(if sortable & SIGN == 0 { !sortable } else { sortable ^ SIGN })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::cmp::Ordering;

    fn keys(coding: Coding, value: &Value) -> Vec<Vec<u8>> {
        let (mut out, mut key) = (Vec::new(), Vec::new());
        coding.for_each_key(&FieldValue::of(value), &mut key, &mut |key| out.push(key.to_vec()));
        out
    }

    fn key(value: impl Into<Value>) -> Vec<u8> {
        keys(Coding::AsIs, &value.into()).remove(0)
    }

    /// Compares a whole with a fractional number exactly, in another way than the keys do.
    fn order(whole: i64, fractional: f64) -> Ordering {
        if fractional >= TWO_TO_63 {
            return Ordering::Less;
        }
        if fractional < -TWO_TO_63 {
            return Ordering::Greater;
        }
        let floor = fractional.floor();
        let fraction = if fractional > floor { Ordering::Less } else { Ordering::Equal };
        whole.cmp(&(floor as i64)).then(fraction)
    }

    fn integer() -> impl Strategy<Value = i64> {
        let corners =
            vec![0, 1 << 53, (1 << 53) + 1, -(1 << 53) - 1, i64::MAX, i64::MIN, i64::MAX - 512];
        prop_oneof![any::<i64>(), -4i64..4, prop::sample::select(corners)]
    }

    fn float() -> impl Strategy<Value = f64> {
        let corners =
            vec![0.0, -0.0, 0.5, TWO_TO_63, -TWO_TO_63, 9_007_199_254_740_992.0, f64::MAX, 5e-324];
        prop_oneof![
            any::<f64>().prop_filter("finite", |number| number.is_finite()),
            (-8i32..8).prop_map(|number| f64::from(number) / 2.0),
            integer().prop_map(|number| number as f64),
            prop::sample::select(corners),
        ]
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(2000))]
        #[test]
        fn numbers_sort_as_numbers(a in integer(), b in integer(), x in float(), y in float()) {
            prop_assert_eq!(key(a).cmp(&key(b)), a.cmp(&b));
            prop_assert_eq!(key(x).cmp(&key(y)), x.partial_cmp(&y).unwrap());
            prop_assert_eq!(key(a).cmp(&key(x)), order(a, x));
            prop_assert_eq!(key(a as f64).cmp(&key(a)), order(a, a as f64).reverse());
        }

        #[test]
        fn values_come_back(integer in integer(), float in float(), text in ".{0,8}", flag in any::<bool>()) {
            prop_assert_eq!(Coding::AsIs.value(&key(integer)), Some(Value::Integer(integer)));
            prop_assert_eq!(Coding::AsIs.value(&key(text.as_str())), Some(Value::Text(text)));
            prop_assert_eq!(Coding::AsIs.value(&key(flag)), Some(Value::Bool(flag)));
            let back = match Coding::AsIs.value(&key(float)) {
                Some(Value::Float(back)) => back,
                Some(Value::Integer(back)) => back as f64,
                other => panic!("{other:?}"),
            };
            prop_assert_eq!(back, float);
            let declared = keys(Coding::Float, &Value::Integer(integer)).remove(0);
            prop_assert_eq!(Coding::Float.value(&declared), Some(Value::Float(integer as f64)));
        }

        #[test]
        fn other_bytes_are_no_values_but_no_panic(bytes in proptest::collection::vec(any::<u8>(), 0..20), tag in 0u8..7) {
            let bytes = [vec![tag], bytes].concat();
            for coding in [Coding::AsIs, Coding::Float, Coding::Date, Coding::Geo] {
                let _ = coding.value(&bytes);
            }
        }
    }

    #[test]
    fn texts_are_dates_and_points_only_where_declared() {
        let date = keys(Coding::Date, &"2020-05".into());
        assert_eq!(Coding::Date.value(&date[0]), Some("2020-05-01".into()));
        assert_eq!(keys(Coding::Date, &"soon".into()), [key("soon")]);
        assert_eq!(keys(Coding::AsIs, &"2020-05".into()), [key("2020-05")]);
        let pair = |a: f64, b: f64| Value::List(vec![a.into(), b.into()]);
        let place = keys(Coding::Geo, &"52.5, -13.4".into());
        assert_eq!(keys(Coding::Geo, &pair(52.5, -13.4)), place);
        assert_eq!(Coding::Geo.value(&place[0]), Some(pair(52.5, -13.4)));
        let both = Value::List(vec![pair(1.0, 2.0), "52.5,-13.4".into()]);
        assert_eq!(keys(Coding::Geo, &both)[1], place[0]);
        assert_eq!(keys(Coding::Geo, &pair(91.0, 0.0)), [key(91.0), key(0.0)]);
    }

    #[test]
    fn what_begins_with_a_text_lies_before_what_follows_it() {
        let prefix = key("Rad");
        for (text, within) in
            [("Rad", true), ("Radium", true), ("Rad\u{10ffff}", true), ("Rae", false), ("R", false)]
        {
            let key = key(text);
            assert_eq!(prefix <= key && key < after_prefix(&prefix), within, "{text}");
        }
    }
}
