//! Markdown to plain text: the first heading is the title, blocks become lines, markup and raw HTML go.

use pulldown_cmark::{Event, Options, Parser, Tag, TagEnd};

use super::folder::Page;

pub(super) fn plain(source: &str) -> Page {
    let options = Options::ENABLE_TABLES
        | Options::ENABLE_STRIKETHROUGH
        | Options::ENABLE_FOOTNOTES
        | Options::ENABLE_TASKLISTS
        | Options::ENABLE_YAML_STYLE_METADATA_BLOCKS;
    let mut page = Page::default();
    let mut titled = false;
    let mut inside_title = false;
    let mut inside_metadata = false;
    for event in Parser::new_ext(source, options) {
        let out = if inside_title { &mut page.title } else { &mut page.text };
        match event {
            Event::Start(Tag::Heading { .. }) if !titled => {
                titled = true;
                inside_title = true;
            }
            Event::End(TagEnd::Heading(_)) if inside_title => inside_title = false,
            Event::Start(Tag::MetadataBlock(_)) => inside_metadata = true,
            Event::End(TagEnd::MetadataBlock(_)) => inside_metadata = false,
            Event::Text(_) if inside_metadata => {}
            Event::Text(text) | Event::Code(text) => out.push_str(&text),
            Event::SoftBreak | Event::End(TagEnd::TableCell) => out.push(' '),
            Event::Start(tag) if is_block(&tag) => end_line(out),
            Event::HardBreak
            | Event::Rule
            | Event::End(
                TagEnd::Paragraph
                | TagEnd::Heading(_)
                | TagEnd::Item
                | TagEnd::CodeBlock
                | TagEnd::TableRow
                | TagEnd::TableHead
                | TagEnd::BlockQuote(_),
            ) => end_line(out),
            _ => {}
        }
    }
    page.title.truncate(page.title.trim_end().len());
    page.text.truncate(page.text.trim_end().len());
    page
}

/// Blocks that can follow text without an end of their own, such as a list inside a list item.
fn is_block(tag: &Tag<'_>) -> bool {
    matches!(
        tag,
        Tag::Paragraph
            | Tag::List(_)
            | Tag::Item
            | Tag::CodeBlock(_)
            | Tag::BlockQuote(_)
            | Tag::Table(_)
    )
}

fn end_line(out: &mut String) {
    out.truncate(out.trim_end().len());
    if !out.is_empty() {
        out.push('\n');
    }
}
