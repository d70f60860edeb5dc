//! The invariants of ARCHITECTURE.md and the rules of the house, checked by a command and by a test.
//!
//! Each check is a function from files to problems, with a test that hands it a bad sample.

mod dependencies;
mod documents;
mod invariants;
mod layout;

use std::fmt;

use anyhow::Result;

use crate::bench::table;
use crate::tree::{self, SourceFile};

/// Something that breaks a rule; line 0 means the file as a whole.
#[derive(Debug, PartialEq, Eq)]
pub struct Problem {
    pub path: String,
    pub line: usize,
    pub message: String,
}

impl Problem {
    pub fn new(path: &str, line: usize, message: impl Into<String>) -> Self {
        Self { path: path.to_owned(), line, message: message.into() }
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.line {
            0 => write!(f, "{}: {}", self.path, self.message),
            line => write!(f, "{}:{line}: {}", self.path, self.message),
        }
    }
}

/// Prints every problem and warning; false where there is a problem.
pub fn run() -> Result<bool> {
    let files = tree::read(&tree::root())?;
    for warning in layout::long_functions(&files) {
        println!("warning: {warning}");
    }
    let problems = problems(&files)?;
    for problem in &problems {
        println!("{problem}");
    }
    println!("tidy: {} files, {} problems", files.len(), problems.len());
    Ok(problems.is_empty())
}

fn problems(files: &[SourceFile]) -> Result<Vec<Problem>> {
    let mut found = dependencies::check(&dependencies::of_workspace()?);
    found.extend(invariants::check(files));
    found.extend(layout::check(files));
    found.extend(documents::check(files));
    found.extend(table::check(files));
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_workspace_is_tidy() {
        let files = tree::read(&tree::root()).unwrap();
        assert!(files.len() > 20, "found only {} files", files.len());
        let problems = problems(&files).unwrap();
        let listed: Vec<String> = problems.iter().map(ToString::to_string).collect();
        assert!(problems.is_empty(), "\n{}\n", listed.join("\n"));
    }
}
