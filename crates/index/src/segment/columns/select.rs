//! Which documents of a segment have a value that a condition asks for.

use std::ops::{Bound, Range};

use ecphory_core::DocSet;
use zerocopy::byteorder::little_endian::U32;

use super::read::Ordinals;
use super::{Coding, Column, Key, Point};

/// What a condition asks of a field.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum KeyTest {
    /// That it is there, whatever its value.
    Present,
    /// A value in one of these ranges.
    In(Vec<KeyRange>),
    /// A point at most so many metres away.
    Near(Point, f64),
}

/// Keys between two bounds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct KeyRange {
    pub low: Bound<Vec<u8>>,
    pub high: Bound<Vec<u8>>,
}

impl KeyRange {
    /// Returns the range of one key.
    pub fn exactly(key: Vec<u8>) -> Self {
        Self { low: Bound::Included(key.clone()), high: Bound::Included(key) }
    }

    fn is_below(&self, key: &[u8]) -> bool {
        match &self.low {
            Bound::Included(low) => key < &**low,
            Bound::Excluded(low) => key <= &**low,
            Bound::Unbounded => false,
        }
    }

    fn is_above(&self, key: &[u8]) -> bool {
        match &self.high {
            Bound::Included(high) => key > &**high,
            Bound::Excluded(high) => key >= &**high,
            Bound::Unbounded => false,
        }
    }
}

impl KeyTest {
    /// Returns whether a field with this key as a value passes.
    pub fn holds(&self, key: &[u8]) -> bool {
        match self {
            KeyTest::Present => true,
            KeyTest::In(ranges) => {
                ranges.iter().any(|range| !range.is_below(key) && !range.is_above(key))
            }
            KeyTest::Near(point, metres) => match Coding::Geo.decode(key) {
                Some(Key::Point(other)) => point.metres_to(other) <= *metres,
                _ => false,
            },
        }
    }
}

/// The ordinals that a condition asks for.
enum Wanted {
    Range(Range<u32>),
    /// A flag for each ordinal, the one behind the last key included.
    Table(Vec<bool>),
}

impl Column {
    /// Returns the documents with a value that passes.
    pub fn select(&self, test: &KeyTest) -> DocSet {
        let wanted = match test {
            KeyTest::Present => {
                let mut missing = self.having(&Wanted::Range(self.keys()..self.keys() + 1));
                missing.complement();
                return missing;
            }
            KeyTest::In(ranges) => self.between(ranges),
            KeyTest::Near(..) => {
                let near = (0..self.keys()).map(|ordinal| test.holds(self.key(ordinal)));
                Wanted::Table(near.chain([false]).collect())
            }
        };
        match wanted {
            Wanted::Range(range) if range.is_empty() => DocSet::new(self.documents() as usize),
            wanted => self.having(&wanted),
        }
    }

    /// Counts the documents (those of `wanted`, or all) with each value, by ordinal.
    pub fn counts(&self, wanted: Option<&DocSet>) -> Vec<u32> {
        let mut counts = vec![0; self.keys() as usize];
        self.for_each_list(|doc, list| {
            if wanted.is_none_or(|wanted| wanted.contains(doc)) {
                for &ordinal in list.unwrap_or(&[]) {
                    counts[ordinal as usize] += 1;
                }
            }
        });
        counts
    }

    /// Returns the ordinals whose keys lie in any of the ranges: a binary search for each.
    fn between(&self, ranges: &[KeyRange]) -> Wanted {
        let mut found: Vec<Range<u32>> = ranges
            .iter()
            .map(|range| {
                let low = self.partition_point(|key| range.is_below(key));
                low..self.partition_point(|key| !range.is_above(key)).max(low)
            })
            .filter(|range| !range.is_empty())
            .collect();
        match &mut found[..] {
            [] => Wanted::Range(0..0),
            [range] => Wanted::Range(range.clone()),
            _ => {
                let mut table = vec![false; self.keys() as usize + 1];
                for range in found {
                    table[range.start as usize..range.end as usize].fill(true);
                }
                Wanted::Table(table)
            }
        }
    }

    fn having(&self, wanted: &Wanted) -> DocSet {
        let starts = self.list_starts();
        let words = match self.ordinals() {
            Ordinals::Bytes(all) => scan(all, starts, u32::from, wanted),
            Ordinals::Pairs(all) => scan(all, starts, |o| u32::from(u16::from_le_bytes(o)), wanted),
            Ordinals::Quads(all) => scan(all, starts, u32::from_le_bytes, wanted),
        };
        DocSet::from_words(words, self.documents() as usize)
    }
}

/// Returns a bit for each document. `starts` is empty where each has one ordinal.
fn scan<T: Copy>(
    all: &[T],
    starts: &[U32],
    ordinal: impl Fn(T) -> u32,
    wanted: &Wanted,
) -> Vec<u64> {
    match wanted {
        Wanted::Range(range) => {
            let (start, length) = (range.start, range.end - range.start);
            scan_where(all, starts, |item| ordinal(item).wrapping_sub(start) < length)
        }
        Wanted::Table(table) => scan_where(all, starts, |item| table[ordinal(item) as usize]),
    }
}

fn scan_where<T: Copy>(all: &[T], starts: &[U32], holds: impl Fn(T) -> bool) -> Vec<u64> {
    if starts.is_empty() {
        return pack(all, |&item| holds(item));
    }
    let firsts = &starts[..starts.len() - 1];
    let mut ends = starts[1..].iter();
    pack(firsts, |first| {
        let end = ends.next().map_or(0, |end| end.get() as usize);
        all[first.get() as usize..end].iter().any(|&item| holds(item))
    })
}

/// Returns a bit for each item. Flags are made a block at a time, which the compiler turns into vector
/// instructions, and eight of them become a byte by one multiplication.
fn pack<T>(all: &[T], mut holds: impl FnMut(&T) -> bool) -> Vec<u64> {
    /// Moves the lowest bits of eight bytes into the highest byte.
    const GATHER: u64 = 0x0102_0408_1020_4080;
    all.chunks(64)
        .map(|block| {
            let mut flags = [0u8; 64];
            for (flag, item) in flags.iter_mut().zip(block) {
                *flag = u8::from(holds(item));
            }
            let bytes = flags.as_chunks::<8>().0.iter().zip((0..).step_by(8));
            bytes.fold(0, |word, (&bytes, shift)| {
                word | (u64::from_le_bytes(bytes).wrapping_mul(GATHER) >> 56) << shift
            })
        })
        .collect()
}

impl Point {
    /// Returns the great-circle distance on a sphere of the earth's mean radius, by the haversine formula;
    /// the earth's flattening makes that wrong by up to 0.5%.
    pub fn metres_to(self, other: Point) -> f64 {
        const RADIUS: f64 = 6_371_008.8;
        let half = |a: f64, b: f64| ((b - a).to_radians() / 2.0).sin().powi(2);
        let cosines = self.latitude.to_radians().cos() * other.latitude.to_radians().cos();
        let haversine =
            half(self.latitude, other.latitude) + cosines * half(self.longitude, other.longitude);
        2.0 * RADIUS * haversine.sqrt().min(1.0).asin()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn packed_flags_are_the_flags(items in proptest::collection::vec(any::<u8>(), 0..200), limit in any::<u8>()) {
            let words = pack(&items, |&item| item < limit);
            prop_assert_eq!(words.len(), items.len().div_ceil(64));
            for (place, &item) in items.iter().enumerate() {
                prop_assert_eq!(words[place / 64] >> (place % 64) & 1 == 1, item < limit);
            }
        }
    }

    #[test]
    fn distances_are_those_of_the_globe() {
        let point = |latitude, longitude| Point::new(latitude, longitude).unwrap();
        let (berlin, paris) = (point(52.52, 13.405), point(48.8566, 2.3522));
        assert!(
            (berlin.metres_to(paris) - 877_460.0).abs() < 1000.0,
            "{}",
            berlin.metres_to(paris)
        );
        assert_eq!(berlin.metres_to(berlin), 0.0);
        // Across the date line, and from pole to pole.
        assert!(point(0.0, 179.9).metres_to(point(0.0, -179.9)) < 23_000.0);
        let half = point(90.0, 0.0).metres_to(point(-90.0, 0.0));
        assert!((half - 20_015_115.0).abs() < 1000.0, "{half}");
    }
}
