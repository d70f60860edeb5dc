//! Reads names and versions out of a `Cargo.lock`.
//!
//! Cargo writes the file itself, one `key = "value"` a line, so lines are enough. Not for lock
//! files that people have edited into other TOML.

/// Where a package of crates.io comes from, whatever mirror serves it.
const CRATES_IO: &str = "registry+https://github.com/rust-lang/crates.io-index";

/// A crate of crates.io and the versions of it that the lock file names, newest first.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Locked {
    pub name: String,
    pub versions: Vec<String>,
}

/// Returns the crates that `names` (one a line) and `lock` both name, in the order of `names`.
pub(super) fn selected(lock: &str, names: &str) -> Vec<Locked> {
    let packages = packages(lock);
    let mut selected = Vec::new();
    for name in names.lines().map(str::trim).filter(|name| !name.is_empty()) {
        let mut versions: Vec<&str> =
            packages.iter().filter(|package| package.0 == name).map(|package| package.1).collect();
        versions.sort_by_key(|version| std::cmp::Reverse(version_key(version)));
        if !versions.is_empty() {
            let versions = versions.into_iter().map(str::to_owned).collect();
            selected.push(Locked { name: name.to_owned(), versions });
        }
    }
    selected
}

/// Returns name and version of each package of crates.io.
fn packages(lock: &str) -> Vec<(&str, &str)> {
    let (mut name, mut version) = ("", "");
    let mut packages = Vec::new();
    for line in lock.lines() {
        let Some((key, value)) = line.split_once(" = ") else { continue };
        let value = value.trim_matches('"');
        match key {
            "name" => name = value,
            "version" => version = value,
            "source" if value == CRATES_IO => packages.push((name, version)),
            _ => {}
        }
    }
    packages
}

/// Orders releases by their numbers and a release after its pre-releases.
fn version_key(version: &str) -> (Vec<u64>, bool, &str) {
    let version = version.split('+').next().unwrap_or(version);
    let (numbers, suffix) = version.split_once('-').unwrap_or((version, ""));
    let numbers = numbers.split('.').map(|number| number.parse().unwrap_or(0)).collect();
    (numbers, suffix.is_empty(), suffix)
}

#[cfg(test)]
mod tests {
    use super::*;

    const LOCK: &str = r#"
version = 4

[[package]]
name = "ours"
version = "0.1.0"

[[package]]
name = "rand"
version = "0.9.5"
source = "registry+https://github.com/rust-lang/crates.io-index"
checksum = "00"

[[package]]
name = "rand"
version = "0.10.4"
source = "registry+https://github.com/rust-lang/crates.io-index"
dependencies = [
 "ours",
]

[[package]]
name = "fork"
version = "1.0.0"
source = "git+https://example.org/fork"
"#;

    #[test]
    fn takes_registry_packages_that_are_named_newest_version_first() {
        let selected = selected(LOCK, "fork\nours\nrand\nmissing\n");
        let rand = Locked { name: "rand".into(), versions: vec!["0.10.4".into(), "0.9.5".into()] };
        assert_eq!(selected, [rand]);
    }

    #[test]
    fn a_release_follows_its_candidates() {
        assert!(version_key("1.0.0") > version_key("1.0.0-rc.3"));
        assert!(version_key("1.2.1+spec-1.1.0") > version_key("1.2.0"));
    }
}
