//! A collection that lives: its schema and documents, and a writer with the thread that seals and merges.

use std::path::Path;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender, channel};

use anyhow::Result;
use ecphory_core::storage::{Directory, FullSpeed};
use ecphory_core::{Document, Silent};
use ecphory_index::format::SEGMENTS;
use ecphory_index::{
    Batch, Bm25Settings, ChannelKind, ChannelSchema, Collection, FieldKind, FieldSchema, Schema,
    Writer,
};

pub const CHANNEL: &str = "bm25";

/// Makes a collection with one BM25 channel and one integer field.
pub fn create(folder: &Path) -> Result<Collection> {
    let storage = Directory::create(folder, &[SEGMENTS])?;
    let channel = ChannelSchema {
        name: CHANNEL.to_owned(),
        fields: vec!["text".to_owned()],
        kind: ChannelKind::Bm25(Bm25Settings::default()),
    };
    let field = FieldSchema { name: "number".to_owned(), kind: FieldKind::Integer };
    let schema = Schema { channels: vec![channel], fields: vec![field] };
    Ok(Collection::create(Arc::new(storage), schema)?)
}

/// A document; its field `number` has each value from 0 to 99 in every hundredth.
pub fn document(id: usize, text: &str) -> Document {
    Document::new(id.to_string()).with("number", (id % 100) as i64).with("text", text)
}

/// Builds a collection of documents at once.
pub fn build(folder: &Path, documents: &[Document]) -> Result<Collection> {
    let collection = create(folder)?;
    let pool = rayon::ThreadPoolBuilder::new().build()?;
    let writer = collection.writer()?;
    writer.stage(documents, &pool, &Silent)?;
    writer.commit()?;
    drop(writer);
    Ok(collection)
}

/// A writer, shared by threads, whose batches wake the thread that seals and merges.
#[derive(Clone)]
pub struct Live<'w> {
    pub writer: &'w Writer,
    wake: Sender<()>,
}

impl<'w> Live<'w> {
    /// Lets some work be done with a writer while a thread seals and merges at full speed. Returns when the
    /// work has ended and there is nothing more to seal or merge.
    pub fn run<T>(writer: &'w Writer, work: impl FnOnce(Live<'w>) -> Result<T>) -> Result<T> {
        let (wake, woken) = channel();
        std::thread::scope(|scope| {
            let maintenance = scope.spawn(move || maintain(writer, &woken));
            // The thread ends when the last sender is gone, which the work takes along.
            let outcome = work(Live { writer, wake });
            maintenance.join().expect("maintenance does not panic")?;
            outcome
        })
    }

    /// Puts a batch, as one of several threads.
    pub fn put(&self, batch: Batch) -> Result<()> {
        self.writer.put(batch, None)?;
        // A thread that has failed tells why when it is joined.
        let _ = self.wake.send(());
        Ok(())
    }
}

fn maintain(writer: &Writer, woken: &Receiver<()>) -> Result<()> {
    while woken.recv().is_ok() {
        // Whatever many batches asked for is done at once.
        while woken.try_recv().is_ok() {}
        while writer.maintain(&FullSpeed)? {}
    }
    Ok(())
}
