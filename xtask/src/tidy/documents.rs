//! What the documents say about the code: links lead somewhere, ARCHITECTURE.md names what exists, and
//! nothing that is committed names the machine it was written on.
//!
//! In ARCHITECTURE.md a back-quoted path of a Rust file has to exist, and every back-quoted name after it
//! on the same line (`` `crates/index/src/writer.rs` `Writer::commit` ``) has to be defined in it.

use std::collections::HashSet;
use std::path::Path;

use super::Problem;
use crate::tree::SourceFile;

/// Written in two halves, so that this file passes its own check.
const MACHINE_NAMES: &[&str] =
    &[concat!("/ho", "me/"), concat!("/ro", "ot/"), concat!("/Us", "ers/")];

/// Checks every document and, for machine names, every file.
pub fn check(files: &[SourceFile]) -> Vec<Problem> {
    let mut paths = HashSet::new();
    for file in files {
        let mut path = file.path.as_str();
        paths.insert(path);
        while let Some((folder, _)) = path.rsplit_once('/') {
            paths.insert(folder);
            path = folder;
        }
    }
    let mut problems = Vec::new();
    for file in files {
        problems.extend(machine_names(file));
        if file.is("md") {
            problems.extend(links(file, &paths));
        }
        if file.path == "ARCHITECTURE.md" {
            problems.extend(main_path(file, files));
        }
    }
    problems
}

fn machine_names(file: &SourceFile) -> Vec<Problem> {
    let mut problems = Vec::new();
    for (number, line) in file.text.lines().enumerate() {
        if let Some(name) = MACHINE_NAMES.iter().find(|name| line.contains(**name)) {
            let message = format!("names a place of one machine: {name}");
            problems.push(Problem::new(&file.path, number + 1, message));
        }
    }
    problems
}

/// Relative links have to lead to a file or folder of the repository.
fn links(file: &SourceFile, paths: &HashSet<&str>) -> Vec<Problem> {
    let mut problems = Vec::new();
    for (number, line) in prose_lines(&file.text) {
        for target in link_targets(line) {
            let path = target.split('#').next().unwrap_or_default();
            if path.is_empty() || path.contains("://") || path.starts_with("mailto:") {
                continue;
            }
            let resolved = resolve(&file.path, path);
            if !resolved.is_empty() && !paths.contains(resolved.as_str()) {
                let message = format!("the link to {target} leads nowhere");
                problems.push(Problem::new(&file.path, number, message));
            }
        }
    }
    problems
}

/// The lines outside fenced code, with their 1-based numbers.
fn prose_lines(text: &str) -> impl Iterator<Item = (usize, &str)> {
    let mut fenced = false;
    text.lines().enumerate().filter_map(move |(number, line)| {
        let fence = line.trim_start().starts_with("```");
        fenced ^= fence;
        (!fenced && !fence).then_some((number + 1, line))
    })
}

/// The targets of `[text](target)`, leaving out what stands in back quotes.
fn link_targets(line: &str) -> Vec<&str> {
    let mut targets = Vec::new();
    for (i, part) in line.split('`').enumerate() {
        // A link's text may hold code, which puts its `](` at the start of an even part all the same.
        if i % 2 == 0 {
            for piece in part.split("](").skip(1) {
                targets.extend(piece.split([')', ' ']).next());
            }
        }
    }
    targets
}

fn resolve(from: &str, target: &str) -> String {
    let mut parts: Vec<&str> = from.split('/').collect();
    parts.pop();
    for part in target.split('/') {
        match part {
            "" | "." => {}
            ".." => {
                parts.pop();
            }
            part => parts.push(part),
        }
    }
    parts.join("/")
}

fn main_path(file: &SourceFile, files: &[SourceFile]) -> Vec<Problem> {
    let mut problems = Vec::new();
    for (number, line) in prose_lines(&file.text) {
        let mut source: Option<&SourceFile> = None;
        for quoted in line.split('`').skip(1).step_by(2) {
            if quoted.contains('/') && Path::new(quoted).extension() == Some("rs".as_ref()) {
                source = files.iter().find(|file| file.path == quoted);
                if source.is_none() {
                    let message = format!("there is no {quoted}");
                    problems.push(Problem::new(&file.path, number, message));
                }
            } else if let (Some(source), Some(names)) = (source, names(quoted))
                && !defines(source, &names)
            {
                let message = format!("{} does not define `{quoted}`", source.path);
                problems.push(Problem::new(&file.path, number, message));
            }
        }
    }
    problems
}

/// `Writer::commit` or `commit()` as its parts; `None` for what is no path of identifiers.
fn names(quoted: &str) -> Option<Vec<&str>> {
    let parts: Vec<&str> = quoted.trim_end_matches("()").split("::").collect();
    let is_name = |part: &&str| {
        part.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
            && part.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
    };
    parts.iter().all(is_name).then_some(parts)
}

/// Whether the last name is defined in the file and the others, its type or module, are at least named.
fn defines(source: &SourceFile, names: &[&str]) -> bool {
    const KEYWORDS: &[&str] = &["fn", "struct", "enum", "trait", "type", "const", "static", "mod"];
    let code = crate::rust_text::code(&source.text);
    let words: Vec<&str> = crate::rust_text::words(&code).map(|(_, word)| word).collect();
    let Some((last, owners)) = names.split_last() else { return false };
    let defined = words.windows(2).any(|pair| KEYWORDS.contains(&pair[0]) && pair[1] == *last);
    defined && owners.iter().all(|owner| words.contains(owner))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(files: &[(&str, &str)]) -> Vec<String> {
        let files: Vec<SourceFile> =
            files.iter().map(|(path, text)| SourceFile::sample(path, text)).collect();
        check(&files).iter().map(ToString::to_string).collect()
    }

    #[test]
    fn a_link_has_to_lead_somewhere() {
        let readme =
            "[a](docs/a.md#part) [b](docs) [c](https://x.y/z) `[d](e)`\n```\n[f](g)\n```\n";
        assert_eq!(found(&[("README.md", readme), ("docs/a.md", "[up](../README.md)")]), [""; 0]);
        assert_eq!(
            found(&[("docs/a.md", "x\nsee [`code`](b.md)")]),
            ["docs/a.md:2: the link to b.md leads nowhere"]
        );
    }

    #[test]
    fn the_main_path_names_what_exists() {
        let source = ("crates/index/src/writer.rs", "impl Writer { pub fn commit(&self) {} }");
        let good = "1. `crates/index/src/writer.rs` `Writer::commit` writes `a b`, then `commit()`";
        assert_eq!(found(&[source, ("ARCHITECTURE.md", good)]), [""; 0]);
        let bad =
            "`crates/index/src/writer.rs` `Writer::stage`, `crates/index/src/gone.rs` `commit`";
        assert_eq!(
            found(&[source, ("ARCHITECTURE.md", bad)]),
            [
                "ARCHITECTURE.md:1: crates/index/src/writer.rs does not define `Writer::stage`",
                "ARCHITECTURE.md:1: there is no crates/index/src/gone.rs"
            ]
        );
    }

    #[test]
    fn no_file_names_a_machine() {
        for name in MACHINE_NAMES {
            assert_eq!(found(&[("crates/a/tests/make.py", &format!("a\n x{name}y"))]).len(), 1);
        }
    }
}
