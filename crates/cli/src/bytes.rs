//! Numbers of bytes as people write them: `256MiB`, `1.5 GB`, `4096`.

use std::fmt;
use std::str::FromStr;

/// A number of bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct ByteCount(pub u64);

/// Names and sizes of the units, the largest binary one first.
const UNITS: [(&str, u64); 9] = [
    ("TiB", 1 << 40),
    ("GiB", 1 << 30),
    ("MiB", 1 << 20),
    ("KiB", 1 << 10),
    ("TB", 1_000_000_000_000),
    ("GB", 1_000_000_000),
    ("MB", 1_000_000),
    ("KB", 1_000),
    ("B", 1),
];

impl FromStr for ByteCount {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = || format!("`{text}` is no size; write it as 256MiB, 1GiB, 500MB or in bytes");
        let digits = text.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(text.len());
        let (number, unit) = (&text[..digits], text[digits..].trim());
        let known = UNITS.iter().find(|(name, _)| name.eq_ignore_ascii_case(unit));
        let scale = if unit.is_empty() { 1 } else { known.ok_or_else(wrong)?.1 };
        if number.contains('.') {
            let fraction: f64 = number.parse().map_err(|_| wrong())?;
            // The cast stops at the largest number, which nobody has the memory for.
            return Ok(ByteCount((fraction * scale as f64) as u64));
        }
        let whole: u64 = number.parse().map_err(|_| wrong())?;
        let too_many = || format!("`{text}` is more bytes than can be counted");
        whole.checked_mul(scale).map(ByteCount).ok_or_else(too_many)
    }
}

impl fmt::Display for ByteCount {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let whole =
            UNITS.iter().find(|(_, scale)| self.0 >= *scale && self.0.is_multiple_of(*scale));
        match whole {
            Some((name, scale)) if *scale > 1 => write!(f, "{}{name}", self.0 / scale),
            _ => write!(f, "{}", self.0),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn sizes_are_read_as_people_write_them() {
        for (text, bytes) in [
            ("256MiB", 256 << 20),
            ("1GiB", 1 << 30),
            ("1gib", 1 << 30),
            ("500MB", 500_000_000),
            ("1.5 KB", 1500),
            ("4096", 4096),
            ("7B", 7),
            ("0", 0),
        ] {
            assert_eq!(text.parse(), Ok(ByteCount(bytes)), "{text}");
        }
        for text in ["", "MiB", "1M", "-1GiB", "1 2MiB", "1..5GB", "1e3", "99999999999999999999"] {
            let message = text.parse::<ByteCount>().unwrap_err();
            assert!(message.contains("256MiB"), "{text}: {message}");
        }
        assert!("99999999TiB".parse::<ByteCount>().unwrap_err().contains("more bytes"));
    }

    proptest! {
        #[test]
        fn what_is_shown_is_read_back(bytes: u64) {
            for bytes in [bytes, bytes >> 40 << 30, bytes % 1000 * 1_000_000] {
                prop_assert_eq!(ByteCount(bytes).to_string().parse(), Ok(ByteCount(bytes)));
            }
        }
    }
}
