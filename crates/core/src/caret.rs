//! Shows where in an expression something is wrong.

/// Returns the line of `text` that holds byte `offset`, indented, and below it a caret under that place.
/// Other lines are left out: an expression from a file may span several.
pub fn caret(text: &str, offset: usize) -> String {
    let offset = text.floor_char_boundary(offset);
    let start = text[..offset].rfind('\n').map_or(0, |at| at + 1);
    let end = text[offset..].find('\n').map_or(text.len(), |at| offset + at);
    let line = &text[start..end];
    // Tabs are kept in the padding so that the caret stays below its place.
    let padding: String =
        text[start..offset].chars().map(|c| if c == '\t' { '\t' } else { ' ' }).collect();
    format!("  {line}\n  {padding}^")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_caret_stands_under_the_place() {
        assert_eq!(caret("a = b", 4), "  a = b\n      ^");
        assert_eq!(caret("", 0), "  \n  ^");
        assert_eq!(caret("ä\tx = 1", 3), "  ä\tx = 1\n   \t^");
        assert_eq!(caret("one\ntwo three\nfour", 8), "  two three\n      ^");
        // Past the end, and inside a character.
        assert_eq!(caret("ab", 9), "  ab\n    ^");
        assert_eq!(caret("aä", 2), "  aä\n   ^");
    }
}
