//! The files of the repository, with their text: what every check reads.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use fs_err as fs;

/// A text file; its path is relative to the root and has `/` on every system.
pub struct SourceFile {
    pub path: String,
    pub text: String,
}

impl SourceFile {
    #[cfg(test)]
    pub fn sample(path: &str, text: &str) -> Self {
        Self { path: path.to_owned(), text: text.to_owned() }
    }

    /// Whether the file's name ends in `.extension`.
    pub fn is(&self, extension: &str) -> bool {
        Path::new(&self.path).extension().is_some_and(|e| e == extension)
    }

    /// The directory of the crate under `crates/`; `None` outside.
    pub fn crate_name(&self) -> Option<&str> {
        self.path.strip_prefix("crates/")?.split('/').next()
    }
}

/// The root of the workspace: the folder above xtask.
pub fn root() -> PathBuf {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    here.parent().expect("xtask lies in the workspace").to_path_buf()
}

/// Reads every text file below the root, sorted by path. Build output, hidden folders but `.ci`,
/// `.cargo` and `.github`, and files that are no UTF-8 are left out.
pub fn read(root: &Path) -> Result<Vec<SourceFile>> {
    let mut files = Vec::new();
    let mut folders = vec![root.to_path_buf()];
    while let Some(folder) = folders.pop() {
        let entries = fs::read_dir(&folder).with_context(|| folder.display().to_string())?;
        for entry in entries {
            let path = entry?.path();
            if path.is_dir() {
                if !left_out(&path) {
                    folders.push(path);
                }
            } else if let Ok(text) = fs::read_to_string(&path) {
                let path = path.strip_prefix(root).expect("found below the root");
                let path = path.to_string_lossy().replace('\\', "/");
                files.push(SourceFile { path, text });
            }
        }
    }
    files.sort_by(|a, b| a.path.cmp(&b.path));
    Ok(files)
}

fn left_out(folder: &Path) -> bool {
    let name = folder.file_name().unwrap_or_default().to_string_lossy();
    let hidden = name.starts_with('.') && ![".ci", ".cargo", ".github"].contains(&&*name);
    let is_collection = Path::new(&*name).extension().is_some_and(|e| e == "ecp");
    hidden || is_collection || name == "target" || name == "__pycache__"
}
