//! Files with sound checksums and senseless content: a small collection, one of whose files is replaced by
//! the fuzzer's bytes, goes through everything that a user can do with it.
//!
//! A checksum keeps a fuzzer out as it keeps bit rot out, so those that cover the bytes are repaired. What
//! has to come out is success or an error that calls the collection corrupt: no panic, no endless loop,
//! no memory beyond what the files take up. Not for damage that checksums notice: the tests flip every byte.

mod edit;
mod expressions;
mod life;
mod repair;
mod sample;

use ecphory_index::format::manifest::Manifest;

pub use expressions::{date, filter};
pub use sample::Base;

/// A log file: the fuzzer's bytes behind a sound header, each record with its checksum.
pub fn log(data: &[u8]) {
    Base::with(|base| {
        let (name, _) = base.log();
        life::live(&base.with_files([(name.to_owned(), repair::log(name, data))]));
    });
}

/// A manifest, and the parts that it names under the names and numbers it gives them: the fuzzer's JSON, or
/// the collection's own manifest with changes of eleven bytes each (see [`edit::manifest`]).
pub fn manifest(data: &[u8]) {
    Base::with(|base| {
        let storage = base.copy();
        let manifest = if data.starts_with(b"{") {
            serde_json::from_slice(data).map_err(|_| data.to_vec())
        } else {
            Ok(edit::manifest(base.manifest().clone(), data))
        };
        let text = manifest.map(|mut manifest: Manifest| {
            base.adapt_parts(&mut manifest, &storage);
            serde_json::to_vec(&manifest).expect("a manifest has string keys only")
        });
        let text = text.unwrap_or_else(|text| text);
        storage.overwrite(&base.manifest_file(), repair::manifest(&text));
        life::live(&storage);
    });
}

/// A whole part file: the first byte says which, the rest is the file.
pub fn part(data: &[u8]) {
    let Some((&which, content)) = data.split_first() else { return };
    Base::with(|base| {
        let place = usize::from(which) % base.parts().len();
        life::live(&base.with_parts(&[(place, content.to_vec())]));
    });
}

/// Pieces of sections replaced by other bytes, in any number of parts; what is left stays as it was.
///
/// Each replacement is six bytes (the part, its section, the offset in it (two), how many bytes go, how many
/// come) and then the bytes that come.
pub fn section(data: &[u8]) {
    Base::with(|base| {
        let mut parts = base.sections().to_vec();
        let mut rest = data;
        while let Some(([part, section, low, high, old, new], after)) = rest.split_first_chunk() {
            let (bytes, after) = after.split_at(after.len().min(usize::from(*new)));
            rest = after;
            let place = usize::from(*part) % parts.len();
            let count = parts[place].len();
            let section = &mut parts[place][usize::from(*section) % count].1;
            let start = usize::from(u16::from_le_bytes([*low, *high])).min(section.len());
            let end = (start + usize::from(*old)).min(section.len());
            section.splice(start..end, bytes.iter().copied());
        }
        let changed =
            parts.iter().enumerate().filter(|(place, part)| base.sections()[*place] != **part);
        let files: Vec<_> =
            changed.map(|(place, sections)| (place, repair::assemble(sections))).collect();
        life::live(&base.with_parts(&files));
    });
}
