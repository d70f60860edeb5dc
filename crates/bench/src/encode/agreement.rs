//! How far the vectors of two sides differ.

use std::path::Path;

use anyhow::{Result, ensure};
use serde_json::json;

use super::{Set, Setting};
use crate::cache::Scratch;
use crate::process::Process;

/// Says for each peer by how much its vectors differ from ours over all the texts.
pub fn with_peers(setting: &Setting, sets: &[Set], scratch: &Scratch) -> Result<Vec<String>> {
    let ours = vectors(&mut setting.start(None, sets, 2)?, sets, scratch)?;
    let mut said = Vec::new();
    for (peer, (name, _)) in setting.peers.iter().enumerate() {
        let theirs = vectors(&mut setting.start(Some(peer), sets, 2)?, sets, scratch)?;
        ensure!(ours.len() == theirs.len(), "{name} gave vectors of another length");
        let texts: usize = sets.iter().map(|set| set.count).sum();
        let Difference { largest, cosine } = difference(&ours, &theirs, ours.len() / texts);
        eprintln!("{name}: largest difference {largest:.1e}, least cosine {cosine:.6}");
        said.push(format!(
            "same fp32 weights, text to vector, tokenisation included; largest difference of a coordinate \
             {largest:.1e}, least cosine {cosine:.6}"
        ));
    }
    Ok(said)
}

fn vectors(side: &mut Process, sets: &[Set], scratch: &Scratch) -> Result<Vec<f32>> {
    let path = scratch.path("vectors");
    let mut all = Vec::new();
    for set in sets {
        side.ask("vectors", json!({ "name": set.name, "path": path }))?;
        all.extend(read(&path)?);
    }
    Ok(all)
}

fn read(path: &Path) -> Result<Vec<f32>> {
    let bytes = fs_err::read(path)?;
    let (values, rest) = bytes.as_chunks::<4>();
    ensure!(rest.is_empty(), "{} is no array of floats", path.display());
    Ok(values.iter().map(|value| f32::from_le_bytes(*value)).collect())
}

#[derive(Debug, PartialEq)]
struct Difference {
    largest: f32,
    cosine: f64,
}

fn difference(a: &[f32], b: &[f32], dimensions: usize) -> Difference {
    let largest = a.iter().zip(b).map(|(x, y)| (x - y).abs()).fold(0.0, f32::max);
    let dot = |x: &[f32], y: &[f32]| -> f64 {
        x.iter().zip(y).map(|(x, y)| f64::from(*x) * f64::from(*y)).sum()
    };
    let pairs = a.chunks_exact(dimensions).zip(b.chunks_exact(dimensions));
    let cosines = pairs.map(|(x, y)| dot(x, y) / (dot(x, x) * dot(y, y)).sqrt());
    Difference { largest, cosine: cosines.fold(1.0, f64::min) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn differences_are_found() {
        let a = [1.0, 0.0, 0.0, 2.0];
        assert_eq!(difference(&a, &a, 2), Difference { largest: 0.0, cosine: 1.0 });
        let found = difference(&a, &[1.0, 0.0, 2.0, 0.0], 2);
        assert_eq!(found, Difference { largest: 2.0, cosine: 0.0 });
    }
}
