//! The power is cut at every step, the process is killed, the disk is full, a sync fails: what was
//! acknowledged is there afterwards, what was deleted stays deleted, and searches say what they say of a
//! collection that is built anew.
//!
//! One pass cuts the power or kills at every operation of a fixed life, and lives some random ones. There are as
//! many passes as it takes for `ECPHORY_CRASHES` crashes, one where it is not set; the first has the number
//! `ECPHORY_SEED`, else 0. A failure names the operation and the seed; the same run finds it again.

mod backups;
mod model;
mod player;
mod reads;
mod threads;
mod workload;

use std::io::ErrorKind as Io;

use ecphory_core::storage::{Fault, Memory};
use ecphory_core::{ErrorKind, Silent};
use ecphory_index::{Durability, Snapshot};

use crate::support::open;
use model::{Expected, State, documents, searches};
use player::{History, Player};
use workload::{Random, fixed, random_step, sequel};

/// How a process ends.
#[derive(Clone, Copy, Debug, PartialEq)]
enum End {
    /// The power is cut.
    Power,
    /// The process is killed; the system goes on.
    Kill,
    /// An operation fails, and the process gives up.
    Fault(Fault),
}

const FAIL_ONCE: Fault = Fault::FailOnce(Io::Other);

const ENDS: [End; 5] = [
    End::Power,
    End::Kill,
    End::Fault(Fault::Fail(Io::StorageFull)),
    End::Fault(FAIL_ONCE),
    End::Fault(Fault::ShortWrite),
];

impl End {
    fn fault(self) -> Fault {
        match self {
            End::Power | End::Kill => Fault::PowerCut,
            End::Fault(fault) => fault,
        }
    }

    /// The storage that the next process finds.
    fn storage(self, storage: &Memory, seed: u64) -> Memory {
        match self {
            End::Power => storage.after_crash(seed),
            End::Kill | End::Fault(_) => storage.after_kill(),
        }
    }
}

/// What was found after all crashes.
#[derive(Default)]
struct Report {
    crashes: u64,
    /// Acknowledged documents that were gone.
    lost: u64,
    /// Deleted or replaced documents that were back.
    resurrected: u64,
    /// Other differences: a batch that happened in part, another order, a search, an error.
    different: u64,
    failures: Vec<String>,
    expected: Expected,
}

impl Report {
    /// Checks what the next process finds against the states that it may find, and returns which it is.
    fn check(&mut self, storage: &Memory, allowed: &[State], place: &str) -> Option<State> {
        self.crashes += 1;
        match self.find(storage, allowed) {
            Ok(found) => Some(found),
            Err((kind, what)) => {
                self.note(kind, format!("{place}: {what}"));
                None
            }
        }
    }

    fn find(&mut self, storage: &Memory, allowed: &[State]) -> Found {
        let error = |error: ecphory_index::Error| (Difference::Other, format!("{error:?}"));
        let snapshot = open(storage).and_then(|it| it.snapshot()).map_err(error)?;
        let wrong = snapshot.check(&Silent).map_err(error)?;
        if !wrong.is_empty() {
            return Err((Difference::Other, format!("the check found {wrong:?}")));
        }
        let documents = documents(&snapshot).map_err(error)?;
        let same = |state: &&State| state.documents().eq(&documents);
        let possible: Vec<&State> = allowed.iter().filter(same).collect();
        if possible.is_empty() {
            return Err(classify(&documents, allowed));
        }
        self.search(&snapshot, &possible).map_err(|what| (Difference::Other, what))
    }

    /// Finds the state of which a snapshot's searches speak.
    fn search(&mut self, snapshot: &Snapshot, possible: &[&State]) -> Result<State, String> {
        let found = searches(snapshot).map_err(|error| format!("{error:?}"))?;
        for &state in possible {
            if self.expected.searches(state) == found {
                return Ok(state.clone());
            }
        }
        let expected = self.expected.searches(possible[0]);
        let pair = expected.lines().zip(found.lines()).find(|(a, b)| a != b);
        Err(format!("searches differ from those of a fresh collection: {pair:?}"))
    }

    fn note(&mut self, kind: Difference, failure: String) {
        match kind {
            Difference::Lost => self.lost += 1,
            Difference::Resurrected => self.resurrected += 1,
            Difference::Other => self.different += 1,
        }
        self.failures.push(failure);
    }

    fn finish(&self) {
        #[allow(clippy::print_stdout, reason = "the counts are what a longer run is made for")]
        {
            let Self { crashes, lost, resurrected, different, .. } = self;
            println!(
                "crashes: {crashes}, lost {lost}, resurrected {resurrected}, different {different}"
            );
        }
        let shown = self.failures.iter().take(60).cloned().collect::<Vec<_>>().join("\n");
        assert!(self.failures.is_empty(), "{} failures:\n{shown}", self.failures.len());
    }
}

type Found = Result<State, (Difference, String)>;

#[derive(Clone, Copy)]
enum Difference {
    Lost,
    Resurrected,
    Other,
}

/// Says what is wrong with documents that are those of no allowed state.
fn classify(documents: &[ecphory_core::Document], allowed: &[State]) -> (Difference, String) {
    let names = |state: &State| -> Vec<String> {
        state.documents().map(|document| document.id.clone()).collect()
    };
    let found: Vec<&str> = documents.iter().map(|document| document.id.as_str()).collect();
    let states: Vec<Vec<String>> = allowed.iter().map(names).collect();
    let what = format!("found {found:?}, which is none of {states:?}");
    let first = &allowed[0];
    let certain =
        first.documents().filter(|one| allowed.iter().all(|s| s.documents().any(|o| o == *one)));
    if certain.into_iter().any(|document| !documents.contains(document)) {
        return (Difference::Lost, what);
    }
    let known = |document| allowed.iter().any(|state| state.documents().any(|o| o == document));
    let unknown = documents.iter().any(|document| !known(document));
    (if unknown { Difference::Resurrected } else { Difference::Other }, what)
}

/// Ends the process of a player, checks what the next one finds, and opens a writer there.
fn next_process(
    player: Player,
    end: End,
    seed: u64,
    report: &mut Report,
    place: &str,
) -> Option<Player> {
    let durability = player.durability();
    let storage = end.storage(&player.storage, seed);
    let history = player.history.clone();
    let allowed = if end == End::Power { history.after_crash() } else { history.after_kill() };
    player.storage.heal();
    let (held, state) = &player.held;
    if let Err(what) = report.search(held, &[state]) {
        report.note(Difference::Other, format!("{place}: a snapshot that was held: {what}"));
    }
    drop(player);
    let found = report.check(&storage, &allowed, place)?;
    let history = if end == End::Power { History::of(found) } else { history.found(found) };
    match Player::open(&storage, durability, history) {
        Ok(player) => {
            let what = report.search(&player.writer().snapshot(), &[player.history.newest()]);
            if let Err(what) = what {
                report.note(Difference::Other, format!("{place}: the writer's view: {what}"));
            }
            Some(player)
        }
        Err(error) => {
            report.note(Difference::Other, format!("{place}: no writer: {error:?}"));
            None
        }
    }
}

/// Plays steps until one fails, as it must only by the fault.
fn play(player: &mut Player, steps: &[workload::Step], report: &mut Report, place: &str) -> bool {
    for step in steps {
        let Err(error) = player.play(step) else { continue };
        if !matches!(error.kind(), ErrorKind::Io | ErrorKind::Limit) {
            report.note(Difference::Other, format!("{place}: {step:?} failed: {error:?}"));
        }
        return false;
    }
    true
}

/// How many operations the fixed life has.
fn fixed_operations(durability: Durability) -> u64 {
    let mut player = Player::create(&Memory::new(), durability);
    let before = player.storage.operations();
    for step in fixed() {
        player.play(&step).unwrap();
    }
    player.storage.operations() - before
}

/// The fixed life, ended at one operation; then another process goes on and the power is cut.
fn fixed_life(at: u64, end: End, durability: Durability, seed: u64, report: &mut Report) {
    let place = format!("fixed life, {durability:?}, operation {at}, {end:?}, seed {seed}");
    let _shown = Shown(&place);
    let mut player = Player::create(&Memory::new(), durability);
    player.storage.fault_after(at, end.fault());
    play(&mut player, &fixed(), report, &place);
    let Some(mut player) = next_process(player, end, seed, report, &place) else { return };
    let steps = sequel(&mut Random(seed), player.history.newest());
    let place = format!("{place}, then {} steps and a power cut", steps.len());
    if play(&mut player, &steps, report, &place) {
        next_process(player, End::Power, seed, report, &place);
    } else {
        report.note(Difference::Other, format!("{place}: the steps failed"));
    }
}

/// Several processes, one after the other, each with random steps and some end.
fn random_life(seed: u64, report: &mut Report) {
    let random = &mut Random(seed);
    let durability = *random.pick(&[Durability::Synced, Durability::Logged]);
    let mut player = Player::create(&Memory::new(), durability);
    for process in 0..5 {
        let end = *random.pick(&ENDS);
        let far = *random.pick(&[30, 150]);
        let at = random.below(far) as u64;
        let place = format!(
            "random life {seed}, {durability:?}, process {process}, {end:?} after {at} operations"
        );
        let _shown = Shown(&place);
        player.storage.fault_after(at, end.fault());
        for _ in 0..=random.below(12) {
            let step = random_step(random, player.history.newest());
            let done = play(&mut player, &[step], report, &place);
            // After one failure a writer stops, or it has given something up and goes on.
            let goes_on = end == End::Fault(FAIL_ONCE) && player.can_go_on();
            if !done && !goes_on {
                break;
            }
        }
        match next_process(player, end, random.next(), report, &place) {
            Some(next) => player = next,
            None => return,
        }
    }
}

/// Shows where a panic happened.
struct Shown<'p>(&'p str);

impl Drop for Shown<'_> {
    #[allow(clippy::print_stderr, reason = "a panic must be found again")]
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("it happened in: {}", self.0);
        }
    }
}

/// Every operation of the fixed life, each ended in another way in the next pass; without a sync after each
/// batch, where most operations are the same, every second one in turn.
fn fixed_lives(pass: u64, report: &mut Report) {
    for (durability, first, stride) in
        [(Durability::Synced, 0, 1), (Durability::Logged, pass % 2, 2)]
    {
        for at in (first..fixed_operations(durability)).step_by(stride) {
            let end = ENDS[(at + pass) as usize % ENDS.len()];
            fixed_life(at, end, durability, pass << 32 | at, report);
        }
    }
}

#[test]
fn nothing_is_lost_by_crashes() {
    const RANDOM_LIVES: u64 = 50;
    let number = |name| std::env::var(name).map_or(0, |text| text.parse().expect("a number"));
    let wanted: u64 = number("ECPHORY_CRASHES");
    let mut report = Report::default();
    for pass in number("ECPHORY_SEED").. {
        fixed_lives(pass, &mut report);
        backups::lives(pass, &mut report);
        for seed in pass * RANDOM_LIVES..(pass + 1) * RANDOM_LIVES {
            random_life(seed, &mut report);
            threads::life(seed, &mut report);
        }
        if report.crashes >= wanted {
            break;
        }
    }
    report.finish();
}
