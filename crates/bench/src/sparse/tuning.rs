//! The search for seismic's settings: of a grid, the fastest that finds enough of the exact ten best.
//!
//! What is fixed is as in its authors' own configurations for recall 0.95 and 0.99 on MS MARCO (`centroid_fraction` 0.2, `summary_energy` 0.5,
//! `min_cluster_size` 2, `max_fraction` 4, no graph of neighbours); the grid is around the values in which they differ.
//! It is tuned on the queries that are measured, on one thread.

use std::fmt;

use anyhow::Result;
use serde_json::{Value, json};

use super::peers::{Kind, start};
use super::truth::Truth;
use super::{Set, results};
use crate::cache::{Python, Scratch};

/// Shares of the exact ten best.
const TARGETS: [&str; 3] = ["0.90", "0.95", "0.99"];
const POSTINGS: [usize; 4] = [500, 1000, 2000, 4000];
const CUTS: [usize; 10] = [3, 4, 5, 6, 7, 8, 10, 12, 15, 20];
const FACTORS: [f64; 4] = [0.7, 0.8, 0.9, 1.0];
/// How many of the fastest settings are timed again, and how often.
const AGAIN: usize = 4;
const TIMES: usize = 3;

/// A setting that was chosen.
pub struct Tuned {
    pub target: &'static str,
    pub settings: Value,
    recall: f64,
}

impl Tuned {
    /// A name of the index that the setting searches.
    pub fn index_name(&self) -> String {
        let Self { settings, .. } = self;
        format!("seismic-{}-{}", settings["n_postings"], settings["dotvbyte"])
    }
}

impl fmt::Display for Tuned {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { target, settings, recall } = self;
        let values = if settings["dotvbyte"] == true { "DotVByte" } else { "f16" };
        let fault =
            if *recall < target.parse().unwrap_or(1.0) { ", the most of the grid" } else { "" };
        write!(
            f,
            "{values}, n_postings {}, query_cut {}, heap_factor {}, sorted {}, tuned on these queries (recall@10 {recall:.4}{fault})",
            settings["n_postings"],
            settings["query_cut"],
            settings["heap_factor"],
            settings["sorted"]
        )
    }
}

/// A setting that was tried.
#[derive(Clone)]
struct Tried {
    settings: Value,
    recall: f64,
    seconds: f64,
}

/// Tries the grid and returns a setting for each target, or the one that finds most where none finds enough.
pub fn tune(
    python: &Python,
    set: &Set,
    truth: &Truth,
    scratch: &Scratch,
    quick: bool,
) -> Result<Vec<Tuned>> {
    let mut best: Vec<Tried> = Vec::new();
    let postings = if quick { &POSTINGS[1..3] } else { &POSTINGS[..] };
    for &n_postings in postings {
        for dotvbyte in [true, false] {
            eprintln!("tuning seismic: n_postings {n_postings}, DotVByte {dotvbyte}");
            let built = json!({ "n_postings": n_postings, "dotvbyte": dotvbyte });
            let folder = scratch.path(&format!("tuning-{n_postings}-{dotvbyte}"));
            start(Kind::Seismic, python, 2)?.ask("build", set.build_request(&folder, &built))?;
            let mut side = start(Kind::Seismic, python, 1)?;
            side.ask("open", set.open_request(&folder, &built))?;
            let mut tried = Vec::new();
            for setting in grid(&built, quick) {
                let answer = results(&mut side, 10, &setting)?;
                let recall = truth.recall(&answer.results, 10);
                tried.push(Tried { settings: setting, recall, seconds: answer.seconds });
            }
            for target in TARGETS {
                for chosen in fastest(&tried, target, AGAIN) {
                    let mut chosen = chosen.clone();
                    for _ in 0..TIMES {
                        let request = json!({ "k": 10, "settings": chosen.settings });
                        chosen.seconds =
                            chosen.seconds.min(side.measure("search", request, "seconds")?);
                    }
                    best.push(chosen);
                }
            }
            fs_err::remove_dir_all(&folder)?;
        }
    }
    Ok(choose(&best))
}

fn choose(tried: &[Tried]) -> Vec<Tuned> {
    let mut tuned = Vec::new();
    for target in TARGETS {
        if let Some(chosen) = fastest(tried, target, 1).first() {
            let Tried { settings, recall, seconds } = (*chosen).clone();
            let tuned_here = Tuned { target, settings, recall };
            eprintln!(
                "{target}: {:.0} queries a second, {tuned_here}",
                super::QUERIES as f64 / seconds
            );
            tuned.push(tuned_here);
        }
    }
    tuned
}

fn grid(built: &Value, quick: bool) -> Vec<Value> {
    let mut grid = Vec::new();
    for query_cut in CUTS.into_iter().step_by(if quick { 2 } else { 1 }) {
        for heap_factor in FACTORS {
            for sorted in [true, false] {
                let mut setting = built.clone();
                setting["query_cut"] = json!(query_cut);
                setting["heap_factor"] = json!(heap_factor);
                setting["sorted"] = json!(sorted);
                grid.push(setting);
            }
        }
    }
    grid
}

/// The fastest that reach a target, fastest first; where none does, the one that comes closest.
fn fastest<'t>(tried: &'t [Tried], target: &str, count: usize) -> Vec<&'t Tried> {
    let least: f64 = target.parse().unwrap_or(1.0);
    let mut good: Vec<&Tried> = tried.iter().filter(|tried| tried.recall >= least).collect();
    good.sort_by(|a, b| a.seconds.total_cmp(&b.seconds));
    good.truncate(count);
    if good.is_empty() {
        good.extend(tried.iter().max_by(|a, b| a.recall.total_cmp(&b.recall)));
    }
    good
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_fastest_that_reaches_the_target_is_chosen() {
        let tried = |n: usize, recall, seconds| Tried {
            settings: json!({ "n_postings": n, "query_cut": 3, "heap_factor": 0.9, "sorted": true, "dotvbyte": true }),
            recall,
            seconds,
        };
        let tried =
            [tried(1, 0.91, 0.3), tried(2, 0.92, 0.2), tried(3, 0.96, 0.5), tried(4, 0.5, 0.1)];
        let chosen = choose(&tried);
        let of = |place: usize| chosen[place].settings["n_postings"].as_u64().unwrap();
        assert_eq!([of(0), of(1), of(2)], [2, 3, 3]);
        assert!(chosen[2].to_string().contains("0.9600, the most of the grid"), "{}", chosen[2]);
        assert!(!chosen[1].to_string().contains("most"));
        assert_eq!(chosen[1].index_name(), chosen[2].index_name());
        assert_ne!(chosen[0].index_name(), chosen[1].index_name());
        assert_eq!(grid(&json!({}), false).len(), 80);
    }
}
