//! Looking after collections: `check`, `compact`, `backup`, `restore`, `migrate`.

use std::io::{self, Write};

use ecphory::{ErrorKind, Reader, parse_field};
use serde_json::json;

use crate::args::{Backup, Check, Compact, Migrate, Restore};
use crate::commands::index;
use crate::context::{Context, print_json};
use crate::failure::Failure;

/// Names everything that is wrong with a collection.
pub fn check(args: &Check, context: &Context) -> anyhow::Result<()> {
    let path = args.collection.display();
    let (documents, problems) = match look(args, context) {
        Ok(found) => found,
        // A collection that cannot even be opened has this one problem.
        Err(error) if error.kind() == ErrorKind::Corrupt => (None, vec![error.to_string()]),
        Err(error) => return Err(error.into()),
    };
    let mut out = io::stdout().lock();
    if context.common.json {
        print_json(
            &json!({"sound": problems.is_empty(), "problems": problems, "documents": documents}),
        )?;
    } else if problems.is_empty() {
        let documents = documents.unwrap_or_default();
        writeln!(out, "{path}: sound, {documents} documents")?;
    } else {
        for problem in &problems {
            writeln!(out, "{path}: {problem}")?;
        }
    }
    if problems.is_empty() {
        return Ok(());
    }
    Err(Failure::Unsound { path: path.to_string(), problems: problems.len() }.into())
}

fn look(args: &Check, context: &Context) -> ecphory::Result<(Option<u64>, Vec<String>)> {
    let collection = context.engine.open(&args.collection)?;
    let problems = collection.check(context.progress())?;
    if problems.is_empty() {
        return Ok((Some(collection.snapshot()?.documents()), Vec::new()));
    }
    let problems = problems.into_iter().map(|problem| {
        let cause = std::error::Error::source(&problem);
        cause.map_or_else(|| problem.to_string(), |cause| format!("{problem}: {cause}"))
    });
    Ok((None, problems.collect()))
}

/// Merges segments, or erases what was deleted.
pub fn compact(args: &Compact, context: &Context) -> anyhow::Result<()> {
    let collection = context.engine.open(&args.collection)?;
    let before = disk_bytes(&collection.snapshot()?);
    if args.purge {
        collection.purge()?;
    } else {
        collection.compact()?;
    }
    let reader = collection.snapshot()?;
    let after = disk_bytes(&reader);
    let (documents, segments) = (reader.documents(), reader.segments());
    if context.common.json {
        return print_json(&json!({
            "documents": documents, "segments": segments, "bytes_before": before, "bytes_total": after,
        }));
    }
    let path = args.collection.display();
    writeln!(
        io::stdout().lock(),
        "{path}: {documents} documents in {segments} segments, {after} bytes (before: {before})"
    )?;
    Ok(())
}

fn disk_bytes(reader: &Reader) -> u64 {
    reader.sizes().iter().map(|size| size.disk).sum()
}

/// Copies a collection.
pub fn backup(args: &Backup, context: &Context) -> anyhow::Result<()> {
    let collection = context.engine.open(&args.collection)?;
    let done = collection.backup(&args.backup, context.progress())?;
    if context.common.json {
        return print_json(&json!({
            "backup": args.backup.display().to_string(),
            "copied": done.copied, "copied_bytes": done.copied_bytes, "kept": done.kept,
        }));
    }
    writeln!(
        io::stdout().lock(),
        "{}: {} files written with {} bytes, {} were there already",
        args.backup.display(),
        done.copied,
        done.copied_bytes,
        done.kept
    )?;
    Ok(())
}

/// Makes a collection from a backup.
pub fn restore(args: &Restore, context: &Context) -> anyhow::Result<()> {
    let collection = context.engine.restore(&args.backup, &args.collection, context.progress())?;
    let documents = collection.snapshot()?.documents();
    let path = args.collection.display().to_string();
    if context.common.json {
        return print_json(&json!({"collection": path, "documents": documents}));
    }
    writeln!(io::stdout().lock(), "{path}: {documents} documents")?;
    Ok(())
}

/// Changes a collection's schema, and brings it to the newest format.
pub fn migrate(args: &Migrate, context: &Context) -> anyhow::Result<()> {
    // Everything is understood before anything is changed.
    let channels = index::channels(&args.channels, &[])?;
    let fields = args.fields.iter().map(|text| parse_field(text)).collect::<Result<Vec<_>, _>>()?;
    let collection = context.engine.open(&args.collection)?;
    collection.upgrade(context.progress())?;
    for field in fields {
        collection.add_field(field, context.progress())?;
    }
    for channel in &channels {
        collection.add_channel(channel, context.progress())?;
    }
    if !channels.is_empty() {
        index::fill(&collection, &args.collection, context)?;
    }
    let reader = collection.snapshot()?;
    let path = args.collection.display().to_string();
    let channels: Vec<String> = reader.channels().iter().map(ToString::to_string).collect();
    let fields: Vec<String> = reader
        .schema()
        .fields
        .iter()
        .map(|field| format!("{}:{}", field.name, field.kind))
        .collect();
    if context.common.json {
        return print_json(&json!({
            "collection": path, "documents": reader.documents(), "channels": channels, "fields": fields,
        }));
    }
    let mut out = io::stdout().lock();
    writeln!(out, "{path}: {} documents", reader.documents())?;
    writeln!(out, "channels: {}", channels.join(", "))?;
    writeln!(
        out,
        "declared fields: {}",
        if fields.is_empty() { "none".to_owned() } else { fields.join(", ") }
    )?;
    Ok(())
}
