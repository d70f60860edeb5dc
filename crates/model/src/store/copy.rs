//! Copying with a digest, a length limit, progress and a way to stop.

use std::io::{Read, Write};
use std::path::Path;

use ecphory_core::Progress;
use sha2::{Digest, Sha256};

use super::catalogue::ModelFile;
use crate::error::FetchError;
use ecphory_core::checksum::hex;

/// Bytes copied between two looks at whether to stop.
const CHUNK: usize = 1 << 18;

/// Copies a file of a model to `folder`, where it is new, and checks that it is the one of the catalogue.
pub(super) fn checked(
    file: &ModelFile,
    from: &mut dyn Read,
    folder: &Path,
    progress: &dyn Progress,
) -> Result<(), FetchError> {
    let path = folder.join(file.name);
    if let Some(parent) = path.parent() {
        fs_err::create_dir_all(parent)?;
    }
    let mut to = fs_err::File::create(&path)?;
    // One byte more than there should be is enough to know that the file is another one.
    let found = copy(&mut from.take(file.bytes + 1), &mut to, progress)?;
    if found != file.sha256 {
        let (file, expected) = (file.name.to_owned(), file.sha256.to_owned());
        return Err(FetchError::Checksum { file, expected, found });
    }
    Ok(to.sync_all()?)
}

/// Copies everything and returns its SHA-256.
pub(super) fn copy(
    from: &mut dyn Read,
    to: &mut dyn Write,
    progress: &dyn Progress,
) -> Result<String, FetchError> {
    let mut digest = Sha256::new();
    let mut chunk = vec![0; CHUNK];
    loop {
        if progress.cancelled() {
            return Err(FetchError::Interrupted);
        }
        let count = match from.read(&mut chunk) {
            Ok(0) => return Ok(hex(&digest.finalize())),
            Ok(count) => count,
            Err(error) if error.kind() == std::io::ErrorKind::Interrupted => continue,
            Err(error) => return Err(error.into()),
        };
        digest.update(&chunk[..count]);
        to.write_all(&chunk[..count])?;
        progress.advance(count as u64);
    }
}
