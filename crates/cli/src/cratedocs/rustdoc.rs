//! Finds documentation comments in Rust source and the names of what they document.
//!
//! One pass over the lines, trusting the indentation that rustfmt gives them: the names of the
//! enclosing modules, types and impls are a stack ordered by indentation. Not for sources in other
//! layouts, where a name may lack its type, and not for documentation that macros write.

/// A documentation comment.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Block {
    /// The documented item within its file, `Finder::find`; for a module text the module within
    /// the file, and empty for the file itself.
    pub path: String,
    pub is_module: bool,
    pub markdown: String,
}

/// Returns the module texts of a file, then the comments of its public items in order. Trait items
/// and enum variants count as public where the trait or enum is.
pub(super) fn blocks(source: &str) -> Vec<Block> {
    let mut scanner = Scanner::default();
    for line in source.lines() {
        scanner.line(line);
    }
    scanner.modules.append(&mut scanner.items);
    scanner.modules
}

#[derive(Default)]
struct Scanner {
    modules: Vec<Block>,
    items: Vec<Block>,
    scopes: Vec<Scope>,
    pending: String,
    attribute: String,
    is_hidden: bool,
    is_exported: bool,
}

/// What a line lies in.
struct Scope {
    indent: usize,
    name: String,
    /// Whether its members are public without saying so.
    opens: bool,
    is_enum: bool,
    is_hidden: bool,
}

impl Scanner {
    fn line(&mut self, line: &str) {
        let code = line.trim_start();
        if !self.attribute.is_empty() {
            self.attribute(code);
        } else if let Some(text) = code.strip_prefix("//!") {
            self.close_scopes(line.len() - code.len(), code);
            self.module_text(text);
        } else if let Some(text) = doc_text(code) {
            self.pending.push_str(text);
            self.pending.push('\n');
        } else if code.starts_with("#[") || code.starts_with("#![") {
            self.attribute(code);
        } else if !code.is_empty() && !code.starts_with("//") {
            self.code(line.len() - code.len(), code);
        }
    }

    fn module_text(&mut self, text: &str) {
        if self.scopes.iter().any(|scope| scope.is_hidden) {
            return;
        }
        let path = self.path("");
        let text = text.strip_prefix(' ').unwrap_or(text);
        match self.modules.last_mut().filter(|block| block.path == path) {
            Some(block) => block.markdown = format!("{}\n{text}", block.markdown),
            None => self.modules.push(Block { path, is_module: true, markdown: text.to_owned() }),
        }
    }

    /// Takes a line of an attribute, which ends where its brackets balance.
    fn attribute(&mut self, code: &str) {
        self.attribute.push_str(code);
        let count = |bracket: char| self.attribute.matches(bracket).count();
        if count('[') > count(']') {
            return;
        }
        self.is_hidden |= self.attribute.contains("doc(hidden)") || self.attribute == "#[cfg(test)]";
        self.is_exported |= self.attribute.contains("macro_export");
        self.attribute.clear();
    }

    /// Takes a line of code: documents its item and enters the scope it opens.
    fn code(&mut self, indent: usize, code: &str) {
        self.close_scopes(indent, code);
        let parent = self.scopes.last();
        let item = Item::parse(code, parent.is_some_and(|scope| scope.is_enum));
        let markdown = std::mem::take(&mut self.pending);
        let is_hidden = std::mem::take(&mut self.is_hidden);
        let is_exported = std::mem::take(&mut self.is_exported);
        let Some(item) = item else { return };
        let is_public = item.is_public
            || is_exported
            || parent.is_some_and(|scope| scope.opens && scope.indent < indent);
        let in_hidden = is_hidden || self.scopes.iter().any(|scope| scope.is_hidden);
        if is_public && !in_hidden && !markdown.is_empty() && !item.name.is_empty() {
            self.items.push(Block { path: self.path(&item.name), is_module: false, markdown });
        }
        let is_scope = ["mod", "impl", "trait", "struct", "union", "enum"].contains(&item.kind);
        if is_scope && !code.ends_with(';') && !code.ends_with("{}") {
            self.scopes.push(Scope {
                indent,
                is_hidden: in_hidden && item.kind == "mod",
                opens: item.is_public && ["trait", "enum"].contains(&item.kind),
                is_enum: item.kind == "enum",
                name: item.name,
            });
        }
    }

    /// Leaves the scopes that a line of this indentation is not in.
    fn close_scopes(&mut self, indent: usize, code: &str) {
        // The braces that open a body after a `where` stand at the indentation of its head.
        if code.starts_with('{') || code.starts_with("where") {
            return;
        }
        while self.scopes.last().is_some_and(|scope| scope.indent >= indent) {
            self.scopes.pop();
        }
    }

    fn path(&self, name: &str) -> String {
        let names = self.scopes.iter().map(|scope| scope.name.as_str()).chain([name]);
        names.filter(|name| !name.is_empty()).collect::<Vec<_>>().join("::")
    }
}

/// Returns the text of an outer documentation comment. Four slashes are an ordinary comment.
fn doc_text(code: &str) -> Option<&str> {
    let text = code.strip_prefix("///").filter(|text| !text.starts_with('/'))?;
    Some(text.strip_prefix(' ').unwrap_or(text))
}

/// The head of an item.
struct Item {
    kind: &'static str,
    name: String,
    is_public: bool,
}

impl Item {
    /// Reads the head of an item from the line on which it starts; in an enum, of a variant.
    fn parse(code: &str, in_enum: bool) -> Option<Self> {
        let (is_public, rest) = match code.strip_prefix("pub ") {
            Some(rest) => (true, rest.trim_start()),
            None => (false, after_restricted_pub(code)),
        };
        let mut words = rest.split_whitespace();
        let mut rest = rest;
        while let Some(word) = words.next() {
            let after = rest[word.len()..].trim_start();
            let is_qualifier = ["unsafe", "async", "default", "extern", "safe", "auto"].contains(&word)
                || (word.starts_with('"') && word.ends_with('"'))
                || (word == "const" && CALLABLE.iter().any(|next| after.starts_with(next)));
            if !is_qualifier {
                break;
            }
            rest = after;
        }
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

    fn check(source: &str, expect: &[(&str, &str)]) {
        let blocks = blocks(source);
        let found: Vec<_> =
            blocks.iter().map(|b| (b.path.as_str(), b.markdown.trim_end())).collect();
        assert_eq!(found, expect, "{source}");
    }

    #[test]
    fn names_items_by_their_scopes() {
        check(
            "//! Top.\n//!\n//! More.\n\n/// A finder.\n#[derive(\n    Clone,\n)]\npub struct Finder<'n> {\n    \
             /// A field.\n    pub size: usize,\n    /// Private.\n    other: u8,\n}\n\nimpl<'n, T: Into<Vec<u8>>> \
             fmt::Trait<T>\n    for Finder<'n>\n{\n}\n\nimpl<'n> Finder<'n>\nwhere\n    'n: 'static,\n{\n    /// Finds.\n    \
             /// Fast.\n    pub const unsafe fn find(&self) {\n        body();\n    }\n\n    /// Not public.\n    \
             pub(crate) fn hide(&self) {}\n}\n",
            &[
                ("", "Top.\n\nMore."),
                ("Finder", "A finder."),
                ("Finder::size", "A field."),
                ("Finder::find", "Finds.\nFast."),
            ],
        );
    }

    #[test]
    fn members_of_public_traits_and_enums_are_public() {
        check(
            "/// T.\npub unsafe trait T {\n    /// M.\n    fn m(&self);\n}\n/// E.\npub enum E {\n    /// V.\n    V(u8),\n    \
             /// W.\n    W,\n}\nenum P {\n    /// No.\n    X,\n}\n",
            &[("T", "T."), ("T::m", "M."), ("E", "E."), ("E::V", "V."), ("E::W", "W.")],
        );
    }

    #[test]
    fn leaves_out_what_is_hidden_and_what_only_tests_see() {
        check(
            "/// No.\n#[doc(hidden)]\npub fn a() {}\n#[cfg(test)]\nmod tests {\n    //! No.\n    /// No.\n    pub fn b() \
             {}\n}\nmod inner {\n    //! Yes.\n    /// Yes.\n    pub fn c() {}\n}\n//// No.\npub fn d() {}\n",
            &[("inner", "Yes."), ("inner::c", "Yes.")],
        );
    }

    #[test]
    fn takes_exported_macros_and_constants() {
        check(
            "/// M.\n#[macro_export]\nmacro_rules! join {\n    () => {};\n}\n/// C.\npub const LIMIT: usize = 3;\n/// \
             S.\npub static mut COUNT: u8 = 0;\n",
            &[("join", "M."), ("LIMIT", "C."), ("COUNT", "S.")],
        );
    }

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
}
