//! `ecphory delete`: documents out of a collection, by id or by filter.

use std::io::{self, Write};

use ecphory::{Filter, WriterOptions};
use serde_json::json;

use crate::args::Delete;
use crate::context::{Context, print_json};

/// Deletes documents.
pub fn delete(args: &Delete, context: &Context) -> anyhow::Result<()> {
    let collection = context.engine.open(&args.collection)?;
    let filter: Option<Filter> =
        args.filter.as_deref().map(str::parse).transpose().map_err(ecphory::Error::from)?;
    let writer = collection.writer(&WriterOptions::default())?;
    let written = match &filter {
        Some(filter) => writer.delete_where(filter)?,
        None => writer.delete(&args.ids)?,
    };
    writer.close()?;
    if context.common.json {
        return print_json(&json!({"deleted": written.deleted, "missing": written.missing}));
    }
    let mut out = io::stdout().lock();
    writeln!(out, "{}: {} documents deleted", args.collection.display(), written.deleted)?;
    if written.missing > 0 {
        writeln!(out, "{} ids belong to no document", written.missing)?;
    }
    Ok(())
}
