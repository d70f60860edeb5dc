//! `ecphory index`: documents into a collection.

use std::io::{self, Write};
use std::path::Path;
use std::time::Instant;

use ecphory::read::{self, ReadOptions, Skipped, Summary};
use ecphory::{
    BulkOptions, ChannelRequest, Collection, Error, ErrorKind, IndexError, Silent, Unshown,
    parse_field,
};
use fs_err as fs;
use serde_json::json;

use crate::args::Index;
use crate::bytes::ByteCount;
use crate::context::{Context, print_json};
use crate::failure::Failure;

/// How many left-out lines are shown to people; the JSON of `index` has all of them.
const SKIPPED_SHOWN: usize = 10;

/// Makes a collection, or goes on filling one.
pub fn index(args: &Index, context: &Context) -> anyhow::Result<()> {
    let start = Instant::now();
    let path = &args.collection;
    let (collection, read) = match &args.corpus {
        Some(corpus) => {
            make_room(path, args.replace)?;
            let (collection, read) = make(args, corpus, context)?;
            (collection, Some(read))
        }
        None => (context.engine.open(path)?, None),
    };
    let lexical_seconds = start.elapsed().as_secs_f64();
    fill(&collection, path, context)?;
    report(
        path,
        &collection,
        read.as_ref(),
        (lexical_seconds, start.elapsed().as_secs_f64()),
        context,
    )
}

/// Fills the channels that an encoder fills; an interruption says how to go on.
pub fn fill(collection: &Collection, path: &Path, context: &Context) -> anyhow::Result<()> {
    match collection.fill(context.progress()) {
        Err(error) if error.kind() == ErrorKind::Interrupted => {
            let reader = collection.snapshot()?;
            let mut state = Vec::new();
            for channel in reader.encoded_channels() {
                let coverage = reader.coverage(&channel)?;
                state.push(format!(
                    "`{channel}` holds {} of {} documents",
                    coverage.covered, coverage.total
                ));
            }
            Err(Failure::Interrupted(format!(
                "{}; nothing is lost\nhint: `ecphory index {} --resume` goes on",
                state.join(", "),
                path.display()
            ))
            .into())
        }
        other => {
            other?;
            Ok(())
        }
    }
}

/// Removes a collection that is to be replaced; refuses to touch anything else.
fn make_room(path: &Path, replace: bool) -> anyhow::Result<()> {
    if !path.try_exists()? {
        return Ok(());
    }
    let name = || path.display().to_string();
    if !replace {
        return Err(Failure::Exists { path: name() }.into());
    }
    if !path.join("CURRENT").is_file() {
        return Err(Failure::NotOurs { path: name() }.into());
    }
    fs::remove_dir_all(path)?;
    Ok(())
}

fn make(args: &Index, corpus: &Path, context: &Context) -> anyhow::Result<(Collection, Summary)> {
    let channels = channels(&args.channels, &["bm25"])?;
    let collection = context.engine.create(&args.collection, &channels)?;
    for field in &args.fields {
        collection.add_field(parse_field(field)?, context.progress())?;
    }
    let options = BulkOptions { memory_bytes: bytes(args.memory) };
    let read = build(&collection, corpus, args.skip_bad, options, context)?;
    Ok((collection, read))
}

/// Adds a corpus to a collection in one commit, as it is read.
pub fn build(
    collection: &Collection,
    corpus: &Path,
    skip_bad: bool,
    options: BulkOptions,
    context: &Context,
) -> anyhow::Result<Summary> {
    // One bar, over the bytes of the corpus: segments are made in between.
    let unshown = Unshown(context.progress());
    let mut bulk = collection.bulk(&options, &unshown)?;
    let reading = ReadOptions { skip_bad };
    let read = read::documents(corpus, &reading, context.progress(), &mut |document, _| {
        bulk.push(document)
    });
    match read.and_then(|read| bulk.commit().map(|()| read)) {
        Err(Error::Index(source)) => Err(refused(corpus, reading, source).into()),
        other => Ok(other?),
    }
}

/// Says where the document stands that the collection refused, by looking for it again: places are not kept.
fn refused(corpus: &Path, reading: ReadOptions, source: IndexError) -> Error {
    let (IndexError::Document { document: refused, .. }
    | IndexError::DuplicateId { id: refused, .. }) = &source
    else {
        return Error::Index(source);
    };
    let mut found = None;
    // Reading ends at the document; whatever else it says was said before.
    let _ = read::documents(corpus, &reading, &Silent, &mut |document, place| {
        if document.id == *refused {
            found = Some(place.clone());
            return Err(Error::Interrupted { doing: "looking for a document" });
        }
        Ok(())
    });
    match found {
        Some(place) => Error::Refused { place, source: Box::new(source) },
        None => Error::Index(source),
    }
}

/// Returns a size as the library takes it.
pub fn bytes(size: ByteCount) -> usize {
    usize::try_from(size.0).unwrap_or(usize::MAX)
}

/// Parses channel requests, or the default ones where there are none.
pub fn channels(requests: &[String], default: &[&str]) -> anyhow::Result<Vec<ChannelRequest>> {
    let parse =
        |text: &str| text.parse::<ChannelRequest>().map_err(|error| Error::from(error).into());
    if requests.is_empty() {
        return default.iter().map(|text| parse(text)).collect();
    }
    requests.iter().map(|text| parse(text)).collect()
}

fn report(
    path: &Path,
    collection: &Collection,
    read: Option<&Summary>,
    (lexical_seconds, seconds): (f64, f64),
    context: &Context,
) -> anyhow::Result<()> {
    let reader = collection.snapshot()?;
    let skipped = read.map_or(&[][..], |read| &read.skipped);
    if context.common.json {
        let skipped: Vec<_> = skipped
            .iter()
            .map(|left_out| json!({"place": left_out.place, "reason": left_out.reason}))
            .collect();
        return print_json(&json!({
            "collection": path.display().to_string(),
            "documents": reader.documents(),
            "skipped": skipped,
            "lexical_seconds": lexical_seconds,
            "seconds": seconds,
        }));
    }
    let mut out = io::stdout().lock();
    writeln!(out, "{}: {} documents in {seconds:.1} s", path.display(), reader.documents())?;
    write_skipped(&mut out, skipped)?;
    Ok(())
}

/// Writes what was left out, if anything.
pub fn write_skipped(out: &mut dyn Write, skipped: &[Skipped]) -> io::Result<()> {
    if skipped.is_empty() {
        return Ok(());
    }
    writeln!(out, "left out {}:", skipped.len())?;
    for left_out in skipped.iter().take(SKIPPED_SHOWN) {
        writeln!(out, "  {}: {}", left_out.place, left_out.reason)?;
    }
    if skipped.len() > SKIPPED_SHOWN {
        writeln!(out, "  and {} more", skipped.len() - SKIPPED_SHOWN)?;
    }
    Ok(())
}
