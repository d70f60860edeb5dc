//! Reads the keyword and the name of an item off the line on which it starts.
//!
//! Not a parser: what rustfmt would put on later lines is not looked at, and a line of another kind
//! gives nothing.

/// The head of an item.
pub(super) struct Item {
    /// The keyword, or `member` for a field or variant.
    pub kind: &'static str,
    /// For an `impl` the type it is for.
    pub name: String,
    pub is_public: bool,
}

impl Item {
    /// Reads the head of an item from the line on which it starts; in an enum, of a variant.
    pub fn parse(code: &str, in_enum: bool) -> Option<Self> {
        let (is_public, rest) = match code.strip_prefix("pub ") {
            Some(rest) => (true, rest.trim_start()),
            None => (false, after_restricted_pub(code)),
        };
        let rest = without_qualifiers(rest);
        let word = ident(rest);
        if word == "impl" {
            return Some(Self { kind: "impl", name: implemented(rest), is_public });
        }
        if let Some(kind) = KINDS.iter().find(|kind| **kind == word) {
            let name = rest[word.len()..].trim_start_matches(['!', ' ']);
            let name = name.strip_prefix("mut ").unwrap_or(name);
            return Some(Self { kind, name: ident(name).to_owned(), is_public });
        }
        let after = rest[word.len()..].trim_start();
        let is_field = is_public && after.starts_with(':') && !after.starts_with("::");
        let is_variant = in_enum
            && word.starts_with(|c: char| c.is_ascii_uppercase())
            && (after.is_empty() || after.starts_with([',', '(', '{', '=']));
        (is_field || is_variant).then(|| Self { kind: "member", name: word.to_owned(), is_public })
    }
}

const KINDS: [&str; 10] =
    ["fn", "struct", "enum", "trait", "union", "type", "const", "static", "mod", "macro_rules"];

/// What may follow `const` where it qualifies a function.
const CALLABLE: [&str; 4] = ["fn ", "unsafe ", "async ", "extern "];

/// Skips `pub(crate)` and its like, which make nothing public.
fn after_restricted_pub(code: &str) -> &str {
    match code.strip_prefix("pub(").and_then(|rest| rest.split_once(')')) {
        Some((_, rest)) => rest.trim_start(),
        None => code,
    }
}

/// Skips what may stand between visibility and keyword.
fn without_qualifiers(head: &str) -> &str {
    let mut rest = head;
    for word in head.split_whitespace() {
        let after = rest[word.len()..].trim_start();
        let is_qualifier = ["unsafe", "async", "default", "extern", "safe", "auto"].contains(&word)
            || (word.starts_with('"') && word.ends_with('"'))
            || (word == "const" && CALLABLE.iter().any(|next| after.starts_with(next)));
        if !is_qualifier {
            break;
        }
        rest = after;
    }
    rest
}

/// Returns the identifier at the start of `text`.
fn ident(text: &str) -> &str {
    let end = text.find(|c: char| !c.is_alphanumeric() && c != '_').unwrap_or(text.len());
    &text[..end]
}

/// Returns the name of the type that an `impl` line is for.
fn implemented(head: &str) -> String {
    let head = head.strip_prefix("impl").unwrap_or(head);
    let head = head.split(" where").next().unwrap_or(head);
    let flat = without_generics(head);
    let target = flat.rsplit(" for ").next().unwrap_or(&flat);
    let target = target.trim_start().trim_start_matches('&');
    // A lifetime is a quote and a name.
    let target = match target.strip_prefix('\'') {
        Some(lifetime) => &lifetime[ident(lifetime).len()..],
        None => target,
    };
    let target = target.trim_matches(|c: char| !c.is_alphanumeric() && c != '_');
    let target = target.strip_prefix("mut ").or(target.strip_prefix("dyn ")).unwrap_or(target);
    let path = target.split([' ', '{', '+']).next().unwrap_or(target);
    ident(path.rsplit("::").next().unwrap_or(path)).to_owned()
}

/// Removes everything between angle brackets.
fn without_generics(head: &str) -> String {
    let (mut flat, mut depth, mut last) = (String::new(), 0usize, ' ');
    for c in head.chars() {
        match c {
            '<' => depth += 1,
            '>' if last != '-' && last != '=' => depth = depth.saturating_sub(1),
            _ if depth == 0 => flat.push(c),
            _ => {}
        }
        last = c;
    }
    flat
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_the_type_of_an_impl() {
        for (head, name) in [
            ("impl Foo {", "Foo"),
            ("impl<T> Bar<T> for a::Foo<T> where T: Fn(u8) -> u8 {", "Foo"),
            ("impl<F: Fn() -> u8> Foo<F> {", "Foo"),
            ("impl<'a> Iterator for &'a mut Foo {", "Foo"),
            ("impl dyn Foo + Send {", "Foo"),
        ] {
            assert_eq!(implemented(head), name, "{head}");
        }
    }

    #[test]
    fn skips_qualifiers() {
        for (head, kind, name, is_public) in [
            ("pub const unsafe extern \"C\" fn f() {", "fn", "f", true),
            ("pub(crate) async fn f() {", "fn", "f", false),
            ("pub unsafe trait T {", "trait", "T", true),
            ("pub const F: u8 = 1;", "const", "F", true),
            ("macro_rules! m {", "macro_rules", "m", false),
            ("pub field: u8,", "member", "field", true),
        ] {
            let item = Item::parse(head, false).unwrap();
            assert_eq!((item.kind, item.name.as_str(), item.is_public), (kind, name, is_public));
        }
        assert!(Item::parse("pub use a::b;", false).is_none());
        assert!(Item::parse("Some(x) => {}", false).is_none());
        assert!(Item::parse("Variant(u8),", true).is_some());
    }
}
