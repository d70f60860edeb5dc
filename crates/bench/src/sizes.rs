//! Bytes on disk.

use std::io::ErrorKind;
use std::path::Path;

use anyhow::Result;

/// The bytes of the files below a folder that are wanted. A file that goes while they are counted has none.
pub fn folder_bytes(folder: &Path, wanted: impl Fn(&Path) -> bool) -> Result<u64> {
    let mut bytes = 0;
    let mut folders = vec![folder.to_path_buf()];
    while let Some(folder) = folders.pop() {
        for entry in fs_err::read_dir(&folder)? {
            let entry = entry?;
            let metadata = match entry.metadata() {
                Err(error) if error.kind() == ErrorKind::NotFound => continue,
                metadata => metadata?,
            };
            if metadata.is_dir() {
                folders.push(entry.path());
            } else if wanted(&entry.path()) {
                bytes += metadata.len();
            }
        }
    }
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_in_folders_count() {
        let folder = tempfile::tempdir().unwrap();
        fs_err::create_dir(folder.path().join("a")).unwrap();
        fs_err::write(folder.path().join("a/b.idx"), [0; 10]).unwrap();
        fs_err::write(folder.path().join("c.store"), [0; 5]).unwrap();
        assert_eq!(folder_bytes(folder.path(), |_| true).unwrap(), 15);
        assert_eq!(
            folder_bytes(folder.path(), |path| path.extension().is_some_and(|e| e == "idx"))
                .unwrap(),
            10
        );
    }
}
