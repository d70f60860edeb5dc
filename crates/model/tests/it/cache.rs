//! The cache of encodings on disk.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

use ecphory_core::{ErrorKind, Progress, Silent};
use ecphory_model::{
    CacheOptions, CachedStates, CachedVectors, Encoder, EncodingCache, Role, StateBuffer,
};
use half::f16;

use crate::support::{Stop, cached_model, golden, open, pool};

const TEXTS: [&str; 6] =
    ["the cat", "a dog and a rat", "", "the cat", "Radium, is!", "sat on the mat and sat and sat"];

fn tiny() -> Encoder {
    open(&golden("tiny/bert-mean"))
}

fn cache(folder: &Path) -> EncodingCache {
    EncodingCache::open(folder, CacheOptions::default()).unwrap()
}

fn vectors(cache: &EncodingCache, encoder: &Encoder, texts: &[&str]) -> CachedVectors {
    cache.vectors(encoder, texts, Role::Document, &pool(2), &Silent).unwrap()
}

fn states<'a>(cache: &EncodingCache, encoder: &'a Encoder, texts: &[&'a str]) -> CachedStates<'a> {
    cache.states(encoder, texts, Role::Document, &pool(2), &Silent).unwrap()
}

fn direct(encoder: &Encoder, texts: &[&str]) -> Vec<f32> {
    encoder.encode(texts, Role::Document, &pool(2), &Silent).unwrap()
}

/// Checks that states are those of the encoder in half precision.
fn check_states(cached: &CachedStates<'_>, encoder: &Encoder, texts: &[&str]) {
    let expected = encoder.states(texts, Role::Document, &pool(2), &Silent).unwrap();
    let mut buffer = StateBuffer::default();
    assert_eq!((cached.len(), cached.columns()), (texts.len(), expected.columns()));
    // Backwards, so that the buffer's lengths go up and down.
    for i in (0..texts.len()).rev() {
        cached.read(i, &mut buffer).unwrap();
        assert_eq!(buffer.tokens, expected.tokens(i));
        assert_eq!(buffer.words, expected.words(i));
        assert_eq!(cached.tokens(i), buffer.tokens.len());
        let rounded: Vec<f32> =
            expected.rows(i).iter().map(|x| f16::from_f32(*x).to_f32()).collect();
        assert_eq!(buffer.rows, rounded);
    }
}

fn files(folder: &Path) -> Vec<PathBuf> {
    let entries = fs_err::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let mut files: Vec<PathBuf> = entries.filter(|path| !path.ends_with("LOCK")).collect();
    files.sort();
    files
}

#[test]
fn vectors_come_back_bit_for_bit() {
    let (folder, encoder) = (tempfile::tempdir().unwrap(), tiny());
    let expected = direct(&encoder, &TEXTS);
    let first = cache(folder.path());
    assert_eq!(first.size().unwrap(), 0);
    // A text that comes twice is encoded once.
    let made = vectors(&first, &encoder, &TEXTS);
    assert_eq!((made.values, made.found), (expected.clone(), 1));
    let again = vectors(&first, &encoder, &TEXTS);
    assert_eq!((again.values, again.found), (expected.clone(), TEXTS.len()));
    assert_eq!(first.size().unwrap(), 48 + 5 * (48 + 4 * encoder.dimensions() as u64));
    drop(first);
    let second = cache(folder.path());
    let again = vectors(&second, &encoder, &["new", TEXTS[4]]);
    assert_eq!((again.values, again.found), (direct(&encoder, &["new", TEXTS[4]]), 1));
    // What one process adds goes into a file of its own, and is found by the next.
    drop(second);
    assert_eq!(files(folder.path()).len(), 2);
    let third = cache(folder.path());
    assert_eq!(vectors(&third, &encoder, &["new", "the cat"]).found, 2);
    assert_eq!(vectors(&third, &encoder, &[]), CachedVectors::default());
}

#[test]
fn models_and_views_do_not_meet() {
    let (folder, one) = (tempfile::tempdir().unwrap(), tiny());
    let other = open(&golden("tiny/distilbert"));
    let cache = cache(folder.path());
    vectors(&cache, &one, &TEXTS);
    let query = cache.vectors(&one, &TEXTS, Role::Query, &pool(1), &Silent).unwrap();
    assert_eq!(query.found, 1);
    assert_eq!(query.values, one.encode(&TEXTS, Role::Query, &pool(1), &Silent).unwrap());
    assert_ne!(query.values, direct(&one, &TEXTS));
    let distil = vectors(&cache, &other, &TEXTS);
    assert_eq!((distil.values, distil.found), (direct(&other, &TEXTS), 1));
    assert_eq!(states(&cache, &one, &TEXTS).found(), 1);
    assert_eq!(files(folder.path()).len(), 4);
}

#[test]
fn states_come_back_rounded() {
    let (folder, encoder) = (tempfile::tempdir().unwrap(), tiny());
    let first = cache(folder.path());
    let made = states(&first, &encoder, &TEXTS);
    assert_eq!((made.found(), made.stored()), (1, TEXTS.len()));
    check_states(&made, &encoder, &TEXTS);
    let again = states(&first, &encoder, &TEXTS);
    assert_eq!(again.found(), TEXTS.len());
    drop(first);
    let again = states(&cache(folder.path()), &encoder, &TEXTS);
    assert_eq!((again.found(), again.stored()), (TEXTS.len(), TEXTS.len()));
    check_states(&again, &encoder, &TEXTS);
    // An odd number of halves leaves nothing aligned.
    let table = open(&golden("tiny/static"));
    let texts = ["a", "a b c", "b"];
    check_states(&states(&cache(folder.path()), &table, &texts), &table, &texts);
    check_states(&states(&cache(folder.path()), &table, &texts), &table, &texts);
}

#[test]
fn half_precision_hardly_turns_a_row() {
    let Some(directory) = cached_model("minilm") else { return };
    let (folder, encoder) = (tempfile::tempdir().unwrap(), open(&directory));
    let cached = states(&cache(folder.path()), &encoder, &TEXTS);
    let exact = encoder.states(&TEXTS, Role::Document, &pool(2), &Silent).unwrap();
    let (mut buffer, mut least) = (StateBuffer::default(), 1.0f64);
    for i in 0..TEXTS.len() {
        cached.read(i, &mut buffer).unwrap();
        let rows = exact.rows(i).chunks_exact(exact.columns());
        for (a, b) in rows.zip(buffer.rows.chunks_exact(exact.columns())) {
            let dot = |a: &[f32], b: &[f32]| -> f64 {
                a.iter().zip(b).map(|(x, y)| f64::from(*x) * f64::from(*y)).sum()
            };
            least = least.min(dot(a, b) / (dot(a, a) * dot(b, b)).sqrt());
        }
    }
    assert!(least > 0.999_999, "{least}");
    assert!(least < 1.0, "nothing was rounded");
}

#[test]
fn nothing_damaged_is_returned() {
    let (folder, encoder) = (tempfile::tempdir().unwrap(), tiny());
    let texts = ["the cat", "a dog and a rat", "sat"];
    let expected = direct(&encoder, &texts);
    vectors(&cache(folder.path()), &encoder, &texts);
    let path = files(folder.path()).remove(0);
    let whole = fs_err::read(&path).unwrap();
    let check = |bytes: &[u8]| {
        for path in files(folder.path()) {
            fs_err::remove_file(path).unwrap();
        }
        fs_err::write(&path, bytes).unwrap();
        let made = vectors(&cache(folder.path()), &encoder, &texts);
        assert_eq!(made.values, expected);
        // What was dropped has been stored again, behind what is damaged.
        assert_eq!(vectors(&cache(folder.path()), &encoder, &texts).found, texts.len());
        made.found
    };
    let record = 48 + 4 * encoder.dimensions();
    assert_eq!(whole.len(), 48 + 3 * record);
    for length in 0..whole.len() {
        assert_eq!(check(&whole[..length]), length.saturating_sub(48) / record, "cut at {length}");
    }
    for at in (0..whole.len()).step_by(5) {
        let mut bytes = whole.clone();
        bytes[at] ^= 0x20;
        let (number, inside) = (at.saturating_sub(48) / record, at.saturating_sub(48) % record);
        let expected = match (at < 48, inside < 48) {
            (true, _) => 0,
            // Where the next record begins is not known.
            (_, true) => number,
            _ => 2,
        };
        assert_eq!(check(&bytes), expected, "damaged at {at}");
    }
}

#[test]
fn damaged_states_are_encoded_again() {
    let (folder, encoder) = (tempfile::tempdir().unwrap(), tiny());
    states(&cache(folder.path()), &encoder, &TEXTS);
    let path = files(folder.path()).remove(0);
    let mut bytes = fs_err::read(&path).unwrap();
    let last = bytes.len() - 1;
    bytes[last] ^= 1;
    fs_err::write(&path, &bytes[..]).unwrap();
    let made = states(&cache(folder.path()), &encoder, &TEXTS);
    assert_eq!((made.found(), made.stored()), (TEXTS.len() - 1, TEXTS.len()));
    check_states(&made, &encoder, &TEXTS);
}

#[test]
fn one_stores_and_the_others_compute() {
    let (folder, encoder) = (tempfile::tempdir().unwrap(), tiny());
    let (writer, reader) = (cache(folder.path()), cache(folder.path()));
    vectors(&writer, &encoder, &TEXTS[..2]);
    states(&writer, &encoder, &TEXTS[..2]);
    let size = writer.size().unwrap();
    let read = vectors(&reader, &encoder, &TEXTS);
    assert_eq!((read.values, read.found), (direct(&encoder, &TEXTS), 3));
    let read = states(&reader, &encoder, &TEXTS);
    // Nothing that cannot be stored is computed before it is read.
    assert_eq!((read.found(), read.stored()), (TEXTS.len(), 3));
    check_states(&read, &encoder, &TEXTS);
    assert_eq!(reader.size().unwrap(), size);
    let error = reader.clear().unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Conflict, "{error}");
    drop(writer);
    assert_eq!(states(&reader, &encoder, &TEXTS).stored(), TEXTS.len());
    reader.clear().unwrap();
    assert_eq!((reader.size().unwrap(), files(folder.path()).len()), (0, 0));
    // What was handed out stays.
    check_states(&read, &encoder, &TEXTS);
    assert_eq!(vectors(&reader, &encoder, &TEXTS).found, 1);
}

#[test]
fn clearing_leaves_what_is_not_the_caches() {
    let (folder, encoder) = (tempfile::tempdir().unwrap(), tiny());
    let cache = cache(folder.path());
    vectors(&cache, &encoder, &TEXTS);
    let other = folder.path().join("my-own-vectors.1");
    fs_err::write(&other, "mine").unwrap();
    cache.clear().unwrap();
    assert_eq!(files(folder.path()), [other]);
}

#[test]
fn a_limit_ends_the_storing() {
    let (folder, encoder) = (tempfile::tempdir().unwrap(), tiny());
    let record = 48 + 4 * encoder.dimensions() as u64;
    for bytes_max in [0, 48, 47 + record, 48 + record, 48 + 2 * record + 5] {
        let limited = EncodingCache::open(folder.path(), CacheOptions { bytes_max }).unwrap();
        for _ in 0..2 {
            assert_eq!(vectors(&limited, &encoder, &TEXTS).values, direct(&encoder, &TEXTS));
            let size = limited.size().unwrap();
            let kept = bytes_max.saturating_sub(48) / record;
            assert_eq!(size, if kept == 0 { 0 } else { 48 + kept * record });
        }
        limited.clear().unwrap();
        let some = states(&limited, &encoder, &TEXTS);
        assert!(limited.size().unwrap() <= bytes_max && some.stored() < TEXTS.len());
        check_states(&some, &encoder, &TEXTS);
        limited.clear().unwrap();
    }
}

#[test]
fn a_folder_that_cannot_be_written_computes() {
    let (folder, encoder) = (tempfile::tempdir().unwrap(), tiny());
    // A folder where the lock should be: even for root there is no locking it.
    fs_err::create_dir(folder.path().join("LOCK")).unwrap();
    let cache = cache(folder.path());
    assert_eq!(vectors(&cache, &encoder, &TEXTS).values, direct(&encoder, &TEXTS));
    check_states(&states(&cache, &encoder, &TEXTS), &encoder, &TEXTS);
    assert_eq!(cache.size().unwrap(), 0);
    let error = EncodingCache::open(&golden("tiny.json"), CacheOptions::default()).unwrap_err();
    assert!(error.to_string().contains("tiny.json"), "{error}");
}

/// Stops after so many texts.
struct StopAfter(AtomicU64, u64);

impl Progress for StopAfter {
    fn begin(&self, _: &str, _: u64) {}
    fn advance(&self, units: u64) {
        self.0.fetch_add(units, Ordering::Relaxed);
    }
    fn end(&self) {}
    fn cancelled(&self) -> bool {
        self.0.load(Ordering::Relaxed) >= self.1
    }
}

#[test]
fn an_interruption_loses_one_piece() {
    let (folder, encoder) = (tempfile::tempdir().unwrap(), open(&golden("tiny/static")));
    let texts: Vec<String> = (0..1200).map(|i| format!("a b {i}")).collect();
    let texts: Vec<&str> = texts.iter().map(String::as_str).collect();
    let first = cache(folder.path());
    let stop = StopAfter(AtomicU64::new(0), 1024);
    let error = first.vectors(&encoder, &texts, Role::Document, &pool(1), &stop).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Interrupted);
    drop(first);
    let told = StopAfter(AtomicU64::new(0), u64::MAX);
    let second = cache(folder.path());
    let rest = second.vectors(&encoder, &texts, Role::Document, &pool(1), &told).unwrap();
    assert!((512..1200).contains(&rest.found), "{}", rest.found);
    assert_eq!(rest.values, direct(&encoder, &texts));
    assert_eq!(told.0.into_inner(), 1200, "every text is told of once");
    // Work that is all here can be stopped too.
    let error = second.vectors(&encoder, &texts, Role::Document, &pool(1), &Stop).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Interrupted);
}

#[test]
fn threads_share_a_cache() {
    let (folder, encoder) = (tempfile::tempdir().unwrap(), tiny());
    let cache = cache(folder.path());
    let expected = direct(&encoder, &TEXTS);
    std::thread::scope(|scope| {
        for thread in 0..4 {
            let (cache, encoder, expected) = (&cache, &encoder, &expected);
            scope.spawn(move || {
                let first = thread % 2 * 3;
                let part = vectors(cache, encoder, &TEXTS[first..first + 3]).values;
                let columns = encoder.dimensions();
                assert_eq!(part, expected[first * columns..(first + 3) * columns]);
                check_states(&states(cache, encoder, &TEXTS), encoder, &TEXTS);
            });
        }
    });
    assert_eq!(vectors(&cache, &encoder, &TEXTS).found, TEXTS.len());
}
