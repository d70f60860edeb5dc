//! Finds documentation comments in Rust source and the names of what they document.
//!
//! One pass over the lines, trusting the indentation that rustfmt gives them: the names of the
//! enclosing modules, types and impls are a stack ordered by indentation. Not for sources in other
//! layouts, where a name may lack its type, and not for documentation that macros write.

use super::item::Item;

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
    attribute: Attribute,
    in_block: bool,
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
        let mut code = line.trim_start();
        let indent = line.len() - code.len();
        if self.in_block {
            self.block_text(line);
            return;
        }
        while self.attribute.depth > 0 || code.starts_with("#[") || code.starts_with("#![") {
            let Some(rest) = self.attribute.take(code) else { return };
            self.end_attribute();
            code = rest.trim_start();
        }
        if let Some(text) = code.strip_prefix("/*!") {
            self.block_text(text);
        } else if let Some(text) = code.strip_prefix("//!") {
            self.close_scopes(indent, code);
            self.module_text(text.strip_prefix(' ').unwrap_or(text));
        } else if let Some(text) = doc_text(code) {
            self.pending.push_str(text);
            self.pending.push('\n');
        } else if !code.is_empty() && !code.starts_with("//") {
            self.code(indent, code);
        }
    }

    /// Takes a line of a block comment.
    fn block_text(&mut self, line: &str) {
        let (text, is_last) = match line.split_once("*/") {
            Some((text, _)) => (text, true),
            None => (line, false),
        };
        self.in_block = !is_last;
        self.module_text(text);
    }

    fn module_text(&mut self, text: &str) {
        if self.scopes.iter().any(|scope| scope.is_hidden) {
            return;
        }
        let path = self.path("");
        match self.modules.last_mut().filter(|block| block.path == path) {
            Some(block) => {
                block.markdown.push('\n');
                block.markdown.push_str(text);
            }
            None => self.modules.push(Block { path, is_module: true, markdown: text.to_owned() }),
        }
    }

    /// Notes what the attribute that just ended says.
    fn end_attribute(&mut self) {
        let text = std::mem::take(&mut self.attribute.text);
        // Crates open a code block by an attribute where only some features can compile it.
        if text.contains("doc = \"```\"") {
            if text.starts_with("#!") {
                self.module_text("```");
            } else {
                self.pending.push_str("```\n");
            }
        }
        self.is_hidden |= text.contains("doc(hidden)") || text == "#[cfg(test)]";
        self.is_exported |= text.contains("macro_export");
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

/// An attribute that is being read; it ends where its brackets balance.
#[derive(Default)]
struct Attribute {
    text: String,
    depth: usize,
    in_string: bool,
}

impl Attribute {
    /// Takes a line; returns what follows the attribute where it ends in this line.
    fn take<'a>(&mut self, line: &'a str) -> Option<&'a str> {
        let mut is_escaped = false;
        for (at, c) in line.char_indices() {
            match c {
                '"' if !is_escaped => self.in_string = !self.in_string,
                '[' if !self.in_string => self.depth += 1,
                ']' if !self.in_string => {
                    self.depth = self.depth.saturating_sub(1);
                    if self.depth == 0 {
                        self.text.push_str(&line[..=at]);
                        return Some(&line[at + 1..]);
                    }
                }
                _ => {}
            }
            is_escaped = c == '\\' && !is_escaped;
        }
        self.text.push_str(line);
        None
    }
}

#[cfg(test)]
mod tests;
