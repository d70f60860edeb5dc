use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Barrier;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::thread;

use ecphory_core::{ErrorKind, Silent};
use ecphory_model::EncoderOptions;
use fs_err as fs;
use tempfile::TempDir;

use super::cache::ENTRY_BYTES;
use super::*;
use crate::Error;

use crate::tiny_model::{Sequence, sentence, write_model};

/// A word that the tokenizer knows and the table of vectors does not.
const POISON: &str = "poison";

/// How often a caller looks whether it should stop before its batch runs, where nobody is before it.
const OWN_LOOKS: usize = 3;

struct Desk {
    _folder: TempDir,
    encoder: Encoder,
    pool: rayon::ThreadPool,
    service: EncodingService,
}

fn desk(options: &EncodingOptions) -> Desk {
    let folder = tempfile::tempdir().unwrap();
    write_model(folder.path(), 5);
    let path = folder.path().join("tokenizer.json");
    let mut tokenizer: serde_json::Value =
        serde_json::from_str(&fs::read_to_string(&path).unwrap()).unwrap();
    tokenizer["model"]["vocab"][POISON] = 999.into();
    fs::write(&path, tokenizer.to_string()).unwrap();
    let encoder = Encoder::open(folder.path(), &EncoderOptions::default()).unwrap();
    let pool = rayon::ThreadPoolBuilder::new().num_threads(2).build().unwrap();
    Desk { _folder: folder, encoder, pool, service: EncodingService::new(options, None) }
}

impl Desk {
    fn ask(&self, texts: &[&str], role: Role, progress: &dyn Progress) -> Result<Vec<f32>> {
        self.service.encode(&self.encoder, texts, role, &self.pool, progress)
    }

    fn direct(&self, texts: &[&str], role: Role) -> Vec<f32> {
        self.encoder.encode(texts, role, &self.pool, &Silent).unwrap()
    }

    /// Nothing is left of a caller that has gone.
    fn assert_idle(&self) {
        assert_eq!(self.service.lanes.load(), (0, 0));
    }
}

/// A progress whose first look at whether to stop from inside a batch waits until it may go on.
struct Held<'a> {
    go_on: &'a (dyn Fn() -> bool + Sync),
    /// Looks before this one are let through: the caller's own.
    looks: AtomicUsize,
    released: AtomicBool,
    advanced: AtomicU64,
    then: Then,
}

#[derive(Clone, Copy, PartialEq)]
enum Then {
    GoOn,
    Stop,
    Panic,
}

impl<'a> Held<'a> {
    fn new(go_on: &'a (dyn Fn() -> bool + Sync), then: Then) -> Self {
        let (looks, released) = (AtomicUsize::new(0), AtomicBool::new(false));
        Self { go_on, looks, released, advanced: AtomicU64::new(0), then }
    }
}

impl Progress for Held<'_> {
    fn begin(&self, _task: &str, _total: u64) {}
    fn advance(&self, units: u64) {
        self.advanced.fetch_add(units, Ordering::SeqCst);
    }
    fn end(&self) {}
    fn cancelled(&self) -> bool {
        // The caller looks when it begins, while it enters and before its turn; then the batch does.
        if self.looks.fetch_add(1, Ordering::SeqCst) < OWN_LOOKS {
            return false;
        }
        while !self.released.load(Ordering::SeqCst) && !(self.go_on)() {
            thread::yield_now();
        }
        self.released.store(true, Ordering::SeqCst);
        assert!(self.then != Then::Panic, "a progress that panics");
        self.then == Then::Stop
    }
}

/// The first of several callers that is asked twice from inside a batch wants to stop from then on.
struct FirstInBatch<'a> {
    owner: thread::ThreadId,
    first: &'a AtomicBool,
    looks: AtomicUsize,
    stopped: AtomicBool,
}

impl Progress for FirstInBatch<'_> {
    fn begin(&self, _task: &str, _total: u64) {}
    fn advance(&self, _units: u64) {}
    fn end(&self) {}
    fn cancelled(&self) -> bool {
        let in_batch = thread::current().id() != self.owner;
        if in_batch
            && self.looks.fetch_add(1, Ordering::SeqCst) > 0
            && !self.first.swap(true, Ordering::SeqCst)
        {
            self.stopped.store(true, Ordering::SeqCst);
        }
        self.stopped.load(Ordering::SeqCst)
    }
}

struct Stopped;

impl Progress for Stopped {
    fn begin(&self, _task: &str, _total: u64) {}
    fn advance(&self, _units: u64) {}
    fn end(&self) {}
    fn cancelled(&self) -> bool {
        true
    }
}

#[test]
fn many_threads_get_the_bits_of_direct_encoding() {
    let options =
        EncodingOptions { document_cache_bytes: 40 * (ENTRY_BYTES + 24), ..Default::default() };
    let desk = desk(&options);
    let asked = AtomicU64::new(0);
    thread::scope(|scope| {
        for seed in 0..12 {
            let (desk, asked) = (&desk, &asked);
            scope.spawn(move || {
                let mut sequence = Sequence(seed % 4);
                for _ in 0..60 {
                    let texts: Vec<String> = (0..=sequence.below(40))
                        .map(|_| {
                            let words = sequence.below(5);
                            sentence(&mut sequence, words)
                        })
                        .collect();
                    let texts: Vec<&str> = texts.iter().map(String::as_str).collect();
                    let role = [Role::Query, Role::Document][sequence.below(2)];
                    let told = Held::new(&|| true, Then::GoOn);
                    let vectors = desk.ask(&texts, role, &told).unwrap();
                    assert_eq!(vectors, desk.direct(&texts, role));
                    assert_eq!(told.advanced.into_inner(), texts.len() as u64);
                    asked.fetch_add(texts.len() as u64, Ordering::SeqCst);
                }
            });
        }
    });
    let stats = desk.service.stats();
    assert_eq!(stats.asked, asked.into_inner());
    assert_eq!(stats.asked, stats.found + stats.encoded);
    assert!(stats.evicted > 0);
    desk.assert_idle();
}

#[test]
fn what_is_known_is_not_encoded_again() {
    let desk = desk(&EncodingOptions::default());
    let texts = ["radium", "moon", "radium", "", "star light"];
    let first = desk.ask(&texts, Role::Document, &Silent).unwrap();
    assert_eq!(first, desk.direct(&texts, Role::Document));
    let stats = desk.service.stats();
    assert_eq!((stats.asked, stats.found, stats.encoded, stats.batches), (5, 1, 4, 1));
    let told = Held::new(&|| true, Then::GoOn);
    assert_eq!(desk.ask(&["moon", "orbit", "moon"], Role::Document, &told).unwrap().len(), 18);
    assert_eq!(told.advanced.into_inner(), 3);
    let stats = desk.service.stats();
    assert_eq!((stats.asked, stats.found, stats.encoded, stats.batches), (8, 3, 5, 2));
    let known = ["moon", "orbit"];
    let error = desk.ask(&known, Role::Document, &Stopped).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Interrupted);
    // The view is part of the key, so a model with prompts is served correctly.
    desk.ask(&["moon"], Role::Query, &Silent).unwrap();
    assert_eq!(desk.service.stats().encoded, 6);
    assert!(desk.ask(&[], Role::Query, &Silent).unwrap().is_empty());
}

#[test]
fn the_cache_keeps_its_bound_and_each_view_its_shelf() {
    let query_cache_bytes = 10 * (ENTRY_BYTES + 24);
    let options =
        EncodingOptions { query_cache_bytes, document_cache_bytes: 0, ..Default::default() };
    let desk = desk(&options);
    let texts: Vec<String> = (0..50).map(|i| format!("moon {}", "radium ".repeat(i))).collect();
    let texts: Vec<&str> = texts.iter().map(String::as_str).collect();
    desk.ask(&texts, Role::Query, &Silent).unwrap();
    let stats = desk.service.stats();
    assert_eq!((stats.cache_bytes, stats.evicted), (query_cache_bytes as u64, 40));
    desk.ask(&texts, Role::Document, &Silent).unwrap();
    assert_eq!(desk.service.stats().evicted, 40);
    // The last ten are there, the others are not.
    desk.ask(&texts[40..], Role::Query, &Silent).unwrap();
    assert_eq!(desk.service.stats().encoded, 100);
    desk.ask(&texts[39..40], Role::Query, &Silent).unwrap();
    assert_eq!(desk.service.stats().encoded, 101);
}

/// Holds a batch until so many pieces wait behind it, and returns the result of the caller that ran it.
fn held_batch(
    desk: &Desk,
    behind: usize,
    then: Then,
    others: impl FnOnce() + Send,
) -> thread::Result<Result<Vec<f32>>> {
    let release = || desk.service.lanes.queued() >= behind;
    let held = Held::new(&release, then);
    // A text that is in no cache.
    let text = "apple ".repeat(1 + desk.service.stats().asked as usize);
    thread::scope(|scope| {
        let running = scope
            .spawn(|| catch_unwind(AssertUnwindSafe(|| desk.ask(&[&text], Role::Document, &held))));
        while held.looks.load(Ordering::SeqCst) <= OWN_LOOKS {
            thread::yield_now();
        }
        others();
        running.join().unwrap()
    })
}

#[test]
fn texts_that_come_while_a_batch_runs_are_one_batch() {
    let desk = desk(&EncodingOptions::default());
    let first = held_batch(&desk, 6, Then::GoOn, || {
        thread::scope(|scope| {
            for i in 0..6 {
                let desk = &desk;
                scope.spawn(move || {
                    // Three pairs that ask for the same.
                    let text = sentence(&mut Sequence(i / 2), 4);
                    let vectors = desk.ask(&[&text, "radium"], Role::Document, &Silent).unwrap();
                    assert_eq!(vectors, desk.direct(&[&text, "radium"], Role::Document));
                });
            }
        });
    });
    assert_eq!(first.unwrap().unwrap(), desk.direct(&["apple"], Role::Document));
    let stats = desk.service.stats();
    assert_eq!((stats.batches, stats.asked, stats.encoded, stats.found), (2, 13, 5, 8));
    desk.assert_idle();
}

#[test]
fn queries_do_not_wait_for_documents() {
    let desk = desk(&EncodingOptions::default());
    let answered = AtomicBool::new(false);
    let release = || answered.load(Ordering::SeqCst);
    let held = Held::new(&release, Then::GoOn);
    thread::scope(|scope| {
        let running = scope.spawn(|| desk.ask(&["apple"], Role::Document, &held));
        while held.looks.load(Ordering::SeqCst) <= OWN_LOOKS {
            thread::yield_now();
        }
        desk.ask(&["moon"], Role::Query, &Silent).unwrap();
        answered.store(true, Ordering::SeqCst);
        running.join().unwrap().unwrap();
    });
}

#[test]
fn an_error_reaches_those_whose_texts_caused_it() {
    let desk = desk(&EncodingOptions::default());
    held_batch(&desk, 8, Then::GoOn, || {
        thread::scope(|scope| {
            for i in 0..8_usize {
                let desk = &desk;
                scope.spawn(move || {
                    let told = Held::new(&|| true, Then::GoOn);
                    let text = format!("moon {}", "orbit ".repeat(i));
                    if i % 4 == 1 {
                        let error = desk.ask(&[&text, POISON], Role::Document, &told).unwrap_err();
                        assert!(matches!(
                            error,
                            Error::Model(ecphory_model::Error::TokenOutside { token: 999, .. })
                        ));
                    } else {
                        let texts = ["star", &text];
                        let vectors = desk.ask(&texts, Role::Document, &told).unwrap();
                        assert_eq!(vectors, desk.direct(&texts, Role::Document));
                        assert_eq!(told.advanced.into_inner(), 2);
                    }
                });
            }
        });
    })
    .unwrap()
    .unwrap();
    desk.assert_idle();
    assert!(desk.ask(&[POISON], Role::Document, &Silent).is_err());
    assert!(desk.ask(&["moon"], Role::Document, &Silent).is_ok());
    desk.assert_idle();
}

#[test]
fn a_caller_that_stops_harms_nobody() {
    let desk = desk(&EncodingOptions::default());
    // One that waits: it leaves at once, while the batch before it is still held.
    let left = AtomicBool::new(false);
    let release = || left.load(Ordering::SeqCst);
    let held = Held::new(&release, Then::GoOn);
    thread::scope(|scope| {
        let running = scope.spawn(|| desk.ask(&["apple"], Role::Document, &held));
        while held.looks.load(Ordering::SeqCst) <= OWN_LOOKS {
            thread::yield_now();
        }
        let queued = || desk.service.lanes.queued() == 1;
        let stopped = Held::new(&queued, Then::Stop);
        let error = desk.ask(&["moon"], Role::Document, &stopped).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Interrupted);
        left.store(true, Ordering::SeqCst);
        assert!(running.join().unwrap().is_ok());
    });
    desk.assert_idle();
    // One that runs a batch of its own only: the batch ends.
    let error = held_batch(&desk, 1, Then::Stop, || {
        // Another one waits behind it, and runs its own batch then.
        let vectors = desk.ask(&["radium"], Role::Document, &Silent).unwrap();
        assert_eq!(vectors, desk.direct(&["radium"], Role::Document));
    });
    assert_eq!(error.unwrap().unwrap_err().kind(), ErrorKind::Interrupted);
    assert_eq!(desk.ask(&["x"], Role::Query, &Stopped).unwrap_err().kind(), ErrorKind::Interrupted);
    desk.assert_idle();
}

#[test]
fn a_batch_goes_on_for_the_others_when_the_caller_that_runs_it_stops() {
    let desk = desk(&EncodingOptions::default());
    // Two pieces wait behind a held batch, so one of their callers will run both. Each wants to stop as soon as
    // it runs a batch; the other one must get its vectors all the same.
    let first = AtomicBool::new(false);
    let (interrupted, served) = (AtomicUsize::new(0), AtomicUsize::new(0));
    held_batch(&desk, 2, Then::GoOn, || {
        thread::scope(|scope| {
            for text in ["moon star", "radium glass"] {
                let (desk, first, interrupted, served) = (&desk, &first, &interrupted, &served);
                scope.spawn(move || {
                    let progress = FirstInBatch {
                        owner: thread::current().id(),
                        first,
                        looks: AtomicUsize::new(0),
                        stopped: AtomicBool::new(false),
                    };
                    match desk.ask(&[text], Role::Document, &progress) {
                        Ok(vectors) => {
                            assert_eq!(vectors, desk.direct(&[text], Role::Document));
                            served.fetch_add(1, Ordering::SeqCst);
                        }
                        Err(error) => {
                            assert_eq!(error.kind(), ErrorKind::Interrupted);
                            interrupted.fetch_add(1, Ordering::SeqCst);
                        }
                    }
                });
            }
        });
    })
    .unwrap()
    .unwrap();
    assert_eq!((interrupted.into_inner(), served.into_inner()), (1, 1));
    assert_eq!(desk.service.stats().batches, 2);
    desk.assert_idle();
}

#[test]
fn a_progress_that_panics_harms_nobody() {
    let desk = desk(&EncodingOptions::default());
    let ran = held_batch(&desk, 3, Then::Panic, || {
        thread::scope(|scope| {
            for text in ["moon", "radium", "glass"] {
                let desk = &desk;
                scope.spawn(move || {
                    let vectors = desk.ask(&[text], Role::Document, &Silent).unwrap();
                    assert_eq!(vectors, desk.direct(&[text], Role::Document));
                });
            }
        });
    });
    assert!(ran.is_err());
    desk.assert_idle();
    // One that panics while it waits.
    held_batch(&desk, 1, Then::GoOn, || {
        let queued = || desk.service.lanes.queued() == 1;
        let panics = Held::new(&queued, Then::Panic);
        let waited =
            catch_unwind(AssertUnwindSafe(|| desk.ask(&["dose"], Role::Document, &panics)));
        assert!(waited.is_err());
        desk.ask(&["prize"], Role::Document, &Silent).unwrap();
    })
    .unwrap()
    .unwrap();
    desk.assert_idle();
}

#[test]
fn callers_wait_where_too_much_waits() {
    let options = EncodingOptions { waiting_bytes_max: 10, ..Default::default() };
    let desk = desk(&options);
    let release = || desk.service.lanes.entering() == 4;
    let held = Held::new(&release, Then::GoOn);
    thread::scope(|scope| {
        scope.spawn(|| desk.ask(&["apple"], Role::Document, &held).unwrap());
        while held.looks.load(Ordering::SeqCst) <= OWN_LOOKS {
            thread::yield_now();
        }
        // Seven bytes do not fit beside five; nor do two texts that are longer than everything may be.
        for text in ["uranium", "gravity", "penicillin moon", "hospital bacteria"] {
            let desk = &desk;
            scope.spawn(move || {
                let vectors = desk.ask(&[text], Role::Document, &Silent).unwrap();
                assert_eq!(vectors, desk.direct(&[text], Role::Document));
            });
        }
    });
    assert_eq!(desk.service.stats().waiting_bytes_peak, 17);
    desk.assert_idle();
}

#[test]
fn threads_of_pools_do_not_wait_for_themselves() {
    let desk = desk(&EncodingOptions::default());
    let theirs = rayon::ThreadPoolBuilder::new().num_threads(3).build().unwrap();
    let together = Barrier::new(2);
    let many = |number: u64| {
        let mut sequence = Sequence(number);
        for _ in 0..20 {
            let texts: Vec<String> = (0..30).map(|_| sentence(&mut sequence, 6)).collect();
            let texts: Vec<&str> = texts.iter().map(String::as_str).collect();
            let vectors = desk.ask(&texts, Role::Document, &Silent).unwrap();
            assert_eq!(vectors, desk.direct(&texts, Role::Document));
        }
    };
    thread::scope(|scope| {
        for pool in [&desk.pool, &theirs] {
            let (together, many) = (&together, &many);
            scope.spawn(move || {
                together.wait();
                pool.scope(|tasks| {
                    for number in 0..16 {
                        tasks.spawn(move |_| many(number));
                    }
                });
            });
        }
    });
    desk.assert_idle();
}

#[test]
fn pieces_are_cut_by_number_and_by_bytes() {
    let long = "x".repeat(BATCH_BYTES + 1);
    let half = "y".repeat(BATCH_BYTES / 2);
    let mut texts = vec![""; 300];
    texts.extend([&half, &half, &half, &long, "z"]);
    let numbers: Vec<usize> = (0..texts.len()).collect();
    let counts: Vec<usize> = pieces(&texts, &numbers).map(<[usize]>::len).collect();
    assert_eq!(counts, [256, 46, 1, 1, 1]);
    assert_eq!(pieces(&texts, &numbers).flatten().copied().collect::<Vec<_>>(), numbers);
    assert_eq!(pieces(&[], &[]).count(), 0);
}
