//! The paragraphs of the documentation of Linux 6.1, from Debian's package `linux-doc-6.1`.
//!
//! The rule, so that the count means something: every `.rst`, `.txt`, `.yaml` and `.html` file and every file
//! without extension (each plain or gzipped) outside `html/_sources`, which repeats the sources; HTML
//! without its head, scripts and tags; split at blank lines; kept where there are 8 words or more. The
//! pages of HTML are made from the `.rst` files, so most prose is there twice, in two dresses.

use std::io::Read;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};

use crate::cache;

const PACKAGE: &str = "linux-doc-6.1";
const WORDS_MIN: usize = 8;

/// Returns a file with one paragraph a line: the one given, made from the folder or package given, or
/// from the package that apt downloads.
pub fn prepare(given: Option<&Path>) -> Result<PathBuf> {
    let cache = cache::folder("linux-doc")?;
    let source = match given {
        Some(path) if path.extension().is_some_and(|extension| extension == "txt") => {
            return Ok(path.to_path_buf());
        }
        Some(path) => path.to_path_buf(),
        None => download(&cache)?,
    };
    let name =
        source.file_stem().context("the corpus has no file name")?.to_string_lossy().into_owned();
    let paragraphs = cache.join(format!("{name}.txt"));
    if !paragraphs.exists() {
        let folder = if source.is_dir() { source } else { unpack(&source, &cache)? };
        let partial = cache.join("paragraphs.partial");
        super::write(&partial, read_folder(&folder)?)?;
        fs_err::rename(&partial, &paragraphs)?;
    }
    Ok(paragraphs)
}

fn download(cache: &Path) -> Result<PathBuf> {
    let find = || -> Result<Option<PathBuf>> {
        let mut found = Vec::new();
        for entry in fs_err::read_dir(cache)? {
            found.push(entry?.path());
        }
        found.retain(|path| path.extension().is_some_and(|extension| extension == "deb"));
        found.sort();
        Ok(found.pop())
    };
    if let Some(package) = find()? {
        return Ok(package);
    }
    eprintln!("downloading {PACKAGE} (37 MB, once)");
    let downloaded =
        cache::run(Command::new("apt-get").args(["download", PACKAGE]).current_dir(cache));
    downloaded.with_context(|| {
        format!("no {PACKAGE}: run `apt-get update` first, or name a copy with --corpus")
    })?;
    find()?.with_context(|| format!("apt-get left no package of {PACKAGE}"))
}

fn unpack(package: &Path, cache: &Path) -> Result<PathBuf> {
    let folder = cache.join("unpacked");
    cache::run(Command::new("dpkg-deb").arg("-x").arg(package).arg(&folder))?;
    Ok(folder)
}

/// The paragraphs of every file, files in the order of their paths.
fn read_folder(folder: &Path) -> Result<Vec<String>> {
    let mut paths = Vec::new();
    let mut folders = vec![folder.to_path_buf()];
    while let Some(folder) = folders.pop() {
        for entry in fs_err::read_dir(&folder)? {
            let entry = entry?;
            let kind = entry.file_type()?;
            if kind.is_dir() && entry.file_name() != "_sources" {
                folders.push(entry.path());
            } else if kind.is_file() {
                paths.push(entry.path());
            }
        }
    }
    paths.sort();
    let mut paragraphs = Vec::new();
    for path in paths {
        if let Some(kind) = kind_of(&path) {
            let text = read_text(&path)?;
            let text = if kind == "html" { without_tags(&text) } else { text };
            split(&text, &mut paragraphs);
        }
    }
    if paragraphs.is_empty() {
        bail!("{} holds no paragraph of {WORDS_MIN} words", folder.display());
    }
    Ok(paragraphs)
}

/// The extension under `.gz` where the file is one to read.
fn kind_of(path: &Path) -> Option<String> {
    let name = path.file_name()?.to_string_lossy().into_owned();
    let name = name.strip_suffix(".gz").unwrap_or(&name);
    let kind =
        Path::new(name).extension().map_or(String::new(), |e| e.to_string_lossy().into_owned());
    ["rst", "txt", "yaml", "html", ""].contains(&kind.as_str()).then_some(kind)
}

/// The file's text; bytes that are no UTF-8 are replaced, as a few old files have Latin-1 names.
fn read_text(path: &Path) -> Result<String> {
    let bytes = fs_err::read(path)?;
    let bytes = if bytes.starts_with(&[0x1f, 0x8b]) {
        let mut plain = Vec::new();
        flate2::read::MultiGzDecoder::new(&bytes[..])
            .read_to_end(&mut plain)
            .with_context(|| path.display().to_string())?;
        plain
    } else {
        bytes
    };
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

fn split(text: &str, paragraphs: &mut Vec<String>) {
    let mut paragraph = String::new();
    // A blank line after the last closes it like any other.
    for line in text.lines().chain([""]) {
        if !line.trim().is_empty() {
            paragraph.push_str(line);
            paragraph.push('\n');
        } else if paragraph.split_whitespace().nth(WORDS_MIN - 1).is_some() {
            paragraphs.push(std::mem::take(&mut paragraph));
        } else {
            paragraph.clear();
        }
    }
}

/// Drops head, scripts, styles and tags and decodes the entities that Sphinx writes.
fn without_tags(html: &str) -> String {
    let mut text = String::with_capacity(html.len());
    let mut rest = html;
    while let Some(start) = rest.find('<') {
        text.push_str(&rest[..start]);
        rest = &rest[start..];
        let closing = ["head", "script", "style"].iter().find_map(|name| {
            let after = rest[1..].strip_prefix(name)?;
            after.starts_with(['>', ' ']).then(|| format!("</{name}>"))
        });
        let end = match closing {
            Some(closing) => rest.find(&closing).map(|at| at + closing.len()),
            None => rest.find('>').map(|at| at + 1),
        };
        rest = end.map_or("", |end| &rest[end..]);
    }
    text.push_str(rest);
    for (entity, c) in [
        ("&lt;", "<"),
        ("&gt;", ">"),
        ("&quot;", "\""),
        ("&#39;", "'"),
        ("&nbsp;", " "),
        ("&amp;", "&"),
    ] {
        text = text.replace(entity, c);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write;

    #[test]
    fn a_folder_becomes_paragraphs() {
        let folder = tempfile::tempdir().unwrap();
        let put = |name: &str, bytes: &[u8]| {
            let path = folder.path().join(name);
            fs_err::create_dir_all(path.parent().unwrap()).unwrap();
            fs_err::write(path, bytes).unwrap();
        };
        let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        gzip.write_all(b"too short\n\none two three four\nfive six seven eight\n").unwrap();
        put("b/text.rst.gz", &gzip.finish().unwrap());
        put(
            "a.html",
            b"<head><p>h</p></head><p>a b c &lt;d <b>e</b> f\n g h\n \n<script>x</script></p>",
        );
        put("html/_sources/again.rst.txt", b"one two three four five six seven eight");
        put("picture.svg", b"one two three four five six seven eight");
        let found = read_folder(folder.path()).unwrap();
        assert_eq!(found, ["a b c <d e f\n g h\n", "one two three four\nfive six seven eight\n"]);
    }

    #[test]
    fn an_empty_folder_is_an_error() {
        assert!(read_folder(tempfile::tempdir().unwrap().path()).is_err());
    }
}
