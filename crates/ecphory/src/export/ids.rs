//! Ids in a text file, one a line.
//!
//! An id stands as it is, unless that could be read as something else: where it begins with a quotation mark, or
//! has a character at which some reader ends a line, it is a JSON string.

use super::ExportError;

/// Appends the line of an id.
pub(super) fn put_line(id: &str, out: &mut Vec<u8>) {
    let ends_line = |c: char| c.is_control() || matches!(c, '\u{2028}' | '\u{2029}');
    if !id.starts_with('"') && !id.contains(ends_line) {
        out.extend_from_slice(id.as_bytes());
        out.push(b'\n');
        return;
    }
    out.push(b'"');
    for c in id.chars() {
        match c {
            '"' | '\\' => out.extend_from_slice(&[b'\\', c as u8]),
            // These are all below 2^16, so that one escape is enough.
            _ if ends_line(c) => out.extend_from_slice(format!("\\u{:04x}", c as u32).as_bytes()),
            _ => out.extend_from_slice(c.encode_utf8(&mut [0; 4]).as_bytes()),
        }
    }
    out.extend_from_slice(b"\"\n");
}

/// Returns the id of a line without its end.
pub(super) fn parse_line(line: &str) -> Result<String, ExportError> {
    if !line.starts_with('"') {
        return Ok(line.to_owned());
    }
    serde_json::from_str(line).map_err(|_| ExportError::IdLine { line: line.to_owned() })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn line(id: &str) -> String {
        let mut out = Vec::new();
        put_line(id, &mut out);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn ids_stand_as_they_are_where_they_can() {
        for id in ["doc-1", "a b", "ünï", "it's \"quoted\"", "back\\slash", ""] {
            assert_eq!(line(id), format!("{id}\n"));
        }
        assert_eq!(line("\"a\""), "\"\\\"a\\\"\"\n");
        assert_eq!(line("a\nb\u{2028}c\\"), "\"a\\u000ab\\u2028c\\\\\"\n");
        assert!(parse_line("\"open").is_err());
    }

    proptest! {
        #[test]
        fn every_id_is_one_line_and_comes_back(id: String) {
            let line = line(&id);
            let (inside, end) = line.split_at(line.len() - 1);
            prop_assert_eq!(end, "\n");
            let ends = inside.contains(['\n', '\r', '\u{85}', '\u{2028}']);
            prop_assert!(!ends);
            prop_assert_eq!(parse_line(inside).unwrap(), id);
        }
    }
}
