//! Rust source with its comments, literals and tests blanked out, for checks that look for words.
//!
//! A lexer of a page, not a parser: it knows comments (nested), strings (raw and byte too), characters
//! and lifetimes. Everything blanked becomes spaces, so that lines and columns stay.

/// Returns `source` with comments and the contents of literals replaced by spaces.
pub fn code(source: &str) -> String {
    let chars: Vec<char> = source.chars().collect();
    let mut out = String::with_capacity(source.len());
    let mut at = 0;
    while at < chars.len() {
        let end = match chars[at] {
            '/' if chars.get(at + 1) == Some(&'/') => until_newline(&chars, at),
            '/' if chars.get(at + 1) == Some(&'*') => until_comment_end(&chars, at),
            'r' if !follows_word(&chars, at) && raw_hashes(&chars, at).is_some() => {
                until_raw_end(&chars, at)
            }
            '"' => until_quote(&chars, at, '"'),
            '\'' if is_char_literal(&chars, at) => until_quote(&chars, at, '\''),
            _ => at,
        };
        if end == at {
            out.push(chars[at]);
            at += 1;
        } else {
            out.extend(chars[at..end].iter().map(|&c| if c == '\n' { '\n' } else { ' ' }));
            at = end;
        }
    }
    out
}

/// Returns [`code`] with the items under `#[cfg(test)]` blanked too.
pub fn shipped_code(source: &str) -> String {
    let mut text = code(source);
    let mut from = 0;
    while let Some(found) = text[from..].find("#[cfg(test)]") {
        let start = from + found;
        let end = item_end(&text, start);
        let blank: String =
            text[start..end].chars().map(|c| if c == '\n' { '\n' } else { ' ' }).collect();
        text.replace_range(start..end, &blank);
        from = start;
    }
    text
}

/// Yields every word (identifier, keyword) with its byte offset.
pub fn words(code: &str) -> impl Iterator<Item = (usize, &str)> {
    let is_word = |c: char| c.is_alphanumeric() || c == '_';
    let mut at = 0;
    std::iter::from_fn(move || {
        let start = at + code[at..].find(is_word)?;
        let end = code[start..].find(|c| !is_word(c)).map_or(code.len(), |n| start + n);
        at = end;
        Some((start, &code[start..end]))
    })
}

/// Returns the 1-based line of a byte offset.
pub fn line_of(text: &str, offset: usize) -> usize {
    text[..offset].matches('\n').count() + 1
}

/// The end of the item that starts at `start`: the `;` or the closing brace, whichever the item has.
fn item_end(text: &str, start: usize) -> usize {
    let mut depth = 0usize;
    let mut brackets = 0usize;
    for (offset, c) in text[start..].char_indices() {
        match c {
            '[' | '(' => brackets += 1,
            ']' | ')' => brackets = brackets.saturating_sub(1),
            ';' if depth == 0 && brackets == 0 => return start + offset + 1,
            '{' => depth += 1,
            '}' => {
                depth = depth.saturating_sub(1);
                if depth == 0 {
                    return start + offset + 1;
                }
            }
            _ => {}
        }
    }
    text.len()
}

fn until_newline(chars: &[char], at: usize) -> usize {
    chars[at..].iter().position(|&c| c == '\n').map_or(chars.len(), |n| at + n)
}

fn until_comment_end(chars: &[char], at: usize) -> usize {
    let mut depth = 0usize;
    let mut i = at;
    while i + 1 < chars.len() {
        match (chars[i], chars[i + 1]) {
            ('/', '*') => (depth, i) = (depth + 1, i + 2),
            ('*', '/') => (depth, i) = (depth - 1, i + 2),
            _ => i += 1,
        }
        if depth == 0 {
            return i;
        }
    }
    chars.len()
}

fn until_quote(chars: &[char], at: usize, quote: char) -> usize {
    let mut i = at + 1;
    while i < chars.len() {
        match chars[i] {
            '\\' => i += 2,
            c if c == quote => return i + 1,
            _ => i += 1,
        }
    }
    chars.len()
}

fn follows_word(chars: &[char], at: usize) -> bool {
    // `br"..."` is a literal too, so a `b` before the `r` does not count.
    at > 0 && (chars[at - 1].is_alphanumeric() && chars[at - 1] != 'b' || chars[at - 1] == '_')
}

fn raw_hashes(chars: &[char], at: usize) -> Option<usize> {
    let hashes = chars[at + 1..].iter().take_while(|&&c| c == '#').count();
    (chars.get(at + 1 + hashes) == Some(&'"')).then_some(hashes)
}

fn until_raw_end(chars: &[char], at: usize) -> usize {
    let hashes = raw_hashes(chars, at).expect("the caller has looked");
    let mut i = at + hashes + 2;
    while i < chars.len() {
        if chars[i] == '"' && chars[i + 1..].iter().take_while(|&&c| c == '#').count() >= hashes {
            return i + 1 + hashes;
        }
        i += 1;
    }
    chars.len()
}

/// Tells `'a'` and `'\n'` from the lifetime `'a`.
fn is_char_literal(chars: &[char], at: usize) -> bool {
    chars.get(at + 1) == Some(&'\\') || chars.get(at + 2) == Some(&'\'')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn literals_and_comments_vanish_and_lines_stay() {
        let source =
            "let a = \"unsafe\\\" x\"; // unsafe\n/* unsafe /* nested */ unsafe */ b('\"', 'x')";
        let stripped = code(source);
        assert_eq!(stripped.len(), source.len());
        assert!(!stripped.contains("unsafe") && !stripped.contains("nested"), "{stripped}");
        assert!(stripped.contains("b(") && stripped.lines().count() == 2);
        assert_eq!(code("r#\"a\"b\"# + c").trim(), "+ c");
        assert_eq!(code("fn f<'a>(x: &'a str) {}"), "fn f<'a>(x: &'a str) {}");
    }

    #[test]
    fn test_items_vanish() {
        let source = "fn a() {}\n#[cfg(test)]\nmod tests {\n    fn b() { c(); }\n}\nfn d() {}\n#[cfg(test)]\nmod more;\nfn e() {}";
        let shipped = shipped_code(source);
        let found: Vec<&str> = words(&shipped).map(|(_, word)| word).collect();
        assert_eq!(found, ["fn", "a", "fn", "d", "fn", "e"]);
        assert_eq!(line_of(&shipped, shipped.find("fn e").unwrap()), 9);
    }
}
