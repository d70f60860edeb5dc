use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use fs_err as fs;
use tempfile::TempDir;

use super::output::beside;
use super::*;
use crate::offline::config;
use crate::{EncoderOptions, Error};

use crate::tiny_model::{Sequence, sentence, write_model};

const FILES: [&str; 4] = ["v.npy", "v.safetensors", "v.parquet", "v.jsonl"];

struct Desk {
    folder: TempDir,
    engine: Engine,
    texts: Vec<(String, String)>,
}

/// Time goes on by a second with every look, so that some checkpoints are synced and some are not.
struct Ticking(AtomicU64);

impl crate::Clock for Ticking {
    fn now(&self) -> Duration {
        Duration::from_secs(self.0.fetch_add(1, Ordering::Relaxed))
    }
}

fn desk(count: usize) -> Desk {
    let folder = tempfile::tempdir().unwrap();
    write_model(&folder.path().join("model"), 3);
    let config = config(folder.path(), 2);
    let engine = Engine::with_clock(config, Arc::new(Ticking(AtomicU64::new(0)))).unwrap();
    let mut sequence = Sequence(1);
    let id = |i: usize| if i % 5 == 3 { format!("\"{i}\"\n") } else { format!("ünd-{i}") };
    let texts = (0..count).map(|i| (id(i), sentence(&mut sequence, i % 7))).collect();
    Desk { folder, engine, texts }
}

fn place(i: usize) -> Place {
    Place { path: "texts".into(), line: Some(i as u64 + 1) }
}

impl Desk {
    fn begin(&self, name: &str, options: &ExportOptions) -> Result<VectorExport<'_>> {
        let model = self.folder.path().join("model");
        let encoder = self.engine.encoder(model.to_str().unwrap(), &EncoderOptions::default())?;
        let path = self.folder.path().join(name);
        VectorExport::to_file(&self.engine, encoder, &path, options, &Silent)
    }

    fn run(&self, name: &str, options: &ExportOptions) -> Result<Exported> {
        let mut export = self.begin(name, options)?;
        for (i, (id, text)) in self.texts.iter().enumerate() {
            export.push(id.clone(), text.clone(), &place(i))?;
        }
        export.finish()
    }

    /// Runs until so many batches are written, and ends there as a killed process would.
    fn run_until(&self, name: &str, batches: u64, options: &ExportOptions) {
        let mut export = self.begin(name, options).unwrap();
        for (i, (id, text)) in self.texts.iter().enumerate() {
            if export.done().batches == batches {
                return;
            }
            export.push(id.clone(), text.clone(), &place(i)).unwrap();
        }
    }

    /// Returns all files beside the model, by name.
    fn files(&self) -> Vec<(String, Vec<u8>)> {
        let mut files: Vec<(String, Vec<u8>)> = fs::read_dir(self.folder.path())
            .unwrap()
            .map(|entry| entry.unwrap().path())
            .filter(|path| path.is_file())
            .map(|path| {
                let name = path.file_name().unwrap().to_string_lossy().into_owned();
                (name, fs::read(path).unwrap())
            })
            .collect();
        files.sort();
        files
    }

    fn restore(&self, files: &[(String, Vec<u8>)]) {
        for (name, _) in self.files() {
            fs::remove_file(self.folder.path().join(name)).unwrap();
        }
        for (name, content) in files {
            fs::write(self.folder.path().join(name), content).unwrap();
        }
    }

    fn vectors(&self) -> Vec<f32> {
        let model = self.folder.path().join("model");
        let encoder =
            self.engine.encoder(model.to_str().unwrap(), &EncoderOptions::default()).unwrap();
        let texts: Vec<&str> = self.texts.iter().map(|(_, text)| text.as_str()).collect();
        self.engine.encode(&encoder, &texts, Role::Document, &Silent).unwrap()
    }
}

fn options(existing: Existing) -> ExportOptions {
    ExportOptions { batch_texts: 4, existing, ..ExportOptions::default() }
}

fn settings(values: ValueType, dimensions: usize) -> Settings {
    Settings {
        format: VectorFormat::Npy,
        values,
        dimensions,
        model: "ab".repeat(32),
        role: Role::Document,
        source: String::new(),
        input_bytes: None,
    }
}

#[test]
fn headers_and_halves_are_those_of_numpy() {
    let golden: serde_json::Value =
        serde_json::from_str(include_str!("../../tests/golden/headers.json")).unwrap();
    for header in golden["headers"].as_array().unwrap() {
        let values = if header["values"] == "f16" { ValueType::F16 } else { ValueType::F32 };
        let dimensions = header["dimensions"].as_u64().unwrap() as usize;
        let ours = VectorFormat::Npy
            .header(&settings(values, dimensions), header["rows"].as_u64().unwrap());
        // The golden text has one character for each byte.
        let ours: String = ours.iter().map(|&byte| char::from(byte)).collect();
        assert_eq!(ours, header["npy"].as_str().unwrap());
    }
    let values: Vec<f32> =
        golden["values"].as_array().unwrap().iter().map(|v| v.as_f64().unwrap() as f32).collect();
    let mut bytes = Vec::new();
    ValueType::F16.put(&values, &mut bytes).unwrap();
    let halves: Vec<u64> =
        bytes.chunks(2).map(|b| u64::from(u16::from_le_bytes([b[0], b[1]]))).collect();
    let golden: Vec<u64> =
        golden["halves"].as_array().unwrap().iter().map(|half| half.as_u64().unwrap()).collect();
    assert_eq!(halves, golden);
    assert_eq!(ValueType::F16.put(&[65520.0], &mut bytes), Err(65520.0));
}

#[test]
fn safetensors_are_read_by_their_own_crate() {
    let desk = desk(9);
    desk.run("v.safetensors", &options(Existing::Refuse)).unwrap();
    let bytes = fs::read(desk.folder.path().join("v.safetensors")).unwrap();
    let header = u64::from_le_bytes(bytes[..8].try_into().unwrap()) as usize;
    assert_eq!((8 + header) % 64, 0);
    let header: serde_json::Value = serde_json::from_slice(&bytes[8..8 + header]).unwrap();
    assert_eq!(header["__metadata__"]["role"], "document");
    let read = safetensors::SafeTensors::deserialize(&bytes).unwrap();
    let tensor = read.tensor("embeddings").unwrap();
    assert_eq!((tensor.dtype(), tensor.shape()), (safetensors::Dtype::F32, &[9, 6][..]));
    let rows: Vec<u8> = desk.vectors().iter().flat_map(|value| value.to_le_bytes()).collect();
    assert_eq!(tensor.data(), rows);
}

#[test]
fn rows_are_the_vectors_and_ids_stand_beside_them() {
    let desk = desk(23);
    let done = desk.run("v.npy", &options(Existing::Refuse)).unwrap();
    assert_eq!((done.texts, done.resumed, done.batches, done.held_texts_max), (23, 0, 6, 4));
    let file = fs::read(desk.folder.path().join("v.npy")).unwrap();
    let rows: Vec<u8> = desk.vectors().iter().flat_map(|value| value.to_le_bytes()).collect();
    assert_eq!(file[128..], rows);
    let ids = fs::read_to_string(desk.folder.path().join("v.npy.ids")).unwrap();
    let ids: Vec<String> = ids.lines().map(|line| ids::parse_line(line).unwrap()).collect();
    assert_eq!(ids, desk.texts.iter().map(|(id, _)| id.clone()).collect::<Vec<_>>());
    let half = ExportOptions { values: ValueType::F16, ..options(Existing::Replace) };
    desk.run("v.npy", &half).unwrap();
    let file = fs::read(desk.folder.path().join("v.npy")).unwrap();
    let halves = desk.vectors().into_iter().flat_map(|v| half::f16::from_f32(v).to_le_bytes());
    assert_eq!(file[128..], halves.collect::<Vec<u8>>());
    desk.run("v.jsonl", &options(Existing::Refuse)).unwrap();
    let lines = fs::read_to_string(desk.folder.path().join("v.jsonl")).unwrap();
    for ((line, (id, _)), vector) in lines.lines().zip(&desk.texts).zip(desk.vectors().chunks(6)) {
        assert_eq!(line, serde_json::json!({"_id": id, "vector": vector}).to_string());
    }
    // Nothing else is left behind.
    let names: Vec<String> = desk.files().into_iter().map(|(name, _)| name).collect();
    assert_eq!(names, ["v.jsonl", "v.npy", "v.npy.ids"]);
}

#[test]
fn a_run_goes_on_from_every_batch_to_the_same_bytes() {
    let desk = desk(23);
    for name in FILES {
        desk.restore(&[]);
        desk.run(name, &options(Existing::Refuse)).unwrap();
        let whole = desk.files();
        for batches in 0..6 {
            desk.restore(&[]);
            desk.run_until(name, batches, &options(Existing::Refuse));
            assert!(!desk.folder.path().join(name).exists());
            // Interrupted once more on the way.
            desk.run_until(name, 1, &options(Existing::Resume));
            let done = desk.run(name, &options(Existing::Resume)).unwrap();
            assert_eq!((done.texts, done.resumed), (23, 20.min(4 * (batches + 1))), "{name}");
            assert!(desk.files() == whole, "{name} after {batches} batches");
        }
    }
}

/// What the system may have kept of files that were not synced: every one of them a little longer or shorter than
/// the journal says, or with other bytes at the end.
#[test]
fn a_run_goes_on_from_what_a_crash_left() {
    let desk = desk(23);
    for name in FILES {
        desk.restore(&[]);
        desk.run(name, &options(Existing::Refuse)).unwrap();
        let whole = desk.files();
        desk.restore(&[]);
        desk.run_until(name, 3, &options(Existing::Refuse));
        let left = desk.files();
        for (number, (file, content)) in left.iter().enumerate() {
            let cuts = (1..content.len().min(200)).step_by(17);
            let mut states: Vec<Vec<u8>> =
                cuts.map(|cut| content[..content.len() - cut].to_vec()).collect();
            states.push([&content[..], b"{\"checkpoint\":{\"texts\":16"].concat());
            states.push([&content[..content.len() - 40], &[0; 60]].concat());
            for state in states {
                let mut files = left.clone();
                files[number].1 = state;
                desk.restore(&files);
                match desk.run(name, &options(Existing::Resume)) {
                    Ok(_) => assert!(desk.files() == whole, "{name} with {file}"),
                    // Nothing was sound any more, which is said and not passed over.
                    Err(Error::Export(ExportError::Damaged { .. })) => {
                        desk.run(name, &options(Existing::Replace)).unwrap();
                        assert!(desk.files() == whole, "{name} with {file}, replaced");
                    }
                    Err(error) => panic!("{name} with {file}: {error}"),
                }
            }
        }
    }
}

/// Every state between a whole file under its partial name and the end.
#[test]
fn the_last_steps_can_be_interrupted_anywhere() {
    let desk = desk(9);
    for name in FILES {
        desk.restore(&[]);
        let done = desk.run(name, &options(Existing::Refuse)).unwrap();
        let whole = desk.files();
        let path = |extension: &str| beside(&desk.folder.path().join(name), extension);
        // The journal of a run that had written everything, and an old file that it replaces.
        desk.restore(&[]);
        desk.run_until(name, 2, &options(Existing::Refuse));
        let journal = fs::read_to_string(path("journal")).unwrap();
        let finished = format!("{journal}{{\"finished\":{}}}\n", done.texts);
        let named: Vec<(String, Vec<u8>)> = whole.clone();
        let partial = |name: &str| match name {
            "v.parquet" => format!("{name}.joined.partial"),
            _ => format!("{name}.partial"),
        };
        for renamed in 0..=named.len() {
            for old in [false, true] {
                let mut files = vec![(format!("{name}.journal"), finished.clone().into_bytes())];
                // The ids get their name before the vectors.
                for (i, (file, content)) in named.iter().rev().enumerate() {
                    let file = if i < renamed { file.clone() } else { partial(file) };
                    files.push((file, content.clone()));
                }
                if name == "v.parquet" {
                    files.push((format!("{name}.partial"), b"rows".to_vec()));
                    files.push((format!("{name}.ids.partial"), b"ids".to_vec()));
                }
                if old && renamed < named.len() {
                    files.push((name.to_owned(), b"old".to_vec()));
                }
                desk.restore(&files);
                let export = desk.begin(name, &options(Existing::Resume)).unwrap();
                assert!(export.is_whole());
                assert_eq!(export.finish().unwrap().texts, 9);
                assert!(desk.files() == whole, "{name} after {renamed} renames");
            }
        }
    }
}

#[test]
fn a_run_goes_on_only_with_what_it_was_begun_with() {
    let desk = desk(23);
    let resume = options(Existing::Resume);
    desk.run_until("v.npy", 3, &options(Existing::Refuse));
    let left = desk.files();
    let refuse = |desk: &Desk, options: &ExportOptions, expected: &str| {
        let error = desk.run("v.npy", options).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Conflict, "{error}");
        assert!(error.to_string().contains(expected), "{error}");
        assert!(desk.files() == left, "{expected}: the partial files have changed");
    };
    refuse(&desk, &options(Existing::Refuse), "holds 12 texts");
    let half = ExportOptions { values: ValueType::F16, ..resume.clone() };
    refuse(&desk, &half, "the type of values was f32, and is f16 now");
    let query = ExportOptions { role: Role::Query, ..resume.clone() };
    refuse(&desk, &query, "the role was document, and is query now");
    let longer = ExportOptions { input_bytes: Some(7), ..resume.clone() };
    refuse(&desk, &longer, "the size of the input was unknown, and is 7 bytes now");
    let fields = ExportOptions { source: "the fields body".to_owned(), ..resume.clone() };
    refuse(&desk, &fields, "the source of texts");
    let mut other = Desk { texts: desk.texts.clone(), ..desk };
    other.texts[11].1.push_str(" moon");
    refuse(&other, &resume, "does not begin with the 12 texts");
    other.texts.truncate(5);
    refuse(&other, &resume, "does not begin with the 12 texts");
    // Another batch size makes no difference, and another model does.
    write_model(&other.folder.path().join("model"), 4);
    let fresh = self::desk(23);
    let moved = Desk { folder: other.folder, ..fresh };
    refuse(&moved, &resume, "the fingerprint of the model");
}

#[test]
fn another_size_of_batches_goes_on_to_the_same_bytes() {
    let desk = desk(23);
    desk.run("v.npy", &options(Existing::Refuse)).unwrap();
    let whole = desk.files();
    desk.restore(&[]);
    desk.run_until("v.npy", 2, &options(Existing::Refuse));
    let larger = ExportOptions { batch_texts: 100, ..options(Existing::Resume) };
    assert_eq!(desk.run("v.npy", &larger).unwrap().batches, 1);
    assert!(desk.files() == whole);
}

#[test]
fn what_is_there_is_not_overwritten_unasked() {
    let desk = desk(5);
    let refuse = options(Existing::Refuse);
    desk.run("v.npy", &refuse).unwrap();
    for existing in [Existing::Refuse, Existing::Resume] {
        let error = desk.run("v.npy", &options(existing)).unwrap_err();
        assert!(matches!(error, Error::Export(ExportError::Exists { .. })), "{error}");
    }
    assert_eq!(desk.files().len(), 2);
    let open = desk.begin("v.npy", &options(Existing::Replace)).unwrap();
    let error = desk.run("v.npy", &options(Existing::Resume)).unwrap_err();
    assert!(matches!(error, Error::Export(ExportError::Busy { .. })), "{error}");
    drop(open);
    let error = desk.run("v.bin", &refuse).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Usage);
    let half = ExportOptions { values: ValueType::F16, ..refuse };
    assert_eq!(desk.run("v.parquet", &half).unwrap_err().kind(), ErrorKind::Usage);
    fs::write(desk.folder.path().join("w.npy.journal"), "notes\n").unwrap();
    let error = desk.run("w.npy", &options(Existing::Resume)).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Corrupt);
}

#[test]
fn memory_is_that_of_a_batch_by_number_and_by_bytes() {
    let mut desk = desk(3);
    let long = "moon ".repeat(BATCH_BYTES / 5 / 2 - 10);
    desk.texts = (0..7).map(|i| (i.to_string(), format!("{long}{i}"))).collect();
    let options = ExportOptions { batch_texts: 1000, ..options(Existing::Refuse) };
    let done = desk.run("v.npy", &options).unwrap();
    assert_eq!((done.batches, done.held_texts_max), (4, 2));
}

#[test]
fn a_text_that_the_encoder_refuses_is_named() {
    let desk = desk(7);
    let path = desk.folder.path().join("model/tokenizer.json");
    let tokenizer = fs::read_to_string(&path).unwrap();
    fs::write(&path, tokenizer.replace("\"glass\":23", "\"glass\":999")).unwrap();
    let mut texts = desk.texts.clone();
    for (_, text) in &mut texts {
        *text = text.replace("glass", "light");
    }
    texts[5].1.push_str(" glass");
    let desk = Desk { texts, ..desk };
    let error = desk.run("v.npy", &options(Existing::Refuse)).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Corrupt);
    assert_eq!(error.to_string(), "texts:6");
    assert!(std::error::Error::source(&error).unwrap().to_string().contains("999"));
}
