//! `ecphory inspect`: what a collection holds, and where its bytes are.

use std::io::{self, Write};

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
    let sizes = reader.sizes();
    let total: u64 = sizes.iter().map(|size| size.bytes).sum();
    let mut channels = Vec::new();
    for request in reader.channels() {
        let coverage = reader.coverage(request.name())?;
        channels.push((request, coverage));
    }
    if context.common.json {
        let bytes: Map<_, _> =
            sizes.iter().map(|size| (size.component.clone(), json!(size.bytes))).collect();
        let channels: Map<_, _> = channels
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
        return print_json(&json!({
            "collection": args.collection.display().to_string(),
            "documents": reader.documents(),
            "segments": reader.segments(),
            "generation": reader.generation(),
            "channels": channels,
            "bytes": bytes,
            "bytes_total": total,
            "document": document.as_ref().map(document_json),
        }));
    }
    let mut out = io::stdout().lock();
    writeln!(
        out,
        "{}: {} documents, {} segments, generation {}\n",
        args.collection.display(),
        reader.documents(),
        reader.segments(),
        reader.generation()
    )?;
    let mut table = Table::new(&["channel", "documents", "specification"]);
    for (request, coverage) in &channels {
        table.row([request.name().to_owned(), coverage.covered.to_string(), request.to_string()]);
    }
    writeln!(out, "{table}")?;
    let mut table = Table::new(&["component", "bytes", "a document"]);
    let documents = reader.documents().max(1);
    for size in sizes {
        let each = format!("{:.1}", size.bytes as f64 / documents as f64);
        table.row([size.component, size.bytes.to_string(), each]);
    }
    let each = format!("{:.1}", total as f64 / documents as f64);
    table.row(["total".to_owned(), total.to_string(), each]);
    write!(out, "{table}")?;
    if let Some(document) = document {
        writeln!(out, "\n{}", serde_json::to_string_pretty(&document_json(&document))?)?;
    }
    Ok(())
}
