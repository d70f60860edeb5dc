//! A backup is cut short at every operation: the one before it stays in force, and it can be repeated.

use ecphory_core::Silent;
use ecphory_core::storage::Memory;
use ecphory_index::{Durability, Error, Snapshot};

use super::model::State;
use super::player::{History, Player};
use super::workload::fixed;
use super::{Difference, ENDS, End, Report, Shown};
use crate::support::open;

/// A snapshot and what it holds.
type Moment = (Snapshot, State);

/// Three moments of the fixed life: with a tail, with tombstones beside a tail, and without a tail.
fn moments() -> Vec<Moment> {
    let mut player = Player::create(&Memory::new(), Durability::Synced);
    let mut moments = Vec::new();
    for (step, number) in fixed().iter().zip(0..) {
        player.play(step).unwrap();
        if [1, 4, 8].contains(&number) {
            moments.push((player.writer().snapshot(), player.history.newest().clone()));
        }
    }
    moments
}

/// Backs up one moment after the other into one place; each backup is ended at each of its operations once.
pub fn lives(pass: u64, report: &mut Report) {
    let mut target = Memory::new();
    let mut before = None;
    for (number, moment) in moments().into_iter().enumerate() {
        let whole = target.after_kill();
        moment.0.backup(&whole, &Silent).unwrap();
        for at in 0..whole.operations() {
            let end = ENDS[(at + pass) as usize % ENDS.len()];
            let place = format!("backup {number}, operation {at}, {end:?}, pass {pass}");
            let _shown = Shown(&place);
            cut_short(&target, before.as_ref(), &moment, (at, end, pass), report, &place);
        }
        (target, before) = (whole, Some(moment.1));
    }
}

fn cut_short(
    target: &Memory,
    before: Option<&State>,
    (snapshot, state): &Moment,
    (at, end, seed): (u64, End, u64),
    report: &mut Report,
    place: &str,
) {
    let target = target.after_kill();
    target.fault_after(at, end.fault());
    let done = snapshot.backup(&target, &Silent).is_ok();
    let target = end.storage(&target, seed);
    let mut allowed = vec![state.clone()];
    allowed.extend(before.filter(|_| !done).cloned());
    // A first backup that is not whole is no collection.
    let nothing = matches!(open(&target), Err(Error::NoCollection | Error::Corrupt { .. }));
    if done || before.is_some() || !nothing {
        report.check(&target, &allowed, place);
    }
    if let Err(error) = snapshot.backup(&target, &Silent) {
        return report.note(Difference::Other, format!("{place}: repeated: {error:?}"));
    }
    let place = format!("{place}, then a whole one and a power cut");
    let target = target.after_crash(seed);
    let Some(found) = report.check(&target, std::slice::from_ref(state), &place) else { return };
    if let Err(error) = Player::open(&target, Durability::Synced, History::of(found)) {
        report.note(Difference::Other, format!("{place}: no writer: {error:?}"));
    }
}
