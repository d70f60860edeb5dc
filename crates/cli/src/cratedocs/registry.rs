//! Finds the unpacked sources of crates under cargo's home directory.
//!
//! Costs one directory listing for each folder of a crate. Symbolic links are not followed.

use std::path::{Path, PathBuf};

use super::lockfile::Locked;

/// Deeper folders are not entered; crates nest sources some six levels deep.
const DEPTH_MAX: usize = 16;

/// Larger files are tables written by programs; documented ones stay far below.
const FILE_BYTES_MAX: u64 = 1 << 20;

/// The unpacked sources of one crate.
pub(super) struct Crate {
    pub name: String,
    root: PathBuf,
}

/// A Rust file of a crate.
pub(super) struct SourceFile {
    /// The path from the root of the crate, with `/` on every system.
    pub path: String,
    full: PathBuf,
}

/// Looks the crates up in the registry folders of `cargo_home`; those missing are left out. `None`
/// where there is no registry.
pub(super) fn locate(cargo_home: &Path, crates: &[Locked]) -> anyhow::Result<Option<Vec<Crate>>> {
    let sources = cargo_home.join("registry").join("src");
    if !sources.is_dir() {
        return Ok(None);
    }
    let mut registries = Vec::new();
    for entry in fs_err::read_dir(&sources)? {
        registries.push(entry?.path());
    }
    registries.sort();
    let mut found = Vec::new();
    for Locked { name, versions } in crates {
        let mut roots = versions.iter().flat_map(|version| {
            registries.iter().map(move |registry| registry.join(format!("{name}-{version}")))
        });
        if let Some(root) = roots.find(|root| root.is_dir()) {
            found.push(Crate { name: name.clone(), root });
        }
    }
    Ok(Some(found))
}

impl Crate {
    /// Returns the text of the README, however its name is written.
    pub fn readme(&self) -> Option<String> {
        let mut entries: Vec<PathBuf> =
            fs_err::read_dir(&self.root).ok()?.flatten().map(|entry| entry.path()).collect();
        entries.sort();
        let readme = entries.into_iter().find(|path| {
            path.file_name().is_some_and(|name| name.eq_ignore_ascii_case("readme.md"))
        })?;
        read(&readme)
    }

    /// Returns the Rust files under `src` except its tests, ordered by path.
    pub fn files(&self) -> Vec<SourceFile> {
        let mut files = Vec::new();
        let mut folders = vec![(self.root.join("src"), "src".to_owned(), 0)];
        while let Some((folder, path, depth)) = folders.pop() {
            let Ok(entries) = fs_err::read_dir(folder) else { continue };
            for entry in entries.flatten() {
                let (Ok(kind), Ok(name)) = (entry.file_type(), entry.file_name().into_string())
                else {
                    continue;
                };
                let path = format!("{path}/{name}");
                if ["test", "tests", "tests.rs"].contains(&name.as_str()) {
                    continue;
                }
                if kind.is_dir() && depth < DEPTH_MAX {
                    folders.push((entry.path(), path, depth + 1));
                } else if kind.is_file() && Path::new(&name).extension().is_some_and(|e| e == "rs")
                {
                    files.push(SourceFile { path, full: entry.path() });
                }
            }
        }
        files.sort_by(|a, b| a.path.cmp(&b.path));
        files
    }
}

impl SourceFile {
    /// Returns the text; `None` where the file is huge, not UTF-8 or unreadable.
    pub fn read(&self) -> Option<String> {
        read(&self.full)
    }

    /// Returns the parts of the module path that the file's place gives it.
    pub fn module(&self) -> Vec<&str> {
        let path = self.path.strip_suffix(".rs").unwrap_or(&self.path);
        let mut parts: Vec<&str> = path.split('/').skip(1).collect();
        if parts.last().is_some_and(|last| ["lib", "mod", "main"].contains(last)) {
            parts.pop();
        }
        parts
    }
}

fn read(path: &Path) -> Option<String> {
    let size = fs_err::metadata(path).ok()?.len();
    if size > FILE_BYTES_MAX { None } else { fs_err::read_to_string(path).ok() }
}
