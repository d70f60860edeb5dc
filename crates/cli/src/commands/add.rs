//! `ecphory add`: documents into a collection that is there, batch by batch.

use std::io::{self, Write};
use std::time::Duration;

use ecphory::read::{self, Place, ReadOptions, Summary};
use ecphory::{
    CollectionWriter, Document, Durability, Error, ErrorKind, IndexError, Progress, WriterOptions,
    Written, document_bytes,
};
use serde_json::json;

use crate::args::{Add, DurabilityLevel};
use crate::commands::index::{bytes, write_skipped};
use crate::context::Context;
use crate::failure::Failure;

/// How long a batch may be with the operating system only, at the level `interval`.
const SYNC_INTERVAL: Duration = Duration::from_secs(1);

/// A batch has no more bytes in memory than this, however few documents it has.
const BATCH_BYTES: usize = 64 << 20;

/// Adds a file.
pub fn add(args: &Add, context: &Context) -> anyhow::Result<()> {
    let collection = context.engine.open(&args.collection)?;
    let durability = match args.durability {
        DurabilityLevel::Always => Durability::Always,
        DurabilityLevel::Interval => Durability::Interval(SYNC_INTERVAL),
        DurabilityLevel::Os => Durability::Os,
    };
    let options = WriterOptions {
        durability,
        memory_bytes: bytes(args.memory),
        merge_bytes_per_second: args.merge_rate.map(|rate| rate.0),
    };
    let writer = collection.writer(&options)?;
    let mut adding = Adding {
        args,
        progress: context.progress(),
        json: context.common.json,
        writer: &writer,
        batch: Batch::default(),
        done: Done::default(),
    };
    let options = ReadOptions { skip_bad: args.skip_bad };
    let read = read::documents(&args.file, &options, context.progress(), &mut |document, place| {
        adding.take(document, place)
    });
    let read = read.and_then(|read| adding.flush().map(|()| read));
    let done = adding.done;
    // What was acknowledged is safe either way; a failed close must not hide why adding stopped.
    let closed = writer.close();
    match read {
        Ok(read) => {
            closed?;
            report(args, &read, &done, context)
        }
        Err(error) => Err(stopped(error, &done, context)),
    }
}

/// A file on its way into a collection.
struct Adding<'a> {
    args: &'a Add,
    progress: &'a dyn Progress,
    json: bool,
    writer: &'a CollectionWriter,
    batch: Batch,
    done: Done,
}

/// The next documents, each with its place.
#[derive(Default)]
struct Batch {
    documents: Vec<Document>,
    places: Vec<Place>,
    bytes: usize,
}

/// What was written so far.
#[derive(Default)]
struct Done {
    documents: u64,
    replaced: u64,
}

impl Adding<'_> {
    fn take(&mut self, document: Document, place: &Place) -> Result<(), Error> {
        let bytes = document_bytes(&document);
        let full = self.batch.documents.len() >= self.args.batch as usize
            || self.batch.bytes + bytes > BATCH_BYTES;
        if full {
            self.flush()?;
        }
        self.batch.bytes += bytes;
        self.batch.documents.push(document);
        self.batch.places.push(place.clone());
        Ok(())
    }

    /// Writes the batch and says so once it is durable.
    fn flush(&mut self) -> Result<(), Error> {
        let batch = std::mem::take(&mut self.batch);
        if batch.documents.is_empty() {
            return Ok(());
        }
        if self.progress.cancelled() {
            return Err(Error::Interrupted { doing: "adding documents" });
        }
        let written = self.put(batch)?;
        self.done.documents += written.put;
        self.done.replaced += written.replaced;
        if self.json {
            let line = json!({"documents": self.done.documents, "replaced": self.done.replaced});
            let mut out = io::stdout().lock();
            writeln!(out, "{line}")?;
            out.flush()?;
        }
        Ok(())
    }

    fn put(&self, batch: Batch) -> Result<Written, Error> {
        let ids: Vec<String> = batch.documents.iter().map(|document| document.id.clone()).collect();
        let put = if self.args.upsert {
            self.writer.upsert(batch.documents)
        } else {
            self.writer.add(batch.documents)
        };
        put.map_err(|error| match &error {
            Error::Index(
                IndexError::DuplicateId { id, .. } | IndexError::Document { document: id, .. },
            ) => match ids.iter().position(|other| other == id) {
                Some(position) => at(batch.places[position].clone(), error),
                None => error,
            },
            _ => error,
        })
    }
}

/// Says where the document stands that the collection refused.
fn at(place: Place, error: Error) -> Error {
    match error {
        Error::Index(IndexError::DuplicateId { id, .. }) => Error::IdTaken { place, id },
        Error::Index(source) => Error::Refused { place, source: Box::new(source) },
        other => other,
    }
}

fn stopped(error: Error, done: &Done, context: &Context) -> anyhow::Error {
    let documents = done.documents;
    if error.kind() == ErrorKind::Interrupted {
        return Failure::Interrupted(format!(
            "{documents} documents of the file are in\nhint: the same command with --upsert goes on"
        ))
        .into();
    }
    if documents > 0 {
        context.notice(&format!("note: {documents} documents of the file were added before this"));
    }
    error.into()
}

fn report(args: &Add, read: &Summary, done: &Done, context: &Context) -> anyhow::Result<()> {
    if context.common.json {
        // Standard output has a line for each batch and nothing else.
        if !read.skipped.is_empty() {
            let mut skipped = Vec::new();
            write_skipped(&mut skipped, &read.skipped)?;
            context.notice(String::from_utf8_lossy(&skipped).trim_end());
        }
        return Ok(());
    }
    let mut out = io::stdout().lock();
    let Done { documents, replaced } = done;
    let path = args.collection.display();
    writeln!(out, "{path}: {documents} documents put, {replaced} of them in the place of others")?;
    write_skipped(&mut out, &read.skipped)?;
    Ok(())
}
