//! Merging the BM25 parts of neighbouring segments: postings are copied under new numbers, and those of
//! dead documents left out. Nothing is analysed again. About 5 ns a posting.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use super::builder::{Bm25Builder, Bm25Sections, Lengths, check_postings};
use super::{AllTerms, Bm25Part, TermPostings};
use crate::Result;
use crate::format::spool::SpoolRoom;
use crate::segment::survivors::Survivors;

/// Merges parts, which are in order, each with what survives of its documents.
pub(crate) fn merge_parts<'s>(
    parts: &[(&Bm25Part, &Survivors)],
    room: SpoolRoom<'s>,
) -> Result<Bm25Sections<'s>> {
    check_postings(parts.iter().map(|(part, _)| part.posting_count()).sum())?;
    let mut lengths = Lengths::default();
    for (part, survivors) in parts {
        for old in survivors.iter() {
            lengths.push(part.document_length(ecphory_core::DocNo(old)));
        }
    }
    let mut out = Bm25Builder::new(room)?;
    let mut terms: Vec<AllTerms<'_>> = parts.iter().map(|(part, _)| part.all_terms()).collect();
    let mut heads = BinaryHeap::new();
    for (i, terms) in terms.iter_mut().enumerate() {
        heads.extend(next(terms, i)?);
    }
    let mut term = Vec::new();
    while let Some(Reverse((smallest, i, ordinal))) = heads.pop() {
        if smallest != term {
            out.end_term(&term)?;
            term = smallest;
        }
        let (part, survivors) = parts[i];
        if let Some(postings) = part.postings_at(ordinal as usize) {
            copy(&postings, survivors, &mut out);
        }
        heads.extend(next(&mut terms[i], i)?);
    }
    out.end_term(&term)?;
    out.finish(lengths)
}

/// A term with the stream it came from and its ordinal there; the smallest term first, then the earlier part.
type Head = Reverse<(Vec<u8>, usize, u64)>;

fn next(terms: &mut AllTerms<'_>, i: usize) -> Result<Option<Head>> {
    Ok(terms.next()?.map(|(term, ordinal)| Reverse((term.to_vec(), i, ordinal))))
}

/// Adds a term's postings of one part, light and heavy ones in the order of documents.
fn copy(postings: &TermPostings<'_>, survivors: &Survivors, out: &mut Bm25Builder<'_>) {
    for (first, chunk) in postings.chunks() {
        let mut heavy = chunk.heavy.iter().peekable();
        for (&doc, &tf) in chunk.docs.iter().zip(chunk.tfs) {
            let doc = first + u32::from(u16::from_le_bytes(doc));
            while let Some(before) = heavy.next_if(|heavy| heavy.doc.get() < doc) {
                push(out, survivors, before.doc.get(), before.tf.get());
            }
            push(out, survivors, doc, u32::from(tf));
        }
        for rest in heavy {
            push(out, survivors, rest.doc.get(), rest.tf.get());
        }
    }
}

#[inline]
fn push(out: &mut Bm25Builder<'_>, survivors: &Survivors, old: u32, tf: u32) {
    if let Some(new) = survivors.new_number(old) {
        out.posting(new, tf);
    }
}
