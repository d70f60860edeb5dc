//! Reads names and versions out of a `Cargo.lock`.
//!
//! Cargo writes the file itself, one `key = "value"` or one dependency a line, so lines are enough.
//! Not for lock files that people have edited into other TOML.

use std::collections::BTreeSet;

/// Where a package of crates.io comes from, whatever mirror serves it.
const CRATES_IO: &str = "registry+https://github.com/rust-lang/crates.io-index";

/// A crate of crates.io and the versions of it that are in use, newest first.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Locked {
    pub name: String,
    pub versions: Vec<String>,
}

/// Returns the crates named in `names` (one a line), in that order, with those versions in `lock`
/// that `root` depends on through any number of steps. Other members of a workspace may lock other
/// versions, but a machine that builds only `root` has not unpacked those.
pub(super) fn selected(lock: &str, root: &str, names: &str) -> Vec<Locked> {
    let packages = packages(lock);
    let in_use = reachable(&packages, root);
    let mut selected = Vec::new();
    for name in names.lines().map(str::trim).filter(|name| !name.is_empty()) {
        let of_name = in_use.iter().map(|&at| &packages[at]);
        let mut versions: Vec<&str> = of_name
            .filter(|package| package.is_registry && package.name == name)
            .map(|package| package.version)
            .collect();
        versions.sort_by_key(|version| std::cmp::Reverse(version_key(version)));
        if !versions.is_empty() {
            let versions = versions.into_iter().map(str::to_owned).collect();
            selected.push(Locked { name: name.to_owned(), versions });
        }
    }
    selected
}

/// A package as the lock file describes it.
#[derive(Default)]
struct Package<'a> {
    name: &'a str,
    version: &'a str,
    is_registry: bool,
    /// `name`, or `name version` where the lock file has several.
    dependencies: Vec<&'a str>,
}

fn packages(lock: &str) -> Vec<Package<'_>> {
    let mut packages: Vec<Package<'_>> = Vec::new();
    for line in lock.lines() {
        if line == "[[package]]" {
            packages.push(Package::default());
        }
        let Some(package) = packages.last_mut() else { continue };
        if let Some(dependency) = line.strip_prefix(" \"").and_then(|line| line.strip_suffix("\","))
        {
            package.dependencies.push(dependency);
        } else if let Some((key, value)) = line.split_once(" = ") {
            let value = value.trim_matches('"');
            match key {
                "name" => package.name = value,
                "version" => package.version = value,
                "source" => package.is_registry = value == CRATES_IO,
                _ => {}
            }
        }
    }
    packages
}

/// Returns the positions of the packages that `root` needs.
fn reachable(packages: &[Package<'_>], root: &str) -> BTreeSet<usize> {
    let mut reached = BTreeSet::new();
    let mut open = vec![root];
    while let Some(wanted) = open.pop() {
        let mut words = wanted.split(' ');
        let (name, version) = (words.next().unwrap_or(wanted), words.next());
        for (at, package) in packages.iter().enumerate() {
            let is_wanted = package.name == name && version.is_none_or(|v| v == package.version);
            if is_wanted && reached.insert(at) {
                open.extend(&package.dependencies);
            }
        }
    }
    reached
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

    /// Writes the entry of a package; those of crates.io have a source, ours have none.
    fn package(name: &str, version: &str, source: &str, dependencies: &[&str]) -> String {
        let source =
            if source.is_empty() { String::new() } else { format!("source = \"{source}\"\n") };
        let dependencies: Vec<_> = dependencies.iter().map(|d| format!(" \"{d}\",\n")).collect();
        let dependencies = dependencies.concat();
        format!(
            "[[package]]\nname = \"{name}\"\nversion = \"{version}\"\n{source}\
             dependencies = [\n{dependencies}]\n\n"
        )
    }

    #[test]
    fn takes_the_versions_that_the_root_needs_newest_first() {
        let lock = [
            "version = 4\n\n".to_owned(),
            package("ours", "0.1.0", "", &["fork", "library", "rand 0.9.5"]),
            package("library", "0.1.0", "", &["rand 0.10.4", "library"]),
            package("bench", "0.1.0", "", &["rand 0.11.0", "peer"]),
            package("fork", "1.0.0", "git+https://example.org/fork", &[]),
            package("peer", "1.0.0", CRATES_IO, &[]),
            package("rand", "0.9.5", CRATES_IO, &[]),
            package("rand", "0.10.4", CRATES_IO, &[]),
            package("rand", "0.11.0", CRATES_IO, &[]),
        ];
        let selected = selected(&lock.concat(), "ours", "fork\nlibrary\npeer\nrand\nmissing\n");
        let rand = Locked { name: "rand".into(), versions: vec!["0.10.4".into(), "0.9.5".into()] };
        assert_eq!(selected, [rand]);
    }

    #[test]
    fn a_release_follows_its_candidates() {
        assert!(version_key("1.0.0") > version_key("1.0.0-rc.3"));
        assert!(version_key("1.2.1+spec-1.1.0") > version_key("1.2.0"));
    }
}
