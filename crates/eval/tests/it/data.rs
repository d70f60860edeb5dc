//! Where test data lies: the folders that `ECPHORY_DATA` names, split by colons.

use std::path::PathBuf;

/// Returns the folder `name` of the test data. Where there is none the caller is to return; with
/// `CI=true` that is a failure instead.
pub fn folder(name: &str) -> Option<PathBuf> {
    let folders = std::env::var("ECPHORY_DATA").unwrap_or_default();
    let found =
        folders.split(':').map(|dir| PathBuf::from(dir).join(name)).find(|dir| dir.is_dir());
    if found.is_none() {
        let reason = format!("no folder `{name}` under ECPHORY_DATA");
        assert!(std::env::var("CI").as_deref() != Ok("true"), "{reason}");
        eprintln!("skipped: {reason}");
    }
    found
}
