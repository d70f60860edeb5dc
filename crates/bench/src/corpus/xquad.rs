//! The sentences of XQuAD-R in its eleven languages, found through `ECPHORY_DATA`.

use std::path::PathBuf;

use anyhow::Result;

/// The sentences of every language, one language after the other in turns; `None` where no directory of
/// `ECPHORY_DATA` has them.
pub fn sentences() -> Result<Option<Vec<String>>> {
    let Some(folder) = super::dataset("xquad-r") else { return Ok(None) };
    let mut folders: Vec<PathBuf> = Vec::new();
    for entry in fs_err::read_dir(&folder)? {
        let path = entry?.path();
        if path.join("corpus.jsonl").exists() || path.join("corpus.jsonl.gz").exists() {
            folders.push(path);
        }
    }
    folders.sort();
    let mut languages = Vec::new();
    for folder in &folders {
        let records = super::scifact::records(folder, "corpus.jsonl")?;
        languages.push(records.into_iter().map(|record| record.text).collect::<Vec<_>>());
    }
    let longest = languages.iter().map(Vec::len).max().unwrap_or(0);
    let mut turns = Vec::new();
    for index in 0..longest {
        turns.extend(languages.iter().filter_map(|sentences| sentences.get(index).cloned()));
    }
    Ok(Some(turns))
}
