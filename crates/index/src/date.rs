//! Dates as text: RFC 3339, whole or cut off after the year, the month or the day.
//!
//! Inside, a date is a number of milliseconds since 1970 (UTC, without leap seconds). The calendar is the
//! Gregorian one in all years from 0 to 9999. Not for time zones with names, nor for other calendars.

/// What a date's text means: from the first instant on, up to but without the end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Span {
    /// The first instant, in milliseconds.
    pub start: i64,
    /// Where the year, month, day or millisecond ends.
    pub end: i64,
}

/// How dates are written, for messages.
pub(crate) const EXAMPLES: &str = "2020, 2020-05, 2020-05-17 or 2020-05-17T10:00:00Z";

const DAY: i64 = 86_400_000;

/// Parses a date; `None` where the text is none. A time without an offset is UTC.
pub(crate) fn parse(text: &str) -> Option<Span> {
    let mut rest = text.as_bytes();
    let year = digits(&mut rest, 4)?;
    if rest.is_empty() {
        return Some(days(year, 1, 1, year + 1, 1, 1));
    }
    sign(&mut rest, b"-")?;
    let month = digits(&mut rest, 2).filter(|month| (1..=12).contains(month))?;
    if rest.is_empty() {
        let (next_year, next) = if month == 12 { (year + 1, 1) } else { (year, month + 1) };
        return Some(days(year, month, 1, next_year, next, 1));
    }
    sign(&mut rest, b"-")?;
    let day = digits(&mut rest, 2).filter(|day| (1..=days_in_month(year, month)).contains(day))?;
    let midnight = day_number(year, month, day) * DAY;
    if rest.is_empty() {
        return Some(Span { start: midnight, end: midnight + DAY });
    }
    sign(&mut rest, b"Tt ")?;
    let start = midnight + time(&mut rest)? - offset(&mut rest)?;
    rest.is_empty().then_some(Span { start, end: start + 1 })
}

/// Writes an instant: as a day where it is midnight, otherwise with its time.
pub(crate) fn format(instant: i64) -> String {
    let (year, month, day) = civil(instant.div_euclid(DAY));
    let time = instant.rem_euclid(DAY);
    let date = format!("{year:04}-{month:02}-{day:02}");
    let (hour, minute, second) = (time / 3_600_000, time / 60_000 % 60, time / 1000 % 60);
    match time % 1000 {
        0 if time == 0 => date,
        0 => format!("{date}T{hour:02}:{minute:02}:{second:02}Z"),
        millis => format!("{date}T{hour:02}:{minute:02}:{second:02}.{millis:03}Z"),
    }
}

fn days(year: i64, month: i64, day: i64, end_year: i64, end_month: i64, end_day: i64) -> Span {
    let start = day_number(year, month, day) * DAY;
    Span { start, end: day_number(end_year, end_month, end_day) * DAY }
}

/// Reads `10:00`, `10:00:00` or `10:00:00.123`; digits beyond the millisecond are dropped. A leap second
/// is the first instant of the next minute.
fn time(rest: &mut &[u8]) -> Option<i64> {
    let hour = digits(rest, 2).filter(|hour| *hour < 24)?;
    sign(rest, b":")?;
    let minute = digits(rest, 2).filter(|minute| *minute < 60)?;
    let mut millis = (hour * 60 + minute) * 60_000;
    if sign(rest, b":").is_some() {
        millis += digits(rest, 2).filter(|second| *second <= 60)? * 1000;
        if sign(rest, b".").is_some() {
            let count = rest.iter().take_while(|byte| byte.is_ascii_digit()).count();
            let (fraction, after) = rest.split_at(count);
            let first = fraction.first()?;
            *rest = after;
            for (place, scale) in [100, 10, 1].into_iter().enumerate() {
                let digit = if place == 0 { first } else { fraction.get(place).unwrap_or(&b'0') };
                millis += i64::from(digit - b'0') * scale;
            }
        }
    }
    Some(millis)
}

/// Reads `Z`, `+02:00`, `-05:30` or nothing.
fn offset(rest: &mut &[u8]) -> Option<i64> {
    if rest.is_empty() || sign(rest, b"Zz").is_some() {
        return Some(0);
    }
    let direction = if sign(rest, b"+").is_some() {
        1
    } else {
        sign(rest, b"-")?;
        -1
    };
    let hours = digits(rest, 2).filter(|hours| *hours < 24)?;
    sign(rest, b":")?;
    let minutes = digits(rest, 2).filter(|minutes| *minutes < 60)?;
    Some(direction * (hours * 60 + minutes) * 60_000)
}

fn digits(rest: &mut &[u8], count: usize) -> Option<i64> {
    let (head, tail) = rest.split_at_checked(count)?;
    let number = head.iter().try_fold(0, |number, byte| {
        byte.is_ascii_digit().then(|| number * 10 + i64::from(byte - b'0'))
    })?;
    *rest = tail;
    Some(number)
}

fn sign(rest: &mut &[u8], any_of: &[u8]) -> Option<()> {
    let (head, tail) = rest.split_first()?;
    any_of.contains(head).then(|| *rest = tail)
}

fn days_in_month(year: i64, month: i64) -> i64 {
    let leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    match month {
        2 => 28 + i64::from(leap),
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

/// Returns the days from 1970-01-01. Years begin in March here, so that the leap day is their last; 400 of
/// them have 146,097 days (the usual arithmetic, as in H. Hinnant's `days_from_civil`).
fn day_number(year: i64, month: i64, day: i64) -> i64 {
    let year = if month <= 2 { year - 1 } else { year };
    let era = year.div_euclid(400);
    let year_of_era = year.rem_euclid(400);
    let day_of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    era * 146_097 + year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year - 719_468
}

/// The inverse of [`day_number`].
fn civil(number: i64) -> (i64, i64, i64) {
    let number = number + 719_468;
    let era = number.div_euclid(146_097);
    let day_of_era = number.rem_euclid(146_097);
    let year_of_era =
        (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * shifted + 2) / 5 + 1;
    let month = if shifted < 10 { shifted + 3 } else { shifted - 9 };
    (era * 400 + year_of_era + i64::from(month <= 2), month, day)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn start(text: &str) -> i64 {
        parse(text).unwrap_or_else(|| panic!("{text} is no date")).start
    }

    #[test]
    fn known_instants() {
        assert_eq!(start("1970"), 0);
        assert_eq!(start("1970-01-01T00:00:00Z"), 0);
        assert_eq!(start("1969-12-31T23:59:59.999Z"), -1);
        // `date -u -d @1589709600`
        assert_eq!(start("2020-05-17T10:00:00Z"), 1_589_709_600_000);
        assert_eq!(start("2020-05-17T12:00:00+02:00"), 1_589_709_600_000);
        assert_eq!(start("2020-05-17 04:30-05:30"), 1_589_709_600_000);
        assert_eq!(start("2020-05-17t10:00"), 1_589_709_600_000);
        assert_eq!(start("2020-05-17T10:00:00.0419z"), 1_589_709_600_041);
        assert_eq!(start("2016-12-31T23:59:60Z"), start("2017"));
        assert_eq!(start("2000-02-29"), 951_782_400_000);
        assert_eq!(start("0000"), -62_167_219_200_000);
    }

    #[test]
    fn a_cut_date_spans_its_year_month_or_day() {
        for (text, end) in [
            ("2020", "2021-01-01"),
            ("2020-12", "2021-01"),
            ("2020-02", "2020-03-01"),
            ("2020-02-28", "2020-02-29"),
            ("9999", "9999-12-31T24:00"),
        ] {
            match parse(end) {
                Some(end) => assert_eq!(parse(text).unwrap().end, end.start),
                None => assert_eq!(parse(text).unwrap().end, start("9999-12-31") + DAY),
            }
        }
        let instant = parse("2020-05-17T10:00:00Z").unwrap();
        assert_eq!(instant.end - instant.start, 1);
    }

    #[test]
    fn what_is_no_date_is_refused() {
        for text in [
            "",
            "20",
            "2020-",
            "2020-5",
            "2020-13",
            "2020-00",
            "2020-02-30",
            "2019-02-29",
            "1900-02-29",
            "2020-01-00",
            "2020-01-01T",
            "2020-01-01T10",
            "2020-01-01T24:00",
            "2020-01-01T10:60",
            "2020-01-01T10:00:61",
            "2020-01-01T10:00:00.",
            "2020-01-01T10:00:00+2",
            "2020-01-01T10:00Zx",
            "soon",
            "-2020",
            "20200517",
            "2020-05-17x",
            "２０２０",
        ] {
            assert_eq!(parse(text), None, "{text}");
        }
    }

    proptest! {
        #[test]
        fn days_follow_each_other_and_texts_come_back(
            instant in -62_167_219_200_000i64..253_402_300_800_000, text in "\\PC{0,30}|[0-9TZ:+. -]{0,30}",
        ) {
            prop_assert_eq!(start(&format(instant)), instant);
            let day = instant.div_euclid(DAY);
            let (year, month, number) = civil(day);
            prop_assert_eq!(day_number(year, month, number), day);
            let next = if number < days_in_month(year, month) { (year, month, number + 1) }
                else if month < 12 { (year, month + 1, 1) } else { (year + 1, 1, 1) };
            prop_assert_eq!(civil(day + 1), next);
            // Nothing panics.
            let _ = parse(&text);
        }
    }
}
