//! Reads fail or come short at every place: that is an error, or nothing of it is seen.

use std::io;

use ecphory_core::storage::{Memory, ReadFault};
use ecphory_core::{Document, ErrorKind};
use ecphory_index::{Durability, Result};

use super::model::{Expected, State, documents, searches};
use super::player::Player;
use super::workload::fixed;
use crate::support::open;

/// The storage of a collection with segments, tombstones and a tail, and the states it went through.
fn collection() -> (Memory, Vec<State>) {
    let mut player = Player::create(&Memory::new(), Durability::Synced);
    let mut states = Vec::new();
    for step in &fixed()[..10] {
        player.play(step).unwrap();
        states.push(player.history.newest().clone());
    }
    (player.storage.after_kill(), states)
}

/// Everything that is seen of a collection.
fn look(storage: &Memory) -> Result<(Vec<Document>, String)> {
    let snapshot = open(storage)?.snapshot()?;
    Ok((documents(&snapshot)?, searches(&snapshot)?))
}

#[test]
fn a_read_that_fails_or_comes_short_gives_no_wrong_hits() {
    let (origin, states) = collection();
    let mut expected = Expected::default();
    let whole = origin.after_kill();
    let right = look(&whole).unwrap();
    assert_eq!(right.1, expected.searches(states.last().unwrap()));
    let (mut failed, mut corrupt, mut shorter) = (0, 0, 0);
    for at in 0..whole.reads() {
        let storage = origin.after_kill();
        storage.read_fault_after(at, ReadFault::Fail(io::ErrorKind::Other));
        assert_eq!(look(&storage).unwrap_err().kind(), ErrorKind::Io, "read {at}");
        failed += 1;

        let storage = origin.after_kill();
        storage.read_fault_after(at, ReadFault::Short);
        match look(&storage) {
            Ok(seen) if seen == right => {}
            // A log that ends early looks like one whose end was not synced.
            Ok((documents, searches)) => {
                let earlier = states.iter().find(|state| state.documents().eq(&documents));
                let earlier = earlier.unwrap_or_else(|| panic!("read {at}: documents of no state"));
                assert_eq!(searches, expected.searches(earlier), "read {at}");
                shorter += 1;
            }
            Err(error) => {
                assert_eq!(error.kind(), ErrorKind::Corrupt, "read {at}: {error:?}");
                corrupt += 1;
            }
        }
        assert_eq!(look(&storage).unwrap(), right, "after read {at}");
    }
    assert!(failed > 10 && corrupt > 5, "{failed} failed, {corrupt} corrupt, {shorter} shorter");
}
