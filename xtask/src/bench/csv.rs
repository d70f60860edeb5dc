//! Comma-separated values as in RFC 4180, one record a line: a quoted value may hold commas and quotes,
//! not line breaks.

/// Writes one record.
pub fn line<S: AsRef<str>>(values: &[S]) -> String {
    let quoted: Vec<String> = values.iter().map(|value| quote(value.as_ref())).collect();
    quoted.join(",")
}

/// Reads one record; `None` where a quote is not closed.
pub fn values(line: &str) -> Option<Vec<String>> {
    let mut values = vec![String::new()];
    let mut inside = false;
    let mut chars = line.chars().peekable();
    while let Some(c) = chars.next() {
        let current = values.last_mut()?;
        match c {
            '"' if inside && chars.peek() == Some(&'"') => {
                chars.next();
                current.push('"');
            }
            '"' => inside = !inside,
            ',' if !inside => values.push(String::new()),
            c => current.push(c),
        }
    }
    (!inside).then_some(values)
}

fn quote(value: &str) -> String {
    let value = value.replace(['\n', '\r'], " ");
    if value.contains([',', '"']) { format!("\"{}\"", value.replace('"', "\"\"")) } else { value }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn round_trips() {
        let record = ["a", "", "b, c", "say \"d\"", "\""];
        assert_eq!(values(&line(&record)).unwrap(), record);
        assert_eq!(values("\"open"), None);
    }
}
