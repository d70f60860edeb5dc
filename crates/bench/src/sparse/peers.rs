//! The peers, each with the settings it is measured with.

use anyhow::{Result, ensure};
use serde_json::{Value, json};

use super::truth::Truth;
use super::{Set, tuning};
use crate::cache::{Python, Scratch};
use crate::process::Process;

/// What searches for a peer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    Scan,
    Bmp,
    Seismic,
}

impl Kind {
    const ALL: [Self; 3] = [Self::Scan, Self::Bmp, Self::Seismic];

    pub fn name(self) -> &'static str {
        match self {
            Self::Scan => "scan",
            Self::Bmp => "bmp",
            Self::Seismic => "seismic",
        }
    }

    /// Whether more threads make building faster.
    pub fn builds_on_threads(self) -> bool {
        self == Self::Seismic
    }

    /// Whether queries can be split over threads: BMP's Python package holds the interpreter while it searches.
    pub fn searches_on_threads(self) -> bool {
        self != Self::Bmp
    }
}

/// A peer at one setting.
pub struct Peer {
    pub kind: Kind,
    /// Names the folder of its index. Peers that differ only in how they search share it.
    pub name: String,
    /// What the record calls it.
    pub label: String,
    pub settings: Value,
    /// The settings, for people, and what they were chosen for.
    pub how: String,
}

impl Peer {
    pub fn start(&self, python: &Python, threads: usize) -> Result<Process> {
        start(self.kind, python, threads)
    }
}

pub fn start(kind: Kind, python: &Python, threads: usize) -> Result<Process> {
    Process::python(python, "sparse_side.py", kind.name(), threads)
}

/// The peers of these names, or all; seismic comes once for each recall that is aimed at.
pub fn choose(
    names: &[String],
    python: &Python,
    set: &Set,
    truth: &Truth,
    scratch: &Scratch,
    quick: bool,
) -> Result<Vec<Peer>> {
    for name in names {
        let known = Kind::ALL.map(Kind::name);
        ensure!(
            known.contains(&name.as_str()),
            "there is no peer {name}: there are {}",
            known.join(", ")
        );
    }
    let mut peers = Vec::new();
    for kind in Kind::ALL {
        if !names.is_empty() && !names.iter().any(|name| name == kind.name()) {
            continue;
        }
        let answer = start(kind, python, 1)?.ask("version", json!({}))?;
        let label = answer["version"].as_str().unwrap_or("?").to_owned();
        let one = |settings: Value, how: &str| Peer {
            kind,
            name: kind.name().to_owned(),
            label: label.clone(),
            settings,
            how: how.to_owned(),
        };
        match kind {
            Kind::Scan => peers.push(one(json!({}), "exact")),
            Kind::Bmp => {
                let how = "blocks of 32 documents, impacts of 8 bits, alpha 1, beta 1";
                peers.push(one(json!({ "block": 32 }), how));
            }
            Kind::Seismic => {
                for tuned in tuning::tune(python, set, truth, scratch, quick)? {
                    peers.push(Peer {
                        kind,
                        name: tuned.index_name(),
                        label: format!("{label}, recall@10 {}", tuned.target),
                        how: tuned.to_string(),
                        settings: tuned.settings,
                    });
                }
            }
        }
    }
    Ok(peers)
}
