//! Size, names and the first line of files.

use super::Problem;
use crate::rust_text::{code, line_of, words};
use crate::tree::SourceFile;

const FILE_LINES_MAX: usize = 1000;
/// A function longer than a screen is worth a look; clippy refuses those over 100 lines.
const FUNCTION_LINES: usize = 70;

/// Names that say nothing, as parts of a path (`new` for a second copy of something included).
const FORBIDDEN: &[&str] = &[
    "utils", "util", "helpers", "helper", "common", "base", "wrapper", "manager", "misc", "new",
    "v2", "v3", "fast", "parallel",
];

/// Checks every path of the repository and every Rust file.
pub fn check(files: &[SourceFile]) -> Vec<Problem> {
    let mut problems = Vec::new();
    for file in files {
        problems.extend(name(file));
        if file.is("rs") {
            problems.extend(length(file));
            problems.extend(first_line(file));
        }
    }
    problems
}

/// Lists the functions that do not fit a screen.
pub fn long_functions(files: &[SourceFile]) -> Vec<Problem> {
    let mut long = Vec::new();
    for file in files.iter().filter(|file| file.is("rs")) {
        let code = code(&file.text);
        let mut found = words(&code);
        while let Some((at, word)) = found.next() {
            if word != "fn" {
                continue;
            }
            let Some((name_at, name)) = found.next() else { break };
            if code[at..name_at].contains('(') {
                continue; // a function pointer type has no name
            }
            let lines = body_lines(&code[at..]);
            if lines > FUNCTION_LINES {
                let message = format!("function `{name}` has {lines} lines");
                long.push(Problem::new(&file.path, line_of(&code, at), message));
            }
        }
    }
    long
}

/// The lines from `fn` to its closing brace; 0 for a declaration without body.
fn body_lines(code: &str) -> usize {
    let mut depth = 0usize;
    let mut brackets = 0usize;
    for (offset, c) in code.char_indices() {
        match c {
            '(' | '[' => brackets += 1,
            ')' | ']' => brackets = brackets.saturating_sub(1),
            ';' if depth == 0 && brackets == 0 => return 0,
            '{' => depth += 1,
            '}' if depth <= 1 => return code[..offset].matches('\n').count() + 1,
            '}' => depth -= 1,
            _ => {}
        }
    }
    0
}

fn name(file: &SourceFile) -> Option<Problem> {
    let word = file
        .path
        .split(['/', '.', '_', '-'])
        .find(|part| FORBIDDEN.contains(&part.to_ascii_lowercase().as_str()))?;
    Some(Problem::new(&file.path, 0, format!("`{word}` in a path says nothing: name what it is")))
}

fn length(file: &SourceFile) -> Option<Problem> {
    let lines = file.text.lines().count();
    let message = format!("{lines} lines; split files over {FILE_LINES_MAX}");
    (lines > FILE_LINES_MAX).then(|| Problem::new(&file.path, 0, message))
}

/// Every module opens with what it is; test files say it in their functions' names.
fn first_line(file: &SourceFile) -> Option<Problem> {
    let is_source = file.path.contains("/src/");
    let is_test = file.path.ends_with("/tests.rs") || file.path.contains("/tests/");
    let opens = file.text.starts_with("//!");
    (is_source && !is_test && !opens)
        .then(|| Problem::new(&file.path, 1, "open the module with `//!`: what it is, its cost"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(path: &str, text: &str) -> usize {
        check(&[SourceFile::sample(path, text)]).len()
    }

    #[test]
    fn names_that_say_nothing_are_refused() {
        assert_eq!(found("crates/text/src/utils.rs", "//! x"), 1);
        assert_eq!(found("crates/text/src/string_helpers.rs", "//! x"), 1);
        assert_eq!(found("docs/base/index.md", ""), 1);
        assert_eq!(found("crates/text/src/database.rs", "//! x"), 0);
    }

    #[test]
    fn files_have_a_limit_and_a_header() {
        assert_eq!(found("crates/text/src/a.rs", &"//! x\n".repeat(1001)), 1);
        assert_eq!(found("crates/text/src/a.rs", "use std::fmt;"), 1);
        assert_eq!(found("crates/text/src/tests.rs", "use std::fmt;"), 0);
    }

    #[test]
    fn a_long_function_is_seen_by_its_name() {
        let body = "    let x = [0; 3];\n".repeat(75);
        let text = format!(
            "trait T {{ fn a(x: [u8; 2]); }}\nfn short() {{}}\nfn long(f: fn(u8)) {{\n{body}}}\n"
        );
        let long = long_functions(&[SourceFile::sample("crates/a/src/a.rs", &text)]);
        assert_eq!(long.len(), 1);
        assert_eq!(long[0].message, "function `long` has 77 lines");
        assert_eq!(long[0].line, 3);
    }
}
