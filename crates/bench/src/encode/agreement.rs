//! How far the vectors of two sides differ.

use std::path::Path;

use anyhow::{Result, ensure};
use serde_json::json;

use super::sides::{Precision, Setting, or_left_out};
use crate::cache::Scratch;
use crate::process::Process;

/// The vectors of every side of a setting over all its texts.
pub struct Agreement {
    sides: Vec<Vectors>,
}

struct Vectors {
    values: Vec<f32>,
    dimensions: usize,
    precision: Precision,
    shown: String,
    about: String,
}

/// Encodes all texts with every side on two threads. A side that fails leaves the setting.
pub fn of(setting: &mut Setting<'_>, scratch: &Scratch) -> Result<Agreement> {
    let texts: usize = setting.sets.iter().map(|set| set.count).sum();
    let mut found = Vec::new();
    let mut length = None;
    for side in 0..setting.sides.len() {
        let name = setting.sides[side].name();
        eprintln!("{}: vectors of {name}", setting.model.plan.name);
        let vectors = setting.start_open(side, 2).and_then(|mut process| {
            let values = vectors(&mut process, setting, scratch)?;
            let wanted = *length.get_or_insert(values.len());
            ensure!(values.len() == wanted, "vectors of another length");
            Ok(values)
        });
        let is_ours = setting.sides[side].is_ours();
        found.push(if is_ours { Some(vectors?) } else { or_left_out(name, vectors) });
    }
    let mut index = 0;
    setting.sides.retain(|_| {
        index += 1;
        found[index - 1].is_some()
    });
    let kept = found.into_iter().flatten().zip(&setting.sides);
    let sides = kept.map(|(values, side)| Vectors {
        dimensions: values.len() / texts,
        values,
        precision: side.precision(),
        shown: side.shown(),
        about: setting.about(side),
    });
    Ok(Agreement { sides: sides.collect() })
}

impl Agreement {
    /// What makes a comparison of two sides fair, or by how much they differ all the same.
    pub fn between(&self, ours: usize, theirs: usize) -> String {
        let (a, b) = (&self.sides[ours], &self.sides[theirs]);
        let about = if b.about.is_empty() { String::new() } else { format!("; {}", b.about) };
        let vectors = if a.precision == Precision::Single {
            let Difference { largest, least, .. } = difference(a, b);
            format!("largest difference of a coordinate {largest:.1e}, least cosine {least:.6}")
        } else {
            format!("cosine to fp32: ours {}{}", self.faith(ours), self.their_faith(theirs))
        };
        format!("same weights, text to vector, tokenisation included; {vectors}{about}")
    }

    /// The least and the mean cosine of an int8 side to the same runtime in fp32, or to ours where that is not there.
    fn faith(&self, side: usize) -> String {
        let runtime = |shown: &str| shown.split(' ').next().unwrap_or_default().to_owned();
        let own = runtime(&self.sides[side].shown);
        let mut single = self.sides.iter().filter(|other| other.precision == Precision::Single);
        let reference = single.clone().find(|other| runtime(&other.shown) == own);
        match reference.or_else(|| single.next()) {
            Some(reference) => {
                let Difference { least, mean, .. } = difference(reference, &self.sides[side]);
                format!("least {least:.5}, mean {mean:.5}")
            }
            None => "unknown".to_owned(),
        }
    }

    fn their_faith(&self, side: usize) -> String {
        match self.sides[side].precision {
            Precision::Single => String::new(),
            Precision::Int8 => format!("; theirs {}", self.faith(side)),
        }
    }
}

fn vectors(side: &mut Process, setting: &Setting<'_>, scratch: &Scratch) -> Result<Vec<f32>> {
    let path = scratch.path("vectors");
    let mut all = Vec::new();
    for set in setting.sets {
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
    /// Of a coordinate.
    largest: f32,
    /// The least and the mean cosine of two vectors.
    least: f64,
    mean: f64,
}

fn difference(a: &Vectors, b: &Vectors) -> Difference {
    let (a, b, dimensions) = (&a.values, &b.values, a.dimensions);
    let largest = a.iter().zip(b).map(|(x, y)| (x - y).abs()).fold(0.0, f32::max);
    let dot = |x: &[f32], y: &[f32]| -> f64 {
        x.iter().zip(y).map(|(x, y)| f64::from(*x) * f64::from(*y)).sum()
    };
    let pairs = a.chunks_exact(dimensions).zip(b.chunks_exact(dimensions));
    let cosines: Vec<f64> =
        pairs.map(|(x, y)| dot(x, y) / (dot(x, x) * dot(y, y)).sqrt()).collect();
    let mean = cosines.iter().sum::<f64>() / cosines.len() as f64;
    Difference { largest, least: cosines.into_iter().fold(1.0, f64::min), mean }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn vectors(values: &[f32], precision: Precision, shown: &str) -> Vectors {
        let (values, shown) = (values.to_vec(), shown.to_owned());
        Vectors { values, dimensions: 2, precision, shown, about: String::new() }
    }

    #[test]
    fn differences_are_found() {
        let a = vectors(&[1.0, 0.0, 0.0, 2.0], Precision::Single, "a");
        let same = Difference { largest: 0.0, least: 1.0, mean: 1.0 };
        assert_eq!(difference(&a, &a), same);
        let other = vectors(&[1.0, 0.0, 2.0, 0.0], Precision::Single, "b");
        assert_eq!(difference(&a, &other), Difference { largest: 2.0, least: 0.0, mean: 0.5 });
    }

    #[test]
    fn an_int8_side_is_held_against_its_own_runtime() {
        let single = Precision::Single;
        let agreement = Agreement {
            sides: vec![
                vectors(&[1.0, 0.0], single, "ours in fp32"),
                vectors(&[1.0, 0.0], Precision::Int8, "ours in int8"),
                vectors(&[0.0, 1.0], single, "onnxruntime 1"),
                vectors(&[0.0, 1.0], Precision::Int8, "onnxruntime 1 int8"),
            ],
        };
        let said = agreement.between(1, 3);
        assert!(said.contains("ours least 1.00000, mean 1.00000; theirs least 1.00000"), "{said}");
        assert!(agreement.between(0, 2).contains("coordinate 1.0e0, least cosine 0.000000"));
    }
}
