//! The files beside a graph that hold its larger weights.

use std::collections::BTreeSet;
use std::path::{Component, Path, PathBuf};

/// How protocol buffers write the entry of a tensor that says where its values are: field 1, the key `location`, then
/// field 2, a string.
const LOCATION: &[u8] = b"\x0a\x08location\x12";

/// Returns the files inside `folder` that a graph names, in order, each once.
///
/// Looks for the bytes of such entries instead of parsing the graph: a match by chance names no file that is there.
pub(super) fn files(graph: &[u8], folder: &Path) -> Vec<PathBuf> {
    let mut names = BTreeSet::new();
    let mut rest = graph;
    while let Some(at) = rest.windows(LOCATION.len()).position(|bytes| bytes == LOCATION) {
        rest = &rest[at + LOCATION.len()..];
        names.extend(string(rest).filter(|name| is_inside(name)));
    }
    names.into_iter().map(|name| folder.join(name)).filter(|path| path.is_file()).collect()
}

/// Returns the string that begins with its length, of up to 16,383 bytes.
fn string(bytes: &[u8]) -> Option<&str> {
    let (length, rest) = match *bytes {
        [low, ref rest @ ..] if low < 0x80 => (usize::from(low), rest),
        [low, high, ref rest @ ..] if high < 0x80 => {
            (usize::from(low & 0x7f) | usize::from(high) << 7, rest)
        }
        _ => return None,
    };
    std::str::from_utf8(rest.get(..length)?).ok()
}

fn is_inside(name: &str) -> bool {
    !name.is_empty()
        && Path::new(name).components().all(|part| matches!(part, Component::Normal(_)))
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]
mod tests {
    use super::*;

    fn entry(name: &str) -> Vec<u8> {
        let mut length = vec![name.len() as u8];
        if name.len() >= 0x80 {
            length = vec![name.len() as u8 | 0x80, (name.len() >> 7) as u8];
        }
        [LOCATION, &length, name.as_bytes()].concat()
    }

    #[test]
    fn named_files_inside_the_folder_are_found_once() {
        let folder = tempfile::tempdir().unwrap();
        let long = "w".repeat(200);
        for name in ["model.onnx_data", "unnamed", &long] {
            fs_err::write(folder.path().join(name), "").unwrap();
        }
        fs_err::create_dir(folder.path().join("inner")).unwrap();
        let outside = folder.path().join("unnamed");
        let names =
            ["model.onnx_data", "missing", &long, "model.onnx_data", "../unnamed", "", "inner"];
        let mut graph: Vec<u8> =
            names.iter().flat_map(|name| [entry(name), vec![7; 3]].concat()).collect();
        graph.extend(entry(outside.to_str().unwrap()));
        let expected = ["model.onnx_data", &long].map(|name| folder.path().join(name));
        assert_eq!(files(&graph, folder.path()), expected);
        // Cut anywhere, it is no more than fewer files.
        for end in 0..graph.len() {
            assert!(files(&graph[..end], folder.path()).len() <= 2);
        }
    }
}
