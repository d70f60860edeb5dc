//! Several threads write to one collection, another seals and merges, and the power is cut under all of them.

use std::sync::Arc;

use ecphory_core::Document;
use ecphory_core::storage::{Fault, FullSpeed, Memory};
use ecphory_index::{Collection, Writer};

use super::model::{Entry, IDS, Put, State, documents, id, schema};
use super::player::History;
use super::workload::{Random, entry};
use super::{Difference, End, Report, Shown};
use crate::support::{create, open};

const THREADS: usize = 3;
const BATCHES: usize = 12;

/// What one thread did to the ids that are its own.
struct Lane {
    history: History,
    written: Vec<Entry>,
}

fn random_put(random: &mut Random, thread: usize) -> Put {
    let own = |random: &mut Random| id(thread + THREADS * random.below(IDS / THREADS));
    let deletes = if random.chance(40) { vec![own(random)] } else { Vec::new() };
    let mut entries: Vec<Entry> = Vec::new();
    for _ in 0..=random.below(3) {
        let id = own(random);
        if entries.iter().all(|entry| entry.document.id != id) {
            entries.push(entry(random, id, true));
        }
    }
    Put { deletes, entries }
}

/// Puts batches until one fails. Whoever asks for a snapshot after an acknowledgement gets the batch.
fn write(writer: &Writer, collection: &Collection, seed: u64, thread: usize) -> Lane {
    let random = &mut Random(seed);
    let mut lane = Lane { history: History::of(State::default()), written: Vec::new() };
    for _ in 0..BATCHES {
        let put = random_put(random, thread);
        let mut next = lane.history.newest().clone();
        let batch = put.batch(&next);
        next.put(&put);
        lane.written.extend_from_slice(&put.entries);
        lane.history.begin(next);
        if writer.put(batch, None).is_err() {
            break;
        }
        lane.history.acknowledge();
        lane.history.settle();
        let snapshot = collection.snapshot().unwrap();
        for entry in &put.entries {
            let at = snapshot.find(&entry.document.id).unwrap();
            let found = at.map(|at| snapshot.document(at).unwrap());
            assert_eq!(found.as_ref(), Some(&entry.document), "what was acknowledged is not seen");
        }
    }
    lane
}

pub fn life(seed: u64, report: &mut Report) {
    let random = &mut Random(seed);
    let end = *random.pick(&[End::Power, End::Kill]);
    let at = random.below(200) as u64;
    let place = format!("threads {seed}, {end:?} after {at} operations");
    let _shown = Shown(&place);
    let storage = Memory::new();
    let collection = create(&storage, schema());
    let writer = Arc::new(collection.writer().unwrap());
    storage.fault_after(at, Fault::PowerCut);
    let lanes: Vec<Lane> = std::thread::scope(|scope| {
        let (writer, collection) = (&writer, &collection);
        let seeds = (0..THREADS).map(|thread| (random.next(), thread));
        let lanes: Vec<_> = seeds
            .map(|(seed, thread)| scope.spawn(move || write(writer, collection, seed, thread)))
            .collect();
        // After an error the writer has stopped, or the work was given up.
        let _ = writer.seal().and_then(|()| writer.maintain(&FullSpeed));
        let _ = writer.compact(&FullSpeed);
        lanes.into_iter().map(|lane| lane.join().expect("the thread says why")).collect()
    });
    drop(writer);
    check(&end.storage(&storage, random.next()), &lanes, report, &place);
}

/// Checks each thread's documents, and the searches over all of them in the order that was found.
fn check(storage: &Memory, lanes: &[Lane], report: &mut Report, place: &str) {
    report.crashes += 1;
    let found = open(storage).and_then(|collection| collection.snapshot());
    let found = found.and_then(|snapshot| Ok((documents(&snapshot)?, snapshot)));
    let (documents, snapshot) = match found {
        Ok(found) => found,
        Err(error) => return report.note(Difference::Other, format!("{place}: {error:?}")),
    };
    for (thread, lane) in lanes.iter().enumerate() {
        let own = |document: &&Document| {
            (0..IDS).map(id).position(|it| it == document.id).unwrap() % THREADS == thread
        };
        let own: Vec<Document> = documents.iter().filter(own).cloned().collect();
        let allowed = lane.history.after_kill();
        if !allowed.iter().any(|state| state.documents().eq(&own)) {
            let (kind, what) = super::classify(&own, &allowed);
            report.note(kind, format!("{place}: thread {thread}: {what}"));
            return;
        }
    }
    let written = |document: &Document| {
        lanes
            .iter()
            .flat_map(|lane| &lane.written)
            .find(|entry| entry.document == *document)
            .cloned()
    };
    let state = State { entries: documents.iter().filter_map(written).collect() };
    if let Err(what) = report.search(&snapshot, &[&state]) {
        report.note(Difference::Other, format!("{place}: {what}"));
    }
}
