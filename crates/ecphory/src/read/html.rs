//! HTML to plain text: `<title>` (or the first `<h1>`) is the title, blocks become lines.
//!
//! What a reader of the page does not read is left out: scripts, styles, navigation, templates.

use scraper::node::Node;
use scraper::{ElementRef, Html, Selector};

use super::folder::Page;

/// Elements whose content is no text of the page.
const LEFT_OUT: [&str; 8] =
    ["head", "script", "style", "nav", "noscript", "template", "iframe", "svg"];

/// Elements that stand inside a line; all others begin and end one.
const INLINE: [&str; 32] = [
    "a", "abbr", "acronym", "b", "bdi", "bdo", "big", "cite", "code", "data", "del", "dfn", "em",
    "font", "i", "ins", "kbd", "label", "mark", "q", "s", "samp", "small", "span", "strike",
    "strong", "sub", "sup", "time", "tt", "u", "var",
];

pub(super) fn plain(source: &str) -> Page {
    let html = Html::parse_document(source);
    let first = |selector: &str| {
        let selector = Selector::parse(selector).expect("the selector is a constant");
        html.select(&selector).map(|element| collapsed(&element)).find(|text| !text.is_empty())
    };
    let title = first("title").or_else(|| first("h1")).unwrap_or_default();
    let mut text = String::new();
    // A walk along children, siblings and parents: pages may nest deeper than a stack of calls.
    let mut node = html.tree.root();
    let mut opening = true;
    loop {
        let mut inside = opening;
        match node.value() {
            Node::Text(piece) if opening => push(&mut text, piece),
            Node::Element(element) if LEFT_OUT.contains(&element.name()) => inside = false,
            Node::Element(element) if !INLINE.contains(&element.name()) => end_line(&mut text),
            _ => {}
        }
        let child = if inside { node.first_child() } else { None };
        (node, opening) = match (child, node.next_sibling(), node.parent()) {
            (Some(child), ..) => (child, true),
            // An element without children, or one that is left out, closes where it opens.
            (None, ..) if opening && node.value().is_element() => (node, false),
            (None, Some(sibling), _) => (sibling, true),
            (None, None, Some(parent)) => (parent, false),
            (None, None, None) => break,
        };
    }
    text.truncate(text.trim_end().len());
    Page { title, text }
}

fn end_line(out: &mut String) {
    out.truncate(out.trim_end().len());
    if !out.is_empty() {
        out.push('\n');
    }
}

/// Adds text with every run of white space as one space, across pieces.
fn push(out: &mut String, piece: &str) {
    for c in piece.chars() {
        if !c.is_whitespace() {
            out.push(c);
        } else if !out.is_empty() && !out.ends_with([' ', '\n']) {
            out.push(' ');
        }
    }
}

fn collapsed(element: &ElementRef<'_>) -> String {
    element.text().collect::<String>().split_whitespace().collect::<Vec<_>>().join(" ")
}
