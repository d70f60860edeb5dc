//! `ecphory inspect`: what a collection holds, and where its bytes are.

use std::io::{self, Write};

use ecphory::{ChannelRequest, ComponentSize, Coverage, Document, Reader};
use serde_json::{Map, json};

use crate::args::Inspect;
use crate::commands::search::document_json;
use crate::context::{Context, print_json};
use crate::failure::Failure;
use crate::table::Table;

/// Shows a collection.
pub fn inspect(args: &Inspect, context: &Context) -> anyhow::Result<()> {
    let collection = context.engine.open(&args.collection)?;
    let reader = collection.snapshot()?;
    let document = match &args.document {
        Some(id) => {
            let found = reader.document(id)?;
            Some(found.ok_or_else(|| Failure::NoDocument { id: id.clone() })?)
        }
        None => None,
    };
    let mut channels = Vec::new();
    for request in reader.channels() {
        let coverage = reader.coverage(request.name())?;
        channels.push((request, coverage));
    }
    let shown = Shown { args, sizes: reader.sizes(), channels, document, reader };
    if context.common.json {
        return print_json(&shown.to_json());
    }
    shown.write(&mut io::stdout().lock())
}

/// What is shown of a collection.
struct Shown<'a> {
    args: &'a Inspect,
    reader: Reader,
    channels: Vec<(ChannelRequest, Coverage)>,
    sizes: Vec<ComponentSize>,
    document: Option<Document>,
}

impl Shown<'_> {
    /// Returns all bytes on disk and in memory.
    fn totals(&self) -> (u64, u64) {
        let sizes = self.sizes.iter();
        sizes.fold((0, 0), |(disk, memory), size| (disk + size.disk, memory + size.memory))
    }

    fn to_json(&self) -> serde_json::Value {
        let channels: Map<_, _> = self
            .channels
            .iter()
            .map(|(request, coverage)| {
                let state = json!({
                    "spec": request.to_string(),
                    "documents": coverage.covered,
                    "complete": coverage.covered == coverage.total,
                });
                (request.name().to_owned(), state)
            })
            .collect();
        let fields: Map<_, _> = self
            .reader
            .schema()
            .fields
            .iter()
            .map(|field| (field.name.clone(), json!(field.kind.name())))
            .collect();
        let bytes = |of: fn(&ComponentSize) -> u64| -> Map<_, _> {
            let there = self.sizes.iter().filter(|size| of(size) > 0);
            there.map(|size| (size.component.clone(), json!(of(size)))).collect()
        };
        let (disk, memory) = self.totals();
        json!({
            "collection": self.args.collection.display().to_string(),
            "documents": self.reader.documents(),
            "deleted_documents": self.reader.deleted_documents(),
            "tail_documents": self.reader.tail_documents(),
            "segments": self.reader.segments(),
            "generation": self.reader.generation(),
            "channels": channels,
            "fields": fields,
            "bytes": bytes(|size| size.disk),
            "bytes_total": disk,
            "memory_bytes": bytes(|size| size.memory),
            "memory_bytes_total": memory,
            "document": self.document.as_ref().map(document_json),
        })
    }

    fn write(&self, out: &mut dyn Write) -> anyhow::Result<()> {
        let reader = &self.reader;
        writeln!(
            out,
            "{}: {} documents ({} of them not sealed, {} deleted ones take up space), {} segments, generation {}\n",
            self.args.collection.display(),
            reader.documents(),
            reader.tail_documents(),
            reader.deleted_documents(),
            reader.segments(),
            reader.generation()
        )?;
        let mut table = Table::new(&["channel", "documents", "specification"]);
        for (request, coverage) in &self.channels {
            let covered = coverage.covered.to_string();
            table.row([request.name().to_owned(), covered, request.to_string()]);
        }
        writeln!(out, "{table}")?;
        if !reader.schema().fields.is_empty() {
            let mut table = Table::new(&["field", "kind"]);
            for field in &reader.schema().fields {
                table.row([field.name.clone(), field.kind.to_string()]);
            }
            writeln!(out, "{table}")?;
        }
        let mut table = Table::new(&["component", "bytes on disk", "a document", "in memory"]);
        let documents = reader.documents().max(1) as f64;
        let mut row = |component: &str, disk: u64, memory: u64| {
            let each = format!("{:.1}", disk as f64 / documents);
            table.row([component.to_owned(), disk.to_string(), each, memory.to_string()]);
        };
        for size in self.sizes.iter().filter(|size| size.disk + size.memory > 0) {
            row(&size.component, size.disk, size.memory);
        }
        let (disk, memory) = self.totals();
        row("total", disk, memory);
        write!(out, "{table}")?;
        if let Some(document) = &self.document {
            writeln!(out, "\n{}", serde_json::to_string_pretty(&document_json(document))?)?;
        }
        Ok(())
    }
}
