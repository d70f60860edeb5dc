//! The one direction of dependency, and peers in `bench` only, read from `cargo metadata`.

use std::process::Command;

use anyhow::{Context, Result, ensure};
use serde_json::Value;

use super::Problem;
use crate::tree;

/// What each crate may depend on within the workspace. Whoever adds an edge adds it here, with the
/// picture in ARCHITECTURE.md.
const ALLOWED: &[(&str, &[&str])] = &[
    ("ecphory-kernels", &[]),
    ("ecphory-core", &[]),
    ("ecphory-text", &["ecphory-core"]),
    ("ecphory-index", &["ecphory-core", "ecphory-kernels", "ecphory-text"]),
    ("ecphory-model", &["ecphory-core", "ecphory-kernels", "ecphory-text"]),
    ("ecphory-eval", &["ecphory-core"]),
    (
        "ecphory-train",
        &["ecphory-core", "ecphory-kernels", "ecphory-text", "ecphory-model", "ecphory-eval"],
    ),
    (
        "ecphory",
        &[
            "ecphory-core",
            "ecphory-kernels",
            "ecphory-text",
            "ecphory-index",
            "ecphory-model",
            "ecphory-eval",
            "ecphory-train",
        ],
    ),
    ("ecphory-cli", &["ecphory"]),
    (
        "ecphory-bench",
        &[
            "ecphory",
            "ecphory-core",
            "ecphory-kernels",
            "ecphory-text",
            "ecphory-index",
            "ecphory-model",
            "ecphory-eval",
            "ecphory-train",
        ],
    ),
    ("xtask", &[]),
];

/// Engines, indexes and frameworks that we compare with; a name with `-` at its end is a family.
const PEERS: &[&str] = &[
    "tantivy",
    "candle-",
    "burn",
    "ort",
    "rten",
    "tract-",
    "tch",
    "fastembed",
    "faiss",
    "hnsw_rs",
    "hnswlib-rs",
    "usearch",
    "simsimd",
    "instant-distance",
    "arroy",
    "hannoy",
    "lance",
    "lancedb",
    "qdrant-",
    "seismic",
    "bm25",
    "milli",
    "sonic-server",
];

/// One dependency as its manifest states it.
#[derive(Debug)]
pub struct Edge {
    pub from: String,
    pub to: String,
    /// Whether `to` is in the workspace.
    pub internal: bool,
    /// Dev-dependencies follow the same rule: a test that needs a crate further up belongs up there.
    pub manifest: String,
}

/// Asks cargo for the dependencies of every member.
pub fn of_workspace() -> Result<Vec<Edge>> {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let output = Command::new(cargo)
        .args(["metadata", "--no-deps", "--format-version", "1", "--offline"])
        .current_dir(tree::root())
        .output()
        .context("could not run cargo metadata")?;
    ensure!(
        output.status.success(),
        "cargo metadata failed: {}",
        String::from_utf8_lossy(&output.stderr)
    );
    edges(&serde_json::from_slice(&output.stdout)?)
}

fn edges(metadata: &Value) -> Result<Vec<Edge>> {
    let text = |value: &Value, key: &str| -> Result<String> {
        let found = value[key].as_str();
        found.map(str::to_owned).with_context(|| format!("cargo metadata has no {key}"))
    };
    let packages = metadata["packages"].as_array().context("cargo metadata has no packages")?;
    let mut edges = Vec::new();
    for package in packages {
        let from = text(package, "name")?;
        let manifest = text(package, "manifest_path")?;
        for dependency in package["dependencies"].as_array().into_iter().flatten() {
            edges.push(Edge {
                from: from.clone(),
                to: text(dependency, "name")?,
                internal: dependency["path"].is_string(),
                manifest: manifest.clone(),
            });
        }
    }
    Ok(edges)
}

/// Names every edge that points up, every crate without a rule, and every peer outside `bench`.
pub fn check(edges: &[Edge]) -> Vec<Problem> {
    let mut problems = Vec::new();
    for edge in edges {
        let mut report = |message: String| problems.push(Problem::new(&edge.manifest, 0, message));
        let Some((_, allowed)) = ALLOWED.iter().find(|(name, _)| *name == edge.from) else {
            report(format!("{} has no row in the list of allowed dependencies", edge.from));
            continue;
        };
        if edge.internal && !allowed.contains(&edge.to.as_str()) {
            report(format!("{} must not depend on {}", edge.from, edge.to));
        }
        // What runs graphs for those who ask for it, by a feature that is off by default.
        let by_feature = (edge.from.as_str(), edge.to.as_str()) == ("ecphory-model", "ort");
        if edge.from != "ecphory-bench" && is_peer(&edge.to) && !by_feature {
            report(format!("{} is a peer: only ecphory-bench may depend on it", edge.to));
        }
    }
    problems
}

fn is_peer(name: &str) -> bool {
    PEERS.iter().any(|peer| {
        name == peer.trim_end_matches('-') || peer.ends_with('-') && name.starts_with(peer)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn edge(from: &str, to: &str, internal: bool) -> Edge {
        Edge { from: from.into(), to: to.into(), internal, manifest: "Cargo.toml".into() }
    }

    fn messages(edges: &[Edge]) -> Vec<String> {
        check(edges).into_iter().map(|problem| problem.message).collect()
    }

    #[test]
    fn an_arrow_that_points_up_is_a_problem() {
        assert_eq!(messages(&[edge("ecphory-index", "ecphory-text", true)]), [""; 0]);
        assert_eq!(
            messages(&[edge("ecphory-index", "ecphory-model", true)]),
            ["ecphory-index must not depend on ecphory-model"]
        );
        assert_eq!(messages(&[edge("ecphory-eval", "ecphory-index", true)]).len(), 1);
        assert_eq!(messages(&[edge("ecphory-odd", "serde", false)]).len(), 1);
    }

    #[test]
    fn peers_are_for_bench_alone() {
        assert_eq!(messages(&[edge("ecphory-bench", "tantivy", false)]), [""; 0]);
        assert_eq!(messages(&[edge("ecphory-index", "tantivy", false)]).len(), 1);
        assert_eq!(messages(&[edge("ecphory-model", "candle-core", false)]).len(), 1);
        assert_eq!(messages(&[edge("ecphory-model", "sorted-vec", false)]), [""; 0]);
    }

    #[test]
    fn metadata_is_read() {
        let metadata = serde_json::json!({"packages": [{
            "name": "ecphory-text", "manifest_path": "crates/text/Cargo.toml",
            "dependencies": [
                {"name": "ecphory-index", "path": "crates/index", "kind": "dev"},
                {"name": "serde", "kind": null}
            ]
        }]});
        let edges = edges(&metadata).unwrap();
        assert_eq!(edges.len(), 2);
        assert_eq!(check(&edges).len(), 1);
        assert!(super::edges(&serde_json::json!({})).is_err());
    }
}
