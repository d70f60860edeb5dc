//! What libraries never do, looked for in their source: print, read the environment, start threads,
//! read a clock, touch files past `fs_err`, use `unsafe` outside its two homes, serialise core types.
//!
//! It looks for words after comments, literals and tests are blanked, so it can be fooled on purpose but
//! not by accident.

use super::Problem;
use crate::rust_text::{line_of, shipped_code, words};
use crate::tree::SourceFile;

/// Crates that other programs link. `cli` and `bench` are programs.
const LIBRARIES: &[&str] =
    &["kernels", "core", "text", "index", "model", "eval", "train", "ecphory"];

/// A path or macro that shipped code of libraries must not have, and the files that may.
struct Banned {
    /// Consecutive tokens, `::` and `!` included, written as in source.
    pattern: &'static str,
    reason: &'static str,
    /// Path prefixes where it is allowed.
    except: &'static [&'static str],
}

const BANNED: &[Banned] = &[
    Banned { pattern: "println!", reason: "libraries never print", except: &[] },
    Banned { pattern: "print!", reason: "libraries never print", except: &[] },
    Banned { pattern: "eprintln!", reason: "libraries never print", except: &[] },
    Banned { pattern: "eprint!", reason: "libraries never print", except: &[] },
    Banned { pattern: "dbg!", reason: "libraries never print", except: &[] },
    Banned { pattern: "std::env", reason: "libraries never read the environment", except: &[] },
    Banned { pattern: "env::var", reason: "libraries never read the environment", except: &[] },
    Banned { pattern: "env::var_os", reason: "libraries never read the environment", except: &[] },
    Banned { pattern: "thread::spawn", reason: "threads are handed in", except: &[] },
    Banned { pattern: "thread::scope", reason: "threads are handed in", except: &[] },
    Banned {
        pattern: "thread::Builder",
        reason: "threads are handed in; only the façade's writers have some of their own",
        except: &["crates/ecphory/src/collection/maintenance.rs"],
    },
    Banned { pattern: "rayon::spawn", reason: "the pool is handed in", except: &[] },
    Banned { pattern: "rayon::join", reason: "the pool is handed in", except: &[] },
    Banned { pattern: "rayon::scope", reason: "the pool is handed in", except: &[] },
    Banned {
        pattern: "ThreadPoolBuilder",
        reason: "only the façade's engine owns a pool",
        except: &["crates/ecphory/src/"],
    },
    Banned {
        pattern: "std::fs",
        reason: "fs_err names the path in its errors",
        except: &["crates/core/src/storage/"],
    },
    Banned {
        pattern: "Instant::now",
        reason: "clocks are handed in; their one home is crates/ecphory/src/clock.rs",
        except: &["crates/ecphory/src/clock.rs"],
    },
    Banned {
        pattern: "SystemTime::now",
        reason: "clocks are handed in; their one home is crates/ecphory/src/clock.rs",
        except: &["crates/ecphory/src/clock.rs"],
    },
    Banned {
        pattern: "unsafe",
        reason: "unsafe lives in kernels and in core's mmap.rs",
        except: &["crates/kernels/src/", "crates/core/src/storage/mmap.rs"],
    },
];

/// Runs the checks over the shipped source of every crate.
pub fn check(files: &[SourceFile]) -> Vec<Problem> {
    let mut problems = Vec::new();
    for file in files.iter().filter(|file| is_shipped_source(file)) {
        let code = shipped_code(&file.text);
        let is_library = file.crate_name().is_some_and(|name| LIBRARIES.contains(&name));
        for banned in BANNED {
            // Programs may print, read the environment and so on; `unsafe` is for nobody else.
            if (is_library || banned.pattern == "unsafe")
                && !banned.except.iter().any(|prefix| file.path.starts_with(prefix))
            {
                problems.extend(occurrences(file, &code, banned));
            }
        }
        problems.extend(serialisation(file, &code));
        problems.extend(foreign_names(file, &code));
    }
    problems
}

/// Source that ends up in a crate: not tests, not benches, not examples.
fn is_shipped_source(file: &SourceFile) -> bool {
    let in_source = file.path.contains("/src/") && file.is("rs");
    let tests = file.path.ends_with("/tests.rs") || file.path.contains("/tests/");
    in_source && !tests && (file.path.starts_with("crates/") || file.path.starts_with("xtask/"))
}

fn occurrences(file: &SourceFile, code: &str, banned: &Banned) -> Vec<Problem> {
    let mut problems = Vec::new();
    let boundary = |c: Option<char>| c.is_none_or(|c| !c.is_alphanumeric() && c != '_');
    let mut from = 0;
    while let Some(found) = code[from..].find(banned.pattern) {
        let start = from + found;
        let end = start + banned.pattern.len();
        from = end;
        let whole = boundary(code[..start].chars().next_back())
            && (banned.pattern.ends_with('!') || boundary(code[end..].chars().next()));
        if whole {
            let message = format!("`{}`: {}", banned.pattern, banned.reason);
            problems.push(Problem::new(&file.path, line_of(code, start), message));
        }
    }
    problems
}

/// Core types are not `Serialize`; on-disk types live in `index::format`.
fn serialisation(file: &SourceFile, code: &str) -> Option<Problem> {
    let reason = match file.crate_name()? {
        "core" | "kernels" => "core types are not Serialize",
        "index" if !file.path.starts_with("crates/index/src/format") => {
            "on-disk types live in index::format"
        }
        _ => return None,
    };
    let (at, word) = words(code).find(|(_, word)| ["Serialize", "Deserialize"].contains(word))?;
    Some(Problem::new(&file.path, line_of(code, at), format!("`{word}`: {reason}")))
}

/// `index` knows no network, `eval` and `train` know no collection, not even by name.
fn foreign_names(file: &SourceFile, code: &str) -> Option<Problem> {
    let (names, reason): (&[&str], _) = match file.crate_name()? {
        "index" => (&["ecphory_model", "Encoder"], "index never runs a neural network"),
        "eval" => (&["ecphory_index", "ecphory"], "eval never opens a collection"),
        "train" => (&["ecphory_index", "ecphory"], "miners are handed in"),
        _ => return None,
    };
    let (at, word) = words(code).find(|(_, word)| names.contains(word))?;
    Some(Problem::new(&file.path, line_of(code, at), format!("`{word}`: {reason}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(path: &str, text: &str) -> Vec<String> {
        let problems = check(&[SourceFile::sample(path, text)]);
        problems.iter().map(ToString::to_string).collect()
    }

    #[test]
    fn every_banned_pattern_is_found_once_in_a_library_and_not_in_its_tests() {
        for banned in BANNED {
            let bad = format!("//! doc\nfn f() {{ {}; }}\n", banned.pattern);
            let hits = found("crates/text/src/words.rs", &bad);
            let expected = format!("crates/text/src/words.rs:2: `{}`", banned.pattern);
            assert!(hits.iter().any(|hit| hit.starts_with(&expected)), "{hits:?}");
            let in_test = format!("#[cfg(test)]\nmod tests {{ fn f() {{ {}; }} }}", banned.pattern);
            assert_eq!(found("crates/text/src/words.rs", &in_test), [""; 0]);
            assert_eq!(found("crates/text/src/tests.rs", &bad), [""; 0]);
            assert_eq!(found("crates/text/tests/it/main.rs", &bad), [""; 0]);
            for exception in banned.except {
                let path =
                    format!("{exception}{}", if exception.ends_with('/') { "x.rs" } else { "" });
                assert_eq!(found(&path, &bad), [""; 0]);
            }
        }
    }

    #[test]
    fn words_that_only_contain_a_pattern_pass() {
        assert_eq!(
            found("crates/text/src/a.rs", "#![allow(unsafe_code)] fn my_print() {}"),
            [""; 0]
        );
        assert_eq!(
            found("crates/text/src/a.rs", "// unsafe println!\nconst A: &str = \"dbg!\";"),
            [""; 0]
        );
        assert_eq!(found("crates/text/src/a.rs", "let v = env!(\"CARGO_PKG_VERSION\");"), [""; 0]);
    }

    #[test]
    fn programs_may_print_but_not_be_unsafe() {
        assert_eq!(
            found("crates/cli/src/main.rs", "fn main() { println!(); std::env::args(); }"),
            [""; 0]
        );
        assert_eq!(found("crates/cli/src/main.rs", "fn main() { unsafe { f() } }").len(), 1);
    }

    #[test]
    fn serialisation_has_its_homes() {
        assert_eq!(found("crates/core/src/ids.rs", "#[derive(Serialize)] struct A;").len(), 1);
        assert_eq!(
            found("crates/index/src/schema.rs", "#[derive(Deserialize)] struct A;").len(),
            1
        );
        assert_eq!(
            found("crates/index/src/format/a.rs", "#[derive(Serialize)] struct A;"),
            [""; 0]
        );
    }

    #[test]
    fn index_and_eval_do_not_name_what_they_must_not_know() {
        assert_eq!(found("crates/index/src/a.rs", "use ecphory_model::Encoder;").len(), 1);
        assert_eq!(found("crates/eval/src/a.rs", "use ecphory_index::Collection;").len(), 1);
        assert_eq!(found("crates/eval/src/a.rs", "use ecphory_core::TopK;"), [""; 0]);
    }
}
