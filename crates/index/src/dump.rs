//! A collection as text, for `inspect` and for tests that pin the whole content.
//!
//! Every document, value, term, posting and row is written: not for large collections.

use std::fmt::Write;

use ecphory_core::DocNo;
use ecphory_kernels::postings::CHUNK;

use crate::schema::ChannelKind;
use crate::segment::Segment;
use crate::segment::bm25::Bm25Part;
use crate::segment::columns::{Found, KeyRange, KeyTest};
use crate::{Result, Snapshot};

impl Snapshot {
    /// Writes everything in the snapshot as text, segment by segment.
    ///
    /// # Errors
    /// [`Error::Corrupt`](crate::Error::Corrupt).
    pub fn dump(&self) -> Result<String> {
        let mut out = String::new();
        for (segment, number) in self.open_segments().iter().zip(0..) {
            line(&mut out, format_args!("segment {number}: {} documents", segment.documents));
            if segment.dead.count() > 0 {
                let dead: Vec<u32> = segment.dead.iter().collect();
                line(&mut out, format_args!("  dead {dead:?}"));
            }
            dump_documents(&mut out, segment)?;
            dump_columns(&mut out, segment)?;
            for (channel, position) in self.schema().channels.iter().zip(0..) {
                match &channel.kind {
                    ChannelKind::Bm25(_) => {
                        line(&mut out, format_args!("  bm25 {}", channel.name));
                        if let Some(part) = &segment.bm25[position] {
                            dump_bm25(&mut out, part.get()?, segment.documents)?;
                        }
                    }
                    ChannelKind::Dense(settings) => {
                        line(&mut out, format_args!("  dense {}", channel.name));
                        dump_dense(&mut out, segment, position, settings.dimensions as usize)?;
                    }
                    ChannelKind::Sparse(_) => {
                        line(&mut out, format_args!("  sparse {}", channel.name));
                        dump_sparse(&mut out, segment, position)?;
                    }
                }
            }
        }
        Ok(out)
    }
}

fn line(out: &mut String, content: std::fmt::Arguments<'_>) {
    writeln!(out, "{content}").expect("a string can always grow");
}

fn dump_documents(out: &mut String, segment: &Segment) -> Result<()> {
    let part = segment.stored.get()?;
    let mut lines = String::new();
    part.for_each(&mut |doc, fields| {
        line(&mut lines, format_args!("  {doc} {:?}", part.id(doc)?));
        for (name, value) in fields {
            let name = &part.names()[*name as usize];
            line(&mut lines, format_args!("    {name} = {:?}", value.to_value()));
        }
        Ok(())
    })?;
    out.push_str(&lines);
    Ok(())
}

/// Writes for each value of each column the documents that have it.
fn dump_columns(out: &mut String, segment: &Segment) -> Result<()> {
    let Some(columns) = &segment.columns else { return Ok(()) };
    let columns = columns.get()?;
    for name in columns.names() {
        let Found::Column(column) = columns.column(name)? else { continue };
        line(out, format_args!("  column {name}, {:?}", column.coding()));
        for ordinal in 0..column.keys() {
            let having = KeyTest::In(vec![KeyRange::exactly(column.key(ordinal).to_vec())]);
            let docs: Vec<String> =
                column.select(&having).iter().map(|doc| doc.to_string()).collect();
            let value = column.coding().value(column.key(ordinal));
            let value = value.map_or_else(String::new, |value| format!("{value:?}"));
            line(out, format_args!("    {value} {}", docs.join(" ")));
        }
        let mut without = column.select(&KeyTest::Present);
        without.complement();
        let docs: Vec<String> = without.iter().map(|doc| doc.to_string()).collect();
        line(out, format_args!("    missing {}", docs.join(" ")));
    }
    Ok(())
}

fn dump_bm25(out: &mut String, part: &Bm25Part, documents: u32) -> Result<()> {
    let (with_terms, length) = (part.documents_with_terms, part.length);
    line(out, format_args!("    {with_terms} documents with terms, {length} terms in all"));
    let lengths: Vec<u32> = (0..documents).map(|doc| part.document_length(DocNo(doc))).collect();
    line(out, format_args!("    lengths {lengths:?}"));
    let mut terms = part.all_terms();
    while let Some((term, ordinal)) = terms.next()? {
        let Some(list) = part.postings_at(ordinal as usize) else { continue };
        let docs = (0..documents).map(DocNo).map(|doc| (doc, list.frequency(doc)));
        let postings: Vec<String> =
            docs.filter(|(_, tf)| *tf > 0).map(|(doc, tf)| format!("{doc}:{tf}")).collect();
        let term = String::from_utf8_lossy(term);
        line(out, format_args!("    {term} ({}) {}", list.documents, postings.join(" ")));
    }
    Ok(())
}

fn dump_dense(
    out: &mut String,
    segment: &Segment,
    channel: usize,
    dimensions: usize,
) -> Result<()> {
    for range in &segment.rows[channel] {
        let table = range.table()?;
        for doc in 0..range.documents {
            let rows = table.rows_of(doc as usize..doc as usize + 1);
            let values = table.values(rows);
            let rows: Vec<&[f32]> = values.chunks_exact(dimensions).collect();
            line(out, format_args!("    {} {rows:?}", range.first + doc));
        }
    }
    Ok(())
}

/// Writes for each document its terms with their weights, then for each chunk and term the impacts.
fn dump_sparse(out: &mut String, segment: &Segment, channel: usize) -> Result<()> {
    for range in &segment.rows[channel] {
        let table = range.table()?;
        for doc in 0..range.documents {
            let rows = table.rows_of(doc as usize..doc as usize + 1);
            let (terms, weights) = (table.terms(rows.clone()), table.values(rows));
            let pairs = terms.iter().zip(weights.iter());
            let pairs: Vec<String> =
                pairs.map(|(term, weight)| format!("{term}:{weight}")).collect();
            line(out, format_args!("    {} {}", range.first + doc, pairs.join(" ")));
        }
        let impacts = &range.sparse(table.shape())?.impacts;
        for chunk in 0..impacts.chunks() {
            let first = range.first + (chunk * CHUNK) as u32;
            for (term, list) in impacts.chunk(chunk).iter() {
                let docs = list.docs.iter().map(|&doc| first + u32::from(u16::from_le_bytes(doc)));
                let pairs: Vec<String> =
                    docs.zip(list.impacts).map(|(doc, impact)| format!("{doc}:{impact}")).collect();
                line(out, format_args!("    term {term} * {} {}", list.unit, pairs.join(" ")));
            }
        }
    }
    Ok(())
}
