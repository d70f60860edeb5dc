//! The collection that the fuzzers change: small, with every kind of file in it.

use std::sync::Arc;

use ecphory_core::storage::{Memory, Storage};
use ecphory_core::{Document, Value};
use ecphory_index::format::manifest::{Manifest, PartEntry, manifest_file};
use ecphory_index::{
    Batch, Bm25Settings, ChannelKind, ChannelSchema, Collection, DenseSettings, FieldKind,
    FieldSchema, Schema, SparseSettings,
};

use super::repair::{self, Sections};

/// The files of the collection, taken apart.
pub struct Base {
    files: Vec<(String, Vec<u8>)>,
    manifest: Manifest,
    /// Each part with its segment's number, its entry and its sections.
    parts: Vec<(u32, PartEntry)>,
    sections: Vec<Sections>,
}

/// The declared fields.
pub const FIELDS: [(&str, FieldKind); 6] = [
    ("day", FieldKind::Date),
    ("place", FieldKind::Geo),
    ("weight", FieldKind::Float),
    ("year", FieldKind::Integer),
    ("living", FieldKind::Bool),
    ("kind", FieldKind::Keyword),
];

impl Base {
    /// Hands the collection over; it is made once for each thread.
    pub fn with<T>(use_it: impl FnOnce(&Base) -> T) -> T {
        thread_local!(static BASE: Base = Base::new());
        BASE.with(use_it)
    }

    fn new() -> Self {
        let storage = Memory::new();
        write(&storage);
        let names = storage.names();
        let files: Vec<(String, Vec<u8>)> = names
            .into_iter()
            .map(|name| {
                let bytes = storage.open(&name).expect("the file is listed").to_vec();
                (name, bytes)
            })
            .collect();
        let newest = files.iter().rfind(|(name, _)| name.starts_with("MANIFEST-"));
        let (name, text) = newest.expect("a collection has a manifest");
        let manifest = Manifest::decode(name, text).expect("it was just written");
        let parts: Vec<(u32, PartEntry)> = manifest
            .segments
            .iter()
            .flat_map(|segment| segment.parts.iter().map(|part| (segment.segment, part.clone())))
            .collect();
        let file = |part: &PartEntry| {
            let found = files.iter().find(|(name, _)| *name == part.file());
            &found.expect("the manifest names parts that are there").1
        };
        let sections = parts.iter().map(|(_, part)| repair::take_apart(file(part))).collect();
        Self { files, manifest, parts, sections }
    }

    /// All files by name.
    pub fn files(&self) -> &[(String, Vec<u8>)] {
        &self.files
    }

    /// The content of a file.
    pub fn file(&self, name: &str) -> &[u8] {
        let file = self.files.iter().find(|(known, _)| known == name);
        &file.expect("the collection has a file of this name").1
    }

    /// The manifest in force without the line of its checksum.
    pub fn manifest_text(&self) -> &[u8] {
        let file = self.file(&self.manifest_file());
        &file[..file.len() - "crc32 01234567\n".len()]
    }

    /// All parts, each with its segment's number.
    pub fn parts(&self) -> &[(u32, PartEntry)] {
        &self.parts
    }

    /// The sections of each part.
    pub fn sections(&self) -> &[Sections] {
        &self.sections
    }

    /// The manifest in force.
    pub fn manifest(&self) -> &Manifest {
        &self.manifest
    }

    /// The name of the manifest in force.
    pub fn manifest_file(&self) -> String {
        manifest_file(self.manifest.generation)
    }

    /// The log file in force.
    pub fn log(&self) -> (&str, &[u8]) {
        let log = self.files.iter().rfind(|(name, _)| name.starts_with("wal/"));
        let (name, bytes) = log.expect("a batch was put after the last seal");
        (name, bytes)
    }

    /// Another storage with the same files.
    pub fn copy(&self) -> Memory {
        self.with_files([])
    }

    /// A copy in which some files have other content.
    pub fn with_files(&self, changed: impl IntoIterator<Item = (String, Vec<u8>)>) -> Memory {
        let storage = Memory::new();
        for (name, bytes) in self.files.iter().cloned().chain(changed) {
            storage.overwrite(&name, bytes);
        }
        storage
    }

    /// A copy in which some parts have other content, with sound checksums everywhere.
    pub fn with_parts(&self, changed: &[(usize, Vec<u8>)]) -> Memory {
        let storage = self.copy();
        let mut manifest = self.manifest.clone();
        for (place, content) in changed {
            let (segment, part) = &self.parts[*place];
            let entries = manifest.segments.iter_mut().flat_map(|segment| &mut segment.parts);
            let entry = entries.into_iter().find(|entry| entry.part == part.part);
            let entry = entry.expect("the parts are those of the manifest");
            storage.overwrite(&part.file(), repair::part(content.clone(), *segment, entry));
        }
        let text = serde_json::to_vec(&manifest).expect("a manifest has string keys only");
        storage.overwrite(&self.manifest_file(), repair::manifest(&text));
        storage
    }

    /// A copy that went through all repairs.
    pub fn rebuilt(&self) -> Memory {
        let assembled = self.sections.iter().map(repair::assemble).enumerate();
        let storage = self.with_parts(&assembled.collect::<Vec<_>>());
        let (name, bytes) = self.log();
        storage.overwrite(name, repair::log(name, bytes));
        storage
    }

    /// Puts a part of its kind behind every name of a manifest, with the identity that the manifest gives it.
    pub fn adapt_parts(&self, manifest: &mut Manifest, storage: &Memory) {
        for segment in &mut manifest.segments {
            for entry in &mut segment.parts {
                let same = |(_, part): &&(u32, PartEntry)| part.part == entry.part;
                let alike = |(_, part): &&(u32, PartEntry)| part.kind == entry.kind;
                let model = self.parts.iter().find(same).or_else(|| self.parts.iter().find(alike));
                let Some((_, model)) = model else { continue };
                let content = self.file(&model.file()).to_vec();
                let content = repair::part(content, segment.segment, entry);
                storage.overwrite(&entry.file(), content);
            }
        }
    }
}

/// The channels and fields of the collection.
pub fn schema() -> Schema {
    let fields = vec!["title".to_owned(), "text".to_owned()];
    let lexical = Bm25Settings { k1: 0.9, b: 0.4, analyzer: "raw".to_owned() };
    let dense = DenseSettings {
        encoder: "minilm".to_owned(),
        fingerprint: "abc".to_owned(),
        dimensions: 3,
        max_tokens: Some(128),
        passages: None,
        precision: None,
    };
    let sparse = SparseSettings {
        encoder: "splade".to_owned(),
        fingerprint: "def".to_owned(),
        terms: 40,
        max_tokens: None,
        precision: None,
    };
    let channel =
        |name: &str, kind| ChannelSchema { name: name.to_owned(), fields: fields.clone(), kind };
    let field = |(name, kind): (&str, FieldKind)| FieldSchema { name: name.to_owned(), kind };
    Schema {
        channels: vec![
            channel("bm25", ChannelKind::Bm25(lexical)),
            channel("dense", ChannelKind::Dense(dense)),
            channel("sparse", ChannelKind::Sparse(sparse)),
        ],
        fields: FIELDS.into_iter().map(field).collect(),
    }
}

/// Two segments with dead documents, and two batches in the log.
fn write(storage: &Memory) {
    let collection = Collection::create(Arc::new(storage.clone()), schema()).expect("it is new");
    let writer = collection.writer().expect("nobody else writes");
    let put =
        |batch: Batch| writer.put(batch, None).expect("the batch is sound and memory holds it");
    let list = |items: &[&str]| Value::List(items.iter().map(|&item| item.into()).collect());
    let mut first = Batch::new();
    first
        .add(
            Document::new("curie")
                .with("title", "Marie Curie")
                .with("text", "radium and polonium, radium again")
                .with("day", "1867-11-07")
                .with("place", "52.23,21.01")
                .with("year", 1867)
                .with("tags", list(&["physics", "chemistry"])),
        )
        .add(
            Document::new("hahn")
                .with("text", "fission")
                .with("living", false)
                .with("weight", Value::List(vec![70.5.into(), 71.into()]))
                .with("kind", "chemist"),
        )
        // More than 32 terms that differ in the first byte, so that the dictionary has an index.
        .add(
            Document::new("!")
                .with("text", "0 1 2 3 4 5 6 7 8 9 a b c d e f g h i j k l m n o p q r s t"),
        )
        .add(Document::new("long").with("text", "radium ".repeat(300)).with("tags", list(&[])))
        .rows("dense", vec![2, 0, 1, 1], vec![1., 0., 0., 0., 1., 0., 0., 0.6, 0.8, 0., 0., 1.])
        .sparse_rows(
            "sparse",
            vec![3, 1, 0, 2],
            vec![1, 7, 39, 7, 0, 1],
            vec![0.5, 1.25, 2., 0.75, 3., 0.1],
        );
    put(first);
    writer.seal().expect("memory holds it");
    let mut second = Batch::new();
    second
        .add(Document::new("meitner").with("title", "Lise").with("text", "fission of uranium"))
        .add(
            Document::new("franklin")
                .with("text", "x u v w y z")
                .with("day", "1920")
                .with("kind", "chemist"),
        )
        .delete("!")
        .rows("dense", vec![1, 1], vec![0., 0.6, 0.8, 0.5, 0.5, 0.5])
        .sparse_rows("sparse", vec![2, 1], vec![1, 5, 39], vec![0.25, 0.5, 1.]);
    put(second);
    writer.seal().expect("memory holds it");
    let mut third = Batch::new();
    third
        .upsert(Document::new("hahn").with("text", "fission again").with("year", 1938))
        .rows("dense", vec![1], vec![0., 1., 0.])
        .sparse_rows("sparse", vec![2], vec![7, 8], vec![0.5, 0.25]);
    put(third);
    let mut fourth = Batch::new();
    fourth
        .add(Document::new("noether").with("text", "rings").with("year", 1882))
        .delete("franklin");
    put(fourth);
}
