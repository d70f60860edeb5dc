//! Collections that commands make of data sets on their way, kept in the cache for the next time.

use std::hash::{DefaultHasher, Hash, Hasher};
use std::path::{Path, PathBuf};

use ecphory::eval::Dataset;
use ecphory::{BulkOptions, ChannelRequest, Collection};
use fs_err as fs;

use crate::commands::index;
use crate::context::Context;

/// The channels of a collection that is made from a data set.
pub const CHANNELS: &[&str] = &["bm25", "dense=minilm"];

/// Opens the collection that an earlier call made of the same bytes, channels and models, or makes it.
pub fn collection_of(
    dataset: &Dataset,
    requests: &[ChannelRequest],
    context: &Context,
) -> anyhow::Result<Collection> {
    let path = place_of(&dataset.name, &dataset.corpus, requests, context)?;
    let collection = if path.join("CURRENT").is_file() {
        context.engine.open(&path)?
    } else {
        let collection = context.engine.create(&path, requests)?;
        let options = BulkOptions::default();
        let corpus = index::build(&collection, &dataset.corpus, true, options, context)?;
        if !corpus.skipped.is_empty() {
            let count = corpus.skipped.len();
            context.notice(&format!(
                "note: {}: left out {count} empty or malformed documents",
                dataset.name
            ));
        }
        collection
    };
    index::fill(&collection, &path, context)?;
    Ok(collection)
}

/// Returns where the collection of a data set is kept: its name, and a hash of everything it comes from.
fn place_of(
    name: &str,
    corpus: &Path,
    requests: &[ChannelRequest],
    context: &Context,
) -> anyhow::Result<PathBuf> {
    let mut hasher = DefaultHasher::new();
    fs::read(corpus)?.hash(&mut hasher);
    for request in requests {
        request.to_string().hash(&mut hasher);
        if let Some(fingerprint) = context.engine.requested_fingerprint(request)? {
            fingerprint.hash(&mut hasher);
        }
    }
    let folder = context.cache.join("collections");
    fs::create_dir_all(&folder)?;
    let name = name.replace(['/', '\\'], "-");
    Ok(folder.join(format!("{name}-{:016x}.ecp", hasher.finish())))
}
