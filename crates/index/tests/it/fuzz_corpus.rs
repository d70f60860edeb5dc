//! What the fuzzers start from and what they found, replayed: see "Fuzzing" in CONTRIBUTING.md.

use std::path::{Path, PathBuf};

use ecphory_core::Silent;
use ecphory_core::storage::{Directory, Storage};

use crate::fuzz;

type Target = fn(&[u8]);

const TARGETS: [(&str, Target); 6] = [
    ("log", fuzz::log),
    ("manifest", fuzz::manifest),
    ("part", fuzz::part),
    ("section", fuzz::section),
    ("filter", fuzz::filter),
    ("date", fuzz::date),
];

fn fuzz_folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fuzz")
}

#[test]
fn no_input_that_the_fuzzers_know_breaks_anything() {
    let fuzz = Directory::open(fuzz_folder()).unwrap();
    for (target, run) in TARGETS {
        let folders = [format!("corpus/{target}"), format!("regressions/{target}")];
        assert!(!fuzz.list(&folders[0]).unwrap().is_empty(), "{target} has no corpus");
        for folder in folders {
            for name in fuzz.list(&folder).unwrap() {
                // Said before, so that it is known which one does not come back.
                println!("{folder}/{name}");
                run(&fuzz.open(&format!("{folder}/{name}")).unwrap());
            }
        }
    }
}

#[test]
fn the_collection_of_the_fuzzers_has_every_kind_of_part_and_is_sound() {
    fuzz::Base::with(|base| {
        let kinds: std::collections::BTreeSet<u32> =
            base.parts().iter().map(|(_, part)| part.kind.number()).collect();
        assert_eq!(kinds.into_iter().collect::<Vec<_>>(), [1, 2, 3, 4, 5, 6]);
        // Taken apart, put together and given its checksums again, every file is what it was.
        let storage = base.rebuilt();
        for (name, bytes) in base.files() {
            let is_manifest = *name == base.manifest_file();
            assert!(is_manifest || *storage.open(name).unwrap() == **bytes, "{name}");
        }
        let found = crate::support::open(&storage).unwrap().check(&Silent).unwrap();
        assert!(found.is_empty(), "{found:?}");
    });
}

/// Writes the corpora of real files anew; those of expressions are texts that a hand wrote.
#[test]
#[ignore = "writes to fuzz/corpus"]
fn write_the_corpora() {
    let corpus = Directory::open(fuzz_folder().join("corpus")).unwrap();
    let write = |name: String, content: &[u8]| {
        corpus.create(&name).unwrap().write_all(content).unwrap();
    };
    fuzz::Base::with(|base| {
        write("log/two-batches".to_owned(), base.log().1);
        write("manifest/two-segments".to_owned(), base.manifest_text());
        // Every kind of change, four at a time.
        let all: Vec<u8> =
            (0..16u8).flat_map(|what| [what, 1, 1, 2, 0, 0, 0, 0, 0, 0, 0]).collect();
        for (change, number) in all.chunks(4 * 11).zip(0..) {
            write(format!("manifest/changes-{number}"), change);
        }
        let mut kinds = std::collections::BTreeSet::new();
        for ((_, part), place) in base.parts().iter().zip(0u8..) {
            if !kinds.insert(part.kind.number()) {
                continue;
            }
            let file = part.file().replace("seg/", "");
            write(format!("part/{file}"), &[&[place], base.file(&part.file())].concat());
            // Each section with its first byte replaced by itself.
            let mut all = Vec::new();
            for ((_, bytes), section) in base.sections()[usize::from(place)].iter().zip(0..) {
                let bytes = &bytes[..bytes.len().min(1)];
                all.extend_from_slice(&[place, section, 0, 0, 1, bytes.len() as u8]);
                all.extend_from_slice(bytes);
            }
            write(format!("section/{file}"), &all);
        }
    });
}
