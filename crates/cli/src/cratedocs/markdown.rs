//! Turns the Markdown of READMEs and documentation comments into plain text.
//!
//! One pass over the lines for blocks and one over the characters of each paragraph. Not for
//! rendering: where Markdown is ambiguous, the words stay and the marks may stay with them.

use std::ops::Range;

/// Longer code blocks are dropped; short ones often show the call that the text speaks about.
const CODE_LINES_MAX: usize = 5;

/// Longer tags, labels and targets are taken as text.
const CONSTRUCT_CHARS_MAX: usize = 2000;

/// Headings below this level split no text.
const LEVEL_MAX: usize = 3;

/// The character references that READMEs use.
const ENTITIES: [(&str, &str); 8] = [
    ("&amp;", "&"),
    ("&emsp;", " "),
    ("&ensp;", " "),
    ("&gt;", ">"),
    ("&lt;", "<"),
    ("&mdash;", "—"),
    ("&nbsp;", " "),
    ("&quot;", "\""),
];

/// The words of a text without its marks.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Plain {
    /// One line for each paragraph, heading, list item and line of code.
    pub text: String,
    /// How many words there are outside code blocks.
    pub words: usize,
}

/// A part of a text under one heading.
pub(super) struct Section<'a> {
    /// The heading without its marks; empty for what stands before the first one.
    pub heading: String,
    pub body: &'a str,
}

/// Splits a text at its headings of the highest level that has two of them (counting those above
/// it), down to the third. The heading is not in the body, and a first-level heading that opens the
/// text (the name of the crate) starts no section.
pub(super) fn sections(markdown: &str) -> Vec<Section<'_>> {
    let headings = headings(markdown);
    let level = (1..=LEVEL_MAX)
        .find(|&level| headings.iter().filter(|heading| heading.level <= level).count() >= 2)
        .unwrap_or(LEVEL_MAX);
    let mut sections = vec![Section { heading: String::new(), body: "" }];
    let mut start = 0;
    for Heading { line, .. } in headings.iter().filter(|heading| heading.level <= level) {
        if let Some(open) = sections.last_mut() {
            open.body = &markdown[start..line.start];
        }
        let heading = inline(markdown[line.clone()].trim().trim_matches('#').trim());
        sections.push(Section { heading, body: "" });
        start = line.end;
    }
    if let Some(open) = sections.last_mut() {
        open.body = &markdown[start..];
    }
    sections
}

/// The line of a heading.
struct Heading {
    level: usize,
    line: Range<usize>,
}

/// Finds the headings outside code.
fn headings(markdown: &str) -> Vec<Heading> {
    let (mut start, mut fence) = (0, Fence::default());
    let mut headings: Vec<Heading> = Vec::new();
    for text in markdown.split_inclusive('\n') {
        let line = start..start + text.len();
        start = line.end;
        if fence.contains(text) {
            continue;
        }
        let level = text.len() - text.trim_start_matches('#').len();
        let is_heading = (1..=LEVEL_MAX).contains(&level)
            && text[level..].starts_with(' ')
            && text.contains(char::is_alphanumeric);
        let is_title = level == 1 && headings.is_empty() && is_blank(&markdown[..line.start]);
        if is_heading && !is_title {
            headings.push(Heading { level, line });
        }
    }
    headings
}

/// Whether a text has no words outside of link definitions, images and HTML.
fn is_blank(markdown: &str) -> bool {
    plain(markdown).words == 0
}

/// Removes the sections that say the same in every crate.
pub(super) fn without_boilerplate(markdown: &str) -> String {
    let mut kept = String::with_capacity(markdown.len());
    for Section { heading, body } in sections(markdown) {
        if !is_boilerplate(&heading) {
            if !heading.is_empty() {
                kept.push_str("\n## ");
                kept.push_str(&heading);
                kept.push('\n');
            }
            kept.push_str(body);
        }
    }
    kept
}

/// Whether a heading opens a section about the licence or on how to contribute.
fn is_boilerplate(heading: &str) -> bool {
    let heading = heading.to_lowercase();
    ["licen", "contribut", "copyright"].iter().any(|start| heading.starts_with(start))
}

/// Makes an anchor of a heading: `How it works!` becomes `how-it-works`.
pub(super) fn slug(heading: &str) -> String {
    let mut slug = String::new();
    for word in heading.split(|c: char| !c.is_alphanumeric() && c != '_').filter(|w| !w.is_empty())
    {
        if !slug.is_empty() {
            slug.push('-');
        }
        slug.push_str(&word.to_lowercase());
    }
    slug
}

/// Removes the marks and long code blocks.
pub(super) fn plain(markdown: &str) -> Plain {
    let mut writer = Writer::default();
    let mut fence = Fence::default();
    let mut in_comment = false;
    for line in markdown.lines() {
        if fence.contains(line) {
            writer.code(line, &fence);
            continue;
        }
        let line = line.trim();
        if in_comment || line.starts_with("<!--") {
            in_comment = !line.ends_with("-->");
            continue;
        }
        writer.prose(line);
    }
    writer.finish()
}

/// Follows the fences of code blocks from line to line.
#[derive(Default)]
struct Fence {
    mark: Option<&'static str>,
    edge: bool,
}

impl Fence {
    /// Takes the next line and returns whether it belongs to a code block, fences included.
    fn contains(&mut self, line: &str) -> bool {
        let line = line.trim_start();
        let mark = ["```", "~~~"].into_iter().find(|mark| line.starts_with(mark));
        self.edge = false;
        match (self.mark, mark) {
            (None, None) => return false,
            (None, opening) => (self.mark, self.edge) = (opening, true),
            (open, closing) if open == closing => (self.mark, self.edge) = (None, true),
            _ => {}
        }
        true
    }
}

/// Collects blocks into plain text.
#[derive(Default)]
struct Writer {
    plain: Plain,
    paragraph: String,
    code: Vec<String>,
}

impl Writer {
    fn code(&mut self, line: &str, fence: &Fence) {
        if !fence.edge {
            let line = line.trim();
            // rustdoc hides these lines.
            if !line.is_empty() && line != "#" && !line.starts_with("# ") {
                self.code.push(line.to_owned());
            }
            return;
        }
        self.end_paragraph();
        let code = std::mem::take(&mut self.code);
        if code.len() <= CODE_LINES_MAX {
            for line in &code {
                self.push_line(line);
            }
        }
    }

    fn prose(&mut self, line: &str) {
        let line = line.trim_start_matches(['>', ' ']);
        let is_rule = line.len() > 2 && line.chars().all(|c| "-=*_|: +".contains(c));
        if line.is_empty() || is_rule || is_definition(line) {
            self.end_paragraph();
            return;
        }
        let heading = line.trim_start_matches('#');
        if heading.len() < line.len() && heading.starts_with(' ') {
            self.end_paragraph();
            self.paragraph.push_str(heading.trim_end_matches('#').trim());
            self.end_paragraph();
            return;
        }
        if is_list_item(line) {
            self.end_paragraph();
        }
        if !self.paragraph.is_empty() {
            self.paragraph.push(' ');
        }
        self.paragraph.push_str(line);
    }

    fn end_paragraph(&mut self) {
        let paragraph = inline(&std::mem::take(&mut self.paragraph));
        self.plain.words +=
            paragraph.split_whitespace().filter(|w| w.contains(char::is_alphanumeric)).count();
        self.push_line(&paragraph);
    }

    fn push_line(&mut self, line: &str) {
        if line.is_empty() {
            return;
        }
        if !self.plain.text.is_empty() {
            self.plain.text.push('\n');
        }
        self.plain.text.push_str(line);
    }

    fn finish(mut self) -> Plain {
        self.end_paragraph();
        self.plain
    }
}

/// Whether a line defines the target of a link: `[name]: https://...`.
fn is_definition(line: &str) -> bool {
    line.starts_with('[')
        && line.contains("]: ")
        && !line[..line.find("]: ").unwrap_or(0)].contains("](")
}

fn is_list_item(line: &str) -> bool {
    let rest = line.trim_start_matches(|c: char| c.is_ascii_digit());
    let mark = if rest.len() < line.len() { [". ", ") "].as_slice() } else { &["- ", "* ", "+ "] };
    mark.iter().any(|mark| rest.starts_with(mark))
}

/// Removes links, images, HTML tags, emphasis and backticks; code between backticks stays as it is.
fn inline(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(next) = rest.chars().next() {
        if let Some((kept, after)) = construct(next, rest) {
            out.push_str(&kept);
            rest = after;
            continue;
        }
        let after = &rest[next.len_utf8()..];
        match next {
            // A star between spaces multiplies or lists; elsewhere it emphasises.
            '*' if out.ends_with(' ') && after.starts_with(' ') => out.push('*'),
            '*' | '[' | ']' => {}
            '\\' if after.starts_with(|c: char| c.is_ascii_punctuation()) => {}
            _ => out.push(next),
        }
        rest = after;
    }
    out.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// Recognises what starts at `rest`; returns the text that stays and what follows.
fn construct(first: char, rest: &str) -> Option<(String, &str)> {
    match first {
        '&' => ENTITIES.iter().find_map(|&(entity, character)| {
            rest.strip_prefix(entity).map(|after| (character.to_owned(), after))
        }),
        '`' => {
            let ticks = rest.len() - rest.trim_start_matches('`').len();
            let (code, after) = rest[ticks..].split_once(&rest[..ticks])?;
            Some((code.trim().to_owned(), after))
        }
        '!' if rest.starts_with("![") => {
            let (_, after) = bracketed(&rest[1..], '[', ']')?;
            Some((String::new(), link_target(after)))
        }
        '[' => {
            let (label, after) = bracketed(rest, '[', ']')?;
            Some((inline_label(label), link_target(after)))
        }
        '<' if rest[1..].starts_with(|c: char| c.is_ascii_alphabetic() || c == '/') => {
            let (tag, _) = window(&rest[1..]).split_once('>')?;
            let after = &rest[tag.len() + 2..];
            let is_link = tag.starts_with("http") && !tag.contains(' ');
            Some((if is_link { tag.to_owned() } else { " ".to_owned() }, after))
        }
        _ => None,
    }
}

/// Removes backticks inside a label, and the label where it is an image. Deeper nesting keeps its
/// marks: a label is not parsed again, so that hostile input costs no stack.
fn inline_label(label: &str) -> String {
    let is_image = ["![", "<img"].iter().any(|start| label.trim_start().starts_with(start));
    if is_image { String::new() } else { label.replace(['`', '*'], "") }
}

/// Skips `(url)` or `[reference]` behind a label.
fn link_target(after: &str) -> &str {
    let target = match after.chars().next() {
        Some('(') => bracketed(after, '(', ')'),
        Some('[') => bracketed(after, '[', ']'),
        _ => None,
    };
    target.map_or(after, |(_, rest)| rest)
}

/// Returns the start of a text: how far the end of a tag or label is looked for, so that a page of
/// opening brackets does not cost the square of its length.
fn window(text: &str) -> &str {
    let end = text.char_indices().map(|(at, _)| at).nth(CONSTRUCT_CHARS_MAX);
    &text[..end.unwrap_or(text.len())]
}

/// Splits `(inner) rest` at the bracket that closes the first one.
fn bracketed(text: &str, open: char, close: char) -> Option<(&str, &str)> {
    let mut depth = 0usize;
    for (at, c) in window(text).char_indices() {
        if c == open {
            depth += 1;
        } else if c == close {
            depth = depth.checked_sub(1)?;
            if depth == 0 {
                return Some((&text[open.len_utf8()..at], &text[at + close.len_utf8()..]));
            }
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn check(markdown: &str, expect: &str) {
        assert_eq!(plain(markdown).text, expect, "{markdown}");
    }

    #[test]
    fn keeps_words_and_identifiers() {
        check(
            "# Head #\n\nSee [`Vec<T>`][vec] and [the *book*](http://a/(b)).",
            "Head\nSee Vec<T> and the book.",
        );
        check("[![badge](http://b)](http://c)\nText **bold** a * b.", "Text bold a * b.");
        check("- one\n  more\n- two\n1. three", "- one more\n- two\n1. three");
        check("[vec]: https://x\n<!-- a\nb -->\n<p align=\"x\">in</p>", "in");
        check("uses `a * b` and <https://x.y>", "uses a * b and https://x.y");
        check("<a href=\"https://x\"><img src=\"https://y\"></a>A&nbsp;&lt;B", "A <B");
        check("a [lone bracket and `code`", "a lone bracket and code");
    }

    #[test]
    fn drops_long_code_and_hidden_lines() {
        check("Call:\n```rust\n# use x;\nf(1);\n```\nDone.", "Call:\nf(1);\nDone.");
        check("Call:\n```\n1\n2\n3\n4\n5\n6\n```\nDone.", "Call:\nDone.");
        assert_eq!(plain("one two\n```\nthree four\n```\n").words, 2);
    }

    #[test]
    fn splits_at_headings_outside_code() {
        let text = "# crate\nIntro.\n## How it `works`!\nA\n```\n# no\n```\n### Deep\nB\n# Last\nC";
        let found: Vec<_> =
            sections(text).into_iter().map(|s| (s.heading, s.body.trim().to_owned())).collect();
        let heading = |i: usize| found[i].0.as_str();
        assert_eq!(found.len(), 3);
        assert_eq!((heading(0), heading(1), heading(2)), ("", "How it works!", "Last"));
        assert_eq!(sections("a\n### B\nb\n### C\nc\n#### D").len(), 3);
        assert_eq!(slug(heading(1)), "how-it-works");
        assert_eq!(found[2].1, "C");
        assert!(found[0].1.ends_with("Intro."));
    }

    proptest! {
        #[test]
        fn any_input_gives_text_without_blank_lines(text in "[a-z `*\\[\\]()!<>#\n~é-]{0,80}") {
            let plain = plain(&text);
            prop_assert!(plain.text.lines().all(|line| !line.trim().is_empty()));
            let whole: usize = sections(&text).iter().map(|s| s.body.len()).sum();
            prop_assert!(whole <= text.len());
        }
    }
}
