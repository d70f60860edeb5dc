use std::collections::{BTreeMap, BTreeSet};
use std::io::ErrorKind;

use proptest::prelude::*;

use super::*;
use crate::storage::publish;

/// What is left of one file, over many power cuts.
fn outcomes(storage: &Memory, name: &str) -> BTreeSet<Option<Vec<u8>>> {
    let images = (0..500).map(|seed| storage.after_crash(seed));
    images.map(|image| image.open(name).ok().map(|bytes| bytes.to_vec())).collect()
}

fn put(storage: &Memory, name: &str, bytes: &[u8]) -> io::Result<()> {
    publish(storage, name, &mut |out| out.write_all(bytes))
}

#[test]
fn what_is_written_is_seen_at_once_and_safe_only_after_both_syncs() {
    let storage = Memory::new();
    let mut file = storage.create("seg/a").unwrap();
    file.write_all(b"radium").unwrap();
    assert_eq!(&*storage.open("seg/a").unwrap(), b"radium");
    let unsynced = outcomes(&storage, "seg/a");
    for possible in [None, Some(b"".to_vec()), Some(b"rad".to_vec()), Some(b"radium".to_vec())] {
        assert!(unsynced.contains(&possible), "{possible:?}");
    }
    file.sync().unwrap();
    let named = outcomes(&storage, "seg/a");
    assert_eq!(named, BTreeSet::from([None, Some(b"radium".to_vec())]));
    storage.sync_folder("").unwrap();
    assert_eq!(outcomes(&storage, "seg/a"), named, "another folder");
    storage.sync_folder("seg").unwrap();
    assert_eq!(outcomes(&storage, "seg/a"), BTreeSet::from([Some(b"radium".to_vec())]));
}

#[test]
fn the_unsynced_end_of_a_log_comes_in_every_shape() {
    let storage = Memory::new();
    let log = storage.append("wal/1").unwrap();
    log.append(&[1; 700]).unwrap();
    log.sync().unwrap();
    storage.sync_folder("wal").unwrap();
    log.append(&[2; 9000]).unwrap();
    let whole = storage.read("wal/1", 0).unwrap();
    let (mut torn, mut holes) = (0, 0);
    let outcomes = outcomes(&storage, "wal/1");
    for bytes in outcomes.iter().map(|outcome| outcome.as_ref().unwrap()) {
        assert_eq!(bytes[..700], [1; 700], "what was synced");
        assert!(bytes.len() <= whole.len());
        let written = bytes[700..].iter().rposition(|&byte| byte == 2).map_or(700, |at| at + 701);
        holes += usize::from(bytes[700..written].contains(&0));
        torn += usize::from(written < bytes.len() && written > 700);
    }
    assert!(outcomes.contains(&Some(whole[..700].to_vec())) && outcomes.contains(&Some(whole)));
    assert!(torn > 20 && holes > 20, "{torn} torn, {holes} with holes");
    let again: BTreeSet<_> = [7, 7].map(|seed| format!("{:?}", storage.after_crash(seed))).into();
    assert_eq!(again.len(), 1, "the seed decides");
}

#[test]
fn renames_are_reordered_until_the_folder_is_synced() {
    let storage = Memory::new();
    for name in ["seg/a", "seg/b"] {
        put(&storage, name, b"old").unwrap();
        let mut file = storage.create(&format!("tmp/{}", &name[4..])).unwrap();
        file.write_all(b"new").unwrap();
        file.sync().unwrap();
    }
    storage.rename("tmp/a", "seg/a").unwrap();
    storage.rename("tmp/b", "seg/b").unwrap();
    let pairs = |storage: &Memory| -> BTreeSet<Vec<u8>> {
        let images = (0..100).map(|seed| storage.after_crash(seed));
        let read = |image: &Memory, name| image.open(name).unwrap().to_vec();
        images.map(|image| [read(&image, "seg/a"), read(&image, "seg/b")].concat()).collect()
    };
    assert_eq!(pairs(&storage).len(), 4);
    storage.sync_folder("seg").unwrap();
    assert_eq!(pairs(&storage), BTreeSet::from([b"newnew".to_vec()]));
    assert!(outcomes(&storage, "tmp/a").iter().all(Option::is_none), "a file has one name");

    storage.remove("seg/a").unwrap();
    assert_eq!(outcomes(&storage, "seg/a"), BTreeSet::from([None, Some(b"new".to_vec())]));
    storage.sync_folder("seg").unwrap();
    assert_eq!(outcomes(&storage, "seg/a"), BTreeSet::from([None]));
}

/// Replaces two files one after the other under a fault; returns whether each call said that it was done.
fn publish_two(storage: &Memory) -> [bool; 2] {
    let first = put(storage, "MANIFEST-2", &[2; 10_000]).is_ok();
    [first, first && put(storage, "CURRENT", b"second").is_ok()]
}

#[test]
fn publishing_is_all_or_nothing_at_every_step() {
    let origin = Memory::new();
    put(&origin, "CURRENT", b"first").unwrap();
    let mut seen = BTreeSet::new();
    let mut steps = 0;
    loop {
        let storage = origin.after_kill();
        storage.fault_after(steps, Fault::PowerCut);
        let [first, second] = publish_two(&storage);
        for seed in 0..50 {
            let image = storage.after_crash(seed);
            let current = image.open("CURRENT").unwrap();
            let manifest = image.open("MANIFEST-2").map(|bytes| bytes.to_vec()).ok();
            assert!(&*current == b"first" || &*current == b"second", "step {steps}, seed {seed}");
            assert!(manifest.as_ref().is_none_or(|bytes| *bytes == [2; 10_000]), "torn");
            assert!(!first || manifest.is_some(), "step {steps}, seed {seed}: a file was lost");
            assert!(!second || &*current == b"second", "step {steps}, seed {seed}");
            assert!(&*current == b"first" || manifest.is_some(), "a rename overtook a sync");
            seen.insert((first, second, manifest.is_some(), current.to_vec()));
        }
        if second {
            break;
        }
        steps += 1;
    }
    let whole = origin.after_kill();
    publish_two(&whole);
    assert_eq!(steps, whole.operations());
    assert_eq!(seen.len(), 5, "{seen:?}");
}

#[test]
fn a_process_that_is_killed_leaves_what_it_wrote_but_not_durable() {
    let storage = Memory::new();
    let held = storage.lock().unwrap();
    storage.append("wal/1").unwrap().append(b"abc").unwrap();
    storage.fault_after(0, Fault::PowerCut);
    let next = storage.after_kill();
    assert_eq!(next.read("wal/1", 1).unwrap(), b"bc");
    drop(next.lock().unwrap());
    assert!(outcomes(&next, "wal/1").contains(&None));
    next.remove("wal/1").unwrap();
    storage.heal();
    assert_eq!(storage.list("wal").unwrap(), ["1"], "the two are independent");
    assert_eq!(storage.lock().err().unwrap().kind(), ErrorKind::WouldBlock);
    drop(held);
}

#[test]
fn nothing_works_without_power() {
    let storage = Memory::new();
    put(&storage, "a", b"x").unwrap();
    let log = storage.append("log").unwrap();
    storage.fault_after(1, Fault::PowerCut);
    storage.open("a").unwrap();
    log.append(b"y").unwrap();
    storage.open("a").unwrap();
    assert!(log.append(b"z").is_err() && log.sync().is_err());
    let write = storage.create("b").and_then(|mut file| file.write_all(b"x"));
    assert!(write.is_err() && storage.append("c").is_err());
    assert!(storage.open("a").is_err() && storage.read("log", 0).is_err());
    assert!(storage.list("").is_err() && storage.lock().is_err());
    assert!(storage.rename("a", "b").is_err() && storage.remove("a").is_err());
    assert!(storage.sync_folder("").is_err());
    storage.heal();
    assert_eq!(storage.list("").unwrap(), ["a", "log"]);
    assert_eq!(storage.read("log", 0).unwrap(), b"y");
}

#[test]
fn faults_begin_at_their_operation() {
    let storage = Memory::new();
    put(&storage, "log", b"").unwrap();
    let done = storage.operations();
    let log = storage.append("new").unwrap();
    storage.fail_after(1, ErrorKind::StorageFull);
    log.append(b"abcd").unwrap();
    assert_eq!(log.append(b"e").unwrap_err().kind(), ErrorKind::StorageFull);
    assert_eq!(storage.remove("log").unwrap_err().kind(), ErrorKind::StorageFull);
    assert_eq!(storage.operations(), done + 4);

    storage.fault_after(0, Fault::ShortWrite);
    assert_eq!(log.append(b"efgh").unwrap_err().kind(), ErrorKind::StorageFull);
    assert_eq!(log.append(b"ijkl").unwrap_err().kind(), ErrorKind::StorageFull);
    assert_eq!(storage.read("new", 0).unwrap(), b"abcdef");

    storage.fault_after(1, Fault::FailOnce(ErrorKind::TimedOut));
    log.append(b"g").unwrap();
    assert_eq!(log.append(b"h").unwrap_err().kind(), ErrorKind::TimedOut);
    log.append(b"h").unwrap();
    storage.heal();

    let reads = storage.reads();
    storage.read_fault_after(1, ReadFault::Short);
    assert_eq!(storage.read("new", 2).unwrap(), b"cdefgh");
    assert_eq!(&*storage.open("new").unwrap(), b"abcd");
    assert_eq!(&*storage.open("new").unwrap(), b"abcdefgh");
    storage.read_fault_after(0, ReadFault::Fail(ErrorKind::TimedOut));
    assert_eq!(storage.read("new", 0).unwrap_err().kind(), ErrorKind::TimedOut);
    assert_eq!(storage.open("new").unwrap_err().kind(), ErrorKind::TimedOut);
    assert_eq!(storage.open("absent").unwrap_err().kind(), ErrorKind::NotFound);
    assert_eq!(storage.reads(), reads + 5);
}

#[test]
fn a_sync_after_a_failed_one_achieves_nothing() {
    let storage = Memory::new();
    let log = storage.append("log").unwrap();
    storage.sync_folder("").unwrap();
    log.append(b"a").unwrap();
    log.sync().unwrap();
    log.append(b"b").unwrap();
    storage.fault_after(0, Fault::FailOnce(ErrorKind::Other));
    log.sync().unwrap_err();
    log.sync().unwrap();
    assert!(outcomes(&storage, "log").contains(&Some(b"a".to_vec())));
}

#[test]
fn overwriting_is_durable_at_once() {
    let storage = Memory::new();
    storage.overwrite("new", b"rot".to_vec());
    let log = storage.append("log").unwrap();
    log.append(b"abc").unwrap();
    storage.overwrite("log", b"abd".to_vec());
    for name in ["new", "log"] {
        let there = storage.open(name).unwrap().to_vec();
        assert_eq!(outcomes(&storage, name), BTreeSet::from([Some(there)]));
    }
}

#[test]
fn files_without_a_name_are_forgotten() {
    let storage = Memory::new();
    let log = storage.append("gone").unwrap();
    storage.remove("gone").unwrap();
    storage.sync_folder("").unwrap();
    log.append(b"into nothing").unwrap();
    log.sync().unwrap();
    for _ in 0..10 {
        put(&storage, "a", b"x").unwrap();
    }
    let state = storage.state();
    assert_eq!((state.disk.files.len(), state.disk.pending.len()), (1, 0));
}

#[derive(Clone, Debug)]
enum Operation {
    Create(&'static str),
    Append(usize),
    Sync(usize),
    Rename(&'static str, &'static str),
    Remove(&'static str),
    SyncFolder(&'static str),
}

fn operations() -> impl Strategy<Value = Vec<Operation>> {
    let name = || prop::sample::select(vec!["a", "b", "f/a", "f/b"]);
    let operation = prop_oneof![
        2 => name().prop_map(Operation::Create),
        2 => (0..8usize).prop_map(Operation::Append),
        1 => (0..8usize).prop_map(Operation::Sync),
        3 => (name(), name()).prop_map(|(from, to)| Operation::Rename(from, to)),
        1 => name().prop_map(Operation::Remove),
        1 => prop::sample::select(vec!["", "f"]).prop_map(Operation::SyncFolder),
    ];
    prop::collection::vec(operation, 0..14)
}

/// A change of names as its caller made it, and what a power cut cannot undo.
#[derive(Clone, Debug)]
struct Made {
    file: usize,
    from: Option<&'static str>,
    to: Option<&'static str>,
    certain: bool,
}

impl Made {
    fn names(&self) -> impl Iterator<Item = &'static str> {
        self.from.into_iter().chain(self.to)
    }

    /// Whether a later change cannot have happened without this one.
    fn carries(&self, later: &Made) -> bool {
        self.file == later.file || self.names().any(|name| later.names().any(|other| other == name))
    }
}

/// The slow model: the history of all changes, of which every subset is tried.
#[derive(Debug, Default)]
struct History {
    made: Vec<Made>,
    /// What each file holds, and how much of it was synced.
    files: Vec<(Vec<u8>, usize)>,
}

impl History {
    fn replay(&self, happened: impl Fn(usize) -> bool) -> BTreeMap<&'static str, usize> {
        let mut names = BTreeMap::new();
        for (_, made) in self.made.iter().enumerate().filter(|(at, _)| happened(*at)) {
            made.from.map(|from| names.remove(from));
            made.to.map(|to| names.insert(to, made.file));
        }
        names
    }

    fn certain(&self, at: usize) -> bool {
        self.made[at].certain
    }

    /// All possible names after a power cut.
    fn images(&self) -> BTreeSet<BTreeMap<&'static str, usize>> {
        let open: Vec<usize> = (0..self.made.len()).filter(|&at| !self.certain(at)).collect();
        let mut images = BTreeSet::new();
        for subset in 0..1u32 << open.len() {
            let chosen =
                |at| open.iter().zip(0..).any(|(&o, bit)| o == at && subset >> bit & 1 == 1);
            let happened = |at| self.certain(at) || chosen(at);
            let whole = (0..self.made.len()).filter(|&at| happened(at)).all(|later| {
                (0..later).all(|at| happened(at) || !self.made[at].carries(&self.made[later]))
            });
            if whole {
                images.insert(self.replay(happened));
            }
        }
        images
    }

    fn apply(&mut self, operation: &Operation) {
        let live = self.replay(|_| true);
        let (file, from, to) = match *operation {
            Operation::Create(name) => {
                self.files.push((Vec::new(), 0));
                (self.files.len() - 1, None, Some(name))
            }
            Operation::Rename(from, to) if live.contains_key(from) => {
                (live[from], Some(from), Some(to))
            }
            Operation::Remove(name) if live.contains_key(name) => (live[name], Some(name), None),
            Operation::SyncFolder(folder) => return self.sync_folder(folder),
            Operation::Append(file) => {
                if let Some((bytes, _)) = self.files.get_mut(file) {
                    bytes.extend([file as u8 + 1; 300]);
                }
                return;
            }
            Operation::Sync(file) => {
                if let Some((bytes, synced)) = self.files.get_mut(file) {
                    *synced = bytes.len();
                }
                return;
            }
            _ => return,
        };
        self.made.push(Made { file, from, to, certain: false });
    }

    fn sync_folder(&mut self, folder: &str) {
        for at in 0..self.made.len() {
            let name = self.made[at].to.or(self.made[at].from).unwrap();
            self.made[at].certain |= folder_of(name) == folder;
        }
        for later in (0..self.made.len()).rev() {
            for at in 0..later {
                let carried = self.made[at].carries(&self.made[later]);
                self.made[at].certain |= self.made[later].certain && carried;
            }
        }
    }
}

fn check_images(operations: &[Operation]) -> Result<(), TestCaseError> {
    let (storage, mut history) = (Memory::new(), History::default());
    let mut handles = Vec::new();
    for operation in operations {
        history.apply(operation);
        match *operation {
            Operation::Create(name) => handles.push(storage.create(name).unwrap()),
            Operation::Append(file) => {
                if let Some(handle) = handles.get_mut(file) {
                    handle.write_all(&[file as u8 + 1; 300]).unwrap();
                }
            }
            Operation::Sync(file) => {
                if let Some(handle) = handles.get_mut(file) {
                    handle.sync().unwrap();
                }
            }
            // Both are refused where there is no such file, as the model does.
            Operation::Rename(from, to) => drop(storage.rename(from, to)),
            Operation::Remove(name) => drop(storage.remove(name)),
            Operation::SyncFolder(folder) => storage.sync_folder(folder).unwrap(),
        }
    }
    let live = history.replay(|_| true);
    prop_assert_eq!(storage.names(), live.keys().copied().collect::<Vec<_>>());
    for (name, &file) in &live {
        prop_assert_eq!(&*storage.open(name).unwrap(), &history.files[file].0[..]);
    }
    let images = history.images();
    let mut seen = BTreeSet::new();
    for seed in 0..if images.len() <= 4 { 400 } else { 20 } {
        let image = storage.after_crash(seed);
        let names = image.names();
        let possible = images.iter().find(|possible| {
            possible.keys().copied().eq(names.iter().map(String::as_str))
                && possible.iter().all(|(name, &file)| {
                    let (bytes, synced) = &history.files[file];
                    let left = image.open(name).unwrap();
                    left.len() <= bytes.len() && left.starts_with(&bytes[..*synced])
                })
        });
        prop_assert!(possible.is_some(), "{names:?} is not one of {images:?}");
        seen.insert(names);
    }
    let all: BTreeSet<Vec<String>> =
        images.iter().map(|image| image.keys().map(|&name| name.to_owned()).collect()).collect();
    prop_assert!(images.len() > 4 || seen == all, "{seen:?} of {all:?}");
    Ok(())
}

proptest! {
    #[test]
    fn every_image_is_possible_and_small_sets_are_seen_whole(operations in operations()) {
        check_images(&operations)?;
    }
}
