//! Plays steps on a collection and keeps book of what it must hold, whatever happens next.

use std::sync::Arc;

use ecphory_core::storage::{FullSpeed, Memory};
use ecphory_core::{DocAddress, DocNo, Document, Silent};
use ecphory_index::{
    Collection, Durability, FieldKind, FieldSchema, Filter, Gap, Result, Rows, Snapshot, Writer,
    WriterOptions,
};

use super::model::{Put, State, schema, terms_of};
use super::workload::{Random, Step, row};
use crate::support::pool;

/// The states that a collection may be in after a crash.
#[derive(Clone, Debug)]
pub struct History {
    /// One after each acknowledged batch.
    states: Vec<State>,
    /// The first that a power cut may leave.
    durable: usize,
    /// What comes after the batch that is being written.
    flight: Option<State>,
}

impl History {
    pub fn of(state: State) -> Self {
        Self { states: vec![state], durable: 0, flight: None }
    }

    pub fn newest(&self) -> &State {
        self.states.last().expect("there is always one")
    }

    pub fn begin(&mut self, next: State) {
        self.flight = Some(next);
    }

    pub fn acknowledge(&mut self) {
        self.states.extend(self.flight.take());
    }

    pub fn settle(&mut self) {
        self.durable = self.states.len() - 1;
    }

    /// What a power cut may leave: everything acknowledged up to the last sync, and any beginning of
    /// what came after it.
    pub fn after_crash(&self) -> Vec<State> {
        self.states[self.durable..].iter().chain(&self.flight).cloned().collect()
    }

    /// What the end of the process may leave: everything acknowledged; a batch in flight happened or not.
    pub fn after_kill(&self) -> Vec<State> {
        [self.newest()].into_iter().chain(&self.flight).cloned().collect()
    }

    /// Goes on from what was found after the end of a process, which is no more durable than before.
    pub fn found(mut self, found: State) -> Self {
        if found != *self.newest() {
            self.states.push(found);
        }
        self.flight = None;
        self
    }
}

/// A writer at work.
pub struct Player {
    pub storage: Memory,
    pub collection: Collection,
    writer: Option<Writer>,
    durability: Durability,
    pub history: History,
    /// A snapshot from the writer's beginning, which never changes, and what it holds.
    pub held: (Snapshot, State),
}

impl Player {
    pub fn create(storage: &Memory, durability: Durability) -> Self {
        Collection::create(Arc::new(storage.clone()), schema()).unwrap();
        Self::open(storage, durability, History::of(State::default())).unwrap()
    }

    pub fn open(storage: &Memory, durability: Durability, history: History) -> Result<Self> {
        let collection = Collection::open(Arc::new(storage.clone()))?;
        let storage = storage.clone();
        let writer = Some(open_writer(&collection, durability)?);
        let held = (collection.snapshot()?, history.newest().clone());
        Ok(Self { storage, collection, writer, durability, history, held })
    }

    pub fn durability(&self) -> Durability {
        self.durability
    }

    pub fn writer(&self) -> &Writer {
        self.writer.as_ref().expect("there is a writer between steps")
    }

    /// Whether steps can be tried after one has failed: none would change what may be left of a batch.
    pub fn can_go_on(&self) -> bool {
        self.writer.is_some() && self.history.flight.is_none()
    }

    /// Does one step. After an error the history says what may have happened.
    pub fn play(&mut self, step: &Step) -> Result<()> {
        match step {
            Step::Put(put) => self.put(put),
            Step::DeleteBefore(year) => self.delete_before(*year),
            Step::Sync => self.writer().sync().map(|()| self.history.settle()),
            Step::Seal => self.writer().seal().map(|()| self.history.settle()),
            Step::Compact => self.writer().compact(&FullSpeed).map(|()| self.history.settle()),
            Step::Purge => self.writer().purge(&FullSpeed).map(|()| self.history.settle()),
            Step::Maintain => {
                while self.writer().maintain(&FullSpeed)? {
                    self.history.settle();
                }
                Ok(())
            }
            Step::Bulk(entries) => self.bulk(entries),
            Step::FillRows => self.fill_rows(),
            Step::AddField(name, kind) => self.add_field(name, *kind),
            Step::Reopen { closed } => {
                let writer = self.writer.take().expect("there is a writer between steps");
                if *closed {
                    writer.close()?;
                    self.history.settle();
                } else {
                    drop(writer);
                }
                self.writer = Some(open_writer(&self.collection, self.durability)?);
                self.held = (self.collection.snapshot()?, self.history.newest().clone());
                Ok(())
            }
        }
    }

    fn put(&mut self, put: &Put) -> Result<()> {
        let mut next = self.history.newest().clone();
        let batch = put.batch(&next);
        let expected = next.put(put);
        let changes = expected.put + expected.deleted > 0;
        self.history.begin(next);
        let written = self.writer().put(batch, None)?;
        assert_eq!(written, expected);
        self.acknowledge(changes);
        Ok(())
    }

    fn delete_before(&mut self, year: i64) -> Result<()> {
        let mut next = self.history.newest().clone();
        let before = |document: &Document| matches!(document.get("year"), Some(ecphory_core::Value::Integer(at)) if *at < year);
        let deleted = next.delete(before);
        self.history.begin(next);
        let filter: Filter = format!("year < {year}").parse().expect("a filter");
        let written = self.writer().delete_where(&filter)?;
        assert_eq!((written.deleted, written.put), (deleted, 0));
        self.acknowledge(deleted > 0);
        Ok(())
    }

    fn acknowledge(&mut self, changes: bool) {
        self.history.acknowledge();
        if changes && self.durability == Durability::Synced {
            self.history.settle();
        }
    }

    fn bulk(&mut self, entries: &[super::model::Entry]) -> Result<()> {
        let documents: Vec<Document> = entries.iter().map(|entry| entry.document.clone()).collect();
        self.writer().stage(&documents, &pool(1), &Silent)?;
        // The tail was sealed first.
        self.history.settle();
        let mut next = self.history.newest().clone();
        next.entries.extend_from_slice(entries);
        self.commit(next)
    }

    fn fill_rows(&mut self) -> Result<()> {
        self.writer().seal()?;
        self.history.settle();
        let mut next = self.history.newest().clone();
        for entry in &mut next.entries {
            entry.rows.get_or_insert_with(|| vec![row_of(&entry.document.id)]);
        }
        while let Some(gap) = self.writer().uncovered("dense")? {
            let (mut counts, mut values) = (Vec::new(), Vec::new());
            for row in self.rows_of(gap) {
                counts.push(u32::from(row.is_some()));
                values.extend(row.into_iter().flatten());
            }
            let rows = Rows { counts: &counts, values: &values, ..Rows::default() };
            self.writer().stage_rows("dense", rows)?;
        }
        while let Some(gap) = self.writer().uncovered("sparse")? {
            let (mut counts, mut terms, mut values) = (Vec::new(), Vec::new(), Vec::new());
            for row in self.rows_of(gap) {
                let found = row.map(|row| terms_of(&[row])).unwrap_or_default();
                counts.push(found.len() as u32);
                terms.extend(found.keys());
                values.extend(found.values());
            }
            let rows = Rows { counts: &counts, terms: &terms, values: &values };
            self.writer().stage_rows("sparse", rows)?;
        }
        self.commit(next)
    }

    /// The rows that the documents of a gap get; none for a dead one, which has no id.
    fn rows_of(&self, Gap { segment, first, count }: Gap) -> Vec<Option<[f32; 3]>> {
        let snapshot = self.writer().snapshot();
        let docs = (first.0..first.0 + count).map(|doc| DocAddress { segment, doc: DocNo(doc) });
        docs.map(|at| snapshot.id(at).ok().map(row_of)).collect()
    }

    /// Declares a field, unless it is declared. Everything is sealed with it.
    fn add_field(&mut self, name: &str, kind: FieldKind) -> Result<()> {
        let schema = self.writer().snapshot().schema().clone();
        if schema.fields.iter().any(|field| field.name == name) {
            return Ok(());
        }
        self.writer().add_field(FieldSchema { name: name.to_owned(), kind }, &Silent)?;
        self.history.settle();
        Ok(())
    }

    fn commit(&mut self, next: State) -> Result<()> {
        self.history.begin(next);
        self.writer().commit()?;
        self.history.acknowledge();
        self.history.settle();
        Ok(())
    }
}

fn open_writer(collection: &Collection, durability: Durability) -> Result<Writer> {
    collection.writer_with(WriterOptions { durability, ..WriterOptions::default() })
}

/// The row that a document gets later.
fn row_of(id: &str) -> [f32; 3] {
    row(&mut Random(id.bytes().fold(0, |sum, byte| sum * 31 + u64::from(byte))))
}
